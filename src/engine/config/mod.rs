//! Settings: the deployment's, parsed once and refused when wrong, and each service's own.

pub mod deployment;
pub mod service;

pub use deployment::{RateLimits, Settings};
pub use service::{RetentionPolicy, ServiceConfig};
