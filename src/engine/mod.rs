//! The pure part: formats, rules and policies. No async, no I/O, no clock, no randomness, no globals.

pub mod account;
pub mod analyst;
pub mod anomaly;
pub mod ask;
pub mod attack;
pub mod auth;
pub mod block;
pub mod compare;
pub mod config;
pub mod enrich;
pub mod index;
pub mod limit;
pub mod logql;
pub mod pattern;
pub mod pipeline;
pub mod prose;
pub mod query;
pub mod record;
pub mod redact;
pub mod retention;
pub mod severity;
pub mod shard;
pub mod sketch;
pub mod tenant;
pub mod triage;
pub mod wire;
