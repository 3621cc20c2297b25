//! What is looked up about an anomaly: releases that came with it, endpoints, patterns and users in its records, one client
//! that stands out, and examples.

use super::Noted;
use crate::{
    app::{
        App, Error, Reader,
        aggregate::{self, Facet},
        patterns,
        reader::of_category,
        search::{self, Search},
    },
    engine::{
        anomaly::{Context, Deviation, Kind, Named, Release, Series, Unit, history::of_series},
        block::facts::{
            APART,
            fine::{MINUTE_MS, STEP_MS},
        },
        pattern::PatternId,
        query::{
            Expr, Filter, Order, TimeRange,
            stat::{Key, Measure, Number},
        },
        record::{model::Level, row::RowHead, timestamp::Timestamp},
        tenant::Tenant,
    },
};

const HOUR_MS: i64 = 3_600_000;

/// A release that came so long before may be why.
const BEFORE_MS: i64 = HOUR_MS / 2;

/// At most so much of it is looked at: an anomaly that lasts looks like its beginning.
const MAX_SPAN_MS: i64 = HOUR_MS;

const NAMED: usize = 5;
const EXAMPLES: usize = 5;

/// A client that makes so much of what is over the expected is what it is about.
const CLIENT_SHARE: f64 = 0.5;
const CLIENT_RECORDS: f64 = 5.0;

const ENDPOINT: &str = "endpoint";
const CLIENTS: [&str; 6] = [
    "metadata.client_ip",
    "metadata.ip",
    "metadata.remote_ip",
    "metadata.remote_addr",
    "metadata.source_ip",
    "metadata.ip_address",
];
/// What tells of a login that failed.
const FAILED_LOGIN: (&str, &str) = ("tags", "auth:failure");
const PATTERN: &str = "pattern_id";
const RELEASES: [&str; 2] = ["metadata.release", "metadata.version"];

/// Looks up what can be; an anomaly is told of without what cannot.
pub(super) async fn examine(app: &App, tenant: &Tenant, mut noted: Noted, now_ms: i64) -> Noted {
    if let Err(error) = fill(app, tenant, &mut noted, now_ms).await {
        app.journal.error(&format!("what an anomaly of {tenant} is about could not be looked up: {error}"));
    }
    noted
}

async fn fill(app: &App, tenant: &Tenant, noted: &mut Noted, now_ms: i64) -> Result<(), Error> {
    let reader = Reader::of_job(tenant);
    let lead = noted.anomaly.lead.clone();
    let of_service = of_service(&lead.service);
    let start = if lead.kind == Kind::NewPattern { lead.start_ms - STEP_MS } else { lead.start_ms };
    let end = lead.end_ms.max(start + 1).min(start + MAX_SPAN_MS).min(now_ms.max(start + 1));
    // Of what is silent, what it said last.
    let is_silent = lead.kind == Kind::Silence;
    let (from, until) = if is_silent { (start - BEFORE_MS, start) } else { (start, end) };
    let narrowed =
        Filter { time: range(from, until), expr: Expr::and(vec![of_service.clone(), narrowed(&lead)]) };
    let names: Vec<String> =
        [ENDPOINT, PATTERN].iter().chain(&CLIENTS).map(|name| (*name).to_owned()).collect();
    let found = aggregate::facets(app, &reader, &narrowed, &names).await?;
    let mut facets = found.fields.into_iter().map(|(name, facet)| (name, texts(facet)));
    let endpoints = facets.next().map(|(_, values)| values).unwrap_or_default();
    let ids = facets.next().map(|(_, values)| values).unwrap_or_default();
    // The field that tells clients, and the one of them that is there most.
    let client = facets
        .filter_map(|(name, values)| Some((name, values.into_iter().next()?)))
        .max_by_key(|(_, top)| top.count);
    let users = aggregate::groups(app, &reader, &narrowed, &[], &[Measure::Uniq("user_id".into())]).await?;
    let users = users.groups.first().and_then(|(_, states)| match states.first()?.result() {
        Number::Whole(count) => Some(count),
        Number::Real(_) => None,
    });
    let known = patterns::of(app, tenant).await?;
    let (service, _) = of_series(&lead.service);
    let templates = ids.into_iter().filter_map(|one| {
        let name = known.text(service, PatternId::parse(&one.name)?)?;
        Some(Named { name, ..one })
    });
    noted.context = Context {
        releases: releases(app, &reader, &of_service, service, (start, end)).await?,
        endpoints: endpoints.into_iter().take(NAMED).collect(),
        templates: templates.take(NAMED).collect(),
        users,
    };
    let (first, examples) = examples(app, &reader, narrowed.clone()).await?;
    noted.examples = examples;
    if let Some(first) = first.filter(|_| lead.kind == Kind::NewPattern) {
        noted.anomaly.lead.start_ms = first.as_ms().div_euclid(MINUTE_MS) * MINUTE_MS;
    }
    if !is_silent && lead.kind != Kind::BruteForce {
        let before = Filter { time: range(from - (until - from), from), ..narrowed };
        let of_client = one_client(app, &reader, &lead, client, before).await?;
        if let Some(client) = of_client {
            let other = std::mem::replace(&mut noted.anomaly.lead, client);
            noted.anomaly.co_moving.insert(0, other);
        }
    }
    Ok(())
}

/// Rows of the service; those that not everybody may see are another's.
fn of_service(series: &str) -> Expr {
    let (service, category) = of_series(series);
    let mut parts = vec![Filter::exactly("service", [service])];
    match category {
        Some(category) => parts.push(of_category(category)),
        None => parts.extend(APART.map(|category| of_category(category).negated())),
    }
    Expr::and(parts)
}

/// The records that an anomaly is about.
fn narrowed(lead: &Deviation) -> Expr {
    let errors = || Filter::levels(&[Level::Error, Level::Critical]);
    match (&lead.kind, &lead.series) {
        (Kind::BruteForce, _) => Filter::exactly(FAILED_LOGIN.0, [FAILED_LOGIN.1]),
        (Kind::VanishedPattern | Kind::Silence, _)
        | (_, Series::Total | Series::Latency { .. } | Series::Client { .. }) => Expr::All,
        (_, Series::ErrorRate) => errors(),
        (_, Series::Level { level }) => {
            Level::parse(level).map_or(Expr::All, |level| Filter::levels(&[level]))
        }
        (_, Series::Pattern { id, .. }) => Filter::exactly(PATTERN, [id.as_str()]),
    }
}

fn range(start_ms: i64, end_ms: i64) -> TimeRange {
    TimeRange {
        start: Timestamp::from_ms(start_ms),
        end: Timestamp::from_ns(Timestamp::from_ms(end_ms).as_ns().saturating_sub(1)),
    }
}

/// The values that are texts, the most frequent first.
fn texts(facet: Facet) -> Vec<Named> {
    let (values, _, _) = facet.top(50);
    values
        .into_iter()
        .filter_map(|one| match one.value {
            Key::Text(name) if !name.is_empty() => Some(Named { name, count: one.count }),
            _ => None,
        })
        .collect()
}

/// Releases of the service that were not there before it began.
async fn releases(
    app: &App,
    reader: &Reader,
    of_service: &Expr,
    service: &str,
    (start, end): (i64, i64),
) -> Result<Vec<Release>, Error> {
    let names = RELEASES.map(str::to_owned);
    let of = |time| Filter { time, expr: of_service.clone() };
    let mut seen = Vec::new();
    for time in [range(start - BEFORE_MS - HOUR_MS, start - BEFORE_MS), range(start - BEFORE_MS, end)] {
        let found = aggregate::facets(app, reader, &of(time), &names).await?;
        seen.push(found.fields.into_iter().map(|(_, facet)| texts(facet)).collect::<Vec<_>>());
    }
    let (Some(after), Some(before)) = (seen.pop(), seen.pop()) else { return Ok(Vec::new()) };
    // The field that the service uses.
    let used =
        RELEASES.into_iter().zip(after.into_iter().zip(before)).find(|(_, (after, _))| !after.is_empty());
    let Some((field, (after, before))) = used else { return Ok(Vec::new()) };
    let Some(old) = before.first() else { return Ok(Vec::new()) };
    let mut releases = Vec::new();
    for new in after.iter().filter(|one| before.iter().all(|old| old.name != one.name)).take(2) {
        let expr = Expr::and(vec![of_service.clone(), Filter::exactly(field, [new.name.as_str()])]);
        let first = Search::new(Filter { time: range(start - BEFORE_MS, end), expr }, Order::Oldest, 1);
        let page = search::search(app, reader, &first).await?;
        let head = page.rows.first().and_then(|row| RowHead::parse(&row.line).ok());
        let Some(at) = head.map(|head| head.timestamp) else { continue };
        releases.push(Release {
            service: service.to_owned(),
            field: field.trim_start_matches("metadata.").to_owned(),
            before: old.name.clone(),
            after: new.name.clone(),
            at_ms: at.as_ms(),
        });
    }
    Ok(releases)
}

/// The first logs of a filter, and when it was.
async fn examples(
    app: &App,
    reader: &Reader,
    filter: Filter,
) -> Result<(Option<Timestamp>, Vec<String>), Error> {
    let page = search::search(app, reader, &Search::new(filter, Order::Oldest, EXAMPLES)).await?;
    let heads: Vec<RowHead<'_>> = page.rows.iter().filter_map(|row| RowHead::parse(&row.line).ok()).collect();
    Ok((heads.first().map(|head| head.timestamp), heads.iter().map(|head| head.id.to_string()).collect()))
}

/// A client that makes the most of what is more than before.
async fn one_client(
    app: &App,
    reader: &Reader,
    lead: &Deviation,
    client: Option<(String, Named)>,
    before: Filter,
) -> Result<Option<Deviation>, Error> {
    if lead.unit != Unit::Records || lead.seen <= lead.expected {
        return Ok(None);
    }
    let Some((field, top)) = client else { return Ok(None) };
    let expr = Expr::and(vec![before.expr, Filter::exactly(&field, [top.name.as_str()])]);
    let usual = aggregate::groups(app, reader, &Filter { expr, ..before }, &[], &[Measure::Count]).await?;
    let usual = usual.groups.first().and_then(|(_, states)| match states.first()?.result() {
        Number::Whole(count) => Some(count),
        Number::Real(_) => None,
    });
    let real = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let (seen, expected) = (real(top.count), real(usual.unwrap_or(0)));
    let is_cause = seen - expected >= (CLIENT_SHARE * (lead.seen - lead.expected)).max(CLIENT_RECORDS)
        && seen >= 2.0 * expected;
    Ok(is_cause.then(|| Deviation {
        kind: Kind::OneClient,
        series: Series::Client { client: top.name },
        expected,
        seen,
        window_ms: lead.end_ms - lead.start_ms,
        ..lead.clone()
    }))
}
