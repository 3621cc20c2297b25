//! Services' settings: read through a cache of the isolate, written through to the catalog.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{App, Error, access};
use crate::{
    engine::{
        account::Account,
        config::{
            ServiceConfig,
            service::{BadChange, ServiceConfigChange},
        },
        retention::{self, Class, Days, Place, Retention},
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
    is_audit: bool,
    configs: Configs,
    retention: Retention,
    /// Days that the standard class is kept.
    standard_days: u32,
    max_logs_per_day: Option<u64>,
}

impl Known {
    /// Of an audit stream: nobody's settings reach it.
    fn of_audit() -> Self {
        Self {
            is_audit: true,
            configs: Arc::default(),
            retention: Retention::default(),
            standard_days: retention::AUDIT_TTL_DAYS,
            max_logs_per_day: None,
        }
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

    /// A service's own term, if it has one.
    fn own_days(&self, service: &str) -> Option<u32> {
        self.configs.by_name.get(service)?.own_days(self.standard_days)
    }

    /// Where a record of this class is kept.
    pub fn place(&self, class: Class, service: &str) -> Place {
        Place::new(class, self.own_days(service))
    }

    /// For how many days.
    pub fn days_at(&self, place: Place) -> u32 {
        place.days(&self.retention, self.standard_days)
    }

    /// How many days rows of a service are kept that are stored under this class name.
    pub fn kept_days(&self, class: &str, service: &str) -> u32 {
        retention::kept_days(class, &self.retention, self.standard_days, self.own_days(service))
    }

    /// The longest that any record of a service is kept.
    pub fn longest_days(&self, service: &str) -> u32 {
        let days = Class::ALL.into_iter().map(|class| self.days_at(self.place(class, service)));
        days.max().unwrap_or(self.standard_days)
    }

    /// Days that each class is kept.
    pub fn days(&self, class: Class) -> Days {
        self.retention.days(class, self.standard_days)
    }

    /// After how many days the addresses in a row become those of networks: never in an audit stream, which is to say
    /// who did what.
    pub fn anonymize_ip_after_days(&self) -> Option<u32> {
        (!self.is_audit).then(|| self.retention.anonymize_ip_after_days())
    }

    /// Every class and what decides for it, as it holds.
    pub fn retention(&self) -> Retention {
        self.retention.resolved(self.standard_days)
    }

    fn stored_of(&self, service: &str) -> ServiceConfig {
        let default = || ServiceConfig::default_for(service);
        self.configs.by_name.get(service).cloned().unwrap_or_else(default)
    }

    pub fn get(&self, service: &str) -> ServiceConfig {
        self.stored_of(service).resolved(self.days(Class::Standard).keep_days)
    }
}

/// The settings as they are stored, for what cannot be taken back: what cannot be read is an error, and no default.
pub async fn stored(app: &App, tenant: &Tenant) -> Result<Known, PortError> {
    if tenant.is_audit() {
        return Ok(Known::of_audit());
    }
    let configs = app.catalog.service_configs(tenant).await?;
    let account = app.accounts.read(tenant).await?.map(|stored| stored.account);
    Ok(of(app, OfServices::new(configs), account.as_ref()))
}

/// The settings of all of a tenant's services, at most `FRESH_MS` old.
pub async fn known(app: &App, tenant: &Tenant) -> Result<Known, PortError> {
    if tenant.is_audit() {
        return Ok(Known::of_audit());
    }
    let now = app.clock.now_ms();
    let account = access::account(app, tenant).await.ok().flatten();
    let own = account.as_ref().map(|known| &known.account);
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
    of(app, configs, account.as_ref().map(|known| &known.account))
}

/// The settings of services, and for what they say nothing of the tenant's own or the deployment's.
fn of(app: &App, configs: Configs, own: Option<&Account>) -> Known {
    let config = own.map(|own| &own.config);
    Known {
        is_audit: false,
        configs,
        retention: own.map(|own| own.pipeline.retention.clone()).unwrap_or_default(),
        standard_days: config.and_then(|own| own.retention_days).unwrap_or(app.settings.default_ttl_days),
        max_logs_per_day: config.and_then(|own| own.max_logs_per_day),
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
    let known = fresh(app, tenant).await?;
    let mut all: Vec<_> = known.configs.by_name.keys().map(|service| known.get(service)).collect();
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
        .stored_of(service)
        .change(change, &now)
        .map_err(|bad: BadChange| Error::invalid("invalid_config", bad.field, bad.to_string()))?;
    app.catalog.put_service_config(tenant, &config).await?;
    forget(app, tenant);
    Ok(config.resolved(known.days(Class::Standard).keep_days))
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
