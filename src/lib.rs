//! Timberline: a log service that lives inside its user's own Cloudflare account.
//!
//! Read the rooms in this order; `src/README.md` walks a log line and a query through them.

pub mod engine;
