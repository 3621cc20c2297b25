//! Expiry: removes what is past its service's TTL, objects and catalog together.
//!
//! The catalog forgets a segment and notes its object for removal in one transaction; the object goes
//! after that. Stopped in between, the next run finds the note.

use super::{
    merge::{self, Failed, Merged},
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
}

/// Events are told of no longer than this.
const EVENTS_MS: i64 = 90 * retention::DAY_MS;

/// Runs as of `now`, which the schedule gives.
pub async fn expire(app: &App, now: Timestamp) -> Result<Expired, Error> {
    let batch = app.settings.cleanup_batch_size;
    let mut expired = Expired::default();
    let mut from = WalkFrom::default();
    let mut known: Option<(Tenant, configs::Known)> = None;
    let mut settled = Settled::new(app);
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
            match retention::judge(&entry.services, now, ttl_days) {
                Verdict::Delete => gone.push(entry),
                Verdict::Rewrite if settled.is(&entry).await => {
                    if let Some(left) = rewrite(app, &entry, now, ttl_days).await? {
                        expired.segments_rewritten += 1;
                        expired.rows_deleted += entry.rows - left.min(entry.rows);
                    }
                }
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
    app.events.forget(Timestamp::from_ms(now.as_ms() - EVENTS_MS)).await?;
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

/// Writes a segment anew without its expired rows; answers how many are left, or nothing when it stays as it is.
async fn rewrite(
    app: &App,
    entry: &CatalogEntry,
    now: Timestamp,
    ttl_days: impl Fn(&str) -> u32,
) -> Result<Option<u64>, Error> {
    let keep = |row: &RowHead<'_>| !retention::is_expired(row.timestamp, ttl_days(&row.service), now);
    match merge::replace(app, std::slice::from_ref(entry), keep, now).await {
        Ok(Merged::Done { rows }) => Ok(Some(rows)),
        Ok(Merged::Empty) => Ok(Some(0)),
        Ok(Merged::Overtaken) => Ok(None),
        Err(Failed::Source(_, _)) if app.objects.get_range(&entry.key, 0, 1).await?.is_none() => {
            // Nothing is left to keep: the entry alone remained.
            let forgotten = app.catalog.replace(std::slice::from_ref(entry), &[], now).await?;
            Ok(forgotten.then_some(0))
        }
        // One that cannot be read keeps no other from expiring, and goes when all of it has.
        Err(Failed::Source(_, why)) => {
            app.journal.error(&format!("segment {} cannot be rewritten: {why}", entry.key));
            Ok(None)
        }
        Err(Failed::Otherwise(error)) => Err(error),
    }
}
