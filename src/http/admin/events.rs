//! What rules have set off.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::json;

use crate::{
    app::{App, events},
    engine::{auth::Principal, record::timestamp::Timestamp},
    http::{
        error::{Error, json_answer},
        gate::{Reads, shows},
        params::Params,
    },
};

/// Events, the latest windows first: `?limit=&cursor=`.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, Timestamp::EPOCH)?;
    let limit = params.take_number(&["limit"], 1, 1_000)?.unwrap_or(100);
    let cursor = params.take(&["cursor"])?.map(|(_, id)| id);
    params.finish()?;
    let page = events::list(&app, &who, cursor.as_deref(), limit).await;
    let (shown, next) = page.map_err(|error| Error::of(&app, error))?;
    let count = shown.len();
    let answer = json_answer(StatusCode::OK, &json!({ "data": shown, "next_cursor": next }));
    Ok(shows(answer, Reads::Shown(count)))
}
