//! What the catalog knows of a segment beside its minutes: by service, category and hour the counts of what stands in
//! the fields that dashboards group by. It answers them without a segment being opened.
//!
//! Invariant: counts by service, category, hour and level are exact. Of each field only the most frequent values are
//! told apart, as many as there is room for; the others are counted together, under no name.

mod cell;
pub mod fine;
mod tally;

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::{
    fields::{CountedRow, Fields, Numbered},
    rows::Row,
    summary::LevelCounts,
};
use crate::engine::record::{
    model::{Level, Status},
    quote::special,
    row::RowHead,
    timestamp::Timestamp,
};

pub use cell::Cell;
pub use fine::Fine;

const HOUR_MS: i64 = 3_600_000;

/// Values of a field in a cell while rows are counted: beyond, new ones are counted together.
const MAX_VALUES: usize = 400;

/// What is given up for room, one after the other: what is rare first, and last of all what anomalies are looked for in.
const FITTING: [Fit; 10] = [
    Fit::Values(MAX_VALUES / 4),
    Fit::Patterns(40),
    Fit::Values(40),
    Fit::Values(12),
    Fit::Environments,
    Fit::Steps,
    Fit::OldMinutes,
    Fit::Values(3),
    Fit::Values(0),
    Fit::Nothing,
];

#[derive(Clone, Copy)]
enum Fit {
    /// So many values of each field.
    Values(usize),
    /// So many patterns by steps.
    Patterns(usize),
    /// Of environments only hours.
    Environments,
    /// No steps at all.
    Steps,
    /// Nothing but hours, of hours that are long over.
    OldMinutes,
    /// Nothing but levels.
    Nothing,
}

/// Hours behind the newest one whose minutes are looked at.
const LATE_HOURS: u32 = 3;

/// Categories of a service; a sender may write what it likes there.
const MAX_CATEGORIES: usize = 64;

/// Categories that not everybody may see, which are never counted together with others.
pub const APART: [&str; 2] = ["security", "audit"];

/// Where categories are counted for which there is no room.
const OTHER_CATEGORIES: &str = "(other)";

/// Bytes that facts may take while rows are counted.
const MAX_HELD_BYTES: usize = 4 << 20;

/// Bytes of a segment's facts as JSON: they stand in a row of D1, with the summaries and the minutes.
pub const MAX_BYTES: usize = 350_000;

/// A value longer than this is counted among the others.
const MAX_VALUE_BYTES: usize = 256;

/// The fields whose values are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dimension {
    Environment,
    Component,
    Endpoint,
    Status,
    Release,
    Pattern,
}

impl Dimension {
    pub const ALL: [Self; 6] =
        [Self::Environment, Self::Component, Self::Endpoint, Self::Status, Self::Release, Self::Pattern];

    /// Its field, as it is called where values are masked.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Component => "component",
            Self::Endpoint => "endpoint",
            Self::Status => "status",
            Self::Release => "metadata.release",
            Self::Pattern => "pattern_id",
        }
    }

    /// Where it stands in a row; the first that is there counts.
    const fn paths(self) -> &'static [&'static [&'static str]] {
        match self {
            Self::Environment => &[&["environment"]],
            Self::Component => &[&["component"]],
            Self::Endpoint => &[&["endpoint"]],
            Self::Status => &[&["status"]],
            Self::Release => &[&["metadata", "release"], &["metadata", "version"]],
            Self::Pattern => &[&["pattern_id"]],
        }
    }
}

/// Counts by level, without the zeros at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels(pub LevelCounts);

/// What of facts is put together, and how it is shown.
#[derive(Debug)]
pub struct Wanted<'a, S, C, V> {
    /// Whether a service and category are wanted.
    pub sees: S,
    /// A category as it is shown.
    pub category: C,
    /// A value as it is shown.
    pub value: V,
    /// Only records of the environment that is shown so; their durations are not known.
    pub environment: Option<&'a str>,
    pub dimensions: &'a [Dimension],
    pub durations: bool,
    pub minutes: bool,
    /// Hours that are counted together.
    pub step: u32,
}

type Hours = BTreeMap<u32, Cell>;

/// Service, category, hours since the epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts {
    pub cells: BTreeMap<String, BTreeMap<String, Hours>>,
}

/// What is counted of a row beside its head.
#[derive(Clone, Debug, Default)]
struct Counted {
    /// By dimension.
    values: [Option<String>; 6],
    duration_ms: Option<f64>,
    /// The records that it stands for.
    weight: u64,
}

/// The fields of a row that are counted.
#[derive(Default, Deserialize)]
struct Known {
    category: Option<String>,
    environment: Option<String>,
    component: Option<String>,
    endpoint: Option<String>,
    status: Option<Status>,
    pattern_id: Option<String>,
    duration_ms: Option<f64>,
    metadata: Option<Map<String, Value>>,
}

impl Serialize for Levels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let used = self.0.iter().rposition(|count| *count != 0).map_or(0, |last| last + 1);
        self.0.get(..used).unwrap_or(&self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Levels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let counts = Vec::<u64>::deserialize(deserializer)?;
        let mut levels = Self::default();
        for (slot, count) in levels.0.iter_mut().zip(counts) {
            *slot = count;
        }
        Ok(levels)
    }
}

impl Levels {
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    pub fn subtract(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_sub(theirs);
        }
    }

    fn of_row(level: Level, weight: u64) -> Self {
        Self(Level::ALL.map(|known| if known == level { weight } else { 0 }))
    }

    /// About its bytes as JSON.
    fn weight(&self) -> usize {
        self.0.iter().filter(|count| **count > 0).map(|count| fine::digits(*count) + 1).sum()
    }

    /// Those of these levels, or all when none is named.
    #[must_use]
    pub fn only(&self, levels: &[Level]) -> Self {
        let is_wanted = |level: Level| levels.is_empty() || levels.contains(&level);
        Self(Level::ALL.map(|level| if is_wanted(level) { self.of(level) } else { 0 }))
    }

    pub fn of(&self, level: Level) -> u64 {
        self.0.get(level as usize).copied().unwrap_or(0)
    }

    pub fn total(&self) -> u64 {
        self.0.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

impl Facts {
    /// What is known of a segment that was written before there were any is nothing.
    pub fn is_known(&self) -> bool {
        !self.cells.is_empty()
    }

    /// Counts a row, which is read for it.
    pub fn count_row(&mut self, row: &Row<'_>) {
        let fields: Known = serde_json::from_slice(row.line).unwrap_or_default();
        let metadata = |name: &str| fields.metadata.as_ref().and_then(|metadata| metadata.get(name));
        let release = metadata("release").and_then(text).or_else(|| metadata("version").and_then(text));
        let duration = || DURATIONS.iter().find_map(|path| metadata(path.get(1)?).and_then(number));
        let duration_ms = fields.duration_ms.or_else(duration);
        let values = [
            fields.environment,
            fields.component,
            fields.endpoint,
            fields.status.map(|status| status.to_string()),
            release,
            fields.pattern_id,
        ];
        let counted = Counted { values, duration_ms, weight: row.weight() };
        let RowHead { timestamp, level, service, .. } = &row.head;
        if let Some(cell) =
            self.cell(service, fields.category.as_deref().unwrap_or_default(), hour(*timestamp))
        {
            cell.count(&counted, *level, *timestamp);
        }
    }

    /// Counts the rows of a block with what each stands for. `held` is what all facts weigh at the most, before and after.
    pub(super) fn count_block(
        &mut self,
        rows: &[CountedRow],
        services: &Numbered<'_>,
        fields: &Fields<'_, '_>,
        held: &mut usize,
    ) {
        *held += tally::count(self, rows, services, fields);
        if *held > MAX_HELD_BYTES {
            *held = self.make_room();
        }
    }

    /// Makes room for more rows, where it is needed; answers what they weigh.
    pub(super) fn make_room(&mut self) -> usize {
        self.fit_in(MAX_HELD_BYTES);
        self.weight()
    }

    fn cell(&mut self, service: &str, category: &str, hour: u32) -> Option<&mut Cell> {
        let category = self.counted_as(service, category);
        Some(self.cells.get_mut(service)?.get_mut(category)?.entry(hour).or_default())
    }

    /// The category that rows of this one are counted in, which is there then.
    fn counted_as<'c>(&mut self, service: &str, category: &'c str) -> &'c str {
        if !self.cells.contains_key(service) {
            self.cells.insert(service.to_owned(), BTreeMap::new());
        }
        let Some(categories) = self.cells.get_mut(service) else { return category };
        if categories.contains_key(category) {
            return category;
        }
        let is_room = categories.len() < MAX_CATEGORIES && category.len() <= MAX_VALUE_BYTES
            || APART.iter().any(|apart| category.eq_ignore_ascii_case(apart));
        let category = if is_room { category } else { OTHER_CATEGORIES };
        if !categories.contains_key(category) {
            categories.insert(category.to_owned(), Hours::new());
        }
        category
    }

    /// Adds those of other facts that are of these hours; see `Wanted`.
    pub fn add<S, C, V>(&mut self, other: &Self, hours: &RangeInclusive<u32>, wanted: &Wanted<'_, S, C, V>)
    where
        S: Fn(&str, &str) -> bool,
        C: Fn(&str) -> String,
        V: Fn(Dimension, &str) -> String,
    {
        for (service, categories) in &other.cells {
            for (category, theirs) in categories {
                if !(wanted.sees)(service, category) {
                    continue;
                }
                let category = (wanted.category)(category);
                let mine = self.cells.entry(service.clone()).or_default().entry(category).or_default();
                for (hour, cell) in theirs.range(hours.clone()) {
                    let step = wanted.step.max(1);
                    let mine = mine.entry(hour / step * step).or_default();
                    match wanted.environment {
                        None => mine.merge(cell, wanted),
                        Some(asked) => mine.merge_environment(cell, asked, wanted),
                    }
                }
            }
        }
    }

    /// Every cell with its service, category and hour.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u32, &Cell)> {
        self.cells.iter().flat_map(|(service, categories)| {
            categories.iter().flat_map(move |(category, hours)| {
                hours.iter().map(move |(hour, cell)| (service.as_str(), category.as_str(), *hour, cell))
            })
        })
    }

    /// Makes them so few that they fit in `MAX_BYTES`; nothing is left when even the bare counts do not.
    pub fn fit(&mut self) {
        for (_, cell) in self.cells_mut() {
            cell.settle();
        }
        self.fit_in(MAX_BYTES);
    }

    fn fit_in(&mut self, bytes: usize) {
        let newest = self.iter().map(|(_, _, hour, _)| hour).max().unwrap_or_default();
        for step in FITTING {
            if self.weight() <= bytes {
                return;
            }
            for (hour, cell) in self.cells_mut() {
                match step {
                    Fit::Values(most) => cell.keep_most(most),
                    Fit::Patterns(most) => cell.fine.keep_most(most),
                    Fit::Environments => cell.fine.environments.clear(),
                    Fit::Steps => cell.fine.drop_steps(),
                    Fit::OldMinutes if hour + LATE_HOURS < newest => cell.fine = Fine::default(),
                    Fit::OldMinutes => {}
                    Fit::Nothing => {
                        cell.values = Default::default();
                        cell.durations = None;
                        cell.fine = Fine::default();
                    }
                }
            }
        }
        if self.weight() > bytes {
            self.cells.clear();
        }
    }

    fn cells_mut(&mut self) -> impl Iterator<Item = (u32, &mut Cell)> {
        let cells = self.cells.values_mut().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::iter_mut);
        cells.map(|(hour, cell)| (*hour, cell))
    }

    /// About their bytes as JSON, which is about what they take in memory too.
    pub fn weight(&self) -> usize {
        let of_category = |(name, hours): (&String, &Hours)| {
            json_bytes(name) + 6 + hours.values().map(Cell::weight).sum::<usize>()
        };
        self.cells
            .iter()
            .map(|(name, categories)| {
                json_bytes(name) + 6 + categories.iter().map(of_category).sum::<usize>()
            })
            .sum()
    }
}

/// Where senders say how long something took, who have no `duration_ms`.
const DURATIONS: [&[&str]; 2] = [&["metadata", "duration_ms"], &["metadata", "latency_ms"]];

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    text(value)?.parse().ok()
}

/// The bytes of a text as JSON, without its quotes.
fn json_bytes(text: &str) -> usize {
    if special(text.as_bytes()).is_none() {
        return text.len();
    }
    let of = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(of).sum()
}

/// Hours since the epoch.
pub fn hour(time: Timestamp) -> u32 {
    u32::try_from(time.as_ms() / HOUR_MS).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
