//! Daily quotas: exact, charged for what is stored and for nothing else.

use axum::http::Method;
use futures::future::join_all;
use serde_json::{Value, json};
use timberline::{
    app::{jobs, tail},
    engine::tenant::Tenant,
    fakes::World,
};

use crate::{Answer, DAY_MS, HOUR_MS, MANY, NOW_MS, Service, ids, log};

const SHARDS: [&str; 2] = ["1", "3"];

fn on(world: &World, shards: &str) -> Service {
    Service::on(world, &[("SHARDS_PER_TENANT", shards)])
}

async fn limit(service: &Service, name: &str, logs: u64) {
    service.put(&format!("/api/v1/logs/config/{name}"), &json!({ "max_logs_per_day": logs })).await.ok();
}

async fn limit_tenant(service: &Service, logs: u64) {
    let body = json!({ "domain": "logs.example.com", "tenantId": "default" });
    service.post("/admin/domains", &body).await.ok();
    let change = json!({ "config": { "maxLogsPerDay": logs } }).to_string();
    service.call(Method::PATCH, "/admin/domains/logs.example.com", &[], change).await.ok();
}

async fn send(service: &Service, key: &str, body: &Value) -> Answer {
    let uri = if body.is_array() { MANY[0] } else { "/logs" };
    service.post_with(uri, &[("idempotency-key", key)], body.to_string()).await
}

fn batch(services: &str) -> Value {
    let name = |c| match c {
        'a' => "api",
        'w' => "web",
        _ => "free",
    };
    services.chars().map(|c| if c == '!' { json!({ "service": "api" }) } else { log(name(c), "m") }).collect()
}

/// The rejections of an answer to a batch: `index code`.
fn rejected(body: &Value) -> Vec<String> {
    let all = body["rejected"].as_array().unwrap().iter();
    all.map(|one| format!("{} {}", one["index"], one["code"].as_str().unwrap())).collect()
}

fn over(indexes: &[usize]) -> Vec<String> {
    indexes.iter().map(|index| format!("{index} quota_exceeded")).collect()
}

async fn count(service: &Service, name: &str) -> u64 {
    service.get(&format!("/api/v1/logs/stats/{name}")).await.ok()["total"].as_u64().unwrap()
}

/// Audit records of a component, with the code or action of each.
async fn audit(service: &Service, component: &str) -> Vec<Value> {
    service.world.background.settle().await;
    let page = service.get("/admin/audit?limit=1000").await.ok();
    let all = page["data"].as_array().unwrap().iter().filter(|one| one["component"] == component);
    all.cloned().collect()
}

#[tokio::test]
async fn a_service_stores_as_many_logs_as_it_may_and_not_one_more() {
    for shards in SHARDS {
        let service = on(&World::at(NOW_MS + HOUR_MS), shards);
        limit(&service, "api", 3).await;
        let mut stored = Vec::new();
        for _ in 0..3 {
            stored.push(service.store(&log("api", "m")).await);
        }
        for _ in 0..3 {
            let answer = service.post("/logs", &log("api", "m")).await;
            let expected = (429, "quota_exceeded".into(), Some("max_logs_per_day".into()));
            assert_eq!(answer.error(), expected);
            let left = answer.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
            assert_eq!(left, 23 * 3_600);
            let message = answer.message();
            assert!(message.contains("\"api\"") && message.contains(" 3 "), "{message}");
        }
        // Other services have what they have.
        stored.push(service.store(&log("web", "m")).await);
        service.holds_exactly(&stored, shards).await;
        service.flush().await;
        service.world.shards.crash();
        assert_eq!(service.post("/logs", &log("api", "m")).await.status, 429, "after a flush and a crash");
        service.holds_exactly(&stored, shards).await;
    }
}

#[tokio::test]
async fn of_a_batch_those_are_stored_that_there_is_room_for() {
    for (sent, status, accepted, refused) in [
        ("aaaa", 200, 2, over(&[2, 3])),
        ("wafawa", 200, 4, over(&[4, 5])),
        ("ffffffff", 200, 5, over(&[5, 6, 7])),
        ("faaaf", 200, 4, over(&[3])),
    ] {
        for shards in SHARDS {
            let service = on(&World::at(NOW_MS), shards);
            limit(&service, "api", 2).await;
            limit(&service, "web", 1).await;
            limit_tenant(&service, 5).await;
            let body = service.post(MANY[0], &batch(sent)).await;
            assert_eq!((body.status.as_u16(), rejected(&body.json())), (status, refused.clone()), "{sent}");
            assert_eq!(
                (body.json()["accepted"].as_u64(), ids(&body.json()).len()),
                (Some(accepted), usize::try_from(accepted).unwrap())
            );
            service.holds_exactly(&ids(&body.json()), sent).await;
        }
    }
}

#[tokio::test]
async fn a_record_that_is_wrong_is_rejected_for_that_and_charged_to_nobody() {
    let service = Service::new();
    limit(&service, "api", 3).await;
    let body = service.post(MANY[0], &batch("!a!faaa!")).await.ok();
    let expected = ["0 missing_field", "2 missing_field", "6 quota_exceeded", "7 missing_field"];
    assert_eq!(rejected(&body), expected);
    assert_eq!(body["rejected"][2]["field"], "max_logs_per_day");
    service.holds_exactly(&ids(&body), "the good ones").await;
    for id in ids(&body) {
        assert_eq!(service.get(&format!("/api/v1/logs/{id}")).await.ok()["id"], id);
    }
    assert_eq!((count(&service, "api").await, count(&service, "free").await), (3, 1));
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_stored_is_429() {
    let service = Service::new();
    limit(&service, "api", 1).await;
    service.store(&log("api", "m")).await;
    for (sent, status) in [("aa", 429), ("a!", 429), ("!", 400), ("af", 200)] {
        let answer = service.post(MANY[0], &batch(sent)).await;
        assert_eq!(answer.status.as_u16(), status, "{sent}");
        let body = answer.json();
        assert_eq!(body["accepted"], u64::from(status == 200));
        assert_eq!(answer.headers.contains_key("retry-after"), status == 429);
        let code = if status == 429 { json!("quota_exceeded") } else { Value::Null };
        assert_eq!(body["error"]["code"], code);
        if status == 429 {
            assert_eq!(answer.headers["x-request-id"], body["error"]["request_id"].as_str().unwrap());
        }
    }
}

#[tokio::test]
async fn a_replay_gets_its_first_answer_and_is_not_charged() {
    for shards in SHARDS {
        for flushed in [false, true] {
            let service = on(&World::at(NOW_MS), shards);
            limit(&service, "api", 5).await;
            let (whole, part) = (batch("afa"), batch("!aafaaa"));
            let first = send(&service, "one", &whole).await.ok();
            let second = send(&service, "two", &part).await.ok();
            assert_eq!((rejected(&first), rejected(&second).len()), (Vec::new(), 3));
            assert_eq!(send(&service, "three", &batch("aa")).await.status, 429);
            if flushed {
                service.flush().await;
                service.world.shards.crash();
            }
            for _ in 0..3 {
                assert_eq!(send(&service, "one", &whole).await.ok(), first);
                assert_eq!(send(&service, "two", &part).await.ok(), second);
            }
            assert_eq!(send(&service, "two", &whole).await.status, 422);
            assert_eq!(count(&service, "api").await, 5);
            // What was refused whole has bound no key.
            service.world.turn_clock(DAY_MS);
            assert_eq!(send(&service, "three", &batch("a")).await.status, 200);
        }
    }
}

#[tokio::test]
async fn a_key_from_before_the_quota_is_known_behind_it() {
    let service = on(&World::at(NOW_MS), "8");
    let mut first = Vec::new();
    for key in 0..20 {
        first.push(send(&service, &key.to_string(), &log("api", "m")).await.ok());
    }
    limit(&service, "api", 1).await;
    for (key, first) in first.iter().enumerate() {
        assert_eq!(send(&service, &key.to_string(), &log("api", "m")).await.ok(), *first);
        assert_eq!(send(&service, &key.to_string(), &log("api", "other")).await.status, 422);
    }
    assert_eq!(count(&service, "api").await, 20);
}

#[tokio::test]
async fn a_day_ends_at_midnight_utc() {
    let service = Service::new();
    limit(&service, "api", 2).await;
    limit_tenant(&service, 3).await;
    for day in 1..=4 {
        assert_eq!(rejected(&service.post(MANY[0], &batch("aaa")).await.json()), over(&[2]), "day {day}");
        service.world.turn_clock(DAY_MS - 1_000);
        let answer = service.post("/logs", &log("api", "m")).await;
        assert_eq!((answer.status.as_u16(), &answer.headers["retry-after"]), (429, &"1".parse().unwrap()));
        if day % 2 == 0 {
            service.flush().await;
        }
        service.world.turn_clock(1_000);
    }
    assert_eq!(count(&service, "api").await, 8);
}

#[tokio::test]
async fn a_tenant_has_a_quota_of_all_its_services() {
    let service = Service::new();
    limit_tenant(&service, 4).await;
    assert_eq!(rejected(&service.post(MANY[0], &batch("afwafw")).await.ok()), over(&[4, 5]));
    let refused = service.post("/logs", &log("other", "m")).await;
    assert_eq!(refused.error().1, "quota_exceeded");
    assert!(refused.message().contains("tenant") && refused.message().contains(" 4 "), "{refused:?}");
    // And its audit stream has none.
    for n in 0..10 {
        limit(&service, &format!("s{n}"), 5).await;
    }
    assert!(audit(&service, "change").await.len() >= 12);
}

#[tokio::test]
async fn a_quota_that_is_raised_has_room_for_more_and_one_taken_away_for_all() {
    let service = Service::new();
    limit(&service, "api", 2).await;
    assert_eq!(rejected(&service.post(MANY[0], &batch("aaa")).await.ok()), over(&[2]));
    limit(&service, "api", 3).await;
    assert_eq!(rejected(&service.post(MANY[0], &batch("aaa")).await.ok()), over(&[1, 2]));
    limit(&service, "api", 1).await;
    assert_eq!(service.post("/logs", &log("api", "m")).await.status, 429);
    service.put("/api/v1/logs/config/api", &json!({ "max_logs_per_day": null })).await.ok();
    service.store(&log("api", "m")).await;
}

#[tokio::test]
async fn a_refusal_is_in_the_audit_stream_and_the_first_of_a_day_alerts() {
    for shards in SHARDS {
        let world = World::at(NOW_MS);
        let service = on(&world, shards);
        limit(&service, "api", 2).await;
        limit_tenant(&service, 4).await;
        let isolates: Vec<Service> = (0..5).map(|_| on(&world, shards)).collect();
        for day in 1..=2 {
            join_all((0..30).map(|n| {
                let (isolate, name) = (&isolates[n % 5], ["api", "free"][n % 2]);
                async move { isolate.post("/logs", &log(name, "m")).await }
            }))
            .await;
            let alerts = audit(&service, "alert").await;
            assert_eq!(alerts.len(), 2 * day, "{alerts:?}");
            world.shards.crash();
            service.flush().await;
            assert_eq!(service.post("/logs", &log("api", "m")).await.status, 429);
            world.turn_clock(DAY_MS);
        }
        let alerts = audit(&service, "alert").await;
        assert_eq!(alerts.len(), 4);
        assert!(alerts.iter().all(|one| one["level"] == "ERROR"), "{alerts:?}");
        let full = service.get(&format!("/admin/audit?limit=1000&q={}", "quota_exceeded")).await.ok();
        assert!(full["data"].as_array().unwrap().len() >= 4, "{full}");
        let refusals = audit(&service, "refusal").await;
        assert!(!refusals.is_empty() && refusals.len() < 30, "{refusals:?}");
        assert!(
            refusals.iter().any(|one| one["message"].as_str().unwrap().contains("POST /logs answered 429"))
        );
    }
}

#[tokio::test]
async fn what_was_spooled_is_charged_when_it_comes_home_and_never_refused() {
    for shards in SHARDS {
        for persisted in [false, true] {
            let service = on(&World::at(NOW_MS), shards);
            limit(&service, "api", 10).await;
            let mut stored = ids(&service.post(MANY[0], &batch("aaaa")).await.ok());
            service.world.fail("shards.append", persisted, 4);
            for _ in 0..4 {
                stored.extend(ids(&service.post(MANY[0], &batch("aa")).await.ok()));
            }
            jobs::spool::drain(&service.app).await.unwrap();
            jobs::spool::drain(&service.app).await.unwrap();
            service.holds_exactly(&stored, "home").await;
            // Of those that took effect at once, none was charged twice, and the last ones were over the quota.
            assert_eq!(service.post("/logs", &log("api", "m")).await.status, 429, "{persisted}");
            limit(&service, "api", 15).await;
            let more = service.post(MANY[0], &batch("aaaaa")).await.ok();
            assert_eq!(rejected(&more), over(&[3, 4]), "{persisted}");
        }
    }
}

#[tokio::test]
async fn a_shard_that_fails_before_or_after_it_has_written_charges_what_it_has_stored() {
    let calls = [
        "log.append",
        "log.create",
        "log.drop_table",
        "log.tables",
        "log.read",
        "shards.append",
        "catalog.add",
    ];
    for (seed, shards) in (0..12_usize).zip(SHARDS.into_iter().cycle()) {
        let world = World::at(NOW_MS);
        let service = on(&world, shards);
        limit(&service, "api", 60).await;
        limit(&service, "web", 25).await;
        limit_tenant(&service, 100).await;
        let isolates: Vec<Service> = (0..3).map(|_| on(&world, shards)).collect();
        let mut state = seed as u64 + 1;
        let mut random = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut stored: Vec<String> = Vec::new();
        for round in 0..40 {
            if random(2) == 0 {
                world.fail_behind(
                    random(6) as u64,
                    calls[random(calls.len())],
                    random(2) == 0,
                    1 + random(2) as u64,
                );
            }
            let sent: Vec<(String, Value)> = (0..=random(4))
                .map(|n| {
                    let services: String = (0..=random(5)).map(|_| ['a', 'w', 'f', '!'][random(4)]).collect();
                    (format!("{round}-{n}"), batch(&services))
                })
                .collect();
            // Whoever sends a key sends again until he knows.
            let answers = join_all(sent.iter().enumerate().map(|(n, (key, body))| {
                let isolates = &isolates;
                async move {
                    for tries in 0.. {
                        assert!(tries < 50);
                        let answer = send(&isolates[(n + tries) % 3], key, body).await;
                        if answer.status != 503 {
                            return answer.json();
                        }
                    }
                    Value::Null
                }
            }))
            .await;
            stored.extend(answers.iter().flat_map(ids));
            match random(6) {
                0 => world.shards.crash(),
                1 => drop(service.act_flush().await),
                _ => {}
            }
        }
        world.mend();
        let context = format!("seed {seed}, {shards} shards");
        service.holds_exactly(&stored, &context).await;
        // What is charged is what is stored: there is room for the rest, exactly.
        let counts = [count(&service, "api").await, count(&service, "web").await];
        assert!(counts[0] <= 60 && counts[1] <= 25 && stored.len() <= 100, "{context}: {counts:?}");
        for (name, letter, limit) in [("api", 'a', 60), ("web", 'w', 25), ("free", 'f', 100)] {
            let body = service.post(MANY[0], &batch(&letter.to_string().repeat(110))).await.json();
            stored.extend(ids(&body));
            let now = count(&service, name).await;
            assert!(
                now == limit || stored.len() == 100,
                "{context}: {now} of {name}, {} in all",
                stored.len()
            );
        }
        assert_eq!(stored.len(), 100, "{context}");
        service.flush().await;
        service.holds_exactly(&stored, &context).await;
    }
}

#[tokio::test]
async fn records_of_trace_items_that_are_over_a_quota_are_dropped_and_told() {
    let service = Service::new();
    limit(&service, "shop", 3).await;
    let lines: Vec<Value> =
        (0..5).map(|n| json!({ "level": "log", "message": [n.to_string()], "timestamp": NOW_MS })).collect();
    let item = json!({ "scriptName": "shop", "outcome": "ok", "eventTimestamp": NOW_MS, "event": null,
        "logs": lines, "exceptions": [] });
    tail::take(&service.app, &Tenant::default_tenant(), &[item.to_string()]).await.unwrap();
    assert_eq!(count(&service, "shop").await, 3);
    let errors = service.world.errors();
    assert!(errors.len() == 1 && errors[0].contains("records of trace items were dropped"), "{errors:?}");
    assert_eq!(audit(&service, "alert").await.len(), 1);
}

#[tokio::test]
async fn many_at_once_fill_a_quota_exactly() {
    for shards in SHARDS {
        let world = World::at(NOW_MS);
        limit(&on(&world, shards), "api", 50).await;
        let isolates: Vec<Service> = (0..4).map(|_| on(&world, shards)).collect();
        let answers = join_all((0..40).map(|n| {
            let isolate = &isolates[n % 4];
            async move { isolate.post(MANY[0], &batch(&"a".repeat(1 + n % 7))).await.json() }
        }))
        .await;
        let stored: Vec<String> = answers.iter().flat_map(ids).collect();
        assert_eq!(stored.len(), 50, "{shards}");
        isolates[0].holds_exactly(&stored, shards).await;
    }
}

#[tokio::test]
async fn without_a_quota_nothing_is_counted() {
    let service = on(&World::at(NOW_MS), "3");
    for n in 0..20 {
        send(&service, &n.to_string(), &batch("afw")).await.ok();
    }
    assert_eq!((service.world.calls("shards.append"), service.world.calls("shards.known")), (20, 0));
    service.flush().await;
    assert_eq!(service.world.errors(), [""; 0]);
}
