#![allow(clippy::needless_pass_by_value, reason = "tables of `json!` read better by value")]

use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::engine::record::model::{Record, SourceType};
use crate::engine::record::normalise::{Context, normalise};

const AT_MS: i64 = 1_763_682_436_123;
const AT: &str = "2025-11-20T23:47:16.123Z";

/// Every record goes through `normalise`, as it will in the service.
fn records(item: &Value) -> Vec<Record> {
    let max_age_ms = |_: &str| u64::MAX;
    let ctx = Context {
        received_at: Timestamp::from_ms(AT_MS),
        max_age_ms: &max_age_ms,
        source: SourceType::Tail,
        level_in: &|_| None,
    };
    let raw = records_of(&item.to_string()).unwrap();
    raw.into_iter().map(|record| normalise(record, Uuid::nil(), &ctx).unwrap()).collect()
}

/// `expected` holds of each record its service, level and message.
fn check(item: Value, expected: &[(&str, Level, &str)]) {
    let records = records(&item);
    let got: Vec<_> = records.iter().map(|r| (r.service.as_str(), r.level, r.message.as_str())).collect();
    assert_eq!(got, expected, "{item}");
}

fn console(level: &str, message: Value) -> Value {
    json!({"scriptName": "shop", "outcome": "ok", "logs": [{"timestamp": AT_MS, "level": level, "message": message}]})
}

#[test]
fn a_name_that_serde_json_would_read_as_something_else_costs_its_part_alone() {
    let name = "$serde_json::private::RawValue";
    let mut item = console("log", json!([format!("of {name}"), {name: "[1]"}]));
    item["scriptTags"] = json!([{name: "[1]"}]);
    check(item.clone(), &[("shop", Level::Info, &format!("of {name} {{\"{name}\":\"[1]\"}}"))]);
    assert!(!records(&item)[0].fields.metadata.contains_key("script_tags"));
}

#[test]
fn a_record_carries_its_whole_invocation() {
    let item = json!({
        "scriptName": "shop", "outcome": "ok", "eventTimestamp": AT_MS - 20, "entrypoint": "Checkout",
        "event": {
            "request": {
                "url": "https://shop.test/pay?n=1", "method": "POST", "headers": {"cf-ray": "8f00aa11"},
                "cf": {"colo": "AMS"}
            },
            "response": {"status": 201}
        },
        "logs": [{"timestamp": AT_MS, "level": "warn", "message": ["slow", {"ms": 812}]}],
        "exceptions": [], "diagnosticsChannelEvents": [], "scriptVersion": {"id": "v-1", "tag": "beta"},
        "executionModel": "stateless", "truncated": false, "cpuTime": 4, "wallTime": 830, "scriptTags": []
    });
    let stored: Vec<_> = records(&item).iter().map(|record| serde_json::to_value(record).unwrap()).collect();
    assert_eq!(
        Value::from(stored),
        json!([{
            "id": Uuid::nil(), "timestamp": AT, "received_at": AT, "service": "shop", "level": "WARN",
            "message": "slow {\"ms\":812}", "endpoint": "/pay", "method": "POST", "source_type": "tail",
            "correlation_id": "8f00aa11", "status": 201,
            "metadata": {
                "event_type": "fetch", "url": "https://shop.test/pay?n=1", "colo": "AMS", "outcome": "ok",
                "cpu_ms": 4, "wall_ms": 830, "entrypoint": "Checkout", "script_version": "v-1",
                "script_version_tag": "beta", "execution_model": "stateless", "truncated": false
            }
        }])
    );
}

#[test]
fn the_console_method_is_the_level() {
    for (method, level) in [
        ("debug", Level::Debug),
        ("info", Level::Info),
        ("log", Level::Info),
        ("warn", Level::Warn),
        ("error", Level::Error),
        ("table", Level::Info),
    ] {
        check(console(method, json!(["m"])), &[("shop", level, "m")]);
    }
}

#[test]
fn arguments_are_shown_as_the_console_shows_them() {
    for (arguments, message) in [
        (json!(["a", "b c"]), "a b c"),
        (json!(["n", 7, 1.5, true, null]), "n 7 1.5 true null"),
        (json!([{"a": [1, "x"]}, ["y"]]), "{\"a\":[1,\"x\"]} [\"y\"]"),
        (json!(["quote \" and \n line"]), "quote \" and \n line"),
        (json!([""]), ""),
        (json!([]), ""),
        (json!("bare"), "bare"),
        (json!({"a": 1}), "{\"a\":1}"),
        // Only where the script is not named is a bracketed word its name.
        (json!(["[api]", "up"]), "[api] up"),
    ] {
        check(console("log", arguments), &[("shop", Level::Info, message)]);
    }
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let item =
        format!("{{\"scriptName\":\"shop\",\"logs\":[{{\"level\":\"log\",\"message\":[\"x\",{deep}]}}]}}");
    let messages: Vec<_> = records_of(&item).unwrap().iter().map(|r| r.fields["message"].clone()).collect();
    assert_eq!(messages, [json!(format!("x {deep}"))]);
}

#[test]
fn an_error_among_the_arguments_is_named_and_keeps_its_stack() {
    let item = json!({
        "scriptName": "shop", "outcome": "ok",
        "logs": [{
            "timestamp": AT_MS, "level": "error", "message": ["failed:", {}],
            "errorInfo": [null, {"name": "TypeError", "message": "no card", "stack": "at pay (w.js:1:2)"}]
        }]
    });
    check(item.clone(), &[("shop", Level::Error, "failed: TypeError: no card")]);
    let fields = records(&item).remove(0).fields;
    assert_eq!(fields.error_type.as_deref(), Some("TypeError"));
    assert_eq!(fields.stack_trace.as_deref(), Some("at pay (w.js:1:2)"));
}

#[test]
fn the_service_is_the_script_or_what_wrangler_puts_before_the_arguments() {
    let logs = |first: &str| json!([{"timestamp": AT_MS, "level": "log", "message": [first, "up"]}]);
    check(json!({"scriptName": "My shop/é", "logs": logs("x")}), &[("My-shop--", Level::Info, "x up")]);
    check(json!({"scriptName": null, "logs": logs("[api]")}), &[("api", Level::Info, "up")]);
    check(
        json!({"scriptName": null, "logs": logs("[two words]")}),
        &[("unknown-worker", Level::Info, "[two words] up")],
    );
    check(json!({"scriptName": "", "logs": logs("x")}), &[("unknown-worker", Level::Info, "x up")]);
    let metadata = |item: Value| records(&item).remove(0).fields.metadata;
    assert_eq!(metadata(json!({"scriptName": "a b", "logs": logs("x")}))["script_name"], "a b");
    // What one call tells, the exceptions and the outcome of the same item share.
    check(
        json!({
            "scriptName": null, "outcome": "exceededCpu",
            "logs": [{"message": ["plain"]}, {"message": ["[api]", "up"]}], "exceptions": [{"message": "m"}]
        }),
        &[
            ("api", Level::Info, "plain"),
            ("api", Level::Info, "up"),
            ("api", Level::Critical, "invocation ended with outcome exceededCpu"),
            ("api", Level::Critical, "Error: m"),
        ],
    );
}

#[test]
fn an_exception_is_an_error_with_its_type_and_stack() {
    let item = json!({
        "scriptName": "shop", "outcome": "exception",
        "exceptions": [
            {"timestamp": AT_MS, "name": "RangeError", "message": "too far", "stack": "at go (w.js:9:1)"},
            {"timestamp": AT_MS, "name": "Boom", "message": ""}
        ]
    });
    check(item.clone(), &[("shop", Level::Error, "RangeError: too far"), ("shop", Level::Error, "Boom")]);
    let fields = records(&item).remove(0).fields;
    assert_eq!(fields.error_type.as_deref(), Some("RangeError"));
    assert_eq!(fields.stack_trace.as_deref(), Some("at go (w.js:9:1)"));
}

#[test]
fn an_outcome_that_failed_is_a_record_of_its_own_at_the_end_of_the_invocation() {
    for (outcome, level) in [
        ("canceled", Level::Warn),
        ("responseStreamDisconnected", Level::Warn),
        ("exceededCpu", Level::Critical),
        ("exceededMemory", Level::Critical),
        ("exception", Level::Error),
        ("scriptNotFound", Level::Error),
        ("unknown", Level::Error),
    ] {
        let item = json!({
            "scriptName": "shop", "outcome": outcome, "eventTimestamp": AT_MS - 20, "wallTime": 20,
            "event": {"request": {"url": "https://shop.test/pay", "method": "GET"}}, "exceptions": []
        });
        check(item.clone(), &[("shop", level, &format!("GET /pay ended with outcome {outcome}"))]);
        let record = records(&item).remove(0);
        assert_eq!(record.timestamp, Timestamp::from_ms(AT_MS));
        assert_eq!(record.fields.error_type.as_deref(), Some(outcome));
        assert_eq!(record.fields.metadata["outcome"], outcome);
    }
    check(json!({"scriptName": "shop", "outcome": "ok"}), &[]);
    check(json!({"scriptName": "shop", "outcome": null}), &[]);
}

#[test]
fn a_diagnostics_message_is_a_debug_record_of_its_channel() {
    let item = json!({
        "scriptName": "shop", "outcome": "ok",
        "diagnosticsChannelEvents": [
            {"timestamp": AT_MS, "channel": "db", "message": {"rows": 3}},
            {"timestamp": AT_MS, "channel": "db", "message": "done"}
        ]
    });
    check(item.clone(), &[("shop", Level::Debug, "{\"rows\":3}"), ("shop", Level::Debug, "done")]);
    assert_eq!(records(&item).remove(0).fields.logger.as_deref(), Some("db"));
}

#[test]
fn a_time_that_is_missing_is_the_start_of_the_event_or_the_arrival() {
    let logs =
        json!([{"message": ["a"]}, {"timestamp": 0, "message": ["b"]}, {"timestamp": "x", "message": ["c"]}]);
    let times =
        |item: Value| records(&item).iter().map(|record| record.timestamp.as_ms()).collect::<Vec<_>>();
    assert_eq!(times(json!({"eventTimestamp": AT_MS - 9, "logs": logs})), [AT_MS - 9; 3]);
    assert_eq!(times(json!({"eventTimestamp": null, "logs": logs})), [AT_MS; 3]);
}

#[test]
fn a_part_of_an_odd_shape_costs_only_itself() {
    check(
        json!({
            "scriptName": 7, "outcome": {"odd": true}, "event": [1], "cpuTime": "x", "scriptVersion": "v",
            "logs": ["bare", null, {"level": 9, "message": ["kept"]}], "exceptions": ["thrown"],
            "diagnosticsChannelEvents": {"not": "a list"}
        }),
        &[
            ("7", Level::Info, "bare"),
            ("7", Level::Info, "null"),
            ("7", Level::Info, "kept"),
            ("7", Level::Error, "invocation ended with outcome {\"odd\":true}"),
            ("7", Level::Error, "thrown"),
        ],
    );
    for item in ["", "7", "[]", "{\"logs\":"] {
        assert!(records_of(item).is_err(), "{item}");
    }
}

proptest! {
    #[test]
    fn no_item_panics(item in "[\\[\\]{}\":,a1e ]{0,60}", value in "[\\[\\]{}\",1]{0,20}") {
        let _ = records_of(&item);
        for key in ["event", "logs", "exceptions", "outcome", "scriptName", "eventTimestamp"] {
            let _ = records_of(&format!("{{\"{key}\":{value}}}"));
        }
    }
}
