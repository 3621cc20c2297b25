//! Counts of this isolate. The fetch handler and the objects of one isolate share them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::durable::client::appending_calls;
use crate::ports::{Counts, Meter};

/// One counter.
pub(super) struct Counter(AtomicU64);

impl Counter {
    const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(super) fn add(&self, n: usize) {
        self.0.fetch_add(n as u64, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub(super) static D1_ROWS_READ: Counter = Counter::new();
pub(super) static D1_ROWS_WRITTEN: Counter = Counter::new();
pub(super) static SHARD_ROWS_WRITTEN: Counter = Counter::new();
pub(super) static SHARD_REQUESTS: Counter = Counter::new();
pub(super) static SCANNER_REQUESTS: Counter = Counter::new();
pub(super) static KV_READS: Counter = Counter::new();
pub(super) static KV_WRITES: Counter = Counter::new();
pub(super) static LIMITER_REQUESTS: Counter = Counter::new();
pub(super) static LIMITER_ROWS_WRITTEN: Counter = Counter::new();
static LIMITER_FAILURES: Counter = Counter::new();
pub(super) static R2_WRITES: Counter = Counter::new();
pub(super) static R2_READS: Counter = Counter::new();
pub(super) static R2_LISTS: Counter = Counter::new();
pub(super) static R2_DELETES: Counter = Counter::new();

pub(super) struct Isolate;

impl Meter for Isolate {
    fn counts(&self) -> Counts {
        Counts {
            d1_rows_read: D1_ROWS_READ.get(),
            d1_rows_written: D1_ROWS_WRITTEN.get(),
            shard_rows_written: SHARD_ROWS_WRITTEN.get(),
            shard_requests: SHARD_REQUESTS.get() + appending_calls(),
            scanner_requests: SCANNER_REQUESTS.get(),
            kv_reads: KV_READS.get(),
            kv_writes: KV_WRITES.get(),
            limiter_requests: LIMITER_REQUESTS.get(),
            limiter_failures: LIMITER_FAILURES.get(),
            limiter_rows_written: LIMITER_ROWS_WRITTEN.get(),
            r2_writes: R2_WRITES.get(),
            r2_reads: R2_READS.get(),
            r2_lists: R2_LISTS.get(),
            r2_deletes: R2_DELETES.get(),
        }
    }

    fn limiter_failed(&self) {
        LIMITER_FAILURES.add(1);
    }
}
