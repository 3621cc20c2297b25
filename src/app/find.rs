//! One record by its id. The id holds the time of receipt, which leads to the few segments that can
//! have it.

use uuid::Uuid;

use super::{
    App, Error, ingest,
    scan::{self, Fresh, Stats},
    search::Stored,
};
use crate::engine::{block::Corrupt, query::TimeRange, tenant::Tenant};

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
    'again: for _ in 0..MAX_TRIES {
        let mut stats = Stats::default();
        let mut found = None;
        let fresh = if spool {
            Fresh::read(app, tenant, TimeRange::ALL, &mut stats).await?
        } else {
            Fresh::of_shards(app, tenant, TimeRange::ALL).await
        };
        fresh.for_each_text(TimeRange::ALL, |text| pick(text, id, &mut found))?;
        if let Some(record) = found {
            return Ok(Some(Stored { record, key: None }));
        }
        for entry in app.catalog.received_at(tenant, received_at).await? {
            if fresh.covers(&entry) {
                continue;
            }
            let Ok(open) = scan::open(app, &entry, &mut stats).await? else { continue 'again };
            let wanted = open.received_at(received_at);
            let read = open.read_blocks(app, &wanted, &mut stats, |_, text, _| {
                pick(text, id, &mut found)?;
                Ok(found.is_none())
            });
            if read.await?.is_err() {
                continue 'again;
            }
            if let Some(record) = found {
                return Ok(Some(Stored { record, key: Some(open.key()) }));
            }
        }
        if fresh.partial {
            return Err(Error::Unavailable(crate::ports::PortError {
                part: "shard",
                reason: "a shard that may hold the record cannot be asked".into(),
            }));
        }
        return Ok(None);
    }
    Err(Corrupt::damaged("catalog", "a segment it names is not in the bucket").into())
}

fn pick(
    text: &[u8],
    id: Uuid,
    found: &mut Option<crate::engine::record::model::Record>,
) -> Result<(), Error> {
    scan::for_each_row(text, |row| {
        if row.head.id == id && found.is_none() {
            *found = Some(row.record()?);
        }
        Ok(())
    })
}
