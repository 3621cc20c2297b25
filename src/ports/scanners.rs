//! Scanners, as a Worker sees them: objects that look into segments for it, each with its own CPU and memory.

use async_trait::async_trait;

use super::PortError;
use crate::engine::tenant::Tenant;

/// One scanner of one tenant. It keeps nothing that is not elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScannerName {
    pub tenant: Tenant,
    pub number: u32,
}

impl ScannerName {
    /// The object's name.
    pub fn to_name(&self) -> String {
        format!("{}/scanner-{}", self.tenant, self.number)
    }

    pub fn from_name(name: &str) -> Option<Self> {
        let (tenant, number) = name.split_once("/scanner-")?;
        Some(Self { tenant: Tenant::stored(tenant)?, number: number.parse().ok()? })
    }
}

#[async_trait]
pub trait Scanners: Send + Sync {
    /// Has a scanner do a job. What jobs and answers say is the caller's business and the scanner's; asking again
    /// changes nothing.
    async fn scan(&self, scanner: &ScannerName, job: Vec<u8>) -> Result<Vec<u8>, PortError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scanner_is_called_by_its_tenant_and_number() {
        let scanner = ScannerName { tenant: Tenant::default_tenant(), number: 7 };
        assert_eq!(scanner.to_name(), "default/scanner-7");
        assert_eq!(ScannerName::from_name("default/scanner-7"), Some(scanner));
        for bad in ["default", "default/7", "default/scanner-", "/scanner-3", "a/b/scanner-3", "A/scanner-3"]
        {
            assert_eq!(ScannerName::from_name(bad), None, "{bad}");
        }
    }
}
