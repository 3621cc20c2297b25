//! A shard that cannot be reached: appends wait in the bucket, are found there, and come home once.

use serde_json::{Value, json};
use timberline::app::jobs;

use crate::{HOUR_MS, Service, ids, log};

fn waiting(service: &Service) -> usize {
    service.world.objects.keys().iter().filter(|key| key.starts_with("spool/")).count()
}

async fn store(service: &Service) -> Vec<String> {
    let body = json!([log("api", "one"), log("web", "two")]);
    ids(&service.post("/api/v1/logs/batch", &body).await.ok())
}

#[tokio::test]
async fn what_a_shard_cannot_take_is_found_at_once_and_comes_home_once() {
    for persisted in [false, true] {
        let context = format!("persisted={persisted}");
        let service = Service::new();
        service.world.fail("shards.append", persisted, 1);
        let stored = store(&service).await;
        assert_eq!(waiting(&service), 1, "{context}");
        assert_eq!(service.get("/admin/self-healing").await.ok()["spooled"], 1);
        service.holds_exactly(&stored, &format!("{context}, spooled")).await;
        for id in &stored {
            assert_eq!(service.get(&format!("/api/v1/logs/{id}/full")).await.ok()["id"], json!(id));
        }
        service.flush().await;
        assert_eq!(waiting(&service), 0, "{context}");
        assert_eq!(service.get("/admin/self-healing").await.ok()["spooled"], 0);
        service.holds_exactly(&stored, &format!("{context}, home")).await;
        service.world.shards.crash();
        service.flush().await;
        service.holds_exactly(&stored, &format!("{context}, crashed")).await;
    }
}

#[tokio::test]
async fn an_append_that_was_taken_and_flushed_before_the_drain_comes_home_once() {
    let service = Service::new();
    service.world.fail("shards.append", true, 1);
    let stored = store(&service).await;
    service.world.turn_clock(HOUR_MS);
    service.world.shards.wake_due(service.world.now_ms()).await.unwrap();
    assert_eq!((service.world.catalog.keys().len(), waiting(&service)), (1, 1));
    service.holds_exactly(&stored, "in the spool and in a segment").await;
    assert_eq!(jobs::spool::drain(&service.app).await, Ok(1));
    service.flush().await;
    service.holds_exactly(&stored, "home").await;
}

#[tokio::test]
async fn a_drain_stopped_anywhere_is_run_again() {
    let calls = [
        "catalog.spooled",
        "objects.get spool",
        "shards.unflushed",
        "catalog.received_at",
        "shards.append",
        "log.create",
        "log.append",
        "log.note_spooled",
        "log.was_spooled",
        "objects.delete",
        "catalog.forget_spooled",
    ];
    for call in calls {
        for (persisted, crash) in [(false, false), (false, true), (true, false), (true, true)] {
            for flushed_between in [false, true] {
                let context = format!("{call} persisted={persisted} crash={crash} flushed={flushed_between}");
                let service = Service::new();
                service.world.fail("shards.append", false, 2);
                let mut stored = store(&service).await;
                stored.extend(store(&service).await);
                assert_eq!(waiting(&service), 2);
                service.world.fail(call, persisted, 1);
                let _ = jobs::spool::drain(&service.app).await;
                if crash {
                    service.world.shards.crash();
                }
                service.world.mend();
                service.holds_exactly(&stored, &format!("{context}, stopped")).await;
                if flushed_between {
                    service.world.turn_clock(HOUR_MS);
                    service.world.shards.wake_due(service.world.now_ms()).await.unwrap();
                    service.holds_exactly(&stored, &format!("{context}, flushed between")).await;
                }
                jobs::spool::drain(&service.app).await.unwrap();
                assert_eq!(waiting(&service), 0, "{context}");
                service.holds_exactly(&stored, &format!("{context}, drained")).await;
                service.flush().await;
                service.holds_exactly(&stored, &format!("{context}, flushed")).await;
            }
        }
    }
}

#[tokio::test]
async fn an_object_that_was_not_noted_is_found_by_listing() {
    for persisted in [false, true] {
        let service = Service::new();
        service.world.fail("shards.append", false, 1);
        service.world.fail("catalog.note_spooled", persisted, 1);
        let stored = store(&service).await;
        assert_eq!(jobs::spool::drain(&service.app).await, Ok(1));
        service.holds_exactly(&stored, "home").await;
        assert_eq!(jobs::spool::drain(&service.app).await, Ok(0));
    }
}

#[tokio::test]
async fn a_request_with_a_key_is_not_spooled_and_its_retry_is_stored_once() {
    for persisted in [false, true] {
        let context = format!("the shard took it: {persisted}");
        let service = Service::new();
        service.world.fail("shards.append", persisted, 1);
        let body = json!([log("api", "one")]).to_string();
        let send = || service.post_with("/api/v1/logs/batch", &[("idempotency-key", "k")], body.clone());
        assert_eq!(send().await.error(), (503, "unavailable".into(), None), "{context}");
        assert_eq!(waiting(&service), 0, "{context}");
        let stored = ids(&send().await.ok());
        service.holds_exactly(&stored, &context).await;
        service.flush().await;
        assert_eq!(ids(&send().await.ok()), stored, "{context}");
        service.holds_exactly(&stored, &context).await;
    }
}

#[tokio::test]
async fn without_a_key_a_refused_request_leaves_nothing_unless_a_part_took_it() {
    for (shard, bucket, left) in [(false, false, 0), (true, false, 1), (false, true, 1), (true, true, 1)] {
        let service = Service::new();
        service.world.fail("shards.append", shard, 1);
        service.world.fail("objects.put spool", bucket, 1);
        assert_eq!(service.post("/logs", &log("api", "m")).await.error().0, 503);
        service.flush().await;
        let counts = service.counts().await;
        assert_eq!(counts.values().collect::<Vec<_>>(), vec![&1; left], "{shard} {bucket}");
    }
}

#[tokio::test]
async fn an_object_that_cannot_be_read_stays_and_keeps_no_other() {
    let service = Service::new();
    service.world.fail("shards.append", false, 2);
    store(&service).await;
    let bad = service.world.objects.keys().remove(0);
    let good: Vec<Value> =
        service.store_all(&[log("api", "good")]).await.into_iter().map(Value::String).collect();
    service.world.objects.overwrite(&bad, b"damaged".to_vec());
    assert_eq!(jobs::spool::drain(&service.app).await, Ok(1));
    assert!(service.world.objects.keys().contains(&bad));
    assert!(service.world.errors().iter().any(|line| line.contains(&bad)));
    assert_eq!(good.len(), 1);
}

#[tokio::test]
async fn a_damaged_object_of_the_spool_hides_nothing_else() {
    let service = Service::new();
    service.world.fail("shards.append", false, 1);
    store(&service).await;
    let bad = service.world.objects.keys().remove(0);
    service.world.objects.overwrite(&bad, b"damaged".to_vec());
    let id = service.store(&log("api", "good")).await;
    let page = service.get("/logs").await.ok();
    assert_eq!((&page["data"][0]["id"], &page["stats"]["partial"]), (&json!(id), &json!(true)));
    assert_eq!(service.get("/api/v1/logs/services").await.ok()["partial"], true);
    assert_eq!(service.get(&format!("/api/v1/logs/{id}")).await.ok()["id"], json!(id));
    assert!(service.world.errors().iter().any(|line| line.contains(&bad)));
}
