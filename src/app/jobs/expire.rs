//! Expiry: removes what is past its service's TTL, objects and catalog together.
//!
//! The catalog forgets a segment and notes its object for removal in one transaction; the object goes
//! after that. Stopped in between, the next run finds the note.

use crate::{
    app::{App, Error, configs},
    engine::{
        block::{reader, rows, segment},
        record::timestamp::Timestamp,
        retention::{self, Verdict},
        tenant::Tenant,
    },
    ports::{CatalogEntry, catalog::WalkFrom},
};

/// The object of a rewritten segment stays this long for readers that hold its catalog entry.
const GRACE_MS: i64 = 60 * 60 * 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    pub segments_deleted: u64,
    pub segments_rewritten: u64,
    pub rows_deleted: u64,
}

/// Runs as of `now`, which the schedule gives.
pub async fn expire(app: &App, now: Timestamp) -> Result<Expired, Error> {
    let batch = app.settings.cleanup_batch_size;
    let mut expired = Expired::default();
    let mut from = WalkFrom::default();
    let mut known: Option<(Tenant, configs::Known)> = None;
    loop {
        let page = app.catalog.walk(&from, batch).await?;
        let Some(last) = page.last() else { break };
        from = WalkFrom {
            tenant: last.id.tenant.clone(),
            max_time_ms: last.max_time.as_ms(),
            key: last.key.clone(),
        };
        let mut gone = Vec::new();
        for entry in page {
            let Some(tenant) = Tenant::parse(&entry.id.tenant) else { continue };
            let configs = match &known {
                Some((of, configs)) if *of == tenant => configs.clone(),
                _ => configs::known(app, &tenant).await?,
            };
            let ttl_days = |service: &str| configs.ttl_days(service);
            match retention::judge(&entry.services, now, ttl_days) {
                Verdict::Keep => {}
                Verdict::Delete => gone.push(entry),
                Verdict::Rewrite => match rewrite(app, &entry, now, ttl_days).await {
                    Ok(left) => {
                        expired.segments_rewritten += 1;
                        expired.rows_deleted += entry.rows - left.min(entry.rows);
                    }
                    // One that cannot be read keeps no other from expiring, and goes when all of it has.
                    Err(Error::Corrupt(corrupt)) => {
                        app.journal.error(&format!("segment {} cannot be rewritten: {corrupt}", entry.key));
                    }
                    Err(error) => return Err(error),
                },
            }
            known = Some((tenant, configs));
        }
        if !gone.is_empty() {
            app.catalog.replace(&gone, &[], now).await?;
            let keys: Vec<String> = gone.iter().map(|entry| entry.key.clone()).collect();
            remove(app, &keys).await?;
            expired.segments_deleted += gone.len() as u64;
            expired.rows_deleted += gone.iter().map(|entry| entry.rows).sum::<u64>();
        }
    }
    sweep(app, now).await?;
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
    app.objects.delete(keys).await?;
    app.catalog.forget_removals(keys).await?;
    Ok(())
}

/// Writes a segment anew without its expired rows; answers how many are left.
async fn rewrite(
    app: &App,
    entry: &CatalogEntry,
    now: Timestamp,
    ttl_days: impl Fn(&str) -> u32,
) -> Result<u64, Error> {
    let Some(bytes) = app.objects.get(&entry.key).await? else {
        // Nothing is left to keep: the entry alone remained.
        app.catalog.replace(std::slice::from_ref(entry), &[], now).await?;
        return Ok(0);
    };
    let texts = reader::blocks_of(&bytes)?;
    drop(bytes);
    let mut kept = Vec::new();
    for row in texts.iter().flat_map(|text| rows::rows(text)) {
        let row = row?;
        if !retention::is_expired(row.head.timestamp, ttl_days(&row.head.service), now) {
            kept.push(row);
        }
    }
    let left = kept.len() as u64;
    let mut id = entry.id.clone();
    id.generation += 1;
    let mut new = Vec::new();
    if let Some(segment) = segment::write(id, kept)? {
        let entry = CatalogEntry::of(&segment);
        app.objects.put(&entry.key, segment.bytes).await?;
        new.push(entry);
    }
    app.catalog.replace(std::slice::from_ref(entry), &new, now).await?;
    Ok(left)
}
