#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` read better by value")]

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::engine::record::vocabulary::VOCABULARY;

const NOW_MS: i64 = 1_763_682_436_123;
const DAYS_30_MS: u64 = 30 * 24 * 60 * 60 * 1000;

fn run(raw: Value, source: SourceType) -> Result<Record, Rejection> {
    let size_bytes = raw.to_string().len();
    let Value::Object(fields) = raw else { panic!("a test sends objects") };
    let max_age_ms = |service: &str| if service == "brief" { 1000 } else { DAYS_30_MS };
    let ctx = Context {
        received_at: Timestamp::from_ms(NOW_MS),
        max_age_ms: &max_age_ms,
        source,
        level_in: &|_| None,
    };
    normalise(RawRecord { fields, size_bytes }, Uuid::nil(), &ctx)
}

fn blank() -> Record {
    Record {
        id: Uuid::nil(),
        timestamp: Timestamp::from_ms(NOW_MS),
        received_at: Timestamp::from_ms(NOW_MS),
        service: "shop".into(),
        level: Level::Info,
        message: "m".into(),
        fields: Box::default(),
    }
}

/// `raw` beside a service and a message becomes the blank record changed by `expected`.
fn check(raw: Value, expected: impl FnOnce(&mut Record)) {
    let mut whole = json!({"service": "shop", "message": "m"});
    for (key, value) in raw.as_object().cloned().unwrap_or_default() {
        whole[key] = value;
    }
    check_alone(whole, expected);
}

fn check_alone(raw: Value, expected: impl FnOnce(&mut Record)) {
    let mut record = blank();
    expected(&mut record);
    assert_eq!(run(raw.clone(), SourceType::Http), Ok(record), "{raw}");
}

fn check_rejected(raw: Value, code: &str, field: Option<&str>, message: &str) {
    let rejection = run(raw.clone(), SourceType::Http).expect_err(&raw.to_string());
    let got = (rejection.code, rejection.field.as_deref(), rejection.message.as_str());
    assert_eq!(got, (code, field, message), "{raw}");
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[test]
fn every_spelling_of_a_text_field_leads_to_it() {
    type Field = fn(&mut Fields) -> &mut Option<String>;
    let fields: [(&[&str], Field); 14] = [
        (&["environment", "env"], |f| &mut f.environment),
        (&["component"], |f| &mut f.component),
        (&["endpoint", "requestPath", "request_path", "path"], |f| &mut f.endpoint),
        (&["requestMethod", "request_method", "method"], |f| &mut f.method),
        (&["category"], |f| &mut f.category),
        (&["correlationId", "correlation_id", "requestId", "request_id"], |f| &mut f.correlation_id),
        (&["traceId", "trace_id"], |f| &mut f.trace_id),
        (&["spanId", "span_id"], |f| &mut f.span_id),
        (&["userId", "user_id"], |f| &mut f.user_id),
        (&["errorType", "error_type"], |f| &mut f.error_type),
        (&["stackTrace", "stack_trace"], |f| &mut f.stack_trace),
        (&["loggerName", "logger_name", "logger"], |f| &mut f.logger),
        (&["threadName", "thread_name", "thread"], |f| &mut f.thread),
        (&["host", "hostname"], |f| &mut f.host),
    ];
    for (spellings, field) in fields {
        for spelling in spellings {
            check(json!({*spelling: "x"}), |r| *field(&mut r.fields) = Some("x".into()));
            check(json!({*spelling: ""}), |r| *field(&mut r.fields) = Some(String::new()));
            check(json!({*spelling: 7}), |r| *field(&mut r.fields) = Some("7".into()));
            check(json!({*spelling: 1.5}), |r| *field(&mut r.fields) = Some("1.5".into()));
            check(json!({*spelling: true}), |r| *field(&mut r.fields) = Some("true".into()));
            check(json!({*spelling: null}), |_| ());
            let whole = json!({"service": "shop", "message": "m", *spelling: {"id": 7}});
            check_rejected(whole, "invalid_field", Some(spelling), "expected text, got an object");
        }
    }
}

#[test]
fn the_message_is_found_under_its_spellings_and_a_structure_becomes_json() {
    for spelling in ["message", "msg", "body", "text"] {
        for (sent, message) in [
            (json!("hello"), "hello"),
            (json!(" "), " "),
            (json!({"b": 1, "a": [true, null]}), r#"{"b":1,"a":[true,null]}"#),
            (json!([1, "x"]), r#"[1,"x"]"#),
            (json!(404), "404"),
            (json!(false), "false"),
        ] {
            check_alone(json!({"app": "shop", spelling: sent}), |r| r.message = message.into());
        }
    }
}

#[test]
fn a_record_without_a_message_is_rejected() {
    let expected = "expected a message in `message`, `msg`, `body` or `text`";
    for raw in [json!({}), json!({"service": "shop"}), json!({"service": "shop", "message": null})] {
        check_rejected(raw, "missing_field", Some("message"), &format!("{expected}, got none"));
    }
    let empty = json!({"service": "shop", "message": ""});
    check_rejected(empty.clone(), "missing_field", Some("message"), &format!("{expected}, got an empty one"));
    assert_eq!(run(empty, SourceType::Tail).map(|record| record.message), Ok(String::new()));
}

#[test]
fn the_component_is_the_service_only_when_nothing_better_is_there() {
    for spelling in ["service_name", "serviceName", "service", "app", "application"] {
        check_alone(json!({"message": "m", spelling: "shop"}), |_| ());
        check_alone(json!({"message": "m", "component": "cart", spelling: "shop"}), |r| {
            r.fields.component = Some("cart".into());
        });
    }
    check_alone(json!({"message": "m", "component": "cart"}), |r| r.service = "cart".into());
}

#[test]
fn a_service_name_is_checked_to_the_letter() {
    let longest = "a".repeat(128);
    for name in ["a", "A-z_0.9", longest.as_str()] {
        check_alone(json!({"message": "m", "service": name}), |r| r.service = name.into());
    }
    check_alone(json!({"message": "m", "service": 42}), |r| r.service = "42".into());
    let expected = "expected a service name of 1 to 128 characters out of A-Z a-z 0-9 . _ -";
    for (name, got) in [
        ("", r#"`""#.to_owned() + "\"`"),
        ("a b", r#"`"a b"`"#.into()),
        (" a", r#"`" a"`"#.into()),
        ("a/b", r#"`"a/b"`"#.into()),
        ("é", r#"`"é"`"#.into()),
        ("a\n", r#"`"a\n"`"#.into()),
        (&"a".repeat(129), format!("`\"{}…`", "a".repeat(39))),
    ] {
        let raw = json!({"message": "m", "serviceName": name});
        check_rejected(raw, "invalid_service", Some("serviceName"), &format!("{expected}, got {got}"));
    }
    let raw = json!({"message": "m", "service": {"name": "shop"}});
    check_rejected(raw, "invalid_field", Some("service"), "expected text, got an object");
    let raw = json!({"message": "m", "client": "shop"});
    let message = "expected a service in `service_name`, `serviceName`, `service`, `app`, `application` or `component`, got none";
    check_rejected(raw, "missing_field", Some("service_name"), message);
}

#[test]
fn a_level_is_read_by_the_field_it_stands_in() {
    for spelling in ["level", "severity", "severity_text", "severityText", "log_level", "logLevel"] {
        check(json!({spelling: "warning"}), |r| r.level = Level::Warn);
        check(json!({spelling: 50}), |r| r.level = Level::Error);
        check(json!({spelling: 50.0}), |r| r.level = Level::Error);
        check(json!({spelling: "2"}), |r| r.level = Level::Critical);
        check(json!({spelling: null}), |_| ());
    }
    for spelling in ["severity_number", "severityNumber"] {
        check(json!({spelling: 17}), |r| r.level = Level::Error);
        check(json!({spelling: "5"}), |r| r.level = Level::Debug);
        check(json!({spelling: 0}), |_| ());
    }
    // The text wins over the number, which is kept.
    check(json!({"severity_text": "ERROR", "severityNumber": 9}), |r| {
        r.level = Level::Error;
        r.fields.metadata = map(&json!({"severityNumber": 9}));
    });
    let names = "expected a level such as DEBUG, INFO, WARN, ERROR or CRITICAL, or a number of syslog (0 to 7) or pino (10 to 60)";
    for (sent, got) in [
        (json!("loud"), r#"`"loud"`"#),
        (json!(""), r#"`""`"#),
        (json!(17), "`17`"),
        (json!(3.5), "`3.5`"),
        (json!(true), "`true`"),
        (json!([]), "an array"),
    ] {
        let raw = json!({"service": "shop", "message": "m", "severity": sent});
        check_rejected(raw, "invalid_level", Some("severity"), &format!("{names}, got {got}"));
    }
    let raw = json!({"service": "shop", "message": "m", "severityNumber": 25});
    let message = "expected a severity number from 1 to 24, got `25`";
    check_rejected(raw, "invalid_level", Some("severityNumber"), message);
}

#[test]
fn a_timestamp_must_lie_between_the_services_memory_and_tomorrow() {
    for spelling in ["timestamp", "executed_at", "executedAt", "time", "@timestamp", "ts"] {
        check(json!({spelling: "2025-11-20T23:47:10Z"}), |r| {
            r.timestamp = Timestamp::from_ms(1_763_682_430_000);
        });
        check(json!({spelling: 1_763_682_430}), |r| r.timestamp = Timestamp::from_ms(1_763_682_430_000));
        check(json!({spelling: null}), |_| ());
        let raw = json!({"service": "shop", "message": "m", spelling: "soon"});
        let message = "expected RFC 3339 or a number of seconds, ms, us or ns since 1970, got `soon`";
        check_rejected(raw, "invalid_timestamp", Some(spelling), message);
    }
    let day_ms = 24 * 60 * 60 * 1000;
    for ms in [NOW_MS + day_ms, NOW_MS - 30 * day_ms] {
        check(json!({"ts": ms}), |r| r.timestamp = Timestamp::from_ms(ms));
    }
    let late = json!({"service": "shop", "message": "m", "ts": NOW_MS + day_ms + 1});
    let message =
        "expected a time at most a day ahead of 2025-11-20T23:47:16.123Z, got 2025-11-21T23:47:16.124Z";
    check_rejected(late, "timestamp_in_future", Some("ts"), message);
    let old = json!({"service": "shop", "message": "m", "ts": NOW_MS - 30 * day_ms - 1});
    let message = "expected a time since 2025-10-21T23:47:16.123Z, as long as shop keeps logs, got 2025-10-21T23:47:16.122Z";
    check_rejected(old, "timestamp_too_old", Some("ts"), message);
    let brief = json!({"service": "brief", "message": "m", "ts": NOW_MS - 1001});
    assert_eq!(run(brief, SourceType::Http).map_err(|r| r.code), Err("timestamp_too_old"));
}

#[test]
fn a_status_is_a_code_or_a_name() {
    for spelling in ["status", "response_status", "responseStatus", "status_code", "statusCode"] {
        for (sent, status) in [
            (json!(404), Status::Code(404)),
            (json!(404.0), Status::Code(404)),
            (json!("404"), Status::Code(404)),
            (json!("0404"), Status::Name("0404".into())),
            (json!(404.5), Status::Name("404.5".into())),
            (json!(u64::MAX), Status::Name(u64::MAX.to_string())),
            (json!("SUCCESS"), Status::Name("SUCCESS".into())),
        ] {
            check(json!({spelling: sent}), |r| r.fields.status = Some(status));
        }
    }
    check(json!({"status": "PENDING", "responseStatus": 202}), |r| {
        r.fields.status = Some(Status::Name("PENDING".into()));
        r.fields.metadata = map(&json!({"responseStatus": 202}));
    });
}

#[test]
fn a_status_by_name_gives_the_level_when_none_is_sent() {
    for (status, level) in [
        ("SUCCESS", Level::Info),
        ("running", Level::Info),
        ("FAILED", Level::Error),
        ("failure", Level::Error),
        ("Error", Level::Error),
        ("TIMEOUT", Level::Error),
        ("timed_out", Level::Error),
    ] {
        check(json!({"status": status}), |r| {
            r.level = level;
            r.fields.status = Some(Status::Name(status.into()));
        });
        check(json!({"status": status, "level": "DEBUG"}), |r| {
            r.level = Level::Debug;
            r.fields.status = Some(Status::Name(status.into()));
        });
    }
    check(json!({"status": 500}), |r| r.fields.status = Some(Status::Code(500)));
}

#[test]
fn a_duration_is_kept_in_milliseconds() {
    for (raw, ms) in [
        (json!({"durationMs": 12}), 12.0),
        (json!({"duration_ms": 0.25}), 0.25),
        (json!({"duration_ms": "7.5"}), 7.5),
        (json!({"execution_time_seconds": 2.3}), 2300.0),
        (json!({"execution_time_seconds": 0.000_001}), 0.001),
        (json!({"executionTimeSeconds": 90}), 90_000.0),
    ] {
        check(raw, |r| r.fields.duration_ms = Some(ms));
    }
    for (field, sent, message) in [
        ("durationMs", json!("long"), "expected a number of milliseconds, got `\"long\"`"),
        ("durationMs", json!("inf"), "expected a number of milliseconds, got `\"inf\"`"),
        ("duration_ms", json!([1]), "expected a number of milliseconds, got an array"),
        ("execution_time_seconds", json!(1e308), "expected a number of seconds, got `1e+308`"),
    ] {
        let raw = json!({"service": "shop", "message": "m", field: sent});
        check_rejected(raw, "invalid_field", Some(field), message);
    }
}

#[test]
fn tags_are_scalars_and_any_other_shape_stays_in_the_metadata() {
    check(json!({"tags": ["a", 1, null, true]}), |r| {
        r.fields.tags = vec!["a".into(), "1".into(), "true".into()];
    });
    check(json!({"tags": "solo"}), |r| r.fields.tags = vec!["solo".into()]);
    check(json!({"tags": []}), |_| ());
    for tags in [json!({"team": "pay"}), json!(["a", {"b": 1}])] {
        check(json!({"tags": tags}), |r| r.fields.metadata = map(&json!({"tags": tags})));
    }
}

#[test]
fn what_has_no_field_of_its_own_is_metadata() {
    check(json!({"metadata": {"a": {"b": 1}}, "cart": [1], "nothing": null, "Level": "X"}), |r| {
        r.fields.metadata = map(&json!({"a": {"b": 1}, "cart": [1], "nothing": null, "Level": "X"}));
    });
    for metadata in [json!("text"), json!([1, 2]), json!(7)] {
        check(json!({"metadata": metadata, "x": 1}), |r| {
            r.fields.metadata = map(&json!({"metadata": metadata, "x": 1}));
        });
    }
    check(json!({"metadata": null}), |_| ());
}

#[test]
fn the_spelling_that_loses_is_metadata() {
    check(json!({"service_name": "best", "user_id": "1", "userId": {"n": 2}, "requestId": "3"}), |r| {
        r.service = "best".into();
        r.fields.user_id = Some("1".into());
        r.fields.correlation_id = Some("3".into());
        r.fields.metadata = map(&json!({"service": "shop", "userId": {"n": 2}}));
    });
}

#[test]
fn a_name_that_is_taken_in_the_metadata_gets_a_number() {
    check(json!({"x": 1, "metadata": {"x": 2, "x_2": 3}, "x_2": 4}), |r| {
        r.fields.metadata = map(&json!({"x": 2, "x_2": 3, "x_3": 1, "x_2_2": 4}));
    });
}

#[test]
fn a_workflow_may_lack_message_and_service() {
    check_alone(
        json!({
            "client_id": "acme", "workflow_version": "v2.1", "ticket_id": 17, "status": "FAILED",
            "resolution_status": "open", "execution_time_seconds": 1.5, "metrics": {"steps": 3}, "payload": [1],
            "executed_at": "2025-11-20T23:47:16.123Z"
        }),
        |r| {
            r.service = "acme".into();
            r.level = Level::Error;
            r.message = "workflow v2.1 FAILED".into();
            r.fields.status = Some(Status::Name("FAILED".into()));
            r.fields.duration_ms = Some(1500.0);
            r.fields.metadata = map(&json!({
                "client_id": "acme", "workflow_version": "v2.1", "ticket_id": 17, "resolution_status": "open",
                "metrics": {"steps": 3}, "payload": [1]
            }));
        },
    );
    check_alone(json!({"ticket_id": "T", "component": "a b"}), |r| {
        r.service = "workflow".into();
        r.message = "workflow".into();
        r.fields.component = Some("a b".into());
        r.fields.metadata = map(&json!({"ticket_id": "T"}));
    });
    check_alone(json!({"client_id": "Acme Ltd", "component": "router", "message": "m"}), |r| {
        r.service = "router".into();
        r.fields.metadata = map(&json!({"client_id": "Acme Ltd"}));
    });
    check(json!({"client_id": "acme"}), |r| r.fields.metadata = map(&json!({"client_id": "acme"})));
    let raw = json!({"client_id": null, "status": "FAILED"});
    assert_eq!(run(raw, SourceType::Http).map_err(|r| r.code), Err("missing_field"));
}

#[test]
fn a_record_is_at_most_256_kb_and_64_levels_deep() {
    let max_age_ms = |_: &str| DAYS_30_MS;
    let ctx = Context {
        received_at: Timestamp::from_ms(NOW_MS),
        max_age_ms: &max_age_ms,
        level_in: &|_| None,
        source: SourceType::Http,
    };
    for (size_bytes, expected) in [
        (MAX_RECORD_BYTES, Ok(())),
        (
            MAX_RECORD_BYTES + 1,
            Err(Rejection::new(
                "record_too_large",
                "expected a record of at most 262144 bytes of JSON, got 262145",
            )),
        ),
    ] {
        let fields = map(&json!({"service": "shop", "message": "m"}));
        let result = normalise(RawRecord { fields, size_bytes }, Uuid::nil(), &ctx);
        assert_eq!(result.map(drop), expected);
    }
    let deep = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    check(json!({"x": deep(64)}), |r| r.fields.metadata = map(&json!({"x": deep(64)})));
    let message = "expected at most 64 levels of arrays and objects, got more";
    let raw = json!({"service": "shop", "message": "m", "x": deep(65)});
    check_rejected(raw, "nested_too_deep", Some("x"), message);
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-zA-Z0-9\" \\\\é\\n]{0,8}".prop_map(Value::from),
        Just(json!("shop")),
        Just(json!("ERROR")),
        Just(json!("404")),
        Just(json!(NOW_MS)),
    ]
}

fn any_json() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((any_key(), inner), 0..3)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn any_key() -> impl Strategy<Value = String> {
    let known: Vec<&str> = VOCABULARY.iter().flat_map(|(_, spellings)| *spellings).copied().collect();
    let workflow = vec!["client_id", "workflow_version", "ticket_id", "x", "x_2"];
    prop_oneof![
        prop::sample::select(known).prop_map(str::to_owned),
        prop::sample::select(workflow).prop_map(str::to_owned),
        "[a-z]{0,3}",
    ]
}

/// Scalars as text, wherever they are; in a message made of a structure they stand inside its JSON.
fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, into)),
        scalar => into.extend(scalar_text(scalar)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn nothing_panics_and_nothing_is_lost(
        mut pairs in prop::collection::vec((any_key(), any_json()), 0..8),
        good in any::<bool>(),
    ) {
        if good {
            pairs.push(("message".into(), json!({"said": "hello"})));
            pairs.push(("service_name".into(), json!("shop")));
            let strict: HashSet<&str> = VOCABULARY
                .iter()
                .filter(|(slot, _)| !matches!(slot, Slot::Message | Slot::Service | Slot::Tags | Slot::Metadata))
                .flat_map(|(_, spellings)| *spellings)
                .copied()
                .collect();
            // What would be rejected for its shape is made text, or the property would say little.
            for (key, value) in &mut pairs {
                if strict.contains(key.as_str()) {
                    *value = json!("text");
                }
            }
            pairs.retain(|(key, _)| !is_read_as_a_value(key));
        }
        let raw: Map<String, Value> = pairs.into_iter().collect();
        let result = run(Value::Object(raw.clone()), SourceType::Http);
        prop_assert!(!good || result.is_ok(), "{:?}", result);
        if let Ok(record) = result {
            let mut kept = Vec::new();
            texts(&serde_json::to_value(&record).unwrap(), &mut kept);
            let mut sent = Vec::new();
            raw.iter().filter(|(key, _)| !is_read_as_a_value(key)).for_each(|(_, value)| texts(value, &mut sent));
            for text in sent {
                let escaped = json!(text).to_string();
                let survives = kept.iter().any(|found| *found == text || found.contains(&escaped) || record.message.contains(&text));
                prop_assert!(survives, "{text:?} of {raw:?} is not in {record:?}");
            }
        }
    }
}

/// Levels, times and durations are folded into another form, so their text need not survive.
fn is_read_as_a_value(key: &str) -> bool {
    VOCABULARY.iter().any(|(slot, spellings)| {
        matches!(slot, Slot::Level | Slot::Timestamp | Slot::Duration) && spellings.contains(&key)
    })
}
