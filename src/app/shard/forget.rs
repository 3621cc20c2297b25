//! What stays of a log that is flushed: its idempotency keys for a while, and what quotas have counted of it.

use super::{
    Shard,
    held::{Held, Log},
    log_error,
};
use crate::{
    engine::{
        pattern::Miners,
        shard::{Header, RequestKey, append, wal},
    },
    ports::{PortError, shard_log::Table},
};

/// How long an idempotency key is known after the flush of its records.
const KEYS_KEPT_MS: u64 = 10 * 60 * 1_000;

impl Shard {
    /// Drops a flushed table, keeping its idempotency keys for a while. One transaction: no await.
    pub(super) fn forget(&self, log: &Log, miners: Option<&Miners>) -> Result<(), PortError> {
        let now = self.clock.now_ms();
        let mut state = self.state();
        if !log.keys.is_empty() {
            let mut until = now + KEYS_KEPT_MS;
            let tables = self.log.tables()?;
            while tables.contains(&Table::Keys(until)) {
                until += 1;
            }
            let mut messages = Vec::with_capacity(log.keys.len());
            for key in &log.keys {
                let Some(known) = state.held.keys.get_mut(key) else { continue };
                known.until_ms = Some(until);
                let request = RequestKey { key: *key, body: known.body };
                let refused = known.refused.to_vec();
                let header = Header { refused, ..Header::new(known.first_id, known.count, Some(request)) };
                messages.push(append::encode(header, &[]).map_err(log_error)?);
            }
            self.log.create(Table::Keys(until))?;
            self.log.append(Table::Keys(until), wal::rows(1, &messages))?;
        }
        for table in self.log.tables()? {
            if matches!(table, Table::Keys(until) if until <= now) {
                self.log.drop_table(table)?;
            }
        }
        state.held.keys.retain(|_, known| known.until_ms.is_none_or(|until| now < until));
        let Held { logs, flushed, .. } = &mut state.held;
        if let Some(counted) = logs.iter().find(|one| one.first_seq == log.first_seq) {
            flushed.add(&*self.log, log.first_seq, &counted.counts)?;
        }
        if let Some(miners) = miners {
            self.keep_miners(log, miners)?;
        }
        self.log.drop_table(Table::Wal(log.first_seq))?;
        state.held.logs.retain(|one| one.first_seq != log.first_seq);
        Ok(())
    }
}
