//! Anomalies in memory.

use std::{
    cmp::Reverse,
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, lock};
use crate::{
    engine::{query::TimeRange, record::timestamp::Timestamp, tenant::Tenant},
    ports::{Anomalies, PortError, anomalies::StoredAnomaly},
};

const PART: &str = "anomalies";

type Table = BTreeMap<(Tenant, String), StoredAnomaly>;

pub struct FakeAnomalies {
    inner: Arc<Inner>,
    table: Mutex<Table>,
}

impl FakeAnomalies {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, table: Mutex::default() }
    }

    fn run<T>(&self, call: &str, work: impl FnOnce(&mut Table) -> T) -> Result<T, PortError> {
        self.inner.run(PART, call, || Ok(work(&mut lock(&self.table))))
    }
}

#[async_trait]
impl Anomalies for FakeAnomalies {
    async fn put(&self, tenant: &Tenant, anomalies: &[StoredAnomaly]) -> Result<(), PortError> {
        if anomalies.is_empty() {
            return Ok(());
        }
        self.run("anomalies.put", |table| {
            for one in anomalies {
                table.insert((tenant.clone(), one.id.clone()), one.clone());
            }
        })
    }

    async fn list(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<StoredAnomaly>, PortError> {
        self.run("anomalies.list", |table| {
            let own = table.iter().rev().filter(|((of, _), _)| of == tenant).map(|(_, one)| one);
            let mut found: Vec<StoredAnomaly> =
                own.filter(|one| range.overlaps(one.start, one.end)).cloned().collect();
            found.sort_by_key(|one| Reverse(one.start));
            found.truncate(limit);
            found
        })
    }

    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError> {
        self.run("anomalies.erase", |table| table.retain(|(of, _), _| of != tenant))
    }

    async fn forget(&self, before: Timestamp) -> Result<(), PortError> {
        self.run("anomalies.forget", |table| table.retain(|_, one| one.end >= before))
    }
}
