//! What a payload says once its disguises are off: percent, Unicode and entity escapes, overlong and
//! full-width characters. Each round gives at most as many bytes as it took.

use super::parts::END;

/// A payload inside a payload inside a payload; nobody's server unwraps more.
const ROUNDS: usize = 3;

/// Stands for a NUL that was written as an escape.
pub(super) const NUL: u8 = 0x7F;

/// Entities that hide what the rules look for, with what they stand for.
const ENTITIES: [(&[u8], u8); 37] = [
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"amp", b'&'),
    (b"quot", b'"'),
    (b"apos", b'\''),
    (b"lbrace", b'{'),
    (b"lcub", b'{'),
    (b"rbrace", b'}'),
    (b"rcub", b'}'),
    (b"lbrack", b'['),
    (b"lsqb", b'['),
    (b"rbrack", b']'),
    (b"rsqb", b']'),
    (b"lpar", b'('),
    (b"rpar", b')'),
    (b"colon", b':'),
    (b"semi", b';'),
    (b"sol", b'/'),
    (b"bsol", b'\\'),
    (b"tab", b'\t'),
    (b"newline", b'\n'),
    (b"nbsp", b' '),
    (b"dollar", b'$'),
    (b"percnt", b'%'),
    (b"equals", b'='),
    (b"period", b'.'),
    (b"comma", b','),
    (b"grave", b'`'),
    (b"lowbar", b'_'),
    (b"plus", b'+'),
    (b"commat", b'@'),
    (b"ast", b'*'),
    (b"excl", b'!'),
    (b"num", b'#'),
    (b"vert", b'|'),
    (b"quest", b'?'),
    (b"hyphen", b'-'),
];

/// The text without its disguises, in lower case, its white space folded; what it says without comments
/// stands behind it.
pub(super) fn plain(raw: &[u8]) -> Vec<u8> {
    let mut text = raw.to_vec();
    for _ in 0..ROUNDS {
        let next = decoded(&text);
        if next == text {
            break;
        }
        text = next;
    }
    let mut folded = folded(&text);
    if let Some(bare) = without_comments(&folded) {
        folded.extend_from_slice(&bare);
    }
    folded
}

/// The same text as a shell reads it: its quotes and escapes, which mean nothing inside a word, are gone.
pub(super) fn unquoted(plain: &[u8]) -> Option<Vec<u8>> {
    memchr::memchr3(b'\\', b'^', b'\'', plain).or_else(|| memchr::memchr2(b'"', b'$', plain))?;
    let mut out = Vec::with_capacity(plain.len());
    let mut rest = plain;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            b'\\' | b'^' | b'\'' | b'"' => {}
            b'$' if behind.starts_with(b"@") || behind.starts_with(b"*") => rest = after(behind, 1),
            b'$' if behind.starts_with(b"()") => rest = after(behind, 2),
            b'$' if behind.starts_with(b"{ifs}") => {
                out.push(b' ');
                rest = after(behind, 5);
            }
            b'$' if behind.starts_with(b"ifs") => {
                out.push(b' ');
                rest = after(behind, 3);
            }
            other => out.push(*other),
        }
    }
    Some(out)
}

/// Length of the entity that the text begins with, and what it stands for.
pub(super) fn entity(text: &[u8]) -> Option<(usize, u32)> {
    let body = text.strip_prefix(b"&")?;
    if let Some(number) = body.strip_prefix(b"#") {
        let (digits, radix, ahead) = match number {
            [b'x' | b'X', rest @ ..] => (rest, 16, 3),
            _ => (number, 10, 2),
        };
        let count = digits.iter().take(64).take_while(|b| char::from(**b).is_digit(radix)).count();
        let code = digits.get(..count).and_then(|d| std::str::from_utf8(d).ok())?;
        let code = u32::from_str_radix(code, radix).ok()?;
        let closed = usize::from(digits.get(count) == Some(&b';'));
        return Some((ahead + count + closed, code));
    }
    body.first().filter(|b| b.is_ascii_alphabetic())?;
    let same = |name: &[u8]| body.get(..name.len()).is_some_and(|b| b.eq_ignore_ascii_case(name));
    let (name, byte) = ENTITIES.iter().find(|(name, _)| same(name))?;
    let closed = usize::from(body.get(name.len()) == Some(&b';'));
    // Without its semicolon a short name is a part of a word or of a query: `&order=`, `&section=`.
    let enough = closed == 1 || name.len() > 4 || matches!(*name, b"lt" | b"gt" | b"quot" | b"amp");
    enough.then_some((1 + name.len() + closed, u32::from(*byte)))
}

fn decoded(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        let (taken, code) = match first {
            b'%' => percent(rest),
            b'\\' => backslash(rest),
            b'&' => entity(rest),
            0xC0 | 0xC1 | 0xC2 | 0xE0 | 0xE2 | 0xEF => wide(rest),
            _ => None,
        }
        .unwrap_or((1, u32::from(*first)));
        push(&mut out, code, taken > 1);
        rest = after(rest, taken.max(1));
    }
    out
}

fn push(out: &mut Vec<u8>, code: u32, was_escaped: bool) {
    let half_of_a_character = out.last().is_some_and(|last| *last >= 0x80);
    match (code, u8::try_from(code)) {
        (0, _) if was_escaped => out.push(NUL),
        // No-break space, which some databases take for white space.
        (0xA0, _) if was_escaped && !half_of_a_character => out.push(b' '),
        // Separators are the parts' own and cannot be forged.
        (1..=8 | 14..=31, _) if was_escaped => {}
        (0xFF01..=0xFF5E, _) => out.push(u8::try_from(code - 0xFEE0).unwrap_or(b'?')),
        (0x2018 | 0x2019 | 0x02BC | 0x2032, _) => out.push(b'\''),
        (0x201C | 0x201D, _) => out.push(b'"'),
        (_, Ok(byte)) => out.push(byte),
        // Of other characters nothing is asked but that they are there.
        _ => out.push(0x80),
    }
}

fn percent(text: &[u8]) -> Option<(usize, u32)> {
    match text {
        [_, b'u' | b'U', rest @ ..] => Some((6, hex(rest, 4)?)),
        [_, rest @ ..] => Some((3, hex(rest, 2)?)),
        [] => None,
    }
}

fn backslash(text: &[u8]) -> Option<(usize, u32)> {
    match text {
        [_, b'u', b'{', rest @ ..] => {
            let digits = rest.iter().take(6).take_while(|b| b.is_ascii_hexdigit()).count();
            (rest.get(digits) == Some(&b'}')).then_some(())?;
            Some((4 + digits, hex(rest, digits)?))
        }
        [_, b'u' | b'U', rest @ ..] => Some((6, hex(rest, 4)?)),
        [_, b'x' | b'X', rest @ ..] => Some((4, hex(rest, 2)?)),
        _ => None,
    }
}

/// Characters that were written longer than they need to be, and those that only look like ASCII.
fn wide(text: &[u8]) -> Option<(usize, u32)> {
    let tail = |byte: u8| u32::from(byte & 0x3F);
    match *text {
        [0xC2, 0xA0, ..] => Some((2, 0xA0)),
        [lead @ (0xC0 | 0xC1), next, ..] => Some((2, u32::from(lead & 1) << 6 | tail(next))),
        [0xE0, second @ 0x80..=0x81, third @ 0x80..=0xBF, ..] => Some((3, tail(second) << 6 | tail(third))),
        [0xE2, 0x80, third @ (0x98 | 0x99 | 0x9C | 0x9D), ..] => Some((3, 0x2000 | tail(third))),
        [0xEF, second @ 0xBC..=0xBD, third @ 0x80..=0xBF, ..] => {
            let code = 0xF000 | tail(second) << 6 | tail(third);
            (0xFF01..=0xFF5E).contains(&code).then_some((3, code))
        }
        _ => None,
    }
}

fn hex(text: &[u8], digits: usize) -> Option<u32> {
    let digits = text.get(..digits).filter(|d| !d.is_empty() && d.iter().all(u8::is_ascii_hexdigit))?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Lower case, and each run of white space one blank, or one line feed where it held a line's end.
fn folded(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        match (byte, out.last()) {
            (b'\n' | b'\r', Some(b' ')) => {
                out.pop();
                out.push(b'\n');
            }
            (b' ' | b'\t' | 0x0B | 0x0C, Some(b' ' | b'\n')) | (b'\n' | b'\r', Some(b'\n')) => {}
            (b'\n' | b'\r', _) => out.push(b'\n'),
            (b' ' | b'\t' | 0x0B | 0x0C, _) => out.push(b' '),
            (byte, _) => out.push(byte.to_ascii_lowercase()),
        }
    }
    out
}

/// The text with a blank for each comment of SQL or a script; what stands in `/*! … */` is run, and stays.
fn without_comments(text: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(text, b"/*")?;
    let mut out = vec![END];
    let mut rest = text;
    while let Some(start) = memchr::memmem::find(rest, b"/*") {
        let (before, comment) = rest.split_at(start);
        out.extend_from_slice(before);
        let body = after(comment, 2);
        let Some(end) = memchr::memmem::find(body, b"*/") else {
            out.extend_from_slice(comment);
            return Some(folded(&out));
        };
        if let Some(run) = body.get(..end).and_then(|body| body.strip_prefix(b"!")) {
            out.push(b' ');
            out.extend(run.iter().skip_while(|b| b.is_ascii_digit()));
        }
        out.push(b' ');
        rest = after(body, end + 2);
    }
    out.extend_from_slice(rest);
    Some(folded(&out))
}

fn after(text: &[u8], count: usize) -> &[u8] {
    text.get(count..).unwrap_or_default()
}
