//! Addresses: of mail, of hosts, and the passwords that stand in URLs.

use std::net::Ipv6Addr;

use super::bytes::{at, before, is_space, is_word, part, run, run_back, starts};

/// The most bytes of the parts of an address that are looked at.
const LOCAL: usize = 64;
const DOMAIN: usize = 255;
const AUTHORITY: usize = 256;

/// Endings that files have, behind an `@2x`.
const FILES: [&str; 10] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "ico", "map"];

/// The mail address whose `@` (or `%40`, `sign` bytes) stands here.
pub(super) fn email(text: &[u8], place: usize, sign: usize, least: usize) -> Option<(usize, usize)> {
    let local = |byte: u8| is_word(byte) || byte >= 0x80 || b".!#$&*+-^_~'".contains(&byte);
    let least = least.max(place.saturating_sub(LOCAL));
    let mut start = run_back(text, place, least, local);
    while start < place
        && matches!(at(text, start), b'.' | b'\'' | b'-' | b'*' | b'&' | b'#' | b'!' | b'$' | b'~' | b'^')
    {
        start += 1;
    }
    // An address behind an encoded character begins behind it.
    if before(text, start) == b'%' && place - start > 2 {
        start += 2;
    }
    let from = place + sign;
    let domain = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'-') || byte >= 0x80;
    let mut end = run(part(text, 0, from + DOMAIN), from, domain);
    while end > from && matches!(at(text, end - 1), b'.' | b'-') {
        end -= 1;
    }
    let name = part(text, from, end);
    let dot = name.iter().rposition(|byte| *byte == b'.')?;
    let top = part(name, dot + 1, name.len());
    let letters =
        top.iter().all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80) || top.starts_with(b"xn--");
    let label = |byte: u8| is_word(byte) || byte >= 0x80;
    let empty = name.windows(2).any(|pair| pair == b"..");
    let file = FILES.iter().any(|file| top.eq_ignore_ascii_case(file.as_bytes())) && at(name, 1) == b'x';
    let login = part(text, start, place) == b"git";
    (start < place
        && !login
        && !file
        && !empty
        && letters
        && (2..=24).contains(&top.len())
        && dot > 0
        && label(at(name, 0)))
    .then_some((start, end))
}

/// The password of a URL whose `://` stands here.
pub(super) fn userinfo(text: &[u8], place: usize) -> Option<(usize, usize)> {
    let from = place + 3;
    let ends = |byte: u8| is_space(byte) || matches!(byte, 0 | b'"' | b'<' | b'>' | b'`');
    let text = part(text, 0, from + AUTHORITY);
    let strict = run(text, from, |byte| !ends(byte) && !matches!(byte, b'/' | b'?' | b'#'));
    let last_sign = |to: usize| part(text, from, to).iter().rposition(|byte| *byte == b'@').map(|n| from + n);
    let colon = from + part(text, from, strict).iter().position(|byte| *byte == b':')?;
    let sign = last_sign(strict).or_else(|| {
        // Passwords hold slashes, too, where a port would be digits.
        let port = run(text, colon + 1, |byte| byte.is_ascii_digit());
        let loose = run(text, strict, |byte| !ends(byte));
        let sign = last_sign(loose)?;
        (port < strict
            && starts(text, strict, "/")
            && is_word(at(text, sign + 1))
            && !part(text, colon, sign).windows(3).any(|w| w == b"://"))
        .then_some(sign)
    })?;
    // A quote before the sign closes what was quoted.
    let quote = part(text, colon, sign).contains(&b'\'')
        && before(text, run_back(text, place, place.saturating_sub(16), |b| is_word(b) || b == b'+'))
            == b'\'';
    let name = |byte: u8| is_word(byte) || matches!(byte, b'[' | b'-' | b'_' | b'$' | b'{' | b'%');
    (colon + 1 < sign && !quote && name(at(text, sign + 1))).then_some((colon + 1, sign))
}

/// The IPv6 address around this place.
pub(super) fn ipv6(text: &[u8], place: usize, least: usize) -> Result<(usize, usize), usize> {
    const LONGEST: usize = 45;
    let inside = |byte: u8| byte.is_ascii_hexdigit() || byte == b':';
    let start = run_back(text, place, least.max(place.saturating_sub(LONGEST)), inside);
    let mut end = run(part(text, 0, start + LONGEST + 1), start, |byte| inside(byte) || byte == b'.');
    let next = end;
    if end - start > LONGEST {
        return Err(next);
    }
    while end > start
        && (at(text, end - 1) == b'.' || (at(text, end - 1) == b':' && at(text, end - 2) != b':'))
    {
        end -= 1;
    }
    let address = part(text, start, end);
    let previous = before(text, start);
    let beside = is_word(previous)
        || matches!(previous, b'_' | b'.')
        || is_word(at(text, end))
        || at(text, end) == b'_';
    let groups = address.split(|byte| *byte == b':').filter(|group| !group.is_empty());
    let number = groups.clone().count();
    let pairs = number == 8 && groups.clone().all(|group| group.len() == 2);
    let sure = address.iter().any(u8::is_ascii_digit) || number >= 3;
    let valid = std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok());
    if valid && !beside && !pairs && sure && number > 0 { Ok((start, end)) } else { Err(next) }
}
