//! The patterns that are known of each service, and what users say of them.

use async_trait::async_trait;

use super::PortError;
use crate::engine::{
    pattern::{Own, PatternId},
    record::{model::Level, timestamp::Timestamp},
    tenant::Tenant,
};

/// An id that rows are stored with, and the pattern that it leads to by now.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownPattern {
    pub service: String,
    pub id: PatternId,
    pub leads_to: PatternId,
    /// Of the pattern that it leads to.
    pub template: String,
    /// The worst level of the rows that it was first seen with.
    pub level: Level,
    pub first: Timestamp,
    pub own: Own,
}

#[async_trait]
pub trait Patterns: Send + Sync {
    /// Notes ids and where they lead; of one that is known only that.
    async fn note(&self, tenant: &Tenant, patterns: &[KnownPattern]) -> Result<(), PortError>;

    /// Those of a tenant, at most so many: those of which something was said first, then the newest, by service and id.
    async fn list(&self, tenant: &Tenant, limit: usize) -> Result<Vec<KnownPattern>, PortError>;

    /// Says something of a pattern; whether it is there.
    async fn say(&self, tenant: &Tenant, service: &str, id: PatternId, own: &Own) -> Result<bool, PortError>;

    /// Forgets all of a tenant, or all of one of its services.
    async fn erase(&self, tenant: &Tenant, service: Option<&str>) -> Result<(), PortError>;
}
