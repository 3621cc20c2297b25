//! Numbers about what a filter wants: groups, histograms, the values and the names of fields. What the catalog's
//! summaries and the segments' footers can answer is not read.

mod facets;
mod fields;

use std::sync::Arc;

pub use facets::{Counting, Facet, FacetValue, Facets, FacetsPart, KnownFacet, facets};
pub use fields::{FieldRows, FieldsPart, Names, fields};

use super::{
    App, Confined, Error, Reader,
    fresh::Copies,
    scan::{self, Again, Gather, Part, Scan, Sink, Stats},
};
use crate::{
    engine::{
        block::{Block, Opened, Rollup, ServiceSummary, Summary, rows::Row, summary::LevelCounts},
        query::{
            Filter, Mask, Order,
            stat::{By, Groups, GroupsPart, Key, Measure, State},
        },
        record::{model::Level, timestamp::Timestamp},
        redact,
    },
    ports::CatalogEntry,
};

const MINUTE_MS: i64 = 60_000;

/// Groups with what is measured of each.
#[derive(Debug)]
pub struct Grouped {
    pub groups: Vec<(Vec<Key>, Vec<State>)>,
    /// There were more groups than are told apart.
    pub truncated: bool,
    pub stats: Stats,
}

/// Scans into a sink, into a new one when a segment was replaced meanwhile or the rows are wanted in order.
async fn scan<S: Sink>(app: &App, filter: &Confined, sink: impl Fn() -> S) -> Result<(S, Stats), Error> {
    let began = app.clock.now_ms();
    let (mut nth, mut spreads, mut lost) = (1, true, Stats::default());
    loop {
        let (mut sink, mut stats) = (sink(), Stats::default());
        let scan = Scan {
            filter,
            copies: Copies::PassedOver,
            order: Order::Newest,
            after: None,
            unlimited: false,
            stops_early: false,
            spreads,
        };
        match scan::run(app, &scan, &mut sink, &mut stats, nth >= scan::MAX_TRIES).await? {
            Ok(_) => {
                stats.add(&lost);
                stats.elapsed_ms = app.clock.now_ms().saturating_sub(began);
                return Ok((sink, stats));
            }
            Err(Again::Vanished) => nth += 1,
            Err(Again::InOrder) => (spreads, lost) = (false, stats.cost()),
        }
    }
}

pub async fn groups(
    app: &App,
    reader: &Reader,
    filter: &Filter,
    by: &[By],
    measures: &[Measure],
) -> Result<Grouped, Error> {
    let told = |measure: &&Measure| match measure {
        Measure::Sum(name)
        | Measure::Avg(name)
        | Measure::Min(name)
        | Measure::Max(name)
        | Measure::Quantile(name, _) => redact::is_personal(name),
        Measure::Count | Measure::Uniq(_) => false,
    };
    if reader.masks() && measures.iter().any(|measure| told(&measure)) {
        let message = "a field that says who somebody is can only be counted by this role".to_owned();
        return Err(Error::Denied { code: "not_allowed", message });
    }
    let filter = &reader.with_patterns_of(app, filter).await?.confine(filter);
    let new = || Grouping::new(filter, by.to_vec(), measures.to_vec(), Vec::new());
    let (sink, mut stats) = scan(app, filter, new).await?;
    stats.rows_matched += sink.from_summaries;
    let truncated = sink.groups.is_truncated();
    let mut groups = sink.into_groups();
    if reader.masks() {
        mask(&mut groups, by);
    }
    Ok(Grouped { groups, truncated, stats })
}

/// Values that say who somebody is are not told; the groups stay apart.
fn mask(groups: &mut [(Vec<Key>, Vec<State>)], by: &[By]) {
    for (keys, _) in groups {
        for (key, by) in keys.iter_mut().zip(by) {
            if let By::Field(name) = by {
                *key = masked(name, key);
            }
        }
    }
}

fn masked(name: &str, key: &Key) -> Key {
    match key {
        Key::Text(text) => Key::Text(redact::mask(name, text)),
        Key::Json(json) => Key::Json(redact::mask_json(name, json)),
        other => other.clone(),
    }
}

pub struct Grouping<'f> {
    filter: &'f Filter,
    groups: Groups,
    from_summaries: u64,
}

/// What a summary knows of a row.
enum Known {
    Service,
    Level,
    Time(i64),
}

impl Known {
    fn interval(&self) -> Option<i64> {
        if let Self::Time(interval) = self { Some(*interval) } else { None }
    }
}

impl<'f> Grouping<'f> {
    /// Groups that are `settled` are told apart before any others.
    pub fn new(filter: &'f Filter, by: Vec<By>, measures: Vec<Measure>, settled: Vec<Vec<Key>>) -> Self {
        let mut groups = Groups::new(by, measures);
        groups.settle(settled);
        Self { filter, groups, from_summaries: 0 }
    }

    pub fn into_part(self) -> GroupsPart {
        self.groups.into_part()
    }

    pub fn into_groups(self) -> Vec<(Vec<Key>, Vec<State>)> {
        self.groups.into_groups()
    }

    /// What rows are grouped by, if it is what summaries know.
    fn known(&self) -> Option<Vec<Known>> {
        let known = |by: &By| match by {
            By::Field(field) if field == "service" => Some(Known::Service),
            By::Field(field) if field == "level" => Some(Known::Level),
            By::Time(interval) if interval % MINUTE_MS == 0 => Some(Known::Time(*interval)),
            _ => None,
        };
        self.groups.by().iter().map(known).collect::<Option<_>>().filter(|_| self.groups.only_counts())
    }

    fn count_services(&mut self, known: &[Known], services: &Summary) {
        for (service, summary) in services {
            for (level, records) in Level::ALL.into_iter().zip(summary.levels) {
                if records > 0 && self.filter.decide(service, level) == Some(true) {
                    self.groups.count(keys(known, service, level, 0), records);
                }
            }
        }
    }

    /// The wanted rows of a segment as they are stored.
    fn rows(&self, services: &Summary) -> u64 {
        let of_service = |(service, summary): (&String, &ServiceSummary)| {
            let levels = Level::ALL.into_iter().zip(summary.stored());
            let wanted = levels.filter(|(level, _)| self.filter.decide(service, *level) == Some(true));
            wanted.map(|(_, rows)| rows).sum::<u64>()
        };
        services.iter().map(of_service).sum()
    }

    /// There are many more minutes than groups, so they are added up first.
    fn count_minutes(&mut self, known: &[Known], rollup: &Rollup) {
        let by_service = known.iter().any(|known| matches!(known, Known::Service));
        let mut intervals = known.iter().filter_map(Known::interval);
        let interval = match (intervals.next(), intervals.next()) {
            (Some(interval), None) => interval,
            _ => MINUTE_MS,
        };
        let mut stretches: Vec<(i64, LevelCounts)> = Vec::new();
        for (service, minutes) in &rollup.counts {
            let wanted = Level::ALL.map(|level| self.filter.decide(service, level) == Some(true));
            for (minute, levels) in minutes {
                let start = stretch(i64::from(*minute) * MINUTE_MS, interval);
                match stretches.last_mut() {
                    Some((last, counts)) if *last == start => add(counts, levels, wanted),
                    _ => {
                        let mut counts = LevelCounts::default();
                        add(&mut counts, levels, wanted);
                        stretches.push((start, counts));
                    }
                }
            }
            if by_service {
                self.count_stretches(known, service, &mut stretches);
            }
        }
        self.count_stretches(known, "", &mut stretches);
    }

    /// Counts what is in each stretch of time, and empties the list.
    fn count_stretches(&mut self, known: &[Known], service: &str, stretches: &mut Vec<(i64, LevelCounts)>) {
        // Those of each service are in order, and a stable sort merges such runs.
        stretches.sort_by_key(|(start, _)| *start);
        for same in stretches.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((start, _)) = same.first() else { continue };
            for (nth, level) in Level::ALL.into_iter().enumerate() {
                let records = same.iter().filter_map(|(_, counts)| counts.get(nth)).sum();
                if records > 0 {
                    self.groups.count(keys(known, service, level, *start), records);
                }
            }
        }
        stretches.clear();
    }
}

fn add(counts: &mut LevelCounts, more: &LevelCounts, wanted: [bool; 5]) {
    for ((count, more), wanted) in counts.iter_mut().zip(more).zip(wanted) {
        *count += if wanted { *more } else { 0 };
    }
}

/// The group of rows of this service and level at this time.
fn keys(known: &[Known], service: &str, level: Level, ms: i64) -> Vec<Key> {
    let key = |known: &Known| match known {
        Known::Service => Key::Text(service.to_owned()),
        Known::Level => Key::Text(level.as_str().to_owned()),
        Known::Time(interval) => Key::Time(stretch(ms, *interval)),
    };
    known.iter().map(key).collect()
}

/// Where the stretch of time begins that this is in.
fn stretch(ms: i64, interval: i64) -> i64 {
    ms - ms.rem_euclid(interval)
}

impl Sink for Grouping<'_> {
    fn row(&mut self, row: &Row<'_>, _: Option<&Arc<str>>) -> Result<(), Error> {
        Ok(self.groups.row(row)?)
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, _: &Arc<str>) -> Result<(), Error> {
        Ok(self.groups.block(block, wanted)?)
    }

    fn takes_rollups(&self) -> bool {
        self.known().is_some_and(|known| known.iter().any(|known| known.interval().is_some()))
    }

    fn summary(&mut self, entry: &CatalogEntry) -> bool {
        let Some(known) = self.known() else { return false };
        if !known.iter().any(|known| known.interval().is_some()) {
            self.count_services(&known, &entry.services);
        } else if let Some(rollup) = &entry.rollup {
            self.count_minutes(&known, rollup);
        } else {
            return false;
        }
        self.from_summaries += self.rows(&entry.services);
        true
    }

    fn counted(&mut self, opened: &Opened, nth: usize, rows: u64) -> bool {
        let takes = self.groups.by().is_empty()
            && self.groups.only_counts()
            && (rows == 0 || !opened.is_sampled(nth));
        if takes {
            self.groups.count(Vec::new(), rows);
        }
        takes
    }

    fn gather(&self) -> Option<Gather> {
        let (by, measures) = (self.groups.by().to_vec(), self.groups.measures().to_vec());
        Some(Gather::Groups { by, measures, settled: self.groups.settled() })
    }

    fn absorb(&mut self, part: Part) -> bool {
        let Part::Groups(part) = part else { return false };
        self.groups.absorb(part)
    }
}

/// One bar of a histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    pub start: Timestamp,
    /// Records by level, in the order of `Level::ALL`.
    pub levels: [u64; 5],
}

/// Bars that one histogram may have, and how many one has for which no interval is given.
pub const MAX_BUCKETS: i64 = 10_000;
const USUAL_BUCKETS: i64 = 300;

/// Intervals to choose from, in ms.
const INTERVALS: [i64; 13] = [
    MINUTE_MS,
    2 * MINUTE_MS,
    5 * MINUTE_MS,
    10 * MINUTE_MS,
    15 * MINUTE_MS,
    30 * MINUTE_MS,
    60 * MINUTE_MS,
    120 * MINUTE_MS,
    360 * MINUTE_MS,
    720 * MINUTE_MS,
    1_440 * MINUTE_MS,
    10_080 * MINUTE_MS,
    40_320 * MINUTE_MS,
];

/// A histogram with the interval that it has.
#[derive(Debug)]
pub struct Histogram {
    pub interval_ms: i64,
    pub buckets: Vec<Bucket>,
    pub stats: Stats,
}

pub async fn histogram(
    app: &App,
    reader: &Reader,
    filter: &Filter,
    interval_ms: Option<i64>,
) -> Result<Histogram, Error> {
    let range = filter.time;
    let end = range.end.min(app.now().max(range.start));
    let is_given = range.start > Timestamp::EPOCH;
    if let (Some(interval), true) = (interval_ms, is_given) {
        check((end.as_ms() - range.start.as_ms()) / interval)?;
    }
    // Without a range or an interval the rows decide: they are counted finely and put together.
    let fine = interval_ms
        .unwrap_or_else(|| if is_given { fitting(range.start.as_ms(), end.as_ms()) } else { MINUTE_MS * 60 });
    let by = [By::Time(fine), By::Field("level".to_owned())];
    let found = groups(app, reader, filter, &by, &[Measure::Count]).await?;
    let mut counts: Vec<(i64, usize, u64)> = Vec::with_capacity(found.groups.len());
    for (keys, states) in &found.groups {
        if let ([Key::Time(start), Key::Text(level)], [State::Count(rows)]) =
            (keys.as_slice(), states.as_slice())
        {
            let level = Level::ALL.into_iter().position(|known| known.as_str() == level).unwrap_or(0);
            counts.push((*start, level, *rows));
        }
    }
    let first = counts.iter().map(|(start, ..)| *start).min();
    let last = counts.iter().map(|(start, ..)| *start).max();
    let (from, to) = if is_given {
        (range.start.as_ms(), end.as_ms().max(last.unwrap_or(0)))
    } else {
        (first.unwrap_or(0), last.unwrap_or(-1))
    };
    let interval = match interval_ms {
        None if !is_given => fitting(from, to).max(fine),
        _ => fine,
    };
    check((to - from) / interval)?;
    let from = from - from.rem_euclid(interval);
    let mut buckets: Vec<Bucket> = (0..=MAX_BUCKETS)
        .map(|nth| from + nth * interval)
        .take_while(|start| *start <= to)
        .map(|start| Bucket { start: Timestamp::from_ms(start), levels: [0; 5] })
        .collect();
    for (start, level, rows) in counts {
        let bucket = usize::try_from((start - from) / interval).ok().and_then(|nth| buckets.get_mut(nth));
        if let Some(slot) = bucket.and_then(|bucket| bucket.levels.get_mut(level)) {
            *slot += rows;
        }
    }
    let mut stats = found.stats;
    stats.partial |= found.truncated;
    Ok(Histogram { interval_ms: interval, buckets, stats })
}

fn fitting(from: i64, to: i64) -> i64 {
    let last = MINUTE_MS * 40_320;
    INTERVALS.into_iter().find(|interval| (to - from) / interval < USUAL_BUCKETS).unwrap_or(last)
}

fn check(buckets: i64) -> Result<(), Error> {
    if buckets < MAX_BUCKETS {
        return Ok(());
    }
    let message =
        format!("this makes {} buckets, {MAX_BUCKETS} are the most; take a longer interval", buckets + 1);
    Err(Error::invalid("invalid_parameter", "interval", message))
}
