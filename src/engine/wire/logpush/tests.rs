use proptest::prelude::*;
use serde_json::json;

use super::super::draft::tests::{objects, stored};
use super::*;

fn records_of(line: &Value, source: &Source) -> Vec<Value> {
    decode(line.to_string().as_bytes(), source, 9).unwrap().map(stored).collect()
}

fn check(line: &Value, expected: &[Value]) {
    assert_eq!(records_of(line, &Source::default()), expected, "{line}");
}

#[test]
fn a_request_is_a_line_of_an_access_log() {
    for (start, end) in [
        (json!("2024-05-15T08:00:00.100Z"), json!("2024-05-15T08:00:00.225Z")),
        (json!(1_715_760_000_100_000_000_i64), json!(1_715_760_000_225_000_000_i64)),
    ] {
        check(
            &json!({
                "ClientIP": "203.0.113.9", "ClientRequestHost": "shop.example", "ClientRequestMethod": "GET",
                "ClientRequestPath": "/pay", "ClientRequestURI": "/pay?x=1", "EdgeResponseStatus": 503,
                "EdgeStartTimestamp": start, "EdgeEndTimestamp": end, "RayID": "884f",
            }),
            &[json!({
                "timestamp": "2024-05-15T08:00:00.100Z", "service": "http_requests", "level": "ERROR",
                "message": "GET /pay 503", "endpoint": "/pay", "method": "GET", "correlation_id": "884f",
                "status": 503, "duration_ms": 125.0, "host": "shop.example",
                "metadata": {"ClientIP": "203.0.113.9", "ClientRequestURI": "/pay?x=1", "EdgeEndTimestamp": end},
            })],
        );
    }
    check(
        &json!({"EdgeStartTimestamp": 1_715_760_000, "EdgeEndTimestamp": 1_715_760_001, "EdgeResponseStatus": 404,
            "EdgeTimeToFirstByteMs": 8, "ZoneName": "example.com", "ClientRequestURI": "/a"}),
        &[json!({"timestamp": "2024-05-15T08:00:00Z", "service": "example.com", "level": "WARN",
            "message": "/a 404", "status": 404, "duration_ms": 8.0,
            "metadata": {"EdgeEndTimestamp": 1_715_760_001, "EdgeTimeToFirstByteMs": 8, "ClientRequestURI": "/a"}})],
    );
}

#[test]
fn what_a_firewall_kept_away_is_a_warning() {
    check(
        &json!({"Action": "block", "ClientRequestMethod": "GET", "ClientRequestPath": "/", "EdgeResponseStatus": 403,
            "Datetime": "2024-05-15T08:00:00Z", "RayID": "7", "RuleID": "r"}),
        &[json!({"timestamp": "2024-05-15T08:00:00Z", "service": "firewall_events", "level": "WARN",
            "message": "block GET / 403", "endpoint": "/", "method": "GET", "correlation_id": "7", "status": 403,
            "metadata": {"Action": "block", "RuleID": "r"}})],
    );
}

#[test]
fn another_dataset_is_shown_as_it_is() {
    let line = json!({"When": "2024-05-15T08:00:00Z", "ActionType": "login"});
    check(
        &line,
        &[json!({"timestamp": "2024-05-15T08:00:00Z", "service": "logpush",
            "message": "{\"When\":\"2024-05-15T08:00:00Z\",\"ActionType\":\"login\"}", "metadata": {"ActionType": "login"}})],
    );
    let source = Source { dataset: Some("audit_logs".into()), service: None };
    assert_eq!(records_of(&line, &source)[0]["service"], "audit_logs");
    let source = Source { dataset: Some("audit_logs".into()), service: Some("my zone".into()) };
    assert_eq!(records_of(&line, &source)[0]["service"], "my-zone");
}

fn invocation(outcome: &str, logs: &Value, exceptions: &Value) -> Value {
    json!({
        "Event": {"RayID": "884f", "Request": {"URL": "https://shop.test/pay?x=1", "Method": "POST"}, "Response": {"Status": 500}},
        "EventTimestampMs": 1_715_760_000_123_i64, "EventType": "fetch", "Outcome": outcome,
        "ScriptName": "shop-api", "ScriptTags": [], "ScriptVersion": {"ID": "v1"}, "CPUTimeMs": 3, "WallTimeMs": 10,
        "Logs": logs, "Exceptions": exceptions, "Extra": 1,
    })
}

#[test]
fn an_invocation_has_the_records_of_its_tail() {
    let logs = json!([{"Level": "warn", "Message": ["cart", "full"], "TimestampMs": 1_715_760_000_124_i64}]);
    let thrown = json!([{"Name": "TypeError", "Message": "x is not y", "TimestampMs": 1_715_760_000_125_i64, "Stack": "at z"}]);
    let metadata = json!({"event_type": "fetch", "url": "https://shop.test/pay?x=1", "outcome": "exception", "cpu_ms": 3,
        "wall_ms": 10, "script_version": "v1", "Extra": 1});
    check(
        &invocation("exception", &logs, &thrown),
        &[
            json!({"timestamp": "2024-05-15T08:00:00.124Z", "service": "shop-api", "level": "WARN", "message": "cart full",
                "endpoint": "/pay", "method": "POST", "correlation_id": "884f", "status": 500, "metadata": metadata}),
            json!({"timestamp": "2024-05-15T08:00:00.125Z", "service": "shop-api", "level": "ERROR",
                "message": "TypeError: x is not y", "endpoint": "/pay", "method": "POST", "correlation_id": "884f",
                "error_type": "TypeError", "stack_trace": "at z", "status": 500, "metadata": metadata}),
        ],
    );
}

#[test]
fn an_invocation_that_logged_nothing_is_told_of_when_it_failed() {
    check(&invocation("ok", &json!([]), &json!([])), &[]);
    let failed = records_of(&invocation("exceededCpu", &json!([]), &json!([])), &Source::default());
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0]["message"], &failed[0]["level"], &failed[0]["timestamp"]),
        (
            &json!("POST /pay ended with outcome exceededCpu"),
            &json!("CRITICAL"),
            &json!("2024-05-15T08:00:00.133Z")
        )
    );
}

#[test]
fn an_invocation_whose_records_would_fill_the_memory_is_refused() {
    let log = json!({"Level": "log", "Message": ["x"]});
    let mut line = invocation("ok", &Value::from(vec![log; 2000]), &json!([]));
    assert_eq!(records_of(&line, &Source::default()).len(), 2000);
    line["Extra"] = json!("x".repeat(50_000));
    assert_eq!(records_of(&line, &Source::default()), [json!("record_too_large")]);
}

#[test]
fn other_events_are_named_as_in_a_tail() {
    let line = json!({"Event": {"Cron": "0 0 * * *", "ScheduledTimeMs": 1_715_760_000_000_i64}, "EventType": "scheduled",
        "EventTimestampMs": 1_715_760_000_000_i64, "Outcome": "exception", "ScriptName": "s"});
    let records = records_of(&line, &Source::default());
    assert_eq!(records[0]["message"], "cron 0 0 * * * ended with outcome exception");
    assert_eq!(records[0]["metadata"]["event_type"], "scheduled");
}

#[test]
fn a_probe_holds_no_log() {
    for body in [
        "{\"content\":\"tests\"}",
        "{\"content\":\"test\"}\n",
        "{\"content\":\"abc\",\"filename\":\"ownership-challenge-1.txt\"}",
    ] {
        assert!(is_probe(body.as_bytes()), "{body}");
    }
    for body in [
        "",
        "{}",
        "{\"content\":1}",
        "{\"content\":\"a\",\"level\":\"info\"}",
        "{\"content\":\"a\"}\n{\"b\":1}",
        "[]",
    ] {
        assert!(!is_probe(body.as_bytes()), "{body}");
    }
}

#[test]
fn a_bad_line_fails_alone() {
    let source = Source::default();
    let records: Vec<_> = decode(b"{\"a\":1}\nnope\n", &source, 9).unwrap().map(stored).collect();
    assert_eq!(
        records,
        [
            json!({"service": "logpush", "message": "{\"a\":1}", "metadata": {"a": 1}}),
            json!("malformed_json")
        ]
    );
}

const NAMES: &[&str] = &[
    "ScriptName",
    "Outcome",
    "EventTimestampMs",
    "Event",
    "Request",
    "Logs",
    "Exceptions",
    "Message",
    "Level",
    "Action",
    "EdgeStartTimestamp",
    "EdgeEndTimestamp",
    "EdgeResponseStatus",
    "ClientRequestPath",
    "RuleID",
    "Datetime",
    "ZoneName",
];

proptest! {
    #[test]
    fn every_line_is_stored_or_refused_for_its_time(line in objects(NAMES), n in 0..4_usize) {
        let names = [None, Some("http_requests"), Some("workers_trace_events"), Some("firewall_events")];
        let source = Source { dataset: names[n].map(str::to_owned), service: None };
        for stored in records_of(&line, &source) {
            // `console.log()` is a record only of a tail.
            let reasons = ["timestamp_in_future", "missing_field"];
            prop_assert!(stored.is_object() || reasons.iter().any(|reason| stored == *reason), "{stored} {line}");
        }
    }

    #[test]
    fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = decode(&bytes, &Source::default(), 9).map(Iterator::count);
        is_probe(&bytes);
    }
}
