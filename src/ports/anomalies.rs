//! What was out of the ordinary in the logs of services.

use async_trait::async_trait;

use super::PortError;
use crate::engine::{query::TimeRange, record::timestamp::Timestamp, tenant::Tenant};

/// An anomaly as it is kept. Its times are kept to the millisecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnomaly {
    pub id: String,
    pub service: String,
    pub start: Timestamp,
    /// Of one that goes on, as far as it was seen.
    pub end: Timestamp,
    pub is_ongoing: bool,
    /// All that is said of it, as JSON.
    pub data: String,
}

#[async_trait]
pub trait Anomalies: Send + Sync {
    /// Writes anomalies, each id once; one that is there already is replaced.
    async fn put(&self, tenant: &Tenant, anomalies: &[StoredAnomaly]) -> Result<(), PortError>;

    /// Those that overlap a time, both ends included: the latest beginnings first, and of one beginning by id, the
    /// highest first.
    async fn list(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<StoredAnomaly>, PortError>;

    /// Forgets all of a tenant.
    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError>;

    /// Forgets anomalies of all tenants that ended before this, or have not been seen since.
    async fn forget(&self, before: Timestamp) -> Result<(), PortError>;
}
