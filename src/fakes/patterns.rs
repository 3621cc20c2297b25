//! Patterns in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, lock};
use crate::{
    engine::{
        pattern::{Own, PatternId},
        tenant::Tenant,
    },
    ports::{
        PortError,
        patterns::{KnownPattern, Patterns},
    },
};

const PART: &str = "patterns";

type Table = BTreeMap<(Tenant, String, PatternId), KnownPattern>;

pub struct FakePatterns {
    inner: Arc<Inner>,
    table: Mutex<Table>,
}

impl FakePatterns {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, table: Mutex::default() }
    }

    fn run<T>(&self, call: &str, work: impl FnOnce(&mut Table) -> T) -> Result<T, PortError> {
        self.inner.run(PART, call, || Ok(work(&mut lock(&self.table))))
    }
}

#[async_trait]
impl Patterns for FakePatterns {
    async fn note(&self, tenant: &Tenant, patterns: &[KnownPattern]) -> Result<(), PortError> {
        if patterns.is_empty() {
            return Ok(());
        }
        self.run("patterns.note", |table| {
            for one in patterns {
                let known = table
                    .entry((tenant.clone(), one.service.clone(), one.id))
                    .or_insert_with(|| KnownPattern { own: Own::default(), ..one.clone() });
                known.leads_to = one.leads_to;
                known.template.clone_from(&one.template);
            }
        })
    }

    async fn list(&self, tenant: &Tenant, limit: usize) -> Result<Vec<KnownPattern>, PortError> {
        self.run("patterns.list", |table| {
            let mut all: Vec<KnownPattern> =
                table.iter().filter(|((of, _, _), _)| of == tenant).map(|(_, one)| one.clone()).collect();
            all.sort_by_key(|one| (one.own.is_nothing(), std::cmp::Reverse(one.first)));
            all.truncate(limit);
            all
        })
    }

    async fn say(&self, tenant: &Tenant, service: &str, id: PatternId, own: &Own) -> Result<bool, PortError> {
        self.run("patterns.say", |table| {
            let known = table.get_mut(&(tenant.clone(), service.to_owned(), id));
            known.map(|known| known.own = own.clone()).is_some()
        })
    }

    async fn erase(&self, tenant: &Tenant, service: Option<&str>) -> Result<(), PortError> {
        self.run("patterns.erase", |table| {
            table.retain(|(of, known, _), _| of != tenant || service.is_some_and(|service| service != known));
        })
    }
}
