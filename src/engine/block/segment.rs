//! Writing a segment: `block* footer end`, see FORMAT.md.

use serde::{Deserialize, Serialize};

use super::{
    Corrupt, MAX_BLOCK_BYTES, MAX_BLOCK_ROWS, SegmentId, VERSION, gzip,
    rows::Row,
    summary::{self, Rollup, Summary},
};
use crate::engine::record::timestamp::Timestamp;

/// Level of stored blocks: a flush is rare, its bytes are paid for every month.
const STORED_LEVEL: u32 = 6;

/// Identifies the extra field of the end marker.
pub(super) const END_FIELD: [u8; 2] = *b"TL";

/// Length of the end marker: gzip header 10, extra length 2, field header 4, field 16, empty deflate
/// stream 2, CRC and size 8.
pub const END_LEN: usize = 42;

/// Everything known of a segment without reading its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Footer {
    pub format: String,
    pub version: u32,
    pub id: SegmentId,
    pub rows: u64,
    /// Bytes of all rows with their newlines, before compression.
    pub raw_bytes: u64,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub min_received: Timestamp,
    pub max_received: Timestamp,
    pub services: Summary,
    pub rollup: Rollup,
    pub blocks: Vec<BlockMeta>,
}

/// Where a block stands in the segment, and what it can hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockMeta {
    pub offset: u64,
    pub length: u64,
    pub rows: u32,
    pub raw_bytes: u64,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub min_received: Timestamp,
    pub max_received: Timestamp,
}

/// A finished segment.
#[derive(Clone, Debug)]
pub struct Segment {
    pub bytes: Vec<u8>,
    pub footer: Footer,
    /// Where the footer begins in `bytes`.
    pub footer_offset: u64,
}

impl Segment {
    pub fn object_key(&self) -> String {
        self.footer.id.object_key(self.footer.max_received)
    }
}

/// Writes the rows as one segment, sorted by time and then id. `None` when there are no rows.
pub fn write(id: SegmentId, mut rows: Vec<Row<'_>>) -> Result<Option<Segment>, Corrupt> {
    rows.sort_by_key(|row| (row.head.timestamp, row.head.id));
    let Some(first) = rows.first() else { return Ok(None) };
    let mut footer = Footer {
        format: "timberline-segment".into(),
        version: VERSION,
        id,
        rows: rows.len() as u64,
        raw_bytes: 0,
        min_time: first.head.timestamp,
        max_time: first.head.timestamp,
        min_received: first.head.received_at,
        max_received: first.head.received_at,
        services: Summary::new(),
        rollup: Rollup::default(),
        blocks: Vec::new(),
    };
    let mut bytes = Vec::new();
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let (block, behind) = rest.split_at(block_len(rest));
        rest = behind;
        let meta = write_block(&mut bytes, block);
        footer.raw_bytes += meta.raw_bytes;
        footer.min_time = footer.min_time.min(meta.min_time);
        footer.max_time = footer.max_time.max(meta.max_time);
        footer.min_received = footer.min_received.min(meta.min_received);
        footer.max_received = footer.max_received.max(meta.max_received);
        footer.blocks.push(meta);
    }
    for Row { head, line } in &rows {
        let stored = line.len() as u64 + 1;
        summary::count(&mut footer.services, &head.service, head.level, head.timestamp, stored);
        footer.rollup.count(&head.service, head.level, head.timestamp);
    }
    let footer_offset = bytes.len() as u64;
    let mut text = serde_json::to_vec(&footer).map_err(|e| Corrupt::damaged("footer", e))?;
    text.push(b'\n');
    let member = gzip::compress(&text, STORED_LEVEL);
    bytes.extend_from_slice(&member);
    bytes.extend_from_slice(&end_marker(footer_offset, &member));
    Ok(Some(Segment { bytes, footer, footer_offset }))
}

/// How many of the rows go into the next block; at least one.
fn block_len(rows: &[Row<'_>]) -> usize {
    let mut bytes = 0;
    let fits = |row: &&Row<'_>| {
        bytes += row.line.len() + 1;
        bytes <= MAX_BLOCK_BYTES
    };
    rows.iter().take(MAX_BLOCK_ROWS).take_while(fits).count().max(1)
}

fn write_block(bytes: &mut Vec<u8>, rows: &[Row<'_>]) -> BlockMeta {
    let mut raw = Vec::with_capacity(rows.iter().map(|row| row.line.len() + 1).sum());
    for row in rows {
        raw.extend_from_slice(row.line);
        raw.push(b'\n');
    }
    let member = gzip::compress(&raw, STORED_LEVEL);
    let offset = bytes.len() as u64;
    bytes.extend_from_slice(&member);
    let times = || rows.iter().map(|row| row.head.timestamp);
    let received = || rows.iter().map(|row| row.head.received_at);
    let zero = Timestamp::from_ms(0);
    BlockMeta {
        offset,
        length: member.len() as u64,
        rows: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        raw_bytes: raw.len() as u64,
        min_time: times().min().unwrap_or(zero),
        max_time: times().max().unwrap_or(zero),
        min_received: received().min().unwrap_or(zero),
        max_received: received().max().unwrap_or(zero),
    }
}

/// An empty gzip member that says where the footer is: tools that read gzip skip over it.
fn end_marker(footer_offset: u64, footer: &[u8]) -> [u8; END_LEN] {
    let mut crc = flate2::Crc::new();
    crc.update(footer);
    let mut end = [0_u8; END_LEN];
    let fields: [&[u8]; 9] = [
        // Magic, deflate, flag FEXTRA, no time, no extra flags, unknown system.
        &[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255],
        // Length of the extra area.
        &20_u16.to_le_bytes(),
        &END_FIELD,
        &16_u16.to_le_bytes(),
        &footer_offset.to_le_bytes(),
        &u32::try_from(footer.len()).unwrap_or(u32::MAX).to_le_bytes(),
        &crc.sum().to_le_bytes(),
        // An empty deflate stream.
        &[3, 0],
        // CRC and size of nothing.
        &[0; 8],
    ];
    for (slot, byte) in end.iter_mut().zip(fields.concat()) {
        *slot = byte;
    }
    end
}
