//! The spool's way home: appends that were kept in the bucket while their shard could not be reached.

use crate::{
    app::{App, Error, find},
    engine::{
        block::key,
        shard::{Append, append},
        tenant::Tenant,
    },
    ports::{ShardName, shards::Appended},
};

/// Objects brought home in one transaction of the catalog.
const BATCH: usize = 100;

/// Brings home every object that the catalog has noted; answers how many. One that cannot be read
/// stays where it is, for somebody to look at, and does not keep the others.
pub async fn drain(app: &App) -> Result<u64, Error> {
    let mut home = 0;
    loop {
        let keys = app.catalog.spooled(None, BATCH).await?;
        let mut done = Vec::with_capacity(keys.len());
        for key in keys {
            match bring_home(app, &key).await {
                Ok(()) => done.push(key),
                Err(Error::Corrupt(corrupt)) => app.journal.error(&format!("spooled {key}: {corrupt}")),
                Err(error) => {
                    remove(app, &done).await?;
                    return Err(error);
                }
            }
        }
        remove(app, &done).await?;
        if done.is_empty() {
            return Ok(home);
        }
        home += done.len() as u64;
    }
}

async fn remove(app: &App, done: &[String]) -> Result<(), Error> {
    if !done.is_empty() {
        app.objects.delete(done).await?;
        app.catalog.forget_spooled(done).await?;
    }
    Ok(())
}

/// Notes the objects that could not be noted when they were written, because the catalog was away too.
pub async fn find_unnoted(app: &App) -> Result<(), Error> {
    let mut cursor: Option<String> = None;
    loop {
        let listing = app.objects.list("spool/", cursor.as_deref()).await?;
        for key in &listing.keys {
            if let Some((tenant, _)) = key::parse_spool_key(key) {
                app.catalog.note_spooled(tenant, key).await?;
            }
        }
        cursor = listing.cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

async fn bring_home(app: &App, key: &str) -> Result<(), Error> {
    let Some((tenant, number)) = key::parse_spool_key(key) else { return Ok(()) };
    let Some(tenant) = Tenant::parse(tenant) else { return Ok(()) };
    let Some(bytes) = app.objects.get(key).await? else { return Ok(()) };
    let parsed = Append::parse(&bytes)?;
    // The shard may have taken the append before the answer was lost, and have flushed it since.
    if find::find_in_shards_and_segments(app, &tenant, parsed.header.first_id).await?.is_some() {
        return Ok(());
    }
    let message = append::with_spool(&parsed, key)?;
    match app.shards.append(&ShardName { tenant, number }, message).await? {
        // The first request with this key is stored: this one was its retry.
        Appended::Stored { .. } | Appended::KeyReused => Ok(()),
    }
}
