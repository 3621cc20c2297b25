//! A scan: everything of a tenant that a filter wants, handed to a sink. Newest first as far as that goes:
//! what is not flushed, then segments by their newest row, and the blocks of each from its end. Or oldest first:
//! what is not flushed, then segments by their oldest row, and the blocks of each from its beginning.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::future::{join_all, try_join};

use super::{
    Gather, Held, Part, Reads, Stats, Vanished, masked::Masked, needles, open, open::AtHand, spread::Spread,
    walk::Walk,
};
use crate::{
    app::{
        App, Confined, Error, WAVE,
        fresh::{self, Copies},
    },
    engine::{
        block::{
            Block, Opened, Parts,
            packed::Packed,
            reader,
            rows::{self, Row},
        },
        query::{Asked, Filter, Mask, Order, Query, TimeRange},
        record::timestamp::Timestamp,
    },
    ports::CatalogEntry,
};

/// Reads of the bucket and bytes of it that one scan may cost, and each of its scanners; beyond it the answer is
/// partial.
pub const MAX_R2_READS: u64 = 400;
pub const MAX_BYTES_READ: u64 = 256 << 20;

/// Blocks with less than this between them are read together, up to so many bytes.
const MAX_GAP_BYTES: u64 = 128 << 10;
const MAX_READ_BYTES: u64 = 4 << 20;

/// What is read first where the first rows found are likely to be enough, a few blocks: of the bucket's time to an
/// answer the bytes are the smallest part.
const FIRST_READ_BYTES: u64 = 256 << 10;

/// Segments in which these rows are looked for at first.
const FIRST_SEGMENTS: u64 = 4;

/// What a scan is to find.
pub struct Scan<'a> {
    pub filter: &'a Confined,
    pub copies: Copies,
    pub order: Order,
    /// Goes on past the limits while nothing behind this has been looked at: a page must get further than
    /// the one before.
    pub after: Option<Timestamp>,
    /// Stops at no limit: for what streams. The catalog is listed at once, because segments may be replaced in the
    /// time that this takes.
    pub unlimited: bool,
    /// Reads little at first, because the first rows found are likely to be enough.
    pub stops_early: bool,
    /// May have scanners look into segments, if the sink can put parts together.
    pub spreads: bool,
}

/// Why a scan has to begin anew, with a new sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// A segment was replaced meanwhile.
    Vanished,
    /// The sink came to a limit at which the order of the rows decides what it keeps: it must see them in order.
    InOrder,
}

/// Where the rows go. Scans take it as an object: one for each kind of sink would be a tenth of the Worker.
#[async_trait]
pub trait Sink: Send {
    /// A wanted row.
    fn row(&mut self, row: &Row<'_>, key: Option<&Arc<str>>) -> Result<(), Error>;

    /// The wanted rows of a block.
    fn block(&mut self, block: &Block<'_>, wanted: &Mask, key: &Arc<str>) -> Result<(), Error>;

    /// Whether `summary` asks for roll-ups.
    fn takes_rollups(&self) -> bool {
        false
    }

    /// Takes a segment by what the catalog says of it. `false`: it is to be opened.
    fn summary(&mut self, _: &CatalogEntry) -> bool {
        false
    }

    /// Takes a block by the number of wanted rows in it, all of its times being wanted. `false`: it is to be read.
    fn counted(&mut self, _: &Opened, _: usize, _: u64) -> bool {
        false
    }

    /// Whether nothing from this time to that is of use any more, nor anything behind it in the scan's order.
    fn is_full(&self, _: Timestamp, _: Timestamp) -> bool {
        false
    }

    /// Whether nothing from this time to that is of use, whatever is behind it.
    fn skips(&self, _: Timestamp, _: Timestamp) -> bool {
        false
    }

    /// What a scanner is to gather of the segments that it gets; none: the rows are needed here.
    fn gather(&self) -> Option<Gather> {
        None
    }

    /// Adds what a scanner has gathered. `false`: only the order of the rows can tell what is kept of it.
    fn absorb(&mut self, _: Part) -> bool {
        false
    }

    /// Called between blocks, to let out what has gathered.
    async fn pause(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Runs a scan. Answers where it stopped at a limit, if it did: everything that comes before has been looked at.
pub async fn run(
    app: &App,
    scan: &Scan<'_>,
    sink: &mut dyn Sink,
    stats: &mut Stats,
    last_try: bool,
) -> Result<Result<Option<Timestamp>, Again>, Error> {
    let Some(expr) = scan.filter.of_masked() else { return stored(app, scan, sink, stats, last_try).await };
    let mut masked = Masked::new(sink, expr, scan.order);
    let before = stats.rows_matched;
    let done = stored(app, scan, &mut masked, stats, last_try).await;
    // How many would have matched unmasked is nobody's to know.
    stats.rows_matched = before + masked.matched;
    done
}

/// The same, by what is stored.
async fn stored(
    app: &App,
    scan: &Scan<'_>,
    sink: &mut dyn Sink,
    stats: &mut Stats,
    last_try: bool,
) -> Result<Result<Option<Timestamp>, Again>, Error> {
    let (filter, tenant) = (scan.filter, scan.filter.tenant());
    let query = Query::new(&filter.expr);
    let words = query.required_words();
    let mut looked_up = Stats::default();
    let mut offer = |rows: &Packed, stats: &mut Stats| offer_fresh(rows, filter, sink, stats);
    let fresh = fresh::read(app, tenant, filter.time, scan.copies, stats, &mut offer);
    let needles = needles::look_up(app, tenant, filter.time, &words, &mut looked_up);
    // What moves from the shards into segments meanwhile is in no index, and listed behind both.
    let (fresh, needles) = try_join(fresh, needles).await?;
    stats.add(&looked_up);
    stats.partial |= fresh.partial;
    sink.pause().await?;
    let mut walk = Walk::new(app, scan, (needles, sink.takes_rollups()), &fresh, stats).await?;
    let mut spread = Spread::new(app, scan, sink);
    let mut stopped = None;
    while stopped.is_none() {
        let Some(entry) = walk.next(&fresh, stats).await? else { break };
        if walk.rules_out(filter, &entry) || sink.skips(entry.min_time, entry.max_time) {
            continue;
        }
        if sink.is_full(entry.min_time, entry.max_time) {
            break;
        }
        stats.partial |= scan.copies == Copies::PassedOver && fresh.is_older_than(&entry);
        let covered = filter.time.covers(entry.min_time, entry.max_time);
        if covered && walk.has_summaries() && filter.is_by_summary(&entry.services) && sink.summary(&entry) {
            continue;
        }
        if let Some(entry) = spread.take(entry) {
            stopped = stop(scan, &entry, stats);
            if stopped.is_none() {
                walk.bring(&entry, &fresh, stats).await;
            }
            if stopped.is_none() && look(app, &entry, scan, &query, sink, stats, last_try).await?.is_err() {
                return Ok(Err(Again::Vanished));
            }
        } else if spread.is_due() {
            match deal(app, scan, &query, &mut spread, sink, stats, last_try).await? {
                Ok(at) => stopped = at,
                Err(again) => {
                    stats.add(&spread.cost());
                    return Ok(Err(again));
                }
            }
        }
    }
    if stopped.is_none() {
        match deal(app, scan, &query, &mut spread, sink, stats, last_try).await? {
            Ok(at) => stopped = at,
            Err(again) => {
                stats.add(&spread.cost());
                return Ok(Err(again));
            }
        }
    }
    stats.add(&spread.cost());
    stats.partial |= stopped.is_some();
    Ok(Ok(stopped))
}

/// Has scanners look into what was taken for them, and looks into what they have left. Answers where that stopped.
async fn deal(
    app: &App,
    scan: &Scan<'_>,
    query: &Query<'_>,
    spread: &mut Spread<'_>,
    sink: &mut dyn Sink,
    stats: &mut Stats,
    last_try: bool,
) -> Result<Result<Option<Timestamp>, Again>, Error> {
    let mut round = match spread.deal(sink, last_try).await {
        Ok(round) => round,
        Err(again) => return Ok(Err(again)),
    };
    if round.left.is_empty() {
        return Ok(Ok(round.stopped));
    }
    let limits = Gather::limits(sink.gather());
    for entry in std::mem::take(&mut round.left) {
        if sink.is_full(entry.min_time, entry.max_time) {
            break;
        }
        if let Some(at) = stop(scan, &entry, stats) {
            round.stops_at(scan.order, at);
            break;
        }
        if look(app, &entry, scan, query, sink, stats, last_try).await?.is_err() {
            return Ok(Err(Again::Vanished));
        }
    }
    if round.is_mixed && Gather::limits(sink.gather()) != limits {
        return Ok(Err(Again::InOrder));
    }
    Ok(Ok(round.stopped))
}

/// Where the scan stops if it may not look into this segment any more.
fn stop(scan: &Scan<'_>, entry: &CatalogEntry, stats: &Stats) -> Option<Timestamp> {
    let spent = stats.r2_reads >= MAX_R2_READS || stats.bytes_read >= MAX_BYTES_READ;
    let begins = begins(entry, scan.order);
    let progress = scan.after.is_none_or(|after| scan.order.puts_first(after, begins));
    (spent && progress && !scan.unlimited).then_some(begins)
}

/// Where a segment begins in this order.
pub(super) fn begins(entry: &CatalogEntry, order: Order) -> Timestamp {
    if order == Order::Newest { entry.max_time } else { entry.min_time }
}

/// Looks into a segment. One that cannot be read is passed over.
pub(super) async fn look(
    app: &App,
    entry: &CatalogEntry,
    scan: &Scan<'_>,
    query: &Query<'_>,
    sink: &mut dyn Sink,
    stats: &mut Stats,
    last_try: bool,
) -> Result<Result<(), Vanished>, Error> {
    match segment(app, entry, scan, query, sink, stats).await {
        Ok(Err(Vanished)) if !last_try => return Ok(Err(Vanished)),
        Ok(Err(Vanished)) => stats.pass_over(app, entry, "it is not in the bucket"),
        Err(Error::Corrupt(corrupt)) => stats.pass_over(app, entry, &corrupt.to_string()),
        done => return done,
    }
    Ok(Ok(()))
}

/// Offers the wanted rows of those that are not flushed.
fn offer_fresh(rows: &Packed, filter: &Filter, sink: &mut dyn Sink, stats: &mut Stats) -> Result<(), Error> {
    let mut line = Vec::new();
    for row in rows.rows() {
        stats.rows_scanned += 1;
        let time = row.timestamp();
        if !filter.time.contains(time) {
            continue;
        }
        // Most rows are of no use, and need not be put together for that.
        let decided = filter.decide(&row.service(), row.level());
        if decided == Some(false) {
            continue;
        }
        if decided == Some(true) && (sink.is_full(time, time) || sink.skips(time, time)) {
            stats.rows_matched += 1;
            continue;
        }
        let row = row.read(&mut line);
        if decided == Some(true) || filter.expr.matches_row(row.line)? {
            stats.rows_matched += 1;
            sink.row(&row, None)?;
        }
    }
    Ok(())
}

/// Offers the wanted rows of some text.
fn offer_rows(
    text: &[u8],
    filter: &Filter,
    key: Option<&Arc<str>>,
    sink: &mut dyn Sink,
    stats: &mut Stats,
) -> Result<(), Error> {
    for row in rows::rows(text) {
        let row = row?;
        stats.rows_scanned += 1;
        if filter.matches(&row.head, row.line)? {
            stats.rows_matched += 1;
            sink.row(&row, key)?;
        }
    }
    Ok(())
}

/// Blocks that are read together, in the order of the scan.
struct Run {
    offset: u64,
    length: u64,
    blocks: Vec<usize>,
}

async fn segment(
    app: &App,
    entry: &CatalogEntry,
    scan: &Scan<'_>,
    query: &Query<'_>,
    sink: &mut dyn Sink,
    stats: &mut Stats,
) -> Result<Result<(), Vanished>, Error> {
    let range = scan.filter.time;
    let is_newest = scan.stops_early && scan.order == Order::Newest && range.contains(entry.max_time);
    let reads = match query.asks_filters() {
        false => Reads::Footer,
        true if is_newest && stats.segments < FIRST_SEGMENTS => Reads::Newest,
        true => Reads::Filters,
    };
    let Ok(held) = open(app, entry, reads, stats).await? else { return Ok(Err(Vanished)) };
    let metas = &held.opened.footer.blocks;
    let in_range = |(nth, block): (usize, &crate::engine::block::BlockMeta)| {
        range.overlaps(block.min_time, block.max_time).then_some(nth)
    };
    let mut blocks: Vec<usize> = metas.iter().enumerate().filter_map(in_range).collect();
    if scan.order == Order::Newest {
        blocks.reverse();
    }
    let query = query.on(&held.opened);
    let columns = query.filtered_columns(&blocks);
    if held.load_filters(app, &columns, stats).await?.is_err() {
        return Ok(Err(Vanished));
    }
    let filters = held.filters();
    let mut wanted = Vec::with_capacity(blocks.len());
    for nth in blocks {
        let Some(meta) = metas.get(nth) else { continue };
        if sink.skips(meta.min_time, meta.max_time) || query.decide(nth, &filters) == Some(false) {
            continue;
        }
        if range.covers(meta.min_time, meta.max_time)
            && let Some(count) = query.count(nth, &filters)
            && sink.counted(&held.opened, nth, count)
        {
            stats.rows_matched += count;
            continue;
        }
        wanted.push(nth);
    }
    let mut runs = runs(&held, &wanted, scan.stops_early).into_iter().peekable();
    let mut wave = if scan.stops_early { 1 } else { WAVE };
    while let Some(next) = runs.peek() {
        let first = next.blocks.first().and_then(|nth| metas.get(*nth));
        if first.is_some_and(|block| sink.is_full(block.min_time, block.max_time)) {
            break;
        }
        let now: Vec<Run> = runs.by_ref().take(wave).collect();
        wave = WAVE.min(wave * 2);
        for run in now.iter().filter(|run| held.costs_a_read(run.offset, run.length)) {
            stats.r2_reads += 1;
            stats.bytes_read += run.length;
        }
        let read = join_all(now.iter().map(|run| held.read(app, run.offset, run.length))).await;
        for (run, bytes) in now.iter().zip(read) {
            let Ok(bytes) = bytes? else { return Ok(Err(Vanished)) };
            for nth in &run.blocks {
                block(app, &held, *nth, run, &bytes, scan, (&query, &filters), sink, stats)?;
                sink.pause().await?;
            }
        }
    }
    Ok(Ok(()))
}

/// Puts blocks together that lie together.
fn runs(held: &Held, wanted: &[usize], stops_early: bool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut most = if stops_early { FIRST_READ_BYTES } else { MAX_READ_BYTES };
    for nth in wanted {
        let Some(meta) = held.opened.footer.blocks.get(*nth) else { continue };
        let end = meta.offset.saturating_add(meta.length);
        if let Some(last) = runs.last_mut() {
            let last_end = last.offset + last.length;
            let gap = last.offset.saturating_sub(end).max(meta.offset.saturating_sub(last_end));
            let (from, to) = (last.offset.min(meta.offset), last_end.max(end));
            let is_at_hand = |offset, length| !held.costs_a_read(offset, length);
            let alike = is_at_hand(last.offset, last.length) == is_at_hand(from, to - from);
            if gap <= MAX_GAP_BYTES && to - from <= most && alike {
                (last.offset, last.length) = (from, to - from);
                last.blocks.push(*nth);
                continue;
            }
            most = (most * 2).min(MAX_READ_BYTES);
        }
        runs.push(Run { offset: meta.offset, length: meta.length, blocks: vec![*nth] });
    }
    runs
}

#[expect(clippy::too_many_arguments, reason = "all of one step")]
fn block(
    app: &App,
    held: &Arc<Held>,
    nth: usize,
    run: &Run,
    bytes: &Bytes,
    scan: &Scan<'_>,
    (query, filters): (&Asked<'_, '_>, &AtHand),
    sink: &mut dyn Sink,
    stats: &mut Stats,
) -> Result<(), Error> {
    let Some(meta) = held.opened.footer.blocks.get(nth) else { return Ok(()) };
    if sink.is_full(meta.min_time, meta.max_time) {
        return Ok(());
    }
    let own = bytes.slice_ref(reader::slice(bytes, run.offset, meta)?);
    stats.blocks_read += 1;
    if meta.heads.is_none() {
        let text = reader::block(&held.opened, meta, own)?;
        return offer_rows(&text, scan.filter, Some(&held.key), sink, stats);
    }
    stats.rows_scanned += u64::from(meta.rows);
    // What reads everything would push out what is asked for again and again.
    let keeps = scan.stops_early;
    let parts = if keeps { app.segments.parts_of(held, nth) } else { Parts::default() };
    let block = Block::with(&held.opened, meta, own, parts);
    let candidates = in_range(&block, scan.filter.time)?;
    let wanted = query.rows(&block, nth, filters, &candidates)?;
    if !wanted.is_empty() {
        stats.rows_matched += wanted.count() as u64;
        sink.block(&block, &wanted, &held.key)?;
    }
    if keeps {
        app.segments.keep_parts(held, nth, block.into_parts());
    }
    Ok(())
}

/// The rows of a block whose times are wanted.
fn in_range(block: &Block<'_>, range: TimeRange) -> Result<Mask, Error> {
    let (min, max) = (block.meta().min_time, block.meta().max_time);
    if range.covers(min, max) {
        return Ok(Mask::all(block.len()));
    }
    let mut mask = Mask::none(block.len());
    for (row, time) in block.times()?.iter().enumerate() {
        if range.contains(*time) {
            mask.set(row);
        }
    }
    Ok(mask)
}
