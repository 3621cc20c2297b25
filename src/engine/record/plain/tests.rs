use std::fmt::Write;

use proptest::prelude::*;
use serde_json::Value;
use uuid::Uuid;

use super::*;
use crate::engine::record::{
    model::SourceType,
    normalise::{RawRecord, normalise},
    row::{begin, begin_len},
    vocabulary::VOCABULARY,
};

const NOW: Timestamp = Timestamp::from_ms(1_763_682_436_123);

/// A row as it is stored, behind its id and times.
#[derive(Default)]
struct Row(String, Option<Field>);

impl Values for Row {
    fn put(&mut self, field: Field, parts: &[&str]) {
        // A field of none is less than any.
        assert!(self.1.replace(field).map(|before| before as usize) < Some(field as usize));
        let value = parts.concat();
        write!(self.0, "{}{value}{}", field.opening(), field.closing()).unwrap();
    }
}

/// The row of a record by either way; whether the quick one was taken.
fn check(json: &str) -> bool {
    let ctx = Context {
        received_at: NOW,
        max_age_ms: &|_| 1_000_000_000,
        source: SourceType::Http,
        level_in: &|_| None,
    };
    let id = Uuid::from_u128(7);
    let mut row = Row::default();
    let written = Plain::read(json.as_bytes()).and_then(|plain| {
        let time = plain.write(&ctx, &Additions::default(), &mut row)?;
        Some((time, plain.service().to_owned()))
    });
    let Some((time, service)) = written else {
        assert_eq!(row.0, "", "{json}");
        return false;
    };
    let Ok(Value::Object(fields)) = serde_json::from_str(json) else { panic!("{json} is no JSON object") };
    let raw = RawRecord { fields, size_bytes: json.len() };
    let record = normalise(raw, id, &ctx).unwrap_or_else(|why| panic!("{json} is not taken: {why}"));
    let expected = serde_json::to_string(&record).unwrap();
    let mut begun = String::new();
    begin(id, time, NOW, |part| begun.push_str(part));
    assert_eq!(begun.len(), begin_len(time, NOW));
    assert_eq!(format!("{begun}{}}}", row.0), expected, "{json}");
    assert_eq!((time, service), (record.timestamp, record.service));
    true
}

#[test]
fn every_spelling_leads_where_the_long_way_leads_it() {
    for (slot, spelling) in VOCABULARY.iter().flat_map(|(slot, all)| all.iter().map(move |one| (*slot, *one)))
    {
        let value = match slot {
            Slot::Service => "\"shop\"",
            Slot::Level => "\"WARN\"",
            Slot::Timestamp => "1763682430000",
            Slot::Status => "404",
            Slot::Duration => "2.5",
            Slot::SampleRate => "3",
            Slot::Tags => "[\"a\"]",
            Slot::Metadata => "{\"a\":1}",
            _ => "\"x\"",
        };
        let mut fields = vec![format!("\"{spelling}\":{value}")];
        for (other, field) in [(Slot::Service, r#""service":"api""#), (Slot::Message, r#""message":"m""#)] {
            if slot != other {
                fields.push(field.to_owned());
            }
        }
        let json = format!("{{{}}}", fields.join(","));
        let otherwise = [
            "severity_number",
            "severityNumber",
            "execution_time_seconds",
            "executionTimeSeconds",
            "sample_rate",
            "sampleRate",
        ];
        assert_eq!(check(&json), !otherwise.contains(&spelling), "{json}");
        let absent = json.replacen('{', &format!("{{\"{spelling}\":null,"), 1);
        assert_eq!(check(&absent), !otherwise.contains(&spelling), "{absent}");
        let taken_back = format!("{},\"{spelling}\":null}}", json.strip_suffix('}').unwrap());
        assert!(!check(&taken_back), "{taken_back}");
    }
}

#[test]
fn the_texts_are_the_first_slots() {
    for (slot, _) in VOCABULARY {
        let field = TEXTS.get(*slot as usize).copied();
        assert_eq!(field, slot.field().filter(|_| field.is_some()), "{slot:?}");
    }
    assert_eq!(Slot::Service as usize, TEXTS.len());
}

#[test]
fn plain_records_go_the_quick_way_and_others_the_long_one() {
    let quick = [
        r#"{"service":"api","message":"m"}"#,
        r#"{"service":"api","message":"m", "metadata": { }, "tags": [ ]}"#,
        r#"{"service":"api","message":"m","tags" : [ "a \" b" , "\\" ],"x" : { "a b" : " \\\" " , "c" : [ 1 , {} ] } }"#,
        "{\"service\":\"api\",\"message\":\"m\",\"metadata\":\n{\t\"a\":\r\n[ ], \"b\" : null }, \"z\" : true }",
        r#" { "level" : "warning", "service" : "api", "message" : "a \"b\" \\ \n ü" } "#,
        r#"{"timestamp":"2025-11-20T23:47:10Z","service":"api","message":"m","level":"INFO","user_id":"","env":"p"}"#,
        r#"{"ts":1763682430000,"app":"a.b-c_d","msg":"m","status":404,"duration_ms":15,"tags":["a","b"]}"#,
        r#"{"service":"api","message":"m","durationMs":1.25,"tags":[],"metadata":{},"host":"h","thread":null}"#,
        r#"{"service":"api","message":"m","metadata":{"a":{"b":[1,-2.5,{"c":null}],"d":true},"e":0.001},"x":{"y":0}}"#,
        r#"{"x":1,"service":"api","message":"m","metadata":{"y":2}}"#,
        r#"{"service":"api","message":"m","user_id":null,"user_id":"u"}"#,
        r#"{"service":"api","message":"m","severity_number":null,"trace_id":null,"traceId":"t"}"#,
    ];
    for json in quick {
        assert!(check(json), "{json}");
    }
    let long = [
        "",
        "{}",
        "[]",
        "1",
        r#"{"service":"api"}"#,
        r#"{"message":"m"}"#,
        r#"{"service":"a b","message":"m"}"#,
        r#"{"service":"api","message":""}"#,
        r#"{"service":"api","message":"\u0041"}"#,
        r#"{"service":"api","message":"\/"}"#,
        r#"{"service":"api","message":"m","msg":"n"}"#,
        r#"{"service":"api","message":"m","user_id":"u","user_id":null}"#,
        r#"{"service":"api","message":"m","user_id":"u","userId":null}"#,
        r#"{"service":"api","message":"m","level":"loud"}"#,
        r#"{"service":"api","message":"m","ts":"yesterday"}"#,
        r#"{"service":"api","message":"m","ts":1}"#,
        r#"{"service":"api","message":"m","x":1e3}"#,
        r#"{"service":"api","message":"m","x":1.50}"#,
        r#"{"service":"api","message":"m","x":-0}"#,
        r#"{"service":"api","message":"m","x":0.00001}"#,
        r#"{"service":"api","message":"m","x":1,"x":2}"#,
        r#"{"service":"api","message":"m","x":1,"metadata":{"x":2}}"#,
        r#"{"service":"api","message":"m","x":{"a":1,"a":2}}"#,
        r#"{"service":"api","message":"m","metadata":{"a":1,"a":2}}"#,
        r#"{"service":"api","message":"m","ticket_id":1}"#,
        r#"{"service":"api","message":"m","status":"FAILED"}"#,
        r#"{"service":"api","message":"m","x":01}"#,
        r#"{"service":"api","message":"m"},"#,
        r#"{"service":"api","message":"m",}"#,
        r#"{"service":"api","message":"m""#,
        r#"{"service":"api","message":"m","$serde_json::private::RawValue":"1"}"#,
        "{\"service\":\"api\",\"message\":\"a\nb\"}",
        r#"{"service":"api","message":5}"#,
    ];
    for json in long {
        assert!(!check(json), "{json}");
    }
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,17}(\\.[0-9]{1,17})?([eE][+-]?[0-9]{1,3})?",
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(|number| number.to_string()),
        (-1_000.0..1_000.0_f64).prop_map(|number| format!("{:.*}", 4, number)),
        any::<i64>().prop_map(|number| number.to_string()),
    ]
}

fn json() -> impl Strategy<Value = String> {
    let string = prop_oneof!["\"[ -~äß😀]{0,12}\"", "\"(\\\\[\"\\\\/bfnrt]|\\\\u00[0-9a-f]{2}|a){0,4}\""];
    let leaf = prop_oneof![
        string.clone(),
        number(),
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let space = || "[ \\t\\r\\n]{0,2}";
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), space()).prop_map(|(items, space)| {
                format!("[{space}{}{space}]", items.join(&format!("{space},{space}")))
            }),
            (prop::collection::vec(("[a-c$]{1,2}", inner), 0..4), space()).prop_map(|(fields, space)| {
                let fields: Vec<String> = fields
                    .into_iter()
                    .map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}{space}"))
                    .collect();
                format!("{{{space}{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn both_ways_lead_to_the_same_row(
        fields in prop::collection::vec((prop_oneof![
            Just("level"), Just("severity"), Just("ts"), Just("timestamp"), Just("status"), Just("duration_ms"),
            Just("tags"), Just("metadata"), Just("x"), Just("y"), Just("user_id"), Just("trace_id"), Just("component"),
            Just("host"), Just("msg"), Just("stack_trace"),
        ], json()), 0..6),
        level in prop_oneof![Just("info"), Just("ERROR"), Just("40"), Just("odd")],
    ) {
        let mut text = format!("{{\"service\":\"api\",\"message\":\"m\",\"log_level\":\"{level}\"");
        for (name, value) in fields {
            write!(text, ",\"{name}\":{value}").unwrap();
        }
        text.push('}');
        if serde_json::from_str::<Value>(&text).is_ok() {
            check(&text);
        } else {
            prop_assert!(Plain::read(text.as_bytes()).is_none(), "{text} is no JSON");
        }
    }
}
