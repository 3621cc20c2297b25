//! Accounts in memory, and their copies.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures::future::BoxFuture;

use super::world::{Inner, let_others_run, lock};
use crate::{
    engine::{account::Account, record::timestamp::Timestamp, tenant::Tenant},
    ports::{
        Accounts, Background, Copies, PortError,
        accounts::{KeyUse, MAX_ADDRESSES, Stored, Written},
    },
};

const PART: &str = "accounts";

pub struct FakeAccounts {
    inner: Arc<Inner>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    /// By tenant, with the version that is copied.
    accounts: BTreeMap<String, (Stored, u64)>,
    domains: BTreeMap<String, String>,
    uses: BTreeMap<(String, String, String), Timestamp>,
}

impl FakeAccounts {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, tables: Mutex::default() }
    }

    async fn run<T>(&self, call: &str, work: impl FnOnce(&mut Tables) -> T) -> Result<T, PortError> {
        let_others_run().await;
        self.inner.run(PART, call, || Ok(work(&mut lock(&self.tables))))
    }
}

impl Tables {
    fn version(&self, tenant: &Tenant) -> Option<u64> {
        self.accounts.get(tenant.as_str()).map(|(stored, _)| stored.version)
    }
}

#[async_trait]
impl Accounts for FakeAccounts {
    async fn read(&self, tenant: &Tenant) -> Result<Option<Stored>, PortError> {
        let read =
            |tables: &mut Tables| tables.accounts.get(tenant.as_str()).map(|(stored, _)| stored.clone());
        self.run("accounts.read", read).await
    }

    async fn list(&self, after: &str, limit: usize) -> Result<Vec<Stored>, PortError> {
        self.run("accounts.list", |tables| {
            let behind = tables.accounts.iter().filter(|(tenant, _)| tenant.as_str() > after);
            behind.take(limit).map(|(_, (stored, _))| stored.clone()).collect()
        })
        .await
    }

    async fn write(
        &self,
        tenant: &Tenant,
        account: &Account,
        expected: Option<u64>,
    ) -> Result<Written, PortError> {
        self.run("accounts.write", |tables| {
            if tables.version(tenant) != expected {
                return Written::Conflict;
            }
            let others =
                |name: &String| tables.domains.get(name).is_some_and(|owner| owner != tenant.as_str());
            if account.domains.iter().any(|one| others(&one.domain)) {
                return Written::DomainTaken;
            }
            tables.domains.retain(|_, owner| owner != tenant.as_str());
            let own = account.domains.iter().map(|one| (one.domain.clone(), tenant.to_string()));
            tables.domains.extend(own);
            let version = expected.unwrap_or(0) + 1;
            let copied = tables.accounts.get(tenant.as_str()).map_or(0, |(_, copied)| *copied);
            let stored = Stored { tenant: tenant.clone(), version, account: account.clone() };
            tables.accounts.insert(tenant.to_string(), (stored, copied));
            Written::Done
        })
        .await
    }

    async fn remove(&self, tenant: &Tenant, expected: u64) -> Result<Written, PortError> {
        self.run("accounts.remove", |tables| {
            if tables.version(tenant) != Some(expected) {
                return Written::Conflict;
            }
            tables.accounts.remove(tenant.as_str());
            tables.domains.retain(|_, owner| owner != tenant.as_str());
            tables.uses.retain(|(owner, ..), _| owner != tenant.as_str());
            Written::Done
        })
        .await
    }

    async fn closing(&self, limit: usize) -> Result<Vec<Stored>, PortError> {
        self.run("accounts.closing", |tables| {
            let all = tables.accounts.values().map(|(stored, _)| stored);
            all.filter(|stored| stored.account.closing.is_some()).take(limit).cloned().collect()
        })
        .await
    }

    async fn not_copied(&self, changed_after: Timestamp, limit: usize) -> Result<Vec<Stored>, PortError> {
        self.run("accounts.not_copied", |tables| {
            let behind = tables.accounts.values().filter(|(stored, copied)| {
                *copied < stored.version || stored.account.updated_at > changed_after
            });
            behind.take(limit).map(|(stored, _)| stored.clone()).collect()
        })
        .await
    }

    async fn note_copied(&self, tenant: &Tenant, version: u64) -> Result<bool, PortError> {
        self.run("accounts.note_copied", |tables| match tables.accounts.get_mut(tenant.as_str()) {
            Some((stored, copied)) if stored.version == version => {
                *copied = version;
                true
            }
            _ => false,
        })
        .await
    }

    async fn note_use(
        &self,
        tenant: &Tenant,
        key: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let of = (tenant.to_string(), key.to_owned(), address.to_owned());
        self.run("accounts.note_use", |tables| {
            let known = tables.uses.keys().filter(|one| one.0 == of.0 && one.1 == of.1).count() as u64;
            if known >= MAX_ADDRESSES && !tables.uses.contains_key(&of) {
                return false;
            }
            tables.uses.insert(of, now).is_none()
        })
        .await
    }

    async fn uses(&self, tenant: &Tenant) -> Result<Vec<KeyUse>, PortError> {
        self.run("accounts.uses", |tables| {
            let mut uses: BTreeMap<String, KeyUse> = BTreeMap::new();
            for ((owner, key, _), at) in &tables.uses {
                if owner == tenant.as_str() {
                    let none = || KeyUse { key: key.clone(), last_used: *at, addresses: 0 };
                    let of_key = uses.entry(key.clone()).or_insert_with(none);
                    of_key.last_used = of_key.last_used.max(*at);
                    of_key.addresses += 1;
                }
            }
            uses.into_values().collect()
        })
        .await
    }
}

/// Copies that are read as they were written.
pub struct FakeCopies {
    inner: Arc<Inner>,
    values: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl FakeCopies {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, values: Mutex::default() }
    }

    pub fn names(&self) -> Vec<String> {
        lock(&self.values).keys().cloned().collect()
    }

    async fn run<T>(
        &self,
        call: &str,
        work: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T,
    ) -> Result<T, PortError> {
        let_others_run().await;
        self.inner.run("copies", call, || Ok(work(&mut lock(&self.values))))
    }
}

#[async_trait]
impl Copies for FakeCopies {
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        self.run(&format!("copies.get {name}"), |values| values.get(name).cloned()).await
    }

    async fn put(&self, name: &str, value: Vec<u8>) -> Result<(), PortError> {
        self.run(&format!("copies.put {name}"), |values| drop(values.insert(name.to_owned(), value))).await
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        self.run(&format!("copies.delete {name}"), |values| drop(values.remove(name))).await
    }
}

/// Work that waits until a test lets it run.
#[derive(Default)]
pub struct FakeBackground {
    waiting: Mutex<Vec<BoxFuture<'static, ()>>>,
}

impl FakeBackground {
    /// Runs all that waits, and what that leaves behind.
    pub async fn settle(&self) {
        loop {
            let work = std::mem::take(&mut *lock(&self.waiting));
            if work.is_empty() {
                return;
            }
            futures::future::join_all(work).await;
        }
    }
}

impl Background for FakeBackground {
    fn spawn(&self, work: BoxFuture<'static, ()>) {
        lock(&self.waiting).push(work);
    }
}
