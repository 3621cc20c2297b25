//! The spool's way home: appends that were kept in the bucket while their shard could not be reached.

use bytes::Bytes;

use crate::{
    app::{App, Error, find, scan::Stats},
    engine::{
        block::key,
        query::TimeRange,
        shard::{Append, append},
        tenant::Tenant,
    },
    ports::{PortError, ShardName},
};

/// Objects brought home before their going is noted: what is done stays done if the run is stopped.
const STEP: usize = 20;

/// Objects of one run. Each takes four or five operations, and a run may use 10,000.
const MAX_A_RUN: usize = 1_000;

/// Brings home the objects of the spool; answers how many. It goes by the bucket and not by the catalog's
/// notes: the catalog may have been away too. One that cannot be read stays where it is, for somebody to
/// look at, and keeps no other.
pub async fn drain(app: &App) -> Result<u64, Error> {
    let (mut home, mut seen) = (0, 0);
    let mut cursor: Option<String> = None;
    loop {
        let listing = app.objects.list("spool/", cursor.as_deref()).await?;
        let all = listing.keys();
        for keys in all.chunks(STEP) {
            home += bring_all_home(app, keys).await?;
        }
        seen += all.len();
        cursor = listing.cursor;
        if cursor.is_none() || seen >= MAX_A_RUN {
            return Ok(home);
        }
    }
}

async fn bring_all_home(app: &App, keys: &[String]) -> Result<u64, Error> {
    let mut done = Vec::with_capacity(keys.len());
    let mut stopped = Ok(());
    for key in keys {
        match bring_home(app, key).await {
            Ok(()) => done.push(key.clone()),
            Err(Error::Corrupt(corrupt)) => app.journal.error(&format!("spooled {key}: {corrupt}")),
            Err(error) => {
                stopped = Err(error);
                break;
            }
        }
    }
    if !done.is_empty() {
        app.objects.delete(&done).await?;
        app.catalog.forget_spooled(&done).await?;
    }
    stopped.map(|()| done.len() as u64)
}

async fn bring_home(app: &App, key: &str) -> Result<(), Error> {
    let Some((tenant, number)) = key::parse_spool_key(key) else { return Ok(()) };
    let Some(tenant) = Tenant::stored(tenant) else { return Ok(()) };
    let Some(bytes) = app.objects.get(key).await? else { return Ok(()) };
    let parsed = Append::parse(&bytes)?;
    let shard = ShardName { tenant, number };
    // The shard may have taken the append before the answer was lost, and have flushed it since. First the
    // shard, then the segments: that is the way it may be moving.
    if is_in_shard(app, &shard, &parsed).await? {
        return Ok(());
    }
    let (id, mut stats) = (parsed.header.first_id, Stats::default());
    if find::in_segments(app, &shard.tenant, id, |_| false, &mut stats).await?.is_some() {
        return Ok(());
    }
    app.shards.append(&shard, append::with_spool(&parsed, key)?).await?;
    Ok(())
}

async fn is_in_shard(app: &App, shard: &ShardName, append: &Append<'_>) -> Result<bool, Error> {
    let blocks = || append.header.blocks.iter();
    let (Some(start), Some(end)) =
        (blocks().map(|block| block.min_time).min(), blocks().map(|block| block.max_time).max())
    else {
        return Ok(false);
    };
    let unflushed = app.shards.unflushed(shard, TimeRange { start, end }).await?;
    if unflushed.truncated {
        let reason = "a shard holds more than it can answer with".into();
        return Err(Error::Unavailable(PortError { part: "shard", reason }));
    }
    let same = |bytes: &Bytes| Ok(Append::parse(bytes)?.header.first_id == append.header.first_id);
    unflushed.appends.iter().map(same).try_fold(false, |found, one: Result<bool, Error>| Ok(found || one?))
}
