//! Numbers for dashboards: what there was in the last days, how it went on, how it came out.

use axum::{
    Extension,
    extract::{Path, Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{
    admin,
    error::{Error, json_answer},
    params::Params,
    v1::show,
};
use crate::{
    app::{
        App, Reader,
        analytics::{
            self, Ask, Collected, Filter, Group, GroupBy, HOUR_MS, MAX_HOURS, Metrics, Only, Outcomes, Point,
            Seen, error_rate, share,
        },
        patterns,
    },
    engine::{
        auth::Principal,
        block::facts::{Dimension, Levels, fine::MINUTE_MS},
        pattern::{self, PatternId},
        query::stat::interval_ms,
        record::model::Level,
        sketch::Sketch,
    },
};

const SUMMARY_PATTERNS: usize = 20;
const PATTERNS: usize = 100;
const MAX_PATTERNS: usize = 1_000;

const DAY_HOURS: u32 = 24;
const DEFAULT_DAYS: usize = 7;

const INTERVALS: [(&str, i64); 3] = [("minute", MINUTE_MS), ("hour", HOUR_MS), ("day", 24 * HOUR_MS)];

/// Points of a trend at the most.
const MAX_POINTS: i64 = 10_000;

/// Totals of a time, and its groups.
pub(in crate::http) async fn summary(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let timeframe = take_timeframe(&mut params, "24h")?;
    let by = params.take(&["groupBy", "group_by"])?;
    let (name, by) = match by {
        None => ("service", GroupBy::Service),
        Some((name, value)) => named(&name, &value, &GroupBy::NAMES)?,
    };
    let with_patterns = params.take_switch("includePatterns")?.unwrap_or(false);
    params.finish()?;
    let mut dimensions = Vec::new();
    if let GroupBy::Value(of) = by {
        dimensions.push(of);
    }
    if with_patterns {
        dimensions.push(Dimension::Pattern);
    }
    let durations = matches!(by, GroupBy::Service | GroupBy::Category);
    let step = if with_patterns { 1 } else { timeframe.hours };
    let ask = Ask { hours: timeframe.hours, dimensions: &dimensions, durations, step, ..Ask::default() };
    let collected = collect(&app, &reader, ask).await?;
    let summary = analytics::summary(&collected, by);
    let groups: Vec<Value> = summary.groups.iter().map(|one| group(one, summary.levels.total())).collect();
    let mut body = head(&collected, &timeframe.text);
    body.extend(counted(&summary.levels));
    body.insert("group_by".into(), name.into());
    body.insert("groups".into(), groups.into());
    body.insert("truncated".into(), summary.truncated.into());
    if with_patterns {
        let wanted = Filter { limit: SUMMARY_PATTERNS, ..Filter::default() };
        let (seen, _) = of_patterns(&app, &reader, &collected, &wanted).await?;
        body.insert("patterns".into(), seen.iter().map(pattern).collect::<Vec<_>>().into());
    }
    Ok(answer(body, &collected))
}

/// Which patterns there were.
pub(in crate::http) async fn patterns(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let timeframe = take_timeframe(&mut params, "7d")?;
    let mut text = |name| Ok::<_, Error>(params.take(&[name])?.map(|(_, value)| value));
    let (category, service) = (text("category")?, text("service")?);
    let levels = take_levels(&mut params)?;
    let ignored = params.take_switch("includeIgnored")?.unwrap_or(false);
    let limit = params.take_number(&["limit"], 1, MAX_PATTERNS)?.unwrap_or(PATTERNS);
    params.finish()?;
    let ask = Ask { hours: timeframe.hours, dimensions: &[Dimension::Pattern], ..Ask::default() };
    let collected = collect(&app, &reader, ask).await?;
    let wanted = Filter { category, service, levels, ignored, limit };
    let (seen, truncated) = of_patterns(&app, &reader, &collected, &wanted).await?;
    let mut body = head(&collected, &timeframe.text);
    body.insert("data".into(), seen.iter().map(pattern).collect::<Vec<_>>().into());
    body.insert("truncated".into(), truncated.into());
    Ok(answer(body, &collected))
}

/// What is said of a pattern. What is absent stays as it is.
#[allow(
    clippy::option_option,
    reason = "a null takes something back, which is not the same as saying nothing"
)]
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Said {
    service: Option<String>,
    #[serde(default, deserialize_with = "some")]
    name: Option<Option<String>>,
    state: Option<pattern::State>,
    #[serde(default, deserialize_with = "some")]
    template: Option<Option<String>>,
    #[serde(default, deserialize_with = "some", alias = "merge_into")]
    merge_into: Option<Option<PatternId>>,
}

/// What is there, if only a `null`.
#[allow(clippy::option_option, reason = "as above")]
fn some<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Names, pins, ignores or merges a pattern, or writes its template.
pub(in crate::http) async fn change_pattern(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let id = PatternId::parse(&id)
        .ok_or_else(|| Error::invalid("invalid_parameter", "id", "expected sixteen hex digits".to_owned()))?;
    let said: Said = admin::read("pattern", request).await?;
    let long = |field: &str, text: &Option<Option<String>>, most: usize| match text {
        Some(Some(text)) if text.trim().is_empty() || text.len() > most => {
            let message = format!("expected 1 to {most} bytes, got {}", text.len());
            Err(Error::invalid("invalid_pattern", field, message))
        }
        _ => Ok(()),
    };
    long("name", &said.name, 200)?;
    long("template", &said.template, 2_000)?;
    let change = patterns::Change {
        name: said.name,
        state: said.state,
        template: said.template,
        merged_into: said.merge_into,
    };
    admin::check_whole(&who)?;
    let known = patterns::change(&app, who.tenant(), (said.service.as_deref(), id), change)
        .await
        .map_err(|error| Error::of(&app, error))?;
    let body = json!({ "pattern_id": known.id, "service": known.service, "own": known.own });
    Ok(json_answer(StatusCode::OK, &body))
}

fn take_levels(params: &mut Params) -> Result<Vec<Level>, Error> {
    let Some((name, value)) = params.take(&["severity", "level"])? else { return Ok(Vec::new()) };
    value.split(',').map(|level| take_level(&name, level)).collect()
}

fn take_level(name: &str, text: &str) -> Result<Level, Error> {
    Level::parse(text).ok_or_else(|| {
        let message = format!("expected a level such as debug, info, warn, error or critical, got {text:?}");
        Error::invalid("invalid_parameter", name, message)
    })
}

async fn of_patterns(
    app: &App,
    reader: &Reader,
    collected: &Collected,
    wanted: &Filter,
) -> Result<(Vec<Seen>, bool), Error> {
    analytics::patterns(app, reader, collected, wanted).await.map_err(|error| Error::of(app, error))
}

fn pattern(seen: &Seen) -> Value {
    let mut body = counted(&seen.levels);
    let trend: Vec<Value> =
        seen.trend.iter().map(|(time, count)| json!({ "time": time, "count": count })).collect();
    let more = json!({
        "pattern_id": seen.id, "pattern": seen.template, "name": seen.name, "state": seen.state,
        "service": seen.service, "categories": seen.categories, "first_seen": seen.first_seen,
        "from": seen.from, "until": seen.until, "trend": trend,
    });
    if let Value::Object(more) = more {
        body.extend(more);
    }
    body.into()
}

/// Counts, levels and durations over time.
pub(in crate::http) async fn trends(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let timeframe = take_timeframe(&mut params, "7d")?;
    let interval = params.take(&["interval"])?;
    let (interval_name, interval) = match &interval {
        None => ("hour", HOUR_MS),
        Some((name, value)) => named(name, value, &INTERVALS)?,
    };
    let minutes = interval < HOUR_MS;
    let service = params.take(&["service"])?;
    let category = params.take(&["category"])?;
    let environment = params.take(&["environment"])?;
    let levels = take_levels(&mut params)?;
    let only = Only {
        service: service.as_ref().map(|(_, value)| value.as_str()),
        category: category.as_ref().map(|(_, value)| value.as_str()),
        environment: environment.as_ref().map(|(_, value)| value.as_str()),
    };
    let unknown = [
        (minutes, "by the minute"),
        (only.environment.is_some(), "by environment"),
        (!levels.is_empty(), "by level"),
    ];
    let unknown = unknown.iter().find(|(is_asked, _)| *is_asked).map(|(_, by)| *by);
    let metrics = take_metrics(&mut params, unknown)?;
    params.finish()?;
    if i64::from(timeframe.hours) * HOUR_MS / interval > MAX_POINTS {
        let message =
            format!("expected at most {MAX_POINTS} points; ask for a shorter time or a longer interval");
        return Err(Error::invalid("invalid_parameter", "interval", message));
    }
    let durations = metrics.performance;
    let ask = Ask { hours: timeframe.hours, dimensions: &[], durations, minutes, only, ..Ask::default() };
    let mut collected = collect(&app, &reader, ask).await?;
    let trends = analytics::trends(&collected, interval, &levels);
    collected.stats.partial |= trends.is_partial;
    let points: Vec<Value> = trends.points.iter().map(|one| point(one, metrics)).collect();
    let mut body = head(&collected, &timeframe.text);
    body.insert("interval".into(), interval_name.into());
    body.insert("data".into(), points.into());
    Ok(answer(body, &collected))
}

/// How everything came out: in all, by status, day and environment.
pub(in crate::http) async fn overview(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let dimensions = [Dimension::Status, Dimension::Environment];
    let (text, collected) = of_days(&app, &reader, &uri, &dimensions).await?;
    let overview = analytics::overview(&collected);
    let total = overview.levels.total();
    let groups = |groups: &[Group]| groups.iter().map(|one| group(one, total)).collect::<Vec<_>>();
    let days: Vec<Value> = overview
        .by_day
        .iter()
        .map(|(day, levels, came_out, took)| {
            let mut one = counted(levels);
            one.insert("day".into(), json!(day));
            one.extend(outcomes(*came_out));
            one.insert("execution_ms".into(), durations(took));
            one.into()
        })
        .collect();
    let mut body = head(&collected, &text);
    body.extend(counted(&overview.levels));
    body.extend(outcomes(overview.outcomes));
    body.insert("execution_ms".into(), durations(&overview.durations));
    body.insert("by_status".into(), groups(&overview.by_status).into());
    body.insert("by_day".into(), days.into());
    body.insert("by_environment".into(), groups(&overview.by_environment).into());
    Ok(answer(body, &collected))
}

/// How each category came out.
pub(in crate::http) async fn categories(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let dimensions = [Dimension::Status, Dimension::Pattern];
    let (text, collected) = of_days(&app, &reader, &uri, &dimensions).await?;
    let data: Vec<Value> = analytics::categories(&collected)
        .iter()
        .map(|one| {
            let mut body = counted(&one.levels);
            body.insert("category".into(), one.category.as_str().into());
            body.extend(outcomes(one.outcomes));
            body.insert("failing_patterns".into(), one.failing_patterns.into());
            body.insert("resolved_patterns".into(), one.resolved_patterns.into());
            let rate = (one.failing_patterns > 0)
                .then(|| rounded(share(one.resolved_patterns, one.failing_patterns)));
            body.insert("resolution_rate".into(), rate.into());
            body.into()
        })
        .collect();
    let mut body = head(&collected, &text);
    body.insert("data".into(), data.into());
    Ok(answer(body, &collected))
}

pub(super) struct Timeframe {
    pub(super) text: String,
    pub(super) hours: u32,
    pub(super) ms: i64,
}

pub(super) fn take_timeframe(params: &mut Params, default: &str) -> Result<Timeframe, Error> {
    let (name, text) =
        params.take(&["timeframe"])?.unwrap_or_else(|| ("timeframe".to_owned(), default.to_owned()));
    timeframe(&name, text)
}

/// A length of time, in hours that have begun.
pub(super) fn timeframe(name: &str, text: String) -> Result<Timeframe, Error> {
    let wrong = |message: String| Error::invalid("invalid_parameter", name, message);
    let ms = interval_ms(&text)
        .map_err(|_| wrong(format!("expected a length of time such as 90m, 24h or 7d, got {text:?}")))?;
    let hours = u32::try_from((ms + HOUR_MS - 1) / HOUR_MS).unwrap_or(u32::MAX);
    if hours >= MAX_HOURS {
        return Err(wrong(format!("expected at most {}d, got {text:?}", MAX_HOURS / DAY_HOURS)));
    }
    Ok(Timeframe { text, hours, ms })
}

/// Reads `days` and nothing else.
async fn of_days(
    app: &App,
    reader: &Reader,
    uri: &Uri,
    dimensions: &[Dimension],
) -> Result<(String, Collected), Error> {
    let mut params = Params::read(uri, app.now())?;
    let most = usize::try_from(MAX_HOURS / DAY_HOURS).unwrap_or(1);
    let days = params.take_number(&["days"], 1, most)?.unwrap_or(DEFAULT_DAYS);
    params.finish()?;
    let hours = u32::try_from(days).unwrap_or(1) * DAY_HOURS;
    let ask = Ask { hours, dimensions, durations: true, ..Ask::default() };
    Ok((format!("{days}d"), collect(app, reader, ask).await?))
}

async fn collect(app: &App, reader: &Reader, ask: Ask<'_>) -> Result<Collected, Error> {
    analytics::collect(app, reader, ask).await.map_err(|error| Error::of(app, error))
}

/// What is shown of points; durations are not kept by the minute.
/// `unknown` is that by which durations are not known, where it is asked for.
fn take_metrics(params: &mut Params, unknown: Option<&str>) -> Result<Metrics, Error> {
    let Some((name, value)) = params.take(&["metrics"])? else {
        return Ok(Metrics { count: true, severity: true, performance: unknown.is_none() });
    };
    let mut metrics = Metrics { count: false, severity: false, performance: false };
    for part in value.split(',') {
        match named(&name, part, &[("count", 0), ("severity", 1), ("performance", 2)])?.1 {
            0 => metrics.count = true,
            1 => metrics.severity = true,
            _ => match unknown {
                None => metrics.performance = true,
                Some(by) => {
                    let message =
                        format!("performance is known by service, category, hour and day, not {by}");
                    return Err(Error::invalid("invalid_parameter", &name, message));
                }
            },
        }
    }
    Ok(metrics)
}

pub(super) fn named<T: Copy>(
    param: &str,
    value: &str,
    known: &[(&'static str, T)],
) -> Result<(&'static str, T), Error> {
    known.iter().find(|(name, _)| *name == value).copied().ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        let message = format!("expected one of {}, got {value:?}", names.join(", "));
        Error::invalid("invalid_parameter", param, message)
    })
}

fn head(collected: &Collected, timeframe: &str) -> Map<String, Value> {
    let mut body = Map::new();
    body.insert("timeframe".into(), timeframe.into());
    body.insert("from".into(), json!(collected.from));
    body.insert("to".into(), json!(collected.to));
    body
}

fn answer(mut body: Map<String, Value>, collected: &Collected) -> Response {
    body.insert("partial".into(), collected.stats.partial.into());
    body.insert("stats".into(), show::stats(&collected.stats));
    json_answer(StatusCode::OK, &Value::Object(body))
}

fn group(group: &Group, total: u64) -> Value {
    let mut body = counted(&group.levels);
    body.insert("key".into(), group.key.as_deref().into());
    body.insert("share".into(), rounded(share(group.levels.total(), total)).into());
    if let Some(durations_of) = &group.durations {
        body.insert("duration_ms".into(), durations(durations_of));
    }
    body.into()
}

pub(super) fn counted(levels: &Levels) -> Map<String, Value> {
    let by_level: Map<String, Value> = Level::ALL
        .iter()
        .zip(levels.0)
        .map(|(level, count)| (level.as_str().to_owned(), count.into()))
        .collect();
    let mut body = Map::new();
    body.insert("count".into(), levels.total().into());
    body.insert("by_level".into(), by_level.into());
    body.insert("error_rate".into(), rounded(error_rate(levels)).into());
    body
}

fn outcomes(outcomes: Outcomes) -> Map<String, Value> {
    let mut body = Map::new();
    let Outcomes { good, bad, open } = outcomes;
    body.insert("outcomes".into(), json!({ "success": good, "failure": bad, "open": open }));
    body.insert("success_rate".into(), outcomes.success_rate().map(rounded).into());
    body
}

/// Quantiles within 1%; `null` where there are no durations.
fn durations(sketch: &Sketch) -> Value {
    if sketch.is_empty() {
        return Value::Null;
    }
    let at = |q| sketch.quantile(q).map(rounded);
    json!({
        "count": sketch.count(), "mean": sketch.mean().map(rounded), "min": sketch.min(), "max": sketch.max(),
        "p50": at(0.5), "p95": at(0.95), "p99": at(0.99),
    })
}

fn point(point: &Point, metrics: Metrics) -> Value {
    let mut body = Map::new();
    body.insert("time".into(), json!(point.time));
    for (name, value) in counted(&point.levels) {
        let is_wanted = if name == "count" { metrics.count } else { metrics.severity };
        if is_wanted {
            body.insert(name, value);
        }
    }
    if metrics.performance {
        body.insert("duration_ms".into(), durations(&point.durations));
    }
    body.into()
}

/// With four digits behind the point.
pub(super) fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
