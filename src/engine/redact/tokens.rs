//! A token at a place, by one of the `shapes`.

use super::{
    bytes::{at, begins, is_word, part, run},
    shapes::{Body, Shape},
    values::is_random,
};

/// As many bytes decide whether something is a token: a text of prefixes alone costs no more than that for each.
const DECIDES: usize = 64;

/// Where the token that begins here ends.
pub(super) fn end(text: &[u8], start: usize, shape: &Shape) -> Option<usize> {
    let body = start + shape.prefix.len();
    if part(text, start, body) != shape.prefix.as_bytes() || !begins(text, start) {
        return None;
    }
    let holds = |byte| shape.body.holds(byte);
    let decides = shape.least.max(DECIDES).max(shape.most + 1);
    let head = part(text, body, body + decides);
    let length = run(head, 0, holds);
    if length < shape.least || (shape.most > 0 && (length > shape.most || is_word(at(text, body + length)))) {
        return None;
    }
    let head = part(head, 0, length);
    let uuid = |head: &[u8]| {
        head.iter().take(36).enumerate().all(|(n, b)| (*b == b'-') == matches!(n, 8 | 13 | 18 | 23))
    };
    let fits = match shape.body {
        Body::Uuid => length >= 36 && uuid(head),
        Body::Airtable => {
            part(head, 0, 14).iter().all(u8::is_ascii_alphanumeric)
                && at(head, 14) == b'.'
                && part(head, 15, 79).iter().all(u8::is_ascii_hexdigit)
        }
        _ if shape.wordy => is_random(part(head, 0, length.min(DECIDES))),
        _ => true,
    };
    if !fits || !is_varied(head) {
        return None;
    }
    let mut end = run(text, body, holds);
    // A dot or an equals sign that ends a sentence or an assignment is not the token's.
    while matches!(at(text, end - 1), b'.' | b':') && end > body + shape.least {
        end -= 1;
    }
    Some(end)
}

/// Whether more than a few different bytes are in it; `xxxx` only stands for a token.
fn is_varied(body: &[u8]) -> bool {
    let mut seen = [0_u8; 4];
    let mut count = 0;
    for byte in body {
        if !seen.contains(byte) {
            let Some(slot) = seen.get_mut(count) else { return true };
            *slot = *byte;
            count += 1;
        }
    }
    false
}
