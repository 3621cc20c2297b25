//! A `Record` read back from the JSON it was stored as, whole or only its head.
//!
//! Rows are read by the million, so neither goes through serde's `flatten`, which copies every row into a
//! tree before it looks at it. What is written is what `Serialize` derives in `model`.

use std::{borrow::Cow, sync::LazyLock};

use memchr::{memchr, memmem};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::model::{Fields, Level, Record, SourceType, Status};
use super::timestamp::Timestamp;
use crate::engine::pattern::PatternId;

/// The first fields of a stored row: enough to sort, to page, and to skip most rows unparsed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RowHead<'a> {
    pub id: Uuid,
    pub timestamp: Timestamp,
    pub received_at: Timestamp,
    #[serde(borrow)]
    pub service: Cow<'a, str>,
    pub level: Level,
}

impl<'a> RowHead<'a> {
    /// Reads the head of a row as `Record` is serialised, and no further: what follows the level is not
    /// looked at. Any other JSON of the same fields is read too, slower and whole.
    pub fn parse(line: &'a [u8]) -> Result<Self, serde_json::Error> {
        match Self::parse_stored(line) {
            Some(head) => Ok(head),
            None => serde_json::from_slice(line),
        }
    }

    fn parse_stored(line: &'a [u8]) -> Option<Self> {
        let (id, rest) = up_to_quote(line.strip_prefix(b"{\"id\":\"")?)?;
        let (timestamp, rest) = quoted(rest.strip_prefix(b",\"timestamp\":\"")?)?;
        let (received_at, rest) = quoted(rest.strip_prefix(b",\"received_at\":\"")?)?;
        let (service, rest) = quoted(rest.strip_prefix(b",\"service\":\"")?)?;
        let (level, _) = up_to_quote(rest.strip_prefix(b",\"level\":\"")?)?;
        Some(Self {
            id: Uuid::try_parse_ascii(id).ok()?,
            timestamp: Timestamp::parse_text(timestamp).ok()?,
            received_at: Timestamp::parse_text(received_at).ok()?,
            service: Cow::Borrowed(service),
            level: Level::ALL.into_iter().find(|known| known.as_str().as_bytes() == level)?,
        })
    }
}

/// The text up to the next quote and what follows the quote; none of it escaped.
fn quoted(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (text, rest) = up_to_quote(bytes)?;
    let text = str::from_utf8(text).ok().filter(|text| !text.contains('\\'))?;
    Some((text, rest))
}

fn up_to_quote(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(memchr(b'"', bytes)?)?;
    Some((text, rest.get(1..)?))
}

/// Begins a row as `Record` is serialised: its id and times, in parts.
pub fn begin(id: Uuid, timestamp: Timestamp, received_at: Timestamp, mut push: impl FnMut(&str)) {
    let (mut of_id, mut of_time, mut of_receipt) = ([0; 36], [0; 30], [0; 30]);
    for part in [
        "{\"id\":\"",
        id.hyphenated().encode_lower(&mut of_id),
        "\",\"timestamp\":\"",
        timestamp.write(&mut of_time),
        "\",\"received_at\":\"",
        received_at.write(&mut of_receipt),
        "\"",
    ] {
        push(part);
    }
}

/// How many bytes that is.
pub fn begin_len(timestamp: Timestamp, received_at: Timestamp) -> usize {
    const AROUND: usize = "{\"id\":\"\",\"timestamp\":\"\",\"received_at\":\"\"".len() + 36;
    AROUND + timestamp.text_len() + received_at.text_len()
}

/// Writes a row under another id; `None` for what does not begin as a row does.
pub fn with_id(line: &[u8], id: Uuid, to: &mut Vec<u8>) -> Option<()> {
    const ID: &[u8] = b"{\"id\":\"";
    let behind = line.strip_prefix(ID)?.get(36..)?;
    to.extend_from_slice(ID);
    to.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    to.extend_from_slice(behind);
    Some(())
}

static SAMPLE_RATE: LazyLock<memmem::Finder<'static>> =
    LazyLock::new(|| memmem::Finder::new(b"\"sample_rate\""));

/// How many records a stored row stands for. Only a row that has the name somewhere is parsed: it may be the name of
/// something else there, or a text.
pub fn weight(line: &[u8]) -> u32 {
    #[derive(Deserialize)]
    struct Sampled {
        sample_rate: Option<u32>,
    }

    if SAMPLE_RATE.find(line).is_none() {
        return 1;
    }
    let sampled = serde_json::from_slice::<Sampled>(line).ok();
    sampled.and_then(|sampled| sampled.sample_rate).map_or(1, |rate| rate.max(1))
}

/// The same of a number as it is written in a row.
pub fn weight_of(rate: &str) -> u32 {
    rate.parse().map_or(1, |rate: u32| rate.max(1))
}

/// `Record` and `Fields` side by side, which is what `flatten` makes of them in JSON.
#[derive(Deserialize)]
struct Row {
    id: Uuid,
    timestamp: Timestamp,
    received_at: Timestamp,
    service: String,
    level: Level,
    message: String,
    environment: Option<String>,
    component: Option<String>,
    endpoint: Option<String>,
    method: Option<String>,
    category: Option<String>,
    #[serde(default)]
    source_type: SourceType,
    correlation_id: Option<String>,
    trace_id: Option<String>,
    span_id: Option<String>,
    user_id: Option<String>,
    error_type: Option<String>,
    stack_trace: Option<String>,
    logger: Option<String>,
    thread: Option<String>,
    status: Option<Status>,
    duration_ms: Option<f64>,
    host: Option<String>,
    pattern_id: Option<PatternId>,
    sample_rate: Option<u32>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    metadata: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let row = Row::deserialize(deserializer)?;
        Ok(Self {
            id: row.id,
            timestamp: row.timestamp,
            received_at: row.received_at,
            service: row.service,
            level: row.level,
            message: row.message,
            fields: Box::new(Fields {
                environment: row.environment,
                component: row.component,
                endpoint: row.endpoint,
                method: row.method,
                category: row.category,
                source_type: row.source_type,
                correlation_id: row.correlation_id,
                trace_id: row.trace_id,
                span_id: row.span_id,
                user_id: row.user_id,
                error_type: row.error_type,
                stack_trace: row.stack_trace,
                logger: row.logger,
                thread: row.thread,
                status: row.status,
                duration_ms: row.duration_ms,
                host: row.host,
                pattern_id: row.pattern_id,
                sample_rate: row.sample_rate,
                tags: row.tags,
                metadata: row.metadata,
            }),
        })
    }
}

#[cfg(test)]
mod tests;
