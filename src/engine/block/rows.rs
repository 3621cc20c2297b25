//! Rows: one canonical JSON object a line, as the writer makes them and the scanner reads them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Corrupt, MAX_BLOCK_BYTES, MAX_BLOCK_ROWS, MAX_INFLATED_BYTES, gzip};
use crate::engine::record::{model::Record, row::RowHead, timestamp::Timestamp};

/// A row with its head read.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    pub head: RowHead<'a>,
    /// The JSON object, without its newline.
    pub line: &'a [u8],
}

/// How a block's bytes are kept until they are part of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// A handful of rows: compressing them would cost more than it saves before the flush.
    Raw,
    Gzip,
}

/// Below this many bytes a block stays raw.
const RAW_BELOW_BYTES: usize = 4 << 10;

/// Level for blocks on their way to the shard: they are written again, better, at the flush.
const TRANSIT_LEVEL: u32 = 1;

/// Rows encoded as one block, with what its keeper must know without decoding it.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    pub codec: Codec,
    pub rows: u32,
    pub raw_bytes: u32,
    pub min_time: Timestamp,
    pub max_time: Timestamp,
    pub bytes: Vec<u8>,
}

/// Encodes records into as few blocks as the limits allow, in the order given.
pub fn encode<'r>(records: impl IntoIterator<Item = &'r Record>) -> Result<Vec<Encoded>, Corrupt> {
    let mut blocks = Vec::new();
    let mut raw = Vec::new();
    let mut open: Option<(u32, Timestamp, Timestamp)> = None;
    for record in records {
        serde_json::to_writer(&mut raw, record).map_err(|e| Corrupt::damaged("record", e))?;
        raw.push(b'\n');
        let time = record.timestamp;
        let (rows, min, max) =
            open.map_or((1, time, time), |(n, min, max)| (n + 1, time.min(min), time.max(max)));
        open = Some((rows, min, max));
        if raw.len() >= MAX_BLOCK_BYTES || rows as usize >= MAX_BLOCK_ROWS {
            blocks.push(close(&raw, rows, min, max));
            raw.clear();
            open = None;
        }
    }
    if let Some((rows, min, max)) = open {
        blocks.push(close(&raw, rows, min, max));
    }
    Ok(blocks)
}

fn close(raw: &[u8], rows: u32, min_time: Timestamp, max_time: Timestamp) -> Encoded {
    let codec = if raw.len() < RAW_BELOW_BYTES { Codec::Raw } else { Codec::Gzip };
    let bytes = match codec {
        Codec::Raw => raw.to_vec(),
        Codec::Gzip => gzip::compress(raw, TRANSIT_LEVEL),
    };
    // MAX_INFLATED_BYTES is far below u32::MAX.
    let raw_bytes = u32::try_from(raw.len()).unwrap_or(u32::MAX);
    Encoded { codec, rows, raw_bytes, min_time, max_time, bytes }
}

/// The rows' text of a block.
pub fn decode(codec: Codec, bytes: &[u8]) -> Result<Cow<'_, [u8]>, Corrupt> {
    match codec {
        Codec::Raw => Ok(Cow::Borrowed(bytes)),
        Codec::Gzip => gzip::inflate(bytes, MAX_INFLATED_BYTES, "block").map(Cow::Owned),
    }
}

/// Reads the head of every row in a block's text.
pub fn rows(text: &[u8]) -> impl Iterator<Item = Result<Row<'_>, Corrupt>> {
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(|line| {
        let head = RowHead::parse(line).map_err(|e| Corrupt::damaged("row", e))?;
        Ok(Row { head, line })
    })
}

impl Row<'_> {
    /// The whole record.
    pub fn record(&self) -> Result<Record, Corrupt> {
        serde_json::from_slice(self.line).map_err(|e| Corrupt::damaged("row", e))
    }
}
