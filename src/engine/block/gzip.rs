//! Gzip members, bounded in both directions.

use flate2::{Compress, Compression, Crc, Decompress, FlushCompress, FlushDecompress, Status};

use super::Corrupt;

/// Deflate makes of a byte no more.
const MAX_RATIO: usize = 1_032;

/// A header without a name, a time or anything else.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// One gzip member holding `raw`.
pub(in crate::engine) fn compress(raw: &[u8], level: u32) -> Vec<u8> {
    Deflater::new(level).deflate(raw)
}

/// Makes many members of one level: what one needs is made once.
#[derive(Debug)]
pub(super) struct Deflater(Compress, u32);

impl Deflater {
    pub(super) fn new(level: u32) -> Self {
        Self(Compress::new(Compression::new(level), false), level)
    }

    pub(super) fn deflate(&mut self, raw: &[u8]) -> Vec<u8> {
        let mut member = Vec::with_capacity(raw.len() / 4 + 64);
        member.extend_from_slice(&HEADER);
        self.0.reset();
        loop {
            let read = usize::try_from(self.0.total_in()).unwrap_or(usize::MAX);
            let rest = raw.get(read..).unwrap_or_default();
            match self.0.compress_vec(rest, &mut member, FlushCompress::Finish) {
                Ok(Status::StreamEnd) => break,
                Ok(_) => member.reserve(raw.len() / 4 + 64),
                // Writing into a Vec cannot fail; if it did, the next one would begin anew.
                Err(_) => {
                    *self = Self::new(self.1);
                    return stored(raw);
                }
            }
        }
        end(member, raw)
    }
}

/// One gzip member holding `raw` as it is.
pub(super) fn stored(raw: &[u8]) -> Vec<u8> {
    let most = usize::from(u16::MAX);
    let blocks = raw.len().div_ceil(most).max(1);
    let mut member = Vec::with_capacity(raw.len() + 5 * blocks + 18);
    member.extend_from_slice(&HEADER);
    for nth in 0..blocks {
        let block = raw.get(nth * most..raw.len().min((nth + 1) * most)).unwrap_or_default();
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        member.push(u8::from(nth + 1 == blocks));
        member.extend_from_slice(&length.to_le_bytes());
        member.extend_from_slice(&(!length).to_le_bytes());
        member.extend_from_slice(block);
    }
    end(member, raw)
}

fn end(mut member: Vec<u8>, raw: &[u8]) -> Vec<u8> {
    let mut sum = Crc::new();
    sum.update(raw);
    member.extend_from_slice(&sum.sum().to_le_bytes());
    member.extend_from_slice(&sum.amount().to_le_bytes());
    member
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
    fn what_is_stored_as_it_is_inflates_too() {
        for length in [0, 1, 65_534, 65_535, 65_536, 140_000] {
            let raw: Vec<u8> = (0..length).map(|at: u32| at.to_le_bytes()[at as usize % 3]).collect();
            let member = stored(&raw);
            assert_eq!(inflate(&member, raw.len(), "block").as_deref(), Ok(&*raw));
            assert_eq!(member.len(), raw.len() + 18 + 5 * raw.len().div_ceil(65_535).max(1));
        }
    }

    #[test]
    fn one_deflater_makes_many_members() {
        let mut random = 1_u32;
        let mut byte = || {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            random.to_be_bytes()[0]
        };
        let like_random: Vec<u8> = (0..100_000).map(|_| byte()).collect();
        let line = b"one line\n";
        for level in [1, 6] {
            let mut deflater = Deflater::new(level);
            for raw in [&b""[..], b"a", &line.repeat(1_000), &like_random, &vec![7; 300_000], line] {
                let member = deflater.deflate(raw);
                assert_eq!(member, compress(raw, level));
                assert_eq!(inflate(&member, raw.len(), "block").as_deref(), Ok(raw));
            }
        }
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
