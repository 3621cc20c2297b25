//! JSON read value by value, as far as it is written the way rows are stored, white space aside.

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
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
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

    /// A string with its quotes, if it is written as it would be stored.
    pub(super) fn string(&mut self) -> Option<&'a str> {
        self.need(b'"')?;
        let start = self.at - 1;
        loop {
            let rest = self.text.as_bytes().get(self.at..)?;
            let length = memchr::memchr2(b'"', b'\\', rest)?;
            // One pass without a branch, which the compiler makes wide.
            if rest.get(..length)?.iter().fold(u8::MAX, |least, byte| least.min(*byte)) < 0x20 {
                return None;
            }
            self.at += length + 1;
            if rest.get(length) == Some(&b'"') {
                return self.text.get(start..self.at);
            }
            if !matches!(rest.get(length + 1)?, b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') {
                return None;
            }
            self.at += 1;
        }
    }

    /// The name of a field, without quotes. `None` for one that `serde_json` could take for a mark of its own.
    fn name(&mut self) -> Option<&'a str> {
        let quoted = self.string()?;
        let name = quoted.get(1..quoted.len().checked_sub(1)?)?;
        (!name.starts_with('$') && !name.contains('\\')).then_some(name)
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
    pub(super) fn strings(&mut self) -> Option<String> {
        let mut items = String::new();
        self.need(b'[')?;
        if self.eat(b']')? {
            return Some(items);
        }
        loop {
            if !items.is_empty() {
                items.push(',');
            }
            items.push_str(self.string()?);
            if !self.eat(b',')? {
                self.need(b']')?;
                return Some(items);
            }
        }
    }

    /// The fields of an object, as they are stored without its braces, and their names.
    pub(super) fn members(&mut self, to: &mut String, names: &mut Vec<&'a str>) -> Option<()> {
        self.members_at(to, names, 1)
    }

    fn members_at(&mut self, to: &mut String, names: &mut Vec<&'a str>, depth: usize) -> Option<()> {
        let start = to.len();
        self.object(&mut |scan, name| {
            if to.len() > start {
                to.push(',');
            }
            to.push('"');
            to.push_str(name);
            to.push_str("\":");
            names.push(name);
            scan.value(to, depth + 1)
        })?;
        (!has_twice(names)).then_some(())
    }

    /// Any value, appended as it is stored.
    pub(super) fn value(&mut self, to: &mut String, depth: usize) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'"' => to.push_str(self.string()?),
            b'{' => {
                to.push('{');
                self.members_at(to, &mut Vec::new(), depth)?;
                to.push('}');
            }
            b'[' => self.array(to, depth)?,
            b't' => self.word("true", to)?,
            b'f' => self.word("false", to)?,
            b'n' => self.word("null", to)?,
            _ => to.push_str(self.number()?),
        }
        Some(())
    }

    fn array(&mut self, to: &mut String, depth: usize) -> Option<()> {
        self.need(b'[')?;
        to.push('[');
        if !self.eat(b']')? {
            loop {
                self.value(to, depth + 1)?;
                if !self.eat(b',')? {
                    self.need(b']')?;
                    break;
                }
                to.push(',');
            }
        }
        to.push(']');
        Some(())
    }

    fn word(&mut self, word: &str, to: &mut String) -> Option<()> {
        self.literal(word)?;
        to.push_str(word);
        Some(())
    }
}

/// Whether a name occurs twice, or there are too many to say.
pub(super) fn has_twice(names: &[&str]) -> bool {
    names.len() > MAX_NAMES
        || names.iter().enumerate().any(|(nth, name)| names.iter().take(nth).any(|other| other == name))
}
