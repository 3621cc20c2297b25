//! Counts: which services there are, and what one of them sends. Exact, from the catalog's summaries
//! and roll-ups and what is not flushed yet; no segment is opened.

use std::collections::BTreeMap;

use super::{
    App, Error, Reader, configs,
    fresh::{self, Copies},
    scan::{Segments, Stats},
};
use crate::engine::{
    block::{Rollup, ServiceSummary, Summary, packed::Packed, summary},
    query::TimeRange,
    record::timestamp::Timestamp,
};

const HOUR_MINUTES: u32 = 60;
const HOURS: u32 = 24;

/// Every service that the reader may see, as it is in all segments that touch the range, also in what of them lies
/// beyond. `partial` when something could not be counted.
pub async fn services(app: &App, reader: &Reader, range: TimeRange) -> Result<(Summary, bool), Error> {
    let tenant = reader.tenant();
    let mut all = Summary::new();
    let mut stats = Stats::default();
    let mut count = |rows: &Packed, _: &mut Stats| {
        for row in rows.rows() {
            let (bytes, weight) = (row.bytes() as u64, row.weight());
            summary::count(&mut all, &row.service(), row.level(), row.timestamp(), bytes, weight);
        }
        Ok(())
    };
    let fresh = fresh::read(app, tenant, range, Copies::PassedOver, &mut stats, &mut count).await?;
    let mut partial = fresh.partial;
    let mut segments = Segments::new(app, tenant, range);
    while let Some(entry) = segments.next(&fresh, &mut stats).await? {
        partial |= fresh.is_older_than(&entry);
        for (service, theirs) in entry.services {
            match all.get_mut(&service) {
                Some(mine) => mine.merge(&theirs),
                None => {
                    all.insert(service, theirs);
                }
            }
        }
    }
    all.retain(|service, _| reader.sees_service(service));
    Ok((all, partial))
}

/// What one service has sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceStats {
    /// Absent for a service that has nothing stored.
    pub total: Option<ServiceSummary>,
    /// The last 24 hours by the clock, the current one last: when each begins, and its counts by level.
    pub hours: Vec<(Timestamp, summary::LevelCounts)>,
    pub partial: bool,
}

pub async fn service(app: &App, reader: &Reader, service: &str) -> Result<ServiceStats, Error> {
    configs::check_service(service)?;
    let tenant = reader.tenant();
    let (services, partial) = services(app, reader, TimeRange::ALL).await?;
    let total = services.get(service).cloned();

    let this_hour = summary::minute(app.now()) / HOUR_MINUTES;
    let first_hour = this_hour.saturating_sub(HOURS - 1);
    let start = hour_start(first_hour);
    let range = TimeRange { start, end: Timestamp::MAX };
    let mut counts: BTreeMap<u32, summary::LevelCounts> = BTreeMap::new();
    let mut add = |rollup: &Rollup| {
        for (minute, levels) in rollup.counts.get(service).into_iter().flatten() {
            let slot = counts.entry(minute / HOUR_MINUTES).or_default();
            for (sum, n) in slot.iter_mut().zip(levels) {
                *sum += n;
            }
        }
    };
    let mut stats = Stats::default();
    let mut unflushed = Rollup::default();
    let mut count = |rows: &Packed, _: &mut Stats| {
        for row in rows.rows().filter(|row| row.service() == service && reader.sees_service(service)) {
            unflushed.count(service, row.level(), row.timestamp(), row.weight());
        }
        Ok(())
    };
    let fresh = fresh::read(app, tenant, range, Copies::PassedOver, &mut stats, &mut count).await?;
    add(&unflushed);
    let mut unknown = false;
    let mut segments = Segments::new(app, tenant, range).with_rollups();
    while let Some(entry) = segments.next(&fresh, &mut stats).await? {
        match &entry.rollup {
            Some(rollup) if reader.sees_service(service) => add(rollup),
            Some(_) => {}
            None => unknown = true,
        }
    }
    let hours = (first_hour..=this_hour)
        .map(|hour| (hour_start(hour), counts.get(&hour).copied().unwrap_or_default()))
        .collect();
    Ok(ServiceStats { total, hours, partial: partial || fresh.partial || unknown })
}

fn hour_start(hour: u32) -> Timestamp {
    Timestamp::from_ms(i64::from(hour) * 3_600_000)
}
