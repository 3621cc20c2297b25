//! Reading a segment back, from any part of it that has been fetched.

use serde::{Deserialize, de::DeserializeOwned};

use bytes::Bytes;

use super::{
    Block, BlockMeta, Corrupt, Footer, MAX_INFLATED_BYTES, Opened, VERSION,
    footer::{FooterOf, Skipped},
    gzip,
    segment::{END_FIELD, END_LEN},
};

/// A footer never inflates to more than this: 2,000 services and 20,000 minutes of
/// roll-up take about 2 MB.
const MAX_FOOTER_BYTES: usize = 16 << 20;

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Where the footer of a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FooterPlace {
    pub offset: u64,
    pub length: u64,
    crc: u32,
}

/// Reads the end marker: the last `END_LEN` bytes of a segment.
pub fn end_marker(end: &[u8]) -> Result<FooterPlace, Corrupt> {
    let field = |at: usize, len: usize| end.get(at..at + len).ok_or(Corrupt::NoEndMarker);
    let number = |at: usize, len: usize| {
        field(at, len).map(|bytes| bytes.iter().rev().fold(0_u64, |n, byte| n << 8 | u64::from(*byte)))
    };
    let framed = end.len() == END_LEN
        && field(0, 4)? == [0x1f, 0x8b, 8, 4]
        && number(10, 2)? == 20
        && field(12, 2)? == END_FIELD
        && number(14, 2)? == 16
        && field(32, 10)? == [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    if !framed {
        return Err(Corrupt::NoEndMarker);
    }
    let crc = u32::try_from(number(28, 4)?).map_err(|_| Corrupt::NoEndMarker)?;
    Ok(FooterPlace { offset: number(16, 8)?, length: number(24, 4)?, crc })
}

/// Reads a footer from its bytes and the end marker behind them.
pub fn footer(footer_and_end: &[u8]) -> Result<Footer, Corrupt> {
    footer_of_kind(footer_and_end)
}

/// The same without its roll-up, for who is to read rows by it.
pub fn footer_for_rows(footer_and_end: &[u8]) -> Result<Footer, Corrupt> {
    footer_of_kind(footer_and_end).map(FooterOf::<Skipped, Skipped>::without_rollup)
}

fn footer_of_kind<R: DeserializeOwned, F: DeserializeOwned + Default>(
    footer_and_end: &[u8],
) -> Result<FooterOf<R, F>, Corrupt> {
    let at = footer_and_end.len().checked_sub(END_LEN).ok_or(Corrupt::NoEndMarker)?;
    let (member, end) = footer_and_end.split_at(at);
    let place = end_marker(end)?;
    let mut crc = flate2::Crc::new();
    crc.update(member);
    if place.length != member.len() as u64 || place.crc != crc.sum() {
        return Err(Corrupt::damaged("footer", "its checksum differs from the end marker's"));
    }
    let text = gzip::inflate(member, MAX_FOOTER_BYTES, "footer")?;
    let read = serde_json::from_slice::<FooterOf<R, F>>(&text);
    // A later version need not have the fields of this one.
    let version = match &read {
        Ok(footer) => footer.version,
        Err(_) => serde_json::from_slice::<Versioned>(&text).map_or(0, |versioned| versioned.version),
    };
    if version > VERSION {
        return Err(Corrupt::UnknownVersion(version));
    }
    read.map_err(|e| Corrupt::damaged("footer", e))
}

/// The rows of one block as JSON lines, from the block's own bytes.
pub fn block(opened: &Opened, meta: &BlockMeta, bytes: Bytes) -> Result<Vec<u8>, Corrupt> {
    let text = if meta.heads.is_some() {
        let block = Block::new(opened, meta, bytes);
        let all: Vec<u32> = (0..meta.rows).collect();
        let mut text =
            Vec::with_capacity(usize::try_from(meta.raw_bytes).unwrap_or(0).min(MAX_INFLATED_BYTES));
        block.render(&all, |_, _, _, line| {
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
        })?;
        text
    } else {
        gzip::inflate(&bytes, MAX_INFLATED_BYTES, "block")?
    };
    if text.len() as u64 != meta.raw_bytes {
        return Err(Corrupt::damaged("block", "its length differs from the footer's"));
    }
    Ok(text)
}

/// The footer of a segment that is held whole.
pub fn footer_of(segment: &[u8]) -> Result<Footer, Corrupt> {
    footer(tail_of(segment)?)
}

/// The footer and end of a segment that is held whole.
pub fn tail_of(segment: &[u8]) -> Result<&[u8], Corrupt> {
    let at = segment.len().checked_sub(END_LEN).ok_or(Corrupt::NoEndMarker)?;
    let place = end_marker(segment.get(at..).unwrap_or_default())?;
    let from = usize::try_from(place.offset).map_err(|_| Corrupt::NoEndMarker)?;
    segment.get(from..).ok_or(Corrupt::NoEndMarker)
}

/// The text of every block of a segment that is held whole, in order.
pub fn blocks_of(segment: &[u8]) -> Result<Vec<Vec<u8>>, Corrupt> {
    let opened = Opened::new(footer_of(segment)?)?;
    let blocks = opened.footer.blocks.iter();
    blocks.map(|meta| block(&opened, meta, Bytes::copy_from_slice(slice(segment, 0, meta)?))).collect()
}

/// A block's bytes within `bytes`, which begin at `base` of the segment.
pub fn slice<'a>(bytes: &'a [u8], base: u64, meta: &BlockMeta) -> Result<&'a [u8], Corrupt> {
    let from = meta.offset.checked_sub(base).and_then(|n| usize::try_from(n).ok());
    let length = usize::try_from(meta.length).ok();
    from.zip(length)
        .and_then(|(from, length)| bytes.get(from..from.checked_add(length)?))
        .ok_or_else(|| Corrupt::damaged("block", "it lies outside the bytes fetched"))
}
