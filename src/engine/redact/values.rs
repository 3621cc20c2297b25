//! Whether a value can be a secret: what stands for one (`****`, `${PASSWORD}`), code and prose cannot.

use super::bytes::{at, is_word, run};

/// Words that say something of a secret and are none.
const SAID: [&str; 62] = [
    "null",
    "none",
    "nil",
    "undefined",
    "true",
    "false",
    "yes",
    "no",
    "on",
    "off",
    "n/a",
    "na",
    "redacted",
    "masked",
    "hidden",
    "filtered",
    "removed",
    "include",
    "omit",
    "same-origin",
    "bearer",
    "basic",
    "incorrect",
    "invalid",
    "missing",
    "required",
    "expired",
    "wrong",
    "empty",
    "must",
    "too",
    "is",
    "not",
    "failed",
    "denied",
    "ok",
    "changed",
    "reset",
    "updated",
    "unset",
    "set",
    "provided",
    "unknown",
    "disabled",
    "enabled",
    "revoked",
    "rotated",
    "rejected",
    "accepted",
    "string",
    "str",
    "text",
    "number",
    "valid",
    "optional",
    "default",
    "plain",
    "mismatch",
    "malformed",
    "mandatory",
    "placeholder",
    "the",
];

/// Whether the text at this place is a mark that redaction left: `[EMAIL]`, `[TOKEN:0123456789abcdef]`,
/// `[CREDIT_CARD …1111]`. Its end is answered.
pub(super) fn mark_end(text: &[u8], place: usize) -> Option<usize> {
    if at(text, place) != b'[' {
        return None;
    }
    let name =
        run(text, place + 1, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    if !(3..=50).contains(&(name - place)) || !at(text, place + 1).is_ascii_uppercase() {
        return None;
    }
    match at(text, name) {
        b']' => Some(name + 1),
        b':' => {
            let end = run(text, name + 1, |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
            (end == name + 17 && at(text, end) == b']').then_some(end + 1)
        }
        b' ' => {
            let rest = text.get(name + 1..)?.strip_prefix("…".as_bytes())?;
            let end = rest.iter().take(24).position(|byte| *byte == b']')?;
            Some(name + 1 + "…".len() + end + 1)
        }
        _ => None,
    }
}

/// Whether the value only stands where a secret would.
pub(super) fn stands_for_one(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let Some(first) = value.first() else { return true };
    let said = |word: &[u8]| SAID.iter().any(|said| word.eq_ignore_ascii_case(said.as_bytes()));
    if said(value)
        || mark_end(value, 0).is_some()
        || value.iter().all(|byte| byte == first && !byte.is_ascii_digit())
    {
        return true;
    }
    if value.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_' | b'#' | 0x80..)) {
        return value.is_ascii()
            || value.iter().filter(|byte| byte.is_ascii()).count() == 0 && is_dots(value);
    }
    let inner = value.get(1..value.len() - 1).unwrap_or_default();
    let wrapped = |open: u8, close: u8| *first == open && value.last() == Some(&close);
    if wrapped(b'<', b'>') || wrapped(b'[', b']') && said(inner) || wrapped(b'(', b')') && said(inner) {
        return true;
    }
    let stands =
        ["${", "$(", "{{", "%{", "#{", "$env:", "%s", "%v", "%d", "process.env", "os.environ", "env."];
    if stands.iter().any(|start| value.starts_with(start.as_bytes())) {
        return true;
    }
    *first == b'$'
        && value.len() > 2
        && inner.iter().chain(value.last()).all(|byte| byte.is_ascii_uppercase() || *byte == b'_')
}

/// Bullets, as forms show passwords.
fn is_dots(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| text.chars().all(|c| matches!(c, '•' | '●' | '∗' | '…')))
}

/// Whether it is a word of a sentence.
pub(super) fn is_prose(value: &[u8]) -> bool {
    let value = value.strip_suffix(b".").unwrap_or(value);
    value.iter().skip(1).all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'\''))
        && value.first().is_some_and(u8::is_ascii_alphabetic)
        && value.len() < 20
}

/// Whether it is an expression of a program: `config.password`, `getToken(`, `Secret::new`.
pub(super) fn is_code(value: &[u8]) -> bool {
    if !value.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_') {
        return false;
    }
    let name = |from: usize| run(value, from, |byte| is_word(byte) || byte == b'_');
    let mut end = name(0);
    let mut steps = 0;
    loop {
        let next = match at(value, end) {
            b'.' => end + 1,
            b':' if at(value, end + 1) == b':' => end + 2,
            b'-' if at(value, end + 1) == b'>' => end + 2,
            b'(' | b'[' => return true,
            0 => return steps > 0,
            b';' | b')' | b',' => return steps > 0 && end + 2 >= value.len(),
            _ => return false,
        };
        if !at(value, next).is_ascii_alphabetic() && at(value, next) != b'_' {
            return false;
        }
        (end, steps) = (name(next), steps + 1);
    }
}

/// Whether it looks drawn at random, as keys are: long, of few signs, letters and digits mixed.
pub(super) fn is_random(value: &[u8]) -> bool {
    let value = value.get(..256).unwrap_or(value);
    let allowed = |byte: &u8| {
        is_word(*byte) || matches!(byte, b'+' | b'/' | b'=' | b'_' | b'-' | b'.' | b'~' | b'|' | b'%')
    };
    if value.len() < 15 || !value.iter().all(allowed) {
        return false;
    }
    let mut seen = [false; 128];
    for byte in value {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let upper = value.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    let lower = value.iter().filter(|byte| byte.is_ascii_lowercase()).count();
    let letters = upper + lower;
    if value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-') {
        return value.len() >= 32 && digits > 0 && letters > 0 && distinct >= 8;
    }
    // Words joined by dashes, dots or slashes have few digits, and those at the end of a word.
    let turns = value.windows(2).filter(|pair| matches!(pair, [a, b] if turn(*a, *b))).count();
    digits > 0 && letters > 0 && distinct >= 10 && turns * 5 >= value.len()
}

fn turn(a: u8, b: u8) -> bool {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    class(a) != class(b)
}
