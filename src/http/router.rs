//! The table of contents of the service: every route, and what a caller must be allowed to do there. There is no way to
//! add a route without saying that.

use axum::{
    Router,
    extract::{Request, State},
    handler::Handler,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, MethodRouter, get, on},
};

use super::{
    admin, analyses, analytics,
    error::Error,
    gate::{self, Gate, Kind},
    insights, loki, ops,
    push::{self, dialect::Dialect},
    request_id::RequestId,
    v1,
};
use crate::{
    app::{App, access},
    engine::{
        account::domain::host_name,
        auth::Permission::{
            self, ActOnService, ManageAccess, ManageTenants, OperateDeployment, ReadAudit, ReadConfig,
            ReadLogs, ReadService, WriteConfig, WriteLogs,
        },
        tenant::Tenant,
    },
};

/// A route and what it asks for.
struct Route {
    method: Method,
    path: &'static str,
    need: Permission,
    kind: Kind,
    handler: MethodRouter<App>,
}

type Verb = (Method, MethodFilter);
const GET: Verb = (Method::GET, MethodFilter::GET);
const POST: Verb = (Method::POST, MethodFilter::POST);
const PUT: Verb = (Method::PUT, MethodFilter::PUT);
const PATCH: Verb = (Method::PATCH, MethodFilter::PATCH);
const DELETE: Verb = (Method::DELETE, MethodFilter::DELETE);

fn route<H, T>((method, filter): Verb, path: &'static str, need: Permission, handler: H) -> Route
where
    H: Handler<T, App>,
    T: 'static,
{
    Route { method, path, need, kind: Kind::Plain, handler: on(filter, handler) }
}

/// Of counts and charts.
fn analytics(route: Route) -> Route {
    Route { kind: Kind::Analytics, ..route }
}

/// Of many records at once.
fn batch(route: Route) -> Route {
    Route { kind: Kind::Batch, ..route }
}

/// Reading as Loki's clients do.
fn of_loki() -> Vec<Route> {
    let routes = vec![
        route(GET, "/loki/api/v1/query", ReadLogs, loki::query),
        route(POST, "/loki/api/v1/query", ReadLogs, loki::query),
        route(GET, "/loki/api/v1/query_range", ReadLogs, loki::query_range),
        route(POST, "/loki/api/v1/query_range", ReadLogs, loki::query_range),
        analytics(route(GET, "/loki/api/v1/labels", ReadLogs, loki::labels)),
        analytics(route(POST, "/loki/api/v1/labels", ReadLogs, loki::labels)),
        analytics(route(GET, "/loki/api/v1/label", ReadLogs, loki::labels)),
        analytics(route(POST, "/loki/api/v1/label", ReadLogs, loki::labels)),
        analytics(route(GET, "/loki/api/v1/label/{name}/values", ReadLogs, loki::label_values)),
        analytics(route(POST, "/loki/api/v1/label/{name}/values", ReadLogs, loki::label_values)),
        analytics(route(GET, "/loki/api/v1/series", ReadLogs, loki::series)),
        analytics(route(POST, "/loki/api/v1/series", ReadLogs, loki::series)),
        analytics(route(GET, "/loki/api/v1/detected_labels", ReadLogs, loki::detected_labels)),
        analytics(route(POST, "/loki/api/v1/detected_labels", ReadLogs, loki::detected_labels)),
        analytics(route(GET, "/loki/api/v1/detected_fields", ReadLogs, loki::detected_fields)),
        analytics(route(POST, "/loki/api/v1/detected_fields", ReadLogs, loki::detected_fields)),
        analytics(route(
            GET,
            "/loki/api/v1/detected_field/{name}/values",
            ReadLogs,
            loki::detected_field_values,
        )),
        analytics(route(
            POST,
            "/loki/api/v1/detected_field/{name}/values",
            ReadLogs,
            loki::detected_field_values,
        )),
        analytics(route(GET, "/loki/api/v1/index/stats", ReadLogs, loki::stats)),
        analytics(route(POST, "/loki/api/v1/index/stats", ReadLogs, loki::stats)),
        analytics(route(GET, "/loki/api/v1/index/volume", ReadLogs, loki::volume)),
        analytics(route(POST, "/loki/api/v1/index/volume", ReadLogs, loki::volume)),
        analytics(route(GET, "/loki/api/v1/index/volume_range", ReadLogs, loki::volume_range)),
        analytics(route(POST, "/loki/api/v1/index/volume_range", ReadLogs, loki::volume_range)),
        analytics(route(GET, "/loki/api/v1/patterns", ReadLogs, loki::patterns)),
        analytics(route(POST, "/loki/api/v1/patterns", ReadLogs, loki::patterns)),
        route(GET, "/loki/api/v1/tail", ReadLogs, loki::tail),
        route(GET, "/loki/api/v1/format_query", ReadLogs, loki::format_query),
        route(POST, "/loki/api/v1/format_query", ReadLogs, loki::format_query),
        route(GET, "/loki/api/v1/drilldown-limits", ReadLogs, loki::drilldown_limits),
        route(GET, "/loki/api/v1/status/buildinfo", ReadLogs, loki::build_info),
        route(GET, "/config/tenant/v1/limits", ReadLogs, loki::limits),
        route(GET, "/loki/api/v1/rules", ReadLogs, loki::no_rules),
        route(GET, "/prometheus/api/v1/rules", ReadLogs, loki::no_groups),
        route(GET, "/prometheus/api/v1/alerts", ReadLogs, loki::no_alerts),
    ];
    let noted = |route: Route| Route {
        handler: route.handler.route_layer(middleware::from_fn(loki::note_form)),
        ..route
    };
    routes.into_iter().map(noted).collect()
}

/// Every route behind the gate.
fn routes() -> Vec<Route> {
    let mut routes = of_loki();
    routes.extend(of_the_service());
    routes
}

fn of_the_service() -> Vec<Route> {
    vec![
        route(POST, "/logs", WriteLogs, v1::ingest::one),
        route(POST, "/api/v1/logs", WriteLogs, v1::ingest::one),
        route(POST, "/api/v1/logs/ingest", WriteLogs, v1::ingest::one),
        batch(route(POST, "/api/v1/logs/batch", WriteLogs, v1::ingest::batch)),
        batch(route(POST, "/api/v1/logs/ingest/batch", WriteLogs, v1::ingest::batch)),
        route(POST, "/loki/api/v1/push", WriteLogs, push::loki::push),
        route(POST, "/v1/logs", WriteLogs, push::otlp::logs),
        route(POST, "/otlp/v1/logs", WriteLogs, push::otlp::logs),
        route(POST, "/v1/traces", WriteLogs, push::otlp::not_logs),
        route(POST, "/v1/metrics", WriteLogs, push::otlp::not_logs),
        route(POST, "/_bulk", WriteLogs, push::elastic::bulk),
        route(PUT, "/_bulk", WriteLogs, push::elastic::bulk),
        route(POST, "/{index}/_bulk", WriteLogs, push::elastic::bulk_of),
        route(PUT, "/{index}/_bulk", WriteLogs, push::elastic::bulk_of),
        route(POST, "/elastic/_bulk", WriteLogs, push::elastic::bulk),
        route(PUT, "/elastic/_bulk", WriteLogs, push::elastic::bulk),
        route(POST, "/elastic/{index}/_bulk", WriteLogs, push::elastic::bulk_of),
        route(PUT, "/elastic/{index}/_bulk", WriteLogs, push::elastic::bulk_of),
        route(POST, "/services/collector", WriteLogs, push::splunk::event),
        route(POST, "/services/collector/event", WriteLogs, push::splunk::event),
        route(POST, "/services/collector/event/1.0", WriteLogs, push::splunk::event),
        route(POST, "/services/collector/raw", WriteLogs, push::splunk::raw),
        route(POST, "/services/collector/raw/1.0", WriteLogs, push::splunk::raw),
        route(POST, "/api/v2/logs", WriteLogs, push::json::datadog),
        route(POST, "/gelf", WriteLogs, push::json::gelf),
        route(POST, "/ingest/jsonline", WriteLogs, push::json::jsonline),
        route(POST, "/ingest/logpush", WriteLogs, push::json::logpush),
        route(GET, "/logs", ReadLogs, v1::read::list),
        route(GET, "/api/v1/logs", ReadLogs, v1::read::list),
        route(GET, "/logs/search", ReadLogs, v1::read::list),
        route(POST, "/logs/search", ReadLogs, v1::search::search),
        route(GET, "/api/v1/logs/search", ReadLogs, v1::read::list),
        route(POST, "/api/v1/logs/search", ReadLogs, v1::search::search),
        route(POST, "/api/v1/logs/ask", ReadLogs, v1::ask::ask),
        route(GET, "/api/v1/logs/export", ReadLogs, v1::export::export),
        route(GET, "/api/v1/logs/recent/{service}", ReadLogs, v1::read::recent),
        route(GET, "/api/v1/logs/services", ReadLogs, v1::stats::services),
        route(GET, "/api/v1/logs/stats/{service}", ReadLogs, v1::stats::service),
        route(GET, "/api/v1/logs/{id}", ReadLogs, v1::read::one),
        route(GET, "/api/v1/logs/{id}/full", ReadLogs, v1::read::full),
        route(GET, "/api/v1/logs/{id}/context", ReadLogs, v1::read::context),
        route(GET, "/api/v1/logs/logs/{id}", ReadLogs, v1::read::one),
        route(GET, "/api/v1/logs/logs/{id}/full", ReadLogs, v1::read::full),
        route(GET, "/api/v1/trace/{id}", ReadLogs, v1::read::trace),
        analytics(route(GET, "/api/v1/stats", ReadLogs, v1::aggregate::stats)),
        analytics(route(GET, "/api/v1/histogram", ReadLogs, v1::aggregate::histogram)),
        analytics(route(GET, "/api/v1/facets", ReadLogs, v1::aggregate::facets)),
        analytics(route(GET, "/api/v1/fields", ReadLogs, v1::aggregate::fields)),
        analytics(route(GET, "/api/v1/metrics/overview", ReadLogs, analytics::overview)),
        analytics(route(GET, "/api/v1/metrics/categories", ReadLogs, analytics::categories)),
        analytics(route(GET, "/analytics/summary", ReadLogs, analytics::summary)),
        analytics(route(GET, "/analytics/patterns", ReadLogs, analytics::patterns)),
        route(PATCH, "/analytics/patterns/{id}", WriteConfig, analytics::change_pattern),
        analytics(route(GET, "/analytics/trends", ReadLogs, analytics::trends)),
        analytics(route(GET, "/analytics/anomalies", ReadLogs, insights::anomalies)),
        analytics(route(GET, "/analytics/insights", ReadLogs, insights::insights)),
        analytics(route(GET, "/analytics/compare", ReadLogs, insights::compare)),
        analytics(route(GET, "/analytics/analyses", ReadLogs, analyses::list)),
        analytics(route(POST, "/analytics/analyze/{service}", ActOnService, analyses::analyze)),
        route(GET, "/api/v1/logs/configs", ReadConfig, v1::config::list),
        route(GET, "/api/v1/logs/config/{service}", ReadConfig, v1::config::get),
        route(PUT, "/api/v1/logs/config/{service}", WriteConfig, v1::config::put),
        route(GET, "/admin/self-healing", ReadService, ops::state),
        route(POST, "/admin/self-healing/actions", ActOnService, ops::act),
        route(GET, "/admin/audit", ReadAudit, admin::audit::list),
        route(GET, "/admin/pipeline", ReadConfig, admin::pipeline::get),
        route(PUT, "/admin/pipeline", WriteConfig, admin::pipeline::put),
        route(GET, "/admin/redaction", ReadConfig, admin::redaction::get),
        route(PUT, "/admin/redaction", WriteConfig, admin::redaction::put),
        route(POST, "/admin/redaction/preview", ReadConfig, admin::redaction::preview),
        route(GET, "/admin/rules", ReadConfig, admin::rules::list),
        route(POST, "/admin/rules", WriteConfig, admin::rules::create),
        route(POST, "/admin/rules/test", ReadLogs, admin::rules::test),
        route(GET, "/admin/rules/{name}", ReadConfig, admin::rules::one),
        route(PUT, "/admin/rules/{name}", WriteConfig, admin::rules::put),
        route(DELETE, "/admin/rules/{name}", WriteConfig, admin::rules::delete),
        route(GET, "/admin/retention", ReadConfig, admin::retention::get),
        route(PUT, "/admin/retention", WriteConfig, admin::retention::put),
        route(GET, "/admin/events", ReadLogs, admin::events::list),
        route(GET, "/admin/roles", ReadConfig, admin::roles::list),
        route(PUT, "/admin/roles/{name}", ManageAccess, admin::roles::put),
        route(DELETE, "/admin/roles/{name}", ManageAccess, admin::roles::delete),
        route(POST, "/admin/keys", ManageAccess, admin::keys::create),
        route(GET, "/admin/keys", ManageAccess, admin::keys::list),
        route(POST, "/admin/keys/{id}/rotate", ManageAccess, admin::keys::rotate),
        route(DELETE, "/admin/keys/{id}", ManageAccess, admin::keys::revoke),
        route(POST, "/admin/domains", ManageTenants, admin::domains::create),
        route(GET, "/admin/domains", ManageTenants, admin::domains::list),
        route(GET, "/admin/domains/{domain}", ManageTenants, admin::domains::one),
        route(PATCH, "/admin/domains/{domain}", ManageTenants, admin::domains::change),
        route(DELETE, "/admin/domains/{domain}", ManageTenants, admin::domains::delete),
        route(GET, "/metrics", OperateDeployment, ops::metrics),
    ]
}

/// The routes behind the gate as they are enforced: method, path, and the permission that each asks for.
pub fn policy() -> Vec<(Method, &'static str, Permission)> {
    routes().into_iter().map(|route| (route.method, route.path, route.need)).collect()
}

/// Every route of the service.
pub fn router(app: App) -> Router {
    let open = Router::new()
        .route("/health", get(ops::health))
        .route("/ready", get(push::loki::ready))
        .route("/services/collector/health", get(push::splunk::health))
        .route("/services/collector/health/1.0", get(push::splunk::health));
    let gated = routes().into_iter().fold(open, |router, route| {
        let gate = Gate { app: app.clone(), path: route.path, need: route.need, kind: route.kind };
        let layer = middleware::from_fn_with_state(gate, gate::gate);
        router.route(route.path, route.handler.route_layer(layer))
    });
    gated
        .method_not_allowed_fallback(async || Error::METHOD_NOT_ALLOWED)
        .fallback(push::elastic::handshake)
        .layer(middleware::from_fn_with_state(app.clone(), finish))
        .with_state(app)
}

/// The answer to a request that cannot be handed to the router.
pub fn unreadable(app: &App, reason: String) -> Response {
    Error::invalid("unreadable_request", "request", reason).into_answer(&RequestId::new(app).0)
}

/// What every answer says of itself: it is data, for the one who asked.
const SAFETY: [(HeaderName, &str); 4] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (header::CACHE_CONTROL, "no-store"),
];

/// Gives every answer its request id and its safety headers, and every error its body.
async fn finish(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = RequestId::new(&app);
    let dialect = Dialect::of(request.uri().path(), request.headers());
    let mut response = if is_preflight(&request) {
        let host = request.uri().host().map(str::to_owned);
        preflight(&app, host, request.headers().clone()).await
    } else {
        request.extensions_mut().insert(id.clone());
        next.run(request).await
    };
    let is_own = response.extensions().get::<push::dialect::Own>().is_some();
    let of_the_router = || if is_own { None } else { Error::of_the_router(&response) };
    if let Some(error) = response.extensions().get::<Error>().cloned().or_else(of_the_router) {
        // What was set before stays: a 405 names the methods that are allowed.
        let kept = std::mem::take(response.headers_mut());
        response = match dialect {
            Some(dialect) => dialect.refuse(&error),
            None => error.into_answer(&id.0),
        };
        for (name, value) in kept {
            if let Some(name) = name.filter(|name| name != header::CONTENT_LENGTH) {
                response.headers_mut().entry(name).or_insert(value);
            }
        }
    }
    let headers = response.headers_mut();
    for (name, value) in SAFETY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(value) = HeaderValue::try_from(id.0) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

fn is_preflight(request: &Request) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// A browser asks before it sends a request of another origin, without credentials: the host tells the tenant.
async fn preflight(app: &App, host: Option<String>, headers: HeaderMap) -> Response {
    let of_header = || headers.get(header::HOST)?.to_str().ok();
    let of_host = match host.as_deref().or_else(of_header).and_then(host_name) {
        Some(host) => access::tenant_of(app, &host).await.ok().flatten(),
        None => None,
    };
    let account = access::account(app, &of_host.unwrap_or_else(Tenant::default_tenant)).await.ok().flatten();
    let origin = headers.get(header::ORIGIN).filter(|origin| {
        account.is_some_and(|known| gate::is_allowed(&known.account.config.allowed_origins, origin))
    });
    let Some(origin) = origin.cloned() else { return Error::OTHER_ORIGIN.into_response() };
    let mut response = StatusCode::NO_CONTENT.into_response();
    gate::allow_origin(&mut response, Some(origin));
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            "authorization, content-type, content-encoding, idempotency-key, x-api-key",
        ),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
