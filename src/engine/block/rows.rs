//! Rows: one canonical JSON object a line, as the writer makes them and the scanner reads them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::{Corrupt, MAX_BLOCK_BYTES, MAX_BLOCK_ROWS, MAX_INFLATED_BYTES, MAX_ROW_BYTES, gzip};
use crate::engine::record::{
    model::Record,
    row::{self, RowHead},
    timestamp::Timestamp,
};

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
    /// What came before `Lz4`; logs and spooled objects may still hold it.
    Gzip,
    /// Raw length (4 bytes), XXH3-64 of what follows (8 bytes), an LZ4 block.
    Lz4,
}

/// Below this many bytes a block stays raw.
const RAW_BELOW_BYTES: usize = 4 << 10;

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
    written: usize,
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
        let mut failed = None;
        let pushed = self.push_written(|row| {
            failed = serde_json::to_writer(row, record).err();
            failed.is_none().then_some(record.timestamp)
        });
        pushed.ok_or_else(|| Corrupt::damaged("record", failed.map_or_else(String::new, |e| e.to_string())))
    }

    /// Adds a row of this time that `write` appends, or leaves everything as it was: when it appends none, or
    /// one that is too long.
    pub fn push_written(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Option<Timestamp>,
    ) -> Option<Result<(), TooLong>> {
        let start = self.raw.len();
        let Some(time) = write(&mut self.raw) else {
            self.raw.truncate(start);
            return None;
        };
        let row_bytes = self.raw.len() - start;
        if row_bytes > MAX_ROW_BYTES {
            self.raw.truncate(start);
            return Some(Err(TooLong { row_bytes }));
        }
        self.raw.push(b'\n');
        self.written = self.written.saturating_add(row_bytes + 1);
        if self.raw.len() > MAX_BLOCK_BYTES {
            self.close(start);
        }
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
        Some(Ok(()))
    }

    /// Bytes of all rows so far.
    pub fn written(&self) -> usize {
        self.written
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
    let (codec, bytes) =
        if raw.len() < RAW_BELOW_BYTES { (Codec::Raw, raw.to_vec()) } else { (Codec::Lz4, lz4(raw)) };
    // MAX_BLOCK_BYTES is far below u32::MAX.
    let raw_bytes = u32::try_from(raw.len()).unwrap_or(u32::MAX);
    Encoded { codec, rows, raw_bytes, min_time, max_time, bytes }
}

/// The rows' text of a block.
pub fn decode(codec: Codec, bytes: &[u8]) -> Result<Cow<'_, [u8]>, Corrupt> {
    match codec {
        Codec::Raw => Ok(Cow::Borrowed(bytes)),
        Codec::Gzip => gzip::inflate(bytes, MAX_INFLATED_BYTES, "block").map(Cow::Owned),
        Codec::Lz4 => unlz4(bytes).map(Cow::Owned),
    }
}

/// On their way to the shard blocks are packed fast: the flush writes them again, better.
fn lz4(raw: &[u8]) -> Vec<u8> {
    let packed = lz4_flex::block::compress(raw);
    // MAX_BLOCK_BYTES is far below u32::MAX.
    let mut bytes = u32::try_from(raw.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    bytes.reserve(8 + packed.len());
    bytes.extend(xxh3_64(&packed).to_le_bytes());
    bytes.extend(packed);
    bytes
}

fn unlz4(bytes: &[u8]) -> Result<Vec<u8>, Corrupt> {
    let damaged = |reason: &str| Corrupt::damaged("block", reason);
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| damaged("it ends early"))?;
    let (hash, packed) = rest.split_first_chunk::<8>().ok_or_else(|| damaged("it ends early"))?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_INFLATED_BYTES {
        return Err(damaged("it is larger than a block"));
    }
    if u64::from_le_bytes(*hash) != xxh3_64(packed) {
        return Err(damaged("its checksum differs"));
    }
    let raw = lz4_flex::block::decompress(packed, length).map_err(|e| Corrupt::damaged("block", e))?;
    if raw.len() == length { Ok(raw) } else { Err(damaged("it is not as long as it says")) }
}

/// Reads the head of every row in a block's text.
pub fn rows(text: &[u8]) -> impl Iterator<Item = Result<Row<'_>, Corrupt>> {
    lines(text).map(|line| {
        let head = RowHead::parse(line).map_err(|e| Corrupt::damaged("row", e))?;
        Ok(Row { head, line })
    })
}

/// The lines of a block's text that are not empty.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let ends = memchr::memchr_iter(b'\n', text).chain(std::iter::once(text.len()));
    let mut from = 0;
    ends.filter_map(move |end| {
        let line = text.get(from..end)?;
        from = end + 1;
        (!line.is_empty()).then_some(line)
    })
}

impl Row<'_> {
    /// How many records it stands for.
    pub fn weight(&self) -> u64 {
        row::weight(self.line).into()
    }

    /// The whole record.
    pub fn record(&self) -> Result<Record, Corrupt> {
        serde_json::from_slice(self.line).map_err(|e| Corrupt::damaged("row", e))
    }
}
