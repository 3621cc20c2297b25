//! Loki's messages in protobuf. Only the fields that are kept are known; others are skipped.

use super::{Entry, Labels, Line, Pairs, Walk};
use crate::engine::record::normalise::MAX_RECORD_BYTES;
use crate::engine::record::rejection::Rejection;
use crate::engine::wire::protobuf::{Malformed, Reader};

const SECOND_NS: i64 = 1_000_000_000;

/// `PushRequest`.
pub(super) fn walk<'a>(body: &'a [u8], walk: &mut Walk<'a>) -> Result<(), Malformed> {
    let mut request = Reader::new(body);
    while let Some((number, field)) = request.next()? {
        if number == 1 {
            walk_stream(field.bytes()?, walk)?;
        }
    }
    Ok(())
}

fn walk_stream<'a>(message: &'a [u8], walk: &mut Walk<'a>) -> Result<(), Malformed> {
    let mut labels: &[u8] = &[];
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => labels = field.bytes()?,
            2 => walk.entry(Entry::Protobuf(field.bytes()?)),
            _ => {}
        }
    }
    walk.end_stream(Labels::Text(labels));
    Ok(())
}

/// `EntryAdapter`.
pub(super) fn line(message: &[u8]) -> Result<Line, Rejection> {
    // Looked at before it is read: structured metadata takes several times the memory of its bytes.
    if message.len() > MAX_RECORD_BYTES {
        return Err(Rejection::too_large(MAX_RECORD_BYTES, message.len()));
    }
    let mut line = Line { ns: 0, text: String::new(), metadata: Vec::new(), size_bytes: message.len() };
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => line.ns = timestamp(field.bytes()?)?,
            2 => line.text = field.text()?.into_owned(),
            3 => pair(field.bytes()?, &mut line.metadata)?,
            _ => {}
        }
    }
    Ok(line)
}

fn pair(message: &[u8], into: &mut Pairs) -> Result<(), Malformed> {
    let (mut name, mut value) = (String::new(), String::new());
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => name = field.text()?.into_owned(),
            2 => value = field.text()?.into_owned(),
            _ => {}
        }
    }
    into.push((name, value));
    Ok(())
}

/// `google.protobuf.Timestamp` in nanoseconds, held to the range of an `i64`.
fn timestamp(message: &[u8]) -> Result<i64, Malformed> {
    let (mut seconds, mut nanos) = (0_i64, 0_i64);
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => seconds = field.int64()?,
            2 => nanos = field.int64()?,
            _ => {}
        }
    }
    Ok(seconds.saturating_mul(SECOND_NS).saturating_add(nanos))
}
