//! What a compaction holds: 64 MB, in an isolate that has 128 MB for all that it does at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use axum::{body::Body, http::Request};
use peak_alloc::PeakAlloc;
use serde_json::{Value, json};
use timberline::{app::jobs::compact::compact, fakes::World, http::router};
use tower::ServiceExt;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MB: usize = 1 << 20;
const NOW_MS: u64 = 1_763_683_200_000;
const MINUTE_MS: u64 = 60_000;

async fn post(router: &axum::Router, uri: &str, body: &Value) {
    let request = Request::builder().method("POST").uri(uri).header("authorization", "Bearer key");
    let request =
        request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
    assert!(router.clone().oneshot(request).await.unwrap().status().is_success());
}

fn record(n: u64, time: u64) -> Value {
    let mixed = |k: u64| n.wrapping_add(k).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n << k);
    let (level, region) = (["INFO", "INFO", "WARN", "ERROR"][n as usize % 4], ["eu", "us"][n as usize % 2]);
    json!({
        "service": format!("service-{}", n % 12),
        "level": level,
        "message": format!("GET /api/orders/{} took {} ms for customer {:x}", n, n * 7919 % 1000, mixed(9)),
        "timestamp": time,
        "trace_id": format!("{:016x}{:016x}", mixed(1), mixed(2)),
        "metadata": {
            "region": region,
            "attempt": n % 3,
            "bytes": mixed(3) % 100_000,
            "path": format!("/var/lib/data/{:x}", mixed(4) % 5_000),
        },
    })
}

/// Segments one after the other, and such as overlap. One test, because the allocator counts what every thread
/// takes.
#[tokio::test]
async fn a_compaction_holds_no_more_than_64_mb() {
    for (overlap, batches, least) in [(false, 16, 80 << 20), (true, 9, 40 << 20)] {
        let world = World::at(NOW_MS);
        let app = world.app(&[]);
        let router = router(app.clone());
        for segment in 0..12_u64 {
            for batch in 0..batches {
                let at =
                    |n: u64| if overlap { n * 61 } else { segment * 3 * MINUTE_MS + batch * 10_000 + n * 8 };
                let records: Vec<Value> = (0..1_000)
                    .map(|n| record((segment * batches + batch) * 1_000 + n, NOW_MS - 60 * MINUTE_MS + at(n)))
                    .collect();
                post(&router, "/api/v1/logs/batch", &json!({ "logs": records })).await;
            }
            let flush = json!({"action": "execute", "actionId": "flush"});
            post(&router, "/admin/self-healing/actions", &flush).await;
            world.turn_clock(3 * MINUTE_MS);
        }
        world.turn_clock(60 * MINUTE_MS);
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let compacted = compact(&app, app.now()).await.unwrap();
        let held = MEMORY.peak_usage() - before;
        assert!(compacted.raw_bytes > least && compacted.segments_gone == 12, "{compacted:?}");
        assert!(held < 64 * MB, "{held}");
    }
}
