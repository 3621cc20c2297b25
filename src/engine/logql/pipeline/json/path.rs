//! Expressions that name one value of a JSON text: `a.b["c d"][0]`.

use super::scan::{Kind, Scanner, Value};

pub(super) struct Path(Vec<Part>);

enum Part {
    Key(String),
    Index(usize),
}

/// Parts of an expression; a text nests no deeper.
const MAX_PARTS: usize = 64;

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let invalid = |reason: &str| format!("cannot parse expression [{text}]: {reason}");
        let mut parts = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            if let Some(bracket) = rest.strip_prefix('[') {
                let (part, tail) = if let Some(quoted) = bracket.strip_prefix('"') {
                    let (key, tail) = quoted_key(quoted).ok_or_else(|| invalid("a key is not terminated"))?;
                    (Part::Key(key), tail)
                } else {
                    let end = bracket.find(']').unwrap_or(bracket.len());
                    let (digits, tail) = bracket.split_at_checked(end).unwrap_or((bracket, ""));
                    (Part::Index(digits.parse().map_err(|_| invalid("expected an index or a key"))?), tail)
                };
                parts.push(part);
                rest = tail.strip_prefix(']').ok_or_else(|| invalid("expected ]"))?;
                continue;
            }
            let field = match rest.strip_prefix('.') {
                Some(field) if !parts.is_empty() => field,
                None if parts.is_empty() => rest,
                _ => return Err(invalid("expected . or [")),
            };
            let is_part = |c: char| c == '_' || c.is_alphanumeric();
            let end = field.find(|c| !is_part(c)).unwrap_or(field.len());
            let (key, tail) = field.split_at_checked(end).unwrap_or((field, ""));
            if key.is_empty() || key.starts_with(|c: char| c.is_ascii_digit()) {
                return Err(invalid("expected a field"));
            }
            parts.push(Part::Key(key.to_owned()));
            rest = tail;
        }
        match parts.len() {
            0 => Err(invalid("it is empty")),
            1..=MAX_PARTS => Ok(Self(parts)),
            _ => Err(invalid("it is too long")),
        }
    }

    /// The value it names; of keys that occur twice, the first.
    pub(super) fn find<'a>(&self, text: &'a str) -> Option<Value<'a>> {
        let mut scanner = Scanner::new(text);
        for part in &self.0 {
            match (part, scanner.kind()?) {
                (Part::Key(wanted), Kind::Object) => {
                    scanner.object_start()?;
                    while scanner.next_key()?? != *wanted {
                        scanner.value()?;
                    }
                }
                (Part::Index(wanted), Kind::Array) => {
                    scanner.array_start()?;
                    for index in 0..=*wanted {
                        if !scanner.next_element()? {
                            return None;
                        }
                        if index < *wanted {
                            scanner.value()?;
                        }
                    }
                }
                _ => return None,
            }
        }
        scanner.value()
    }
}

/// A key up to its closing quote, and what follows it.
fn quoted_key(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return text.get(at + 1..).map(|rest| (key, rest)),
            '\\' => key.push(chars.next()?.1),
            c => key.push(c),
        }
    }
    None
}
