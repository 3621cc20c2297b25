//! The spool's way home: appends that were kept in the bucket while their shard could not be reached.

use crate::{
    app::{App, Error, find},
    engine::{
        block::key,
        shard::{Append, append},
        tenant::Tenant,
    },
    ports::ShardName,
};

/// Brings home every object of the spool; answers how many. It goes by the bucket and not by the
/// catalog's notes: the catalog may have been away too. One that cannot be read stays where it is, for
/// somebody to look at, and keeps no other.
pub async fn drain(app: &App) -> Result<u64, Error> {
    let mut home = 0;
    let mut cursor: Option<String> = None;
    loop {
        let listing = app.objects.list("spool/", cursor.as_deref()).await?;
        let mut done = Vec::with_capacity(listing.keys.len());
        let mut stopped = None;
        for key in listing.keys {
            match bring_home(app, &key).await {
                Ok(()) => done.push(key),
                Err(Error::Corrupt(corrupt)) => app.journal.error(&format!("spooled {key}: {corrupt}")),
                Err(error) => {
                    stopped = Some(error);
                    break;
                }
            }
        }
        if !done.is_empty() {
            app.objects.delete(&done).await?;
            app.catalog.forget_spooled(&done).await?;
        }
        home += done.len() as u64;
        if let Some(error) = stopped {
            return Err(error);
        }
        cursor = listing.cursor;
        if cursor.is_none() {
            return Ok(home);
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
    app.shards.append(&ShardName { tenant, number }, message).await?;
    Ok(())
}
