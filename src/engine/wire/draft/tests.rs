use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::engine::record::model::SourceType;
use crate::engine::record::normalise::{Context, normalise};
use crate::engine::record::rejection::Rejection;

/// A record as it would be stored, without what the service adds, or the code of its rejection.
pub(crate) fn stored(raw: Result<RawRecord, Rejection>) -> Value {
    let context = Context {
        received_at: Timestamp::from_ms(1_900_000_000_000),
        max_age_ms: &|_| u64::MAX,
        source: SourceType::Http,
        level_in: &|_| None,
    };
    match raw.and_then(|raw| normalise(raw, Uuid::nil(), &context)) {
        Ok(record) => {
            let mut record = serde_json::to_value(record).unwrap();
            let fields = record.as_object_mut().unwrap();
            fields.retain(|key, _| !matches!(key.as_str(), "id" | "received_at" | "source_type"));
            if fields["timestamp"] == "2030-03-17T17:46:40Z" {
                fields.remove("timestamp");
            }
            if fields["level"] == "INFO" {
                fields.remove("level");
            }
            record
        }
        Err(rejection) => json!(rejection.code),
    }
}

/// Any JSON object, of names that the decoders look for.
pub(crate) fn objects(names: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9.:é -]{0,12}".prop_map(Value::from),
        Just(json!("2024-05-15T08:00:00Z")),
        Just(json!("error")),
    ];
    let value = scalar.prop_recursive(3, 24, 4, move |inner| {
        let name = prop::sample::select(names);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..4)
                .prop_map(|fields| fields.into_iter().collect::<Value>()),
        ]
    });
    prop::collection::vec((prop::sample::select(names), value), 0..8)
        .prop_map(|fields| fields.into_iter().collect())
}

fn draft(value: Value) -> Draft {
    let Value::Object(fields) = value else { panic!("{value} is no object") };
    Draft::new(RawRecord { fields, size_bytes: 1 })
}

#[test]
fn a_path_is_found_however_it_is_nested() {
    for value in [
        json!({"a": {"b": {"c": 1}}}),
        json!({"a.b": {"c": 1}}),
        json!({"a": {"b.c": 1}}),
        json!({"a": {"x": 1}, "a.b": {"c": 1}}),
        json!({"a.b.c": 1}),
    ] {
        let mut draft = draft(value.clone());
        assert_eq!(draft.peek("a.b.c"), Some(&json!(1)), "{value}");
        assert_eq!(draft.take("a.b.c"), Some(json!(1)), "{value}");
        assert_eq!(draft.take("a.b.c"), None, "{value}");
    }
}

#[test]
fn objects_that_are_left_empty_go_and_others_stay() {
    let mut draft = draft(json!({"a": {"b": {"c": 1}}, "d": {"e": 1, "f": 2}, "g": {}}));
    draft.take("a.b.c");
    draft.take("d.e");
    assert_eq!(Value::Object(draft.rest), json!({"d": {"f": 2}, "g": {}}));
}

#[test]
fn known_names_are_fields_when_their_value_suits_and_metadata_otherwise() {
    for (sent, expected) in [
        (
            json!({"level": "warn", "host": "h", "status": 7, "tags": ["a"], "ts": 1_715_760_000, "app": "shop"}),
            json!({"timestamp": "2024-05-15T08:00:00Z", "service": "shop", "level": "WARN", "message": "m",
                "status": 7, "host": "h", "tags": ["a"]}),
        ),
        (
            json!({"level": "huge", "host": {"name": 1}, "ts": "soon", "app": "a b", "duration_ms": "x",
                "trace_id": null, "message": "n"}),
            json!({"service": "unknown_service", "message": "m",
                "metadata": {"level": "huge", "host": {"name": 1}, "ts": "soon", "app": "a b",
                    "duration_ms": "x", "message": "n"}}),
        ),
        (
            json!({"metadata": {"a": 1}, "a": 2, "client_id": "c"}),
            json!({"service": "unknown_service", "message": "m",
                "metadata": {"a": 1, "a_2": 2, "client_id": "c"}}),
        ),
        (
            json!({"metadata": [1]}),
            json!({"service": "unknown_service", "message": "m", "metadata": {"metadata": [1]}}),
        ),
    ] {
        let mut draft = draft(sent);
        draft.set("message", "m");
        assert_eq!(stored(Ok(draft.finish())), expected);
    }
}

#[test]
fn a_name_that_no_service_can_have_is_changed_and_kept() {
    let mut draft = draft(json!({"service": {"name": "My Shop/ü"}}));
    draft.service(&["service.name"]);
    draft.set("message", "m");
    assert_eq!(
        stored(Ok(draft.finish())),
        json!({"service": "My-Shop--", "message": "m", "metadata": {"service": {"name": "My Shop/ü"}}})
    );
}

#[test]
fn a_long_object_is_shown_by_its_beginning() {
    let mut draft = draft(json!({"é": "é".repeat(5000)}));
    draft.message_of_all();
    let message = draft.fields["message"].as_str().unwrap();
    assert!(message.starts_with("{\"é\":\"é") && message.ends_with("é…") && message.len() < 2052);
}

#[test]
fn prefixes_are_dropped_flat_and_nested() {
    let mut draft = draft(json!({"ab": 1, "a": {"bc": 1, "c": 2}, "a.b": 3, "b": {"a": 4}}));
    draft.drop_all("a.b");
    draft.drop_all("ab");
    assert_eq!(Value::Object(draft.rest), json!({"a": {"c": 2}, "b": {"a": 4}}));
}

const NAMES: &[&str] =
    &["a", "b", "a.b", "b.a", "level", "host", "metadata", "service", "ts", "status", "tags"];

proptest! {
    #[test]
    fn a_finished_draft_is_refused_for_its_time_alone(value in objects(NAMES)) {
        let mut draft = draft(value);
        draft.message_of_all();
        draft.service(&SERVICE_NAMES);
        draft.take("a.b");
        let stored = stored(Ok(draft.finish()));
        prop_assert!(stored.is_object() || stored == "timestamp_in_future", "{stored}");
    }

    #[test]
    fn what_is_peeked_at_is_what_is_taken(value in objects(NAMES), path in "[ab](\\.[ab]){0,3}") {
        let mut draft = draft(value);
        let peeked = draft.peek(&path).cloned();
        prop_assert_eq!(draft.take(&path), peeked);
    }
}
