//! What an analysis rests on: facts of the catalog, anomalies, and some of the logs, as one sees them who may see neither
//! personal data nor what is of security.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    app::{
        App, Error, Reader, aggregate,
        analytics::{self, Ask, Collected, HOUR_MS},
        anomalies, patterns,
        search::{self, Search, Stored},
    },
    engine::{
        analyst::{Evidence, Example, Latency, Noted, Part, PatternSeen, ReleaseSeen},
        block::facts::{Cell, Dimension, Levels},
        pattern::PatternId,
        query::{
            Expr, Filter, Order, TimeRange,
            stat::{Key, Measure, Number},
        },
        record::{model::Level, row::RowHead, timestamp::Timestamp},
        redact,
        sketch::Sketch,
        tenant::Tenant,
    },
};

const PATTERNS: usize = 30;
const ENDPOINTS: usize = 10;
const RELEASES: usize = 10;
const EXAMPLES: usize = 20;
const ANOMALIES: usize = 10;

/// Fields of an example are cut to this.
const MAX_TEXT: usize = 2_000;

/// Tags of attacks begin so.
const ATTACK: &str = "attack:";

pub(super) async fn collect(
    app: &App,
    reader: &Reader,
    hours: u32,
    dimensions: &[Dimension],
) -> Result<Collected, Error> {
    let durations = !dimensions.is_empty();
    analytics::collect(app, reader, Ask { hours, dimensions, durations, ..Ask::default() }).await
}

#[derive(Default)]
struct Counted {
    now: Levels,
    before: Levels,
    hours: Vec<u32>,
}

impl Counted {
    fn add(&mut self, levels: &Levels, at: u32, from: u32) {
        if at < from { &mut self.before } else { &mut self.now }.add(levels);
        self.hours.push(at);
    }

    fn errors(&self) -> u64 {
        super::of_errors(&self.now)
    }
}

/// What is known of the last hours of a service; nothing when it has logged nothing.
pub(super) async fn gather(
    app: &App,
    tenant: &Tenant,
    service: &str,
    hours: u32,
    now: Timestamp,
) -> Result<Option<Evidence>, Error> {
    let reader = Reader::of_analyst(tenant);
    let dimensions = [Dimension::Pattern, Dimension::Endpoint, Dimension::Release];
    let collected = collect(app, &reader, 2 * hours + 1, &dimensions).await?;
    let from = analytics::first_hour(now, hours);
    let known = patterns::of(app, tenant).await?;
    let mut all = Counted::default();
    let mut by_pattern: BTreeMap<PatternId, Counted> = BTreeMap::new();
    let mut by_endpoint: BTreeMap<String, Counted> = BTreeMap::new();
    let mut by_release: BTreeMap<String, Counted> = BTreeMap::new();
    let (mut took, mut took_before) = (Sketch::default(), Sketch::default());
    for (_, _, at, cell) in
        collected.facts.iter().filter(|(of, _, at, _)| *of == service && at + hours >= from)
    {
        all.add(&cell.levels, at, from);
        if let Some(durations) = &cell.durations {
            if at < from { &mut took_before } else { &mut took }.merge(durations);
        }
        for (id, levels) in cell.values(Dimension::Pattern) {
            let Some(id) = PatternId::parse(id) else { continue };
            by_pattern.entry(known.resolve(service, id)).or_default().add(levels, at, from);
        }
        for (dimension, into) in
            [(Dimension::Endpoint, &mut by_endpoint), (Dimension::Release, &mut by_release)]
        {
            for (name, levels) in values(cell, dimension) {
                into.entry(name.clone()).or_default().add(levels, at, from);
            }
        }
    }
    if all.now.total() == 0 {
        return Ok(None);
    }
    let from_ms = i64::from(from) * HOUR_MS;
    let range = TimeRange { start: Timestamp::from_ms(from_ms), end: now };
    let errors = Filter::levels(&[Level::Error, Level::Critical]);
    let of_errors =
        Filter { time: range, expr: Expr::and(vec![Filter::exactly("service", [service]), errors]) };
    let users = aggregate::groups(app, &reader, &of_errors, &[], &[Measure::Uniq("user_id".into())]).await?;
    let users = users.groups.first().and_then(|(_, states)| match states.first()?.result() {
        Number::Whole(count) => Some(count),
        Number::Real(_) => None,
    });
    let mut endpoints: Vec<Part> = by_endpoint
        .into_iter()
        .map(|(name, of)| Part { name, errors: of.errors(), total: of.now.total() })
        .collect();
    endpoints.sort_by(|a, b| {
        b.errors.cmp(&a.errors).then(b.total.cmp(&a.total)).then_with(|| a.name.cmp(&b.name))
    });
    endpoints.truncate(ENDPOINTS);
    Ok(Some(Evidence {
        service: service.to_owned(),
        from_ms,
        to_ms: now.as_ms(),
        levels: all.now.0,
        before: all.before.0,
        patterns: seen(&known, service, by_pattern),
        endpoints,
        releases: releases(by_release),
        latency: latency(&took, &took_before),
        anomalies: noted(app, tenant, service, range).await?,
        users,
        threats: threats(app, &reader, service, range).await?,
        examples: examples(app, &reader, of_errors).await?,
    }))
}

fn values(cell: &Cell, of: Dimension) -> impl Iterator<Item = (&String, &Levels)> {
    cell.values(of).iter().filter(|(name, _)| !name.is_empty())
}

/// Patterns of warnings and errors, the most frequent first.
fn seen(
    known: &patterns::Patterns,
    service: &str,
    counted: BTreeMap<PatternId, Counted>,
) -> Vec<PatternSeen> {
    let worst = |levels: &Levels| Level::ALL.into_iter().rev().find(|level| levels.of(*level) > 0);
    let mut seen: Vec<PatternSeen> = counted
        .into_iter()
        .filter(|(_, of)| worst(&of.now).is_some_and(|level| level > Level::Info))
        .map(|(id, of)| PatternSeen {
            id: id.to_string(),
            template: redact::mask("message", &known.text(service, id).unwrap_or_default()),
            level: worst(&of.now).unwrap_or(Level::Warn).as_str().to_owned(),
            count: of.now.total(),
            before: of.before.total(),
            first_seen_ms: known.known(service, id).map(|known| known.first.as_ms()),
            last_seen_ms: of.hours.iter().max().map_or(0, |last| (i64::from(*last) + 1) * HOUR_MS - 1),
        })
        .collect();
    let is_error = |one: &PatternSeen| Level::parse(&one.level).is_some_and(|level| level >= Level::Error);
    seen.sort_by(|a, b| {
        is_error(b).cmp(&is_error(a)).then(b.count.cmp(&a.count)).then_with(|| a.id.cmp(&b.id))
    });
    seen.truncate(PATTERNS);
    seen
}

/// The releases with the most records.
fn releases(counted: BTreeMap<String, Counted>) -> Vec<ReleaseSeen> {
    let mut all: Vec<ReleaseSeen> = counted.into_iter().map(|(name, of)| release(name, &of)).collect();
    all.sort_by(|a, b| b.total.cmp(&a.total).then_with(|| a.name.cmp(&b.name)));
    all.truncate(RELEASES);
    all
}

fn release(name: String, of: &Counted) -> ReleaseSeen {
    let first = of.hours.iter().min().map_or(0, |first| i64::from(*first) * HOUR_MS);
    ReleaseSeen { name, from_ms: first, errors: of.errors(), total: of.now.total() }
}

fn latency(took: &Sketch, before: &Sketch) -> Option<Latency> {
    Some(Latency {
        p50_ms: took.quantile(0.5)?,
        p95_ms: took.quantile(0.95)?,
        p99_ms: took.quantile(0.99)?,
        before_p95_ms: before.quantile(0.95),
        samples: took.count(),
    })
}

/// The anomalies of the service, as a masked reader sees them.
async fn noted(app: &App, tenant: &Tenant, service: &str, range: TimeRange) -> Result<Vec<Noted>, Error> {
    let wanted = anomalies::Wanted {
        service: Some(service.to_owned()),
        limit: ANOMALIES,
        ..anomalies::Wanted::default()
    };
    let (found, _) = anomalies::list(app, &Reader::of_analyst(tenant), range, &wanted).await?;
    let noted = found.into_iter().map(|one| Noted {
        title: one.insight.title,
        text: one.insight.text,
        severity: one.insight.severity,
        since_ms: one.noted.anomaly.lead.start_ms,
    });
    Ok(noted.collect())
}

/// Attacks that were detected in the service's records.
async fn threats(
    app: &App,
    reader: &Reader,
    service: &str,
    range: TimeRange,
) -> Result<Vec<(String, u64)>, Error> {
    let filter = Filter { time: range, expr: Filter::exactly("service", [service]) };
    let found = aggregate::facets(app, reader, &filter, &["tags".to_owned()]).await?;
    let Some((_, tags)) = found.fields.into_iter().next() else { return Ok(Vec::new()) };
    let (values, _, _) = tags.top(200);
    let of = |key: Key| match key {
        Key::Text(tag) => tag.strip_prefix(ATTACK).map(str::to_owned),
        _ => None,
    };
    Ok(values.into_iter().filter_map(|one| Some((of(one.value)?, one.count))).collect())
}

#[derive(Deserialize)]
struct Fields {
    message: String,
    pattern_id: Option<String>,
    trace_id: Option<String>,
    stack_trace: Option<String>,
}

/// The newest errors; of each pattern a few.
async fn examples(app: &App, reader: &Reader, filter: Filter) -> Result<Vec<Example>, Error> {
    const OF_ONE: usize = 3;
    let page = search::search(app, reader, &Search::new(filter, Order::Newest, EXAMPLES * 10)).await?;
    let mut of_patterns: BTreeMap<Option<String>, usize> = BTreeMap::new();
    let mut examples = Vec::new();
    for one in page.rows.iter().filter_map(example) {
        let taken = of_patterns.entry(one.pattern_id.clone()).or_default();
        *taken += 1;
        if *taken <= OF_ONE && examples.len() < EXAMPLES {
            examples.push(one);
        }
    }
    Ok(examples)
}

fn example(row: &Stored) -> Option<Example> {
    let head = RowHead::parse(&row.line).ok()?;
    let fields: Fields = serde_json::from_slice(&row.line).ok()?;
    let cut = |text: String| text.chars().take(MAX_TEXT).collect::<String>();
    Some(Example {
        id: head.id.to_string(),
        time_ms: head.timestamp.as_ms(),
        level: head.level.as_str().to_owned(),
        message: cut(fields.message),
        pattern_id: fields.pattern_id,
        trace_id: fields.trace_id,
        stack: fields.stack_trace.map(cut),
    })
}
