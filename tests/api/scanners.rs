//! Large queries, spread over scanners: their answers, their bounds, and what happens when a scanner or a segment
//! is not there.

#![allow(clippy::cast_precision_loss)]

use serde_json::{Value, json};
use timberline::ports::{ObjectStore, ScannerName, Scanners};

use crate::{NOW_MS, Service};

const SERVICES: [&str; 3] = ["api", "web", "db"];
const LEVELS: [&str; 3] = ["INFO", "WARN", "ERROR"];

/// A record of one of many segments.
fn record(segment: usize, n: usize) -> Value {
    let nth = segment * 7_919 + n * 31;
    let mut record = json!({
        "service": SERVICES[nth % 3], "level": LEVELS[nth % 7 % 3],
        "message": format!("payment {nth} took {} ms{}", nth % 900, if nth.is_multiple_of(13) { ", timeout" } else { "" }),
        "timestamp": NOW_MS - (segment * 60_000 + n * 500) as u64, "user_id": format!("u{}", nth % 300),
        "duration_ms": nth as f64 * 0.1, "tags": ["all", format!("t{}", nth % 4)],
        "metadata": {"cart": {"size": nth % 5}, "order": nth},
    });
    if segment.is_multiple_of(2) {
        record["metadata"][format!("k{}", segment % 9)] = json!(nth.is_multiple_of(2));
    }
    record
}

/// So many segments, and a few records that are not flushed.
async fn stored(segments: usize, rows: usize, record: impl Fn(usize, usize) -> Value) -> Service {
    let service = Service::with(&[("SCANNERS_PER_TENANT", "0")]);
    for segment in 1..=segments {
        let records: Vec<Value> = (0..rows).map(|n| record(segment, n)).collect();
        for chunk in records.chunks(1_000) {
            service.store_all(chunk).await;
        }
        service.flush().await;
    }
    service.store_all(&(0..10).map(|n| record(0, n)).collect::<Vec<_>>()).await;
    assert_eq!(service.world.catalog.keys().len(), segments);
    service
}

/// Another isolate of it, with so many scanners that know nothing yet.
fn with(service: &Service, scanners: &str) -> Service {
    service.world.scanners.crash();
    Service::on(&service.world, &[("SCANNERS_PER_TENANT", scanners)])
}

/// An answer and its stats.
async fn asked(service: &Service, query: &str) -> (Value, Value) {
    let mut body = service.get(&format!("/api/v1/{query}")).await.ok();
    let mut stats = body.as_object_mut().unwrap().remove("stats").unwrap();
    stats.as_object_mut().unwrap().remove("elapsed_ms");
    (body, stats)
}

#[tokio::test]
async fn the_answer_does_not_depend_on_the_number_of_scanners() {
    let service = stored(60, 40, record).await;
    for query in [
        "stats?q=took",
        "stats?q=timeout&by=service,level",
        "stats?by=tags,cart.size&stats=count,sum(duration_ms),avg(duration_ms),max(duration_ms)",
        "stats?by=time:5m,user_id&stats=p95(duration_ms),uniq(order),min(cart.size)&level=ERROR,WARN",
        "stats?stats=p50(duration_ms),uniq(user_id)&start_time=40m",
        "stats?q=/timeo.t/+-service:web&by=time:7s",
        "histogram?q=timeout&interval=10s",
        "histogram?interval=7s&start_time=50m",
        "facets",
        "facets?fields=tags,user_id,nothing&limit=3&q=timeout",
        "fields",
        "fields?q=cart.size:1",
        "logs/search?q=timeout+OR+17&sort=relevance&limit=40",
    ] {
        let (alone, cost) = asked(&with(&service, "0"), query).await;
        assert_eq!((&cost["scanner_requests"], &cost["partial"]), (&json!(0), &json!(false)), "{query}");
        for scanners in ["1", "3", "8"] {
            let (body, stats) = asked(&with(&service, scanners), query).await;
            assert_eq!(body, alone, "{query} {scanners}");
            let requests: u64 = scanners.parse().unwrap();
            assert_eq!(stats["scanner_requests"], requests, "{query} {scanners}");
            let names: Vec<String> = (0..requests).map(|n| format!("default/scanner-{n}")).collect();
            assert_eq!(service.world.scanners.asked(), names);
            for name in ["segments", "blocks_total", "blocks_read", "rows_scanned", "rows_matched", "partial"]
            {
                assert_eq!(stats[name], cost[name], "{query} {scanners} {name}");
            }
            if !query.starts_with("logs") {
                assert_eq!(stats["r2_reads"], cost["r2_reads"], "{query} {scanners}");
            }
        }
    }
    assert_eq!(service.world.errors(), [""; 0]);
}

#[tokio::test]
async fn pages_by_time_and_exports_and_small_queries_ask_no_scanner() {
    let service = stored(20, 20, record).await;
    let large = with(&service, "8");
    for query in ["stats?q=took", "facets", "logs/search?q=nothing", "logs/search?q=took&sort=oldest&limit=5"]
    {
        assert_eq!(asked(&large, query).await.1["scanner_requests"], 0, "{query}");
    }
    large.get("/api/v1/logs/export").await;
    assert_eq!(service.world.calls("scanners.scan"), 0);
}

#[tokio::test]
async fn a_scanner_keeps_what_it_has_read_of_its_segments() {
    let service = stored(40, 20, record).await;
    let isolate = with(&service, "3");
    let (first, cost) = asked(&isolate, "stats?q=timeout").await;
    assert_eq!(cost["r2_reads"], 40);
    assert!(cost["cost_usd"].as_f64().unwrap() >= 40.0 * 0.36e-6 + 4.0 * 0.15e-6);
    let (second, stats) = asked(&isolate, "stats?q=timeout").await;
    assert_eq!((&second, &stats["r2_reads"], &stats["scanner_requests"]), (&first, &json!(0), &json!(3)));
}

/// More than the groups, values, and fields that are told apart; which ones they are must not depend on scanners.
#[tokio::test]
async fn what_is_left_out_does_not_depend_on_scanners() {
    let unique = |rows: usize| {
        move |segment: usize, n: usize| {
            let mut record = record(segment, n);
            record["user_id"] = json!(format!("u-{}", segment * rows + n));
            record["metadata"][format!("m{}", segment * 2 + n % 2)] = json!(n);
            record
        }
    };
    // The first has come to the limits before it spreads, the second has not.
    for rows in [640, 260] {
        let service = stored(44, rows, unique(rows)).await;
        for query in [
            "stats?by=user_id&stats=count,sum(duration_ms)",
            "facets?fields=user_id&limit=1000",
            "facets?limit=1000",
            "fields",
        ] {
            let (alone, _) = asked(&with(&service, "0"), query).await;
            assert!(!query.starts_with("stats") || alone["truncated"] == true);
            for scanners in ["1", "8"] {
                let (body, stats) = asked(&with(&service, scanners), query).await;
                assert!(body == alone, "{query} {scanners} {rows}");
                assert_ne!(stats["scanner_requests"], 0, "{query}");
            }
            // What is left by the second is met out of order.
            service.world.fail("scanners.scan default/scanner-1", false, 1);
            let (body, _) = asked(&with(&service, "3"), query).await;
            service.world.mend();
            assert!(body == alone, "{query} {rows}");
        }
    }
}

#[tokio::test]
async fn what_a_scanner_cannot_do_is_done_without_it() {
    let service = stored(50, 20, record).await;
    for query in ["stats?q=timeout&by=service", "facets", "logs/search?q=timeout&sort=relevance"] {
        let (alone, _) = asked(&with(&service, "0"), query).await;
        for (prefix, times, met) in [("scanners.scan default/scanner-1", 1, 1), ("scanners.scan", 99, 3)] {
            service.world.fail(prefix, false, times);
            let before = service.world.errors().len();
            let (body, stats) = asked(&with(&service, "3"), query).await;
            service.world.mend();
            assert_eq!(body, alone, "{query}");
            assert_eq!(
                (&stats["partial"], &stats["scanner_requests"]),
                (&json!(false), &json!(3)),
                "{query}"
            );
            let errors = service.world.errors().split_off(before);
            assert_eq!(errors.len(), met, "{errors:?}");
            assert!(errors[0].contains("scanner default/scanner-") && errors[0].contains("told to fail"));
        }
    }
}

#[tokio::test]
async fn a_segment_that_is_gone_or_damaged_is_passed_over_as_without_scanners() {
    let service = stored(50, 20, record).await;
    let keys = service.world.catalog.keys();
    // The catalog lists the oldest first: scanners get these.
    service.world.objects.delete(&[keys[3].clone()]).await.unwrap();
    service.world.objects.overwrite(&keys[7], b"damaged".to_vec());
    for query in ["stats?q=took", "facets", "fields"] {
        let (alone, cost) = asked(&with(&service, "0"), query).await;
        let before = service.world.calls("scanners.scan");
        let (body, stats) = asked(&with(&service, "3"), query).await;
        assert_eq!((&body, &stats["partial"]), (&alone, &cost["partial"]), "{query}");
        assert_eq!(service.world.calls("scanners.scan") - before, 9, "three tries");
        assert_eq!(cost["partial"], true);
    }
    let total = asked(&with(&service, "3"), "stats?q=took").await.0;
    assert_eq!(total["data"][0]["count"], 48 * 20 + 10);
    let told = |what: &str| service.world.errors().iter().any(|error| error.contains(what));
    assert!(told(&format!("segment {} was passed over: it is not in the bucket", keys[3])));
    assert!(told(&format!("segment {} was passed over: ", keys[7])));
}

#[tokio::test]
async fn each_scanner_has_bounds_of_its_own() {
    let service = stored(900, 1, record).await;
    let counted = async |scanners: &str| {
        let (body, stats) = asked(&with(&service, scanners), "stats?q=took").await;
        (body["data"][0]["count"].clone(), stats["r2_reads"].clone(), stats["partial"].clone())
    };
    assert_eq!(counted("0").await, (json!(410), json!(400), json!(true)));
    assert_eq!(counted("1").await, (json!(426), json!(416), json!(true)));
    assert_eq!(counted("3").await, (json!(910), json!(900), json!(false)));
}

#[tokio::test]
async fn what_is_no_job_is_refused() {
    let service = Service::new();
    let name = ScannerName::from_name("default/scanner-0").unwrap();
    for job in ["", "{}", "[1]"] {
        let error = service.world.scanners.scan(&name, job.into()).await.unwrap_err();
        assert!(error.reason.starts_with("default/scanner-0: "), "{error}");
    }
}
