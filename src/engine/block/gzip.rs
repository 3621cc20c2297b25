//! Gzip members, bounded in both directions.

use std::io::Write;

use flate2::{Compression, Crc, Decompress, FlushDecompress, Status, write::GzEncoder};

use super::Corrupt;

/// Deflate makes of a byte no more.
const MAX_RATIO: usize = 1_032;

/// One gzip member holding `raw`.
pub(in crate::engine) fn compress(raw: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(raw.len() / 6 + 64), Compression::new(level));
    // Writing into a Vec cannot fail.
    let _ = encoder.write_all(raw);
    encoder.finish().unwrap_or_default()
}

/// The content of exactly one gzip member, its CRC checked; refuses to inflate past `max` bytes.
pub(in crate::engine) fn inflate(member: &[u8], max: usize, what: &'static str) -> Result<Vec<u8>, Corrupt> {
    Inflater::default().inflate(member, max, what)
}

/// Inflates many members: what one needs is made once.
#[derive(Debug)]
pub(super) struct Inflater(Decompress);

impl Default for Inflater {
    fn default() -> Self {
        Self(Decompress::new(false))
    }
}

impl Inflater {
    pub(super) fn inflate(
        &mut self,
        member: &[u8],
        max: usize,
        what: &'static str,
    ) -> Result<Vec<u8>, Corrupt> {
        let damaged = |reason: &str| Corrupt::damaged(what, reason);
        // Without a name, a comment or anything else: as it is written here.
        let deflated = member.strip_prefix(&[0x1f, 0x8b, 8, 0]).and_then(|rest| rest.get(6..));
        let deflated = deflated.ok_or_else(|| damaged("it is no gzip member, or one with a name"))?;
        let ends_early = || damaged("the gzip member is not whole");
        let (deflated, size) = deflated.split_last_chunk().ok_or_else(ends_early)?;
        let (deflated, crc) = deflated.split_last_chunk().ok_or_else(ends_early)?;
        let size = u32::from_le_bytes(*size) as usize;
        if size > max {
            return Err(damaged(&format!("inflates to more than {max} bytes")));
        }
        // All at once, which is a third faster than a reader is; a size that is not true is an error.
        let mut raw = Vec::with_capacity(size.min(deflated.len().saturating_mul(MAX_RATIO)));
        self.0.reset(false);
        let status = self.0.decompress_vec(deflated, &mut raw, FlushDecompress::Finish);
        let status = status.map_err(|e| Corrupt::damaged(what, e))?;
        if status != Status::StreamEnd || self.0.total_in() != deflated.len() as u64 || raw.len() != size {
            return Err(damaged("the gzip member is not as long as it says"));
        }
        let mut sum = Crc::new();
        sum.update(&raw);
        if sum.sum() == u32::from_le_bytes(*crc) { Ok(raw) } else { Err(damaged("its checksum differs")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_inflates_to_what_went_in_and_never_past_its_limit() {
        let raw = b"one line\n".repeat(100);
        let member = compress(&raw, 6);
        assert_eq!(inflate(&member, raw.len(), "block"), Ok(raw.clone()));
        assert!(inflate(&member, raw.len() - 1, "block").is_err());
        assert!(inflate(&[&member[..], &[0]].concat(), 1 << 20, "block").is_err());
        assert_eq!(inflate(&compress(b"", 6), 0, "block"), Ok(Vec::new()));
        assert!(inflate(b"", 0, "block").is_err());
    }

    #[test]
    fn a_changed_byte_never_reads_as_something_else() {
        let raw = b"one line\n".repeat(100);
        let member = compress(&raw, 6);
        for at in 10..member.len() {
            let mut damaged = member.clone();
            damaged[at] ^= 0x10;
            // The last byte of a deflate stream has bits that mean nothing.
            let read = inflate(&damaged, 1 << 20, "block");
            assert!(read.is_err() || read == Ok(raw.clone()), "byte {at}");
        }
        assert!(inflate(&member[..member.len() - 1], 1 << 20, "block").is_err());
    }
}
