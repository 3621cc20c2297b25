//! The HTTP surface: extract, authorise, call a use case, answer. No storage, no rules of the service.

mod auth;
mod body;
mod error;
mod ops;
mod params;
mod router;
mod v1;

pub use router::{router, unreadable};
