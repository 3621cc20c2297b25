//! A stored record as a line of a stream.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{DETECTED_LEVEL, ENVIRONMENT, LEVEL, SERVICE};
use crate::engine::{
    block::Corrupt,
    logql::pipeline::{Entry, label_name},
    record::{model::Level, timestamp::Timestamp},
};

/// Fields that are the line itself, its time or its labels, or of no use to a reader of lines.
const NOT_METADATA: [&str; 11] = [
    "id",
    "timestamp",
    "received_at",
    "service",
    "level",
    "environment",
    "message",
    "metadata",
    "pattern",
    "pattern_id",
    "sample_rate",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub time: Timestamp,
    pub stream: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    pub text: String,
    /// The records that it stands for.
    pub weight: u32,
}

impl Line {
    /// Reads a record as its reader is shown it.
    pub fn read(row: &[u8]) -> Result<Self, Corrupt> {
        let mut row: Map<String, Value> =
            serde_json::from_slice(row).map_err(|error| Corrupt::damaged("row", error))?;
        let mut text = |name: &str| match row.get_mut(name).map(Value::take) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        let time = text("timestamp").and_then(|time| Timestamp::parse_text(&time).ok());
        let service = text("service").unwrap_or_default();
        let level = text("level").and_then(|level| Level::parse(&level)).unwrap_or(Level::Info);
        let environment = text("environment");
        let message = text("message").unwrap_or_default();
        let weight = row.get("sample_rate").and_then(Value::as_u64).and_then(|rate| u32::try_from(rate).ok());
        let mut sent = match row.get_mut("metadata").map(Value::take) {
            Some(Value::Object(sent)) => sent,
            _ => Map::new(),
        };
        let level = level.as_str().to_ascii_lowercase();
        let mut metadata = BTreeMap::new();
        let stream = match sent.get_mut("labels").map(Value::take) {
            Some(Value::Object(labels)) if labels.contains_key(SERVICE) => {
                for name in sent.get("structured").and_then(Value::as_array).into_iter().flatten() {
                    if let Some((name, value)) = name.as_str().and_then(|name| Some((name, sent.get(name)?)))
                    {
                        flatten(name, value, &mut metadata);
                    }
                }
                let mut labels: BTreeMap<String, String> =
                    labels.into_iter().map(|(name, value)| (name, printed(&value))).collect();
                labels.insert(SERVICE.to_owned(), service);
                // What is said of every record is in one place.
                labels.remove(DETECTED_LEVEL);
                labels
            }
            labels => {
                for (name, value) in row.iter().filter(|(name, _)| !NOT_METADATA.contains(&name.as_str())) {
                    flatten(name, value, &mut metadata);
                }
                for (name, value) in sent.iter().filter(|(name, _)| *name != "labels") {
                    flatten(name, value, &mut metadata);
                }
                if let Some(labels) = labels {
                    flatten("labels", &labels, &mut metadata);
                }
                let mut stream =
                    BTreeMap::from([(SERVICE.to_owned(), service), (LEVEL.to_owned(), level.clone())]);
                if let Some(environment) = environment {
                    stream.insert(ENVIRONMENT.to_owned(), environment);
                }
                stream
            }
        };
        metadata.insert(DETECTED_LEVEL.to_owned(), level);
        Ok(Self {
            time: time.ok_or_else(|| Corrupt::damaged("row", "it has no time"))?,
            stream,
            metadata,
            text: message,
            weight: weight.unwrap_or(1).max(1),
        })
    }

    pub fn entry(&self) -> Entry<'_> {
        Entry {
            ts_ns: self.time.as_ns(),
            stream: &self.stream,
            metadata: &self.metadata,
            line: &self.text,
            weight: self.weight,
        }
    }
}

/// Fields of a record that become labels, and the bytes of the name of one. A member repeats the names of all that it is
/// within.
const MAX_LABELS: usize = 512;
const MAX_NAME_BYTES: usize = 1_024;

/// Adds a value under a name, and those within it under theirs; the first of a name counts.
fn flatten(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    if name.len() <= MAX_NAME_BYTES {
        walk(&mut name.to_owned(), value, into);
    }
}

fn walk(name: &mut String, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            let outer = name.len();
            for (inner, value) in members {
                if outer + 1 + inner.len() > MAX_NAME_BYTES {
                    continue;
                }
                name.push('_');
                name.push_str(inner);
                walk(name, value, into);
                name.truncate(outer);
            }
        }
        value => {
            if into.len() < MAX_LABELS {
                into.entry(label_name(name)).or_insert_with(|| printed(value));
            }
        }
    }
}

fn printed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}
