//! The unit of storage: rows of canonical JSON in gzip members, and segments made of them.
//!
//! The byte layout is in FORMAT.md. This room turns rows into bytes and back; where the bytes live is
//! not its matter. Invariants: what a writer here wrote, a reader of this and of every later version
//! reads; a damaged byte is an error, never another row; no reader allocates more than the writer's
//! limits allow.

mod chunks;
mod column;
pub mod facts;
mod fields;
pub mod footer;
pub(in crate::engine) mod gzip;
mod ints;
pub mod key;
mod numbers;
pub mod packed;
pub mod parted;
pub mod reader;
mod ribbon;
pub mod rows;
pub mod segment;
mod shred;
pub mod summary;
mod template;
pub mod view;
mod weights;
pub mod words;

pub use chunks::received_of;
pub use column::{Distinct, Sought};
pub use facts::Facts;
pub use footer::{BlockColumn, BlockMeta, ColumnMeta, Footer};
pub use key::SegmentId;
pub use parted::Parted;
pub use segment::Segment;
pub use shred::Kind;
pub use summary::{Rollup, ServiceSummary, Summary};
pub use template::{HasWord, Template};
pub use view::{Block, Opened, Parts};
pub use weights::Weights;

/// The version written into every footer; a reader takes this one and all before it.
pub const VERSION: u32 = 2;

/// Rows of a block at the most: keeps a block's decoded form small enough to hold several at once.
pub const MAX_BLOCK_ROWS: usize = 8_192;

/// What a writer puts into a block of a segment; see docs/decisions/0004.
pub const MAX_SEGMENT_BLOCK_ROWS: usize = 4_096;

/// Raw bytes of a block at the most; a row that is larger has a block of its own.
pub const MAX_BLOCK_BYTES: usize = 2 << 20;

/// A stored row at the most, without its newline: a record of 256 KB can be four times as long in its stored
/// form, where `1e15` is `"1000000000000000.0"`.
pub const MAX_ROW_BYTES: usize = 1 << 20;

/// A reader inflates a block to no more than this: several times what a writer makes, so that no limit
/// of writers that changes makes stored rows unreadable.
pub const MAX_INFLATED_BYTES: usize = 4 * MAX_BLOCK_BYTES;

/// What can be wrong with stored bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    #[error("no end marker where the segment ends")]
    NoEndMarker,
    #[error("the footer has version {0}, this reader knows up to {VERSION}")]
    UnknownVersion(u32),
    #[error("damaged {what}: {reason}")]
    Damaged { what: &'static str, reason: String },
}

impl Corrupt {
    #[expect(clippy::needless_pass_by_value, reason = "used as `map_err(|e| damaged(…, e))`")]
    pub(crate) fn damaged(what: &'static str, reason: impl ToString) -> Self {
        Self::Damaged { what, reason: reason.to_string() }
    }
}

#[cfg(test)]
mod tests;
