use proptest::prelude::*;
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::engine::{
    block::rows::{self, Encoder},
    record::{
        model::SourceType,
        normalise::{Context, RawRecord, normalise},
        timestamp::Timestamp,
    },
    triage::Windows,
};

const NOW: Timestamp = Timestamp::from_ms(1_763_682_436_123);

fn pipeline(settings: Value) -> Pipeline {
    Pipeline::new(&serde_json::from_value(settings).unwrap(), [7; 32])
        .unwrap_or_else(|error| panic!("{error}"))
}

fn context(pipeline: &Pipeline, with: impl FnOnce(&Context<'_>)) {
    with(&Context {
        received_at: NOW,
        max_age_ms: &|_| 1_000_000_000,
        source: SourceType::Http,
        level_in: &|message| pipeline.level_in(message),
    });
}

fn counted(windows: &mut Windows, seen: &Observation) -> u32 {
    windows.count(&seen.rule, &seen.key, seen.window_s, (1, seen.value), seen.threshold, 0)
}

/// What is stored of a record that goes the long way.
fn passed(pipeline: &Pipeline, json: &str, options: Options<'_>) -> (Value, Passed) {
    let mut all = None;
    context(pipeline, |context| {
        let Ok(Value::Object(fields)) = serde_json::from_str(json) else { panic!("{json}") };
        let raw = RawRecord { fields, size_bytes: json.len() };
        let mut record =
            normalise(raw, Uuid::from_u128(7), context).unwrap_or_else(|why| panic!("{json}: {why}"));
        let mut windows = Windows::default();
        let passed = pipeline.pass(&mut record, options, &mut |seen| counted(&mut windows, &seen)).unwrap();
        all = Some((serde_json::to_value(&record).unwrap(), passed));
    });
    all.unwrap()
}

const PLAINLY: Options<'static> = Options { client: None, redact: true };

/// Whether a record goes the quick way; it is stored the same by either.
fn is_plain(pipeline: &Pipeline, json: &str, options: Options<'_>) -> bool {
    let Some(plain) = Plain::read(json.as_bytes()) else { return false };
    let Some(way) = pipeline.plain(&plain, options) else { return false };
    let mut rows = Encoder::default();
    let mut written = None;
    let message = plain.text("message").filter(|_| pipeline.steps.patterns);
    let pattern = message.map(|message| pattern_of(&message));
    let added = Additions { pattern, ..way.additions() };
    context(pipeline, |context| {
        written = rows.push_values(Uuid::from_u128(7), NOW, |row| plain.write(context, &added, row));
    });
    if written.is_none() {
        return false;
    }
    let [block] = &rows.finish()[..] else { panic!("one block") };
    let packed = rows::unpack(block.codec, &block.bytes).unwrap();
    let mut buffer = Vec::new();
    let row = packed.rows().next().unwrap().read(&mut buffer).line;
    let mut windows = Windows::default();
    let told = way.pass(&mut |seen| counted(&mut windows, &seen));
    let (record, passed) = passed(pipeline, json, options);
    assert_eq!(serde_json::from_slice::<Value>(row).unwrap(), record, "{json}");
    assert_eq!(str::from_utf8(row).unwrap(), record.to_string(), "{json}");
    assert_eq!((way.class, passed.dropped), (passed.class, false), "{json}");
    assert!(passed.redactions.is_empty() && passed.attacks.is_empty(), "{json}: {passed:?}");
    let told = told.unwrap_or_else(|| Passed::untouched(way.class));
    assert_eq!((told.held, told.fired), (passed.held, passed.fired), "{json}");
    let message = plain.text("message").unwrap();
    let (level, category) = (way.level(), way.category());
    assert_eq!(
        (level.as_str(), category, &*message),
        (record["level"].as_str().unwrap(), record["category"].as_str(), record["message"].as_str().unwrap()),
        "{json}"
    );
    true
}

#[test]
fn a_record_with_nothing_to_do_goes_the_quick_way_and_is_the_same() {
    let client = Client::new(Some("AT"), Some("VIE"), Some(64_512), Some("curl/8.5.0")).unwrap();
    let everybody = pipeline(json!({}));
    let strict = pipeline(
        json!({"rules": [{"name": "r", "when": "service:shop AND level:WARN", "then": [{"action": "drop"}]}]}),
    );
    for (json, quick) in [
        (r#"{"service":"api","message":"request completed status=200 duration=15ms","level":"INFO"}"#, true),
        (r#"{"service":"api","message":"m","endpoint":"/users/123?x=1","env":"production"}"#, true),
        (r#"{"service":"api","message":"m","endpoint":"/users/7/\"x\""}"#, false),
        (
            r#"{"service":"api","message":"deployed \"v2\"\nto all","level":"WARN","component":"deployer"}"#,
            true,
        ),
        (r#"{"service":"api","message":"WARN disk is nearly full"}"#, true),
        (r#"{"service":"api","message":"m","env":"prod"}"#, false),
        (r#"{"service":"api","message":"m","component":"Order Service"}"#, false),
        (r#"{"service":"api","message":"of jane@home.example"}"#, false),
        (r#"{"service":"api","message":"m","metadata":{"password":"x1y2z3w4"}}"#, false),
        (r#"{"service":"api","message":"q=1' UNION SELECT a FROM b--"}"#, false),
        (r#"{"service":"api","message":"Failed password for root from 192.0.2.1 port 22 ssh2"}"#, false),
        (r#"{"service":"api","message":"a=1 b=2"}"#, false),
        (r#"{"service":"api","message":"{\"a\":1,\"b\":2}"}"#, false),
        (r#"{"service":"api","message":"m","level":"ERROR"}"#, true),
        (r#"{"service":"api","message":"m","level":"CRITICAL","category":"x"}"#, true),
        (r#"{"service":"api","message":"m","path":"/users/7","x":{"path":1}}"#, true),
        (r#"{"service":"api","message":"m","endpoint":"/users/7","metadata":{"path":"p"}}"#, false),
        (r#"{"service":"api","message":"paid","category":"Billing"}"#, true),
    ] {
        assert_eq!(is_plain(&everybody, json, PLAINLY), quick, "{json}");
        is_plain(&everybody, json, Options { client: Some(&client), redact: true });
        is_plain(&strict, json, PLAINLY);
    }
    let shop = r#"{"service":"shop","message":"m","level":"WARN"}"#;
    assert!(is_plain(&everybody, shop, PLAINLY));
    assert!(!is_plain(&strict, shop, PLAINLY));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_goes_the_quick_way_is_the_same(
        message in "[ -~]{1,40}|(GET|POST) /[a-z]{1,6}/[0-9]{1,6} [0-9]{3}|(user|order) [a-z]{3,8} (failed|paid|timeout)",
        endpoint in "/[a-z0-9/.?=%-]{0,24}",
        level in prop_oneof![Just("DEBUG"), Just("INFO"), Just("WARN"), Just("ERROR"), Just("CRITICAL")],
        extra in "[a-z]{1,8}",
        value in "[ -~]{0,16}",
        steps in any::<[bool; 3]>(),
    ) {
        let [enrichment, attacks, patterns] = steps;
        let steps = json!({"enrichment": enrichment, "attacks": attacks, "patterns": patterns});
        let everybody = pipeline(json!({"steps": steps}));
        let json = json!({
            "service": "api", "message": message, "endpoint": endpoint, "level": level, "component": "router",
            "metadata": {extra: value},
        });
        is_plain(&everybody, &json.to_string(), PLAINLY);
    }
}

#[test]
fn a_record_is_enriched_redacted_and_classed() {
    let own = pipeline(json!({"redaction": {"kinds": {"email": "tokenize"}}}));
    let (record, passed) = passed(
        &own,
        &json!({
            "service": "web", "env": "PRD",
            "message": "203.0.113.9 - - [10/Oct/2026:13:55:36 +0000] \"GET /users/7/orders?mail=jane@home.example HTTP/1.1\" 500 2326 \"-\" \"curl/8.5.0\"",
        })
        .to_string(),
        PLAINLY,
    );
    assert_eq!((&record["method"], &record["endpoint"]), (&json!("GET"), &json!("/users/{id}/orders")));
    assert_eq!((&record["status"], &record["environment"]), (&json!(500), &json!("production")));
    assert_eq!(record["metadata"]["user_agent_family"], "curl");
    assert!(!record.to_string().contains("jane"), "{record}");
    assert!(record["message"].as_str().unwrap().contains("[EMAIL:"), "{record}");
    assert!(passed.redactions.iter().any(|one| one.kind == "email" && one.field == "message"), "{passed:?}");
    assert_eq!(passed.class, Class::Standard);
}

#[test]
fn a_step_that_is_off_leaves_a_record_as_it_was_sent() {
    let sent = json!({
        "service": "web", "env": "PRD", "endpoint": "/users/7", "message": "WARN GET /?q=1%27%20UNION%20SELECT%20card%20FROM%20users--",
    });
    let off = |steps: Value| passed(&pipeline(json!({ "steps": steps })), &sent.to_string(), PLAINLY).0;
    let none = off(json!({"enrichment": false, "attacks": false, "patterns": false}));
    assert_eq!((&none["environment"], &none["endpoint"]), (&json!("PRD"), &json!("/users/7")));
    assert_eq!(none["level"], "INFO");
    assert!(["tags", "category", "pattern_id"].iter().all(|name| none.get(name).is_none()), "{none}");
    let no_attacks = off(json!({"attacks": false}));
    assert_eq!((no_attacks.get("tags"), &no_attacks["level"]), (None, &json!("WARN")));
    assert!(no_attacks["pattern_id"].is_string(), "{no_attacks}");
    let only_attacks = off(json!({"enrichment": false, "patterns": false}));
    assert_eq!(
        (&only_attacks["tags"], &only_attacks["category"]),
        (&json!(["attack:sqli"]), &json!("security"))
    );
    let plain = r#"{"service":"api","message":"of jane@home.example","env":"prod"}"#;
    let nothing = json!({
        "steps": {"enrichment": false, "attacks": false, "patterns": false}, "redaction": {"enabled": false},
    });
    assert!(is_plain(&pipeline(nothing), plain, PLAINLY));
}

#[test]
fn an_attack_is_tagged_before_its_text_is_redacted() {
    let everybody = pipeline(json!({}));
    for (message, endpoint) in [
        ("GET /?q=1%27%20UNION%20SELECT%20card%20FROM%20users-- of jane@home.example", None),
        ("m", Some("/search?q=<script>alert(1)</script>")),
    ] {
        let json = json!({"service": "web", "message": message, "endpoint": endpoint}).to_string();
        let (record, passed) = passed(&everybody, &json, PLAINLY);
        assert!(record["tags"][0].as_str().unwrap().starts_with("attack:"), "{record}");
        assert_eq!((&record["category"], passed.class), (&json!("security"), Class::Security));
        assert!(passed.held.contains(&"security-incident".to_owned()), "{passed:?}");
    }
}

#[test]
fn what_is_not_redacted_is_as_it_was_sent() {
    let everybody = pipeline(json!({}));
    let json = r#"{"service":"web","message":"of jane@home.example","metadata":{"password":"hunter2x"}}"#;
    let (record, passed) = passed(&everybody, json, Options { client: None, redact: false });
    assert_eq!(
        (&record["message"], &record["metadata"]["password"]),
        (&json!("of jane@home.example"), &json!("hunter2x"))
    );
    assert!(passed.redactions.is_empty());
}

#[test]
fn alike_events_are_one() {
    let everybody = pipeline(json!({}));
    let mut effects = Effects::default();
    for message in ["disk is gone", "disk is gone again"] {
        let json = json!({"service": "db", "level": "CRITICAL", "message": message}).to_string();
        let (record, passed) = passed(&everybody, &json, PLAINLY);
        let record: Record = serde_json::from_value(record).unwrap();
        effects.note(&record, &passed);
    }
    let events: Vec<&Event> = effects.events.values().collect();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].rule.as_str(), events[0].count, events[0].message.as_str()),
        ("critical", 2, "disk is gone")
    );
    assert_eq!(effects.held.get("critical"), Some(&2));
    let mut more = Effects::default();
    more.merge(effects.clone());
    more.merge(effects);
    assert_eq!(more.events.values().next().unwrap().count, 4);
}

#[test]
fn what_the_platform_does_not_tell_is_left_out() {
    assert_eq!(Client::new(None, None, None, Some("curl/8")), None);
    let client = Client::new(Some("AT\""), Some("VIE"), None, None).unwrap();
    assert_eq!(client.value(), json!({"colo": "VIE"}));
}
