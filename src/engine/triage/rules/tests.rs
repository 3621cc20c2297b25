use serde_json::{Value, json};

use super::*;
use crate::engine::{record::timestamp::Timestamp, triage::Windows};

fn record(fields: &Value) -> Record {
    let mut record = json!({
        "id": "019aa3a8-0e00-7000-8000-000000000000", "timestamp": "2025-11-21T00:00:00Z",
        "received_at": "2025-11-21T00:00:00Z", "service": "api", "level": "INFO", "message": "m",
    });
    for (name, value) in fields.as_object().unwrap() {
        record[name] = value.clone();
    }
    serde_json::from_value(record).unwrap()
}

fn rules(own: &[Value]) -> Result<Rules, Refused> {
    let own: Vec<Rule> = own
        .iter()
        .map(|rule| {
            let mut rule = rule.clone();
            let defaults =
                json!({"name": "r", "when": "service:api", "then": [{"action": "tag", "tag": "t"}]});
            for (name, value) in defaults.as_object().unwrap() {
                rule.as_object_mut().unwrap().entry(name).or_insert_with(|| value.clone());
            }
            serde_json::from_value(rule).unwrap_or_else(|error| panic!("{error}"))
        })
        .collect();
    Rules::new(&own)
}

/// What rules do with a record: the actions that fired, and the record then.
fn run(own: &[Value], fields: &Value) -> (Vec<String>, Record, Triaged) {
    let mut record = record(fields);
    let mut windows = Windows::default();
    let mut count = |seen: Observation| {
        windows.count(&seen.rule, &seen.key, seen.window_s, (1, seen.value), seen.threshold, 0)
    };
    let triaged = rules(own).unwrap().triage(&mut record, None, &mut count).unwrap();
    let fired = triaged.fired.iter().map(|fired| format!("{} {}", fired.rule, fired.action.name())).collect();
    (fired, record, triaged)
}

#[test]
fn a_rule_holds_for_what_its_expression_says() {
    for (when, fields, held) in [
        ("service:api", json!({}), true),
        ("service:web", json!({}), false),
        ("level:>=WARN", json!({}), false),
        ("timeout", json!({"message": "a timeout occurred"}), true),
        ("NOT timeout", json!({"message": "a timeout occurred"}), false),
        ("metadata.http.status:>=500", json!({"metadata": {"http": {"status": 503}}}), true),
        ("tags:paid AND user_id:*", json!({"tags": ["x", "paid"], "user_id": "u"}), true),
        ("tags:paid", json!({}), false),
        ("status:404 OR duration_ms:>100", json!({"duration_ms": 101.5}), true),
        ("component:*", json!({}), false),
        ("message:/pay(ment|pal)/", json!({"message": "paypal"}), true),
    ] {
        let (fired, _, _) = run(&[json!({ "when": when })], &fields);
        assert_eq!(fired.contains(&"r tag".to_owned()), held, "{when} of {fields}");
    }
}

#[test]
fn what_a_quick_look_says_is_what_comes_of_it() {
    let alert = json!([{"action": "alert"}]);
    let own = [
        json!({"name": "a", "when": "service:web AND timeout"}),
        json!({"name": "b", "when": "NOT level:INFO AND component:*"}),
        json!({"name": "c", "when": "category:billing OR endpoint:\"/pay/x\""}),
        json!({"name": "d", "when": "metadata.x:1 AND service:db"}),
        json!({"name": "told", "when": "host:h", "then": alert}),
        json!({"name": "last", "when": "host:s", "then": alert, "stop": true}),
        json!({"name": "by-host", "when": "host:n", "then": alert, "window": 60, "threshold": 1, "group_by": ["host", "service"]}),
        json!({"name": "by-user", "when": "host:u", "then": alert, "window": 60, "threshold": 1, "group_by": ["user_id"]}),
        json!({"name": "distinct", "when": "host:d", "then": alert, "window": 60, "threshold": 1, "distinct": "user_id"}),
        json!({"name": "often", "when": "host:o", "then": alert, "window": 60, "threshold": 2}),
    ];
    let rules = rules(&own).unwrap();
    for (fields, holding) in [
        (json!({}), Some(vec![])),
        (json!({"service": "web"}), None),
        (json!({"service": "db"}), None),
        (json!({"level": "WARN"}), Some(vec![])),
        (json!({"level": "WARN", "component": "c"}), None),
        (json!({"category": "billing"}), None),
        (json!({"endpoint": "/pay/x"}), None),
        (json!({"endpoint": "/x"}), Some(vec![])),
        (json!({"level": "CRITICAL"}), Some(vec!["critical", "error-burst"])),
        (json!({"level": "ERROR"}), Some(vec!["error-burst"])),
        (json!({"host": "h", "level": "ERROR"}), Some(vec!["told", "error-burst"])),
        (json!({"host": "s"}), None),
        (json!({"host": "n"}), Some(vec!["by-host"])),
        (json!({"host": "u"}), None),
        (json!({"host": "d"}), None),
        (json!({"host": "o"}), Some(vec!["often"])),
    ] {
        let mut record = record(&fields);
        // Whoever asks may not know the message.
        let known = |name: &str| if name == "message" { None } else { of_record(&record, name) };
        let found = rules.holding(&known);
        let names = |all: &Vec<Holding<'_>>| -> Vec<String> {
            all.iter().map(|one| one.one.rule.name.clone()).collect()
        };
        assert_eq!(
            found.as_ref().map(names),
            holding.map(|all| all.into_iter().map(str::to_owned).collect()),
            "{fields}"
        );
        let Some(found) = found else { continue };
        let (mut quick, mut counted) = (Triaged::default(), Vec::new());
        let mut times = |observed: Observation| {
            counted.push(observed);
            1
        };
        for one in &found {
            one.count(&mut quick, &mut times);
        }
        let mut also_counted = Vec::new();
        let mut times = |observed: Observation| {
            also_counted.push(observed);
            1
        };
        assert_eq!(rules.triage(&mut record, None, &mut times).unwrap(), quick, "{fields}");
        assert_eq!(also_counted, counted, "{fields}");
    }
}

#[test]
fn rules_are_asked_in_their_order_until_one_stops() {
    let own = [
        json!({"name": "first", "then": [{"action": "set_category", "category": "billing"}, {"action": "set_level", "level": "ERROR"}]}),
        json!({"name": "second", "when": "category:billing", "then": [{"action": "route_class", "class": "audit"}], "stop": true}),
        json!({"name": "third"}),
    ];
    let (fired, record, triaged) = run(&own, &json!({}));
    assert_eq!(fired, ["first set_category", "first set_level", "second route_class"]);
    assert_eq!((record.level, record.fields.category.as_deref()), (Level::Error, Some("billing")));
    assert_eq!((triaged.class, triaged.dropped), (Some(Class::Audit), false));
    // Without the stop the built-in rule for payments sees what the first has made of it.
    let (fired, _, _) = run(&own[..1], &json!({}));
    assert_eq!(fired, ["first set_category", "first set_level", "payment-failure alert"]);
}

#[test]
fn what_is_dropped_is_dropped_at_once() {
    let own = [
        json!({"name": "noise", "when": "level:DEBUG", "then": [{"action": "drop"}]}),
        json!({"name": "later"}),
    ];
    let (fired, _, triaged) = run(&own, &json!({"level": "DEBUG"}));
    assert_eq!((fired, triaged.dropped), (vec!["noise drop".to_owned()], true));
    assert!(!run(&own, &json!({})).2.dropped);
}

#[test]
fn errors_are_not_sampled_unless_a_rule_says_so() {
    let sample =
        |errors: bool| json!({"then": [{"action": "sample", "one_in": 1_000_000, "errors": errors}]});
    let check = |errors, fields: Value, rate, dropped| {
        let (_, record, triaged) = run(&[sample(errors)], &fields);
        assert_eq!((record.fields.sample_rate, triaged.dropped), (rate, dropped), "{fields}");
    };
    let odd = "4bf92f3577b34da6a3ce929d0e0e4736";
    check(false, json!({"trace_id": odd}), Some(1_000_000), true);
    check(false, json!({"trace_id": odd, "level": "ERROR"}), None, false);
    check(true, json!({"trace_id": odd, "level": "ERROR"}), Some(1_000_000), true);
}

#[test]
fn a_trace_is_kept_or_dropped_whole_and_the_first_sampling_decides() {
    let own = [
        json!({"name": "a", "then": [{"action": "sample", "one_in": 4}]}),
        json!({"name": "b", "then": [{"action": "sample", "one_in": 4}]}),
    ];
    let mut kept = 0;
    for trace in 0..400 {
        let outcomes: Vec<bool> = (0..3)
            .map(|nth| {
                let fields = json!({"trace_id": format!("trace-{trace}"), "message": format!("m {nth}")});
                let (_, record, triaged) = run(&own, &fields);
                assert_eq!(record.fields.sample_rate, Some(4));
                triaged.dropped
            })
            .collect();
        assert!(outcomes.iter().all(|one| *one == outcomes[0]), "trace {trace} is torn");
        kept += usize::from(!outcomes[0]);
    }
    assert!((60..140).contains(&kept), "{kept} of 400 traces");
    // One that stands for ten already stands for forty.
    let (_, record, _) = run(&own, &json!({"sample_rate": 10}));
    assert_eq!(record.fields.sample_rate, Some(40));
}

#[test]
fn a_window_counts_each_kind_by_itself() {
    let own = [json!({
        "name": "w", "when": "level:WARN", "window": "1m", "threshold": 3, "group_by": ["metadata.ip", "service"],
        "then": [{"action": "tag", "tag": "many"}],
    })];
    let rules = rules(&own).unwrap();
    let mut windows = Windows::default();
    let mut tags = Vec::new();
    for (ip, service) in [("a", "x"), ("b", "y"), ("a", "z"), ("a", "q"), ("b", "x")] {
        let fields = json!({"level": "WARN", "service": service, "metadata": {"ip": ip}});
        let mut record = record(&fields);
        let mut count = |seen: Observation| {
            assert_eq!((seen.window_s, seen.threshold), (60, 3));
            windows.count(&seen.rule, &seen.key, seen.window_s, (1, seen.value), seen.threshold, 5)
        };
        let triaged = rules.triage(&mut record, None, &mut count).unwrap();
        tags.push(triaged.fired.first().and_then(|fired| fired.key.clone()));
    }
    assert_eq!(tags, [None, None, None, Some("metadata.ip=a".to_owned()), None]);
}

#[test]
fn failed_logins_of_one_address_and_of_one_user_are_counted() {
    let rules = rules(&[]).unwrap();
    let mut windows = Windows::default();
    let mut attempt = |address: &str, user: &str| {
        let mut record = record(&json!({"tags": ["auth:failure"]}));
        let login = Login {
            address: Some(Counted::new(address, Some(address.to_owned()), "")),
            user: Some(Counted::new(user, Some("[EMAIL]".to_owned()), "")),
        };
        let mut count = |seen: Observation| {
            windows.count(&seen.rule, &seen.key, seen.window_s, (1, seen.value), seen.threshold, 0)
        };
        rules.triage(&mut record, Some(&login), &mut count).unwrap();
        record.fields.tags.retain(|tag| tag.starts_with("attack:"));
        record.fields.tags
    };
    for _ in 0..9 {
        assert!(attempt("192.0.2.1", "a@x.example").is_empty());
    }
    assert_eq!(attempt("192.0.2.2", "a@x.example"), ["attack:brute_force"]);
    for nth in 0..9 {
        assert!(attempt("192.0.2.9", &format!("user-{nth}")).is_empty());
    }
    assert_eq!(attempt("192.0.2.9", "user-9"), ["attack:brute_force", "attack:credential_stuffing"]);
}

#[test]
fn a_built_in_rule_can_be_switched_off_and_set_anew() {
    let critical = json!({"level": "CRITICAL"});
    assert_eq!(run(&[], &critical).0, ["critical alert"]);
    let off = json!({"name": "critical", "enabled": false});
    assert!(run(&[off], &critical).0.is_empty());
    let other = json!({"name": "critical", "when": "level:CRITICAL", "then": [{"action": "notify", "channel": "ops"}]});
    assert_eq!(run(&[other, json!({"name": "mine"})], &critical).0, ["mine tag", "critical notify"]);
}

#[test]
fn a_wrong_rule_is_refused_by_its_field() {
    let many: Vec<Value> = (0..21).map(|nth| json!({"name": format!("r{nth}"), "when": "/a+b/"})).collect();
    assert_eq!(rules(&many).map(|_| ()).map_err(|refused| refused.field), Err("when".to_owned()));
    for (rule, field) in [
        (json!({"name": ""}), "name"),
        (json!({"name": "a b"}), "name"),
        (json!({"when": "level:"}), "when"),
        (json!({"when": "level:loud"}), "when"),
        (json!({"then": []}), "then"),
        (json!({"then": [{"action": "tag", "tag": ""}]}), "then[0].tag"),
        (json!({"then": [{"action": "sample", "one_in": 1}]}), "then[0].one_in"),
        (
            json!({"then": [{"action": "drop"}, {"action": "webhook", "url": "http://a.example"}]}),
            "then[1].url",
        ),
        (json!({"window": 60}), "threshold"),
        (json!({"threshold": 5}), "window"),
        (json!({"window": 3_601, "threshold": 5}), "window"),
        (json!({"window": "5m", "threshold": 0}), "threshold"),
        (json!({"group_by": ["service"]}), "group_by"),
        (json!({"distinct": "user_id"}), "distinct"),
    ] {
        assert_eq!(
            rules(std::slice::from_ref(&rule)).map(|_| ()).map_err(|refused| refused.field),
            Err(field.to_owned()),
            "{rule}"
        );
    }
    let twice = [json!({"name": "a"}), json!({"name": "a"})];
    assert_eq!(rules(&twice).map(|_| ()).map_err(|refused| refused.field), Err("name".to_owned()));
}

#[test]
fn a_rule_is_kept_as_it_was_sent() {
    let rule = json!({
        "name": "r", "when": "a", "window": 300, "threshold": 2, "then": [
            {"action": "tag", "tag": "t"}, {"action": "drop"}, {"action": "sample", "one_in": 3},
            {"action": "alert", "severity": "high", "title": "x"}, {"action": "route_class", "class": "financial"},
        ], "stop": true, "enabled": false,
    });
    let read: Rule = serde_json::from_value(rule.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), rule);
    assert_eq!(record(&json!({})).timestamp, Timestamp::parse_text("2025-11-21T00:00:00Z").unwrap());
}
