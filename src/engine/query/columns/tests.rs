use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::engine::{
    block::{self, SegmentId, reader, rows, segment},
    query::parse,
};

struct All(BTreeMap<u32, Vec<u8>>);

impl Filters for All {
    fn of(&self, column: u32) -> Option<&[u8]> {
        self.0.get(&column).map(Vec::as_slice)
    }
}

fn line(n: usize, service: &str, level: &str, message: &str, rest: &Value) -> String {
    let mut row = json!({
        "id": uuid::Uuid::from_u128((1_763_682_436_000_u128 << 80) + (7 << 76) + (2 << 62) + n as u128).to_string(),
        "timestamp": "2025-11-20T23:47:16Z", "received_at": "2025-11-20T23:47:16Z",
        "service": service, "level": level, "message": message,
    });
    row.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    row.to_string()
}

/// Checks for one query that footers, filters and columns say what the rows say.
fn check(lines: &[String], query: &str) {
    let expr = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let text = lines.join("\n");
    let rows: Vec<_> = rows::rows(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    let id = SegmentId {
        tenant: "t".into(),
        class: "d1".into(),
        shard: 0,
        first_seq: 1,
        last_seq: 1,
        part: 0,
        generation: 0,
        merged: None,
    };
    // A merged one, which tells its words.
    let mut writer = segment::Writer::made_of(id, Vec::new(), false);
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let (block, behind) = rest.split_at(segment::block_len(rest));
        rest = behind;
        writer.push(block).unwrap();
    }
    let segment = writer.finish().unwrap().unwrap();
    let opened = Opened::new(segment.footer.clone()).unwrap();
    let mut filters = All(BTreeMap::new());
    for (nth, column) in (0..).zip(&segment.footer.columns) {
        if let Some(place) = column.filters {
            let range =
                usize::try_from(place.offset).unwrap()..usize::try_from(place.offset + place.length).unwrap();
            filters.0.insert(nth, block::view::filters(&segment.bytes[range]).unwrap());
        }
    }
    let whole = Query::new(&expr);
    let asked = whole.on(&opened);
    for hash in whole.required_words() {
        let held = lines.iter().any(|line| expr.matches_row(line.as_bytes()).unwrap());
        assert!(
            !held || segment.words.binary_search(&hash).is_ok(),
            "{query}: a word is missing of the segment's"
        );
    }
    for (nth, meta) in segment.footer.blocks.iter().enumerate() {
        let bytes = Bytes::copy_from_slice(reader::slice(&segment.bytes, 0, meta).unwrap());
        let block = Block::new(&opened, meta, bytes);
        let mut expected = Mask::none(block.len());
        let all: Vec<u32> = (0..meta.rows).collect();
        block
            .render(&all, |row, _, _, line| {
                if expr.matches_row(line.as_bytes()).unwrap() {
                    expected.set(row as usize);
                }
            })
            .unwrap();
        let none = All(BTreeMap::new());
        for filters in [&filters, &none] {
            let found = asked.rows(&block, nth, filters, &Mask::all(block.len())).unwrap();
            assert_eq!(found, expected, "{query}");
            if let Some(decided) = asked.decide(nth, filters) {
                let right = if decided { expected.count() == block.len() } else { expected.is_empty() };
                assert!(right, "{query}: decided {decided}, {} of {} hold", expected.count(), block.len());
            }
            if let Some(count) = asked.count(nth, filters) {
                assert_eq!(count, expected.count() as u64, "{query}");
            }
        }
    }
}

const QUERIES: &[&str] = &[
    "",
    "timeout",
    "after",
    "15ms",
    "ms",
    "15",
    "\"after 15ms\"",
    "-timeout",
    "timeout OR error",
    "api",
    "service:api",
    "service:ap*",
    "NOT service:api level:error",
    "level:>=warn",
    "level:info",
    "user_id:u-00413",
    "u-00413",
    "00413",
    "413",
    "u",
    "metadata.n:>10",
    "metadata.n:[3 TO 7]",
    "metadata.n:5",
    "metadata.n:5.0",
    "metadata.n:*",
    "n:1e1",
    "trace_id:*",
    "deadbeef",
    "0a1b2c3d",
    "req-0a1b2c3d-beef",
    "beef",
    "message:/t.me/",
    "/[0-9]{3}/",
    "time*",
    "*out",
    "tags:a",
    "tags:b*",
    "a",
    "metadata.deep.x:y",
    "metadata.list.k:v",
    "metadata.ok:true",
    "true",
    "null",
    "metadata.nothing:*",
    "10.0.0.1",
    "10.0",
    "metadata.ip:10.0.0.*",
    "größe",
    "GRÖSSE",
    "\"say \\\"hi\\\"\"",
    "hi",
    "018f3c2e-0000-7abc-8def-0123456789ab",
    "7abc",
    "metadata.v:\"1.10\"",
    "1.10",
    "message:=\"plain\"",
    "plain",
    "metadata.n:-5",
    "id:*",
    "timestamp:>\"2025-01-01T00:00:00Z\"",
    "timestamp:*",
    "http",
    "metadata.mixed:7",
    "metadata.mixed:seven",
    "%",
    "NOT *",
];

fn varied(n: usize) -> String {
    let message = match n % 11 {
        0 => format!("timeout after {}ms", n * 5),
        1 => format!("user u-{:05} said \"hi\" in 15ms", n * 413 % 1000),
        2 => "plain".to_owned(),
        3 => format!("größe {n}é"),
        4 => format!("İ{n} ran 50% off"),
        5 => format!("from 10.0.0.{}", n % 256),
        6 => format!("id 018f3c2e-0000-7abc-8def-{:012x}", n * 0x1234_5678),
        7 => format!("line\nof {} words \u{1} x", ["three", "four"][n % 2]),
        8 => String::new(),
        _ => format!("request {n} {} took 0.{n}s", ["alpha", "beta", "gamma"][n % 3]),
    };
    let hex = format!("{:08x}", n.wrapping_mul(0x9e37_79b9) & 0xffff_ffff);
    let rest = match n % 5 {
        0 => json!({"user_id": format!("u-{:05}", n * 413 % 1000), "metadata": {"n": n, "v": "1.10"}}),
        1 => json!({"trace_id": hex.repeat(4), "correlation_id": format!("req-{hex}-{}", &hex[..4]),
                    "metadata": {"n": f64::from(u32::try_from(n).unwrap()) / 2.0, "ok": n.is_multiple_of(2)}}),
        2 => {
            json!({"tags": ["a", "b c"], "metadata": {"list": [1, {"k": "v"}, [null, "B"]], "nothing": null}})
        }
        3 => {
            json!({"metadata": {"deep": {"x": "Y", "e": {}}, "ip": format!("10.0.{}.1", n % 4), "n": -5, "mixed": 7}})
        }
        _ => json!({"source_type": "http", "metadata": {"mixed": "Seven", "v": "1.1"}}),
    };
    line(n, ["api", "api-gateway", "shop"][n % 3], ["INFO", "ERROR", "WARN", "DEBUG"][n % 4], &message, &rest)
}

#[test]
fn columns_say_what_rows_say() {
    for count in [1, 7, 60, 700] {
        let lines: Vec<String> = (0..count).map(varied).collect();
        for query in QUERIES {
            check(&lines, query);
        }
    }
    // Whole ids of some row, and their parts.
    let lines: Vec<String> = (0..300).map(varied).collect();
    for n in [1, 11, 21] {
        let row: Value = serde_json::from_str(&lines[n]).unwrap();
        let trace = row["trace_id"].as_str().unwrap();
        let correlation = row["correlation_id"].as_str().unwrap();
        for query in [trace, correlation, &trace[..8], &correlation[4..12], &correlation[13..]] {
            check(&lines, query);
            check(&lines, &format!("trace_id:{query} OR correlation_id:{query}"));
        }
    }
}

/// Rows of a trace have its user, who is kept once for each trace.
#[test]
fn users_of_traces_are_found_by_their_numbers() {
    let row = |n: usize| {
        let trace = n % 90;
        let user = trace * 37 % 40;
        let rest = json!({
            "trace_id": format!("{:08x}", trace.wrapping_mul(0x9e37_79b9) & 0xffff_ffff).repeat(4),
            "user_id": if n.is_multiple_of(50) { "root".to_owned() } else { format!("u-{user:05}") },
            "metadata": {"order": format!("o-{}", n * 7), "of": user + 1},
        });
        line(n, "api", "INFO", &format!("user {user} has {} items", n % 4), &rest)
    };
    let lines: Vec<String> = (0..600).map(row).collect();
    let queries = [
        "u-00013",
        "00013",
        "13",
        "013",
        "user_id:u-00039",
        "user_id:u-00040",
        "u-13",
        "o-91",
        "metadata.of:13",
        "user_id:u-00013 AND 3",
        "NOT u-00007",
        "u-00000",
        "\"user 13\"",
    ];
    for query in queries {
        check(&lines, query);
    }
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{1,3}",
        "[0-9]{1,4}",
        "[a-f0-9]{6,9}",
        "0[0-9]{1,3}",
        "[a-b]{1,2}[0-9]{1,2}",
        "[0-9]{1,2}(ms|kb)",
        "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
        "[äÉß]{1,2}[0-9]?",
        Just("İ1".to_owned()),
        Just("018f3c2e-0000-7abc-8def-0123456789ab".to_owned()),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(
        (word(), prop_oneof![Just(" "), Just("-"), Just("."), Just("="), Just("\u{1}")]),
        0..5,
    )
    .prop_map(|parts| parts.into_iter().map(|(word, gap)| word + gap).collect())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        (0..300_i64).prop_map(Value::from),
        (-3.0..3.0_f64).prop_map(|number| json!((number * 4.0).round() / 4.0)),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        prop::collection::vec(text(), 0..3).prop_map(|texts| json!(texts)),
        text().prop_map(|text| json!({"k": text})),
    ]
}

fn term() -> impl Strategy<Value = String> {
    let quoted = |text: String| format!("\"{}\"", text.replace('\u{1}', " "));
    let test = prop_oneof![
        word().prop_map(quoted),
        text().prop_filter("an empty phrase is no query", |text| !text.trim().is_empty()).prop_map(quoted),
        "[a-c0-9]{1,2}\\*",
        Just("*".to_owned()),
        (0..300_i64).prop_map(|number| format!(">={number}")),
        Just("/[ab]+[0-9]/".to_owned()),
    ];
    let field = prop_oneof![
        Just("message:"),
        Just("service:"),
        Just("metadata.a:"),
        Just("metadata.b:"),
        Just("metadata.b.k:"),
    ];
    prop_oneof![word().prop_map(quoted), (field, test).prop_map(|(field, test)| format!("{field}{test}"))]
}

fn query() -> impl Strategy<Value = String> {
    term().prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            inner.prop_map(|a| format!("(NOT {a})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn a_pruned_search_equals_a_full_scan(
        rows in prop::collection::vec((text(), value(), prop::option::of(value()), 0..3_usize), 1..60),
        queries in prop::collection::vec(query(), 1..6),
    ) {
        let lines: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(n, (message, a, b, service))| {
                let mut metadata = json!({"a": a});
                if let Some(b) = b {
                    metadata["b"] = b.clone();
                }
                line(n, ["a", "b-1", "ab"][*service], "INFO", message, &json!({"metadata": metadata}))
            })
            .collect();
        for query in &queries {
            check(&lines, query);
        }
    }
}
