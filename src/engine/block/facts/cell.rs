//! What is counted of one service, category and hour.

use std::{cmp::Reverse, collections::BTreeMap};

use serde::{Deserialize, Serialize};

use super::{Counted, Dimension, Fine, Levels, MAX_VALUE_BYTES, MAX_VALUES, Wanted, fine, json_bytes};
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

    pub(super) fn count(&mut self, row: &Counted, level: Level, time: Timestamp) {
        let (one, minute) = (Levels::of_row(level, row.weight), fine::minute_of_hour(time));
        self.levels.add(&one);
        self.fine.add_minute(minute, &one);
        for (dimension, value) in Dimension::ALL.into_iter().zip(&row.values) {
            let Some(value) = value.as_deref().filter(|value| !value.is_empty()) else { continue };
            self.add_value(dimension, value, &one);
            match dimension {
                Dimension::Environment => self.fine.add_environment(value, minute, &one),
                Dimension::Pattern => self.fine.add_pattern(value, fine::step_of_hour(minute), row.weight),
                _ => {}
            }
        }
        let mut timed = Sketch::default();
        if row.duration_ms.is_some_and(|duration| timed.add(duration, row.weight)) {
            self.add_durations(fine::step_of_hour(minute), &timed);
        }
    }

    pub(super) fn add_value(&mut self, of: Dimension, value: &str, more: &Levels) {
        let Some(values) = self.values.get_mut(of as usize) else { return };
        if let Some(known) = values.get_mut(value) {
            known.add(more);
            return;
        }
        let is_room = values.len() < MAX_VALUES && value.len() <= MAX_VALUE_BYTES;
        let name = if is_room { value } else { "" };
        values.entry(name.to_owned()).or_default().add(more);
    }

    pub(super) fn add_durations(&mut self, step: usize, more: &Sketch) {
        self.durations.get_or_insert_default().merge(more);
        self.fine.add_durations(step, more);
    }

    /// Keeps the most frequent values of each dimension and counts the others together.
    pub(super) fn keep_most(&mut self, most: usize) {
        for values in self.values.iter_mut().filter(|values| values.len() > most) {
            let mut others = values.remove("").unwrap_or_default();
            let mut ranks: Vec<(Reverse<u64>, &str)> =
                values.iter().map(|(name, levels)| (Reverse(levels.total()), name.as_str())).collect();
            if most < ranks.len() {
                let (_, (total, name), _) = ranks.select_nth_unstable(most);
                let (total, name) = (*total, name.to_owned());
                values.retain(|known, levels| {
                    let is_kept = (Reverse(levels.total()), known.as_str()) < (total, name.as_str());
                    if !is_kept {
                        others.add(levels);
                    }
                    is_kept
                });
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
