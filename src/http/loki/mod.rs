//! Reading as Loki's clients do (Grafana's data source, Drilldown, logcli): docs/loki.md. What a request may say beyond
//! what is read here is passed over, as Loki does.

mod fixed;
mod params;
mod query;
mod streams;
mod tail;

pub(super) use fixed::{build_info, drilldown_limits, format_query, limits, no_alerts, no_groups, no_rules};
pub(super) use query::{query, query_range};
pub(super) use streams::{
    detected_field_values, detected_fields, detected_labels, label_values, labels, patterns, series, stats,
    volume, volume_range,
};
pub(super) use tail::tail;

use axum::{
    body::Body,
    extract::Request,
    http::{Method, StatusCode},
    middleware::Next,
    response::Response,
};
use serde_json::{Value, json};

use super::{
    error::{Error, json_answer},
    gate::{AskedInBody, Reads, shows},
    v1::show,
};
use crate::{
    app::{self, App, scan::Stats},
    engine::{
        logql::{self, LogExpr, ParseError},
        loki::Selection,
        query::Expr,
    },
};

/// Lets the audit stream know what a form asked for.
pub(super) async fn note_form(request: Request, next: Next) -> Result<Response, Error> {
    if request.method() != Method::POST {
        return Ok(next.run(request).await);
    }
    let (mut parts, sent) = request.into_parts();
    let form = params::Form::read(&parts.headers, sent).await?;
    let asked = AskedInBody(form.0.clone());
    parts.extensions.insert(form);
    let mut response = next.run(Request::from_parts(parts, Body::empty())).await;
    response.extensions_mut().insert(asked);
    Ok(response)
}

/// A query that selects streams alone; nothing asks for all.
fn selection(text: Option<&str>) -> Result<Expr, Error> {
    let Some(text) = text.filter(|text| !text.is_empty() && *text != "{}") else { return Ok(Expr::All) };
    let matchers = logql::parse_selector(text).map_err(|error| malformed(&error))?;
    Ok(Selection::of_streams(&matchers).expr)
}

/// A query of lines, whatever its stages; what a metric asks of its lines.
fn lines_of(text: &str) -> Result<LogExpr, Error> {
    match logql::parse(text).map_err(|error| malformed(&error))? {
        logql::Expr::Log(query) => Ok(query),
        logql::Expr::Metric(metric) => match logql::eval::leaves(&metric).first() {
            Some(leaf) => Ok(leaf.query.clone()),
            None => Err(Error::said("invalid_query", "expected a query that selects streams")),
        },
    }
}

fn malformed(error: &ParseError) -> Error {
    Error::said("invalid_query", error.to_string())
}

fn of(app: &App) -> impl Fn(app::Error) -> Error + '_ {
    |error| Error::of(app, error)
}

/// An answer in Loki's envelope. What is missing from it is said.
fn success(data: &Value, stats: &Stats) -> Response {
    bare(json!({ "status": "success", "data": data }), stats)
}

/// The same of an answer that Loki puts in no envelope.
fn bare(mut body: Value, stats: &Stats) -> Response {
    if let (true, Some(body)) = (stats.partial, body.as_object_mut()) {
        body.insert(
            "warnings".into(),
            json!(["not all that may be in this answer was looked at: take a shorter time"]),
        );
    }
    json_answer(StatusCode::OK, &body)
}

/// The same that shows so many records, with what that has cost.
fn found(mut data: Value, shown: usize, stats: &Stats) -> Response {
    if let Some(data) = data.as_object_mut() {
        data.insert("stats".into(), statistics(shown, stats));
    }
    shows(success(&data, stats), Reads::Shown(shown))
}

/// What Loki calls these figures, and what they are here.
#[expect(clippy::cast_precision_loss, reason = "a rate is shown with a few digits")]
fn statistics(shown: usize, stats: &Stats) -> Value {
    let seconds = stats.elapsed_ms as f64 / 1e3;
    let rate = |count: u64| if seconds > 0.0 { (count as f64 / seconds).floor() } else { 0.0 };
    json!({
        "summary": {
            "bytesProcessedPerSecond": rate(stats.bytes_read), "linesProcessedPerSecond": rate(stats.rows_scanned),
            "totalBytesProcessed": stats.bytes_read, "totalLinesProcessed": stats.rows_scanned,
            "execTime": seconds, "queueTime": 0.0, "subqueries": 0, "totalEntriesReturned": shown,
            "splits": 0, "shards": 0,
        },
        "timberline": show::stats(stats),
    })
}
