//! Services' settings: read through a cache of the isolate, written through to the catalog.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{App, Error, access};
use crate::{
    engine::{
        config::{
            ServiceConfig,
            service::{BadChange, ServiceConfigChange},
        },
        retention,
        tenant::Tenant,
    },
    ports::PortError,
};

/// How long an isolate trusts what it has read: a change is everywhere after this.
const FRESH_MS: u64 = 30_000;

/// Tenants held at the most; beyond it the cache begins anew.
const MAX_TENANTS: usize = 1_000;

type Configs = Arc<HashMap<String, ServiceConfig>>;

#[derive(Default)]
pub struct Cache {
    tenants: Mutex<HashMap<Tenant, (u64, Configs)>>,
}

/// A tenant's settings at one moment.
#[derive(Clone)]
pub struct Known {
    configs: Configs,
    default_ttl_days: u32,
}

impl Known {
    pub fn ttl_days(&self, service: &str) -> u32 {
        self.configs.get(service).map_or(self.default_ttl_days, |config| config.ttl_days)
    }

    pub fn get(&self, service: &str) -> ServiceConfig {
        let default = || ServiceConfig::default_for(service, self.default_ttl_days);
        self.configs.get(service).cloned().unwrap_or_else(default)
    }
}

/// The settings as they are stored, for what cannot be taken back: what cannot be read is an error, and no default.
pub async fn stored(app: &App, tenant: &Tenant) -> Result<Known, PortError> {
    if tenant.is_audit() {
        return Ok(Known { configs: Arc::default(), default_ttl_days: retention::AUDIT_TTL_DAYS });
    }
    let configs = app.catalog.service_configs(tenant).await?;
    let configs = configs.into_iter().map(|config| (config.service.clone(), config)).collect();
    let own = app.accounts.read(tenant).await?.and_then(|stored| stored.account.config.retention_days);
    let default_ttl_days = own.unwrap_or(app.settings.default_ttl_days);
    Ok(Known { configs: Arc::new(configs), default_ttl_days })
}

/// The settings of all of a tenant's services, at most `FRESH_MS` old.
pub async fn known(app: &App, tenant: &Tenant) -> Result<Known, PortError> {
    if tenant.is_audit() {
        return Ok(Known { configs: Arc::default(), default_ttl_days: retention::AUDIT_TTL_DAYS });
    }
    let now = app.clock.now_ms();
    let default_ttl_days = default_ttl_days(app, tenant).await;
    if let Some((_, configs)) = cached(app, tenant).filter(|(read_at, _)| now < read_at + FRESH_MS) {
        return Ok(Known { configs, default_ttl_days });
    }
    let read = app.catalog.service_configs(tenant).await?;
    let configs: Configs =
        Arc::new(read.into_iter().map(|config| (config.service.clone(), config)).collect());
    let mut tenants = app.configs.tenants.lock().unwrap_or_else(PoisonError::into_inner);
    if tenants.len() >= MAX_TENANTS {
        tenants.clear();
    }
    tenants.insert(tenant.clone(), (now, configs.clone()));
    Ok(Known { configs, default_ttl_days })
}

/// The same, and where the catalog cannot be read the last that was known, or the defaults: for
/// ingest, which goes on without the catalog.
pub async fn known_or_last(app: &App, tenant: &Tenant) -> Known {
    match known(app, tenant).await {
        Ok(known) => known,
        Err(_) => Known {
            configs: cached(app, tenant).map(|(_, configs)| configs).unwrap_or_default(),
            default_ttl_days: default_ttl_days(app, tenant).await,
        },
    }
}

/// The tenant's own default, or the deployment's.
async fn default_ttl_days(app: &App, tenant: &Tenant) -> u32 {
    let account = access::account(app, tenant).await.ok().flatten();
    account.and_then(|known| known.account.config.retention_days).unwrap_or(app.settings.default_ttl_days)
}

fn cached(app: &App, tenant: &Tenant) -> Option<(u64, Configs)> {
    app.configs.tenants.lock().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
}

/// One service's settings: its own or the defaults.
pub async fn get(app: &App, tenant: &Tenant, service: &str) -> Result<ServiceConfig, Error> {
    check_service(service)?;
    Ok(fresh(app, tenant).await?.get(service))
}

/// The settings of every service that has some, by name.
pub async fn list(app: &App, tenant: &Tenant) -> Result<Vec<ServiceConfig>, Error> {
    let mut all: Vec<_> = fresh(app, tenant).await?.configs.values().cloned().collect();
    all.sort_by(|a, b| a.service.cmp(&b.service));
    Ok(all)
}

/// Changes a service's settings; this isolate sees the change at once.
pub async fn change(
    app: &App,
    tenant: &Tenant,
    service: &str,
    change: &ServiceConfigChange,
) -> Result<ServiceConfig, Error> {
    check_service(service)?;
    let now = app.now().to_string();
    let known = fresh(app, tenant).await?;
    let config = known
        .get(service)
        .change(change, known.default_ttl_days, &now)
        .map_err(|bad: BadChange| Error::invalid("invalid_config", bad.field, bad.to_string()))?;
    app.catalog.put_service_config(tenant, &config).await?;
    forget(app, tenant);
    Ok(config)
}

/// Reads past the cache: what an operator looks at is what is stored.
async fn fresh(app: &App, tenant: &Tenant) -> Result<Known, PortError> {
    forget(app, tenant);
    known(app, tenant).await
}

fn forget(app: &App, tenant: &Tenant) {
    app.configs.tenants.lock().unwrap_or_else(PoisonError::into_inner).remove(tenant);
}

/// Refuses a name that no service can have.
pub fn check_service(service: &str) -> Result<(), Error> {
    if crate::engine::record::normalise::is_service_name(service) {
        return Ok(());
    }
    Err(Error::invalid(
        "invalid_service",
        "service",
        format!("a service name is 1 to 128 letters, digits, '.', '_' and '-', not {service:?}"),
    ))
}
