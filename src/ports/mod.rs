//! What the use cases need of the world, as traits in their own words. No logic.
//!
//! Every trait is object-safe, `Send + Sync`, and implemented twice: by `platform` on Cloudflare, by
//! `fakes` in memory.

pub mod accounts;
pub mod analyses;
pub mod anomalies;
pub mod background;
pub mod catalog;
pub mod clock;
pub mod events;
pub mod journal;
pub mod limit_log;
pub mod limits;
pub mod meter;
pub mod model;
pub mod objects;
pub mod outbound;
pub mod partitions;
pub mod patterns;
pub mod random;
pub mod scanners;
pub mod shard_log;
pub mod shards;

pub use accounts::{Accounts, Copies};
pub use analyses::Analyses;
pub use anomalies::Anomalies;
pub use background::Background;
pub use catalog::{Catalog, CatalogEntry};
pub use clock::Clock;
pub use events::Events;
pub use journal::Journal;
pub use limit_log::LimitLog;
pub use limits::{LimiterName, Limits};
pub use meter::{Counts, Meter};
pub use model::Model;
pub use objects::ObjectStore;
pub use outbound::Outbound;
pub use partitions::Partitions;
pub use patterns::Patterns;
pub use random::Random;
pub use scanners::{ScannerName, Scanners};
pub use shard_log::ShardLog;
pub use shards::{ShardName, Shards};

/// A part of the platform did not do what it was asked. Nothing is known of whether a write took
/// effect; asking again is always allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{part} failed: {reason}")]
pub struct PortError {
    /// Which part: `accounts`, `analyses`, `anomalies`, `catalog`, `copies`, `events`, `model`, `objects`, `outbound`, `shard`, `shard log`, `scanner`, `limiter`,
    /// `limit log`, or `store` for all of them together.
    pub part: &'static str,
    pub reason: String,
}
