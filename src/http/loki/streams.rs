//! What streams, labels and fields there are, and how much of them.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Extension,
    extract::{Path, State},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    bare, lines_of, of,
    params::{MAX_LIMIT, Params},
    query::{point, seconds},
    selection, success,
};
use crate::{
    app::{
        App, Reader,
        loki::{self, Lines, Volume},
        scan::Stats,
    },
    engine::{
        logql::{ast::Matcher, parse_selector},
        loki::{Detected, SERVICE},
        query::{Expr, Order},
    },
    http::error::Error,
};

/// Lines that are looked at for their fields.
const LOOKED_AT: usize = 1_000;
const MAX_FIELDS: usize = 1_000;

/// Volumes of an answer.
const VOLUMES: usize = 100;

const MS: i64 = 1_000_000;

/// The names of labels.
pub(in crate::http) async fn labels(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let expr = selection(params.get("query"))?;
    let (names, stats) = loki::names(&app, &reader, expr, params.records()?).await.map_err(of(&app))?;
    Ok(success(&json!(names), &stats))
}

/// The values of a label.
pub(in crate::http) async fn label_values(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Error> {
    let expr = selection(params.get("query"))?;
    let range = params.records()?;
    let (values, stats) = loki::values(&app, &reader, &name, expr, range).await.map_err(of(&app))?;
    Ok(success(&json!(values), &stats))
}

/// The streams that one of the selectors selects.
pub(in crate::http) async fn series(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let selectors: Vec<&str> = ["match[]", "match"].iter().flat_map(|name| params.all(name)).collect();
    let range = params.records()?;
    if selectors.len() > 20 {
        return Err(Error::invalid("invalid_parameter", "match[]", "expected at most 20 selectors"));
    }
    let selected =
        selectors.iter().map(|selector| selection(Some(selector))).collect::<Result<Vec<_>, _>>()?;
    let expr = if selected.is_empty() { Expr::All } else { Expr::or(selected) };
    let (found, stats) = loki::series(&app, &reader, expr, range).await.map_err(of(&app))?;
    let all: Vec<_> = found.into_iter().map(|(labels, _)| labels).collect();
    Ok(success(&json!(all), &stats))
}

/// The labels with how many values each has.
pub(in crate::http) async fn detected_labels(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let expr = selection(params.get("query"))?;
    let (found, stats) = loki::series(&app, &reader, expr, params.records()?).await.map_err(of(&app))?;
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (labels, _) in &found {
        for (name, value) in labels {
            values.entry(name).or_default().insert(value);
        }
    }
    let labels: Vec<Value> =
        values.iter().map(|(name, values)| json!({ "label": name, "cardinality": values.len() })).collect();
    Ok(bare(json!({ "detectedLabels": labels }), &stats))
}

/// The fields that stand in lines.
pub(in crate::http) async fn detected_fields(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let limit = params.number("limit", MAX_FIELDS, MAX_FIELDS)?;
    let (found, stats) = looked_at(&app, &reader, &params).await?;
    let fields: Vec<Value> = found.iter().take(limit).map(|(name, field)| described(name, field)).collect();
    Ok(bare(json!({ "fields": fields, "limit": limit }), &stats))
}

fn described(name: &str, field: &Detected) -> Value {
    let parsers = if field.parsers.is_empty() { Value::Null } else { json!(field.parsers) };
    let mut body = json!({
        "label": name, "type": field.kind.as_str(), "cardinality": field.values.len(), "parsers": parsers,
    });
    if let (false, Some(body)) = (field.path.is_empty(), body.as_object_mut()) {
        body.insert("jsonPath".into(), json!(field.path));
    }
    body
}

/// The values of a field that stands in lines.
pub(in crate::http) async fn detected_field_values(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Error> {
    let limit = params.number("limit", MAX_FIELDS, MAX_FIELDS)?;
    let (found, stats) = looked_at(&app, &reader, &params).await?;
    let values: Vec<&String> =
        found.get(&name).into_iter().flat_map(|field| &field.values).take(limit).collect();
    Ok(bare(json!({ "values": values, "limit": limit }), &stats))
}

async fn looked_at(
    app: &App,
    reader: &Reader,
    params: &Params,
) -> Result<(BTreeMap<String, Detected>, Stats), Error> {
    let query = lines_of(params.query()?)?;
    let limit = params.number("line_limit", LOOKED_AT, MAX_LIMIT)?;
    let asked = Lines { query, time: params.records()?, order: Order::Newest, limit };
    loki::fields(app, reader, &asked).await.map_err(of(app))
}

/// How much a selection is.
pub(in crate::http) async fn stats(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let expr = selection(Some(params.query()?))?;
    let (size, stats) = loki::size(&app, &reader, expr, params.records()?).await.map_err(of(&app))?;
    let body = json!({
        "streams": size.streams, "chunks": size.segments, "entries": size.entries, "bytes": size.bytes,
    });
    Ok(bare(body, &stats))
}

/// How much there is of each value of labels.
pub(in crate::http) async fn volume(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let (_, end) = params.range()?;
    let (volumes, stats) = volumes(&app, &reader, &params, None).await?;
    let result: Vec<Value> = volumes
        .iter()
        .map(|one| json!({ "metric": one.labels, "value": [seconds(end), one.total().to_string()] }))
        .collect();
    Ok(success(&json!({ "resultType": "vector", "result": result }), &stats))
}

/// The same over time.
pub(in crate::http) async fn volume_range(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let (start, end) = params.range()?;
    let step_ms = (params.step(start, end)? / MS).max(1_000);
    if (end - start) / MS / step_ms > 11_000 {
        let message = "exceeded maximum resolution of 11,000 points per time series; take a longer step";
        return Err(Error::invalid("invalid_parameter", "step", message));
    }
    let (volumes, stats) = volumes(&app, &reader, &params, Some(step_ms)).await?;
    #[expect(clippy::cast_precision_loss, reason = "they are written with as many digits as fit")]
    let points = |one: &Volume| -> Vec<Value> {
        one.bytes.iter().map(|(at_ms, bytes)| point(at_ms.saturating_mul(MS), *bytes as f64)).collect()
    };
    let result: Vec<Value> =
        volumes.iter().map(|one| json!({ "metric": one.labels, "values": points(one) })).collect();
    Ok(success(&json!({ "resultType": "matrix", "result": result }), &stats))
}

/// By the labels that are named, else those that the selector names.
async fn volumes(
    app: &App,
    reader: &Reader,
    params: &Params,
    step_ms: Option<i64>,
) -> Result<(Vec<Volume>, Stats), Error> {
    let query = params.query()?;
    let expr = selection(Some(query))?;
    let named: BTreeSet<String> = params
        .get("targetLabels")
        .into_iter()
        .flat_map(|names| names.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    let labels = if named.is_empty() { of_selector(query) } else { named };
    if labels.len() > 16 {
        return Err(Error::invalid("invalid_parameter", "targetLabels", "expected at most 16 labels"));
    }
    let by_label = match params.get("aggregateBy") {
        None | Some("series") => false,
        Some("labels") => true,
        Some(other) => {
            let message = format!("expected series or labels, got {other:?}");
            return Err(Error::invalid("invalid_parameter", "aggregateBy", message));
        }
    };
    let limit = params.number("limit", VOLUMES, MAX_LIMIT)?;
    let range = params.records()?;
    let (volumes, stats) =
        loki::volumes(app, reader, &labels, expr, range, step_ms).await.map_err(of(app))?;
    let mut volumes = if by_label { joined_by_label(volumes) } else { volumes };
    volumes.truncate(limit);
    Ok((volumes, stats))
}

fn of_selector(query: &str) -> BTreeSet<String> {
    let named = |matchers: Vec<Matcher>| matchers.into_iter().map(|matcher| matcher.name).collect();
    let labels: BTreeSet<String> = parse_selector(query).map(named).unwrap_or_default();
    if labels.is_empty() { BTreeSet::from([SERVICE.to_owned()]) } else { labels }
}

/// How much there is with each label, whatever its value.
fn joined_by_label(volumes: Vec<Volume>) -> Vec<Volume> {
    let mut all: BTreeMap<String, Volume> = BTreeMap::new();
    for volume in volumes {
        for name in volume.labels.keys() {
            let joined = all.entry(name.clone()).or_insert_with(|| Volume {
                labels: BTreeMap::from([(name.clone(), String::new())]),
                bytes: BTreeMap::new(),
            });
            for (at, bytes) in &volume.bytes {
                *joined.bytes.entry(*at).or_default() += bytes;
            }
        }
    }
    let mut all: Vec<Volume> = all.into_values().collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.total()));
    all
}

/// The patterns of lines, with how often each was seen.
pub(in crate::http) async fn patterns(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let expr = selection(Some(params.query()?))?;
    let (seen, stats) = loki::patterns(&app, &reader, expr, params.records()?).await.map_err(of(&app))?;
    let data: Vec<Value> = seen
        .iter()
        .filter_map(|one| {
            let samples: Vec<Value> =
                one.trend.iter().map(|(at, count)| json!([at.as_ms() / 1_000, count])).collect();
            let pattern = one.template.as_ref()?.replace("<*>", "<_>");
            Some(json!({ "pattern": pattern, "samples": samples }))
        })
        .collect();
    Ok(success(&data.into(), &stats))
}
