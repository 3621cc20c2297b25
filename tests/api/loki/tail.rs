//! Lines as they come: each once, whatever comes late or is flushed in between, and to whom may read it alone.

use std::collections::BTreeSet;

use axum::{
    body::{Body, BodyDataStream},
    http::{Method, Request},
};
use futures::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::encoded;
use crate::{NOW_MS, Service, log, log_at};

struct Tail(BodyDataStream);

impl Tail {
    async fn of(service: &Service, key: &str, query: &str, more: &str) -> Self {
        let uri = format!("/loki/api/v1/tail?query={}{more}", encoded(query));
        let request = Request::get(uri)
            .header("authorization", format!("Bearer {key}"))
            .header("upgrade", "websocket")
            .body(Body::empty())
            .unwrap();
        let answer = service.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 101);
        Self(answer.into_body().into_data_stream())
    }

    async fn message(&mut self) -> Value {
        serde_json::from_slice(&self.0.next().await.unwrap().unwrap()).unwrap()
    }

    /// The lines of the next message, by their times; nothing where it says that it is there.
    async fn lines(&mut self) -> Vec<String> {
        let message = self.message().await;
        let mut lines: Vec<(String, String)> = Vec::new();
        for stream in message["streams"].as_array().unwrap() {
            for value in stream["values"].as_array().unwrap() {
                lines.push((value[0].as_str().unwrap().into(), value[1].as_str().unwrap().into()));
            }
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// Why it has ended; it has to.
    async fn end(mut self) -> Option<String> {
        for _ in 0..1_000 {
            match self.0.next().await {
                None => return None,
                Some(Err(error)) => return Some(error.to_string()),
                Some(Ok(_)) => {}
            }
        }
        panic!("it goes on");
    }
}

const ALL: &str = r#"{service_name="api"}"#;

fn now_ms(service: &Service) -> u64 {
    service.app.clock.now_ms()
}

#[tokio::test]
async fn every_line_is_shown_once_whatever_comes_late_and_is_flushed() {
    let service = Service::with(&[("RATE_LIMIT_ENABLED", "false")]);
    for n in 0..5_u64 {
        service.store(&log_at("api", &format!("before {n}"), NOW_MS - 60_000 + n)).await;
    }
    let mut tail = Tail::of(&service, "key", &format!("{ALL} != \"hidden\""), "&limit=2").await;
    assert_eq!(tail.lines().await, ["before 3", "before 4"]);
    let mut wanted = BTreeSet::new();
    let mut shown = BTreeSet::new();
    for round in 0..40_u64 {
        let mut records = Vec::new();
        for n in 0..5 {
            let text = format!("line {round}.{n}");
            // Some are 20 seconds late, and one is before its time.
            let ms = now_ms(&service) + 1_000 - [0, 3, 700, 1_000, 20_000][n];
            records.push(log_at("api", &text, ms));
            wanted.insert(text);
        }
        records.push(log_at("api", "hidden", now_ms(&service)));
        records.push(log_at("web", "of another service", now_ms(&service)));
        service.store_all(&records).await;
        if round % 7 == 3 {
            service.flush().await;
        }
        for line in tail.lines().await {
            assert!(shown.insert(line.clone()), "{line} is shown twice");
        }
        if round % 7 == 5 {
            service.flush().await;
        }
    }
    assert_eq!(tail.lines().await, Vec::<String>::new(), "it says that it is still there");
    assert_eq!(shown, wanted);
}

#[tokio::test]
async fn lines_that_wait_come_in_order() {
    let service = Service::new();
    let mut tail = Tail::of(&service, "key", ALL, "&delay_for=5").await;
    let began = now_ms(&service);
    service.store(&log_at("api", "second", began - 1_000)).await;
    service.store(&log_at("api", "first", began - 2_000)).await;
    assert_eq!(tail.lines().await, ["first"]);
    assert!(now_ms(&service) >= began + 3_000);
    assert_eq!(tail.lines().await, ["second"]);
}

#[tokio::test]
async fn more_lines_than_a_message_holds_come_with_the_next_ones() {
    let service = Service::new();
    let mut tail = Tail::of(&service, "key", ALL, "").await;
    service.store(&log("api", "first")).await;
    assert_eq!(tail.lines().await.len(), 1);
    let records: Vec<Value> =
        (0..2_500).map(|n| log_at("api", &format!("{n}"), now_ms(&service) - 9_000 + n)).collect();
    for some in records.chunks(1_000) {
        service.store_all(some).await;
    }
    let mut all = BTreeSet::new();
    for (newest, count, is_cut) in [("2499", 1_000, true), ("1499", 1_000, true), ("499", 500, false)] {
        let message = tail.message().await;
        let values = message["streams"][0]["values"].as_array().unwrap();
        assert_eq!((values.len(), values[count - 1][1].as_str()), (count, Some(newest)));
        assert_eq!(message["dropped_entries"].as_array().unwrap().len(), usize::from(is_cut));
        all.extend(values.iter().map(|value| value[1].as_str().unwrap().to_owned()));
    }
    assert_eq!(all.len(), 2_500);
    let now = now_ms(&service);
    service.store(&log_at("api", &"long ".repeat(30_000), now)).await;
    service.store(&log_at("api", &"line ".repeat(30_000), now - 1)).await;
    for text in ["long", "line"] {
        let lines: Vec<String> = tail.lines().await.iter().map(|line| line[..4].to_owned()).collect();
        assert_eq!(lines, [text]);
    }
}

#[tokio::test]
async fn a_clock_that_is_ahead_hides_nothing_and_what_was_not_asked_for_is_not_shown() {
    let service = Service::with(&[("MAX_SUBREQUESTS", "5000")]);
    let ahead = |minutes: u64| now_ms(&service) + minutes * 60_000;
    let mut records: Vec<Value> =
        (0..200).map(|n| log_at("api", &format!("ahead {n}"), ahead(5) + n)).collect();
    records.extend((0..50).map(|n| log_at("api", &format!("old {n}"), NOW_MS - 20_000 + n)));
    service.store_all(&records).await;
    service.world.turn_clock(10_000);
    let mut tail = Tail::of(&service, "key", ALL, "&limit=3").await;
    assert_eq!(tail.lines().await, ["old 47", "old 48", "old 49"]);
    service.store(&log_at("api", "now", now_ms(&service))).await;
    // It comes late, and is older than what was shown.
    service.store(&log_at("api", "late", NOW_MS - 20_000)).await;
    assert_eq!(tail.lines().await, ["late", "now"]);
    service.store(&log_at("api", "later", now_ms(&service))).await;
    assert_eq!(tail.lines().await, ["later"]);
    let mut shown = Vec::new();
    while now_ms(&service) < NOW_MS + 6 * 60_000 {
        shown.extend(tail.lines().await);
    }
    assert_eq!((shown.len(), shown[0].as_str()), (200, "ahead 0"));
}

#[tokio::test]
async fn what_could_not_be_looked_at_is_shown_when_it_can_be() {
    let service = Service::new();
    let mut tail = Tail::of(&service, "key", ALL, "").await;
    service.store(&log_at("api", "before", now_ms(&service))).await;
    assert_eq!(tail.lines().await, ["before"]);
    service.store(&log_at("api", "during", now_ms(&service))).await;
    service.world.fail("shards.unflushed", false, 10_000);
    let began = now_ms(&service);
    while now_ms(&service) < began + 100_000 {
        assert_eq!(tail.lines().await, Vec::<String>::new());
    }
    service.world.mend();
    assert_eq!(tail.lines().await, ["during"]);
    // The catalog cannot be read for a moment.
    service.store(&log_at("api", "again", now_ms(&service))).await;
    service.world.fail("catalog.spooled", false, 3);
    assert_eq!(tail.lines().await, ["again"]);
}

#[tokio::test]
async fn a_masked_reader_follows_what_it_may_see() {
    let service = Service::new();
    let (_, key) = service.key(&json!({ "name": "s", "role": "support" })).await;
    let mut tail = Tail::of(&service, &key, ALL, "").await;
    service.post("/logs?redact=false", &log("api", "mail ann@shop.example")).await;
    assert_eq!(tail.lines().await, ["mail [EMAIL]"]);
}

#[tokio::test]
async fn it_asks_for_no_more_than_a_request_may() {
    for query in [ALL.to_owned(), format!("{ALL} |= \"needle\"")] {
        let service = Service::with(&[("MAX_SUBREQUESTS", "200")]);
        for n in 0..12 {
            service.store(&log_at("api", &format!("needle {n}"), NOW_MS - 60_000 + n)).await;
            service.flush().await;
        }
        let asked = || -> u64 {
            let catalog = ["spooled", "segments", "segments_as_of"].map(|verb| format!("catalog.{verb}"));
            let partitions = ["overlapping", "headers", "candidates", "candidates_behind"];
            let partitions = partitions.map(|verb| format!("partitions.{verb}"));
            let others = ["shards.unflushed", "objects.get", "objects.get_range"].map(str::to_owned);
            catalog.iter().chain(&partitions).chain(&others).map(|verb| service.world.calls(verb)).sum()
        };
        let before = asked();
        assert_eq!(Tail::of(&service, "key", &query, "").await.end().await, None);
        let asked = asked() - before;
        assert!((150..=200).contains(&asked), "{query}: {asked}");
    }
}

#[tokio::test]
async fn it_ends_with_what_a_request_may_ask_for_and_with_its_key() {
    let service = Service::with(&[("MAX_SUBREQUESTS", "100")]);
    let tail = Tail::of(&service, "key", ALL, "").await;
    let began = now_ms(&service);
    assert_eq!(tail.end().await, None);
    // A look asks for three things, and the last one is kept back.
    assert_eq!((now_ms(&service) - began) / 1_000, 29);

    let service = Service::new();
    let (id, key) = service.key(&json!({ "name": "t", "role": "developer", "services": ["api"] })).await;
    let mut tail = Tail::of(&service, &key, r#"{service_name=~".+"}"#, "").await;
    service.store_all(&[log("api", "may see"), log("web", "may not")]).await;
    assert_eq!(tail.lines().await, ["may see"]);
    service.call(Method::DELETE, &format!("/admin/keys/{id}"), &[], Body::empty()).await.ok();
    let began = now_ms(&service);
    assert_eq!(tail.end().await.as_deref(), Some("the key may not read any more"));
    assert!(now_ms(&service) - began <= 61_000);
    service.world.background.settle().await;
    let audit = service.get("/admin/audit?q=tail").await.ok();
    assert!(audit["data"].to_string().contains("began"), "{audit}");
    assert!(audit["data"].to_string().contains("\"shown\":1,"), "{audit}");
}

#[tokio::test]
async fn what_cannot_be_tailed_is_refused() {
    let service = Service::new();
    for (query, more, status, said) in [
        (ALL, "", 426, "expected a WebSocket"),
        ("rate({a=\"b\"}[1m])", "", 400, "a metric cannot be tailed"),
        ("{a=", "", 400, "parse error"),
        (ALL, "&delay_for=6", 400, "delay_for: expected a number from 0 to 5, got \"6\""),
        (ALL, "&limit=5001", 400, "max entries limit"),
        ("{a=~\"(\"}", "", 400, "regex"),
        ("{a=\"b\"} | line_format `{{`", "", 400, "template"),
        (ALL, "&start=yesterday", 400, "start: expected"),
    ] {
        let uri = format!("/loki/api/v1/tail?query={}{more}", encoded(query));
        let answer = service.get(&uri).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(answer.text.contains(said), "{}", answer.text);
    }
}
