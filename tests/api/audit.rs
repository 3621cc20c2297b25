//! The audit stream: what is written down, who reads it, and that nothing else does.

use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use crate::{Service, access::unlimited, log};

const FROM: [(&str, &str); 2] = [("cf-connecting-ip", "192.0.2.7"), ("cf-ipcountry", "AT")];

/// Audit records, the oldest first, as who reads them sees them.
async fn records(service: &Service, key: &str, action: &str) -> Vec<Value> {
    service.world.background.settle().await;
    let found = service.get_as(key, &format!("/admin/audit?q=component:{action}&sort=oldest")).await.ok();
    found["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_read_is_written_down_with_who_and_how_much() {
    let service = unlimited();
    let (id, key) = service.key(&json!({ "name": "ci", "role": "operator" })).await;
    for n in 0..5 {
        service.store(&log("api", &format!("m{n}"))).await;
    }
    service.call_as(&key, Method::GET, "/logs?level=INFO&limit=3", &FROM, Body::empty()).await.ok();
    let read = records(&service, "key", "read").await;
    let metadata = &read[0]["metadata"];
    let expected = json!({
        "action": "read", "address": "192.0.2.7", "country": "AT", "method": "GET", "route": "/logs", "path": "/logs",
        "query": "level=INFO&limit=3", "status": 200, "shown": 3, "count": 1, "key_name": "ci", "role": "operator",
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&metadata[name], value, "{name}: {}", read[0]);
    }
    assert_eq!((&read[0]["user_id"], &read[0]["service"]), (&json!(id), &json!("_audit")));
    assert_eq!((&read[0]["category"], &read[0]["endpoint"]), (&json!("audit"), &json!("/logs")));
}

#[tokio::test]
async fn every_way_of_reading_says_what_it_showed() {
    let service = unlimited();
    let mut id = String::new();
    for n in 0..3 {
        id = service.store(&json!({"service": "api", "message": format!("m{n}"), "trace_id": "abc"})).await;
    }
    service.world.background.settle().await;
    let body = json!({ "query": "m1" });
    service.post("/logs/search", &body).await.ok();
    assert_eq!(service.get("/api/v1/logs/export").await.status, 200);
    service.get("/api/v1/logs/export?limit=2").await;
    for uri in [
        "/api/v1/logs/recent/api",
        &format!("/api/v1/logs/{id}"),
        &format!("/api/v1/logs/{id}/context?before=1"),
        "/api/v1/trace/abc",
        "/api/v1/stats?by=service",
        "/api/v1/logs/01999999-0e00-7000-8000-000000000000",
    ] {
        service.get(uri).await;
    }
    let read = records(&service, "key", "read").await;
    let told: Vec<(&str, Option<u64>, &str)> = read
        .iter()
        .map(|one| {
            let metadata = &one["metadata"];
            (
                one["endpoint"].as_str().unwrap(),
                metadata["shown"].as_u64(),
                metadata["outcome"].as_str().unwrap_or(""),
            )
        })
        .collect();
    let mut expected = vec![
        ("/logs/search", Some(1), ""),
        ("/api/v1/logs/export", None, "began"),
        ("/api/v1/logs/export", Some(3), "ended"),
        ("/api/v1/logs/export", None, "began"),
        ("/api/v1/logs/export", Some(2), "ended"),
        ("/api/v1/logs/recent/{service}", Some(3), ""),
        ("/api/v1/logs/{id}", Some(1), ""),
        ("/api/v1/logs/{id}/context", Some(2), ""),
        ("/api/v1/trace/{id}", Some(3), ""),
        ("/api/v1/stats", None, ""),
        ("/api/v1/logs/{id}", None, ""),
    ];
    let mut told = told;
    told.sort_unstable();
    expected.sort_unstable();
    assert_eq!(told, expected);
    let query = read.iter().find(|one| one["endpoint"] == "/logs/search").unwrap();
    assert_eq!(query["metadata"]["query"], body.to_string());
}

#[tokio::test]
async fn changes_refusals_and_new_addresses_are_written_down() {
    let service = unlimited();
    let (id, key) = service.key(&json!({ "name": "ci", "role": "ingest" })).await;
    let change = json!({ "ttl_days": 7 });
    service.put("/api/v1/logs/config/api", &change).await.ok();
    let denied = service.call_as(&key, Method::GET, "/logs", &FROM, Body::empty()).await;
    assert_eq!(denied.error().1, "not_allowed");
    for _ in 0..3 {
        service
            .call_as(
                &key,
                Method::POST,
                "/logs",
                &[FROM[0], ("content-type", "application/json")],
                log("api", "m").to_string(),
            )
            .await
            .ok();
    }
    let changes = records(&service, "key", "change").await;
    let routes: Vec<&str> = changes.iter().map(|one| one["endpoint"].as_str().unwrap()).collect();
    assert_eq!(routes, ["/admin/keys", "/api/v1/logs/config/{service}"]);
    assert_eq!(changes[1]["metadata"]["status"], 200);
    let refusals = records(&service, "key", "refusal").await;
    assert_eq!(refusals.len(), 1);
    assert_eq!(
        (&refusals[0]["metadata"]["code"], &refusals[0]["user_id"]),
        (&json!("not_allowed"), &json!(id))
    );
    assert_eq!(refusals[0]["level"], "WARN");
    let new = records(&service, "key", "new_address").await;
    let of_key: Vec<&Value> = new.iter().filter(|one| one["user_id"] == json!(id)).collect();
    assert_eq!(of_key.len(), 1, "{new:?}");
    assert_eq!(of_key[0]["metadata"]["address"], "192.0.2.7");
}

#[tokio::test]
async fn only_who_may_read_the_audit_stream_sees_it_and_it_is_in_nothing_else() {
    let service = unlimited();
    service.store(&log("api", "m")).await;
    service.get("/logs").await.ok();
    service.world.background.settle().await;
    for (role, sees) in [
        ("ingest", false),
        ("developer", false),
        ("operator", false),
        ("security", true),
        ("support", false),
        ("admin", true),
    ] {
        let key = service.key_of_role(role).await;
        assert_eq!(service.get_as(&key, "/admin/audit").await.status.is_success(), sees, "{role}");
    }
    let (_, limited) = service.key(&json!({ "name": "some", "role": "security", "services": ["api"] })).await;
    assert_eq!(service.get_as(&limited, "/admin/audit").await.error().1, "not_allowed");
    service.world.background.settle().await;
    service.flush().await;
    for uri in [
        "/logs",
        "/api/v1/logs/services",
        "/api/v1/facets",
        "/api/v1/logs/recent/_audit",
        "/api/v1/stats?by=service",
    ] {
        let answer = service.get(uri).await.ok().to_string();
        assert!(!answer.contains("_audit") || uri.ends_with("_audit"), "{uri}: {answer}");
    }
    assert_eq!(service.get("/api/v1/logs/recent/_audit").await.ok()["data"], json!([]));
}

#[tokio::test]
async fn an_audit_record_is_kept_for_a_year_whatever_the_ttl_says() {
    let service = Service::with(&[("DEFAULT_TTL_DAYS", "1")]);
    service.store(&log("api", "m")).await;
    service.get("/logs").await.ok();
    service.world.background.settle().await;
    let audit = timberline::ports::ShardName {
        tenant: timberline::engine::tenant::Tenant::default_tenant().audit(),
        number: 0,
    };
    timberline::ports::Shards::flush(&*service.world.shards, &audit).await.unwrap();
    service.flush().await;
    let kept = |service: &Service| {
        service
            .world
            .objects
            .keys()
            .into_iter()
            .filter(|key| key.starts_with("logs/default_audit/d396/"))
            .count()
    };
    assert_eq!(kept(&service), 1, "{:?}", service.world.objects.keys());
    service.world.turn_clock(365 * crate::DAY_MS);
    timberline::app::jobs::expire::expire(&service.app, service.app.now()).await.unwrap();
    timberline::app::jobs::expire::sweep(&service.app, service.app.now()).await.unwrap();
    assert_eq!(kept(&service), 1);
    assert!(service.get("/logs").await.ok()["data"].as_array().unwrap().is_empty());
    assert!(!records(&service, "key", "read").await.is_empty());
}

#[tokio::test]
async fn a_record_that_cannot_be_written_is_tried_again_and_then_counted() {
    let service = unlimited();
    service.store(&log("api", "m")).await;
    service.world.background.settle().await;
    // Neither the shard nor the bucket takes it, twice.
    service.world.fail("shards.append", false, 2);
    service.world.fail("objects.put spool/", false, 2);
    service.get("/logs").await.ok();
    assert_eq!(records(&service, "key", "read").await.len(), 1);
    service.world.mend();
    service.world.fail("shards.append", false, 100);
    service.world.fail("objects.put spool/", false, 100);
    service.get("/logs").await.ok();
    service.world.background.settle().await;
    service.world.mend();
    let metrics = service.get("/metrics").await;
    let lost = metrics
        .text
        .lines()
        .find(|line| line.starts_with("timberline_audit_records_lost_total "))
        .unwrap()
        .to_owned();
    assert!(!lost.ends_with(" 0"), "{lost}");
    assert!(service.world.errors().iter().any(|line| line.contains("audit record could not be written")));
}
