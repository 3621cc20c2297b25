//! Metric queries. What only counts lines by labels that are fields is counted by the query engine, from roll-ups where
//! they know it; of all else the lines are handed to the evaluator.

use std::sync::Arc;

use super::{
    counts::{self, Counting},
    refused,
};
use crate::{
    app::{
        App, Error, Reader,
        fresh::Copies,
        scan::{self, Scan, Sink, Stats, Vanished},
    },
    engine::{
        block::{Block, Corrupt, rows},
        logql::{
            LogRange, Metric,
            eval::{self, EvalError, Evaluator, Limits, Output, Times},
        },
        loki::{Line, Selection},
        query::{Filter, Mask, Order, TimeRange},
        record::timestamp::Timestamp,
    },
};

/// Log ranges of a query, each of which is a scan.
const MAX_LEAVES: usize = 16;

/// Rows of a block that are put together at once.
const RENDERED: usize = 1_024;

/// Answers a metric query at these times; at one alone where it is an instant query.
pub async fn metric(
    app: &App,
    reader: &Reader,
    metric: &Metric,
    times: Times,
    is_instant: bool,
) -> Result<(Output, Stats), Error> {
    let began = app.clock.now_ms();
    let leaves = eval::leaves(metric);
    if leaves.len() > MAX_LEAVES {
        return Err(refused(format!("expected at most {MAX_LEAVES} log ranges, got {}", leaves.len())));
    }
    let mut stats = Stats::default();
    // What is counted needs no lines: its leaf takes counts instead.
    let plan = counts::plan(metric, times);
    let mut counted = Vec::with_capacity(plan.len());
    for (leaf, planned) in leaves.iter().zip(plan) {
        if stats.r2_reads >= scan::MAX_R2_READS || stats.bytes_read >= scan::MAX_BYTES_READ {
            return Err(refused("the query reads too much: take a shorter time, or fewer log ranges"));
        }
        counted.push(match planned {
            Some(planned) => counts::count(app, reader, &planned, window(leaf, times), &mut stats).await?,
            None => None,
        });
    }
    let metric = counts::without_queries(metric, &counted);
    let mut nth = 1;
    loop {
        let made = if is_instant {
            Evaluator::instant(&metric, times.start_ns, Limits::default())
        } else {
            Evaluator::range(&metric, times, Limits::default())
        };
        let mut taking =
            Taking { reader, evaluator: made.map_err(|error| told(&error))?, leaf: 0, failed: None };
        let mut read = Stats::default();
        let last_try = nth >= scan::MAX_TRIES;
        let done = fill(app, &mut taking, &leaves, &counted, times, &mut read, last_try).await?;
        if done.is_err() {
            nth += 1;
            continue;
        }
        stats.add(&read);
        let output = taking.evaluator.finish().map_err(|error| told(&error))?;
        stats.elapsed_ms = app.clock.now_ms().saturating_sub(began);
        return Ok((output, stats));
    }
}

fn told(error: &EvalError) -> Error {
    refused(error.to_string())
}

/// The times of the lines that a leaf needs.
fn window(leaf: &LogRange, times: Times) -> TimeRange {
    let (after, until) = eval::needed(leaf, times);
    TimeRange { start: Timestamp::from_ns(after.saturating_add(1)), end: Timestamp::from_ns(until) }
}

async fn fill(
    app: &App,
    taking: &mut Taking<'_>,
    leaves: &[&LogRange],
    counted: &[Option<Counting>],
    times: Times,
    stats: &mut Stats,
    last_try: bool,
) -> Result<Result<(), Vanished>, Error> {
    for (nth, (leaf, counted)) in leaves.iter().zip(counted).enumerate() {
        if let Some(counted) = counted {
            counted.feed(|entry| taking.evaluator.push(nth, entry)).map_err(|error| told(&error))?;
            continue;
        }
        taking.leaf = nth;
        let filter = Filter { time: window(leaf, times), expr: Selection::of(&leaf.query).expr };
        if filter.time.end < filter.time.start || filter.time.end == Timestamp::EPOCH {
            continue;
        }
        let scan = Scan {
            filter: &taking.reader.confine(&filter),
            copies: Copies::PassedOver,
            order: Order::Newest,
            after: None,
            unlimited: false,
            stops_early: false,
            spreads: false,
        };
        if scan::run(app, &scan, taking, stats, last_try).await?.is_err() {
            return Ok(Err(Vanished));
        }
        if let Some(error) = taking.failed.take() {
            return Err(told(&error));
        }
    }
    Ok(Ok(()))
}

/// Hands lines to the evaluator, for one of its leaves.
struct Taking<'r> {
    reader: &'r Reader,
    evaluator: Evaluator,
    leaf: usize,
    /// Why nothing more is taken.
    failed: Option<EvalError>,
}

impl Taking<'_> {
    fn take(&mut self, line: &str) -> Result<(), Error> {
        if self.failed.is_some() {
            return Ok(());
        }
        let shown = self.reader.shown_line(line)?;
        let line = Line::read(shown.as_deref().unwrap_or(line).as_bytes())?;
        self.failed = self.evaluator.push(self.leaf, &line.entry()).err();
        Ok(())
    }
}

impl Sink for Taking<'_> {
    fn row(&mut self, row: &rows::Row<'_>, _: Option<&Arc<str>>) -> Result<(), Error> {
        self.take(str::from_utf8(row.line).map_err(|error| Corrupt::damaged("row", error))?)
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, _: &Arc<str>) -> Result<(), Error> {
        let rows: Vec<u32> = wanted.rows().filter_map(|row| u32::try_from(row).ok()).collect();
        let mut failed = None;
        for some in rows.chunks(RENDERED) {
            block.render(some, |_, _, _, line| {
                if let Err(error) = self.take(line) {
                    failed.get_or_insert(error);
                }
            })?;
        }
        failed.map_or(Ok(()), Err)
    }

    fn is_full(&self, _: Timestamp, _: Timestamp) -> bool {
        self.failed.is_some()
    }
}
