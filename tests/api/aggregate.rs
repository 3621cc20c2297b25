//! Numbers out: groups, histograms, facets and fields, each against the plain list of records.

#![allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join3;
use serde_json::{Value, json};

use crate::{
    NOW_MS, Service,
    compaction::{hour, run},
};

const LEVELS: [&str; 5] = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];
const SERVICES: [&str; 3] = ["api", "web", "db"];

fn records() -> Vec<Value> {
    (0..600_usize)
        .map(|n| {
            let mut record = json!({
                "service": SERVICES[n % 3], "level": LEVELS[n * 7 % 5], "message": format!("took {n} ms, timeout {}", n % 2),
                "timestamp": NOW_MS - (n as u64) * 7_000, "user_id": format!("u{}", n * n % 41),
                "duration_ms": (n * 37 % 500) as f64 / 4.0, "tags": ["all", format!("t{}", n % 4)],
                "metadata": {"cart": {"size": n % 3}, "ok": n % 2 == 0},
            });
            if n % 5 == 0 {
                record["host"] = json!(format!("h{}", n % 2));
            }
            record
        })
        .collect()
}

/// Two segments, one of which may be old, and a half that is not flushed.
async fn stored(records: &[Value], flush: bool) -> Service {
    let service = Service::new();
    for chunk in records.chunks(200) {
        assert_eq!(service.store_all(chunk).await.len(), chunk.len());
        if flush || service.world.catalog.keys().is_empty() {
            service.flush().await;
        }
    }
    service
}

fn reads(service: &Service) -> u64 {
    service.world.calls("objects.get") + service.world.calls("objects.get_range")
}

#[tokio::test]
async fn groups_are_measured_as_by_hand() {
    let records = records();
    for flush in [false, true] {
        let service = stored(&records, flush).await;
        let query = "by=service,level&stats=count,sum(duration_ms),avg(duration_ms),min(duration_ms),max(duration_ms),p50(duration_ms),quantile(duration_ms,0.95),uniq(user_id)";
        for filter in ["", "&q=timeout+user_id:*", "&q=cart.size:1", "&service=web"] {
            let body = service.get(&format!("/api/v1/stats?{query}{filter}")).await.ok();
            let mut groups: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
            for (n, record) in records.iter().enumerate() {
                let wanted = match filter {
                    "&q=cart.size:1" | "&service=web" => n % 3 == 1,
                    _ => true,
                };
                if wanted {
                    let text = |name: &str| record[name].as_str().unwrap().to_owned();
                    groups.entry((text("service"), text("level"))).or_default().push(record);
                }
            }
            let data = body["data"].as_array().unwrap();
            assert_eq!(data.len(), groups.len(), "{filter}");
            for one in data {
                let key =
                    (one["service"].as_str().unwrap().to_owned(), one["level"].as_str().unwrap().to_owned());
                let rows = &groups[&key];
                let mut numbers: Vec<f64> =
                    rows.iter().map(|row| row["duration_ms"].as_f64().unwrap()).collect();
                numbers.sort_by(f64::total_cmp);
                let (sum, count) = (numbers.iter().sum::<f64>(), numbers.len());
                let users: BTreeSet<&str> = rows.iter().map(|row| row["user_id"].as_str().unwrap()).collect();
                let rank = |share: f64| numbers[(share * (count - 1) as f64).round() as usize];
                assert_eq!(
                    *one,
                    json!({
                        "service": key.0, "level": key.1, "count": count, "sum(duration_ms)": sum,
                        "avg(duration_ms)": sum / count as f64, "min(duration_ms)": numbers[0],
                        "max(duration_ms)": numbers[count - 1], "p50(duration_ms)": rank(0.5),
                        "quantile(duration_ms,0.95)": rank(0.95), "uniq(user_id)": users.len(),
                    })
                );
            }
            assert_eq!((&body["truncated"], &body["approximate"]), (&json!(false), &json!([])));
        }
    }
}

#[tokio::test]
async fn a_flush_changes_no_number() {
    let records = records();
    let (fresh, flushed) = (Service::new(), stored(&records, true).await);
    for chunk in records.chunks(200) {
        fresh.store_all(chunk).await;
    }
    for query in [
        "stats",
        "stats?q=timeout",
        "stats?by=tags",
        "stats?by=tags,host&stats=count,max(duration_ms)",
        "stats?by=ok,cart.size",
        "stats?by=time:5m,level",
        "stats?by=time:7s&q=cart.size:2",
        "stats?by=user_id&limit=5",
        "stats?stats=uniq(tags),sum(cart.size),uniq(duration_ms)&start_time=30m",
        "histogram",
        "histogram?interval=10s&start_time=20m",
        "histogram?q=timeout&interval=15m",
        "facets",
        "facets?fields=tags,user_id,level,nothing&limit=3&q=timeout",
        "fields",
        "fields?q=cart.size:1&start_time=30m",
    ] {
        let shown = async |service: &Service| {
            let mut body = service.get(&format!("/api/v1/{query}")).await.ok();
            assert_eq!(body["stats"]["partial"], false);
            body.as_object_mut().unwrap().remove("stats");
            body
        };
        let (before, after) = (shown(&fresh).await, shown(&flushed).await);
        assert!(!before["data"].as_array().unwrap().is_empty());
        assert_eq!(before, after, "{query}");
    }
}

#[tokio::test]
async fn what_summaries_and_footers_know_is_not_read() {
    let service = stored(&records(), true).await;
    let total = |body: &Value| {
        body["data"].as_array().unwrap().iter().map(|one| one["count"].as_u64().unwrap()).sum::<u64>()
    };
    for (query, count) in [
        ("stats?by=service,level", 600),
        ("stats?stats=count&level=ERROR", 120),
        ("histogram?interval=1m", 600),
        ("histogram?interval=1h&service=api,db&level=ERROR,WARN", 160),
        ("stats?by=time:5m,service&start_time=2h", 600),
    ] {
        let before = reads(&service);
        let body = service.get(&format!("/api/v1/{query}")).await.ok();
        assert_eq!(total(&body), count, "{query}: {body}");
        assert_eq!((reads(&service) - before, &body["stats"]["r2_reads"]), (0, &json!(0)), "{query}");
    }
    let service = Service::on(&service.world, &[]);
    for (query, count) in [("stats?q=took", 600), ("stats?q=message:nowhere", 0)] {
        let body = service.get(&format!("/api/v1/{query}")).await.ok();
        assert_eq!((total(&body), &body["stats"]["blocks_read"]), (count, &json!(0)), "{query}");
    }
    let body = service.get("/api/v1/fields").await.ok();
    assert_eq!(body["stats"]["blocks_read"], 0);
    let of = |name: &str| {
        body["data"].as_array().unwrap().iter().find(|one| one["field"] == name).unwrap().clone()
    };
    assert_eq!(
        of("metadata.cart.size"),
        json!({"field": "metadata.cart.size", "rows": 600, "kinds": {"number": 600}})
    );
    assert_eq!(of("host"), json!({"field": "host", "rows": 120, "kinds": {"text": 120}}));
    assert_eq!(of("tags"), json!({"field": "tags", "rows": 600, "kinds": {"json": 600}}));
}

fn counted(body: &Value) -> u64 {
    body["data"].as_array().unwrap().iter().map(|one| one["count"].as_u64().unwrap()).sum()
}

#[tokio::test]
async fn a_roll_up_is_fetched_once() {
    let service = stored(&records(), true).await;
    let fetches = || service.world.calls("catalog.rollups");
    // Where minutes are not counted, none is of use.
    for query in [
        "stats?by=service,level",
        "stats?by=time:7s",
        "stats?by=time:5m&stats=sum(duration_ms)",
        "stats?by=time:5m,host",
    ] {
        service.get(&format!("/api/v1/{query}")).await.ok();
        assert_eq!(fetches(), 0, "{query}");
    }
    let minutes = "/api/v1/histogram?interval=1m";
    for (fetched, query, count) in [
        (1, minutes, 600),
        (1, minutes, 600),
        (1, "/api/v1/histogram?interval=1h&q=level:ERROR", 120),
        (1, "/api/v1/stats?by=time:5m,service&service=web", 200),
    ] {
        assert_eq!(counted(&service.get(query).await.ok()), count, "{query}");
        assert_eq!(fetches(), fetched, "{query}");
    }
    service.get("/api/v1/logs/stats/api").await.ok();
    assert_eq!(fetches(), 1, "a service's hours are counted of the same");
    // What is new is fetched, and what another isolate has is not here.
    service.store_all(&records()[..7]).await;
    service.flush().await;
    assert_eq!((counted(&service.get(minutes).await.ok()), fetches()), (607, 2));
    let other = service.restarted();
    assert_eq!((counted(&other.get(minutes).await.ok()), fetches()), (607, 3));
    assert_eq!((counted(&service.get(minutes).await.ok()), fetches()), (607, 3));
}

#[tokio::test]
async fn roll_ups_that_cannot_be_fetched_are_no_numbers() {
    let service = stored(&records(), true).await;
    for query in ["/api/v1/histogram?interval=1m", "/api/v1/logs/stats/api"] {
        let service = service.restarted();
        service.world.fail("catalog.rollups", false, 1);
        assert_eq!(service.get(query).await.error(), (503, "unavailable".into(), None), "{query}");
        service.get(query).await.ok();
    }
    assert_eq!(counted(&service.get("/api/v1/histogram?interval=1m").await.ok()), 600);
}

#[tokio::test]
async fn segments_that_are_replaced_are_counted_once() {
    let service = Service::new();
    // More segments than a page of the listing has.
    let ids = hour(&service, 30).await;
    let histogram = "/api/v1/histogram?interval=1m";
    let before = service.get(histogram).await.ok();
    assert_eq!(counted(&before), ids.len() as u64);
    let fetched = service.world.calls("catalog.rollups");
    let other = service.restarted();
    let meanwhile = async |reader: &Service| {
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(reader.get(histogram).await.ok()["data"].clone());
        }
        seen
    };
    let (compacted, warm, cold) = join3(run(&service), meanwhile(&service), meanwhile(&other)).await;
    assert_eq!(compacted.segments_made, 2);
    for data in warm.into_iter().chain(cold) {
        assert_eq!(data, before["data"]);
    }
    assert!(service.world.calls("catalog.rollups") > fetched);
    assert_eq!(service.get(histogram).await.ok()["data"], before["data"]);
}

#[tokio::test]
async fn a_histogram_has_its_empty_buckets() {
    let service = Service::new();
    let record =
        |ms: u64, level: &str| json!({"service": "api", "message": "m", "level": level, "timestamp": ms});
    service
        .store_all(&[
            record(NOW_MS, "ERROR"),
            record(NOW_MS - 299_999, "INFO"),
            record(NOW_MS - 300_000, "INFO"),
        ])
        .await;
    for _ in 0..2 {
        let body = service.get("/api/v1/histogram?start_time=10m&interval=5m").await.ok();
        let bars: Vec<(&str, u64)> = body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["time"].as_str().unwrap(), one["count"].as_u64().unwrap()))
            .collect();
        assert_eq!(
            bars,
            [("2025-11-20T23:50:00Z", 0), ("2025-11-20T23:55:00Z", 2), ("2025-11-21T00:00:00Z", 1)]
        );
        assert_eq!(body["data"][2]["by_level"]["ERROR"], 1);
        assert_eq!(service.get("/api/v1/histogram?start_time=1h").await.ok()["interval_ms"], 60_000);
        assert_eq!(service.get("/api/v1/histogram?start_time=1d").await.ok()["interval_ms"], 300_000);
        service.flush().await;
    }
    let answer = service.get("/api/v1/histogram?start_time=7d&interval=10s").await;
    assert_eq!(answer.error(), (400, "invalid_parameter".into(), Some("interval".into())));
    assert_eq!(service.get("/api/v1/histogram?q=nothing").await.ok()["data"], json!([]));
}

#[tokio::test]
async fn facets_show_the_most_frequent_and_count_the_rest() {
    let service = stored(&records(), false).await;
    let body = service.get("/api/v1/facets?fields=level,tags,user_id&limit=2").await.ok();
    assert_eq!(
        body["data"][1]["values"],
        json!([{"value": "all", "count": 600}, {"value": "t0", "count": 150}])
    );
    assert_eq!((&body["data"][1]["other"], &body["data"][1]["truncated"]), (&json!(450), &json!(false)));
    let all = service.get("/api/v1/facets").await.ok();
    let names: Vec<&str> =
        all["data"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["service", "level", "category", "source_type", "host", "tags", "metadata.cart.size", "metadata.ok"]
    );
}

/// Records of which every third stands for ten and every fifth for one in another number, in a minute each.
fn sampled() -> Vec<Value> {
    (0..60_usize)
        .map(|n| {
            let mut record = json!({
                "service": SERVICES[n % 2], "level": LEVELS[n % 4], "message": format!("took {n} ms"),
                "timestamp": NOW_MS - (n as u64) * 60_000, "duration_ms": n, "tags": ["all", format!("t{}", n % 3)],
                // Of its own, and no rate.
                "metadata": {"sample_rate": 3},
            });
            if n % 3 == 0 || n % 5 == 0 {
                record["sample_rate"] = json!(if n % 3 == 0 { 10 } else { 250 });
            }
            record
        })
        .collect()
}

fn weight(record: &Value) -> u64 {
    record["sample_rate"].as_u64().unwrap_or(1)
}

/// What the wanted ones of the records count, by a value of each.
fn by_weight(
    records: &[Value],
    wanted: impl Fn(&Value) -> bool,
    value: impl Fn(&Value) -> String,
) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for record in records.iter().filter(|record| wanted(record)) {
        *counts.entry(value(record)).or_default() += weight(record);
    }
    counts
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn shown(rows: &Value, by: &str) -> BTreeMap<String, u64> {
    let count = |one: &Value| one["count"].as_u64().unwrap();
    let rows = rows.as_array().unwrap().iter().filter(|one| count(one) > 0);
    rows.map(|one| (text_of(&one[by]), count(one))).collect()
}

type Wanted = fn(&Value) -> bool;

/// Measures of the wanted records: a number counts as many times as its record.
async fn numbers_by_weight(
    service: &Service,
    records: &[Value],
    (filter, wanted): (&str, Wanted),
    context: &str,
) {
    let get = async |path: &str| service.get(&format!("/api/v1/{path}{filter}")).await.ok();
    let body = get("stats?stats=sum(duration_ms),avg(duration_ms),min(duration_ms),max(duration_ms),p50(duration_ms),uniq(duration_ms)&").await;
    let mut each: Vec<(u64, u64)> = records
        .iter()
        .filter(|one| wanted(one))
        .map(|one| (one["duration_ms"].as_u64().unwrap(), weight(one)))
        .collect();
    each.sort_unstable();
    let sum: u64 = each.iter().map(|(number, weight)| number * weight).sum();
    let total: u64 = each.iter().map(|(_, weight)| weight).sum();
    let got = |name: &str| body["data"][0][format!("{name}(duration_ms)")].as_f64().unwrap();
    assert_eq!((got("sum"), got("avg")), (sum as f64, sum as f64 / total as f64), "{context}");
    assert_eq!((got("min"), got("max")), (each[0].0 as f64, each[each.len() - 1].0 as f64), "{context}");
    assert_eq!(body["data"][0]["uniq(duration_ms)"], each.len(), "{context}");
    let rank = ((total - 1) as f64 / 2.0).round() as u64;
    let mut before = 0;
    let median = each.iter().find(|(_, weight)| {
        before += weight;
        before > rank
    });
    let median = median.unwrap().0 as f64;
    assert!((got("p50") - median).abs() <= median * 0.0101, "{context}: {} {median}", got("p50"));
}

async fn counts_by_weight(service: &Service, records: &[Value], when: &str) {
    let start = |record: &Value, interval: u64| {
        let ms = record["timestamp"].as_u64().unwrap();
        let start = i64::try_from(ms - ms % interval).unwrap();
        timberline::engine::record::timestamp::Timestamp::from_ms(start).to_string()
    };
    // What the summary answers, what it answers in part, and what blocks must be read for.
    let filters: [(&str, Wanted); 5] = [
        ("", |_| true),
        ("level=ERROR,INFO", |one| one["level"] == "ERROR" || one["level"] == "INFO"),
        ("service=web&level=ERROR", |one| one["service"] == "web" && one["level"] == "ERROR"),
        ("q=took", |_| true),
        ("q=tags:t1", |one| one["tags"][1] == "t1"),
    ];
    for (filter, wanted) in filters {
        let context = format!("{when}: {filter}");
        let get = async |path: &str| service.get(&format!("/api/v1/{path}{filter}")).await.ok();
        let rows = records.iter().filter(|one| wanted(one)).count();
        let total: u64 = by_weight(records, wanted, |_| String::new()).values().sum();
        let (total, of) =
            (json!(total), |name: &'static str| by_weight(records, wanted, move |one| text_of(&one[name])));
        let body = get("stats?stats=count&").await;
        let numbers = (&body["data"][0]["count"], &body["stats"]["rows_matched"]);
        assert_eq!(numbers, (&total, &json!(rows)), "{context}");
        for name in ["service", "level"] {
            let body = get(&format!("stats?by={name}&")).await;
            assert_eq!(shown(&body["data"], name), of(name), "{context}");
            assert_eq!(body["stats"]["rows_matched"], rows, "{context}");
        }
        let body = get("stats?by=time:5m&").await;
        let by_time = by_weight(records, wanted, |one| start(one, 300_000));
        assert_eq!(shown(&body["data"], "time"), by_time, "{context}");
        assert_eq!(body["stats"]["rows_matched"], rows, "{context}");
        assert_eq!(
            shown(&get("stats?by=time:30s&").await["data"], "time"),
            by_weight(records, wanted, |one| start(one, 30_000)),
            "{context}"
        );
        let body = get("histogram?interval=5m&").await;
        assert_eq!(shown(&body["data"], "time"), by_time, "{context}");
        let bars = body["data"].as_array().unwrap();
        for level in LEVELS {
            let sum: u64 = bars.iter().map(|bar| bar["by_level"][level].as_u64().unwrap()).sum();
            assert_eq!(sum, of("level").get(level).copied().unwrap_or(0), "{context}");
        }
        let body = get("facets?fields=service,level,tags,sample_rate,metadata.sample_rate&").await;
        let facet = |nth: usize| shown(&body["data"][nth]["values"], "value");
        assert_eq!((facet(0), facet(1)), (of("service"), of("level")), "{context}");
        let mut tags = by_weight(records, wanted, |one| text_of(&one["tags"][1]));
        tags.extend(by_weight(records, wanted, |_| "all".to_owned()));
        assert_eq!(facet(2), tags, "{context}");
        let mut rates = of("sample_rate");
        rates.remove("null");
        assert_eq!(facet(3), rates, "{context}");
        assert_eq!(
            shown(&body["data"][4]["values"], "value"),
            BTreeMap::from([("3".to_owned(), total.as_u64().unwrap())])
        );
        let body = get("fields?").await;
        assert_eq!(body["rows"], total, "{context}");
        let of_field = |name: &str| {
            let found = body["data"].as_array().unwrap().iter().find(|one| one["field"] == name);
            found.map_or(0, |one| one["rows"].as_u64().unwrap())
        };
        assert_eq!(json!(of_field("level")), total, "{context}");
        assert_eq!(of_field("sample_rate"), rates.values().sum::<u64>(), "{context}");
        numbers_by_weight(service, records, (filter, wanted), &context).await;
    }
    let services = service.get("/api/v1/logs/services").await.ok();
    for one in services["data"].as_array().unwrap() {
        let name = one["service"].as_str().unwrap();
        let own: Vec<Value> = records.iter().filter(|record| record["service"] == name).cloned().collect();
        let levels = by_weight(&own, |_| true, |one| text_of(&one["level"]));
        let body = service.get(&format!("/api/v1/logs/stats/{name}")).await.ok();
        for totals in [one, &body] {
            assert_eq!(totals["total"], own.len(), "{when}: rows as stored");
            for level in LEVELS {
                let count = levels.get(level).copied().unwrap_or(0);
                assert_eq!(totals["by_level"][level], count, "{when}: {name} {level}");
            }
        }
        let hours = by_weight(&own, |_| true, |one| start(one, crate::HOUR_MS));
        assert_eq!(shown(&body["per_hour"], "hour"), hours, "{when}: {name}");
    }
}

#[tokio::test]
async fn a_sampled_record_counts_as_many_as_it_stands_for() {
    let records = sampled();
    let service = Service::new();
    let (first, rest) = records.split_at(25);
    assert_eq!(service.store_all(first).await.len(), first.len());
    counts_by_weight(&service, first, "not flushed").await;
    service.flush().await;
    counts_by_weight(&service, first, "flushed").await;
    // One that nothing was sampled out of is beside them: it is counted by its footer.
    let plain: Vec<Value> = (60..70_usize)
        .map(|n| {
            json!({
                "service": "web", "level": "INFO", "message": "took a while", "tags": ["all", "t1"],
                "timestamp": NOW_MS - (n as u64) * 60_000, "duration_ms": n, "metadata": {"sample_rate": 3},
            })
        })
        .collect();
    service.store_all(&plain).await;
    service.flush().await;
    let with_plain = [first, &plain].concat();
    counts_by_weight(&service, &with_plain, "with one that is not sampled").await;
    service.store_all(rest).await;
    let all = [first, &plain, rest].concat();
    counts_by_weight(&service, &all, "half of it flushed").await;
    service.flush().await;
    counts_by_weight(&service.restarted(), &all, "all flushed").await;
    service.world.turn_clock(crate::HOUR_MS + 10 * crate::compaction::MINUTE_MS);
    let compacted = run(&service).await;
    assert!(compacted.segments_made > 0 && compacted.segments_made < compacted.segments_gone);
    counts_by_weight(&service, &all, "compacted").await;
    let plain = service.get("/api/v1/stats?q=message:while").await.ok();
    assert_eq!(plain["data"][0]["count"], 10);
}

#[tokio::test]
async fn a_wrong_measure_is_refused_by_name() {
    let service = Service::new();
    for (query, field) in [
        ("stats?by=a,b,c,d", "by"),
        ("stats?by=time:5", "by"),
        ("stats?by=timestamp", "by"),
        ("stats?stats=median(x)", "stats"),
        ("stats?stats=,", "stats"),
        ("stats?limit=0", "limit"),
        ("stats?sort=x", "sort"),
        ("histogram?interval=5", "interval"),
        ("histogram?by=x", "by"),
        ("facets?limit=1001", "limit"),
        ("facets?fields=metadata", "fields"),
        ("fields?limit=5", "limit"),
        ("fields?level=loud", "level"),
        ("stats?q=%22open", "q"),
    ] {
        let answer = service.get(&format!("/api/v1/{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.error().2.as_deref()), (400, Some(field)), "{query}");
    }
    let empty = service.get("/api/v1/stats?stats=count,avg(duration_ms)").await.ok();
    assert_eq!(empty["data"], json!([{"count": 0, "avg(duration_ms)": null}]));
}
