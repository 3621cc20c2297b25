//! Rows: one canonical JSON object a line, as the writer makes them and the scanner reads them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Corrupt, MAX_BLOCK_BYTES, MAX_BLOCK_ROWS, MAX_INFLATED_BYTES, MAX_ROW_BYTES, gzip};
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

/// A record whose row would be longer than `MAX_ROW_BYTES`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    pub row_bytes: usize,
}

/// Encodes records into as few blocks as the limits allow, in the order given. It holds the rows of the
/// open block and what the others have been compressed to.
#[derive(Debug, Default)]
pub struct Encoder {
    closed: Vec<Encoded>,
    raw: Vec<u8>,
    open: Option<Span>,
}

/// What the rows of a block have in common.
#[derive(Clone, Copy, Debug)]
struct Span {
    rows: u32,
    min_time: Timestamp,
    max_time: Timestamp,
}

impl Encoder {
    /// Adds a record, or leaves everything as it was when its row is too long.
    pub fn push(&mut self, record: &Record) -> Result<Result<(), TooLong>, Corrupt> {
        let start = self.raw.len();
        if let Err(error) = serde_json::to_writer(&mut self.raw, record) {
            self.raw.truncate(start);
            return Err(Corrupt::damaged("record", error));
        }
        let row_bytes = self.raw.len() - start;
        if row_bytes > MAX_ROW_BYTES {
            self.raw.truncate(start);
            return Ok(Err(TooLong { row_bytes }));
        }
        self.raw.push(b'\n');
        if self.raw.len() > MAX_BLOCK_BYTES {
            self.close(start);
        }
        let time = record.timestamp;
        let before = self.open.unwrap_or(Span { rows: 0, min_time: time, max_time: time });
        let span = Span {
            rows: before.rows + 1,
            min_time: before.min_time.min(time),
            max_time: before.max_time.max(time),
        };
        self.open = Some(span);
        if span.rows as usize >= MAX_BLOCK_ROWS {
            self.close(self.raw.len());
        }
        Ok(Ok(()))
    }

    pub fn finish(mut self) -> Vec<Encoded> {
        self.close(self.raw.len());
        self.closed
    }

    /// Makes a block of the first `length` bytes, which are those of the open one.
    fn close(&mut self, length: usize) {
        if let (Some(span), Some(raw)) = (self.open.take(), self.raw.get(..length)) {
            self.closed.push(block_of(raw, span));
            self.raw.drain(..length);
        }
    }
}

fn block_of(raw: &[u8], Span { rows, min_time, max_time }: Span) -> Encoded {
    let codec = if raw.len() < RAW_BELOW_BYTES { Codec::Raw } else { Codec::Gzip };
    let bytes = match codec {
        Codec::Raw => raw.to_vec(),
        Codec::Gzip => gzip::compress(raw, TRANSIT_LEVEL),
    };
    // MAX_BLOCK_BYTES is far below u32::MAX.
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
