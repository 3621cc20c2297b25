//! Elasticsearch's bulk, and what its clients ask before they write. They look at each item's status: 201 is done, 429 is sent
//! again, and 400 never.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Path, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};

use super::{Became, By, MAX_RECORDS, Sent, answer, dialect, no_room};
use crate::{
    app::{App, ingest::Taken},
    engine::{
        auth::Principal,
        wire::elastic::{self, Filter, Outcome},
    },
    http::{error::Error, gate::About, params},
};

/// Takes actions on any index: 200 with an item for each.
pub(in crate::http) async fn bulk(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    take(&By { app: &app, who: &who, about: &about }, None, request).await
}

/// The same, for actions that name no index.
pub(in crate::http) async fn bulk_of(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    Path(index): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    take(&By { app: &app, who: &who, about: &about }, Some(&index), request).await
}

async fn take(by: &By<'_>, index: Option<&str>, request: Request) -> Result<Response, Error> {
    let began = by.app.clock.now_ms();
    let sent = Sent::read(request, by.who).await?;
    let bulk = match elastic::decode(&sent.body, index, MAX_RECORDS) {
        Ok(bulk) => bulk,
        Err(error) => return Ok(refused(&error)),
    };
    let mut taken = match by.take(&sent, "elastic", Box::new(bulk.records())).await? {
        Became::Shown(shown) => return Ok(shown),
        Became::Taken(taken) => taken,
    };
    if let Some(refused) = no_room(&mut taken) {
        return Ok(refused);
    }
    let filter = params::pairs(&sent.parts.uri)?.into_iter().find(|(name, _)| name == "filter_path");
    let filter = Filter::parse(filter.as_ref().map_or("", |(_, paths)| paths));
    let took = by.app.clock.now_ms().saturating_sub(began);
    let body = elastic::answer(&bulk, outcomes(&taken), took, &filter);
    Ok(dialect::found_by_clients(answer(StatusCode::OK, media_type(&sent.parts.headers), body)))
}

/// What came of each document, in order. One that a rule dropped has arrived; and of a request that is sent again not all ids are
/// known, if rules decide by more than its records.
fn outcomes(taken: &Taken) -> impl Iterator<Item = Outcome> {
    let mut ids = taken.ids.iter();
    let mut rejected = taken.rejected.iter().peekable();
    let mut dropped = taken.dropped.iter().peekable();
    (0..).map(move |nth| {
        if let Some((_, why)) = rejected.next_if(|(index, _)| *index == nth) {
            return Outcome::Failed(why.into());
        }
        if dropped.next_if(|index| **index == nth).is_some() {
            return Outcome::Created { id: String::new() };
        }
        Outcome::Created { id: ids.next().map(ToString::to_string).unwrap_or_default() }
    })
}

fn refused(error: &elastic::ParseError) -> Response {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    dialect::found_by_clients(answer(status, "application/json", error.body().to_string()))
}

/// A client of the eighth version wants to be answered in its own type.
fn media_type(headers: &HeaderMap) -> &'static str {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match accepted.split_once("compatible-with=") {
        Some((_, version)) if version.starts_with('8') => {
            "application/vnd.elasticsearch+json;compatible-with=8"
        }
        Some((_, version)) if version.starts_with('7') => {
            "application/vnd.elasticsearch+json;compatible-with=7"
        }
        Some((_, version)) if version.starts_with('9') => {
            "application/vnd.elasticsearch+json;compatible-with=9"
        }
        _ => "application/json",
    }
}

/// Whether a key is shown in one of the ways of Elasticsearch's clients.
fn is_of_elastic(headers: &HeaderMap) -> bool {
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let scheme = shown.and_then(|shown| shown.split(' ').next()).unwrap_or_default();
    scheme.eq_ignore_ascii_case("basic") || scheme.eq_ignore_ascii_case("apikey")
}

/// What stands at no path of the service may be what a client of Elasticsearch asks first. There is nothing secret in it.
pub(in crate::http) async fn handshake(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let path =
        path.strip_prefix("/elastic").filter(|rest| rest.is_empty() || rest.starts_with('/')).unwrap_or(path);
    let is_index = method == Method::HEAD && is_of_elastic(&headers);
    let is_ours = path.len() < uri.path().len() || path == "/" || path.starts_with("/_") || is_index;
    let found = is_ours.then(|| elastic::handshake(method.as_str(), path)).flatten();
    let Some((status, body)) = found else { return Error::NO_ROUTE.into_response() };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let body = if method == Method::HEAD { String::new() } else { body.to_string() };
    dialect::found_by_clients(answer(status, media_type(&headers), body))
}
