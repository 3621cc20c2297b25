//! A name that says that its value is a secret, and that value: `password=…`, `"token": "…"`, headers, options
//! of commands, XML.

use super::{
    bytes::{at, before, is_space, is_word, part, run, run_back, starts, starts_folded},
    names::{LONGEST, Name, classify},
    values::{is_code, is_prose, is_random, mark_end, stands_for_one},
};

/// A quoted value is looked for its end no further than this; one that does not end there goes up to here.
const QUOTED: usize = 16 * 1024;

/// Schemes of `Authorization` whose parts are many.
const MANY: [&str; 9] = [
    "digest",
    "aws4-hmac-sha256",
    "aws4-ecdsa-p256-sha256",
    "oauth",
    "hawk",
    "signature",
    "negotiate",
    "ntlm",
    "mac",
];
const SCHEMES: [&str; 18] = [
    "basic",
    "bearer",
    "token",
    "apikey",
    "api-key",
    "key",
    "jwt",
    "geniekey",
    "ssws",
    "splunk",
    "bot",
    "private",
    "dpop",
    "sharedkey",
    "sharedaccesssignature",
    "zoho-oauthtoken",
    "access_token",
    "snowflake",
];

/// What stands between a name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    /// `=`, whether blanks stand around it.
    Assign(bool),
    /// `=` of a URL's query that is encoded.
    Encoded,
    Colon,
    Comma,
    Open,
    Tag,
    /// Blanks alone.
    Blank,
}

/// A name and where it ends.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) name: Name,
}

fn is_name(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'_' | b'-' | b'.')
}

/// The name around a place.
pub(super) fn named(text: &[u8], place: usize) -> Named {
    let start = run_back(text, place, place.saturating_sub(LONGEST), is_name);
    let end = run(part(text, 0, place + LONGEST), place, is_name);
    let mut name = classify(part(text, start, end));
    let mut from = start;
    if name != Name::Secret
        && part(text, start, end).eq_ignore_ascii_case(b"key")
        && before(text, start) == b' '
    {
        from = run_back(text, start - 1, start.saturating_sub(16), is_name);
        name = classify(part(text, from, end));
    }
    if before(text, from) == b'[' && mark_end(text, from - 1).is_some() {
        name = Name::Nothing;
    }
    Named { start: from, end, name }
}

/// Whether the name may be a field of the record whose value goes whole. Looks at more than `secret` does: the key
/// of a JSON object is all that stands between its quotes.
pub(super) fn is_key(text: &[u8], place: usize) -> bool {
    let inside = |byte: u8| byte != b'"';
    let start = run_back(text, place, place.saturating_sub(2 * LONGEST), inside);
    let end = run(part(text, 0, place + 2 * LONGEST), place, inside);
    let colon = run(part(text, 0, end + 8), end + 1, is_space);
    let value = run(part(text, 0, colon + 8), colon + 1, is_space);
    let kept = ["null", "true", "false"].iter().any(|word| starts(text, value, word));
    at(text, end) == b'"' && at(text, colon) == b':' && !kept && goes_whole(part(text, start, end))
}

/// Whether the value of a metadata key of this name goes whole, whatever it is.
pub(super) fn goes_whole(key: &[u8]) -> bool {
    key.len() <= LONGEST && !key.contains(&b'"') && !matches!(classify(key), Name::Nothing | Name::Perhaps)
}

/// Whether the value of a metadata key of this name is a secret if it looks like one.
pub(super) fn may_be_secret(key: &[u8]) -> bool {
    key.len() <= LONGEST && key.iter().all(|byte| is_name(*byte)) && classify(key) == Name::Perhaps
}

/// The secret behind a name.
pub(super) fn secret(text: &[u8], named: Named) -> Option<(usize, usize)> {
    let (between, quoted, mut from) = between(text, named)?;
    if named.name == Name::Body && !(quoted && between == Between::Colon) {
        return None;
    }
    if at(text, from) == b'@' && matches!(at(text, from + 1), b'"' | b'\'') {
        from += 1;
    }
    let slashes = run(part(text, 0, from + 4), from, |byte| byte == b'\\');
    let quote = at(text, slashes);
    if matches!(quote, b'"' | b'\'' | b'`') {
        let end = quoted_end(text, slashes + 1, quote, slashes > from);
        let start = slashes + 1;
        return in_quotes(text, named.name, between, quoted, (start, end));
    }
    match between {
        Between::Comma | Between::Open => None,
        Between::Tag => {
            let end = run(part(text, 0, from + 1024), from, |byte| byte != b'<' && byte != b'\n');
            let value = part(text, from, end);
            (at(text, end) == b'<' && !stands_for_one(value) && named.name != Name::Perhaps)
                .then_some((from, end))
        }
        _ if matches!(quote, b'{' | b'[') && quoted && between == Between::Colon => {
            let strong = named.name != Name::Perhaps && mark_end(text, from).is_none();
            strong.then(|| (from, nested_end(text, from)))
        }
        _ => unquoted(text, named, between, quoted, from),
    }
}

/// What follows a name: how the value is joined, whether the name was quoted, where the value begins.
fn between(text: &[u8], named: Named) -> Option<(Between, bool, usize)> {
    let mut place = named.end;
    let mut quoted = false;
    for _ in 0..6 {
        match at(text, place) {
            b'"' | b'\'' | b'`' => quoted = true,
            b'\\' if matches!(at(text, place + 1), b'"' | b'\'' | b'\\') => {}
            b']' | b')' => {}
            _ => break,
        }
        place += 1;
    }
    let blanks = run(part(text, 0, place + 4), place, |byte| matches!(byte, b' ' | b'\t'));
    let spaced = blanks > place;
    let sign = blanks;
    let (between, behind) = match at(text, sign) {
        b'=' if at(text, sign + 1) == b'=' || at(text, sign + 1) == b'~' => return None,
        b'=' if at(text, sign + 1) == b'>' => (Between::Assign(true), sign + 2),
        b'=' => (Between::Assign(spaced), sign + 1),
        b'?' if at(text, sign + 1) == b'=' => (Between::Assign(true), sign + 2),
        b':' => {
            let colons = run(part(text, 0, sign + 4), sign, |byte| byte == b':');
            match (at(text, colons), colons - sign) {
                (b'=', _) => (Between::Assign(true), colons + 1),
                (_, 1) => (Between::Colon, colons),
                _ => return None,
            }
        }
        b',' if quoted => (Between::Comma, sign + 1),
        b'(' if !quoted && matches!(at(text, sign + 1), b'"' | b'\'') => (Between::Open, sign + 1),
        b'>' if before(text, named.start) == b'<' => (Between::Tag, sign + 1),
        b'%' if starts_folded(text, sign, "%3d") => (Between::Encoded, sign + 3),
        _ if spaced && !quoted => (Between::Blank, sign),
        _ => return None,
    };
    let blank = |byte: u8| matches!(byte, b' ' | b'\t');
    let value = run(part(text, 0, behind + 4), behind, blank);
    // `password= next=word` has no value.
    let empty = between == Between::Assign(false)
        && value > behind
        && !matches!(at(text, value), b'"' | b'\'' | b'`');
    (!empty).then_some((between, quoted, value))
}

/// Where a quoted value ends; an escaped quote is closed by an escaped one.
fn quoted_end(text: &[u8], start: usize, quote: u8, escaped: bool) -> usize {
    let within = part(text, 0, start + QUOTED);
    let mut from = start;
    while let Some(close) = memchr::memchr(quote, part(within, from, within.len())).map(|n| from + n) {
        let back = run_back(within, close, start, |byte| byte == b'\\');
        if escaped {
            return back;
        }
        if (close - back) % 2 == 0 {
            return close;
        }
        from = close + 1;
    }
    run(within, start, |byte| byte != b'\n')
}

/// Where an object or an array ends.
fn nested_end(text: &[u8], start: usize) -> usize {
    let within = part(text, 0, start + QUOTED);
    let mut depth = 0_usize;
    let mut inside = false;
    let mut place = start;
    while place < within.len() {
        match at(within, place) {
            b'\\' => place += usize::from(inside),
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => depth += 1,
            b'}' | b']' if !inside => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return place + 1;
                }
            }
            _ => {}
        }
        place += 1;
    }
    within.len()
}

fn in_quotes(
    text: &[u8],
    name: Name,
    between: Between,
    key: bool,
    span: (usize, usize),
) -> Option<(usize, usize)> {
    let value = part(text, span.0, span.1);
    if stands_for_one(value) {
        return None;
    }
    let odd = || {
        value.len() >= 8
            && value.iter().any(|byte| {
                !byte.is_ascii_alphabetic()
                    && !matches!(byte, b' ' | b'.' | b',' | b'\'' | b'-' | b'_' | b':')
            })
    };
    match between {
        // A list of names, or a call with a text to be shown.
        Between::Comma | Between::Open | Between::Blank if !odd() => return None,
        Between::Comma if value.contains(&b' ') => return None,
        _ => {}
    }
    match name {
        Name::Perhaps => is_random(value).then_some(span),
        Name::Authorization => Some((span.0 + behind_scheme(value)?, span.1)),
        // `unexpected token: "<"`
        Name::Secret if !key && value.len() < 3 => None,
        _ => Some(span),
    }
}

/// Where the secret of an `Authorization` begins. `None`: there is no secret, or it went already.
fn behind_scheme(value: &[u8]) -> Option<usize> {
    let word = run(value, 0, |byte| is_word(byte) || matches!(byte, b'-' | b'_'));
    let next = run(value, word, |byte| byte == b' ');
    let scheme = part(value, 0, word);
    let known = MANY.iter().chain(&SCHEMES).any(|known| scheme.eq_ignore_ascii_case(known.as_bytes()));
    let start =
        if next > word && (known || (next < value.len() && scheme.iter().all(u8::is_ascii_alphabetic))) {
            next
        } else {
            0
        };
    let secret = part(value, start, value.len());
    (!stands_for_one(secret) && mark_end(secret, 0).is_none()).then_some(start)
}

fn unquoted(
    text: &[u8],
    named: Named,
    between: Between,
    quoted: bool,
    start: usize,
) -> Option<(usize, usize)> {
    if mark_end(text, start).is_some() {
        return None;
    }
    let name = part(text, named.start, named.end);
    if between == Between::Blank {
        return behind_blank(text, named, start);
    }
    match named.name {
        Name::Authorization => return authorization(text, between, start),
        Name::Cookie => return cookies(text, start),
        _ => {}
    }
    let end = value_end(text, start, between == Between::Encoded);
    let value = part(text, start, end);
    if stands_for_one(value) || at(value, 0) == b'=' {
        return None;
    }
    let random = is_random(value);
    let code = is_code(value) && !random;
    let few_digits = value.len() < 4 && value.iter().all(u8::is_ascii_digit);
    let secret = match (named.name, between) {
        (Name::Perhaps, Between::Assign(_) | Between::Encoded) => random,
        (Name::Perhaps, _) => random && !name.eq_ignore_ascii_case(b"signature"),
        (Name::Password, Between::Assign(false) | Between::Encoded) => {
            let opens = value.ends_with(b"(") || (code && value.ends_with(b"()"));
            !opens
        }
        (Name::Password, Between::Assign(_)) => !code,
        (Name::Password, _) => {
            let call = code && value.contains(&b'(');
            let prose = is_prose(value) && goes_on(text, end);
            quoted || !(call || prose)
        }
        (_, Between::Assign(spaced)) => {
            !few_digits && !(code && (spaced || value.contains(&b'('))) && !(spaced && is_prose(value))
        }
        (_, Between::Encoded) => !few_digits,
        (_, _) => quoted || (!few_digits && !code && !is_prose(value) && value.len() >= 4),
    };
    secret.then_some((start, end))
}

/// Whether a sentence goes on behind a word.
fn goes_on(text: &[u8], end: usize) -> bool {
    at(text, end) == b' ' && at(text, end + 1).is_ascii_lowercase()
}

/// A value behind a name and a blank: an option of a command, or a token that is one beyond doubt.
fn behind_blank(text: &[u8], named: Named, start: usize) -> Option<(usize, usize)> {
    let name = part(text, named.start, named.end);
    let end = value_end(text, start, false);
    let value = part(text, start, end);
    if name.starts_with(b"--") && named.name != Name::Perhaps {
        return (!value.starts_with(b"-") && !stands_for_one(value)).then_some((start, end));
    }
    let scheme = name.eq_ignore_ascii_case(b"bearer");
    let long = if scheme { 16 } else { 20 };
    let plain = name.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let secret = matches!(named.name, Name::Secret | Name::Password | Name::Authorization);
    ((scheme || (secret && plain)) && value.len() >= long && is_random(value)).then_some((start, end))
}

/// Where an unquoted value ends: at a blank or a quote, or where the next name follows a separator.
fn value_end(text: &[u8], start: usize, encoded: bool) -> usize {
    let within = part(text, 0, start + QUOTED);
    let mut place = start;
    // What opens inside the value closes there; other closing brackets are not its own.
    let mut depth = [0_usize; 3];
    while place < within.len() {
        let byte = at(within, place);
        match byte {
            b'"' | b'`' | 0..0x20 => break,
            byte if is_space(byte) => break,
            b'%' if encoded && (starts_folded(within, place, "%26") || starts(within, place, "%22")) => break,
            b'\\' if matches!(at(within, place + 1), b'"' | b'n' | b'r' | b't') => break,
            b'\'' if !is_word(at(within, place + 1)) => break,
            b'<' if at(within, place + 1) == b'/' => break,
            b',' | b';' | b'&' if separates(within, place + 1) => break,
            b'(' | b'[' | b'{' => {
                let n = usize::from(byte / 40 - 1);
                if let Some(depth) = depth.get_mut(n) {
                    *depth += 1;
                }
            }
            b')' | b']' | b'}' => {
                let n = usize::from(byte / 40 - 1);
                match depth.get_mut(n) {
                    Some(depth) if *depth > 0 => *depth -= 1,
                    _ if run(within, place, |byte| {
                        matches!(byte, b')' | b']' | b'}' | b',' | b';' | b'.')
                    }) == within.len()
                        || is_space(at(within, place + 1))
                        || matches!(at(within, place + 1), b',' | b'}' | b']' | b'"' | b')') =>
                    {
                        break;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        place += 1;
    }
    while place > start + 1 && matches!(at(within, place - 1), b',' | b';') {
        place -= 1;
    }
    place
}

/// Whether the next pair or nothing begins behind a separator.
fn separates(text: &[u8], from: usize) -> bool {
    let name = run(part(text, 0, from + LONGEST), from, |byte| is_name(byte) || matches!(byte, b'"' | b'\''));
    is_space(at(text, from))
        || from >= text.len()
        || (name > from && matches!(at(text, name), b'=' | b':'))
        || matches!(at(text, from), b'"' | b'\'' | b'{' | b'}' | b']')
        || starts(text, from, "amp;")
}

fn authorization(text: &[u8], between: Between, start: usize) -> Option<(usize, usize)> {
    let line = run(part(text, 0, start + 4096), start, |byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'`'));
    let value = part(text, start, line);
    let word = run(value, 0, |byte| is_word(byte) || matches!(byte, b'-' | b'_'));
    let scheme = part(value, 0, word);
    if MANY.iter().any(|many| scheme.eq_ignore_ascii_case(many.as_bytes())) && at(value, word) == b' ' {
        // Its parts may be quoted themselves.
        let end = run(part(text, 0, start + 4096), start, |byte| !matches!(byte, b'\n' | b'\r'));
        let secret = part(value, word + 1, value.len());
        let one = matches!(scheme.first(), Some(b'n' | b'N'));
        let end = if one { value_end(text, start + word + 1, false) } else { end };
        return (!stands_for_one(secret) && mark_end(secret, 0).is_none() && end > start + word + 1)
            .then_some((start + word + 1, end));
    }
    let from = start + behind_scheme(value)?;
    let end = value_end(text, from, between == Between::Encoded);
    let secret = part(text, from, end);
    let prose = is_prose(secret)
        && !(from > start && matches!(scheme.first(), Some(b'B' | b'b')) && secret.len() > 12);
    (!prose && !stands_for_one(secret)).then_some((from, end))
}

/// All pairs of a cookie header, with what stands between them.
fn cookies(text: &[u8], start: usize) -> Option<(usize, usize)> {
    let within = part(text, 0, start + QUOTED);
    let mut end = start;
    loop {
        let pair = run(within, end, |byte| !is_space(byte) && !matches!(byte, b';' | b'"' | b'\''));
        let more = at(within, pair) == b';' && at(within, pair + 1) == b' ' && is_name(at(within, pair + 2));
        let tight = at(within, pair) == b';' && is_name(at(within, pair + 1));
        end = pair;
        if !(more || tight) {
            break;
        }
        end = pair + 1 + usize::from(more);
    }
    let value = part(text, start, end);
    (value.contains(&b'=') && !stands_for_one(value) || is_random(value)).then_some((start, end))
}
