//! The `Idempotency-Key` header: the same answer, and nothing stored twice.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{Answer, MANY, ONE, Service, log};

const MINUTE_MS: u64 = 60_000;

async fn send(service: &Service, key: &str, body: &Value) -> Answer {
    let uri = if body.is_array() { MANY[0] } else { ONE[0] };
    service.post_with(uri, &[("idempotency-key", key)], body.to_string()).await
}

fn bodies() -> [Value; 2] {
    [log("api", "alone"), json!([log("api", "one"), {"service": "api"}, log("web", "two")])]
}

/// Sends a request, lets something happen, sends it again.
async fn same_answer_after(what: impl AsyncFn(&Service)) {
    for body in bodies() {
        let service = Service::new();
        let first = send(&service, "k", &body).await;
        let first = (first.status, first.ok());
        let stored: Vec<String> = service.counts().await.into_keys().collect();
        what(&service).await;
        let again = send(&service, "k", &body).await;
        assert_eq!((again.status, again.json()), first);
        service.holds_exactly(&stored, "after the retry").await;
        service.flush().await;
        service.holds_exactly(&stored, "flushed").await;
    }
}

#[tokio::test]
async fn a_retry_gets_the_first_answer() {
    same_answer_after(async |_| {}).await;
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_after_a_flush() {
    same_answer_after(async |service| service.flush().await).await;
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_after_a_crash() {
    same_answer_after(async |service| service.world.shards.crash()).await;
    same_answer_after(async |service| {
        service.flush().await;
        service.world.shards.crash();
    })
    .await;
}

#[tokio::test]
async fn a_retry_gets_the_first_answer_for_ten_minutes() {
    same_answer_after(async |service| service.world.turn_clock(10 * MINUTE_MS)).await;
    same_answer_after(async |service| {
        service.flush().await;
        service.world.turn_clock(10 * MINUTE_MS - 1);
        service.world.shards.crash();
    })
    .await;
}

#[tokio::test]
async fn a_key_is_forgotten_some_time_after_its_flush() {
    let service = Service::new();
    let [body, _] = bodies();
    let first = send(&service, "k", &body).await.ok();
    service.flush().await;
    service.world.turn_clock(60 * MINUTE_MS);
    let second = send(&service, "k", &body).await.ok();
    assert_ne!(first["id"], second["id"]);
    // And leaves nothing behind in the shard's storage.
    service.world.turn_clock(60 * MINUTE_MS);
    service.flush().await;
    service.world.turn_clock(60 * MINUTE_MS);
    service.store(&log("api", "m")).await;
    service.flush().await;
    let shard = timberline::ports::ShardName {
        tenant: timberline::engine::tenant::Tenant::default_tenant(),
        number: 0,
    };
    let mut tables = service.world.shards.log(&shard).table_names();
    tables.retain(|name| !name.starts_with("patterns_"));
    assert!(tables.iter().all(|name| name.starts_with("wal_")) && tables.len() == 1, "{tables:?}");
}

#[tokio::test]
async fn the_same_key_with_another_body_is_422() {
    let service = Service::new();
    send(&service, "k", &log("api", "m")).await.ok();
    for flushed in [false, true] {
        for body in [log("api", "other"), json!([log("api", "m")])] {
            let answer = send(&service, "k", &body).await;
            let expected = (422, "idempotency_key_reused".into(), Some("Idempotency-Key".into()));
            assert_eq!(answer.error(), expected, "{flushed} {body}");
        }
        service.flush().await;
    }
    assert_eq!(service.counts().await.len(), 1);
}

#[tokio::test]
async fn another_key_is_another_request() {
    let service = Service::new();
    let body = log("api", "m");
    for key in ["a", "b", "A", "a "] {
        send(&service, key, &body).await.ok();
    }
    service.post("/logs", &body).await.ok();
    assert_eq!(service.counts().await.len(), 4 + 1);
}

#[tokio::test]
async fn concurrent_retries_are_one_request() {
    let service = Service::new();
    for body in bodies() {
        let answers =
            join_all((0..20).map(|_| send(&service, if body.is_array() { "many" } else { "one" }, &body)))
                .await;
        let bodies: Vec<Value> = answers.iter().map(Answer::ok).collect();
        assert!(bodies.iter().all(|one| *one == bodies[0]), "{bodies:?}");
    }
    assert_eq!(service.counts().await.len(), 3);
}

#[tokio::test]
async fn of_concurrent_bodies_under_one_key_one_is_stored() {
    let service = Service::new();
    let records: Vec<Value> = (0..10).map(|n| log("api", &n.to_string())).collect();
    let answers = join_all(records.iter().map(|body| send(&service, "k", body))).await;
    let (taken, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status.is_success());
    assert_eq!(taken.len(), 1);
    assert!(refused.iter().all(|answer| answer.error().0 == 422));
    assert_eq!(service.counts().await.len(), 1);
}

#[tokio::test]
async fn a_key_keeps_its_shard() {
    let service = Service::with(&[("SHARDS_PER_TENANT", "8")]);
    let mut ids = Vec::new();
    for key in 0..30 {
        let first = send(&service, &key.to_string(), &log("api", "m")).await.ok();
        assert_eq!(send(&service, &key.to_string(), &log("api", "m")).await.ok(), first);
        ids.push(first["id"].as_str().unwrap().to_owned());
    }
    service.holds_exactly(&ids, "eight shards").await;
    service.flush().await;
    service.holds_exactly(&ids, "eight shards, flushed").await;
}

#[tokio::test]
async fn a_request_of_which_nothing_was_good_binds_no_key() {
    let service = Service::new();
    assert_eq!(send(&service, "k", &json!({"service": "api"})).await.error().0, 400);
    send(&service, "k", &log("api", "m")).await.ok();
    assert_eq!(service.counts().await.len(), 1);
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_refused() {
    let service = Service::new();
    for key in ["", &"k".repeat(256)] {
        let answer = send(&service, key, &log("api", "m")).await;
        assert_eq!(answer.error(), (400, "invalid_header".into(), Some("Idempotency-Key".into())), "{key:?}");
    }
    send(&service, &"k".repeat(255), &log("api", "m")).await.ok();
}
