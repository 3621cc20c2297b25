//! Why one record was not taken. A rejection is a result, not an error: the rest of its batch goes on.

use serde::Serialize;
use serde_json::Value;

/// Codes are part of the API and never change their meaning; docs/fields.md lists them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    pub code: &'static str,
    /// The field as the caller spelt it, or its first spelling when it was not sent at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Lower-case, says what was expected and what came.
    pub message: String,
}

impl Rejection {
    pub const MISSING_FIELD: &'static str = "missing_field";
    pub const INVALID_FIELD: &'static str = "invalid_field";
    pub const INVALID_SERVICE: &'static str = "invalid_service";
    pub const SERVICE_NOT_ALLOWED: &'static str = "service_not_allowed";
    pub const INVALID_LEVEL: &'static str = "invalid_level";
    pub const INVALID_TIMESTAMP: &'static str = "invalid_timestamp";
    pub const REDACTION_FAILED: &'static str = "redaction_failed";
    pub const TRIAGE_FAILED: &'static str = "triage_failed";
    pub const TIMESTAMP_TOO_OLD: &'static str = "timestamp_too_old";
    pub const TIMESTAMP_IN_FUTURE: &'static str = "timestamp_in_future";
    pub const RECORD_TOO_LARGE: &'static str = "record_too_large";
    pub const NESTED_TOO_DEEP: &'static str = "nested_too_deep";
    pub const NOT_AN_OBJECT: &'static str = "not_an_object";
    pub const QUOTA_EXCEEDED: &'static str = "quota_exceeded";
    pub const MALFORMED_JSON: &'static str = "malformed_json";

    /// About the record as a whole.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into() }
    }

    pub fn of_field(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, field: Some(field.into()), message: message.into() }
    }

    pub fn too_large(limit: usize, got: usize) -> Self {
        Self::new(
            Self::RECORD_TOO_LARGE,
            format!("expected a record of at most {limit} bytes of JSON, got {got}"),
        )
    }
}

/// A value as a message shows it: scalars as JSON cut to 40 characters, the others by kind.
pub(crate) fn shown(value: &Value) -> String {
    let text = match value {
        Value::Array(_) => return "an array".into(),
        Value::Object(_) => return "an object".into(),
        scalar => scalar.to_string(),
    };
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
        None => format!("`{text}`"),
    }
}
