use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};

use super::*;
use crate::engine::record::normalise::MAX_RECORD_BYTES;
use crate::engine::wire::service::service_name;

mod proto;

const NS: &str = "1763682436123456789";
const AT: &str = "2025-11-20T23:47:16.123456789Z";

type Outcome = Result<Value, String>;

fn collect(entries: Entries<'_>) -> Vec<Outcome> {
    let count = entries.len();
    let outcomes: Vec<_> = entries
        .map(|entry| match entry {
            Ok(record) => Ok(Value::Object(record.fields)),
            Err(rejection) => Err(format!("{}: {}", rejection.code, rejection.message)),
        })
        .collect();
    assert_eq!(outcomes.len(), count);
    outcomes
}

fn outcomes(body: &str) -> Vec<Outcome> {
    collect(decode_json(body.as_bytes(), 1000).unwrap())
}

fn push(labels: &Value, values: &Value) -> String {
    json!({"streams": [{"stream": labels, "values": values}]}).to_string()
}

/// `expected` without the time, the labels and the names of the structured metadata.
fn check(labels: &Value, line: &str, sent: &Value, expected: &Value) {
    let body = push(labels, &json!([[NS, line, sent]]));
    let mut outcome = outcomes(&body).remove(0).unwrap();
    let fields = outcome.as_object_mut().unwrap();
    assert_eq!(fields.remove("timestamp"), Some(json!(AT)));
    let metadata = fields["metadata"].as_object_mut().unwrap();
    let mut kept = metadata.remove("labels").unwrap();
    let service = kept["service_name"].take();
    assert_eq!(service_name(service.as_str().unwrap()), expected["service"].as_str().unwrap());
    let mut labels = labels.clone();
    labels["service_name"] = Value::Null;
    assert_eq!(kept, labels);
    let names: Vec<&String> = sent.as_object().unwrap().keys().collect();
    assert_eq!(metadata.remove("structured").unwrap_or_else(|| json!([])), json!(names));
    if metadata.is_empty() {
        fields.remove("metadata");
    }
    assert_eq!(&outcome, expected, "{body}");
}

fn check_rejected(body: &str, expected: &str) {
    assert_eq!(outcomes(body), [Err(expected.to_owned())], "{}", cut(body));
}

fn check_error(body: &str, expected: &str) {
    assert_eq!(decode_json(body.as_bytes(), 3).unwrap_err().to_string(), expected, "{body}");
}

#[test]
fn an_entry_is_a_record_with_the_labels_of_its_stream() {
    check(
        &json!({"app": "web", "level": "info", "env": "prod", "__hidden": "x"}),
        "started",
        &json!({"traceID": "0af7", "span_id": "b7ad", "user_id": "u-1", "labels": "mine", "a": "1"}),
        &json!({
            "service": "web", "level": "INFO", "environment": "prod", "message": "started",
            "trace_id": "0af7", "span_id": "b7ad", "user_id": "u-1",
            "metadata": {"traceID": "0af7", "span_id": "b7ad", "user_id": "u-1", "labels_2": "mine", "a": "1"},
        }),
    );
}

#[test]
fn the_service_is_looked_for_as_loki_does() {
    let service = |labels: Value, expected: &str| {
        check(&labels, "m", &json!({}), &json!({"service": expected, "message": "m"}));
    };
    service(json!({"job": "j", "container": "c", "app": "a", "service_name": "s"}), "s");
    service(json!({"job": "j", "container": "c", "app": ""}), "c");
    service(json!({"job": "default/api", "k8s_job_name": "k"}), "default-api");
    service(json!({"__name__": "n", "filename": "f"}), "unknown_service");
}

#[test]
fn the_level_is_that_of_structured_metadata_or_else_of_a_label() {
    let level = |labels: Value, metadata: Value, expected: &str| {
        let expected = json!({"service": "a", "message": "m", "level": expected, "metadata": metadata});
        check(&labels, "m", &metadata, &expected);
    };
    level(json!({"app": "a", "level": "info"}), json!({"detected_level": "error"}), "ERROR");
    level(json!({"app": "a", "level": "warn"}), json!({"detected_level": "unknown"}), "WARN");
    level(json!({"app": "a"}), json!({"level": "loud", "Severity": "fatal"}), "CRITICAL");
    let unknown = json!({"service": "a", "message": "m"});
    check(&json!({"app": "a", "level": "loud"}), "m", &json!({}), &unknown);
}

#[test]
fn an_empty_line_is_an_entry() {
    let labels = json!({"app": "a"});
    check(&labels, "", &json!({}), &json!({"service": "a", "message": " "}));
    let expected = json!({"service": "a", "message": "{\"k\":\"v\"}", "metadata": {"k": "v"}});
    check(&labels, "", &json!({"k": "v"}), &expected);
}

#[test]
fn what_loki_refuses_as_a_whole_is_refused_as_a_whole() {
    for (value, expected) in [
        (
            "[1763682436123456789,\"a\"]",
            "invalid type: integer `1763682436123456789`, expected nanoseconds since 1970 as text at line 1 column 55",
        ),
        (
            "[\"soon\",\"a\"]",
            "invalid value: string \"soon\", expected nanoseconds since 1970 as text at line 1 column 42",
        ),
        ("[\"1\",7]", "expected text as the line of an entry at line 1 column 42"),
        (
            "[\"1\"]",
            "invalid length 1, expected an array of a timestamp, a line and structured metadata at line 1 column 40",
        ),
        (
            "7",
            "invalid type: integer `7`, expected an array of a timestamp, a line and structured metadata at line 1 column 36",
        ),
    ] {
        check_error(&format!("{{\"streams\":[{{\"stream\":{{}},\"values\":[{value}]}}]}}"), expected);
    }
    check_error("{\"streams\":[{\"values\":[", "EOF while parsing a list at line 1 column 23");
    check_error("[]", "invalid type: sequence, expected an object with `streams` at line 1 column 2");
    check_error("{}{}", "trailing characters at line 1 column 3");
    for body in ["{}", "{\"streams\":[]}", "{\"streams\":null}"] {
        check_error(body, "expected at least one stream, got none");
    }
    let entry = json!([NS, "m"]);
    check_error(
        &push(&json!({"a": "b"}), &json!([entry, entry, entry, entry])),
        "expected at most 3 entries, got 4",
    );
}

#[test]
fn a_stream_without_entries_is_no_error() {
    assert_eq!(
        outcomes("{\"streams\":[{\"stream\":{\"a\":\"b\"}},{\"values\":null},{\"values\":[],\"x\":1}]}"),
        []
    );
}

#[test]
fn a_stream_that_breaks_a_limit_fails_alone() {
    let entry = json!([[NS, "m"]]);
    let stream = |labels: &Value| push(labels, &entry);
    check_rejected(
        &stream(&json!({})),
        "invalid_field: error at least one label pair is required per stream",
    );
    check_rejected(
        &stream(&json!({"1a": "b"})),
        "invalid_field: stream '{\"1a\":\"b\"}' has an invalid label name: '1a'",
    );
    check_rejected(
        &stream(&json!({"a": 1})),
        "invalid_field: error parsing labels '{\"a\":1}' with error: invalid type: integer `1`, expected a string at line 1 column 6",
    );
    check_rejected(
        "{\"streams\":[{\"stream\":{\"a\":\"b\",\"a\":\"c\"},\"values\":[[\"1\",\"m\"]]}]}",
        "invalid_field: stream '{\"a\":\"b\",\"a\":\"c\"}' has duplicate label name: 'a'",
    );
    let many: serde_json::Map<_, _> = (0..65).map(|n| (format!("l{n}"), json!("v"))).collect();
    let shown = Value::from(many.clone()).to_string();
    check_rejected(
        &stream(&many.into()),
        &format!("invalid_field: stream '{}' has 65 label names; limit 64", &shown[..200]),
    );
    let long = "v".repeat(2049);
    let outcome = outcomes(&stream(&json!({"a": long}))).remove(0).unwrap_err();
    assert!(outcome.contains(" has label value too long: 'vvv") && outcome.len() < 600, "{outcome}");
    let body = json!({"streams": [
        {"stream": {"a": "x".repeat(300_000)}, "values": entry}, {"stream": {"app": "ok"}, "values": entry},
    ]});
    let outcomes = outcomes(&body.to_string());
    assert_eq!(
        outcomes[0],
        Err("record_too_large: expected labels of at most 262144 bytes, got 300008".to_owned())
    );
    assert!(outcomes[1].is_ok());
}

#[test]
fn an_entry_that_breaks_a_limit_fails_alone() {
    let many: serde_json::Map<_, _> = (0..129).map(|n| (format!("l{n}"), json!("v"))).collect();
    let body = push(
        &json!({"app": "a"}),
        &json!([
            ["-1", "m"], [NS, "m", many], [NS, "m", {"k": "v".repeat(65_536)}], [NS, "x".repeat(MAX_RECORD_BYTES)],
            [NS, "m", {"k": {"a": 1}}], [NS, "m", []], [NS, "m", {"$serde_json::private::RawValue": "1"}], [NS, "ok"],
        ]),
    )
    .replace("\"-1\",\"m\"", "\"-1\",\"\\ud800\"");
    let outcomes = outcomes(&body);
    for (outcome, expected) in outcomes.iter().zip([
        "malformed_json: unexpected end of hex escape at line 1 column 8",
        "record_too_large: stream '{\"app\":\"a\"}' has too many structured metadata labels: '129', limit: '128'",
        "record_too_large: stream '{\"app\":\"a\"}' has structured metadata too large: '65537' bytes, limit: '65536' bytes",
        "record_too_large: expected a record of at most 262144 bytes of JSON, got 262146",
        "invalid_field: expected structured metadata of text alone: invalid type: map, expected a string at line 1 column 5",
        "invalid_field: expected structured metadata of text alone: invalid type: sequence, expected an object of text at line 1 column 0",
        "invalid_field: expected an object without this name, which the service cannot keep",
    ]) {
        assert_eq!(outcome, &Err(expected.to_owned()));
    }
    assert!(outcomes[7].is_ok() && outcomes.len() == 8);
    check_rejected(
        &push(&json!({"app": "a"}), &json!([["-1", "m"]])),
        "invalid_timestamp: expected a time since 1970, got -1 ns",
    );
}

#[test]
fn labels_in_protobuf_are_text() {
    let push = |labels: &str| {
        let entry = proto::Entry { line: "m".to_owned(), ..proto::Entry::default() };
        let stream = proto::Stream { labels: labels.to_owned(), entries: vec![entry], hash: 7 };
        let body = proto::Push { streams: vec![stream] }.encode_to_vec();
        collect(decode_protobuf(&body, 10).unwrap()).remove(0)
    };
    let record = push(r#"{app="w\"b", pod="p-1"}"#).unwrap();
    assert_eq!(record["service"], "w-b");
    assert_eq!(record["metadata"], json!({"labels": {"app": "w\"b", "pod": "p-1", "service_name": "w\"b"}}));
    let expected = "invalid_field: error parsing labels '{app=}' with error: expected a quoted value at 5";
    assert_eq!(push("{app=}"), Err(expected.to_owned()));
    assert_eq!(
        push("{}"),
        Err("invalid_field: error at least one label pair is required per stream".to_owned())
    );
}

#[test]
fn a_block_is_not_decompressed_beyond_the_limit() {
    let block = snap::raw::Encoder::new().compress_vec(&[b'x'; 1000]).unwrap();
    assert_eq!(decompress(&block, 1000).unwrap(), [b'x'; 1000]);
    assert_eq!(decompress(&block, 999), Err(ParseError::TooLarge { limit: 999, got: 1000 }));
    // It claims to hold 4 GB.
    let block = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0];
    assert_eq!(decompress(&block, 1000), Err(ParseError::TooLarge { limit: 1000, got: 0xFFFF_FFFF }));
    for block in [&b""[..], b"{\"streams\":[]}", &[0xFF; 12]] {
        assert!(decompress(block, 1000).is_err());
    }
    assert_eq!(decode_protobuf(b"", 10).unwrap_err(), ParseError::NoStreams);
    assert_eq!(decode_protobuf(&[0x0A, 9], 10).unwrap_err(), ParseError::Protobuf(Malformed::Cut));
}

#[test]
fn a_value_that_is_quoted_in_an_answer_is_cut() {
    let body = push(&json!({"a": "b"}), &json!([["x".repeat(100_000), "m"]]));
    let message = decode_json(body.as_bytes(), 10).unwrap_err().to_string();
    assert!(message.starts_with("invalid value: string \"xxx") && message.len() < 250, "{message}");
}

proptest! {
    #[test]
    fn both_encodings_of_a_push_are_the_same_records(push in proto::pushes()) {
        let protobuf = push.encode_to_vec();
        let block = snap::raw::Encoder::new().compress_vec(&protobuf).unwrap();
        let body = decompress(&block, protobuf.len()).unwrap();
        let json = proto::json(&push).to_string();
        prop_assert_eq!(collect(decode_protobuf(&body, 100).unwrap()), outcomes(&json));
    }

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decompress(&body, 1000);
        for entries in [decode_json(&body, 10), decode_protobuf(&body, 10)].into_iter().flatten() {
            prop_assert!(entries.count() <= 10);
        }
    }

    #[test]
    fn no_damage_panics(push in proto::pushes(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let protobuf = push.encode_to_vec();
        let block = snap::raw::Encoder::new().compress_vec(&protobuf).unwrap();
        let [protobuf, json, block] = [protobuf, proto::json(&push).to_string().into_bytes(), block].map(|mut body| {
            for (at, byte) in &damage {
                let at = at.index(body.len());
                body[at] = *byte;
            }
            body
        });
        let _ = decompress(&block, 10_000);
        for entries in [decode_json(&json, 100), decode_protobuf(&protobuf, 100)].into_iter().flatten() {
            prop_assert!(entries.count() <= 100);
        }
    }
}
