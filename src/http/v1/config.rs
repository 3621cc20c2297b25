//! Services' settings.

use axum::{
    Extension,
    extract::{Path, Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::json;

use crate::{
    app::{self, App},
    engine::{auth::Principal, config::service::ServiceConfigChange},
    http::{
        body,
        error::{Error, json_answer},
        gate::check_service,
        params,
    },
};

const MAX_CONFIG_BYTES: usize = 16 << 10;

pub(in crate::http) async fn get(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(service): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    check_service(&who, &service)?;
    let config =
        app::configs::get(&app, who.tenant(), &service).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!(config)))
}

/// Changes what the body names and leaves the rest.
pub(in crate::http) async fn put(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(service): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    params::none(&parts.uri)?;
    check_service(&who, &service)?;
    let (_, bytes) = body::read(&parts.headers, body, MAX_CONFIG_BYTES).await?;
    let change: ServiceConfigChange = serde_json::from_slice(&bytes)
        .map_err(|error| Error::invalid("invalid_config", "body", error.to_string()))?;
    let config = app::configs::change(&app, who.tenant(), &service, &change)
        .await
        .map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!(config)))
}

/// Every service that has settings of its own.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let mut configs = app::configs::list(&app, who.tenant()).await.map_err(|error| Error::of(&app, error))?;
    configs.retain(|config| who.may_use_service(&config.service));
    Ok(json_answer(StatusCode::OK, &json!({ "data": configs, "next_cursor": null })))
}
