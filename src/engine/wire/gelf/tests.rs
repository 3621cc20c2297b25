use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::draft::tests::{objects, stored};
use super::*;

fn check(message: &Value, expected: &Value) {
    let records: Vec<_> = decode(message.to_string().as_bytes(), 9).unwrap().map(stored).collect();
    assert_eq!(records, std::slice::from_ref(expected), "{message}");
}

#[test]
fn a_message_has_its_fields_without_underscores() {
    check(
        &json!({
            "version": "1.1", "host": "web-1.example", "short_message": "m", "full_message": "m\nat x",
            "timestamp": 1_715_760_000.25, "level": 3, "_service": "shop", "_user_id": 7, "_shard": "a",
            "_host": "other", "line": 4,
        }),
        &json!({
            "timestamp": "2024-05-15T08:00:00.250Z", "service": "shop", "level": "ERROR", "message": "m",
            "user_id": "7", "host": "web-1.example",
            "metadata": {"full_message": "m\nat x", "line": 4, "shard": "a", "host_2": "other"},
        }),
    );
}

#[test]
fn the_service_is_the_facility_or_the_host() {
    check(
        &json!({"short_message": "m", "host": "h", "facility": "auth"}),
        &json!({"service": "auth", "message": "m", "host": "h"}),
    );
    check(
        &json!({"short_message": "m", "host": "a b"}),
        &json!({"service": "a-b", "message": "m", "host": "a b"}),
    );
    check(&json!({"full_message": "m"}), &json!({"service": "unknown_service", "message": "m"}));
}

#[test]
fn a_message_without_text_is_refused() {
    check(&json!({"host": "h", "short_message": ""}), &json!("missing_field"));
    check(&json!(7), &json!("not_an_object"));
}

const NAMES: &[&str] =
    &["short_message", "_a", "a", "_level", "level", "host", "_host", "timestamp", "_", "_service"];

proptest! {
    #[test]
    fn every_message_with_text_is_stored_or_refused_for_its_time(message in objects(NAMES)) {
        let mut message = message;
        message["short_message"] = json!("m");
        let stored = decode(message.to_string().as_bytes(), 9).unwrap().map(stored).next().unwrap();
        prop_assert!(stored.is_object() || stored == "timestamp_in_future", "{stored}");
    }

    #[test]
    fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = decode(&bytes, 9).map(Iterator::count);
    }
}
