//! What a Worker did, as its tail handler is told: one trace item to the records of its logs.
//!
//! Every console call, exception and diagnostics message is a record, and so is an outcome that failed. An
//! invocation that went well and logged nothing leaves none: records cost money, and every record carries
//! the outcome and times of its invocation. Invariant: a part that has an unexpected shape costs nothing
//! but itself.

mod event;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use self::event::Event;
use super::batch::{ParseError, RawRecord, malformed};
use super::{reserved, service::service_name};
use crate::engine::record::model::Level;
use crate::engine::record::normalise::is_service_name;
use crate::engine::record::timestamp::Timestamp;

/// The service when a trace says nowhere which Worker it is of, as happens under `wrangler dev`.
const UNKNOWN_WORKER: &str = "unknown-worker";

/// The records of one trace item, which is a `TraceItem` as `JSON.stringify` writes it.
///
/// They are meant for `normalise` with `SourceType::Tail`. Their size is that of message and stack trace,
/// the parts that the producer's 256 KB of logs a request can fill.
pub fn records_of(item: &str) -> Result<Vec<RawRecord>, ParseError> {
    let item: Object<'_> = serde_json::from_str(item).map_err(|error| malformed(&error))?;
    let calls: Vec<_> = item.list("logs").into_iter().map(|raw| Call::read(raw, &item)).collect();
    let invocation = Invocation::read(&item, calls.iter().find_map(|call| call.service.clone()));
    let mut records: Vec<_> = calls.into_iter().map(|call| invocation.console(call)).collect();
    let exceptions = item.list("exceptions");
    records.extend(invocation.failure(exceptions.len()));
    records.extend(exceptions.into_iter().map(|raw| invocation.exception(raw)));
    records.extend(item.list("diagnosticsChannelEvents").into_iter().map(|raw| invocation.diagnostic(raw)));
    Ok(records)
}

/// What the records of one item share.
struct Invocation {
    service: String,
    outcome: Option<String>,
    started: Option<Timestamp>,
    wall_ms: i64,
    event: Event,
    metadata: Map<String, Value>,
}

impl Invocation {
    fn read(item: &Object<'_>, prefixed: Option<String>) -> Self {
        let script = item.text("scriptName");
        let service =
            script.as_deref().map(service_name).or(prefixed).unwrap_or_else(|| UNKNOWN_WORKER.to_owned());
        let mut event = Event::read(item.value("event").as_ref());
        let mut metadata = std::mem::take(&mut event.metadata);
        let version = item.value("scriptVersion");
        let version = |key: &str| version.as_ref().and_then(|version| version.get(key)).cloned();
        let outcome = item.text("outcome");
        let parts = [
            // Kept when it had to be changed to be a service name.
            ("script_name", script.filter(|script| *script != service).map(Value::from)),
            ("outcome", outcome.clone().map(Value::from)),
            ("cpu_ms", item.value("cpuTime")),
            ("wall_ms", item.value("wallTime")),
            ("entrypoint", item.value("entrypoint")),
            ("script_version", version("id")),
            ("script_version_tag", version("tag")),
            ("script_tags", item.value("scriptTags")),
            ("dispatch_namespace", item.value("dispatchNamespace")),
            ("durable_object_id", item.value("durableObjectId")),
            ("execution_model", item.value("executionModel")),
            ("truncated", item.value("truncated")),
        ];
        for (key, value) in parts {
            if let Some(value) = value.filter(|value| !value.is_null() && value.as_array() != Some(&vec![])) {
                metadata.insert(key.to_owned(), value);
            }
        }
        let wall_ms = item.value("wallTime").and_then(|ms| ms.as_i64()).unwrap_or_default();
        Self { service, outcome, started: item.time("eventTimestamp"), wall_ms, event, metadata }
    }

    fn record(&self, at: Option<Timestamp>, level: Level, message: String) -> RawRecord {
        let size_bytes = message.len();
        let mut fields = Map::from_iter([
            ("service".to_owned(), Value::from(self.service.as_str())),
            ("level".to_owned(), Value::from(level.as_str())),
            ("message".to_owned(), Value::from(message)),
        ]);
        if let Some(at) = at.or(self.started) {
            fields.insert("timestamp".to_owned(), Value::from(at.to_string()));
        }
        fields.extend(self.event.fields.clone());
        fields.insert("metadata".to_owned(), Value::Object(self.metadata.clone()));
        RawRecord { fields, size_bytes }
    }

    fn console(&self, call: Call) -> RawRecord {
        let mut record = self.record(call.at, call.level, call.message);
        if let Some(service) = call.service {
            record.fields.insert("service".to_owned(), Value::from(service));
        }
        if let Some(thrown) = call.error {
            thrown.describe(&mut record);
        }
        record
    }

    /// ERROR, or CRITICAL when the invocation was stopped for want of a resource.
    fn exception(&self, raw: &RawValue) -> RawRecord {
        let level = match self.outcome_level() {
            Level::Critical => Level::Critical,
            _ => Level::Error,
        };
        let Some(exception) = Object::read(raw) else {
            return self.record(None, level, shown(raw));
        };
        let thrown = Thrown::read(&exception);
        let mut record = self.record(exception.time("timestamp"), level, thrown.message());
        thrown.describe(&mut record);
        record
    }

    /// A record for an outcome other than `ok`, at the end of the invocation. `exception` has one only when
    /// no exception is listed: otherwise they say it, and more.
    fn failure(&self, exceptions: usize) -> Option<RawRecord> {
        let outcome = self.outcome.as_deref().filter(|outcome| *outcome != "ok")?;
        if outcome == "exception" && exceptions > 0 {
            return None;
        }
        let ended = self.started.map(|at| Timestamp::from_ms(at.as_ms().saturating_add(self.wall_ms)));
        let message = format!("{} ended with outcome {outcome}", self.event.label);
        let mut record = self.record(ended, self.outcome_level(), message);
        record.fields.insert("error_type".to_owned(), Value::from(outcome));
        Some(record)
    }

    /// Diagnostics are for whoever looks closely: DEBUG, with the channel as the logger.
    fn diagnostic(&self, raw: &RawValue) -> RawRecord {
        let Some(published) = Object::read(raw) else {
            return self.record(None, Level::Debug, shown(raw));
        };
        let message = published.0.get("message").map(|message| shown(message)).unwrap_or_default();
        let mut record = self.record(published.time("timestamp"), Level::Debug, message);
        if let Some(channel) = published.text("channel") {
            record.fields.insert("logger".to_owned(), Value::from(channel));
        }
        record
    }

    /// The client going away is its right; running out of a resource needs someone to act.
    fn outcome_level(&self) -> Level {
        match self.outcome.as_deref() {
            None | Some("ok") => Level::Info,
            Some("canceled" | "responseStreamDisconnected") => Level::Warn,
            Some(outcome) if outcome.starts_with("exceeded") => Level::Critical,
            Some(_) => Level::Error,
        }
    }
}

/// One `console.*` call.
struct Call {
    at: Option<Timestamp>,
    level: Level,
    message: String,
    /// Known from the arguments alone.
    service: Option<String>,
    error: Option<Thrown>,
}

impl Call {
    fn read(raw: &RawValue, item: &Object<'_>) -> Self {
        let Some(log) = Object::read(raw) else {
            return Self { at: None, level: Level::Info, message: shown(raw), service: None, error: None };
        };
        let level = log.text("level").and_then(|level| Level::parse(&level)).unwrap_or(Level::Info);
        let errors: Vec<Option<Thrown>> = log
            .list("errorInfo")
            .into_iter()
            .map(|raw| Object::read(raw).map(|error| Thrown::read(&error)))
            .collect();
        let arguments: Vec<String> = match log.0.get("message") {
            Some(raw) if raw.get().starts_with('[') => {
                let errors = errors.iter().map(Option::as_ref).chain(std::iter::repeat(None));
                let show = |(raw, error): (&RawValue, Option<&Thrown>)| match error {
                    // An `Error` as JSON is `{}`.
                    Some(error) if !raw.get().starts_with('"') => error.message(),
                    _ => shown(raw),
                };
                log.list("message").into_iter().zip(errors).map(show).collect()
            }
            Some(raw) => vec![shown(raw)],
            None => Vec::new(),
        };
        let prefix = match item.text("scriptName") {
            None => arguments.first().and_then(|first| first.strip_prefix('[')?.strip_suffix(']')),
            Some(_) => None,
        };
        let service = prefix.filter(|name| is_service_name(name)).map(str::to_owned);
        let shown = arguments.get(usize::from(service.is_some())..).unwrap_or_default();
        Self {
            at: log.time("timestamp"),
            level,
            message: shown.join(" "),
            service,
            error: errors.into_iter().flatten().next(),
        }
    }
}

/// An error as a trace tells of it.
struct Thrown {
    name: Option<String>,
    message: Option<String>,
    stack: Option<String>,
}

impl Thrown {
    fn read(error: &Object<'_>) -> Self {
        Self { name: error.text("name"), message: error.text("message"), stack: error.text("stack") }
    }

    /// `Name: message`, as `Error.prototype.toString` has it.
    fn message(&self) -> String {
        let name = self.name.as_deref().unwrap_or("Error");
        self.message.as_ref().map_or_else(|| name.to_owned(), |message| format!("{name}: {message}"))
    }

    fn describe(self, record: &mut RawRecord) {
        if let Some(name) = self.name {
            record.fields.insert("error_type".to_owned(), Value::from(name));
        }
        if let Some(stack) = self.stack {
            record.size_bytes += stack.len();
            record.fields.insert("stack_trace".to_owned(), Value::from(stack));
        }
    }
}

/// A JSON object taken apart one level only, so that an odd or bottomless value deeper down harms no other.
#[derive(Deserialize)]
#[serde(transparent)]
struct Object<'a>(#[serde(borrow)] BTreeMap<String, &'a RawValue>);

impl<'a> Object<'a> {
    fn read(raw: &'a RawValue) -> Option<Self> {
        serde_json::from_str(raw.get()).ok()
    }

    /// Anything but `null`, and but a name that `serde_json` reads as something else.
    fn value(&self, key: &str) -> Option<Value> {
        let json = self.0.get(key)?.get();
        let value: Value =
            serde_json::from_str(json).ok().filter(|_| !reserved::is_named_in(json.as_bytes()))?;
        Some(value).filter(|value| !value.is_null())
    }

    /// A string that is not empty; any other scalar as its JSON.
    fn text(&self, key: &str) -> Option<String> {
        match self.value(key)? {
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            other => Some(other.to_string()),
        }
    }

    fn list(&self, key: &str) -> Vec<&'a RawValue> {
        self.0.get(key).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
    }

    /// Milliseconds; 0 stands for a time that is not known.
    fn time(&self, key: &str) -> Option<Timestamp> {
        Timestamp::parse(&self.value(key)?).ok().filter(|at| *at > Timestamp::EPOCH)
    }
}

/// A value as the console shows it among its arguments: strings bare, all else as JSON.
fn shown(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned())
}

#[cfg(test)]
mod tests;
