//! A catalog in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, let_others_run, lock};
use crate::{
    engine::{
        block::{Facts, Rollup},
        config::ServiceConfig,
        query::TimeRange,
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        Catalog, CatalogEntry, PortError,
        catalog::{After, Erased, Only, WalkFrom},
        partitions::Partition,
    },
};

const PART: &str = "catalog";

pub struct FakeCatalog {
    inner: Arc<Inner>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
pub(super) struct Tables {
    /// By tenant, newest row and key, as in D1.
    pub(super) segments: BTreeMap<Place, Kept>,
    /// With their headers, by tenant and number.
    pub(super) partitions: BTreeMap<(String, u32), (Partition, Vec<u8>)>,
    /// The greatest number that an index of each tenant ever had.
    pub(super) last_index: BTreeMap<String, u32>,
    pub(super) removals: BTreeMap<String, Timestamp>,
    /// What was taken out of the listings and is noted for removal: with the replacement that took it.
    replaced: BTreeMap<Place, (Kept, u64)>,
    /// How many replacements each tenant has seen.
    epochs: BTreeMap<String, u64>,
    spooled: BTreeMap<String, String>,
    configs: BTreeMap<(String, String), ServiceConfig>,
    /// As D1 counts: a segment is one, and one in each of its indexes.
    pub(super) rows_written: u64,
}

type Place = (String, i64, String);

pub(super) struct Kept {
    pub(super) entry: CatalogEntry,
    /// The replacement that added it, 0 for a flush.
    born: u64,
}

impl Tables {
    fn add(&mut self, segments: &[CatalogEntry]) {
        for entry in segments.iter().filter(|entry| !self.removals.contains_key(&entry.key)) {
            self.rows_written += 4;
            self.segments.entry(place(entry)).or_insert_with(|| Kept { entry: entry.clone(), born: 0 });
        }
    }

    fn replace(&mut self, gone: &[CatalogEntry], new: &[CatalogEntry], now: Timestamp) -> bool {
        if !gone.iter().all(|entry| self.segments.contains_key(&place(entry))) {
            return false;
        }
        let tenants: BTreeSet<&String> = gone.iter().map(|entry| &entry.id.tenant).collect();
        self.rows_written += (tenants.len() + 4 * gone.len() + 5 * new.len()) as u64;
        for tenant in tenants {
            *self.epochs.entry(tenant.clone()).or_default() += 1;
        }
        for entry in gone {
            let epoch = self.epoch(&entry.id.tenant);
            if let Some(kept) = self.segments.remove(&place(entry)) {
                let entry =
                    CatalogEntry { words_bytes: None, indexed: None, anonymised: false, ..kept.entry };
                self.replaced.insert(place(&entry), (Kept { entry, ..kept }, epoch));
            }
            self.removals.extend(entry.object_keys().map(|key| (key, now)));
        }
        for entry in new {
            let born = self.epoch(&entry.id.tenant);
            self.removals.retain(|key, _| entry.object_keys().all(|own| own != *key));
            self.segments.entry(place(entry)).or_insert_with(|| Kept { entry: entry.clone(), born });
        }
        true
    }

    fn list(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: Option<&After>,
        as_of: u64,
        limit: usize,
    ) -> Vec<CatalogEntry> {
        self.list_if(tenant, range, after, as_of, limit, |_| true)
    }

    pub(super) fn list_if(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: Option<&After>,
        as_of: u64,
        limit: usize,
        wanted: impl Fn(&CatalogEntry) -> bool,
    ) -> Vec<CatalogEntry> {
        let behind = |entry: &&CatalogEntry| {
            after.is_none_or(|after| {
                (entry.max_time.as_ms(), entry.key.as_str()) < (after.max_time_ms, after.key.as_str())
            })
        };
        let all = self.as_of(tenant.as_str(), as_of).into_iter().filter(|entry| wanted(entry));
        let wanted = all.filter(|entry| range.overlaps(entry.min_time, entry.max_time)).filter(behind);
        wanted.take(limit).map(|entry| CatalogEntry { as_of, ..without_rollup(entry) }).collect()
    }

    pub(super) fn behind(&self, from: &WalkFrom) -> impl Iterator<Item = (&Place, &Kept)> {
        let from = (from.tenant.clone(), from.max_time_ms, from.key.clone());
        self.segments.range((Bound::Excluded(from), Bound::Unbounded))
    }

    pub(super) fn epoch(&self, tenant: &str) -> u64 {
        self.epochs.get(tenant).copied().unwrap_or_default()
    }

    /// A tenant's segments as they were after so many replacements, newest first.
    fn as_of(&self, tenant: &str, epoch: u64) -> Vec<&CatalogEntry> {
        let there = self.segments.iter().filter(|(_, kept)| kept.born <= epoch);
        let replaced = self.replaced.iter().filter(|(_, (kept, gone))| kept.born <= epoch && epoch < *gone);
        let both = there.chain(replaced.map(|(place, (kept, _))| (place, kept)));
        let own: BTreeMap<&Place, &Kept> = both.filter(|((of, ..), _)| of == tenant).collect();
        own.into_values().rev().map(|kept| &kept.entry).collect()
    }
}

pub(super) fn place(entry: &CatalogEntry) -> Place {
    (entry.id.tenant.clone(), entry.max_time.as_ms(), entry.key.clone())
}

pub(super) fn without_rollup(entry: &CatalogEntry) -> CatalogEntry {
    CatalogEntry { rollup: None, facts: None, ..entry.clone() }
}

impl FakeCatalog {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, tables: Mutex::default() }
    }

    pub fn keys(&self) -> Vec<String> {
        lock(&self.tables).segments.values().map(|kept| kept.entry.key.clone()).collect()
    }

    /// Forgets every segment, or what was noted for removal, or both: as somebody may who has the console.
    pub fn lose(&self, segments: bool, removals: bool) {
        let mut tables = lock(&self.tables);
        if segments {
            tables.segments.clear();
            tables.partitions.clear();
            tables.last_index.clear();
        }
        if removals {
            tables.removals.clear();
            tables.replaced.clear();
        }
    }

    pub fn rows_written(&self) -> u64 {
        lock(&self.tables).rows_written
    }

    pub fn noted(&self) -> Vec<String> {
        lock(&self.tables).removals.keys().cloned().collect()
    }

    pub(super) fn run<T>(&self, call: &str, work: impl FnOnce(&mut Tables) -> T) -> Result<T, PortError> {
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
    ) -> Result<Vec<CatalogEntry>, PortError> {
        self.run("catalog.segments", |tables| {
            let as_of = tables.epoch(tenant.as_str());
            tables.list(tenant, range, after, as_of, limit)
        })
    }

    async fn segments_as_of(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: &After,
        as_of: u64,
        limit: usize,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        self.run("catalog.segments", |tables| tables.list(tenant, range, Some(after), as_of, limit))
    }

    async fn rollups(&self, segments: &[WalkFrom]) -> Result<Vec<(String, Rollup)>, PortError> {
        let_others_run().await;
        self.run("catalog.rollups", |tables| {
            let rollup = |from: &WalkFrom| {
                let place = (from.tenant.clone(), from.max_time_ms, from.key.clone());
                let replaced = || tables.replaced.get(&place).map(|(kept, _)| kept);
                let kept = tables.segments.get(&place).or_else(replaced)?;
                Some((from.key.clone(), Rollup::clone(kept.entry.rollup.as_ref()?)))
            };
            segments.iter().filter_map(rollup).collect()
        })
    }

    async fn facts(&self, segments: &[WalkFrom]) -> Result<Vec<(String, Facts)>, PortError> {
        let_others_run().await;
        self.run("catalog.facts", |tables| {
            let facts = |from: &WalkFrom| {
                let place = (from.tenant.clone(), from.max_time_ms, from.key.clone());
                let replaced = || tables.replaced.get(&place).map(|(kept, _)| kept);
                let kept = tables.segments.get(&place).or_else(replaced)?;
                Some((from.key.clone(), Facts::clone(kept.entry.facts.as_ref()?)))
            };
            segments.iter().filter_map(facts).collect()
        })
    }

    async fn received_at(&self, tenant: &Tenant, time: Timestamp) -> Result<Vec<CatalogEntry>, PortError> {
        self.run("catalog.received_at", |tables| {
            let holds = |entry: &&CatalogEntry| {
                entry.id.tenant == tenant.as_str() && entry.min_received <= time && time <= entry.max_received
            };
            tables.segments.values().map(|kept| &kept.entry).filter(holds).map(without_rollup).collect()
        })
    }

    async fn walk(&self, from: &WalkFrom, limit: usize, only: Only) -> Result<Vec<CatalogEntry>, PortError> {
        self.run("catalog.walk", |tables| {
            let wanted = |entry: &&CatalogEntry| match only {
                Only::All => true,
                Only::Small { raw_bytes, received_before } => {
                    (entry.raw_bytes < raw_bytes || entry.is_wordless())
                        && entry.max_received < received_before
                }
            };
            let behind = tables.behind(from).map(|(_, kept)| &kept.entry);
            behind.filter(wanted).take(limit).map(without_rollup).collect()
        })
    }

    async fn places(&self, from: &WalkFrom, limit: usize) -> Result<Vec<WalkFrom>, PortError> {
        self.run("catalog.places", |tables| {
            tables.behind(from).take(limit).map(|(_, kept)| WalkFrom::behind(&kept.entry)).collect()
        })
    }

    async fn replace(
        &self,
        gone: &[CatalogEntry],
        new: &[CatalogEntry],
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let_others_run().await;
        self.run("catalog.replace", |tables| tables.replace(gone, new, now))
    }

    async fn mark_anonymised(&self, segments: &[WalkFrom]) -> Result<(), PortError> {
        let_others_run().await;
        self.run("catalog.mark_anonymised", |tables| {
            for from in segments {
                let place = (from.tenant.clone(), from.max_time_ms, from.key.clone());
                if let Some(kept) = tables.segments.get_mut(&place) {
                    kept.entry.anonymised = true;
                    tables.rows_written += 1;
                }
            }
        })
    }

    async fn note_removals(&self, keys: &[String], now: Timestamp) -> Result<(), PortError> {
        self.run("catalog.note_removals", |tables| {
            tables.rows_written += keys.len() as u64;
            for key in keys {
                tables.removals.insert(key.clone(), now);
            }
        })
    }

    async fn removals(&self, noted_before: Timestamp, limit: usize) -> Result<Vec<String>, PortError> {
        self.run("catalog.removals", |tables| {
            let due = tables.removals.iter().filter(|(_, noted)| **noted < noted_before);
            let mut due: Vec<_> = due.map(|(key, noted)| (*noted, key.clone())).collect();
            due.sort();
            due.into_iter().take(limit).map(|(_, key)| key).collect()
        })
    }

    async fn forget_removals(&self, keys: &[String]) -> Result<(), PortError> {
        self.run("catalog.forget_removals", |tables| {
            tables.rows_written += keys.len() as u64;
            tables.removals.retain(|key, _| !keys.contains(key));
            tables.replaced.retain(|(_, _, key), _| !keys.contains(key));
        })
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

    async fn erase(&self, tenant: &Tenant) -> Result<Erased, PortError> {
        self.run("catalog.erase", |tables| {
            let mut erased = Erased::default();
            let is_own = |place: &Place| place.0 == tenant.as_str();
            tables.segments.retain(|place, kept| {
                if is_own(place) {
                    erased.segments += 1;
                    erased.rows += kept.entry.rows;
                    erased.size_bytes += kept.entry.size_bytes;
                }
                !is_own(place)
            });
            let replaced: Vec<String> =
                tables.replaced.keys().filter(|place| is_own(place)).map(|place| place.2.clone()).collect();
            tables.removals.retain(|key, _| !replaced.contains(key));
            tables.replaced.retain(|place, _| !is_own(place));
            tables.partitions.retain(|(owner, _), _| owner != tenant.as_str());
            tables.last_index.remove(tenant.as_str());
            tables.epochs.remove(tenant.as_str());
            tables.spooled.retain(|_, owner| owner != tenant.as_str());
            tables.configs.retain(|(owner, _), _| owner != tenant.as_str());
            erased
        })
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.run("catalog.ping", |_| ())
    }
}
