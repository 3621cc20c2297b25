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
}

/// A request whose key is known.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) body: Digest,
    pub(super) first_id: Uuid,
    pub(super) count: u32,
    /// Absent while its records are in the write-ahead log.
    pub(super) until_ms: Option<u64>,
}

impl Known {
    pub(super) fn of(header: &Header, key: &RequestKey, until_ms: Option<u64>) -> Self {
        Self { body: key.body, first_id: header.first_id, count: header.count, until_ms }
    }

    pub(super) fn answer(&self, body: Digest) -> Appended {
        if self.body == body {
            Appended::Stored { first_id: self.first_id, count: self.count, duplicate: true }
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
        for table in tables {
            match table {
                Table::Wal(first_seq) => held.add_log(first_seq, log.read(table)?, now)?,
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
        Self { first_seq, commits: 0, bytes: 0, raw_bytes: 0, oldest_ms: 0, keys: Vec::new() }
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
        }
    }
}

/// When the Worker took an append: the time in the ids.
fn received_ms(header: &Header) -> u64 {
    u64::try_from(header.first_id.as_u128() >> 80).unwrap_or(u64::MAX)
}

fn headers(commit: &Commit) -> Result<Vec<Header>, Corrupt> {
    commit.parsed().map(|append| append.map(|append| append.header)).collect()
}
