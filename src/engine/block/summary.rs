//! What the catalog knows of a segment without opening it: counts per service, level and minute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fields::{CountedRow, Numbered};
use crate::engine::record::{model::Level, timestamp::Timestamp};

/// Counts by level, in the order of `Level::ALL`.
pub type LevelCounts = [u64; 5];

/// What a set of rows holds of one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSummary {
    pub rows: u64,
    /// Bytes of the rows as stored, before compression.
    pub bytes: u64,
    pub first: Timestamp,
    pub last: Timestamp,
    /// Records by level: a row counts as many as it stands for.
    pub levels: LevelCounts,
    /// Rows by level, where some stand for several records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<LevelCounts>,
}

impl ServiceSummary {
    fn of_row(level: Level, time: Timestamp, bytes: u64, weight: u64) -> Self {
        let of_level = |count| Level::ALL.map(|known| if known == level { count } else { 0 });
        let stored = (weight != 1).then(|| of_level(1));
        Self { rows: 1, bytes, first: time, last: time, levels: of_level(weight), stored }
    }

    /// Rows by level.
    pub fn stored(&self) -> LevelCounts {
        self.stored.unwrap_or(self.levels)
    }

    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        if self.stored.is_some() || other.stored.is_some() {
            self.stored = Some(sum(self.stored(), other.stored()));
        }
        self.levels = sum(self.levels, other.levels);
    }
}

fn sum(mut mine: LevelCounts, theirs: LevelCounts) -> LevelCounts {
    for (mine, theirs) in mine.iter_mut().zip(theirs) {
        *mine += theirs;
    }
    mine
}

/// Every service of a set of rows.
pub type Summary = BTreeMap<String, ServiceSummary>;

/// Adds one row to a summary, that stands for `weight` records.
pub fn count(summary: &mut Summary, service: &str, level: Level, time: Timestamp, bytes: u64, weight: u64) {
    add(summary, service, ServiceSummary::of_row(level, time, bytes, weight));
}

fn add(summary: &mut Summary, service: &str, more: ServiceSummary) {
    match summary.get_mut(service) {
        Some(known) => known.merge(&more),
        None => {
            summary.insert(service.to_owned(), more);
        }
    }
}

/// Adds the rows of a block with what each stands for.
pub(super) fn count_block(
    summary: &mut Summary,
    rollup: &mut Rollup,
    rows: &[CountedRow],
    services: &Numbered<'_>,
) {
    let mut of_services: Vec<Option<ServiceSummary>> = vec![None; services.texts.len()];
    // The minutes of each service; its rows come in order of time.
    let mut minutes: Vec<Vec<(u32, LevelCounts)>> = vec![Vec::new(); services.texts.len()];
    for (nth, row) in rows.iter().enumerate() {
        let Some(service) = services.number(nth).map(|number| number as usize) else { continue };
        let one = ServiceSummary::of_row(row.level, row.time, row.bytes, row.weight);
        let Some((slot, minutes)) = of_services.get_mut(service).zip(minutes.get_mut(service)) else {
            continue;
        };
        let minute = minute(row.time);
        match minutes.last_mut().filter(|(last, _)| *last == minute) {
            Some((_, counts)) => *counts = sum(*counts, one.levels),
            None => minutes.push((minute, one.levels)),
        }
        match slot {
            Some(known) => known.merge(&one),
            None => *slot = Some(one),
        }
    }
    for ((service, of_service), minutes) in services.texts.iter().zip(of_services).zip(minutes) {
        if let Some(of_service) = of_service {
            add(summary, service, of_service);
        }
        for (minute, counts) in minutes {
            rollup.add(service, minute, counts);
        }
    }
}

/// Counts per service, minute and level: service, then minutes since the epoch, then counts by level.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rollup {
    pub counts: BTreeMap<String, BTreeMap<u32, LevelCounts>>,
}

impl Rollup {
    /// About the bytes that it takes in memory.
    pub fn weight(&self) -> usize {
        self.counts.iter().map(|(service, minutes)| 100 + service.len() + minutes.len() * 80).sum()
    }

    /// Adds one row that stands for `weight` records.
    pub fn count(&mut self, service: &str, level: Level, time: Timestamp, weight: u64) {
        self.add(service, minute(time), Level::ALL.map(|known| if known == level { weight } else { 0 }));
    }

    fn add(&mut self, service: &str, minute: u32, counts: LevelCounts) {
        if !self.counts.contains_key(service) {
            self.counts.insert(service.to_owned(), BTreeMap::new());
        }
        if let Some(minutes) = self.counts.get_mut(service) {
            let slot = minutes.entry(minute).or_default();
            *slot = sum(*slot, counts);
        }
    }
}

/// Minutes since the epoch.
pub fn minute(time: Timestamp) -> u32 {
    u32::try_from(time.as_ms() / 60_000).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_summary_adds_up_per_service() {
        let mut summary = Summary::new();
        let at = Timestamp::from_ms;
        count(&mut summary, "api", Level::Error, at(2 * MINUTE), 10, 1);
        count(&mut summary, "api", Level::Info, at(MINUTE), 5, 1);
        count(&mut summary, "web", Level::Debug, at(9), 1, 1);
        let api = ServiceSummary {
            rows: 2,
            bytes: 15,
            first: at(MINUTE),
            last: at(2 * MINUTE),
            levels: [0, 1, 0, 1, 0],
            stored: None,
        };
        assert_eq!(summary.get("api"), Some(&api));
        assert_eq!(summary.len(), 2);
    }

    #[test]
    fn a_row_counts_as_many_records_as_it_stands_for() {
        let mut summary = Summary::new();
        let mut count = |level, weight| count(&mut summary, "api", level, Timestamp::EPOCH, 10, weight);
        count(Level::Info, 1);
        count(Level::Info, 10);
        count(Level::Warn, 1);
        let api = summary.remove("api").unwrap();
        assert_eq!((api.rows, api.bytes, api.levels), (3, 30, [0, 11, 1, 0, 0]));
        assert_eq!(api.stored(), [0, 2, 1, 0, 0]);
        let text = serde_json::to_string(&api).unwrap();
        assert_eq!(serde_json::from_str::<ServiceSummary>(&text).unwrap(), api);
        // What was written before there were such rows.
        let old = r#"{"rows":2,"bytes":9,"first":"2025-11-20T00:00:00Z","last":"2025-11-20T00:00:00Z","levels":[0,2,0,0,0]}"#;
        let mut old: ServiceSummary = serde_json::from_str(old).unwrap();
        assert!(!serde_json::to_string(&old).unwrap().contains("stored"));
        old.merge(&api);
        assert_eq!((old.levels, old.stored()), ([0, 13, 1, 0, 0], [0, 4, 1, 0, 0]));
    }

    #[test]
    fn a_roll_up_counts_by_the_minute() {
        let mut rollup = Rollup::default();
        for ms in [0, 59_999, 60_000] {
            rollup.count("api", Level::Warn, Timestamp::from_ms(ms), 1);
        }
        rollup.count("api", Level::Error, Timestamp::from_ms(60_000), 10);
        assert_eq!(serde_json::to_string(&rollup).unwrap(), r#"{"api":{"0":[0,0,2,0,0],"1":[0,0,1,10,0]}}"#);
    }
}
