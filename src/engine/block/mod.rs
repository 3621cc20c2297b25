//! The unit of storage: rows of canonical JSON in gzip members, and segments made of them.
//!
//! The byte layout is in FORMAT.md. This room turns rows into bytes and back; where the bytes live is
//! not its matter. Invariants: what a writer here wrote, a reader of this and of every later version
//! reads; a damaged byte is an error, never another row; no reader allocates more than the writer's
//! limits allow.

mod gzip;
pub mod key;
pub mod reader;
pub mod rows;
pub mod segment;
pub mod summary;

pub use key::SegmentId;
pub use segment::{BlockMeta, Footer, Segment};
pub use summary::{Rollup, ServiceSummary, Summary};

/// The version written into every footer; a reader takes this one and all before it.
pub const VERSION: u32 = 1;

/// Rows of a block at the most: keeps a block's decoded form small enough to hold several at once.
pub const MAX_BLOCK_ROWS: usize = 8_192;

/// Raw bytes after which a block is closed. One row may reach over it.
pub const MAX_BLOCK_BYTES: usize = 2 << 20;

/// A block never inflates to more than this: the close mark plus the largest row, twice over because
/// normalising can lengthen a record.
pub const MAX_INFLATED_BYTES: usize = MAX_BLOCK_BYTES + (1 << 20);

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
