//! One record by its id. The id holds the time of receipt, which leads to the few segments that can
//! have it.

use bytes::Bytes;
use uuid::Uuid;

use super::{
    App, Error, Reader,
    fresh::{self, Copies},
    ingest,
    scan::{self, Stats, Vanished},
    search::Stored,
};
use crate::{
    engine::{
        block::{Block, BlockMeta, Opened, packed::Packed, reader, rows},
        query::TimeRange,
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{CatalogEntry, PortError},
};

/// The record, if there is one that the reader may see.
pub async fn find(app: &App, reader: &Reader, id: Uuid) -> Result<Option<Stored>, Error> {
    let reader = &reader.with_patterns(app).await?;
    match of_tenant(app, reader.tenant(), id).await? {
        Some(stored) if reader.sees(&stored.line)? => {
            Ok(Some(Stored { line: reader.shown(stored.line)?, key: stored.key }))
        }
        _ => Ok(None),
    }
}

async fn of_tenant(app: &App, tenant: &Tenant, id: Uuid) -> Result<Option<Stored>, Error> {
    let mut stats = Stats::default();
    let mut found = None;
    let mut look = |rows: &Packed, _: &mut Stats| {
        if found.is_none() {
            let row = rows.rows().find(|row| row.id() == id);
            found = row.map(|row| row.read(&mut Vec::new()).line.into());
        }
        Ok(())
    };
    let fresh = fresh::read(app, tenant, TimeRange::ALL, Copies::Allowed, &mut stats, &mut look).await?;
    if let Some(line) = found {
        return Ok(Some(Stored { line, key: None }));
    }
    let stored = in_segments(app, tenant, id, |entry| fresh.covers(entry), &mut stats).await?;
    if stored.is_none() && fresh.partial { Err(unknown()) } else { Ok(stored) }
}

/// The same in segments alone, without those that `covered` names.
pub(super) async fn in_segments(
    app: &App,
    tenant: &Tenant,
    id: Uuid,
    covered: impl Fn(&CatalogEntry) -> bool + Send,
    stats: &mut Stats,
) -> Result<Option<Stored>, Error> {
    let Some(received_at) = ingest::received_at(id) else { return Ok(None) };
    let mut tries = 0;
    'again: loop {
        tries += 1;
        let mut passed_over = false;
        for entry in app.catalog.received_at(tenant, received_at).await? {
            if covered(&entry) {
                continue;
            }
            let why = match find_in_segment(app, &entry, id, received_at, stats).await {
                Ok(Ok(Some(stored))) => return Ok(Some(stored)),
                Ok(Ok(None)) => continue,
                Ok(Err(Vanished)) if tries < scan::MAX_TRIES => continue 'again,
                Ok(Err(Vanished)) => "it is not in the bucket".to_owned(),
                Err(Error::Corrupt(corrupt)) => corrupt.to_string(),
                Err(error) => return Err(error),
            };
            stats.pass_over(app, &entry, &why);
            passed_over = true;
        }
        return if passed_over { Err(unknown()) } else { Ok(None) };
    }
}

/// "There is none" would be a guess.
fn unknown() -> Error {
    let reason = "a shard or segment that may hold the record cannot be read".into();
    Error::Unavailable(PortError { part: "store", reason })
}

async fn find_in_segment(
    app: &App,
    entry: &CatalogEntry,
    id: Uuid,
    received_at: Timestamp,
    stats: &mut Stats,
) -> Result<Result<Option<Stored>, Vanished>, Error> {
    let Ok(held) = scan::open(app, entry, scan::Reads::Footer, stats).await? else {
        return Ok(Err(Vanished));
    };
    for meta in &held.opened.footer.blocks {
        if received_at < meta.min_received || meta.max_received < received_at {
            continue;
        }
        stats.r2_reads += u64::from(held.costs_a_read(meta.offset, meta.length));
        let Ok(bytes) = held.read(app, meta.offset, meta.length).await? else { return Ok(Err(Vanished)) };
        if let Some(line) = find_in_block(&held.opened, meta, bytes, id)? {
            return Ok(Ok(Some(Stored { line, key: Some(held.key.clone()) })));
        }
    }
    Ok(Ok(None))
}

fn find_in_block(
    opened: &Opened,
    meta: &BlockMeta,
    bytes: Bytes,
    id: Uuid,
) -> Result<Option<Box<[u8]>>, Error> {
    let mut found = None;
    if meta.heads.is_none() {
        let text = reader::block(opened, meta, bytes)?;
        for row in rows::rows(&text) {
            let row = row?;
            if row.head.id == id {
                return Ok(Some(row.line.into()));
            }
        }
        return Ok(None);
    }
    let block = Block::new(opened, meta, bytes);
    let row = block.ids()?.iter().position(|known| *known == id).and_then(|row| u32::try_from(row).ok());
    if let Some(row) = row {
        block.render(&[row], |_, _, _, line| found = Some(line.as_bytes().into()))?;
    }
    Ok(found)
}
