//! The bill: what this isolate has used of the parts that are paid by the operation.

use serde::Serialize;

/// Counts since the isolate began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub d1_rows_read: u64,
    pub d1_rows_written: u64,
    /// Rows that shards wrote, alarms included: a set alarm is billed as a row.
    pub shard_rows_written: u64,
    pub shard_requests: u64,
    pub scanner_requests: u64,
    pub kv_reads: u64,
    pub kv_writes: u64,
    pub limiter_requests: u64,
    /// Requests that were let through because the limiter could not be asked.
    pub limiter_failures: u64,
    pub limiter_rows_written: u64,
    pub r2_writes: u64,
    pub r2_reads: u64,
    pub r2_lists: u64,
    pub r2_deletes: u64,
}

pub trait Meter: Send + Sync {
    fn counts(&self) -> Counts;

    /// Counts a request that was let through because the limiter could not be asked.
    fn limiter_failed(&self);
}
