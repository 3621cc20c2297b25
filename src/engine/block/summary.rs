//! What the catalog knows of a segment without opening it: counts per service, level and minute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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
    pub levels: LevelCounts,
}

impl ServiceSummary {
    pub fn merge(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        for (mine, theirs) in self.levels.iter_mut().zip(other.levels) {
            *mine += theirs;
        }
    }
}

/// Every service of a set of rows.
pub type Summary = BTreeMap<String, ServiceSummary>;

/// Adds one row to a summary.
pub fn count(summary: &mut Summary, service: &str, level: Level, time: Timestamp, bytes: u64) {
    let mut one = ServiceSummary { rows: 1, bytes, first: time, last: time, levels: [0; 5] };
    if let Some(slot) = one.levels.get_mut(level as usize) {
        *slot = 1;
    }
    match summary.get_mut(service) {
        Some(known) => known.merge(&one),
        None => {
            summary.insert(service.to_owned(), one);
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

    pub fn count(&mut self, service: &str, level: Level, time: Timestamp) {
        if !self.counts.contains_key(service) {
            self.counts.insert(service.to_owned(), BTreeMap::new());
        }
        if let Some(slot) = self
            .counts
            .get_mut(service)
            .and_then(|minutes| minutes.entry(minute(time)).or_default().get_mut(level as usize))
        {
            *slot += 1;
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
        count(&mut summary, "api", Level::Error, at(2 * MINUTE), 10);
        count(&mut summary, "api", Level::Info, at(MINUTE), 5);
        count(&mut summary, "web", Level::Debug, at(9), 1);
        let api = ServiceSummary {
            rows: 2,
            bytes: 15,
            first: at(MINUTE),
            last: at(2 * MINUTE),
            levels: [0, 1, 0, 1, 0],
        };
        assert_eq!(summary.get("api"), Some(&api));
        assert_eq!(summary.len(), 2);
    }

    #[test]
    fn a_roll_up_counts_by_the_minute() {
        let mut rollup = Rollup::default();
        for ms in [0, 59_999, 60_000] {
            rollup.count("api", Level::Warn, Timestamp::from_ms(ms));
        }
        assert_eq!(serde_json::to_string(&rollup).unwrap(), r#"{"api":{"0":[0,0,2,0,0],"1":[0,0,1,0,0]}}"#);
    }
}
