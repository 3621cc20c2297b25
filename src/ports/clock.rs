//! Time.

use async_trait::async_trait;

#[async_trait]
pub trait Clock: Send + Sync {
    /// Milliseconds since the epoch. On the platform it stands still between two I/O operations.
    fn now_ms(&self) -> u64;

    async fn sleep_ms(&self, ms: u64);
}
