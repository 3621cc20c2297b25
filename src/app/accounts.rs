//! Tenants, domains, keys and roles as they are administered. A change is one transaction on the account, and then a
//! copy of it is made for those who check requests.

use serde_json::{Map, Value};

use super::{App, Error, access};
use crate::{
    engine::{
        account::{Account, CustomRole, Key, NewKey, RateLimit, Refused, Why},
        auth::{ApiKey, Principal},
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        PortError,
        accounts::{KeyUse, Stored, Written},
    },
};

/// How often a change is tried while others change the same account.
const MAX_TRIES: usize = 8;

/// A copy is written at most once a second; further tries wait that long.
const COPY_TRIES: u64 = 4;
const COPY_WAIT_MS: u64 = 1_100;

/// What was changed in so long is copied once more.
const LATELY_MS: i64 = 15 * 60_000;

/// Accounts whose copies are written anew by one run of the job.
const MAX_COPIED: usize = 100;

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        let Refused { field, message, why } = refused;
        match why {
            Why::Invalid => Self::invalid("invalid_value", &field, message),
            Why::Unknown => Self::NotFound(if field == "id" { "such key" } else { "such domain or role" }),
            Why::Conflict => Self::Conflict { code: "conflict", field, message },
            Why::Denied => Self::Denied { code: "forbidden", message },
        }
    }
}

/// A change of an account: what it answers, and the account as it is then.
pub(super) async fn change<T>(
    app: &App,
    tenant: &Tenant,
    change: impl Fn(&mut Account) -> Result<T, Refused>,
) -> Result<(T, Stored), Error> {
    for _ in 0..MAX_TRIES {
        let (mut account, version) = match app.accounts.read(tenant).await? {
            Some(stored) => (stored.account, Some(stored.version)),
            // The deployment's own tenant is there before its account is.
            None if tenant.is_default() => (Account::new(tenant, app.now()), None),
            None => return Err(Error::NotFound("such tenant")),
        };
        if account.closing.is_some() {
            return Err(erasing());
        }
        let before = account.clone();
        let answer = change(&mut account)?;
        if account == before && version.is_some() {
            let version = version.unwrap_or_default();
            return Ok((answer, Stored { tenant: tenant.clone(), version, account }));
        }
        if let Some(stored) = store(app, tenant, account, version, &before).await? {
            return Ok((answer, stored));
        }
    }
    Err(busy())
}

fn erasing() -> Error {
    let message = "the tenant's logs are being erased".to_owned();
    Error::Conflict { code: "erasing", field: "tenantId".into(), message }
}

fn busy() -> Error {
    let reason = "the account was changed by others at the same time".into();
    Error::Unavailable(PortError { part: "accounts", reason })
}

/// Stores an account and has it copied. `None`: somebody else was faster.
pub(super) async fn store(
    app: &App,
    tenant: &Tenant,
    mut account: Account,
    expected: Option<u64>,
    before: &Account,
) -> Result<Option<Stored>, Error> {
    // Later than before, whatever the clock says: of two copies the newer one is known by it.
    account.updated_at = app.now().max(Timestamp::from_ms(before.updated_at.as_ms() + 1));
    match app.accounts.write(tenant, &account, expected).await? {
        Written::Conflict => return Ok(None),
        Written::DomainTaken => {
            let message = "the domain is taken".to_owned();
            return Err(Error::Conflict { code: "domain_taken", field: "domain".into(), message });
        }
        Written::Done => {}
    }
    let stored = Stored { tenant: tenant.clone(), version: expected.map_or(1, |known| known + 1), account };
    access::learn(app, tenant, Some(&stored.account));
    let had = |account: &Account, name: &str| account.domains.iter().any(|one| one.domain == name);
    for gone in before.domains.iter().filter(|one| !had(&stored.account, &one.domain)) {
        access::learn_domain(app, &gone.domain, None);
        // A copy that stays leads to an account that has not this domain, and so nowhere.
        let _ = app.copies.delete(&access::domain_copy(&gone.domain)).await;
    }
    let new = stored.account.domains.iter().filter(|one| !had(before, &one.domain));
    let new: Vec<String> = new.map(|one| one.domain.clone()).collect();
    for domain in &new {
        access::learn_domain(app, domain, Some(tenant));
    }
    copy(app, tenant, &new).await?;
    Ok(Some(stored))
}

/// Writes the copies of an account as it is stored now. It may run anywhere at the same time: who writes last
/// has looked last whether there is something newer.
pub(super) async fn copy(app: &App, tenant: &Tenant, domains: &[String]) -> Result<(), Error> {
    let mut failed = None;
    for nth in 0..COPY_TRIES {
        if nth > 0 {
            app.clock.sleep_ms(COPY_WAIT_MS).await;
        }
        match copy_once(app, tenant, domains).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.map_or_else(busy, Error::from))
}

async fn copy_once(app: &App, tenant: &Tenant, domains: &[String]) -> Result<bool, PortError> {
    let Some(stored) = app.accounts.read(tenant).await? else {
        app.copies.delete(&access::account_copy(tenant)).await?;
        return Ok(true);
    };
    let json = serde_json::to_vec(&stored.account)
        .map_err(|error| PortError { part: "copies", reason: error.to_string() })?;
    app.copies.put(&access::account_copy(tenant), json).await?;
    let still = |domain: &&String| stored.account.domains.iter().any(|one| one.domain == **domain);
    for domain in domains.iter().filter(still) {
        app.copies.put(&access::domain_copy(domain), tenant.as_str().into()).await?;
    }
    app.accounts.note_copied(tenant, stored.version).await
}

/// Makes the copies that changes have left behind, and those of what was changed lately: of two that were written at
/// the same time the older may have come last. For the cron.
pub async fn copy_all(app: &App, now: Timestamp) -> Result<(), Error> {
    let lately = Timestamp::from_ms(now.as_ms().saturating_sub(LATELY_MS));
    let mut failed = None;
    for stored in app.accounts.not_copied(lately, MAX_COPIED).await? {
        let domains: Vec<String> = stored.account.domains.into_iter().map(|one| one.domain).collect();
        if let Err(error) = copy(app, &stored.tenant, &domains).await {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// A domain with its tenant, as it is asked for.
#[derive(Clone, Debug)]
pub struct NewDomain<'a> {
    pub domain: &'a str,
    pub tenant: &'a str,
    pub settings: &'a Map<String, Value>,
}

/// Gives a tenant a domain; the tenant is made when there is none of this name.
pub async fn add_domain(app: &App, new: NewDomain<'_>) -> Result<Stored, Error> {
    let tenant = tenant_named(new.tenant)?;
    for _ in 0..MAX_TRIES {
        let found = app.accounts.read(&tenant).await?;
        let version = found.as_ref().map(|stored| stored.version);
        let before = found.map_or_else(|| Account::new(&tenant, app.now()), |stored| stored.account);
        if before.closing.is_some() {
            return Err(erasing());
        }
        let mut account = before.clone();
        account.add_domain(new.domain, app.now())?;
        set(&mut account, new.settings)?;
        if let Some(stored) = store(app, &tenant, account, version, &before).await? {
            return Ok(stored);
        }
    }
    Err(busy())
}

fn tenant_named(name: &str) -> Result<Tenant, Error> {
    Tenant::parse(name).ok_or_else(|| {
        let message = format!("expected 1 to 63 lower-case letters, digits and inner hyphens, got {name:?}");
        Error::invalid("invalid_value", "tenantId", message)
    })
}

/// Changes plan, contact and settings, as far as they are named.
fn set(account: &mut Account, settings: &Map<String, Value>) -> Result<(), Refused> {
    for (name, value) in settings {
        let text =
            || value.as_str().ok_or_else(|| Refused::new(name, format!("expected a text, got {value}")));
        match name.as_str() {
            "plan" => account.set_plan(text()?)?,
            "contactEmail" if value.is_null() => account.set_contact(None)?,
            "contactEmail" => account.set_contact(Some(text()?))?,
            "config" => {
                let change = value
                    .as_object()
                    .ok_or_else(|| Refused::new(name, format!("expected an object, got {value}")))?;
                account.config = account.config.changed(change)?;
            }
            _ => {
                let message = "there is no such field; there are plan, contactEmail, config";
                return Err(Refused::new(name, message));
            }
        }
    }
    Ok(())
}

/// Changes a tenant's settings.
pub async fn set_tenant(app: &App, tenant: &Tenant, settings: &Map<String, Value>) -> Result<Stored, Error> {
    change(app, tenant, |account| set(account, settings)).await.map(|((), stored)| stored)
}

/// The tenant that has this domain, as it is stored.
pub async fn of_domain(app: &App, domain: &str) -> Result<Stored, Error> {
    let unknown = || Error::NotFound("such domain");
    // The copy tells where to look, and the account whether it is so.
    let name = app.copies.get(&access::domain_copy(domain)).await?.ok_or_else(unknown)?;
    let tenant = std::str::from_utf8(&name).ok().and_then(Tenant::parse).ok_or_else(unknown)?;
    let stored = app.accounts.read(&tenant).await?.ok_or_else(unknown)?;
    let has = stored.account.domains.iter().any(|known| known.domain == domain);
    if has { Ok(stored) } else { Err(unknown()) }
}

/// Takes a domain from a tenant that keeps others.
pub async fn remove_domain(app: &App, tenant: &Tenant, domain: &str) -> Result<Stored, Error> {
    change(app, tenant, |account| account.remove_domain(domain)).await.map(|((), stored)| stored)
}

/// Accounts by the names of their tenants, behind `after`.
pub async fn list(app: &App, after: &str, limit: usize) -> Result<Vec<Stored>, Error> {
    Ok(app.accounts.list(after, limit).await?)
}

/// A new key: what is kept of it, and the key, which nobody sees again.
pub async fn add_key(app: &App, tenant: &str, new: &NewKey, by: &Principal) -> Result<(Key, ApiKey), Error> {
    let tenant = tenant_named(tenant)?;
    let (id, secret) = new_secret(app, &tenant);
    let limits = app.settings.rate_limits;
    let ceiling = RateLimit {
        requests: limits.requests.limit,
        window_seconds: u32::try_from(limits.requests.window_ms / 1_000).unwrap_or(u32::MAX),
        batches: Some(limits.batches.limit),
    };
    let add = |account: &mut Account| account.add_key(new, (&id, &secret), by, (ceiling, app.now())).cloned();
    let (key, _) = change(app, &tenant, add).await?;
    Ok((key, secret))
}

pub async fn rotate_key(
    app: &App,
    by: &Principal,
    old: &str,
    overlap_s: Option<u64>,
) -> Result<(Key, ApiKey), Error> {
    let (id, secret) = new_secret(app, by.tenant());
    let rotate =
        |account: &mut Account| account.rotate_key(old, overlap_s, (&id, &secret), by, app.now()).cloned();
    let (key, _) = change(app, by.tenant(), rotate).await?;
    Ok((key, secret))
}

fn new_secret(app: &App, tenant: &Tenant) -> (String, ApiKey) {
    let id = format!("key_{:016x}", app.random.bits() >> 64);
    (id, ApiKey::new(tenant, [app.random.bits(), app.random.bits()]))
}

pub async fn revoke_key(app: &App, tenant: &Tenant, id: &str) -> Result<(), Error> {
    change(app, tenant, |account| account.revoke_key(id, app.now())).await.map(|_| ())
}

/// A tenant's keys with their last uses.
pub async fn keys(app: &App, tenant: &Tenant) -> Result<Vec<(Key, Option<KeyUse>)>, Error> {
    let keys = app.accounts.read(tenant).await?.map(|stored| stored.account.keys).unwrap_or_default();
    let uses = app.accounts.uses(tenant).await?;
    let with_use = |key: Key| {
        let last = uses.iter().find(|one| one.key == key.id).cloned();
        (key, last)
    };
    Ok(keys.into_iter().map(with_use).collect())
}

pub async fn put_role(app: &App, by: &Principal, name: &str, role: &CustomRole) -> Result<CustomRole, Error> {
    change(app, by.tenant(), |account| account.put_role(name, role.clone(), by)).await?;
    Ok(role.clone())
}

pub async fn remove_role(app: &App, tenant: &Tenant, name: &str) -> Result<(), Error> {
    change(app, tenant, |account| account.remove_role(name, app.now())).await.map(|_| ())
}

/// The roles that a tenant made for itself.
pub async fn roles(app: &App, tenant: &Tenant) -> Result<Vec<(String, CustomRole)>, Error> {
    let stored = app.accounts.read(tenant).await?;
    Ok(stored.map(|stored| stored.account.roles.into_iter().collect()).unwrap_or_default())
}
