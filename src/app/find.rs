//! One record by its id. The id holds the time of receipt, which leads to the few segments that can
//! have it.

use uuid::Uuid;

use super::{
    App, Error, ingest,
    scan::{self, Fresh, Stats, Vanished},
    search::Stored,
};
use crate::{
    engine::{
        query::TimeRange,
        record::{model::Record, timestamp::Timestamp},
        tenant::Tenant,
    },
    ports::{CatalogEntry, PortError},
};

/// Times that a look-up begins anew because a segment was replaced under it.
const MAX_TRIES: usize = 3;

pub async fn find(app: &App, tenant: &Tenant, id: Uuid) -> Result<Option<Stored>, Error> {
    find_in(app, tenant, id, true).await
}

/// The same without looking into the spool: for the job that empties it.
pub(super) async fn find_in_shards_and_segments(
    app: &App,
    tenant: &Tenant,
    id: Uuid,
) -> Result<Option<Stored>, Error> {
    find_in(app, tenant, id, false).await
}

async fn find_in(app: &App, tenant: &Tenant, id: Uuid, spool: bool) -> Result<Option<Stored>, Error> {
    let Some(received_at) = ingest::received_at(id) else { return Ok(None) };
    let mut tries = 0;
    'again: loop {
        tries += 1;
        let mut stats = Stats::default();
        let fresh = if spool {
            Fresh::read(app, tenant, TimeRange::ALL, &mut stats).await?
        } else {
            Fresh::of_shards(app, tenant, TimeRange::ALL).await
        };
        let mut found = None;
        fresh.for_each_text(TimeRange::ALL, |text| pick(text, id, &mut found))?;
        if let Some(record) = found {
            return Ok(Some(Stored { record, key: None }));
        }
        for entry in app.catalog.received_at(tenant, received_at).await? {
            if fresh.covers(&entry) {
                continue;
            }
            match find_in_segment(app, &entry, id, received_at, &mut stats).await {
                Ok(Ok(Some(stored))) => return Ok(Some(stored)),
                Ok(Ok(None)) => {}
                Ok(Err(Vanished)) if tries < MAX_TRIES => continue 'again,
                Ok(Err(Vanished)) => stats.pass_over(app, &entry, "it is not in the bucket"),
                Err(Error::Corrupt(corrupt)) => stats.pass_over(app, &entry, &corrupt.to_string()),
                Err(error) => return Err(error),
            }
        }
        if fresh.partial || stats.partial {
            // "There is none" would be a guess.
            let reason = "a shard or segment that may hold the record cannot be read".into();
            return Err(Error::Unavailable(PortError { part: "store", reason }));
        }
        return Ok(None);
    }
}

async fn find_in_segment(
    app: &App,
    entry: &CatalogEntry,
    id: Uuid,
    received_at: Timestamp,
    stats: &mut Stats,
) -> Result<Result<Option<Stored>, Vanished>, Error> {
    let Ok(open) = scan::open(app, entry, stats).await? else { return Ok(Err(Vanished)) };
    let wanted = open.received_at(received_at);
    let mut found = None;
    let read = open.read_blocks(app, &wanted, stats, |_, text, _| {
        pick(text, id, &mut found)?;
        Ok(found.is_none())
    });
    if read.await?.is_err() {
        return Ok(Err(Vanished));
    }
    Ok(Ok(found.map(|record| Stored { record, key: Some(open.key()) })))
}

fn pick(text: &[u8], id: Uuid, found: &mut Option<Record>) -> Result<(), Error> {
    scan::for_each_row(text, |row| {
        if row.head.id == id && found.is_none() {
            *found = Some(row.record()?);
        }
        Ok(())
    })
}
