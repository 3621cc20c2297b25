//! OTLP's messages in protobuf. Only the fields that are kept are known; others are skipped.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::{LogRecord, Resource, Scope, Walk, double, too_deep};
use crate::engine::record::normalise::MAX_DEPTH;
use crate::engine::record::rejection::Rejection;
use crate::engine::wire::protobuf::{Malformed, Reader};

/// `ExportLogsServiceRequest`.
pub(super) fn walk<'a>(body: &'a [u8], walk: &mut Walk<'a>) -> Result<(), Malformed> {
    let mut request = Reader::new(body);
    while let Some((number, field)) = request.next()? {
        if number == 1 {
            walk_resource(field.bytes()?, walk)?;
        }
    }
    Ok(())
}

fn walk_resource<'a>(message: &'a [u8], walk: &mut Walk<'a>) -> Result<(), Malformed> {
    let first = walk.groups.len();
    let (mut resource, mut schema_url): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => resource = field.bytes()?,
            2 => walk_scope(field.bytes()?, walk)?,
            3 => schema_url = field.bytes()?,
            _ => {}
        }
    }
    walk.end_resource(first, resource, schema_url);
    Ok(())
}

fn walk_scope<'a>(message: &'a [u8], walk: &mut Walk<'a>) -> Result<(), Malformed> {
    let (mut scope, mut schema_url): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => scope = field.bytes()?,
            2 => walk.record(field.bytes()?),
            3 => schema_url = field.bytes()?,
            _ => {}
        }
    }
    walk.end_scope(scope, schema_url);
    Ok(())
}

pub(super) fn log_record(message: &[u8]) -> Result<LogRecord, Rejection> {
    let mut record = LogRecord::default();
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => record.time_unix_nano = field.fixed64()?,
            2 => record.severity_number = field.int64()?,
            3 => record.severity_text = field.text()?.into_owned(),
            5 => record.body = any_value(field.bytes()?, 0)?,
            6 => key_value(field.bytes()?, 0, &mut record.attributes)?,
            7 => record.dropped_attributes_count = field.uint32()?,
            8 => record.flags = field.fixed32()?,
            9 => record.trace_id = hex(field.bytes()?),
            10 => record.span_id = hex(field.bytes()?),
            11 => record.observed_time_unix_nano = field.fixed64()?,
            12 => record.event_name = field.text()?.into_owned(),
            _ => {}
        }
    }
    Ok(record)
}

pub(super) fn resource(message: &[u8]) -> Result<Resource, Rejection> {
    let mut resource = Resource::default();
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => key_value(field.bytes()?, 0, &mut resource.attributes)?,
            2 => resource.dropped_attributes_count = field.uint32()?,
            _ => {}
        }
    }
    Ok(resource)
}

pub(super) fn scope(message: &[u8]) -> Result<Scope, Rejection> {
    let mut scope = Scope::default();
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => scope.name = field.text()?.into_owned(),
            2 => scope.version = field.text()?.into_owned(),
            3 => key_value(field.bytes()?, 0, &mut scope.attributes)?,
            4 => scope.dropped_attributes_count = field.uint32()?,
            _ => {}
        }
    }
    Ok(scope)
}

fn key_value(message: &[u8], depth: usize, into: &mut Map<String, Value>) -> Result<(), Rejection> {
    let (mut key, mut value) = (String::new(), Value::Null);
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        match number {
            1 => key = field.text()?.into_owned(),
            2 => value = any_value(field.bytes()?, depth)?,
            _ => {}
        }
    }
    into.insert(key, value);
    Ok(())
}

/// `depth` arrays and objects are around it. One of several values is the last.
fn any_value(message: &[u8], depth: usize) -> Result<Value, Rejection> {
    let mut value = Value::Null;
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        value = match number {
            1 => Value::from(field.text()?),
            2 => Value::from(field.varint()? != 0),
            3 => Value::from(field.int64()?),
            4 => double(f64::from_bits(field.fixed64()?)),
            5 | 6 if depth >= MAX_DEPTH => return Err(too_deep()),
            5 => array(field.bytes()?, depth + 1)?,
            6 => object(field.bytes()?, depth + 1)?,
            7 => Value::from(STANDARD.encode(field.bytes()?)),
            _ => continue,
        };
    }
    Ok(value)
}

fn array(message: &[u8], depth: usize) -> Result<Value, Rejection> {
    let mut values = Vec::new();
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            values.push(any_value(field.bytes()?, depth)?);
        }
    }
    Ok(Value::Array(values))
}

fn object(message: &[u8], depth: usize) -> Result<Value, Rejection> {
    let mut values = Map::new();
    let mut fields = Reader::new(message);
    while let Some((number, field)) = fields.next()? {
        if number == 1 {
            key_value(field.bytes()?, depth, &mut values)?;
        }
    }
    Ok(Value::Object(values))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
