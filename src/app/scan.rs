//! Segments: walking those that a read concerns, and handing what they hold to whoever asks. What is not in
//! segments yet is in `fresh`.

mod open;
mod run;
mod scanner;
mod spread;
mod walk;
mod wire;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use open::{Cache, Held, open};
pub use run::{Again, Scan, Sink, run};
pub use scanner::work;
pub use wire::{Gather, Part};

use super::{App, Error, fresh::Fresh};
use crate::{
    engine::{
        block::{
            Corrupt, Rollup,
            rows::{self, Row},
        },
        query::TimeRange,
        tenant::Tenant,
    },
    ports::{
        CatalogEntry,
        catalog::{After, Detail},
    },
};

/// Catalog entries of a first page. An entry may take 2 MB, so the pages behind it are as long as the
/// entries before them were short.
const FIRST_PAGE: usize = 8;
const MAX_PAGE: usize = 200;
const PAGE_BYTES: usize = 2 << 20;

/// List prices: of an R2 class B operation and of a Durable Object request.
const R2_READ_USD: f64 = 0.36e-6;
const OBJECT_REQUEST_USD: f64 = 0.15e-6;

/// What reading has cost so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    pub segments: u64,
    pub blocks_total: u64,
    pub blocks_read: u64,
    pub r2_reads: u64,
    /// Of shards, for what is not flushed.
    pub shard_requests: u64,
    /// Of scanners, which look into segments; what they read is counted with the rest.
    pub scanner_requests: u64,
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
        self.segments += other.segments;
        self.blocks_total += other.blocks_total;
        self.blocks_read += other.blocks_read;
        self.r2_reads += other.r2_reads;
        self.shard_requests += other.shard_requests;
        self.scanner_requests += other.scanner_requests;
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

/// Walks a tenant's segments that overlap a range, newest first, without those that `fresh` covers.
pub struct Segments<'a> {
    app: &'a App,
    tenant: &'a Tenant,
    range: TimeRange,
    detail: Detail,
    page: std::vec::IntoIter<CatalogEntry>,
    page_len: usize,
    after: Option<After>,
    /// The moment of the first page, to which the others keep: a merge between two of them hides nothing.
    as_of: u64,
    done: bool,
}

impl<'a> Segments<'a> {
    pub fn new(app: &'a App, tenant: &'a Tenant, range: TimeRange, detail: Detail) -> Self {
        let page = Vec::new().into_iter();
        Self { app, tenant, range, detail, page, page_len: FIRST_PAGE, after: None, as_of: 0, done: false }
    }

    pub async fn next(&mut self, fresh: &Fresh) -> Result<Option<CatalogEntry>, Error> {
        loop {
            match self.page.next() {
                Some(entry) if fresh.covers(&entry) => {}
                Some(entry) => return Ok(Some(entry)),
                None if self.done => return Ok(None),
                None => self.turn().await?,
            }
        }
    }

    async fn turn(&mut self) -> Result<(), Error> {
        let (catalog, range, limit) = (&self.app.catalog, self.range, self.page_len);
        let page = match &self.after {
            None => {
                let page = catalog.segments(self.tenant, range, None, limit, self.detail).await?;
                self.as_of = page.first().map_or(0, |entry| entry.as_of);
                page
            }
            Some(after) => {
                catalog.segments_as_of(self.tenant, range, after, self.as_of, limit, self.detail).await?
            }
        };
        self.done = page.len() < self.page_len;
        self.after =
            page.last().map(|entry| After { max_time_ms: entry.max_time.as_ms(), key: entry.key.clone() });
        let bytes: usize = page.iter().map(weight).sum();
        self.page_len = (PAGE_BYTES * page.len() / bytes.max(1)).clamp(FIRST_PAGE, MAX_PAGE);
        self.page = page.into_iter();
        Ok(())
    }
}

/// About the bytes that an entry takes in memory.
fn weight(entry: &CatalogEntry) -> usize {
    let minutes = |rollup: &Rollup| rollup.counts.values().map(BTreeMap::len).sum::<usize>();
    1_000 + entry.services.len() * 300 + entry.rollup.as_ref().map_or(0, minutes) * 60
}

/// Times that a reader begins anew because a segment was replaced under it.
pub const MAX_TRIES: usize = 3;

/// A segment that was in the catalog and whose object is gone: it was rewritten or expired meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vanished;

/// Reads the rows of a block's text.
pub fn for_each_row(text: &[u8], mut each: impl FnMut(Row<'_>) -> Result<(), Error>) -> Result<(), Error> {
    for row in rows::rows(text) {
        each(row.map_err(|e: Corrupt| Error::from(e))?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
