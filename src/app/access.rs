//! Who is let in. An account is read from its copy, and held by the isolate: a request with a key that this isolate
//! knows touches no storage, and one with a wrong key no catalog.

mod held;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use uuid::Uuid;

use held::{FRESH_MS, Held};

use super::{App, Error, audit, limits::Counter, pipelines, tokens};
use crate::{
    engine::{
        account::{Account, Key, RateLimit, domain::host_name},
        auth::{
            ApiKey, Credential, Identity, KeyHash, Principal, digest, is_secret,
            jwt::{self, Claims, Refused},
        },
        limit::Policy,
        pipeline::{self, Pipeline},
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::PortError,
};

/// A token is checked again after this.
const TOKEN_HELD_MS: u64 = 60_000;

/// Bytes of an id in the name of a counter.
const MAX_COUNTER_ID: usize = 64;

/// How often an isolate notes that a key is in use.
const USE_NOTED_MS: u64 = 10 * 60_000;

/// Tokens and uses held: beyond it the cache begins anew.
const MAX_HELD: usize = 10_000;

/// The name of an account's copy. The names outlive every deploy.
pub(super) fn account_copy(tenant: &Tenant) -> String {
    format!("account/{tenant}")
}

pub(super) fn domain_copy(domain: &str) -> String {
    format!("domain/{domain}")
}

/// An account as requests are checked against it.
#[derive(Debug)]
pub struct Known {
    pub account: Account,
    by_hash: HashMap<KeyHash, usize>,
    /// Compiled by the first record.
    pipeline: OnceLock<Result<Arc<Pipeline>, String>>,
}

impl Known {
    pub fn new(account: Account) -> Self {
        Self { by_hash: account.by_hash(), account, pipeline: OnceLock::new() }
    }

    /// What its records pass.
    pub fn pipeline(&self) -> Result<Arc<Pipeline>, Error> {
        compiled(&self.pipeline, || pipelines::compile(&self.account))
    }

    fn key(&self, hash: KeyHash) -> Option<&Key> {
        self.by_hash.get(&hash).and_then(|nth| self.account.keys.get(*nth))
    }
}

fn compiled(
    held: &OnceLock<Result<Arc<Pipeline>, String>>,
    compile: impl FnOnce() -> Result<Pipeline, pipeline::settings::Refused>,
) -> Result<Arc<Pipeline>, Error> {
    let compiled = held.get_or_init(|| compile().map(Arc::new).map_err(|refused| refused.to_string()));
    let broken = |reason: String| Error::Unavailable(PortError { part: "accounts", reason });
    compiled.clone().map_err(broken)
}

/// Of an isolate.
#[derive(Default)]
pub struct Cache {
    accounts: Held<Tenant, Arc<Known>>,
    domains: Held<String, Tenant>,
    /// Claims of tokens that were good, and until when they are taken for it.
    tokens: Mutex<HashMap<Uuid, (Claims, u64)>>,
    /// When the use of a key from an address was last noted.
    uses: Mutex<HashMap<(Tenant, String, String), u64>>,
    /// For tenants without an account.
    pipeline: OnceLock<Result<Arc<Pipeline>, String>>,
}

impl Cache {
    pub(super) fn default_pipeline(&self) -> Result<Arc<Pipeline>, Error> {
        compiled(&self.pipeline, || Pipeline::new(&pipeline::Settings::default(), [0; 32]))
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<Uuid, (Claims, u64)>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<Tenant, Arc<Known>> {
    /// Keeps what was read, or what is held where that is newer: a copy may be half a minute old. Answers what is kept.
    fn put_newest(&self, tenant: Tenant, read: Option<Arc<Known>>, read_at: u64) -> Option<Arc<Known>> {
        let held = self.lock().get(&tenant).and_then(|entry| entry.value.clone());
        let changed = |known: &Arc<Known>| known.account.updated_at;
        let is_newer = |held: &Arc<Known>| match &read {
            Some(read) => changed(read) < changed(held),
            None => read_at.saturating_sub(changed(held).as_ms().unsigned_abs()) < 2 * FRESH_MS,
        };
        let newest = held.filter(is_newer).or(read);
        self.put(tenant, newest.clone(), read_at);
        newest
    }
}

/// A caller that is let in, and by what.
#[derive(Clone, Debug)]
pub struct Admitted {
    pub principal: Principal,
    pub account: Arc<Known>,
    /// The key's own.
    pub rate_limit: Option<RateLimit>,
}

/// Why a caller is not let in. `tenant` is whose key it said it had, if there is such a tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("this deployment has no key")]
    NotConfigured,
    #[error("no credential")]
    Missing,
    #[error(transparent)]
    Token(Refused),
    #[error("the credential is not valid")]
    Wrong { tenant: Option<Tenant> },
    #[error("the host is another tenant's")]
    OtherHost { tenant: Tenant, who: Identity },
    #[error("the key may not be used from this address")]
    Address { tenant: Tenant, who: Identity },
    #[error(transparent)]
    Unavailable(PortError),
}

/// What a request shows of its sender.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    pub credential: Option<&'a Credential>,
    pub host: Option<&'a str>,
    pub address: Option<&'a str>,
}

/// Finds out who it is. Nothing but its headers has been looked at.
pub async fn admit(app: &App, shown: Shown<'_>) -> Result<Admitted, Refusal> {
    if app.settings.api_key.is_none() && app.settings.jwt.is_none() {
        return Err(Refusal::NotConfigured);
    }
    let credential = shown.credential.ok_or(Refusal::Missing)?;
    let admitted = identify(app, credential, shown.address).await?;
    let tenant = admitted.principal.tenant().clone();
    let who = admitted.principal.identity();
    match is_of_others(app, shown.host, &tenant).await {
        Ok(false) => Ok(admitted),
        Ok(true) => Err(Refusal::OtherHost { tenant, who: who.clone() }),
        // The deployment's own key opens it also when nothing else can be read.
        Err(Refusal::Unavailable(_)) if who.id == Principal::BOOTSTRAP => Ok(admitted),
        Err(refusal) => Err(refusal),
    }
}

/// Whether a host is another tenant's. The copy of a domain tells where to look, and the account whether it is so.
async fn is_of_others(app: &App, host: Option<&str>, tenant: &Tenant) -> Result<bool, Refusal> {
    let Some(host) = host.and_then(host_name) else { return Ok(false) };
    let Some(other) = tenant_of(app, &host).await?.filter(|other| other != tenant) else { return Ok(false) };
    let other = account(app, &other).await?;
    Ok(other.is_some_and(|known| known.account.domains.iter().any(|one| one.domain == host)))
}

async fn identify(app: &App, credential: &Credential, address: Option<&str>) -> Result<Admitted, Refusal> {
    let wrong = || Refusal::Wrong { tenant: None };
    let secret = credential.secret.as_str();
    if app.settings.api_key.as_ref().is_some_and(|expected| is_secret(secret, expected)) {
        if credential.id.as_ref().is_some_and(|id| id != Principal::BOOTSTRAP) {
            return Err(wrong());
        }
        let account = default_account(app).await?;
        return Ok(Admitted { principal: Principal::root(), account, rate_limit: None });
    }
    let Some(key) = ApiKey::parse(secret) else {
        let is_token = app.settings.jwt.is_some() && jwt::is_token(secret);
        return if is_token { of_token(app, secret).await } else { Err(wrong()) };
    };
    let Some(account) = account(app, key.tenant()).await? else { return Err(wrong()) };
    let wrong = || Refusal::Wrong { tenant: Some(key.tenant().clone()) };
    let found = account.key(key.hash()).ok_or_else(wrong)?;
    if credential.id.as_ref().is_some_and(|id| *id != found.id) {
        return Err(wrong());
    }
    let principal = account.account.holder(found, app.now()).ok_or_else(wrong)?;
    if !found.admits(address) {
        return Err(Refusal::Address { tenant: key.tenant().clone(), who: found.identity() });
    }
    let rate_limit = found.rate_limit;
    Ok(Admitted { principal, account, rate_limit })
}

/// The holder of a token, as its claims say. A token that was good is taken for good for a minute.
async fn of_token(app: &App, token: &str) -> Result<Admitted, Refusal> {
    let (digest, now) = (digest(token.as_bytes()), app.clock.now_ms());
    let known =
        app.access.tokens().get(&digest).filter(|(_, until)| now < *until).map(|(claims, _)| claims.clone());
    let claims = if let Some(claims) = known {
        claims
    } else {
        let claims = tokens::verify(app, token).await.map_err(|error| match error {
            tokens::Error::Refused(refused) => Refusal::Token(refused),
            tokens::Error::Unavailable(error) => Refusal::Unavailable(error),
        })?;
        let mut good = app.access.tokens();
        if good.len() >= MAX_HELD {
            good.clear();
        }
        good.insert(digest, (claims.clone(), claims.expires_ms.min(now + TOKEN_HELD_MS)));
        claims
    };
    let missing = |name: &str, expected| Refusal::Token(Refused::Claim { name: name.to_owned(), expected });
    let rules = app.settings.jwt.as_ref().ok_or(Refusal::NotConfigured)?;
    let tenant = claims.tenant.as_deref().and_then(Tenant::parse);
    let tenant = tenant.ok_or_else(|| missing(&rules.tenant_claim, "the name of a tenant"))?;
    let role = claims.role.ok_or_else(|| missing(&rules.role_claim, "the name of a role"))?;
    let account =
        if tenant.is_default() { Some(default_account(app).await?) } else { account(app, &tenant).await? };
    let account = account.filter(|known| known.account.closing.is_none());
    let account = account.ok_or_else(|| missing(&rules.tenant_claim, "the name of a tenant"))?;
    let subject = claims.subject.unwrap_or_else(|| "nobody".to_owned());
    let identity = Identity { id: format!("token:{subject}"), name: subject, role };
    let principal = account.account.principal(identity, claims.services);
    let principal = principal.ok_or_else(|| missing(&rules.role_claim, "the name of a role"))?;
    Ok(Admitted { principal, account, rate_limit: None })
}

/// What a request counts for: its key, its address, and its batches. The deployment's own key has no limits, and a
/// key with limits of its own has no others.
pub fn counters(app: &App, admitted: &Admitted, address: Option<&str>, is_batch: bool) -> Vec<Counter> {
    let limits = app.settings.rate_limits;
    let id = &admitted.principal.identity().id;
    if !limits.enabled || id == Principal::BOOTSTRAP {
        return Vec::new();
    }
    // The subject of a token may be long.
    let id = if id.len() > MAX_COUNTER_ID { digest(id.as_bytes()).to_string() } else { id.clone() };
    let own = admitted.rate_limit;
    let set = own.or(admitted.account.account.config.rate_limit);
    let window = |set: RateLimit| u64::from(set.window_seconds) * 1_000;
    let requests = set.map_or(limits.requests, |set| Policy { limit: set.requests, window_ms: window(set) });
    let batches = match set.and_then(|set| Some((set, set.batches?))) {
        Some((set, batches)) => Policy { limit: batches, window_ms: window(set) },
        None => limits.batches,
    };
    let counter = |name: String, policy| Counter { name, policy, units: 1 };
    let address =
        address.filter(|_| own.is_none()).map(|address| counter(format!("addr:{address}"), requests));
    let batches = is_batch.then(|| counter(format!("batch:{id}"), batches));
    [Some(counter(format!("key:{id}"), requests)), address, batches].into_iter().flatten().collect()
}

/// The default tenant's account; the deployment works before there is one.
async fn default_account(app: &App) -> Result<Arc<Known>, Refusal> {
    let tenant = Tenant::default_tenant();
    let none = || Arc::new(Known::new(Account::new(&tenant, Timestamp::EPOCH)));
    match account(app, &tenant).await {
        Ok(known) => Ok(known.unwrap_or_else(none)),
        // The deployment's own key opens it also when nothing else can be read.
        Err(Refusal::Unavailable(_)) => Ok(none()),
        Err(refusal) => Err(refusal),
    }
}

/// A tenant's account as it was at most a minute ago.
pub async fn account(app: &App, tenant: &Tenant) -> Result<Option<Arc<Known>>, Refusal> {
    let again = || {
        let (behind, tenant) = (app.clone(), tenant.clone());
        // What cannot be read now is read by the request that has to.
        app.background.spawn(Box::pin(async move { drop(read_account(&behind, &tenant).await) }));
    };
    let read = read_account(app, tenant);
    let held = app.access.accounts.through(tenant, app.clock.now_ms(), again, read).await;
    held.map_err(Refusal::Unavailable)
}

async fn read_account(app: &App, tenant: &Tenant) -> Result<Option<Arc<Known>>, PortError> {
    let read_at = app.clock.now_ms();
    let copy = app.copies.get(&account_copy(tenant)).await?;
    let known = match copy.map(|json| Account::read(tenant, &json)).transpose() {
        Ok(account) => account.map(|account| Arc::new(Known::new(account))),
        Err(reason) => {
            return Err(PortError { part: "copies", reason: format!("account of {tenant}: {reason}") });
        }
    };
    Ok(app.access.accounts.put_newest(tenant.clone(), known, read_at))
}

/// Whose domain this is.
pub async fn tenant_of(app: &App, host: &str) -> Result<Option<Tenant>, Refusal> {
    let host = host.to_owned();
    let again = || {
        let (behind, host) = (app.clone(), host.clone());
        app.background.spawn(Box::pin(async move { drop(read_domain(&behind, &host).await) }));
    };
    let read = read_domain(app, &host);
    let held = app.access.domains.through(&host, app.clock.now_ms(), again, read).await;
    held.map_err(Refusal::Unavailable)
}

async fn read_domain(app: &App, host: &str) -> Result<Option<Tenant>, PortError> {
    let read_at = app.clock.now_ms();
    let copy = app.copies.get(&domain_copy(host)).await?;
    let tenant = copy.and_then(|name| Tenant::parse(std::str::from_utf8(&name).ok()?));
    app.access.domains.put(host.to_owned(), tenant.clone(), read_at);
    Ok(tenant)
}

/// Notes that a key is used, from time to time and behind the answer; what `event` tells is written down when that
/// is the first time from this address.
pub fn note_use(
    app: &App,
    principal: &Principal,
    address: Option<&str>,
    event: impl FnOnce(&str) -> audit::Event,
) {
    let address = address.unwrap_or("unknown");
    let (tenant, id) = (principal.tenant(), &principal.identity().id);
    let (now, use_of) = (app.clock.now_ms(), (tenant.clone(), id.clone(), address.to_owned()));
    {
        let mut uses = app.access.uses.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.get(&use_of).is_some_and(|noted| now < noted + USE_NOTED_MS) {
            return;
        }
        if uses.len() >= MAX_HELD {
            uses.clear();
        }
        uses.insert(use_of.clone(), now);
    }
    let (app, event) = (app.clone(), event(address));
    app.background.clone().spawn(Box::pin(async move {
        let (tenant, id, address) = use_of;
        match app.accounts.note_use(&tenant, &id, &address, app.now()).await {
            Ok(true) => audit::note(&app, &tenant, event),
            Ok(false) => {}
            // The next request tries again.
            Err(_) => {
                let mut uses = app.access.uses.lock().unwrap_or_else(PoisonError::into_inner);
                uses.remove(&(tenant, id, address));
            }
        }
    }));
}

/// This isolate knows a change at once.
pub(super) fn learn(app: &App, tenant: &Tenant, account: Option<&Account>) {
    let known = account.map(|account| Arc::new(Known::new(account.clone())));
    app.access.accounts.put(tenant.clone(), known, app.clock.now_ms());
}

pub(super) fn learn_domain(app: &App, domain: &str, tenant: Option<&Tenant>) {
    app.access.domains.put(domain.to_owned(), tenant.cloned(), app.clock.now_ms());
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unavailable(error) => Self::Unavailable(error),
            other => Self::Denied { code: "forbidden", message: other.to_string() },
        }
    }
}
