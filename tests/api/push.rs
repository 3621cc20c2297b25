//! What shippers send: limits that hold whatever the protocol repeats, and no record of another tenant.

use axum::http::Method;
use serde_json::{Value, json};

use crate::{NOW_MS, Service};

fn otlp(resource: &str, records: usize) -> Value {
    let at = |n: usize| format!("17636{n:014}");
    let records: Vec<Value> =
        (0..records).map(|n| json!({ "timeUnixNano": at(n), "body": { "stringValue": "x" } })).collect();
    let attributes = json!([{ "key": "service.name", "value": { "stringValue": "api" } }, { "key": "long", "value": { "stringValue": resource } }]);
    json!({ "resourceLogs": [{ "resource": { "attributes": attributes }, "scopeLogs": [{ "logRecords": records }] }] })
}

#[tokio::test]
async fn what_is_said_once_of_many_records_may_not_make_gigabytes_of_a_request() {
    let service = Service::new();
    let answer = service.post("/v1/logs", &otlp(&"r".repeat(60_000), 300)).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (413, Some(3)));
    assert!(answer.text.contains("when each of them says it"), "{}", answer.text);
    let labels = json!({ "app": "api", "long": "l".repeat(2_000) });
    let values: Vec<Value> = (0..9_000).map(|n| json!([format!("17636{n:014}"), "x"])).collect();
    let push = json!({ "streams": [{ "stream": labels, "values": values }] });
    assert_eq!(service.post("/loki/api/v1/push", &push).await.status, 413);
    assert_eq!(service.get("/api/v1/logs/search?service=api").await.ok()["data"], json!([]));
    // As much as a collector sends of a resource that says much.
    let answer = service.post("/v1/logs", &otlp(&"r".repeat(3_000), 5_000)).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, json!({})));
}

#[tokio::test]
async fn the_rows_of_a_request_are_bounded_however_they_come_about() {
    let service = Service::new();
    let logs: Vec<Value> = (0..50)
        .map(|n| json!({ "Level": "log", "Message": [format!("m{n}")], "TimestampMs": NOW_MS }))
        .collect();
    let line = json!({
        "ScriptName": "api", "Outcome": "ok", "EventTimestampMs": NOW_MS, "EventType": "fetch",
        "Event": { "Request": { "URL": "https://api.example/", "Method": "GET" } }, "More": "x".repeat(18_000), "Logs": logs,
    });
    let lines = vec![line.to_string(); 50].join("\n");
    let answer = service
        .call(
            Method::POST,
            "/ingest/logpush?dataset=workers_trace_events",
            &[("authorization", "Bearer key")],
            lines,
        )
        .await;
    assert_eq!(answer.status, 200, "{}", &answer.text[..500.min(answer.text.len())]);
    let body = answer.json();
    // 32 MB of some 18 KB each.
    assert!((1_500..2_000).contains(&body["accepted"].as_u64().unwrap()), "{}", body["accepted"]);
    assert!(body["rejected"][0]["message"].as_str().unwrap().contains("when each is written out"));
    assert_eq!(body["rejected"].as_array().unwrap().len(), 100);
    let told = body["accepted"].as_u64().unwrap() + 100 + body["rejected_more"].as_u64().unwrap();
    assert_eq!(told, 2_500);
}

#[tokio::test]
async fn too_many_records_are_refused_before_any_is_taken() {
    let service = Service::new();
    let answer = service.post("/v1/logs", &otlp("r", 20_001)).await;
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_i64()), (413, Some(3)));
    let found = service.get("/api/v1/logs/search?service=api").await.ok();
    assert_eq!(found["data"], json!([]));
}
