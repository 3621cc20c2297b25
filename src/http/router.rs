//! The table of contents of the service.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};

use super::{auth, error::Error, ops, v1};
use crate::app::App;

/// Every route of the service.
pub fn router(app: App) -> Router {
    let open = Router::new()
        .route("/health", get(ops::health))
        .method_not_allowed_fallback(async || Error::METHOD_NOT_ALLOWED);
    let keyed = Router::new()
        .route("/logs", post(v1::ingest::one).get(v1::read::list))
        .route("/api/v1/logs", post(v1::ingest::one).get(v1::read::list))
        .route("/api/v1/logs/ingest", post(v1::ingest::one))
        .route("/api/v1/logs/batch", post(v1::ingest::batch))
        .route("/api/v1/logs/ingest/batch", post(v1::ingest::batch))
        .route("/logs/search", get(v1::read::list).post(v1::search::search))
        .route("/api/v1/logs/search", get(v1::read::list).post(v1::search::search))
        .route("/api/v1/logs/export", get(v1::export::export))
        .route("/api/v1/logs/recent/{service}", get(v1::read::recent))
        .route("/api/v1/logs/services", get(v1::stats::services))
        .route("/api/v1/logs/stats/{service}", get(v1::stats::service))
        .route("/api/v1/logs/configs", get(v1::config::list))
        .route("/api/v1/logs/config/{service}", get(v1::config::get).put(v1::config::put))
        .route("/api/v1/logs/{id}", get(v1::read::one))
        .route("/api/v1/logs/{id}/full", get(v1::read::full))
        .route("/api/v1/logs/{id}/context", get(v1::read::context))
        .route("/api/v1/trace/{id}", get(v1::read::trace))
        .route("/api/v1/logs/logs/{id}", get(v1::read::one))
        .route("/api/v1/logs/logs/{id}/full", get(v1::read::full))
        .route("/api/v1/stats", get(v1::aggregate::stats))
        .route("/api/v1/histogram", get(v1::aggregate::histogram))
        .route("/api/v1/facets", get(v1::aggregate::facets))
        .route("/api/v1/fields", get(v1::aggregate::fields))
        .route("/admin/self-healing", get(ops::state))
        .route("/admin/self-healing/actions", post(ops::act))
        .route("/metrics", get(ops::metrics))
        .method_not_allowed_fallback(async || Error::METHOD_NOT_ALLOWED)
        .route_layer(middleware::from_fn_with_state(app.clone(), auth::require_key));
    open.merge(keyed)
        .fallback(async || Error::NO_ROUTE)
        .layer(middleware::from_fn_with_state(app.clone(), finish))
        .with_state(app)
}

/// The answer to a request that cannot be handed to the router.
pub fn unreadable(app: &App, reason: String) -> Response {
    Error::invalid("unreadable_request", "request", reason).into_answer(&request_id(app))
}

/// Gives every answer its request id, and every error its body.
async fn finish(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request_id(&app);
    let mut response = next.run(request).await;
    let error = response.extensions_mut().remove::<Error>().or_else(|| Error::of_the_router(&response));
    if let Some(error) = error {
        // What the router has set stays: a 405 names the methods that are allowed.
        let allow = response.headers_mut().remove(header::ALLOW);
        response = error.into_answer(&id);
        response.headers_mut().extend(allow.map(|methods| (header::ALLOW, methods)));
    }
    if let Ok(value) = HeaderValue::try_from(id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

fn request_id(app: &App) -> String {
    uuid::Builder::from_random_bytes(app.random.bits().to_be_bytes()).into_uuid().to_string()
}
