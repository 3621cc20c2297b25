//! What rules set off, and how often they held.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::PortError;
use crate::engine::{pipeline::Event, record::timestamp::Timestamp, tenant::Tenant};

/// How often a rule held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub rule: String,
    pub count: u64,
    pub last: Timestamp,
}

#[async_trait]
pub trait Events: Send + Sync {
    /// Notes events and how often rules held. An event that is there already counts on.
    async fn note(
        &self,
        tenant: &Tenant,
        events: &[Event],
        held: &BTreeMap<String, u64>,
        now: Timestamp,
    ) -> Result<(), PortError>;

    /// Events, those of the last windows first, behind the one that is named.
    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Event>, PortError>;

    async fn held(&self, tenant: &Tenant) -> Result<Vec<Held>, PortError>;

    /// Forgets all of a tenant.
    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError>;

    /// Forgets events of all tenants that were last seen before this.
    async fn forget(&self, before: Timestamp) -> Result<(), PortError>;
}
