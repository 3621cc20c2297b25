//! Gzip members, bounded in both directions.

use std::io::{Read, Write};

use flate2::{Compression, bufread::GzDecoder, write::GzEncoder};

use super::Corrupt;

/// One gzip member holding `raw`.
pub(super) fn compress(raw: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(raw.len() / 6 + 64), Compression::new(level));
    // Writing into a Vec cannot fail.
    let _ = encoder.write_all(raw);
    encoder.finish().unwrap_or_default()
}

/// The content of exactly one gzip member, its CRC checked; refuses to inflate past `max` bytes.
pub(super) fn inflate(member: &[u8], max: usize, what: &'static str) -> Result<Vec<u8>, Corrupt> {
    let mut raw = Vec::with_capacity(max.min(member.len().saturating_mul(8)));
    let mut decoder = GzDecoder::new(member);
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    (&mut decoder).take(limit).read_to_end(&mut raw).map_err(|e| Corrupt::damaged(what, e))?;
    if raw.len() > max {
        return Err(Corrupt::damaged(what, format!("inflates to more than {max} bytes")));
    }
    if !decoder.into_inner().is_empty() {
        return Err(Corrupt::damaged(what, "bytes after the gzip member"));
    }
    Ok(raw)
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
