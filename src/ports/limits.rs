//! The limiter, as a Worker sees it: one object for each tenant that all its isolates ask.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::engine::{
    limit::{Lease, Policy, Wish},
    tenant::Tenant,
};

/// The limiter of one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LimiterName {
    pub tenant: Tenant,
}

impl LimiterName {
    /// The object's name. A changed name is a new object that has counted nothing.
    pub fn to_name(&self) -> String {
        format!("{}/limits", self.tenant)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        let tenant = Tenant::parse(name.strip_suffix("/limits")?)?;
        Some(Self { tenant })
    }
}

/// What is asked of one counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub counter: String,
    pub policy: Policy,
    #[serde(flatten)]
    pub wish: Wish,
}

#[async_trait]
pub trait Limits: Send + Sync {
    /// Asks for units of several counters: all are granted, or none and `granted` is 0 in every lease. What is
    /// granted is durable. Not to be repeated after an error: the first may have been counted.
    async fn ask(&self, tenant: &Tenant, asks: &[Ask]) -> Result<Vec<Lease>, PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limiter_of_a_tenant_has_this_name_for_ever() {
        let limiter = LimiterName { tenant: Tenant::default_tenant() };
        assert_eq!(limiter.to_name(), "default/limits");
        assert_eq!(LimiterName::from_name("default/limits"), Some(limiter));
        for bad in ["default", "/limits", "default/limits/", "a/b/limits", "A/limits", "default/0"] {
            assert_eq!(LimiterName::from_name(bad), None, "{bad}");
        }
    }
}
