//! Logs out: lists, and one record by its id.

use axum::{
    Extension,
    extract::{Path, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::show;
use crate::{
    app::{self, App, search::Stored},
    engine::{auth::Principal, query::Position},
    http::{
        error::{Error, json_answer},
        params,
    },
};

/// The newest records that the parameters ask for.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    show_page(&app, &who, params::listing(&uri)?).await
}

/// The newest records of one service.
pub(in crate::http) async fn recent(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(service): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut listing = params::listing(&uri)?;
    app::configs::check_service(&service).map_err(|error| Error::of(&app, error))?;
    listing.search.filter.services = vec![service];
    show_page(&app, &who, listing).await
}

async fn show_page(app: &App, who: &Principal, listing: params::Listing) -> Result<Response, Error> {
    let page = app::search::search(app, &who.tenant, &listing.search)
        .await
        .map_err(|error| Error::of(app, error))?;
    let data: Vec<Value> = page.rows.iter().map(show::brief).collect();
    let mut body = json!({
        "data": data,
        "next_cursor": page.next.map(Position::to_cursor),
        "stats": page.stats,
    });
    if let (Some((number, size)), Some(fields)) = (listing.page, body.as_object_mut()) {
        fields.insert("page".into(), number.into());
        fields.insert("page_size".into(), size.into());
    }
    Ok(json_answer(StatusCode::OK, &body))
}

/// One record, its message cut.
pub(in crate::http) async fn one(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let stored = find(&app, &who, &id).await?;
    Ok(json_answer(StatusCode::OK, &show::brief(&stored)))
}

/// One record, whole.
pub(in crate::http) async fn full(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let stored = find(&app, &who, &id).await?;
    Ok(json_answer(StatusCode::OK, &show::whole(&stored)))
}

async fn find(app: &App, who: &Principal, id: &str) -> Result<Stored, Error> {
    let id = Uuid::try_parse(id)
        .map_err(|_| Error::invalid("invalid_id", "id", format!("expected the UUID of a log, got {id:?}")))?;
    app::find::find(app, &who.tenant, id)
        .await
        .and_then(|found| found.ok_or(app::Error::NotFound("log with this id")))
        .map_err(|error| Error::of(app, error))
}
