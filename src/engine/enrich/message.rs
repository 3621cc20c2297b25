//! Fields that stand inside a message: JSON, logfmt, and the lines of an access log.

mod access;
mod known;
mod logfmt;

use serde_json::{Map, Value};

use crate::engine::record::model::Level;

/// A longer message is text, whatever it looks like: its fields would cost more than they tell.
const MAX_BYTES: usize = 64 * 1024;
const MAX_DEPTH: usize = 32;
const MAX_FIELDS: usize = 100;
/// How far into an access line its time may begin, and how long the name of a first field may be.
const MAX_PREFIX: usize = 512;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    #[default]
    Json,
    Logfmt,
    /// A line of an access log, or logfmt that says what one does.
    Access,
}

/// What a message holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    pub form: Form,
    /// Everything, under its own names.
    pub fields: Map<String, Value>,
    pub level: Option<Level>,
    /// The message inside the message.
    pub message_text: Option<String>,
    /// In upper case.
    pub method: Option<String>,
    /// A path without its query; its ids are still in it.
    pub endpoint: Option<String>,
    /// 100 to 599.
    pub status: Option<i64>,
    pub duration_ms: Option<f64>,
    pub address: Option<String>,
    pub user_agent: Option<String>,
    pub trace_id: Option<String>,
    pub user_id: Option<String>,
    pub error_type: Option<String>,
    pub logger: Option<String>,
}

/// Reads the fields of a message that consists of them; `None` is a message that is text.
pub fn parse_message(message: &str) -> Option<Parsed> {
    if message.len() > MAX_BYTES || !may_have_fields(message) {
        return None;
    }
    let text = message.trim_ascii();
    let (form, fields) = if text.starts_with('{') {
        (Form::Json, json(text)?)
    } else if let Some(fields) = access::parse(text) {
        (Form::Access, fields)
    } else {
        (Form::Logfmt, logfmt::parse(text)?)
    };
    let mut parsed = known::read(form, &fields);
    parsed.fields = fields;
    Some(parsed)
}

/// Quick and conservative, on a message without JSON escapes or as it stands in JSON: `false` only when
/// `parse_message` answers `None`.
pub fn may_have_fields(message: &str) -> bool {
    let text = message.as_bytes().trim_ascii_start();
    // An escape may be anything.
    if text.first().is_none_or(|byte| matches!(byte, b'{' | b'\\')) {
        return !text.is_empty();
    }
    let beginning = text.get(..=MAX_PREFIX).unwrap_or(text);
    let first =
        beginning.iter().find(|byte| matches!(byte, b'=' | b'\\' | b' ' | b'\t' | b'\n' | b'\r' | b'"'));
    if matches!(first, Some(b'=' | b'\\')) {
        return true;
    }
    match memchr::memchr2(b'[', b'\\', beginning).and_then(|at| text.get(at..)) {
        Some([b'[', day, ..]) => day.is_ascii_digit() || *day == b'\\',
        Some([b'[']) | None => false,
        Some(_) => true,
    }
}

fn json(text: &str) -> Option<Map<String, Value>> {
    if !text.ends_with('}') || !is_shallow(text.as_bytes()) {
        return None;
    }
    let fields: Map<String, Value> = serde_json::from_str(text).ok()?;
    (1..=MAX_FIELDS).contains(&fields.len()).then_some(fields)
}

/// Whether nothing is deeper than it may be, before anything is built of it.
fn is_shallow(json: &[u8]) -> bool {
    let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            b'{' | b'[' if !inside => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return false;
                }
            }
            b'}' | b']' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests;
