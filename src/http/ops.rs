//! The service itself: health, state, actions, metrics.

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    body,
    error::{Error, json_answer},
};
use crate::{
    app::{self, App},
    engine::auth::{Permission, Principal},
    ports::Counts,
};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// 200 when every part answers, 503 when one does not.
pub(super) async fn health(State(app): State<App>) -> Response {
    let health = app::health::check(&app).await;
    let part = |state: &Result<(), String>| match state {
        Ok(()) => "ok",
        Err(reason) => {
            app.journal.error(reason);
            "down"
        }
    };
    let status = if health.is_well() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "status": if health.is_well() { "ok" } else { "degraded" },
        "service": "timberline",
        "db": part(&health.db),
        "storage": part(&health.storage),
        "timestamp": app.now(),
        "version": VERSION,
    });
    json_answer(status, &body)
}

/// What each shard holds, and what waits in the spool.
pub(super) async fn state(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
) -> Result<Response, Error> {
    let state = app::state::read(&app, who.tenant()).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!(state)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    action: String,
    #[serde(rename = "actionId")]
    action_id: String,
    /// Where `rebuild-catalog` goes on: what an earlier answer said.
    #[serde(rename = "continue")]
    behind: Option<String>,
}

/// Carries out one of the service's actions: `{"action":"execute","actionId":"flush"}`.
pub(super) async fn act(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let (_, bytes) = body::read(&parts.headers, body, 4 << 10).await?;
    let action: Asked = serde_json::from_slice(&bytes)
        .map_err(|error| Error::invalid("invalid_action", "body", error.to_string()))?;
    if action.action != "execute" {
        let message = format!("expected \"execute\", got {:?}", action.action);
        return Err(Error::invalid("invalid_action", "action", message));
    }
    if action.behind.is_some() && action.action_id != "rebuild-catalog" {
        let message = format!("{:?} does not go on anywhere", action.action_id);
        return Err(Error::invalid("invalid_action", "continue", message));
    }
    let failed = |error| Error::of(&app, error);
    match action.action_id.as_str() {
        "flush" => {
            let flushed = app::flush::flush(&app, who.tenant()).await.map_err(failed)?;
            Ok(json_answer(
                StatusCode::OK,
                &json!({ "actionId": "flush", "status": "done", "result": flushed }),
            ))
        }
        "rebuild-catalog" => {
            if !who.may(Permission::OperateDeployment) {
                return Err(Error::not_allowed(Permission::OperateDeployment, &who.identity().role));
            }
            let rebuilt = app::rebuild::rebuild(&app, action.behind.as_deref()).await.map_err(failed)?;
            let mut answer = json!({ "actionId": "rebuild-catalog", "status": "done", "result": rebuilt });
            if let (Some(next), Value::Object(fields)) = (&rebuilt.next, &mut answer) {
                fields.insert("status".into(), json!("partial"));
                fields.insert("continue".into(), json!(next));
            }
            Ok(json_answer(StatusCode::OK, &answer))
        }
        other => {
            let message = format!("expected \"flush\" or \"rebuild-catalog\", got {other:?}");
            Err(Error::invalid("invalid_action", "actionId", message))
        }
    }
}

/// This isolate's counters, for Prometheus.
pub(super) async fn metrics(State(app): State<App>) -> Response {
    let text = exposition(&app.meter.counts(), app.audit.lost(), app.intake.counts());
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

fn exposition(counts: &Counts, audit_records_lost: u64, (accepted, rejected): (u64, u64)) -> String {
    let Value::Object(mut counts) = json!(counts) else { return String::new() };
    counts.insert("audit_records_lost".into(), json!(audit_records_lost));
    counts.insert("records_accepted".into(), json!(accepted));
    counts.insert("records_rejected".into(), json!(rejected));
    let lines = counts.iter().map(|(name, value)| {
        let name = format!("timberline_{name}_total");
        format!(
            "# HELP {name} Counted in this isolate since it began.\n# TYPE {name} counter\n{name} {value}\n"
        )
    });
    lines.collect()
}
