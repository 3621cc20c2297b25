//! One entry with the labels of its stream to the fields of docs/fields.md.
//!
//! Invariant: the labels are kept whole, as `metadata.labels`, so that the streams can be given back as they
//! came; structured metadata is metadata under its own names, which `metadata.structured` lists: there is other
//! metadata beside it, read from the line.

use serde_json::{Map, Value};

use super::{
    Line, MAX_LABEL_NAME_BYTES, MAX_LABEL_VALUE_BYTES, MAX_LABELS, MAX_METADATA_BYTES, MAX_METADATA_PAIRS,
    Pairs, labels,
};
use crate::engine::record::model::Level;
use crate::engine::record::normalise::add_metadata;
use crate::engine::record::rejection::Rejection;
use crate::engine::record::timestamp::Timestamp;
use crate::engine::wire::batch::RawRecord;
use crate::engine::wire::report::cut;
use crate::engine::wire::reserved;
use crate::engine::wire::service::{UNKNOWN, service_name};

/// The label that every stream has.
const SERVICE_LABEL: &str = "service_name";

/// Where Loki looks for the name of a service, in this order.
const SERVICE: [&str; 14] = [
    "service_name",
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// In any case.
const LEVEL: [&str; 8] =
    ["level", "severity", "lvl", "detected_level", "severity_text", "log_level", "log.level", "severitytext"];

/// Fields that structured metadata may bring, or else a label.
const FIELDS: [(&str, &[&str]); 5] = [
    ("environment", &["environment", "env", "deployment_environment", "deployment_environment_name"]),
    ("trace_id", &["trace_id", "traceID", "traceId", "traceid"]),
    ("span_id", &["span_id", "spanID", "spanId", "spanid"]),
    ("user_id", &["user_id", "userID", "userId"]),
    ("host", &["host", "hostname", "host_name"]),
];

/// What the entries of one stream share.
#[derive(Debug)]
pub(super) struct Stream {
    /// Names the stream to whoever sent it.
    text: String,
    fields: Map<String, Value>,
    labels: Map<String, Value>,
}

impl Stream {
    pub(super) fn new(text: &str, labels: Pairs) -> Result<Self, Rejection> {
        check_labels(cut(text), &labels)?;
        let mut fields = Map::new();
        let service = first_of(&labels, &SERVICE).unwrap_or(UNKNOWN).to_owned();
        fields.insert("service".to_owned(), Value::from(service_name(&service)));
        put_fields(&labels, &mut fields);
        let mut labels: Map<String, Value> =
            labels.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        // As Loki does.
        if !labels.contains_key(SERVICE_LABEL) {
            labels.insert(SERVICE_LABEL.to_owned(), Value::from(service));
        }
        reserved::refuse(&labels)?;
        Ok(Self { text: cut(text).to_owned(), fields, labels })
    }

    pub(super) fn record(&self, line: Line) -> Result<RawRecord, Rejection> {
        self.check_metadata(&line.metadata)?;
        if line.ns < 0 {
            let message = format!("expected a time since 1970, got {} ns", line.ns);
            return Err(Rejection::of_field(Rejection::INVALID_TIMESTAMP, "timestamp", message));
        }
        let mut fields = self.fields.clone();
        let timestamp = Timestamp::from_ns(line.ns).to_string();
        fields.insert("timestamp".to_owned(), Value::from(timestamp));
        put_fields(&line.metadata, &mut fields);
        let mut metadata = Map::from_iter([("labels".to_owned(), Value::Object(self.labels.clone()))]);
        let mut pairs = Map::new();
        for (name, value) in line.metadata {
            pairs.insert(name, Value::from(value));
        }
        let message = message_of(line.text, &pairs);
        fields.insert("message".to_owned(), Value::from(message));
        if !pairs.is_empty() {
            metadata.insert("structured".to_owned(), pairs.keys().cloned().map(Value::from).collect());
        }
        for (name, value) in pairs {
            add_metadata(&mut metadata, name, value);
        }
        reserved::refuse(&metadata)?;
        fields.insert("metadata".to_owned(), Value::Object(metadata));
        Ok(RawRecord { fields, size_bytes: line.size_bytes })
    }

    fn check_metadata(&self, pairs: &Pairs) -> Result<(), Rejection> {
        let (text, count) = (&self.text, pairs.len());
        let size_bytes: usize = pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        let too_large =
            |message| Err(Rejection::of_field(Rejection::RECORD_TOO_LARGE, "structured_metadata", message));
        if size_bytes > MAX_METADATA_BYTES {
            return too_large(format!(
                "stream '{text}' has structured metadata too large: '{size_bytes}' bytes, limit: '{MAX_METADATA_BYTES}' bytes"
            ));
        }
        if count > MAX_METADATA_PAIRS {
            return too_large(format!(
                "stream '{text}' has too many structured metadata labels: '{count}', limit: '{MAX_METADATA_PAIRS}'"
            ));
        }
        Ok(())
    }
}

fn check_labels(text: &str, labels: &Pairs) -> Result<(), Rejection> {
    let reject = |message| Err(Rejection::of_field(Rejection::INVALID_FIELD, "stream", message));
    if labels.is_empty() {
        return reject("error at least one label pair is required per stream".to_owned());
    }
    if labels.len() > MAX_LABELS {
        let got = labels.len();
        return reject(format!("stream '{text}' has {got} label names; limit {MAX_LABELS}"));
    }
    for (at, (name, value)) in labels.iter().enumerate() {
        let name_shown = cut(name);
        if !labels::is_name(name) {
            return reject(format!("stream '{text}' has an invalid label name: '{name_shown}'"));
        }
        if name.len() > MAX_LABEL_NAME_BYTES {
            return reject(format!("stream '{text}' has label name too long: '{name_shown}'"));
        }
        if value.len() > MAX_LABEL_VALUE_BYTES {
            return reject(format!("stream '{text}' has label value too long: '{}'", cut(value)));
        }
        if labels.iter().take(at).any(|(other, _)| other == name) {
            return reject(format!("stream '{text}' has duplicate label name: '{name_shown}'"));
        }
    }
    Ok(())
}

/// Of pairs with one name the last counts; of several names the first that has a value.
fn first_of<'p>(pairs: &'p Pairs, names: &[&str]) -> Option<&'p str> {
    let value_of =
        |name: &&str| pairs.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    names.iter().filter_map(value_of).find(|value| !value.is_empty())
}

fn put_fields(pairs: &Pairs, fields: &mut Map<String, Value>) {
    for (field, names) in FIELDS {
        if let Some(value) = first_of(pairs, names) {
            fields.insert(field.to_owned(), Value::from(value));
        }
    }
    if let Some(level) = level_of(pairs) {
        fields.insert("level".to_owned(), Value::from(level.as_str()));
    }
}

/// None when no known level is named: the service may find one in the line.
fn level_of(pairs: &Pairs) -> Option<Level> {
    let named = |name: &&str| pairs.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
    LEVEL.iter().filter_map(named).find_map(|(_, value)| Level::parse(value))
}

/// An empty line is an entry in Loki, while a record has a message: its structured metadata, or one space.
/// To refuse it would answer 400 to everyone whose file has an empty line.
fn message_of(line: String, metadata: &Map<String, Value>) -> String {
    if !line.is_empty() {
        return line;
    }
    match serde_json::to_string(metadata) {
        Ok(json) if !metadata.is_empty() => json,
        _ => " ".to_owned(),
    }
}
