//! What happens over hours, in outages, and when two things run at once.

use futures::future::{join, join_all};
use timberline::{
    app::jobs,
    engine::{
        block::{
            key::spool_key,
            rows::{Codec, Encoded},
        },
        record::timestamp::Timestamp,
        shard::{Header, append},
        tenant::Tenant,
    },
    ports::{ShardLog, ShardName},
};
use uuid::Uuid;

use crate::{HOUR_MS, NOW_MS, Service, log, log_at};

const MINUTE_MS: u64 = 60_000;

fn shard() -> ShardName {
    ShardName { tenant: Tenant::default_tenant(), number: 0 }
}

async fn wake(service: &Service) {
    service.world.shards.wake_due(service.world.now_ms()).await.unwrap();
}

#[tokio::test]
async fn logs_that_come_during_a_flush_do_not_start_the_next() {
    let service = Service::new();
    let mut ids = vec![service.store(&log("api", "first")).await];
    let (first, second) = (log("api", "a"), log("api", "b"));
    let stored = join_all([service.store(&first), service.store(&second)]);
    let ((), during) = join(service.flush(), stored).await;
    ids.extend(during);
    let wakes = service.world.shards.log(&shard()).wakes_at().await.unwrap();
    assert!(wakes.is_none_or(|at| at > service.world.now_ms() + 10 * MINUTE_MS), "{wakes:?}");
    let segments = service.world.catalog.keys().len();
    wake(&service).await;
    assert_eq!(service.world.catalog.keys().len(), segments);
    service.holds_exactly(&ids, "during a flush").await;
}

#[tokio::test]
async fn an_outage_does_not_make_a_segment_of_every_retry() {
    let service = Service::new();
    service.world.fail("catalog.add", false, u64::MAX);
    let mut ids = Vec::new();
    for _ in 0..120 {
        ids.push(service.store(&log("api", "m")).await);
        service.world.turn_clock(30_000);
        wake(&service).await;
    }
    service.world.mend();
    service.world.turn_clock(15 * MINUTE_MS);
    wake(&service).await;
    service.holds_exactly(&ids, "an hour without a catalog").await;
    let segments = service.world.catalog.keys().len();
    assert!((1..=6).contains(&segments), "{segments} segments");
}

#[tokio::test]
async fn a_quiet_shard_that_is_often_put_to_sleep_is_flushed_by_age_all_the_same() {
    let service = Service::new();
    let mut ids = Vec::new();
    for _ in 0..24 {
        ids.push(service.store(&log("api", "m")).await);
        service.world.shards.crash();
        service.world.turn_clock(5 * MINUTE_MS);
        wake(&service).await;
    }
    service.holds_exactly(&ids, "two hours").await;
    let segments = service.world.catalog.keys().len();
    assert!((6..=9).contains(&segments), "{segments} segments in two hours");
}

#[tokio::test]
async fn a_shard_that_wakes_up_does_not_pay_for_an_alarm_that_is_set() {
    let service = Service::new();
    service.store(&log("api", "m")).await;
    let before = service.world.calls("log.wake_at");
    for _ in 0..5 {
        service.world.shards.crash();
        service.get("/logs").await.ok();
    }
    assert_eq!(service.world.calls("log.wake_at"), before);
}

#[tokio::test]
async fn an_alarm_that_never_came_is_set_again() {
    let service = Service::new();
    let id = service.store(&log("api", "m")).await;
    service.world.shards.crash();
    service.world.turn_clock(HOUR_MS);
    service.get("/logs").await.ok();
    let wakes = service.world.shards.log(&shard()).wakes_at().await.unwrap();
    assert_eq!(wakes, Some(service.world.now_ms()));
    wake(&service).await;
    assert_eq!(service.world.catalog.keys().len(), 1);
    service.holds_exactly(&[id], "an hour late").await;
}

#[tokio::test]
async fn two_ways_home_at_once_store_a_log_once() {
    let service = Service::new();
    service.world.fail("shards.append", false, 1);
    let ids = [service.store(&log("api", "m")).await];
    let (one, two) = join(jobs::spool::drain(&service.app), jobs::spool::drain(&service.app)).await;
    assert!(one.is_ok() && two.is_ok(), "{one:?} {two:?}");
    service.holds_exactly(&ids, "two drains").await;
    service.flush().await;
    service.holds_exactly(&ids, "flushed").await;
}

#[tokio::test]
async fn the_way_home_asks_the_one_shard_that_it_leads_to() {
    let service = Service::with(&[("SHARDS_PER_TENANT", "8")]);
    service.world.fail("shards.append", false, 50);
    let mut ids = Vec::new();
    for _ in 0..50 {
        ids.push(service.store(&log("api", "m")).await);
    }
    let calls = || {
        [
            "objects.get",
            "objects.delete",
            "objects.list",
            "shards.unflushed",
            "shards.append",
            "catalog.received_at",
            "catalog.forget_spooled",
        ]
        .map(|verb| service.world.calls(verb))
        .iter()
        .sum::<u64>()
    };
    let before = calls();
    assert_eq!(jobs::spool::drain(&service.app).await, Ok(50));
    assert!(calls() - before <= 50 * 4 + 10, "{} calls", calls() - before);
    service.holds_exactly(&ids, "eight shards").await;
}

#[tokio::test]
async fn appends_of_one_call_share_a_row_and_a_bad_one_fails_alone() {
    let service = Service::new();
    let good = |id| append::encode(Header::new(Uuid::from_u128(id), 1, None), &[]).unwrap();
    service.store(&log("api", "before")).await;
    let rows = service.world.shards.rows_written();
    let messages = vec![good(1), b"garbage".to_vec(), good(2)];
    let answers = service.world.shards.append_all(&shard(), messages).await.unwrap();
    let stored: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(stored, [true, false, true]);
    assert_eq!(service.world.shards.rows_written(), rows + 1);
}

#[tokio::test]
async fn an_append_that_cannot_be_read_is_set_aside_and_hides_no_other() {
    let service = Service::new();
    let before = service.store(&log("api", "before")).await;
    let at = Timestamp::from_ms(NOW_MS.try_into().unwrap());
    let block =
        Encoded { codec: Codec::Gzip, rows: 1, raw_bytes: 9, min_time: at, max_time: at, bytes: vec![1; 9] };
    let first_id = Uuid::from_u128(7);
    let header = Header::new(first_id, 1, None);
    let message = append::encode(header, &[("d30".to_owned(), block)]).unwrap();
    service.app.shards.append(&shard(), message).await.unwrap();
    let ids = [before, service.store(&log("api", "after")).await];

    let page = service.get("/logs").await.ok();
    assert_eq!((page["data"].as_array().unwrap().len(), page["stats"]["partial"].as_bool()), (2, Some(true)));
    assert_eq!(service.get(&format!("/api/v1/logs/{}", ids[0])).await.ok()["message"], "before");
    assert_eq!(service.get("/api/v1/logs/services").await.ok()["partial"], true);
    service.flush().await;
    service.holds_exactly(&ids, "flushed").await;
    let aside: Vec<String> =
        service.world.objects.keys().into_iter().filter(|key| key.starts_with("damaged/")).collect();
    assert_eq!(aside, ["damaged/default/000-000000000001-0.append"]);
    assert!(service.world.errors().iter().any(|line| line.contains(&aside[0])));
}

#[tokio::test]
async fn what_an_older_version_left_in_a_log_or_the_spool_is_found_beside_the_new_and_flushed() {
    let service = Service::new();
    let at = Timestamp::from_ms(NOW_MS.try_into().unwrap());
    let old = |n: u128| {
        let id = Uuid::from_u128(u128::from(NOW_MS) << 80 | 0x7000_8000_0000_0000_0000 | n);
        let line = format!(
            "{{\"id\":\"{id}\",\"timestamp\":\"{at}\",\"received_at\":\"{at}\",\"service\":\"api\",\"level\":\"WARN\",\
             \"message\":\"old \\\"{n}\\\"\",\"source_type\":\"http\"}}\n"
        );
        let raw_bytes = u32::try_from(line.len()).unwrap();
        let bytes = line.into_bytes();
        let block = Encoded { codec: Codec::Raw, rows: 1, raw_bytes, min_time: at, max_time: at, bytes };
        (id, append::encode(Header::new(id, 1, None), &[("standard".to_owned(), block)]).unwrap())
    };
    let ((in_log, logged), (in_spool, spooled)) = (old(7), old(8));
    service.app.shards.append(&shard(), logged).await.unwrap();
    let new = service.store(&log("api", "new")).await;
    let key = spool_key("default", 0, &in_spool.to_string());
    service.app.objects.put(&key, spooled).await.unwrap();
    service.app.catalog.note_spooled("default", &key).await.unwrap();
    let ids = [in_log.to_string(), in_spool.to_string(), new];

    let holds = async |when: &str| {
        service.holds_exactly(&ids, when).await;
        assert_eq!(
            service.get(&format!("/api/v1/logs/{in_log}")).await.ok()["message"],
            "old \"7\"",
            "{when}"
        );
        let found = service.get("/api/v1/logs/search?service=api&level=WARN&q=old").await.ok();
        assert_eq!(found["data"].as_array().unwrap().len(), 2, "{when}");
        assert_eq!(service.get("/api/v1/logs/stats/api").await.ok()["total"], 3, "{when}");
    };
    holds("before the flush").await;
    service.flush().await;
    holds("flushed").await;
}

#[tokio::test]
async fn a_damaged_segment_keeps_no_other_from_expiring() {
    let service = Service::new();
    let day = 24 * HOUR_MS;
    service.store_all(&[log_at("api", "old", NOW_MS - 20 * day), log_at("api", "new", NOW_MS)]).await;
    service.flush().await;
    let damaged = service.world.catalog.keys();
    service.world.objects.overwrite(&damaged[0], vec![0; 99]);
    service.store(&log_at("api", "older", NOW_MS - 21 * day)).await;
    service.flush().await;
    let as_of = |ms: u64| Timestamp::from_ms(ms.try_into().unwrap());
    let expired = jobs::expire::expire(&service.app, as_of(NOW_MS + 15 * day)).await.unwrap();
    assert_eq!((expired.segments_deleted, expired.segments_rewritten), (1, 0));
    assert_eq!(service.world.catalog.keys(), damaged);
    // When all of it has expired nothing has to be read of it.
    jobs::expire::expire(&service.app, as_of(NOW_MS + 31 * day)).await.unwrap();
    assert_eq!(service.world.catalog.keys(), [""; 0]);
}
