//! Search: the rows that a filter wants, a page at a time.

mod relevance;

use std::sync::Arc;

pub use relevance::{Weighed, WeighedPart};

use super::{
    App, Error, Reader,
    fresh::Copies,
    scan::{self, Scan, Sink, Stats, Vanished},
};
use crate::engine::{
    block::{Block, rows::Row},
    query::{Collector, Cursor, Filter, Mask, Order, Position},
    record::timestamp::Timestamp,
};

/// Rows a page holds at the most.
pub const MAX_LIMIT: usize = 1_000;

/// How far a page may lie behind the first row when it is asked for by number; a cursor has no such end.
pub const MAX_OFFSET: usize = 10_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    By(Order),
    /// The best answers to the terms of the search first.
    Relevance,
}

#[derive(Clone, Debug)]
pub struct Search {
    pub filter: Filter,
    pub sort: Sort,
    pub limit: usize,
    pub offset: usize,
    /// Rows up to this position are not shown again.
    pub after: Option<Position>,
}

impl Search {
    /// What is asked for without asking for anything.
    pub fn new(filter: Filter, order: Order, limit: usize) -> Self {
        Self { filter, sort: Sort::By(order), limit, offset: 0, after: None }
    }
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
    pub next: Option<Cursor>,
    pub stats: Stats,
}

pub async fn search(app: &App, reader: &Reader, search: &Search) -> Result<Page, Error> {
    let began = app.clock.now_ms();
    let reader = &reader.with_patterns(app).await?;
    let mut nth = 1;
    loop {
        let last_try = nth >= scan::MAX_TRIES;
        let page = match search.sort {
            Sort::By(order) => by_time(app, reader, search, order, last_try).await?,
            Sort::Relevance => relevance::search(app, reader, search, last_try).await?,
        };
        if let Ok(mut page) = page {
            for row in &mut page.rows {
                row.line = reader.shown(std::mem::take(&mut row.line))?;
            }
            page.stats.elapsed_ms = app.clock.now_ms().saturating_sub(began);
            return Ok(page);
        }
        nth += 1;
    }
}

/// One pass. A segment that cannot be read must not hide all the others: it is noted, and the answer
/// says that it is not whole.
async fn by_time(
    app: &App,
    reader: &Reader,
    search: &Search,
    order: Order,
    last_try: bool,
) -> Result<Result<Page, Vanished>, Error> {
    let mut stats = Stats::default();
    let mut time = search.filter.time;
    if let Some(after) = search.after {
        match order {
            Order::Newest => time.end = time.end.min(after.time),
            Order::Oldest => time.start = time.start.max(after.time),
        }
    }
    let filter = reader.confine(&search.filter).within(time);
    let mut page =
        First { rows: Collector::new(order, search.offset + search.limit + 1), after: search.after };
    let scan = Scan {
        filter: &filter,
        copies: Copies::Allowed,
        order,
        after: search.after.map(|after| after.time),
        unlimited: false,
        stops_early: true,
        spreads: false,
    };
    let Ok(cut_at) = scan::run(app, &scan, &mut page, &mut stats, last_try).await? else {
        return Ok(Err(Vanished));
    };
    if let Some(time) = cut_at {
        page.rows.keep_before(time);
    }
    Ok(Ok(finish(page.rows, search, stats, cut_at)))
}

/// The first rows so far.
struct First {
    rows: Collector<Stored>,
    after: Option<Position>,
}

impl First {
    fn is_before(&self, at: Position) -> bool {
        self.after.is_some_and(|after| !self.rows.order().puts_first(after, at))
    }
}

impl Sink for First {
    fn row(&mut self, row: &Row<'_>, key: Option<&Arc<str>>) -> Result<(), Error> {
        let at = Position { time: row.head.timestamp, id: row.head.id };
        if self.is_before(at) {
            return Ok(());
        }
        let made = || Ok(Some(Stored { line: row.line.into(), key: key.cloned() }));
        self.rows.offer(at, row.line.len() + ROW_BYTES, made)
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, key: &Arc<str>) -> Result<(), Error> {
        let (times, ids) = (block.times()?, block.ids()?);
        let at = |row: usize| Some(Position { time: *times.get(row)?, id: *ids.get(row)? });
        let mut rows: Vec<(Position, u32)> = wanted
            .rows()
            .filter_map(|row| Some((at(row)?, u32::try_from(row).ok()?)))
            .filter(|(at, _)| !self.is_before(*at) && self.rows.wants(*at))
            .collect();
        // The first, as many as there is room for, in their order in the block.
        match self.rows.order() {
            Order::Newest => rows.sort_unstable_by(|a, b| b.cmp(a)),
            Order::Oldest => rows.sort_unstable(),
        }
        rows.truncate(self.rows.limit());
        let mut rows: Vec<u32> = rows.into_iter().map(|(_, row)| row).collect();
        rows.sort_unstable();
        block.render(&rows, |_, time, id, line| {
            let made =
                || Ok::<_, Error>(Some(Stored { line: line.as_bytes().into(), key: Some(key.clone()) }));
            // Making it cannot fail.
            let _ = self.rows.offer(Position { time, id }, line.len() + ROW_BYTES, made);
        })?;
        Ok(())
    }

    fn is_full(&self, min: Timestamp, max: Timestamp) -> bool {
        self.rows.is_full(min, max)
    }
}

/// `cut_at` is where a search stopped at its bound: everything before it has been looked at.
fn finish(page: Collector<Stored>, search: &Search, mut stats: Stats, cut_at: Option<Timestamp>) -> Page {
    let overflowed = page.has_overflowed();
    stats.partial |= overflowed;
    let order = page.order();
    let mut rows = page.into_rows();
    let wanted = search.offset + search.limit;
    let more = rows.len() > wanted || overflowed;
    rows.truncate(wanted);
    // The place before everything of a time.
    let id = if order == Order::Newest { uuid::Uuid::max() } else { uuid::Uuid::nil() };
    let next = match (rows.last(), cut_at) {
        (Some((last, _)), _) if more => Some(*last),
        (_, Some(time)) => Some(Position { time, id }),
        _ => None,
    };
    let next = next.map(|at| Cursor::After(order, at));
    Page { rows: rows.into_iter().skip(search.offset).map(|(_, row)| row).collect(), next, stats }
}
