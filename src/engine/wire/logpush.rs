//! Cloudflare Logpush: lines of JSON of one dataset to raw records.
//!
//! An HTTP request is one record; an invocation of a Worker has those that its tail would have. Invariant: a
//! line fails alone, and a field that the mapping does not know is metadata under Cloudflare's name.

mod trace;

use serde_json::Value;

use super::batch::{RawRecord, parse_record};
use super::draft::{Draft, level_of_status, service_name, time_of, whole_number};
use super::split::{self, SplitError};
use crate::engine::record::model::Level;
use crate::engine::record::rejection::Rejection;

/// Longer than any upload that Cloudflare tries a destination with.
const MAX_PROBE_BYTES: usize = 1024;

/// Where the datasets have their time, the most telling first.
const TIMES: [&str; 13] = [
    "EdgeStartTimestamp",
    "EventTimestampMs",
    "Datetime",
    "EventTimestamp",
    "Timestamp",
    "When",
    "ConnectTimestamp",
    "QueryTimestamp",
    "CreatedAt",
    "SessionStartTime",
    "StartTime",
    "EdgeEndTimestamp",
    "_time",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dataset {
    HttpRequests,
    FirewallEvents,
    WorkersTraceEvents,
    Other,
}

impl Dataset {
    /// By its name in Logpush.
    pub fn named(name: &str) -> Self {
        match name {
            "http_requests" => Self::HttpRequests,
            "firewall_events" => Self::FirewallEvents,
            "workers_trace_events" => Self::WorkersTraceEvents,
            _ => Self::Other,
        }
    }

    /// By the fields that it alone has, for which a job must have been told to send them.
    fn of(draft: &Draft) -> Self {
        let has = |names: &[&str]| names.iter().any(|name| draft.peek(name).is_some());
        if has(&["ScriptName", "EventTimestampMs"]) && has(&["Outcome", "Logs", "Exceptions", "EventType"]) {
            Self::WorkersTraceEvents
        } else if has(&["EdgeStartTimestamp", "EdgeEndTimestamp", "ClientRequestURI"])
            || (has(&["EdgeResponseStatus"]) && !has(&["Action"]))
        {
            Self::HttpRequests
        } else if has(&["Action"])
            && has(&["RuleID", "ClientRequestPath", "ClientIP", "EdgeResponseStatus", "Kind"])
            && has(&["ClientRequestHost", "ClientRequestPath", "RayID", "RuleID"])
        {
            Self::FirewallEvents
        } else {
            Self::Other
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::HttpRequests => "http_requests",
            Self::FirewallEvents => "firewall_events",
            Self::WorkersTraceEvents => "workers_trace_events",
            Self::Other => "logpush",
        }
    }
}

/// What a job's URL says of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// As Logpush calls it; without it each line is looked at.
    pub dataset: Option<String>,
    /// Of lines that are not of a Worker; without it the zone's name or the dataset's.
    pub service: Option<String>,
}

/// Whether a body is what Cloudflare sends to see whether a destination takes anything: the text of an ownership
/// challenge, or `{"content":"tests"}`. It holds no log.
pub fn is_probe(body: &[u8]) -> bool {
    if body.len() > MAX_PROBE_BYTES {
        return false;
    }
    match serde_json::from_slice(split::without_bom(body)) {
        Ok(Value::Object(fields)) => {
            fields.get("content").is_some_and(Value::is_string)
                && fields.keys().all(|key| matches!(key.as_str(), "content" | "filename"))
        }
        _ => false,
    }
}

/// The records of a body, in order. A line is parsed when its first record is asked for; it has several, or none,
/// when it is the invocation of a Worker. `max` limits the lines. A Worker's `console.log()` has an empty message,
/// which `normalise` takes from `SourceType::Tail` alone.
pub fn decode<'a>(
    body: &'a [u8],
    source: &'a Source,
    max: usize,
) -> Result<impl Iterator<Item = Result<RawRecord, Rejection>> + use<'a>, SplitError> {
    Ok(split::lines(body, max)?.into_iter().flat_map(|line| match records(line, source) {
        Ok(records) => records.into_iter().map(Ok).collect(),
        Err(rejection) => vec![Err(rejection)],
    }))
}

fn records(line: &[u8], source: &Source) -> Result<Vec<RawRecord>, Rejection> {
    let raw = parse_record(line)?;
    let draft = Draft::new(raw);
    let dataset = source.dataset.as_deref().map_or_else(|| Dataset::of(&draft), Dataset::named);
    match dataset {
        Dataset::WorkersTraceEvents => trace::records(draft),
        _ => Ok(vec![event(draft, dataset, source)]),
    }
}

fn event(mut draft: Draft, dataset: Dataset, source: &Source) -> RawRecord {
    let first = |names: &[&str]| names.iter().find_map(|name| draft.peek_text(name));
    let method = first(&["ClientRequestMethod", "HTTPMethod", "HTTPMethodName"]);
    let path = first(&["ClientRequestPath", "ClientRequestURI"]);
    let status = ["EdgeResponseStatus", "OriginResponseStatus"]
        .iter()
        .filter_map(|name| draft.peek(name).and_then(whole_number))
        .find(|status| *status > 0);
    let action = first(&["Action"]).filter(|_| dataset == Dataset::FirewallEvents);
    let level = match action.as_deref() {
        // What was kept away is worth a look, whatever status says so; what is only logged is not.
        Some(action) if action.contains("block") || action.contains("challenge") => Some(Level::Warn),
        _ => status.map(level_of_status),
    };
    let message = path.map(|path| {
        let parts = [action, method, Some(path), status.map(|status| status.to_string())];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    });
    match message {
        Some(message) => draft.set("message", message),
        None if dataset == Dataset::Other => draft.message(&["message", "Message", "msg", "Description"]),
        None => {}
    }
    draft.message_of_all();
    if let Some(level) = level {
        draft.set("level", level.as_str());
    }
    if let Some(ms) = duration_ms(&draft) {
        draft.set("duration_ms", ms);
    }
    for path in TIMES {
        draft.time(path);
    }
    if let Some(status) = status {
        draft.set("status", status);
        draft.take("EdgeResponseStatus");
    }
    let fields = [
        ("method", "ClientRequestMethod"),
        ("method", "HTTPMethod"),
        ("method", "HTTPMethodName"),
        ("endpoint", "ClientRequestPath"),
        ("host", "ClientRequestHost"),
        ("correlation_id", "RayID"),
        ("correlation_id", "RayName"),
    ];
    for (field, path) in fields {
        draft.text_field(field, path);
    }
    match source.service.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => draft.set("service", service_name(name)),
        None => draft.service(&["ZoneName", "service_name", "service"]),
    }
    if !draft.has("service") {
        let name = source.dataset.as_deref().filter(|name| !name.is_empty()).unwrap_or(dataset.name());
        draft.set("service", service_name(name));
    }
    draft.finish()
}

/// From the first byte of the request to the last of the answer, or else to its first.
fn duration_ms(draft: &Draft) -> Option<f64> {
    let time = |name| draft.peek(name).and_then(time_of);
    let whole = time("EdgeStartTimestamp").zip(time("EdgeEndTimestamp")).and_then(|(start, end)| {
        let us = (end.as_ns() - start.as_ns()) / 1_000;
        // Timestamps may be of whole seconds, which tell no duration.
        u32::try_from(us).ok().filter(|us| us % 1_000_000 != 0).map(|us| f64::from(us) / 1e3)
    });
    whole.or_else(|| draft.peek("EdgeTimeToFirstByteMs").and_then(Value::as_f64))
}

#[cfg(test)]
mod tests;
