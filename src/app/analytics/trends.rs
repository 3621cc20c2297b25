//! Counts, levels and durations over time.

use std::collections::BTreeMap;

use super::{Collected, HOUR_MS};
use crate::engine::{block::facts::Levels, record::timestamp::Timestamp, sketch::Sketch};

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
}

/// A point for every interval of the range, also for those without records. The interval is of whole hours.
pub fn trends(collected: &Collected, interval_ms: i64) -> Trends {
    let interval = interval_ms.max(HOUR_MS);
    let start_of = |ms: i64| ms.div_euclid(interval) * interval;
    let mut points: BTreeMap<i64, (Levels, Sketch)> = BTreeMap::new();
    let mut at = start_of(collected.from.as_ms());
    while at <= collected.to.as_ms() {
        points.insert(at, Default::default());
        at += interval;
    }
    for (_, _, hour, cell) in collected.facts.iter() {
        let (levels, durations) = points.entry(start_of(i64::from(hour) * HOUR_MS)).or_default();
        levels.add(&cell.levels);
        if let Some(theirs) = &cell.durations {
            durations.merge(theirs);
        }
    }
    let point = |(ms, (levels, durations))| Point { time: Timestamp::from_ms(ms), levels, durations };
    Trends { points: points.into_iter().map(point).collect() }
}
