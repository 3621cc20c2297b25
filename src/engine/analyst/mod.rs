//! What is to be said of one service after some hours: how bad it is, what changed, and what to do next. By rules
//! (`builtin`), which always works, or by a language model that is shown the same evidence (`prompt`) and whose answer
//! is let through only as far as the evidence bears it out (`check`). A question in plain English goes the same
//! way to a model and comes back as a query (`question`).
//!
//! It calls no model and reads no log. The evidence is redacted by whoever gathers it. Text of logs is data: it stands in
//! no instruction to a model, and what a model answers is as untrusted as a log line.

mod advice;
mod answer;
mod builtin;
mod clean;
mod escape;
mod facts;
mod families;
mod instant;
mod json;
mod pattern;
mod prompt;
mod question;
mod search;
mod severity;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::engine::severity::Severity;

pub use answer::check;
pub use builtin::builtin;
pub use json::Nonsense;
pub use prompt::{Prompt, prompt};
pub use question::{AskedByModel, EXAMPLES, KnownNames, question_answer, question_prompt};

/// Records by level: DEBUG, INFO, WARN, ERROR, CRITICAL.
pub type Levels5 = [u64; 5];

/// What is known of a service over a time. Anything but the service and the time may be empty.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    pub service: String,
    pub from_ms: i64,
    pub to_ms: i64,
    pub levels: Levels5,
    /// Of the period of equal length just before.
    pub before: Levels5,
    /// Errors and warnings, the most frequent first.
    pub patterns: Vec<PatternSeen>,
    pub endpoints: Vec<Part>,
    pub releases: Vec<ReleaseSeen>,
    pub latency: Option<Latency>,
    pub anomalies: Vec<Noted>,
    /// Different users in records of errors.
    pub users: Option<u64>,
    /// Kinds of attacks that were detected, with the number of records.
    pub threats: Vec<(String, u64)>,
    pub examples: Vec<Example>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PatternSeen {
    pub id: String,
    pub template: String,
    pub level: String,
    pub count: u64,
    /// In the period before.
    pub before: u64,
    /// Ever, not in this period; `None` when that is not known.
    pub first_seen_ms: Option<i64>,
    pub last_seen_ms: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub errors: u64,
    pub total: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ReleaseSeen {
    pub name: String,
    /// When it was first seen; before the period for one that was there already.
    pub from_ms: i64,
    pub errors: u64,
    pub total: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub before_p95_ms: Option<f64>,
    pub samples: u64,
}

/// An anomaly that was found by other means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    pub title: String,
    pub text: String,
    pub severity: Severity,
    pub since_ms: i64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Example {
    pub id: String,
    pub time_ms: i64,
    pub level: String,
    pub message: String,
    pub pattern_id: Option<String>,
    pub trace_id: Option<String>,
    pub stack: Option<String>,
}

/// What is shown. Every text in it is bounded, on one line, and free of links that are not in the evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    pub service_name: String,
    pub severity: Severity,
    pub summary: String,
    pub patterns: Vec<PatternNote>,
    pub recommendations: Vec<String>,
    /// Ids of logs that were given as examples.
    pub evidence_ids: Vec<String>,
    /// What was taken out of a model's answer, or changed, and why. Empty for the rules.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PatternNote {
    pub id: String,
    pub template: String,
    pub count: u64,
    /// `new since 14:02 UTC`, `3.2 times as many as before`, `as before`, or what a model says of it.
    pub what: String,
}

/// Limits of an analysis, in characters where they are of text. They are what a mail or a chat message shows whole.
pub(crate) mod limits {
    pub(crate) const SUMMARY: usize = 2000;
    pub(crate) const RECOMMENDATIONS: usize = 10;
    pub(crate) const RECOMMENDATION: usize = 500;
    pub(crate) const PATTERNS: usize = 20;
    pub(crate) const TEMPLATE: usize = 300;
    pub(crate) const WHAT: usize = 200;
    pub(crate) const EVIDENCE_IDS: usize = 20;
    pub(crate) const ID: usize = 128;
    pub(crate) const NAME: usize = 200;
    pub(crate) const NOTES: usize = 20;
}
