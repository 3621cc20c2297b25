//! Patterns as Loki's clients are told them.

use super::streams;
use crate::{
    app::{
        App, Error, Reader,
        analytics::{self, Ask, HOUR_MS, Seen},
        scan::Stats,
    },
    engine::{
        block::facts::{Dimension, hour},
        loki::SERVICE,
        query::{Expr, TimeRange},
    },
};

const MAX_PATTERNS: usize = 300;

/// The patterns of the services that a selection is of, with their counts by the hour, the most frequent first.
pub async fn patterns(
    app: &App,
    reader: &Reader,
    expr: Expr,
    time: TimeRange,
) -> Result<(Vec<Seen>, Stats), Error> {
    let hours = hour(app.now()).saturating_sub(hour(time.start)).saturating_add(1);
    let ask = Ask { hours, dimensions: &[Dimension::Pattern], ..Ask::default() };
    let collected = analytics::collect(app, reader, ask).await?;
    let wanted = analytics::Filter { limit: usize::MAX, ..analytics::Filter::default() };
    let (mut seen, _) = analytics::patterns(app, reader, &collected, &wanted).await?;
    let (services, read) = streams::values(app, reader, SERVICE, expr, time).await?;
    seen.retain(|one| services.contains(&one.service));
    // Of a long time they are counted by the day.
    let stretch_ms = if hours < 48 { HOUR_MS } else { 24 * HOUR_MS };
    for one in &mut seen {
        one.trend.retain(|(at, count)| {
            *count > 0 && at.as_ms() + stretch_ms > time.start.as_ms() && *at <= time.end
        });
    }
    seen.retain(|one| !one.trend.is_empty());
    seen.truncate(MAX_PATTERNS);
    let mut stats = collected.stats;
    stats.add(&read);
    Ok((seen, stats))
}
