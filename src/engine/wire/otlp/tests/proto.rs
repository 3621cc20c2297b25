//! The messages of OTLP as another implementation of protobuf writes them, and the same in JSON.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    pub resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    pub resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub scope_logs: Vec<ScopeLogs>,
    #[prost(string, tag = "3")]
    pub schema_url: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "2")]
    pub dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    pub scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub log_records: Vec<LogRecord>,
    #[prost(string, tag = "3")]
    pub schema_url: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Scope {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(message, repeated, tag = "3")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "4")]
    pub dropped_attributes_count: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    pub time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    pub severity_number: i32,
    #[prost(string, tag = "3")]
    pub severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub body: Option<Any>,
    #[prost(message, repeated, tag = "6")]
    pub attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "7")]
    pub dropped_attributes_count: u32,
    #[prost(fixed32, tag = "8")]
    pub flags: u32,
    #[prost(bytes = "vec", tag = "9")]
    pub trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    pub span_id: Vec<u8>,
    #[prost(fixed64, tag = "11")]
    pub observed_time_unix_nano: u64,
    #[prost(string, tag = "12")]
    pub event_name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(message, optional, tag = "2")]
    pub value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Any {
    #[prost(oneof = "AnyKind", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub kind: Option<AnyKind>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum AnyKind {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(Array),
    #[prost(message, tag = "6")]
    Kvlist(Kvlist),
    #[prost(bytes, tag = "7")]
    Bytes(Vec<u8>),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Array {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Any>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Kvlist {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "1")]
    pub partial_success: Option<Partial>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Partial {
    #[prost(int64, tag = "1")]
    pub rejected: i64,
    #[prost(string, tag = "2")]
    pub message: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

pub(super) fn request(log_records: Vec<LogRecord>, attributes: Vec<KeyValue>) -> Request {
    let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
    let resource = Some(Resource { attributes, ..Resource::default() });
    Request { resource_logs: vec![ResourceLogs { resource, scope_logs, ..ResourceLogs::default() }] }
}

/// Text, as a tree may nest deeper than `serde_json` writes and drops with ease.
pub(super) fn json(request: &Request) -> String {
    let resource_logs = list(&request.resource_logs, |logs| {
        let resource = logs.resource.as_ref().map_or("null".to_owned(), |resource| {
            let dropped = resource.dropped_attributes_count;
            format!(
                "{{\"attributes\":{},\"droppedAttributesCount\":{dropped}}}",
                key_values(&resource.attributes)
            )
        });
        let scope_logs = list(&logs.scope_logs, |logs| {
            let scope = logs.scope.as_ref().map_or("null".to_owned(), |scope| {
                format!(
                    "{{\"name\":{},\"version\":{},\"attributes\":{},\"droppedAttributesCount\":{}}}",
                    json!(scope.name),
                    json!(scope.version),
                    key_values(&scope.attributes),
                    scope.dropped_attributes_count
                )
            });
            let records = list(&logs.log_records, log_record);
            format!("{{\"schemaUrl\":{},\"logRecords\":{records},\"scope\":{scope}}}", json!(logs.schema_url))
        });
        format!(
            "{{\"scopeLogs\":{scope_logs},\"resource\":{resource},\"schemaUrl\":{}}}",
            json!(logs.schema_url)
        )
    });
    format!("{{\"resourceLogs\":{resource_logs}}}")
}

fn log_record(record: &LogRecord) -> String {
    format!(
        "{{\"timeUnixNano\":\"{}\",\"observedTimeUnixNano\":{},\"severityNumber\":{},\"severityText\":{},\
         \"body\":{},\"attributes\":{},\"droppedAttributesCount\":{},\"flags\":{},\"traceId\":\"{}\",\
         \"spanId\":\"{}\",\"eventName\":{}}}",
        record.time_unix_nano,
        record.observed_time_unix_nano,
        record.severity_number,
        json!(record.severity_text),
        record.body.as_ref().map_or("null".to_owned(), any_value),
        key_values(&record.attributes),
        record.dropped_attributes_count,
        record.flags,
        hex(&record.trace_id),
        hex(&record.span_id),
        json!(record.event_name),
    )
}

fn key_values(pairs: &[KeyValue]) -> String {
    list(pairs, |pair| {
        let value = pair.value.as_ref().map_or("null".to_owned(), any_value);
        format!("{{\"key\":{},\"value\":{value}}}", json!(pair.key))
    })
}

fn any_value(any: &Any) -> String {
    match &any.kind {
        None => "{}".to_owned(),
        Some(AnyKind::String(text)) => json!({"stringValue": text}).to_string(),
        Some(AnyKind::Bool(flag)) => json!({"boolValue": flag}).to_string(),
        Some(AnyKind::Int(number)) => json!({"intValue": number.to_string()}).to_string(),
        Some(AnyKind::Double(number)) => {
            let name = if number.is_nan() {
                "NaN"
            } else if *number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            };
            let number = if number.is_finite() { json!(number) } else { json!(name) };
            json!({"doubleValue": number}).to_string()
        }
        Some(AnyKind::Array(array)) => {
            format!("{{\"arrayValue\":{{\"values\":{}}}}}", list(&array.values, any_value))
        }
        Some(AnyKind::Kvlist(pairs)) => {
            format!("{{\"kvlistValue\":{{\"values\":{}}}}}", key_values(&pairs.values))
        }
        Some(AnyKind::Bytes(bytes)) => json!({"bytesValue": STANDARD.encode(bytes)}).to_string(),
    }
}

fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(","))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

const KEYS: &[&str] = &[
    "a",
    "b.c",
    "service.name",
    "host.name",
    "deployment.environment.name",
    "exception.type",
    "url.path",
    "http.route",
    "http.response.status_code",
    "user.id",
    "resource",
    "scope",
    "body",
    "flags",
    "trace_id",
    "é\"",
];

fn any_values() -> impl Strategy<Value = Any> {
    let leaf = prop_oneof![
        Just(None),
        ".{0,12}".prop_map(|text| Some(AnyKind::String(text))),
        any::<bool>().prop_map(|flag| Some(AnyKind::Bool(flag))),
        any::<i64>().prop_map(|number| Some(AnyKind::Int(number))),
        (0..600_i64).prop_map(|number| Some(AnyKind::Int(number))),
        any::<f64>().prop_map(|number| Some(AnyKind::Double(number))),
        Just(Some(AnyKind::Double(f64::NAN))),
        prop::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| Some(AnyKind::Bytes(bytes))),
    ]
    .prop_map(|kind| Any { kind });
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4)
                .prop_map(|values| Any { kind: Some(AnyKind::Array(Array { values })) }),
            prop::collection::vec((prop::sample::select(KEYS), prop::option::of(inner)), 0..4).prop_map(
                |pairs| {
                    let values = pairs
                        .into_iter()
                        .map(|(key, value)| KeyValue { key: key.to_owned(), value })
                        .collect();
                    Any { kind: Some(AnyKind::Kvlist(Kvlist { values })) }
                }
            ),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let pair = (prop::sample::select(KEYS), prop::option::of(any_values()));
    prop::collection::vec(pair.prop_map(|(key, value)| KeyValue { key: key.to_owned(), value }), 0..5)
}

fn ids(bytes: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(vec![0; bytes]),
        prop::collection::vec(any::<u8>(), bytes),
        prop::collection::vec(any::<u8>(), 0..bytes),
    ]
}

fn times() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(u64::MAX), 1_700_000_000_000_000_000..1_700_000_000_000_000_009_u64]
}

fn log_records() -> impl Strategy<Value = LogRecord> {
    let severity = ((-1..30_i32), prop_oneof![Just("INFO".to_owned()), Just("Warning".to_owned()), ".{0,4}"]);
    let small = prop_oneof![Just(0), any::<u32>()];
    let about = (prop::option::of(any_values()), attributes(), small.clone(), small, "[a-z.]{0,3}");
    ((times(), times()), severity, about, (ids(16), ids(8))).prop_map(
        |(times, severity, (body, attributes, dropped, flags, event_name), ids)| LogRecord {
            time_unix_nano: times.0,
            observed_time_unix_nano: times.1,
            severity_number: severity.0,
            severity_text: severity.1,
            body,
            attributes,
            dropped_attributes_count: dropped,
            flags,
            trace_id: ids.0,
            span_id: ids.1,
            event_name,
        },
    )
}

pub(super) fn requests() -> impl Strategy<Value = Request> {
    let scope = ("[a-z]{0,2}", "[0-9.]{0,2}", attributes(), 0..2_u32).prop_map(
        |(name, version, attributes, dropped_attributes_count)| Scope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    let scope_logs = (prop::option::of(scope), prop::collection::vec(log_records(), 0..3), "[a-z]{0,2}")
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource = (attributes(), 0..2_u32)
        .prop_map(|(attributes, dropped_attributes_count)| Resource { attributes, dropped_attributes_count });
    let resource_logs = (prop::option::of(resource), prop::collection::vec(scope_logs, 0..3), "[a-z]{0,2}")
        .prop_map(|(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url });
    prop::collection::vec(resource_logs, 0..3).prop_map(|resource_logs| Request { resource_logs })
}
