//! Timberline: a log service that lives inside its user's own Cloudflare account.
//!
//! The rooms in reading order: `engine`, `ports`, `app`, `http`, then `platform` and `entry`.
//! `src/README.md` walks a log line and a query through them.

pub mod app;
pub mod engine;
pub mod http;
pub mod ports;

#[cfg(any(feature = "contract", not(target_arch = "wasm32")))]
pub mod contract;
#[cfg(not(target_arch = "wasm32"))]
pub mod fakes;

#[cfg(target_arch = "wasm32")]
mod entry;
#[cfg(target_arch = "wasm32")]
mod platform;
