//! The log routes: one file per resource.

pub(super) mod config;
pub(super) mod ingest;
pub(super) mod read;
pub(super) mod show;
pub(super) mod stats;
