//! Questions in plain English: what they are taken for, and what is answered.

use serde_json::{Value, json};

use crate::{NOW_MS, Service, access::unlimited, ids, log_at};

const HOUR: u64 = 3_600_000;

/// It is midnight now.
async fn stored() -> Service {
    let service = Service::new();
    let mut records: Vec<Value> = (0..40_u64)
        .map(|n| {
            let name = if n % 2 == 0 { "checkout" } else { "payment-service" };
            let mut record = log_at(name, &format!("request {n} done"), NOW_MS - n * HOUR);
            record["duration_ms"] = json!(n * 100);
            record["level"] = json!(if n % 5 == 0 { "ERROR" } else { "INFO" });
            record["user_id"] = json!(format!("u{}", n % 3));
            record
        })
        .collect();
    records.push(log_at("checkout", "connection timeout", NOW_MS - HOUR / 2));
    service.store_all(&records).await;
    service.flush().await;
    service
}

async fn ask(service: &Service, question: &str) -> Value {
    service.post("/api/v1/logs/ask", &json!({ "question": question })).await.ok()
}

#[tokio::test]
async fn a_question_becomes_a_search_that_is_shown_and_run() {
    let service = stored().await;
    for (question, query) in [
        ("errors in checkout in the last 12 hours", "/api/v1/logs?q=level:>=error+service:checkout&start_time=12h"),
        ("what happened in the payment service since yesterday 6pm", "/api/v1/logs?service=payment-service&start_time=2025-11-20T18:00:00Z"),
        ("logs slower than 2 seconds", "/api/v1/logs?q=duration_ms:>2000"),
        ("anything by user u1", "/api/v1/logs?user_id=u1"),
        ("logs about timeouts", "/api/v1/logs?q=timeout"),
        ("latest 3 logs", "/api/v1/logs?limit=3"),
    ] {
        let body = ask(&service, question).await;
        let expected = service.get(query).await.ok();
        assert_eq!(ids(&body), ids(&expected), "{question}: {}", body["query"]);
        assert!(!ids(&body).is_empty() && body["ignored"] == json!([]), "{question} {body}");
        assert!(body["understood"].as_array().is_some_and(|parts| !parts.is_empty()), "{question}");
    }
}

#[tokio::test]
async fn counts_groups_trends_and_the_slowest_are_answered() {
    let service = stored().await;
    let body = ask(&service, "how many errors are there").await;
    assert_eq!((&body["wants"], &body["data"]), (&json!("count"), &json!({ "count": 8 })));
    let body = ask(&service, "number of logs per service").await;
    assert_eq!(body["wants"], json!({ "count_by": "service" }));
    assert_eq!(body["data"], json!([{ "service": "checkout", "count": 21 }, { "service": "payment-service", "count": 20 }]));
    let body = ask(&service, "slowest 2 requests").await;
    let took: Vec<&Value> = body["data"].as_array().unwrap().iter().map(|row| &row["duration_ms"]).collect();
    assert_eq!(took, [&json!(3900.0), &json!(3800.0)], "{body}");
    let body = ask(&service, "trend of errors over the last 2 days").await;
    let total: u64 = body["data"].as_array().unwrap().iter().map(|bar| bar["count"].as_u64().unwrap()).sum();
    assert_eq!((&body["wants"], total), (&json!("trend"), 8), "{body}");
}

#[tokio::test]
async fn a_reader_is_answered_what_it_may_see() {
    let service = unlimited();
    let boss = service.tenant("acme").await;
    let record = |name: &str, category: &str| json!({ "service": name, "message": "hello", "category": category });
    for (name, category) in [("api", "security"), ("api", "billing"), ("web", "billing")] {
        service.post_as(&boss, "/logs", &record(name, category)).await;
    }
    let wanted = json!({ "name": "d", "role": "developer", "services": ["api"] });
    let key = service.post_as(&boss, "/admin/keys", &wanted).await.ok()["key"].as_str().unwrap().to_owned();
    let asked = json!({ "question": "how many logs are there" });
    let body = service.post_as(&key, "/api/v1/logs/ask", &asked).await.ok();
    assert_eq!(body["data"], json!({ "count": 1 }));
    // A service that it may not see is a word like any other.
    let body = service.post_as(&key, "/api/v1/logs/ask", &json!({ "question": "logs in web" })).await.ok();
    assert_eq!(body["data"], json!([]));
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let service = Service::new();
    for (body, code, field) in [
        (json!({ "question": "" }), "unclear_question", "question"),
        (json!({ "question": "x".repeat(2_000) }), "unclear_question", "question"),
        (json!({ "question": 7 }), "invalid_value", "question"),
        (json!({}), "missing_field", "question"),
        (json!({ "question": "errors", "limit": 0 }), "invalid_value", "limit"),
        (json!({ "question": "errors", "model": "x" }), "unknown_field", "model"),
    ] {
        let answer = service.post("/api/v1/logs/ask", &body).await;
        let (status, found, of) = answer.error();
        assert_eq!((status, found.as_str(), of.as_deref()), (400, code, Some(field)), "{body}");
    }
}
