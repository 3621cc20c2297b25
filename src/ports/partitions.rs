//! The catalog's other half: which segments are in which partition index.

use async_trait::async_trait;

use super::{
    CatalogEntry, PortError,
    catalog::{After, WalkFrom},
};
use crate::engine::{
    index::{Ordinal, Parts},
    query::TimeRange,
    record::timestamp::Timestamp,
    tenant::Tenant,
};

/// An index, and the segments it was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    pub tenant: String,
    /// A greater one is of a later index.
    pub number: u32,
    /// What the keys of its objects begin with.
    pub name: String,
    /// Of all its segments' rows, in whole milliseconds as in their entries.
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub pairs: u64,
    pub segments: u32,
    pub parts: Parts,
}

/// The indexes that a search concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlapping {
    pub partitions: Vec<Partition>,
    /// The greatest number of any index of the tenant: what is in a later one was not asked for.
    pub known: u32,
}

/// Which segments are wanted of a tenant that has indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of these partitions the segments with these numbers.
    pub some: Vec<(u32, Vec<Ordinal>)>,
    /// Of these partitions all; also those that are in no index, or in a later one than this.
    pub all: Vec<u32>,
    pub known: u32,
}

/// A moment of the catalog.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidates {
    /// Those asked for one by one, newest first.
    pub some: Vec<CatalogEntry>,
    /// The first page of the others.
    pub page: Vec<CatalogEntry>,
    pub as_of: u64,
}

/// A segment that gets a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// It is in no index, and has a run.
    New { max_time_ms: i64, key: String },
    /// It has that number in that index.
    Old { partition: u32, ordinal: Ordinal },
}

#[async_trait]
pub trait Partitions: Send + Sync {
    /// A tenant's indexes with segments that can hold rows of the range; with none of them `known` is 0.
    async fn overlapping(&self, tenant: &Tenant, range: TimeRange) -> Result<Overlapping, PortError>;

    /// The headers of some of a tenant's indexes, by their numbers; those that are gone are left out.
    async fn headers(&self, tenant: &Tenant, numbers: &[u32]) -> Result<Vec<(u32, Vec<u8>)>, PortError>;

    /// What is wanted of the range, all of it as of one moment.
    async fn candidates(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        wanted: &Wanted,
        limit: usize,
    ) -> Result<Candidates, PortError>;

    /// The page of the others behind `after`, of the same moment. Some may be in it that are not wanted.
    async fn candidates_behind(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        wanted: &Wanted,
        after: &After,
        as_of: u64,
        limit: usize,
    ) -> Result<Vec<CatalogEntry>, PortError>;

    /// The greatest number that an index of the tenant ever had, 0 when there was none.
    async fn last_number(&self, tenant: &str) -> Result<u32, PortError>;

    /// The indexes of every tenant, by tenant and number.
    async fn all(&self) -> Result<Vec<Partition>, PortError>;

    /// Segments with a run and in no index, of at least so many raw bytes or received before this, behind `from`
    /// in the order of `Catalog::walk`; without their summaries.
    async fn waiting(
        &self,
        from: &WalkFrom,
        raw_bytes: u64,
        received_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<CatalogEntry>, PortError>;

    /// The segments of an index that are still listed: their numbers and keys.
    async fn members(&self, tenant: &str, partition: u32) -> Result<Vec<(Ordinal, String)>, PortError>;

    /// Lists an index in place of others, and gives the segments their numbers in it: the nth member the number
    /// n. Objects of the others, and the runs, are noted for removal, and its own no longer. One transaction; when
    /// one of `gone` is not listed any more, or the tenant ever had an index of this number or a greater one, it
    /// does nothing and answers `false`: another run was faster. Members that are gone or elsewhere meanwhile are
    /// passed over.
    async fn put(
        &self,
        partition: &Partition,
        header: &[u8],
        members: &[Member],
        gone: &[Partition],
        now: Timestamp,
    ) -> Result<bool, PortError>;

    /// Takes an index out of the listing and notes its objects for removal. Its segments are in none then.
    async fn dissolve(&self, partition: &Partition, now: Timestamp) -> Result<(), PortError>;

    /// The same for all indexes of which no segment is left; how many those were.
    async fn dissolve_empty(&self, now: Timestamp) -> Result<u64, PortError>;

    /// Says of segments that they have no run, or one of this length; nothing of those that are in an index.
    async fn set_runs(&self, runs: &[(WalkFrom, Option<u64>)]) -> Result<(), PortError>;

    /// Sets an index's times to those of its segments.
    async fn measure(&self, partition: &Partition) -> Result<(), PortError>;
}
