//! Accounts of tenants: where they are changed, and the copies that requests are checked against.

use async_trait::async_trait;

use super::PortError;
use crate::engine::{account::Account, record::timestamp::Timestamp, tenant::Tenant};

/// An account and how many times it was changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub tenant: Tenant,
    pub version: u64,
    pub account: Account,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    Done,
    /// Somebody else has changed it since it was read.
    Conflict,
    /// One of the domains is another tenant's.
    DomainTaken,
}

/// Addresses that are remembered of a key. Those of a key that is used from more are not new any more.
pub const MAX_ADDRESSES: u64 = 1_000;

/// When a key was last used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub key: String,
    pub last_used: Timestamp,
    pub addresses: u64,
}

#[async_trait]
pub trait Accounts: Send + Sync {
    async fn read(&self, tenant: &Tenant) -> Result<Option<Stored>, PortError>;

    /// Accounts in the order of their tenants' names, behind `after`.
    async fn list(&self, after: &str, limit: usize) -> Result<Vec<Stored>, PortError>;

    /// Stores an account in place of version `expected`, or a new one where none is expected. Its domains become its
    /// tenant's in the same transaction.
    async fn write(
        &self,
        tenant: &Tenant,
        account: &Account,
        expected: Option<u64>,
    ) -> Result<Written, PortError>;

    /// Takes an account of this version away, with its domains and what is known of its keys.
    async fn remove(&self, tenant: &Tenant, expected: u64) -> Result<Written, PortError>;

    /// Accounts of tenants that end.
    async fn closing(&self, limit: usize) -> Result<Vec<Stored>, PortError>;

    /// Accounts whose last change is not noted as copied, or was made after this time.
    async fn not_copied(&self, changed_after: Timestamp, limit: usize) -> Result<Vec<Stored>, PortError>;

    /// Notes that this version is copied. `false`: it is not the last one.
    async fn note_copied(&self, tenant: &Tenant, version: u64) -> Result<bool, PortError>;

    /// Notes that a key was used from an address. `true`: for the first time.
    async fn note_use(
        &self,
        tenant: &Tenant,
        key: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<bool, PortError>;

    async fn uses(&self, tenant: &Tenant) -> Result<Vec<KeyUse>, PortError>;
}

/// Copies by name, near to wherever they are read and up to a minute old there.
#[async_trait]
pub trait Copies: Send + Sync {
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, PortError>;

    async fn put(&self, name: &str, value: Vec<u8>) -> Result<(), PortError>;

    async fn delete(&self, name: &str) -> Result<(), PortError>;
}
