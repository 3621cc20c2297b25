//! The bill: how many paid operations the service makes.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::{NOW_MS, Service, log, log_at};

fn records(n: u64, from: u64) -> Vec<Value> {
    (from..from + n)
        .map(|n| log_at("api", &format!("request {n} took {} ms", n * 7919 % 1000), NOW_MS - n))
        .collect()
}

fn writes(service: &Service) -> u64 {
    service.world.calls("objects.put")
}

#[tokio::test]
async fn twenty_batches_of_1000_and_their_flush_cost_four_objects_and_thirty_rows() {
    let service = Service::new();
    for batch in 0..20 {
        assert_eq!(service.store_all(&records(1_000, batch * 1_000)).await.len(), 1_000);
    }
    service.flush().await;
    assert!(writes(&service) <= 4, "{} objects", writes(&service));
    let rows = service.world.shards.rows_written();
    assert!(rows <= 30, "{rows} rows");
    assert!(service.world.calls("catalog.add") <= 4);
    assert_eq!(service.counts().await.len(), 20_000);
}

#[tokio::test]
async fn a_thousand_concurrent_posts_cost_250_rows() {
    let service = Service::new();
    let ids = join_all((0..1_000).map(|n| {
        let service = &service;
        async move { service.store(&log("api", &n.to_string())).await }
    }))
    .await;
    let rows = service.world.shards.rows_written();
    assert!(rows <= 250, "{rows} rows");
    service.holds_exactly(&ids, "concurrent").await;
    service.flush().await;
    service.holds_exactly(&ids, "concurrent, flushed").await;
    assert!(service.world.shards.rows_written() <= 250);
}

#[tokio::test]
async fn a_warm_lone_post_asks_nobody_but_its_shard() {
    let service = Service::new();
    service.store(&log("api", "cold")).await;
    let asked = || {
        ["catalog.service_configs", "catalog.spooled", "catalog.add", "objects.get", "objects.put"]
            .map(|verb| service.world.calls(verb))
    };
    let before = asked();
    assert_eq!(before, [1, 0, 0, 0, 0]);
    for n in 0..20 {
        service.store(&log("api", &n.to_string())).await;
    }
    assert_eq!(asked(), before);
    assert_eq!(service.world.calls("shards.append"), 21);
}

#[tokio::test]
async fn a_repeated_flush_writes_nothing() {
    let service = Service::new();
    service.store_all(&records(10, 0)).await;
    let first = service.act_flush().await.ok();
    assert_eq!((&first["actionId"], &first["status"]), (&json!("flush"), &json!("done")));
    assert_eq!((&first["result"]["segments"], &first["result"]["rows"]), (&json!(1), &json!(10)));
    let rows = service.world.shards.rows_written();
    for _ in 0..3 {
        let again = service.act_flush().await.ok();
        assert_eq!(again["result"], json!({"segments": 0, "rows": 0, "size_bytes": 0}));
    }
    assert_eq!((writes(&service), service.world.shards.rows_written()), (1, rows));
}

#[tokio::test]
async fn a_search_over_one_segment_reads_two_objects_at_most() {
    // A small segment is read whole; a large one at its footer and where its rows are.
    for batches in [1, 30] {
        let service = Service::new();
        for batch in 0..batches {
            let unlike: Vec<Value> = (0..1_000_u64)
                .map(|n| {
                    let n = batch * 1_000 + n;
                    let noise = |seed: u128| {
                        let mixed =
                            (u128::from(n) + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
                        uuid::Uuid::from_u128(
                            (mixed ^ mixed >> 61).wrapping_mul(0xd6e8_feb8_6659_fd93_a5a3_564e_27f8_862b),
                        )
                    };
                    log_at("api", &format!("{} {} {n}", noise(0), noise(1 << 64)), NOW_MS - n)
                })
                .collect();
            service.store_all(&unlike).await;
        }
        service.flush().await;
        assert_eq!(service.world.catalog.keys().len(), 1);
        let size = service.world.objects.bytes(&service.world.catalog.keys()[0]).unwrap().len();
        assert_eq!(size > 512 << 10, batches > 1, "{size}");
        for uri in [
            "/logs?limit=10",
            "/logs?limit=1000&q=9",
            "/api/v1/logs/recent/api",
            "/logs?level=INFO&offset=100",
        ] {
            let before = service.world.calls("objects.get") + service.world.calls("objects.get_range");
            let page = service.get(uri).await.ok();
            let read = service.world.calls("objects.get") + service.world.calls("objects.get_range") - before;
            assert!(read <= 2, "{uri}: {read}");
            assert_eq!(page["stats"]["r2_reads"], read, "{uri}");
            assert!(!page["data"].as_array().unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn segments_that_cannot_match_are_not_opened() {
    let service = Service::new();
    for (name, minutes) in [("api", 0), ("web", 10), ("db", 20)] {
        service.store(&log_at(name, "m", NOW_MS - minutes * 60_000)).await;
        service.flush().await;
    }
    for (query, segments) in [
        ("service=api", 1),
        ("service=api,db", 2),
        ("service=nobody", 0),
        ("level=ERROR", 0),
        ("start_time=2025-11-20T23:45:00Z", 2),
        ("end_time=2025-11-20T23:45:00Z", 1),
        ("limit=1", 2),
        ("", 3),
    ] {
        let page = service.get(&format!("/logs?{query}")).await.ok();
        let opened = page["stats"]["segments"].as_u64().unwrap();
        assert!(opened <= segments, "{query}: {opened}");
    }
}

#[tokio::test]
async fn services_and_stats_open_no_segment() {
    let service = Service::new();
    service.store_all(&records(100, 0)).await;
    service.flush().await;
    service.get("/api/v1/logs/services").await.ok();
    service.get("/api/v1/logs/stats/api").await.ok();
    assert_eq!(service.world.calls("objects.get") + service.world.calls("objects.get_range"), 0);
}
