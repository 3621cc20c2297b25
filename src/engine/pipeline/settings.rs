//! What a tenant says of its pipeline.

use serde::{Deserialize, Serialize};

use crate::engine::{redact, retention::Retention, triage};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub redaction: redact::Policy,
    pub rules: Vec<triage::Rule>,
    pub retention: Retention,
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
