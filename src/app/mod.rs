//! The use cases: what the service does, one verb a file, over ports. No HTTP words, no platform types.

pub mod access;
pub mod accounts;
pub mod aggregate;
pub mod analyses;
pub mod analytics;
pub mod anomalies;
pub mod ask;
pub mod audit;
pub mod compare;
pub mod configs;
pub mod context;
pub mod error;
pub mod events;
pub mod export;
pub mod find;
pub mod flush;
pub mod fresh;
pub mod health;
pub mod ingest;
pub mod insights;
pub mod jobs;
pub mod limiter;
pub mod limits;
pub mod loki;
pub mod patterns;
pub mod pipelines;
pub mod purge;
pub mod reader;
pub mod rebuild;
pub mod rules;
pub mod scan;
pub mod search;
pub mod shard;
pub mod state;
pub mod stats;
pub mod tail;
pub mod tokens;
pub mod trace;
pub mod watch;

use std::{ops::Deref, sync::Arc};

pub use error::Error;
pub use reader::{Confined, Reader};

use crate::{
    engine::{
        block::{Facts, Rollup},
        config::Settings,
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        Accounts, Analyses, Anomalies, Background, Catalog, Clock, Copies, Events, Journal, Limits, Meter,
        Model, ObjectStore, Outbound, Partitions, Patterns, Random, Scanners, ShardName, Shards,
    },
};

/// Reads and requests under way at once: the platform lets six wait for their answers.
pub(crate) const WAVE: usize = 6;

/// Everything a use case works with. Cloning it is cheap, and each request does so a dozen times.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Ports, settings, and what an isolate or an object holds.
pub struct Parts {
    pub settings: Arc<Settings>,
    pub catalog: Arc<dyn Catalog>,
    pub partitions: Arc<dyn Partitions>,
    pub objects: Arc<dyn ObjectStore>,
    pub shards: Arc<dyn Shards>,
    pub scanners: Arc<dyn Scanners>,
    pub outbound: Arc<dyn Outbound>,
    /// None where the deployment has none.
    pub model: Option<Arc<dyn Model>>,
    pub limiter: Arc<dyn Limits>,
    pub clock: Arc<dyn Clock>,
    pub random: Arc<dyn Random>,
    pub meter: Arc<dyn Meter>,
    pub journal: Arc<dyn Journal>,
    pub accounts: Arc<dyn Accounts>,
    pub events: Arc<dyn Events>,
    pub patterns: Arc<dyn Patterns>,
    pub anomalies: Arc<dyn Anomalies>,
    pub analyses: Arc<dyn Analyses>,
    pub copies: Arc<dyn Copies>,
    pub background: Arc<dyn Background>,
    pub access: Arc<access::Cache>,
    pub audit: Arc<audit::Pending>,
    pub configs: Arc<configs::Cache>,
    pub health: Arc<health::Cache>,
    pub tokens: Arc<tokens::Cache>,
    pub limits: Arc<limits::Cache>,
    pub segments: Arc<scan::Cache>,
    pub indexes: Arc<scan::IndexCache>,
    pub rollups: Arc<scan::Kept<Rollup>>,
    pub facts: Arc<scan::Kept<Facts>>,
    pub watch: Arc<watch::Watch>,
    pub mined: Arc<patterns::Mined>,
    pub looked: Arc<anomalies::Looked>,
    pub followed: Arc<loki::Followed>,
    pub intake: Arc<ingest::Intake>,
}

impl App {
    pub fn now(&self) -> Timestamp {
        Timestamp::from_ms(i64::try_from(self.clock.now_ms()).unwrap_or(i64::MAX))
    }

    /// Every shard that can hold something of a tenant.
    fn shards_of(&self, tenant: &Tenant) -> impl Iterator<Item = ShardName> {
        let tenant = tenant.clone();
        (0..self.settings.shards_per_tenant).map(move |number| ShardName { tenant: tenant.clone(), number })
    }
}
