//! Splunk's HTTP event collector.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};

use super::{Became, By, MAX_RECORDS, Sent, answer, no_room};
use crate::{
    app::App,
    engine::{
        auth::Principal,
        wire::{
            split::SplitError,
            splunk::{self, Answer, Events, Query},
        },
    },
    http::{error::Error, gate::About, params},
};

/// Takes events, one object after the other.
pub(in crate::http) async fn event(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    take(&By { app: &app, who: &who, about: &about }, request, splunk::decode_events).await
}

/// Takes lines of text.
pub(in crate::http) async fn raw(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    take(&By { app: &app, who: &who, about: &about }, request, splunk::decode_raw).await
}

/// Collectors ask this before they send.
pub(in crate::http) async fn health() -> Response {
    said(&Answer::HEALTHY)
}

type Decode = for<'a> fn(&'a [u8], &'a Query, usize) -> Result<Events<'a>, SplitError>;

async fn take(by: &By<'_>, request: Request, decode: Decode) -> Result<Response, Error> {
    let sent = Sent::read(request, by.who).await?;
    let mut query = Query::default();
    for (name, value) in params::pairs(&sent.parts.uri)?.into_iter().filter(|(_, value)| !value.is_empty()) {
        match name.as_str() {
            "channel" => query.channel = Some(value),
            "host" => query.host = Some(value),
            "source" => query.source = Some(value),
            "sourcetype" => query.sourcetype = Some(value),
            "index" => query.index = Some(value),
            _ => {}
        }
    }
    let events = match decode(&sent.body, &query, MAX_RECORDS) {
        Ok(events) => events,
        Err(error) => return Ok(said(&(&error).into())),
    };
    let mut taken = match by.take(&sent, "splunk", Box::new(events.records())).await? {
        Became::Shown(shown) => return Ok(shown),
        Became::Taken(taken) => taken,
    };
    if let Some(refused) = no_room(&mut taken) {
        return Ok(refused);
    }
    // Some of it is stored: to be told to come again would make a collector send that again too.
    let told = |(index, why): &(usize, _)| match Answer::of_rejection(*index, why) {
        answer if answer.status < 500 => answer,
        _ => Answer { event: Some(*index), ..Answer::INVALID_FORMAT },
    };
    let rejected = taken.rejected.first().map(told);
    Ok(said(&rejected.unwrap_or(Answer::SUCCESS)))
}

fn said(said: &Answer) -> Response {
    let status = StatusCode::from_u16(said.status).unwrap_or(StatusCode::BAD_REQUEST);
    answer(status, "application/json", said.body().to_string())
}
