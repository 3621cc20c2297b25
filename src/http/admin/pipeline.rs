//! Which steps a tenant's logs pass.

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::json;

use crate::{
    app::{App, pipelines},
    engine::{
        auth::Principal,
        pipeline::{Settings, Steps},
    },
    http::{
        error::{Error, json_answer},
        params,
    },
};

pub(in crate::http) async fn get(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    params::none(&uri)?;
    let settings = pipelines::stored(&app, who.tenant()).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!(settings.steps)))
}

/// Sets all of them; one that is left out is on.
pub(in crate::http) async fn put(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    let steps: Steps = super::read("pipeline", request).await?;
    let change = |settings: &mut Settings| {
        settings.steps = steps;
        Ok(())
    };
    let settings =
        pipelines::change(&app, who.tenant(), change).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!(settings.steps)))
}
