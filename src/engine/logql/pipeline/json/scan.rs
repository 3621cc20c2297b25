//! A scanner of JSON that builds nothing: values are slices of the text. `None` is a text that is not JSON, or
//! one that nests too deep.

use std::borrow::Cow;

/// Objects and arrays within each other.
const MAX_DEPTH: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Other,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Text(Cow<'a, str>),
    Number(&'a str),
    Bool(&'a str),
    Null,
    /// An object or an array as it is written.
    Nested(&'a str),
}

pub(super) struct Scanner<'a> {
    rest: &'a str,
    depth: usize,
    /// Whether a member has been read of the object or array that is open.
    first: bool,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text, depth: 0, first: true }
    }

    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, c: char) -> bool {
        self.blanks();
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    pub(super) fn at_end(&mut self) -> bool {
        self.blanks();
        self.rest.is_empty()
    }

    /// What the next value is.
    pub(super) fn kind(&mut self) -> Option<Kind> {
        self.blanks();
        Some(match self.rest.as_bytes().first()? {
            b'{' => Kind::Object,
            b'[' => Kind::Array,
            _ => Kind::Other,
        })
    }

    pub(super) fn object_start(&mut self) -> Option<()> {
        self.first = true;
        self.take('{').then_some(())
    }

    pub(super) fn array_start(&mut self) -> Option<()> {
        self.first = true;
        self.take('[').then_some(())
    }

    /// The key of the next member; `Some(None)` at the end of the object.
    #[expect(clippy::option_option)]
    pub(super) fn next_key(&mut self) -> Option<Option<Cow<'a, str>>> {
        if !self.next_member('}')? {
            return Some(None);
        }
        self.blanks();
        let key = self.text()?;
        self.take(':').then_some(Some(key))
    }

    /// Whether an element follows rather than the end of the array.
    pub(super) fn next_element(&mut self) -> Option<bool> {
        self.next_member(']')
    }

    fn next_member(&mut self, end: char) -> Option<bool> {
        let first = std::mem::replace(&mut self.first, false);
        if self.take(end) {
            return Some(false);
        }
        (first || self.take(',')).then_some(true)
    }

    pub(super) fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        self.depth += 1;
        let read = inner(self);
        self.depth -= 1;
        self.first = false;
        read
    }

    pub(super) fn value(&mut self) -> Option<Value<'a>> {
        self.blanks();
        let start = self.rest;
        match *self.rest.as_bytes().first()? {
            b'"' => self.text().map(Value::Text),
            b'{' => {
                self.nested(|scanner| {
                    scanner.object_start()?;
                    while scanner.next_key()?.is_some() {
                        scanner.value()?;
                    }
                    Some(())
                })?;
                start.get(..start.len() - self.rest.len()).map(Value::Nested)
            }
            b'[' => {
                self.nested(|scanner| {
                    scanner.array_start()?;
                    while scanner.next_element()? {
                        scanner.value()?;
                    }
                    Some(())
                })?;
                start.get(..start.len() - self.rest.len()).map(Value::Nested)
            }
            b't' => self.word("true").map(Value::Bool),
            b'f' => self.word("false").map(Value::Bool),
            b'n' => self.word("null").map(|_| Value::Null),
            _ => self.number().map(Value::Number),
        }
    }

    fn word(&mut self, word: &str) -> Option<&'a str> {
        let (found, rest) = self.rest.split_at_checked(word.len())?;
        self.rest = rest;
        (found == word).then_some(found)
    }

    fn number(&mut self) -> Option<&'a str> {
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let end = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let starts = number.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        (starts && number.parse::<f64>().is_ok()).then_some(number)
    }

    fn text(&mut self) -> Option<Cow<'a, str>> {
        let body = self.rest.strip_prefix('"')?;
        let end = memchr::memchr2(b'"', b'\\', body.as_bytes())?;
        let (plain, tail) = body.split_at_checked(end)?;
        if let Some(rest) = tail.strip_prefix('"') {
            self.rest = rest;
            return Some(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        let mut rest = tail;
        loop {
            let stop = memchr::memchr2(b'"', b'\\', rest.as_bytes())?;
            let (plain, tail) = rest.split_at_checked(stop)?;
            text.push_str(plain);
            if let Some(tail) = tail.strip_prefix('"') {
                self.rest = tail;
                return Some(Cow::Owned(text));
            }
            rest = escape(tail.strip_prefix('\\')?, &mut text)?;
        }
    }
}

/// Reads an escape after its backslash and returns what follows it.
fn escape<'a>(rest: &'a str, text: &mut String) -> Option<&'a str> {
    let c = rest.chars().next()?;
    let tail = rest.get(c.len_utf8()..)?;
    text.push(match c {
        '"' | '\\' | '/' => c,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let (high, tail) = unit(tail)?;
            if let Some((low, after)) = tail.strip_prefix("\\u").and_then(unit) {
                let pair = char::decode_utf16([high, low]).next()?;
                if let (Ok(c), 0xd800..0xdc00) = (pair, high) {
                    text.push(c);
                    return Some(after);
                }
            }
            // Half of a pair is no character.
            text.push(char::from_u32(u32::from(high)).unwrap_or(char::REPLACEMENT_CHARACTER));
            return Some(tail);
        }
        _ => return None,
    });
    Some(tail)
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| u16::from_str_radix(digits, 16).ok())?.map(|unit| (unit, rest))
}
