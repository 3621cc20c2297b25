//! What is JSON and little else: Datadog's agents, GELF, JSON lines with a mapping, and Cloudflare's Logpush.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{Became, By, Decoded, MAX_RECORDS, Sent, no_room, stored, too_large};
use crate::{
    app::{App, ingest::Taken},
    engine::{
        auth::Principal,
        wire::{
            datadog, gelf,
            jsonline::{self, Mapping},
            logpush,
            split::SplitError,
        },
    },
    http::{
        error::{Error, json_answer},
        gate::About,
        params,
        taking::rejected,
    },
};

/// Takes what Datadog's agents send: 202.
pub(in crate::http) async fn datadog(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    let by = By { app: &app, who: &who, about: &about };
    let sent = Sent::read(request, &who).await?;
    let records = Box::new(datadog::decode(&sent.body, MAX_RECORDS).map_err(unsplit)?);
    Ok(arrived(by.take(&sent, "datadog", records).await?))
}

/// Takes GELF messages: 202.
pub(in crate::http) async fn gelf(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    let by = By { app: &app, who: &who, about: &about };
    let sent = Sent::read(request, &who).await?;
    let records = Box::new(gelf::decode(&sent.body, MAX_RECORDS).map_err(unsplit)?);
    Ok(arrived(by.take(&sent, "gelf", records).await?))
}

/// Takes JSON lines, and is told which of their fields are which: 200 `{"accepted","rejected"}`.
pub(in crate::http) async fn jsonline(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    let by = By { app: &app, who: &who, about: &about };
    let sent = Sent::read(request, &who).await?;
    let pairs = params::pairs(&sent.parts.uri)?;
    let told = |name: &str, header: &'static str| {
        let pair = pairs.iter().find(|(sent, value)| sent == name && !value.is_empty());
        pair.map(|(_, value)| value.as_str()).or_else(|| sent.header(&HeaderName::from_static(header)))
    };
    let mapping = Mapping::parse(
        told("_time_field", "vl-time-field"),
        told("_msg_field", "vl-msg-field"),
        told("_stream_fields", "vl-stream-fields"),
        told("ignore_fields", "vl-ignore-fields"),
        told("extra_fields", "vl-extra-fields"),
    );
    let records = Box::new(jsonline::decode(&sent.body, &mapping, MAX_RECORDS).map_err(unsplit)?);
    Ok(counted(by.take(&sent, "jsonline", records).await?))
}

/// Takes what Cloudflare pushes: 200 `{"accepted","rejected"}`. What it sends to see whether it may is stored nowhere.
pub(in crate::http) async fn logpush(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    let by = By { app: &app, who: &who, about: &about };
    let sent = Sent::read(request, &who).await?;
    if logpush::is_probe(&sent.body) {
        return Ok(json_answer(StatusCode::OK, &json!({ "accepted": 0, "rejected": [] })));
    }
    let mut source = logpush::Source::default();
    for (name, value) in params::pairs(&sent.parts.uri)?.into_iter().filter(|(_, value)| !value.is_empty()) {
        match name.as_str() {
            "dataset" => source.dataset = Some(value),
            "service" => source.service = Some(value),
            _ => {}
        }
    }
    let records: Box<Decoded<'_>> =
        Box::new(logpush::decode(&sent.body, &source, MAX_RECORDS).map_err(unsplit)?);
    // Cloudflare takes anything else for a destination that is gone.
    let mut response = counted(by.take(&sent, "logpush", records).await?);
    if response.status() == StatusCode::BAD_REQUEST {
        *response.status_mut() = StatusCode::OK;
    }
    Ok(response)
}

/// Rejections that are told one by one.
const MAX_TOLD: usize = 100;

fn unsplit(error: SplitError) -> Error {
    match error {
        SplitError::TooMany { .. } => too_large(&error),
        error => Error::invalid("malformed_json", "body", error.to_string()),
    }
}

/// 202 for what has arrived, and the first reason where nothing has.
fn arrived(became: Became) -> Response {
    let mut taken = match became {
        Became::Shown(shown) => return shown,
        Became::Taken(taken) => taken,
    };
    if let Some(refused) = no_room(&mut taken) {
        return refused;
    }
    if stored(&taken) || taken.rejected.is_empty() {
        return json_answer(StatusCode::ACCEPTED, &json!({}));
    }
    counts(&taken, StatusCode::BAD_REQUEST)
}

fn counted(became: Became) -> Response {
    let mut taken = match became {
        Became::Shown(shown) => return shown,
        Became::Taken(taken) => taken,
    };
    if let Some(refused) = no_room(&mut taken) {
        return refused;
    }
    let is_good = stored(&taken) || taken.rejected.is_empty();
    counts(&taken, if is_good { StatusCode::OK } else { StatusCode::BAD_REQUEST })
}

fn counts(taken: &Taken, status: StatusCode) -> Response {
    let told: Vec<_> =
        taken.rejected.iter().take(MAX_TOLD).map(|(index, why)| rejected(*index, why)).collect();
    let more = taken.rejected.len() - told.len();
    let mut body = json!({ "accepted": taken.ids.len(), "rejected": told });
    if let (Some(body), true) = (body.as_object_mut(), more > 0) {
        body.insert("rejected_more".into(), more.into());
    }
    json_answer(status, &body).into_response()
}
