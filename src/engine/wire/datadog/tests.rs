use proptest::prelude::*;
use serde_json::json;

use super::super::draft::tests::{objects, stored};
use super::*;

fn entries(body: &str) -> Vec<Value> {
    decode(body.as_bytes(), 100).unwrap().map(stored).collect()
}

#[test]
fn status_is_the_level_and_tags_are_fields() {
    let entry = json!({
        "message": "m", "ddsource": "nginx", "ddtags": "env:prod,team:a,team:b,canary", "hostname": "h",
        "service": "shop", "status": "warn", "timestamp": 1_715_760_000_123_i64, "dd": {"trace_id": "7"},
        "http": {"status_code": 502, "method": "GET"}, "x": 1,
    });
    let expected = json!({
        "timestamp": "2024-05-15T08:00:00.123Z", "service": "shop", "level": "WARN", "message": "m",
        "environment": "prod", "method": "GET", "trace_id": "7", "status": 502, "host": "h",
        "metadata": {"ddsource": "nginx", "x": 1, "ddtags": {"team": ["a", "b"], "canary": true}},
    });
    assert_eq!(entries(&format!("[{entry},{entry}]")), [expected.clone(), expected.clone()]);
    assert_eq!(entries(&entry.to_string()), [expected]);
}

#[test]
fn a_service_is_that_of_the_tags_or_the_source() {
    assert_eq!(
        entries(
            "[{\"message\":\"m\",\"ddtags\":\"service:pay\"},{\"message\":\"m\",\"ddsource\":\"nodejs\"},{\"a\":1}]"
        ),
        [
            json!({"service": "pay", "message": "m"}),
            json!({"service": "nodejs", "message": "m"}),
            json!({"service": "unknown_service", "message": "{\"a\":1}", "metadata": {"a": 1}}),
        ]
    );
}

#[test]
fn an_odd_status_is_no_level() {
    assert_eq!(
        entries("{\"message\":\"m\",\"status\":\"FAILED\",\"service\":\"s\",\"dd.trace_id\":\"1\"}"),
        [json!({"service": "s", "level": "ERROR", "message": "m", "trace_id": "1", "status": "FAILED"})]
    );
}

const NAMES: &[&str] =
    &["message", "ddtags", "ddsource", "status", "service", "dd", "trace_id", "host", "timestamp"];

proptest! {
    #[test]
    fn every_entry_is_stored_or_refused_for_its_time(entry in objects(NAMES)) {
        let all = entries(&entry.to_string());
        if entry == json!({}) {
            prop_assert!(all.is_empty());
        } else {
            prop_assert!(all[0].is_object() || all[0] == "timestamp_in_future", "{all:?}");
        }
    }

    #[test]
    fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), tags in "[a-z:,]{0,20}") {
        let _ = decode(&bytes, 9).map(Iterator::count);
        entries(&json!({"ddtags": tags}).to_string());
    }
}
