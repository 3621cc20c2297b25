//! Reading the compact JSON that rows are written in.

use std::borrow::Cow;

use super::{Stop, push_json};
use crate::engine::record::quote::special;

type Test = fn(&[u8]) -> bool;

/// Fields of a row's head, which are kept apart, and whether they are written as they will be.
const HEAD: [(&str, Test); 3] = [("id", is_uuid), ("timestamp", is_time), ("received_at", is_time)];

/// A string as it is written, without its quotes.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::block) struct Text<'a> {
    pub(in crate::engine::block) raw: &'a str,
    pub(in crate::engine::block) is_escaped: bool,
}

impl<'a> Text<'a> {
    /// What it says, if it is escaped as it will be again.
    pub(in crate::engine::block) fn unescaped(&self) -> Option<Cow<'a, str>> {
        if !self.is_escaped {
            return Some(Cow::Borrowed(self.raw));
        }
        let quoted = format!("\"{}\"", self.raw);
        let text: String = serde_json::from_str(&quoted).ok()?;
        let mut again = String::with_capacity(quoted.len());
        push_json(&text, &mut again);
        (again == quoted).then_some(Cow::Owned(text))
    }
}

/// A reader of the compact JSON that rows are written in.
pub(super) struct Json<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

impl<'a> Json<'a> {
    pub(super) fn stop(&self) -> Stop {
        Stop::NoJson { at: self.at }
    }

    pub(super) fn peek(&self) -> Result<u8, Stop> {
        self.text.as_bytes().get(self.at).copied().ok_or(self.stop())
    }

    pub(super) fn next(&mut self) -> Result<u8, Stop> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    pub(super) fn eat(&mut self, byte: u8) -> Result<(), Stop> {
        if self.next()? == byte { Ok(()) } else { Err(self.stop()) }
    }

    pub(super) fn string(&mut self) -> Result<Text<'a>, Stop> {
        self.eat(b'"')?;
        let start = self.at;
        let mut is_escaped = false;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            self.at += special(rest).ok_or(self.stop())?;
            match self.next()? {
                b'"' => {
                    let raw = self.text.get(start..self.at - 1).ok_or(self.stop())?;
                    return Ok(Text { raw, is_escaped });
                }
                b'\\' => is_escaped = true,
                _ => return Err(self.stop()),
            }
            self.at += 1;
        }
    }

    /// Reads the fields of the head. Answers whether others follow.
    pub(super) fn head(&mut self) -> Result<bool, Stop> {
        for (nth, (name, canonical)) in HEAD.into_iter().enumerate() {
            if nth > 0 {
                self.eat(b',')?;
            }
            let key = self.string()?.raw;
            self.eat(b':')?;
            if key != name || !canonical(self.string()?.raw.as_bytes()) {
                return Err(Stop::Differs);
            }
        }
        match self.next()? {
            b',' => Ok(true),
            b'}' => Ok(false),
            _ => Err(self.stop()),
        }
    }

    /// Any value, as it is written.
    pub(super) fn skip(&mut self) -> Result<&'a str, Stop> {
        let start = self.at;
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'[' | b'{' => {
                    open += 1;
                    self.at += 1;
                }
                b']' | b'}' if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                b',' | b'}' if open == 0 => break,
                _ => self.at += 1,
            }
        }
        self.text.get(start..self.at).filter(|text| !text.is_empty()).ok_or(self.stop())
    }
}

/// Whether an id that has been read is written with dashes and in lower case.
fn is_uuid(text: &[u8]) -> bool {
    text.len() == 36 && !text.iter().any(u8::is_ascii_uppercase)
}

/// Whether a time that has been read is written in UTC, with as many digits as it needs.
fn is_time(text: &[u8]) -> bool {
    let framed = text.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        10 => *byte == b'T',
        13 | 16 => *byte == b':',
        19 => *byte == if text.len() == 20 { b'Z' } else { b'.' },
        _ if at + 1 == text.len() => *byte == b'Z',
        _ => byte.is_ascii_digit(),
    });
    let needed = matches!(text.len(), 20 | 24 | 27 | 30) && (text.len() == 20 || !text.ends_with(b"000Z"));
    // A leap second is written as the second behind it, and so might a day's last hour be.
    framed && needed && text.get(17..19) != Some(b"60") && text.get(11..13) != Some(b"24")
}
