//! The storage of a shard: tables of write-ahead rows that are dropped whole.

use async_trait::async_trait;

use super::PortError;
use crate::engine::shard::wal::WalRow;

/// The tables of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// Write-ahead rows, named by the first sequence number it can hold.
    Wal(u64),
    /// Idempotency keys of flushed logs, named by the time until which they are kept, in ms.
    Keys(u64),
    /// What quotas had counted of flushed logs, named by the first sequence number of the last of them.
    Counts(u64),
    /// What is known of patterns, as the flush of the log of this first sequence number left it.
    Patterns(u64),
}

impl Table {
    /// The name in the storage; it outlives every deploy.
    pub fn to_name(self) -> String {
        match self {
            Self::Wal(first_seq) => format!("wal_{first_seq}"),
            Self::Keys(until_ms) => format!("keys_{until_ms}"),
            Self::Counts(first_seq) => format!("counts_{first_seq}"),
            Self::Patterns(first_seq) => format!("patterns_{first_seq}"),
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        let (kind, number) = name.split_once('_')?;
        match (kind, number.parse().ok()?) {
            ("wal", first_seq) => Some(Self::Wal(first_seq)),
            ("keys", until_ms) => Some(Self::Keys(until_ms)),
            ("counts", first_seq) => Some(Self::Counts(first_seq)),
            ("patterns", first_seq) => Some(Self::Patterns(first_seq)),
            _ => None,
        }
    }
}

#[async_trait]
pub trait ShardLog: Send + Sync {
    /// The tables there are, in no order.
    fn tables(&self) -> Result<Vec<Table>, PortError>;

    fn create(&self, table: Table) -> Result<(), PortError>;

    /// Adds rows. Durable before any answer leaves the shard; all calls made without an await between
    /// them are one transaction.
    fn append(&self, table: Table, rows: Vec<WalRow>) -> Result<(), PortError>;

    /// All rows in order.
    fn read(&self, table: Table) -> Result<Vec<WalRow>, PortError>;

    fn drop_table(&self, table: Table) -> Result<(), PortError>;

    /// Notes that a spooled object was appended, for good.
    fn note_spooled(&self, key: &str) -> Result<(), PortError>;

    fn was_spooled(&self, key: &str) -> Result<bool, PortError>;

    /// When the shard is to be woken, if it is.
    async fn wakes_at(&self) -> Result<Option<u64>, PortError>;

    /// Wakes the shard at this time, and at no other time set before.
    async fn wake_at(&self, ms: u64) -> Result<(), PortError>;
}
