//! Counts, levels and durations over time.

use std::collections::BTreeMap;

use super::{Collected, HOUR_MS};
use crate::engine::{
    block::facts::{Dimension, Levels, fine::MINUTE_MS},
    record::{model::Level, timestamp::Timestamp},
    sketch::Sketch,
};

const MINUTE_STEP: usize = 60_000;

/// What is shown of each point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metrics {
    pub count: bool,
    pub severity: bool,
    pub performance: bool,
}

#[derive(Clone, Debug)]
pub struct Point {
    pub time: Timestamp,
    pub levels: Levels,
    pub durations: Sketch,
}

#[derive(Debug)]
pub struct Trends {
    pub points: Vec<Point>,
    /// Of some records only the hour is known, or not the environment.
    pub is_partial: bool,
}

/// Of these levels, or of all when none is named. A point for every interval of the range, also for those without records. The interval is a minute, or of whole hours.
pub fn trends(collected: &Collected, interval_ms: i64, only: &[Level]) -> Trends {
    let interval = interval_ms.max(MINUTE_MS);
    let start_of = |ms: i64| ms.div_euclid(interval) * interval;
    let mut points: BTreeMap<i64, (Levels, Sketch)> = BTreeMap::new();
    let mut is_partial = false;
    let mut at = start_of(collected.from.as_ms());
    while at <= collected.to.as_ms() {
        points.insert(at, Default::default());
        at += interval;
    }
    for (_, _, hour, cell) in collected.facts.iter() {
        // Of an environment that is asked for: there may be more of it.
        is_partial |= cell.values(Dimension::Environment).contains_key("");
        let start = i64::from(hour) * HOUR_MS;
        if interval < HOUR_MS {
            let known = cell.fine.minutes.iter().fold(0_u64, |sum, of| sum.saturating_add(of.total()));
            is_partial |= known < cell.levels.total();
            for (at, minute) in (start..).step_by(MINUTE_STEP).zip(&cell.fine.minutes) {
                if let Some((levels, _)) = points.get_mut(&start_of(at)) {
                    levels.add(&minute.only(only));
                }
            }
            continue;
        }
        let (levels, durations) = points.entry(start_of(start)).or_default();
        levels.add(&cell.levels.only(only));
        if let Some(theirs) = &cell.durations {
            durations.merge(theirs);
        }
    }
    let point = |(ms, (levels, durations))| Point { time: Timestamp::from_ms(ms), levels, durations };
    Trends { points: points.into_iter().map(point).collect(), is_partial }
}
