//! The partition index: which of up to 16,384 segments can hold a word, in one small read.
//!
//! A partition is a set of segments of one tenant. Its index is one immutable object that holds, in the
//! order of the words' hashes, each word's first 36 hash bits and the ordinals of the segments it occurs in. What
//! was measured against other structures is in docs/decisions/0003-partition-index.md, the bytes in FORMAT.md.
//!
//! ```
//! run    the words of one segment, written with it, kept until they are merged
//! merge  runs and indexes → an index; bounded memory
//! lookup a few words → the segments that can hold them
//! keys   an ordinal → the segment's object key
//! parts  the objects of an index; plan: which indexes become one
//! ```
//!
//! This room does no I/O: each of its machines says which bytes it wants and is fed them. Invariants: never a
//! wrong no, a word that a segment was indexed with finds it; a damaged, misplaced or truncated read is an error
//! and never an answer, so that the caller can take every segment for a possible one; an index is all that is
//! needed to make a larger or a smaller one of it.

mod bits;
pub mod header;
pub mod keys;
pub mod lookup;
pub mod merge;
pub mod names;
mod page;
pub mod parts;
pub mod plan;
mod postings;
pub mod run;
pub mod source;
mod zone;

pub use header::Header;
pub use lookup::Lookup;
pub use merge::{Merge, Options, Step};
pub use parts::Parts;
pub use source::Source;

use std::ops::Range;

use crate::engine::block::Corrupt;

/// The version written into every index and run; a reader takes this one only.
pub const VERSION: u32 = 1;

/// What is kept of a word's hash: its first bits. A word that occurs nowhere is found in pairs ÷ 2^36 segments
/// of a partition: in 0.009 of 10,000 segments with 60,000 words each.
pub const HASH_BITS: u32 = 36;

/// Segments of a partition at the most.
pub const MAX_SEGMENTS: usize = 1 << ORDINAL_BITS;

/// Bytes of a segment's key at the most.
pub const MAX_KEY_BYTES: usize = 1_024;

const ORDINAL_BITS: u32 = 14;

/// A segment's number within its partition.
pub type Ordinal = u16;

/// What is wrong with what a merge was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("{0} segments, {MAX_SEGMENTS} are the most of a partition")]
    TooManySegments(usize),
    #[error("a segment key of {0} bytes, {MAX_KEY_BYTES} are the most")]
    KeyTooLong(usize),
    #[error("a source numbers {0} segments, its index has {1}")]
    WrongMap(usize, u32),
    #[error("a source maps to segment {0}, the index has {1}")]
    NoSuchSegment(Ordinal, usize),
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// The part of a word's hash that indexes keep.
pub const fn prefix(hash: u64) -> u64 {
    hash >> (64 - HASH_BITS)
}

/// One word in one segment; sorts by word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair(u64);

impl Pair {
    const fn new(word: u64, ordinal: Ordinal) -> Self {
        Self(word << ORDINAL_BITS | ordinal as u64)
    }

    const fn word(self) -> u64 {
        self.0 >> ORDINAL_BITS
    }

    const fn ordinal(self) -> Ordinal {
        (self.0 & 0x3fff) as Ordinal
    }
}

/// The checksum of a part: of its bytes, of where it stands and of which object it belongs to.
fn seal(identity: u64, offset: u64, bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(&identity.to_le_bytes());
    crc.update(&offset.to_le_bytes());
    crc.update(bytes);
    crc.sum()
}

/// The content of a part that begins with its checksum.
fn unseal<'b>(identity: u64, offset: u64, part: &'b [u8], what: &'static str) -> Result<&'b [u8], Corrupt> {
    let (crc, content) =
        part.split_first_chunk::<4>().ok_or_else(|| Corrupt::damaged(what, "it is too short"))?;
    if u32::from_le_bytes(*crc) == seal(identity, offset, content) {
        Ok(content)
    } else {
        Err(Corrupt::damaged(what, "its checksum differs"))
    }
}

/// Appends a part that begins with its checksum.
fn put_sealed(bytes: &mut Vec<u8>, identity: u64, offset: u64, content: &[u8]) {
    bytes.extend_from_slice(&seal(identity, offset, content).to_le_bytes());
    bytes.extend_from_slice(content);
}

/// Takes a little-endian number of `N` bytes off the front.
fn number<const N: usize>(bytes: &mut &[u8]) -> Option<u64> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(head.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)))
}

/// The part of `bytes`, which begin at `base` of the object, that lies at `range`.
fn within<'b>(bytes: &'b [u8], base: u64, range: &Range<u64>) -> Option<&'b [u8]> {
    let from = usize::try_from(range.start.checked_sub(base)?).ok()?;
    let to = usize::try_from(range.end.checked_sub(base)?).ok()?;
    bytes.get(from..to)
}

/// Joins ranges that are at most `gap` apart; the ranges that come out are in order.
fn coalesce(mut ranges: Vec<Range<u64>>, gap: u64) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(gap) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests;
