//! Splunk's HTTP Event Collector: events as JSON values in a row, or raw lines, to raw records.
//!
//! Invariant: a body that is not JSON to its end is refused whole, before anything of it is stored; an event
//! that lacks something fails alone, and the answer names the first that did.

use serde_json::{Map, Value};

use super::batch::{RawRecord, parse_record};
use super::draft::{Draft, MESSAGE_NAMES, SERVICE_NAMES, UNKNOWN_SERVICE};
use super::split::{self, SplitError};
use crate::engine::record::normalise::{MAX_RECORD_BYTES, is_service_name};
use crate::engine::record::rejection::Rejection;

/// Source types that say how an event is written and not what wrote it.
const FORMATS: [&str; 6] =
    ["_json", "json_no_timestamp", "httpevent", "generic_single_line", "syslog", "access_combined"];

/// What the URL says of the events of a body; an event's own word counts more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    pub channel: Option<String>,
    pub host: Option<String>,
    pub source: Option<String>,
    pub sourcetype: Option<String>,
    pub index: Option<String>,
}

/// A status and a code of Splunk's, which clients decide by whether to send again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub code: u8,
    pub text: &'static str,
    /// The first event that failed; counts from 0.
    pub event: Option<usize>,
}

impl Answer {
    pub const SUCCESS: Self = Self::new(200, 0, "Success");
    pub const TOKEN_REQUIRED: Self = Self::new(401, 2, "Token is required");
    pub const INVALID_TOKEN: Self = Self::new(403, 4, "Invalid token");
    pub const NO_DATA: Self = Self::new(400, 5, "No data");
    pub const INVALID_FORMAT: Self = Self::new(400, 6, "Invalid data format");
    pub const BUSY: Self = Self::new(503, 9, "Server is busy");
    pub const EVENT_REQUIRED: Self = Self::new(400, 12, "Event field is required");
    pub const EVENT_BLANK: Self = Self::new(400, 13, "Event field cannot be blank");
    pub const HEALTHY: Self = Self::new(200, 17, "HEC is healthy");
    pub const TOO_LARGE: Self = Self::new(413, 27, "Request entity too large");

    const fn new(status: u16, code: u8, text: &'static str) -> Self {
        Self { status, code, text, event: None }
    }

    /// For a body whose event of this number was not taken.
    pub fn of_rejection(event: usize, rejection: &Rejection) -> Self {
        let answer = match (rejection.code, rejection.field.as_deref()) {
            (Rejection::QUOTA_EXCEEDED, _) => return Self::BUSY,
            (Rejection::MISSING_FIELD, Some("event")) => Self::EVENT_REQUIRED,
            (Rejection::INVALID_FIELD, Some("event")) => Self::EVENT_BLANK,
            _ => Self::INVALID_FORMAT,
        };
        Self { event: Some(event), ..answer }
    }

    pub fn body(&self) -> Value {
        let mut body = Map::new();
        body.insert("text".to_owned(), Value::from(self.text));
        body.insert("code".to_owned(), Value::from(self.code));
        if let Some(event) = self.event {
            body.insert("invalid-event-number".to_owned(), Value::from(event));
        }
        Value::Object(body)
    }
}

impl From<&SplitError> for Answer {
    fn from(error: &SplitError) -> Self {
        match error {
            SplitError::Empty => Self::NO_DATA,
            SplitError::TooMany { .. } => Self::TOO_LARGE,
            SplitError::Malformed { at } => Self { event: Some(*at), ..Self::INVALID_FORMAT },
        }
    }
}

/// The events of a body, or its lines, in order. As an iterator it parses one at a time.
#[derive(Clone, Debug)]
pub struct Events<'a> {
    texts: Vec<&'a [u8]>,
    query: &'a Query,
    read: fn(&[u8], &Query) -> Result<RawRecord, Rejection>,
}

impl Events<'_> {
    pub fn records(&self) -> impl Iterator<Item = Result<RawRecord, Rejection>> {
        self.texts.iter().map(|text| (self.read)(text, self.query))
    }
}

/// `/services/collector/event`: objects one after the other with or without white space between, or in an
/// array.
pub fn decode_events<'a>(body: &'a [u8], query: &'a Query, max: usize) -> Result<Events<'a>, SplitError> {
    Ok(Events { texts: split::values(body, max)?, query, read: event })
}

/// `/services/collector/raw`: one record a line.
pub fn decode_raw<'a>(body: &'a [u8], query: &'a Query, max: usize) -> Result<Events<'a>, SplitError> {
    Ok(Events { texts: split::lines(body, max)?, query, read: line })
}

fn event(json: &[u8], query: &Query) -> Result<RawRecord, Rejection> {
    let RawRecord { fields: mut envelope, size_bytes } = parse_record(json)?;
    let sent = envelope.shift_remove("event").filter(|event| !event.is_null());
    let event = match sent {
        None => {
            return Err(Rejection::of_field(
                Rejection::MISSING_FIELD,
                "event",
                "expected an event, got none",
            ));
        }
        Some(Value::String(text)) if text.trim().is_empty() => return Err(blank()),
        Some(Value::Object(event)) if event.is_empty() => return Err(blank()),
        Some(event) => event,
    };
    let mut draft = match event {
        Value::Object(fields) => {
            let mut draft = Draft::new(RawRecord { fields, size_bytes });
            draft.message(&MESSAGE_NAMES);
            draft.message_of_all();
            draft
        }
        message => {
            let mut draft = Draft::new(RawRecord { fields: Map::new(), size_bytes });
            draft.set("message", message);
            draft
        }
    };
    draft.service(&SERVICE_NAMES);
    // Indexed fields belong to the event; an event's own field of the same name keeps it.
    match envelope.shift_remove("fields") {
        Some(Value::Object(fields)) => {
            for (key, value) in fields {
                draft.keep(&key, value);
            }
        }
        Some(Value::Null) | None => {}
        Some(other) => draft.keep("fields", other),
    }
    draft.service(&SERVICE_NAMES);
    let mut outer = Draft::new(RawRecord { fields: envelope, size_bytes });
    outer.time("time");
    outer.text_field("host", "host");
    let (known, rest) = outer.into_parts();
    for (key, value) in known {
        draft.set(&key, value);
    }
    for (key, value) in rest {
        if !value.is_null() {
            draft.keep(&key, value);
        }
    }
    describe(&mut draft, query);
    Ok(draft.finish())
}

fn line(line: &[u8], query: &Query) -> Result<RawRecord, Rejection> {
    if line.len() > MAX_RECORD_BYTES {
        return Err(Rejection::too_large(MAX_RECORD_BYTES, line.len()));
    }
    let mut draft = Draft::new(RawRecord { fields: Map::new(), size_bytes: line.len() });
    draft.set("message", String::from_utf8_lossy(line));
    describe(&mut draft, query);
    Ok(draft.finish())
}

/// Adds what the URL says, and the service of an event that names none.
fn describe(draft: &mut Draft, query: &Query) {
    if let Some(host) = query.host.as_deref().filter(|_| !draft.has("host")) {
        draft.set("host", host);
    }
    let said = [
        ("source", &query.source),
        ("sourcetype", &query.sourcetype),
        ("index", &query.index),
        ("channel", &query.channel),
    ];
    for (name, value) in said {
        if let Some(value) = value.as_deref().filter(|_| draft.peek(name).is_none()) {
            draft.keep(name, value);
        }
    }
    if draft.has("service") {
        return;
    }
    // A source is often a path or the name of the token, and then no name for a service.
    let source = draft.peek_text("source").filter(|source| is_service_name(source));
    let named = |name: &str, empty: &[&str]| {
        draft.peek_text(name).filter(|name| is_service_name(name) && !empty.contains(&name.as_str()))
    };
    let service = source
        .or_else(|| named("sourcetype", &FORMATS))
        .or_else(|| named("index", &["main", "default"]))
        .unwrap_or_else(|| UNKNOWN_SERVICE.to_owned());
    draft.set("service", service);
}

fn blank() -> Rejection {
    Rejection::of_field(Rejection::INVALID_FIELD, "event", "expected an event, got a blank one")
}

#[cfg(test)]
mod tests;
