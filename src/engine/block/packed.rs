//! Rows by their values, as a shard keeps them until they are written to a segment: a row's names are not written, and
//! its JSON is not read again to take it apart.
//!
//! `rows := text, head*, u32 length of the heads, u32 count`, little-endian. A head says which values of the text are its
//! row's:
//!
//! ```text
//! head := flags, [varint bits of fields], [id: 16 bytes], zigzag time, [zigzag time of receipt], varint length*
//!       | LINE, varint length
//! ```
//!
//! Flags say that the fields are those of the values before, that the id is the next one, and that the receipt is the same;
//! times are nanoseconds from those before. A block begins with no fields, a nil id and times of 0. A row that came as JSON
//! is a line, which is before nothing. Values are as they stand in JSON, texts without their quotes.

mod packer;

use std::{borrow::Cow, ops::Range};

pub use packer::Packer;

use uuid::Uuid;

use super::{
    Corrupt, MAX_BLOCK_ROWS,
    ints::{Input, unzigzag},
    parted::Head,
    rows,
    shred::Text,
};
use crate::engine::record::{
    field::{Field, Form},
    model::Level,
    quote::special,
    row::{self, RowHead},
    timestamp::Timestamp,
};

const SAME_FIELDS: u8 = 1;
const NEXT_ID: u8 = 2;
const SAME_RECEIPT: u8 = 4;
const LINE: u8 = 8;

const ALL_FIELDS: u32 = (1 << Field::ALL.len()) - 1;

/// What every row has.
const NEEDED: u32 = Field::Service.bit() | Field::Level.bit();

/// What a head leaves out when it is as in the row of values before.
#[derive(Clone, Copy, Debug)]
struct Before {
    id: Uuid,
    timestamp: Timestamp,
    received_at: Timestamp,
    fields: u32,
}

impl Default for Before {
    fn default() -> Self {
        let (timestamp, received_at) = (Timestamp::EPOCH, Timestamp::EPOCH);
        Self { id: Uuid::nil(), timestamp, received_at, fields: 0 }
    }
}

/// Rows that were read.
#[derive(Debug, Default)]
pub struct Packed {
    text: String,
    rows: Vec<Entry>,
    /// Where each value ends in the text, twice, and 1 more where it has escapes.
    values: Vec<u32>,
}

/// Where a row is.
#[derive(Clone, Copy, Debug)]
struct Entry {
    head: Head,
    /// None of a row that is JSON.
    fields: u32,
    /// The first of its values.
    first: u32,
    start: u32,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    packed: &'a Packed,
    entry: &'a Entry,
}

/// What a row is made of.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// JSON, without a newline.
    Line(&'a [u8]),
    Values(Row<'a>),
}

fn damaged(reason: &str) -> Corrupt {
    Corrupt::damaged("block", reason)
}

impl Packed {
    /// What a `Packer` wrote.
    pub fn read(mut bytes: Vec<u8>) -> Result<Self, Corrupt> {
        let short = || damaged("it ends early");
        let (rest, count) = bytes.split_last_chunk::<4>().ok_or_else(short)?;
        let (rest, length) = rest.split_last_chunk::<4>().ok_or_else(short)?;
        let [count, length] = [*count, *length].map(|number| u32::from_le_bytes(number) as usize);
        let text = rest.len().checked_sub(length).ok_or_else(short)?;
        let heads = bytes.split_off(text);
        let mut heads = Input(heads.get(..length).unwrap_or_default());
        // A head has two bytes at the least, and a block a quarter of what a reader takes, as with its bytes.
        if count > length / 2 || count > 4 * MAX_BLOCK_ROWS {
            return Err(damaged("it has more rows than there is room for"));
        }
        let text = String::from_utf8(bytes).map_err(|e| Corrupt::damaged("block", e))?;
        let mut packed = Self { text, rows: Vec::with_capacity(count), values: Vec::new() };
        let mut before = Before::default();
        let mut end = 0;
        for _ in 0..count {
            let flags = heads.byte()?;
            if flags == LINE {
                let start = end;
                end = packed.end(start, heads.varint()?)?;
                packed.push_line(start..end)?;
                continue;
            }
            if flags & !(SAME_FIELDS | NEXT_ID | SAME_RECEIPT) != 0 {
                return Err(damaged("a row has unknown flags"));
            }
            if flags & SAME_FIELDS == 0 {
                before.fields = u32::try_from(heads.varint()?).unwrap_or(u32::MAX);
            }
            if before.fields & !ALL_FIELDS != 0 || before.fields & NEEDED != NEEDED {
                return Err(damaged("a row has unknown fields, or lacks some"));
            }
            before.id = if flags & NEXT_ID == 0 {
                Uuid::from_slice(heads.take(16)?).map_err(|e| Corrupt::damaged("block", e))?
            } else {
                next(before.id)
            };
            before.timestamp = after(before.timestamp, heads.varint()?);
            if flags & SAME_RECEIPT == 0 {
                before.received_at = after(before.received_at, heads.varint()?);
            }
            let start = end;
            end = packed.push_values(&before, start, &mut heads)?;
        }
        if !heads.0.is_empty() || end != packed.text.len() {
            return Err(damaged("it is longer than its rows"));
        }
        Ok(packed)
    }

    fn push_values(&mut self, head: &Before, start: usize, heads: &mut Input<'_>) -> Result<usize, Corrupt> {
        let first = self.values.len();
        let mut bytes = row::begin_len(head.timestamp, head.received_at) + "}\n".len();
        let (mut level, mut end) = (None, start);
        for field in of(head.fields) {
            let from = end;
            end = self.end(from, heads.varint()?)?;
            bytes += field_len(field, end - from);
            let raw = self.text.get(from..end).unwrap_or_default();
            let is_escaped =
                check(field.form(), raw).ok_or_else(|| damaged("a value is none of its field"))?;
            self.values.push(narrow(end)? << 1 | u32::from(is_escaped));
            match field {
                Field::Level => level = Level::ALL.into_iter().find(|level| level.as_str() == raw),
                Field::Service if is_escaped && (Text { raw, is_escaped }).unescaped().is_none() => {
                    return Err(damaged("a row has a service that is not written as it is stored"));
                }
                _ => {}
            }
        }
        let level = level.ok_or_else(|| damaged("a row has an unknown level"))?;
        let Before { id, timestamp, received_at, fields } = *head;
        let head = Head { id, timestamp, received_at, level, bytes };
        self.rows.push(Entry { head, fields, first: narrow(first)?, start: narrow(start)? });
        Ok(end)
    }

    /// Where a value ends that begins here.
    fn end(&self, start: usize, length: u64) -> Result<usize, Corrupt> {
        let end = usize::try_from(length).ok().and_then(|length| start.checked_add(length));
        let is_there = |end: &usize| self.text.is_char_boundary(*end);
        end.filter(is_there).ok_or_else(|| damaged("a value is not where it ought to be"))
    }

    fn push_line(&mut self, line: Range<usize>) -> Result<(), Corrupt> {
        let text = self.text.get(line.clone()).unwrap_or_default();
        if text.contains('\n') {
            return Err(damaged("a line is more than one"));
        }
        let head = RowHead::parse(text.as_bytes()).map_err(|e| Corrupt::damaged("row", e))?;
        let head = Head::of(&head, line.len());
        let (first, start) = (narrow(self.values.len())?, narrow(line.start)?);
        self.rows.push(Entry { head, fields: 0, first, start });
        Ok(())
    }

    /// The rows of a text that are lines of JSON.
    pub(super) fn of_lines(text: Vec<u8>) -> Result<Self, Corrupt> {
        let text = String::from_utf8(text).map_err(|e| Corrupt::damaged("row", e))?;
        let mut packed = Self { text, ..Self::default() };
        let mut from = 0;
        while from < packed.text.len() {
            let rest = packed.text.get(from..).unwrap_or_default();
            let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
            if length > 0 {
                packed.push_line(from..from + length)?;
            }
            from += length + 1;
        }
        Ok(packed)
    }

    pub fn row(&self, nth: usize) -> Option<Row<'_>> {
        self.rows.get(nth).map(|entry| Row { packed: self, entry })
    }

    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|entry| Row { packed: self, entry })
    }

    /// Writes a text over another one of the same length, which begins here.
    pub fn overwrite(&mut self, start: usize, text: &str) {
        let range = start..start + text.len();
        if self.text.get(range.clone()).is_some() {
            self.text.replace_range(range, text);
        }
    }
}

impl<'a> Row<'a> {
    pub(super) fn head(&self) -> Head {
        self.entry.head
    }

    pub fn id(&self) -> Uuid {
        self.entry.head.id
    }

    pub fn timestamp(&self) -> Timestamp {
        self.entry.head.timestamp
    }

    pub fn level(&self) -> Level {
        self.entry.head.level
    }

    /// Of its JSON and a newline.
    pub fn bytes(&self) -> usize {
        self.entry.head.bytes
    }

    pub fn body(&self) -> Body<'a> {
        if self.entry.fields != 0 {
            return Body::Values(*self);
        }
        let (start, length) = (self.start(), self.entry.head.bytes - 1);
        Body::Line(self.packed.text.as_bytes().get(start..start + length).unwrap_or_default())
    }

    /// Where it begins in the text of its block.
    pub fn start(&self) -> usize {
        self.entry.start as usize
    }

    /// Its fields and their values as they stand in JSON; none of a row that is a line.
    pub(super) fn values(&self) -> impl Iterator<Item = (Field, Text<'a>)> + use<'a> {
        let packed = self.packed;
        let ends = packed.values.get(self.entry.first as usize..).unwrap_or_default();
        let mut start = self.entry.start as usize;
        of(self.entry.fields).zip(ends).map(move |(field, end)| {
            let range = std::mem::replace(&mut start, (*end >> 1) as usize)..(*end >> 1) as usize;
            (field, Text { raw: packed.text.get(range).unwrap_or_default(), is_escaped: end & 1 == 1 })
        })
    }

    /// Where a value stands in the text of its block, and whether it has escapes.
    fn value(&self, field: Field) -> Option<(Range<usize>, bool)> {
        if self.entry.fields & field.bit() == 0 {
            return None;
        }
        let nth = self.entry.first + (self.entry.fields & (field.bit() - 1)).count_ones();
        let at = |nth: u32| self.packed.values.get(nth as usize);
        let start = if nth == self.entry.first { self.start() } else { (at(nth - 1)? >> 1) as usize };
        at(nth).map(|end| (start..(end >> 1) as usize, end & 1 == 1))
    }

    /// Where a value stands in the text of its block.
    pub fn place(&self, field: Field) -> Option<Range<usize>> {
        self.value(field).map(|(place, _)| place)
    }

    /// A text of a row that is no line.
    pub fn text(&self, field: Field) -> Option<Cow<'a, str>> {
        let (place, is_escaped) = self.value(field)?;
        Text { raw: self.packed.text.get(place)?, is_escaped }.unescaped()
    }

    pub fn service(&self) -> Cow<'a, str> {
        let service = match self.body() {
            Body::Values(_) => self.text(Field::Service),
            Body::Line(line) => RowHead::parse(line).ok().map(|head| head.service),
        };
        service.unwrap_or_default()
    }

    /// How many records it stands for.
    pub fn weight(&self) -> u64 {
        match self.body() {
            Body::Values(_) => self.text(Field::SampleRate).map_or(1, |rate| row::weight_of(&rate)).into(),
            Body::Line(line) => row::weight(line).into(),
        }
    }

    /// Appends its JSON and a newline.
    pub fn write(&self, to: &mut Vec<u8>) {
        let Head { id, timestamp, received_at, bytes, .. } = self.head();
        to.reserve(bytes);
        if let Body::Line(line) = self.body() {
            to.extend_from_slice(line);
        } else {
            row::begin(id, timestamp, received_at, |part| to.extend_from_slice(part.as_bytes()));
            for (field, value) in self.values() {
                for part in [field.opening(), value.raw, field.closing()] {
                    to.extend_from_slice(part.as_bytes());
                }
            }
            to.push(b'}');
        }
        to.push(b'\n');
    }

    /// With its JSON, which may be written to the buffer.
    pub fn read<'b>(&self, buffer: &'b mut Vec<u8>) -> rows::Row<'b>
    where
        'a: 'b,
    {
        let Head { id, timestamp, received_at, level, .. } = self.head();
        let head = RowHead { id, timestamp, received_at, service: self.service(), level };
        let line = if let Body::Line(line) = self.body() {
            line
        } else {
            buffer.clear();
            self.write(buffer);
            buffer.strip_suffix(b"\n").unwrap_or_default()
        };
        rows::Row { head, line }
    }
}

/// Bytes of a field in JSON.
fn field_len(field: Field, length: usize) -> usize {
    field.opening().len() + length + field.closing().len()
}

/// The fields that these bits are of, in their order.
fn of(mut bits: u32) -> impl Iterator<Item = Field> {
    std::iter::from_fn(move || {
        let field = Field::ALL.get(bits.trailing_zeros() as usize).copied()?;
        bits &= bits - 1;
        Some(field)
    })
}

fn next(id: Uuid) -> Uuid {
    Uuid::from_u128(id.as_u128().wrapping_add(1))
}

fn after(time: Timestamp, by: u64) -> Timestamp {
    Timestamp::from_ns(time.as_ns().wrapping_add(unzigzag(by)))
}

/// Whether a value has escapes, if it is one of this form, and its row one line. What is in arrays and objects is not looked
/// at.
fn check(form: Form, raw: &str) -> Option<bool> {
    let is_within = |open, close| raw.starts_with(open) && raw.ends_with(close) && !raw.contains('\n');
    match form {
        Form::Text => {
            let (mut rest, mut is_escaped) = (raw.as_bytes(), false);
            while let Some(at) = special(rest) {
                if rest.get(at) != Some(&b'\\') {
                    return None;
                }
                is_escaped = true;
                if !matches!(rest.get(at + 1), Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')) {
                    return None;
                }
                rest = rest.get(at + 2..)?;
            }
            Some(is_escaped)
        }
        Form::Number => {
            let is_of_number = |byte: u8| matches!(byte, b'0'..=b'9' | b'-' | b'.');
            (!raw.is_empty() && raw.bytes().all(is_of_number)).then_some(false)
        }
        Form::Array => is_within('[', ']').then_some(false),
        Form::Object => is_within('{', '}').then_some(false),
    }
}

/// A place in a text has a bit less than a number: it is stored beside a mark.
fn narrow(number: usize) -> Result<u32, Corrupt> {
    u32::try_from(number).ok().filter(|number| *number < 1 << 31).ok_or_else(|| damaged("it is too long"))
}

#[cfg(test)]
mod tests;
