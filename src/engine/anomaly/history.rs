//! The counts that anomalies are looked for in: of each service of a tenant, step by step, for as long as a week's season
//! takes. It is made of the facts of segments and of what is not flushed, and kept as one object between evaluations.
//!
//! What is of a category that not everybody may see is a series of its own, with the category behind the service's name.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
};

use serde::{Deserialize, Serialize};

use super::series::{LevelSeries, PatternSeries, ServiceSeries, Span};
use crate::engine::{
    block::{
        Corrupt, Facts,
        facts::{
            Dimension, Levels,
            fine::{self, MINUTE_MS},
        },
        gzip,
    },
    record::model::Level,
    sketch::Sketch,
};

/// Two weeks of counts, so that a weekday is compared with the one before.
pub const KEPT_STEPS: u32 = 14 * DAY_STEPS;
const DAY_STEPS: u32 = 288;
const PATTERN_STEPS: u32 = 4 * DAY_STEPS;
const LATENCY_STEPS: u32 = DAY_STEPS + 24;

/// Beyond, series and patterns are not looked at: an isolate has 128 MB.
const MAX_SERVICES: usize = 100;
const MAX_PATTERNS: usize = 600;
/// Patterns of a service while steps are added.
const MAX_ADDED: usize = 300;

/// Text of a history that is read.
const MAX_BYTES: usize = 24 << 20;
const LEVEL: u32 = 5;
const VERSION: u8 = 1;

#[derive(Clone, Debug, Default)]
pub struct History {
    /// Steps before this one are complete.
    pub until: u32,
    services: BTreeMap<String, Kept>,
}

#[derive(Clone, Debug, Default)]
struct Kept {
    levels: BTreeMap<u32, Levels>,
    patterns: BTreeMap<String, Pattern>,
    /// Of steps that are not settled.
    latency: BTreeMap<u32, Sketch>,
    /// The others, as text: most of them are only kept.
    settled: BTreeMap<u32, String>,
    /// Some facts had no room for their steps: nothing is known of patterns and durations.
    is_coarse: bool,
    /// By the minute since the epoch; not kept as text.
    minutes: BTreeMap<i64, Levels>,
}

#[derive(Clone, Debug, Default)]
struct Pattern {
    levels: Levels,
    counts: BTreeMap<u32, u64>,
}

/// What the catalog says of a pattern.
#[derive(Clone, Debug, Default)]
pub struct Described {
    pub template: String,
    pub first_seen_ms: Option<i64>,
    /// Nobody wants to hear of it.
    pub is_ignored: bool,
}

/// The name of a series: that of its service, with its category where not everybody may see that.
pub fn series_name(service: &str, category: &str) -> String {
    match APART.iter().find(|apart| category.eq_ignore_ascii_case(apart)) {
        Some(apart) => format!("{service} ({apart})"),
        None => service.to_owned(),
    }
}

/// The service and the category of a series.
pub fn of_series(name: &str) -> (&str, Option<&'static str>) {
    for apart in APART {
        if let Some(service) = name.strip_suffix(&format!(" ({apart})")) {
            return (service, Some(apart));
        }
    }
    (name, None)
}

const APART: [&str; 2] = crate::engine::block::facts::APART;

impl History {
    /// Adds what facts tell of these steps; `lead` says which pattern an id of a service leads to. `false`: they do not tell
    /// all minutes, which would look like silence.
    pub fn add(&mut self, facts: &Facts, steps: &Range<u32>, lead: impl Fn(&str, &str) -> String) -> bool {
        let mut is_whole = true;
        for (service, category, hour, cell) in facts.iter() {
            let first = fine::first_step(hour);
            if first >= steps.end || first + fine::first_step(1) < steps.start {
                continue;
            }
            let name = series_name(service, category);
            // A service that is called like the series of another would be taken for it.
            let is_ambiguous = of_series(service).1.is_some();
            let is_full = self.services.len() >= MAX_SERVICES && !self.services.contains_key(&name);
            if is_ambiguous || is_full {
                continue;
            }
            let known = cell.fine.minutes.iter().fold(0_u64, |sum, of| sum.saturating_add(of.total()));
            is_whole &= known >= cell.levels.total();
            let kept = self.services.entry(name).or_default();
            kept.is_coarse |= cell.fine.is_cut;
            let minutes = (i64::from(hour) * 60..).zip(&cell.fine.minutes);
            for (minute, levels) in minutes.filter(|(_, levels)| levels.total() > 0) {
                let step = fine::step_of_minute(minute);
                if steps.contains(&step) {
                    kept.levels.entry(step).or_default().add(levels);
                    kept.minutes.entry(minute).or_default().add(levels);
                }
            }
            for (step, sketch) in (first..).zip(&cell.fine.durations) {
                if steps.contains(&step) && !sketch.is_empty() {
                    kept.latency.entry(step).or_default().merge(&sketch.coarse());
                }
            }
            for (id, counts) in &cell.fine.patterns {
                let counts: Vec<(u32, u64)> = (first..)
                    .zip(counts)
                    .filter(|(step, count)| **count > 0 && steps.contains(step))
                    .map(|(step, count)| (step, *count))
                    .collect();
                let to = lead(service, id);
                if counts.is_empty() || kept.patterns.len() >= MAX_ADDED && !kept.patterns.contains_key(&to) {
                    continue;
                }
                let pattern = kept.patterns.entry(to).or_default();
                if let Some(levels) = cell.values(Dimension::Pattern).get(id) {
                    pattern.levels.add(levels);
                }
                for (step, count) in counts {
                    let held = pattern.counts.entry(step).or_default();
                    *held = held.saturating_add(count);
                }
            }
        }
        is_whole
    }

    /// Forgets steps from `until` on, and what is older than it has to be by then.
    pub fn settle(&mut self, until: u32) {
        self.until = until;
        let since = |steps: u32| until.saturating_sub(steps);
        for kept in self.services.values_mut() {
            kept.levels = within(std::mem::take(&mut kept.levels), since(KEPT_STEPS)..until);
            let latency = within(std::mem::take(&mut kept.latency), since(LATENCY_STEPS)..until);
            kept.settled = within(std::mem::take(&mut kept.settled), since(LATENCY_STEPS)..until);
            kept.settled.extend(latency.into_iter().map(|(step, sketch)| (step, sketch.encode())));
            if std::mem::take(&mut kept.is_coarse) {
                kept.patterns.clear();
                kept.settled.clear();
            }
            for pattern in kept.patterns.values_mut() {
                pattern.counts = within(std::mem::take(&mut pattern.counts), since(PATTERN_STEPS)..until);
            }
            kept.patterns.retain(|_, pattern| !pattern.counts.is_empty());
            kept.minutes.clear();
        }
        self.services.retain(|_, kept| !kept.levels.is_empty());
        self.keep_patterns();
    }

    /// Keeps the patterns that say most: errors, and what is frequent.
    fn keep_patterns(&mut self) {
        let all: usize = self.services.values().map(|kept| kept.patterns.len()).sum();
        if all <= MAX_PATTERNS {
            return;
        }
        // Each service has its share, and what others do not need.
        let share = MAX_PATTERNS / self.services.len().max(1);
        let needed: usize = self.services.values().map(|kept| kept.patterns.len().min(share)).sum();
        let mut unused = MAX_PATTERNS - needed.min(MAX_PATTERNS);
        for kept in self.services.values_mut() {
            let over = kept.patterns.len().saturating_sub(share).min(unused);
            unused -= over;
            let most = share + over;
            if kept.patterns.len() <= most {
                continue;
            }
            let mut ranked: Vec<(bool, u64, String)> = kept
                .patterns
                .iter()
                .map(|(id, pattern)| (pattern.level() < Level::Warn, pattern.total(), id.clone()))
                .collect();
            ranked.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then_with(|| a.2.cmp(&b.2)));
            for (_, _, id) in ranked.into_iter().skip(most) {
                kept.patterns.remove(&id);
            }
        }
    }

    /// The first step that anything is known of.
    fn first(&self) -> Option<u32> {
        self.services.values().filter_map(|kept| kept.levels.keys().next().copied()).min()
    }

    /// The series of all steps before `now`, one after the other, with the time that they begin and how many steps there
    /// are; nothing where nothing is known.
    pub fn series(
        &self,
        now: u32,
        describe: impl Fn(&str, &str) -> Described,
    ) -> Option<(Span, impl Iterator<Item = ServiceSeries>)> {
        let first = self.first()?.max(now.saturating_sub(KEPT_STEPS));
        let patterns_from = now.saturating_sub(PATTERN_STEPS).max(first);
        let end = fine::start_ms(now).div_euclid(MINUTE_MS);
        let of_kept = move |(name, kept): (&String, &Kept)| {
            let (service, _) = of_series(name);
            let levels = Level::ALL
                .iter()
                .map(|level| {
                    let counts = kept.levels.iter().map(|(step, levels)| (*step, levels.of(*level)));
                    LevelSeries { level: level.as_str().to_owned(), counts: dense(counts, first..now) }
                })
                .filter(|series| !series.counts.is_empty())
                .collect();
            let patterns = kept
                .patterns
                .iter()
                .filter(|_| !kept.is_coarse)
                .filter_map(|(id, pattern)| {
                    let known = describe(service, id);
                    let since = known.first_seen_ms.map(|ms| ms.max(fine::start_ms(patterns_from)));
                    (!known.is_ignored).then(|| PatternSeries {
                        id: id.clone(),
                        template: known.template,
                        level: pattern.level().as_str().to_owned(),
                        first_seen_ms: since,
                        counts: dense(pattern.counts.iter().map(|(step, count)| (*step, *count)), first..now),
                    })
                })
                .collect();
            let settled = kept.settled.iter().filter_map(|(step, text)| Some((*step, Sketch::decode(text)?)));
            let sketches = settled.chain(kept.latency.iter().map(|(step, sketch)| (*step, sketch.clone())));
            let mut latency = Vec::new();
            for (step, sketch) in sketches.filter(|(step, _)| !kept.is_coarse && (first..now).contains(step))
            {
                latency.resize_with((step - first) as usize, Sketch::default);
                latency.push(sketch);
            }
            let quiet_ms =
                kept.minutes.range(..end).next_back().map(|(last, _)| (end - last - 1) * MINUTE_MS);
            ServiceSeries { service: name.clone(), levels, patterns, latency, quiet_ms, clients: Vec::new() }
        };
        let steps = now.saturating_sub(first) as usize;
        let span = Span { start_ms: fine::start_ms(first), step_ms: fine::STEP_MS, steps };
        Some((span, self.services.iter().map(of_kept)))
    }

    /// The minutes of a series that are known one by one: the latest ones.
    pub fn minutes(&self, series: &str) -> Option<&BTreeMap<i64, Levels>> {
        self.services.get(series).map(|kept| &kept.minutes)
    }

    pub fn encode(&self) -> Result<Vec<u8>, Corrupt> {
        let text = |is_short: bool| {
            let of = |(name, kept): (&String, &Kept)| (name.clone(), kept.text(is_short));
            let text = Text {
                version: VERSION,
                until: self.until,
                services: self.services.iter().map(of).collect(),
            };
            serde_json::to_vec(&text).map_err(|error| Corrupt::damaged("history", error))
        };
        // What could not be read again is no history: levels alone always fit.
        let whole = text(false)?;
        let text = if whole.len() > MAX_BYTES { text(true)? } else { whole };
        Ok(gzip::compress(&text, LEVEL))
    }

    /// What was encoded; `None` for what another version has written.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, Corrupt> {
        let text = gzip::inflate(bytes, MAX_BYTES, "history")?;
        let text: Text = serde_json::from_slice(&text).map_err(|error| Corrupt::damaged("history", error))?;
        if text.version != VERSION {
            return Ok(None);
        }
        let services = text.services.into_iter().map(|(name, kept)| (name, kept.kept())).collect();
        Ok(Some(Self { until: text.until, services }))
    }

    /// The series that it has something of.
    pub fn names(&self) -> HashSet<&str> {
        self.services.keys().map(String::as_str).collect()
    }
}

impl Pattern {
    /// The level that most of its records have.
    fn level(&self) -> Level {
        let counts = Level::ALL.iter().zip(self.levels.0);
        let most = counts.filter(|(_, count)| *count > 0).max_by_key(|(_, count)| *count);
        most.map_or(Level::Info, |(level, _)| *level)
    }

    fn total(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}

fn within<T>(mut all: BTreeMap<u32, T>, steps: Range<u32>) -> BTreeMap<u32, T> {
    all.split_off(&steps.end);
    all.split_off(&steps.start)
}

/// Counts step by step, up to the last one that counts.
fn dense(counts: impl Iterator<Item = (u32, u64)>, steps: Range<u32>) -> Vec<u32> {
    let mut all = Vec::new();
    for (step, count) in counts.filter(|(step, count)| *count > 0 && steps.contains(step)) {
        all.resize((step - steps.start) as usize, 0);
        all.push(u32::try_from(count).unwrap_or(u32::MAX));
    }
    all
}

#[derive(Serialize, Deserialize)]
struct Text {
    version: u8,
    until: u32,
    services: BTreeMap<String, KeptText>,
}

#[derive(Serialize, Deserialize)]
struct KeptText {
    levels: Gaps<Levels>,
    patterns: BTreeMap<String, (Levels, Gaps<u64>)>,
    latency: Gaps<String>,
}

/// Values with how many steps they are behind the one before.
type Gaps<T> = Vec<(u32, T)>;

impl Kept {
    /// Short: levels alone. What is not settled is not kept.
    fn text(&self, is_short: bool) -> KeptText {
        let pattern = |(id, of): (&String, &Pattern)| (id.clone(), (of.levels, gaps(&of.counts)));
        KeptText {
            levels: gaps(&self.levels),
            patterns: self.patterns.iter().filter(|_| !is_short).map(pattern).collect(),
            latency: if is_short { Vec::new() } else { gaps(&self.settled) },
        }
    }
}

impl KeptText {
    fn kept(self) -> Kept {
        let pattern = |(id, (levels, counts))| (id, Pattern { levels, counts: places(counts) });
        Kept {
            levels: places(self.levels),
            patterns: self.patterns.into_iter().map(pattern).collect(),
            settled: places(self.latency),
            ..Kept::default()
        }
    }
}

fn gaps<T: Clone>(values: &BTreeMap<u32, T>) -> Gaps<T> {
    let mut before = 0;
    values
        .iter()
        .map(|(step, value)| {
            let gap = step - before;
            before = *step;
            (gap, value.clone())
        })
        .collect()
}

fn places<T>(gaps: Gaps<T>) -> BTreeMap<u32, T> {
    let mut at: u32 = 0;
    gaps.into_iter()
        .map(|(gap, value)| {
            at = at.saturating_add(gap);
            (at, value)
        })
        .collect()
}

#[cfg(test)]
mod tests;
