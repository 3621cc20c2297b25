//! Logs out: lists, and one record by its id.

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::json;
use uuid::Uuid;

use super::show;
use crate::{
    app::{self, App, search::Stored},
    engine::{auth::Principal, block::Corrupt, query::Position},
    http::{
        error::{Error, json_text},
        params,
    },
};

/// The newest records that the parameters ask for.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    show_page(&app, &who, params::listing(&uri, app.now())?).await
}

/// The newest records of one service.
pub(in crate::http) async fn recent(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(service): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut listing = params::listing(&uri, app.now())?;
    app::configs::check_service(&service).map_err(|error| Error::of(&app, error))?;
    listing.search.filter.services = vec![service];
    show_page(&app, &who, listing).await
}

async fn show_page(app: &App, who: &Principal, listing: params::Listing) -> Result<Response, Error> {
    let page = app::search::search(app, &who.tenant, &listing.search)
        .await
        .map_err(|error| Error::of(app, error))?;
    let mut rest = json!({ "next_cursor": page.next.map(Position::to_cursor), "stats": page.stats });
    if let (Some((number, size)), Some(fields)) = (listing.page, rest.as_object_mut()) {
        fields.insert("page".into(), number.into());
        fields.insert("page_size".into(), size.into());
    }
    let rest = rest.to_string();
    let room = page.rows.iter().map(|row| row.line.len() + show::ADDED_BYTES).sum::<usize>();
    let mut body = Vec::with_capacity(room + rest.len() + 16);
    body.extend_from_slice(b"{\"data\":[");
    for (nth, row) in page.rows.into_iter().enumerate() {
        if nth > 0 {
            body.push(b',');
        }
        show::brief(&row, &mut body).map_err(|corrupt| Error::of(app, corrupt.into()))?;
    }
    body.extend_from_slice(b"],");
    body.extend_from_slice(rest.trim_start_matches('{').as_bytes());
    body.push(b'\n');
    Ok(json_text(StatusCode::OK, body))
}

/// One record, its message cut.
pub(in crate::http) async fn one(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    show_one(&app, &who, &id, show::brief).await
}

/// One record, whole.
pub(in crate::http) async fn full(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    show_one(&app, &who, &id, show::whole).await
}

async fn show_one(
    app: &App,
    who: &Principal,
    id: &str,
    show: fn(&Stored, &mut Vec<u8>) -> Result<(), Corrupt>,
) -> Result<Response, Error> {
    let id = Uuid::try_parse(id)
        .map_err(|_| Error::invalid("invalid_id", "id", format!("expected the UUID of a log, got {id:?}")))?;
    let stored = app::find::find(app, &who.tenant, id)
        .await
        .and_then(|found| found.ok_or(app::Error::NotFound("log with this id")))
        .map_err(|error| Error::of(app, error))?;
    let mut body = Vec::with_capacity(stored.line.len() + show::ADDED_BYTES);
    show(&stored, &mut body).map_err(|corrupt| Error::of(app, corrupt.into()))?;
    body.push(b'\n');
    Ok(json_text(StatusCode::OK, body))
}
