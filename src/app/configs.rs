//! Services' settings: read through a cache of the isolate, written through to the catalog.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{App, Error, access};
use crate::{
    engine::{
        account::TenantConfig,
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

type Configs = Arc<OfServices>;

#[derive(Default)]
struct OfServices {
    by_name: HashMap<String, ServiceConfig>,
    /// Whether one of them has a quota.
    have_quotas: bool,
}

impl OfServices {
    fn new(configs: Vec<ServiceConfig>) -> Configs {
        let have_quotas = configs.iter().any(|config| config.max_logs_per_day.is_some());
        let by_name = configs.into_iter().map(|config| (config.service.clone(), config)).collect();
        Arc::new(Self { by_name, have_quotas })
    }
}

#[derive(Default)]
pub struct Cache {
    tenants: Mutex<HashMap<Tenant, (u64, Configs)>>,
}

/// A tenant's settings at one moment.
#[derive(Clone)]
pub struct Known {
    configs: Configs,
    default_ttl_days: u32,
    max_logs_per_day: Option<u64>,
}

impl Known {
    /// Of an audit stream: nobody's settings reach it.
    fn of_audit() -> Self {
        Self { configs: Arc::default(), default_ttl_days: retention::AUDIT_TTL_DAYS, max_logs_per_day: None }
    }

    /// Whether records of this tenant, or of one of its services, are counted.
    pub fn has_quotas(&self) -> bool {
        self.configs.have_quotas || self.max_logs_per_day.is_some()
    }

    /// What all services together may send a day.
    pub fn max_logs_per_day(&self) -> Option<u64> {
        self.max_logs_per_day
    }

    pub fn max_logs_per_day_of(&self, service: &str) -> Option<u64> {
        self.configs.by_name.get(service)?.max_logs_per_day
    }

    pub fn ttl_days(&self, service: &str) -> u32 {
        self.configs.by_name.get(service).map_or(self.default_ttl_days, |config| config.ttl_days)
    }

    pub fn get(&self, service: &str) -> ServiceConfig {
        let default = || ServiceConfig::default_for(service, self.default_ttl_days);
        self.configs.by_name.get(service).cloned().unwrap_or_else(default)
    }
}

/// The settings as they are stored, for what cannot be taken back: what cannot be read is an error, and no default.
pub async fn stored(app: &App, tenant: &Tenant) -> Result<Known, PortError> {
    if tenant.is_audit() {
        return Ok(Known::of_audit());
    }
    let configs = app.catalog.service_configs(tenant).await?;
    let own = app.accounts.read(tenant).await?.map(|stored| stored.account.config);
    Ok(of(app, OfServices::new(configs), own.as_ref()))
}

/// The settings of all of a tenant's services, at most `FRESH_MS` old.
pub async fn known(app: &App, tenant: &Tenant) -> Result<Known, PortError> {
    if tenant.is_audit() {
        return Ok(Known::of_audit());
    }
    let now = app.clock.now_ms();
    let account = access::account(app, tenant).await.ok().flatten();
    let own = account.as_ref().map(|known| &known.account.config);
    if let Some((_, configs)) = cached(app, tenant).filter(|(read_at, _)| now < read_at + FRESH_MS) {
        return Ok(of(app, configs, own));
    }
    let configs = OfServices::new(app.catalog.service_configs(tenant).await?);
    let mut tenants = app.configs.tenants.lock().unwrap_or_else(PoisonError::into_inner);
    if tenants.len() >= MAX_TENANTS {
        tenants.clear();
    }
    tenants.insert(tenant.clone(), (now, configs.clone()));
    Ok(of(app, configs, own))
}

/// The same, and where the catalog cannot be read the last that was known, or the defaults: for
/// ingest, which goes on without the catalog.
pub async fn known_or_last(app: &App, tenant: &Tenant) -> Known {
    if let Ok(known) = known(app, tenant).await {
        return known;
    }
    let account = access::account(app, tenant).await.ok().flatten();
    let configs = cached(app, tenant).map(|(_, configs)| configs).unwrap_or_default();
    of(app, configs, account.as_ref().map(|known| &known.account.config))
}

/// The settings of services, and for what they say nothing of the tenant's own or the deployment's.
fn of(app: &App, configs: Configs, own: Option<&TenantConfig>) -> Known {
    Known {
        configs,
        default_ttl_days: own.and_then(|own| own.retention_days).unwrap_or(app.settings.default_ttl_days),
        max_logs_per_day: own.and_then(|own| own.max_logs_per_day),
    }
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
    let mut all: Vec<_> = fresh(app, tenant).await?.configs.by_name.values().cloned().collect();
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
    let known = stored(app, tenant).await?;
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
