//! From logs to segments, and what is learnt on the way.

use super::{Flushed, Log, Shard, log_error};
use crate::{
    engine::{
        block::key,
        shard::{flush, wal},
    },
    ports::{CatalogEntry, PortError, shard_log::Table},
};

impl Shard {
    pub(super) async fn flush_logs(&self, logs: &[Log]) -> Result<Flushed, PortError> {
        let mut flushed = Flushed::default();
        for log in logs {
            let one = self.flush_log(log).await?;
            flushed.segments += one.segments;
            flushed.rows += one.rows;
            flushed.size_bytes += one.size_bytes;
        }
        Ok(flushed)
    }

    async fn flush_log(&self, log: &Log) -> Result<Flushed, PortError> {
        let (tenant, shard) = (self.name.tenant.as_str(), self.name.number);
        let commits = wal::commits(self.log.read(Table::Wal(log.first_seq))?);
        let mut miners = self.miners(log)?;
        let flush = flush::segments(tenant, shard, &commits, &mut miners).map_err(log_error)?;
        drop(commits);
        for (nth, (bytes, corrupt)) in flush.damaged.into_iter().enumerate() {
            let key = key::damaged_key(tenant, shard, log.first_seq, nth);
            self.journal.error(&format!("an append was set aside as {key}: {corrupt}"));
            self.objects.put(&key, bytes).await?;
        }
        let mut flushed = Flushed::default();
        let mut entries = Vec::with_capacity(flush.segments.len());
        for segment in flush.segments {
            let entry = CatalogEntry::of(&segment);
            flushed.segments += 1;
            flushed.rows += entry.rows;
            flushed.size_bytes += entry.size_bytes;
            self.objects.put(&entry.key, segment.bytes).await?;
            entries.push(entry);
        }
        self.catalog.add(&entries).await?;
        // Rows are safe without it: what was not told stays untold, and comes again with the next flush.
        let told = self.tell(flush.mined).await;
        if let Err(error) = &told {
            self.journal.error(&format!("patterns were not noted: {error}"));
        }
        let miners = told.is_ok().then_some(&miners);
        let forgotten = self.forget(log, miners);
        self.state().stale |= forgotten.is_err();
        forgotten.map(|()| flushed)
    }
}
