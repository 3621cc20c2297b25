//! The stages that read a line as JSON. The line is scanned once; numbers stay as they are written.

mod path;
mod scan;

use super::{super::ast::Extract, Row, Step, labels::Labels};
use path::Path;
use scan::{Kind, Scanner, Value};

const ERROR: &str = "JSONParserErr";

/// `json` alone: every value is a label, named after the keys that lead to it.
pub(super) struct Flatten;

impl Step for Flatten {
    fn run(&self, row: &mut Row<'_>) -> bool {
        let labels = &mut row.labels;
        let mut scanner = Scanner::new(&row.line);
        let read = scanner.object_start().and_then(|()| flatten(&mut scanner, &mut String::new(), labels));
        if read.is_none() || !scanner.at_end() {
            row.labels.fail(ERROR, "the line is not a JSON object");
        }
        true
    }
}

/// Reads the members of an object whose brace has been read. Arrays and nulls are no labels, nor is
/// what has a key without a character.
fn flatten(scanner: &mut Scanner<'_>, prefix: &mut String, labels: &mut Labels<'_>) -> Option<()> {
    while let Some(key) = scanner.next_key()? {
        let parent = prefix.len();
        push_key(prefix, &key);
        match scanner.kind()? {
            Kind::Object => scanner.nested(|scanner| {
                scanner.object_start()?;
                flatten(scanner, prefix, labels)
            })?,
            _ => match scanner.value()? {
                Value::Text(text) if !prefix.is_empty() => labels.extract(prefix, &text),
                Value::Number(raw) | Value::Bool(raw) if !prefix.is_empty() => {
                    labels.extract(prefix, raw);
                }
                _ => {}
            },
        }
        prefix.truncate(parent);
    }
    Some(())
}

/// Appends a key to those that lead to it, with what may not stand in a label's name replaced.
fn push_key(prefix: &mut String, key: &str) {
    let key = key.trim();
    if !prefix.is_empty() || key.starts_with(|c: char| c.is_ascii_digit()) {
        prefix.push('_');
    }
    prefix.extend(key.chars().map(|c| if c == '_' || c.is_ascii_alphanumeric() { c } else { '_' }));
}

/// A key of a line as the name of a label.
pub fn label_name(key: &str) -> String {
    let mut name = String::with_capacity(key.len());
    push_key(&mut name, key);
    name
}

/// `json` with expressions: each is a label.
pub(super) struct Pick(Vec<(String, Path)>);

impl Pick {
    pub(super) fn new(fields: &[Extract]) -> Result<Self, String> {
        let picks = fields.iter().map(|field| Ok((field.label.clone(), Path::parse(&field.path)?)));
        picks.collect::<Result<_, String>>().map(Self)
    }
}

impl Step for Pick {
    fn run(&self, row: &mut Row<'_>) -> bool {
        if row.line.is_empty() {
            return true;
        }
        let mut whole = Scanner::new(&row.line);
        let is_object = whole.kind() == Some(Kind::Object);
        if !is_object || whole.value().is_none() || !whole.at_end() {
            row.labels.fail(ERROR, "the line is not a JSON object");
            // What does not look like JSON at all has not even empty fields.
            if !row.line.trim_start().starts_with(['{', '[', '"']) {
                return true;
            }
        } else {
            for (label, path) in &self.0 {
                match path.find(&row.line) {
                    Some(Value::Text(text)) => row.labels.replace(label, &text),
                    Some(Value::Number(raw) | Value::Bool(raw) | Value::Nested(raw)) => {
                        row.labels.replace(label, raw);
                    }
                    Some(Value::Null) => row.labels.replace(label, ""),
                    None => {}
                }
            }
        }
        row.labels.fill(self.0.iter().map(|(label, _)| label.as_str()));
        true
    }
}

/// `unpack`: an object of texts whose `_entry` is the line.
pub(super) struct Unpack;

impl Step for Unpack {
    fn run(&self, row: &mut Row<'_>) -> bool {
        if row.line.is_empty() {
            return true;
        }
        let mut scanner = Scanner::new(&row.line);
        let Some(members) = members(&mut scanner) else {
            row.labels.fail(ERROR, "the line is not a JSON object");
            return true;
        };
        if !members.iter().any(|(key, _)| key == "_entry") {
            return true;
        }
        for (key, value) in members {
            if key == "_entry" {
                row.line = value.into();
            } else {
                row.labels.extract(&label_name(&key), &value);
            }
        }
        true
    }
}

/// The members of an object that are texts.
fn members(scanner: &mut Scanner<'_>) -> Option<Vec<(String, String)>> {
    let mut members = Vec::new();
    scanner.object_start()?;
    while let Some(key) = scanner.next_key()? {
        if let Value::Text(text) = scanner.value()? {
            members.push((key.into_owned(), text.into_owned()));
        }
    }
    scanner.at_end().then_some(members)
}
