//! Which steps a tenant's logs pass.

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::json;

use crate::{
    app::App,
    engine::auth::Principal,
    http::error::{Error, json_answer},
};

pub(in crate::http) async fn get(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    let settings = super::settings(&app, &who, &uri).await?;
    Ok(json_answer(StatusCode::OK, &json!(settings.steps)))
}

/// Sets all of them; one that is left out is on.
pub(in crate::http) async fn put(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    let settings = super::set(&app, &who, "pipeline", request, |settings| &mut settings.steps).await?;
    Ok(json_answer(StatusCode::OK, &json!(settings.steps)))
}
