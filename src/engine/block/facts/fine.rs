//! What is counted finer than by the hour: levels by the minute, also of each environment, and patterns and durations in steps of five minutes, which
//! is what anomalies are looked for in.
//!
//! Steps end a minute before the five-minute marks of the clock: who looks at a mark finds the last one complete, though
//! logs are a little late.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Levels, MAX_VALUE_BYTES, json_bytes};
use crate::engine::{record::timestamp::Timestamp, sketch::Sketch};

pub const MINUTE_MS: i64 = 60_000;
pub const STEP_MINUTES: u32 = 5;
pub const STEP_MS: i64 = STEP_MINUTES as i64 * MINUTE_MS;

const HOUR_MINUTES: usize = 60;
const HOUR_STEPS: u32 = 60 / STEP_MINUTES;

/// Patterns of a cell that are counted by steps; the first ones, since the frequent come early.
const MAX_PATTERNS: usize = 200;

/// Environments of a cell whose minutes are counted; the first ones.
const MAX_ENVIRONMENTS: usize = 8;

/// Of a cell's hour. What is behind the last one that counts is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Fine {
    #[serde(rename = "m", skip_serializing_if = "Vec::is_empty")]
    pub minutes: Vec<Levels>,
    /// The minutes of each environment, in a cell that has several.
    #[serde(rename = "e", skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, Vec<Levels>>,
    #[serde(rename = "p", skip_serializing_if = "BTreeMap::is_empty")]
    pub patterns: BTreeMap<String, Vec<u64>>,
    #[serde(rename = "d", skip_serializing_if = "Vec::is_empty")]
    pub durations: Vec<Sketch>,
    /// There was no room for all steps.
    #[serde(rename = "x", skip_serializing_if = "std::ops::Not::not")]
    pub is_cut: bool,
}

/// Steps since the epoch.
pub fn step(time: Timestamp) -> u32 {
    step_of_minute(time.as_ms().div_euclid(MINUTE_MS))
}

/// When a step begins.
pub fn start_ms(step: u32) -> i64 {
    i64::from(step) * STEP_MS - MINUTE_MS
}

/// The step that a minute since the epoch is in.
pub fn step_of_minute(minute: i64) -> u32 {
    u32::try_from((minute + 1).div_euclid(i64::from(STEP_MINUTES))).unwrap_or(0)
}

/// The first step of an hour since the epoch, which begins a minute before it.
pub fn first_step(hour: u32) -> u32 {
    hour.saturating_mul(HOUR_STEPS)
}

impl Fine {
    pub(super) fn add_minute(&mut self, minute: usize, more: &Levels) {
        if let Some(levels) = slot(&mut self.minutes, minute, HOUR_MINUTES) {
            levels.add(more);
        }
    }

    pub(super) fn add_environment(&mut self, name: &str, minute: usize, more: &Levels) {
        if name.len() > MAX_VALUE_BYTES {
            return;
        }
        let minutes = self.environment(name);
        if let Some(levels) = minutes.and_then(|minutes| slot(minutes, minute, HOUR_MINUTES)) {
            levels.add(more);
        }
    }

    pub(super) fn add_pattern(&mut self, pattern: &str, step: usize, more: u64) {
        if !self.patterns.contains_key(pattern) {
            if self.patterns.len() >= MAX_PATTERNS {
                self.is_cut = true;
                return;
            }
            self.patterns.insert(pattern.to_owned(), Vec::new());
        }
        let counts = self.patterns.get_mut(pattern);
        if let Some(count) = counts.and_then(|counts| slot(counts, step, HOUR_MINUTES)) {
            *count = count.saturating_add(more);
        }
    }

    pub(super) fn add_durations(&mut self, step: usize, more: &Sketch) {
        if let Some(sketch) = slot(&mut self.durations, step, HOUR_MINUTES) {
            sketch.merge(more);
        }
    }

    fn environment(&mut self, name: &str) -> Option<&mut Vec<Levels>> {
        if !self.environments.contains_key(name) {
            if self.environments.len() >= MAX_ENVIRONMENTS {
                return None;
            }
            self.environments.insert(name.to_owned(), Vec::new());
        }
        self.environments.get_mut(name)
    }

    pub(super) fn merge_minutes(&mut self, minutes: &[Levels]) {
        for (minute, theirs) in minutes.iter().enumerate() {
            self.add_minute(minute, theirs);
        }
    }

    /// Keeps the steps of the most frequent patterns.
    pub(super) fn keep_most(&mut self, most: usize) {
        if self.patterns.len() <= most {
            return;
        }
        self.is_cut = true;
        let total = |counts: &[u64]| counts.iter().fold(0_u64, |sum, count| sum.saturating_add(*count));
        let mut by_count: Vec<(u64, String)> =
            self.patterns.iter().map(|(id, counts)| (total(counts), id.clone())).collect();
        by_count.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        for (_, id) in by_count.into_iter().skip(most) {
            self.patterns.remove(&id);
        }
    }

    /// Durations of steps are only compared with those of other steps: they need not be exact.
    pub(super) fn coarsen(&mut self) {
        for sketch in &mut self.durations {
            *sketch = sketch.coarse();
        }
    }

    pub(super) fn drop_steps(&mut self) {
        self.is_cut |= !self.patterns.is_empty() || !self.durations.is_empty();
        self.patterns.clear();
        self.durations.clear();
    }

    pub(super) fn weight(&self) -> usize {
        let minutes = self.minutes.iter().map(|levels| 3 + levels.weight()).sum::<usize>();
        let of_environment = |(name, of): (&String, &Vec<Levels>)| {
            json_bytes(name) + 6 + of.iter().map(|levels| 3 + levels.weight()).sum::<usize>()
        };
        let environments = self.environments.iter().map(of_environment).sum::<usize>();
        let counts = |counts: &Vec<u64>| counts.iter().map(|count| digits(*count) + 1).sum::<usize>();
        let patterns = self.patterns.iter().map(|(id, of)| json_bytes(id) + 6 + counts(of)).sum::<usize>();
        24 + minutes + environments + patterns + self.durations.iter().map(Sketch::weight).sum::<usize>()
    }
}

pub(super) fn minute_of_hour(time: Timestamp) -> usize {
    usize::try_from(time.as_ms().div_euclid(MINUTE_MS).rem_euclid(60)).unwrap_or(0)
}

/// The step of a minute, both from the first one of their hour.
pub(super) fn step_of_hour(minute: usize) -> usize {
    (minute + 1) / STEP_MINUTES as usize
}

/// The place of a number in a list that grows up to it.
fn slot<T: Default>(list: &mut Vec<T>, at: usize, most: usize) -> Option<&mut T> {
    if at >= list.len() && at < most {
        list.resize_with(at + 1, T::default);
    }
    list.get_mut(at)
}

pub(super) fn digits(count: u64) -> usize {
    count.checked_ilog10().map_or(1, |digits| digits as usize + 1)
}
