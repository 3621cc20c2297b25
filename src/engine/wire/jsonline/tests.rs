use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::draft::tests::{objects, stored};
use super::*;

fn check(mapping: &Mapping, line: &Value, expected: &Value) {
    let body = format!("{line}\n");
    let records: Vec<_> = decode(body.as_bytes(), mapping, 9).unwrap().map(stored).collect();
    assert_eq!(records, std::slice::from_ref(expected), "{line}");
}

#[test]
fn the_sender_says_which_field_is_what() {
    let mapping = Mapping::parse(
        Some("ts, event.created"),
        Some("log.text,msg"),
        Some("kubernetes.pod,stream"),
        Some("secret,agent.*"),
        Some("env=prod, region=eu=1,broken"),
    );
    check(
        &mapping,
        &json!({
            "event": {"created": "2024-05-15T08:00:00Z"}, "log": {"text": "hello"}, "kubernetes": {"pod": "api/1"},
            "secret": "x", "agent": {"id": 1, "name": "n"}, "agent.version": "8", "env": "dev", "level": "warn",
        }),
        &json!({
            "timestamp": "2024-05-15T08:00:00Z", "service": "api-1", "level": "WARN", "message": "hello",
            "environment": "prod", "metadata": {"kubernetes": {"pod": "api/1"}, "region": "eu=1"},
        }),
    );
}

#[test]
fn a_service_of_its_own_counts_more_than_the_stream() {
    let mapping = Mapping::parse(None, None, Some("stream"), None, None);
    check(
        &mapping,
        &json!({"_msg": "m", "_time": "2024-05-15T08:00:00Z", "service": "shop", "stream": "x"}),
        &json!({"timestamp": "2024-05-15T08:00:00Z", "service": "shop", "message": "m", "metadata": {"stream": "x"}}),
    );
    check(
        &mapping,
        &json!({"msg": "m", "time": 1_715_760_000, "stream": "x"}),
        &json!({"timestamp": "2024-05-15T08:00:00Z", "service": "x", "message": "m", "metadata": {"stream": "x"}}),
    );
    check(
        &Mapping::default(),
        &json!({"a": 1, "_time": "soon"}),
        &json!({"service": "unknown_service", "message": "{\"a\":1,\"_time\":\"soon\"}", "metadata": {"a": 1, "_time": "soon"}}),
    );
}

#[test]
fn a_bad_line_fails_alone() {
    let mapping = Mapping::default();
    let records: Vec<_> = decode(b"{\"_msg\":\"a\"}\nnope\n[]\n", &mapping, 9).unwrap().map(stored).collect();
    assert_eq!(
        records,
        [
            json!({"service": "unknown_service", "message": "a"}),
            json!("malformed_json"),
            json!("not_an_object")
        ]
    );
    assert_eq!(decode(b"{}\n{}", &mapping, 1).err(), Some(SplitError::TooMany { limit: 1 }));
}

const NAMES: &[&str] = &["_msg", "_time", "a", "b", "a.b", "level", "host", "service", "stream", "message"];

proptest! {
    #[test]
    fn every_line_is_stored_or_refused_for_its_time(line in objects(NAMES), lists in prop::collection::vec("[ab_.,*=msg]{0,12}", 5)) {
        let list = |n: usize| Some(lists[n].as_str());
        for mapping in [Mapping::default(), Mapping::parse(list(0), list(1), list(2), list(3), list(4))] {
            let stored = decode(line.to_string().as_bytes(), &mapping, 9).unwrap().map(stored).next().unwrap();
            prop_assert!(stored.is_object() || stored == "timestamp_in_future", "{stored}");
        }
    }

    #[test]
    fn no_body_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = decode(&bytes, &Mapping::default(), 9).map(Iterator::count);
    }
}
