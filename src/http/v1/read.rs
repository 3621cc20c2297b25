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
    app::{
        self, App, Reader,
        context::{Around, Scope},
        search::{MAX_LIMIT, Sort, Stored},
    },
    engine::{
        block::Corrupt,
        query::{Cursor, Expr, Filter, Order},
    },
    http::{
        error::{Error, json_text},
        gate::{Reads, shows},
        params,
    },
};

/// Records before and behind one that its context shows.
const DEFAULT_AROUND: usize = 10;
const MAX_AROUND: usize = 200;

/// The records that the parameters ask for.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    show_page(&app, &reader, params::listing(&uri, app.now())?).await
}

/// The newest records of one service.
pub(in crate::http) async fn recent(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(service): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut listing = params::listing(&uri, app.now())?;
    app::configs::check_service(&service).map_err(|error| Error::of(&app, error))?;
    let filter = &mut listing.search.filter;
    filter.expr =
        Expr::and(vec![Filter::services(&[service]), std::mem::replace(&mut filter.expr, Expr::All)]);
    show_page(&app, &reader, listing).await
}

pub(in crate::http) async fn show_page(
    app: &App,
    reader: &Reader,
    listing: params::Listing,
) -> Result<Response, Error> {
    let page =
        app::search::search(app, reader, &listing.search).await.map_err(|error| Error::of(app, error))?;
    let shown = Reads::Shown(page.rows.len());
    let mut rest = json!({ "next_cursor": page.next.map(Cursor::print), "stats": show::stats(&page.stats) });
    if let (Some((number, size)), Some(fields)) = (listing.page, rest.as_object_mut()) {
        fields.insert("page".into(), number.into());
        fields.insert("page_size".into(), size.into());
    }
    let body = show::list(page.rows, &rest, None).map_err(|corrupt| Error::of(app, corrupt.into()))?;
    Ok(shows(json_text(StatusCode::OK, body), shown))
}

/// Records around one, the oldest first.
pub(in crate::http) async fn context(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = params::Params::read(&uri, app.now())?;
    let before = params.take_number(&["before"], 0, MAX_AROUND)?.unwrap_or(DEFAULT_AROUND);
    let after = params.take_number(&["after"], 0, MAX_AROUND)?.unwrap_or(DEFAULT_AROUND);
    let scope = match params.take(&["scope"])?.as_ref().map(|(_, value)| value.as_str()) {
        None | Some("service") => Scope::Service,
        Some("host") => Scope::Host,
        Some("all") => Scope::All,
        Some(other) => {
            let message = format!("expected service, host or all, got {other:?}");
            return Err(Error::invalid("invalid_parameter", "scope", message));
        }
    };
    params.finish()?;
    let around = Around { id: log_id(&id)?, before, after, scope };
    let found =
        app::context::context(&app, &reader, &around).await.map_err(|error| Error::of(&app, error))?;
    let rest = json!({ "stats": show::stats(&found.stats) });
    let shown = Reads::Shown(found.rows.len());
    let body =
        show::list(found.rows, &rest, Some(found.at)).map_err(|corrupt| Error::of(&app, corrupt.into()))?;
    Ok(shows(json_text(StatusCode::OK, body), shown))
}

/// The records of one trace, the oldest first.
pub(in crate::http) async fn trace(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(trace): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = params::Params::read(&uri, app.now())?;
    let paging = params::Paging {
        limit: Some(params.take_number(&["limit"], 1, MAX_LIMIT)?.unwrap_or(MAX_LIMIT)),
        cursor: params.take(&["cursor"])?,
        sort: Some(Sort::By(Order::Oldest)),
        ..params::Paging::default()
    };
    params.finish()?;
    let asked = paging.of(app::trace::filter(&trace))?.search;
    let (page, summary) =
        app::trace::trace(&app, &reader, &asked).await.map_err(|error| Error::of(&app, error))?;
    let rest = json!({
        "summary": {
            "services": summary.services,
            "start": summary.start,
            "end": summary.end,
            "duration_ms": summary.duration_ms(),
            "logs": summary.logs,
            "errors": summary.errors,
        },
        "next_cursor": page.next.map(Cursor::print),
        "stats": show::stats(&page.stats),
    });
    let shown = Reads::Shown(page.rows.len());
    let body = show::list(page.rows, &rest, None).map_err(|corrupt| Error::of(&app, corrupt.into()))?;
    Ok(shows(json_text(StatusCode::OK, body), shown))
}

/// One record, its message cut.
pub(in crate::http) async fn one(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    show_one(&app, &reader, &id, show::brief).await
}

/// One record, whole.
pub(in crate::http) async fn full(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    show_one(&app, &reader, &id, show::whole).await
}

async fn show_one(
    app: &App,
    reader: &Reader,
    id: &str,
    show: fn(&Stored, &mut Vec<u8>) -> Result<(), Corrupt>,
) -> Result<Response, Error> {
    let stored = app::find::find(app, reader, log_id(id)?)
        .await
        .and_then(|found| found.ok_or(app::Error::NotFound("log with this id")))
        .map_err(|error| Error::of(app, error))?;
    let mut body = Vec::with_capacity(stored.line.len() + show::ADDED_BYTES);
    show(&stored, &mut body).map_err(|corrupt| Error::of(app, corrupt.into()))?;
    body.push(b'\n');
    Ok(shows(json_text(StatusCode::OK, body), Reads::Shown(1)))
}

fn log_id(id: &str) -> Result<Uuid, Error> {
    let message = || format!("expected the UUID of a log, got {id:?}");
    Uuid::try_parse(id).map_err(|_| Error::invalid("invalid_id", "id", message()))
}
