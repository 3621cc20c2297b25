//! Expiry: what is past its service's TTL goes, objects and catalog together, and nothing else.

use serde_json::{Value, json};
use timberline::{
    app::{
        self,
        ingest::{Batch, How},
        jobs::expire::{Expired, expire},
    },
    engine::{
        record::{
            model::SourceType,
            normalise::{Raw, RawRecord},
            timestamp::Timestamp,
        },
        tenant::Tenant,
    },
};

use crate::{DAY_MS, NOW_MS, Service, log_at};

async fn run(service: &Service) -> Expired {
    expire(&service.app, service.app.now()).await.unwrap()
}

/// As of a moment that the schedule gives, to the millisecond.
async fn run_at(service: &Service, ms: u64) -> Expired {
    expire(&service.app, Timestamp::from_ms(ms.try_into().unwrap())).await.unwrap()
}

async fn messages(service: &Service) -> Vec<String> {
    let mut all: Vec<String> =
        service.all().await.iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

fn deleted(segments: u64, rows: u64) -> Expired {
    Expired { segments_deleted: segments, segments_rewritten: 0, rows_deleted: rows, ..Expired::default() }
}

#[tokio::test]
async fn each_service_is_kept_for_its_own_ttl() {
    let service = Service::new();
    service.put("/api/v1/logs/config/brief", &json!({"ttl_days": 2})).await.ok();
    service.put("/api/v1/logs/config/long", &json!({"ttl_days": 60})).await.ok();
    let names = ["brief", "long", "usual"];
    service.store_all(&names.map(|name| log_at(name, name, NOW_MS))).await;
    service.flush().await;
    for (day, left) in [(0, 3), (2, 3), (3, 2), (30, 2), (31, 1), (60, 1), (61, 0)] {
        let now = NOW_MS + day * DAY_MS;
        let gone = names.len() - service.world.catalog.keys().len();
        let expected = (3 - left - gone) as u64;
        assert_eq!(run_at(&service, now).await, deleted(expected, expected), "day {day}");
        assert_eq!(messages(&service).await.len(), left, "day {day}");
        service.agrees("by TTL").await;
        assert_eq!(run_at(&service, now).await, Expired::default(), "twice on day {day}");
    }
}

#[tokio::test]
async fn the_deployments_default_is_used_for_services_without_a_ttl() {
    let service = Service::with(&[("DEFAULT_TTL_DAYS", "5")]);
    service.store_all(&[log_at("api", "m", NOW_MS)]).await;
    service.flush().await;
    assert_eq!(run_at(&service, NOW_MS + 5 * DAY_MS).await, Expired::default());
    assert_eq!(run_at(&service, NOW_MS + 5 * DAY_MS + 1).await, deleted(1, 1));
    service.agrees("default").await;
}

/// A segment of two services in one class, one of which has its TTL lowered afterwards.
async fn lowered() -> Service {
    let service = Service::new();
    let old = (0..3).map(|n| log_at("api", &format!("api {n}"), NOW_MS + n * DAY_MS / 4));
    let kept = (0..2).map(|n| log_at("web", &format!("web {n}"), NOW_MS + n));
    service.store_all(&old.chain(kept).collect::<Vec<Value>>()).await;
    service.flush().await;
    service.put("/api/v1/logs/config/api", &json!({"ttl_days": 1})).await.ok();
    // Between the second and the third of `api`.
    service.world.turn_clock(DAY_MS + DAY_MS * 3 / 8);
    service
}

#[tokio::test]
async fn a_ttl_lowered_afterwards_takes_the_old_rows_out_of_their_segment() {
    let service = lowered().await;
    let before = service.all().await;
    let expected =
        Expired { segments_deleted: 0, segments_rewritten: 1, rows_deleted: 2, ..Expired::default() };
    assert_eq!(run(&service).await, expected);
    assert_eq!(messages(&service).await, ["api 2", "web 0", "web 1"]);
    let key = service.world.catalog.keys().remove(0);
    assert!(key.contains("/merged-"), "{key}");
    // Every row that is left is what it was, but for where it is.
    for one in service.all().await {
        let was = before.iter().find(|was| was["id"] == one["id"]).unwrap();
        assert_eq!(crate::without(one.clone(), &["r2_key"]), crate::without(was.clone(), &["r2_key"]));
        assert_eq!(one["r2_key"], json!(key));
        service.get(&format!("/api/v1/logs/{}", one["id"].as_str().unwrap())).await.ok();
    }
    for was in before.iter().filter(|was| ["api 0", "api 1"].contains(&was["message"].as_str().unwrap())) {
        assert_eq!(
            service.get(&format!("/api/v1/logs/{}", was["id"].as_str().unwrap())).await.error().0,
            404
        );
    }
    let services = service.get("/api/v1/logs/services").await.ok();
    assert_eq!((&services["data"][0]["total"], &services["data"][1]["total"]), (&json!(1), &json!(2)));
    // Readers that hold the old entry may finish: the object goes a day later.
    assert_eq!(service.world.objects.keys().len(), 3, "two segments, and the words of one");
    service.put("/api/v1/logs/config/api", &json!({"ttl_days": 3})).await.ok();
    service.world.turn_clock(DAY_MS + 1);
    assert_eq!(run(&service).await, Expired::default());
    service.agrees("grace is over").await;
    service.world.turn_clock(60 * DAY_MS);
    assert_eq!(run(&service).await, deleted(1, 3));
    assert_eq!(service.world.objects.keys(), [""; 0]);
}

#[tokio::test]
async fn a_ttl_raised_afterwards_keeps_what_is_there() {
    let service = Service::new();
    service.store_all(&[log_at("api", "m", NOW_MS)]).await;
    service.flush().await;
    service.put("/api/v1/logs/config/api", &json!({"ttl_days": 100})).await.ok();
    service.world.turn_clock(99 * DAY_MS);
    assert_eq!(run(&service).await, Expired::default());
    assert_eq!(messages(&service).await, ["m"]);
}

#[tokio::test]
async fn an_expiry_stopped_anywhere_is_run_again() {
    let calls = [
        "catalog.walk",
        "catalog.service_configs",
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
                let service = lowered().await;
                // Whole segments go too: three of a service that is kept for a day.
                service.put("/api/v1/logs/config/brief", &json!({"ttl_days": 1})).await.ok();
                let now = service.world.now_ms();
                for n in 0..3 {
                    service.store_all(&[log_at("brief", "gone", now - DAY_MS + 5_000 + n)]).await;
                    service.flush().await;
                }
                service.world.turn_clock(60_000);
                service.world.fail_behind(nth, call, persisted, 1);
                let _ = expire(&service.app, service.app.now()).await;
                service.world.mend();
                let still = messages(&service).await;
                for kept in ["api 2", "web 0", "web 1"] {
                    assert_eq!(still.iter().filter(|one| *one == kept).count(), 1, "{context}: {still:?}");
                }
                run(&service).await;
                assert_eq!(messages(&service).await, ["api 2", "web 0", "web 1"], "{context}");
                service.put("/api/v1/logs/config/api", &json!({"ttl_days": 3})).await.ok();
                service.world.turn_clock(DAY_MS + 60_000);
                run(&service).await;
                assert_eq!(messages(&service).await, ["api 2", "web 0", "web 1"], "{context}");
                service.agrees(&context).await;
            }
        }
    }
}

#[tokio::test]
async fn an_entry_without_its_object_is_forgotten() {
    let service = lowered().await;
    let key = service.world.catalog.keys().remove(0);
    timberline::ports::ObjectStore::delete(&*service.world.objects, &[key]).await.unwrap();
    run(&service).await;
    assert_eq!(service.world.catalog.keys(), [""; 0]);
}

#[tokio::test]
async fn a_batch_is_no_larger_than_it_is_set_to_be() {
    let service = Service::with(&[("CLEANUP_BATCH_SIZE", "2"), ("DEFAULT_TTL_DAYS", "1")]);
    for n in 0..7 {
        service.store_all(&[log_at("api", "m", NOW_MS + n)]).await;
        service.flush().await;
    }
    service.world.turn_clock(2 * DAY_MS);
    assert_eq!(run(&service).await, deleted(7, 7));
    assert_eq!((service.world.calls("catalog.replace"), service.world.calls("objects.delete")), (4, 4));
    service.agrees("in batches").await;
}

async fn store_for(service: &Service, tenant: &str, message: &str) {
    let Value::Object(fields) = log_at("api", message, NOW_MS) else { return };
    let records = vec![Ok(Raw::Parsed(RawRecord { fields, size_bytes: 50 }))];
    let batch = Batch { records, key: None, how: How::of(SourceType::Http) };
    let tenant = Tenant::parse(tenant).unwrap();
    app::ingest::ingest(&service.app, &tenant, batch).await.unwrap();
    app::flush::flush(&service.app, &tenant).await.unwrap();
}

#[tokio::test]
async fn a_tenants_settings_touch_no_other_tenant() {
    let service = Service::new();
    for tenant in ["acme", "default", "zeta"] {
        store_for(&service, tenant, tenant).await;
    }
    service.put("/api/v1/logs/config/api", &json!({"ttl_days": 1})).await.ok();
    service.world.turn_clock(2 * DAY_MS);
    assert_eq!(run(&service).await, deleted(1, 1));
    let left = service.world.catalog.keys();
    assert!(left.len() == 2 && left.iter().all(|key| !key.starts_with("logs/default/")), "{left:?}");
    service.agrees("tenants").await;
    // And what is another tenant's is not read.
    assert_eq!(messages(&service).await, [""; 0]);
}

#[tokio::test]
async fn what_is_not_flushed_yet_does_not_expire_before_its_time() {
    let service = Service::new();
    service.store_all(&[log_at("api", "m", NOW_MS)]).await;
    service.world.turn_clock(29 * DAY_MS);
    assert_eq!(run(&service).await, Expired::default());
    service.flush().await;
    assert_eq!(run(&service).await, Expired::default());
    assert_eq!(messages(&service).await, ["m"]);
}
