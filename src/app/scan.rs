//! Segments: walking those that a read concerns, and handing what they hold to whoever asks. What is not in
//! segments yet is in `fresh`.

mod masked;
mod needles;
mod open;
mod recent;
mod rollups;
mod run;
mod scanner;
mod segments;
mod spread;
mod walk;
mod wire;

use serde::{Deserialize, Serialize};

pub use needles::Cache as IndexCache;
pub(super) use needles::read as read_index;
pub use open::{Cache, Held, Reads, open};
pub use rollups::Kept;
pub use run::{Again, MAX_BYTES_READ, MAX_R2_READS, Scan, Sink, run};
pub use scanner::work;
pub use segments::Segments;
pub use wire::{Gather, Part};

use super::App;
use crate::ports::CatalogEntry;

/// List prices: of an R2 class B operation and of a Durable Object request.
const R2_READ_USD: f64 = 0.36e-6;
const OBJECT_REQUEST_USD: f64 = 0.15e-6;

/// What reading has cost so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// Indexes that were asked which segments can hold the words.
    pub indexes: u64,
    /// Opened.
    pub segments: u64,
    pub blocks_total: u64,
    pub blocks_read: u64,
    pub r2_reads: u64,
    /// Of shards, for what is not flushed.
    pub shard_requests: u64,
    /// Of scanners, which look into segments; what they read is counted with the rest.
    pub scanner_requests: u64,
    /// Of the catalog.
    #[serde(default)]
    pub catalog_requests: u64,
    pub bytes_read: u64,
    pub rows_scanned: u64,
    pub rows_matched: u64,
    pub elapsed_ms: u64,
    /// Something that could have been in the answer was not looked at.
    pub partial: bool,
}

impl Stats {
    /// What the reads and the objects' requests are billed at, in US dollars.
    #[expect(clippy::cast_precision_loss, reason = "they are few")]
    pub fn cost_usd(&self) -> f64 {
        self.r2_reads as f64 * R2_READ_USD
            + (self.shard_requests + self.scanner_requests) as f64 * OBJECT_REQUEST_USD
    }

    /// Adds what another search has cost.
    pub fn add(&mut self, other: &Self) {
        self.indexes += other.indexes;
        self.segments += other.segments;
        self.blocks_total += other.blocks_total;
        self.blocks_read += other.blocks_read;
        self.r2_reads += other.r2_reads;
        self.shard_requests += other.shard_requests;
        self.scanner_requests += other.scanner_requests;
        self.catalog_requests += other.catalog_requests;
        self.bytes_read += other.bytes_read;
        self.rows_scanned += other.rows_scanned;
        self.rows_matched += other.rows_matched;
        self.elapsed_ms += other.elapsed_ms;
        self.partial |= other.partial;
    }

    /// What it has cost, whatever came of it.
    #[must_use]
    pub fn cost(&self) -> Self {
        Self {
            r2_reads: self.r2_reads,
            shard_requests: self.shard_requests,
            scanner_requests: self.scanner_requests,
            catalog_requests: self.catalog_requests,
            bytes_read: self.bytes_read,
            ..Self::default()
        }
    }

    /// A segment cannot be read: it is noted for whoever mends it, and the answer is partial.
    pub fn pass_over(&mut self, app: &App, entry: &CatalogEntry, why: &str) {
        app.journal.error(&format!("segment {} was passed over: {why}", entry.key));
        self.partial = true;
    }
}

/// Times that a reader begins anew because a segment was replaced under it.
pub const MAX_TRIES: usize = 3;

/// A segment that was in the catalog and whose object is gone: it was rewritten or expired meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vanished;

#[cfg(test)]
mod tests;
