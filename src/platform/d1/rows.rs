//! Rows of the catalog as D1 gives them.

use serde::Deserialize;

use crate::{
    engine::{
        index::{Ordinal, Parts},
        record::timestamp::Timestamp,
    },
    ports::{CatalogEntry, partitions::Partition},
};

#[derive(Deserialize)]
pub(super) struct SegmentRow {
    key: String,
    max_ms: i64,
    min_ms: i64,
    min_received_ms: i64,
    max_received_ms: i64,
    id: String,
    rows: u64,
    raw_bytes: u64,
    size_bytes: u64,
    footer_offset: u64,
    filters_offset: Option<u64>,
    words_bytes: Option<u64>,
    indexed_in: Option<u32>,
    ordinal: Option<Ordinal>,
    services: String,
    anonymised: u8,
    #[serde(default)]
    as_of: u64,
}

impl SegmentRow {
    fn entry(self) -> Result<CatalogEntry, worker::Error> {
        Ok(CatalogEntry {
            key: self.key,
            id: serde_json::from_str(&self.id)?,
            rows: self.rows,
            raw_bytes: self.raw_bytes,
            size_bytes: self.size_bytes,
            footer_offset: self.footer_offset,
            filters_offset: self.filters_offset,
            words_bytes: self.words_bytes,
            indexed: self.indexed_in.zip(self.ordinal),
            min_time: Timestamp::from_ms(self.min_ms),
            max_time: Timestamp::from_ms(self.max_ms),
            min_received: Timestamp::from_ms(self.min_received_ms),
            max_received: Timestamp::from_ms(self.max_received_ms),
            services: serde_json::from_str(&self.services)?,
            anonymised: self.anonymised != 0,
            rollup: None,
            facts: None,
            as_of: self.as_of,
        })
    }
}

pub(super) fn entries(rows: Vec<SegmentRow>) -> Result<Vec<CatalogEntry>, worker::Error> {
    rows.into_iter().map(SegmentRow::entry).collect()
}

#[derive(Deserialize)]
pub(super) struct PartitionRow {
    tenant: String,
    number: u32,
    name: String,
    min_ms: i64,
    max_ms: i64,
    pairs: u64,
    segments: u32,
    parts: String,
    #[serde(default)]
    pub(super) known: u32,
}

impl PartitionRow {
    pub(super) fn partition(self) -> Result<Partition, worker::Error> {
        let parts = Parts::new(serde_json::from_str(&self.parts)?);
        Ok(Partition {
            tenant: self.tenant,
            number: self.number,
            name: self.name,
            min_time: Timestamp::from_ms(self.min_ms),
            max_time: Timestamp::from_ms(self.max_ms),
            pairs: self.pairs,
            segments: self.segments,
            parts: parts.map_err(|corrupt| corrupt.to_string())?,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct KeyRow {
    pub(super) key: String,
}

#[derive(Deserialize)]
pub(super) struct ColumnRow {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
pub(super) struct PlaceRow {
    pub(super) tenant: String,
    pub(super) max_ms: i64,
    pub(super) key: String,
}

#[derive(Default, Deserialize)]
pub(super) struct ErasedRow {
    pub(super) segments: u64,
    pub(super) rows: u64,
    pub(super) size_bytes: u64,
}

#[derive(Deserialize)]
pub(super) struct ConfigRow {
    pub(super) config: String,
}
