//! The gate: nothing behind it is parsed or read for a caller without a valid key.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::Response,
};

use super::error::Error;
use crate::{
    app::App,
    engine::auth::{self, Refusal},
};

/// Lets in callers with the deployment's key and gives the handlers a `Principal`.
pub(super) async fn require_key(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, Error> {
    let Some(expected) = &app.settings.api_key else { return Err(Error::NO_KEY_SET) };
    let headers = request.headers();
    let principal = auth::authenticate(
        text(headers, header::AUTHORIZATION.as_str()),
        text(headers, "x-api-key"),
        expected,
    )
    .map_err(|refusal| match refusal {
        Refusal::Missing => Error::NO_KEY,
        Refusal::Wrong => Error::WRONG_KEY,
    })?;
    request.extensions_mut().insert(principal);
    Ok(next.run(request).await)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
