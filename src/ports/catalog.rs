//! The catalog: which segments there are, what waits in the spool, and each service's settings.

use async_trait::async_trait;

use super::PortError;
use crate::engine::{
    block::{Footer, Rollup, Segment, SegmentId, Summary},
    config::ServiceConfig,
    query::TimeRange,
    record::timestamp::Timestamp,
    tenant::Tenant,
};

/// One segment, as the catalog knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct CatalogEntry {
    /// The object's key; also the entry's identity.
    pub key: String,
    pub id: SegmentId,
    pub rows: u64,
    pub raw_bytes: u64,
    pub size_bytes: u64,
    pub footer_offset: u64,
    /// The times are whole milliseconds: D1 keeps no finer number exactly. `min_time` is rounded down and
    /// `max_time` up, so the range holds every row.
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub min_received: Timestamp,
    pub max_received: Timestamp,
    pub services: Summary,
    /// Present in what is added, and in what is listed with `Detail::Rollups`.
    pub rollup: Option<Rollup>,
}

/// How much of each entry a listing brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    Summaries,
    Rollups,
}

impl CatalogEntry {
    /// The entry of a segment just written.
    pub fn of(segment: &Segment) -> Self {
        let footer: &Footer = &segment.footer;
        Self {
            key: segment.object_key(),
            id: footer.id.clone(),
            rows: footer.rows,
            raw_bytes: footer.raw_bytes,
            size_bytes: segment.bytes.len() as u64,
            footer_offset: segment.footer_offset,
            min_time: Timestamp::from_ms(footer.min_time.as_ms()),
            max_time: Timestamp::from_ms(footer.max_time.as_ns().saturating_add(999_999) / 1_000_000),
            min_received: footer.min_received,
            max_received: footer.max_received,
            services: footer.services.clone(),
            rollup: Some(footer.rollup.clone()),
        }
    }
}

/// Where a listing of segments stands: the newest time and key of the last entry seen.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    pub max_time_ms: i64,
    pub key: String,
}

/// A place in the walk over all tenants' segments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WalkFrom {
    pub tenant: String,
    pub max_time_ms: i64,
    pub key: String,
}

#[async_trait]
pub trait Catalog: Send + Sync {
    /// Adds segments, all or none; one that is there already stays as it is.
    async fn add(&self, segments: &[CatalogEntry]) -> Result<(), PortError>;

    /// A tenant's segments that can hold rows of the range, by their newest row, newest first; at most
    /// `limit`, behind `after`.
    async fn segments(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: Option<&After>,
        limit: usize,
        detail: Detail,
    ) -> Result<Vec<CatalogEntry>, PortError>;

    /// A tenant's segments that can hold a row received at this time.
    async fn received_at(&self, tenant: &Tenant, time: Timestamp) -> Result<Vec<CatalogEntry>, PortError>;

    /// Segments of every tenant in a fixed order, behind `from`: for jobs.
    async fn walk(&self, from: &WalkFrom, limit: usize) -> Result<Vec<CatalogEntry>, PortError>;

    /// Takes segments out of every listing and notes their objects for removal, and adds others in
    /// the same transaction.
    async fn replace(
        &self,
        gone: &[CatalogEntry],
        new: &[CatalogEntry],
        now: Timestamp,
    ) -> Result<(), PortError>;

    /// Keys of objects noted for removal before this time, at most `limit`.
    async fn removals(&self, noted_before: Timestamp, limit: usize) -> Result<Vec<String>, PortError>;

    /// Forgets removals whose objects are gone.
    async fn forget_removals(&self, keys: &[String]) -> Result<(), PortError>;

    /// Notes an object of the spool, so that readers find it.
    async fn note_spooled(&self, tenant: &str, key: &str) -> Result<(), PortError>;

    /// A tenant's spooled objects.
    async fn spooled(&self, tenant: &Tenant, limit: usize) -> Result<Vec<String>, PortError>;

    async fn forget_spooled(&self, keys: &[String]) -> Result<(), PortError>;

    /// The settings of every service of a tenant that has some.
    async fn service_configs(&self, tenant: &Tenant) -> Result<Vec<ServiceConfig>, PortError>;

    async fn put_service_config(&self, tenant: &Tenant, config: &ServiceConfig) -> Result<(), PortError>;

    /// Answers when the catalog can be read.
    async fn ping(&self) -> Result<(), PortError>;
}
