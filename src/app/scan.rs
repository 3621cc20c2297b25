//! Where a tenant's rows are: the spool, the shards' logs, the segments; and reading them with a bound
//! on what one request may cost.
//!
//! The order in which they are asked makes a read fresh and exact: spool, then shards, then catalog.
//! A row moves only forwards along that line and is written in the new place before it leaves the old
//! one, so no row is missed; a segment that a shard's answer covers already is passed over, and rows
//! are told apart by id where a place may hold them twice.

use std::{collections::HashSet, sync::Arc};

use bytes::Bytes;
use serde::Serialize;
use uuid::Uuid;

use super::{App, Error, find};
use crate::{
    engine::{
        block::{
            Corrupt, Footer, reader,
            rows::{self, Row},
        },
        query::TimeRange,
        record::timestamp::Timestamp,
        shard::Append,
        tenant::Tenant,
    },
    ports::{
        CatalogEntry, PortError,
        catalog::{After, Detail},
    },
};

/// A segment up to this size is read whole: one operation costs more than the bytes.
const WHOLE_BELOW_BYTES: u64 = 512 << 10;

/// Blocks that lie together are read together up to this many bytes.
const MAX_READ_BYTES: u64 = 4 << 20;

/// Catalog entries asked for at once.
const CATALOG_PAGE: usize = 200;

/// Spooled objects a reader looks into; while there are more, answers are partial.
const MAX_SPOOLED: usize = 200;

/// What reading has cost so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    pub segments: u64,
    pub blocks_total: u64,
    pub blocks_read: u64,
    pub r2_reads: u64,
    pub bytes_read: u64,
    pub rows_scanned: u64,
    pub rows_matched: u64,
    pub elapsed_ms: u64,
    /// Something that could have been in the answer was not looked at.
    pub partial: bool,
}

impl Stats {
    /// A segment cannot be read: it is noted for whoever mends it, and the answer is partial.
    pub fn pass_over(&mut self, app: &App, entry: &CatalogEntry, why: &str) {
        app.journal.error(&format!("segment {} was passed over: {why}", entry.key));
        self.partial = true;
    }
}

/// What waits in front of the segments: appends of the spool and of the shards.
pub struct Fresh {
    /// Of the shards.
    appends: Vec<Bytes>,
    /// Of the spool, without those that a shard has too. A segment may have one of them.
    spooled: Vec<Bytes>,
    /// For each shard that answered: segments from this sequence number on are in `appends`.
    covered: Vec<(u32, u64)>,
    pub partial: bool,
}

impl Fresh {
    /// Asks the spool and every shard for what overlaps the range.
    pub async fn read(
        app: &App,
        tenant: &Tenant,
        range: TimeRange,
        stats: &mut Stats,
    ) -> Result<Self, Error> {
        let keys = app.catalog.spooled(tenant, MAX_SPOOLED).await?;
        let (mut spooled, mut partial) = (Vec::new(), keys.len() >= MAX_SPOOLED);
        for key in &keys {
            stats.r2_reads += 1;
            // One that is gone has come home since: its shard has it.
            let Some(bytes) = app.objects.get(key).await?.map(Bytes::from) else { continue };
            stats.bytes_read += bytes.len() as u64;
            match Append::parse(&bytes) {
                Ok(append) => spooled.push((append.header.first_id, bytes)),
                Err(corrupt) => {
                    app.journal.error(&format!("spooled {key} was passed over: {corrupt}"));
                    partial = true;
                }
            }
        }
        let mut fresh = Self::of_shards(app, tenant, range).await;
        fresh.partial |= partial;
        if spooled.is_empty() {
            return Ok(fresh);
        }
        let held = fresh.appends.iter().map(|bytes| Ok(Append::parse(bytes)?.header.first_id));
        let held = held.collect::<Result<HashSet<Uuid>, Corrupt>>()?;
        let waiting = spooled.into_iter().filter(|(first_id, _)| !held.contains(first_id));
        fresh.spooled = waiting.map(|(_, bytes)| bytes).collect();
        Ok(fresh)
    }

    /// The same without what segments have already: for counts, which do not tell rows apart by id.
    pub async fn read_distinct(
        app: &App,
        tenant: &Tenant,
        range: TimeRange,
        stats: &mut Stats,
    ) -> Result<Self, Error> {
        let mut fresh = Self::read(app, tenant, range, stats).await?;
        for bytes in std::mem::take(&mut fresh.spooled) {
            let first_id = Append::parse(&bytes)?.header.first_id;
            match find::find_in_shards_and_segments(app, tenant, first_id).await {
                Ok(Some(_)) => {}
                Ok(None) => fresh.spooled.push(bytes),
                Err(Error::Unavailable(_)) => {
                    fresh.partial = true;
                    fresh.spooled.push(bytes);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(fresh)
    }

    /// Asks the shards alone.
    pub async fn of_shards(app: &App, tenant: &Tenant, range: TimeRange) -> Self {
        let mut fresh =
            Self { appends: Vec::new(), spooled: Vec::new(), covered: Vec::new(), partial: false };
        for shard in app.shards_of(tenant) {
            match app.shards.unflushed(&shard, range).await {
                Ok(unflushed) => {
                    fresh.partial |= unflushed.truncated;
                    fresh.covered.push((shard.number, unflushed.from_seq));
                    fresh.appends.extend(unflushed.appends);
                }
                // What is in segments can still be found; the answer says that it is not all.
                Err(PortError { .. }) => fresh.partial = true,
            }
        }
        fresh
    }

    /// The text of every block that overlaps the range.
    pub fn for_each_text(
        &self,
        range: TimeRange,
        mut each: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        for bytes in self.appends.iter().chain(&self.spooled) {
            let append = Append::parse(bytes)?;
            for (head, block) in append.blocks() {
                if range.overlaps(head.min_time, head.max_time) {
                    each(&rows::decode(head.codec, block)?)?;
                }
            }
        }
        Ok(())
    }

    pub fn covers(&self, entry: &CatalogEntry) -> bool {
        self.covered.iter().any(|(shard, from)| entry.id.shard == *shard && entry.id.first_seq >= *from)
    }
}

/// Walks a tenant's segments that overlap a range, newest first, without those that `fresh` covers.
pub struct Segments<'a> {
    app: &'a App,
    tenant: &'a Tenant,
    range: TimeRange,
    detail: Detail,
    page: std::vec::IntoIter<CatalogEntry>,
    after: Option<After>,
    done: bool,
}

impl<'a> Segments<'a> {
    pub fn new(app: &'a App, tenant: &'a Tenant, range: TimeRange, detail: Detail) -> Self {
        Self { app, tenant, range, detail, page: Vec::new().into_iter(), after: None, done: false }
    }

    pub async fn next(&mut self, fresh: &Fresh) -> Result<Option<CatalogEntry>, Error> {
        loop {
            match self.page.next() {
                Some(entry) if fresh.covers(&entry) => {}
                Some(entry) => return Ok(Some(entry)),
                None if self.done => return Ok(None),
                None => {
                    let page = self
                        .app
                        .catalog
                        .segments(self.tenant, self.range, self.after.as_ref(), CATALOG_PAGE, self.detail)
                        .await?;
                    self.done = page.len() < CATALOG_PAGE;
                    self.after = page
                        .last()
                        .map(|entry| After { max_time_ms: entry.max_time.as_ms(), key: entry.key.clone() });
                    self.page = page.into_iter();
                }
            }
        }
    }
}

/// A segment that was in the catalog and whose object is gone: it was rewritten or expired meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vanished;

/// A segment opened for reading.
pub struct Open {
    key: Arc<str>,
    /// The whole segment, when it is small.
    whole: Option<Bytes>,
    pub footer: Footer,
}

/// Reads a segment's footer, and all of it where that is as cheap.
pub async fn open(
    app: &App,
    entry: &CatalogEntry,
    stats: &mut Stats,
) -> Result<Result<Open, Vanished>, Error> {
    let whole = entry.size_bytes <= WHOLE_BELOW_BYTES;
    let offset = if whole { 0 } else { entry.footer_offset };
    let length = entry.size_bytes.saturating_sub(offset);
    stats.segments += 1;
    stats.r2_reads += 1;
    let read = if whole {
        app.objects.get(&entry.key).await?
    } else {
        app.objects.get_range(&entry.key, offset, length).await?
    };
    let Some(bytes) = read.map(Bytes::from) else { return Ok(Err(Vanished)) };
    stats.bytes_read += bytes.len() as u64;
    let footer = if whole { reader::footer_of(&bytes)? } else { reader::footer(&bytes)? };
    stats.blocks_total += footer.blocks.len() as u64;
    Ok(Ok(Open { key: entry.key.as_str().into(), whole: whole.then_some(bytes), footer }))
}

impl Open {
    /// The blocks with these indices, in the order given: rising or falling. The bytes of several are
    /// fetched at once; `each` says whether to go on.
    pub async fn read_blocks(
        &self,
        app: &App,
        wanted: &[usize],
        stats: &mut Stats,
        mut each: impl FnMut(usize, &[u8], &mut Stats) -> Result<bool, Error>,
    ) -> Result<Result<(), Vanished>, Error> {
        let metas = || wanted.iter().filter_map(|nth| Some((*nth, self.footer.blocks.get(*nth)?)));
        let mut fetched: (u64, Bytes) = self.whole.clone().map_or((0, Bytes::new()), |whole| (0, whole));
        for (next, (nth, meta)) in metas().enumerate() {
            let here = reader::slice(&fetched.1, fetched.0, meta).is_ok();
            if !here {
                let (from, to) =
                    span(metas().skip(next).map(|(_, meta)| (meta.offset, meta.offset + meta.length)));
                stats.r2_reads += 1;
                let Some(bytes) = app.objects.get_range(&self.key, from, to.saturating_sub(from)).await?
                else {
                    return Ok(Err(Vanished));
                };
                stats.bytes_read += bytes.len() as u64;
                fetched = (from, bytes.into());
            }
            stats.blocks_read += 1;
            let text = reader::block(meta, reader::slice(&fetched.1, fetched.0, meta)?)?;
            if !each(nth, &text, stats)? {
                break;
            }
        }
        Ok(Ok(()))
    }

    pub fn key(&self) -> Arc<str> {
        self.key.clone()
    }

    /// The blocks that can hold a row received at this time.
    pub fn received_at(&self, time: Timestamp) -> Vec<usize> {
        let holds = |block: &crate::engine::block::BlockMeta| {
            block.min_received <= time && time <= block.max_received
        };
        self.footer.blocks.iter().enumerate().filter(|(_, block)| holds(block)).map(|(nth, _)| nth).collect()
    }
}

/// The first of these byte ranges, and those behind it as far as one read reaches.
fn span(ranges: impl Iterator<Item = (u64, u64)>) -> (u64, u64) {
    let mut all: Option<(u64, u64)> = None;
    for (from, to) in ranges {
        let (min, max) = all.map_or((from, to), |(min, max)| (min.min(from), max.max(to)));
        if all.is_some() && max - min > MAX_READ_BYTES {
            break;
        }
        all = Some((min, max));
    }
    all.unwrap_or_default()
}

/// Reads the rows of a block's text.
pub fn for_each_row(text: &[u8], mut each: impl FnMut(Row<'_>) -> Result<(), Error>) -> Result<(), Error> {
    for row in rows::rows(text) {
        each(row.map_err(|e: Corrupt| Error::from(e))?)?;
    }
    Ok(())
}
