//! What producer Workers did: their trace items become logs.

use super::{App, Error, ingest};
use crate::engine::{record::model::SourceType, tenant::Tenant, wire::tail};

/// Records stored together: an append stays small in the shard's memory.
const CHUNK: usize = 1_000;

/// Takes trace items, each as JSON. An item or record that cannot be read is noted in the journal and
/// costs no other.
pub async fn take(app: &App, tenant: &Tenant, items: &[String]) -> Result<(), Error> {
    let mut records = Vec::new();
    for item in items {
        match tail::records_of(item) {
            Ok(read) => records.extend(read.into_iter().map(Ok)),
            Err(error) => app.journal.error(&format!("a trace item cannot be read: {error}")),
        }
    }
    let mut rest = records;
    while !rest.is_empty() {
        let behind = rest.split_off(rest.len().min(CHUNK));
        let batch = ingest::Batch { records: rest, source: SourceType::Tail, key: None };
        let taken = ingest::ingest(app, tenant, batch).await?;
        for (_, rejection) in taken.rejected {
            app.journal.error(&format!("a record of a trace item was not taken: {rejection}"));
        }
        rest = behind;
    }
    Ok(())
}
