//! Services' settings.

use serde_json::{Value, json};

use crate::{DAY_MS, NOW_MS, Service, log_at};

fn default_for(service: &str) -> Value {
    json!({
        "service": service, "ttl_days": 30, "retention_policy": "standard", "alert_on_errors": false,
        "max_logs_per_day": null, "created_at": null, "updated_at": null,
    })
}

#[tokio::test]
async fn a_service_that_was_never_configured_has_the_defaults() {
    let service = Service::new();
    assert_eq!(service.get("/api/v1/logs/config/api").await.ok(), default_for("api"));
    assert_eq!(service.get("/api/v1/logs/configs").await.ok(), json!({"data": [], "next_cursor": null}));
    let week = Service::with(&[("DEFAULT_TTL_DAYS", "7")]);
    assert_eq!(week.get("/api/v1/logs/config/api").await.ok()["ttl_days"], 7);
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let service = Service::new();
    let uri = "/api/v1/logs/config/api";
    let first = json!({"ttl_days": 3, "alert_on_errors": true, "max_logs_per_day": 1000});
    let mut expected = default_for("api");
    for (name, value) in first.as_object().unwrap() {
        expected[name] = value.clone();
    }
    expected["created_at"] = json!("2025-11-21T00:00:00Z");
    expected["updated_at"] = json!("2025-11-21T00:00:00Z");
    assert_eq!(service.put(uri, &first).await.ok(), expected);
    assert_eq!(service.get(uri).await.ok(), expected);

    service.world.turn_clock(1_500);
    expected["retention_policy"] = json!("extended");
    expected["ttl_days"] = json!(90);
    expected["max_logs_per_day"] = Value::Null;
    expected["updated_at"] = json!("2025-11-21T00:00:01.500Z");
    let second = json!({"service": "api", "retention_policy": "extended", "max_logs_per_day": null});
    assert_eq!(service.put(uri, &second).await.ok(), expected);
    assert_eq!(service.get(uri).await.ok(), expected);

    let other = service.put("/api/v1/logs/config/Web.1", &json!({})).await.ok();
    assert_eq!(
        service.get("/api/v1/logs/configs").await.ok(),
        json!({"data": [other, expected], "next_cursor": null})
    );
}

#[tokio::test]
async fn a_wrong_change_is_refused_by_name_and_changes_nothing() {
    let service = Service::new();
    for (body, field) in [
        (json!({"ttl_days": 0}), "ttl_days"),
        (json!({"ttl_days": 3651}), "ttl_days"),
        (json!({"retention_policy": "forever"}), "retention_policy"),
        (json!({"max_logs_per_day": -1}), "max_logs_per_day"),
        (json!({"service": "web"}), "service"),
        (json!({"ttl_days": "ten"}), "body"),
        (json!({"ttl": 10}), "body"),
        (json!(7), "body"),
    ] {
        let answer = service.put("/api/v1/logs/config/api", &body).await;
        assert_eq!(answer.error(), (400, "invalid_config".into(), Some(field.into())), "{body}");
    }
    let name = "x".repeat(129);
    for bad in ["a%20b", "%C3%A4", &name] {
        let uri = format!("/api/v1/logs/config/{bad}");
        for answer in [service.get(&uri).await, service.put(&uri, &json!({})).await] {
            assert_eq!(answer.error(), (400, "invalid_service".into(), Some("service".into())), "{bad}");
        }
    }
    let long = json!({"retention_policy": "x".repeat(20_000)});
    assert_eq!(service.put("/api/v1/logs/config/api", &long).await.error().1, "body_too_large");
    assert_eq!(service.get("/api/v1/logs/configs").await.ok()["data"], json!([]));
}

#[tokio::test]
async fn a_catalog_that_is_away_is_503_and_says_no_more() {
    let service = Service::new();
    for call in ["catalog.service_configs", "catalog.put_service_config"] {
        service.world.fail(call, false, 1);
        let answer = service.put("/api/v1/logs/config/api", &json!({})).await;
        assert_eq!(answer.error(), (503, "unavailable".into(), None), "{call}");
        assert_eq!(answer.headers["retry-after"], "5");
        assert!(!answer.text.contains("catalog"), "{answer:?}");
    }
}

#[tokio::test]
async fn a_ttl_decides_how_old_a_record_may_be() {
    let service = Service::new();
    let old = log_at("api", "m", NOW_MS - 40 * DAY_MS);
    assert_eq!(service.post("/logs", &old).await.error().1, "timestamp_too_old");
    service.put("/api/v1/logs/config/api", &json!({"ttl_days": 60})).await.ok();
    service.store(&old).await;
    assert_eq!(
        service.post("/logs", &log_at("web", "m", NOW_MS - 40 * DAY_MS)).await.error().1,
        "timestamp_too_old"
    );
}

#[tokio::test]
async fn another_isolate_sees_a_change_within_half_a_minute() {
    let (here, old) = (Service::new(), log_at("api", "m", NOW_MS - 40 * DAY_MS));
    let there = Service::on(&here.world, &[]);
    assert_eq!(there.post("/logs", &old).await.error().0, 400);
    here.put("/api/v1/logs/config/api", &json!({"ttl_days": 60})).await.ok();
    there.world.turn_clock(30_000);
    there.store(&old).await;
    let read = there.world.calls("catalog.service_configs");
    for _ in 0..10 {
        there.store(&old).await;
    }
    assert_eq!(there.world.calls("catalog.service_configs"), read);
}
