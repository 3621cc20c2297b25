//! Cloudflare behind the ports: each file translates one part and decides nothing.

mod background;
mod clock;
#[cfg(feature = "contract")]
pub(crate) mod contract;
mod copies;
mod d1;
pub(crate) mod durable;
pub(crate) mod exchange;
mod meter;
mod model;
mod outbound;
mod r2;
mod socket;

use std::sync::{Arc, LazyLock};

use worker::Env;

use crate::{
    app::{App, Parts, access, anomalies, audit, patterns, scan},
    engine::{
        block::{Facts, Rollup},
        config::Settings,
    },
    ports::PortError,
};

/// Of the isolate: the Worker and the scanners that the platform puts into one share its 128 MB.
static SEGMENTS: LazyLock<Arc<scan::Cache>> = LazyLock::new(Arc::default);
static INDEXES: LazyLock<Arc<scan::IndexCache>> = LazyLock::new(Arc::default);
static ACCESS: LazyLock<Arc<access::Cache>> = LazyLock::new(Arc::default);
static AUDIT: LazyLock<Arc<audit::Pending>> = LazyLock::new(Arc::default);
static ROLLUPS: LazyLock<Arc<scan::Kept<Rollup>>> = LazyLock::new(Arc::default);
static MINED: LazyLock<Arc<patterns::Mined>> = LazyLock::new(Arc::default);
static LOOKED: LazyLock<Arc<anomalies::Looked>> = LazyLock::new(Arc::default);
static FACTS: LazyLock<Arc<scan::Kept<Facts>>> = LazyLock::new(Arc::default);

/// The service on these bindings.
pub(crate) fn app(env: &Env) -> Result<App, String> {
    let text = |name: &str| env.var(name).map(|value| value.to_string()).ok();
    let settings = Settings::read(text).map_err(|error| error.to_string())?;
    let part = |error: worker::Error| error.to_string();
    let clock = Arc::new(clock::Platform);
    let catalog = Arc::new(d1::D1Catalog::new(env.d1("DB").map_err(part)?));
    let parts = Parts {
        settings: Arc::new(settings),
        catalog: catalog.clone(),
        partitions: catalog.clone(),
        objects: Arc::new(r2::R2Objects::new(env.bucket("BUCKET").map_err(part)?)),
        shards: Arc::new(durable::client::ShardStubs::new(env.durable_object("SHARD").map_err(part)?)),
        scanners: Arc::new(durable::scanner::ScannerStubs::new(env.durable_object("SCANNER").map_err(part)?)),
        outbound: Arc::new(outbound::Fetcher),
        // Logs are taken in and found without one.
        model: model::model(env).unwrap_or_else(|reason| {
            worker::console_error!("there is no language model: {reason}");
            None
        }),
        limiter: Arc::new(durable::limiter::LimiterStubs::new(env.durable_object("LIMITER").map_err(part)?)),
        random: clock.clone(),
        journal: clock.clone(),
        meter: Arc::new(meter::Isolate),
        clock,
        accounts: catalog.clone(),
        events: catalog.clone(),
        patterns: catalog.clone(),
        anomalies: catalog.clone(),
        analyses: catalog,
        copies: Arc::new(copies::KvCopies::new(env.kv("KV").map_err(part)?)),
        background: Arc::new(background::Platform),
        access: ACCESS.clone(),
        audit: AUDIT.clone(),
        configs: Arc::default(),
        health: Arc::default(),
        tokens: Arc::default(),
        limits: Arc::default(),
        segments: SEGMENTS.clone(),
        indexes: INDEXES.clone(),
        rollups: ROLLUPS.clone(),
        facts: FACTS.clone(),
        watch: Arc::default(),
        mined: MINED.clone(),
        looked: LOOKED.clone(),
        followed: Arc::default(),
        intake: Arc::default(),
    };
    Ok(parts.into())
}

fn port_error(part: &'static str) -> impl Fn(worker::Error) -> PortError {
    move |error| PortError { part, reason: error.to_string() }
}
