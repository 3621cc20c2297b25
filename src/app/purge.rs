//! The end of a tenant: its domain is taken away, and everything that it has stored but its audit stream.

use serde::Serialize;

use super::{App, Error, access, accounts};
use crate::{
    engine::{
        account::{Account, Closing},
        query::TimeRange,
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::accounts::Stored,
};

/// Objects that one call removes: a request may use 10,000 operations, and a removal of 1,000 is one.
const MAX_REMOVED: usize = 100_000;

/// Isolates that have not heard of it go on writing: for a minute, and for five where they cannot read copies.
const SILENT_MS: i64 = 7 * 60_000;

/// Tenants that one run of the job sees to.
const MAX_CLOSING: usize = 100;

/// Where a tenant's objects are.
const FOLDERS: [&str; 5] = ["logs", "index", "spool", "damaged", "history"];

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The tenant ends with its last domain.
    pub tenant: bool,
    pub segments: u64,
    pub records: u64,
    pub size_bytes: u64,
    pub objects: u64,
    /// Nothing is left. What is left is erased by the cron, within minutes.
    pub is_complete: bool,
}

/// Takes a domain away. With its last one a tenant ends; one that holds logs only when `purge` says so.
///
/// Isolates that have not heard of it go on storing for a while, and what they acknowledged is not lost because
/// somebody thought that the tenant was empty: the cron looks again, and ends the tenant or lets it go on.
pub async fn remove_domain(app: &App, domain: &str, purge: bool) -> Result<Removed, Error> {
    let stored = accounts::of_domain(app, domain).await?;
    let tenant = stored.tenant.clone();
    if stored.account.domains.len() > 1 || tenant.is_default() {
        accounts::remove_domain(app, &tenant, domain).await?;
        return Ok(Removed { is_complete: true, ..Removed::default() });
    }
    let erases = purge || stored.account.closing.is_some_and(|closing| closing.erases);
    if !erases && holds_logs(app, &tenant).await? {
        let message = format!("the tenant {tenant} holds logs; `purge=true` erases them");
        return Err(Error::Conflict { code: "tenant_holds_logs", field: "purge".into(), message });
    }
    if stored.account.closing.is_none_or(|closing| closing.erases != erases) {
        let mut account = stored.account.clone();
        account.closing = Some(Closing { erases, told_at: None });
        set(app, &stored, account).await?;
    }
    let removed =
        if erases { erase(app, &tenant).await? } else { Removed { is_complete: true, ..Removed::default() } };
    Ok(Removed { tenant: true, ..removed })
}

async fn holds_logs(app: &App, tenant: &Tenant) -> Result<bool, Error> {
    for shard in app.shards_of(tenant) {
        if app.shards.state(&shard).await?.unflushed_commits > 0 {
            return Ok(true);
        }
    }
    let spool = app.objects.list(&format!("spool/{tenant}/"), None).await?;
    Ok(!spool.objects.is_empty() || !app.catalog.segments(tenant, TimeRange::ALL, None, 1).await?.is_empty())
}

async fn set(app: &App, stored: &Stored, account: Account) -> Result<Stored, Error> {
    let set = accounts::store(app, &stored.tenant, account, Some(stored.version), &stored.account).await?;
    set.ok_or_else(|| {
        let message = "the tenant was changed at the same time; try again".to_owned();
        Error::Conflict { code: "conflict", field: "domain".into(), message }
    })
}

/// Erases what a tenant has stored. What is in no catalog is not found any more, so the objects may go at once.
async fn erase(app: &App, tenant: &Tenant) -> Result<Removed, Error> {
    for shard in app.shards_of(tenant) {
        app.shards.flush(&shard).await?;
        app.shards.forget_patterns(&shard).await?;
    }
    let erased = app.catalog.erase(tenant).await?;
    app.events.erase(tenant).await?;
    app.patterns.erase(tenant, None).await?;
    app.anomalies.erase(tenant).await?;
    app.analyses.erase(tenant).await?;
    app.mined.forget(tenant);
    app.looked.forget(tenant);
    let mut removed = Removed {
        segments: erased.segments,
        records: erased.rows,
        size_bytes: erased.size_bytes,
        ..Removed::default()
    };
    for folder in FOLDERS {
        let prefix = format!("{folder}/{tenant}/");
        loop {
            if removed.objects >= MAX_REMOVED as u64 {
                return Ok(removed);
            }
            let page = app.objects.list(&prefix, None).await?;
            if page.objects.is_empty() {
                break;
            }
            let keys = page.keys();
            app.objects.delete(&keys).await?;
            removed.objects += keys.len() as u64;
        }
    }
    removed.is_complete = true;
    Ok(removed)
}

/// Forgets a tenant of which nothing is left: the copies first, so that none stays behind.
async fn finish(app: &App, stored: &Stored) -> Result<(), Error> {
    let Stored { tenant, version, account } = stored;
    for domain in &account.domains {
        app.copies.delete(&access::domain_copy(&domain.domain)).await?;
        access::learn_domain(app, &domain.domain, None);
    }
    app.copies.delete(&access::account_copy(tenant)).await?;
    access::learn(app, tenant, None);
    // Whoever has changed it meanwhile has it copied again.
    app.accounts.remove(tenant, *version).await?;
    Ok(())
}

/// Ends what was begun: for the cron. A tenant that fails keeps no other from its end.
pub async fn go_on(app: &App, now: Timestamp) -> Result<(), Error> {
    let mut failed = None;
    for stored in app.accounts.closing(MAX_CLOSING).await? {
        let Some(closing) = stored.account.closing else { continue };
        if let Err(error) = go_on_with(app, stored, closing, now).await {
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn go_on_with(app: &App, stored: Stored, closing: Closing, now: Timestamp) -> Result<(), Error> {
    let mut account = stored.account.clone();
    let Some(told_at) = closing.told_at else {
        accounts::copy(app, &stored.tenant, &[]).await?;
        account.closing = Some(Closing { told_at: Some(now), ..closing });
        return set(app, &stored, account).await.map(|_| ());
    };
    let is_silent = now.as_ms() - told_at.as_ms() > SILENT_MS;
    if closing.erases {
        let removed = erase(app, &stored.tenant).await?;
        return if removed.is_complete && is_silent { finish(app, &stored).await } else { Ok(()) };
    }
    if !is_silent {
        return Ok(());
    }
    if holds_logs(app, &stored.tenant).await? {
        account.closing = None;
        return set(app, &stored, account).await.map(|_| ());
    }
    finish(app, &stored).await
}
