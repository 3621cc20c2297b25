//! The end of a tenant: its domain is taken away, and everything that it has stored but its audit stream.

use serde::Serialize;

use super::{App, Error, access, accounts};
use crate::{
    engine::{query::TimeRange, record::timestamp::Timestamp, tenant::Tenant},
    ports::accounts::{Stored, Written},
};

/// Objects that one call removes: a request may use 10,000 operations, and a removal of 1,000 is one.
const MAX_REMOVED: usize = 100_000;

/// Isolates that have not heard of it go on writing for a minute: what they write is erased by the cron.
const SILENT_MS: i64 = 2 * 60_000;

/// Where a tenant's objects are.
const FOLDERS: [&str; 4] = ["logs", "index", "spool", "damaged"];

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
pub async fn remove_domain(app: &App, domain: &str, purge: bool) -> Result<Removed, Error> {
    let stored = accounts::of_domain(app, domain).await?;
    let tenant = stored.tenant.clone();
    if stored.account.domains.len() > 1 || tenant.is_default() {
        accounts::remove_domain(app, &tenant, domain).await?;
        return Ok(Removed { is_complete: true, ..Removed::default() });
    }
    if !purge && holds_logs(app, &tenant).await? {
        let message = format!("the tenant {tenant} holds logs; `purge=true` erases them");
        return Err(Error::Conflict { code: "tenant_holds_logs", field: "purge".into(), message });
    }
    let stored = close(app, stored).await?;
    let mut removed = erase(app, &tenant).await?;
    removed.tenant = true;
    if removed.is_complete && removed.records == 0 && !purge {
        finish(app, &stored).await?;
    }
    Ok(removed)
}

async fn holds_logs(app: &App, tenant: &Tenant) -> Result<bool, Error> {
    for shard in app.shards_of(tenant) {
        if app.shards.state(&shard).await?.unflushed_commits > 0 {
            return Ok(true);
        }
    }
    let is_spooled = !app.catalog.spooled(tenant, 1).await?.is_empty();
    Ok(is_spooled || !app.catalog.segments(tenant, TimeRange::ALL, None, 1).await?.is_empty())
}

/// Lets nobody in any more.
async fn close(app: &App, stored: Stored) -> Result<Stored, Error> {
    if stored.account.erasing {
        return Ok(stored);
    }
    let mut account = stored.account.clone();
    account.erasing = true;
    let closed = accounts::store(app, &stored.tenant, account, Some(stored.version), &stored.account).await?;
    closed.ok_or_else(|| {
        let message = "the tenant was changed at the same time; try again".to_owned();
        Error::Conflict { code: "conflict", field: "domain".into(), message }
    })
}

/// Erases what a tenant has stored. What is in no catalog is not found any more, so the objects may go at once.
async fn erase(app: &App, tenant: &Tenant) -> Result<Removed, Error> {
    for shard in app.shards_of(tenant) {
        app.shards.flush(&shard).await?;
    }
    let erased = app.catalog.erase(tenant).await?;
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

/// Forgets a tenant of which nothing is left.
async fn finish(app: &App, stored: &Stored) -> Result<(), Error> {
    let Stored { tenant, version, account } = stored;
    if app.accounts.remove(tenant, *version).await? == Written::Conflict {
        return Ok(());
    }
    for domain in &account.domains {
        access::learn_domain(app, &domain.domain, None);
        app.copies.delete(&access::domain_copy(&domain.domain)).await?;
    }
    access::learn(app, tenant, None);
    app.copies.delete(&access::account_copy(tenant)).await?;
    Ok(())
}

/// Ends what was begun: for the cron, at the time of its schedule.
pub async fn go_on(app: &App, now: Timestamp) -> Result<(), Error> {
    let mut after = String::new();
    loop {
        let page = app.accounts.list(&after, 100).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.tenant.to_string();
        for stored in page.iter().filter(|stored| stored.account.erasing) {
            let removed = erase(app, &stored.tenant).await?;
            let silent = now.as_ms() - stored.account.updated_at.as_ms() > SILENT_MS;
            if removed.is_complete && silent {
                finish(app, stored).await?;
            }
        }
    }
}
