//! What is counted of one service, category and hour.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Counted, Dimension, Fine, Levels, MAX_VALUE_BYTES, MAX_VALUES, Wanted, json_bytes};
use crate::engine::{
    record::{model::Level, timestamp::Timestamp},
    sketch::Sketch,
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    #[serde(rename = "l")]
    pub levels: Levels,
    /// By dimension, in the order of `Dimension::ALL`; `""` are the others.
    #[serde(rename = "v", default)]
    pub values: [BTreeMap<String, Levels>; 6],
    /// `duration_ms` of the records that have one.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub durations: Option<Sketch>,
    #[serde(rename = "f", default)]
    pub fine: Fine,
}

impl Cell {
    pub fn values(&self, of: Dimension) -> &BTreeMap<String, Levels> {
        let [environments, components, endpoints, statuses, releases, patterns] = &self.values;
        match of {
            Dimension::Environment => environments,
            Dimension::Component => components,
            Dimension::Endpoint => endpoints,
            Dimension::Status => statuses,
            Dimension::Release => releases,
            Dimension::Pattern => patterns,
        }
    }

    pub(super) fn merge<S, C, V: Fn(Dimension, &str) -> String>(
        &mut self,
        other: &Self,
        wanted: &Wanted<'_, S, C, V>,
    ) {
        self.levels.add(&other.levels);
        let all = Dimension::ALL.into_iter().zip(&mut self.values).zip(&other.values);
        for ((dimension, mine), theirs) in all.filter(|((of, _), _)| wanted.dimensions.contains(of)) {
            for (value, levels) in theirs {
                let shown = if value.is_empty() { String::new() } else { (wanted.value)(dimension, value) };
                let is_room = mine.len() < MAX_VALUES || mine.contains_key(&shown);
                mine.entry(if is_room { shown } else { String::new() }).or_default().add(levels);
            }
        }
        if wanted.minutes {
            self.fine.merge_minutes(&other.fine.minutes);
        }
        if !wanted.durations {
            return;
        }
        if let Some(theirs) = &other.durations {
            match &mut self.durations {
                Some(mine) => mine.merge(theirs),
                none => *none = Some(theirs.clone()),
            }
        }
    }

    /// Adds what is known of one environment's records.
    pub(super) fn merge_environment<S, C, V>(
        &mut self,
        other: &Self,
        asked: &str,
        wanted: &Wanted<'_, S, C, V>,
    ) where
        V: Fn(Dimension, &str) -> String,
    {
        let values = other.values(Dimension::Environment);
        let mut is_told = false;
        for (value, levels) in values {
            let is_asked = || (wanted.value)(Dimension::Environment, value).eq_ignore_ascii_case(asked);
            if value.is_empty() || !is_asked() {
                continue;
            }
            is_told = true;
            self.levels.add(levels);
            let minutes = match other.fine.environments.get(value) {
                None if *levels == other.levels => &other.fine.minutes,
                None => continue,
                Some(minutes) => minutes,
            };
            if wanted.minutes {
                self.fine.merge_minutes(minutes);
            }
        }
        // It may be one of those that are counted together.
        if let Some(others) = values.get("").filter(|_| !is_told) {
            let [environments, ..] = &mut self.values;
            environments.entry(String::new()).or_default().add(others);
        }
    }

    /// The minutes of a cell's only environment are those of the cell.
    pub(super) fn settle(&mut self) {
        let is_only = |levels: &Levels| *levels == self.levels;
        if self.values(Dimension::Environment).values().any(is_only) {
            self.fine.environments.clear();
        }
        self.fine.coarsen();
    }

    pub(super) fn count(&mut self, row: &Counted<'_>, level: Level, time: Timestamp) {
        let weight = row.weight;
        let [environment, .., pattern] = &row.values;
        let environment = environment.as_deref().filter(|of| !of.is_empty() && of.len() <= MAX_VALUE_BYTES);
        self.fine.count(time, level, environment, pattern.as_deref(), weight);
        self.levels.count(level, weight);
        for (values, value) in self.values.iter_mut().zip(&row.values) {
            let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else { continue };
            if let Some(known) = values.get_mut(value) {
                known.count(level, weight);
                continue;
            }
            let is_room = values.len() < MAX_VALUES && value.len() <= MAX_VALUE_BYTES;
            let name = if is_room { value } else { "" };
            values.entry(name.to_owned()).or_default().count(level, weight);
        }
        if let Some(duration) = row.duration_ms.filter(|duration| duration.is_finite() && *duration >= 0.0) {
            self.durations.get_or_insert_default().add(duration, weight);
            self.fine.count_duration(time, duration, weight);
        }
    }

    /// Keeps the most frequent values of each dimension and counts the others together.
    pub(super) fn keep_most(&mut self, most: usize) {
        for values in &mut self.values {
            if values.len() <= most {
                continue;
            }
            let mut by_count: Vec<(u64, String)> = values
                .iter()
                .filter(|(name, _)| !name.is_empty())
                .map(|(name, l)| (l.total(), name.clone()))
                .collect();
            by_count.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
            let mut others = values.remove("").unwrap_or_default();
            for (_, name) in by_count.into_iter().skip(most) {
                if let Some(levels) = values.remove(&name) {
                    others.add(&levels);
                }
            }
            values.insert(String::new(), others);
        }
    }

    /// About its bytes as JSON.
    pub(super) fn weight(&self) -> usize {
        let values = self.values.iter().flatten().map(|(name, _)| json_bytes(name) + 24).sum::<usize>();
        60 + values + self.durations.as_ref().map_or(0, Sketch::weight) + self.fine.weight()
    }
}
