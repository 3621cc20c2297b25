//! What a log is: the `Record` every wire format is normalised to, and the rules a record must meet.
//!
//! The floor of the engine: it knows no wire format, no storage and no query. Invariant: a `Record`
//! that exists has passed `normalise`, so its service, level and timestamp are valid everywhere else.

pub mod field;
pub mod model;
pub mod normalise;
pub mod plain;
pub(in crate::engine) mod quote;
pub mod rejection;
pub mod row;
pub mod severity;
pub mod timestamp;
mod vocabulary;

pub use vocabulary::stored_name;
