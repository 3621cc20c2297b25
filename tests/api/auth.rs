//! Who is let in, which paths and methods there are, and what an error looks like.

use axum::{
    body::Body,
    http::{Method, Request, StatusCode},
};
use serde_json::json;

use crate::{HOUR_MS, Service};

const ID: &str = "019aa3a8-0e00-7000-8000-000000000000";

/// Every route behind the key.
fn routes() -> Vec<(Method, String)> {
    let get = [
        "/logs",
        "/api/v1/logs",
        "/api/v1/logs/search",
        "/api/v1/logs/recent/api",
        "/api/v1/logs/services",
        "/api/v1/logs/stats/api",
        "/api/v1/logs/configs",
        "/api/v1/logs/config/api",
        "/api/v1/logs/{id}",
        "/api/v1/logs/{id}/full",
        "/api/v1/logs/logs/{id}",
        "/api/v1/logs/logs/{id}/full",
        "/admin/self-healing",
        "/metrics",
    ];
    let post = [
        "/logs",
        "/api/v1/logs",
        "/api/v1/logs/ingest",
        "/api/v1/logs/batch",
        "/api/v1/logs/ingest/batch",
        "/admin/self-healing/actions",
    ];
    let with_id = |path: &str| path.replace("{id}", ID);
    let get = get.into_iter().map(|path| (Method::GET, with_id(path)));
    let post = post.into_iter().map(|path| (Method::POST, with_id(path)));
    get.chain(post).chain([(Method::PUT, "/api/v1/logs/config/api".to_owned())]).collect()
}

async fn send(service: &Service, method: Method, uri: &str, headers: &[(&str, &str)]) -> crate::Answer {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn no_route_but_health_answers_without_the_key() {
    let service = Service::new();
    for (method, uri) in routes() {
        let none = send(&service, method.clone(), &uri, &[]).await;
        assert_eq!(none.error(), (401, "unauthorized".into(), None), "{method} {uri}");
        assert_eq!(none.headers["www-authenticate"], "Bearer");
        for wrong in
            [("authorization", "Bearer wrong"), ("x-api-key", "wrong"), ("authorization", "Bearer keykey")]
        {
            let wrong = send(&service, method.clone(), &uri, &[wrong]).await;
            assert_eq!(wrong.error(), (403, "forbidden".into(), None), "{method} {uri}");
        }
        for right in [("authorization", "Bearer key"), ("x-api-key", "key")] {
            let right = send(&service, method.clone(), &uri, &[right]).await;
            assert!(![401, 403, 405, 500, 503].contains(&right.status.as_u16()), "{method} {uri} {right:?}");
        }
    }
    assert_eq!(send(&service, Method::GET, "/health", &[]).await.status, StatusCode::OK);
    assert_eq!(service.world.errors(), [""; 0]);
}

#[tokio::test]
async fn a_deployment_without_a_key_lets_nobody_in() {
    let service = Service::with(&[("LOG_SERVICE_API_KEY", " ")]);
    for headers in [&[][..], &[("x-api-key", "")], &[("authorization", "Bearer key")]] {
        let answer = send(&service, Method::GET, "/logs", headers).await;
        assert_eq!(answer.error(), (503, "not_configured".into(), None), "{headers:?}");
    }
}

#[tokio::test]
async fn an_unauthorized_body_is_not_read() {
    let service = Service::new();
    let pulled = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = pulled.clone();
    let stream = futures::stream::repeat_with(move || {
        counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::convert::Infallible>(bytes::Bytes::from_static(&[b' '; 1024]))
    });
    let request = Request::post("/logs").body(Body::from_stream(stream)).unwrap();
    assert_eq!(service.send(request).await.error().0, 401);
    assert_eq!(pulled.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn another_method_is_405_and_another_path_404() {
    let service = Service::new();
    for (method, uri) in routes() {
        let delete = service.call(Method::DELETE, &uri, &[], Body::empty()).await;
        assert_eq!(delete.error(), (405, "method_not_allowed".into(), None), "{method} {uri}");
    }
    let health = service.call(Method::POST, "/health", &[], Body::empty()).await;
    assert_eq!(health.error(), (405, "method_not_allowed".into(), None));
    for uri in ["/nothing", "/api/v1", "/logs/", "/api/v1/logs/a/b/c", "/admin", "/health/x"] {
        assert_eq!(service.get(uri).await.error(), (404, "not_found".into(), None), "{uri}");
    }
}

#[tokio::test]
async fn a_path_that_is_not_text_is_refused_in_the_same_shape() {
    let service = Service::new();
    for uri in
        ["/api/v1/logs/%ff", "/api/v1/logs/stats/%ff", "/api/v1/logs/config/%ff", "/api/v1/logs/recent/%ff"]
    {
        let (status, _, _) = service.get(uri).await.error();
        assert_eq!(status, 400, "{uri}");
    }
}

#[tokio::test]
async fn every_answer_has_an_id_of_its_own() {
    let service = Service::new();
    let first = service.get("/health").await.headers["x-request-id"].clone();
    let second = service.get("/health").await.headers["x-request-id"].clone();
    assert_ne!(first, second);
    assert!(uuid::Uuid::try_parse(first.to_str().unwrap()).is_ok());
}

#[tokio::test]
async fn health_says_which_part_is_down() {
    let service = Service::new();
    let well = service.get("/health").await;
    assert_eq!(
        well.ok(),
        json!({
            "status": "ok", "service": "timberline", "db": "ok", "storage": "ok",
            "timestamp": "2025-11-21T00:00:00Z", "version": env!("CARGO_PKG_VERSION"),
        })
    );
    for (call, db, storage) in [("catalog.ping", "down", "ok"), ("objects.ping", "ok", "down")] {
        service.world.turn_clock(HOUR_MS);
        service.world.fail(call, false, 1);
        let ill = service.get("/health").await;
        assert_eq!(ill.status, StatusCode::SERVICE_UNAVAILABLE, "{call}");
        let body = ill.json();
        assert_eq!(
            (&body["status"], &body["db"], &body["storage"]),
            (&json!("degraded"), &json!(db), &json!(storage))
        );
        assert!(!ill.text.contains("told to fail"), "the reason is for the journal: {body}");
        assert!(service.world.errors().iter().any(|line| line.contains(call)), "{call}");
        service.world.turn_clock(HOUR_MS);
        assert_eq!(service.get("/health").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn many_health_checks_cost_one() {
    let service = Service::new();
    for _ in 0..50 {
        service.get("/health").await.ok();
    }
    assert_eq!((service.world.calls("catalog.ping"), service.world.calls("objects.ping")), (1, 1));
}

#[tokio::test]
async fn a_wrong_action_is_refused_by_name() {
    let service = Service::new();
    for (body, code, field) in [
        ("{}", "invalid_action", "body"),
        ("not json", "invalid_action", "body"),
        (r#"{"action":"execute","actionId":"flush","more":1}"#, "invalid_action", "body"),
        (r#"{"action":"explain","actionId":"flush"}"#, "invalid_action", "action"),
        (r#"{"action":"execute","actionId":"reboot"}"#, "invalid_action", "actionId"),
    ] {
        let answer = service
            .post_with("/admin/self-healing/actions", &[("content-type", "application/json")], body)
            .await;
        assert_eq!(answer.error(), (400, code.into(), Some(field.into())), "{body}");
    }
}

#[tokio::test]
async fn metrics_count_what_was_used() {
    let service = Service::new();
    service.store(&crate::log("api", "m")).await;
    service.flush().await;
    let metrics = service.get("/metrics").await;
    assert!(metrics.headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    assert!(metrics.text.contains("\ntimberline_r2_writes_total 1\n"), "{}", metrics.text);
    for line in metrics.text.lines() {
        let sample = line.split_once(' ').is_some_and(|(_, n)| n.parse::<u64>().is_ok());
        assert!(line.starts_with("# HELP ") || line.starts_with("# TYPE ") || sample, "{line}");
    }
}
