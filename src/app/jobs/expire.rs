//! Expiry: removes what is past its service's TTL, objects and catalog together.
//!
//! The catalog forgets a segment and notes its object for removal in one transaction; the object goes
//! after that. Stopped in between, the next run finds the note. The same walk finds the segments whose addresses
//! are to be cut: see `anonymise`.

use super::{
    anonymise::{self, Due, Most},
    merge::{Addresses, Keep},
    rewrite::{Rewritten, rewrite},
    settled::Settled,
};
use crate::{
    app::{App, Error, configs},
    engine::{
        record::{row::RowHead, timestamp::Timestamp},
        retention::{self, Verdict},
        tenant::Tenant,
    },
    ports::{
        CatalogEntry,
        catalog::{Only, WalkFrom},
    },
};

/// The object of a replaced segment stays this long, for readers that hold its catalog entry; and so long is it
/// known that a flush which is repeated must not bring the segment back.
const GRACE_MS: i64 = retention::DAY_MS;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub segments_deleted: u64,
    pub segments_rewritten: u64,
    pub rows_deleted: u64,
    /// Written anew for their addresses alone.
    pub segments_anonymised: u64,
}

/// Events, anomalies and analyses are told of no longer than this.
const TOLD_MS: i64 = 90 * retention::DAY_MS;

/// Runs as of `now`, which the schedule gives.
pub async fn expire(app: &App, now: Timestamp) -> Result<Expired, Error> {
    expire_within(app, now, Most::OF_A_RUN).await
}

/// The same with the addresses of at most so much.
pub async fn expire_within(app: &App, now: Timestamp, most: Most) -> Result<Expired, Error> {
    let batch = app.settings.cleanup_batch_size;
    let mut expired = Expired::default();
    let mut from = WalkFrom::default();
    let mut known: Option<(Tenant, configs::Known)> = None;
    let mut settled = Settled::new(app);
    let mut due = Due::new(most);
    loop {
        let page = app.catalog.walk(&from, batch, Only::All).await?;
        let Some(last) = page.last() else { break };
        from = WalkFrom::behind(last);
        let mut gone = Vec::new();
        for entry in page {
            let Some(tenant) = Tenant::stored(&entry.id.tenant) else { continue };
            let configs = match &known {
                Some((of, configs)) if *of == tenant => configs.clone(),
                _ => configs::stored(app, &tenant).await?,
            };
            let class = entry.id.class.clone();
            let ttl_days = |service: &str| configs.kept_days(&class, service);
            let anonymous = |days| retention::is_anonymous(entry.max_time, days, now);
            let is_due = !entry.anonymised && configs.anonymize_ip_after_days().is_some_and(anonymous);
            match retention::judge(&entry.services, now, ttl_days) {
                Verdict::Delete => gone.push(entry),
                Verdict::Rewrite if settled.is(&entry).await => {
                    let keep = |row: &RowHead<'_>| {
                        !retention::is_expired(row.timestamp, ttl_days(&row.service), now)
                    };
                    let addresses = if is_due { Addresses::Cut } else { Addresses::AsTheyAre };
                    if let Rewritten::Anew { rows } =
                        rewrite(app, &entry, Keep::Those(&keep), addresses, now).await?
                    {
                        expired.segments_rewritten += 1;
                        expired.rows_deleted += entry.rows - rows.min(entry.rows);
                    }
                }
                Verdict::Keep if is_due && due.has_room(&entry) && settled.is(&entry).await => due.add(entry),
                Verdict::Keep | Verdict::Rewrite => {}
            }
            known = Some((tenant, configs));
        }
        for batch in taken_out(app, gone, now).await? {
            let keys: Vec<String> = batch.iter().flat_map(CatalogEntry::object_keys).collect();
            remove(app, &keys).await?;
            expired.segments_deleted += batch.len() as u64;
            expired.rows_deleted += batch.iter().map(|entry| entry.rows).sum::<u64>();
        }
    }
    sweep(app, now).await?;
    let told_since = Timestamp::from_ms(now.as_ms() - TOLD_MS);
    app.events.forget(told_since).await?;
    app.anomalies.forget(told_since).await?;
    app.analyses.forget(told_since).await?;
    // Last, as it takes longest: whatever ends it, what was to be deleted is.
    expired.segments_anonymised = anonymise::run(app, due, now).await?;
    Ok(expired)
}

/// Deletes the objects that were noted for removal more than the grace ago.
pub async fn sweep(app: &App, now: Timestamp) -> Result<(), Error> {
    let noted_before = Timestamp::from_ms(now.as_ms() - GRACE_MS);
    loop {
        let keys = app.catalog.removals(noted_before, app.settings.cleanup_batch_size).await?;
        if keys.is_empty() {
            return Ok(());
        }
        remove(app, &keys).await?;
    }
}

async fn remove(app: &App, keys: &[String]) -> Result<(), Error> {
    // The bucket deletes so many at once.
    for some in keys.chunks(1_000) {
        app.objects.delete(some).await?;
        app.catalog.forget_removals(some).await?;
    }
    Ok(())
}

/// Takes segments out of the listings, together or, when a compaction has taken some of them meanwhile, one by
/// one; answers those that it took.
async fn taken_out(
    app: &App,
    gone: Vec<CatalogEntry>,
    now: Timestamp,
) -> Result<Vec<Vec<CatalogEntry>>, Error> {
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    if app.catalog.replace(&gone, &[], now).await? {
        return Ok(vec![gone]);
    }
    let mut taken = Vec::new();
    for entry in gone {
        if app.catalog.replace(std::slice::from_ref(&entry), &[], now).await? {
            taken.push(entry);
        }
    }
    Ok(vec![taken])
}
