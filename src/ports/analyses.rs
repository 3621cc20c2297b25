//! What analyses of services have said.

use async_trait::async_trait;

use super::PortError;
use crate::engine::{record::timestamp::Timestamp, tenant::Tenant};

/// An analysis as it is kept. Its times are kept to the millisecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnalysis {
    /// A `UUIDv7`, so that the order of the ids is that of time.
    pub id: String,
    pub service: String,
    pub severity: String,
    pub analyzed_at: Timestamp,
    /// What was logged up to here is in it.
    pub until: Timestamp,
    /// All that it says, as JSON.
    pub data: String,
}

#[async_trait]
pub trait Analyses: Send + Sync {
    /// Writes an analysis; the same one again is replaced.
    async fn put(&self, tenant: &Tenant, analysis: &StoredAnalysis) -> Result<(), PortError>;

    /// Analyses of one service or of all, the newest first, behind the one with the id that is named.
    async fn list(
        &self,
        tenant: &Tenant,
        service: Option<&str>,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<StoredAnalysis>, PortError>;

    /// The newest of each service, by the names of the services, of so many services at the most.
    async fn latest(&self, tenant: &Tenant, limit: usize) -> Result<Vec<StoredAnalysis>, PortError>;

    /// Forgets all of a tenant.
    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError>;

    /// Forgets analyses of all tenants that were made before this.
    async fn forget(&self, before: Timestamp) -> Result<(), PortError>;
}
