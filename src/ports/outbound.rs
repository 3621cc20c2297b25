//! Requests to the world outside.

use async_trait::async_trait;

use super::PortError;

#[async_trait]
pub trait Outbound: Send + Sync {
    /// The body of what is at a URL. Anything but a 200 is an error, a redirect too; so are a longer body and a
    /// longer wait.
    async fn get(&self, url: &str, max_bytes: usize, timeout_ms: u64) -> Result<Vec<u8>, PortError>;
}
