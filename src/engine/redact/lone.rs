//! What is known by a shape of its own that no table of prefixes holds.

use super::{
    bytes::{at, before, begins, ends, is_space, is_word, part, run, run_back, starts, starts_folded},
    ids,
    values::{is_random, mark_end, stands_for_one},
};

type Span = Option<(usize, usize)>;

fn is_base64url(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'-' | b'_')
}

/// A JSON web token; `Err` says how far there is none.
pub(super) fn jwt(text: &[u8], start: usize) -> Result<(usize, usize), usize> {
    if !begins(text, start) {
        return Err(start);
    }
    let head = run(text, start, is_base64url);
    if head - start < 12 || at(text, head) != b'.' {
        return Err(head);
    }
    let claims = run(text, head + 1, is_base64url);
    let claimed = claims - head - 1;
    let algorithm = starts(text, start, "eyJhbGciOi")
        || starts(text, start, "eyJ0eXAiOi")
        || starts(text, start, "eyJraWQiOi");
    // `eyJ` is how a JSON object begins; a header that names its algorithm may have lost the rest.
    if claimed < 10 && !(algorithm && head - start >= 16) {
        return Err(head);
    }
    let mut end = claims;
    for _ in 0..3 {
        if at(text, end) != b'.' || !is_base64url(at(text, end + 1)) {
            break;
        }
        end = run(text, end + 1, is_base64url);
    }
    if end == claims && !algorithm && !starts(text, head + 1, "eyJ") {
        return Err(head);
    }
    Ok((start, end))
}

/// A private key from its `BEGIN` on: up to its end, or as far as it goes.
pub(super) fn private_key(text: &[u8], begin: usize) -> Span {
    let label = part(text, begin, begin + 64);
    let key = memchr::memmem::find(label, b"PRIVATE KEY")?;
    if part(label, 6, key).contains(&b'-') {
        return None;
    }
    let start = run_back(text, begin, begin.saturating_sub(5), |byte| byte == b'-');
    let mut end = begin + key + "PRIVATE KEY".len();
    if starts(text, end, " BLOCK") {
        end += 6;
    }
    end = run(part(text, 0, end + 5), end, |byte| byte == b'-');
    // Lines of base64 with their headers; line ends may be escaped, once or more.
    let body = |byte: u8| {
        is_word(byte) || is_space(byte) || matches!(byte, b'+' | b'/' | b'=' | b'\\' | b':' | b',' | b'%')
    };
    let mut stop = run(text, end, body);
    while at(text, stop) == b'-' && is_word(at(text, stop + 1)) && is_word(before(text, stop)) {
        stop = run(text, stop + 1, body);
    }
    let tail = run(part(text, 0, stop + 5), stop, |byte| byte == b'-');
    if tail - stop == 5 && starts(text, tail, "END ") {
        let close = run(part(text, 0, tail + 64), tail, |byte| {
            byte.is_ascii_uppercase() || matches!(byte, b' ' | b'0'..=b'9')
        });
        return Some((start, run(part(text, 0, close + 5), close, |byte| byte == b'-')));
    }
    while is_space(before(text, stop)) && stop > end {
        stop -= 1;
    }
    Some((start, stop))
}

/// An IBAN, written together or in fours.
pub(super) fn iban(text: &[u8], start: usize) -> Span {
    if !begins(text, start) || !at(text, start + 3).is_ascii_digit() {
        return None;
    }
    let small = at(text, start).is_ascii_lowercase();
    // Small letters are how hashes are written; the word has to stand before them.
    if small
        && memchr::memmem::find(&part(text, start.saturating_sub(16), start).to_ascii_lowercase(), b"iban")
            .is_none()
    {
        return None;
    }
    let length = ids::iban_length([at(text, start), at(text, start + 1)])?;
    let mut letters = [0_u8; 34];
    let (mut count, mut place) = (0, start);
    while count < length {
        let byte = at(text, place);
        if is_word(byte) {
            *letters.get_mut(count)? = byte;
            count += 1;
        } else if !(matches!(byte, b' ' | b'-') && count % 4 == 0 && is_word(at(text, place + 1))) {
            return None;
        }
        place += 1;
    }
    (ends(text, place) && at(text, place) != b'_' && ids::is_iban(part(&letters, 0, length)))
        .then_some((start, place))
}

/// A Spanish foreigner's number: X, Y or Z, seven digits, a letter.
pub(super) fn spanish_foreigner(text: &[u8], start: usize) -> Span {
    let mut from = start + 1;
    from += usize::from(at(text, from) == b'-');
    let end = run(part(text, 0, from + 8), from, |byte| byte.is_ascii_digit());
    let dash = usize::from(at(text, end) == b'-');
    let letter = at(text, end + dash);
    let close = end + dash + 1;
    if end - from != 7
        || !letter.is_ascii_uppercase()
        || !begins(text, start)
        || !ends(text, close)
        || before(text, start) == b'-'
    {
        return None;
    }
    let mut digits = [0_u8; 8];
    for (slot, byte) in
        digits.iter_mut().zip(std::iter::once(&(at(text, start) - b'X' + b'0')).chain(part(text, from, end)))
    {
        *slot = *byte;
    }
    ids::is_spanish(&digits, letter).then_some((start, close))
}

/// An Italian tax code of sixteen.
pub(super) fn italian(text: &[u8], start: usize) -> Span {
    let code = part(text, start, start + 16);
    let digit = |n: usize| matches!(n, 6 | 7 | 9 | 10 | 12..=14);
    let fits = code
        .iter()
        .enumerate()
        .all(|(n, byte)| if digit(n) { byte.is_ascii_digit() } else { byte.is_ascii_uppercase() });
    (fits && begins(text, start) && ends(text, start + 16) && ids::is_italian(code))
        .then_some((start, start + 16))
}

/// A bot's token of Discord: its id in base64, a time, a signature.
pub(super) fn discord(text: &[u8], start: usize) -> Span {
    if !begins(text, start) {
        return None;
    }
    let id = run(part(text, 0, start + 40), start, is_word);
    let time = run(part(text, 0, id + 12), id + 1, is_base64url);
    let end = run(text, time + 1, is_base64url);
    let fits =
        (23..=30).contains(&(id - start)) && at(text, id) == b'.' && time == id + 7 && at(text, time) == b'.';
    (fits && end - time > 27).then_some((start, end))
}

/// A bot's token of Telegram, by the colon before its secret.
pub(super) fn telegram(text: &[u8], colon: usize) -> Span {
    let start = run_back(text, colon, colon.saturating_sub(17), |byte| byte.is_ascii_digit());
    let end = run(part(text, 0, colon + 40), colon + 1, is_base64url);
    let bot = starts_folded(text, start.saturating_sub(3), "bot");
    let fits = (5..=16).contains(&(colon - start))
        && (34..=36).contains(&(end - colon - 1))
        && (begins(text, start) || bot);
    (fits && is_random(part(text, colon + 1, end))).then_some((start, end))
}

/// A key of Mailchimp, by its `-us` and a digit.
pub(super) fn mailchimp(text: &[u8], dash: usize) -> Span {
    let start = run_back(text, dash, dash.saturating_sub(33), |byte| byte.is_ascii_hexdigit());
    let end = run(part(text, 0, dash + 6), dash + 3, |byte| byte.is_ascii_digit());
    (dash - start == 32 && begins(text, start) && ends(text, end)).then_some((start, end))
}

/// A client's secret of Azure AD, by its `Q~`.
pub(super) fn azure(text: &[u8], digit: usize) -> Span {
    let inside = |byte: u8| is_word(byte) || matches!(byte, b'_' | b'~' | b'.' | b'-');
    let start = digit.checked_sub(3)?;
    let end = run(part(text, 0, digit + 60), digit + 3, inside);
    let head = part(text, start, digit).iter().all(|byte| inside(*byte));
    (head
        && (31..=37).contains(&(end - digit - 3))
        && begins(text, start)
        && !matches!(before(text, start), b'_' | b'~' | b'.' | b'-')
        && is_random(part(text, start, end)))
    .then_some((start, end))
}

/// An app's token of Facebook: its id, a bar, its secret.
pub(super) fn facebook(text: &[u8], bar: usize) -> Span {
    let start = run_back(text, bar, bar.saturating_sub(17), |byte| byte.is_ascii_digit());
    let end = run(part(text, 0, bar + 42), bar + 1, is_base64url);
    let fits =
        (15..=16).contains(&(bar - start)) && (27..=40).contains(&(end - bar - 1)) && begins(text, start);
    (fits && ends(text, end)).then_some((start, end))
}

/// A token of Terraform, by the `.atlasv1.` in it.
pub(super) fn terraform(text: &[u8], dot: usize) -> Span {
    let start = run_back(text, dot, dot.saturating_sub(15), is_word);
    let end = run(text, dot + ".atlasv1.".len(), is_base64url);
    (dot - start >= 14 && end - dot >= 60).then_some((start, end))
}

/// A key of this service: `tl_`, the tenant, 72 digits of hex. Behind a URL's encoding as well.
pub(super) fn own(text: &[u8], start: usize) -> Span {
    let mark = |place: usize| match at(text, place) {
        b'_' => 1,
        b'%' if starts_folded(text, place, "%5f") => 3,
        _ => 0,
    };
    let tenant = start + 2 + mark(start + 2);
    let close = run(part(text, 0, tenant + 64), tenant, |byte| is_word(byte) || byte == b'-');
    let secret = close + mark(close);
    let end = run(text, secret, |byte| byte.is_ascii_hexdigit());
    let fits = tenant > start + 2 && close > tenant && secret > close && end - secret >= 16;
    (fits && begins(text, start)).then_some((start, end))
}

/// What opens a webhook: its path behind the words that it is known by.
pub(super) fn webhook(text: &[u8], start: usize, words: &str) -> Span {
    if !starts_folded(text, start, words) {
        return None;
    }
    let path = start + words.len();
    let inside = |byte: u8| is_word(byte) || matches!(byte, b'/' | b'-' | b'_' | b'@' | b'.');
    let mut end = run(part(text, 0, path + 512), path, inside);
    while matches!(before(text, end), b'.' | b'/') && end > path {
        end -= 1;
    }
    let word = part(text, path, end);
    let secret =
        word.split(|byte| *byte == b'/').any(|part| part.len() >= 16 && part.iter().any(u8::is_ascii_digit));
    (end - path >= 20 && secret).then_some((path, end))
}

/// The password behind the option of a command that calls URLs: `-u name:password`.
pub(super) fn command_user(text: &[u8], option: usize) -> Span {
    let mut from = run(part(text, 0, option + 4), option, |byte| matches!(byte, b' ' | b'=' | b'\t'));
    let quote = at(text, from);
    if from == option && !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let escaped = quote == b'\\' && matches!(at(text, from + 1), b'"' | b'\'');
    from += if escaped { 2 } else { usize::from(matches!(quote, b'"' | b'\'')) };
    let end = match quote {
        b'"' | b'\'' => run(part(text, 0, from + 256), from, |byte| byte != quote && byte != b'\n'),
        _ => run(part(text, 0, from + 256), from, |byte| !is_space(byte) && !matches!(byte, b'"' | b'\\')),
    };
    let colon = from + part(text, from, end).iter().position(|byte| *byte == b':')?;
    let secret = part(text, colon + 1, end);
    if secret.is_empty()
        || stands_for_one(secret)
        || mark_end(secret, 0).is_some()
        || secret.starts_with(b"//")
    {
        return None;
    }
    let line = part(text, option.saturating_sub(400), option);
    let calls = ["curl", "wget", "http ", "https "];
    calls.iter().any(|call| memchr::memmem::find(line, call.as_bytes()).is_some()).then_some((colon + 1, end))
}
