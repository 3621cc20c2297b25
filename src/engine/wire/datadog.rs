//! Datadog's log intake (`/api/v2/logs`): an object or an array of them to raw records.
//!
//! Invariant: a body that is not JSON to its end is refused whole; an entry fails alone, which this protocol
//! cannot tell its client: every answer to a body that was read is 202.

use serde_json::{Map, Value};

use super::batch::{RawRecord, parse_record};
use super::draft::{Draft, MESSAGE_NAMES, UNKNOWN_SERVICE};
use super::split::{self, SplitError};
use crate::engine::record::rejection::Rejection;

/// The entries of a body, in order, parsed one at a time.
pub fn decode(
    body: &[u8],
    max: usize,
) -> Result<impl Iterator<Item = Result<RawRecord, Rejection>>, SplitError> {
    // An agent sends an empty object to see whether it may.
    let values = split::values(body, max)?.into_iter().filter(|json| *json != b"{}");
    Ok(values.map(|json| parse_record(json).map(record)))
}

fn record(raw: RawRecord) -> RawRecord {
    let mut draft = Draft::new(raw);
    draft.message(&MESSAGE_NAMES);
    draft.message_of_all();
    let tags = draft.take_text("ddtags").unwrap_or_default();
    draft.level("status");
    for path in ["level", "severity"] {
        draft.level(path);
    }
    for path in ["timestamp", "date", "@timestamp"] {
        draft.time(path);
    }
    let paths = [
        ("host", "hostname"),
        ("host", "host"),
        ("trace_id", "dd.trace_id"),
        ("span_id", "dd.span_id"),
        ("environment", "dd.env"),
        ("error_type", "error.kind"),
        ("stack_trace", "error.stack"),
        ("logger", "logger.name"),
        ("thread", "logger.thread_name"),
        ("method", "http.method"),
        ("status", "http.status_code"),
        ("user_id", "usr.id"),
    ];
    for (field, path) in paths {
        draft.text_field(field, path);
    }
    if let Some(ns) = draft.peek("duration").and_then(Value::as_f64) {
        draft.take("duration");
        draft.set("duration_ms", ns / 1e6);
    }
    draft.service(&["service", "dd.service"]);
    let mut kept = Map::new();
    for (key, value) in tags_of(&tags) {
        match key {
            "service" => {
                kept.insert("service".to_owned(), value);
            }
            "env" if !draft.has("environment") => draft.set("environment", value),
            "host" if !draft.has("host") => draft.set("host", value),
            _ => add_tag(&mut kept, key, value),
        }
    }
    if !kept.is_empty() {
        draft.keep("ddtags", kept);
    }
    draft.service(&["ddtags.service", "ddsource"]);
    if !draft.has("service") {
        draft.set("service", UNKNOWN_SERVICE);
    }
    draft.finish()
}

/// `a:b,c:d`; a tag without a value is true.
fn tags_of(tags: &str) -> Vec<(&str, Value)> {
    let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty());
    tags.map(|tag| match tag.split_once(':') {
        Some((key, value)) => (key, Value::from(value)),
        None => (tag, Value::from(true)),
    })
    .collect()
}

/// A tag that is given several times has a list of values.
fn add_tag(tags: &mut Map<String, Value>, key: &str, value: Value) {
    match tags.get_mut(key) {
        None => {
            tags.insert(key.to_owned(), value);
        }
        Some(Value::Array(values)) => values.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
    }
}

#[cfg(test)]
mod tests;
