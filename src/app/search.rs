//! Search: the newest rows that a filter wants, a page at a time.

use std::sync::Arc;

use super::{
    App, Error,
    fresh::{self, Copies},
    scan::{self, Segments, Stats, Vanished},
};
use crate::{
    engine::{
        block::rows::Row,
        query::{Collector, Filter, Position, TimeRange},
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{CatalogEntry, catalog::Detail},
};

/// Rows a page holds at the most.
pub const MAX_LIMIT: usize = 1_000;

/// How far a page may lie behind the first row when it is asked for by number; a cursor has no such end.
pub const MAX_OFFSET: usize = 10_000;

/// Reads of the bucket and bytes scanned that one search may cost; beyond it the answer is partial and
/// its cursor goes on.
const MAX_R2_READS: u64 = 400;
const MAX_BYTES_READ: u64 = 64 << 20;

/// Times that a search begins anew because a segment was replaced under it.
const MAX_TRIES: usize = 3;

#[derive(Clone, Debug)]
pub struct Search {
    pub filter: Filter,
    pub limit: usize,
    pub offset: usize,
    /// Rows before this position are not shown again.
    pub after: Option<Position>,
}

/// Bytes that a row on a page takes besides its line.
const ROW_BYTES: usize = 200;

/// A record as it is stored, and where it is kept. It stays text: a page of a thousand trees would be more
/// than an isolate has.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// The row's JSON, without its newline.
    pub line: Box<[u8]>,
    /// The segment's key; absent until it is flushed.
    pub key: Option<Arc<str>>,
}

#[derive(Clone, Debug)]
pub struct Page {
    pub rows: Vec<Stored>,
    /// Where the next page begins; absent at the end.
    pub next: Option<Position>,
    pub stats: Stats,
}

pub async fn search(app: &App, tenant: &Tenant, search: &Search) -> Result<Page, Error> {
    let began = app.clock.now_ms();
    let mut nth = 1;
    loop {
        if let Ok(mut page) = once(app, tenant, search, nth >= MAX_TRIES).await? {
            page.stats.elapsed_ms = app.clock.now_ms().saturating_sub(began);
            return Ok(page);
        }
        nth += 1;
    }
}

/// One pass. A segment that cannot be read must not hide all the others: it is noted, and the answer
/// says that it is not whole.
async fn once(
    app: &App,
    tenant: &Tenant,
    search: &Search,
    last_try: bool,
) -> Result<Result<Page, Vanished>, Error> {
    let mut stats = Stats::default();
    let mut filter = search.filter.clone();
    if let Some(after) = search.after {
        filter.time.end = filter.time.end.min(after.time);
    }
    let mut page = Collector::new(search.offset + search.limit + 1);
    let take = |page: &mut Collector<Stored>, text: &[u8], key: Option<&Arc<str>>, stats: &mut Stats| {
        scan::for_each_row(text, |row| {
            stats.rows_scanned += 1;
            offer(page, search, &filter, &row, key, stats)
        })
    };
    let look = |text: &[u8], stats: &mut Stats| take(&mut page, text, None, stats);
    let fresh = fresh::read(app, tenant, filter.time, Copies::Allowed, &mut stats, look).await?;
    stats.partial |= fresh.partial;

    let mut segments = Segments::new(app, tenant, filter.time, Detail::Summaries);
    let mut cut_at = None;
    while let Some(entry) = segments.next(&fresh).await? {
        if !filter.may_match(&entry.services) {
            continue;
        }
        if page.is_full_before(entry.max_time) {
            break;
        }
        let spent = stats.r2_reads >= MAX_R2_READS || stats.bytes_read >= MAX_BYTES_READ;
        let progress = search.after.is_none_or(|after| entry.max_time < after.time);
        if spent && progress {
            page.keep_newer_than(entry.max_time);
            stats.partial = true;
            cut_at = Some(entry.max_time);
            break;
        }
        let key: Arc<str> = entry.key.as_str().into();
        let each = |page: &mut Collector<Stored>, text: &[u8], stats: &mut Stats| {
            take(page, text, Some(&key), stats)
        };
        match scan_segment(app, &entry, filter.time, &mut page, &mut stats, each).await {
            Ok(Ok(())) => {}
            Ok(Err(Vanished)) if !last_try => return Ok(Err(Vanished)),
            Ok(Err(Vanished)) => stats.pass_over(app, &entry, "it is not in the bucket"),
            Err(Error::Corrupt(corrupt)) => stats.pass_over(app, &entry, &corrupt.to_string()),
            Err(error) => return Err(error),
        }
    }
    Ok(Ok(finish(page, search, stats, cut_at)))
}

/// Hands the blocks that overlap the range to `take`, newest first, until the page is full.
async fn scan_segment(
    app: &App,
    entry: &CatalogEntry,
    range: TimeRange,
    page: &mut Collector<Stored>,
    stats: &mut Stats,
    take: impl Fn(&mut Collector<Stored>, &[u8], &mut Stats) -> Result<(), Error>,
) -> Result<Result<(), Vanished>, Error> {
    let Ok(open) = scan::open(app, entry, stats).await? else { return Ok(Err(Vanished)) };
    let blocks = open.footer.blocks.iter().enumerate();
    let wanted: Vec<usize> =
        blocks.filter(|(_, b)| range.overlaps(b.min_time, b.max_time)).map(|(nth, _)| nth).rev().collect();
    let read = open.read_blocks(app, &wanted, stats, |nth, text, stats| {
        take(page, text, stats)?;
        // Blocks are sorted by time: the next one is no newer than this one's oldest row.
        let next_newest = open.footer.blocks.get(nth).map_or(Timestamp::EPOCH, |block| block.min_time);
        Ok(!page.is_full_before(next_newest))
    });
    read.await
}

fn offer(
    page: &mut Collector<Stored>,
    search: &Search,
    filter: &Filter,
    row: &Row<'_>,
    key: Option<&Arc<str>>,
    stats: &mut Stats,
) -> Result<(), Error> {
    let at = Position { time: row.head.timestamp, id: row.head.id };
    if search.after.is_some_and(|after| at >= after) || !filter.matches_head(&row.head) {
        return Ok(());
    }
    let made = || {
        let matches = filter.terms.is_empty() || filter.matches_text(&row.record()?);
        stats.rows_matched += u64::from(matches);
        Ok::<_, Error>(matches.then(|| Stored { line: row.line.into(), key: key.cloned() }))
    };
    page.offer(at, row.line.len() + ROW_BYTES, made)
}

/// `cut_at` is where a search stopped at its bound: everything newer has been looked at.
fn finish(page: Collector<Stored>, search: &Search, mut stats: Stats, cut_at: Option<Timestamp>) -> Page {
    let overflowed = page.has_overflowed();
    stats.partial |= overflowed;
    let mut rows = page.into_rows();
    let wanted = search.offset + search.limit;
    let more = rows.len() > wanted || overflowed;
    rows.truncate(wanted);
    let next = match (rows.last(), cut_at) {
        (Some((last, _)), _) if more => Some(*last),
        (_, Some(time)) => Some(Position { time, id: uuid::Uuid::max() }),
        _ => None,
    };
    Page { rows: rows.into_iter().skip(search.offset).map(|(_, row)| row).collect(), next, stats }
}
