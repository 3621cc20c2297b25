//! Rows: one canonical JSON object a line, as scanners read them, and the blocks that they come to a shard in.

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Corrupt, MAX_BLOCK_BYTES, MAX_BLOCK_ROWS, MAX_INFLATED_BYTES, MAX_ROW_BYTES, gzip,
    packed::{self, Body, Packed, Packer},
    parted::Head,
};
use crate::engine::record::{
    field::Values,
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
    /// Lines of JSON as they are. This and the next two came before `Packed`: logs and spooled objects may still hold them.
    Raw,
    Gzip,
    /// Raw length (4 bytes), XXH3-64 of what follows (8 bytes), an LZ4 block.
    Lz4,
    /// The same of the values of rows; what is as long as its raw length is no LZ4 block, but the values themselves.
    Packed,
}

/// Fewer bytes are not compressed: that would cost more than it saves before the flush.
const PLAIN_BELOW_BYTES: usize = 4 << 10;

/// Rows encoded as one block, with what its keeper must know without decoding it.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    pub codec: Codec,
    pub rows: u32,
    /// Of its rows as lines.
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
    packer: Packer,
    open: Option<Span>,
    written: usize,
}

/// What the rows of a block have in common.
#[derive(Clone, Copy, Debug)]
struct Span {
    rows: u32,
    /// Of their lines.
    raw_bytes: usize,
    min_time: Timestamp,
    max_time: Timestamp,
}

impl Encoder {
    /// Adds a record, or leaves everything as it was when its row is too long.
    pub fn push(&mut self, record: &Record) -> Result<Result<(), TooLong>, Corrupt> {
        let mut failed = None;
        let pushed = self.push_line(|line| {
            failed = serde_json::to_writer(line, record).err();
            failed.is_none().then_some(record.timestamp)
        });
        pushed.ok_or_else(|| Corrupt::damaged("record", failed.map_or_else(String::new, |e| e.to_string())))
    }

    /// Adds a row of this time whose JSON `write` appends, or leaves everything as it was: when it appends none, or
    /// one that is too long.
    pub fn push_line(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Option<Timestamp>,
    ) -> Option<Result<(), TooLong>> {
        self.packer.stage();
        let Some(time) = write(self.packer.line()) else {
            self.packer.unstage();
            return None;
        };
        let row_bytes = self.packer.staged_line();
        Some(self.keep(time, row_bytes, Packer::keep_line))
    }

    /// The same of a row whose values `write` hands over.
    pub fn push_values(
        &mut self,
        id: Uuid,
        received_at: Timestamp,
        write: impl FnOnce(&mut Packer) -> Option<Timestamp>,
    ) -> Option<Result<(), TooLong>> {
        self.packer.stage();
        let Some(time) = write(&mut self.packer) else {
            self.packer.unstage();
            return None;
        };
        let row_bytes = self.packer.staged_values(time, received_at);
        Some(self.keep(time, row_bytes, |packer| packer.keep(id, time, received_at)))
    }

    /// Adds a row of another block under this id.
    pub fn push_row(&mut self, row: packed::Row<'_>, id: Uuid) -> Option<Result<(), TooLong>> {
        let Head { timestamp, received_at, .. } = row.head();
        match row.body() {
            Body::Line(line) => self.push_line(|to| row::with_id(line, id, to).map(|()| timestamp)),
            Body::Values(row) => self.push_values(id, received_at, |to| {
                row.values().for_each(|(field, value)| to.put(field, &[value.raw]));
                Some(timestamp)
            }),
        }
    }

    fn keep(
        &mut self,
        time: Timestamp,
        row_bytes: usize,
        keep: impl FnOnce(&mut Packer),
    ) -> Result<(), TooLong> {
        if row_bytes > MAX_ROW_BYTES {
            self.packer.unstage();
            return Err(TooLong { row_bytes });
        }
        let line_bytes = row_bytes + 1;
        self.written = self.written.saturating_add(line_bytes);
        if self.open.is_some_and(|span| span.raw_bytes + line_bytes > MAX_BLOCK_BYTES) {
            self.close();
        }
        keep(&mut self.packer);
        let before = self.open.unwrap_or(Span { rows: 0, raw_bytes: 0, min_time: time, max_time: time });
        let span = Span {
            rows: before.rows + 1,
            raw_bytes: before.raw_bytes + line_bytes,
            min_time: before.min_time.min(time),
            max_time: before.max_time.max(time),
        };
        self.open = Some(span);
        if span.rows as usize >= MAX_BLOCK_ROWS {
            self.close();
        }
        Ok(())
    }

    /// Bytes of all rows so far, as lines.
    pub fn written(&self) -> usize {
        self.written
    }

    pub fn finish(mut self) -> Vec<Encoded> {
        self.close();
        self.closed
    }

    /// Makes a block of what is open; a row that is staged stays.
    fn close(&mut self) {
        if let Some(Span { rows, raw_bytes, min_time, max_time }) = self.open.take() {
            let bytes = compress(&self.packer.take());
            // MAX_BLOCK_BYTES is far below u32::MAX.
            let raw_bytes = u32::try_from(raw_bytes).unwrap_or(u32::MAX);
            self.closed.push(Encoded { codec: Codec::Packed, rows, raw_bytes, min_time, max_time, bytes });
        }
    }
}

/// The rows of a block.
pub fn unpack(codec: Codec, bytes: &[u8]) -> Result<Packed, Corrupt> {
    match codec {
        Codec::Raw => Packed::of_lines(bytes.to_vec()),
        Codec::Gzip => Packed::of_lines(gzip::inflate(bytes, MAX_INFLATED_BYTES, "block")?),
        Codec::Lz4 => Packed::of_lines(decompress(bytes, false)?),
        Codec::Packed => Packed::read(decompress(bytes, true)?),
    }
}

/// On their way to the shard blocks are packed fast: the flush writes them again, better.
fn compress(raw: &[u8]) -> Vec<u8> {
    let packed = (raw.len() >= PLAIN_BELOW_BYTES).then(|| lz4_flex::block::compress(raw));
    let packed = packed.filter(|packed| packed.len() < raw.len());
    let packed = packed.as_deref().unwrap_or(raw);
    // MAX_BLOCK_BYTES is far below u32::MAX.
    let mut bytes = u32::try_from(raw.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
    bytes.reserve(8 + packed.len());
    bytes.extend(xxh3_64(packed).to_le_bytes());
    bytes.extend_from_slice(packed);
    bytes
}

fn decompress(bytes: &[u8], may_be_plain: bool) -> Result<Vec<u8>, Corrupt> {
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
    if may_be_plain && packed.len() == length {
        return Ok(packed.to_vec());
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
pub(super) fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
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
