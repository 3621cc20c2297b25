//! OTLP/HTTP logs: the body of an export request to raw records, and the bodies of its answers.
//!
//! JSON and protobuf are two spellings of one request: both become a `LogRecord`, which `record` maps to the
//! fields of docs/fields.md. Invariant: the envelope is walked before the first record is read, so that what
//! is no request fails as a whole, and a record that cannot be read fails alone.

mod answer;
mod json;
mod protobuf;
mod record;

use std::vec;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use self::answer::{status, success};
use self::record::Context;
use super::batch::RawRecord;
use super::protobuf::Malformed;
use crate::engine::record::normalise::MAX_RECORD_BYTES;
use crate::engine::record::rejection::Rejection;

/// What a resource and a scope may take together, as sent: every record carries them.
const MAX_CONTEXT_BYTES: usize = 64 * 1024;

const TOO_DEEP: &str = "expected at most 64 levels of arrays and objects";

/// `application/json` or `application/x-protobuf`; an answer has that of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Json,
    Protobuf,
}

/// Why a body is no export request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Says line and column.
    #[error("{0}")]
    Json(String),
    #[error("{0}")]
    Protobuf(#[from] Malformed),
    #[error("expected at most {limit} records, got {got}")]
    TooMany { limit: usize, got: usize },
}

/// The log records of a request, of all its resources and scopes, read one at a time.
#[derive(Debug)]
pub struct Records<'a> {
    encoding: Encoding,
    groups: vec::IntoIter<Group<'a>>,
    context: Result<Context, Rejection>,
    rest: vec::IntoIter<&'a [u8]>,
    left: usize,
}

/// Reads the envelope of a request of at most `max_records`. A request without any is a success.
pub fn decode(body: &[u8], encoding: Encoding, max_records: usize) -> Result<Records<'_>, ParseError> {
    let mut walk = Walk { room: max_records, ..Walk::default() };
    match encoding {
        Encoding::Json => json::walk(body, &mut walk)?,
        Encoding::Protobuf => protobuf::walk(body, &mut walk)?,
    }
    if walk.got > max_records {
        return Err(ParseError::TooMany { limit: max_records, got: walk.got });
    }
    Ok(Records {
        encoding,
        groups: walk.groups.into_iter(),
        context: Ok(Context::default()),
        rest: Vec::new().into_iter(),
        left: walk.got,
    })
}

impl<'a> Records<'a> {
    /// What the records take when each says what is said once of all of its resource and scope.
    pub fn repeated_bytes(&self) -> usize {
        let of = |group: &Group<'_>| group.size_bytes().saturating_mul(group.records.len());
        self.groups.as_slice().iter().map(of).fold(0, usize::saturating_add)
    }

    fn read(&self, record: &'a [u8]) -> Result<RawRecord, Rejection> {
        let context = self.context.as_ref().map_err(Clone::clone)?;
        // Looked at before it is read: a tree takes several times the memory of its text.
        if record.len() > MAX_RECORD_BYTES {
            return Err(Rejection::too_large(MAX_RECORD_BYTES, record.len()));
        }
        let read = match self.encoding {
            Encoding::Json => json::object(record)?,
            Encoding::Protobuf => protobuf::log_record(record)?,
        };
        record::raw(read, context, record.len())
    }

    fn context(&self, group: &Group<'a>) -> Result<Context, Rejection> {
        let size_bytes = group.size_bytes();
        if size_bytes > MAX_CONTEXT_BYTES {
            let message = format!(
                "expected a resource and a scope of at most {MAX_CONTEXT_BYTES} bytes, got {size_bytes}"
            );
            return Err(Rejection::new(Rejection::RECORD_TOO_LARGE, message));
        }
        let (resource, scope, urls) = match self.encoding {
            Encoding::Json => (
                json::object(group.resource)?,
                json::object(group.scope)?,
                [group.resource_schema_url, group.scope_schema_url].map(json::text),
            ),
            Encoding::Protobuf => (
                protobuf::resource(group.resource)?,
                protobuf::scope(group.scope)?,
                [group.resource_schema_url, group.scope_schema_url]
                    .map(|url| String::from_utf8_lossy(url).into_owned()),
            ),
        };
        Context::new(resource, scope, urls)
    }
}

impl Iterator for Records<'_> {
    type Item = Result<RawRecord, Rejection>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.rest.next() {
                self.left -= 1;
                return Some(self.read(record));
            }
            let group = self.groups.next()?;
            self.context = self.context(&group);
            self.rest = group.records.into_iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Records<'_> {}

/// The records of one scope, as they were sent. What is absent is empty.
#[derive(Debug, Default)]
struct Group<'a> {
    resource: &'a [u8],
    resource_schema_url: &'a [u8],
    scope: &'a [u8],
    scope_schema_url: &'a [u8],
    records: Vec<&'a [u8]>,
}

impl Group<'_> {
    fn size_bytes(&self) -> usize {
        let parts = [self.resource, self.resource_schema_url, self.scope, self.scope_schema_url];
        parts.iter().map(|part| part.len()).sum()
    }
}

/// What a walk through an envelope has found. Records beyond `room` are counted and not kept: ten megabytes
/// of empty ones must not become a list of five million.
#[derive(Debug, Default)]
struct Walk<'a> {
    groups: Vec<Group<'a>>,
    records: Vec<&'a [u8]>,
    room: usize,
    got: usize,
}

impl<'a> Walk<'a> {
    fn has_room(&self) -> bool {
        self.got < self.room
    }

    fn record(&mut self, record: &'a [u8]) {
        if self.has_room() {
            self.records.push(record);
        }
        self.got += 1;
    }

    fn end_scope(&mut self, scope: &'a [u8], scope_schema_url: &'a [u8]) {
        if !self.records.is_empty() {
            let records = std::mem::take(&mut self.records);
            self.groups.push(Group { scope, scope_schema_url, records, ..Group::default() });
        }
    }

    /// `first` is the number of groups that there were before the resource.
    fn end_resource(&mut self, first: usize, resource: &'a [u8], resource_schema_url: &'a [u8]) {
        for group in self.groups.iter_mut().skip(first) {
            group.resource = resource;
            group.resource_schema_url = resource_schema_url;
        }
    }
}

/// `opentelemetry.proto.logs.v1.LogRecord`; ids are in hex.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LogRecord {
    #[serde(deserialize_with = "json::whole")]
    time_unix_nano: u64,
    #[serde(deserialize_with = "json::whole")]
    observed_time_unix_nano: u64,
    #[serde(deserialize_with = "json::whole")]
    severity_number: i64,
    #[serde(deserialize_with = "json::or_default")]
    severity_text: String,
    #[serde(deserialize_with = "json::any_value")]
    body: Value,
    #[serde(deserialize_with = "json::attributes")]
    attributes: Map<String, Value>,
    #[serde(deserialize_with = "json::whole")]
    dropped_attributes_count: u32,
    #[serde(deserialize_with = "json::whole")]
    flags: u32,
    #[serde(deserialize_with = "json::or_default")]
    trace_id: String,
    #[serde(deserialize_with = "json::or_default")]
    span_id: String,
    #[serde(deserialize_with = "json::or_default")]
    event_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Resource {
    #[serde(deserialize_with = "json::attributes")]
    attributes: Map<String, Value>,
    #[serde(deserialize_with = "json::whole")]
    dropped_attributes_count: u32,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Scope {
    #[serde(deserialize_with = "json::or_default")]
    name: String,
    #[serde(deserialize_with = "json::or_default")]
    version: String,
    #[serde(deserialize_with = "json::attributes")]
    attributes: Map<String, Value>,
    #[serde(deserialize_with = "json::whole")]
    dropped_attributes_count: u32,
}

fn too_deep() -> Rejection {
    Rejection::new(Rejection::NESTED_TOO_DEEP, format!("{TOO_DEEP}, got more"))
}

/// A double, or its name in protobuf's JSON: `serde_json` has no number for what is not finite.
fn double(number: f64) -> Value {
    let name = || {
        if number.is_nan() {
            "NaN"
        } else if number > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        }
    };
    serde_json::Number::from_f64(number).map_or_else(|| Value::from(name()), Value::Number)
}

#[cfg(test)]
mod tests;
