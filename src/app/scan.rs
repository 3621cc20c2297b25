//! Segments: walking those that a read concerns, and reading them with a bound on what one request may
//! cost. What is not in segments yet is in `fresh`.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use serde::Serialize;

use super::{App, Error, fresh::Fresh};
use crate::{
    engine::{
        block::{
            Corrupt, Footer, Rollup, reader,
            rows::{self, Row},
        },
        query::TimeRange,
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        CatalogEntry,
        catalog::{After, Detail},
    },
};

/// A segment up to this size is read whole: one operation costs more than the bytes.
const WHOLE_BELOW_BYTES: u64 = 512 << 10;

/// Blocks that lie together are read together up to this many bytes.
const MAX_READ_BYTES: u64 = 4 << 20;

/// Catalog entries of a first page. An entry may take 2 MB, so the pages behind it are as long as the
/// entries before them were short.
const FIRST_PAGE: usize = 8;
const MAX_PAGE: usize = 200;
const PAGE_BYTES: usize = 2 << 20;

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

/// Walks a tenant's segments that overlap a range, newest first, without those that `fresh` covers.
pub struct Segments<'a> {
    app: &'a App,
    tenant: &'a Tenant,
    range: TimeRange,
    detail: Detail,
    page: std::vec::IntoIter<CatalogEntry>,
    page_len: usize,
    after: Option<After>,
    done: bool,
}

impl<'a> Segments<'a> {
    pub fn new(app: &'a App, tenant: &'a Tenant, range: TimeRange, detail: Detail) -> Self {
        let page = Vec::new().into_iter();
        Self { app, tenant, range, detail, page, page_len: FIRST_PAGE, after: None, done: false }
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
        let (catalog, after) = (&self.app.catalog, self.after.as_ref());
        let page = catalog.segments(self.tenant, self.range, after, self.page_len, self.detail).await?;
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
