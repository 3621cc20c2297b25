//! What was logged around a log.

use serde::Deserialize;
use uuid::Uuid;

use super::{
    App, Error, Reader, find,
    scan::Stats,
    search::{self, Page, Search, Stored},
};
use crate::engine::{
    block::Corrupt,
    query::{Expr, Filter, Order, Position, TimeRange},
    record::{row::RowHead, timestamp::Timestamp},
};

/// How far behind a log its context is looked for, until there is enough of it: what is listed of the catalog is
/// as long as the range.
const WINDOWS_MS: [i64; 4] = [60_000, 3_600_000, 86_400_000, i64::MAX];

/// Whose logs are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Service,
    Host,
    All,
}

#[derive(Clone, Copy, Debug)]
pub struct Around {
    pub id: Uuid,
    pub before: usize,
    pub after: usize,
    pub scope: Scope,
}

/// Records, the oldest first, and which of them was asked for.
#[derive(Clone, Debug)]
pub struct Context {
    pub rows: Vec<Stored>,
    pub at: usize,
    pub stats: Stats,
}

pub async fn context(app: &App, reader: &Reader, around: &Around) -> Result<Context, Error> {
    let began = app.clock.now_ms();
    let found = find::find(app, reader, around.id).await?;
    let center = found.ok_or(Error::NotFound("log with this id"))?;
    let head = RowHead::parse(&center.line).map_err(|error| Corrupt::damaged("row", error))?;
    let at = Position { time: head.timestamp, id: head.id };
    let expr = scope(around.scope, &head, &center.line)?;
    let mut stats = Stats::default();
    let mut rows = Vec::new();
    if around.before > 0 {
        let filter = Filter { time: TimeRange { end: at.time, ..TimeRange::ALL }, expr: expr.clone() };
        let mut asked = Search::new(filter, Order::Newest, around.before);
        asked.after = Some(at);
        rows = take(search::search(app, reader, &asked).await?, &mut stats, around.before);
        rows.reverse();
    }
    let nth = rows.len();
    rows.push(center.clone());
    let mut asked = Search::new(Filter { time: TimeRange::ALL, expr }, Order::Oldest, around.after);
    asked.after = Some(at);
    let mut start = at.time;
    for window in WINDOWS_MS {
        let missing = (nth + 1 + around.after).saturating_sub(rows.len());
        if missing == 0 {
            break;
        }
        let end = Timestamp::from_ms(at.time.as_ms().saturating_add(window));
        (asked.filter.time, asked.limit) = (TimeRange { start, end }, missing);
        let page = search::search(app, reader, &asked).await?;
        let is_cut = page.stats.partial;
        rows.extend(take(page, &mut stats, missing));
        if is_cut {
            break;
        }
        start = end;
        // The next window begins behind all of this one.
        asked.after = Some(Position { time: end, id: Uuid::max() });
    }
    stats.elapsed_ms = app.clock.now_ms().saturating_sub(began);
    Ok(Context { rows, at: nth, stats })
}

/// The rows of a page.
fn take(page: Page, stats: &mut Stats, wanted: usize) -> Vec<Stored> {
    stats.add(&page.stats);
    let mut rows = page.rows;
    rows.truncate(wanted);
    rows
}

fn scope(scope: Scope, head: &RowHead<'_>, line: &[u8]) -> Result<Expr, Error> {
    #[derive(Deserialize)]
    struct OfHost {
        host: Option<String>,
    }

    Ok(match scope {
        Scope::All => Expr::All,
        Scope::Service => Filter::exactly("service", [&*head.service]),
        Scope::Host => {
            let row: OfHost = serde_json::from_slice(line).map_err(|error| Corrupt::damaged("row", error))?;
            let missing = || Error::invalid("invalid_parameter", "scope", "this log names no host");
            Filter::exactly("host", [&*row.host.ok_or_else(missing)?])
        }
    })
}
