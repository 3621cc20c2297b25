//! How long logs are kept, by class.

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::json;

use crate::{
    app::{self, App, configs},
    engine::auth::Principal,
    http::{
        error::{Error, json_answer},
        params,
    },
};

/// Every class as it holds today, with what is the tenant's own.
pub(in crate::http) async fn get(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    params::none(&uri)?;
    shown(&app, &who).await
}

/// Sets all of it: `{"classes"?,"by_category"?,"by_level"?,"anonymize_ip_after_days"?}`; what is left out is as it is
/// for everybody.
pub(in crate::http) async fn put(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    super::set(&app, &who, "retention", request, |settings| &mut settings.retention).await?;
    shown(&app, &who).await
}

async fn shown(app: &App, who: &Principal) -> Result<Response, Error> {
    let known = configs::stored(app, who.tenant()).await;
    let known = known.map_err(|error| Error::of(app, app::Error::from(error)))?;
    Ok(json_answer(StatusCode::OK, &json!(known.retention())))
}
