//! The catalog: which segments there are, what waits in the spool, and each service's settings.

use std::sync::Arc;

use async_trait::async_trait;

use super::PortError;
use crate::engine::{
    block::{Facts, Footer, Rollup, Segment, SegmentId, Summary},
    config::ServiceConfig,
    index::{Ordinal, names},
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
    /// Where the filters begin, which lie before the footer; not known of entries of old.
    pub filters_offset: Option<u64>,
    /// The length of the object with its words, as long as it has one: see `engine::index`.
    pub words_bytes: Option<u64>,
    /// The index that it is in, and its number there.
    pub indexed: Option<(u32, Ordinal)>,
    /// The times are whole milliseconds: D1 keeps no finer number exactly. `min_time` is rounded down and
    /// `max_time` up, so the range holds every row.
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub min_received: Timestamp,
    pub max_received: Timestamp,
    pub services: Summary,
    /// Whether the addresses in its rows are those of networks, as its footer says or as was found since.
    pub anonymised: bool,
    /// Present in what is added; no listing brings it, `rollups` does.
    pub rollup: Option<Arc<Rollup>>,
    /// The same with `facts`.
    pub facts: Option<Arc<Facts>>,
    /// How many times the tenant's segments had been replaced when this was listed by `segments`.
    pub as_of: u64,
}

impl CatalogEntry {
    /// Whether no index has its words, nor will have.
    pub fn is_wordless(&self) -> bool {
        self.words_bytes.is_none() && self.indexed.is_none()
    }

    /// The entry of a segment just written.
    pub fn of(segment: &Segment) -> Self {
        Self::of_footer(&segment.footer, segment.bytes.len() as u64, segment.footer_offset)
    }

    /// The entry of an object of this size, whose footer begins there.
    pub fn of_footer(footer: &Footer, size_bytes: u64, footer_offset: u64) -> Self {
        Self {
            key: footer.id.object_key(footer.max_received),
            id: footer.id.clone(),
            rows: footer.rows,
            raw_bytes: footer.raw_bytes,
            size_bytes,
            footer_offset,
            filters_offset: footer.columns.iter().filter_map(|column| Some(column.filters?.offset)).min(),
            words_bytes: None,
            indexed: None,
            min_time: Timestamp::from_ms(footer.min_time.as_ms()),
            max_time: Timestamp::from_ms(footer.max_time.as_ns().saturating_add(999_999) / 1_000_000),
            min_received: footer.min_received,
            max_received: footer.max_received,
            services: footer.services.clone(),
            anonymised: footer.anonymised,
            rollup: Some(Arc::new(footer.rollup.clone())),
            facts: Some(Arc::new(footer.facts.clone())),
            as_of: 0,
        }
    }

    /// The keys of its objects.
    pub fn object_keys(&self) -> impl Iterator<Item = String> {
        let run = self.words_bytes.and_then(|_| names::run_key(&self.key));
        [Some(self.key.clone()), run].into_iter().flatten()
    }
}

/// What a tenant had stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    pub segments: u64,
    pub rows: u64,
    pub size_bytes: u64,
}

/// Where a listing of segments stands: the newest time and key of the last entry seen.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    pub max_time_ms: i64,
    pub key: String,
}

/// A place in the walk over all tenants' segments: that of one of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WalkFrom {
    pub tenant: String,
    pub max_time_ms: i64,
    pub key: String,
}

impl WalkFrom {
    pub fn behind(entry: &CatalogEntry) -> Self {
        let (tenant, key) = (entry.id.tenant.clone(), entry.key.clone());
        Self { tenant, max_time_ms: entry.max_time.as_ms(), key }
    }
}

/// Which segments a walk passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    All,
    /// Those of fewer raw bytes, and larger ones without words, whose newest row was received before this.
    Small {
        raw_bytes: u64,
        received_before: Timestamp,
    },
}

#[async_trait]
pub trait Catalog: Send + Sync {
    /// Adds segments, all or none; one that is there already stays as it is, and one whose object is noted
    /// for removal does not come back: a flush may be repeated after its segment was merged with others.
    async fn add(&self, segments: &[CatalogEntry]) -> Result<(), PortError>;

    /// A tenant's segments that can hold rows of the range, by their newest row, newest first; at most
    /// `limit`, behind `after`.
    async fn segments(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: Option<&After>,
        limit: usize,
    ) -> Result<Vec<CatalogEntry>, PortError>;

    /// The page behind `after` of a listing that began when so many replacements had been: a segment that was
    /// merged with others since is there, and the merged one is not. `segments` alone would miss the rows of
    /// what was merged into a segment that belongs on a page before, or bring others twice.
    async fn segments_as_of(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: &After,
        as_of: u64,
        limit: usize,
    ) -> Result<Vec<CatalogEntry>, PortError>;

    /// The roll-ups of segments that were listed, by their keys: also of those replaced since, until their
    /// removal is forgotten. In no order; what is not there is left out.
    async fn rollups(&self, segments: &[WalkFrom]) -> Result<Vec<(String, Rollup)>, PortError>;

    /// The facts of such segments, in the same way.
    async fn facts(&self, segments: &[WalkFrom]) -> Result<Vec<(String, Facts)>, PortError>;

    /// A tenant's segments that can hold a row received at this time.
    async fn received_at(&self, tenant: &Tenant, time: Timestamp) -> Result<Vec<CatalogEntry>, PortError>;

    /// Segments of every tenant in a fixed order, behind `from`: for jobs.
    async fn walk(&self, from: &WalkFrom, limit: usize, only: Only) -> Result<Vec<CatalogEntry>, PortError>;

    /// The same without what is known of them.
    async fn places(&self, from: &WalkFrom, limit: usize) -> Result<Vec<WalkFrom>, PortError>;

    /// Takes segments out of every listing and notes their objects for removal, and adds others, whose
    /// objects are then no longer noted, in the same transaction. When one of `gone` is not in the listings
    /// any more it does nothing and answers `false`: another run was faster.
    async fn replace(
        &self,
        gone: &[CatalogEntry],
        new: &[CatalogEntry],
        now: Timestamp,
    ) -> Result<bool, PortError>;

    /// Marks segments as anonymised that are listed: their objects stay as they are.
    async fn mark_anonymised(&self, segments: &[WalkFrom]) -> Result<(), PortError>;

    /// Notes objects for removal that no listing names: they are about to be written, and stay only when
    /// `replace` adds them.
    async fn note_removals(&self, keys: &[String], now: Timestamp) -> Result<(), PortError>;

    /// Keys of objects noted for removal before this time, at most `limit`, those noted first in front.
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

    /// Forgets everything of a tenant; how much that was.
    async fn erase(&self, tenant: &Tenant) -> Result<Erased, PortError>;

    /// Answers when the catalog can be read.
    async fn ping(&self) -> Result<(), PortError>;
}
