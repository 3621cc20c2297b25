//! The values of a stored row, and whether an expression holds for one. The row is read once, as a stream.

use std::fmt::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{
    expr::{Expr, Match},
    test::Leaf,
};
use crate::engine::block::{Corrupt, Kind};

/// Every value of a stored row under its dotted path: of an object those within it, of an array each of its
/// elements under the array's own path. A text is given as it is, all else as its JSON.
pub fn leaves(line: &[u8], each: &mut dyn FnMut(&str, Kind, &str)) -> Result<(), Corrupt> {
    let mut json = serde_json::Deserializer::from_slice(line);
    let mut path = String::new();
    Node { path: &mut path, each, depth: 0 }
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|error| Corrupt::damaged("row", error))
}

/// The same of one value's JSON that stands under this path.
pub fn leaves_of(path: &str, json: &str, each: &mut dyn FnMut(&str, Kind, &str)) -> Result<(), Corrupt> {
    let mut json = serde_json::Deserializer::from_str(json);
    let mut path = path.to_owned();
    Node { path: &mut path, each, depth: 1 }
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|error| Corrupt::damaged("column", error))
}

impl Expr {
    /// Whether it holds for a stored row.
    pub fn matches_row(&self, line: &[u8]) -> Result<bool, Corrupt> {
        let mut matches: Vec<(&Match, bool)> = Vec::new();
        self.each_match(&mut |found| matches.push((found, false)));
        leaves(line, &mut |name, kind, value| {
            let leaf = Leaf::new(name, kind, value);
            for (found, held) in &mut matches {
                *held = *held || found.holds_for(&leaf);
            }
        })?;
        let mut answers = matches.into_iter().map(|(_, held)| held);
        Ok(self.holds(&mut answers))
    }

    /// Takes the answer of every match, in the order of `each_match`: nothing is cut short.
    fn holds(&self, answers: &mut dyn Iterator<Item = bool>) -> bool {
        let mut count = |parts: &[Self]| parts.iter().filter(|part| part.holds(answers)).count();
        match self {
            Self::All => true,
            Self::And(parts) => count(parts) == parts.len(),
            Self::Or(parts) => count(parts) > 0,
            Self::Not(inner) => !inner.holds(answers),
            Self::Match(_) => answers.next().unwrap_or_default(),
        }
    }
}

/// The value that stands at a path.
struct Node<'a> {
    path: &'a mut String,
    each: &'a mut dyn FnMut(&str, Kind, &str),
    depth: usize,
}

impl Node<'_> {
    fn leaf<E: Error>(self, kind: Kind, value: &str) -> Result<(), E> {
        if self.depth == 0 {
            return Err(E::custom("expected an object"));
        }
        (self.each)(self.path, kind, value);
        Ok(())
    }

    fn number<E: Error>(self, number: impl fmt::Display) -> Result<(), E> {
        let mut text = Digits::default();
        match write!(text, "{number}") {
            Ok(()) => self.leaf(Kind::Number, text.as_str()),
            Err(_) => self.leaf(Kind::Number, &number.to_string()),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.leaf(Kind::Text, text)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.number(number)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.number(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        match Number::from_f64(number) {
            Some(number) => self.number(number),
            None => Err(E::custom("a number out of range")),
        }
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<(), E> {
        self.leaf(Kind::Raw, if flag { "true" } else { "false" })
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.leaf(Kind::Raw, "null")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut empty = true;
        // The row itself is no array: its elements would have no name.
        while self.depth > 0 {
            let element = Node { path: &mut *self.path, each: &mut *self.each, depth: self.depth };
            if elements.next_element_seed(element)?.is_none() {
                break;
            }
            empty = false;
        }
        if empty { self.leaf(Kind::Raw, "[]") } else { Ok(()) }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let (length, mut empty) = (self.path.len(), true);
        while members.next_key_seed(Key { path: &mut *self.path, depth: self.depth })?.is_some() {
            let value = Node { path: &mut *self.path, each: &mut *self.each, depth: self.depth + 1 };
            members.next_value_seed(value)?;
            self.path.truncate(length);
            empty = false;
        }
        if empty && self.depth > 0 { self.leaf(Kind::Raw, "{}") } else { Ok(()) }
    }
}

/// The name of a member, put at the end of the path.
struct Key<'a> {
    path: &'a mut String,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        if self.depth > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        Ok(())
    }
}

/// A number's text, kept off the heap.
#[derive(Default)]
struct Digits {
    bytes: [u8; 32],
    length: usize,
}

impl Digits {
    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Write for Digits {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
