//! An invocation as the dataset `workers_trace_events` tells it to the trace item that a tail would bring.
//!
//! Invariant: it only renames; what the records are is decided by `tail` alone. So a Worker looks the same
//! whichever way its logs came.

use serde_json::{Map, Value};

use super::super::batch::RawRecord;
use super::super::draft::Draft;
use super::super::tail;
use crate::engine::record::normalise::add_metadata;
use crate::engine::record::rejection::Rejection;

/// Every record of an invocation repeats what is known of all of it. Cloudflare keeps the logs of one to 16 KB
/// and the rest is about 2 KB, so only what it never sends is as much.
const MAX_REPEATED_BYTES: usize = 1024 * 1024;

const ITEM: [(&str, &str); 12] = [
    ("scriptName", "ScriptName"),
    ("outcome", "Outcome"),
    ("eventTimestamp", "EventTimestampMs"),
    ("cpuTime", "CPUTimeMs"),
    ("wallTime", "WallTimeMs"),
    ("entrypoint", "Entrypoint"),
    ("scriptTags", "ScriptTags"),
    ("dispatchNamespace", "DispatchNamespace"),
    ("durableObjectId", "DurableObjectID"),
    ("executionModel", "ExecutionModel"),
    ("truncated", "Truncated"),
    ("scriptVersion", "ScriptVersion"),
];

const EVENT: [(&str, &str); 14] = [
    ("cron", "Cron"),
    ("scheduledTime", "ScheduledTimeMs"),
    ("scheduledTime", "ScheduledTime"),
    ("queue", "Queue"),
    ("queue", "QueueName"),
    ("batchSize", "BatchSize"),
    ("mailFrom", "MailFrom"),
    ("rcptTo", "RcptTo"),
    ("rawSize", "RawSize"),
    ("rpcMethod", "RPCMethod"),
    ("rpcMethod", "RpcMethod"),
    ("getWebSocketEvent", "GetWebSocketEvent"),
    ("consumedEvents", "ConsumedEvents"),
    ("response", "Response"),
];

pub(super) fn records(mut draft: Draft) -> Result<Vec<RawRecord>, Rejection> {
    let mut item = Map::new();
    for (key, name) in ITEM {
        if let Some(value) = draft.take(name) {
            item.insert(key.to_owned(), value);
        }
    }
    if let Some(Value::Object(event)) = draft.take("Event") {
        item.insert("event".to_owned(), Value::Object(event_of(event)));
    }
    if let Some(version) = item.get_mut("scriptVersion") {
        rename(version);
    }
    let kind = draft.take_text("EventType");
    let mut parts = Vec::new();
    for (key, name) in [("logs", "Logs"), ("exceptions", "Exceptions")] {
        if let Some(Value::Array(list)) = draft.take(name) {
            parts.push((key, list));
        }
    }
    let (_, rest) = draft.into_parts();
    let mut item = Value::Object(item);
    let shared = item.to_string().len() + serde_json::to_string(&rest).map_or(0, |rest| rest.len());
    let repeated = shared.saturating_mul(parts.iter().map(|(_, list)| list.len()).sum());
    if repeated > MAX_REPEATED_BYTES {
        return Err(Rejection::too_large(MAX_REPEATED_BYTES, repeated));
    }
    for (key, mut list) in parts {
        list.iter_mut().for_each(rename);
        if let Some(item) = item.as_object_mut() {
            item.insert(key.to_owned(), Value::Array(list));
        }
    }
    let json = item.to_string();
    let mut records = tail::records_of(&json)
        .map_err(|error| Rejection::new(Rejection::MALFORMED_JSON, error.to_string()))?;
    for record in &mut records {
        // `console.log()` is an event too.
        if let Some(message) = record.fields.get_mut("message").filter(|message| message.as_str() == Some(""))
        {
            *message = " ".into();
        }
        if let Some(Value::Object(metadata)) = record.fields.get_mut("metadata") {
            if let Some(kind) = &kind {
                metadata.insert("event_type".to_owned(), Value::from(kind.as_str()));
            }
            for (key, value) in &rest {
                add_metadata(metadata, key.clone(), value.clone());
            }
        }
    }
    Ok(records)
}

fn event_of(mut sent: Map<String, Value>) -> Map<String, Value> {
    let ray = sent.shift_remove("RayID");
    let mut event = Map::new();
    if let Some(mut request) = sent.shift_remove("Request") {
        rename(&mut request);
        if let (Some(request), Some(ray)) = (request.as_object_mut(), ray) {
            request.insert("headers".to_owned(), Value::from(Map::from_iter([("cf-ray".to_owned(), ray)])));
        }
        event.insert("request".to_owned(), request);
    }
    for (key, name) in EVENT {
        if let Some(mut value) = sent.shift_remove(name) {
            rename(&mut value);
            event.insert(key.to_owned(), value);
        }
    }
    // Of a kind that is not known the names are those that were sent.
    if event.is_empty() { sent } else { event }
}

/// `TimestampMs` to `timestamp`, `URL` to `url`, `Level` to `level`: the names of a trace item's parts.
fn rename(part: &mut Value) {
    let Some(fields) = part.as_object_mut() else { return };
    let renamed = std::mem::take(fields).into_iter().map(|(key, value)| {
        let name = match key.as_str() {
            "TimestampMs" | "Timestamp" => "timestamp".to_owned(),
            "WebSocketEventType" => "webSocketEventType".to_owned(),
            "CF" | "Cf" => "cf".to_owned(),
            _ if key.bytes().all(|byte| byte.is_ascii_uppercase()) => key.to_ascii_lowercase(),
            _ => {
                let mut chars = key.chars();
                let first = chars.next().map(|first| first.to_ascii_lowercase());
                first.into_iter().chain(chars).collect()
            }
        };
        (name, value)
    });
    *fields = renamed.collect();
}
