//! What the largest requests cost in memory: the isolate has 128 MB for all that it does at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use axum::{Router, body::Body, http::Request};
use bytes::Bytes;
use http_body_util::BodyExt;
use peak_alloc::PeakAlloc;
use timberline::{fakes::World, http::router};
use tower::ServiceExt;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const MB: usize = 1 << 20;

async fn send(router: &Router, method: &str, uri: &str, body: impl Into<Body>) -> Bytes {
    let request = Request::builder().method(method).uri(uri).header("authorization", "Bearer key");
    let request = request.header("content-type", "application/json").body(body.into()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    assert!(parts.status.is_success(), "{parts:?} {bytes:?}");
    bytes
}

/// A batch of about 10 MB whose metadata is the costliest there is as a tree.
fn batch(records: usize) -> String {
    let objects = vec!["{\"a\":0}"; 10 * MB / 8 / records - 16].join(",");
    let record = format!("{{\"service\":\"api\",\"message\":\"m\",\"list\":[{objects}]}}");
    format!("[{}]", vec![record; records].join(","))
}

/// What `work` answers, and the bytes that it held at its peak.
async fn peak<T>(work: impl Future<Output = T>) -> (T, usize) {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let done = work.await;
    (done, MEMORY.peak_usage() - before)
}

/// One test, because the allocator counts what every thread takes. The numbers are those of 64 bits: in the
/// isolate a tree takes two thirds of it.
#[tokio::test]
async fn the_largest_batch_and_page_stay_far_below_the_isolates_memory() {
    for records in [45, 1_000] {
        let router = router(World::at(1_763_683_200_000).app(&[]));
        let body = batch(records);
        let size = body.len();
        assert!((9 * MB..=10 * MB).contains(&size), "{size}");
        let (_, held) = peak(send(&router, "POST", "/api/v1/logs/batch", body)).await;
        assert!(held < 3 * size, "{records} records of {size} bytes took {held}");
        for flushed in [false, true] {
            let (page, held) = peak(send(&router, "GET", "/logs?limit=1000", Body::empty())).await;
            assert!(page.len() > 7 * MB, "{}", page.len());
            assert!(held < 4 * page.len(), "{records} rows, flushed {flushed}: {held} for {}", page.len());
            let flush = "{\"action\":\"execute\",\"actionId\":\"flush\"}";
            send(&router, "POST", "/admin/self-healing/actions", flush).await;
        }
    }
    a_flush_of_all_that_a_log_holds().await;
}

/// Just before a log is due by its rows, which may be many small ones.
async fn a_flush_of_all_that_a_log_holds() {
    // The second goes the long way, for its number, and its rows are kept as lines.
    for number in ["1", "1e0"] {
        for padding in [0, 400] {
            let router = router(World::at(1_763_683_200_000).app(&[]));
            let row = |n: usize| {
                let padding = "x".repeat(padding);
                format!(
                    "{{\"service\":\"api\",\"message\":\"{n} {padding}\",\"user_id\":\"u-{n}\",\"n\":{number}}}\n"
                )
            };
            let batch = |n: usize| (n * 1_000..(n + 1) * 1_000).map(row).collect::<String>();
            let stored = 1_000 * (padding + 260);
            for n in 0..15 * MB / stored {
                send(&router, "POST", "/api/v1/logs/ingest/batch", batch(n)).await;
            }
            let flush = "{\"action\":\"execute\",\"actionId\":\"flush\"}";
            let (_, held) = peak(send(&router, "POST", "/admin/self-healing/actions", flush)).await;
            assert!(held < 40 * MB, "{held} for rows with {padding} bytes more, {number}");
        }
    }
}
