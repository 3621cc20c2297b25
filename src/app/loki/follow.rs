//! Lines as they come: a query that is asked again and again, for what it has not shown yet.
//!
//! Records do not arrive in the order of their times. So each look goes back behind the last one, and what it has shown
//! there it passes over; what lies further back than it remembers it does not look for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::lines::{Part, Ready, Row, lines_but};
use crate::{
    app::{App, Error, Reader},
    engine::{
        block::received_of,
        logql::LogExpr,
        query::{Order, Position, TimeRange},
        record::timestamp::Timestamp,
    },
};

/// A record that comes later than this after its time is not shown.
const LATE_MS: i64 = 30_000;

/// The same while a part of what is there cannot be looked at.
const LATE_IN_PARTS_MS: i64 = 300_000;

/// A record is not shown longer than this before its time: a clock that is ahead hides nothing else.
const EARLY_MS: i64 = 10_000;

/// From its receipt until it can be found.
const COMMIT_MS: i64 = 2_000;

/// Lines and bytes of a look. What is left is older, and the next look shows it.
const MAX_LINES: usize = 1_000;
const MAX_BYTES: usize = 256 << 10;

/// Lines that are remembered.
const MAX_SHOWN: usize = 100_000;

/// What a look that fails is taken to have asked for.
const OF_A_FAILURE: u64 = 5;

/// Queries that an isolate follows at once, each of which may have a message of `MAX_BYTES` on its way; one that has not
/// looked for so long has ended without a word.
const MAX_FOLLOWED: usize = 32;
const ABANDONED_MS: u64 = 90_000;

/// The queries that an isolate follows: when each has looked last.
#[derive(Debug, Default)]
pub struct Followed(Mutex<(u64, BTreeMap<u64, u64>)>);

impl Followed {
    fn lock(&self) -> MutexGuard<'_, (u64, BTreeMap<u64, u64>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, now_ms: u64) -> Option<Place> {
        let mut state = self.lock();
        let (next, places) = &mut *state;
        places.retain(|_, looked| now_ms.saturating_sub(*looked) < ABANDONED_MS);
        if places.len() >= MAX_FOLLOWED {
            return None;
        }
        *next += 1;
        places.insert(*next, now_ms);
        Some(Place { of: self.clone(), number: *next })
    }
}

#[derive(Debug)]
struct Place {
    of: Arc<Followed>,
    number: u64,
}

impl Place {
    fn looks(&self, now_ms: u64) {
        self.of.lock().1.insert(self.number, now_ms);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.of.lock().1.remove(&self.number);
    }
}

/// A query, and how far it has come.
pub struct Follow {
    query: Ready,
    /// Lines younger than this are left to a later look, so that they come in order.
    delay_ms: i64,
    /// Of the first look.
    limit: usize,
    /// What lies before has been shown, or never will be.
    floor: Timestamp,
    /// What was shown behind the floor.
    shown: BTreeSet<Position>,
    /// The oldest line that the first look had room for, and until when the others were received.
    first: Option<(Position, Timestamp)>,
    has_looked: bool,
    /// Requests that are left, and those of the last look.
    requests: u64,
    last_requests: u64,
    place: Place,
}

/// What a look has found.
#[derive(Debug, Default)]
pub struct Seen {
    /// The oldest first.
    pub rows: Vec<Row>,
    /// There are more, older than the first row.
    pub has_more: bool,
}

impl Follow {
    /// Shows the newest of what there is from `since` on, `limit` lines, and then what comes. `None`: the isolate
    /// follows as many as it can.
    pub fn new(
        app: &App,
        query: &LogExpr,
        since: Timestamp,
        limit: usize,
        delay_ms: i64,
    ) -> Result<Option<Self>, Error> {
        let query = Ready::new(query)?;
        let Some(place) = app.followed.begin(app.clock.now_ms()) else { return Ok(None) };
        // A tenth is for whatever else a request needs.
        let requests = u64::from(app.settings.max_subrequests) * 9 / 10;
        let (floor, shown, first, has_looked) = (since, BTreeSet::new(), None, false);
        let last_requests = 0;
        Ok(Some(Self {
            query,
            delay_ms,
            limit,
            floor,
            shown,
            first,
            has_looked,
            requests,
            last_requests,
            place,
        }))
    }

    /// What is there that was not shown. `None`: it has asked for as much as one request may.
    pub async fn look(&mut self, app: &App, reader: &Reader) -> Result<Option<Seen>, Error> {
        if self.requests == 0 || self.requests < 2 * self.last_requests {
            return Ok(None);
        }
        self.place.looks(app.clock.now_ms());
        let now_ms = app.now().as_ms();
        let until_ms = if self.delay_ms == 0 { now_ms + EARLY_MS } else { now_ms - self.delay_ms };
        let limit = if self.has_looked { MAX_LINES } else { self.limit };
        let time = TimeRange { start: self.floor, end: Timestamp::from_ms(until_ms) };
        let part = Part { time, order: Order::Newest, limit };
        let (first, shown) = (self.first, &self.shown);
        let is_known = |at: Position| {
            let was_there =
                |(oldest, received): (Position, Timestamp)| at < oldest && received_of(at.id) < received;
            shown.contains(&at) || first.is_some_and(was_there)
        };
        let found = lines_but(app, reader, &self.query, &part, &is_known).await;
        let (mut rows, stats) = found.inspect_err(|_| {
            self.requests = self.requests.saturating_sub(OF_A_FAILURE);
        })?;
        self.last_requests =
            stats.catalog_requests + stats.shard_requests + stats.scanner_requests + stats.r2_reads;
        self.requests = self.requests.saturating_sub(self.last_requests);

        let fits = fitting(&rows);
        let has_more = rows.len() >= limit || fits < rows.len();
        rows.truncate(fits);
        rows.reverse();
        self.shown.extend(rows.iter().map(|row| row.at));
        if let (false, true, Some(oldest)) = (self.has_looked, has_more, rows.first()) {
            self.first = Some((oldest.at, Timestamp::from_ms(now_ms - COMMIT_MS)));
        }
        let late_ms = if stats.partial { LATE_IN_PARTS_MS } else { LATE_MS };
        self.raise_floor(Timestamp::from_ms(now_ms - self.delay_ms - late_ms));
        if let Some(at) = self.shown.iter().rev().nth(MAX_SHOWN) {
            self.raise_floor(at.time.min(Timestamp::from_ms(now_ms)));
        }
        // Of the first look nobody expects more than was asked for.
        let has_more = has_more && self.has_looked;
        self.has_looked = true;
        Ok(Some(Seen { rows, has_more }))
    }

    fn raise_floor(&mut self, to: Timestamp) {
        if to > self.floor {
            self.floor = to;
            self.shown = self.shown.split_off(&Position { time: to, id: Uuid::nil() });
        }
    }
}

/// How many of the rows a message has room for: one at the least.
fn fitting(rows: &[Row]) -> usize {
    let mut bytes = 0;
    let fits = rows.iter().take_while(|row| {
        let of_labels = row.labels.iter().map(|(name, value, _)| name.len() + value.len()).sum::<usize>();
        bytes += row.text.len() + of_labels;
        bytes <= MAX_BYTES
    });
    fits.count().max(1)
}
