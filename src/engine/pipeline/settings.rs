//! What a tenant says of its pipeline.

use serde::{Deserialize, Serialize};

use crate::engine::{redact, retention::Retention, triage};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub steps: Steps,
    pub redaction: redact::Policy,
    pub rules: Vec<triage::Rule>,
    pub retention: Retention,
}

/// What a record passes besides redaction and rules, which have settings of their own. What is switched off is not paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Steps {
    /// Fields and levels from messages, normal names, categories, and what is known of the client.
    pub enrichment: bool,
    /// Tags of attacks and of failed logins.
    pub attacks: bool,
    /// The patterns of messages.
    pub patterns: bool,
}

impl Default for Steps {
    fn default() -> Self {
        Self { enrichment: true, attacks: true, patterns: true }
    }
}

/// They are part of a row, and of what every isolate holds.
const MAX_BYTES: usize = 256 << 10;

/// A setting that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Refused {
    pub field: String,
    pub message: String,
}

impl From<redact::Refused> for Refused {
    fn from(redact::Refused { field, message }: redact::Refused) -> Self {
        Self { field, message }
    }
}

impl From<triage::Refused> for Refused {
    fn from(triage::Refused { field, message }: triage::Refused) -> Self {
        Self { field, message }
    }
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), Refused> {
        let bytes = serde_json::to_string(self).map_or(usize::MAX, |json| json.len());
        if bytes > MAX_BYTES {
            let message =
                format!("expected settings, rules and all, of at most {MAX_BYTES} bytes, got {bytes}");
            return Err(Refused { field: "rules".into(), message });
        }
        self.retention.check().map_err(|(field, message)| Refused { field, message })
    }
}
