//! Analyses in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, lock};
use crate::{
    engine::{record::timestamp::Timestamp, tenant::Tenant},
    ports::{Analyses, PortError, analyses::StoredAnalysis},
};

const PART: &str = "analyses";

type Table = BTreeMap<(Tenant, String), StoredAnalysis>;

pub struct FakeAnalyses {
    inner: Arc<Inner>,
    table: Mutex<Table>,
}

impl FakeAnalyses {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, table: Mutex::default() }
    }

    fn run<T>(&self, call: &str, work: impl FnOnce(&mut Table) -> T) -> Result<T, PortError> {
        self.inner.run(PART, call, || Ok(work(&mut lock(&self.table))))
    }
}

#[async_trait]
impl Analyses for FakeAnalyses {
    async fn put(&self, tenant: &Tenant, analysis: &StoredAnalysis) -> Result<(), PortError> {
        self.run("analyses.put", |table| {
            table.insert((tenant.clone(), analysis.id.clone()), analysis.clone());
        })
    }

    async fn list(
        &self,
        tenant: &Tenant,
        service: Option<&str>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredAnalysis>, PortError> {
        self.run("analyses.list", |table| {
            let own = table.iter().rev().filter(|((of, id), one)| {
                of == tenant
                    && before.is_none_or(|before| id.as_str() < before)
                    && service.is_none_or(|service| one.service == service)
            });
            own.map(|(_, one)| one.clone()).take(limit).collect()
        })
    }

    async fn latest(&self, tenant: &Tenant, limit: usize) -> Result<Vec<StoredAnalysis>, PortError> {
        self.run("analyses.latest", |table| {
            let own = table.iter().filter(|((of, _), _)| of == tenant);
            // In the order of the ids, so that the newest one stays.
            let newest: BTreeMap<&str, &StoredAnalysis> =
                own.map(|(_, one)| (one.service.as_str(), one)).collect();
            newest.into_values().take(limit).cloned().collect()
        })
    }

    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError> {
        self.run("analyses.erase", |table| table.retain(|(of, _), _| of != tenant))
    }

    async fn forget(&self, before: Timestamp) -> Result<(), PortError> {
        self.run("analyses.forget", |table| table.retain(|_, one| one.analyzed_at >= before))
    }
}
