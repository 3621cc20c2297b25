//! A catalog in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, let_others_run, lock};
use crate::{
    engine::{config::ServiceConfig, query::TimeRange, record::timestamp::Timestamp, tenant::Tenant},
    ports::{
        Catalog, CatalogEntry, PortError,
        catalog::{After, Detail, WalkFrom},
    },
};

const PART: &str = "catalog";

pub struct FakeCatalog {
    inner: Arc<Inner>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    /// By tenant, newest row and key, as in D1.
    segments: BTreeMap<(String, i64, String), CatalogEntry>,
    removals: BTreeMap<String, Timestamp>,
    spooled: BTreeMap<String, String>,
    configs: BTreeMap<(String, String), ServiceConfig>,
}

impl Tables {
    fn add(&mut self, segments: &[CatalogEntry]) {
        for entry in segments {
            self.segments.entry(place(entry)).or_insert_with(|| entry.clone());
        }
    }
}

fn place(entry: &CatalogEntry) -> (String, i64, String) {
    (entry.id.tenant.clone(), entry.max_time.as_ms(), entry.key.clone())
}

fn without_rollup(entry: &CatalogEntry) -> CatalogEntry {
    CatalogEntry { rollup: None, ..entry.clone() }
}

impl FakeCatalog {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, tables: Mutex::default() }
    }

    pub fn keys(&self) -> Vec<String> {
        lock(&self.tables).segments.values().map(|entry| entry.key.clone()).collect()
    }

    fn run<T>(&self, call: &str, work: impl FnOnce(&mut Tables) -> T) -> Result<T, PortError> {
        self.inner.run(PART, call, || Ok(work(&mut lock(&self.tables))))
    }
}

#[async_trait]
impl Catalog for FakeCatalog {
    async fn add(&self, segments: &[CatalogEntry]) -> Result<(), PortError> {
        let_others_run().await;
        self.run("catalog.add", |tables| tables.add(segments))
    }

    async fn segments(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: Option<&After>,
        limit: usize,
        detail: Detail,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        self.run("catalog.segments", |tables| {
            let behind = |entry: &&CatalogEntry| {
                after.is_none_or(|after| {
                    (entry.max_time.as_ms(), entry.key.as_str()) < (after.max_time_ms, after.key.as_str())
                })
            };
            let all = tables.segments.values().rev().filter(|entry| entry.id.tenant == tenant.as_str());
            let wanted = all.filter(|entry| range.overlaps(entry.min_time, entry.max_time)).filter(behind);
            let shown = wanted.take(limit);
            match detail {
                Detail::Summaries => shown.map(without_rollup).collect(),
                Detail::Rollups => shown.cloned().collect(),
            }
        })
    }

    async fn received_at(&self, tenant: &Tenant, time: Timestamp) -> Result<Vec<CatalogEntry>, PortError> {
        self.run("catalog.received_at", |tables| {
            let holds = |entry: &&CatalogEntry| {
                entry.id.tenant == tenant.as_str() && entry.min_received <= time && time <= entry.max_received
            };
            tables.segments.values().filter(holds).map(without_rollup).collect()
        })
    }

    async fn walk(&self, from: &WalkFrom, limit: usize) -> Result<Vec<CatalogEntry>, PortError> {
        self.run("catalog.walk", |tables| {
            let from = (from.tenant.clone(), from.max_time_ms, from.key.clone());
            tables
                .segments
                .iter()
                .filter(|(place, _)| **place > from)
                .take(limit)
                .map(|(_, e)| without_rollup(e))
                .collect()
        })
    }

    async fn replace(
        &self,
        gone: &[CatalogEntry],
        new: &[CatalogEntry],
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.run("catalog.replace", |tables| {
            for entry in gone {
                tables.segments.remove(&place(entry));
                tables.removals.insert(entry.key.clone(), now);
            }
            tables.add(new);
        })
    }

    async fn removals(&self, noted_before: Timestamp, limit: usize) -> Result<Vec<String>, PortError> {
        self.run("catalog.removals", |tables| {
            let due = tables.removals.iter().filter(|(_, noted)| **noted < noted_before);
            due.take(limit).map(|(key, _)| key.clone()).collect()
        })
    }

    async fn forget_removals(&self, keys: &[String]) -> Result<(), PortError> {
        self.run("catalog.forget_removals", |tables| tables.removals.retain(|key, _| !keys.contains(key)))
    }

    async fn note_spooled(&self, tenant: &str, key: &str) -> Result<(), PortError> {
        self.run("catalog.note_spooled", |tables| {
            tables.spooled.insert(key.to_owned(), tenant.to_owned());
        })
    }

    async fn spooled(&self, tenant: &Tenant, limit: usize) -> Result<Vec<String>, PortError> {
        self.run("catalog.spooled", |tables| {
            tables
                .spooled
                .iter()
                .filter(|(_, owner)| *owner == tenant.as_str())
                .take(limit)
                .map(|(key, _)| key.clone())
                .collect()
        })
    }

    async fn forget_spooled(&self, keys: &[String]) -> Result<(), PortError> {
        self.run("catalog.forget_spooled", |tables| tables.spooled.retain(|key, _| !keys.contains(key)))
    }

    async fn service_configs(&self, tenant: &Tenant) -> Result<Vec<ServiceConfig>, PortError> {
        self.run("catalog.service_configs", |tables| {
            let own = tables.configs.iter().filter(|((owner, _), _)| owner == tenant.as_str());
            own.map(|(_, config)| config.clone()).collect()
        })
    }

    async fn put_service_config(&self, tenant: &Tenant, config: &ServiceConfig) -> Result<(), PortError> {
        self.run("catalog.put_service_config", |tables| {
            tables.configs.insert((tenant.to_string(), config.service.clone()), config.clone());
        })
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.run("catalog.ping", |_| ())
    }
}
