//! What values look like. Shapes are general: none knows a product, and words are known only where they belong to
//! every log (units, months, what an identity is called).

pub(super) const SPACE: u8 = 1;
/// Parts words wherever it stands.
pub(super) const HARD: u8 = 2;
pub(super) const LETTER: u8 = 4;
pub(super) const DIGIT: u8 = 8;
/// Parts words or not, which takes a second look.
pub(super) const SOFT: u8 = 16;
/// Belongs to words.
pub(super) const OTHER: u8 = 32;
pub(super) const HIGH: u8 = 64;

/// The first byte of scripts that are written without spaces, and of what follows them.
pub(super) const UNSPACED: u8 = 0xe3;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [OTHER; 256];
    let mut byte: u8 = 0;
    #[allow(clippy::indexing_slicing)] // The table has a place for every byte.
    loop {
        table[byte as usize] = match byte {
            0..=b' ' | 0x7f => SPACE,
            b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'"' | b'\'' | b',' | b';' | b'='
            | b'|' | b'`' => HARD,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' => DIGIT,
            b':' | b'/' | b'@' | b'#' | b'.' | b'!' | b'?' => SOFT,
            0x80..=0xff => HIGH,
            _ => OTHER,
        };
        if byte == 255 {
            return table;
        }
        byte += 1;
    }
}

pub(super) fn class(byte: u8) -> u8 {
    CLASS.get(usize::from(byte)).copied().unwrap_or(OTHER)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Value,
    /// A word of so many bytes, a dot, and a number.
    Numbered(usize),
}

/// Too long for a word, or of hex digits alone.
pub(super) fn is_code(word: &[u8]) -> bool {
    word.len() > 64 || (word.len() >= 8 && word.iter().all(u8::is_ascii_hexdigit))
}

/// What a run without anything that parts words is.
pub(super) fn kind(word: &[u8]) -> Kind {
    let (mut digits, mut runs, mut dots, mut before) = (0_usize, 0_usize, false, 0_u8);
    let mut last_run = 0;
    for (at, byte) in word.iter().copied().enumerate() {
        if byte.is_ascii_digit() {
            digits += 1;
            if !before.is_ascii_digit() {
                runs += 1;
                last_run = at;
            }
        } else if byte == b'.' {
            dots = true;
        }
        before = byte;
    }
    if is_code(word) || (dots && is_host(word)) {
        return Kind::Value;
    }
    if digits == 0 {
        return Kind::Word;
    }
    if starts_as_number(word) {
        return Kind::Value;
    }
    let ends_in_digits = before.is_ascii_digit();
    let before_last = last_run.checked_sub(1).and_then(|at| word.get(at)).copied();
    if ends_in_digits && runs == 1 && before_last == Some(b'.') && last_run > 1 {
        return Kind::Numbered(last_run - 1);
    }
    let numbered = ends_in_digits && matches!(before_last, Some(b'-' | b'_'));
    let version =
        word.len() > 1 && runs == 1 && matches!(word.first(), Some(b'v')) && last_run == 1 && ends_in_digits;
    if digits >= 3 || runs >= 2 || numbered || version { Kind::Value } else { Kind::Word }
}

fn starts_as_number(word: &[u8]) -> bool {
    match word {
        [first, ..] if first.is_ascii_digit() => true,
        [b'-' | b'+' | b'.' | b'$' | b'~' | b'%' | b'*', second, ..] => second.is_ascii_digit(),
        _ => false,
    }
}

/// A name with dots that ends as names of machines do.
fn is_host(word: &[u8]) -> bool {
    /// Of the names of countries those that are no words of programs.
    const ENDS: [&[u8]; 44] = [
        b"com",
        b"net",
        b"org",
        b"edu",
        b"gov",
        b"mil",
        b"biz",
        b"arpa",
        b"local",
        b"lan",
        b"localdomain",
        b"internal",
        b"ac",
        b"ar",
        b"au",
        b"be",
        b"br",
        b"ca",
        b"ch",
        b"cn",
        b"cz",
        b"de",
        b"dk",
        b"es",
        b"eu",
        b"fi",
        b"fr",
        b"gr",
        b"hk",
        b"hu",
        b"jp",
        b"kr",
        b"mx",
        b"nl",
        b"nz",
        b"om",
        b"pl",
        b"pt",
        b"ru",
        b"se",
        b"tr",
        b"tw",
        b"ua",
        b"uk",
    ];
    let mut labels = word.rsplit(|byte| *byte == b'.');
    let end = labels.next().unwrap_or(&[]);
    ENDS.iter().any(|known| end.eq_ignore_ascii_case(known))
        && labels.all(|label| {
            !label.is_empty() && label.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        })
}

/// How many bytes of an IPv4 address stand here, its port or the length of its net included.
pub(super) fn ipv4(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for part in 0..4 {
        if part > 0 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
        let digits = digits(bytes.get(at..)?);
        if !(1..=3).contains(&digits) {
            return None;
        }
        at += digits;
    }
    if let Some((b':' | b'/', rest)) = bytes.get(at..).and_then(<[u8]>::split_first) {
        let more = digits(rest);
        if (1..=5).contains(&more) {
            at += 1 + more;
        }
    }
    Some(at)
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// Whether a URL begins here: a scheme and its slashes.
pub(super) fn is_url(bytes: &[u8]) -> bool {
    let scheme = bytes
        .iter()
        .take(24)
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'.' | b'-'));
    let scheme = scheme.count();
    scheme > 1 && bytes.get(scheme..).is_some_and(|rest| rest.starts_with(b"://") && rest.len() > 3)
}

/// Whether a path begins here.
pub(super) fn is_path(bytes: &[u8]) -> bool {
    match bytes {
        [b'/', second, ..] | [b'~' | b'.', b'/', second, ..] | [b'.', b'.', b'/', second, ..] => {
            second.is_ascii_alphanumeric()
                || matches!(second, b'_' | b'.' | b'-' | b'~' | b'%' | b'*' | 0x80..)
        }
        [drive, b':', b'\\', ..] => drive.is_ascii_alphabetic(),
        [b'\\', b'\\', second, ..] => second.is_ascii_alphanumeric(),
        _ => false,
    }
}

/// Times, addresses of network cards, addresses with colons: digits and what stands between them there.
pub(super) fn is_clock(bytes: &[u8]) -> bool {
    if bytes.len() > 64 {
        return false;
    }
    let mut first_has_digit = false;
    let (mut colons, mut digits) = (0, 0);
    for byte in bytes.iter().copied() {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                first_has_digit |= colons == 0;
            }
            b':' => colons += 1,
            b'a'..=b'f' | b'A'..=b'F' | b'.' | b'+' | b'-' | b'%' => {}
            b'T' | b'Z' if first_has_digit => {}
            _ => return false,
        }
    }
    digits > 0 && (first_has_digit || colons > 1)
}

pub(super) fn is_email(name: &[u8], host: &[u8]) -> bool {
    !name.is_empty()
        && host.contains(&b'.')
        && host.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
}

/// Days and months, which belong to the number beside them.
pub(super) fn is_calendar(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 37] = [
        b"Mon",
        b"Tue",
        b"Wed",
        b"Thu",
        b"Fri",
        b"Sat",
        b"Sun",
        b"Jan",
        b"Feb",
        b"Mar",
        b"Apr",
        b"May",
        b"Jun",
        b"Jul",
        b"Aug",
        b"Sep",
        b"Oct",
        b"Nov",
        b"Dec",
        b"Monday",
        b"Tuesday",
        b"Wednesday",
        b"Thursday",
        b"Friday",
        b"Saturday",
        b"Sunday",
        b"January",
        b"February",
        b"March",
        b"April",
        b"June",
        b"July",
        b"August",
        b"September",
        b"October",
        b"November",
        b"December",
    ];
    word.first().is_some_and(u8::is_ascii_uppercase) && NAMES.contains(&word)
}

/// Sizes and zones, which belong to the number before them.
pub(super) fn is_unit(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 29] = [
        b"B", b"KB", b"MB", b"GB", b"TB", b"PB", b"kB", b"KiB", b"MiB", b"GiB", b"TiB", b"UTC", b"GMT",
        b"CET", b"CEST", b"BST", b"EST", b"EDT", b"CST", b"CDT", b"MST", b"MDT", b"PST", b"PDT", b"JST",
        b"IST", b"MSK", b"AM", b"PM",
    ];
    word.len() <= 4 && NAMES.contains(&word)
}

pub(super) fn is_truth(word: &[u8]) -> bool {
    matches!(word, b"true" | b"false" | b"True" | b"False" | b"TRUE" | b"FALSE")
}

/// What stands for nothing where a value is due.
pub(super) fn is_nothing(word: &[u8]) -> bool {
    matches!(word, b"null" | b"NULL" | b"nil" | b"None" | b"none" | b"undefined" | b"NaN" | b"-")
}

/// How long the colour is that begins here, as terminals have it; 0 where none does.
pub(super) fn colour(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.strip_prefix(b"\x1b[") else { return 0 };
    let inner = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
    if rest.get(inner).is_some_and(u8::is_ascii_alphabetic) { inner + 3 } else { 0 }
}

/// Whether a key tells who or which one, so that what it has is a value whatever it looks like.
pub(super) fn is_identity(key: &[u8]) -> bool {
    const ENDS: [&[u8]; 18] = [
        b"user",
        b"username",
        b"host",
        b"hostname",
        b"id",
        b"name",
        b"addr",
        b"address",
        b"ip",
        b"path",
        b"file",
        b"port",
        b"pid",
        b"uuid",
        b"email",
        b"url",
        b"uri",
        b"token",
    ];
    ENDS.iter().any(|end| {
        let Some(at) = key.len().checked_sub(end.len()) else { return false };
        let (before, last) = key.split_at_checked(at).unwrap_or((&[], key));
        last.eq_ignore_ascii_case(end)
            && (end.len() > 2
                || !before.last().is_some_and(u8::is_ascii_lowercase)
                || last.first().is_some_and(u8::is_ascii_uppercase))
    })
}

/// Whether a key has words for people, not a value.
pub(super) fn is_speech(key: &[u8]) -> bool {
    const NAMES: [&[u8]; 22] = [
        b"msg",
        b"message",
        b"error",
        b"err",
        b"reason",
        b"event",
        b"level",
        b"lvl",
        b"severity",
        b"logger",
        b"log",
        b"text",
        b"title",
        b"cause",
        b"exception",
        b"detail",
        b"details",
        b"description",
        b"warning",
        b"action",
        b"operation",
        b"op",
    ];
    NAMES.iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// Whether a key has one of a few words.
pub(super) fn is_kind(key: &[u8]) -> bool {
    const NAMES: [&[u8]; 6] = [b"status", b"state", b"type", b"method", b"kind", b"result"];
    NAMES.iter().any(|name| key.eq_ignore_ascii_case(name))
}

/// Whether the word says what things are that have names, so that a name may follow.
pub(super) fn is_thing(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 64] = [
        b"account",
        b"alias",
        b"app",
        b"application",
        b"attribute",
        b"branch",
        b"bucket",
        b"cache",
        b"certificate",
        b"channel",
        b"class",
        b"client",
        b"cluster",
        b"collection",
        b"column",
        b"command",
        b"component",
        b"container",
        b"customer",
        b"database",
        b"device",
        b"domain",
        b"driver",
        b"endpoint",
        b"field",
        b"function",
        b"group",
        b"image",
        b"index",
        b"instance",
        b"interface",
        b"job",
        b"key",
        b"machine",
        b"method",
        b"module",
        b"namespace",
        b"node",
        b"object",
        b"option",
        b"package",
        b"parameter",
        b"partition",
        b"plugin",
        b"policy",
        b"process",
        b"program",
        b"project",
        b"property",
        b"queue",
        b"region",
        b"resource",
        b"role",
        b"schema",
        b"server",
        b"service",
        b"session",
        b"table",
        b"task",
        b"tenant",
        b"thread",
        b"topic",
        b"volume",
        b"worker",
    ];
    NAMES.iter().any(|name| word.eq_ignore_ascii_case(name))
}

/// Whether a word tells what happens rather than to whom.
pub(super) fn is_verbal(word: &[u8]) -> bool {
    const NAMES: [&[u8]; 30] = [
        b"a", b"an", b"and", b"are", b"as", b"been", b"by", b"can", b"does", b"fails", b"for", b"found",
        b"from", b"had", b"has", b"have", b"in", b"is", b"lost", b"not", b"of", b"on", b"or", b"sent",
        b"the", b"to", b"was", b"were", b"will", b"with",
    ];
    (word.len() > 4 && (word.ends_with(b"ed") || word.ends_with(b"ing"))) || NAMES.contains(&word)
}
