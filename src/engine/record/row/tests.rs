use proptest::prelude::*;
use serde_json::json;

use super::*;

const ID: &str = "0193f5a1-7c00-7000-8000-000000000001";

fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,12}", "[a-z\"\\\\\\n\\u{0}-\\u{1f}é😀]{0,12}"]
}

fn optional() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 1000.0)),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn metadata() -> impl Strategy<Value = Map<String, Value>> {
    let key = prop_oneof![
        text(),
        prop::sample::select(vec![
            "id",
            "timestamp",
            "service",
            "level",
            "message",
            "tags",
            "metadata",
            "status"
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec((key, json_value()), 0..5).prop_map(|pairs| pairs.into_iter().collect())
}

fn fields() -> impl Strategy<Value = Fields> {
    let status = prop_oneof![any::<i64>().prop_map(Status::Code), text().prop_map(Status::Name)];
    let source = prop_oneof![Just(SourceType::Http), Just(SourceType::Tail)];
    let duration = prop::option::of(any::<i32>().prop_map(|n| f64::from(n) / 1000.0));
    (
        prop::collection::vec(optional(), 15),
        source,
        prop::option::of(status),
        duration,
        prop::collection::vec(text(), 0..3),
        metadata(),
    )
        .prop_map(|(texts, source_type, status, duration_ms, tags, metadata)| {
            let mut texts = texts.into_iter().map(Option::unwrap_or_default).map(Some);
            let mut next = || texts.next().flatten().filter(|text| !text.is_empty());
            Fields {
                environment: next(),
                component: next(),
                endpoint: next(),
                method: next(),
                category: next(),
                source_type,
                correlation_id: next(),
                trace_id: next(),
                span_id: next(),
                user_id: next(),
                error_type: next(),
                stack_trace: next(),
                logger: next(),
                thread: next(),
                status,
                duration_ms,
                host: next(),
                pattern_id: None,
                sample_rate: duration_ms.map(|_| 10),
                tags,
                metadata,
            }
        })
}

fn record() -> impl Strategy<Value = Record> {
    (
        any::<u128>(),
        0..=i64::MAX,
        0..=i64::MAX,
        text(),
        prop::sample::select(Level::ALL.to_vec()),
        text(),
        fields(),
    )
        .prop_map(|(id, timestamp, received_at, service, level, message, fields)| Record {
            id: Uuid::from_u128(id),
            timestamp: Timestamp::from_ns(timestamp),
            received_at: Timestamp::from_ns(received_at),
            service,
            level,
            message,
            fields: Box::new(fields),
        })
}

proptest! {
    #[test]
    fn what_is_stored_is_read_back(record in record()) {
        let line = serde_json::to_string(&record).unwrap();
        let read: Record = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read, &record);
        let head = RowHead::parse(line.as_bytes()).unwrap();
        let expected = RowHead {
            id: record.id,
            timestamp: record.timestamp,
            received_at: record.received_at,
            service: Cow::Borrowed(&record.service),
            level: record.level,
        };
        prop_assert_eq!(head, expected);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = RowHead::parse(&bytes);
        let _ = serde_json::from_slice::<Record>(&bytes);
    }
}

#[test]
fn the_stored_json_has_its_fields_in_this_order() {
    let row = json!({
        "id": ID, "timestamp": "2025-11-20T23:47:16.500Z", "received_at": "2025-11-20T23:47:17Z",
        "service": "shop", "level": "WARN", "message": "m", "environment": "prod", "source_type": "http",
        "status": 404, "duration_ms": 1.5, "tags": ["a"], "metadata": {"level": 1, "x": {"y": [null]}}
    });
    let record: Record = serde_json::from_value(row.clone()).unwrap();
    assert_eq!(serde_json::to_string(&record).unwrap(), row.to_string());
}

#[test]
fn a_row_without_optional_fields_and_with_unknown_ones_is_read() {
    let row = json!({
        "future": [1], "message": "m", "level": "INFO", "service": "a", "received_at": "2025-11-20T23:47:17Z",
        "timestamp": "2025-11-20T23:47:17Z", "id": ID
    })
    .to_string();
    let record: Record = serde_json::from_str(&row).unwrap();
    assert_eq!(*record.fields, Fields::default());
    let head = RowHead::parse(row.as_bytes()).unwrap();
    assert_eq!((head.id, &*head.service, head.level), (record.id, "a", Level::Info));
}

#[test]
fn a_row_with_a_field_missing_or_wrong_is_an_error() {
    let good = format!(
        r#"{{"id":"{ID}","timestamp":"2025-11-20T23:47:17Z","received_at":"2025-11-20T23:47:17Z","service":"a","level":"INFO","message":"m"}}"#
    );
    assert!(serde_json::from_str::<Record>(&good).is_ok());
    for (from, to) in [
        ("INFO", "LOUD"),
        (ID, "7"),
        ("\"message\":\"m\"", "\"x\":1"),
        ("2025-11-20", "2025-11-31"),
        ("\"a\"", "1"),
        ("}", ""),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good);
        assert!(serde_json::from_str::<Record>(&bad).is_err(), "{bad}");
    }
    assert!(RowHead::parse(good.replacen("INFO", "LOUD", 1).as_bytes()).is_err());
    assert!(RowHead::parse(b"").is_err());
    assert!(RowHead::parse(good.get(..60).unwrap_or_default().as_bytes()).is_err());
}

#[test]
fn an_escaped_service_is_read_by_the_slow_path() {
    let row = format!(
        r#"{{"id":"{ID}","timestamp":"2025-11-20T23:47:17Z","received_at":"2025-11-20T23:47:17Z","service":"a\"b","level":"INFO","message":"m"}}"#
    );
    assert_eq!(
        RowHead::parse(row.as_bytes()).map(|head| head.service.into_owned()).ok(),
        Some("a\"b".to_owned())
    );
}

#[test]
fn a_row_stands_for_as_many_records_as_it_says_of_itself() {
    let check = |rest: &str, expected: u32| {
        let line = format!(r#"{{"id":"{ID}","service":"api"{rest}}}"#);
        assert_eq!(weight(line.as_bytes()), expected, "{line}");
    };
    check("", 1);
    check(r#","sample_rate":10"#, 10);
    check(r#","sample_rate":10,"metadata":{"sample_rate":5}"#, 10);
    check(r#", "metadata": {"sample_rate": 5}, "sample_rate": 10"#, 10);
    check(r#","sample_rate":4294967295"#, u32::MAX);
    // It stands for itself at least.
    check(r#","sample_rate":0"#, 1);
    for other in [
        r#","metadata":{"a":1,"sample_rate":5}"#,
        r#","metadata":{"a":[{"b":1,"sample_rate":5}]}"#,
        r#","message":",\"sample_rate\":5""#,
        r#","tags":["sample_rate"]"#,
        r#","sample_rate":null"#,
        r#","sample_rate":"10""#,
        r#","sample_rate":2.5"#,
        r#","sample_rate":-2"#,
        r#","sample_rate":4294967296"#,
    ] {
        check(other, 1);
    }
    for text in ["1", "10", "0", "4294967295", "2.5", "-2", "4294967296", "1e3"] {
        check(&format!(r#","sample_rate":{text}"#), weight_of(text));
    }
}
