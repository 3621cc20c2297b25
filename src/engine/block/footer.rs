//! The footer: everything known of a segment without reading its rows. FORMAT.md describes its JSON.

use serde::{Deserialize, Deserializer, Serialize, de::IgnoredAny};

use super::{
    Corrupt, Kind, MAX_BLOCK_ROWS, MAX_INFLATED_BYTES, SegmentId,
    facts::Facts,
    summary::{Rollup, Summary},
    view::Column,
};
use crate::engine::record::timestamp::Timestamp;

pub type Footer = FooterOf<Rollup, Facts>;

/// A footer with its roll-up and facts, or without: `Skipped`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(bound(deserialize = "R: Deserialize<'de>, F: Deserialize<'de> + Default"))]
pub struct FooterOf<R, F> {
    pub format: String,
    pub version: u32,
    pub id: SegmentId,
    pub rows: u64,
    /// Bytes of all rows as JSON lines.
    pub raw_bytes: u64,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub min_received: Timestamp,
    pub max_received: Timestamp,
    pub services: Summary,
    pub rollup: R,
    /// Absent in segments that were written before there were any, which loses a reader nothing.
    #[serde(default)]
    pub facts: F,
    /// The keys of the segments that this one was made of: it stands for them, whatever the catalog says. A
    /// reader of version 2 that does not know the field loses nothing, so the version stays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Whether the addresses in its rows are those of networks. Absent where nobody has looked; the version stays
    /// here as well.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub anonymised: bool,
    /// Absent in version 1, whose blocks are rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<ColumnMeta>,
    /// The columns of each shape of row, in the order of the row's JSON.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<Vec<u32>>,
    pub blocks: Vec<BlockMeta>,
}

/// A roll-up or facts that are passed over. They are most of a footer, the catalog has them, and who reads rows needs
/// them not.
#[derive(Default)]
pub(super) struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl FooterOf<Skipped, Skipped> {
    /// The footer with no roll-up in it.
    pub(super) fn without_rollup(self) -> Footer {
        FooterOf {
            format: self.format,
            version: self.version,
            id: self.id,
            rows: self.rows,
            raw_bytes: self.raw_bytes,
            min_time: self.min_time,
            max_time: self.max_time,
            min_received: self.min_received,
            max_received: self.max_received,
            services: self.services,
            rollup: Rollup::default(),
            facts: Facts::default(),
            sources: self.sources,
            anonymised: self.anonymised,
            columns: self.columns,
            shapes: self.shapes,
            blocks: self.blocks,
        }
    }
}

/// A column of a segment: a path through the rows' JSON, and what its values there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ColumnMeta {
    pub path: Vec<String>,
    pub kind: Kind,
    pub templates: Vec<String>,
    /// Where the filters of its blocks are: one gzip member, absent when they have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<Place>,
}

impl ColumnMeta {
    /// Where its values are in the rows' JSON, and what.
    pub(super) fn named(&self) -> (&[String], Kind) {
        (&self.path, self.kind)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub offset: u64,
    pub length: u64,
}

/// Where a block stands in the segment, and what it can hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockMeta {
    pub offset: u64,
    pub length: u64,
    pub rows: u32,
    /// Bytes of its rows as JSON lines.
    pub raw_bytes: u64,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub min_received: Timestamp,
    pub max_received: Timestamp,
    /// Lengths of the chunks of times, ids, times of receipt and shapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads: Option<[u64; 4]>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<BlockColumn>,
}

/// A column in a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockColumn {
    /// Which of the segment's.
    pub column: u32,
    /// How many of the block's rows have a value.
    pub rows: u32,
    /// Which of the column's templates its values have, and how many each.
    pub templates: Vec<(u32, u32)>,
    /// Lengths of its chunks, 0 for one that is not there.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub numbers: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub variables: u64,
    /// Length of its filter within the column's filters.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub filter: u64,
    /// Of a column of numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<(f64, f64)>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it so; on 32 bits it is as large as a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Refuses a block whose numbers do not add up, so that what reads it need not look again.
pub(super) fn check(block: &BlockMeta, columns: &[Column]) -> Result<(), Corrupt> {
    let wrong = |what: &str| Err(Corrupt::damaged("footer", format!("a block {what}")));
    if block.heads.is_none() {
        return Ok(());
    }
    if block.rows as usize > MAX_BLOCK_ROWS {
        return wrong("has too many rows");
    }
    let lengths = block.heads.into_iter().flatten();
    let mut lengths =
        lengths.chain(block.columns.iter().flat_map(|column| [column.numbers, column.variables]));
    if lengths.try_fold(0_u64, u64::checked_add) != Some(block.length) {
        return wrong("is not as long as its chunks");
    }
    let in_order = block.columns.is_sorted_by(|a, b| a.column < b.column);
    if !in_order || block.raw_bytes > MAX_INFLATED_BYTES as u64 {
        return wrong("has columns in no order, or too many bytes");
    }
    let mut values = 0;
    for column in &block.columns {
        let Some(known) = columns.get(column.column as usize) else { return wrong("has an unknown column") };
        let rows: u64 = column.templates.iter().map(|(_, count)| u64::from(*count)).sum();
        let there = column.templates.iter().all(|(template, count)| {
            let template = known.templates.get(*template as usize);
            values += template.map_or(0, |template| template.vars().count() as u64 * u64::from(*count));
            template.is_some() && *count > 0
        });
        if rows != u64::from(column.rows) || column.rows > block.rows || !there {
            return wrong("has a column that does not add up");
        }
    }
    // Each takes a byte of a row at least.
    if values > block.raw_bytes {
        return wrong("has more values than its rows can hold");
    }
    Ok(())
}
