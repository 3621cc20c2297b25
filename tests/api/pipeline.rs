//! What a record passes before it is stored, and what is set off by it.

use axum::{body::Body, http::Method};
use serde_json::{Value, json};

use super::{Answer, MANY, NOW_MS, ONE, Service, access::unlimited, compaction::entries};

async fn dry(service: &Service, record: Value) -> Value {
    let answer = service.post("/logs?dry_run=true", &record).await.ok();
    assert_eq!((&answer["accepted"], &answer["rejected"]), (&json!(1), &json!([])), "{answer}");
    answer["logs"][0].clone()
}

async fn delete(service: &Service, uri: &str) -> Answer {
    service.call(Method::DELETE, uri, &[], Body::empty()).await
}

#[tokio::test]
async fn a_dry_run_stores_nothing_and_shows_what_would_be() {
    let service = unlimited();
    let record = json!({
        "service": "shop", "message": "card 4111 1111 1111 1111 of jane@home.example", "endpoint": "/users/123", "env": "prod",
    });
    for uri in ONE.into_iter().chain(MANY) {
        let body =
            if MANY.contains(&uri) { json!({"logs": [record, {"service": "shop"}]}) } else { record.clone() };
        let answer = service.post(&format!("{uri}?dry_run=true"), &body).await.ok();
        let log = &answer["logs"][0];
        assert_eq!(log["message"], "card [CREDIT_CARD] of [EMAIL]", "{uri}");
        assert_eq!((&log["endpoint"], &log["environment"]), (&json!("/users/{id}"), &json!("production")));
        assert_eq!(log["redactions"].as_array().unwrap().len(), 2, "{log}");
        assert_eq!(
            (&log["tags"], &log["triage"], &log["retention_class"]),
            (&json!([]), &json!([]), &json!("standard"))
        );
        assert_eq!(
            answer["rejected"].as_array().unwrap().len(),
            usize::from(MANY.contains(&uri)),
            "{answer}"
        );
    }
    assert_eq!(service.counts().await.len(), 0);
    assert_eq!(service.world.calls("shards.append"), 0);
    for wrong in ["dry_run=yes", "dry_run=", "dryrun=true"] {
        assert_eq!(service.post(&format!("/logs?{wrong}"), &record).await.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn what_is_stored_is_what_a_dry_run_shows() {
    let service = unlimited();
    for record in [
        json!({"service": "a", "message": "a plain one", "level": "WARN", "endpoint": "/x/1"}),
        json!({"service": "a", "message": "key AKIA4XZQ7PLM2WNB3KTD", "metadata": {"password": "hunter2x", "ok": true}}),
        json!({"service": "a", "message": "lvl=warn msg=hello user=bob"}),
    ] {
        let mut shown = dry(&service, record.clone()).await;
        let id = service.store(&record).await;
        let stored = service.get(&format!("/api/v1/logs/{id}")).await.ok();
        for name in ["redactions", "attacks", "triage", "retention_class"] {
            shown.as_object_mut().unwrap().remove(name);
        }
        let same = |log: &Value| {
            let mut log = log.clone();
            for name in ["id", "timestamp", "received_at", "r2_key", "pattern"] {
                log.as_object_mut().unwrap().remove(name);
            }
            if log["tags"] == json!([]) {
                log.as_object_mut().unwrap().remove("tags");
            }
            log
        };
        assert_eq!(same(&shown), same(&stored));
    }
}

#[tokio::test]
async fn steps_are_switched_off_and_on_again() {
    let service = unlimited();
    let on = json!({"enrichment": true, "attacks": true, "patterns": true});
    assert_eq!(service.get("/admin/pipeline").await.ok(), on);
    let record = json!({"service": "a", "message": "WARN GET /?q=1%27%20UNION%20SELECT%20card%20FROM%20users--", "env": "prod"});
    let set = service.put("/admin/pipeline", &json!({"enrichment": false, "patterns": false})).await.ok();
    assert_eq!(set, json!({"enrichment": false, "attacks": true, "patterns": false}));
    let id = service.store(&record).await;
    let stored = service.get(&format!("/api/v1/logs/{id}")).await.ok();
    assert_eq!((&stored["environment"], &stored["level"]), (&json!("prod"), &json!("INFO")), "{stored}");
    assert_eq!((&stored["tags"], stored.get("pattern_id")), (&json!(["attack:sqli"]), None), "{stored}");
    assert_eq!(service.put("/admin/pipeline", &json!({})).await.ok(), on);
    let log = dry(&service, record).await;
    assert_eq!((&log["environment"], &log["level"]), (&json!("production"), &json!("WARN")), "{log}");
    for (body, code) in
        [(json!({"redaction": false}), "unknown_field"), (json!({"attacks": 1}), "invalid_value")]
    {
        let answer = service.put("/admin/pipeline", &body).await;
        assert_eq!((answer.status.as_u16(), answer.error().1), (400, code.to_owned()), "{body}");
    }
}

#[tokio::test]
async fn redaction_is_skipped_by_who_may_and_written_down() {
    let service = unlimited();
    let record = json!({"service": "shop", "message": "of jane@home.example"});
    let operator = service.key_of_role("operator").await;
    let ingest = service.key_of_role("ingest").await;
    let uri = "/logs?redact=false";
    assert_eq!(service.post_as(&ingest, uri, &record).await.status, 403);
    let id = service.post_as(&operator, uri, &record).await.ok()["id"].as_str().unwrap().to_owned();
    assert_eq!(service.get(&format!("/api/v1/logs/{id}")).await.ok()["message"], "of jane@home.example");
    service.world.background.settle().await;
    let audit = service.get("/admin/audit?q=component:unredacted").await.ok();
    assert_eq!(audit["data"].as_array().unwrap().len(), 1, "{audit}");
}

#[tokio::test]
async fn a_tenants_policy_is_set_tried_and_followed() {
    let service = unlimited();
    for (policy, code) in [
        (json!({"kinds": {"emial": "mask"}}), "invalid_value"),
        (json!({"kind": {}}), "unknown_field"),
        (json!({"custom": [{"name": "x_id", "pattern": "(", "strategy": "mask"}]}), "invalid_value"),
        (json!({"custom": [{"name": "x_id", "pattern": "a*", "strategy": "mask"}]}), "invalid_value"),
    ] {
        let answer = service.put("/admin/redaction", &policy).await;
        assert_eq!((answer.status.as_u16(), answer.error().1), (400, code.to_owned()), "{policy}");
    }
    let policy = json!({
        "kinds": {"email": "tokenize", "ipv4": "partial"}, "fields": {"metadata.note": "drop"},
        "custom": [{"name": "employee_id", "pattern": "EMP-\\d{6}", "strategy": "mask"}], "allow": ["@ours.example"],
    });
    service.put("/admin/redaction", &policy).await.ok();
    let read = service.get("/admin/redaction").await.ok();
    assert_eq!((&read["kinds"], &read["allow"]), (&policy["kinds"], &policy["allow"]));
    let log = dry(
        &service,
        json!({
            "service": "a", "message": "jane@home.example wrote to jane@home.example and me@ours.example about EMP-123456",
            "metadata": {"note": "x", "other": "y"},
        }),
    )
    .await;
    let message = log["message"].as_str().unwrap();
    let tokens: Vec<&str> = message.split(' ').filter(|word| word.starts_with("[EMAIL:")).collect();
    assert_eq!((tokens.len(), tokens.first() == tokens.last()), (2, true), "{message}");
    assert!(message.ends_with("me@ours.example about [EMPLOYEE_ID]"), "{message}");
    assert_eq!(log["metadata"], json!({"other": "y"}));
    // Another tenant's tokens are others, and its policy is its own.
    let other = service.tenant("aaa").await;
    let record = json!({"service": "a", "message": "jane@home.example about EMP-123456"});
    let answer = service.post_as(&other, "/logs?dry_run=true", &record).await.ok();
    assert_eq!(answer["logs"][0]["message"], "[EMAIL] about EMP-123456");
    let preview = json!({"texts": ["a@b.example", "EMP-123456"], "policy": {"kinds": {"email": "keep"}}});
    let shown = service.post("/admin/redaction/preview", &preview).await.ok();
    assert_eq!(
        (&shown["data"][0]["text"], &shown["data"][1]["text"]),
        (&json!("a@b.example"), &json!("EMP-123456"))
    );
}

#[tokio::test]
async fn a_rule_drops_samples_tags_and_routes() {
    let service = unlimited();
    for rule in [
        json!({"name": "noise", "when": "level:DEBUG AND healthcheck", "then": [{"action": "drop"}], "stop": true}),
        json!({"name": "few", "when": "component:cache", "then": [{"action": "sample", "one_in": 1_000_000}]}),
        json!({"name": "money", "when": "invoice", "then": [
            {"action": "tag", "tag": "money"}, {"action": "set_level", "level": "WARN"}, {"action": "route_class", "class": "audit"},
        ]}),
    ] {
        assert_eq!(service.post("/admin/rules", &rule).await.status, 201, "{rule}");
    }
    let records = json!({"logs": [
        {"service": "a", "level": "DEBUG", "message": "healthcheck ok"},
        {"service": "a", "message": "hit", "component": "cache", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"},
        {"service": "a", "message": "an invoice was sent"},
        {"service": "a"},
        {"service": "a", "message": "broken", "component": "cache", "level": "ERROR"},
    ]});
    let answer = service.post("/api/v1/logs/batch", &records).await.ok();
    assert_eq!((&answer["accepted"], &answer["dropped"]), (&json!(2), &json!(2)), "{answer}");
    assert_eq!(answer["rejected"][0]["index"], 3);
    let id = answer["ids"][0].as_str().unwrap();
    let log = service.get(&format!("/api/v1/logs/{id}")).await.ok();
    assert_eq!((&log["tags"], &log["level"]), (&json!(["money"]), &json!("WARN")));
    service.flush().await;
    let mut classes: Vec<String> =
        entries(&service).await.iter().map(|entry| entry.id.class.clone()).collect();
    classes.sort();
    assert_eq!(classes, ["audit", "standard"]);
    let one = service.post("/logs", &records["logs"][0]).await;
    assert_eq!((one.status.as_u16(), one.json()), (200, json!({"accepted": 0, "dropped": 1})));
    // Each rule is counted, dropped records and all.
    service.world.background.settle().await;
    for (rule, held) in [("noise", 2), ("few", 2), ("money", 1)] {
        assert_eq!(service.get(&format!("/admin/rules/{rule}")).await.ok()["held"], held, "{rule}");
    }
}

#[tokio::test]
async fn rules_are_administered_by_name_and_in_order() {
    let service = unlimited();
    let rule =
        |name: &str| json!({"name": name, "when": "service:a", "then": [{"action": "tag", "tag": name}]});
    for name in ["one", "two"] {
        service.post("/admin/rules", &rule(name)).await.ok();
    }
    assert_eq!(service.post("/admin/rules", &rule("one")).await.status, 409);
    service
        .put("/admin/rules/one", &json!({"when": "service:a", "then": [{"action": "tag", "tag": "uno"}]}))
        .await
        .ok();
    assert_eq!(service.put("/admin/rules/one", &rule("two")).await.error().2, Some("name".to_owned()));
    let names = |all: Value| -> Vec<String> {
        all["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = names(service.get("/admin/rules").await.ok());
    assert_eq!(all[..3], ["one", "two", "brute-force"]);
    assert_eq!(dry(&service, json!({"service": "a", "message": "m"})).await["tags"], json!(["uno", "two"]));
    delete(&service, "/admin/rules/one").await.ok();
    for (name, status) in [("one", 404), ("none", 404), ("critical", 409)] {
        assert_eq!(delete(&service, &format!("/admin/rules/{name}")).await.status, status, "{name}");
    }
    service
        .put(
            "/admin/rules/critical",
            &json!({"when": "level:CRITICAL", "then": [{"action": "drop"}], "enabled": false}),
        )
        .await
        .ok();
    let off = service.get("/admin/rules/critical").await.ok();
    assert_eq!((&off["enabled"], &off["built_in"]), (&json!(false), &json!(true)));
    delete(&service, "/admin/rules/critical").await.ok();
    assert_eq!(service.get("/admin/rules/critical").await.ok()["enabled"], true);
    for (wrong, field) in [
        (json!({"name": "x", "when": "level:loud", "then": [{"action": "drop"}]}), "when"),
        (json!({"name": "x", "when": "a", "then": [{"action": "explode"}]}), "then[0].action"),
        (json!({"name": "x", "when": "a"}), "then"),
        (json!({"name": "x", "when": "a", "then": [{"action": "drop"}], "colour": 1}), "colour"),
    ] {
        let answer = service.post("/admin/rules", &wrong).await;
        assert_eq!((answer.status.as_u16(), answer.error().2), (400, Some(field.to_owned())), "{wrong}");
    }
}

#[tokio::test]
async fn a_rule_is_tried_on_history_before_it_is_switched_on() {
    let service = unlimited();
    for n in 0..30 {
        service.store(&json!({"service": "a", "message": format!("m {n}"), "level": if n % 3 == 0 { "WARN" } else { "INFO" }, "timestamp": NOW_MS - 60_000 + n * 1_000})).await;
        if n == 15 {
            service.flush().await;
        }
    }
    let rule = json!({"name": "t", "when": "level:WARN", "window": 60, "threshold": 3, "then": [{"action": "drop"}]});
    for (last, tested, held) in [(1_000, 30, 8), (12, 12, 2), (1, 1, 0)] {
        let tried = service.post("/admin/rules/test", &json!({"rule": rule, "last": last})).await.ok();
        assert_eq!((&tried["tested"], &tried["held"]), (&json!(tested), &json!(held)), "{tried}");
    }
    assert_eq!(service.counts().await.len(), 30);
    let answer = service.post("/admin/rules/test", &json!({"rule": rule, "last": 0})).await;
    assert_eq!(answer.error().2, Some("last".to_owned()));
}

#[tokio::test]
async fn alike_events_are_one_row_and_isolates_share_their_windows() {
    let service = unlimited();
    let critical = json!({"service": "db", "level": "CRITICAL", "message": "disk is gone"});
    for _ in 0..5 {
        service.store(&critical).await;
        service.world.background.settle().await;
    }
    let events = service.get("/admin/events").await.ok();
    assert_eq!(events["data"].as_array().unwrap().len(), 1, "{events}");
    assert_eq!((&events["data"][0]["rule"], &events["data"][0]["count"]), (&json!("critical"), &json!(5)));
    // Two isolates see half of the failed logins each.
    let other = Service::on(&service.world, &[("RATE_LIMIT_ENABLED", "false")]);
    let failed =
        json!({"service": "sshd", "message": "Failed password for root from 198.51.100.7 port 22 ssh2"});
    let mut tagged = Vec::new();
    for n in 0..12 {
        let here = if n % 2 == 0 { &service } else { &other };
        let id = here.store(&failed).await;
        here.world.background.settle().await;
        let log = service.get(&format!("/api/v1/logs/{id}")).await.ok();
        tagged.push(log["tags"].as_array().unwrap().contains(&json!("attack:brute_force")));
    }
    assert_eq!(
        tagged,
        [[false; 11].as_slice(), &[true]].concat(),
        "an isolate hears of it with its next one"
    );
    service.world.turn_clock(400_000);
    let id = service.store(&failed).await;
    assert_eq!(service.get(&format!("/api/v1/logs/{id}")).await.ok()["tags"], json!(["auth:failure"]));
}

#[tokio::test]
async fn records_set_off_the_same_whichever_way_they_go() {
    let mut ways = Vec::new();
    // What is sent with a key for some services goes the long way.
    for services in [json!([]), json!(["shop", "db"])] {
        let service = unlimited();
        for rule in [
            json!({"name": "told", "when": "component:cart", "then": [{"action": "alert", "title": "A cart"}]}),
            json!({
                "name": "by-endpoint", "when": "level:>=ERROR", "window": 60, "threshold": 10,
                "group_by": ["endpoint", "service", "message"], "then": [{"action": "alert"}],
            }),
        ] {
            assert_eq!(service.post("/admin/rules", &rule).await.status, 201, "{rule}");
        }
        let mut wanted = json!({"name": "k", "role": "ingest"});
        if services != json!([]) {
            wanted["services"] = services;
        }
        let key = service.key(&wanted).await.1;
        let logs: Vec<Value> = (0..240)
            .map(|n| {
                let (service, level) = (["shop", "db"][n % 2], ["ERROR", "WARN", "CRITICAL", "ERROR"][n / 2 % 4]);
                let (endpoint, component) =
                    (["/pay", "/cart"][n / 3 % 2], if n % 7 == 0 { "cart" } else { "till" });
                let message = format!("said \"{}\"", n % 5);
                json!({
                    "service": service, "level": level, "message": message, "endpoint": endpoint, "component": component,
                })
            })
            .collect();
        let body = json!({ "logs": logs });
        let answer = service.post_as(&key, "/api/v1/logs/batch", &body).await.ok();
        assert_eq!(answer["accepted"], 240, "{answer}");
        service.world.background.settle().await;
        let mut events = service.get("/admin/events").await.ok()["data"].as_array().unwrap().clone();
        for event in &mut events {
            let id = event["log_id"].as_str().unwrap();
            let log = service.get(&format!("/api/v1/logs/{id}")).await.ok();
            assert_eq!(event["message"], log["message"], "{event}");
            event["log_id"] = json!(answer["ids"].as_array().unwrap().iter().position(|own| own == id));
        }
        events.sort_by_key(|event| event["id"].to_string());
        let mut held = Vec::new();
        for rule in ["told", "by-endpoint", "critical", "error-burst"] {
            held.push((rule, service.get(&format!("/admin/rules/{rule}")).await.ok()["held"].clone()));
        }
        ways.push((events, held));
    }
    let [(events, held), long] = &ways[..] else { panic!("two ways") };
    assert_eq!((events, held), (&long.0, &long.1));
    let of = |rule: &str| events.iter().filter(|event| event["rule"] == rule).count();
    // Each of either service, or of either endpoint, which is the first of its paths to have enough.
    let counts = ["told", "critical", "error-burst", "by-endpoint"].map(of);
    assert_eq!(counts, [2; 4], "{events:?}");
    assert_eq!(held[2], ("critical", json!(60)));
}

#[tokio::test]
async fn what_many_requests_observe_is_told_together() {
    let service = unlimited();
    let other = Service::on(&service.world, &[("RATE_LIMIT_ENABLED", "false")]);
    let failed = |n: usize| json!({"service": "sshd", "message": format!("Failed password for root from 198.51.100.{} port 22 ssh2", n % 2)});
    for round in 1..=2 {
        for n in 0..12 {
            service.store(&failed(n)).await;
        }
        service.world.background.settle().await;
        assert_eq!(service.world.calls("shards.observe"), round);
    }
    // Each was counted: 12 of either address are over the threshold for who has seen none.
    let mut tags = Vec::new();
    for _ in 0..2 {
        let id = other.store(&failed(0)).await;
        other.world.background.settle().await;
        tags = other.get(&format!("/api/v1/logs/{id}")).await.ok()["tags"].as_array().unwrap().clone();
    }
    assert!(tags.contains(&json!("attack:brute_force")), "{tags:?}");
}

#[tokio::test]
async fn retention_is_by_class_and_a_term_that_cannot_be_is_refused() {
    let service = unlimited();
    let all = service.get("/admin/retention").await.ok();
    assert_eq!(all["classes"]["debug"], json!({"hot_days": 14, "keep_days": 30}));
    assert_eq!(all["classes"]["audit"]["keep_days"], 396);
    for (wrong, field) in [
        (json!({"classes": {"audit": {"hot_days": 1, "keep_days": 100}}}), "classes.audit.keep_days"),
        (json!({"classes": {"gold": {"hot_days": 1, "keep_days": 100}}}), "classes"),
        (json!({"days": 1}), "days"),
    ] {
        let answer = service.put("/admin/retention", &wrong).await;
        assert_eq!((answer.status.as_u16(), answer.error().2), (400, Some(field.to_owned())), "{wrong}");
    }
    let own = json!({"classes": {"debug": {"hot_days": 1, "keep_days": 2}}, "by_category": {"database": "financial"}});
    service.put("/admin/retention", &own).await.ok();
    for (record, class) in [
        (json!({"service": "a", "message": "m", "level": "DEBUG"}), "debug"),
        (json!({"service": "a", "message": "m", "category": "database"}), "financial"),
        (json!({"service": "a", "message": "m", "category": "Security"}), "security"),
        (json!({"service": "a", "message": "m", "category": "audit", "level": "DEBUG"}), "audit"),
        (json!({"service": "a", "message": "m"}), "standard"),
    ] {
        assert_eq!(dry(&service, record.clone()).await["retention_class"], class, "{record}");
    }
    let old = json!({"service": "a", "message": "m", "level": "DEBUG", "timestamp": NOW_MS - 3 * 86_400_000});
    assert_eq!(service.post("/logs", &old).await.error().1, "timestamp_too_old");
    let financial = json!({"service": "a", "message": "m", "category": "billing", "timestamp": NOW_MS - 900 * 86_400_000});
    assert_eq!(service.post("/logs", &financial).await.status, 201);
}

#[tokio::test]
async fn who_is_shown_no_personal_data_cannot_find_it_either() {
    let service = unlimited();
    service.put("/admin/redaction", &json!({"kinds": {"personal": "keep"}})).await.ok();
    for (message, user) in
        [("mail to jane@home.example sent", "jane"), ("mail to bob@work.example sent", "bob")]
    {
        service.store(&json!({"service": "api", "message": message, "user_id": user, "metadata": {"ip": "192.0.2.7"}})).await;
    }
    let key = service.key_of_role("support").await;
    for flushed in [false, true] {
        if flushed {
            service.flush().await;
        }
        for (query, found) in [
            ("mail", 2),
            ("sent AND service:api", 2),
            ("jane", 0),
            ("\"jane@home.example\"", 0),
            ("user_id:jane", 0),
            ("NOT user_id:jane", 2),
            ("NOT jane", 2),
            ("user_id:j*", 0),
            ("message:/jane|bob/", 0),
            ("metadata.ip:\"192.0.2.7\"", 0),
            ("user_id:*", 2),
            ("user_id:>b", 0),
            ("user_id:jane OR user_id:\"[MASKED]\"", 2),
            ("jane OR EMAIL", 2),
            ("user_id:/MASKED|jane/", 2),
            ("user_id:*a*", 2),
        ] {
            let encoded = query
                .replace(' ', "%20")
                .replace('"', "%22")
                .replace('|', "%7C")
                .replace('[', "%5B")
                .replace(']', "%5D")
                .replace('>', "%3E");
            let page = service.get_as(&key, &format!("/logs?q={encoded}")).await.ok();
            assert_eq!(page["data"].as_array().unwrap().len(), found, "{query} {flushed}");
            assert_eq!(page["stats"]["rows_matched"], found, "{query} {flushed}");
            let counted = service.get_as(&key, &format!("/api/v1/stats?q={encoded}")).await.ok();
            let count =
                counted["data"].as_array().unwrap().first().map_or(json!(0), |group| group["count"].clone());
            assert_eq!(count, found, "{query} {flushed} {counted}");
            let lines = service.get_as(&key, &format!("/api/v1/logs/export?q={encoded}")).await.text;
            assert_eq!(lines.lines().count(), found, "{query} {flushed}");
        }
        assert_eq!(service.get("/logs?q=jane").await.ok()["data"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn what_is_the_whole_tenants_is_nothing_for_a_key_of_some_services() {
    let service = unlimited();
    let (_, key) = service.key(&json!({"name": "n", "role": "operator", "services": ["api"]})).await;
    let rule = json!({"when": "service:web", "then": [{"action": "drop"}]});
    for (method, uri, body) in [
        (Method::GET, "/admin/pipeline", Value::Null),
        (Method::PUT, "/admin/pipeline", json!({"attacks": false})),
        (Method::GET, "/admin/redaction", Value::Null),
        (Method::PUT, "/admin/redaction", json!({"enabled": false})),
        (Method::GET, "/admin/rules", Value::Null),
        (Method::PUT, "/admin/rules/mine", rule),
        (Method::DELETE, "/admin/rules/critical", Value::Null),
        (Method::PUT, "/admin/retention", json!({})),
        (Method::POST, "/logs?redact=false", json!({"service": "api", "message": "m"})),
    ] {
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let answer =
            service.call_as(&key, method.clone(), uri, &[("content-type", "application/json")], body).await;
        assert_eq!(answer.status, 403, "{method} {uri}: {answer:?}");
    }
}

#[tokio::test]
async fn events_of_security_are_for_who_may_see_its_logs() {
    let service = unlimited();
    service
        .store(&json!({"service": "web", "message": "GET /?q=1%27%20UNION%20SELECT%20card%20FROM%20users--"}))
        .await;
    service.store(&json!({"service": "db", "message": "disk is gone", "level": "CRITICAL"})).await;
    service.world.background.settle().await;
    for (role, expected) in
        [("operator", vec!["critical"]), ("security", vec!["critical", "security-incident"])]
    {
        let key = service.key_of_role(role).await;
        let events = service.get_as(&key, "/admin/events").await.ok();
        let mut rules: Vec<&str> =
            events["data"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap()).collect();
        rules.sort_unstable();
        assert_eq!(rules, expected, "{role}");
    }
}

#[tokio::test]
async fn what_has_no_trace_is_sampled_one_by_one() {
    let service = unlimited();
    let rule = json!({"name": "few", "when": "service:a", "then": [{"action": "sample", "one_in": 10}]});
    service.post("/admin/rules", &rule).await.ok();
    let records: Vec<Value> =
        (0..1_000).map(|n| json!({"service": "a", "message": format!("m {n}")})).collect();
    let answer = service.post("/api/v1/logs/batch", &json!(records)).await.ok();
    let kept = answer["accepted"].as_u64().unwrap();
    assert!((60..140).contains(&kept), "{kept} of 1,000");
    assert_eq!(answer["ids"].as_array().unwrap().len() as u64, kept);
    let counted = service.get("/api/v1/stats").await.ok();
    assert_eq!(counted["data"][0]["count"], kept * 10);
    assert_eq!(service.counts().await.len() as u64, kept);
}

#[tokio::test]
async fn a_rule_samples_a_pattern_with_all_that_leads_to_it() {
    let service = unlimited();
    let say =
        |name: &str| json!({"service": "auth", "message": format!("session opened for user {name} by root")});
    let users = ["ann", "bob", "cid", "dan", "eve"];
    // Its first message has an id that is not the pattern's.
    service.store_all(&[say("ann")]).await;
    service.flush().await;
    service.store_all(&users.map(say)).await;
    service.flush().await;
    service.world.turn_clock(61_000);
    let rows = service.get("/api/v1/logs").await.ok();
    let id = rows["data"][0]["pattern_id"].as_str().unwrap().to_owned();
    assert!(rows["data"].as_array().unwrap().iter().all(|row| row["pattern_id"] == id), "{rows}");

    let rule = json!({"name": "noise", "when": format!("pattern_id:{id} AND NOT level:error"), "then": [{"action": "drop"}]});
    let tried = service.post("/admin/rules/test", &json!({"rule": rule})).await.ok();
    assert_eq!((&tried["tested"], &tried["held"]), (&json!(6), &json!(6)), "{tried}");
    service.post("/admin/rules", &rule).await.ok();
    let other = |more: &str| json!({"service": "auth", "message": format!("door opened by root{more}")});
    let mut error = say("ann");
    error["level"] = json!("ERROR");
    // An address sends a record the long way.
    let long = json!({"service": "auth", "message": "session opened for user eve by root", "note": "ann@home.example"});
    let mut sent: Vec<Value> = users.map(say).to_vec();
    sent.extend([long, other(""), other(" ann@home.example"), error]);
    let answer = service.post("/api/v1/logs/batch", &json!(sent)).await.ok();
    assert_eq!((&answer["accepted"], &answer["dropped"]), (&json!(3), &json!(6)), "{answer}");

    let rule = json!({"name": "noise", "when": format!("pattern_id:{id}"), "then": [{"action": "sample", "one_in": 10}]});
    service.put("/admin/rules/noise", &rule).await.ok();
    let sent: Vec<Value> = (0..1_000).map(|n| say(users[n % 5])).collect();
    let kept = service.post("/api/v1/logs/batch", &json!(sent)).await.ok()["accepted"].as_u64().unwrap();
    assert!((60..140).contains(&kept), "{kept} of 1,000");
    let found = service.get(&format!("/api/v1/stats?q=pattern_id:{id}+level:info")).await.ok();
    assert_eq!(found["data"][0]["count"], kept * 10 + 6);
}

#[tokio::test]
async fn a_policy_for_a_field_reaches_what_the_service_adds() {
    let service = unlimited();
    let policy = json!({"fields": {"metadata.path": "drop", "metadata.*": "mask"}});
    service.put("/admin/redaction", &policy).await.ok();
    let log = dry(
        &service,
        json!({"service": "a", "message": "m", "endpoint": "/users/7", "customer_note": "plain"}),
    )
    .await;
    let id = service
        .store(&json!({"service": "a", "message": "m", "endpoint": "/users/7", "customer_note": "plain"}))
        .await;
    let stored = service.get(&format!("/api/v1/logs/{id}")).await.ok();
    assert_eq!(stored["metadata"], log["metadata"]);
    assert_eq!(stored["metadata"], json!({"customer_note": "[REDACTED]"}));
}

#[tokio::test]
async fn events_go_after_a_while() {
    let service = unlimited();
    service.store(&json!({"service": "db", "message": "disk is gone", "level": "CRITICAL"})).await;
    service.world.background.settle().await;
    for (days, left) in [(89, 1), (2, 0)] {
        service.world.turn_clock(days * 86_400_000);
        timberline::app::jobs::expire::expire(&service.app, service.app.now()).await.unwrap();
        let events = service.get("/admin/events").await.ok();
        assert_eq!(events["data"].as_array().unwrap().len(), left, "after {days} days more");
    }
}

#[tokio::test]
async fn a_rule_is_made_once_however_many_make_it() {
    let service = unlimited();
    let rule = json!({"name": "mine", "when": "service:a", "then": [{"action": "tag", "tag": "t"}]});
    let all = futures::future::join_all((0..5).map(|_| service.post("/admin/rules", &rule))).await;
    let mut statuses: Vec<u16> = all.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409]);
}

#[tokio::test]
async fn a_dry_run_says_why_it_is_an_attack() {
    let service = unlimited();
    let log = dry(
        &service,
        json!({"service": "web", "message": "GET /?q=1%27%20UNION%20SELECT%20card%20FROM%20users--"}),
    )
    .await;
    let attack = &log["attacks"][0];
    assert_eq!(attack["tag"], "attack:sqli");
    for name in ["rule", "severity", "reason"] {
        assert!(attack[name].as_str().is_some_and(|text| !text.is_empty()), "{log}");
    }
}

#[tokio::test]
async fn nothing_of_a_message_is_taken_for_a_trace() {
    let service = unlimited();
    let log =
        dry(&service, json!({"service": "a", "message": "{\"trace_id\":\"jane@home.example\",\"a\":1}"}))
            .await;
    assert!(!log.to_string().contains("jane"), "{log}");
    let log = dry(
        &service,
        json!({"service": "a", "message": "{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"a\":1}"}),
    )
    .await;
    assert_eq!(log["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test]
async fn what_is_written_for_an_address_is_redacted_too() {
    let service = unlimited();
    for endpoint in [
        "/x?q=jane%40home.example",
        "/x?card=4242%204242%204242%204242",
        "/x?t=%2B43%20660%205550199",
        "/x?p=%20AKIA4XZQ7PLM2WNB3KTD",
    ] {
        let log = dry(&service, json!({"service": "a", "message": "m", "endpoint": endpoint})).await;
        let text = log.to_string();
        for left in ["jane", "4242%204242", "5550199", "AKIA4X"] {
            assert!(!text.contains(left), "{endpoint}: {log}");
        }
    }
}
