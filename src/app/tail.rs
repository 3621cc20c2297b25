//! What producer Workers did: their trace items become logs.

use std::iter;

use super::{App, Error, ingest};
use crate::engine::{
    record::{model::SourceType, normalise::Raw, rejection::Rejection},
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
        let batch = ingest::Batch { records: chunk, key: None, how: ingest::How::of(SourceType::Tail) };
        let taken = ingest::ingest(app, tenant, batch).await?;
        let (over, rejected): (Vec<_>, Vec<_>) =
            taken.rejected.into_iter().partition(|(_, why)| why.code == Rejection::QUOTA_EXCEEDED);
        // They are not kept for another day: a producer that is over its quota would soon be days behind.
        if let Some((_, first)) = over.first() {
            app.journal.error(&format!("{} records of trace items were dropped: {first}", over.len()));
        }
        for (_, rejection) in rejected {
            // Not its message: that quotes what was sent.
            let (code, field) = (rejection.code, rejection.field.unwrap_or_default());
            app.journal.error(&format!("a record of a trace item was not taken: {code} {field}"));
        }
    }
    Ok(())
}
