//! What producer Workers did: their trace items become logs.

use std::iter;

use super::{App, Error, ingest};
use crate::engine::{
    record::{model::SourceType, normalise::Raw},
    tenant::Tenant,
    wire::tail,
};

/// Records stored together: an append stays small in the shard's memory.
const CHUNK: usize = 1_000;

/// Takes trace items, each as JSON. An item or record that cannot be read is noted in the journal and
/// costs no other.
pub async fn take(app: &App, tenant: &Tenant, items: &[String]) -> Result<(), Error> {
    // An item is read when its first record is asked for.
    let mut records = items.iter().flat_map(|item| {
        tail::records_of(item).unwrap_or_else(|error| {
            app.journal.error(&format!("a trace item cannot be read: {error}"));
            Vec::new()
        })
    });
    while let Some(first) = records.next() {
        let chunk =
            iter::once(first).chain(records.by_ref().take(CHUNK - 1)).map(|record| Ok(Raw::Parsed(record)));
        let batch = ingest::Batch { records: chunk, source: SourceType::Tail, key: None, services: None };
        let taken = ingest::ingest(app, tenant, batch).await?;
        for (_, rejection) in taken.rejected {
            app.journal.error(&format!("a record of a trace item was not taken: {rejection}"));
        }
    }
    Ok(())
}
