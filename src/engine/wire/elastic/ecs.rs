//! A document in the Elastic Common Schema to the fields of a record.
//!
//! Invariant: a document is never refused for what it holds besides its time: what is not ECS is metadata.

use serde_json::Value;

use super::super::batch::RawRecord;
use super::super::draft::{Draft, MESSAGE_NAMES, path_of, service_name, whole_number};

/// Scalars that have a field of their own.
const TEXTS: [(&str, &str); 14] = [
    ("trace_id", "trace.id"),
    ("span_id", "span.id"),
    ("host", "host.name"),
    ("host", "host.hostname"),
    ("user_id", "user.id"),
    ("error_type", "error.type"),
    ("stack_trace", "error.stack_trace"),
    ("method", "http.request.method"),
    ("correlation_id", "http.request.id"),
    ("endpoint", "url.path"),
    ("status", "http.response.status_code"),
    ("environment", "service.environment"),
    ("logger", "log.logger"),
    ("thread", "process.thread.name"),
];

const NS_A_MS: f64 = 1e6;

pub(super) fn record(raw: RawRecord, index: &str) -> RawRecord {
    let mut draft = Draft::new(raw);
    // `log` is a line of Fluent Bit's, or the object of ECS.
    draft.message_text(&["message", "log", "event.original"]);
    draft.message(&MESSAGE_NAMES);
    draft.message_text(&["error.message"]);
    if let Some(request) = request_line(&draft).filter(|_| !draft.has("message")) {
        draft.set("message", request);
    }
    draft.message_of_all();
    // One that cannot be read is for `normalise` to refuse, as Elasticsearch does.
    draft.text_field("timestamp", "@timestamp");
    for path in ["log.level", "log.syslog.severity.code"] {
        draft.level(path);
    }
    service(&mut draft, index);
    if draft.peek("url.path").is_none()
        && let Some(url) = draft.peek_text("url.original")
    {
        draft.set("endpoint", path_of(&url));
    }
    for (field, path) in TEXTS {
        draft.text_field(field, path);
    }
    if let Some(ns) = draft.peek("event.duration").and_then(Value::as_f64) {
        draft.take("event.duration");
        draft.set("duration_ms", ns / NS_A_MS);
    }
    draft.finish()
}

/// `GET /path 200` of an access log, whose documents have no message.
fn request_line(draft: &Draft) -> Option<String> {
    let method = draft.peek_text("http.request.method");
    let url = draft.peek_text("url.original").or_else(|| draft.peek_text("url.path"));
    let status = draft.peek("http.response.status_code").and_then(whole_number);
    let status = status.map(|status| status.to_string());
    if url.is_none() && (method.is_none() || status.is_none()) {
        return None;
    }
    let parts: Vec<_> = [method, url, status].into_iter().flatten().collect();
    Some(parts.join(" "))
}

/// A document that does not name its service is of that of its data stream or index.
fn service(draft: &mut Draft, index: &str) {
    draft.service(&["service.name", "service_name", "serviceName", "service", "app", "application"]);
    if draft.has("service") {
        return;
    }
    if let Some(dataset) = draft.peek_text("data_stream.dataset").filter(|dataset| dataset != "generic") {
        return draft.set("service", service_name(&dataset));
    }
    let name = service_of_index(index);
    if name != index && !index.is_empty() {
        draft.keep("index", index);
    }
    draft.set("service", name);
}

/// The name of an index without what changes with time: dates, versions and the numbers of rollovers. Of a data
/// stream (`type-dataset-namespace`) its dataset.
pub(super) fn service_of_index(index: &str) -> String {
    let plain = index.strip_prefix(".ds-").unwrap_or(index);
    let mut parts: Vec<&str> = plain.split('-').filter(|part| !is_passing(part)).collect();
    // A date with dashes.
    if let [.., year, month, day] = parts.as_slice()
        && [(year, 4), (month, 2), (day, 2)].iter().all(|(part, digits)| is_number(part, *digits))
    {
        parts.truncate(parts.len() - 3);
    }
    let name = match parts.as_slice() {
        ["logs" | "metrics" | "traces" | "synthetics", dataset @ .., _namespace] if !dataset.is_empty() => {
            dataset.join("-")
        }
        parts => parts.join("-"),
    };
    // One that is a date and nothing else.
    if name.is_empty() { service_name(index) } else { service_name(&name) }
}

/// `2024.05.15`, `2024.w20`, `20240515`, `8.13.2`, `v1.2`, `000001`.
fn is_passing(part: &str) -> bool {
    if is_number(part, 6) || is_number(part, 8) {
        return true;
    }
    let part = part.strip_prefix('v').unwrap_or(part);
    part.contains('.')
        && part.split('.').all(|number| {
            let number = number.strip_prefix(['w', 'W']).unwrap_or(number);
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
}

fn is_number(part: &str, digits: usize) -> bool {
    part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit())
}
