//! Shards in memory: the real `app::shard` over storage that outlives it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    catalog::FakeCatalog,
    events::FakeEvents,
    objects::FakeObjects,
    patterns::FakePatterns,
    world::{FakeClock, Inner, Turn, lock},
};
use crate::{
    app::shard::Shard,
    engine::{
        query::TimeRange,
        shard::{RequestKey, wal::WalRow},
        triage::Observation,
    },
    ports::{
        Events, Patterns, PortError, ShardLog, ShardName, Shards,
        shard_log::Table,
        shards::{Appended, Flushed, ShardState, Unflushed},
    },
};

const PART: &str = "shard";

pub struct FakeShards {
    inner: Arc<Inner>,
    catalog: Arc<FakeCatalog>,
    objects: Arc<FakeObjects>,
    patterns: Arc<FakePatterns>,
    events: Arc<FakeEvents>,
    logs: Mutex<HashMap<ShardName, Arc<FakeLog>>>,
    running: Mutex<HashMap<ShardName, Arc<Shard>>>,
}

impl FakeShards {
    pub(super) fn new(
        inner: Arc<Inner>,
        catalog: Arc<FakeCatalog>,
        objects: Arc<FakeObjects>,
        (patterns, events): (Arc<FakePatterns>, Arc<FakeEvents>),
    ) -> Self {
        Self { inner, catalog, objects, patterns, events, logs: Mutex::default(), running: Mutex::default() }
    }

    /// Every shard loses its memory; what its storage holds stays.
    pub fn crash(&self) {
        lock(&self.running).clear();
    }

    /// Wakes the shards whose time has come.
    pub async fn wake_due(&self, now_ms: u64) -> Result<(), PortError> {
        let due: Vec<ShardName> = lock(&self.logs)
            .iter()
            .filter(|(_, log)| lock(&log.state).wakes_at.is_some_and(|at| at <= now_ms))
            .map(|(name, _)| name.clone())
            .collect();
        for name in due {
            lock(&self.log(&name).state).wakes_at = None;
            self.running(&name)?.woken().await?;
        }
        Ok(())
    }

    pub fn rows_written(&self) -> u64 {
        lock(&self.logs).values().map(|log| lock(&log.state).rows_written).sum()
    }

    pub fn log(&self, name: &ShardName) -> Arc<FakeLog> {
        let new = || Arc::new(FakeLog { inner: self.inner.clone(), state: Mutex::default() });
        lock(&self.logs).entry(name.clone()).or_insert_with(new).clone()
    }

    fn running(&self, name: &ShardName) -> Result<Arc<Shard>, PortError> {
        let log = self.log(name);
        let mut running = lock(&self.running);
        if let Some(shard) = running.get(name) {
            return Ok(shard.clone());
        }
        let clock = Arc::new(FakeClock(self.inner.clone()));
        let (catalog, objects) = (self.catalog.clone(), self.objects.clone());
        let notes = (self.patterns.clone() as Arc<dyn Patterns>, self.events.clone() as Arc<dyn Events>);
        let shard = Arc::new(Shard::open(name.clone(), log, catalog, objects, clock.clone(), clock, notes)?);
        running.insert(name.clone(), shard.clone());
        Ok(shard)
    }

    /// What one call brings to a shard.
    pub async fn append_all(
        &self,
        shard: &ShardName,
        messages: Vec<Vec<u8>>,
    ) -> Result<Vec<Result<Appended, PortError>>, PortError> {
        Ok(self.running(shard)?.append_all(messages.into_iter().map(Bytes::from).collect()).await)
    }

    async fn append_one(&self, shard: &ShardName, message: Vec<u8>) -> Result<Appended, PortError> {
        let answered = self.append_all(shard, vec![message]).await?.pop();
        answered.unwrap_or_else(|| Err(PortError { part: PART, reason: "no answer".into() }))
    }
}

#[async_trait]
impl Shards for FakeShards {
    async fn append(&self, shard: &ShardName, message: Vec<u8>) -> Result<Appended, PortError> {
        let call = format!("shards.append {}", shard.to_name());
        match self.inner.turn(PART, &call) {
            Turn::Work => self.append_one(shard, message).await,
            Turn::FailBefore(error) => Err(error),
            Turn::FailAfter(error) => self.append_one(shard, message).await.and(Err(error)),
        }
    }

    async fn known(&self, shard: &ShardName, key: &RequestKey) -> Result<Option<Appended>, PortError> {
        self.inner.run(PART, "shards.known", || Ok(()))?;
        self.running(shard)?.known(key).await
    }

    async fn observe(
        &self,
        shard: &ShardName,
        observed: &[(Observation, u32)],
    ) -> Result<Vec<u32>, PortError> {
        self.inner.run(PART, "shards.observe", || Ok(()))?;
        Ok(self.running(shard)?.observe(observed))
    }

    async fn unflushed(&self, shard: &ShardName, range: TimeRange) -> Result<Unflushed, PortError> {
        self.inner.run(PART, "shards.unflushed", || Ok(()))?;
        self.running(shard)?.unflushed(range).await
    }

    async fn flush(&self, shard: &ShardName) -> Result<Flushed, PortError> {
        self.inner.run(PART, "shards.flush", || Ok(()))?;
        self.running(shard)?.flush().await
    }

    async fn forget_patterns(&self, shard: &ShardName) -> Result<(), PortError> {
        self.inner.run(PART, "shards.forget_patterns", || Ok(()))?;
        self.running(shard)?.forget_patterns()
    }

    async fn state(&self, shard: &ShardName) -> Result<ShardState, PortError> {
        self.inner.run(PART, "shards.state", || Ok(()))?;
        Ok(self.running(shard)?.describe())
    }
}

/// A shard's storage.
pub struct FakeLog {
    inner: Arc<Inner>,
    state: Mutex<LogState>,
}

#[derive(Default)]
struct LogState {
    tables: BTreeMap<Table, Vec<WalRow>>,
    spooled: BTreeSet<String>,
    wakes_at: Option<u64>,
    rows_written: u64,
}

impl FakeLog {
    fn run<T>(&self, call: &str, work: impl FnOnce(&mut LogState) -> T) -> Result<T, PortError> {
        self.inner.run("shard log", call, || Ok(work(&mut lock(&self.state))))
    }

    pub fn table_names(&self) -> Vec<String> {
        lock(&self.state).tables.keys().map(|table| table.to_name()).collect()
    }
}

#[async_trait]
impl ShardLog for FakeLog {
    fn tables(&self) -> Result<Vec<Table>, PortError> {
        self.run("log.tables", |state| state.tables.keys().copied().collect())
    }

    fn create(&self, table: Table) -> Result<(), PortError> {
        self.run("log.create", |state| {
            state.rows_written += 2;
            state.tables.insert(table, Vec::new());
        })
    }

    fn append(&self, table: Table, rows: Vec<WalRow>) -> Result<(), PortError> {
        self.run("log.append", |state| {
            state.rows_written += rows.len() as u64;
            state.tables.entry(table).or_default().extend(rows);
        })
    }

    fn read(&self, table: Table) -> Result<Vec<WalRow>, PortError> {
        self.run("log.read", |state| state.tables.get(&table).cloned().unwrap_or_default())
    }

    fn drop_table(&self, table: Table) -> Result<(), PortError> {
        self.run("log.drop_table", |state| {
            state.tables.remove(&table);
        })
    }

    fn note_spooled(&self, key: &str) -> Result<(), PortError> {
        self.run("log.note_spooled", |state| {
            state.rows_written += 1;
            state.spooled.insert(key.to_owned());
        })
    }

    fn was_spooled(&self, key: &str) -> Result<bool, PortError> {
        self.run("log.was_spooled", |state| state.spooled.contains(key))
    }

    async fn wakes_at(&self) -> Result<Option<u64>, PortError> {
        self.run("log.wakes_at", |state| state.wakes_at)
    }

    async fn wake_at(&self, ms: u64) -> Result<(), PortError> {
        self.run("log.wake_at", |state| {
            state.rows_written += 1;
            state.wakes_at = Some(ms);
        })
    }
}
