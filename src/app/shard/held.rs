//! What a shard remembers of its storage: the tables of the log and the idempotency keys. It can be read
//! from the storage again at any time.

use std::collections::HashMap;

use uuid::Uuid;

use super::log_error;
use crate::{
    engine::{
        block::Corrupt,
        shard::{
            Header, RequestKey,
            append::Digest,
            quota::{Counts, Refused},
            wal::{self, Commit, WalRow},
        },
    },
    ports::{PortError, ShardLog, shard_log::Table, shards::Appended},
};

#[derive(Default)]
pub(super) struct Held {
    /// The last one takes the appends.
    pub(super) logs: Vec<Log>,
    pub(super) next_seq: u64,
    pub(super) keys: HashMap<Digest, Known>,
    /// What quotas have counted, of all logs.
    pub(super) counts: Counts,
    /// What they had counted up to the last flush.
    pub(super) flushed: Flushed,
}

/// Counts of logs that are flushed, up to and with the one of this number.
#[derive(Default)]
pub(super) struct Flushed {
    pub(super) through: Option<u64>,
    pub(super) counts: Counts,
}

/// A table of the write-ahead log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    pub(super) first_seq: u64,
    pub(super) commits: u64,
    pub(super) bytes: u64,
    pub(super) raw_bytes: u64,
    pub(super) oldest_ms: u64,
    pub(super) keys: Vec<Digest>,
    pub(super) counts: Counts,
}

/// A request whose key is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) body: Digest,
    pub(super) first_id: Uuid,
    pub(super) count: u32,
    pub(super) refused: Box<[Refused]>,
    /// Absent while its records are in the write-ahead log.
    pub(super) until_ms: Option<u64>,
}

impl Known {
    pub(super) fn of(header: &Header, key: &RequestKey, until_ms: Option<u64>) -> Self {
        let refused = header.refused.clone().into();
        Self { body: key.body, first_id: header.first_id, count: header.count, refused, until_ms }
    }

    pub(super) fn answer(&self, body: Digest) -> Appended {
        if self.body == body {
            let (first_id, count, refused) = (self.first_id, self.count, self.refused.to_vec());
            Appended::Stored { first_id, count, duplicate: true, refused }
        } else {
            Appended::KeyReused
        }
    }
}

impl Held {
    /// Reads what the storage holds, and drops the keys that are forgotten by now.
    pub(super) fn read(log: &dyn ShardLog, now: u64) -> Result<Self, PortError> {
        let mut held = Self { next_seq: 1, ..Self::default() };
        let mut tables = log.tables()?;
        tables.sort_unstable();
        held.flushed = Flushed::read(log, &tables)?;
        held.counts = held.flushed.counts.clone();
        for table in tables {
            match table {
                Table::Wal(first_seq) => held.add_log(first_seq, log.read(table)?, now)?,
                Table::Counts(_) | Table::Patterns(_) => {}
                Table::Keys(until_ms) if until_ms <= now => log.drop_table(table)?,
                Table::Keys(until_ms) => {
                    for commit in wal::commits(log.read(table)?) {
                        held.add_keys(&headers(&commit).map_err(log_error)?, Some(until_ms));
                    }
                }
            }
        }
        Ok(held)
    }

    fn add_log(&mut self, first_seq: u64, rows: Vec<WalRow>, now: u64) -> Result<(), PortError> {
        // A table can be empty and yet follow one that was written to after it was created.
        let next_seq = rows.last().map_or(first_seq, |row| row.seq + 1);
        self.next_seq = self.next_seq.max(next_seq);
        let mut log = Log::new(first_seq);
        for commit in wal::commits(rows) {
            let headers = headers(&commit).map_err(log_error)?;
            log.count(commit.body.len() as u64, &headers.iter().collect::<Vec<_>>(), now);
            self.add_keys(&headers, None);
        }
        if self.flushed.through.is_some_and(|through| first_seq <= through) {
            log.counts = Counts::default();
        }
        self.counts.merge(&log.counts);
        self.logs.push(log);
        Ok(())
    }

    fn add_keys(&mut self, headers: &[Header], until_ms: Option<u64>) {
        for header in headers {
            if let Some(key) = &header.key {
                self.keys.insert(key.key, Known::of(header, key, until_ms));
            }
        }
    }
}

impl Log {
    pub(super) fn new(first_seq: u64) -> Self {
        Self {
            first_seq,
            commits: 0,
            bytes: 0,
            raw_bytes: 0,
            oldest_ms: 0,
            keys: Vec::new(),
            counts: Counts::default(),
        }
    }

    pub(super) fn count(&mut self, body_bytes: u64, headers: &[&Header], now: u64) {
        if self.commits == 0 {
            // Its ids tell when it came; a shard that is opened often must not seem young.
            self.oldest_ms = headers.iter().map(|header| received_ms(header)).min().unwrap_or(now).min(now);
        }
        self.commits += 1;
        self.bytes += body_bytes;
        for header in headers {
            self.raw_bytes += header.blocks.iter().map(|block| u64::from(block.raw_bytes)).sum::<u64>();
            self.keys.extend(header.key.as_ref().map(|key| key.key));
            if let Some(quota) = &header.quota {
                self.counts.add(quota);
            }
        }
    }
}

impl Flushed {
    fn read(log: &dyn ShardLog, tables: &[Table]) -> Result<Self, PortError> {
        for table in tables.iter().rev() {
            let Table::Counts(through) = *table else { continue };
            // One without its row is of a flush that did not end: what it was to hold is in its log.
            let Some(row) = log.read(*table)?.pop() else { continue };
            let counts = serde_json::from_slice(&row.body).map_err(log_error)?;
            return Ok(Self { through: Some(through), counts });
        }
        Ok(Self::default())
    }

    /// Adds the counts of a log that is about to be dropped. May be repeated after it failed anywhere.
    pub(super) fn add(
        &mut self,
        log: &dyn ShardLog,
        first_seq: u64,
        counts: &Counts,
    ) -> Result<(), PortError> {
        if counts.is_empty() || self.through.is_some_and(|through| first_seq <= through) {
            return Ok(());
        }
        let mut sum = self.counts.clone();
        sum.merge(counts);
        let table = Table::Counts(first_seq);
        let before = log.tables()?;
        if before.contains(&table) {
            log.drop_table(table)?;
        }
        log.create(table)?;
        let body = serde_json::to_vec(&sum).map_err(log_error)?;
        log.append(table, vec![WalRow { seq: first_seq, part: 0, parts: 1, body }])?;
        *self = Self { through: Some(first_seq), counts: sum };
        for old in before.into_iter().filter(|old| matches!(old, Table::Counts(_)) && *old != table) {
            log.drop_table(old)?;
        }
        Ok(())
    }
}

/// When the Worker took an append: the time in the ids.
fn received_ms(header: &Header) -> u64 {
    u64::try_from(header.first_id.as_u128() >> 80).unwrap_or(u64::MAX)
}

fn headers(commit: &Commit) -> Result<Vec<Header>, Corrupt> {
    commit.parsed().map(|append| append.map(|append| append.header)).collect()
}
