//! What an operator wants to know first: what is out of the ordinary, what is new, what has grown, and since when.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    App, Error, Reader,
    analytics::{self, Ask, HOUR_MS, MAX_HOURS},
    anomalies::{self, Shown, Wanted},
    patterns,
    scan::Stats,
};
use crate::engine::{
    anomaly::{Told, headline},
    block::facts::{Dimension, Levels},
    pattern::{PatternId, State},
    query::TimeRange,
    record::{model::Level, timestamp::Timestamp},
    redact,
};

const ANOMALIES: usize = 50;
const PATTERNS: usize = 10;
const RELEASES: usize = 20;

/// A pattern has grown when there are so many times as many of it, and so many more.
const GROWN_TIMES: u64 = 2;
const GROWN_BY: u64 = 10;

/// A pattern that came up, or more often than before.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Absent for readers who may not see who somebody is.
    pub id: Option<PatternId>,
    pub template: Option<String>,
    pub service: String,
    pub levels: Levels,
    pub before: u64,
    /// When it was seen first, of all times or in this.
    pub since: Timestamp,
}

#[derive(Clone, Debug)]
pub struct Release {
    pub service: String,
    pub release: String,
    /// The hour that it came up in.
    pub since: Timestamp,
    pub levels: Levels,
}

#[derive(Debug)]
pub struct Insights {
    pub from: Timestamp,
    pub to: Timestamp,
    pub headline: String,
    pub levels: Levels,
    pub before: Levels,
    pub anomalies: Vec<Shown>,
    pub new: Vec<Pattern>,
    pub grown: Vec<Pattern>,
    pub releases: Vec<Release>,
    pub stats: Stats,
}

#[derive(Default)]
struct Counted {
    now: Levels,
    before: u64,
    first_hour: Option<u32>,
}

impl Counted {
    fn add(&mut self, levels: &Levels, at: u32, from: u32) {
        if at < from {
            self.before = self.before.saturating_add(levels.total());
        } else {
            self.now.add(levels);
            self.first_hour = Some(self.first_hour.map_or(at, |first| first.min(at)));
        }
    }

    fn since(&self) -> Timestamp {
        Timestamp::from_ms(i64::from(self.first_hour.unwrap_or(0)) * HOUR_MS)
    }
}

/// Of the last hours, of one service or of all.
pub async fn insights(
    app: &App,
    reader: &Reader,
    hours: u32,
    service: Option<&str>,
) -> Result<Insights, Error> {
    let hours = hours.clamp(1, MAX_HOURS / 2);
    let dimensions = [Dimension::Pattern, Dimension::Release];
    let from = analytics::first_hour(app.now(), hours);
    let ask = Ask { hours: 2 * hours + 1, dimensions: &dimensions, ..Ask::default() };
    let collected = analytics::collect(app, reader, ask).await?;
    let known = patterns::of(app, reader.tenant()).await?;
    let (mut levels, mut before) = (Levels::default(), Levels::default());
    let mut services = BTreeSet::new();
    let mut counted: BTreeMap<(&str, PatternId), Counted> = BTreeMap::new();
    let mut of_releases: BTreeMap<(&str, &str), Counted> = BTreeMap::new();
    for (of, _, at, cell) in collected.facts.iter() {
        if service.is_some_and(|service| service != of) {
            continue;
        }
        if at + hours < from {
            continue;
        }
        if at < from {
            before.add(&cell.levels);
        } else {
            levels.add(&cell.levels);
            services.insert(of);
        }
        for (id, levels) in cell.values(Dimension::Pattern) {
            let Some(id) = PatternId::parse(id) else { continue };
            counted.entry((of, known.resolve(of, id))).or_default().add(levels, at, from);
        }
        for (release, levels) in cell.values(Dimension::Release).iter().filter(|(name, _)| !name.is_empty()) {
            of_releases.entry((of, release)).or_default().add(levels, at, from);
        }
    }
    let from_time = Timestamp::from_ms(i64::from(from) * HOUR_MS);
    let (mut new, mut grown) = (Vec::new(), Vec::new());
    for ((of, id), counted) in counted.iter().filter(|(_, counted)| counted.now.total() > 0) {
        let own = known.known(of, *id);
        if own.is_some_and(|own| own.own.state == State::Ignored) {
            continue;
        }
        let first = own.map(|own| own.first);
        let total = counted.now.total();
        let is_new = counted.before == 0 && first.is_none_or(|first| first >= from_time);
        let has_grown = counted.before > 0
            && total >= counted.before.saturating_mul(GROWN_TIMES)
            && total - counted.before >= GROWN_BY;
        let shown = |since| Pattern {
            id: (!reader.masks()).then_some(*id),
            template: known
                .text(of, *id)
                .map(|text| if reader.masks() { redact::mask("message", &text) } else { text }),
            service: (*of).to_owned(),
            levels: counted.now,
            before: counted.before,
            since,
        };
        if is_new && worst(&counted.now) > Level::Info {
            new.push(shown(first.unwrap_or_else(|| counted.since())));
        } else if has_grown {
            grown.push(shown(counted.since()));
        }
    }
    let releases = if before.total() > 0 { new_releases(&of_releases) } else { Vec::new() };
    let bad = |one: &Pattern| {
        let of = |level| one.levels.of(level);
        std::cmp::Reverse((of(Level::Critical), of(Level::Error), of(Level::Warn), one.id))
    };
    new.sort_by_key(bad);
    grown.sort_by_key(|one| std::cmp::Reverse((one.levels.total() - one.before, one.id)));
    let range = TimeRange { start: from_time, end: collected.to };
    let wanted = Wanted { service: service.map(str::to_owned), limit: ANOMALIES, ..Wanted::default() };
    let (anomalies, _) = anomalies::list(app, reader, range, &wanted).await?;
    let told = Told {
        hours,
        services: services.len(),
        now: levels,
        before,
        anomalies: anomalies.len(),
        ongoing: anomalies.iter().filter(|one| one.noted.anomaly.ongoing).count(),
        new_patterns: new.len(),
        grown_patterns: grown.len(),
    };
    new.truncate(PATTERNS);
    grown.truncate(PATTERNS);
    Ok(Insights {
        from: from_time,
        to: collected.to,
        headline: headline(&told),
        levels,
        before,
        anomalies,
        new,
        grown,
        releases,
        stats: collected.stats,
    })
}

/// Releases that were not there before.
fn new_releases(counted: &BTreeMap<(&str, &str), Counted>) -> Vec<Release> {
    let is_new = |(_, counted): &(_, &Counted)| counted.before == 0;
    let of = |((service, release), counted): (&(&str, &str), &Counted)| Release {
        service: (*service).to_owned(),
        release: (*release).to_owned(),
        since: counted.since(),
        levels: counted.now,
    };
    let mut releases: Vec<Release> = counted.iter().filter(is_new).map(of).collect();
    releases.sort_by_key(|one| std::cmp::Reverse(one.levels.total()));
    releases.truncate(RELEASES);
    releases
}

/// The worst level that there is any of.
fn worst(levels: &Levels) -> Level {
    Level::ALL.into_iter().rev().find(|level| levels.of(*level) > 0).unwrap_or(Level::Debug)
}
