//! A record in the making: the fields that are understood on one side, the object they are taken from on
//! the other.
//!
//! Invariant: what is not taken out of the object ends up in the metadata, nested as it came, and a finished
//! draft is never refused for the shape of a field that its sender may use as he likes.

use serde_json::{Map, Value};

use super::batch::RawRecord;
pub(super) use super::service::{UNKNOWN as UNKNOWN_SERVICE, service_name};
use crate::engine::record::model::Level;
use crate::engine::record::normalise::{add_metadata, is_service_name};
use crate::engine::record::stored_name;
use crate::engine::record::timestamp::Timestamp;

/// The names of a service in an object of no particular schema.
pub(super) const SERVICE_NAMES: [&str; 6] =
    ["service_name", "serviceName", "service.name", "service", "app", "application"];

/// The names of a message in an object of no particular schema.
pub(super) const MESSAGE_NAMES: [&str; 4] = ["message", "msg", "body", "text"];

/// How much of an object without a message is shown as its message; the metadata has the whole.
const SHOWN_BYTES: usize = 2048;

pub(super) struct Draft {
    fields: Map<String, Value>,
    rest: Map<String, Value>,
    size_bytes: usize,
}

impl Draft {
    pub(super) fn new(raw: RawRecord) -> Self {
        Self { fields: Map::new(), rest: raw.fields, size_bytes: raw.size_bytes }
    }

    /// What stands at a dotted path, however its names are spread over keys and nested objects.
    pub(super) fn peek(&self, path: &str) -> Option<&Value> {
        at(&self.rest, path).filter(|value| !value.is_null())
    }

    /// The text of a scalar that is not an empty string.
    pub(super) fn peek_text(&self, path: &str) -> Option<String> {
        self.peek(path).and_then(text)
    }

    /// What stands at a dotted path; objects that it leaves empty go too.
    pub(super) fn take(&mut self, path: &str) -> Option<Value> {
        self.peek(path)?;
        take(&mut self.rest, path)
    }

    pub(super) fn take_text(&mut self, path: &str) -> Option<String> {
        let text = self.peek_text(path)?;
        self.take(path);
        Some(text)
    }

    pub(super) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.fields.insert(field.to_owned(), value.into());
    }

    pub(super) fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// Keeps a value of another place under a name of the metadata.
    pub(super) fn keep(&mut self, name: &str, value: impl Into<Value>) {
        add_metadata(&mut self.rest, name.to_owned(), value.into());
    }

    /// Puts a value under a name that nothing stands under.
    pub(super) fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.rest.insert(name.to_owned(), value.into());
    }

    /// Drops all whose dotted path begins so.
    pub(super) fn drop_all(&mut self, prefix: &str) {
        drop_all(&mut self.rest, prefix);
    }

    /// Moves a scalar to a field that has no value yet.
    pub(super) fn text_field(&mut self, field: &str, path: &str) {
        if !self.has(field)
            && let Some(value) = self.peek(path)
            && text(value).is_some()
            && let Some(value) = self.take(path)
        {
            self.set(field, value);
        }
    }

    /// Moves a level to its field when it is the name or number of one.
    pub(super) fn level(&mut self, path: &str) {
        if !self.has("level")
            && let Some(level) = self.peek(path).and_then(level_of)
        {
            self.take(path);
            self.set("level", level.as_str());
        }
    }

    /// Moves a time to its field when it is one.
    pub(super) fn time(&mut self, path: &str) {
        if !self.has("timestamp")
            && let Some(at) = self.peek(path).and_then(time_of)
        {
            self.take(path);
            self.set("timestamp", at.to_string());
        }
    }

    /// Takes the service from the first path with a text. It stays where it is, too, when it had to be changed.
    pub(super) fn service(&mut self, paths: &[&str]) {
        if self.has("service") {
            return;
        }
        if let Some((path, name)) = paths.iter().find_map(|path| Some((path, self.peek_text(path)?))) {
            if is_service_name(&name) {
                self.take(path);
            }
            self.set("service", service_name(&name));
        }
    }

    /// Takes the message from the first path with a text.
    pub(super) fn message_text(&mut self, paths: &[&str]) {
        if !self.has("message")
            && let Some(path) = paths.iter().find(|path| self.peek(path).and_then(text).is_some())
            && let Some(value) = self.take(path)
        {
            self.set("message", value);
        }
    }

    /// Takes the message from the first path with a text, or else from the first with a structure that says
    /// something.
    pub(super) fn message(&mut self, paths: &[&str]) {
        self.message_text(paths);
        let says = |value: &Value| match value {
            Value::Object(fields) => !fields.is_empty(),
            Value::Array(items) => !items.is_empty(),
            _ => false,
        };
        if !self.has("message")
            && let Some(path) = paths.iter().find(|path| self.peek(path).is_some_and(says))
            && let Some(value) = self.take(path)
        {
            self.set("message", value);
        }
    }

    /// Makes the beginning of the object's JSON the message when it has none. To be called while the object is
    /// whole.
    pub(super) fn message_of_all(&mut self) {
        if !self.has("message") {
            let message = shown(&self.rest);
            self.set("message", message);
        }
    }

    /// The fields so far, and what was not taken.
    pub(super) fn into_parts(self) -> (Map<String, Value>, Map<String, Value>) {
        (self.fields, self.rest)
    }

    /// The record. Names that every route understands are fields here too, where their value suits.
    pub(super) fn finish(mut self) -> RawRecord {
        let mut metadata = match self.rest.shift_remove("metadata") {
            Some(Value::Object(metadata)) => metadata,
            Some(Value::Null) | None => Map::new(),
            Some(other) => Map::from_iter([("metadata".to_owned(), other)]),
        };
        let mut adopted = Map::new();
        for (key, value) in std::mem::take(&mut self.rest) {
            let field = stored_name(&key).filter(|field| !self.fields.contains_key(*field));
            match field {
                Some(_) if value.is_null() => {}
                Some(field) if suits(field, &key, &value) => {
                    adopted.insert(key, value);
                }
                _ => add_metadata(&mut metadata, key, value),
            }
        }
        self.fields.extend(adopted);
        if !self.has("service") && !SERVICE_NAMES.iter().any(|name| self.has(name)) {
            self.set("service", UNKNOWN_SERVICE);
        }
        if !metadata.is_empty() {
            self.set("metadata", metadata);
        }
        RawRecord { fields: self.fields, size_bytes: self.size_bytes }
    }
}

/// A string that is not empty as it is, a number or boolean as its JSON.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn level_of(value: &Value) -> Option<Level> {
    match value {
        Value::String(text) => Level::parse(text),
        value => value.as_i64().and_then(Level::from_number),
    }
}

/// 0 stands for a time that is not known.
pub(super) fn time_of(value: &Value) -> Option<Timestamp> {
    Timestamp::parse(value).ok().filter(|at| *at > Timestamp::EPOCH)
}

/// By the class of an HTTP status.
pub(super) fn level_of_status(status: i64) -> Level {
    match status {
        500.. => Level::Error,
        400.. => Level::Warn,
        _ => Level::Info,
    }
}

/// A number, also one written as text.
pub(super) fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_i64(),
    }
}

/// The beginning of the compact JSON of an object.
pub(super) fn shown(object: &Map<String, Value>) -> String {
    let mut json = serde_json::to_string(object).unwrap_or_default();
    if json.len() > SHOWN_BYTES {
        json.truncate(json.floor_char_boundary(SHOWN_BYTES));
        json.push('…');
    }
    json
}

/// The path of a URL or of what follows its host, without its query.
pub(super) fn path_of(url: &str) -> &str {
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| {
        let start = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        rest.get(start..).unwrap_or_default()
    });
    match after_scheme.split(['?', '#']).next() {
        None | Some("") => "/",
        Some(path) => path,
    }
}

/// Whether `normalise` takes this value for the field.
fn suits(field: &str, key: &str, value: &Value) -> bool {
    match field {
        "message" | "metadata" => false,
        "tags" | "sample_rate" => true,
        "service" => value.as_str().is_some_and(is_service_name),
        "level" => match key {
            "severity_number" | "severityNumber" => value.as_i64().and_then(Level::from_otlp).is_some(),
            _ => level_of(value).is_some(),
        },
        "timestamp" => time_of(value).is_some(),
        "duration_ms" => match value {
            Value::String(text) => text.trim().parse().is_ok_and(f64::is_finite),
            value => value.is_number(),
        },
        _ => text(value).is_some(),
    }
}

/// Every split of the path is tried, but each leads to another node of the object.
fn at<'v>(object: &'v Map<String, Value>, path: &str) -> Option<&'v Value> {
    if let Some(value) = object.get(path) {
        return Some(value);
    }
    splits(path).find_map(|(name, rest)| at(object.get(name)?.as_object()?, rest))
}

fn take(object: &mut Map<String, Value>, path: &str) -> Option<Value> {
    if let Some(value) = object.shift_remove(path) {
        return Some(value);
    }
    splits(path).find_map(|(name, rest)| {
        let inner = object.get_mut(name)?.as_object_mut()?;
        let value = take(inner, rest)?;
        if inner.is_empty() {
            object.shift_remove(name);
        }
        Some(value)
    })
}

/// Objects are entered only along the prefix.
fn drop_all(object: &mut Map<String, Value>, prefix: &str) {
    object.retain(|key, value| {
        if key.starts_with(prefix) {
            return false;
        }
        let inside = prefix.strip_prefix(key.as_str()).and_then(|rest| rest.strip_prefix('.'));
        if let (Some(rest), Some(inner)) = (inside, value.as_object_mut()) {
            drop_all(inner, rest);
            return !inner.is_empty();
        }
        true
    });
}

fn splits(path: &str) -> impl Iterator<Item = (&str, &str)> {
    path.match_indices('.').filter_map(|(dot, _)| Some((path.get(..dot)?, path.get(dot + 1..)?)))
}

#[cfg(test)]
pub(super) mod tests;
