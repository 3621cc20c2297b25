//! The fields that stand in lines, found by looking at some.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::engine::logql::{
    self, LogExpr,
    ast::Stage,
    pipeline::{Entry, Pipeline, Source, label_name},
};

/// Fields that are told apart.
const MAX_FIELDS: usize = 1_000;

/// Levels of nested objects that are looked into, and bytes of the names on the way.
const MAX_DEPTH: usize = 16;
const MAX_PATH_BYTES: usize = 1_024;

/// What the values of a field can be read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Int,
    Float,
    Boolean,
    Duration,
    Bytes,
    String,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Float => "float",
            Self::Boolean => "boolean",
            Self::Duration => "duration",
            Self::Bytes => "bytes",
            Self::String => "string",
        }
    }

    fn of(value: &str) -> Self {
        if value.parse::<i64>().is_ok() {
            Self::Int
        } else if value.parse::<f64>().is_ok() {
            Self::Float
        } else if matches!(value, "true" | "false") {
            Self::Boolean
        } else if logql::parse_duration(value).is_some() {
            Self::Duration
        } else if logql::parse_bytes(value).is_some() {
            Self::Bytes
        } else {
            Self::String
        }
    }

    fn joined(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Int | Self::Float, Self::Int | Self::Float) => Self::Float,
            _ => Self::String,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detected {
    pub kind: Kind,
    pub values: BTreeSet<String>,
    /// What reads it of a line; none for structured metadata.
    pub parsers: BTreeSet<&'static str>,
    /// Where it stands in lines of JSON.
    pub path: Vec<String>,
}

/// Takes lines, and says what fields they had.
pub struct Detector {
    logfmt: Option<Pipeline>,
    fields: BTreeMap<String, Detected>,
}

impl Default for Detector {
    fn default() -> Self {
        let stages = vec![Stage::Logfmt { strict: false, keep_empty: false, fields: Vec::new() }];
        let logfmt = Pipeline::new(&LogExpr { matchers: Vec::new(), stages }).ok();
        Self { logfmt, fields: BTreeMap::new() }
    }
}

impl Detector {
    /// Takes a line as a query has left it, with its structured metadata.
    pub fn take<'m>(&mut self, metadata: impl Iterator<Item = (&'m str, &'m str)>, text: &str) {
        for (name, value) in metadata {
            self.add(name, value, None, &[]);
        }
        if let Ok(Value::Object(members)) = serde_json::from_str(text) {
            let mut path = Vec::new();
            for (name, value) in members {
                self.walk(name, &value, &mut path);
            }
            return;
        }
        let nothing = BTreeMap::new();
        let entry = Entry { ts_ns: 0, stream: &nothing, metadata: &nothing, line: text, weight: 1 };
        let row = self.logfmt.as_ref().and_then(|logfmt| logfmt.run(&entry));
        let found = row.iter().flat_map(|row| row.labels.iter());
        let found: Vec<(String, String)> = found
            .filter(|(_, value, source)| *source == Source::Parsed && !value.is_empty())
            .map(|(name, value, _)| (name.to_owned(), value.to_owned()))
            .collect();
        for (name, value) in found {
            self.add(&name, &value, Some("logfmt"), &[]);
        }
    }

    /// By their names.
    pub fn finish(self) -> BTreeMap<String, Detected> {
        self.fields
    }

    fn walk(&mut self, name: String, value: &Value, path: &mut Vec<String>) {
        if path.iter().map(String::len).sum::<usize>() + name.len() > MAX_PATH_BYTES {
            return;
        }
        path.push(name);
        match value {
            Value::Object(members) if path.len() < MAX_DEPTH => {
                for (name, value) in members {
                    self.walk(name.clone(), value, path);
                }
            }
            Value::Null | Value::Array(_) | Value::Object(_) => {}
            value => {
                let name = label_name(&path.join("_"));
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.add(&name, &text, Some("json"), path);
            }
        }
        path.pop();
    }

    fn add(&mut self, name: &str, value: &str, parser: Option<&'static str>, path: &[String]) {
        if !self.fields.contains_key(name) && self.fields.len() >= MAX_FIELDS {
            return;
        }
        let kind = Kind::of(value);
        let known = self.fields.entry(name.to_owned()).or_insert_with(|| Detected {
            kind,
            values: BTreeSet::new(),
            parsers: BTreeSet::new(),
            path: path.to_vec(),
        });
        known.kind = known.kind.joined(kind);
        known.parsers.extend(parser);
        if !known.values.contains(value) {
            known.values.insert(value.to_owned());
        }
    }
}
