//! What an operator asks of days and weeks: totals, trends, outcomes. Answered from the facts in the catalog and from what
//! is not flushed yet; no segment is opened. Ranges begin with an hour, since facts are kept by the hour.

mod outcomes;
mod patterns;
mod trends;

use std::{collections::BTreeMap, ops::RangeInclusive};

pub use outcomes::{CategoryOutcome, Outcomes, Overview, categories, overview};
pub use patterns::{Filter, Seen, patterns};
pub use trends::{Metrics, Point, Trends, trends};

use super::{
    App, Error, Reader,
    fresh::{self, Copies},
    scan::{Segments, Stats},
};
use crate::engine::{
    block::{
        Facts,
        facts::{Cell, Dimension, Levels, Wanted, hour},
        packed::Packed,
    },
    query::TimeRange,
    record::{model::Level, timestamp::Timestamp},
    sketch::Sketch,
    tenant::Tenant,
};

pub const HOUR_MS: i64 = 3_600_000;

/// So far back at the most.
pub const MAX_HOURS: u32 = 24 * 92 + 1;

/// What an answer is made of takes no more than this, as text; it is looked at after so many segments.
const MAX_BYTES: usize = 12 << 20;
const WEIGHED_EVERY: usize = 8;

/// Groups of an answer.
const MAX_GROUPS: usize = 100;

/// What facts there are of a range of hours, as the reader may see them.
#[derive(Debug)]
pub struct Collected {
    pub facts: Facts,
    pub from: Timestamp,
    pub to: Timestamp,
    pub stats: Stats,
}

/// What is collected.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ask<'a> {
    /// The last hours, the current one among them.
    pub hours: u32,
    pub dimensions: &'a [Dimension],
    pub durations: bool,
    pub minutes: bool,
    /// So many hours need not be told apart.
    pub step: u32,
    pub only: Only<'a>,
}

/// The records that are wanted: all, or those of what facts tell apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Only<'a> {
    pub service: Option<&'a str>,
    pub category: Option<&'a str>,
    /// Without durations, which are not known by it.
    pub environment: Option<&'a str>,
}

/// Collects the facts that are asked for.
pub async fn collect(app: &App, reader: &Reader, ask: Ask<'_>) -> Result<Collected, Error> {
    let began = app.clock.now_ms();
    let now = app.now();
    let last = hour(now);
    let hours = last.saturating_sub(ask.hours.clamp(1, MAX_HOURS) - 1)..=last;
    let from = Timestamp::from_ms(i64::from(*hours.start()) * HOUR_MS);
    let range = TimeRange { start: from, end: now.max(from) };
    let mut collecting = Collecting { reader, ask, hours, facts: Facts::default(), added: 0, is_full: false };
    let mut stats = Stats::default();
    walk(app, reader.tenant(), range, &mut stats, |facts| collecting.add(facts)).await?;
    stats.partial |= collecting.is_full;
    stats.elapsed_ms = app.clock.now_ms().saturating_sub(began);
    Ok(Collected { facts: collecting.facts, from, to: range.end, stats })
}

/// The first of the last hours, where the current one counts as one from its middle on: an hour that has just begun says
/// little beside whole ones.
pub(super) fn first_hour(now: Timestamp, hours: u32) -> u32 {
    let is_young = now.as_ms().rem_euclid(HOUR_MS) < HOUR_MS / 2;
    hour(now).saturating_sub(hours - u32::from(!is_young))
}

/// Hands over the facts of what is not flushed, which are of the range alone, and then those of every segment that overlaps
/// it; `stats` say whether something is missing.
pub(super) async fn walk(
    app: &App,
    tenant: &Tenant,
    range: TimeRange,
    stats: &mut Stats,
    mut each: impl FnMut(&Facts) + Send,
) -> Result<(), Error> {
    let mut unflushed = Facts::default();
    let mut line = Vec::new();
    let mut count = |rows: &Packed, _: &mut Stats| {
        for row in rows.rows().filter(|row| range.contains(row.timestamp())) {
            unflushed.count_row(&row.read(&mut line));
        }
        Ok(())
    };
    let fresh = fresh::read(app, tenant, range, Copies::PassedOver, stats, &mut count).await?;
    each(&unflushed);
    stats.partial |= fresh.partial;
    let mut segments = Segments::new(app, tenant, range).with_facts();
    while let Some(entry) = segments.next(&fresh, stats).await? {
        stats.partial |= fresh.is_older_than(&entry);
        match entry.facts.as_deref().filter(|facts| facts.is_known()) {
            Some(facts) => each(facts),
            None => stats.partial = true,
        }
    }
    Ok(())
}

struct Collecting<'a> {
    reader: &'a Reader,
    ask: Ask<'a>,
    hours: RangeInclusive<u32>,
    facts: Facts,
    added: usize,
    is_full: bool,
}

impl Collecting<'_> {
    /// Adds facts as the reader may see them; what does not fit is left out.
    fn add(&mut self, facts: &Facts) {
        self.added += 1;
        self.is_full |= self.added.is_multiple_of(WEIGHED_EVERY) && self.facts.weight() > MAX_BYTES;
        if self.is_full {
            return;
        }
        let only = self.ask.only;
        let shown_category = |category: &str| self.reader.shown_value("category", category);
        let sees = |service: &str, category: &str| {
            only.service.is_none_or(|asked| asked == service)
                && is_of(only.category, &shown_category(category))
                && self.reader.sees_of(service, category)
        };
        // Ids of patterns are shown by nothing but `patterns`, which sees to that itself.
        let shown = |of: Dimension, value: &str| match of {
            Dimension::Pattern => value.to_owned(),
            of => self.reader.shown_value(of.field(), value),
        };
        let wanted = Wanted {
            sees,
            category: shown_category,
            value: shown,
            environment: only.environment,
            dimensions: self.ask.dimensions,
            durations: self.ask.durations,
            minutes: self.ask.minutes,
            step: self.ask.step,
        };
        self.facts.add(facts, &self.hours, &wanted);
    }
}

/// What records are put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupBy {
    Severity,
    Service,
    Category,
    Value(Dimension),
}

impl GroupBy {
    pub const NAMES: [(&str, Self); 8] = [
        ("severity", Self::Severity),
        ("service", Self::Service),
        ("component", Self::Value(Dimension::Component)),
        ("category", Self::Category),
        ("environment", Self::Value(Dimension::Environment)),
        ("endpoint", Self::Value(Dimension::Endpoint)),
        ("status", Self::Value(Dimension::Status)),
        ("release", Self::Value(Dimension::Release)),
    ];
}

/// Records that have something in common. The key is empty for those that have no value, and absent for those whose values
/// are not told apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub key: Option<String>,
    pub levels: Levels,
    /// Where it is known: durations are kept by service and category.
    pub durations: Option<Sketch>,
}

#[derive(Debug)]
pub struct Summary {
    pub levels: Levels,
    pub groups: Vec<Group>,
    pub truncated: bool,
}

/// Totals, and the largest groups first.
pub fn summary(collected: &Collected, by: GroupBy) -> Summary {
    let mut levels = Levels::default();
    let mut groups: BTreeMap<Option<String>, (Levels, Option<Sketch>)> = BTreeMap::new();
    let mut add = |key: Option<&str>, levels: &Levels, durations: Option<&Sketch>| {
        let group = groups.entry(key.map(str::to_owned)).or_default();
        group.0.add(levels);
        if let Some(theirs) = durations {
            group.1.get_or_insert_default().merge(theirs);
        }
    };
    for (service, category, _, cell) in collected.facts.iter() {
        levels.add(&cell.levels);
        match by {
            GroupBy::Severity => {
                for (level, count) in Level::ALL.iter().zip(cell.levels.0).filter(|(_, count)| *count > 0) {
                    add(Some(level.as_str()), &of_level(*level, count), None);
                }
            }
            GroupBy::Service => add(Some(service), &cell.levels, cell.durations.as_ref()),
            GroupBy::Category => add(Some(category), &cell.levels, cell.durations.as_ref()),
            GroupBy::Value(dimension) => {
                let mut without = cell.levels;
                for (value, levels) in cell.values(dimension) {
                    without.subtract(levels);
                    add(Some(value.as_str()).filter(|value| !value.is_empty()), levels, None);
                }
                if without.total() > 0 {
                    add(Some(""), &without, None);
                }
            }
        }
    }
    let mut groups: Vec<Group> =
        groups.into_iter().map(|(key, (levels, durations))| Group { key, levels, durations }).collect();
    groups.sort_by(|a, b| b.levels.total().cmp(&a.levels.total()).then_with(|| a.key.cmp(&b.key)));
    let truncated = groups.len() > MAX_GROUPS || groups.iter().any(|group| group.key.is_none());
    groups.truncate(MAX_GROUPS);
    Summary { levels, groups, truncated }
}

fn of_level(level: Level, count: u64) -> Levels {
    Levels(Level::ALL.map(|known| if known == level { count } else { 0 }))
}

/// The share of records that are errors or worse.
pub fn error_rate(levels: &Levels) -> f64 {
    let [_, _, _, errors, critical] = levels.0;
    share(errors.saturating_add(critical), levels.total())
}

#[expect(clippy::cast_precision_loss, reason = "a share is shown with a few digits")]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The cells of a category and a service, where they are asked for.
fn is_of(asked: Option<&str>, value: &str) -> bool {
    asked.is_none_or(|asked| asked.eq_ignore_ascii_case(value))
}

/// Whether a cell has records of these levels.
fn has_level(cell: &Cell, levels: &[Level]) -> bool {
    levels.is_empty()
        || levels.iter().any(|level| cell.levels.0.get(*level as usize).is_some_and(|count| *count > 0))
}
