//! The keys of an index's segments, in records of one length, so that the few that are wanted are read alone.

use std::ops::Range;

use super::{Header, Ordinal, coalesce, number, put_sealed, unseal, within};
use crate::engine::block::Corrupt;

/// Checksum and length of a key.
pub(super) const RECORD_HEAD: usize = 6;

/// Records that are no further apart are read as one.
const GAP_BYTES: u64 = 32 << 10;

/// The bytes of one key's record, for these keys.
pub(super) fn record_bytes(keys: &[String]) -> usize {
    RECORD_HEAD + keys.iter().map(String::len).max().unwrap_or(0)
}

/// Appends all records; they begin at `offset` of the object.
pub(super) fn write(bytes: &mut Vec<u8>, keys: &[String], identity: u64, offset: u64) {
    let record = record_bytes(keys);
    for (at, key) in (offset..).step_by(record).zip(keys) {
        let mut content = u16::try_from(key.len()).unwrap_or(u16::MAX).to_le_bytes().to_vec();
        content.extend_from_slice(key.as_bytes());
        content.resize(record.saturating_sub(4), 0);
        put_sealed(bytes, identity, at, &content);
    }
}

/// Which bytes to read for the keys of some segments.
pub fn plan(header: &Header, ordinals: &[Ordinal]) -> Vec<Range<u64>> {
    coalesce(ordinals.iter().filter_map(|ordinal| place(header, *ordinal)).collect(), GAP_BYTES)
}

/// The bytes of all keys.
pub fn all(header: &Header) -> Range<u64> {
    header.keys..header.body_bytes()
}

/// The key of a segment, from bytes that begin at `base` of the object.
pub fn read(header: &Header, base: u64, bytes: &[u8], ordinal: Ordinal) -> Result<String, Corrupt> {
    let what = "index key";
    let range = place(header, ordinal).ok_or_else(|| Corrupt::damaged(what, "there is no such segment"))?;
    let record = within(bytes, base, &range)
        .ok_or_else(|| Corrupt::damaged(what, "it lies outside the bytes fetched"))?;
    let mut content = unseal(header.frame.identity, range.start, record, what)?;
    let length = number::<2>(&mut content).and_then(|length| usize::try_from(length).ok());
    let key = length.and_then(|length| content.get(..length)).and_then(|key| std::str::from_utf8(key).ok());
    key.map(str::to_owned).ok_or_else(|| Corrupt::damaged(what, "it is no text"))
}

fn place(header: &Header, ordinal: Ordinal) -> Option<Range<u64>> {
    let (ordinal, record) = (u64::from(ordinal), u64::from(header.record));
    let start = header.keys + ordinal * record;
    (ordinal < u64::from(header.frame.segments)).then_some(start..start + record)
}
