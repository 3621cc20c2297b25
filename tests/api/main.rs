//! The service through its real router, over a platform in memory: every route, right and wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod access;
mod addresses;
mod aggregate;
mod analyses;
mod analytics;
mod anomalies;
mod audit;
mod auth;
mod body;
mod compaction;
mod config;
mod cost;
mod expiry;
mod faults;
mod findings;
mod idempotency;
mod index;
mod ingest;
mod large;
mod loki;
mod long_run;
mod model;
mod pipeline;
mod push;
mod query;
mod quota;
mod read;
mod rebuild;
mod scanners;
mod spool;

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use timberline::{
    app::App,
    engine::index::names,
    fakes::World,
    http::router,
    ports::{
        Catalog, Partitions,
        catalog::{Only, WalkFrom},
    },
};
use tower::ServiceExt;

/// 2025-11-21T00:00:00Z.
pub(crate) const NOW_MS: u64 = 1_763_683_200_000;
pub(crate) const HOUR_MS: u64 = 3_600_000;
pub(crate) const DAY_MS: u64 = 24 * HOUR_MS;

pub(crate) const ONE: [&str; 3] = ["/logs", "/api/v1/logs", "/api/v1/logs/ingest"];
pub(crate) const MANY: [&str; 2] = ["/api/v1/logs/batch", "/api/v1/logs/ingest/batch"];

/// The service in a world of its own.
pub(crate) struct Service {
    pub(crate) world: World,
    pub(crate) app: App,
    router: Router,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Demands a success and gives its body.
    pub(crate) fn ok(&self) -> Value {
        assert!(self.status.is_success(), "{self:?}");
        self.json()
    }

    /// Demands an error of the one shape there is, and gives its code and field.
    pub(crate) fn error(&self) -> (u16, String, Option<String>) {
        let body = self.json();
        let error = &body["error"];
        let keys: Vec<&String> = error.as_object().unwrap_or_else(|| panic!("{self:?}")).keys().collect();
        assert_eq!(keys, ["code", "message", "details", "request_id"], "{self:?}");
        assert_eq!(body.as_object().unwrap().len(), 1, "{self:?}");
        assert_eq!(self.headers["x-request-id"], *error["request_id"].as_str().unwrap(), "{self:?}");
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{self:?}");
        let field = error["details"]["field"].as_str().map(str::to_owned);
        (self.status.as_u16(), error["code"].as_str().unwrap().to_owned(), field)
    }

    pub(crate) fn message(&self) -> String {
        self.json()["error"]["message"].as_str().unwrap().to_owned()
    }
}

impl Service {
    pub(crate) fn new() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(vars: &[(&str, &str)]) -> Self {
        Self::on(&World::at(NOW_MS), vars)
    }

    /// Another isolate of the same deployment.
    pub(crate) fn on(world: &World, vars: &[(&str, &str)]) -> Self {
        let app = world.app(vars);
        Self { world: world.clone(), app: app.clone(), router: router(app) }
    }

    /// An isolate that has nothing in its caches.
    pub(crate) fn restarted(&self) -> Self {
        Self::on(&self.world, &[])
    }

    /// The objects that the catalog names: segments, their words, and indexes.
    pub(crate) async fn named(&self) -> BTreeSet<String> {
        let entries = self.world.catalog.walk(&WalkFrom::default(), 100_000, Only::All).await.unwrap();
        let partitions = self.world.catalog.all().await.unwrap();
        let parts = partitions.iter().flat_map(|partition| {
            let parts = 0..partition.parts.lengths().len();
            parts.map(|part| names::part_key(&partition.name, part))
        });
        entries.iter().flat_map(timberline::ports::CatalogEntry::object_keys).chain(parts).collect()
    }

    /// Sends a request as it is, without a key of its own.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert!(parts.headers.contains_key("x-request-id"), "{parts:?}");
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(uri).header("authorization", "Bearer key");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.call(Method::GET, uri, &[], Body::empty()).await
    }

    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Answer {
        self.post_with(uri, &[("content-type", "application/json")], body.to_string()).await
    }

    pub(crate) async fn post_with(
        &self,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        self.call(Method::POST, uri, headers, body).await
    }

    pub(crate) async fn put(&self, uri: &str, body: &Value) -> Answer {
        self.call(Method::PUT, uri, &[("content-type", "application/json")], body.to_string()).await
    }

    /// Stores one record; its id.
    pub(crate) async fn store(&self, record: &Value) -> String {
        let answer = self.post("/logs", record).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// Stores a batch; the ids.
    pub(crate) async fn store_all(&self, records: &[Value]) -> Vec<String> {
        ids(&self.post("/api/v1/logs/batch", &json!({ "logs": records })).await.ok())
    }

    pub(crate) async fn act_flush(&self) -> Answer {
        self.post("/admin/self-healing/actions", &json!({"action": "execute", "actionId": "flush"})).await
    }

    pub(crate) async fn flush(&self) {
        self.act_flush().await.ok();
    }

    /// Every record there is, newest first, page by page.
    pub(crate) async fn all(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let mut uri = "/logs?limit=1000".to_owned();
        loop {
            let page = self.get(&uri).await.ok();
            assert_eq!(page["stats"]["partial"], false, "{page}");
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => uri = format!("/logs?limit=1000&cursor={cursor}"),
                None => return all,
            }
        }
    }

    /// How often each id is found by reading everything.
    pub(crate) async fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for record in self.all().await {
            *counts.entry(record["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        counts
    }

    /// Demands that these ids and no others are found, each once: by reading, by id, and by counting.
    pub(crate) async fn holds_exactly(&self, ids: &[String], context: &str) {
        let expected: BTreeMap<String, usize> = ids.iter().map(|id| (id.clone(), 1)).collect();
        assert_eq!(self.counts().await, expected, "{context}");
        if let Some(id) = ids.first() {
            assert_eq!(self.get(&format!("/api/v1/logs/{id}")).await.status, StatusCode::OK, "{context}");
        }
        let services = self.get("/api/v1/logs/services").await.ok();
        let total: u64 =
            services["data"].as_array().unwrap().iter().map(|one| one["total"].as_u64().unwrap()).sum();
        assert_eq!(total, ids.len() as u64, "{context}: {services}");
    }

    /// Demands that objects and catalog name the same segments, and that there are no other objects.
    pub(crate) async fn agrees(&self, context: &str) {
        let there: BTreeSet<String> = self.world.objects.keys().into_iter().collect();
        assert_eq!(there, self.named().await, "{context}");
    }
}

pub(crate) fn ids(body: &Value) -> Vec<String> {
    body["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// A plain record.
pub(crate) fn log(service: &str, message: &str) -> Value {
    json!({ "service": service, "message": message })
}

/// A record at a moment, in ms.
pub(crate) fn log_at(service: &str, message: &str, ms: u64) -> Value {
    json!({ "service": service, "message": message, "timestamp": ms })
}

/// A shown record without what no test can know beforehand.
pub(crate) fn without(mut record: Value, names: &[&str]) -> Value {
    for name in names {
        record.as_object_mut().unwrap().remove(*name);
    }
    record
}

pub(crate) fn gzip(raw: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(raw).unwrap();
    encoder.finish().unwrap()
}
