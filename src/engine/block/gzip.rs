//! Gzip members, bounded in both directions.

use std::io::Write;

use flate2::{Compression, Decompress, FlushDecompress, Status, write::GzEncoder};

use super::Corrupt;

/// Deflate makes of a byte no more.
const MAX_RATIO: usize = 1_032;

/// One gzip member holding `raw`.
pub(super) fn compress(raw: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(raw.len() / 6 + 64), Compression::new(level));
    // Writing into a Vec cannot fail.
    let _ = encoder.write_all(raw);
    encoder.finish().unwrap_or_default()
}

/// The content of exactly one gzip member, its CRC checked; refuses to inflate past `max` bytes.
pub(super) fn inflate(member: &[u8], max: usize, what: &'static str) -> Result<Vec<u8>, Corrupt> {
    let size = member.last_chunk().map_or(0, |size| u32::from_le_bytes(*size) as usize);
    if size > max {
        return Err(Corrupt::damaged(what, format!("inflates to more than {max} bytes")));
    }
    // All at once, which is a third faster than a reader is; a size that is not true is an error.
    let mut raw = Vec::with_capacity(size.min(member.len().saturating_mul(MAX_RATIO)));
    let mut inflater = Decompress::new_gzip(15);
    let status = inflater.decompress_vec(member, &mut raw, FlushDecompress::Finish);
    match status.map_err(|e| Corrupt::damaged(what, e))? {
        Status::StreamEnd if inflater.total_in() == member.len() as u64 => Ok(raw),
        Status::StreamEnd => Err(Corrupt::damaged(what, "bytes after the gzip member")),
        Status::Ok | Status::BufError => Err(Corrupt::damaged(what, "the gzip member is not whole")),
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
