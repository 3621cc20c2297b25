//! The `Record` and the small types it is made of.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{field::NAMES, timestamp::Timestamp};
use crate::engine::pattern::PatternId;

/// One log, as it is stored and as it is answered.
///
/// The field order is the order of the stored JSON; absent fields are left out of it. `row` reads it back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// A `UUIDv7`: its first 48 bits are `received_at`, so an id leads to its segment.
    pub id: Uuid,
    /// When it happened, by the producer's clock.
    pub timestamp: Timestamp,
    /// When the service took it, to the millisecond.
    pub received_at: Timestamp,
    pub service: String,
    pub level: Level,
    pub message: String,
    /// The rest of the well-known fields; boxed together so that a record moves cheaply.
    #[serde(flatten)]
    pub fields: Box<Fields>,
}

impl Record {
    /// The names of all that is stored of one, in that order.
    pub const FIELDS: [&str; NAMES.len()] = NAMES;
}

/// The well-known optional fields, then everything else under `metadata`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    pub source_type: SourceType,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logger: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// An HTTP status or a workflow's outcome, as it was sent: `404` or `"FAILED"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What the message says without what varies in it; the service finds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern_id: Option<PatternId>,
    /// It stands for so many records; absent for one that stands for itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Any JSON, given back as it came.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// How bad it is; ordered, so `level >= Level::Error` reads as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl Level {
    pub const ALL: [Self; 5] = [Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Critical => "CRITICAL",
        }
    }
}

/// The way a record came in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceType {
    #[default]
    Http,
    Tail,
}

impl SourceType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tail => "tail",
        }
    }
}

/// An HTTP status code or an outcome by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Status {
    Code(i64),
    Name(String),
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => code.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_that_has_every_field_is_stored_under_these_names() {
        let text = || Some("x".to_owned());
        let time = Timestamp::from_ms(1);
        let record = Record {
            id: Uuid::nil(),
            timestamp: time,
            received_at: time,
            service: "shop".to_owned(),
            level: Level::Info,
            message: "m".to_owned(),
            // Written out, so that a new field has to be added here.
            fields: Box::new(Fields {
                environment: text(),
                component: text(),
                endpoint: text(),
                method: text(),
                category: text(),
                source_type: SourceType::Http,
                correlation_id: text(),
                trace_id: text(),
                span_id: text(),
                user_id: text(),
                error_type: text(),
                stack_trace: text(),
                logger: text(),
                thread: text(),
                status: Some(Status::Code(200)),
                duration_ms: Some(1.5),
                host: text(),
                pattern_id: Some(PatternId(7)),
                sample_rate: Some(10),
                tags: vec!["a".to_owned()],
                metadata: Map::from_iter([("a".to_owned(), json!(1))]),
            }),
        };
        let stored: Map<String, Value> =
            serde_json::from_str(&serde_json::to_string(&record).unwrap()).unwrap();
        assert_eq!(stored.keys().collect::<Vec<_>>(), Record::FIELDS);
    }
}
