//! JSON read value by value, as far as it is written the way rows are stored, white space aside.

use std::borrow::Cow;

use crate::engine::record::quote::special;

/// A deeper value goes the long way.
const MAX_DEPTH: usize = 32;

/// An object of more fields goes the long way: its names are compared with each other.
const MAX_NAMES: usize = 48;

/// Digits of a number that is read and written the same as 64 bits of floating point.
const MAX_DIGITS: usize = 15;

/// Zeros behind the point after which a number is written with an exponent.
const MAX_ZEROS: usize = 3;

pub(super) struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// Bytes of white space so far.
    spaces: usize,
}

/// A string as it is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted<'a> {
    /// With its quotes.
    pub(super) text: &'a str,
    pub(super) is_escaped: bool,
}

impl<'a> Quoted<'a> {
    /// Without its quotes, as it is written.
    pub(super) fn inner(self) -> &'a str {
        self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or_default()
    }

    /// The same, if nothing in it is escaped.
    pub(super) fn plain(self) -> Option<&'a str> {
        (!self.is_escaped).then(|| self.inner())
    }
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, spaces: 0 }
    }

    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
            self.spaces += 1;
        }
    }

    fn eat(&mut self, wanted: u8) -> Option<bool> {
        let found = self.peek()? == wanted;
        self.at += usize::from(found);
        Some(found)
    }

    fn need(&mut self, wanted: u8) -> Option<()> {
        self.eat(wanted)?.then_some(())
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    pub(super) fn is_string(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    /// A string, if it is written as it would be stored.
    pub(super) fn string(&mut self) -> Option<Quoted<'a>> {
        self.need(b'"')?;
        let start = self.at - 1;
        let mut is_escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let length = special(rest)?;
            self.at += length + 1;
            match rest.get(length)? {
                b'"' => return Some(Quoted { text: self.text.get(start..self.at)?, is_escaped }),
                b'\\' => is_escaped = true,
                _ => return None,
            }
            if !matches!(rest.get(length + 1)?, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') {
                return None;
            }
            self.at += 1;
        }
    }

    /// The name of a field, without quotes. `None` for one that `serde_json` could take for a mark of its own.
    fn name(&mut self) -> Option<&'a str> {
        self.string()?.plain().filter(|name| !name.starts_with('$'))
    }

    /// Hands over every name of an object, its value to be read.
    pub(super) fn object(&mut self, each: &mut dyn FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.need(b'{')?;
        if self.eat(b'}')? {
            return Some(());
        }
        loop {
            let name = self.name()?;
            self.need(b':')?;
            each(self, name)?;
            if !self.eat(b',')? {
                return self.need(b'}');
            }
        }
    }

    /// Reads `null`, if that is what stands here.
    pub(super) fn null(&mut self) -> Option<bool> {
        Some(self.peek()? == b'n' && self.literal("null").is_some())
    }

    fn literal(&mut self, word: &str) -> Option<()> {
        let there = self.text.get(self.at..)?.starts_with(word);
        self.at += if there { word.len() } else { 0 };
        there.then_some(())
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += length;
        length
    }

    /// A number that is read and written the same.
    pub(super) fn number(&mut self) -> Option<&'a str> {
        self.peek()?;
        let start = self.at;
        let bytes = self.text.as_bytes();
        self.at += usize::from(bytes.get(start) == Some(&b'-'));
        let first = self.at;
        let whole = self.digits();
        let zero = bytes.get(first) == Some(&b'0');
        if whole == 0 || (zero && whole > 1) {
            return None;
        }
        let mut fraction = 0;
        if bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            let from = self.at;
            fraction = self.digits();
            let digits = bytes.get(from..self.at)?;
            let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
            // Written with an exponent, or with fewer digits.
            let small = zero && zeros > MAX_ZEROS;
            if fraction == 0 || small || (digits.last() == Some(&b'0') && fraction > 1) {
                return None;
            }
        } else if zero && first > start {
            // Minus zero is no whole number.
            return None;
        }
        let goes_on = matches!(bytes.get(self.at), Some(b'e' | b'E' | b'.'));
        if goes_on || whole + fraction > MAX_DIGITS { None } else { self.text.get(start..self.at) }
    }

    pub(super) fn integer(&mut self) -> Option<&'a str> {
        self.number().filter(|number| !number.contains('.'))
    }

    /// An array of strings, as it is stored without its brackets.
    pub(super) fn strings(&mut self) -> Option<Cow<'a, str>> {
        self.within(|scan| scan.items(|scan| scan.string().map(|_| ())))
    }

    /// The fields of an object, as they are stored without its braces. Their names are added to `names`; the caller
    /// looks for those that are there twice.
    pub(super) fn members(&mut self, names: &mut Vec<&'a str>) -> Option<Cow<'a, str>> {
        self.within(|scan| scan.pass_members(names, 1))
    }

    /// Any value, as it is stored.
    pub(super) fn value(&mut self) -> Option<Cow<'a, str>> {
        self.stored(|scan| scan.pass(1))
    }

    /// What `pass` goes over, as it is stored.
    fn stored(&mut self, pass: impl FnOnce(&mut Self) -> Option<()>) -> Option<Cow<'a, str>> {
        self.peek()?;
        let (start, spaces) = (self.at, self.spaces);
        pass(self)?;
        let text = self.text.get(start..self.at)?;
        Some(if self.spaces == spaces { Cow::Borrowed(text) } else { Cow::Owned(without_spaces(text)) })
    }

    /// The same without its first and last byte.
    fn within(&mut self, pass: impl FnOnce(&mut Self) -> Option<()>) -> Option<Cow<'a, str>> {
        match self.stored(pass)? {
            Cow::Borrowed(text) => text.get(1..text.len().checked_sub(1)?).map(Cow::Borrowed),
            Cow::Owned(mut text) => {
                text.pop();
                Some(Cow::Owned(text.split_off(text.len().min(1))))
            }
        }
    }

    /// Goes over a value, if it is written as it would be stored.
    fn pass(&mut self, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b'{' => {
                let mut names = Vec::new();
                self.pass_members(&mut names, depth)?;
                (!has_twice(&names)).then_some(())
            }
            b'[' => self.items(|scan| scan.pass(depth + 1)),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            _ => self.number().map(|_| ()),
        }
    }

    fn pass_members(&mut self, names: &mut Vec<&'a str>, depth: usize) -> Option<()> {
        self.object(&mut |scan, name| {
            names.push(name);
            scan.pass(depth + 1)
        })
    }

    /// Goes over an array, each item by `each`.
    fn items(&mut self, each: impl Fn(&mut Self) -> Option<()>) -> Option<()> {
        self.need(b'[')?;
        if self.eat(b']')? {
            return Some(());
        }
        loop {
            each(self)?;
            if !self.eat(b',')? {
                return self.need(b']');
            }
        }
    }
}

/// JSON without the white space between its values.
fn without_spaces(json: &str) -> String {
    let mut to = String::with_capacity(json.len());
    let (mut is_text, mut is_escaped) = (false, false);
    let mut from = 0;
    for (at, byte) in json.bytes().enumerate() {
        if is_text {
            is_text = is_escaped || byte != b'"';
            is_escaped = !is_escaped && byte == b'\\';
        } else if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            to.push_str(json.get(from..at).unwrap_or_default());
            from = at + 1;
        } else {
            is_text = byte == b'"';
        }
    }
    to.push_str(json.get(from..).unwrap_or_default());
    to
}

/// Whether a name occurs twice, or there are too many to say.
pub(super) fn has_twice(names: &[&str]) -> bool {
    names.len() > MAX_NAMES
        || names.iter().enumerate().any(|(nth, name)| names.iter().take(nth).any(|other| other == name))
}
