//! Records as Loki's clients see them: which stream one is of, and which records a query of `LogQL` wants.
//!
//! A record that was pushed as Loki's keeps the labels that it came with (`metadata.labels`, and the names of its
//! structured metadata in `metadata.structured`); every other is of the stream of its service, level and environment.
//! Invariant: `Selection` and `Line` say the same of a record: what the one selects is what the other's labels match.

mod detect;
mod line;
mod select;

#[cfg(test)]
mod tests;

pub use detect::{Detected, Detector, Kind};
pub use line::{Line, is_own_field};
pub use select::{Selection, source};

/// The labels of records that were not pushed as Loki's.
pub const SERVICE: &str = "service_name";
pub const LEVEL: &str = "level";
pub const ENVIRONMENT: &str = "environment";

/// What is said of the level of every record, in its structured metadata.
pub const DETECTED_LEVEL: &str = "detected_level";

/// Where the labels of a stream are kept.
pub const LABELS: &str = "metadata.labels";

/// The label that every pushed stream has: by it a pushed record is told from others.
pub const PUSHED: &str = "metadata.labels.service_name";
