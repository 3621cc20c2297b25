//! Loki's messages as another implementation of protobuf writes them, and the same in JSON.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Push {
    #[prost(message, repeated, tag = "1")]
    pub streams: Vec<Stream>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Stream {
    #[prost(string, tag = "1")]
    pub labels: String,
    #[prost(message, repeated, tag = "2")]
    pub entries: Vec<Entry>,
    #[prost(uint64, tag = "3")]
    pub hash: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entry {
    #[prost(message, optional, tag = "1")]
    pub timestamp: Option<Timestamp>,
    #[prost(string, tag = "2")]
    pub line: String,
    #[prost(message, repeated, tag = "3")]
    pub metadata: Vec<Pair>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Pair {
    #[prost(string, tag = "1")]
    pub name: String,
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Its labels have no escapes but those that JSON has, too.
pub(super) fn json(push: &Push) -> Value {
    let streams = push.streams.iter().map(|stream| {
        let labels = crate::engine::wire::loki::labels::parse(&stream.labels).unwrap();
        let labels: Map<_, _> = labels.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
        let values: Vec<_> = stream.entries.iter().map(entry).collect();
        json!({"values": values, "stream": labels})
    });
    json!({"streams": streams.collect::<Vec<_>>()})
}

fn entry(entry: &Entry) -> Value {
    let at = entry.timestamp.unwrap_or_default();
    let ns = (at.seconds * 1_000_000_000 + i64::from(at.nanos)).to_string();
    let metadata: Map<_, _> =
        entry.metadata.iter().map(|pair| (pair.name.clone(), Value::from(pair.value.as_str()))).collect();
    if metadata.is_empty() { json!([ns, entry.line]) } else { json!([ns, entry.line, metadata]) }
}

const NAMES: &[&str] =
    &["app", "job", "env", "level", "trace_id", "traceID", "labels", "service", "host", "x.y"];

fn pairs() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let value = prop_oneof![Just("error".to_owned()), "[ -~é]{0,8}"];
    prop::collection::btree_map(prop::sample::select(NAMES), value, 0..5)
        .prop_map(|pairs| pairs.into_iter().collect())
}

pub(super) fn pushes() -> impl Strategy<Value = Push> {
    let timestamp = prop::option::of((-2..1_763_682_436_i64, 0..1_000_000_000_i32))
        .prop_map(|at| at.map(|(seconds, nanos)| Timestamp { seconds, nanos }));
    let entry = (timestamp, ".{0,12}", pairs()).prop_map(|(timestamp, line, pairs)| Entry {
        timestamp,
        line,
        metadata: pairs.into_iter().map(|(name, value)| Pair { name: name.to_owned(), value }).collect(),
    });
    let stream = (pairs(), prop::collection::vec(entry, 0..4)).prop_map(|(labels, entries)| {
        let labels: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        Stream { labels: format!("{{{}}}", labels.join(", ")), entries, hash: 1 }
    });
    prop::collection::vec(stream, 1..4).prop_map(|streams| Push { streams })
}
