//! Queries: of lines and of numbers, at one time and over many.

use std::collections::HashMap;

use axum::{Extension, extract::State, http::HeaderName, response::Response};
use serde_json::{Map, Value, json};

use super::{
    found, malformed, of,
    params::{Params, records},
};
use crate::{
    app::{
        App, Reader,
        loki::{self, Lines, Row},
    },
    engine::{
        logql::{
            self, Expr, LogExpr, Metric,
            eval::{Output, Times, print_value},
            pipeline::Source,
        },
        query::TimeRange,
    },
    http::error::Error,
};

const FLAGS: HeaderName = HeaderName::from_static("x-loki-response-encoding-flags");
const CATEGORIZE: &str = "categorize-labels";

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const HOUR: i64 = 3_600 * SECOND;

/// A query at one time; of lines, the newest of the hour before it.
pub(in crate::http) async fn query(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let at = params.at()?;
    match logql::parse(params.query()?).map_err(|error| malformed(&error))? {
        Expr::Log(query) => lines(&app, &reader, &params, query, records(at.saturating_sub(HOUR), at)).await,
        Expr::Metric(metric) => {
            check_counts(params.may_count, &metric)?;
            numbers(&app, &reader, &metric, Times::instant(at), true).await
        }
    }
}

/// A query over a time.
pub(in crate::http) async fn query_range(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    params: Params,
) -> Result<Response, Error> {
    let (start_ns, end_ns) = params.range()?;
    match logql::parse(params.query()?).map_err(|error| malformed(&error))? {
        Expr::Log(query) => lines(&app, &reader, &params, query, records(start_ns, end_ns)).await,
        Expr::Metric(metric) => {
            check_counts(params.may_count, &metric)?;
            let step_ns = params.step(start_ns, end_ns)?;
            // As Loki does, unless it is told otherwise: the same points however often a dashboard asks.
            let aligned = |at_ns: i64| at_ns - at_ns.rem_euclid(step_ns.max(1));
            let times = Times { start_ns: aligned(start_ns), end_ns: aligned(end_ns), step_ns };
            numbers(&app, &reader, &metric, times, false).await
        }
    }
}

/// A tenant may have switched counts off; Grafana asks for a sum of two numbers to see who answers.
fn check_counts(may_count: bool, metric: &Metric) -> Result<(), Error> {
    if may_count || logql::eval::leaves(metric).is_empty() { Ok(()) } else { Err(Error::ANALYTICS_OFF) }
}

async fn lines(
    app: &App,
    reader: &Reader,
    params: &Params,
    query: LogExpr,
    time: TimeRange,
) -> Result<Response, Error> {
    let asked = Lines { query, time, order: params.order()?, limit: params.limit()? };
    let (rows, stats) = loki::lines(app, reader, &asked).await.map_err(of(app))?;
    let flags = params.headers.get(FLAGS).and_then(|flags| flags.to_str().ok()).unwrap_or_default();
    let categorizes = flags.split(',').any(|flag| flag.trim() == CATEGORIZE);
    let mut data = json!({ "resultType": "streams", "result": streams(&rows, categorizes) });
    if let (true, Some(data)) = (categorizes, data.as_object_mut()) {
        data.insert("encodingFlags".into(), json!([CATEGORIZE]));
    }
    Ok(found(data, rows.len(), &stats))
}

/// Lines by their labels, each stream where its first line stood.
pub(super) fn streams(rows: &[Row], categorizes: bool) -> Vec<Value> {
    let mut numbers: HashMap<Vec<(&str, &str)>, usize> = HashMap::new();
    let mut streams: Vec<(Value, Vec<Value>)> = Vec::new();
    for row in rows {
        let of = |source: Source| {
            let own = row.labels.iter().filter(move |(_, _, from)| *from == source);
            own.map(|(name, value, _)| (name.as_str(), value.as_str()))
        };
        let mut labels: Vec<(&str, &str)> = if categorizes {
            of(Source::Stream).collect()
        } else {
            row.labels.iter().map(|(name, value, _)| (name.as_str(), value.as_str())).collect()
        };
        labels.retain(|(_, value)| !value.is_empty());
        labels.sort_unstable();
        let time = row.at.time.as_ns().to_string();
        let line = if categorizes {
            let mut more = Map::new();
            for (name, source) in [("structuredMetadata", Source::Metadata), ("parsed", Source::Parsed)] {
                let members = object(of(source).filter(|(_, value)| !value.is_empty()));
                if !members.is_empty() {
                    more.insert(name.to_owned(), members.into());
                }
            }
            json!([time, row.text, more])
        } else {
            json!([time, row.text])
        };
        let next = streams.len();
        let number = *numbers.entry(labels).or_insert_with_key(|labels| {
            streams.push((object(labels.iter().copied()).into(), Vec::new()));
            next
        });
        if let Some((_, values)) = streams.get_mut(number) {
            values.push(line);
        }
    }
    streams.into_iter().map(|(stream, values)| json!({ "stream": stream, "values": values })).collect()
}

fn object<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Map<String, Value> {
    pairs.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

async fn numbers(
    app: &App,
    reader: &Reader,
    metric: &Metric,
    times: Times,
    is_instant: bool,
) -> Result<Response, Error> {
    let (output, stats) = loki::metric(app, reader, metric, times, is_instant).await.map_err(of(app))?;
    let (kind, result) = match output {
        Output::Scalar { at_ns, value } => ("scalar", point(at_ns, value)),
        Output::Vector(samples) => {
            let sample = |one: crate::engine::logql::eval::Sample| json!({ "metric": one.labels, "value": point(one.at_ns, one.value) });
            ("vector", samples.into_iter().map(sample).collect())
        }
        Output::Matrix(lines) => {
            let line = |one: crate::engine::logql::eval::Line| {
                let values: Vec<Value> = one.points.into_iter().map(|(at, value)| point(at, value)).collect();
                json!({ "metric": one.labels, "values": values })
            };
            ("matrix", lines.into_iter().map(line).collect())
        }
    };
    Ok(found(json!({ "resultType": kind, "result": result }), 0, &stats))
}

/// Seconds as a number, with as many digits as there are to the ms, and the value as a text.
pub(super) fn point(at_ns: i64, value: f64) -> Value {
    json!([seconds(at_ns), print_value(value)])
}

#[expect(clippy::cast_precision_loss, reason = "ms of this century fit")]
pub(super) fn seconds(at_ns: i64) -> Value {
    if at_ns % SECOND == 0 { json!(at_ns / SECOND) } else { json!((at_ns / MS) as f64 / 1e3) }
}
