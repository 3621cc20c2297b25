//! The catalog made again from the bucket: every log comes back once, whatever was lost.

use serde_json::{Value, json};
use timberline::{
    app::jobs::{compact::compact, expire::expire},
    ports::{Catalog, ObjectStore},
};

use crate::{
    DAY_MS, HOUR_MS, NOW_MS, Service,
    compaction::{MINUTE_MS, entries, hour, run},
    log, log_at,
};

async fn act(service: &Service, behind: Option<&Value>) -> Value {
    let mut action = json!({"action": "execute", "actionId": "rebuild-catalog"});
    if let Some(behind) = behind {
        action["continue"] = behind.clone();
    }
    service.post("/admin/self-healing/actions", &action).await.ok()
}

/// Calls until it is done; the sums, and how many calls.
pub(crate) async fn rebuild(service: &Service) -> (Value, usize) {
    let mut sums = json!({});
    let mut behind = None;
    for calls in 1.. {
        let answer = act(service, behind.as_ref()).await;
        for (name, n) in answer["result"].as_object().unwrap() {
            sums[name] = json!(sums[name].as_u64().unwrap_or_default() + n.as_u64().unwrap());
        }
        assert_eq!(answer["actionId"], "rebuild-catalog");
        if answer["status"] == "done" {
            assert_eq!(answer.get("continue"), None);
            return (sums, calls);
        }
        assert_eq!(answer["status"], "partial");
        assert_ne!(behind.as_ref(), Some(&answer["continue"]));
        behind = Some(answer["continue"].clone());
    }
    unreachable!()
}

async fn agree(service: &Service, context: &str) {
    service.world.turn_clock(DAY_MS + 1);
    timberline::app::jobs::expire::sweep(&service.app, service.app.now()).await.unwrap();
    service.agrees(context).await;
}

const LOSSES: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

#[tokio::test]
async fn what_was_flushed_comes_back() {
    for (segments, removals) in LOSSES {
        let service = Service::new();
        let mut ids = hour(&service, 5).await;
        ids.push(service.store(&log("api", "waits")).await);
        let before = entries(&service).await;
        service.world.catalog.lose(segments, removals);
        let (sums, _) = rebuild(&service).await;
        assert_eq!(entries(&service).await, before);
        let added = if segments { before.len() } else { 0 };
        assert_eq!((&sums["segments_added"], &sums["superseded"]), (&json!(added), &json!(0)));
        service.holds_exactly(&ids, "rebuilt").await;
        service.flush().await;
        service.holds_exactly(&ids, "flushed").await;
    }
}

/// Hours that are merged, days that are merged again, rewritten segments, and what is not merged yet.
async fn mixed(sweeps: bool) -> (Service, Vec<String>) {
    let service = Service::new();
    service.put("/api/v1/logs/config/short", &json!({"ttl_days": 30})).await.ok();
    let mut ids = hour(&service, 6).await;
    run(&service).await;
    ids.extend(hour(&service, 4).await);
    run(&service).await;
    // One that the expiry writes anew.
    service.store(&log_at("gone", "expires", NOW_MS - 29 * DAY_MS)).await;
    ids.push(service.store(&log("web", "stays")).await);
    service.flush().await;
    service.world.turn_clock(20 * HOUR_MS);
    ids.extend(hour(&service, 4).await);
    compact(&service.app, service.app.now()).await.unwrap();
    service.put("/api/v1/logs/config/gone", &json!({"ttl_days": 1})).await.ok();
    service.world.turn_clock(MINUTE_MS);
    assert_eq!(expire(&service.app, service.app.now()).await.unwrap().segments_rewritten, 1);
    ids.push(service.store(&log("web", "last")).await);
    service.flush().await;
    if sweeps {
        service.world.turn_clock(DAY_MS + 1);
        expire(&service.app, service.app.now()).await.unwrap();
    }
    service.holds_exactly(&ids, "before").await;
    (service, ids)
}

#[tokio::test]
async fn what_was_merged_and_rewritten_comes_back_once() {
    for sweeps in [false, true] {
        for (segments, removals) in LOSSES {
            let context = format!("swept {sweeps}, segments lost {segments}, removals lost {removals}");
            let (service, ids) = mixed(sweeps).await;
            let before = service.world.catalog.keys();
            service.world.catalog.lose(segments, removals);
            rebuild(&service).await;
            service.holds_exactly(&ids, &context).await;
            assert_eq!(service.world.catalog.keys(), before, "{context}");
            let (again, calls) = rebuild(&service).await;
            assert_eq!((&again["segments_added"], &again["superseded"], calls), (&json!(0), &json!(0), 1));
            agree(&service, &context).await;
            service.holds_exactly(&ids, &context).await;
        }
    }
}

/// A merge that stopped before the catalog took it leaves an object that must not count.
#[tokio::test]
async fn an_object_that_was_never_taken_in_does_not_double_its_sources() {
    for (call, persisted) in
        [("catalog.replace", false), ("objects.put logs", true), ("catalog.replace", true)]
    {
        for later in [false, true] {
            for (segments, removals) in LOSSES {
                let context = format!("{call} {persisted}, later {later}, lost {segments} {removals}");
                let service = Service::new();
                let mut ids = hour(&service, 4).await;
                service.world.fail(call, persisted, 1);
                let _ = compact(&service.app, service.app.now()).await;
                service.world.mend();
                if later {
                    // And what comes then is merged with the same sources into another.
                    ids.extend(hour(&service, 3).await);
                    run(&service).await;
                }
                service.world.catalog.lose(segments, removals);
                rebuild(&service).await;
                service.holds_exactly(&ids, &context).await;
                run(&service).await;
                service.holds_exactly(&ids, &format!("{context}, merged")).await;
                if segments || !removals {
                    agree(&service, &context).await;
                    service.holds_exactly(&ids, &format!("{context}, swept")).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn an_entry_without_its_object_goes() {
    let (service, _) = mixed(true).await;
    let all = entries(&service).await;
    service.world.objects.delete(std::slice::from_ref(&all[1].key)).await.unwrap();
    let (sums, _) = rebuild(&service).await;
    assert_eq!(sums["entries_removed"], 1);
    let left = service.world.catalog.keys();
    assert!(left.len() == all.len() - 1 && !left.contains(&all[1].key), "{left:?}");
}

#[tokio::test]
async fn what_is_no_segment_stays_and_is_told_of() {
    let service = Service::new();
    let ids = hour(&service, 3).await;
    let keys = service.world.catalog.keys();
    let copied = service.world.objects.bytes(&keys[0]).unwrap();
    let folder = "logs/default/standard/2025/11/21";
    for (name, bytes) in [
        ("notes.txt", b"hello".to_vec()),
        ("000-000000000900-000000000900.seg.gz", copied.clone()),
        ("merged-0123456789abcdef.seg.gz", copied[..copied.len() - 50].to_vec()),
        ("empty", Vec::new()),
    ] {
        service.world.objects.put(&format!("{folder}/{name}"), bytes).await.unwrap();
    }
    service.world.catalog.lose(true, true);
    let (sums, _) = rebuild(&service).await;
    assert_eq!((&sums["unreadable"], &sums["segments_added"]), (&json!(4), &json!(keys.len())));
    service.holds_exactly(&ids, "beside others").await;
    assert_eq!(service.world.objects.keys().len(), keys.len() + 4);
    assert_eq!(service.world.errors().len(), 4, "{:?}", service.world.errors());
}

#[tokio::test]
async fn a_call_is_bounded_and_the_next_goes_on() {
    let service = Service::new();
    for n in 0..900_u64 {
        service.store(&log("api", &format!("{n}"))).await;
        service.flush().await;
        service.world.turn_clock(if n % 300 == 299 { DAY_MS } else { MINUTE_MS / 60 });
    }
    let before = service.world.catalog.keys();
    service.world.catalog.lose(true, true);
    let reads = || service.world.calls("objects.get_range");
    let read = reads();
    let first = act(&service, None).await;
    assert_eq!(first["status"], "partial");
    assert!(reads() - read <= 400, "{}", reads() - read);
    assert!(first["continue"].as_str().unwrap().starts_with("logs/default/standard/2025/11/"), "{first}");
    let (sums, calls) = rebuild(&service).await;
    assert_eq!((&sums["segments_added"], calls), (&json!(500), 2));
    assert_eq!(service.world.catalog.keys(), before);
}

#[tokio::test]
async fn a_rebuild_stopped_anywhere_is_called_again() {
    for call in [
        "objects.list",
        "catalog.places",
        "catalog.removals",
        "catalog.note_removals",
        "objects.get_range logs",
        "catalog.add",
    ] {
        for persisted in [false, true] {
            for nth in [0, 1, 5] {
                let context = format!("{call} persisted={persisted} number {nth}");
                let (service, ids) = mixed(false).await;
                service.world.catalog.lose(true, true);
                service.world.fail_behind(nth, call, persisted, 1);
                let action = json!({"action": "execute", "actionId": "rebuild-catalog"});
                let answer = service.post("/admin/self-healing/actions", &action).await;
                assert!(answer.status == 200 || answer.status == 503, "{context}");
                service.world.mend();
                rebuild(&service).await;
                service.holds_exactly(&ids, &context).await;
            }
        }
    }
}

#[tokio::test]
async fn beside_flushes_and_merges_it_changes_nothing() {
    let service = Service::new();
    let ids = hour(&service, 6).await;
    let (compacted, (sums, _)) = futures::future::join(run(&service), rebuild(&service)).await;
    assert!(compacted.segments_made == 2 && sums["entries_removed"] == 0, "{compacted:?} {sums}");
    service.holds_exactly(&ids, "beside a merge").await;
    let (again, _) = rebuild(&service).await;
    assert_eq!(again["segments_added"], 0);
    service.holds_exactly(&ids, "once more").await;
}

#[tokio::test]
async fn only_a_rebuild_goes_on_somewhere() {
    let service = Service::new();
    let action = json!({"action": "execute", "actionId": "flush", "continue": "logs/"});
    let answer = service.post("/admin/self-healing/actions", &action).await;
    assert_eq!(answer.error(), (400, "invalid_action".into(), Some("continue".into())));
    assert_eq!(act(&service, Some(&json!("anything"))).await["status"], "done");
    let _ = service.world.catalog.ping().await;
}
