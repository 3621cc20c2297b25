use proptest::prelude::*;
use serde_json::json;

use super::super::draft::tests::{objects, stored};
use super::*;

fn events(body: &str, query: &Query) -> Vec<Value> {
    decode_events(body.as_bytes(), query, 100).unwrap().records().map(stored).collect()
}

#[test]
fn events_stand_in_a_row() {
    let expected = [
        json!({"timestamp": "2024-05-15T08:00:00.123Z", "service": "shop", "message": "a", "host": "web-1",
            "metadata": {"source": "shop", "sourcetype": "_json", "index": "main"}}),
        json!({"timestamp": "2024-05-15T08:00:00.500Z", "service": "unknown_service", "message": "b"}),
    ];
    let (one, two) = (
        "{\"time\":1715760000.123,\"host\":\"web-1\",\"source\":\"shop\",\"sourcetype\":\"_json\",\"index\":\"main\",\"event\":\"a\"}",
        "{\"time\":\"1715760000.5\",\"event\":\"b\"}",
    );
    for body in [format!("{one}{two}"), format!(" {one}\r\n\n{two}\n"), format!("[{one},{two}]")] {
        assert_eq!(events(&body, &Query::default()), expected, "{body}");
    }
}

#[test]
fn an_event_that_is_an_object_has_its_own_fields() {
    let query = Query { host: Some("q".into()), sourcetype: Some("nginx".into()), ..Query::default() };
    assert_eq!(
        events(
            "{\"event\":{\"message\":\"m\",\"level\":\"error\",\"service\":{\"name\":\"pay\"},\"x\":1},\"fields\":{\"x\":2,\"region\":\"eu\"},\"time\":null}",
            &query
        ),
        [json!({"service": "pay", "level": "ERROR", "message": "m", "host": "q",
            "metadata": {"x": 1, "x_2": 2, "region": "eu", "sourcetype": "nginx"}})]
    );
    assert_eq!(
        events("{\"event\":{\"a\":1},\"fields\":{\"service.name\":\"s\"}}{\"event\":7}", &query),
        [
            json!({"service": "s", "message": "{\"a\":1}", "host": "q", "metadata": {"a": 1, "sourcetype": "nginx"}}),
            json!({"service": "nginx", "message": "7", "host": "q", "metadata": {"sourcetype": "nginx"}}),
        ]
    );
}

#[test]
fn lines_are_events_with_what_the_url_says() {
    let query = Query {
        channel: Some("c".into()),
        host: Some("h".into()),
        source: Some("/var/log/x".into()),
        index: Some("shop".into()),
        ..Query::default()
    };
    let lines = decode_raw(b"one\r\n\n tw\xff ", &query, 9).unwrap();
    let expected = |message: &str| {
        json!({"service": "shop", "message": message, "host": "h",
            "metadata": {"source": "/var/log/x", "index": "shop", "channel": "c"}})
    };
    assert_eq!(lines.records().map(stored).collect::<Vec<_>>(), [expected("one"), expected("tw\u{fffd}")]);
    let long = vec![b'x'; MAX_RECORD_BYTES + 1];
    let lines = decode_raw(&long, &query, 9).unwrap();
    assert_eq!(lines.records().map(stored).collect::<Vec<_>>(), [json!("record_too_large")]);
}

#[test]
fn answers_have_the_codes_of_splunk() {
    let query = Query::default();
    let refused = |body: &str| match decode_events(body.as_bytes(), &query, 2) {
        Err(error) => Answer::from(&error),
        Ok(events) => events
            .records()
            .enumerate()
            .find_map(|(n, record)| record.err().map(|rejection| Answer::of_rejection(n, &rejection)))
            .unwrap_or(Answer::SUCCESS),
    };
    for (body, status, expected) in [
        ("{\"event\":\"a\"}", 200, json!({"text": "Success", "code": 0})),
        (" ", 400, json!({"text": "No data", "code": 5})),
        ("hello", 400, json!({"text": "Invalid data format", "code": 6, "invalid-event-number": 0})),
        (
            "{\"event\":\"a\"}{",
            400,
            json!({"text": "Invalid data format", "code": 6, "invalid-event-number": 1}),
        ),
        ("7", 400, json!({"text": "Invalid data format", "code": 6, "invalid-event-number": 0})),
        (
            "{\"event\":\"a\"}{\"event\":null}",
            400,
            json!({"text": "Event field is required", "code": 12, "invalid-event-number": 1}),
        ),
        (
            "{\"event\":\" \"}",
            400,
            json!({"text": "Event field cannot be blank", "code": 13, "invalid-event-number": 0}),
        ),
        (
            "{\"event\":{}}",
            400,
            json!({"text": "Event field cannot be blank", "code": 13, "invalid-event-number": 0}),
        ),
        ("[{},{},{}]", 413, json!({"text": "Request entity too large", "code": 27})),
    ] {
        let answer = refused(body);
        assert_eq!((answer.status, answer.body()), (status, expected), "{body}");
    }
    let busy = Answer::of_rejection(3, &Rejection::new(Rejection::QUOTA_EXCEEDED, "too much"));
    assert_eq!(busy, Answer::BUSY);
}

const NAMES: &[&str] =
    &["time", "host", "source", "sourcetype", "index", "event", "fields", "message", "service", "metadata"];

proptest! {
    #[test]
    fn every_event_is_stored_or_has_a_reason(event in objects(NAMES)) {
        let stored = events(&event.to_string(), &Query::default()).remove(0);
        let reasons = ["missing_field", "invalid_field", "timestamp_in_future"];
        prop_assert!(stored.is_object() || reasons.iter().any(|reason| stored == *reason), "{stored}");
    }

    #[test]
    fn no_body_panics(body in "[\\[\\]{}\":,a1 \nevnt]{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        let query = Query::default();
        for body in [body.as_bytes(), bytes.as_slice()] {
            for decode in [decode_events, decode_raw] {
                if let Ok(events) = decode(body, &query, 9) {
                    prop_assert!(events.records().count() <= 9);
                }
            }
        }
    }
}
