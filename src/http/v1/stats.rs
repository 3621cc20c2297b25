//! Services and their counts.

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::{Map, Value, json};

use crate::{
    app::{self, App, Reader},
    engine::{
        block::{ServiceSummary, summary::LevelCounts},
        query::TimeRange,
        record::model::Level,
    },
    http::{
        error::{Error, json_answer},
        params,
    },
};

/// Every service that has logs, by name.
pub(in crate::http) async fn services(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let (services, partial) =
        app::stats::services(&app, &reader, TimeRange::ALL).await.map_err(|error| Error::of(&app, error))?;
    let data: Vec<Value> = services.iter().map(|(service, summary)| totals(service, Some(summary))).collect();
    Ok(json_answer(StatusCode::OK, &json!({ "data": data, "next_cursor": null, "partial": partial })))
}

/// What one service has sent: totals, and by the hour for a day.
pub(in crate::http) async fn service(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(service): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let stats = app::stats::service(&app, &reader, &service).await.map_err(|error| Error::of(&app, error))?;
    let hours: Vec<Value> = stats
        .hours
        .iter()
        .map(|(hour, counts)| json!({ "hour": hour, "count": counts.iter().sum::<u64>(), "by_level": by_level(counts) }))
        .collect();
    let mut body = totals(&service, stats.total.as_ref());
    if let Some(fields) = body.as_object_mut() {
        fields.insert("per_hour".into(), hours.into());
        fields.insert("partial".into(), stats.partial.into());
    }
    Ok(json_answer(StatusCode::OK, &body))
}

fn totals(service: &str, summary: Option<&ServiceSummary>) -> Value {
    json!({
        "service": service,
        "total": summary.map_or(0, |summary| summary.rows),
        "bytes": summary.map_or(0, |summary| summary.bytes),
        "by_level": by_level(&summary.map_or([0; 5], |summary| summary.levels)),
        "first_seen": summary.map(|summary| summary.first),
        "last_seen": summary.map(|summary| summary.last),
    })
}

fn by_level(counts: &LevelCounts) -> Value {
    let named = Level::ALL.iter().zip(counts).map(|(level, n)| (level.as_str().to_owned(), Value::from(*n)));
    Value::Object(named.collect::<Map<_, _>>())
}
