//! Lines as they come: a query that is asked again and again, for what it has not shown yet.
//!
//! Records do not arrive in the order of their times. So each look goes back behind the last one, and what it has shown
//! there it passes over; what lies further back than it remembers it does not look for.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::lines::{Lines, Row, lines_but};
use crate::{
    app::{App, Error, Reader},
    engine::{
        logql::LogExpr,
        query::{Order, Position, TimeRange},
        record::timestamp::Timestamp,
    },
};

/// A record that comes later than this after its time is not shown.
const LATE_MS: i64 = 30_000;

/// Lines that a look shows at the most, and lines that are remembered.
const MAX_LINES: usize = 5_000;

/// What a look asks of D1: for spooled appends, and for segments.
const QUERIES: u64 = 2;

/// A query, and how far it has come.
#[derive(Debug)]
pub struct Follow {
    query: LogExpr,
    /// Lines younger than this are left to a later look, so that they come in order; 0 shows what there is.
    delay_ms: u64,
    /// Of the first look.
    limit: usize,
    /// What lies before has been shown, or never will be.
    floor: Position,
    /// What was shown behind the floor.
    shown: BTreeSet<Position>,
    is_first: bool,
    /// Requests that are left.
    requests: u64,
}

/// What a look has found.
#[derive(Debug, Default)]
pub struct Seen {
    /// The oldest first.
    pub rows: Vec<Row>,
    /// There were more, older than the first row.
    pub dropped: bool,
}

impl Follow {
    /// Shows the newest of what there is from `since` on, `limit` lines, and then what comes.
    pub fn new(app: &App, query: LogExpr, since: Timestamp, limit: usize, delay_ms: u64) -> Self {
        let floor = Position { time: since, id: Uuid::nil() };
        // A tenth is for whatever else a request needs.
        let requests = u64::from(app.settings.max_subrequests) * 9 / 10;
        Self { query, delay_ms, limit, floor, shown: BTreeSet::new(), is_first: true, requests }
    }

    /// What is there that was not shown. `None`: it has asked as much as one request may.
    pub async fn look(&mut self, app: &App, reader: &Reader) -> Result<Option<Seen>, Error> {
        if self.requests == 0 {
            return Ok(None);
        }
        let now_ms = app.now().as_ms();
        let delay_ms = i64::try_from(self.delay_ms).unwrap_or(i64::MAX);
        let end = match delay_ms {
            0 => Timestamp::MAX,
            delay_ms => Timestamp::from_ms(now_ms.saturating_sub(delay_ms)),
        };
        let limit = if self.is_first { self.limit } else { MAX_LINES };
        let time = TimeRange { start: self.floor.time, end };
        let asked = Lines { query: self.query.clone(), time, order: Order::Newest, limit };
        let (floor, shown) = (self.floor, &self.shown);
        let is_known = |at: Position| at < floor || shown.contains(&at);
        let (mut rows, stats) = lines_but(app, reader, &asked, &is_known).await?;
        rows.reverse();
        let asked = stats.shard_requests + stats.r2_reads + stats.scanner_requests + stats.indexes + QUERIES;
        self.requests = self.requests.saturating_sub(asked);
        self.shown.extend(rows.iter().map(|row| row.at));
        let is_full = rows.len() >= limit;
        if let (true, Some(oldest)) = (is_full, rows.first()) {
            self.floor = self.floor.max(oldest.at);
        }
        let recent = Timestamp::from_ms(now_ms.saturating_sub(delay_ms).saturating_sub(LATE_MS));
        self.floor = self.floor.max(Position { time: recent, id: Uuid::nil() });
        if let Some(oldest) = self.shown.iter().rev().nth(MAX_LINES) {
            self.floor = self.floor.max(*oldest);
        }
        self.shown = self.shown.split_off(&self.floor);
        // Of the first look nobody expects more than was asked for.
        let dropped = is_full && !self.is_first;
        self.is_first = false;
        Ok(Some(Seen { rows, dropped }))
    }
}
