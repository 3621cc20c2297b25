//! One raw JSON object to one `Record`: what the fields mean, and what a record must meet to be taken.
//!
//! It knows no wire format and no clock. Invariant: nothing that was sent is lost; what has no field of
//! its own is metadata, under the name it was sent with.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::model::{Fields, Level, Record, SourceType, Status};
use super::plain::Plain;
use super::rejection::{Rejection, shown};
use super::timestamp::Timestamp;
use super::vocabulary::{Found, Slot, Sorted, is_in_seconds, is_otlp_level, scalar_text};

/// The raw JSON of one record, in bytes. A segment's row stays far below D1's and the shard's 2 MB.
pub const MAX_RECORD_BYTES: usize = 256 * 1024;

/// How deep arrays and objects may nest in a value. Half of what `serde_json` reads back (128), because
/// a stored row, a batch and an answer each wrap a record in levels of their own.
pub const MAX_DEPTH: usize = 64;

pub const MAX_SERVICE_BYTES: usize = 128;

/// One in so many: what a record may say that it stands for.
pub const MAX_SAMPLE_RATE: u32 = 1_000_000;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// One object as a wire format hands it over.
#[derive(Clone, Debug, PartialEq)]
pub struct RawRecord {
    pub fields: Map<String, Value>,
    /// The length of its JSON as it came.
    pub size_bytes: usize,
}

/// One record as it comes to be stored.
#[derive(Clone, Debug)]
pub enum Raw<'a> {
    Plain(Box<Plain<'a>>),
    Parsed(RawRecord),
}

/// What a record is judged by besides itself.
pub struct Context<'a> {
    pub received_at: Timestamp,
    /// How long a service keeps logs at the most: an older one would expire at once.
    pub max_age_ms: &'a dyn Fn(&str) -> u64,
    pub source: SourceType,
    /// The level that a message tells where the sender gave none.
    pub level_in: &'a dyn Fn(&str) -> Option<Level>,
}

/// Makes the record, or says which field is wrong and why. See docs/fields.md for the whole table.
///
/// The message must not be empty, except from a Worker, where `console.log()` is an event of its own.
pub fn normalise(raw: RawRecord, id: Uuid, ctx: &Context<'_>) -> Result<Record, Rejection> {
    if raw.size_bytes > MAX_RECORD_BYTES {
        return Err(Rejection::too_large(MAX_RECORD_BYTES, raw.size_bytes));
    }
    let mut sorted = Sorted::new(raw.fields);
    let status = sorted.take(Slot::Status).map(status_of).transpose()?;
    let message = message_of(&mut sorted, status.as_ref(), ctx.source)?;
    let (service, component) = service_of(&mut sorted)?;
    let level = match sorted.take(Slot::Level) {
        Some(found) => level_of(&found)?,
        None => level_of_status(status.as_ref()).or_else(|| (ctx.level_in)(&message)).unwrap_or(Level::Info),
    };
    let timestamp = match sorted.take(Slot::Timestamp) {
        Some(found) => timestamp_of(&found, &service, ctx)?,
        None => ctx.received_at,
    };
    let mut text = |slot| sorted.take(slot).map(text_of).transpose();
    let mut fields = Fields {
        environment: text(Slot::Environment)?,
        component,
        endpoint: text(Slot::Endpoint)?,
        method: text(Slot::Method)?,
        category: text(Slot::Category)?,
        source_type: ctx.source,
        correlation_id: text(Slot::CorrelationId)?,
        trace_id: text(Slot::TraceId)?,
        span_id: text(Slot::SpanId)?,
        user_id: text(Slot::UserId)?,
        error_type: text(Slot::ErrorType)?,
        stack_trace: text(Slot::StackTrace)?,
        logger: text(Slot::Logger)?,
        thread: text(Slot::Thread)?,
        status,
        duration_ms: None,
        host: text(Slot::Host)?,
        pattern_id: None,
        sample_rate: None,
        tags: Vec::new(),
        metadata: Map::new(),
    };
    fields.duration_ms = sorted.take(Slot::Duration).map(|found| duration_of(&found)).transpose()?;
    fields.sample_rate = sample_rate_of(&mut sorted);
    fields.tags = tags_of(&mut sorted);
    fields.metadata = metadata_of(sorted)?;
    Ok(Record {
        id,
        timestamp,
        received_at: ctx.received_at,
        service,
        level,
        message,
        fields: Box::new(fields),
    })
}

/// `[A-Za-z0-9._-]{1,128}`, exactly: nothing is trimmed.
pub fn is_service_name(name: &str) -> bool {
    (1..=MAX_SERVICE_BYTES).contains(&name.len()) && name.bytes().all(is_service_byte)
}

pub(crate) const fn is_service_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Objects and arrays become their compact JSON: many loggers send a structure as the message.
fn message_of(sorted: &mut Sorted, status: Option<&Status>, source: SourceType) -> Result<String, Rejection> {
    let message = match sorted.take(Slot::Message) {
        Some(Found { value: Value::String(text), .. }) => Some(text),
        Some(found) => Some(found.value.to_string()),
        None => None,
    };
    match message {
        Some(message) if !message.is_empty() || source == SourceType::Tail => Ok(message),
        _ if sorted.is_workflow() => {
            let version = sorted.scalar("workflow_version");
            let status = status.map(ToString::to_string);
            let parts = ["workflow".to_owned()].into_iter().chain(version).chain(status);
            Ok(parts.collect::<Vec<_>>().join(" "))
        }
        sent => {
            let got = if sent.is_some() { "an empty one" } else { "none" };
            let expected = "expected a message in `message`, `msg`, `body` or `text`";
            Err(Rejection::of_field(Rejection::MISSING_FIELD, "message", format!("{expected}, got {got}")))
        }
    }
}

/// The service, and the component if that is not what the service was taken from.
fn service_of(sorted: &mut Sorted) -> Result<(String, Option<String>), Rejection> {
    let component = sorted.take(Slot::Component);
    if let Some(found) = sorted.take(Slot::Service) {
        let service = valid_service(found)?;
        return Ok((service, component.map(text_of).transpose()?));
    }
    if !sorted.is_workflow() {
        let component = component.ok_or_else(|| {
            let expected =
                "expected a service in `service_name`, `serviceName`, `service`, `app`, `application`";
            Rejection::of_field(
                Rejection::MISSING_FIELD,
                "service_name",
                format!("{expected} or `component`, got none"),
            )
        })?;
        return Ok((valid_service(component)?, None));
    }
    let component = component.map(text_of).transpose()?;
    if let Some(service) = component.clone().filter(|name| is_service_name(name)) {
        return Ok((service, None));
    }
    let client = sorted.scalar("client_id").filter(|name| is_service_name(name));
    Ok((client.unwrap_or_else(|| "workflow".to_owned()), component))
}

fn valid_service(found: Found) -> Result<String, Rejection> {
    let key = found.key.clone();
    let service = text_of(found)?;
    if is_service_name(&service) {
        return Ok(service);
    }
    let got = shown(&Value::String(service));
    let expected = "expected a service name of 1 to 128 characters out of A-Z a-z 0-9 . _ -";
    Err(Rejection::of_field(Rejection::INVALID_SERVICE, key, format!("{expected}, got {got}")))
}

fn level_of(found: &Found) -> Result<Level, Rejection> {
    let otlp = is_otlp_level(&found.key);
    let number = |number| if otlp { Level::from_otlp(number) } else { Level::from_number(number) };
    let level = match &found.value {
        Value::String(text) if otlp => text.trim().parse().ok().and_then(number),
        Value::String(text) => Level::parse(text),
        value => whole_number(value).and_then(number),
    };
    level.ok_or_else(|| {
        let expected = if otlp {
            "expected a severity number from 1 to 24"
        } else {
            "expected a level such as DEBUG, INFO, WARN, ERROR or CRITICAL, or a number of syslog (0 to 7) or pino (10 to 60)"
        };
        let message = format!("{expected}, got {}", shown(&found.value));
        Rejection::of_field(Rejection::INVALID_LEVEL, found.key.clone(), message)
    })
}

/// A record without a level takes it from its outcome, if that is a failure sent by name.
fn level_of_status(status: Option<&Status>) -> Option<Level> {
    const FAILURES: [&str; 12] = [
        "FAILED",
        "FAILURE",
        "FAIL",
        "ERROR",
        "ERRORED",
        "TIMEOUT",
        "TIMED_OUT",
        "TIMEDOUT",
        "CRASHED",
        "ABORTED",
        "EXCEPTION",
        "FATAL",
    ];
    match status {
        Some(Status::Name(name))
            if FAILURES.iter().any(|failure| failure.eq_ignore_ascii_case(name.trim())) =>
        {
            Some(Level::Error)
        }
        _ => None,
    }
}

fn timestamp_of(found: &Found, service: &str, ctx: &Context<'_>) -> Result<Timestamp, Rejection> {
    let reject = |code, message| Err(Rejection::of_field(code, found.key.clone(), message));
    let timestamp = match Timestamp::parse(&found.value) {
        Ok(timestamp) => timestamp,
        Err(error) => return reject(Rejection::INVALID_TIMESTAMP, error.to_string()),
    };
    let now_ms = ctx.received_at.as_ms();
    if timestamp.as_ms() > now_ms.saturating_add(DAY_MS) {
        let message = format!("expected a time at most a day ahead of {}, got {timestamp}", ctx.received_at);
        return reject(Rejection::TIMESTAMP_IN_FUTURE, message);
    }
    let oldest = oldest_taken(service, ctx);
    if timestamp < oldest {
        let message =
            format!("expected a time since {oldest}, as long as {service} keeps logs, got {timestamp}");
        return reject(Rejection::TIMESTAMP_TOO_OLD, message);
    }
    Ok(timestamp)
}

/// Whether a record of this time is taken.
pub(super) fn is_time_taken(timestamp: Timestamp, service: &str, ctx: &Context<'_>) -> bool {
    timestamp.as_ms() <= ctx.received_at.as_ms().saturating_add(DAY_MS)
        && timestamp >= oldest_taken(service, ctx)
}

fn oldest_taken(service: &str, ctx: &Context<'_>) -> Timestamp {
    let max_age_ms = i64::try_from((ctx.max_age_ms)(service)).unwrap_or(i64::MAX);
    Timestamp::from_ms(ctx.received_at.as_ms().saturating_sub(max_age_ms))
}

/// A whole number, also one written as text, is a code; any other scalar is a name.
fn status_of(found: Found) -> Result<Status, Rejection> {
    if let Some(code) = whole_number(&found.value) {
        return Ok(Status::Code(code));
    }
    let name = text_of(found)?;
    match name.parse::<i64>() {
        Ok(code) if code.to_string() == name => Ok(Status::Code(code)),
        _ => Ok(Status::Name(name)),
    }
}

/// Milliseconds.
fn duration_of(found: &Found) -> Result<f64, Rejection> {
    let number = match &found.value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let seconds = is_in_seconds(&found.key);
    // Through whole nanoseconds, so that 2.3 s is 2300 ms and not 2299.9999999999995.
    let ms = number.map(|number| if seconds { (number * 1e9).round() / 1e6 } else { number });
    ms.filter(|ms| ms.is_finite()).ok_or_else(|| {
        let unit = if seconds { "seconds" } else { "milliseconds" };
        let message = format!("expected a number of {unit}, got {}", shown(&found.value));
        Rejection::of_field(Rejection::INVALID_FIELD, found.key.clone(), message)
    })
}

/// How many records it stands for; what is no such number, as a share of 0.1, stays metadata.
fn sample_rate_of(sorted: &mut Sorted) -> Option<u32> {
    let found = sorted.take(Slot::SampleRate)?;
    let rate = whole_number(&found.value).and_then(|rate| u32::try_from(rate).ok());
    let rate = rate.filter(|rate| (1..=MAX_SAMPLE_RATE).contains(rate));
    if rate.is_none() {
        sorted.rest.push((found.key, found.value));
    }
    rate
}

/// Scalars, alone or in an array, are tags; any other shape stays whole, as metadata.
fn tags_of(sorted: &mut Sorted) -> Vec<String> {
    let Some(found) = sorted.take(Slot::Tags) else {
        return Vec::new();
    };
    let texts = match &found.value {
        Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(scalar_text).collect(),
        value => scalar_text(value).map(|tag| vec![tag]),
    };
    texts.unwrap_or_else(|| {
        sorted.rest.push((found.key, found.value));
        Vec::new()
    })
}

/// The `metadata` object as it came, then every field without a place of its own.
///
/// A name that is already taken gets `_2`, `_3`, … : the `metadata` object's own fields keep theirs. A
/// `metadata` that is no object stays whole, as `metadata.metadata`.
fn metadata_of(mut sorted: Sorted) -> Result<Map<String, Value>, Rejection> {
    let mut metadata = match sorted.take(Slot::Metadata) {
        Some(Found { value: Value::Object(fields), .. }) => fields,
        Some(found) => Map::from_iter([(found.key, found.value)]),
        None => Map::new(),
    };
    for (key, value) in sorted.rest {
        add_metadata(&mut metadata, key, value);
    }
    match metadata.iter().find(|(_, value)| deeper_than(value, MAX_DEPTH)) {
        None => Ok(metadata),
        Some((key, _)) => {
            let message = format!("expected at most {MAX_DEPTH} levels of arrays and objects, got more");
            Err(Rejection::of_field(Rejection::NESTED_TOO_DEEP, key, message))
        }
    }
}

/// Adds a field; what is there already keeps its name.
pub fn add_metadata(metadata: &mut Map<String, Value>, key: String, value: Value) {
    let key = if metadata.contains_key(&key) { free_name(&key, metadata) } else { key };
    metadata.insert(key, value);
}

fn free_name(key: &str, taken: &Map<String, Value>) -> String {
    let mut number = 2_usize;
    loop {
        let name = format!("{key}_{number}");
        if !taken.contains_key(&name) {
            return name;
        }
        number += 1;
    }
}

fn deeper_than(value: &Value, levels: usize) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::Array(_) | Value::Object(_), None) => true,
        (Value::Array(items), Some(left)) => items.iter().any(|item| deeper_than(item, left)),
        (Value::Object(fields), Some(left)) => fields.values().any(|field| deeper_than(field, left)),
        _ => false,
    }
}

/// A string as it is, a number or boolean as its JSON text.
fn text_of(found: Found) -> Result<String, Rejection> {
    match found.value {
        Value::String(text) => Ok(text),
        value => scalar_text(&value).ok_or_else(|| {
            let message = format!("expected text, got {}", shown(&value));
            Rejection::of_field(Rejection::INVALID_FIELD, found.key, message)
        }),
    }
}

/// An integer, also one that was sent as `30.0`.
fn whole_number(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}

#[cfg(test)]
mod tests;
