//! Records out: lists, pages, single records, counts. Each before and after a flush.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::{HOUR_MS, NOW_MS, Service, log, log_at, without};

fn messages(page: &Value) -> Vec<String> {
    page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["message"].as_str().unwrap().to_owned())
        .collect()
}

/// Three services, five levels, times that come twice.
fn mixed() -> Vec<Value> {
    let levels = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];
    let services = ["api", "web", "db"];
    (0..60_usize)
        .map(|n| {
            json!({
                "service": services[n % 3], "level": levels[n % 5], "message": format!("Payment {n} of order-{}", n % 7),
                "timestamp": NOW_MS - (n as u64 / 2) * 60_000, "userId": format!("u{}", n % 4), "metadata": {"Cart": {"Items": n}},
            })
        })
        .collect()
}

/// Everything that can be asked, to compare before and after a flush.
async fn everything(service: &Service, ids: &[String]) -> Vec<Value> {
    let mut answers = Vec::new();
    for query in [
        "/logs",
        "/logs?limit=7",
        "/api/v1/logs?page=2&page_size=9",
        "/api/v1/logs/search?service=api&level=error,critical",
        "/api/v1/logs/search?q=order-3&limit=1000",
        "/api/v1/logs/search?q=%22payment%205%22%20u1",
        "/api/v1/logs/search?start_time=2025-11-20T23:40:00Z&end_time=2025-11-20T23:50:00Z",
        "/api/v1/logs/search?offset=20&limit=10",
        "/api/v1/logs/recent/web?limit=5",
        "/api/v1/logs/services",
        "/api/v1/logs/stats/api",
        "/api/v1/logs/stats/nobody",
    ] {
        let mut answer = without(service.get(query).await.ok(), &[]);
        answer.as_object_mut().unwrap().remove("stats");
        for record in answer["data"].as_array_mut().into_iter().flatten() {
            record.as_object_mut().unwrap().remove("r2_key");
        }
        answers.push(answer);
    }
    for id in ids {
        answers.push(without(service.get(&format!("/api/v1/logs/{id}")).await.ok(), &["r2_key"]));
        answers.push(without(service.get(&format!("/api/v1/logs/{id}/full")).await.ok(), &["r2_key"]));
    }
    answers
}

#[tokio::test]
async fn a_flush_changes_nothing_that_is_read() {
    for shards in ["1", "4"] {
        let service = Service::with(&[("SHARDS_PER_TENANT", shards)]);
        let mut ids = Vec::new();
        for chunk in mixed().chunks(13) {
            ids.extend(service.store_all(chunk).await);
        }
        let before = everything(&service, &ids).await;
        service.flush().await;
        assert_eq!(everything(&service, &ids).await, before);
        service.world.shards.crash();
        assert_eq!(
            everything(&Service::on(&service.world, &[("SHARDS_PER_TENANT", shards)]), &ids).await,
            before
        );
    }
}

#[tokio::test]
async fn the_newest_come_first_and_equal_times_keep_one_order() {
    let service = Service::new();
    let records: Vec<Value> =
        [3, 1, 2, 2, 2, 5, 4].iter().map(|n| log_at("api", &n.to_string(), NOW_MS + n)).collect();
    let ids = service.store_all(&records).await;
    // Among equal times the later of a request comes first.
    let expected: Vec<&String> = [5, 6, 0, 4, 3, 2, 1].iter().map(|n| &ids[*n]).collect();
    for flushed in [false, true] {
        for uri in ["/logs", "/api/v1/logs", "/api/v1/logs/search", "/api/v1/logs/recent/api"] {
            let page = service.get(uri).await.ok();
            let got: Vec<&str> =
                page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
            assert_eq!(got, expected, "{uri} {flushed}");
            assert_eq!(page["next_cursor"], Value::Null);
        }
        service.flush().await;
    }
}

#[tokio::test]
async fn filters_are_joined_by_and_and_their_values_by_or() {
    let service = Service::new();
    service.store_all(&mixed()).await;
    service.flush().await;
    let check = async |query: &str, wanted: &dyn Fn(usize) -> bool| {
        let page = service.get(&format!("/api/v1/logs/search?limit=1000&{query}")).await.ok();
        let mut got = messages(&page);
        got.sort();
        let mut expected: Vec<String> =
            (0..60).filter(|n| wanted(*n)).map(|n| format!("Payment {n} of order-{}", n % 7)).collect();
        expected.sort();
        assert_eq!(got, expected, "{query}");
        assert_eq!(page["stats"]["rows_matched"], expected.len(), "{query}");
    };
    check("", &|_| true).await;
    check("service=api", &|n| n % 3 == 0).await;
    check("service=api,web", &|n| n % 3 < 2).await;
    check("service=api&service=db&level=ERROR", &|n| n % 3 != 1 && n % 5 == 3).await;
    check("severity=warning", &|n| n % 5 == 2).await;
    check("q=payment", &|_| true).await;
    check("q=ORDER-3", &|n| n % 7 == 3).await;
    check("q=order-3+u2", &|n| n % 7 == 3 && n % 4 == 2).await;
    check("q=%22payment+1%22", &|n| n == 1).await;
    check("q=items%20nowhere", &|_| false).await;
    check("q=cart", &|_| false).await;
    check("q=nowhere", &|_| false).await;
    check("startTime=2025-11-20T23:50:00Z", &|n| n / 2 <= 10).await;
    check("end_time=2025-11-20T23:50:00Z", &|n| n / 2 >= 10).await;
    check("start=1763682600000&end=1763682600&service=db", &|n| n / 2 == 10 && n % 3 == 2).await;
}

#[tokio::test]
async fn a_wrong_parameter_is_refused_by_name() {
    let service = Service::new();
    for uri in ["/logs", "/api/v1/logs", "/api/v1/logs/search", "/api/v1/logs/recent/api"] {
        for (query, code, field) in [
            ("limit=0", "invalid_parameter", "limit"),
            ("limit=1001", "invalid_parameter", "limit"),
            ("offset=10001", "invalid_parameter", "offset"),
            ("page=0", "invalid_parameter", "page"),
            ("page_size=5000", "invalid_parameter", "page_size"),
            ("page=101&page_size=101", "invalid_parameter", "page"),
            ("level=LOUD", "invalid_level", "level"),
            ("start_time=soon", "invalid_timestamp", "start_time"),
            ("start=20&end=10", "invalid_time_range", "end_time"),
            ("cursor=nonsense", "invalid_cursor", "cursor"),
            ("q=%22open", "invalid_query", "q"),
            ("servce=api", "unknown_parameter", "servce"),
        ] {
            let answer = service.get(&format!("{uri}?{query}")).await;
            assert_eq!(answer.error(), (400, code.into(), Some(field.into())), "{uri}?{query}");
        }
    }
    for uri in ["/api/v1/logs/services", "/api/v1/logs/stats/api", "/api/v1/logs/configs"] {
        assert_eq!(service.get(&format!("{uri}?limit=5")).await.error().1, "unknown_parameter", "{uri}");
    }
    for uri in ["/api/v1/logs/recent/a%20b", "/api/v1/logs/stats/a%20b"] {
        assert_eq!(service.get(uri).await.error(), (400, "invalid_service".into(), Some("service".into())));
    }
}

#[tokio::test]
async fn pages_neither_repeat_nor_skip_while_logs_arrive() {
    let service = Service::new();
    let at = |n: u64| log_at("api", &format!("old {n}"), NOW_MS - n / 3);
    let old: Vec<Value> = (0..300).map(at).collect();
    let mut expected = Vec::new();
    for chunk in old.chunks(70) {
        expected.extend(service.store_all(chunk).await);
        if expected.len() % 140 == 0 {
            service.flush().await;
        }
    }
    let (mut got, mut uri, mut turn) = (Vec::new(), "/logs?limit=23".to_owned(), 0);
    loop {
        let page = service.get(&uri).await.ok();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 23);
        got.extend(data.iter().filter(|one| one["message"].as_str().unwrap().starts_with("old")).cloned());
        // Newer ones come in, some are flushed, and a shard loses its memory.
        service.store_all(&(0..5).map(|n| log_at("api", "new", NOW_MS + 1 + n)).collect::<Vec<_>>()).await;
        turn += 1;
        if turn % 3 == 0 {
            service.flush().await;
        }
        if turn % 4 == 0 {
            service.world.shards.crash();
        }
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        uri = format!("/logs?limit=23&cursor={cursor}");
    }
    let mut ids: Vec<&str> = got.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 300);
    let order: Vec<(&str, &str)> =
        got.iter().map(|one| (one["timestamp"].as_str().unwrap(), one["id"].as_str().unwrap())).collect();
    assert!(order.windows(2).all(|two| two[0] > two[1]), "newest first");
    ids.sort_unstable();
    expected.sort_unstable();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_page_by_number_says_which_it_is() {
    let service = Service::new();
    service.store_all(&(0..25).map(|n| log_at("api", &n.to_string(), NOW_MS - n)).collect::<Vec<_>>()).await;
    for (query, page, size, first, rows) in [
        ("page=1&page_size=10", 1, 10, "0", 10),
        ("page=3&pageSize=10", 3, 10, "20", 5),
        ("page_size=7", 1, 7, "0", 7),
    ] {
        let body = service.get(&format!("/api/v1/logs?{query}")).await.ok();
        assert_eq!((&body["page"], &body["page_size"]), (&json!(page), &json!(size)), "{query}");
        assert_eq!((messages(&body)[0].as_str(), messages(&body).len()), (first, rows), "{query}");
        assert_eq!(body["next_cursor"].is_null(), page == 3, "{query}");
    }
    assert_eq!(messages(&service.get("/api/v1/logs?page=4&page_size=10").await.ok()), [""; 0]);
    assert_eq!(messages(&service.get("/logs?offset=24").await.ok()), ["24"]);
}

#[tokio::test]
async fn a_long_message_is_cut_in_lists_and_whole_in_full() {
    let service = Service::new();
    let exact = "ä".repeat(1_000);
    let long = format!("{exact}ö tail");
    let ids = service.store_all(&[log("api", &exact), log("api", &long)]).await;
    for flushed in [false, true] {
        for prefix in ["/api/v1/logs", "/api/v1/logs/logs"] {
            let whole = service.get(&format!("{prefix}/{}", ids[0])).await.ok();
            assert_eq!((&whole["message"], &whole["message_truncated"]), (&json!(exact), &Value::Null));
            let cut = service.get(&format!("{prefix}/{}", ids[1])).await.ok();
            assert_eq!(
                (&cut["message"], &cut["message_truncated"], &cut["message_length"]),
                (&json!(exact), &json!(true), &json!(1_006))
            );
            let full = service.get(&format!("{prefix}/{}/full", ids[1])).await.ok();
            assert_eq!((&full["message"], &full["message_truncated"]), (&json!(long), &Value::Null));
            assert_eq!(full["r2_key"].is_string(), flushed);
            assert_eq!(full["r2_key"], cut["r2_key"]);
        }
        let listed = &service.get("/logs").await.ok()["data"][0];
        assert_eq!(
            (&listed["id"], &listed["message"], &listed["message_length"]),
            (&json!(ids[1]), &json!(exact), &json!(1_006))
        );
        service.flush().await;
    }
}

#[tokio::test]
async fn an_id_that_is_none_is_400_and_one_that_is_unknown_404() {
    let service = Service::new();
    let id = service.store(&log("api", "m")).await;
    let near = format!("{}{}", &id[..35], if id.ends_with('0') { '1' } else { '0' });
    for flushed in [false, true] {
        for prefix in ["/api/v1/logs", "/api/v1/logs/logs"] {
            for suffix in ["", "/full"] {
                let get = async |id: &str| service.get(&format!("{prefix}/{id}{suffix}")).await;
                assert_eq!(get("nonsense").await.error(), (400, "invalid_id".into(), Some("id".into())));
                for unknown in [
                    near.as_str(),
                    "00000000-0000-0000-0000-000000000000",
                    "5f9bd3a8-0e00-4000-8000-000000000000",
                ] {
                    assert_eq!(
                        get(unknown).await.error(),
                        (404, "not_found".into(), None),
                        "{flushed} {unknown}"
                    );
                }
                assert_eq!(get(&id.to_uppercase()).await.status, StatusCode::OK);
            }
        }
        service.flush().await;
    }
}

#[tokio::test]
async fn services_are_counted_exactly() {
    let service = Service::new();
    assert_eq!(
        service.get("/api/v1/logs/services").await.ok(),
        json!({"data": [], "next_cursor": null, "partial": false})
    );
    let record =
        |level: &str, ms: u64| json!({"service": "api", "message": "m", "level": level, "timestamp": ms});
    service.store_all(&[record("INFO", NOW_MS - 5), record("ERROR", NOW_MS - 9)]).await;
    service.flush().await;
    service.store_all(&[record("ERROR", NOW_MS), log("web", "m")]).await;
    let body = service.get("/api/v1/logs/services").await.ok();
    let api = without(body["data"][0].clone(), &["bytes"]);
    assert_eq!(
        api,
        json!({
            "service": "api", "total": 3, "by_level": {"DEBUG": 0, "INFO": 1, "WARN": 0, "ERROR": 2, "CRITICAL": 0},
            "first_seen": "2025-11-20T23:59:59.991Z", "last_seen": "2025-11-21T00:00:00Z",
        })
    );
    assert!(body["data"][0]["bytes"].as_u64().unwrap() > 300);
    assert_eq!(
        (&body["data"][1]["service"], &body["data"][1]["total"], &body["partial"]),
        (&json!("web"), &json!(1), &json!(false))
    );
}

#[tokio::test]
async fn stats_count_by_the_hour_for_a_day() {
    let service = Service::new();
    service.world.turn_clock(HOUR_MS / 2);
    let hours_ago = |hours: u64, level: &str| json!({"service": "api", "message": "m", "level": level, "timestamp": NOW_MS - hours * HOUR_MS});
    // The last one is a day and an hour old: counted in the total, in no hour.
    service
        .store_all(&[
            hours_ago(0, "INFO"),
            hours_ago(1, "ERROR"),
            hours_ago(23, "WARN"),
            hours_ago(24, "INFO"),
        ])
        .await;
    service.flush().await;
    service.store_all(&[hours_ago(0, "CRITICAL"), log("web", "m")]).await;
    let body = service.get("/api/v1/logs/stats/api").await.ok();
    assert_eq!(
        (&body["service"], &body["total"], &body["partial"]),
        (&json!("api"), &json!(5), &json!(false))
    );
    assert_eq!(
        (&body["first_seen"], &body["last_seen"]),
        (&json!("2025-11-20T00:00:00Z"), &json!("2025-11-21T00:00:00Z"))
    );
    let hours = body["per_hour"].as_array().unwrap();
    assert_eq!(
        (hours.len(), &hours[0]["hour"], &hours[23]["hour"]),
        (24, &json!("2025-11-20T01:00:00Z"), &json!("2025-11-21T00:00:00Z"))
    );
    let counts: Vec<u64> = hours.iter().map(|hour| hour["count"].as_u64().unwrap()).collect();
    assert_eq!((counts[0], counts[22], counts[23], counts.iter().sum::<u64>()), (1, 1, 2, 4));
    assert_eq!(hours[23]["by_level"], json!({"DEBUG": 0, "INFO": 1, "WARN": 0, "ERROR": 0, "CRITICAL": 1}));
    let nobody = service.get("/api/v1/logs/stats/nobody").await.ok();
    assert_eq!((&nobody["total"], &nobody["first_seen"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn the_state_says_what_each_shard_holds() {
    let service = Service::with(&[("SHARDS_PER_TENANT", "2")]);
    service.store(&log("api", "m")).await;
    service.world.fail("shards.state", false, 1);
    let state = service.get("/admin/self-healing").await.ok();
    assert_eq!(state["shards"][0], json!({"shard": 0, "reachable": false}));
    assert_eq!(
        (&state["shards"][1]["shard"], &state["shards"][1]["reachable"], &state["spooled"]),
        (&json!(1), &json!(true), &json!(0))
    );
}
