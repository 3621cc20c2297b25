//! Partition indexes: a search for a word opens the segments that hold it, and finds what it found before.

use std::collections::BTreeSet;

use axum::{body::Body, http::Method};
use futures::future::join;
use serde_json::{Value, json};
use timberline::{
    app::jobs::{
        expire::{expire, sweep},
        index::{Indexed, index},
    },
    engine::index::names,
    ports::{CatalogEntry, ObjectStore, Partitions, partitions::Partition},
};

use crate::{
    DAY_MS, Service,
    access::unlimited,
    compaction::{MINUTE_MS, entries, run as compact},
    log, rebuild, without,
};

async fn run(service: &Service) -> Indexed {
    index(&service.app, service.app.now()).await.unwrap()
}

async fn partitions(service: &Service) -> Vec<Partition> {
    service.world.catalog.all().await.unwrap()
}

/// A day with three segments that become one, then the next day a quarter past midnight and that.
async fn day(service: &Service, day: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..3 {
        let mut rare = log("api", &format!("order needle{day}x{n} was paid"));
        rare["trace_id"] = json!(format!("{:032x}", 0xabc_0000 + day * 100 + n));
        rare["user_id"] = json!(format!("user-{}", day % 3));
        let mut common = log("web", "order was shown");
        common["level"] = json!("ERROR");
        ids.extend(service.store_all(&[rare, common]).await);
        service.flush().await;
        service.world.turn_clock(MINUTE_MS);
    }
    let now = service.world.now_ms();
    service.world.turn_clock(DAY_MS - now % DAY_MS + 17 * MINUTE_MS);
    assert!(compact(service).await.segments_made >= 1);
    ids
}

/// So many days, all of them old enough for an index.
async fn days(service: &Service, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.extend(day(service, n).await);
    }
    service.world.turn_clock(2 * DAY_MS);
    ids
}

/// What readers see, but for what it cost.
async fn seen(service: &Service) -> Vec<Value> {
    let mut seen = service.all().await;
    for uri in [
        "/logs/search?q=needle1x2",
        "/logs/search?q=needle0x0+OR+needle3x1&limit=1000",
        "/logs/search?q=order+paid&limit=1000&sort=oldest",
        "/logs/search?q=shown&limit=7&offset=2",
        "/logs/search?q=shown+level:error&limit=1000",
        "/logs/search?q=needle7*+order&limit=1000",
        "/logs/search?q=neverwritten",
        "/logs/search?user_id=user-1&limit=1000",
        "/logs/search?q=needle2x1+paid&sort=relevance",
        "/api/v1/trace/00000000000000000000000000abc0001",
        "/api/v1/stats?stats=count&q=shown&by=service",
        "/api/v1/histogram?q=paid&interval=1d",
    ] {
        let answer = service.get(uri).await.ok();
        seen.push(without(answer, &["stats", "pagination"]));
    }
    seen
}

/// Objects and catalog name the same, when what was noted is deleted.
async fn agree(service: &Service, context: &str) {
    service.world.turn_clock(DAY_MS + 1);
    sweep(&service.app, service.app.now()).await.unwrap();
    service.agrees(context).await;
}

#[tokio::test]
async fn a_needle_opens_one_segment_of_many_and_nothing_is_found_otherwise_than_before() {
    let service = Service::new();
    let ids = days(&service, 10).await;
    let before = seen(&service).await;
    let indexed = run(&service).await;
    assert_eq!((indexed.segments, indexed.indexes_made), (10, 1));
    assert_eq!(seen(&service).await, before);
    service.holds_exactly(&ids, "indexed").await;

    let cold = service.restarted();
    let found = cold.get("/logs/search?q=needle4x1").await.ok();
    let stats = &found["stats"];
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    // A page of the index, and the segment, which is small.
    assert_eq!(
        (&stats["indexes"], &stats["segments"], &stats["r2_reads"]),
        (&json!(1), &json!(1), &json!(2))
    );
    let trace = cold.get(&format!("/api/v1/trace/{:032x}", 0xabc_0000 + 702)).await.ok();
    assert_eq!(trace["data"].as_array().unwrap().len(), 1, "{trace}");
    let nothing = cold.get("/logs/search?q=neverwritten").await.ok();
    assert_eq!((&nothing["stats"]["segments"], &nothing["data"]), (&json!(0), &json!([])));
    // What has come since is in no index.
    let id = service.store(&log("api", "order needle4x1 again")).await;
    service.flush().await;
    let found = cold.get("/logs/search?q=needle4x1").await.ok();
    assert_eq!((&found["data"][0]["id"], &found["stats"]["segments"]), (&json!(id), &json!(2)));
    assert_eq!(run(&service).await, Indexed::default(), "there is nothing left to do");
    agree(&service, "indexed").await;
}

#[tokio::test]
async fn indexes_become_one_as_they_grow_and_lose_nothing() {
    let service = Service::new();
    let mut ids = Vec::new();
    let mut made = Indexed::default();
    for n in 0..24 {
        ids.extend(day(&service, n).await);
        let indexed = run(&service).await;
        made.segments += indexed.segments;
        made.indexes_gone += indexed.indexes_gone;
        assert!(partitions(&service).await.len() <= 6, "{:?}", partitions(&service).await);
    }
    // The day before is not old enough yet.
    assert_eq!(made.segments, 23);
    assert!(made.indexes_gone > 10, "{made:?}");
    let all = partitions(&service).await;
    assert_eq!(all.iter().map(|one| one.segments).sum::<u32>(), 23);
    for n in 0..24 {
        let found = service.get(&format!("/logs/search?q=needle{n}x2")).await.ok();
        assert_eq!(found["data"].as_array().unwrap().len(), 1, "day {n}");
        assert!(found["stats"]["segments"].as_u64().unwrap() <= 2, "{found}");
    }
    service.holds_exactly(&ids, "indexed").await;
    agree(&service, "indexed").await;
}

#[tokio::test]
async fn one_stopped_anywhere_is_run_again() {
    for verb in [
        "partitions.dissolve_empty",
        "partitions.all",
        "partitions.waiting",
        "partitions.headers",
        "partitions.members",
        "partitions.put",
        "objects.get_range index/",
        "objects.put index/",
        "catalog.note_removals",
    ] {
        for (persisted, nth) in [(false, 0), (true, 0), (false, 1), (true, 1)] {
            let service = Service::new();
            let mut ids = days(&service, 4).await;
            run(&service).await;
            // Enough for another index, and for both to become one.
            for n in 4..8 {
                ids.extend(day(&service, n).await);
            }
            service.world.turn_clock(2 * DAY_MS);
            let before = seen(&service).await;
            service.world.fail_behind(nth, verb, persisted, 1);
            let first = index(&service.app, service.app.now()).await;
            service.world.mend();
            let context = format!("{verb} persisted={persisted} number {nth}: {first:?}");
            assert_eq!(seen(&service).await, before, "{context}");
            service.world.turn_clock(MINUTE_MS);
            run(&service).await;
            assert_eq!(seen(&service).await, before, "{context}");
            let members: u32 = partitions(&service).await.iter().map(|one| one.segments).sum();
            assert_eq!(members, 8, "{context}");
            service.holds_exactly(&ids, &context).await;
            agree(&service, &context).await;
        }
    }
}

#[tokio::test]
async fn a_damaged_index_hides_nothing_and_is_given_up() {
    let service = Service::new();
    let ids = days(&service, 4).await;
    run(&service).await;
    let before = seen(&service).await;
    let part = names::part_key(&partitions(&service).await[0].name, 0);
    let whole = service.world.objects.bytes(&part).unwrap();
    for damaged in [Some(vec![0; whole.len()]), Some(whole[..9].to_vec()), None] {
        match damaged {
            Some(bytes) => service.world.objects.overwrite(&part, bytes),
            None => service.world.objects.delete(std::slice::from_ref(&part)).await.unwrap(),
        }
        let cold = service.restarted();
        assert_eq!(seen(&cold).await, before);
        assert!(service.world.errors().iter().any(|error| error.contains("was passed over")));
    }
    // It is noticed when it is to become one with others.
    for n in 4..16 {
        day(&service, n).await;
        run(&service).await;
    }
    assert!(
        service.world.errors().iter().any(|error| error.contains("is given up")),
        "{:?}",
        service.world.errors()
    );
    let cold = service.restarted();
    let found = cold.get("/logs/search?q=needle1x2").await.ok();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert!(ids.len() == 24 && !service.world.objects.keys().contains(&part));
    // Those that were in it were written anew for their words, and are in another.
    assert!(
        entries(&service).await.iter().all(|entry| entry.indexed.is_some() || entry.words_bytes.is_some())
    );
    run(&service).await;
    assert!(entries(&service).await[..4].iter().all(|entry| entry.indexed.is_some()));
}

#[tokio::test]
async fn a_segment_whose_words_are_lost_is_found_without_an_index() {
    let service = Service::new();
    let ids = days(&service, 5).await;
    let before = seen(&service).await;
    let all = entries(&service).await;
    let runs: Vec<String> = all.iter().map(|entry| names::run_key(&entry.key).unwrap()).collect();
    service.world.objects.delete(&runs[1..2]).await.unwrap();
    let mut bytes = service.world.objects.bytes(&runs[3]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    service.world.objects.overwrite(&runs[3], bytes);
    assert_eq!(run(&service).await.segments, 3);
    assert_eq!(service.world.errors().len(), 2, "{:?}", service.world.errors());
    assert_eq!(seen(&service.restarted()).await, before);
    service.holds_exactly(&ids, "indexed").await;
    assert_eq!(run(&service).await, Indexed::default(), "it is not tried for ever");
    // What has no words is written anew for them.
    assert_eq!(compact(&service).await.segments_made, 2);
    assert_eq!(run(&service).await.segments, 2);
    service.holds_exactly(&ids, "indexed again").await;
    assert_eq!(compact(&service).await.segments_made, 0, "nor is it written anew for ever");
}

#[tokio::test]
async fn the_only_segment_of_a_day_is_indexed_too() {
    let service = Service::new();
    service.world.turn_clock(17 * MINUTE_MS);
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.extend(service.store_all(&[log("api", &format!("order needle{n} was paid"))]).await);
        service.flush().await;
        assert_eq!(compact(&service).await.segments_made, 0, "its day is not over");
        service.world.turn_clock(DAY_MS);
        assert_eq!(compact(&service).await.segments_made, 1);
        assert_eq!(compact(&service).await.segments_made, 0);
    }
    service.world.turn_clock(2 * DAY_MS);
    assert_eq!(run(&service).await.segments, 6);
    let found = service.restarted().get("/logs/search?q=needle2").await.ok();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(found["stats"]["segments"], 1);
    service.holds_exactly(&ids, "indexed").await;
}

#[tokio::test]
async fn readers_meanwhile_miss_and_double_nothing() {
    let service = Service::new();
    let mut ids = Vec::new();
    for n in 0..16 {
        ids.extend(day(&service, n).await);
        if n % 3 == 0 {
            service.world.turn_clock(2 * DAY_MS);
            let uri = format!("/logs/search?q=paid&limit=1000&sort={}", ["newest", "oldest"][n % 2]);
            let (indexed, (found, count)) = join(run(&service), async {
                let found = service.get(&uri).await.ok();
                (found, service.get("/api/v1/stats?stats=count&q=paid").await.ok())
            })
            .await;
            assert!(indexed.indexes_made > 0);
            let expected: BTreeSet<&String> = ids.iter().step_by(2).collect();
            let found = found["data"].as_array().unwrap().iter();
            let found: Vec<String> = found.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(found.len(), expected.len(), "after {n} days");
            assert_eq!(found.iter().collect::<BTreeSet<_>>(), expected);
            assert_eq!(count["data"][0]["count"], json!(expected.len()), "{count}");
        }
    }
}

#[tokio::test]
async fn what_expires_leaves_the_index_and_an_empty_one_goes() {
    let service = Service::new();
    days(&service, 6).await;
    run(&service).await;
    // One service's rows go, so the segments are written anew, and are in no index until the next run.
    service.put("/api/v1/logs/config/web", &json!({"ttl_days": 1})).await.ok();
    let rewritten = expire(&service.app, service.app.now()).await.unwrap().segments_rewritten;
    assert_eq!(rewritten, 6);
    let found = service.get("/logs/search?q=needle2x2").await.ok();
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    assert_eq!(service.get("/logs/search?q=shown").await.ok()["data"], json!([]));
    service.world.turn_clock(MINUTE_MS);
    let indexed = run(&service).await;
    assert_eq!((indexed.segments, indexed.indexes_gone), (6, 1), "{indexed:?}");
    let found = service.restarted().get("/logs/search?q=needle2x2").await.ok();
    assert_eq!((&found["stats"]["segments"], &found["stats"]["indexes"]), (&json!(1), &json!(1)));
    agree(&service, "rewritten").await;
    service.world.turn_clock(40 * DAY_MS);
    expire(&service.app, service.app.now()).await.unwrap();
    assert_eq!(run(&service).await.indexes_gone, 1);
    agree(&service, "expired").await;
    assert_eq!(service.world.objects.keys(), [""; 0]);
}

#[tokio::test]
async fn an_index_is_made_anew_once_half_of_its_segments_are_gone() {
    let service = Service::new();
    for n in 0..4 {
        day(&service, n).await;
        // A class of its own, that is kept longer.
        let long =
            json!({"service": "shop", "message": format!("invoice {n} was paid"), "category": "billing"});
        service.store(&long).await;
        service.flush().await;
    }
    service.world.turn_clock(2 * DAY_MS);
    compact(&service).await;
    run(&service).await;
    let size = |all: Vec<Partition>| all.iter().map(|one| (one.segments, one.pairs)).collect::<Vec<_>>();
    let before = size(partitions(&service).await);
    let [(segments, pairs)] = before[..] else { panic!("{before:?}") };
    assert_eq!(segments, 8);
    // The standard class ends, what is paid is kept.
    service.world.turn_clock(40 * DAY_MS);
    expire(&service.app, service.app.now()).await.unwrap();
    let (now, hour) = (service.world.now_ms(), 60 * MINUTE_MS);
    service.world.turn_clock(DAY_MS - now % DAY_MS + 3 * hour);
    for thinned in [false, true] {
        let indexed = run(&service).await;
        assert_eq!(indexed.indexes_made, u64::from(thinned), "{indexed:?}");
        service.world.turn_clock(hour);
    }
    let after = size(partitions(&service).await);
    assert!(matches!(after[..], [(4, left)] if left < pairs / 2), "{before:?} {after:?}");
    for n in 0..4 {
        let found = service.restarted().get(&format!("/logs/search?q=invoice+{n}&limit=10")).await.ok();
        assert_eq!(
            (found["data"].as_array().unwrap().len(), &found["stats"]["indexes"]),
            (1, &json!(1)),
            "{found}"
        );
    }
    agree(&service, "thinned out").await;
}

/// By name, and without the numbers, which are new ones.
fn named(mut partitions: Vec<Partition>) -> Vec<Partition> {
    partitions.sort_by(|a, b| a.name.cmp(&b.name));
    partitions.into_iter().map(|one| Partition { number: 0, ..one }).collect()
}

fn without_numbers(entries: Vec<CatalogEntry>) -> Vec<CatalogEntry> {
    let bare = |entry: CatalogEntry| CatalogEntry {
        indexed: entry.indexed.map(|(_, ordinal)| (0, ordinal)),
        ..entry
    };
    entries.into_iter().map(bare).collect()
}

#[tokio::test]
async fn a_rebuilt_catalog_has_its_indexes_again() {
    for removals in [false, true] {
        let service = unlimited();
        let other = service.tenant("aaa").await;
        for n in 0..9 {
            let flush = json!({"action": "execute", "actionId": "flush"});
            for (uri, body) in [("/logs", log("api", "theirs")), ("/admin/self-healing/actions", flush)] {
                let json = [("content-type", "application/json")];
                let body = Body::from(body.to_string());
                service.call_as(&other, Method::POST, uri, &json, body).await.ok();
            }
            day(&service, n).await;
            run(&service).await;
        }
        let (before, listed, all) =
            (seen(&service).await, partitions(&service).await, entries(&service).await);
        assert!(listed.len() >= 2, "{listed:?}");
        service.world.catalog.lose(true, removals);
        let (sums, _) = rebuild::rebuild(&service).await;
        assert_eq!(sums["indexes_added"].as_u64(), Some(listed.len() as u64), "{sums}");
        assert_eq!(named(partitions(&service).await), named(listed.clone()));
        assert_eq!(without_numbers(entries(&service).await), without_numbers(all));
        assert_eq!(seen(&service.restarted()).await, before);
        let (sums, _) = rebuild::rebuild(&service).await;
        assert_eq!((&sums["indexes_added"], &sums["superseded"]), (&json!(0), &json!(0)));
        agree(&service, "rebuilt").await;
        // One of its objects is gone: the others are listed, and its segments wait for another.
        let part = names::part_key(&listed[0].name, 0);
        service.world.catalog.lose(true, true);
        service.world.objects.overwrite(&part, vec![1, 2, 3]);
        rebuild::rebuild(&service).await;
        assert_eq!(named(partitions(&service).await), named(listed[1..].to_vec()));
        assert_eq!(seen(&service.restarted()).await, before);
        agree(&service, "without one").await;
    }
}

#[tokio::test]
async fn tenants_have_indexes_of_their_own_and_numbers_that_grow() {
    let service = Service::new();
    days(&service, 3).await;
    // Another class of the same tenant, in the same second.
    service.put("/api/v1/logs/config/brief", &json!({"ttl_days": 60})).await.ok();
    for n in 0..3 {
        service.store(&log("brief", &format!("brief {n}"))).await;
        service.flush().await;
    }
    service.world.turn_clock(DAY_MS);
    compact(&service).await;
    service.world.turn_clock(2 * DAY_MS);
    let indexed = run(&service).await;
    // One index of all classes.
    assert_eq!((indexed.segments, indexed.indexes_made), (4, 1));
    assert_eq!(partitions(&service).await.len(), 1);
    let found = service.get("/logs/search?q=brief").await.ok();
    assert_eq!((found["data"].as_array().unwrap().len(), &found["stats"]["indexes"]), (3, &json!(1)));
}
