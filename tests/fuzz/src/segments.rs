//! Segments to begin with, and ways to change them that leave their checksums right.

use std::io::{Read, Write};

use flate2::{Compression, Crc, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};
use timberline::engine::{
    block::{
        Segment, SegmentId,
        rows::{self, Encoded, Encoder, Row},
        segment::{self, END_LEN},
    },
    record::{
        field::{Field, Values},
        timestamp::Timestamp,
    },
};

use crate::Dice;

const TEXTS: &[&str] = &[
    "",
    "plain",
    "took 15ms of 007, 1.5e3 -1",
    "from 10.0.0.255:80",
    "id 018f3c2e-0000-7abc-8def-0123456789ab",
    "deadbeef 0123456789ABCDEF 5İ ß5 größe",
    "123456789012345678 12345678901234567890",
    "\u{1}d \u{1}= \"q\" \\ \n",
    "日本語 15 😀",
];

/// The nth row with these fields.
pub fn line(nth: usize, fields: &Value) -> String {
    let request =
        0x019a_a2b0_0000_7000_8000_0000_0000_0000_u128 + ((nth as u128 / 9) << 20) + nth as u128 % 9;
    let hex = format!("{request:032x}");
    let id = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    let mut row = json!({
        "id": id,
        "timestamp": format!("2026-11-20T10:00:{:02}Z", nth / 1_000 % 60),
        "received_at": "2026-11-20T10:01:00.001Z",
        "service": "api",
        "level": "INFO",
    });
    let (Value::Object(row), Value::Object(fields)) = (&mut row, fields) else { panic!("no object") };
    row.extend(fields.clone());
    Value::Object(row.clone()).to_string()
}

pub fn id() -> SegmentId {
    serde_json::from_value(json!({
        "tenant": "default", "class": "d30", "shard": 0, "first_seq": 1, "last_seq": 1, "part": 0, "generation": 0,
    }))
    .expect("an id")
}

/// Blocks of rows as they come to a shard, small ones.
pub fn blocks() -> Vec<Encoded> {
    let mut encoder = Encoder::default();
    let at = Timestamp::from_ms(1_763_682_436_123);
    for (nth, text) in (0_u32..).zip(TEXTS) {
        let message = Value::from(*text).to_string();
        let message = &message[1..message.len() - 1];
        let pushed = encoder.push_values(Default::default(), at, |row| {
            row.put(Field::Service, &["api"]);
            row.put(Field::Level, &["INFO"]);
            row.put(Field::Message, &[message]);
            if nth % 3 > 0 {
                row.put(Field::Status, &["404"]);
            }
            row.put(Field::PatternId, &["0123456789abcdef"]);
            if nth % 3 > 0 {
                row.put(Field::Metadata, &["{\"a\":{\"b\":[1,null]},\"text\":\"x\\ny\"}"]);
            }
            Some(at)
        });
        pushed.expect("it is written").expect("it is short");
        let line = line(nth as usize, &json!({ "message": text }));
        let pushed = encoder.push_line(|row| {
            row.extend_from_slice(line.as_bytes());
            Some(at)
        });
        pushed.expect("it is written").expect("it is short");
    }
    encoder.finish()
}

pub fn segment_of(lines: &[String]) -> Segment {
    let text = lines.join("\n");
    let rows: Vec<Row<'_>> = rows::rows(text.as_bytes()).collect::<Result<_, _>>().expect("rows");
    segment::write(id(), rows).expect("a segment").expect("rows")
}

/// Segments of several sizes that have every part of the format.
pub fn seeds() -> Vec<Segment> {
    let mut dice = Dice::new(99);
    let mut of = |rows: usize| {
        let traces: Vec<String> =
            (0..rows).map(|_| format!("{:016x}{:016x}", dice.next(), dice.next())).collect();
        let mut row = |nth: usize| {
            let trace = dice.pick(&traces).clone();
            let text = TEXTS[nth % TEXTS.len()];
            let message = format!("request {nth} of {trace} took {}ms", dice.below(9_999));
            let mut fields =
                json!({"message": if nth % 4 == 0 { text } else { &message }, "trace_id": trace});
            fields["span_id"] = json!(trace[..16]);
            fields["user_id"] =
                json!(format!("u-{:05}", u64::from_str_radix(&trace[..8], 16).unwrap_or(0) % 9_999));
            if nth % 3 > 0 {
                let deep = json!({"b": [nth, text, {"c": null}], "d": {}});
                fields["metadata"] =
                    json!({"text": text, "ip": format!("10.0.0.{}", nth % 256), "a.\"": deep});
            }
            line(nth, &fields)
        };
        segment_of(&(0..rows).map(&mut row).collect::<Vec<_>>())
    };
    [1, 5, 40, 300].map(&mut of).into()
}

pub fn pack(raw: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(raw).and_then(|()| encoder.finish()).expect("memory takes it")
}

pub fn unpack(member: &[u8]) -> Vec<u8> {
    let mut raw = Vec::new();
    GzDecoder::new(member).read_to_end(&mut raw).expect("a gzip member");
    raw
}

/// These blocks and filters with this footer and an end marker for it.
pub fn seal(before: &[u8], footer: &[u8], end: &[u8]) -> Vec<u8> {
    let member = pack(footer);
    let mut end = end[end.len() - END_LEN..].to_vec();
    let mut crc = Crc::new();
    crc.update(&member);
    end[16..24].copy_from_slice(&(before.len() as u64).to_le_bytes());
    end[24..28].copy_from_slice(&(member.len() as u32).to_le_bytes());
    end[28..32].copy_from_slice(&crc.sum().to_le_bytes());
    [before, &member, &end].concat()
}

/// Where the chunks of the first block are.
pub fn chunks(segment: &Segment) -> Vec<std::ops::Range<usize>> {
    let meta = &segment.footer.blocks[0];
    let parts = |of: fn(&timberline::engine::block::BlockColumn) -> u64| meta.columns.iter().map(of);
    let heads = meta.heads.into_iter().flatten();
    let lengths = heads.chain(parts(|c| c.numbers)).chain(parts(|c| c.variables));
    let mut at = meta.offset as usize;
    let range = |length: u64| {
        at += length as usize;
        at - length as usize..at
    };
    lengths.map(range).collect()
}

/// The segment with this as the content of the nth chunk of its first block.
pub fn with_chunk(segment: &Segment, nth: usize, raw: &[u8]) -> Vec<u8> {
    let range = chunks(segment)[nth].clone();
    let member = if raw.is_empty() { Vec::new() } else { pack(raw) };
    let mut footer = segment.footer.clone();
    let columns = footer.blocks[0].columns.len();
    let meta = &mut footer.blocks[0];
    meta.length = meta.length - range.len() as u64 + member.len() as u64;
    let length = member.len() as u64;
    match nth {
        0..4 => meta.heads.as_mut().expect("a block of columns")[nth] = length,
        nth if nth < 4 + columns => meta.columns[nth - 4].numbers = length,
        nth => meta.columns[nth - 4 - columns].variables = length,
    }
    let mut before = segment.bytes[..segment.footer_offset as usize].to_vec();
    before.splice(range, member);
    seal(&before, &serde_json::to_vec(&footer).expect("a footer"), &segment.bytes)
}
