//! Writing rows by their values.

use uuid::Uuid;

use super::{Before, LINE, NEXT_ID, SAME_FIELDS, SAME_RECEIPT, field_len, next};
use crate::engine::{
    block::ints::{put_varint, zigzag},
    record::{
        field::{Field, Values},
        row,
        timestamp::Timestamp,
    },
};

/// Writes rows, each of which is first staged and then kept or taken back.
#[derive(Debug, Default)]
pub struct Packer {
    rows: u32,
    heads: Vec<u8>,
    text: Vec<u8>,
    before: Before,
    staged: Staged,
}

/// A row that is not kept yet: what is behind `start` in the text is of it.
#[derive(Debug, Default)]
struct Staged {
    start: usize,
    fields: u32,
    /// Lengths.
    values: Vec<u64>,
    /// Of its fields in JSON.
    bytes: usize,
}

impl Values for Packer {
    fn put(&mut self, field: Field, parts: &[&str]) {
        let start = self.text.len();
        for part in parts {
            self.text.extend_from_slice(part.as_bytes());
        }
        let length = self.text.len() - start;
        let staged = &mut self.staged;
        debug_assert!(staged.fields < field.bit(), "values come in the order of their fields");
        staged.fields |= field.bit();
        staged.values.push(length as u64);
        staged.bytes += field_len(field, length);
    }
}

impl Packer {
    /// Begins a row: what is put from now on is of it.
    pub(in crate::engine::block) fn stage(&mut self) {
        self.staged.start = self.text.len();
        self.staged.values.clear();
        (self.staged.fields, self.staged.bytes) = (0, 0);
    }

    /// Where the JSON of a row is written to that has no values.
    pub(in crate::engine::block) fn line(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Takes the row that was begun back.
    pub(in crate::engine::block) fn unstage(&mut self) {
        self.text.truncate(self.staged.start);
    }

    /// Bytes of its JSON, if it is values.
    pub(in crate::engine::block) fn staged_values(
        &self,
        timestamp: Timestamp,
        received_at: Timestamp,
    ) -> usize {
        row::begin_len(timestamp, received_at) + self.staged.bytes + 1
    }

    /// The same if it is a line.
    pub(in crate::engine::block) fn staged_line(&self) -> usize {
        self.text.len() - self.staged.start.min(self.text.len())
    }

    /// Keeps it, if it is values.
    pub(in crate::engine::block) fn keep(&mut self, id: Uuid, timestamp: Timestamp, received_at: Timestamp) {
        let (staged, before) = (&self.staged, self.before);
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        let (same_fields, same_receipt) = (staged.fields == before.fields, received_at == before.received_at);
        let is_next = id == next(before.id);
        self.heads
            .push(flag(same_fields, SAME_FIELDS) | flag(is_next, NEXT_ID) | flag(same_receipt, SAME_RECEIPT));
        if !same_fields {
            put_varint(&mut self.heads, staged.fields.into());
        }
        if !is_next {
            self.heads.extend_from_slice(id.as_bytes());
        }
        let between = |from: Timestamp, to: Timestamp| zigzag(to.as_ns().wrapping_sub(from.as_ns()));
        put_varint(&mut self.heads, between(before.timestamp, timestamp));
        if !same_receipt {
            put_varint(&mut self.heads, between(before.received_at, received_at));
        }
        for value in &staged.values {
            put_varint(&mut self.heads, *value);
        }
        self.before = Before { id, timestamp, received_at, fields: staged.fields };
        self.rows += 1;
        self.stage();
    }

    /// The same if it is a line.
    pub(in crate::engine::block) fn keep_line(&mut self) {
        let length = self.staged_line() as u64;
        self.heads.push(LINE);
        put_varint(&mut self.heads, length);
        self.rows += 1;
        self.stage();
    }

    /// The rows that are kept; the one that is staged stays.
    pub(in crate::engine::block) fn take(&mut self) -> Vec<u8> {
        let staged = self.text.split_off(self.staged.start.min(self.text.len()));
        let mut bytes = std::mem::replace(&mut self.text, staged);
        bytes.extend_from_slice(&self.heads);
        // MAX_BLOCK_BYTES is far below u32::MAX.
        let heads = u32::try_from(self.heads.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&heads.to_le_bytes());
        bytes.extend_from_slice(&self.rows.to_le_bytes());
        self.heads.clear();
        (self.staged.start, self.rows, self.before) = (0, 0, Before::default());
        bytes
    }
}
