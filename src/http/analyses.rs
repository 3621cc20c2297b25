//! Analyses of services, as JSON.

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    analytics::timeframe,
    error::{Error, json_answer},
    params::Params,
};
use crate::{
    app::{
        self, App, Reader,
        analyses::{self, Kept, Why},
    },
    engine::auth::Principal,
};

const ANALYSES: usize = 20;
const MAX_ANALYSES: usize = 100;

/// The hours that one is made of.
const DEFAULT: &str = "6h";
const MAX_HOURS: u32 = 24;

/// Analyses a service now.
pub(in crate::http) async fn analyze(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(service): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let (name, text) =
        params.take(&["timeframe"])?.unwrap_or_else(|| ("timeframe".to_owned(), DEFAULT.to_owned()));
    params.finish()?;
    let hours = timeframe(&name, text)?.hours;
    if hours > MAX_HOURS {
        let message = format!("expected at most {MAX_HOURS}h");
        return Err(Error::invalid("invalid_parameter", &name, message));
    }
    let nothing = || Error::of(&app, app::Error::NotFound("service of this name"));
    let reader = Reader::of(&who).filter(|reader| reader.sees_service(&service)).ok_or_else(nothing)?;
    let made = analyses::analyze(&app, who.tenant(), &service, hours, app.now(), Why::Wanted)
        .await
        .map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::CREATED, &json!({ "data": analysis(&analyses::shown(&reader, made)) })))
}

/// What was said, the newest first, or the last of each service.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let service = params.take(&["service"])?.map(|(_, value)| value);
    let latest = params.take_switch("latest")?.unwrap_or(false);
    let before = params.take(&["before"])?;
    let limit = params.take_number(&["limit"], 1, MAX_ANALYSES)?.unwrap_or(ANALYSES);
    params.finish()?;
    if let Some((name, id)) = before.as_ref().filter(|(_, id)| Uuid::parse_str(id).is_err()) {
        let message = format!("expected the id of an analysis, got {id:?}");
        return Err(Error::invalid("invalid_parameter", name, message));
    }
    let before = before.map(|(_, id)| id.to_ascii_lowercase());
    let found = match (latest, &before, &service) {
        (true, None, None) => analyses::latest(&app, &reader, limit).await.map(|found| (found, None)),
        (true, Some(_), _) => {
            let message = "the last of each service have no next page".to_owned();
            return Err(Error::invalid("invalid_parameter", "before", message));
        }
        // The last one of a service is the first of its list.
        (true, None, Some(of)) => {
            analyses::list(&app, &reader, Some(of), None, 1).await.map(|(found, _)| (found, None))
        }
        (false, ..) => analyses::list(&app, &reader, service.as_deref(), before.as_deref(), limit).await,
    };
    let (found, next) = found.map_err(|error| Error::of(&app, error))?;
    let body = json!({ "data": found.iter().map(analysis).collect::<Vec<_>>(), "next_before": next });
    Ok(json_answer(StatusCode::OK, &body))
}

fn analysis(of: &Kept) -> Value {
    let made = &of.made;
    let said = &made.analysis;
    let patterns: Vec<Value> = said
        .patterns
        .iter()
        .map(|one| {
            let id = (!one.id.is_empty()).then_some(&one.id);
            json!({ "pattern_id": id, "pattern": one.template, "count": one.count, "what": one.what })
        })
        .collect();
    json!({
        "id": of.id, "service_name": said.service_name, "severity": said.severity, "summary": said.summary,
        "patterns": patterns, "recommendations": said.recommendations, "evidence_ids": said.evidence_ids,
        "analyzed_at": of.analyzed_at, "from": made.from, "to": made.to, "model": made.model, "tokens": made.tokens,
        "fallback": made.fallback, "notes": said.notes,
    })
}
