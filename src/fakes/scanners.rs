//! Scanners in memory: the real `app::scan::work`, each with what it has read of segments for itself.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::{
    accounts::{FakeAccounts, FakeBackground, FakeCopies},
    catalog::FakeCatalog,
    limits::FakeLimits,
    objects::FakeObjects,
    outbound::FakeOutbound,
    shards::FakeShards,
    world::{FakeClock, Inner, let_others_run, lock},
};
use crate::{
    app::{App, Parts, scan},
    engine::config::Settings,
    ports::{PortError, ScannerName, Scanners},
};

const PART: &str = "scanner";

pub struct FakeScanners {
    inner: Arc<Inner>,
    catalog: Arc<FakeCatalog>,
    objects: Arc<FakeObjects>,
    shards: Arc<FakeShards>,
    running: Mutex<HashMap<ScannerName, App>>,
}

impl FakeScanners {
    pub(super) fn new(
        inner: Arc<Inner>,
        catalog: Arc<FakeCatalog>,
        objects: Arc<FakeObjects>,
        shards: Arc<FakeShards>,
    ) -> Self {
        Self { inner, catalog, objects, shards, running: Mutex::default() }
    }

    /// Every scanner loses its memory.
    pub fn crash(&self) {
        lock(&self.running).clear();
    }

    /// Which scanners have been asked.
    pub fn asked(&self) -> Vec<String> {
        let mut names: Vec<String> = lock(&self.running).keys().map(ScannerName::to_name).collect();
        names.sort();
        names
    }

    fn running(&self, name: &ScannerName) -> Result<App, PortError> {
        let failed = |reason: String| PortError { part: PART, reason };
        let mut running = lock(&self.running);
        if let Some(app) = running.get(name) {
            return Ok(app.clone());
        }
        let clock = Arc::new(FakeClock(self.inner.clone()));
        let inner = self.inner.clone();
        let (catalog, objects, shards) = (self.catalog.clone(), self.objects.clone(), self.shards.clone());
        let parts = Parts {
            events: Arc::new(super::events::FakeEvents::new(self.inner.clone())),
            patterns: Arc::new(super::patterns::FakePatterns::new(self.inner.clone())),
            anomalies: Arc::new(super::anomalies::FakeAnomalies::new(self.inner.clone())),
            analyses: Arc::new(super::analyses::FakeAnalyses::new(self.inner.clone())),
            mined: Arc::default(),
            looked: Arc::default(),
            followed: Arc::default(),
            intake: Arc::default(),
            watch: Arc::default(),
            settings: Arc::new(Settings::read(|_| None).map_err(|error| failed(error.to_string()))?),
            catalog: catalog.clone(),
            objects: objects.clone(),
            shards: shards.clone(),
            outbound: Arc::new(FakeOutbound::new(inner.clone())),
            model: None,
            limiter: Arc::new(FakeLimits::new(inner.clone())),
            scanners: Arc::new(Self::new(inner, catalog, objects, shards)),
            random: clock.clone(),
            meter: clock.clone(),
            journal: clock.clone(),
            clock,
            configs: Arc::default(),
            health: Arc::default(),
            tokens: Arc::default(),
            limits: Arc::default(),
            segments: Arc::default(),
            indexes: Arc::default(),
            rollups: Arc::default(),
            facts: Arc::default(),
            partitions: self.catalog.clone(),
            accounts: Arc::new(FakeAccounts::new(self.inner.clone())),
            copies: Arc::new(FakeCopies::new(self.inner.clone())),
            background: Arc::new(FakeBackground::default()),
            access: Arc::default(),
            audit: Arc::default(),
        };
        let app = App::from(parts);
        running.insert(name.clone(), app.clone());
        Ok(app)
    }
}

#[async_trait]
impl Scanners for FakeScanners {
    async fn scan(&self, scanner: &ScannerName, job: Vec<u8>) -> Result<Vec<u8>, PortError> {
        let_others_run().await;
        self.inner.run(PART, &format!("scanners.scan {}", scanner.to_name()), || Ok(()))?;
        let app = self.running(scanner)?;
        let answer = scan::work(&app, scanner, &job).await;
        answer.map_err(|error| PortError { part: PART, reason: error.to_string() })
    }
}
