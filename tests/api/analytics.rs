//! Dashboards: totals, trends, outcomes and patterns, each against the plain list of records, from what is flushed, what is
//! not, and what was merged; and no segment opened for any of it.

use axum::http::Method;
use serde_json::{Value, json};
use timberline::engine::record::timestamp::Timestamp;

use crate::{NOW_MS, Service, access, compaction, log, log_at};

const HOUR: u64 = 3_600_000;
const LEVELS: [&str; 3] = ["INFO", "WARN", "ERROR"];
const CATEGORIES: [&str; 3] = ["billing", "database", "security"];

/// Over five hours; every tenth is a year old in its words, and all in time.
fn records() -> Vec<Value> {
    (0..300_u64)
        .map(|n| {
            json!({
                "service": if n % 4 == 0 { "web" } else { "api" }, "level": LEVELS[(n % 7 % 3) as usize],
                "message": match n % 3 {
                    0 => format!("charged card for order {n} in {} ms", n * 3),
                    1 => format!("row {n} of table users read"),
                    _ => "door opened".to_owned(),
                },
                "category": CATEGORIES[(n % 3) as usize], "timestamp": NOW_MS - n * HOUR / 60,
                "environment": if n % 5 == 0 { "staging" } else { "production" }, "component": format!("c{}", n % 2),
                "endpoint": format!("/orders/{n}"), "status": if n % 9 == 0 { 503 } else { 200 },
                "duration_ms": n * 37 % 500,
            })
        })
        .collect()
}

fn count(records: &[Value], wanted: impl Fn(&Value) -> bool) -> u64 {
    records.iter().filter(|record| wanted(record)).count() as u64
}

fn reads(service: &Service) -> u64 {
    service.world.calls("objects.get") + service.world.calls("objects.get_range")
}

/// The records, as far as they go flushed, and merged.
async fn stored(records: &[Value], flushes: usize, merge: bool) -> Service {
    let service = Service::new();
    for (nth, chunk) in records.chunks(100).enumerate() {
        service.store_all(chunk).await;
        if nth < flushes {
            service.flush().await;
        }
    }
    if merge {
        service.turn_clock_and_compact().await;
    }
    service
}

impl Service {
    async fn turn_clock_and_compact(&self) {
        self.world.turn_clock(26 * HOUR);
        compaction::run(self).await;
    }
}

fn by_key<'a>(body: &'a Value, list: &str, key: &str, value: &str) -> &'a Value {
    let all = body[list].as_array().unwrap();
    all.iter().find(|one| one[key] == json!(value)).unwrap_or_else(|| panic!("no {value} in {body}"))
}

#[tokio::test]
async fn totals_are_those_of_the_records_wherever_they_are() {
    let records = records();
    for (flushes, merge) in [(0, false), (2, false), (3, false), (3, true)] {
        let service = stored(&records, flushes, merge).await;
        let before = reads(&service);
        let timeframe = if merge { "3d" } else { "6h" };
        for (by, field) in [
            ("service", "service"),
            ("severity", "level"),
            ("category", "category"),
            ("component", "component"),
            ("environment", "environment"),
        ] {
            let body =
                service.get(&format!("/analytics/summary?timeframe={timeframe}&groupBy={by}")).await.ok();
            assert_eq!((&body["count"], &body["partial"]), (&json!(300), &json!(false)), "{by} {flushes}");
            for group in body["groups"].as_array().unwrap() {
                let wanted = |record: &Value| record[field] == group["key"];
                assert_eq!(group["count"], json!(count(&records, wanted)), "{by} {group}");
                let errors = count(&records, |record| wanted(record) && record["level"] == "ERROR");
                assert_eq!(group["by_level"]["ERROR"], json!(errors), "{by} {group}");
            }
        }
        let body =
            service.get(&format!("/analytics/summary?timeframe={timeframe}&groupBy=endpoint")).await.ok();
        assert_eq!(body["groups"][0]["key"], "/orders/{id}");
        assert_eq!(reads(&service), before, "no segment is opened");
    }
}

#[tokio::test]
async fn trends_have_a_point_for_each_interval() {
    let records = records();
    let service = stored(&records, 2, false).await;
    let body = service.get("/analytics/trends?timeframe=6h&interval=hour").await.ok();
    let points = body["data"].as_array().unwrap();
    assert_eq!(points.len(), 6);
    let total: u64 = points.iter().map(|point| point["count"].as_u64().unwrap()).sum();
    assert_eq!(total, 300);
    for point in points {
        let from = point["time"].as_str().unwrap();
        let from = u64::try_from(Timestamp::parse_text(from).unwrap().as_ms()).unwrap();
        let within = |record: &Value| (from..from + HOUR).contains(&record["timestamp"].as_u64().unwrap());
        assert_eq!(point["count"], json!(count(&records, within)));
        let mut took: Vec<f64> = records
            .iter()
            .filter(|record| within(record))
            .map(|record| record["duration_ms"].as_f64().unwrap())
            .collect();
        took.sort_by(f64::total_cmp);
        if let Some(exact) = took.get((took.len().max(1) - 1) * 95 / 100) {
            let found = point["duration_ms"]["p95"].as_f64().unwrap();
            assert!((found - exact).abs() <= exact * 0.011 + 0.001, "{found} {exact}");
        }
    }
    let body = service.get("/analytics/trends?timeframe=2d&interval=day&metrics=severity").await.ok();
    let point = &body["data"].as_array().unwrap()[2];
    assert!(
        point["by_level"].is_object() && point["count"].is_null() && point["duration_ms"].is_null(),
        "{point}"
    );
}

#[tokio::test]
async fn trends_of_a_selection_are_known_by_the_minute() {
    let records = records();
    let paths = [
        ("service", "service"),
        ("category", "category"),
        ("environment", "environment"),
        ("severity", "level"),
    ];
    for (flushes, merge) in [(0, false), (2, false), (3, true)] {
        let service = stored(&records, flushes, merge).await;
        let before = reads(&service);
        for wanted in [
            &["api"][..],
            &["web", "billing"],
            &["api", "Database", "staging"],
            &["api", "billing", "production", "ERROR"],
        ] {
            let asked: Vec<_> = paths.iter().zip(wanted).collect();
            let query: Vec<_> = asked.iter().map(|((name, _), value)| format!("{name}={value}")).collect();
            let timeframe = if merge { "3d" } else { "6h" };
            let uri = format!("/analytics/trends?timeframe={timeframe}&interval=minute&{}", query.join("&"));
            let body = service.get(&uri).await.ok();
            assert_eq!(body["partial"], false, "{uri}");
            let is_wanted = |record: &Value| {
                asked
                    .iter()
                    .all(|((_, field), value)| record[*field].as_str().unwrap().eq_ignore_ascii_case(value))
            };
            assert!(count(&records, is_wanted) > 0, "{uri}");
            let mut total = 0;
            for point in body["data"].as_array().unwrap() {
                let from = Timestamp::parse_text(point["time"].as_str().unwrap()).unwrap().as_ms();
                let from = u64::try_from(from).unwrap();
                let within = |record: &Value| {
                    is_wanted(record)
                        && (from..from + HOUR / 60).contains(&record["timestamp"].as_u64().unwrap())
                };
                assert_eq!(point["count"], json!(count(&records, within)), "{uri} {point}");
                total += point["count"].as_u64().unwrap();
            }
            assert_eq!(total, count(&records, is_wanted), "{uri}");
        }
        assert_eq!(reads(&service), before, "no segment is opened");
    }
}

#[tokio::test]
async fn outcomes_are_told_by_status_day_and_environment() {
    let records = records();
    let service = stored(&records, 2, false).await;
    let body = service.get("/api/v1/metrics/overview?days=1").await.ok();
    let bad = count(&records, |record| record["status"] == 503);
    assert_eq!(body["outcomes"], json!({ "success": 300 - bad, "failure": bad, "open": 0 }));
    assert_eq!(by_key(&body, "by_status", "key", "503")["count"], json!(bad));
    let staging = count(&records, |record| record["environment"] == "staging");
    assert_eq!(by_key(&body, "by_environment", "key", "staging")["count"], json!(staging));
    let days = body["by_day"].as_array().unwrap();
    assert_eq!(days.iter().map(|day| day["count"].as_u64().unwrap()).sum::<u64>(), 300);
    assert!(body["execution_ms"]["p95"].is_number());

    let body = service.get("/api/v1/metrics/categories?days=1").await.ok();
    let billing = by_key(&body, "data", "category", "billing");
    assert_eq!(billing["count"], json!(count(&records, |record| record["category"] == "billing")));
    assert_eq!(billing["failing_patterns"], json!(2), "one of each service: {billing}");
    assert!(billing["resolution_rate"].is_number() && billing["success_rate"].is_number());
}

#[tokio::test]
async fn a_workflows_outcomes_are_known_by_their_names() {
    let service = Service::new();
    for status in ["success", "COMPLETED", "failed", "running"] {
        let mut record = log("flow", "step done");
        record["status"] = json!(status);
        service.store(&record).await;
    }
    let body = service.get("/api/v1/metrics/overview").await.ok();
    assert_eq!(body["outcomes"], json!({ "success": 2, "failure": 1, "open": 1 }));
    assert_eq!(body["success_rate"], json!(0.6667));
}

#[tokio::test]
async fn patterns_are_counted_found_and_shown() {
    let records = records();
    for flushes in [0, 2, 3] {
        let service = stored(&records, flushes, false).await;
        let body = service.get("/analytics/patterns?timeframe=6h").await.ok();
        let data = body["data"].as_array().unwrap();
        assert_eq!(data.len(), 6, "three of each service: {body}");
        let total: u64 = data.iter().map(|one| one["count"].as_u64().unwrap()).sum();
        assert_eq!(total, 300);
        let charged = data
            .iter()
            .find(|one| one["pattern"] == "charged card for order <*> in <*> ms" && one["service"] == "api");
        let charged = charged.unwrap_or_else(|| panic!("{body}"));
        assert_eq!(
            charged["count"],
            json!(count(&records, |r| r["category"] == "billing" && r["service"] == "api"))
        );
        assert_eq!(charged["categories"], json!(["billing"]));
        // What is listed is found by its id, and every row shows it.
        let id = charged["pattern_id"].as_str().unwrap();
        let found = service.get(&format!("/api/v1/logs?q=pattern_id:{id}+service:api&limit=1000")).await.ok();
        let rows = found["data"].as_array().unwrap();
        assert_eq!(json!(rows.len()), charged["count"], "{flushes}");
        assert!(rows.iter().all(|row| row["pattern_id"] == id && row["pattern"] == charged["pattern"]));
        let lines =
            service.get("/api/v1/logs/export?fields=pattern_id,pattern,message&service=api").await.text;
        let of = |line: &&str| line.contains(id) && line.contains("\"pattern\":\"charged card");
        assert_eq!(json!(lines.lines().filter(of).count()), charged["count"]);
        let one = service.get(&format!("/api/v1/logs/{}", rows[0]["id"].as_str().unwrap())).await.ok();
        assert_eq!(one["pattern_id"], id);
        let body = service
            .get("/analytics/patterns?timeframe=6h&category=security&severity=error,warn&service=web&limit=1")
            .await
            .ok();
        let only = &body["data"][0];
        let wanted = |r: &Value| r["category"] == "security" && r["service"] == "web" && r["level"] != "INFO";
        assert_eq!(
            (&only["pattern"], &only["count"]),
            (&json!("door opened"), &json!(count(&records, wanted)))
        );
        let body = service.get("/analytics/summary?timeframe=6h&includePatterns=true").await.ok();
        assert_eq!(body["patterns"].as_array().unwrap().len(), 6);
    }
}

#[tokio::test]
async fn ids_lead_on_when_a_template_becomes_more_general() {
    let service = Service::new();
    let say = |name: &str| log("auth", &format!("session opened for user {name} by root"));
    service.store_all(&["ann"].map(say)).await;
    service.flush().await;
    let first = service.get("/api/v1/logs").await.ok()["data"][0].clone();
    assert_eq!(first["pattern"], "session opened for user ann by root");
    service.world.turn_clock(61_000);
    service.store_all(&["bob", "cid", "dan", "eve"].map(say)).await;
    service.flush().await;
    service.world.turn_clock(61_000);
    let rows = service.get("/api/v1/logs").await.ok();
    let rows = rows["data"].as_array().unwrap();
    let id = &rows[0]["pattern_id"];
    assert!(
        rows.iter()
            .all(|row| &row["pattern_id"] == id && row["pattern"] == "session opened for user <*> by root"),
        "{rows:?}"
    );
    assert_ne!(id, &first["pattern_id"], "it has another name by now");
    for id in [id, &first["pattern_id"]] {
        let found = service.get(&format!("/api/v1/logs?q=pattern_id:{}", id.as_str().unwrap())).await.ok();
        let expected = if *id == first["pattern_id"] { 1 } else { 5 };
        assert_eq!(found["data"].as_array().unwrap().len(), expected);
    }
    // A shard that has lost its memory goes on with what it had kept.
    service.world.shards.crash();
    service.store_all(&["fay"].map(say)).await;
    service.flush().await;
    service.world.turn_clock(61_000);
    let body = service.get("/analytics/patterns?service=auth").await.ok();
    assert_eq!((body["data"].as_array().unwrap().len(), &body["data"][0]["count"]), (1, &json!(6)), "{body}");
}

#[tokio::test]
async fn users_name_pin_ignore_merge_and_write_patterns() {
    let service = Service::new();
    service
        .store_all(&[
            log("api", "cache was cold"),
            log("api", "cache was warm"),
            log("web", "cache was cold"),
        ])
        .await;
    service.flush().await;
    let list = async |query: &str| {
        service.get(&format!("/analytics/patterns?service=api{query}")).await.ok()["data"].clone()
    };
    let all = list("").await;
    let id = |nth: usize| all[nth]["pattern_id"].as_str().unwrap().to_owned();
    let cold = if all[0]["pattern"] == "cache was cold" { id(0) } else { id(1) };
    let warm = if cold == id(0) { id(1) } else { id(0) };
    let say = async |id: &str, said: &Value| {
        service
            .call(
                Method::PATCH,
                &format!("/analytics/patterns/{id}"),
                &[("content-type", "application/json")],
                said.to_string(),
            )
            .await
    };
    assert_eq!(
        say(&cold, &json!({ "name": "cold" })).await.error().2.as_deref(),
        Some("service"),
        "two services have it"
    );
    say(&cold, &json!({ "service": "api", "name": "cold", "state": "pinned" })).await.ok();
    assert_eq!((&list("").await[0]["name"], &list("").await[0]["state"]), (&json!("cold"), &json!("pinned")));
    say(&warm, &json!({ "state": "ignored" })).await.ok();
    assert_eq!(list("").await.as_array().unwrap().len(), 1);
    assert_eq!(list("&includeIgnored=true").await.as_array().unwrap().len(), 2);
    say(&warm, &json!({ "state": "normal", "mergeInto": cold })).await.ok();
    assert_eq!((list("").await.as_array().unwrap().len(), &list("").await[0]["count"]), (1, &json!(2)));
    say(&warm, &json!({ "mergeInto": null })).await.ok();
    assert_eq!(list("").await.as_array().unwrap().len(), 2);
    // A template that a user wrote covers what was found, and what comes.
    say(&cold, &json!({ "service": "api", "template": "cache was <*>" })).await.ok();
    service.store(&log("api", "cache was lukewarm")).await;
    let now = list("").await;
    assert_eq!(
        (now.as_array().unwrap().len(), &now[0]["pattern"], &now[0]["count"]),
        (1, &json!("cache was <*>"), &json!(3)),
        "{now}"
    );

    for (id, said, field) in [
        ("x", json!({}), "id"),
        (&*warm, json!({ "nme": "x" }), "nme"),
        (&*warm, json!({ "state": "gone" }), "state"),
        (&*warm, json!({ "mergeInto": "0123456789abcdef" }), "mergeInto"),
        (&*warm, json!({ "name": " " }), "name"),
    ] {
        assert_eq!(say(id, &said).await.error().2.as_deref(), Some(field), "{said}");
    }
    assert_eq!(say("0123456789abcdef", &json!({ "name": "x" })).await.status, 404);
}

#[tokio::test]
async fn a_new_pattern_above_info_is_an_event_once() {
    let service = Service::new();
    let warn = |message: &str| json!({ "service": "api", "level": "WARN", "message": message });
    service.store_all(&[warn("disk is slow")]).await;
    service.flush().await;
    let events = async || {
        let body = service.get("/admin/events").await.ok();
        body["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["rule"] == "new-pattern")
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(events().await, Vec::<Value>::new(), "everything is new of a new service");
    service.store_all(&[warn("disk is slow"), warn("disk is gone"), log("api", "all is well")]).await;
    service.flush().await;
    let found = events().await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((&found[0]["message"], &found[0]["service"]), (&json!("disk is gone"), &json!("api")));
    service.store_all(&[warn("disk is gone")]).await;
    service.flush().await;
    assert_eq!(events().await.len(), 1);
}

#[tokio::test]
async fn a_reader_counts_what_it_may_see() {
    let service = access::unlimited();
    let boss = service.tenant("acme").await;
    service.post_as(&boss, "/api/v1/logs/batch", &json!({ "logs": records() })).await.ok();
    let key = async |wanted: Value| {
        service.post_as(&boss, "/admin/keys", &wanted).await.ok()["key"].as_str().unwrap().to_owned()
    };
    let viewer = key(json!({ "name": "v", "role": "developer", "services": ["api", "web"] })).await;
    let support = key(json!({ "name": "s", "role": "support" })).await;
    let own = key(json!({ "name": "d", "role": "developer", "services": ["web"] })).await;
    let total = count(&records(), |record| record["category"] != "security");
    let body = service
        .get_as(&viewer, "/analytics/summary?timeframe=6h&groupBy=category&includePatterns=true")
        .await
        .ok();
    assert_eq!(body["count"], json!(total));
    assert!(!body.to_string().contains("door"), "{body}");
    let body = service.get_as(&viewer, "/analytics/patterns").await.ok();
    assert!(!body.to_string().contains("door") && body["data"].as_array().unwrap().len() == 4, "{body}");
    let body = service.get_as(&own, "/analytics/summary?timeframe=6h").await.ok();
    assert_eq!(body["groups"].as_array().unwrap().len(), 1);
    // A hash would tell whether a message that is guessed was there.
    let body = service.get_as(&support, "/analytics/patterns").await.ok();
    assert!(body["data"].as_array().unwrap().iter().all(|one| one["pattern_id"].is_null()), "{body}");
    let rows = service.get_as(&support, "/api/v1/logs?limit=5").await.ok();
    assert!(
        rows["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["pattern_id"] != json!(null)
                && row["pattern_id"].as_str().unwrap().starts_with('[')),
        "{rows}"
    );
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let service = Service::new();
    service.store(&log_at("api", "m", NOW_MS)).await;
    for (uri, field) in [
        ("/analytics/summary?timeframe=soon", "timeframe"),
        ("/analytics/summary?timeframe=400d", "timeframe"),
        ("/analytics/summary?groupBy=colour", "groupBy"),
        ("/analytics/trends?interval=year", "interval"),
        ("/analytics/trends?metrics=count,speed", "metrics"),
        ("/analytics/trends?metrics=performance&environment=production", "metrics"),
        ("/analytics/trends?severity=loud", "severity"),
        ("/analytics/patterns?severity=bad", "severity"),
        ("/analytics/patterns?limit=0", "limit"),
        ("/api/v1/metrics/overview?days=0", "days"),
        ("/api/v1/metrics/categories?hours=3", "hours"),
    ] {
        let answer = service.get(uri).await;
        assert_eq!((answer.status.as_u16(), answer.error().2.as_deref()), (400, Some(field)), "{uri}");
    }
}

#[tokio::test]
async fn a_tenant_that_ends_leaves_no_message_behind() {
    let service = access::unlimited();
    let boss = service.tenant("acme").await;
    service.post_as(&boss, "/logs", &log("api", "the secret plan is ready")).await.ok();
    service
        .post_as(&boss, "/admin/self-healing/actions", &json!({ "action": "execute", "actionId": "flush" }))
        .await
        .ok();
    let shard = timberline::ports::ShardName {
        tenant: timberline::engine::tenant::Tenant::parse("acme").unwrap(),
        number: 0,
    };
    let kept = || {
        service
            .world
            .shards
            .log(&shard)
            .table_names()
            .iter()
            .filter(|name| name.starts_with("patterns_"))
            .count()
    };
    assert_eq!(kept(), 1);
    service.call(Method::DELETE, "/admin/domains/acme.example.com?purge=true", &[], String::new()).await.ok();
    assert_eq!(kept(), 0);
}

#[tokio::test]
async fn a_flush_does_not_wait_for_what_is_told_of_patterns() {
    let service = Service::new();
    service.store(&log("api", "one and two")).await;
    service.world.fail("patterns.note", false, 1);
    service.flush().await;
    assert_eq!(service.get("/analytics/patterns").await.ok()["data"][0]["first_seen"], Value::Null);
    service.store(&log("api", "one and two")).await;
    service.flush().await;
    service.world.turn_clock(61_000);
    let body = service.get("/analytics/patterns").await.ok();
    assert_eq!((&body["data"][0]["pattern"], &body["data"][0]["count"]), (&json!("one and two"), &json!(2)));
    assert!(body["data"][0]["first_seen"].is_string(), "what was not told comes again");
}

#[tokio::test]
async fn a_name_that_is_another_each_time_is_one_pattern_before_and_after_a_flush() {
    let service = Service::new();
    let syllables = ["ba", "do", "fi", "gu", "ke", "lo", "mi", "nu"];
    let name = |n: usize| format!("{}{}{}", syllables[n / 8], syllables[n % 8], syllables[n / 3 % 8]);
    let records: Vec<Value> =
        (0..64).map(|n| log("auth", &format!("session opened for user {}", name(n)))).collect();
    service.store_all(&records).await;
    for flushed in [false, true] {
        if flushed {
            service.flush().await;
            service.world.turn_clock(61_000);
        }
        let body = service.get("/analytics/patterns").await.ok();
        let data = body["data"].as_array().unwrap();
        assert_eq!((data.len(), &data[0]["count"]), (1, &json!(64)), "{flushed} {body}");
        let id = data[0]["pattern_id"].as_str().unwrap();
        let found = service.get(&format!("/api/v1/logs?limit=100&q=pattern_id:{id}")).await.ok();
        assert_eq!(found["data"].as_array().unwrap().len(), 64, "{flushed}");
    }
    let stored = service.get("/api/v1/stats?by=pattern_id").await.ok();
    assert_eq!(stored["data"].as_array().unwrap().len(), 1, "rows have their pattern's id: {stored}");
}
