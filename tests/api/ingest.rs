//! Records in: every vocabulary, every rule, alone and in batches.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{DAY_MS, MANY, NOW_MS, ONE, Service, ids, log, log_at, without};

/// Sends one record over a route and gives it back as it is shown.
async fn round_trip(service: &Service, uri: &str, record: &Value) -> Value {
    let id = if ONE.contains(&uri) {
        let answer = service.post(uri, record).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{uri} {record} {answer:?}");
        let body = answer.json();
        assert_eq!(body, json!({"id": body["id"], "accepted": 1}));
        body["id"].as_str().unwrap().to_owned()
    } else {
        ids(&service.post(uri, &json!({ "logs": [record] })).await.ok()).remove(0)
    };
    let mut shown = service.get(&format!("/api/v1/logs/{id}")).await.ok();
    assert_eq!(shown["id"], json!(id));
    assert_eq!((&shown["source_type"], &shown["r2_key"]), (&json!("http"), &Value::Null));
    if shown["timestamp"] == shown["received_at"] {
        shown["timestamp"] = json!("as received");
    }
    // Every record has one; what was sent is what is looked at here.
    if record.get("category").is_none() {
        shown = without(shown, &["category"]);
    }
    without(shown, &["id", "received_at", "source_type", "r2_key", "pattern_id", "pattern"])
}

/// A record as it is shown, with `more` merged in.
fn shown(more: &Value) -> Value {
    let mut record = json!({"timestamp": "as received", "service": "api", "level": "INFO", "message": "m"});
    for (name, value) in more.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

async fn check(service: &Service, sent: &Value, expected: &Value) {
    for uri in ONE.into_iter().chain(MANY) {
        assert_eq!(round_trip(service, uri, sent).await, *expected, "{uri} {sent}");
    }
}

#[tokio::test]
async fn every_spelling_of_every_field_is_understood_on_every_route() {
    let service = Service::new();
    let table: &[(&str, &[&str], Value, Value)] = &[
        ("message", &["message", "msg", "body", "text"], json!("hello"), json!("hello")),
        (
            "service",
            &["service_name", "serviceName", "service", "app", "application"],
            json!("a.B_1-c"),
            json!("a.B_1-c"),
        ),
        (
            "level",
            &["level", "severity", "severity_text", "severityText", "log_level", "logLevel"],
            json!("warning"),
            json!("WARN"),
        ),
        ("level", &["severity_number", "severityNumber"], json!(17), json!("ERROR")),
        (
            "timestamp",
            &["timestamp", "executed_at", "executedAt", "time", "@timestamp", "ts"],
            json!("2025-11-20T12:00:00.5+02:00"),
            json!("2025-11-20T10:00:00.500Z"),
        ),
        ("component", &["component"], json!("cart"), json!("cart")),
        ("environment", &["environment", "env"], json!("staging"), json!("staging")),
        ("endpoint", &["endpoint", "request_path", "requestPath", "path"], json!("/pay"), json!("/pay")),
        ("method", &["request_method", "requestMethod", "method"], json!("POST"), json!("POST")),
        ("category", &["category"], json!("payments"), json!("payments")),
        (
            "correlation_id",
            &["correlation_id", "correlationId", "request_id", "requestId"],
            json!("r-1"),
            json!("r-1"),
        ),
        ("trace_id", &["trace_id", "traceId"], json!("4bf9"), json!("4bf9")),
        ("span_id", &["span_id", "spanId"], json!("00f0"), json!("00f0")),
        ("user_id", &["user_id", "userId"], json!(42), json!("42")),
        ("error_type", &["error_type", "errorType"], json!("TypeError"), json!("TypeError")),
        ("stack_trace", &["stack_trace", "stackTrace"], json!("at f\n at g"), json!("at f\n at g")),
        ("logger", &["logger", "logger_name", "loggerName"], json!("root"), json!("root")),
        ("thread", &["thread", "thread_name", "threadName"], json!("main"), json!("main")),
        (
            "status",
            &["status", "response_status", "responseStatus", "status_code", "statusCode"],
            json!(503),
            json!(503),
        ),
        ("duration_ms", &["duration_ms", "durationMs"], json!(12.5), json!(12.5)),
        ("duration_ms", &["execution_time_seconds", "executionTimeSeconds"], json!(2.3), json!(2300.0)),
        ("host", &["host", "hostname"], json!("web-1"), json!("web-1")),
        ("tags", &["tags"], json!(["a", "b"]), json!(["a", "b"])),
        ("metadata", &["metadata"], json!({"x": {"y": [1, null]}}), json!({"x": {"y": [1, null]}})),
    ];
    for (field, spellings, sent, stored) in table {
        for spelling in *spellings {
            let mut record = log("api", "m");
            record.as_object_mut().unwrap().remove(*field);
            record[*spelling] = sent.clone();
            check(&service, &record, &shown(&json!({ *field: stored }))).await;
        }
    }
}

#[tokio::test]
async fn what_has_no_field_of_its_own_is_metadata() {
    let service = Service::new();
    let sent = json!({"service": "api", "message": "m", "region": "eu", "metadata": {"region": "us"}, "n": 1e20, "msg": "second"});
    let expected = json!({"metadata": {"region": "us", "region_2": "eu", "n": 1e20, "msg": "second"}});
    check(&service, &sent, &shown(&expected)).await;
}

#[tokio::test]
async fn a_workflow_may_lack_a_message_and_a_service() {
    let service = Service::new();
    let sent = json!({
        "client_id": "acme", "workflow_version": "2.1", "ticket_id": "T-7", "status": "FAILED", "resolution_status": "open",
        "execution_time_seconds": 3, "executed_at": 1_763_600_000, "metrics": {"steps": 4}, "payload": [1],
    });
    let expected = json!({
        "timestamp": "2025-11-20T00:53:20Z", "service": "acme", "level": "ERROR", "message": "workflow 2.1 FAILED",
        "status": "FAILED", "duration_ms": 3000.0,
        "metadata": {
            "client_id": "acme", "workflow_version": "2.1", "ticket_id": "T-7", "resolution_status": "open",
            "metrics": {"steps": 4}, "payload": [1],
        },
    });
    check(&service, &sent, &expected).await;
    let success = json!({"workflow_version": 3, "status": "SUCCESS"});
    let got = round_trip(&service, "/logs", &success).await;
    assert_eq!(
        (&got["service"], &got["level"], &got["message"]),
        (&json!("workflow"), &json!("INFO"), &json!("workflow 3 SUCCESS"))
    );
}

#[tokio::test]
async fn a_level_is_read_by_name_and_by_number() {
    let service = Service::new();
    for (names, expected) in [
        (json!(["trace", "DEBUG", "verbose", 7, 10, 20, "20"]), "DEBUG"),
        (json!(["Info", "notice", "INFO2", "SUCCESS", 6, 5, 30]), "INFO"),
        (json!(["warn", "WARNING", "W", 4, 40]), "WARN"),
        (json!(["err", "Severe", 3, 50, 50.0]), "ERROR"),
        (json!(["fatal", "emergency", "PANIC", "crit", 0, 1, 2, 60]), "CRITICAL"),
    ] {
        for name in names.as_array().unwrap() {
            let record = json!({"service": "api", "message": "m", "level": name});
            assert_eq!(
                round_trip(&service, "/logs", &record).await,
                shown(&json!({"level": expected})),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_number_is_a_time_by_its_size() {
    let service = Service::new();
    let at = "2025-11-20T23:47:16.123Z";
    for (sent, expected) in [
        (json!(1_763_682_436_u64), "2025-11-20T23:47:16Z"),
        (json!(1_763_682_436.123), at),
        (json!(1_763_682_436_123_u64), at),
        (json!(1_763_682_436_123_000_u64), at),
        (json!(1_763_682_436_123_000_000_u64), at),
        (json!("1763682436123"), at),
        (json!("2025-11-20 23:47:16,123"), at),
        (json!("2025-11-20T23:47:16.123000001Z"), "2025-11-20T23:47:16.123000001Z"),
    ] {
        let record = json!({"service": "api", "message": "m", "time": sent});
        assert_eq!(
            round_trip(&service, "/logs", &record).await,
            shown(&json!({"timestamp": expected})),
            "{sent}"
        );
    }
}

#[tokio::test]
async fn what_breaks_a_rule_is_refused_by_the_field_as_it_was_spelt() {
    let service = Service::new();
    let old = NOW_MS - 30 * DAY_MS;
    let deep = (0..65).fold(json!(1), |value, _| json!([value]));
    let table: &[(Value, &str, Option<&str>)] = &[
        (json!({"service": "api"}), "missing_field", Some("message")),
        (json!({"service": "api", "message": ""}), "missing_field", Some("message")),
        (json!({"service": "api", "message": null}), "missing_field", Some("message")),
        (json!({"message": "m"}), "missing_field", Some("service_name")),
        (json!({"serviceName": "a b", "message": "m"}), "invalid_service", Some("serviceName")),
        (json!({"service": "", "message": "m"}), "invalid_service", Some("service")),
        (json!({"service": "x".repeat(129), "message": "m"}), "invalid_service", Some("service")),
        (json!({"service": "größe", "message": "m"}), "invalid_service", Some("service")),
        (json!({"service": ["api"], "message": "m"}), "invalid_field", Some("service")),
        (json!({"service": "api", "message": "m", "severity": "loud"}), "invalid_level", Some("severity")),
        (json!({"service": "api", "message": "m", "level": 9}), "invalid_level", Some("level")),
        (json!({"service": "api", "message": "m", "ts": "yesterday"}), "invalid_timestamp", Some("ts")),
        (json!({"service": "api", "message": "m", "time": "2025-11-20"}), "invalid_timestamp", Some("time")),
        (
            json!({"service": "api", "message": "m", "time": "2025-02-30T00:00:00Z"}),
            "invalid_timestamp",
            Some("time"),
        ),
        (json!({"service": "api", "message": "m", "time": -1}), "invalid_timestamp", Some("time")),
        (
            json!({"service": "api", "message": "m", "time": NOW_MS + DAY_MS + 1}),
            "timestamp_in_future",
            Some("time"),
        ),
        (json!({"service": "api", "message": "m", "time": old - 1}), "timestamp_too_old", Some("timestamp")),
        (json!({"service": "api", "message": "m", "userId": {}}), "invalid_field", Some("userId")),
        (
            json!({"service": "api", "message": "m", "durationMs": "long"}),
            "invalid_field",
            Some("durationMs"),
        ),
        (json!({"service": "api", "message": "m", "deep": deep}), "nested_too_deep", Some("deep")),
        (json!(["not", "a record"]), "not_an_object", None),
        (json!(7), "not_an_object", None),
    ];
    for (record, code, field) in table {
        for uri in ONE {
            let answer = service.post(uri, record).await;
            assert_eq!(answer.error(), (400, (*code).into(), field.map(str::to_owned)), "{uri} {record}");
        }
        for uri in MANY {
            let answer = service.post(uri, &json!([record])).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{record}");
            let body = answer.json();
            let why = &body["rejected"][0];
            let expected = json!({"index": 0, "code": code, "field": field, "message": why["message"]});
            assert_eq!(body, json!({"accepted": 0, "ids": [], "rejected": [expected]}), "{record}");
        }
    }
    assert_eq!(service.world.calls("shards.append"), 0);
    let edges = [log_at("api", "m", NOW_MS + DAY_MS), log_at("api", "m", old)];
    assert_eq!(service.store_all(&edges).await.len(), 2);
}

#[tokio::test]
async fn the_good_of_a_batch_are_kept_and_the_bad_are_named() {
    let service = Service::new();
    let bodies = |records: &[Value]| {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        [
            ("application/json", json!({ "logs": records }).to_string()),
            ("application/json", json!(records).to_string()),
            ("application/x-ndjson", lines.join("\n")),
            ("application/json", lines.join("\r\n") + "\n"),
        ]
    };
    let records = [log("api", "one"), json!({"service": "api"}), json!(7), log("web", "two")];
    let mut stored = Vec::new();
    for uri in MANY {
        for (kind, body) in bodies(&records) {
            let answer = service.post_with(uri, &[("content-type", kind)], body).await;
            assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            let body = answer.json();
            assert_eq!(body["accepted"], 2);
            let bad: Vec<_> = body["rejected"]
                .as_array()
                .unwrap()
                .iter()
                .map(|why| (&why["index"], &why["code"]))
                .collect();
            assert_eq!(bad, [(&json!(1), &json!("missing_field")), (&json!(2), &json!("not_an_object"))]);
            let ids = ids(&body);
            for (id, message) in ids.iter().zip(["one", "two"]) {
                assert_eq!(service.get(&format!("/api/v1/logs/{id}")).await.ok()["message"], message);
            }
            stored.extend(ids);
        }
    }
    service.holds_exactly(&stored, "all").await;
}

#[tokio::test]
async fn a_batch_of_1000_is_taken_and_of_1001_refused() {
    let service = Service::new();
    let records: Vec<Value> = (0..1_001).map(|n| log("api", &n.to_string())).collect();
    for uri in MANY {
        let lines: Vec<String> = records.iter().map(Value::to_string).collect();
        for (kind, body) in [
            ("application/json", json!({ "logs": records }).to_string()),
            ("application/json", json!(records).to_string()),
            ("application/x-ndjson", lines.join("\n")),
        ] {
            let answer = service.post_with(uri, &[("content-type", kind)], body).await;
            assert_eq!(answer.error(), (413, "too_many_records".into(), None));
        }
        assert_eq!(service.post(uri, &json!(records[1..])).await.ok()["accepted"], 1_000);
    }
    assert_eq!(service.counts().await.len(), 2_000);
}

#[tokio::test]
async fn a_body_without_records_is_refused() {
    let service = Service::new();
    for uri in MANY {
        for (body, code) in [
            ("", "empty_batch"),
            ("[]", "empty_batch"),
            ("{\"logs\":[]}", "empty_batch"),
            ("{\"records\":[]}", "missing_field"),
            ("{\"logs\":7}", "invalid_field"),
            ("7", "not_a_batch"),
        ] {
            assert_eq!(service.post_with(uri, &[], body).await.error().1, code, "{uri} {body}");
        }
    }
}

#[tokio::test]
async fn a_record_of_256_kb_is_taken_and_a_larger_one_refused() {
    let service = Service::new();
    let frame = log("api", "").to_string().len();
    let (fits, over) =
        (log("api", &"é".repeat((262_144 - frame) / 2)), log("api", &"x".repeat(262_145 - frame)));
    assert_eq!((fits.to_string().len(), over.to_string().len()), (262_144 - frame % 2, 262_145));
    for uri in ONE {
        assert_eq!(service.post(uri, &over).await.error(), (413, "record_too_large".into(), None));
    }
    for uri in MANY {
        let body = service.post(uri, &json!([over, fits])).await.ok();
        assert_eq!(
            (&body["accepted"], &body["rejected"][0]["code"]),
            (&json!(1), &json!("record_too_large"))
        );
    }
    let id = service.store(&fits).await;
    service.flush().await;
    let full = service.get(&format!("/api/v1/logs/{id}/full")).await.ok();
    assert_eq!(full["message"], fits["message"]);
}

#[tokio::test]
async fn ingest_routes_know_no_parameters() {
    let service = Service::new();
    for uri in ONE.into_iter().chain(MANY) {
        let answer = service.post(&format!("{uri}?service=api"), &log("api", "m")).await;
        assert_eq!(answer.error(), (400, "unknown_parameter".into(), Some("service".into())));
    }
}

#[tokio::test]
async fn ingest_goes_on_without_the_catalog() {
    let service = Service::new();
    service.world.fail("catalog.", false, 100);
    let id = service.store(&log("api", "m")).await;
    service.world.mend();
    service.holds_exactly(&[id], "catalog away").await;
}
