//! Secrets and personal data, taken out of a log before it is stored (`Redactor`) and hidden on reading from
//! who may not see them (`reading`).
//!
//! One pass finds the few places where something may begin (`anchors`, `scan`); exact rules look there and
//! nowhere else. What comes out is left as it is when it goes in again, and a record that cannot be redacted
//! is an error, never stored as it came.

mod anchors;
pub mod anonymise;
mod birth;
mod bytes;
mod compiled;
mod context;
mod digits;
mod ids;
mod kind;
mod lone;
mod mark;
mod names;
mod net;
mod pairs;
mod percent;
mod policy;
mod reading;
mod record;
mod scan;
mod shapes;
#[cfg(test)]
mod tests;
mod tokens;
mod values;

pub use compiled::{Failed, Redaction, Redactor};
pub use policy::{Custom, Policy, Refused, Strategy};
pub use reading::{is_personal, is_shown_as_stored, mask, mask_json, mask_row, without_secrets};
