//! The log routes: one file per resource.

pub(super) mod aggregate;
pub(super) mod ask;
pub(super) mod config;
pub(super) mod export;
pub(super) mod ingest;
pub(super) mod read;
pub(super) mod search;
pub(in crate::http) mod show;
pub(super) mod stats;
