//! One log record with its resource and scope to the fields of docs/fields.md.
//!
//! Invariant: what has no field of its own is metadata: attributes under their own names, the resource under
//! `resource` and the scope under `scope`. An attribute that has the name of one of those gets `_2`.

use serde_json::{Map, Value};

use super::{LogRecord, Resource, Scope};
use crate::engine::record::model::Level;
use crate::engine::record::normalise::add_metadata;
use crate::engine::record::rejection::Rejection;
use crate::engine::record::timestamp::Timestamp;
use crate::engine::wire::batch::RawRecord;
use crate::engine::wire::reserved;
use crate::engine::wire::service::service_name;

/// Attributes that are fields. Of two for one field the first is taken and the other stays an attribute.
const FIELDS: [(&str, &str); 9] = [
    ("exception.type", "error_type"),
    ("exception.stacktrace", "stack_trace"),
    ("user.id", "user_id"),
    ("enduser.id", "user_id"),
    ("http.request.method", "method"),
    ("url.path", "endpoint"),
    ("http.route", "endpoint"),
    ("thread.name", "thread"),
    ("http.response.status_code", "status"),
];

const TRACE_ID_DIGITS: usize = 32;
const SPAN_ID_DIGITS: usize = 16;

/// What the records of one scope share.
#[derive(Debug, Default)]
pub(super) struct Context {
    fields: Map<String, Value>,
    metadata: Map<String, Value>,
}

impl Context {
    pub(super) fn new(
        resource: Resource,
        scope: Scope,
        [resource_url, scope_url]: [String; 2],
    ) -> Result<Self, Rejection> {
        let attribute = |name: &str| {
            let text = resource.attributes.get(name).and_then(text_of);
            text.filter(|text| !text.is_empty())
        };
        let mut fields = Map::new();
        let service = service_name(&attribute("service.name").unwrap_or_default());
        fields.insert("service".to_owned(), Value::from(service));
        let environment =
            attribute("deployment.environment.name").or_else(|| attribute("deployment.environment"));
        for (field, text) in [("environment", environment), ("host", attribute("host.name"))] {
            if let Some(text) = text {
                fields.insert(field.to_owned(), Value::from(text));
            }
        }
        let mut metadata = Map::new();
        put(&mut metadata, "resource", Value::Object(resource.attributes));
        put(&mut metadata, "resource_schema_url", Value::from(resource_url));
        put(&mut metadata, "resource_dropped_attributes_count", resource.dropped_attributes_count.into());
        let mut about_scope = Map::new();
        put(&mut about_scope, "name", Value::from(scope.name));
        put(&mut about_scope, "version", Value::from(scope.version));
        put(&mut about_scope, "schema_url", Value::from(scope_url));
        put(&mut about_scope, "attributes", Value::Object(scope.attributes));
        put(&mut about_scope, "dropped_attributes_count", scope.dropped_attributes_count.into());
        put(&mut metadata, "scope", Value::Object(about_scope));
        reserved::refuse(&metadata)?;
        Ok(Self { fields, metadata })
    }
}

/// `size_bytes` is what the record took in the request, without its context.
pub(super) fn raw(
    mut record: LogRecord,
    context: &Context,
    size_bytes: usize,
) -> Result<RawRecord, Rejection> {
    let mut fields = context.fields.clone();
    let mut metadata = context.metadata.clone();
    if let Some(message) = message_of(&record) {
        fields.insert("message".to_owned(), Value::from(message));
    }
    let level = Level::from_otlp(record.severity_number).filter(|_| record.severity_number != 0);
    let level = level.or_else(|| Level::parse(&record.severity_text));
    if let Some(level) = level {
        fields.insert("level".to_owned(), Value::from(level.as_str()));
    }
    let (time, observed) = (record.time_unix_nano, record.observed_time_unix_nano);
    let at = if time == 0 { observed } else { time };
    if at != 0 {
        fields.insert("timestamp".to_owned(), timestamp(at));
    }
    if observed != 0 && observed != at {
        metadata.insert("observed_timestamp".to_owned(), timestamp(observed));
    }
    for (name, id, digits) in
        [("trace_id", record.trace_id, TRACE_ID_DIGITS), ("span_id", record.span_id, SPAN_ID_DIGITS)]
    {
        if id.bytes().all(|byte| byte == b'0') {
            continue;
        }
        // What is no id is kept all the same, where nothing takes it for one.
        let is_hex = id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let into = if is_hex && id.len() == digits { &mut fields } else { &mut metadata };
        into.insert(name.to_owned(), Value::from(if is_hex { id.to_ascii_lowercase() } else { id }));
    }
    if level.is_none_or(|level| level.as_str() != record.severity_text) {
        put(&mut metadata, "severity_text", Value::from(record.severity_text));
    }
    put(&mut metadata, "severity_number", record.severity_number.into());
    put(&mut metadata, "event_name", Value::from(record.event_name));
    put(&mut metadata, "flags", record.flags.into());
    put(&mut metadata, "dropped_attributes_count", record.dropped_attributes_count.into());
    if record.body.is_object() {
        put(&mut metadata, "body", record.body);
    }
    for (attribute, field) in FIELDS {
        if !fields.contains_key(field)
            && record.attributes.get(attribute).is_some_and(|value| fits(field, value))
        {
            fields.extend(record.attributes.shift_remove(attribute).map(|value| (field.to_owned(), value)));
        }
    }
    for (name, value) in record.attributes {
        add_metadata(&mut metadata, name, value);
    }
    reserved::refuse(&metadata)?;
    if !metadata.is_empty() {
        fields.insert("metadata".to_owned(), Value::Object(metadata));
    }
    Ok(RawRecord { fields, size_bytes })
}

/// The body; without one the name of the event, or else the attributes. A record that says nothing at all
/// has none.
fn message_of(record: &LogRecord) -> Option<String> {
    match &record.body {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Null | Value::String(_) => {
            let attributes = || serde_json::to_string(&record.attributes).unwrap_or_default();
            let event = Some(record.event_name.clone()).filter(|name| !name.is_empty());
            event.or_else(|| (!record.attributes.is_empty()).then(attributes))
        }
        other => Some(other.to_string()),
    }
}

/// A number of nanoseconds that is no time is left for `normalise` to refuse.
fn timestamp(ns: u64) -> Value {
    i64::try_from(ns).map_or_else(|_| Value::from(ns), |ns| Value::from(Timestamp::from_ns(ns).to_string()))
}

fn fits(field: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => field != "status" && !text.is_empty(),
        Value::Number(number) => field == "status" && number.is_i64(),
        _ => false,
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Adds what says something: protobuf cannot tell an empty value from none.
fn put(into: &mut Map<String, Value>, name: &str, value: Value) {
    let says_nothing = match &value {
        Value::String(text) => text.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        value => value.as_i64() == Some(0),
    };
    if !says_nothing {
        into.insert(name.to_owned(), value);
    }
}
