//! Some fields of a row, taken out of its text and written as JSON or as CSV.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::engine::block::Corrupt;

/// Fields by their paths, in the order in which they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cells {
    names: Vec<String>,
}

impl Cells {
    pub fn new(names: Vec<String>) -> Self {
        Self { names }
    }

    /// Appends an object of those fields that the row has, as the row has them: `metadata.a.b` is `b` of `a` of
    /// `metadata`.
    pub fn push_json(&self, line: &str, to: &mut Vec<u8>) -> Result<(), Corrupt> {
        let values = self.values(line)?;
        let there: Vec<(&str, &str)> =
            self.names.iter().zip(values).filter_map(|(name, value)| Some((name.as_str(), value?))).collect();
        push_object(&there, to);
        Ok(())
    }

    /// Appends the line of a table by RFC 4180 with the names of the fields.
    pub fn push_csv_head(&self, to: &mut Vec<u8>) {
        for (nth, name) in self.names.iter().enumerate() {
            if nth > 0 {
                to.push(b',');
            }
            push_text(name, to);
        }
        to.extend_from_slice(b"\r\n");
    }

    /// Appends a line of a table. A text that a spreadsheet would take for a formula gets a `'` in front.
    pub fn push_csv(&self, line: &str, to: &mut Vec<u8>) -> Result<(), Corrupt> {
        for (nth, value) in self.values(line)?.into_iter().enumerate() {
            if nth > 0 {
                to.push(b',');
            }
            match value {
                None => {}
                Some(json) if json.starts_with('"') => {
                    let text: String =
                        serde_json::from_str(json).map_err(|error| Corrupt::damaged("row", error))?;
                    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
                        push_text(&format!("'{text}"), to);
                    } else {
                        push_text(&text, to);
                    }
                }
                Some(json) => push_text(json, to),
            }
        }
        to.extend_from_slice(b"\r\n");
        Ok(())
    }

    /// The JSON of each field, where the row has it.
    fn values<'a>(&self, line: &'a str) -> Result<Vec<Option<&'a str>>, Corrupt> {
        let mut found = vec![None; self.names.len()];
        let wanted: Vec<(usize, &str)> = self.names.iter().map(String::as_str).enumerate().collect();
        let mut json = serde_json::Deserializer::from_str(line);
        Object { wanted: &wanted, found: &mut found }
            .deserialize(&mut json)
            .map_err(|error| Corrupt::damaged("row", error))?;
        Ok(found)
    }
}

/// An object of values by their paths; those that begin with the same name stand together where the first of them is.
fn push_object(fields: &[(&str, &str)], to: &mut Vec<u8>) {
    to.push(b'{');
    let mut done: Vec<&str> = Vec::new();
    for (path, _) in fields {
        let name = path.split_once('.').map_or(*path, |(name, _)| name);
        if done.contains(&name) {
            continue;
        }
        if !done.is_empty() {
            to.push(b',');
        }
        done.push(name);
        // A text can always be written.
        to.extend_from_slice(serde_json::to_string(name).unwrap_or_default().as_bytes());
        to.push(b':');
        let whole = fields.iter().find(|(path, _)| *path == name);
        if let Some((_, value)) = whole {
            // It holds what is below it.
            to.extend_from_slice(value.as_bytes());
        } else {
            let inner: Vec<(&str, &str)> = fields
                .iter()
                .filter_map(|(path, value)| {
                    let (first, rest) = path.split_once('.')?;
                    (first == name).then_some((rest, *value))
                })
                .collect();
            push_object(&inner, to);
        }
    }
    to.push(b'}');
}

fn push_text(text: &str, to: &mut Vec<u8>) {
    if text.contains([',', '"', '\r', '\n']) {
        to.push(b'"');
        to.extend_from_slice(text.replace('"', "\"\"").as_bytes());
        to.push(b'"');
    } else {
        to.extend_from_slice(text.as_bytes());
    }
}

/// An object with the paths that are wanted of it, and whose each is.
struct Object<'w, 'a> {
    wanted: &'w [(usize, &'w str)],
    found: &'w mut [Option<&'a str>],
}

impl<'de> DeserializeSeed<'de> for Object<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        use serde::de::Error;
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            let below = |(nth, path): &(usize, &'_ str)| {
                let rest = path.strip_prefix(&*name)?;
                Some((*nth, rest.len()))
            };
            let mut here = None;
            let mut within: Vec<(usize, &str)> = Vec::new();
            for wanted in self.wanted {
                match below(wanted) {
                    Some((nth, 0)) => here = Some(nth),
                    Some((nth, length)) => {
                        let rest = wanted.1.get(wanted.1.len() - length..).unwrap_or_default();
                        within.extend(rest.strip_prefix('.').map(|rest| (nth, rest)));
                    }
                    None => {}
                }
            }
            if here.is_none() && within.is_empty() {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = members.next_value::<&'de RawValue>()?.get();
            if let Some(slot) = here.and_then(|nth| self.found.get_mut(nth)) {
                *slot = Some(value);
            }
            if !within.is_empty() && value.starts_with('{') {
                let mut json = serde_json::Deserializer::from_str(value);
                Object { wanted: &within, found: &mut *self.found }
                    .deserialize(&mut json)
                    .map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"service":"a,b","message":"say \"hi\"\n","status":-4,"metadata":{"a.b":1,"a":{"c":[true]},"f":"=1+1"}}"#;

    fn cells(names: &[&str]) -> Cells {
        Cells::new(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn fields_are_found_by_their_paths() {
        let check = |names: &[&str], expected: &str| {
            let mut json = Vec::new();
            cells(names).push_json(LINE, &mut json).unwrap();
            assert_eq!(String::from_utf8(json).unwrap(), expected, "{names:?}");
        };
        check(
            &["metadata.a.b", "status", "metadata.a.c", "metadata.f", "nothing", "service.x"],
            r#"{"metadata":{"a":{"b":1,"c":[true]},"f":"=1+1"},"status":-4}"#,
        );
        check(&["metadata.a.c", "metadata.a"], r#"{"metadata":{"a":{"c":[true]}}}"#);
        check(
            &["metadata.f", "metadata"],
            &format!(r#"{{"metadata":{}}}"#, &LINE[LINE.find(r#"{"a.b"#).unwrap()..LINE.len() - 1]),
        );
        check(&["nothing"], "{}");
    }

    #[test]
    fn a_table_is_quoted_and_holds_no_formula() {
        let mut csv = Vec::new();
        let cells = cells(&["service", "message", "status", "metadata.f", "host", "metadata.a"]);
        cells.push_csv_head(&mut csv);
        cells.push_csv(LINE, &mut csv).unwrap();
        assert_eq!(
            String::from_utf8(csv).unwrap(),
            "service,message,status,metadata.f,host,metadata.a\r\n\
             \"a,b\",\"say \"\"hi\"\"\n\",-4,'=1+1,,\"{\"\"c\"\":[true]}\"\r\n"
        );
    }
}
