//! Paths without what changes from request to request, so that they can be counted and grouped.

/// What stands in place of an id.
const ID: &str = "{id}";
/// A longer segment names one thing only, whatever it is made of.
const MAX_SEGMENT: usize = 128;
/// Where a path is cut, between segments; a longer one was made by a client that tries things out.
const MAX_BYTES: usize = 512;

const DIGIT: u8 = 1;
const HEX: u8 = 2;
const LETTER: u8 = 4;
/// `-` and `_`: inside words, inside ids, and between them.
const JOIN: u8 = 8;
/// What stands in dates, times and lists of numbers beside digits.
const PUNCTUATION: u8 = 16;
const DOT: u8 = 32;
const AT: u8 = 64;
const OTHER: u8 = 128;

const KINDS: [u8; 256] = {
    let mut kinds = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, clippy::indexing_slicing)]
        {
            kinds[byte] = match byte as u8 {
                b'0'..=b'9' => DIGIT,
                b'a'..=b'f' | b'A'..=b'F' => HEX,
                b'g'..=b'z' | b'G'..=b'Z' => LETTER,
                b'-' | b'_' => JOIN,
                b':' | b',' | b'+' => PUNCTUATION,
                b'.' => DOT,
                b'@' | b'%' => AT,
                _ => OTHER,
            };
        }
        byte += 1;
    }
    kinds
};

#[inline]
fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(OTHER)
}

/// `/users/123` as `/users/{id}`, without scheme, host and query; `None` when it is as it should be already.
///
/// Numbers, dates, UUIDs, hex numbers, long random texts and e-mail addresses are ids; words and versions stay.
/// A file's extension stays behind its id.
pub fn endpoint(path: &str) -> Option<String> {
    let mut usual = once(path)?;
    // What was taken away may have stood between what looks like a scheme and what like a host. Each time it gets
    // shorter, and after the first it is short.
    while let Some(again) = once(&usual) {
        usual = again;
    }
    (usual != path).then_some(usual)
}

fn once(path: &str) -> Option<String> {
    let inside = path_part(path);
    // What stands behind a semicolon is of a session.
    let has_parameters = memchr::memchr(b';', inside.as_bytes()).is_some();
    let mut usual = String::new();
    let (mut copied, mut start) = (0, 0);
    while start <= inside.len() {
        let rest = inside.get(start..)?;
        let end = start + rest.bytes().position(|byte| byte == b'/').unwrap_or(rest.len());
        let whole = inside.get(start..end)?;
        let segment =
            if has_parameters { whole.split(';').next().unwrap_or(whole).trim_ascii_end() } else { whole };
        let id = id_length(segment);
        if id.is_some() || segment.len() < whole.len() {
            usual.reserve(inside.len() + ID.len());
            usual.push_str(inside.get(copied..start)?);
            if id.is_some() {
                usual.push_str(ID);
            }
            usual.push_str(segment.get(id.unwrap_or(0)..)?);
            copied = end;
        }
        start = end + 1;
    }
    if copied > 0 {
        usual.push_str(inside.get(copied..)?);
    } else if inside.len() < path.len() || inside.len() > MAX_BYTES {
        inside.clone_into(&mut usual);
    } else {
        return None;
    }
    if usual.len() > MAX_BYTES {
        let cut = usual.as_bytes().get(..=MAX_BYTES).and_then(|kept| memchr::memrchr(b'/', kept));
        usual.truncate(cut.unwrap_or(0));
        usual.truncate(usual.trim_ascii_end().len());
    }
    (usual != path).then_some(usual)
}

/// A path or URL without scheme and host, query and fragment.
pub(super) fn path_part(path: &str) -> &str {
    let path = path.trim_ascii();
    let path = match path.bytes().next() {
        Some(b'/') | None => path,
        Some(_) => match path.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(is_scheme) => rest
                .find(['/', '?', '#'])
                .and_then(|at| rest.get(at..))
                .filter(|rest| rest.starts_with('/'))
                .unwrap_or("/"),
            _ => path,
        },
    };
    let end = path.bytes().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(path.len());
    path.get(..end).unwrap_or(path).trim_ascii_end()
}

fn is_scheme(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')
}

/// How many bytes of a segment are an id, what is behind them being a file's extension.
fn id_length(segment: &str) -> Option<usize> {
    let bytes = segment.as_bytes();
    let (mut kinds, mut digits) = (0, 0_usize);
    for &byte in bytes {
        let kind = kind(byte);
        kinds |= kind;
        digits += usize::from(kind == DIGIT);
    }
    if bytes.len() > MAX_SEGMENT {
        return Some(bytes.len());
    }
    if kinds & AT != 0 && is_email(segment) {
        return Some(bytes.len());
    }
    if digits == 0 {
        return None;
    }
    if is_id(bytes, kinds, digits) {
        return Some(bytes.len());
    }
    if kinds & DOT == 0 {
        return None;
    }
    let (stem, extension) = segment.split_once('.')?;
    if !is_extension(extension) {
        return None;
    }
    let (kinds, digits) = stem
        .bytes()
        .fold((0, 0), |(all, digits), byte| (all | kind(byte), digits + usize::from(kind(byte) == DIGIT)));
    (digits > 0 && is_id(stem.as_bytes(), kinds, digits)).then_some(stem.len())
}

/// `png`, `tar.gz`: short words that begin with a letter.
fn is_extension(text: &str) -> bool {
    text.len() <= 12
        && text.split('.').all(|part| {
            part.len() <= 5
                && part.starts_with(|c: char| c.is_ascii_alphabetic())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        })
}

/// Of a text that has a digit.
fn is_id(bytes: &[u8], kinds: u8, digits: usize) -> bool {
    let length = bytes.len();
    if kinds == DIGIT {
        return true;
    }
    let only = |allowed: u8| kinds & !allowed == 0;
    if only(DIGIT | HEX) && length >= 8 {
        return true;
    }
    if only(DIGIT | JOIN | PUNCTUATION | DOT) {
        return is_numbers(bytes, kinds, digits);
    }
    if only(DIGIT | HEX | LETTER) {
        let is_prefixed = bytes.strip_prefix(b"0x").is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        return is_prefixed || (length >= 16 && digits >= 2) || is_random(bytes);
    }
    if only(DIGIT | HEX | LETTER | JOIN) {
        return is_uuid(bytes) || is_joined_id(bytes);
    }
    // A time with its letters: 2024-01-31T10:00:00Z.
    let is_time_letter = |byte: &u8| !byte.is_ascii_alphabetic() || matches!(byte, b'T' | b'Z');
    only(DIGIT | LETTER | JOIN | PUNCTUATION | DOT) && digits >= 8 && bytes.iter().all(is_time_letter)
}

/// A signed number, a date, a time or a list of numbers, and neither a version nor a range of two small ones.
fn is_numbers(bytes: &[u8], kinds: u8, digits: usize) -> bool {
    let dots = memchr::memchr_iter(b'.', bytes).count();
    let is_signed = |rest: &[u8]| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit);
    match kinds & !DIGIT {
        DOT => dots == 3 || digits >= 8,
        PUNCTUATION => true,
        _ => digits >= 4 || bytes.strip_prefix(b"-").is_some_and(is_signed),
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Words joined with an id: `ord-12345`, `pod-7d9f8b6c54-x2k4q`; not those of a title, `top-10-tips-of-2024`.
fn is_joined_id(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|byte| matches!(byte, b'-' | b'_'));
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    if let (Some(prefix), Some(number), None) = (parts.next(), parts.next(), parts.next())
        && is_number(number)
        && (number.len() >= 5 || (number.len() == 4 && prefix.len() <= 3))
    {
        return true;
    }
    let is_hex = |part: &[u8]| {
        part.len() >= 8 && part.iter().all(u8::is_ascii_hexdigit) && part.iter().any(u8::is_ascii_digit)
    };
    is_random(bytes)
        || bytes.split(|byte| matches!(byte, b'-' | b'_')).any(|part| {
            is_hex(part)
                || (part.len() >= 16
                    && part.iter().any(u8::is_ascii_digit)
                    && part.iter().any(u8::is_ascii_alphabetic))
        })
}

/// Whether letters and digits change places as they do not in names.
fn is_random(bytes: &[u8]) -> bool {
    let changes = bytes.windows(2).filter(|pair| match pair {
        [a, b] => {
            (a.is_ascii_digit() && b.is_ascii_alphabetic()) || (a.is_ascii_alphabetic() && b.is_ascii_digit())
        }
        _ => false,
    });
    bytes.len() >= 10 && changes.take(4).count() == 4
}

fn is_email(segment: &str) -> bool {
    let at = segment.split_once('@').or_else(|| segment.split_once("%40"));
    at.is_some_and(|(name, host)| {
        !name.is_empty() && host.split_once('.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        let usual = endpoint(path);
        assert_eq!(usual.as_deref().unwrap_or(path), expected, "{path}");
        assert_eq!(usual.is_none(), path == expected, "{path}");
        assert_eq!(endpoint(expected), None, "again: {expected}");
    }

    #[test]
    fn ids_are_taken_out_of_paths() {
        for (path, expected) in [
            ("/users/123", "/users/{id}"),
            ("/users/1", "/users/{id}"),
            ("/users/123/orders/456", "/users/{id}/orders/{id}"),
            ("/api/v1/products/638347", "/api/v1/products/{id}"),
            ("/users/123/", "/users/{id}/"),
            ("/files/550e8400-e29b-41d4-a716-446655440000", "/files/{id}"),
            ("/files/550E8400-E29B-41D4-A716-446655440000/meta", "/files/{id}/meta"),
            ("/files/abcdefab-cdef-abcd-efab-cdefabcdefa1", "/files/{id}"),
            ("/commits/3f2a9c1b", "/commits/{id}"),
            ("/commits/da39a3ee5e6b4b0d3255bfef95601890afd80709", "/commits/{id}"),
            ("/things/507f1f77bcf86cd799439011", "/things/{id}"),
            ("/tx/0x9f2a11", "/tx/{id}"),
            ("/x/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/x/{id}"),
            ("/x/V1StGXR8_Z5jdHi6B-myT9aQ2", "/x/{id}"),
            ("/x/dQw4w9WgXcQ", "/x/{id}"),
            ("/x/abcdefghijklmnop12", "/x/{id}"),
            ("/users/jane.doe@mail.example", "/users/{id}"),
            ("/users/jane%40mail.example/keys", "/users/{id}/keys"),
            ("/reports/2024-01-31", "/reports/{id}"),
            ("/reports/2024-01-31T10:00:00Z", "/reports/{id}"),
            ("/reports/20240131", "/reports/{id}"),
            ("/orders/ORD-12345", "/orders/{id}"),
            ("/users/u-2017", "/users/{id}"),
            ("/pods/api-7d9f8b6c54-x2k4q", "/pods/{id}"),
            ("/batch/1,2,3", "/batch/{id}"),
            ("/offset/-5", "/offset/{id}"),
            ("/hosts/10.0.0.1", "/hosts/{id}"),
            ("/img/12345.png", "/img/{id}.png"),
            ("/dump/12345.tar.gz", "/dump/{id}.tar.gz"),
            ("/img/550e8400-e29b-41d4-a716-446655440000.jpeg", "/img/{id}.jpeg"),
            ("users/123", "users/{id}"),
            // What is left when parameters go may look like a URL again.
            ("x:/;/users/7", "/{id}"),
            ("b:;x://host/users/7", "/users/{id}"),
        ] {
            check(path, expected);
        }
    }

    #[test]
    fn scheme_host_query_and_fragment_go() {
        for (path, expected) in [
            ("/search?q=1", "/search"),
            ("/a#top", "/a"),
            ("/a?b#c", "/a"),
            ("https://shop.example/cart/7?x=1", "/cart/{id}"),
            ("https://shop.example", "/"),
            ("https://shop.example?x=1", "/"),
            ("http://127.0.0.1:8080/health", "/health"),
            ("/cart;jsessionid=0A1B2C", "/cart"),
            (" /a ", "/a"),
            ("/go/https://x.example/1", "/go/https://x.example/{id}"),
        ] {
            check(path, expected);
        }
    }

    #[test]
    fn words_and_versions_stay() {
        for path in [
            "/",
            "",
            "*",
            "/health",
            "/api/v1/users",
            "/api/v2beta1/x",
            "/api/v1.2/x",
            "/docs/1.2.3/start",
            "/oauth2/token",
            "/2fa/verify",
            "/k8s/s3/h264/base64",
            "/users/{id}",
            "/users/:id/x",
            "/users/me",
            "/a/deadbeef/facade",
            "/blog/how-to-install-windows-11-on-a-new-laptop",
            "/talks/conference-2013/slides.html",
            "/css/main.css",
            "/jquery-3.7.1.min.js",
            "/steps/step-2",
            "/feeds/@handle",
            "/über/straße",
            "UserService.GetUser",
        ] {
            check(path, path);
        }
    }

    #[test]
    fn a_path_is_cut_between_segments() {
        check(&("/a/".to_owned() + &"b".repeat(MAX_SEGMENT + 1)), "/a/{id}");
        let long = "/word".repeat(1000);
        check(&long, &"/word".repeat(MAX_BYTES / 5));
    }
}
