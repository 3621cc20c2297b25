//! Searches as bodies, in other orders, and around a record.

use serde_json::{Value, json};

use crate::{NOW_MS, Service, log_at};

pub(crate) fn messages(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|record| record["message"].as_str().unwrap()).collect()
}

fn records() -> Vec<Value> {
    let levels = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"];
    let (services, components) = (["api", "web", "db"], ["pool", "cart"]);
    (0..60_usize)
        .map(|n| {
            json!({
                "service": services[n % 3], "level": levels[n % 5], "message": format!("payment {n}"),
                "timestamp": NOW_MS - (n as u64 / 2) * 60_000, "component": components[n % 2],
                "environment": "prod", "endpoint": format!("/pay/{}", n % 4), "userId": format!("u{}", n % 4),
                "status": 200 + n % 3, "tags": [format!("t{}", n % 6), "all"], "correlationId": format!("C-{}", n % 10),
            })
        })
        .collect()
}

/// Half of it in segments, half of it not.
async fn spread(records: &[Value]) -> Service {
    let service = Service::new();
    for (nth, chunk) in records.chunks(records.len().div_ceil(4)).enumerate() {
        service.store_all(chunk).await;
        if nth < 2 {
            service.flush().await;
        }
    }
    service
}

#[tokio::test]
async fn a_body_finds_what_parameters_find() {
    let service = spread(&records()).await;
    for (parameters, body) in [
        ("", json!({})),
        ("q=payment+12", json!({"query": "payment 12"})),
        ("service=api,db&level=error", json!({"filters": {"service": ["api", "db"], "severity": "ERR"}})),
        ("component=pool&status=201", json!({"filters": {"component": ["pool"], "status": 201}})),
        ("env=prod&endpoint=/pay/1", json!({"filters": {"environment": "prod", "endpoint": ["/pay/1"]}})),
        ("user_id=u1&user_id=u2&tags=t2", json!({"filters": {"userId": ["u1", "u2"], "tags": "t2"}})),
        ("correlation_id=C-3", json!({"filters": {"correlationId": "C-3"}})),
        ("correlation_id=c-3", json!({"filters": {"correlationId": "c-3"}})),
        (
            "start=2025-11-20T23:40:00Z&end=2025-11-20T23:50:00Z&limit=7&offset=2",
            json!({
                "filters": {"timeRange": {"start": "2025-11-20T23:40:00Z", "end": 1_763_682_600_000_u64}},
                "limit": 7, "offset": 2, "cursor": null,
            }),
        ),
        ("sort=oldest&q=level:%3E=warn", json!({"sort": "timestamp:asc", "query": "level:>=warn"})),
        ("sort=relevance&q=payment+OR+12", json!({"sort": "relevance", "query": "payment OR 12"})),
    ] {
        let by_get = service.get(&format!("/logs/search?{parameters}")).await.ok();
        for path in ["/logs/search", "/api/v1/logs/search"] {
            let by_post = service.post(path, &body).await.ok();
            assert_eq!(
                (&by_post["data"], &by_post["next_cursor"]),
                (&by_get["data"], &by_get["next_cursor"]),
                "{body}"
            );
        }
        assert_eq!(
            by_get["data"].as_array().unwrap().is_empty(),
            parameters.ends_with("c-3"),
            "{parameters}"
        );
    }
}

#[tokio::test]
async fn a_wrong_body_is_refused_by_name() {
    let service = Service::new();
    for (body, code, field) in [
        (json!([]), "invalid_value", "body"),
        (json!({"filter": {}}), "unknown_field", "filter"),
        (json!({"filters": []}), "invalid_value", "filters"),
        (json!({"filters": {"sverity": "ERROR"}}), "unknown_field", "filters.sverity"),
        (json!({"filters": {"message": "x"}}), "unknown_field", "filters.message"),
        (json!({"filters": {"severity": ["ERROR", "LOUD"]}}), "invalid_level", "filters.severity[1]"),
        (json!({"filters": {"service": [null]}}), "invalid_value", "filters.service[0]"),
        (json!({"filters": {"service": ""}}), "invalid_value", "filters.service"),
        (json!({"filters": {"service": []}}), "invalid_value", "filters.service"),
        (json!({"filters": {"timeRange": {"from": 1}}}), "unknown_field", "filters.timeRange.from"),
        (json!({"filters": {"timeRange": {"end": "soon"}}}), "invalid_timestamp", "filters.timeRange.end"),
        (
            json!({"filters": {"timeRange": {"start": 20, "end": 10}}}),
            "invalid_time_range",
            "filters.timeRange.end",
        ),
        (json!({"query": 5}), "invalid_value", "query"),
        (json!({"query": "level:loud"}), "invalid_query", "query"),
        (json!({"limit": "5"}), "invalid_value", "limit"),
        (json!({"limit": 1001}), "invalid_value", "limit"),
        (json!({"sort": "best"}), "invalid_parameter", "sort"),
        (json!({"sort": "relevance", "query": "level:error"}), "invalid_parameter", "sort"),
        (json!({"cursor": "x"}), "invalid_cursor", "cursor"),
    ] {
        let answer = service.post("/logs/search", &body).await;
        assert_eq!(answer.error(), (400, code.into(), Some(field.into())), "{body}");
    }
    let answer = service.post("/logs/search", &json!({"query": "level:loud"})).await;
    assert_eq!(answer.json()["error"]["details"], json!({"field": "query", "position": 6}));
    let long = "x".repeat(9_000);
    let answer = service.get(&format!("/logs?q={long}")).await;
    assert_eq!(answer.json()["error"]["details"], json!({"field": "q", "position": 8_192}));
    let text = [("content-type", "application/x-ndjson")];
    assert_eq!(service.post_with("/logs/search", &text, "{}").await.status.as_u16(), 415);
    assert_eq!(service.post("/logs/search?limit=5", &json!({})).await.error().1, "unknown_parameter");
}

#[tokio::test]
async fn the_oldest_come_first_page_by_page() {
    let records = records();
    let service = spread(&records).await;
    let newest = service.get("/logs?limit=1000").await.ok();
    let mut expected = messages(&newest);
    expected.reverse();
    for limit in [1, 7, 25, 60, 1_000] {
        let (mut got, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = service.get(&format!("/logs?sort=oldest&limit={limit}{cursor}")).await.ok();
            got.extend(messages(&page).into_iter().map(str::to_owned));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(got, expected, "{limit}");
    }
    // A cursor is of one order.
    let page = service.get("/logs?limit=5").await.ok();
    let cursor = page["next_cursor"].as_str().unwrap();
    for sort in ["oldest", "relevance&q=payment"] {
        let answer = service.get(&format!("/logs?cursor={cursor}&sort={sort}")).await;
        assert_eq!(answer.error(), (400, "invalid_cursor".into(), Some("cursor".into())));
    }
}

#[tokio::test]
async fn the_oldest_are_found_without_reading_the_rest() {
    let service = Service::new();
    for n in 0..12_u64 {
        service.store(&log_at("api", &n.to_string(), NOW_MS + n * 60_000)).await;
        service.flush().await;
    }
    let page = service.get("/logs?sort=oldest&limit=2").await.ok();
    assert_eq!(messages(&page), ["0", "1"]);
    assert!(page["stats"]["segments"].as_u64() <= Some(3), "{page}");
    assert!(page["stats"]["cost_usd"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn the_most_relevant_come_first_in_pages_by_offset() {
    let mut records: Vec<Value> =
        (0..40).map(|n| log_at("api", &format!("payment number {n} is done"), NOW_MS - n)).collect();
    records.push(log_at("api", "payment refund", NOW_MS - 100));
    records.push(log_at("api", "refund refund", NOW_MS - 200));
    records.push(log_at("api", "nothing", NOW_MS));
    let service = spread(&records).await;
    let page = service.get("/logs?q=payment+OR+refund&sort=relevance&limit=3").await.ok();
    assert_eq!(messages(&page), ["refund refund", "payment refund", "payment number 0 is done"]);
    assert_eq!(page["stats"]["rows_matched"], 42);
    let cursor = page["next_cursor"].as_str().unwrap();
    let rest = service
        .get(&format!("/logs?q=payment+OR+refund&sort=relevance&limit=100&cursor={cursor}"))
        .await
        .ok();
    assert_eq!((messages(&rest).len(), &rest["next_cursor"]), (39, &Value::Null));
    assert_eq!(messages(&rest)[0], "payment number 1 is done");
}

#[tokio::test]
async fn a_log_is_shown_among_those_around_it() {
    let records: Vec<Value> = (0..60_u64)
        .map(|n| {
            let service = ["api", "web"][usize::try_from(n % 2).unwrap()];
            json!({"service": service, "message": n.to_string(), "timestamp": NOW_MS + n * n * 1_000, "host": format!("h{}", n % 3)})
        })
        .collect();
    let service = spread(&records).await;
    let all = service.get("/logs?limit=1000").await.ok();
    let id = |n: u64| {
        let message = n.to_string();
        let found = all["data"].as_array().unwrap().iter().find(|one| one["message"] == message);
        found.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let shown = async |n: u64, query: &str| {
        let page = service.get(&format!("/api/v1/logs/{}/context?{query}", id(n))).await.ok();
        let marked: Vec<bool> =
            page["data"].as_array().unwrap().iter().map(|one| one["marked"] == true).collect();
        assert_eq!(marked.iter().filter(|marked| **marked).count(), 1);
        let at = marked.iter().position(|marked| *marked).unwrap();
        assert_eq!(page["data"][at]["message"], n.to_string());
        messages(&page).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown(30, "before=2&after=3").await, ["26", "28", "30", "32", "34", "36"]);
    assert_eq!(shown(30, "before=2&after=3&scope=all").await, ["28", "29", "30", "31", "32", "33"]);
    assert_eq!(shown(30, "before=1&after=1&scope=host").await, ["27", "30", "33"]);
    assert_eq!(shown(30, "before=0&after=0").await, ["30"]);
    assert_eq!(shown(0, "before=5&after=1").await, ["0", "2"]);
    assert_eq!(shown(59, "before=1").await, ["57", "59"]);
    assert_eq!(shown(30, "").await.len(), 21);
    for (query, field) in [("before=201", "before"), ("scope=galaxy", "scope"), ("q=x", "q")] {
        let answer = service.get(&format!("/api/v1/logs/{}/context?{query}", id(0))).await;
        assert_eq!((answer.status.as_u16(), answer.error().2.as_deref()), (400, Some(field)));
    }
    let unknown = "00000000-0000-0000-0000-000000000000";
    assert_eq!(service.get(&format!("/api/v1/logs/{unknown}/context")).await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_trace_is_what_all_services_logged_of_it() {
    let record = |n: u64, service: &str, level: &str, field: &str, id: &str| json!({"service": service, "message": n.to_string(), "level": level, "timestamp": NOW_MS + n, field: id});
    let service = spread(&[
        record(0, "api", "INFO", "traceId", "Tr-1"),
        record(1, "web", "ERROR", "correlation_id", "tr-1"),
        record(2, "api", "INFO", "trace_id", "tr-2"),
        record(3, "db", "CRITICAL", "trace_id", "TR-1"),
        record(4, "api", "INFO", "message_id", "tr-1"),
        record(7, "api", "INFO", "trace_id", "tr-1"),
    ])
    .await;
    let page = service.get("/api/v1/trace/tr-1").await.ok();
    assert_eq!(messages(&page), ["0", "1", "3", "7"]);
    assert_eq!(
        page["summary"],
        json!({
            "services": ["api", "db", "web"], "start": "2025-11-21T00:00:00Z", "end": "2025-11-21T00:00:00.007Z",
            "duration_ms": 7.0, "logs": 4, "errors": 2,
        })
    );
    let first = service.get("/api/v1/trace/tr-1?limit=3").await.ok();
    let rest = service
        .get(&format!("/api/v1/trace/tr-1?limit=3&cursor={}", first["next_cursor"].as_str().unwrap()))
        .await;
    assert_eq!((messages(&first).len(), messages(&rest.ok())), (3, vec!["7"]));
    let nothing = service.get("/api/v1/trace/nothing").await.ok();
    assert_eq!((&nothing["data"], &nothing["summary"]["start"]), (&json!([]), &Value::Null));
    assert_eq!(service.get("/api/v1/trace/x?sort=oldest").await.error().2.as_deref(), Some("sort"));
}

#[tokio::test]
async fn an_export_is_all_that_is_found() {
    let mut records = records();
    records.push(json!({"service": "api", "message": "=1+1, \"quoted\"", "timestamp": NOW_MS, "metadata": {"a": {"b": 5}}}));
    let service = spread(&records).await;
    for query in ["", "service=api", "q=payment+level:error", "limit=7", "q=nothing"] {
        let answer = service.get(&format!("/api/v1/logs/export?{query}")).await;
        assert_eq!(answer.headers["content-type"], "application/x-ndjson");
        let mut lines: Vec<Value> =
            answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let query = if query.contains("limit") { query.to_owned() } else { format!("{query}&limit=1000") };
        let mut expected =
            service.get(&format!("/logs?{query}")).await.ok()["data"].as_array().unwrap().clone();
        for one in &mut expected {
            one.as_object_mut().unwrap().remove("r2_key");
        }
        if query.starts_with("limit") {
            assert_eq!(lines.len(), 7);
            continue;
        }
        lines.sort_by_key(ToString::to_string);
        expected.sort_by_key(ToString::to_string);
        assert_eq!(lines, expected, "{query}");
    }
    let csv = service.get("/api/v1/logs/export?format=csv&fields=message,a.b,host&q=quoted").await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(csv.text, "message,metadata.a.b,host\r\n\"'=1+1, \"\"quoted\"\"\",5,\r\n");
    let csv = service.get("/api/v1/logs/export?format=csv&q=nothing").await.text;
    assert!(csv.starts_with("id,timestamp,") && csv.ends_with(",metadata\r\n") && csv.lines().count() == 1);
    let some = service.get("/api/v1/logs/export?fields=svc,service,a.b&q=quoted").await.text;
    assert_eq!(some, "{\"service\":\"api\",\"metadata\":{\"a\":{\"b\":5}}}\n");
    for (query, field) in
        [("format=xml", "format"), ("fields=,", "fields"), ("cursor=x", "cursor"), ("limit=0", "limit")]
    {
        let answer = service.get(&format!("/api/v1/logs/export?{query}")).await;
        assert_eq!((answer.status.as_u16(), answer.error().2.as_deref()), (400, Some(field)));
    }
}

#[tokio::test]
async fn an_export_that_fails_does_not_look_whole() {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    let service = Service::new();
    for batch in 0..3 {
        let text = "x".repeat(1_000);
        let records: Vec<Value> = (0..500)
            .map(|n| log_at("api", &format!("{text} {}", uuid::Uuid::from_u128(n * 7_919)), NOW_MS + batch))
            .collect();
        service.store_all(&records).await;
        service.flush().await;
    }
    let oldest = service.world.catalog.keys().remove(0);
    service.world.objects.overwrite(&oldest, b"damaged".to_vec());
    let request = axum::http::Request::get("/api/v1/logs/export").header("x-api-key", "key");
    let answer = timberline::http::router(service.app.clone())
        .oneshot(request.body(axum::body::Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let (mut text, mut broken, mut body) = (Vec::new(), false, answer.into_body());
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => text.extend_from_slice(frame.data_ref().unwrap()),
            Err(_) => broken = true,
        }
    }
    let text = String::from_utf8(text).unwrap();
    assert!(broken && text.lines().count() == 1_001, "{}", text.lines().count());
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "unavailable");
}
