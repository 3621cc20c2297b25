//! What clients ask before they ask for logs. The answers are the same for all.

use axum::{
    http::{StatusCode, header},
    response::Response,
};
use serde_json::json;

use super::{
    malformed,
    params::{MAX_LIMIT, Params},
};
use crate::{
    engine::logql,
    http::error::{Error, json_answer, json_text},
};

/// Grafana looks for the version, to know what can be asked.
const VERSION: &str = "3.3.0";

pub(in crate::http) async fn build_info() -> Response {
    json_answer(
        StatusCode::OK,
        &json!({
            "version": VERSION, "revision": env!("CARGO_PKG_VERSION"), "branch": "timberline", "buildUser": "",
            "buildDate": "", "goVersion": "",
        }),
    )
}

/// The query as it is printed: on one line.
pub(in crate::http) async fn format_query(params: Params) -> Result<Response, Error> {
    let query = logql::parse(params.query()?).map_err(|error| malformed(&error))?;
    Ok(json_answer(StatusCode::OK, &json!({ "status": "success", "data": query.to_string() })))
}

pub(in crate::http) async fn limits() -> Response {
    let text =
        format!("max_entries_limit_per_query: {MAX_LIMIT}\nmax_query_series: 500\nvolume_enabled: true\n");
    let mut response = json_text(StatusCode::OK, text);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

pub(in crate::http) async fn drilldown_limits() -> Response {
    json_answer(
        StatusCode::OK,
        &json!({
            "limits": {
                "discover_log_levels": true, "discover_service_name": ["service_name"],
                "log_level_fields": ["level", "severity"], "max_entries_limit_per_query": MAX_LIMIT,
                "max_line_size_truncate": false, "max_query_series": 500, "metric_aggregation_enabled": false,
                "otlp_config": {}, "pattern_persistence_enabled": true, "query_timeout": "30s",
                "retention_period": "0s", "volume_enabled": true, "volume_max_series": 1_000,
            },
            "pattern_ingester_enabled": true, "version": VERSION, "maxDetectedFields": 1_000,
            "maxLinesPerQuery": MAX_LIMIT,
        }),
    )
}

/// Rules are Timberline's own.
pub(in crate::http) async fn no_rules() -> Response {
    let mut response = json_text(StatusCode::OK, "{}\n");
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/yaml"));
    response
}

pub(in crate::http) async fn no_groups() -> Response {
    json_answer(StatusCode::OK, &json!({ "status": "success", "data": { "groups": [] } }))
}

pub(in crate::http) async fn no_alerts() -> Response {
    json_answer(StatusCode::OK, &json!({ "status": "success", "data": { "alerts": [] } }))
}
