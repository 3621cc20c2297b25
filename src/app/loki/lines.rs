//! The lines that a log query wants.

use std::sync::Arc;

use super::refused;
use crate::{
    app::{
        App, Error, Reader,
        fresh::Copies,
        scan::{self, Scan, Sink, Stats},
    },
    engine::{
        block::{Block, rows},
        logql::{
            LogExpr,
            pipeline::{Pipeline, Selector, Source},
        },
        loki::{Line, Selection},
        query::{Collector, Expr, Filter, Mask, Order, Position, TimeRange},
        record::timestamp::Timestamp,
    },
};

/// Bytes that a line takes besides what is stored of it.
const ROW_BYTES: usize = 400;

/// Bytes of a line with its labels, which stages may write as long as they like.
const MAX_ROW_BYTES: usize = 1 << 20;

/// Rows of a block that are put together at once.
const RENDERED: usize = 256;

#[derive(Clone, Debug)]
pub struct Lines {
    pub query: LogExpr,
    pub time: TimeRange,
    pub order: Order,
    pub limit: usize,
}

/// The query of a log query, ready to be asked.
pub(super) struct Ready {
    selector: Selector,
    pipeline: Pipeline,
    expr: Expr,
}

impl Ready {
    pub(super) fn new(query: &LogExpr) -> Result<Self, Error> {
        let selector = Selector::new(&query.matchers).map_err(refused)?;
        let pipeline = Pipeline::new(query).map_err(|error| refused(error.to_string()))?;
        Ok(Self { selector, pipeline, expr: Selection::of(query).expr })
    }
}

/// Where it is asked, and for how much.
pub(super) struct Part {
    pub(super) time: TimeRange,
    pub(super) order: Order,
    pub(super) limit: usize,
}

/// A line as the query leaves it.
#[derive(Clone, Debug)]
pub struct Row {
    pub at: Position,
    pub labels: Vec<(String, String, Source)>,
    pub text: String,
}

pub async fn lines(app: &App, reader: &Reader, asked: &Lines) -> Result<(Vec<Row>, Stats), Error> {
    let part = Part { time: asked.time, order: asked.order, limit: asked.limit };
    lines_but(app, reader, &Ready::new(&asked.query)?, &part, &|_| false).await
}

/// The same without some.
pub(super) async fn lines_but(
    app: &App,
    reader: &Reader,
    ready: &Ready,
    asked: &Part,
    passes_over: &(dyn Fn(Position) -> bool + Send + Sync),
) -> Result<(Vec<Row>, Stats), Error> {
    let began = app.clock.now_ms();
    let Ready { selector, pipeline, expr } = ready;
    let filter = Filter { time: asked.time, expr: expr.clone() };
    let filter = reader.confine(&filter);
    let scan = Scan {
        filter: &filter,
        copies: Copies::Allowed,
        order: asked.order,
        after: None,
        unlimited: false,
        stops_early: true,
        spreads: false,
    };
    let (mut nth, mut spent) = (1, Stats::default());
    loop {
        let mut stats = Stats::default();
        let rows = Collector::new(asked.order, asked.limit);
        let mut sink = Collecting { reader, selector, pipeline, passes_over, rows };
        let last_try = nth >= scan::MAX_TRIES;
        let Ok(cut_at) = scan::run(app, &scan, &mut sink, &mut stats, last_try).await? else {
            nth += 1;
            spent.add(&stats.cost());
            continue;
        };
        if let Some(time) = cut_at {
            sink.rows.keep_before(time);
        }
        stats.partial |= sink.rows.has_overflowed();
        stats.add(&spent);
        stats.elapsed_ms = app.clock.now_ms().saturating_sub(began);
        return Ok((sink.rows.into_rows().into_iter().map(|(_, row)| row).collect(), stats));
    }
}

struct Collecting<'q> {
    reader: &'q Reader,
    selector: &'q Selector,
    pipeline: &'q Pipeline,
    passes_over: &'q (dyn Fn(Position) -> bool + Send + Sync),
    rows: Collector<Row>,
}

impl Collecting<'_> {
    fn offer(&mut self, at: Position, line: &str) -> Result<(), Error> {
        if !self.rows.wants(at) || (self.passes_over)(at) {
            return Ok(());
        }
        let Some(row) = made(self.reader, self.selector, self.pipeline, at, line)? else { return Ok(()) };
        let of_label = |(name, value, _): &(String, String, Source)| name.len() + value.len();
        let bytes = row.text.len() + row.labels.iter().map(of_label).sum::<usize>();
        if bytes > MAX_ROW_BYTES {
            return Err(refused(format!(
                "a line with its labels may have {MAX_ROW_BYTES} bytes, and one has {bytes}"
            )));
        }
        self.rows.offer(at, bytes + ROW_BYTES, || Ok(Some(row)))
    }
}

fn made(
    reader: &Reader,
    selector: &Selector,
    pipeline: &Pipeline,
    at: Position,
    line: &str,
) -> Result<Option<Row>, Error> {
    let shown = reader.shown_line(line)?;
    let line = Line::read(shown.as_deref().unwrap_or(line).as_bytes())?;
    if !selector.matches(&line.stream) {
        return Ok(None);
    }
    let entry = line.entry();
    let Some(row) = pipeline.run(&entry) else { return Ok(None) };
    let own = |name: &str, value: &str, source| (name.to_owned(), value.to_owned(), source);
    let mut labels: Vec<_> =
        row.labels.iter().map(|(name, value, source)| own(name, value, source)).collect();
    for name in ["__error__", "__error_details__"] {
        labels.extend(row.labels.get(name).map(|value| own(name, value, Source::Parsed)));
    }
    Ok(Some(Row { at, labels, text: row.line.into_owned() }))
}

impl Sink for Collecting<'_> {
    fn row(&mut self, row: &rows::Row<'_>, _: Option<&Arc<str>>) -> Result<(), Error> {
        let at = Position { time: row.head.timestamp, id: row.head.id };
        let damaged = |error| crate::engine::block::Corrupt::damaged("row", error);
        self.offer(at, str::from_utf8(row.line).map_err(damaged)?)
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, _: &Arc<str>) -> Result<(), Error> {
        let (times, ids) = (block.times()?, block.ids()?);
        let at = |row: usize| Some(Position { time: *times.get(row)?, id: *ids.get(row)? });
        let mut rows: Vec<(Position, u32)> = wanted
            .rows()
            .filter_map(|row| Some((at(row)?, u32::try_from(row).ok()?)))
            .filter(|(at, _)| self.rows.wants(*at) && !(self.passes_over)(*at))
            .collect();
        match self.rows.order() {
            Order::Newest => rows.sort_unstable_by(|a, b| b.cmp(a)),
            Order::Oldest => rows.sort_unstable(),
        }
        // How many of them the stages leave is known when they have been looked at.
        for some in rows.chunks(RENDERED) {
            if some.first().is_none_or(|(at, _)| !self.rows.wants(*at)) {
                break;
            }
            let mut numbers: Vec<u32> = some.iter().map(|(_, row)| *row).collect();
            numbers.sort_unstable();
            let mut failed = None;
            block.render(&numbers, |_, time, id, line| {
                if let Err(error) = self.offer(Position { time, id }, line) {
                    failed.get_or_insert(error);
                }
            })?;
            if let Some(error) = failed {
                return Err(error);
            }
        }
        Ok(())
    }

    fn is_full(&self, min: Timestamp, max: Timestamp) -> bool {
        self.rows.is_full(min, max)
    }
}
