//! The HTTP surface: extract, authorise, call a use case, answer. No storage, no rules of the service.

mod admin;
mod analyses;
mod analytics;
mod body;
mod error;
mod gate;
mod insights;
mod loki;
mod ops;
mod params;
mod push;
mod request_id;
mod router;
mod taking;
mod v1;

pub use router::{policy, router, unreadable};
