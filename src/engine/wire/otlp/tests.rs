use proptest::prelude::*;
use prost::Message as _;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Encoding, MAX_CONTEXT_BYTES, decode, status, success};
use crate::engine::record::model::{Level, SourceType};
use crate::engine::record::normalise::{Context, MAX_DEPTH, MAX_RECORD_BYTES, normalise};
use crate::engine::record::timestamp::Timestamp;

mod proto;

use proto::{Any, AnyKind, KeyValue};

const AT_NS: u64 = 1_763_682_436_123_456_789;
const AT: &str = "2025-11-20T23:47:16.123456789Z";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "b7ad6b7169203331";

type Outcome = Result<Value, String>;

fn outcomes(body: &[u8], encoding: Encoding) -> Vec<Outcome> {
    let records = decode(body, encoding, 1000).unwrap();
    let count = records.len();
    let outcomes: Vec<_> = records
        .map(|record| match record {
            Ok(record) => Ok(Value::Object(record.fields)),
            Err(rejection) => Err(format!("{}: {}", rejection.code, rejection.message)),
        })
        .collect();
    assert_eq!(outcomes.len(), count);
    outcomes
}

fn request(records: &Value) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
        "scopeLogs": [{"logRecords": records}]
    }]})
}

/// What becomes of records in JSON, without the fields that the resource gives each.
fn check(records: &Value, expected: &[Outcome]) {
    let mut outcomes = outcomes(request(records).to_string().as_bytes(), Encoding::Json);
    for fields in outcomes.iter_mut().flatten().filter_map(Value::as_object_mut) {
        assert_eq!(fields.remove("service"), Some(json!("shop")));
        let metadata = fields.get_mut("metadata").and_then(Value::as_object_mut).unwrap();
        assert_eq!(metadata.remove("resource"), Some(json!({"service.name": "shop"})));
        if metadata.is_empty() {
            fields.remove("metadata");
        }
    }
    assert_eq!(outcomes, expected, "{records}");
}

fn check_error(body: &[u8], encoding: Encoding, expected: &str) {
    assert_eq!(decode(body, encoding, 3).unwrap_err().to_string(), expected);
}

#[test]
fn a_record_carries_its_resource_and_scope() {
    let body = json!({"resourceLogs": [{
        "scopeLogs": [{
            "logRecords": [{
                "timeUnixNano": AT_NS.to_string(), "observedTimeUnixNano": AT_NS + 1, "severityNumber": 18,
                "severityText": "Error", "body": {"stringValue": "paid"}, "traceId": TRACE.to_uppercase(),
                "spanId": SPAN, "flags": 1, "eventName": "order.paid", "droppedAttributesCount": 2,
                "attributes": [
                    {"key": "exception.type", "value": {"stringValue": "E"}},
                    {"key": "exception.stacktrace", "value": {"stringValue": "at f"}},
                    {"key": "enduser.id", "value": {"stringValue": "u-2"}},
                    {"key": "user.id", "value": {"stringValue": "u-1"}},
                    {"key": "http.request.method", "value": {"stringValue": "GET"}},
                    {"key": "http.route", "value": {"stringValue": "/o/{id}"}},
                    {"key": "url.path", "value": {"stringValue": "/o/7"}},
                    {"key": "http.response.status_code", "value": {"intValue": "404"}},
                    {"key": "thread.name", "value": {"stringValue": "main"}},
                    {"key": "resource", "value": {"intValue": "9007199254740993"}},
                    {"key": "level", "value": {"arrayValue": {"values": [{"doubleValue": 1}, {}]}}},
                ],
            }],
            "scope": {"name": "lib", "version": "1.2", "attributes": [{"key": "s", "value": {"boolValue": true}}]},
            "schemaUrl": "https://s/1",
        }],
        "resource": {"attributes": [
            {"key": "service.name", "value": {"stringValue": "my shop"}},
            {"key": "deployment.environment", "value": {"stringValue": "old"}},
            {"key": "deployment.environment.name", "value": {"stringValue": "prod"}},
            {"key": "host.name", "value": {"stringValue": "db-1"}},
        ]},
        "schemaUrl": "https://r/1",
    }]});
    let expected = json!({
        "service": "my-shop", "environment": "prod", "host": "db-1", "message": "paid", "level": "ERROR",
        "timestamp": AT, "trace_id": TRACE, "span_id": SPAN, "error_type": "E", "stack_trace": "at f",
        "user_id": "u-1", "method": "GET", "endpoint": "/o/7", "thread": "main", "status": 404,
        "metadata": {
            "resource": {
                "service.name": "my shop", "deployment.environment": "old",
                "deployment.environment.name": "prod", "host.name": "db-1",
            },
            "resource_schema_url": "https://r/1",
            "scope": {"name": "lib", "version": "1.2", "schema_url": "https://s/1", "attributes": {"s": true}},
            "observed_timestamp": "2025-11-20T23:47:16.12345679Z".replace("679Z", "6790Z"),
            "severity_text": "Error", "severity_number": 18, "event_name": "order.paid", "flags": 1,
            "dropped_attributes_count": 2, "enduser.id": "u-2", "http.route": "/o/{id}",
            "resource_2": 9_007_199_254_740_993_i64, "level": [1.0, null],
        },
    });
    assert_eq!(outcomes(body.to_string().as_bytes(), Encoding::Json), [Ok(expected)]);
}

#[test]
fn a_service_that_is_not_named_is_unknown() {
    for resource in [json!(null), json!({}), json!({"attributes": [{"key": "service.name", "value": {}}]})] {
        let body = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [{}]}]}]});
        let records = outcomes(body.to_string().as_bytes(), Encoding::Json);
        assert_eq!(records[0].as_ref().unwrap()["service"], "unknown_service");
    }
}

#[test]
fn the_level_is_that_of_the_number_or_else_of_the_text() {
    let record = |number: i64, text: &str| json!([{"severityNumber": number, "severityText": text}]);
    for (number, level) in
        [(1, "DEBUG"), (8, "DEBUG"), (9, "INFO"), (13, "WARN"), (17, "ERROR"), (24, "CRITICAL")]
    {
        let expected = json!({"level": level, "metadata": {"severity_number": number, "severity_text": "x"}});
        check(&record(number, "x"), &[Ok(expected)]);
        let expected = json!({"level": level, "metadata": {"severity_number": number}});
        check(&record(number, level), &[Ok(expected)]);
    }
    check(&record(0, "Warning"), &[Ok(json!({"level": "WARN", "metadata": {"severity_text": "Warning"}}))]);
    check(&record(0, "loud"), &[Ok(json!({"metadata": {"severity_text": "loud"}}))]);
    check(&record(25, ""), &[Ok(json!({"metadata": {"severity_number": 25}}))]);
    check(&record(0, ""), &[Ok(json!({}))]);
}

#[test]
fn the_time_is_its_own_or_else_the_observed_one() {
    check(&json!([{"timeUnixNano": AT_NS}]), &[Ok(json!({"timestamp": AT}))]);
    check(&json!([{"observedTimeUnixNano": AT_NS.to_string()}]), &[Ok(json!({"timestamp": AT}))]);
    check(
        &json!([{"timeUnixNano": "1", "observedTimeUnixNano": 1}]),
        &[Ok(json!({"timestamp": "1970-01-01T00:00:00.000000001Z"}))],
    );
    check(&json!([{"timeUnixNano": u64::MAX}]), &[Ok(json!({"timestamp": u64::MAX}))]);
}

#[test]
fn a_message_is_made_of_any_body_or_of_what_else_there_is() {
    let body = |body: Value| json!([{"body": body}]);
    let message = |message: &str| [Ok(json!({"message": message}))];
    check(&body(json!({"stringValue": "a\nb"})), &message("a\nb"));
    check(&body(json!({"intValue": "-7"})), &message("-7"));
    check(&body(json!({"boolValue": false})), &message("false"));
    check(&body(json!({"doubleValue": "NaN"})), &message("NaN"));
    check(&body(json!({"doubleValue": "-Infinity"})), &message("-Infinity"));
    check(&body(json!({"doubleValue": "1.5"})), &message("1.5"));
    check(&body(json!({"bytesValue": "_-8"})), &message("/+8="));
    check(
        &body(json!({"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "x"}]}})),
        &message("[1,\"x\"]"),
    );
    check(
        &body(
            json!({"kvlistValue": {"values": [{"key": "user", "value": {"stringValue": "u1"}}, {"key": "n", "value": null}]}}),
        ),
        &[Ok(
            json!({"message": "{\"user\":\"u1\",\"n\":null}", "metadata": {"body": {"user": "u1", "n": null}}}),
        )],
    );
    check(
        &json!([{"eventName": "e", "attributes": [{"key": "a", "value": {"intValue": 1}}]}]),
        &[Ok(json!({"message": "e", "metadata": {"event_name": "e", "a": 1}}))],
    );
    check(
        &json!([{"body": {"stringValue": ""}, "attributes": [{"key": "a", "value": {"intValue": 1}}]}]),
        &[Ok(json!({"message": "{\"a\":1}", "metadata": {"a": 1}}))],
    );
    check(&json!([{"body": {}}]), &[Ok(json!({}))]);
}

#[test]
fn an_id_of_another_length_is_metadata() {
    let zeros = "0".repeat(32);
    check(&json!([{"traceId": zeros, "spanId": ""}]), &[Ok(json!({}))]);
    check(
        &json!([{"traceId": "ABCD", "spanId": "not hex"}]),
        &[Ok(json!({"metadata": {"trace_id": "abcd", "span_id": "not hex"}}))],
    );
}

#[test]
fn a_record_that_cannot_be_read_fails_alone() {
    let name = reserved_name();
    check(
        &json!([
            7, null, [1], {"body": 7}, {"timeUnixNano": "x"}, {"flags": 4_294_967_296_u64}, {"severityNumber": "INFO"},
            {"body": {"bytesValue": "!"}}, {"attributes": [{"key": name, "value": {}}]}, {"body": {"stringValue": "ok"}},
        ]),
        &[
            Err("not_an_object: expected one JSON object".to_owned()),
            Err("not_an_object: expected one JSON object".to_owned()),
            Err("not_an_object: expected one JSON object".to_owned()),
            Err("malformed_json: invalid type: integer `7`, expected an object such as {\"stringValue\":…} at line 1 column 9".to_owned()),
            Err("malformed_json: invalid value: string \"x\", expected a whole number at line 1 column 19".to_owned()),
            Err("malformed_json: expected a smaller number, got 4294967296 at line 1 column 20".to_owned()),
            Err("malformed_json: invalid value: string \"INFO\", expected a whole number at line 1 column 24".to_owned()),
            Err("malformed_json: expected base64: Invalid symbol 33, offset 0. at line 1 column 26".to_owned()),
            Err("invalid_field: expected an object without this name, which the service cannot keep".to_owned()),
            Ok(json!({"message": "ok"})),
        ],
    );
}

#[test]
fn a_name_that_cannot_be_kept_is_found_at_any_depth() {
    let named = json!({"kvlistValue": {"values": [{"key": reserved_name(), "value": {}}]}});
    let nested = json!({"arrayValue": {"values": [{"intValue": 1}, named]}});
    let message = "invalid_field: expected an object without this name, which the service cannot keep";
    check(
        &json!([{"body": named}, {"attributes": [{"key": "a", "value": nested}]}]),
        &[Err(message.to_owned()), Err(message.to_owned())],
    );
    let resource = json!({"attributes": [{"key": "a", "value": nested}]});
    let body = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [{}]}]}]});
    assert_eq!(outcomes(body.to_string().as_bytes(), Encoding::Json), [Err(message.to_owned())]);
}

fn reserved_name() -> &'static str {
    "$serde_json::private::RawValue"
}

#[test]
fn what_is_no_request_fails_as_a_whole() {
    check_error(b"", Encoding::Json, "EOF while parsing a value at line 1 column 0");
    check_error(b"{\"resourceLogs\":[", Encoding::Json, "EOF while parsing a list at line 1 column 17");
    check_error(b"{} {}", Encoding::Json, "trailing characters at line 1 column 4");
    check_error(b"\xff", Encoding::Json, "expected UTF-8, got another byte at 0");
    check_error(
        b"[]",
        Encoding::Json,
        "invalid type: sequence, expected an object with `resourceLogs` at line 1 column 2",
    );
    check_error(
        b"{\"resourceLogs\":7}",
        Encoding::Json,
        "invalid type: integer `7`, expected an array at line 1 column 17",
    );
    check_error(b"\x0a\x05\x01", Encoding::Protobuf, "expected more bytes, got the end of the message");
    check_error(b"\x08\x05", Encoding::Protobuf, "expected a field of another wire type");
    let four = request(&json!([{}, {}, {}, {}])).to_string();
    check_error(four.as_bytes(), Encoding::Json, "expected at most 3 records, got 4");
    let four = [0x0A, 10, 0x12, 8, 0x12, 0, 0x12, 0, 0x12, 0, 0x12, 0];
    check_error(&four, Encoding::Protobuf, "expected at most 3 records, got 4");
}

#[test]
fn a_request_without_records_is_read() {
    for body in [
        "{}",
        "{\"resourceLogs\":[]}",
        "{\"resourceLogs\":null,\"x\":[[{}]]}",
        "{\"resourceLogs\":[{\"scopeLogs\":[{}]}]}",
    ] {
        assert_eq!(outcomes(body.as_bytes(), Encoding::Json), []);
    }
    assert_eq!(outcomes(b"", Encoding::Protobuf), []);
}

/// A body of so many arrays or objects in one another, in both encodings.
fn nested(levels: usize, keyed: bool) -> [(Vec<u8>, Encoding); 2] {
    let mut any = Any { kind: Some(AnyKind::Int(1)) };
    for _ in 0..levels {
        any = Any {
            kind: Some(if keyed {
                AnyKind::Kvlist(proto::Kvlist {
                    values: vec![KeyValue { key: "k".to_owned(), value: Some(any) }],
                })
            } else {
                AnyKind::Array(proto::Array { values: vec![any] })
            }),
        };
    }
    let record = proto::LogRecord { body: Some(any), ..proto::LogRecord::default() };
    both(&proto::request(vec![record.clone(), proto::LogRecord::default()], Vec::new()))
}

fn both(request: &proto::Request) -> [(Vec<u8>, Encoding); 2] {
    [(request.encode_to_vec(), Encoding::Protobuf), (proto::json(request).into_bytes(), Encoding::Json)]
}

#[test]
fn values_may_nest_as_deep_as_a_record_may() {
    for keyed in [false, true] {
        for (body, encoding) in nested(MAX_DEPTH, keyed) {
            assert!(outcomes(&body, encoding)[0].is_ok(), "{encoding:?}");
        }
        for levels in [MAX_DEPTH + 1, 400] {
            for (body, encoding) in nested(levels, keyed) {
                let outcomes = outcomes(&body, encoding);
                let expected = "nested_too_deep: expected at most 64 levels of arrays and objects, got more";
                assert_eq!(outcomes[0], Err(expected.to_owned()), "{encoding:?} {levels}");
                assert!(outcomes[1].is_ok());
            }
        }
    }
}

#[test]
fn what_is_too_large_is_not_read() {
    let long = |name: &str, bytes: usize| KeyValue {
        key: name.to_owned(),
        value: Some(Any { kind: Some(AnyKind::String("x".repeat(bytes))) }),
    };
    let record =
        proto::LogRecord { attributes: vec![long("a", MAX_RECORD_BYTES)], ..proto::LogRecord::default() };
    for (body, encoding) in both(&proto::request(vec![record, proto::LogRecord::default()], Vec::new())) {
        let outcomes = outcomes(&body, encoding);
        assert!(outcomes[0].as_ref().unwrap_err().starts_with("record_too_large: "));
        assert!(outcomes[1].is_ok());
    }
    for (body, encoding) in
        both(&proto::request(vec![proto::LogRecord::default(); 2], vec![long("r", MAX_CONTEXT_BYTES)]))
    {
        for outcome in outcomes(&body, encoding) {
            assert!(outcome.unwrap_err().starts_with("record_too_large: expected a resource and a scope of"));
        }
    }
}

#[test]
fn text_that_is_not_utf_8_is_mended_in_protobuf() {
    // resource_logs > scope_logs > log_records > body > string_value.
    let body = [0x0A, 9, 0x12, 7, 0x12, 5, 0x2A, 3, 0x0A, 1, 0xFF];
    assert_eq!(outcomes(&body, Encoding::Protobuf)[0].as_ref().unwrap()["message"], "\u{fffd}");
}

#[test]
fn answers_are_those_of_the_protocol() {
    assert_eq!(success(Encoding::Json, 0, ""), b"{}");
    assert_eq!(success(Encoding::Protobuf, 0, ""), b"");
    assert_eq!(
        success(Encoding::Json, 2, "too old"),
        b"{\"partialSuccess\":{\"rejectedLogRecords\":\"2\",\"errorMessage\":\"too old\"}}"
    );
    let answer = proto::Response::decode(success(Encoding::Protobuf, 300, "too old").as_slice()).unwrap();
    assert_eq!(answer.partial_success, Some(proto::Partial { rejected: 300, message: "too old".to_owned() }));
    assert_eq!(status(Encoding::Json, 3, "no"), b"{\"code\":3,\"message\":\"no\"}");
    let answer = proto::Status::decode(status(Encoding::Protobuf, 3, "no").as_slice()).unwrap();
    assert_eq!(answer, proto::Status { code: 3, message: "no".to_owned() });
}

#[test]
fn what_is_not_known_may_nest_without_end() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let record = format!("{{\"x\":{deep},\"body\":{{\"x\":{deep},\"intValue\":1}}}}");
    let body =
        format!("{{\"x\":{deep},\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{}]}}]}}]}}", "7");
    assert!(outcomes(body.as_bytes(), Encoding::Json)[0].is_err());
    let short = record.replace(&deep, &deep[90_000..110_000]);
    let body = body.replace("[7]", &format!("[{short}]"));
    assert_eq!(outcomes(body.as_bytes(), Encoding::Json)[0].as_ref().unwrap()["message"], "1");
}

#[test]
fn records_pass_as_they_are() {
    let ctx = Context {
        received_at: Timestamp::from_ns(i64::try_from(AT_NS).unwrap()),
        max_age_ms: &|_| u64::MAX,
        source: SourceType::Http,
        level_in: &|_| None,
    };
    let body = request(&json!([
        {"timeUnixNano": AT_NS, "severityNumber": 17, "traceId": TRACE, "body": {"kvlistValue": {"values": []}}},
        {"timeUnixNano": u64::MAX, "body": {"stringValue": "m"}},
        {},
    ]));
    let results: Vec<_> = decode(body.to_string().as_bytes(), Encoding::Json, 9)
        .unwrap()
        .map(|raw| normalise(raw.unwrap(), Uuid::nil(), &ctx).map_err(|rejection| rejection.code))
        .collect();
    let record = results[0].as_ref().unwrap();
    assert_eq!(
        (record.service.as_str(), record.level, record.message.as_str()),
        ("shop", Level::Error, "{}")
    );
    assert_eq!(record.timestamp, ctx.received_at);
    assert_eq!(record.fields.trace_id.as_deref(), Some(TRACE));
    assert_eq!(results[1], Err("invalid_timestamp"));
    assert_eq!(results[2], Err("missing_field"));
}

#[test]
fn the_time_to_read_a_body_grows_with_it_alone() {
    // Nested as deep as can be, side by side: 10 MB of them take some rounds and not one for each level.
    let mut value = "{}".to_owned();
    for _ in 0..MAX_DEPTH {
        value = format!("{{\"arrayValue\":{{\"values\":[{value}]}}}}");
    }
    let records = vec![format!("{{\"body\":{value}}}"); 1000];
    let body =
        format!("{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{}]}}]}}]}}", records.join(","));
    assert_eq!(outcomes(body.as_bytes(), Encoding::Json).len(), 1000);
    // One name many times over.
    let pairs = vec!["{\"key\":\"a\",\"value\":{}}"; 10_000].join(",");
    let body = format!(
        "{{\"resourceLogs\":[{{\"scopeLogs\":[{{\"logRecords\":[{{\"attributes\":[{pairs}]}}]}}]}}]}}"
    );
    assert!(outcomes(body.as_bytes(), Encoding::Json)[0].is_ok());
}

proptest! {
    #[test]
    fn both_encodings_of_a_request_are_the_same_records(request in proto::requests()) {
        let [(protobuf, _), (json, _)] = both(&request);
        prop_assert_eq!(outcomes(&protobuf, Encoding::Protobuf), outcomes(&json, Encoding::Json));
    }

    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        for encoding in [Encoding::Json, Encoding::Protobuf] {
            if let Ok(records) = decode(&body, encoding, 10) {
                prop_assert!(records.count() <= 10);
            }
        }
    }

    #[test]
    fn no_damage_panics(request in proto::requests(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in any::<prop::sample::Index>()) {
        for (mut body, encoding) in both(&request) {
            for (at, byte) in &damage {
                if !body.is_empty() {
                    let at = at.index(body.len());
                    body[at] = *byte;
                }
            }
            for body in [&body[..], &body[..cut.index(body.len() + 1)]] {
                if let Ok(records) = decode(body, encoding, 100) {
                    prop_assert!(records.count() <= 100);
                }
            }
        }
    }
}
