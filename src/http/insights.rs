//! What is out of the ordinary, as JSON: anomalies, what they mean in sentences, and what a selection has that others have
//! not.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::{Map, Value, json};

use super::{
    analytics::{counted, named, rounded, take_timeframe},
    error::{Error, json_answer},
    params::Params,
    v1::{aggregate::take_fields, show},
};
use crate::{
    app::{
        App, Reader,
        analytics::MAX_HOURS,
        anomalies::{self, Shown, Wanted},
        compare::{self, Baseline},
        insights::{self, Pattern},
    },
    engine::{
        anomaly::{Deviation, Kind, Series, history::of_series},
        compare::Difference,
        query::{Expr, TimeRange},
        record::timestamp::Timestamp,
        severity::Severity,
    },
};

const ANOMALIES: usize = 100;
const MAX_ANOMALIES: usize = 500;
const DIFFERENCES: usize = 20;
const MAX_DIFFERENCES: usize = 200;

const KINDS: [(&str, Kind); 9] = [
    ("brute_force", Kind::BruteForce),
    ("silence", Kind::Silence),
    ("one_client", Kind::OneClient),
    ("error_rate_shift", Kind::ErrorRateShift),
    ("new_pattern", Kind::NewPattern),
    ("latency_shift", Kind::LatencyShift),
    ("spike", Kind::Spike),
    ("drop", Kind::Drop),
    ("vanished_pattern", Kind::VanishedPattern),
];

const SEVERITIES: [(&str, Severity); 4] = [
    ("LOW", Severity::Low),
    ("MEDIUM", Severity::Medium),
    ("HIGH", Severity::High),
    ("CRITICAL", Severity::Critical),
];

const BASELINES: [(&str, Baseline); 2] = [("rest", Baseline::Rest), ("previous", Baseline::Previous)];

/// Anomalies of a time.
pub(in crate::http) async fn anomalies(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let range = take_time(&mut params, app.now(), "24h")?;
    let service = params.take(&["service"])?.map(|(_, value)| value);
    let kind = params.take(&["kind"])?;
    let kind = kind.map(|(name, value)| Ok::<_, Error>(named(&name, &value, &KINDS)?.1)).transpose()?;
    let severity = params.take(&["severity"])?;
    let severity = severity
        .map(|(name, value)| Ok::<_, Error>(named(&name, &value.to_ascii_uppercase(), &SEVERITIES)?.1))
        .transpose()?;
    let ongoing = params.take_switch("ongoing")?;
    let limit = params.take_number(&["limit"], 1, MAX_ANOMALIES)?.unwrap_or(ANOMALIES);
    params.finish()?;
    let wanted = Wanted { service, kind, severity, ongoing, limit };
    let (found, truncated) =
        anomalies::list(&app, &reader, range, &wanted).await.map_err(|error| Error::of(&app, error))?;
    let body = json!({
        "from": range.start, "to": range.end, "data": found.iter().map(anomaly).collect::<Vec<_>>(),
        "truncated": truncated,
    });
    Ok(json_answer(StatusCode::OK, &body))
}

/// What is out of the ordinary, new and grown, in sentences.
pub(in crate::http) async fn insights(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let timeframe = take_timeframe(&mut params, "24h")?;
    let service = params.take(&["service"])?.map(|(_, value)| value);
    params.finish()?;
    if timeframe.hours > MAX_HOURS / 2 {
        let message = format!("expected at most {}d: it is compared with the time before", MAX_HOURS / 48);
        return Err(Error::invalid("invalid_parameter", "timeframe", message));
    }
    let found = insights::insights(&app, &reader, timeframe.hours, service.as_deref())
        .await
        .map_err(|error| Error::of(&app, error))?;
    let releases: Vec<Value> = found
        .releases
        .iter()
        .map(|one| {
            let mut body = counted(&one.levels);
            body.insert("service".into(), one.service.as_str().into());
            body.insert("release".into(), one.release.as_str().into());
            body.insert("since".into(), json!(one.since));
            body.into()
        })
        .collect();
    let patterns = |all: &[Pattern]| all.iter().map(pattern).collect::<Vec<_>>();
    let body = json!({
        "timeframe": timeframe.text, "from": found.from, "to": found.to, "headline": found.headline,
        "totals": counted(&found.levels), "before": counted(&found.before),
        "insights": found.anomalies.iter().map(insight).collect::<Vec<_>>(),
        "new_patterns": patterns(&found.new), "grown_patterns": patterns(&found.grown), "new_releases": releases,
        "partial": found.stats.partial, "stats": show::stats(&found.stats),
    });
    Ok(json_answer(StatusCode::OK, &body))
}

/// Values that a selection has more often, or more rarely, than others.
pub(in crate::http) async fn compare(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let baseline = params.take(&["baseline"])?;
    let baseline = baseline.map(|(name, value)| named(&name, &value, &BASELINES)).transpose()?;
    let fields = take_fields(&mut params)?;
    let limit = params.take_number(&["limit"], 1, MAX_DIFFERENCES)?.unwrap_or(DIFFERENCES);
    let timeframe = params.take(&["timeframe"])?.map(|(_, text)| text);
    let mut selection = params.take_filter()?;
    params.finish()?;
    selection.time = match (timeframe, selection.time.start == Timestamp::EPOCH) {
        (Some(_), false) => return Err(both()),
        (Some(text), true) => last(&text, app.now(), selection.time.end)?,
        (None, true) => last("24h", app.now(), selection.time.end)?,
        (None, false) => TimeRange { end: selection.time.end.min(app.now()), ..selection.time },
    };
    // All there is can only be compared with what was before.
    let is_all = matches!(selection.expr, Expr::All);
    let default = if is_all { ("previous", Baseline::Previous) } else { ("rest", Baseline::Rest) };
    let (baseline_name, baseline) = baseline.unwrap_or(default);
    if baseline == Baseline::Rest && is_all {
        let message = "expected a selection such as q=level:>=ERROR, or baseline=previous".to_owned();
        return Err(Error::invalid("invalid_parameter", "q", message));
    }
    let found = compare::compare(&app, &reader, &selection, baseline, &fields, limit)
        .await
        .map_err(|error| Error::of(&app, error))?;
    let side = |(range, count): (TimeRange, u64)| {
        object(json!({ "from": range.start, "to": range.end, "count": count }))
    };
    let mut of_baseline = side(found.baseline);
    of_baseline.insert("kind".into(), baseline_name.into());
    let body = json!({
        "selection": side(found.selection), "baseline": of_baseline,
        "data": found.differences.iter().map(difference).collect::<Vec<_>>(),
        "partial": found.stats.partial, "stats": show::stats(&found.stats),
    });
    Ok(json_answer(StatusCode::OK, &body))
}

fn both() -> Error {
    let message = "expected either a timeframe or the time that the range begins".to_owned();
    Error::invalid("invalid_parameter", "timeframe", message)
}

/// A range, or the last hours.
fn take_time(params: &mut Params, now: Timestamp, default: &str) -> Result<TimeRange, Error> {
    let timeframe = params.take(&["timeframe"])?.map(|(_, text)| text);
    let range = params.take_range()?;
    if range.start > range.end.min(now) {
        let message = format!("the range ends ({}) before it begins ({})", range.end.min(now), range.start);
        return Err(Error::invalid("invalid_time_range", "end_time", message));
    }
    match (timeframe, range.start == Timestamp::EPOCH) {
        (Some(_), false) => Err(both()),
        (Some(text), true) => last(&text, now, range.end),
        (None, true) => last(default, now, range.end),
        (None, false) => Ok(TimeRange { end: range.end.min(now), ..range }),
    }
}

/// So long before an end, or before now.
fn last(text: &str, now: Timestamp, end: Timestamp) -> Result<TimeRange, Error> {
    let ms = super::analytics::timeframe("timeframe", text.to_owned())?.ms;
    let end = end.min(now);
    let start = Timestamp::from_ms((end.as_ms() - ms).max(0));
    Ok(TimeRange { start, end })
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms)
}

fn deviation(of: &Deviation) -> Map<String, Value> {
    let (service, category) = of_series(&of.service);
    object(json!({
        "service": service, "category": category, "kind": of.kind, "series": series(&of.series), "unit": of.unit,
        "expected": rounded(of.expected), "seen": rounded(of.seen), "window_ms": of.window_ms,
        "started_at": time(of.start_ms), "seen_until": time(of.end_ms), "score": rounded(of.score),
    }))
}

fn series(of: &Series) -> Value {
    match of {
        Series::Pattern { id, template, level } => {
            let id = (!id.is_empty()).then_some(id);
            json!({ "type": "pattern", "pattern_id": id, "pattern": template, "level": level })
        }
        other => json!(other),
    }
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

fn anomaly(shown: &Shown) -> Value {
    let anomaly = &shown.noted.anomaly;
    let mut body = deviation(&anomaly.lead);
    body.extend(object(json!({
        "id": shown.noted.id, "severity": shown.insight.severity, "title": shown.insight.title,
        "found_at": time(anomaly.found_ms), "ongoing": anomaly.ongoing,
        "co_moving": anomaly.co_moving.iter().map(deviation).collect::<Vec<_>>(), "examples": shown.noted.examples,
    })));
    body.into()
}

fn insight(shown: &Shown) -> Value {
    let (insight, anomaly) = (&shown.insight, &shown.noted.anomaly);
    let (service, category) = of_series(&anomaly.lead.service);
    let context = &shown.noted.context;
    json!({
        "anomaly_id": shown.noted.id, "service": service, "category": category, "kind": anomaly.lead.kind,
        "severity": insight.severity, "title": insight.title, "text": insight.text,
        "since": time(anomaly.lead.start_ms), "seen_until": time(anomaly.lead.end_ms), "ongoing": anomaly.ongoing,
        "recommendations": insight.recommendations, "evidence": insight.evidence, "examples": shown.noted.examples,
        "endpoints": context.endpoints, "patterns": context.templates, "users": context.users,
        "releases": context.releases.iter().map(|one| json!({
            "service": one.service, "before": one.before, "after": one.after, "at": time(one.at_ms),
        })).collect::<Vec<_>>(),
    })
}

fn pattern(of: &Pattern) -> Value {
    let mut body = counted(&of.levels);
    body.insert("pattern_id".into(), json!(of.id));
    body.insert("pattern".into(), of.template.as_deref().into());
    body.insert("service".into(), of.service.as_str().into());
    body.insert("count_before".into(), of.before.into());
    body.insert("since".into(), json!(of.since));
    body.into()
}

fn difference(of: &Difference) -> Value {
    json!({
        "field": of.field, "value": (!of.value.is_empty()).then_some(&of.value),
        "selection": { "count": of.selection, "share": rounded(of.selection_share), "exact": of.selection_exact },
        "baseline": { "count": of.baseline, "share": rounded(of.baseline_share) },
        "lift": rounded(of.lift), "p_value": of.p_value, "significance": rounded(of.significance),
        "over_represented": of.over,
    })
}
