//! How bad something is that was found in logs: what an insight and an analysis say. What a rule says of its events is the
//! rule's own (`triage`), and spelt otherwise.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
        }
    }

    pub(super) const fn worse(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Critical => Self::Critical,
        }
    }

    pub(super) const fn milder(self) -> Self {
        match self {
            Self::Low | Self::Medium => Self::Low,
            Self::High => Self::Medium,
            Self::Critical => Self::High,
        }
    }

    /// Low below the first step, and one worse from each on.
    pub(super) fn of_steps(value: f64, [medium, high, critical]: [f64; 3]) -> Self {
        if value >= critical {
            Self::Critical
        } else if value >= high {
            Self::High
        } else if value >= medium {
            Self::Medium
        } else {
            Self::Low
        }
    }
}
