//! Compaction: many small segments become few, and no reader can tell.

use std::collections::BTreeSet;

use futures::future::join;
use serde_json::{Value, json};
use timberline::{
    app::jobs::{
        compact::{Compacted, compact},
        expire::{expire, sweep},
    },
    engine::{
        block::{reader, segment},
        record::timestamp::Timestamp,
    },
    ports::{
        Catalog, CatalogEntry, ObjectStore,
        catalog::{Only, WalkFrom},
    },
};

use crate::{DAY_MS, HOUR_MS, NOW_MS, Service, log, log_at, without};

pub(crate) const MINUTE_MS: u64 = 60_000;

pub(crate) async fn run(service: &Service) -> Compacted {
    compact(&service.app, service.app.now()).await.unwrap()
}

pub(crate) async fn entries(service: &Service) -> Vec<CatalogEntry> {
    service.world.catalog.walk(&WalkFrom::default(), 10_000, Only::All).await.unwrap()
}

/// Objects and catalog name the same segments, when what was noted is deleted.
async fn agree(service: &Service, context: &str) {
    service.world.turn_clock(DAY_MS + 1);
    sweep(&service.app, service.app.now()).await.unwrap();
    assert_eq!(service.world.catalog.noted(), [""; 0], "{context}");
    service.agrees(context).await;
}

/// Segments of a minute each, in the hour before now, of two classes and services.
pub(crate) async fn hour(service: &Service, minutes: u64) -> Vec<String> {
    service.put("/api/v1/logs/config/brief", &json!({"ttl_days": 7})).await.ok();
    let mut ids = Vec::new();
    for n in 0..minutes {
        let now = service.world.now_ms();
        let late = log_at("api", &format!("late {n}"), now - n % 7 * 5 * MINUTE_MS);
        ids.extend(service.store_all(&[log("api", &format!("minute {n}")), late]).await);
        if n % 2 == 0 {
            ids.push(service.store(&log("brief", &format!("brief {n}"))).await);
        }
        service.flush().await;
        service.world.turn_clock(MINUTE_MS);
    }
    // A quarter past the hour after.
    let now = service.world.now_ms();
    service.world.turn_clock(HOUR_MS - now % HOUR_MS + 17 * MINUTE_MS);
    ids
}

/// What readers see, but for where it is and what it cost.
async fn seen(service: &Service) -> Vec<Value> {
    let mut seen = Vec::new();
    for record in service.all().await {
        seen.push(without(record, &["r2_key"]));
    }
    for uri in ["/logs?limit=1000&q=late", "/logs?service=brief&limit=7", "/logs?start_time=30m&limit=1000"] {
        let page = service.get(uri).await.ok();
        seen.extend(page["data"].as_array().unwrap().iter().map(|one| without(one.clone(), &["r2_key"])));
    }
    for uri in ["/api/v1/logs/services", "/api/v1/logs/stats/api", "/api/v1/logs/stats/brief"] {
        seen.push(service.get(uri).await.ok());
    }
    seen
}

#[tokio::test]
async fn an_hours_segments_become_one_of_each_class_and_readers_see_the_same() {
    let service = Service::new();
    let ids = hour(&service, 30).await;
    let (before, segments) = (seen(&service).await, entries(&service).await.len());
    assert_eq!(segments, 45);
    let compacted = run(&service).await;
    assert_eq!((compacted.segments_gone, compacted.segments_made, compacted.rows), (45, 2, ids.len() as u64));
    let left = entries(&service).await;
    assert!(
        left.len() == 2 && left.iter().all(|entry| entry.key.contains("/2025/11/21/merged-")),
        "{left:?}"
    );
    assert_eq!(seen(&service).await, before);
    service.holds_exactly(&ids, "merged").await;
    for id in &ids {
        let one = service.get(&format!("/api/v1/logs/{id}")).await.ok();
        assert!(one["r2_key"].as_str().unwrap().contains("merged-"), "{one}");
    }
    // The old objects are there for a day, for readers that hold the old entries.
    assert_eq!(service.world.objects.keys().len(), 49);
    service.world.turn_clock(DAY_MS - MINUTE_MS);
    sweep(&service.app, service.app.now()).await.unwrap();
    assert_eq!(service.world.objects.keys().len(), 49);
    agree(&service, "a day later").await;
    service.holds_exactly(&ids, "a day later").await;
    // The footer of what was made says of what, and the entry how far that reached.
    for entry in &left {
        let footer = reader::footer_of(&service.world.objects.bytes(&entry.key).unwrap()).unwrap();
        assert!(footer.sources.len() >= 15 && footer.id == entry.id);
        assert_eq!(entry.id.merged.as_ref().unwrap().upto.len(), 1);
    }
    assert_eq!(run(&service).await, Compacted::default(), "there is nothing left to do");
}

#[tokio::test]
async fn what_is_not_over_or_not_flushed_is_left_alone() {
    let service = Service::new();
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(service.store(&log("api", "m")).await);
        service.flush().await;
    }
    assert_eq!(run(&service).await, Compacted::default(), "the hour is not over");
    service.world.turn_clock(HOUR_MS + 9 * MINUTE_MS);
    assert_eq!(run(&service).await, Compacted::default(), "it is not over long enough");
    service.world.turn_clock(MINUTE_MS);
    ids.push(service.store(&log("api", "waits")).await);
    assert_eq!(run(&service).await.segments_gone, 4);
    service.holds_exactly(&ids, "with one that waits").await;
}

/// A day of a segment a minute. Each is one row in D1 and one object; the bill is in the assertions.
#[tokio::test]
async fn a_segment_a_minute_stays_below_a_hundred_rows_a_day() {
    let service = Service::new();
    let mut ids = Vec::new();
    let mut most = 0;
    let calls = || {
        ["objects.put", "objects.get", "objects.get_range", "catalog.replace"]
            .map(|verb| service.world.calls(verb))
    };
    for minute in 0..24 * 60 + 20_u64 {
        if minute < 24 * 60 {
            ids.push(service.store(&log(&format!("s{}", minute % 5), &format!("minute {minute}"))).await);
            service.flush().await;
        }
        service.world.turn_clock(MINUTE_MS);
        if (minute + 1) % 60 == 17 {
            let before = calls();
            let made = run(&service).await.segments_made;
            let after = calls();
            // The segment and its words.
            assert_eq!((after[0] - before[0], after[3] - before[3]), (2 * made, made));
            assert!(made <= 1 && after[1] - before[1] <= 84 && after[2] == before[2], "{before:?} {after:?}");
        }
        let last_hour = service.world.now_ms() - HOUR_MS - 17 * MINUTE_MS;
        let last_hour = Timestamp::from_ms(last_hour.try_into().unwrap());
        let rows = entries(&service).await.iter().filter(|entry| entry.max_received < last_hour).count();
        most = most.max(rows);
        assert!(rows < 100, "{rows} rows at minute {minute}");
    }
    service.holds_exactly(&ids, "the day").await;
    assert_eq!(entries(&service).await.len(), 1, "the day is over");
    let [puts, gets, ..] = calls();
    agree(&service, "the day").await;
    let written = service.world.catalog.rows_written();
    assert!(most <= 24, "{most}");
    // Of each: 4 when it is flushed, 4 when it is merged, 1 when its object is deleted. And of each hour's.
    assert!(written <= 1_440 * 9 + 24 * 17, "{written}");
    assert!(puts <= 1_440 + 2 * 24 && gets <= 1_440 + 24, "{puts} {gets}");
}

#[tokio::test]
async fn a_compaction_stopped_anywhere_loses_and_doubles_nothing() {
    let calls = [
        "catalog.walk",
        "catalog.service_configs",
        "shards.state",
        "catalog.note_removals",
        "objects.get logs",
        "objects.put logs",
        "catalog.replace",
        "objects.delete",
        "catalog.removals",
        "catalog.forget_removals",
    ];
    for call in calls {
        for persisted in [false, true] {
            for nth in 0..3 {
                let context = format!("{call} persisted={persisted} number {nth}");
                let service = Service::new();
                let ids = hour(&service, 4).await;
                service.world.fail_behind(nth, call, persisted, 1);
                let _ = compact(&service.app, service.app.now()).await;
                let _ = sweep(&service.app, service.app.now()).await;
                service.world.mend();
                service.holds_exactly(&ids, &format!("{context}, at once")).await;
                run(&service).await;
                service.holds_exactly(&ids, &format!("{context}, run again")).await;
                assert_eq!(entries(&service).await.len(), 2, "{context}");
                agree(&service, &context).await;
                service.world.fail_behind(nth, call, persisted, 1);
                let _ = sweep(&service.app, service.app.now()).await;
                service.world.mend();
                service.holds_exactly(&ids, &format!("{context}, swept")).await;
            }
        }
    }
}

/// The sweep that deletes the sources is stopped at each of its calls.
#[tokio::test]
async fn the_deleting_of_sources_is_finished_by_the_next_run() {
    for call in ["objects.delete", "catalog.removals", "catalog.forget_removals"] {
        for persisted in [false, true] {
            let service = Service::with(&[("CLEANUP_BATCH_SIZE", "3")]);
            let ids = hour(&service, 4).await;
            run(&service).await;
            service.world.turn_clock(DAY_MS + 1);
            service.world.fail_behind(1, call, persisted, 1);
            let _ = sweep(&service.app, service.app.now()).await;
            service.world.mend();
            service.holds_exactly(&ids, call).await;
            agree(&service, call).await;
            service.holds_exactly(&ids, call).await;
        }
    }
}

#[tokio::test]
async fn two_runs_at_once_double_nothing_and_leave_nothing_behind() {
    for (also_expires, ids) in [(false, 6), (true, 6)] {
        let service = Service::new();
        let ids = hour(&service, ids).await;
        let now = service.app.now();
        let other = async {
            if also_expires {
                expire(&service.app, now).await.map(|_| ())
            } else {
                compact(&service.app, now).await.map(|_| ())
            }
        };
        let (mine, theirs) = join(compact(&service.app, now), other).await;
        mine.unwrap();
        theirs.unwrap();
        service.holds_exactly(&ids, "at once").await;
        assert_eq!(entries(&service).await.len(), 2);
        agree(&service, "at once").await;
        service.holds_exactly(&ids, "at once, swept").await;
    }
}

#[tokio::test]
async fn a_rewrite_by_the_expiry_and_a_compaction_at_once_agree() {
    for first in 0..2 {
        let service = Service::new();
        let old = log_at("web", "expires", NOW_MS - 29 * DAY_MS - 23 * HOUR_MS);
        service.store_all(&[old, log("web", "stays")]).await;
        service.flush().await;
        let ids = hour(&service, 4).await;
        service.world.turn_clock(HOUR_MS);
        let now = service.app.now();
        let expiry = async { expire(&service.app, now).await.map(|_| ()) };
        let compaction = async { compact(&service.app, now).await.map(|_| ()) };
        let (first_run, second_run) =
            if first == 0 { join(expiry, compaction).await } else { join(compaction, expiry).await };
        first_run.unwrap();
        second_run.unwrap();
        run(&service).await;
        let counts = service.counts().await;
        assert_eq!(counts.len(), ids.len() + 1);
        assert!(counts.values().all(|n| *n == 1));
        agree(&service, "rewritten").await;
        assert_eq!(service.counts().await, counts);
    }
}

#[tokio::test]
async fn readers_meanwhile_miss_and_double_nothing() {
    let service = Service::new();
    let ids = hour(&service, 20).await;
    let done = std::cell::Cell::new(false);
    let reads = std::cell::Cell::new(0);
    let reader = async {
        while !done.get() {
            service.holds_exactly(&ids, "while it is merged").await;
            reads.set(reads.get() + 1);
            tokio::task::yield_now().await;
        }
    };
    let merges = async {
        let made = run(&service).await.segments_made;
        done.set(true);
        made
    };
    let (made, ()) = join(merges, reader).await;
    assert!(made == 2 && reads.get() > 3, "{made} made, {} reads", reads.get());
}

/// A shard whose flush stopped between the catalog and its own log flushes the same once more.
#[tokio::test]
async fn a_flush_that_is_repeated_later_brings_nothing_back() {
    for crash in [false, true] {
        let service = Service::new();
        let mut ids = hour(&service, 3).await;
        ids.push(service.store(&log("api", "stuck")).await);
        service.world.fail("log.drop_table", false, 1);
        assert_eq!(service.act_flush().await.status, 503);
        let stuck = entries(&service).await.len();
        service.world.turn_clock(2 * HOUR_MS);
        if crash {
            service.world.shards.crash();
        }
        let compacted = run(&service).await;
        let left: Vec<_> = entries(&service).await;
        // Everything but what the shard still holds.
        assert_eq!(left.len() as u64, stuck as u64 - compacted.segments_gone + compacted.segments_made);
        assert!(left.iter().any(|entry| entry.id.merged.is_none()), "{left:?}");
        service.holds_exactly(&ids, "with one that is stuck").await;
        service.flush().await;
        service.holds_exactly(&ids, "flushed again").await;
        service.world.turn_clock(HOUR_MS);
        ids.push(service.store(&log("api", "after")).await);
        service.flush().await;
        service.world.turn_clock(2 * HOUR_MS);
        run(&service).await;
        service.holds_exactly(&ids, "merged").await;
        assert!(entries(&service).await.iter().all(|entry| entry.id.merged.is_some()));
    }
}

#[tokio::test]
async fn an_entry_that_was_merged_is_not_added_again() {
    let service = Service::new();
    let ids = hour(&service, 3).await;
    let before = entries(&service).await;
    run(&service).await;
    service.world.catalog.add(&before).await.unwrap();
    service.holds_exactly(&ids, "added again").await;
}

#[tokio::test]
async fn a_shard_that_cannot_be_asked_keeps_its_segments_as_they_are() {
    let service = Service::new();
    let ids = hour(&service, 3).await;
    service.world.fail("shards.state", false, 1);
    assert_eq!(run(&service).await, Compacted::default());
    service.holds_exactly(&ids, "not asked").await;
    assert_eq!(run(&service).await.segments_made, 2);
}

#[tokio::test]
async fn several_shards_are_merged_into_one() {
    let service = Service::with(&[("SHARDS_PER_TENANT", "4")]);
    let mut ids = Vec::new();
    for n in 0..6 {
        for m in 0..8 {
            ids.push(service.store(&log("api", &format!("{n} {m}"))).await);
        }
        service.flush().await;
        service.world.turn_clock(MINUTE_MS);
    }
    let shards: BTreeSet<u32> = entries(&service).await.iter().map(|entry| entry.id.shard).collect();
    assert!(shards.len() > 1, "{shards:?}");
    service.world.turn_clock(HOUR_MS + 17 * MINUTE_MS);
    run(&service).await;
    let left = entries(&service).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id.merged.as_ref().unwrap().upto.len(), shards.len());
    service.holds_exactly(&ids, "four shards").await;
    ids.push(service.store(&log("api", "another")).await);
    service.holds_exactly(&ids, "and another").await;
}

#[tokio::test]
async fn one_that_is_damaged_or_gone_keeps_no_other() {
    let service = Service::new();
    hour(&service, 6).await;
    let all = entries(&service).await;
    let brief: Vec<_> = all.iter().filter(|entry| entry.id.class == "d7").collect();
    let mut bytes = service.world.objects.bytes(&brief[0].key).unwrap();
    let third = bytes.len() / 3;
    bytes[..third].fill(0x55);
    service.world.objects.overwrite(&brief[0].key, bytes);
    let usual: Vec<_> = all.iter().filter(|entry| entry.id.class == "standard").collect();
    service.world.objects.delete(std::slice::from_ref(&usual[0].key)).await.unwrap();
    run(&service).await;
    let mut left: Vec<String> = service.world.catalog.keys();
    left.retain(|key| !key.contains("merged-"));
    left.sort();
    let mut expected = vec![brief[0].key.clone(), usual[0].key.clone()];
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(entries(&service).await.len(), 4);
    assert_eq!(service.world.errors().len(), 2, "{:?}", service.world.errors());
}

#[tokio::test]
async fn what_is_about_to_expire_is_left_to_the_expiry() {
    let service = Service::new();
    for n in 0..3 {
        service.store(&log_at("api", &format!("old {n}"), NOW_MS - 29 * DAY_MS)).await;
        service.flush().await;
    }
    service.world.turn_clock(2 * DAY_MS);
    assert_eq!(run(&service).await, Compacted::default());
    expire(&service.app, service.app.now()).await.unwrap();
    assert_eq!(entries(&service).await.len(), 0);
}

/// A segment of the format before comes out in the one of now.
/// Of the second segment no shape has room in the new one: its rows go there as lines, by turns with others.
#[tokio::test]
async fn segments_with_more_fields_than_one_has_room_for_are_merged() {
    let service = Service::new();
    let mut ids = Vec::new();
    for (nth, prefix) in [(0, "a"), (1, "b"), (2, "a")] {
        for batch in 0..3_u64 {
            let at = |n: u64| NOW_MS - 60_000 + batch * 9_000 + n * 9 + nth;
            let record = |n: u64| {
                let mut log = log_at("api", &format!("{prefix} {nth} {batch} {n}"), at(n));
                log["metadata"] = json!({ format!("{prefix}{}", (batch * 1_000 + n) % 900): n });
                log
            };
            ids.extend(service.store_all(&(0..1_000).map(record).collect::<Vec<_>>()).await);
        }
        service.flush().await;
    }
    service.world.turn_clock(26 * HOUR_MS);
    let all = || async {
        service.all().await.into_iter().map(|one| without(one, &["r2_key"]).to_string()).collect::<Vec<_>>()
    };
    let before = all().await;
    let compacted = run(&service).await;
    assert_eq!((compacted.segments_gone, compacted.segments_made, compacted.rows), (3, 1, 9_000));
    assert!(all().await == before);
    service.holds_exactly(&ids, "merged").await;
}

#[tokio::test]
async fn a_segment_of_version_1_is_merged_with_others() {
    let service = Service::new();
    let bytes = include_bytes!("../fixtures/segment-v1.seg.gz").to_vec();
    let footer = reader::footer_of(&bytes).unwrap();
    let at = reader::end_marker(&bytes[bytes.len() - segment::END_LEN..]).unwrap();
    let received = u64::try_from(footer.max_received.as_ms()).unwrap();
    service.world.turn_clock(received - service.world.now_ms());
    // Its shard went on since, and keeps it together with the rest.
    service.put("/api/v1/logs/config/api", &json!({"ttl_days": 30})).await.ok();
    service.store(&log("api", "one")).await;
    service.store(&log("api", "two")).await;
    service.flush().await;
    let entry = CatalogEntry::of_footer(&footer, bytes.len() as u64, at.offset);
    service.world.objects.put(&entry.key, bytes).await.unwrap();
    service.world.catalog.add(std::slice::from_ref(&entry)).await.unwrap();
    let before = seen(&service).await;
    let ids: Vec<String> = service.counts().await.into_keys().collect();
    assert_eq!((footer.version, ids.len() as u64), (1, footer.rows + 2));
    service.world.turn_clock(2 * HOUR_MS);
    assert_eq!(run(&service).await.segments_gone, 2);
    let left = entries(&service).await;
    let footer = reader::footer_of(&service.world.objects.bytes(&left[0].key).unwrap()).unwrap();
    assert_eq!((left.len(), footer.version), (1, 2));
    service.holds_exactly(&ids, "version 2").await;
    assert_eq!(seen(&service).await[..ids.len()], before[..ids.len()]);
}
