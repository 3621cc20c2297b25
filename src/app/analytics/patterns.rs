//! Which patterns there were in a time, and how often.

use std::collections::{BTreeMap, BTreeSet};

use super::{Collected, HOUR_MS, has_level, is_of};
use crate::{
    app::{App, Error, Reader, patterns},
    engine::{
        block::facts::{Dimension, Levels},
        pattern::{PatternId, State},
        record::{model::Level, timestamp::Timestamp},
        redact,
    },
};

const DAY_HOURS: u32 = 24;

/// Over this many hours counts are shown by the day.
const BY_HOUR: u32 = 48;

/// Which patterns are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub category: Option<String>,
    pub service: Option<String>,
    pub levels: Vec<Level>,
    pub ignored: bool,
    pub limit: usize,
}

#[derive(Clone, Debug)]
pub struct Seen {
    /// Absent for readers who may not see who somebody is: a hash would tell of a message that they guess.
    pub id: Option<PatternId>,
    /// Absent when it is in no catalog yet, and another isolate took it in.
    pub template: Option<String>,
    pub name: Option<String>,
    pub state: State,
    pub service: String,
    pub categories: BTreeSet<String>,
    pub levels: Levels,
    /// Ever.
    pub first_seen: Option<Timestamp>,
    /// When the first and the last hour began in which it was seen in this time.
    pub from: Timestamp,
    pub until: Timestamp,
    pub trend: Vec<(Timestamp, u64)>,
}

#[derive(Default)]
struct Counted {
    levels: Levels,
    categories: BTreeSet<String>,
    hours: BTreeMap<u32, u64>,
}

/// The patterns that were seen: those that are pinned first, then the most frequent.
pub async fn patterns(
    app: &App,
    reader: &Reader,
    collected: &Collected,
    wanted: &Filter,
) -> Result<(Vec<Seen>, bool), Error> {
    let known = patterns::of(app, reader.tenant()).await?;
    let mut counted: BTreeMap<(String, PatternId), Counted> = BTreeMap::new();
    let mut is_cut = false;
    for (service, category, hour, cell) in collected.facts.iter() {
        if !is_of(wanted.service.as_deref(), service)
            || !is_of(wanted.category.as_deref(), category)
            || !has_level(cell, &wanted.levels)
        {
            continue;
        }
        for (id, levels) in cell.values(Dimension::Pattern) {
            let Some(id) = PatternId::parse(id) else {
                is_cut = true;
                continue;
            };
            let levels = only(levels, &wanted.levels);
            if levels.total() == 0 {
                continue;
            }
            let to = known.resolve(service, id);
            let one = counted.entry((service.to_owned(), to)).or_default();
            one.levels.add(&levels);
            one.categories.insert(category.to_owned());
            *one.hours.entry(hour).or_default() += levels.total();
        }
    }
    let mut seen: Vec<Seen> = counted
        .into_iter()
        .map(|((service, id), counted)| seen(&known, service, id, counted))
        .filter(|seen| wanted.ignored || seen.state != State::Ignored)
        .collect();
    seen.sort_by(|a, b| {
        let pinned = |seen: &Seen| seen.state == State::Pinned;
        pinned(b)
            .cmp(&pinned(a))
            .then_with(|| b.levels.total().cmp(&a.levels.total()))
            .then_with(|| a.id.cmp(&b.id))
    });
    is_cut |= seen.len() > wanted.limit;
    seen.truncate(wanted.limit);
    if reader.masks() {
        for one in &mut seen {
            one.id = None;
            one.template = one.template.as_deref().map(|text| redact::mask("message", text));
            one.name = one.name.as_deref().map(|text| redact::mask("message", text));
        }
    }
    Ok((seen, is_cut))
}

fn seen(known: &patterns::Patterns, service: String, id: PatternId, counted: Counted) -> Seen {
    let hours = counted.hours.keys();
    let at = |hour: Option<&u32>| Timestamp::from_ms(i64::from(hour.copied().unwrap_or(0)) * HOUR_MS);
    let (from, until) = (at(hours.clone().next()), at(hours.clone().next_back()));
    let span = hours.clone().next_back().zip(hours.clone().next()).map_or(0, |(last, first)| last - first);
    let step = if span < BY_HOUR { 1 } else { DAY_HOURS };
    let mut trend: BTreeMap<u32, u64> = BTreeMap::new();
    for (hour, count) in &counted.hours {
        *trend.entry(hour / step * step).or_default() += count;
    }
    let of = known.known(&service, id);
    Seen {
        id: Some(id),
        template: known.text(&service, id),
        name: of.and_then(|of| of.own.name.clone()),
        state: of.map_or(State::Normal, |of| of.own.state),
        first_seen: of.map(|of| of.first),
        service,
        categories: counted.categories,
        levels: counted.levels,
        from,
        until,
        trend: trend.into_iter().map(|(hour, count)| (at(Some(&hour)), count)).collect(),
    }
}

/// The counts of these levels, or of all.
fn only(levels: &Levels, wanted: &[Level]) -> Levels {
    if wanted.is_empty() {
        return *levels;
    }
    let mut kept = *levels;
    for (level, count) in Level::ALL.iter().zip(&mut kept.0) {
        if !wanted.contains(level) {
            *count = 0;
        }
    }
    kept
}
