//! Addresses in logs that are stored: full until the tenant's days for them are over, and those of networks after.

use futures::future::join;
use serde_json::{Value, json};
use timberline::{
    app::{
        self,
        jobs::{
            anonymise::Most,
            compact::compact,
            expire::{Expired, expire, expire_within, sweep},
            index::index,
        },
    },
    engine::{block::reader, tenant::Tenant},
    ports::{CatalogEntry, ShardName, Shards},
};

use crate::{
    DAY_MS, NOW_MS, Service,
    compaction::{MINUTE_MS, entries},
    log, log_at,
    rebuild::rebuild,
    without,
};

const FOUR: &str = "203.0.113.77";
const SIX: &str = "2001:db8:1:2::3";
/// Past the 60 days that hold where a tenant says no other.
const DUE_MS: u64 = 60 * DAY_MS + 1;

fn service() -> Service {
    Service::with(&[("RATE_LIMIT_ENABLED", "false"), ("DEFAULT_TTL_DAYS", "365")])
}

/// A log with addresses of both families wherever one may stand.
fn visit(nth: u64) -> Value {
    json!({
        "service": if nth.is_multiple_of(2) { "web" } else { "api" },
        "message": format!("visit {nth} from {FOUR} and {SIX}"),
        "endpoint": format!("/from?ip={FOUR}"),
        "user_id": format!("user-{nth}"),
        "trace_id": format!("{nth:032x}"),
        "stack_trace": format!("at\n\tx {SIX}"),
        "tags": [FOUR],
        "duration_ms": 1.5,
        "timestamp": NOW_MS - nth * MINUTE_MS,
        "metadata": {
            "client": { "ip": FOUR, "country": "DE" },
            "client_ip": SIX,
            "hops": [SIX, { "via": FOUR }],
            "version": "4.5.6.7",
            "n": nth,
        },
    })
}

async fn visits(service: &Service, count: u64) -> Vec<String> {
    let ids = service.store_all(&(0..count).map(visit).collect::<Vec<_>>()).await;
    service.flush().await;
    ids
}

async fn run(service: &Service) -> Expired {
    expire(&service.app, service.app.now()).await.unwrap()
}

fn anonymised(segments: u64) -> Expired {
    Expired { segments_anonymised: segments, ..Expired::default() }
}

/// What was asked of the bucket so far.
fn reads_and_puts(service: &Service) -> (u64, u64) {
    let calls = |verb| service.world.calls(verb);
    (calls("objects.get") + calls("objects.get_range"), calls("objects.put"))
}

/// Everything that the segments in the bucket say: their rows, and their footers with the templates.
fn stored(service: &Service) -> String {
    let mut all = String::new();
    for key in service.world.objects.keys().iter().filter(|key| key.ends_with(".seg.gz")) {
        let bytes = service.world.objects.bytes(key).unwrap();
        all += std::str::from_utf8(&reader::blocks_of(&bytes).unwrap().concat()).unwrap();
        all += &serde_json::to_string(&reader::footer_of(&bytes).unwrap()).unwrap();
    }
    all
}

fn is_full(text: &str) -> bool {
    text.contains(FOUR) || text.contains("db8:1:2")
}

/// As the addresses are cut, and nothing else is.
fn cut(text: &str) -> String {
    text.replace(FOUR, "203.0.113.0").replace(SIX, "2001:db8:1::")
}

fn marks(entries: &[CatalogEntry]) -> Vec<bool> {
    entries.iter().map(|entry| entry.anonymised).collect()
}

/// What readers see, but for where it is.
async fn seen(service: &Service) -> Value {
    let mut seen: Vec<Value> = service.all().await.into_iter().map(|one| without(one, &["r2_key"])).collect();
    for uri in ["/api/v1/logs/services", "/api/v1/stats?by=service", "/api/v1/histogram?interval=1h"] {
        let answer = without(service.get(uri).await.ok(), &["stats"]);
        let mut rows = answer["data"].clone();
        // Shorter texts are fewer bytes.
        for row in rows.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().retain(|name, _| !name.contains("bytes"));
        }
        seen.push(rows);
    }
    json!(seen)
}

async fn found(service: &Service, query: &str) -> usize {
    let answer = service.get(&format!("/logs/search?q={query}&limit=1000")).await.ok();
    answer["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn addresses_are_full_until_the_day_and_those_of_networks_after() {
    let service = service();
    let ids = visits(&service, 20).await;
    let before = seen(&service).await;
    // To the millisecond: the newest is as old as that.
    service.world.turn_clock(60 * DAY_MS);
    let calls = reads_and_puts(&service);
    assert_eq!(run(&service).await, Expired::default());
    assert_eq!(reads_and_puts(&service), calls);
    assert_eq!(seen(&service).await, before);
    for query in [FOUR, "%222001:db8:1:2::3%22", "client_ip:%222001:db8:1:2::3%22", "client.ip:203.0.113.77"]
    {
        assert_eq!(found(&service, query).await, 20, "{query}");
    }

    service.world.turn_clock(1);
    assert_eq!(run(&service).await, anonymised(1));
    assert_eq!(seen(&service).await.to_string(), cut(&before.to_string()));
    service.holds_exactly(&ids, "anonymised").await;
    for isolate in [&service, &service.restarted()] {
        for query in
            [FOUR, "%222001:db8:1:2::3%22", "client_ip:%222001:db8:1:2::3%22", "client.ip:203.0.113.77"]
        {
            assert_eq!(found(isolate, query).await, 0, "{query}");
        }
        for query in
            ["203.0.113.0", "%222001:db8:1::%22", "client.ip:203.0.113.0", "user_id:user-*", "4.5.6.7"]
        {
            assert_eq!(found(isolate, query).await, 20, "{query}");
        }
        assert_eq!(found(isolate, "user_id:user-7").await, 1);
    }
    // The old ones are there for a day, for readers that hold the old entries.
    service.world.turn_clock(DAY_MS + 1);
    sweep(&service.app, service.app.now()).await.unwrap();
    service.agrees("swept").await;
    assert!(!is_full(&stored(&service)));
    assert!(stored(&service).contains("203.0.113.0") && stored(&service).contains("\"anonymised\":true"));
    assert_eq!(marks(&entries(&service).await), [true]);
    // And is not read again.
    let calls = reads_and_puts(&service);
    for _ in 0..3 {
        service.world.turn_clock(DAY_MS);
        assert_eq!(run(&service).await, Expired::default());
    }
    assert_eq!(reads_and_puts(&service), calls);
}

#[tokio::test]
async fn a_segment_without_addresses_is_looked_into_once_and_not_written() {
    let service = service();
    let mut ids = Vec::new();
    for message in ["from 127.0.0.1 and 203.0.113.0", "v1.2.3.4"] {
        ids.push(service.store(&log("api", message)).await);
        service.flush().await;
    }
    let keys = service.world.objects.keys();
    service.world.turn_clock(DUE_MS);
    // The mark is the catalog's alone: who makes that anew has the segment looked into once more.
    for lost in [false, true] {
        if lost {
            service.world.catalog.lose(true, true);
            rebuild(&service).await;
            assert_eq!(marks(&entries(&service).await), [false; 2]);
        }
        let (reads, puts) = reads_and_puts(&service);
        for _ in 0..2 {
            assert_eq!(run(&service).await, Expired::default());
            assert_eq!(reads_and_puts(&service), (reads + 2, puts));
            assert_eq!(
                (marks(&entries(&service).await), service.world.catalog.noted()),
                (vec![true; 2], vec![])
            );
        }
    }
    assert_eq!(service.world.objects.keys(), keys);
    service.holds_exactly(&ids, "marked").await;
    // What is made of it has the mark in its footer.
    assert_eq!(compact(&service.app, service.app.now()).await.unwrap().segments_made, 1);
    assert_eq!(marks(&entries(&service).await), [true]);
    service.world.catalog.lose(true, false);
    rebuild(&service).await;
    assert_eq!(marks(&entries(&service).await), [true]);
}

#[tokio::test]
async fn a_catalog_that_is_made_again_knows_what_was_anonymised() {
    for removals in [false, true] {
        let service = service();
        let ids = visits(&service, 5).await;
        service.world.turn_clock(DUE_MS);
        assert_eq!(run(&service).await, anonymised(1));
        let before = entries(&service).await;
        service.world.catalog.lose(true, removals);
        rebuild(&service).await;
        assert_eq!(entries(&service).await, before);
        let calls = reads_and_puts(&service);
        assert_eq!(run(&service).await, Expired::default());
        assert_eq!(reads_and_puts(&service), calls);
        service.holds_exactly(&ids, "rebuilt").await;
        // What it took the place of does not come back.
        service.world.turn_clock(2 * DAY_MS);
        sweep(&service.app, service.app.now()).await.unwrap();
        assert!(!is_full(&stored(&service)));
        service.agrees("rebuilt").await;
    }
}

#[tokio::test]
async fn a_segment_that_is_made_of_others_is_anonymised_when_all_of_them_are() {
    // A day's segments, of which the second comes when the first is anonymised already.
    for late in [false, true] {
        let service = service();
        service.put("/admin/retention", &json!({"anonymize_ip_after_days": 1})).await.ok();
        let mut ids = visits(&service, 3).await;
        let old = log_at("web", &format!("late, from {FOUR}"), NOW_MS - DAY_MS);
        if late {
            service.world.turn_clock(MINUTE_MS);
            // Its rows are old when they come.
            expire(
                &service.app,
                timberline::engine::record::timestamp::Timestamp::from_ms(
                    i64::try_from(NOW_MS + DAY_MS + 1).unwrap(),
                ),
            )
            .await
            .unwrap();
            assert_eq!(marks(&entries(&service).await), [true]);
        }
        ids.extend(service.store_all(&[old]).await);
        service.flush().await;
        service.world.turn_clock(DAY_MS + 17 * MINUTE_MS);
        if !late {
            assert_eq!(run(&service).await, anonymised(2));
        }
        assert_eq!(
            marks(&entries(&service).await).iter().filter(|mark| **mark).count(),
            if late { 1 } else { 2 }
        );
        assert_eq!(compact(&service.app, service.app.now()).await.unwrap().segments_made, 1);
        assert_eq!(marks(&entries(&service).await), [!late]);
        assert_eq!(run(&service).await, anonymised(u64::from(late)));
        assert_eq!(run(&service).await, Expired::default());
        assert_eq!(marks(&entries(&service).await), [true]);
        service.holds_exactly(&ids, "merged").await;
        service.world.turn_clock(2 * DAY_MS);
        sweep(&service.app, service.app.now()).await.unwrap();
        assert!(!is_full(&stored(&service)));
        service.agrees("merged").await;
    }
}

#[tokio::test]
async fn a_rewrite_for_the_term_cuts_the_addresses_when_their_day_has_come_and_not_before() {
    for (days, is_cut) in [(100, false), (60, true)] {
        let service = service();
        service.put("/admin/retention", &json!({"anonymize_ip_after_days": days})).await.ok();
        visits(&service, 10).await;
        service.put("/api/v1/logs/config/api", &json!({"ttl_days": 61})).await.ok();
        service.world.turn_clock(62 * DAY_MS);
        let expected = Expired { segments_rewritten: 1, rows_deleted: 5, ..Expired::default() };
        assert_eq!(run(&service).await, expected);
        assert_eq!((marks(&entries(&service).await), service.all().await.len()), (vec![is_cut], 5));
        assert_eq!(found(&service, FOUR).await, if is_cut { 0 } else { 5 });
        // One that is rewritten later on says what it is.
        service.put("/api/v1/logs/config/web", &json!({"ttl_days": 63})).await.ok();
        service.world.turn_clock(DAY_MS - 5 * MINUTE_MS);
        let expected = Expired { segments_rewritten: 1, rows_deleted: 2, ..Expired::default() };
        assert_eq!(run(&service).await, expected);
        assert_eq!((marks(&entries(&service).await), service.all().await.len()), (vec![is_cut], 3));
    }
}

#[tokio::test]
async fn every_tenant_has_its_own_days_and_fewer_hold_from_the_next_night_on() {
    let service = service();
    let acme = service.tenant("acme").await;
    visits(&service, 3).await;
    service.post_as(&acme, "/api/v1/logs/batch", &json!({"logs": [visit(0), visit(1)]})).await.ok();
    app::flush::flush(&service.app, &Tenant::parse("acme").unwrap()).await.unwrap();
    let set = async |days: u32| {
        let body = json!({"anonymize_ip_after_days": days}).to_string();
        let headers = [("content-type", "application/json")];
        service.call_as(&acme, axum::http::Method::PUT, "/admin/retention", &headers, body).await.ok();
    };
    set(90).await;
    service.world.turn_clock(DUE_MS);
    assert_eq!(run(&service).await, anonymised(1));
    let of = |entries: Vec<CatalogEntry>| -> Vec<(String, bool)> {
        entries.into_iter().map(|entry| (entry.id.tenant, entry.anonymised)).collect()
    };
    let both = |acme| vec![("acme".to_owned(), acme), ("default".to_owned(), true)];
    assert_eq!(of(entries(&service).await), both(false));
    let full = service.get_as(&acme, "/logs").await.ok().to_string();
    assert!(is_full(&full) && full.contains(FOUR), "{full}");
    set(100).await;
    assert_eq!(run(&service).await, Expired::default());
    set(30).await;
    assert_eq!(run(&service).await, anonymised(1));
    assert_eq!(of(entries(&service).await), both(true));
    assert!(!is_full(&service.get_as(&acme, "/logs").await.ok().to_string()));
    for (days, status) in [(json!(0), 400), (json!(3_651), 400), (json!(-1), 400), (json!(null), 200)] {
        let answer = service.put("/admin/retention", &json!({"anonymize_ip_after_days": days})).await;
        assert_eq!(answer.status, status, "{days}");
    }
    assert_eq!(service.get("/admin/retention").await.ok()["anonymize_ip_after_days"], 60);
}

#[tokio::test]
async fn a_run_stopped_anywhere_is_run_again() {
    let calls = [
        "catalog.walk",
        "shards.state",
        "objects.get logs",
        "catalog.note_removals",
        "objects.put logs",
        "objects.put",
        "catalog.replace",
        "catalog.mark_anonymised",
    ];
    for call in calls {
        for persisted in [false, true] {
            for nth in 0..3 {
                let context = format!("{call} persisted={persisted} number {nth}");
                let service = service();
                let mut ids = visits(&service, 4).await;
                ids.extend(visits(&service, 2).await);
                ids.extend(service.store_all(&[log("api", "no address")]).await);
                service.flush().await;
                let before = seen(&service).await;
                service.world.turn_clock(DUE_MS);
                service.world.fail_behind(nth, call, persisted, 1);
                let _ = expire(&service.app, service.app.now()).await;
                service.world.mend();
                // Cut or not, they are all there, once.
                service.holds_exactly(&ids, &context).await;
                assert_eq!(cut(&seen(&service).await.to_string()), cut(&before.to_string()), "{context}");
                run(&service).await;
                assert_eq!(seen(&service).await.to_string(), cut(&before.to_string()), "{context}");
                service.holds_exactly(&ids, &context).await;
                let calls = reads_and_puts(&service);
                assert_eq!(run(&service).await, Expired::default(), "{context}");
                assert_eq!(reads_and_puts(&service), calls, "{context}");
                service.world.turn_clock(DAY_MS + 1);
                sweep(&service.app, service.app.now()).await.unwrap();
                service.agrees(&context).await;
                assert!(!is_full(&stored(&service)), "{context}");
            }
        }
    }
}

#[tokio::test]
async fn a_run_and_a_compaction_at_once_agree() {
    for first in 0..2 {
        let service = service();
        let mut ids = visits(&service, 3).await;
        ids.extend(visits(&service, 4).await);
        service.world.turn_clock(DUE_MS + DAY_MS);
        let now = service.app.now();
        let expiry = async { expire(&service.app, now).await.map(|_| ()) };
        let compaction = async { compact(&service.app, now).await.map(|_| ()) };
        let (a, b) = if first == 0 { join(expiry, compaction).await } else { join(compaction, expiry).await };
        a.unwrap();
        b.unwrap();
        service.holds_exactly(&ids, "at once").await;
        run(&service).await;
        compact(&service.app, now).await.unwrap();
        service.holds_exactly(&ids, "after").await;
        assert_eq!(marks(&entries(&service).await), [true]);
        service.world.turn_clock(DAY_MS + 1);
        sweep(&service.app, service.app.now()).await.unwrap();
        service.agrees("after").await;
        assert!(!is_full(&stored(&service)));
    }
}

#[tokio::test]
async fn an_audit_stream_keeps_its_addresses() {
    let service = service();
    let headers = [("cf-connecting-ip", FOUR)];
    service.call(axum::http::Method::GET, "/logs", &headers, axum::body::Body::empty()).await.ok();
    service.world.background.settle().await;
    let audit = ShardName { tenant: Tenant::default_tenant().audit(), number: 0 };
    Shards::flush(&*service.world.shards, &audit).await.unwrap();
    visits(&service, 2).await;
    service.put("/admin/retention", &json!({"anonymize_ip_after_days": 1})).await.ok();
    service.world.turn_clock(DUE_MS);
    assert_eq!(run(&service).await, anonymised(1));
    service.world.turn_clock(DAY_MS + 1);
    sweep(&service.app, service.app.now()).await.unwrap();
    let of_audit = |entry: &&CatalogEntry| entry.id.tenant == "default_audit";
    let all = entries(&service).await;
    let streams: Vec<&CatalogEntry> = all.iter().filter(of_audit).collect();
    assert!(streams.len() == 1 && !streams[0].anonymised, "{streams:?}");
    let bytes = service.world.objects.bytes(&streams[0].key).unwrap();
    let rows = String::from_utf8(reader::blocks_of(&bytes).unwrap().concat()).unwrap();
    assert!(rows.contains(FOUR), "{rows}");
    let shown = service.get("/admin/audit").await.ok().to_string();
    assert!(shown.contains(FOUR), "{shown}");
}

#[tokio::test]
async fn a_run_takes_so_much_and_of_each_tenant_in_turn() {
    let service = service();
    let acme = service.tenant("acme").await;
    for n in 0..6 {
        service.store(&visit(n)).await;
        service.flush().await;
        service.post_as(&acme, "/logs", &visit(n)).await.ok();
        app::flush::flush(&service.app, &Tenant::parse("acme").unwrap()).await.unwrap();
    }
    service.world.turn_clock(DUE_MS);
    let mut told = 0;
    let raw_bytes = entries(&service).await[0].raw_bytes;
    let anonymous = async |tenant: &str| {
        let all = entries(&service).await;
        all.iter().filter(|entry| entry.id.tenant == tenant && entry.anonymised).count()
    };
    for (most, done) in [
        (Most { segments: 4, raw_bytes: u64::MAX }, [2, 2]),
        // So many that the last one is begun within the bytes.
        (Most { segments: 9, raw_bytes: raw_bytes + 1 }, [3, 3]),
        (Most { segments: 0, raw_bytes: u64::MAX }, [3, 3]),
        (Most { segments: 9, raw_bytes: 0 }, [3, 3]),
        (Most::OF_A_RUN, [6, 6]),
    ] {
        let (reads, _) = reads_and_puts(&service);
        let before = anonymous("acme").await + anonymous("default").await;
        let made = expire_within(&service.app, service.app.now(), most).await.unwrap();
        assert_eq!([anonymous("acme").await, anonymous("default").await], done, "{most:?}");
        assert_eq!(made, anonymised((done.iter().sum::<usize>() - before) as u64));
        assert_eq!(reads_and_puts(&service).0 - reads, made.segments_anonymised);
        let waits =
            service.world.errors().iter().filter(|line| line.contains("wait for the next night")).count();
        told += usize::from(done != [6, 6]);
        assert_eq!(waits, told, "{most:?}");
    }
}

#[tokio::test]
async fn one_that_cannot_be_read_keeps_no_other() {
    let service = service();
    visits(&service, 1).await;
    visits(&service, 2).await;
    visits(&service, 3).await;
    let key = entries(&service).await[1].key.clone();
    service.world.objects.overwrite(&key, b"no segment".to_vec());
    service.world.turn_clock(DUE_MS);
    assert_eq!(run(&service).await, anonymised(2));
    assert!(service.world.errors().iter().any(|line| line.contains(&key)), "{:?}", service.world.errors());
    let left: Vec<_> = entries(&service).await.into_iter().filter(|entry| !entry.anonymised).collect();
    assert!(left.len() == 1 && left[0].key == key);
}

#[tokio::test]
async fn an_index_has_the_words_that_are_left() {
    let service = service();
    let ids = visits(&service, 5).await;
    let hour = async || {
        service.world.turn_clock(DAY_MS + 17 * MINUTE_MS);
        compact(&service.app, service.app.now()).await.unwrap();
        service.world.turn_clock(2 * DAY_MS);
        index(&service.app, service.app.now()).await.unwrap()
    };
    assert_eq!(hour().await.segments, 1);
    assert_eq!((found(&service, FOUR).await, found(&service, "203.0.113.0").await), (5, 0));
    service.world.turn_clock(DUE_MS);
    assert_eq!(run(&service).await, anonymised(1));
    for indexed in [false, true] {
        assert!(!indexed || hour().await.segments == 1);
        assert_eq!(entries(&service).await[0].indexed.is_some(), indexed);
        let cold = service.restarted();
        for (query, count) in
            [(FOUR, 0), ("77", 0), ("203.0.113.0", 5), ("%222001:db8:1::%22", 5), ("visit", 5)]
        {
            assert_eq!(found(&cold, query).await, count, "{query}, indexed {indexed}");
        }
        let counted = cold.get("/api/v1/stats?stats=count&q=203.0.113.0").await.ok();
        assert_eq!(counted["data"][0]["count"], 5);
        service.holds_exactly(&ids, "indexed").await;
    }
    service.world.turn_clock(DAY_MS + 1);
    sweep(&service.app, service.app.now()).await.unwrap();
    service.agrees("indexed").await;
}
