use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::engine::logql::{
    self, LogExpr,
    pipeline::{Pipeline, Selector},
};

const AT: &str = "2026-11-20T10:00:00.123456789Z";

fn row(more: &Value) -> Vec<u8> {
    let mut row = json!({
        "id": "019aa3a8-0e00-7000-8000-000000000000", "timestamp": AT, "received_at": AT, "service": "api",
        "level": "ERROR", "message": "m",
    });
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
    row.to_string().into_bytes()
}

fn pushed(labels: &Value, message: &str, level: &str, more: &Value) -> Vec<u8> {
    let mut metadata = json!({ "labels": labels });
    let app = labels.get("app").filter(|app| **app != "");
    metadata["labels"]["service_name"] = app.cloned().unwrap_or_else(|| json!("api"));
    for (name, value) in more.as_object().unwrap() {
        metadata[name] = value.clone();
    }
    let service = &metadata["labels"]["service_name"];
    row(&json!({ "service": service, "message": message, "level": level, "metadata": metadata }))
}

fn rows() -> Vec<Vec<u8>> {
    let nothing = json!({});
    vec![
        row(&json!({ "message": "GET /orders/7 500 in 12ms", "environment": "production", "status": 500 })),
        row(
            &json!({ "service": "web", "level": "INFO", "message": "Connection refused by 10.0.0.7:5432", "trace_id": "abc-0001" }),
        ),
        row(
            &json!({ "level": "WARN", "message": "a/b\\c \"quoted\" [x] (y) {z} ^$.|?*+", "metadata": { "user": { "name": "jane" }, "n": 7, "list": ["a"] } }),
        ),
        row(&json!({ "message": "x <b>bold</b> a_b-c #1 & ~ y", "environment": "a.b" })),
        row(&json!({ "message": "timeouts", "metadata": { "labels": "no object", "app": "shop" } })),
        pushed(&json!({ "app": "shop", "env": "prod" }), "Connection refused", "INFO", &nothing),
        pushed(
            &json!({ "app": "shop", "env": "test", "level": "warning" }),
            "slow query: 12ms",
            "WARN",
            &nothing,
        ),
        pushed(
            &json!({ "app": "shop", "level": "error" }),
            "{\"msg\":\"timeout\",\"took\":\"3s\"}",
            "ERROR",
            &json!({ "structured": ["trace_id", "user"], "trace_id": "abc-0001", "user": "bob", "msg": "timeout" }),
        ),
        pushed(&json!({ "app": "", "environment": "production" }), "line\nof two", "DEBUG", &nothing),
        pushed(
            &json!({ "environment": "" }),
            "ÄRGER über größe",
            "CRITICAL",
            &json!({ "structured": ["app"], "app": "x" }),
        ),
    ]
}

const QUERIES: &[&str] = &[
    r#"{service_name="api"}"#,
    r#"{service_name=~"a.*|shop"}"#,
    r#"{service_name!="api", service_name=~".+"}"#,
    r#"{service_name!~"w.*", service_name=~".+"} |= "o""#,
    r#"{level="error"}"#,
    r#"{level=~"err.*|warning"}"#,
    r#"{level!="error", service_name=~".+"}"#,
    r#"{level="", service_name=~".+"}"#,
    r#"{level!="", service_name=~".+"}"#,
    r#"{environment="production"}"#,
    r#"{environment="", service_name=~".+"}"#,
    r#"{environment="a.b"}"#,
    r#"{environment!="a.b", service_name=~".+"}"#,
    r#"{environment="prod"}"#,
    r#"{environment=~"prod.*|", service_name=~".+"}"#,
    r#"{environment!~".+", service_name=~".+"}"#,
    r#"{app="shop"}"#,
    r#"{app="shop", env!="prod"}"#,
    r#"{app=~"s.*", env=~"prod|"}"#,
    r#"{app="", service_name=~".+"}"#,
    r#"{detected_level="error"}"#,
    r#"{service_name=~".+"} |= "refused""#,
    r#"{service_name=~".+"} |= "Connection refused by""#,
    r#"{service_name=~".+"} |= "ction refu""#,
    r#"{service_name=~".+"} |= "connection""#,
    r#"{service_name=~".+"} |= """#,
    r#"{service_name=~".+"} |= "a/b\\c \"quoted\" [x] (y) {z} ^$.|?*+""#,
    r#"{service_name=~".+"} |= "<b>bold</b> a_b-c #1 & ~""#,
    r#"{service_name=~".+"} != "<b>""#,
    r#"{service_name=~".+"} |= "timeout" or "12ms""#,
    r#"{service_name=~".+"} != "timeout" or "12ms""#,
    r#"{service_name=~".+"} |~ "(?i)time.?out""#,
    r#"{service_name=~".+"} |~ "^slow" or "ms$""#,
    r#"{service_name=~".+"} |~ "/orders/\\d+""#,
    r#"{service_name=~".+"} !~ "e""#,
    r#"{service_name=~".+"} |~ "line.of""#,
    r#"{service_name=~".+"} |~ "(?s)line.of""#,
    r#"{service_name=~".+"} |= "größe" |= "über""#,
    r#"{service_name=~".+"} |> "<_> refused<_>""#,
    r#"{service_name=~".+"} |= ip("10.0.0.0/8")"#,
    r#"{service_name=~".+"} | detected_level="error""#,
    r#"{service_name=~".+"} | detected_level=~"error|warn" | detected_level!="warn""#,
    r#"{service_name=~".+"} | detected_level="error" or detected_level="info""#,
    r#"{service_name=~".+"} | trace_id="abc-0001""#,
    r#"{service_name=~".+"} | trace_id="abc-0001" or user="bob""#,
    r#"{service_name=~".+"} | user_name="jane""#,
    r#"{service_name=~".+"} | status="500""#,
    r#"{service_name=~".+"} | status>=400"#,
    r#"{service_name=~".+"} | json | took>1s"#,
    r#"{service_name=~".+"} | json | detected_level="error""#,
    r#"{service_name=~".+"} | line_format "{{.service_name}}" |= "shop""#,
    r#"{service_name=~".+"} | label_format detected_level=service_name | detected_level="api""#,
    r#"{service_name=~".+"} | drop __error__, __error_details__ |= "o""#,
    r#"{service_name=~".+"} | drop detected_level | detected_level="error""#,
    r#"{service_name=~".+"} | keep app | app="shop" or app="x""#,
    r#"{service_name=~".+"} | decolorize |= "o""#,
];

fn parsed(query: &str) -> LogExpr {
    match logql::parse(query) {
        Ok(logql::Expr::Log(query)) => query,
        other => panic!("{query}: {other:?}"),
    }
}

#[test]
fn what_is_selected_is_what_is_wanted() {
    for query in QUERIES {
        let parsed = parsed(query);
        let selection = Selection::of(&parsed);
        let (selector, pipeline) =
            (Selector::new(&parsed.matchers).unwrap(), Pipeline::new(&parsed).unwrap());
        let mut wanted_ones = 0;
        for row in rows() {
            let line = Line::read(&row).unwrap();
            let wanted = selector.matches(&line.stream) && pipeline.run(&line.entry()).is_some();
            let selected = selection.expr.matches_row(&row).unwrap();
            let shown = String::from_utf8_lossy(&row);
            assert!(selected || !wanted, "{query} loses {shown}: {:?}", selection.expr);
            assert!(
                !selected || wanted || !selection.is_exact,
                "{query} finds {shown}: {:?}",
                selection.expr
            );
            wanted_ones += usize::from(wanted);
        }
        let none = [
            "{environment=\"prod\"}",
            "|~ \"line.of\"",
            "{detected_level=\"error\"}",
            "connection\"",
            "drop detected_level",
        ];
        assert_eq!(wanted_ones == 0, none.iter().any(|part| query.contains(part)), "{query}");
    }
}

#[test]
fn lines_and_levels_are_decided_by_the_store() {
    let is_exact = |query: &str| Selection::of(&parsed(query)).is_exact;
    assert!(is_exact(r#"{a="b", level=~"x|y"} |= "z" !~ "q" | detected_level!="info" | drop __error__"#));
    for query in [
        r#"{a="b"} | json"#,
        r#"{a="b"} | x="y""#,
        r#"{a="b"} |> "<_>""#,
        r#"{a="b"} | line_format "x" |= "z""#,
        r#"{a="b"} | logfmt | detected_level="info""#,
    ] {
        assert!(!is_exact(query), "{query}");
    }
}

#[test]
fn a_record_is_of_the_stream_that_it_came_with() {
    let rows = rows();
    let line = Line::read(&rows[7]).unwrap();
    let map = |value: &Value| {
        serde_json::from_value::<std::collections::BTreeMap<String, String>>(value.clone()).unwrap()
    };
    assert_eq!(line.stream, map(&json!({ "app": "shop", "level": "error", "service_name": "shop" })));
    // What was read from the line is no structured metadata.
    assert_eq!(
        line.metadata,
        map(&json!({ "trace_id": "abc-0001", "user": "bob", "detected_level": "error" }))
    );
    assert_eq!((line.time.as_ns() % 1_000_000_000, line.weight), (123_456_789, 1));

    let line = Line::read(&rows[2]).unwrap();
    assert_eq!(line.stream, map(&json!({ "service_name": "api", "level": "warn" })));
    assert_eq!(
        line.metadata,
        map(&json!({ "user_name": "jane", "n": "7", "list": "[\"a\"]", "detected_level": "warn" }))
    );
    let sampled =
        row(&json!({ "sample_rate": 20, "environment": "production", "endpoint": "/x", "pattern_id": "1" }));
    let line = Line::read(&sampled).unwrap();
    assert_eq!(line.weight, 20);
    assert_eq!(line.metadata, map(&json!({ "endpoint": "/x", "detected_level": "error" })));
    assert!(Line::read(b"[]").is_err() && Line::read(b"{}").is_err());
}

fn printed(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The labels that a value comes to, and those within it.
fn flat(name: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (inner, value) in members {
                flat(&format!("{name}_{inner}"), value, into);
            }
        }
        value => drop(into.entry(logql::pipeline::label_name(name)).or_insert_with(|| printed(value))),
    }
}

/// Structured metadata as it is read from a tree.
fn metadata_of(row: &Map<String, Value>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let nothing = Map::new();
    let sent = row["metadata"].as_object().unwrap_or(&nothing);
    let labels = sent.get("labels");
    if labels.is_some_and(|labels| labels.get("service_name").is_some()) {
        for name in sent.get("structured").and_then(Value::as_array).into_iter().flatten() {
            if let Some((name, value)) = name.as_str().and_then(|name| Some((name, sent.get(name)?))) {
                flat(name, value, &mut found);
            }
        }
    } else {
        for name in ["component", "duration_ms"] {
            flat(name, &row[name], &mut found);
        }
        sent.iter()
            .filter(|(name, _)| *name != "labels")
            .for_each(|(name, value)| flat(name, value, &mut found));
        if let Some(labels) = labels {
            flat("labels", labels, &mut found);
        }
    }
    found.insert("detected_level".to_owned(), "error".to_owned());
    found
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["labels", "structured", "service_name", "a", "b.c", "ä", "a_b", ""])
            .prop_map(str::to_owned),
        "[a-c._\"\\\\é]{0,4}",
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..100_i64).prop_map(Value::from),
        any_name().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any_name(), inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_line_is_what_a_tree_of_its_record_says(
        sent in prop::collection::vec((any_name(), any_value()), 0..6),
        component in any_value(),
        duration in any::<f64>(),
        message in ".{0,20}",
        rate in 0..5_u32,
    ) {
        let sent: Map<String, Value> = sent.into_iter().collect();
        let written = row(&json!({
            "component": component, "duration_ms": duration, "message": message, "sample_rate": rate, "metadata": sent,
        }));
        let tree: Map<String, Value> = serde_json::from_slice(&written).unwrap();
        let line = Line::read(&written).unwrap();
        prop_assert_eq!((line.text, line.weight), (message, rate.max(1)));
        prop_assert_eq!(line.metadata, metadata_of(&tree));
    }
}

#[test]
fn fields_are_found_with_their_kinds() {
    let mut detector = Detector::default();
    for (metadata, text) in [
        (
            vec![("trace_id", "a")],
            r#"{"n":1,"f":1,"ok":true,"took":"3ms","size":"2KB","in":{"ner":"x"},"null":null,"list":[1]}"#,
        ),
        (vec![("trace_id", "b")], r#"{"n":2,"f":1.5,"ok":"maybe"}"#),
        (vec![], r#"n=3 word="a b" lone"#),
    ] {
        detector.take(metadata.into_iter(), text);
    }
    let found = detector.finish();
    let told: Vec<(&str, &str, usize, Vec<&str>)> = found
        .iter()
        .map(|(name, field)| {
            (name.as_str(), field.kind.as_str(), field.values.len(), field.parsers.iter().copied().collect())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("f", "float", 2, vec!["json"]),
            ("in_ner", "string", 1, vec!["json"]),
            ("n", "int", 3, vec!["json", "logfmt"]),
            ("ok", "string", 2, vec!["json"]),
            ("size", "bytes", 1, vec!["json"]),
            ("took", "duration", 1, vec!["json"]),
            ("trace_id", "string", 2, vec![]),
            ("word", "string", 1, vec!["logfmt"]),
        ]
    );
    assert_eq!(found["in_ner"].path, ["in", "ner"]);
}
