//! Every call that an append or a flush makes fails once, before it took effect and after, with and
//! without a crash: what was acknowledged is found exactly once.

use serde_json::json;

use crate::{HOUR_MS, NOW_MS, Service, log, log_at};

const FLUSH_CALLS: [&str; 9] = [
    "shards.flush",
    "objects.put",
    "catalog.add",
    "log.create",
    "log.append",
    "log.read",
    "log.tables",
    "log.drop_table",
    "log.wake_at",
];

/// A service that holds records of two classes, one of them under an idempotency key.
async fn loaded() -> (Service, Vec<String>) {
    let service = Service::new();
    service.put("/api/v1/logs/config/brief", &json!({"ttl_days": 1})).await.ok();
    let mut ids = service
        .store_all(&[log("api", "one"), log("brief", "two"), log_at("web", "three", NOW_MS - 5)])
        .await;
    let keyed =
        service.post_with("/logs", &[("idempotency-key", "k")], log("api", "four").to_string()).await.ok();
    ids.push(keyed["id"].as_str().unwrap().to_owned());
    (service, ids)
}

async fn flush_fails_at(call: &str, nth: u64, persisted: bool, crash: bool) {
    let context = format!("{call} number {nth} persisted={persisted} crash={crash}");
    let (service, mut ids) = loaded().await;
    service.world.fail_behind(nth, call, persisted, 1);
    let flushed = service.act_flush().await;
    assert!(flushed.status.is_success() || flushed.error().1 == "unavailable", "{context}");
    if crash {
        service.world.shards.crash();
    }
    service.world.mend();
    service.holds_exactly(&ids, &format!("{context}, at once")).await;
    // Writes go on meanwhile, and the retry of an old one is still known.
    ids.push(service.store(&log("api", "five")).await);
    let again =
        service.post_with("/logs", &[("idempotency-key", "k")], log("api", "four").to_string()).await.ok();
    assert_eq!(again["id"], json!(ids[3]), "{context}");
    service.holds_exactly(&ids, &format!("{context}, with another")).await;
    service.world.turn_clock(HOUR_MS);
    service.world.shards.wake_due(service.world.now_ms()).await.unwrap();
    service.holds_exactly(&ids, &format!("{context}, woken")).await;
    service.flush().await;
    service.holds_exactly(&ids, &format!("{context}, flushed")).await;
    let state = service.get("/admin/self-healing").await.ok();
    assert_eq!(state["shards"][0]["unflushed_commits"], 0, "{context}");
    service.agrees(&context).await;
}

#[tokio::test]
async fn a_flush_that_fails_anywhere_loses_and_doubles_nothing() {
    for call in FLUSH_CALLS {
        for (persisted, crash) in [(false, false), (false, true), (true, false), (true, true)] {
            for nth in 0..4 {
                flush_fails_at(call, nth, persisted, crash).await;
            }
        }
    }
}

#[tokio::test]
async fn a_flush_by_the_alarm_that_fails_is_tried_again() {
    for call in ["objects.put", "catalog.add", "log.drop_table", "log.read"] {
        for persisted in [false, true] {
            let (service, ids) = loaded().await;
            service.world.fail(call, persisted, 1);
            service.world.turn_clock(HOUR_MS);
            let _ = service.world.shards.wake_due(service.world.now_ms()).await;
            service.world.mend();
            service.holds_exactly(&ids, call).await;
            service.world.turn_clock(60_000);
            service.world.shards.wake_due(service.world.now_ms()).await.unwrap();
            let state = service.get("/admin/self-healing").await.ok();
            assert_eq!(state["shards"][0]["unflushed_commits"], 0, "{call} {persisted}");
            service.holds_exactly(&ids, call).await;
        }
    }
}

#[tokio::test]
async fn a_shard_flushes_by_itself_a_quarter_of_an_hour_after_its_oldest_log() {
    let (service, ids) = loaded().await;
    service.world.turn_clock(14 * 60_000);
    service.world.shards.wake_due(service.world.now_ms()).await.unwrap();
    assert_eq!(service.world.catalog.keys(), [""; 0]);
    service.world.turn_clock(61_000);
    service.world.shards.wake_due(service.world.now_ms()).await.unwrap();
    assert_eq!(service.world.catalog.keys().len(), 2);
    service.holds_exactly(&ids, "by age").await;
}

#[tokio::test]
async fn an_append_that_fails_anywhere_in_its_shard_is_kept_once() {
    for call in
        ["log.create", "log.append", "log.wake_at", "log.tables", "log.was_spooled", "log.note_spooled"]
    {
        for (persisted, crash) in [(false, false), (false, true), (true, false), (true, true)] {
            for warm in [false, true] {
                let context = format!("{call} persisted={persisted} crash={crash} warm={warm}");
                let service = Service::new();
                let mut ids = Vec::new();
                if warm {
                    ids.push(service.store(&log("api", "before")).await);
                }
                service.world.fail(call, persisted, 1);
                let send =
                    || service.post_with("/logs", &[("idempotency-key", "k")], log("api", "m").to_string());
                let mut first = send().await;
                if crash {
                    service.world.shards.crash();
                }
                service.world.mend();
                if first.status == 503 {
                    // Whether it was stored is open, and the retry settles it.
                    first = send().await;
                }
                let first = first.ok();
                ids.push(first["id"].as_str().unwrap().to_owned());
                service.holds_exactly(&ids, &format!("{context}, at once")).await;
                assert_eq!(send().await.ok(), first, "{context}, retried");
                service.holds_exactly(&ids, &format!("{context}, retried")).await;
                ids.push(service.store(&log("api", "after")).await);
                service.flush().await;
                service.holds_exactly(&ids, &format!("{context}, flushed")).await;
                assert_eq!(send().await.ok(), first, "{context}, retried after the flush");
                service.holds_exactly(&ids, &format!("{context}, retried after the flush")).await;
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_lacks_a_shard_says_that_it_is_partial() {
    let (service, ids) = loaded().await;
    service.flush().await;
    let fresh = service.store(&log("api", "fresh")).await;
    service.world.fail("shards.unflushed", false, 100);
    for uri in ["/logs", "/api/v1/logs", "/api/v1/logs/search", "/api/v1/logs/recent/api"] {
        let page = service.get(uri).await.ok();
        assert_eq!(page["stats"]["partial"], true, "{uri}");
    }
    assert_eq!(service.get("/logs").await.ok()["data"].as_array().unwrap().len(), ids.len());
    for uri in ["/api/v1/logs/services", "/api/v1/logs/stats/api"] {
        assert_eq!(service.get(uri).await.ok()["partial"], true, "{uri}");
    }
    // Whether there is such a log cannot be said.
    assert_eq!(service.get(&format!("/api/v1/logs/{fresh}")).await.error().1, "unavailable");
    assert_eq!(service.get(&format!("/api/v1/logs/{}", ids[0])).await.ok()["id"], json!(ids[0]));
    service.world.mend();
    assert_eq!(service.get("/logs").await.ok()["stats"]["partial"], false);
}

#[tokio::test]
async fn a_read_without_the_catalog_or_the_bucket_is_503_and_is_logged() {
    for call in ["catalog.spooled", "catalog.segments", "objects.get"] {
        let (service, _) = loaded().await;
        service.flush().await;
        service.world.fail(call, false, 1);
        let answer = service.get("/logs").await;
        assert_eq!(answer.error(), (503, "unavailable".into(), None), "{call}");
        assert!(!answer.text.contains("told to fail"));
        assert!(service.world.errors().iter().any(|line| line.contains(call)), "{call}");
        assert_eq!(service.get("/logs").await.status, 200);
    }
}

#[tokio::test]
async fn a_damaged_segment_is_passed_over_and_never_a_wrong_row() {
    let (service, ids) = loaded().await;
    service.flush().await;
    for key in service.world.catalog.keys() {
        let mut bytes = service.world.objects.bytes(&key).unwrap();
        let at = bytes.len() / 3;
        bytes[at] ^= 0x10;
        service.world.objects.overwrite(&key, bytes);
    }
    let page = service.get("/logs").await.ok();
    assert_eq!((&page["data"], &page["stats"]["partial"]), (&json!([]), &json!(true)));
    assert_eq!(service.world.errors().len(), 2);
    // Whether they have such a log cannot be said.
    assert_eq!(service.get(&format!("/api/v1/logs/{}", ids[0])).await.error().1, "unavailable");
}

#[tokio::test]
async fn a_commit_that_fails_costs_none_of_its_appends() {
    for call in ["log.create", "log.append", "shards.append"] {
        for persisted in [false, true] {
            let service = Service::new();
            service.world.fail(call, persisted, 1);
            let post = async |n: usize| service.store(&log("api", &n.to_string())).await;
            let ids = futures::future::join_all((0..60).map(post)).await;
            service.holds_exactly(&ids, &format!("{call} {persisted}")).await;
            service.flush().await;
            service.holds_exactly(&ids, &format!("{call} {persisted}, flushed")).await;
            assert!(service.world.objects.keys().iter().all(|key| key.starts_with("logs/")));
        }
    }
}

/// A caller that hangs up while its append waits for company must not stop the others.
#[tokio::test]
async fn an_append_whose_caller_is_gone_holds_up_no_other() {
    let service = Service::new();
    for _ in 0..3 {
        let (first, second) = (log("api", "gone"), log("api", "here"));
        let mut gone = Box::pin(service.store(&first));
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(gone.as_mut().poll(cx).is_pending()));
        assert!(polled.await);
        drop(gone);
        let answered = tokio::time::timeout(std::time::Duration::from_secs(5), service.store(&second)).await;
        assert!(answered.is_ok(), "it waits for ever");
    }
}
