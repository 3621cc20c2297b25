//! Limiters in memory: the real `app::limiter` over storage that outlives it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{FakeClock, Inner, Turn, let_others_run, lock};
use crate::{
    app::limiter::Limiter,
    engine::{limit::Lease, tenant::Tenant},
    ports::{LimitLog, Limits, PortError, limit_log::Row, limits::Ask},
};

pub struct FakeLimits {
    inner: Arc<Inner>,
    logs: Mutex<HashMap<Tenant, Arc<FakeLimitLog>>>,
    running: Mutex<HashMap<Tenant, Arc<Limiter>>>,
}

impl FakeLimits {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, logs: Mutex::default(), running: Mutex::default() }
    }

    /// Every limiter loses its memory; what its storage holds stays.
    pub fn crash(&self) {
        lock(&self.running).clear();
    }

    pub fn log(&self, tenant: &Tenant) -> Arc<FakeLimitLog> {
        let new = || Arc::new(FakeLimitLog { inner: self.inner.clone(), rows: Mutex::default() });
        lock(&self.logs).entry(tenant.clone()).or_insert_with(new).clone()
    }

    fn running(&self, tenant: &Tenant) -> Result<Arc<Limiter>, PortError> {
        let log = self.log(tenant);
        let mut running = lock(&self.running);
        if let Some(limiter) = running.get(tenant) {
            return Ok(limiter.clone());
        }
        let limiter = Arc::new(Limiter::open(log, Arc::new(FakeClock(self.inner.clone())))?);
        running.insert(tenant.clone(), limiter.clone());
        Ok(limiter)
    }
}

#[async_trait]
impl Limits for FakeLimits {
    async fn ask(&self, tenant: &Tenant, asks: &[Ask]) -> Result<Vec<Lease>, PortError> {
        let turn = self.inner.turn("limiter", &format!("limits.ask {tenant}"));
        let_others_run().await;
        let answer = match turn {
            Turn::Work => self.running(tenant)?.ask(asks),
            Turn::FailBefore(error) => Err(error),
            Turn::FailAfter(error) => self.running(tenant)?.ask(asks).and(Err(error)),
        };
        let_others_run().await;
        answer
    }
}

/// A limiter's storage.
pub struct FakeLimitLog {
    inner: Arc<Inner>,
    rows: Mutex<BTreeMap<String, Row>>,
}

impl LimitLog for FakeLimitLog {
    fn read(&self) -> Result<Vec<Row>, PortError> {
        self.inner.run("limit log", "limit_log.read", || Ok(lock(&self.rows).values().cloned().collect()))
    }

    fn write(&self, row: &Row) -> Result<(), PortError> {
        self.inner.run("limit log", "limit_log.write", || {
            lock(&self.rows).insert(row.name.clone(), row.clone());
            Ok(())
        })
    }

    fn remove(&self, name: &str) -> Result<(), PortError> {
        self.inner.run("limit log", "limit_log.remove", || {
            lock(&self.rows).remove(name);
            Ok(())
        })
    }
}
