//! What is out of the ordinary: found, told of once, followed to its end, and shown to those who may see it.

use serde_json::{Value, json};
use timberline::{
    app::anomalies,
    engine::{record::timestamp::Timestamp, tenant::Tenant},
    ports::ObjectStore,
};

use crate::{NOW_MS, Service};

const MINUTE: u64 = 60_000;
const HOURS: u64 = 5;

fn record(minute_ms: u64, n: u64, service: &str, level: &str, message: &str) -> Value {
    json!({
        "service": service, "level": level, "message": message, "timestamp": minute_ms + n * 5_000,
        "endpoint": format!("/{service}/{}", n % 2), "duration_ms": 20 + n % 7, "category": "billing",
        "metadata": { "release": if level == "ERROR" && minute_ms > NOW_MS - 30 * MINUTE { "1.5.0" } else { "1.4.9" } },
        "user_id": format!("u{n}"),
    })
}

/// Five hours in which nothing happens, but for what `more` says of a minute.
fn records(more: impl Fn(u64) -> Vec<Value>, quiet_from: u64) -> Vec<Value> {
    (0..HOURS * 60)
        .rev()
        .flat_map(|ago| {
            let at = NOW_MS - (ago + 1) * MINUTE;
            let mut all = more(ago);
            for n in 0..8 + ago % 3 {
                all.push(record(at, n, "web", "INFO", &format!("served page {n}")));
                if ago >= quiet_from {
                    all.push(record(
                        at,
                        n,
                        "api",
                        if (ago + n) % 97 == 0 { "ERROR" } else { "INFO" },
                        "charged card",
                    ));
                }
            }
            all
        })
        .collect()
}

async fn stored(records: &[Value]) -> Service {
    let service = Service::new();
    for chunk in records.chunks(1_000) {
        service.store_all(chunk).await;
    }
    service
}

async fn look(service: &Service, minutes_on: u64) -> usize {
    let now = Timestamp::from_ms((NOW_MS + minutes_on * MINUTE).try_into().unwrap());
    anomalies::look(&service.app, &Tenant::default_tenant(), now).await.unwrap().len()
}

/// From the twelfth minute before the end on every other record of `api` is an error.
fn failing(ago: u64) -> Vec<Value> {
    let at = NOW_MS - (ago + 1) * MINUTE;
    let failed = |n| record(at, n, "api", "ERROR", &format!("connection to db-{n} refused"));
    if ago < 12 { (0..9).map(failed).collect() } else { Vec::new() }
}

#[tokio::test]
async fn a_burst_of_errors_is_found_once_with_its_minute_and_what_came_with_it() {
    let service = stored(&records(failing, 0)).await;
    let seen = service.get("/analytics/anomalies").await.ok();
    let data = seen["data"].as_array().unwrap();
    assert_eq!(data.len(), 1, "{seen}");
    let one = &data[0];
    assert_eq!(
        (&one["service"], &one["kind"], &one["ongoing"]),
        (&json!("api"), &json!("new_pattern"), &json!(true))
    );
    let started = Timestamp::from_ms((NOW_MS - 12 * MINUTE).try_into().unwrap());
    assert_eq!(one["started_at"], json!(started), "{one}");
    let shifted =
        one["co_moving"].as_array().unwrap().iter().find(|one| one["kind"] == "error_rate_shift").unwrap();
    assert!(shifted["seen"].as_f64().unwrap() > 0.1 && shifted["expected"].as_f64().unwrap() < 0.1, "{one}");
    let example = one["examples"][0].as_str().unwrap();
    let log = service.get(&format!("/api/v1/logs/{example}")).await.ok();
    assert_eq!((&log["service"], &log["level"]), (&json!("api"), &json!("ERROR")), "{log}");
    // Who asks writes nothing; the cron does, once.
    assert_eq!(
        service.get("/admin/events").await.ok()["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|event| event["rule"] == "anomaly")
            .count(),
        0
    );
    assert_eq!((look(&service, 0).await, look(&service, 0).await), (1, 0));
    assert_eq!(
        service.get("/analytics/anomalies?kind=new_pattern&severity=medium").await.ok()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(
        service.get("/analytics/anomalies?service=web").await.ok()["data"].as_array().unwrap().is_empty()
    );
    let events = service.get("/admin/events").await.ok();
    let told: Vec<&Value> =
        events["data"].as_array().unwrap().iter().filter(|event| event["rule"] == "anomaly").collect();
    assert_eq!(told.len(), 1, "{events}");
    let insights = service.get("/analytics/insights").await.ok();
    let insight = &insights["insights"][0];
    let text = insight["text"].as_str().unwrap();
    for part in [
        "2025-11-20 23:48 UTC",
        "9 users",
        "release from 1.4.9 to 1.5.0",
        "/api/",
        "connection to <*> refused",
    ] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(
        insights["headline"].as_str().unwrap().contains("One anomaly was found, and goes on"),
        "{insights}"
    );
    let new = &insights["new_patterns"][0];
    assert_eq!(
        (&new["pattern"], &new["service"]),
        (&json!("connection to <*> refused"), &json!("api")),
        "{insights}"
    );
    assert_eq!(insights["new_releases"], json!([]), "all is of the same day: {insights}");
}

#[tokio::test]
async fn an_anomaly_ends_when_nothing_deviates_any_more() {
    let service = stored(&records(failing, 0)).await;
    assert_eq!(look(&service, 0).await, 1);
    // The flush takes nothing away from what is known.
    service.flush().await;
    let calm: Vec<Value> = (0..90)
        .flat_map(|on| {
            let at = NOW_MS + on * MINUTE;
            (0..8).flat_map(move |n| {
                [("api", "charged card".to_owned()), ("web", format!("served page {n}"))]
                    .map(|(name, message)| record(at, n, name, "INFO", &message))
            })
        })
        .collect();
    service.world.turn_clock(90 * MINUTE);
    for chunk in calm.chunks(1_000) {
        service.store_all(chunk).await;
    }
    let mut opened = 0;
    for minutes in (5..=90).step_by(5) {
        opened += look(&service, minutes).await;
    }
    assert_eq!(opened, 0);
    let seen = service.get("/analytics/anomalies?timeframe=6h").await.ok();
    let data = seen["data"].as_array().unwrap();
    assert_eq!((data.len(), &data[0]["ongoing"]), (1, &json!(false)), "{seen}");
    assert!(
        service.get("/analytics/anomalies?ongoing=true").await.ok()["data"].as_array().unwrap().is_empty()
    );
}

#[tokio::test]
async fn what_is_settled_is_kept_and_not_read_again() {
    let service = stored(&records(|_| Vec::new(), 0)).await;
    service.flush().await;
    assert_eq!(look(&service, 0).await, 0);
    let history = || async {
        service.world.objects.get("history/default/series").await.unwrap().map(|bytes| bytes.len())
    };
    assert!(history().await.is_some_and(|bytes| bytes < 20_000));
    // An hour on there is more to settle; a service that says nothing is silent.
    service.world.turn_clock(20 * MINUTE);
    assert_eq!(look(&service, 20).await, 2);
    let seen = service.get("/analytics/anomalies").await.ok();
    for one in seen["data"].as_array().unwrap() {
        assert_eq!((&one["kind"], &one["unit"]), (&json!("silence"), &json!("records")), "{one}");
        assert_eq!(one["started_at"], "2025-11-21T00:00:00Z", "{one}");
    }
    // A damaged history is made anew.
    service.world.objects.put("history/default/series", b"{}".to_vec()).await.unwrap();
    assert_eq!(look(&service, 25).await, 0);
}

#[tokio::test]
async fn a_reader_is_told_of_what_it_may_see() {
    let silent = stored(&records(|_| Vec::new(), 15)).await;
    let owner = silent.get("/analytics/anomalies").await.ok();
    assert_eq!(owner["data"][0]["kind"], "silence", "{owner}");
    let web = silent.key(&json!({ "name": "web", "role": "developer", "services": ["web"] })).await.1;
    for route in ["/analytics/anomalies", "/analytics/insights"] {
        let seen = silent.get_as(&web, route).await.ok().to_string();
        assert!(!seen.contains("\"api\"") && !seen.contains("silent"), "{seen}");
    }
    // Who may not see personal data sees no address.
    let flood = |ago: u64| -> Vec<Value> {
        if ago >= 10 {
            return Vec::new();
        }
        (0..60)
            .map(|n| {
                let mut one = record(NOW_MS - (ago + 1) * MINUTE, n % 12, "api", "INFO", "charged card");
                one["metadata"]["client_ip"] = "203.0.113.77".into();
                one
            })
            .collect()
    };
    let flooded = stored(&records(flood, 0)).await;
    let owner = flooded.get("/analytics/anomalies").await.ok();
    let one = &owner["data"][0];
    assert_eq!(
        (&one["kind"], &one["series"]["client"]),
        (&json!("one_client"), &json!("203.0.113.77")),
        "{owner}"
    );
    let viewer = flooded.key(&json!({ "name": "v", "role": "support" })).await.1;
    let masked = flooded.get_as(&viewer, "/analytics/insights").await.ok().to_string();
    assert!(!masked.contains("203.0.113.77") && masked.contains("one client"), "{masked}");
}

#[tokio::test]
async fn nothing_is_said_where_logs_are_missing_and_nothing_of_who_is_gone() {
    let service = stored(&records(|_| Vec::new(), 15)).await;
    service.world.fail("shards.unflushed", false, 100);
    assert_eq!(look(&service, 0).await, 0, "missing logs look like silence");
    assert!(service.get("/analytics/anomalies").await.ok()["data"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_cron_looks_at_every_tenant_and_one_that_cannot_be_looked_at_keeps_no_other_from_it() {
    let service = stored(&records(failing, 0)).await;
    let key = service.tenant("acme").await;
    for chunk in records(|_| Vec::new(), 15).chunks(1_000) {
        assert_eq!(service.post_as(&key, "/api/v1/logs/batch", &json!(chunk)).await.status, 200);
    }
    service.flush().await;
    let tenant = Tenant::stored("acme").unwrap();
    timberline::app::flush::flush(&service.app, &tenant).await.unwrap();
    service.world.objects.put("history/acme/series", b"damaged".to_vec()).await.unwrap();
    let now = Timestamp::from_ms(NOW_MS.try_into().unwrap());
    anomalies::look_at_all(&service.app, now).await.unwrap();
    let of = async |key: Option<&str>| {
        let answer = match key {
            Some(key) => service.get_as(key, "/analytics/anomalies").await,
            None => service.get("/analytics/anomalies").await,
        };
        answer.ok()["data"].as_array().unwrap().iter().map(|one| one["kind"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((of(None).await, of(Some(&key)).await), (vec![json!("new_pattern")], vec![json!("silence")]));
}

#[tokio::test]
async fn a_selection_is_compared_with_the_rest_and_with_before() {
    let service = stored(&records(failing, 0)).await;
    let body = service.get("/analytics/compare?q=level:ERROR&timeframe=6h").await.ok();
    let first = &body["data"][0];
    assert!(
        body["selection"]["count"].as_u64().unwrap() > 100 && first["over_represented"] == true,
        "{body}"
    );
    let of = |body: &Value, field: &str, value: &str| {
        let all = body["data"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["field"] == field && one["value"] == value).unwrap_or(Value::Null)
    };
    let release = of(&body, "metadata.release", "1.5.0");
    assert!(
        release["lift"].as_f64().unwrap() > 10.0 && release["p_value"].as_f64().unwrap() < 1e-9,
        "{body}"
    );
    assert!(of(&body, "service", "api")["significance"].as_f64().unwrap() > 3.0, "{body}");
    let previous = service
        .get("/analytics/compare?service=api&baseline=previous&timeframe=1h&fields=level,endpoint")
        .await
        .ok();
    assert_eq!(previous["baseline"]["kind"], "previous");
    let all = service.get("/analytics/compare?timeframe=1h").await.ok();
    assert_eq!(all["baseline"]["kind"], "previous", "all there is can only be compared with what was before");
    assert_eq!(of(&previous, "level", "ERROR")["over_represented"], true, "{previous}");
    for (query, field) in [
        ("?baseline=rest", "q"),
        ("?baseline=nothing", "baseline"),
        ("?q=level:ERROR&timeframe=1h&start_time=2025-11-20T00:00:00Z", "timeframe"),
        ("?q=level:ERROR&limit=0", "limit"),
    ] {
        let answer = service.get(&format!("/analytics/compare{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.error().2.as_deref()), (400, Some(field)), "{query}");
    }
}

#[tokio::test]
async fn wrong_questions_are_named() {
    let service = Service::new();
    for (uri, field) in [
        ("/analytics/anomalies?kind=odd", "kind"),
        ("/analytics/anomalies?severity=worst", "severity"),
        ("/analytics/anomalies?ongoing=maybe", "ongoing"),
        ("/analytics/anomalies?limit=0", "limit"),
        ("/analytics/anomalies?timeframe=1y&start_time=1", "timeframe"),
        ("/analytics/insights?timeframe=60d", "timeframe"),
        ("/analytics/insights?since=1d", "since"),
    ] {
        let answer = service.get(uri).await;
        assert_eq!((answer.status.as_u16(), answer.error().2.as_deref()), (400, Some(field)), "{uri}");
    }
    let quiet = service.get("/analytics/insights").await.ok();
    assert!(
        quiet["headline"].as_str().unwrap().starts_with("Nothing was logged in the last 24 hours"),
        "{quiet}"
    );
}

#[tokio::test]
async fn an_attack_on_logins_is_an_anomaly_with_its_address_and_says_whom_it_is_tried_with_otherwise() {
    let service = Service::new();
    let from = |address: &str, user: &str, number: usize| -> Vec<Value> {
        let message = format!("Failed password for {user} from {address} port 22 ssh2");
        vec![json!({ "service": "sshd", "message": message }); number]
    };
    service.store_all(&from("203.0.113.9", "root", 30)).await;
    let many: Vec<Value> = (0..30)
        .flat_map(|n| from(&format!("198.51.100.{n}"), "jane", 1))
        .map(|mut one| {
            one["service"] = "vpn".into();
            one
        })
        .collect();
    service.store_all(&many).await;
    service.world.background.settle().await;
    let seen = service.get("/analytics/anomalies?kind=brute_force").await.ok();
    let of = |service: &str| {
        let all = seen["data"].as_array().unwrap();
        let found = all.iter().find(|one| one["service"] == service);
        found.unwrap_or_else(|| panic!("none of {service}: {seen}"))
    };
    assert_eq!((&of("sshd")["severity"], &of("sshd")["ongoing"]), (&json!("HIGH"), &json!(true)));
    assert_eq!(of("sshd")["series"]["client"], "203.0.113.9");
    assert_eq!(of("vpn")["series"]["client"], "user jane");
    let text = service.get("/analytics/insights").await.ok()["insights"].to_string();
    assert!(text.contains("Block 203.0.113.9") && !text.contains("Block user"), "{text}");
    let support = service.key(&json!({ "name": "s", "role": "support" })).await.1;
    let masked = service.get_as(&support, "/analytics/insights").await.ok().to_string();
    assert!(!masked.contains("203.0.113.9"), "{masked}");
}

#[tokio::test]
async fn what_is_of_security_is_in_no_anomaly_of_who_may_not_see_it() {
    let flood = |ago: u64| -> Vec<Value> {
        if ago >= 10 {
            return Vec::new();
        }
        let secret = |n: u64| {
            let mut one =
                record(NOW_MS - (ago + 1) * MINUTE, n, "api", "INFO", "vault unsealed by break glass key");
            one["category"] = "Security".into();
            one["endpoint"] = "/secret-vault".into();
            one
        };
        let plain = |n: u64| record(NOW_MS - (ago + 1) * MINUTE, n % 12, "api", "INFO", "charged card");
        (0..12).map(secret).chain((0..60_u64).map(plain)).collect()
    };
    let service = stored(&records(flood, 0)).await;
    let owner = service.get("/analytics/insights").await.ok().to_string();
    assert!(owner.contains("\"category\":null"), "{owner}");
    let developer =
        service.key(&json!({ "name": "d", "role": "developer", "services": ["api", "web"] })).await.1;
    let told = service.get_as(&developer, "/analytics/insights").await.ok().to_string();
    assert!(told.contains("charged card") && !told.contains("vault"), "{told}");
    let made = service.post("/analytics/analyze/api", &json!({})).await.ok().to_string();
    assert!(!made.contains("vault"), "{made}");
}
