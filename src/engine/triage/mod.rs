//! What becomes of a record before it is stored, by a tenant's rules: tags, level, category, retention class, sampling,
//! events. It knows no storage and no clock, and delivers nothing: it says what fired.
//!
//! Invariants: rules are taken in their order, and one that stops ends it; records of errors are sampled only by a rule
//! that says so; whether a record of a trace is kept follows from the trace, so that a trace is kept or dropped whole.

mod builtin;
mod rule;
mod rules;
mod sample;
mod window;

pub use builtin::{BRUTE_FORCE, CREDENTIAL_STUFFING, builtin, in_order};
pub use rule::{Action, Refused, Rule, Severity};
pub use rules::{Counted, Fired, Holding, Known, Login, Observation, Rules, Triaged};
pub use window::Windows;
