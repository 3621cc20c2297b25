//! How what was done came out: by status, day, environment, and category.

use std::collections::BTreeMap;

use super::{Collected, Group, GroupBy, error_rate, share, summary};
use crate::engine::{
    block::facts::{Cell, Dimension, Levels},
    record::{model::Level, timestamp::Timestamp},
    sketch::Sketch,
};

const DAY_HOURS: u32 = 24;

/// Outcomes by name that are good, and those that are still open.
const GOOD: [&str; 10] = [
    "success",
    "successful",
    "succeeded",
    "ok",
    "complete",
    "completed",
    "done",
    "passed",
    "finished",
    "resolved",
];
const OPEN: [&str; 9] = [
    "running",
    "started",
    "pending",
    "queued",
    "waiting",
    "retrying",
    "in_progress",
    "scheduled",
    "processing",
];

/// Records by how they came out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes {
    pub good: u64,
    pub bad: u64,
    /// Not yet known.
    pub open: u64,
}

impl Outcomes {
    fn note(&mut self, status: &str, count: u64) {
        let slot = match status.parse::<i64>() {
            Ok(code) if (0..400).contains(&code) => &mut self.good,
            Err(_) if GOOD.iter().any(|name| status.eq_ignore_ascii_case(name)) => &mut self.good,
            Err(_) if OPEN.iter().any(|name| status.eq_ignore_ascii_case(name)) => &mut self.open,
            _ => &mut self.bad,
        };
        *slot = slot.saturating_add(count);
    }

    fn of(cell: &Cell) -> Self {
        let mut outcomes = Self::default();
        for (status, levels) in cell.values(Dimension::Status).iter().filter(|(status, _)| !status.is_empty())
        {
            outcomes.note(status, levels.total());
        }
        outcomes
    }

    fn add(&mut self, other: Self) {
        self.good = self.good.saturating_add(other.good);
        self.bad = self.bad.saturating_add(other.bad);
        self.open = self.open.saturating_add(other.open);
    }

    /// The share of good ones among those that are known; `None` when none is.
    pub fn success_rate(self) -> Option<f64> {
        let known = self.good.saturating_add(self.bad);
        (known > 0).then(|| share(self.good, known))
    }
}

#[derive(Debug)]
pub struct Overview {
    pub levels: Levels,
    pub outcomes: Outcomes,
    pub durations: Sketch,
    pub by_status: Vec<Group>,
    /// When each day begins, its counts and outcomes.
    pub by_day: Vec<(Timestamp, Levels, Outcomes, Sketch)>,
    pub by_environment: Vec<Group>,
}

pub fn overview(collected: &Collected) -> Overview {
    let (mut outcomes, mut durations) = (Outcomes::default(), Sketch::default());
    let mut days: BTreeMap<u32, (Levels, Outcomes, Sketch)> = BTreeMap::new();
    for (_, _, hour, cell) in collected.facts.iter() {
        let came_out = Outcomes::of(cell);
        outcomes.add(came_out);
        let day = days.entry(hour / DAY_HOURS).or_default();
        day.0.add(&cell.levels);
        day.1.add(came_out);
        if let Some(theirs) = &cell.durations {
            durations.merge(theirs);
            day.2.merge(theirs);
        }
    }
    let by_status = summary(collected, GroupBy::Value(Dimension::Status));
    let by_environment = summary(collected, GroupBy::Value(Dimension::Environment));
    let start = |day: u32| Timestamp::from_ms(i64::from(day) * i64::from(DAY_HOURS) * super::HOUR_MS);
    Overview {
        levels: by_status.levels,
        outcomes,
        durations,
        by_status: by_status.groups,
        by_day: days
            .into_iter()
            .map(|(day, (levels, came_out, took))| (start(day), levels, came_out, took))
            .collect(),
        by_environment: by_environment.groups,
    }
}

#[derive(Debug)]
pub struct CategoryOutcome {
    pub category: String,
    pub levels: Levels,
    pub error_rate: f64,
    pub outcomes: Outcomes,
    /// Patterns of errors, and how many of them were not seen in the last hour or two of the range any more.
    pub failing_patterns: u64,
    pub resolved_patterns: u64,
}

pub fn categories(collected: &Collected) -> Vec<CategoryOutcome> {
    type Kept<'a> = (Levels, Outcomes, BTreeMap<(&'a str, &'a str), u32>);
    let mut all: BTreeMap<&str, Kept<'_>> = BTreeMap::new();
    let last = super::hour(collected.to);
    for (service, category, hour, cell) in collected.facts.iter() {
        let (levels, outcomes, failing) = all.entry(category).or_default();
        levels.add(&cell.levels);
        outcomes.add(Outcomes::of(cell));
        for (pattern, of) in cell.values(Dimension::Pattern).iter().filter(|(id, _)| !id.is_empty()) {
            if Level::ALL.iter().zip(of.0).any(|(level, count)| *level >= Level::Error && count > 0) {
                let seen = failing.entry((service, pattern)).or_default();
                *seen = (*seen).max(hour);
            }
        }
    }
    let outcome = |(category, (levels, outcomes, failing)): (&str, Kept<'_>)| CategoryOutcome {
        category: category.to_owned(),
        levels,
        error_rate: error_rate(&levels),
        outcomes,
        failing_patterns: failing.len() as u64,
        resolved_patterns: failing.values().filter(|seen| **seen + 1 < last).count() as u64,
    };
    let mut outcomes: Vec<CategoryOutcome> = all.into_iter().map(outcome).collect();
    outcomes
        .sort_by(|a, b| b.levels.total().cmp(&a.levels.total()).then_with(|| a.category.cmp(&b.category)));
    outcomes
}
