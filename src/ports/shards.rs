//! Shards, as a Worker sees them: the objects that make small writes durable.

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::PortError;
use crate::engine::{
    query::TimeRange,
    shard::{
        RequestKey,
        quota::{Left, Refused},
    },
    tenant::Tenant,
    triage::Observation,
};

/// One shard of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShardName {
    pub tenant: Tenant,
    pub number: u32,
}

impl ShardName {
    /// The object's name. A changed name is a new, empty object: see the test that pins it.
    pub fn to_name(&self) -> String {
        format!("{}/{}", self.tenant, self.number)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        let (tenant, number) = name.split_once('/')?;
        Some(Self { tenant: Tenant::stored(tenant)?, number: number.parse().ok()? })
    }
}

/// What a shard answers to an append.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Appended {
    /// The records are durable. `first_id` is theirs, or that of the first request with the same key.
    Stored {
        first_id: Uuid,
        count: u32,
        duplicate: bool,
        /// What the first request with the same key was refused.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refused: Vec<Refused>,
    },
    /// The idempotency key was used with another body.
    KeyReused,
    /// There is no room for all of it, and none of it is stored. Says of each quota what there is room for.
    OverQuota { left: Vec<Left> },
}

/// What a flush did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flushed {
    pub segments: u32,
    pub rows: u64,
    pub size_bytes: u64,
}

/// What a shard holds that is not flushed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardState {
    pub unflushed_commits: u64,
    pub unflushed_bytes: u64,
    /// When the oldest of it was committed, in ms.
    pub oldest_ms: Option<u64>,
    /// What came before this sequence number is in segments, and no flush writes it again. 0 while that is
    /// not known.
    #[serde(default)]
    pub flushed_before_seq: u64,
    pub last_error: Option<String>,
}

/// Appends that a shard has not flushed yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Unflushed {
    /// Rows with this sequence number and above were in the log; a segment that begins here or above
    /// holds nothing that `appends` does not.
    pub from_seq: u64,
    /// Append messages with the blocks that overlap the range asked for.
    pub appends: Vec<Bytes>,
    /// There was more than an answer can hold, and the oldest of it was left out.
    pub truncated: bool,
}

#[async_trait]
pub trait Shards: Send + Sync {
    /// Makes an append message durable. Once this answers `Stored`, no crash loses it.
    async fn append(&self, shard: &ShardName, message: Vec<u8>) -> Result<Appended, PortError>;

    /// What the shard has answered to a request with this key, if it remembers one. Stores nothing.
    async fn known(&self, shard: &ShardName, key: &RequestKey) -> Result<Option<Appended>, PortError>;

    /// Counts what rules watch for, in the memory of the shard; answers how many there are of each in its window.
    async fn observe(
        &self,
        shard: &ShardName,
        observed: &[(Observation, u32)],
    ) -> Result<Vec<u32>, PortError>;

    async fn unflushed(&self, shard: &ShardName, range: TimeRange) -> Result<Unflushed, PortError>;

    /// Writes everything held so far to segments; when this returns the catalog has them.
    async fn flush(&self, shard: &ShardName) -> Result<Flushed, PortError>;

    async fn state(&self, shard: &ShardName) -> Result<ShardState, PortError>;

    /// Forgets what was learnt of messages.
    async fn forget_patterns(&self, shard: &ShardName) -> Result<(), PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_shard_is_these_letters_for_ever() {
        let shard = ShardName { tenant: Tenant::default_tenant(), number: 3 };
        assert_eq!(shard.to_name(), "default/3");
        assert_eq!(ShardName::from_name("default/3"), Some(shard));
        for bad in ["default", "default/", "/3", "a/b/3", "A/3"] {
            assert_eq!(ShardName::from_name(bad), None, "{bad}");
        }
    }
}
