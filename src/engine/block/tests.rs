use std::io::Read;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::{
    BlockMeta, Corrupt, Footer, MAX_BLOCK_BYTES, MAX_ROW_BYTES, MAX_SEGMENT_BLOCK_ROWS, Opened, Segment,
    SegmentId, reader,
    rows::{self, Codec, Encoded, Encoder, Row, TooLong},
    segment::{self, END_LEN},
};
use crate::engine::record::{
    model::{Record, SourceType},
    normalise::{Context, RawRecord, normalise},
    timestamp::Timestamp,
};

pub(super) fn id() -> SegmentId {
    SegmentId {
        tenant: "default".into(),
        class: "d30".into(),
        shard: 0,
        first_seq: 1,
        last_seq: 9,
        part: 0,
        generation: 0,
        merged: None,
    }
}

/// A record of this moment, so many microseconds after an hour.
fn record(n: u128, us: u64, message: &str) -> Record {
    let hour_us = 1_763_683_200_000_000_u64;
    let raw = json!({"service": "api", "message": message, "time": hour_us + us});
    let serde_json::Value::Object(fields) = raw else { unreachable!() };
    let context = Context {
        received_at: Timestamp::from_ms(1_763_683_260_000 + i64::try_from(n % 7).unwrap()),
        max_age_ms: &|_| u64::MAX,
        level_in: &|_| None,
        source: SourceType::Http,
    };
    normalise(RawRecord { fields, size_bytes: 0 }, Uuid::from_u128(n), &context).unwrap()
}

fn text_of(records: &[Record]) -> Vec<u8> {
    let lines = records.iter().map(|record| serde_json::to_string(record).unwrap() + "\n");
    lines.collect::<String>().into_bytes()
}

fn segment_of(records: &[Record]) -> Segment {
    let text = text_of(records);
    let rows: Vec<Row<'_>> = rows::rows(&text).collect::<Result<_, _>>().unwrap();
    segment::write(id(), rows).unwrap().unwrap()
}

fn sorted(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| (record.timestamp, record.id));
    records
}

fn encode(records: &[Record]) -> Vec<Encoded> {
    let mut encoder = Encoder::default();
    for record in records {
        encoder.push(record).unwrap().unwrap();
    }
    encoder.finish()
}

/// The rows of a block on its way, as lines.
fn unpacked(block: &Encoded) -> Vec<u8> {
    let mut text = Vec::new();
    rows::unpack(block.codec, &block.bytes).unwrap().rows().for_each(|row| row.write(&mut text));
    text
}

fn records_of(texts: &[Vec<u8>]) -> Vec<Record> {
    texts.iter().flat_map(|text| rows::rows(text)).map(|row| row.unwrap().record().unwrap()).collect()
}

/// What a segment reads as: all its blocks' text.
fn read(bytes: &[u8]) -> Result<Vec<u8>, Corrupt> {
    reader::blocks_of(bytes).map(|texts| texts.concat())
}

#[test]
fn a_tool_that_reads_gzip_takes_every_part_and_prints_the_footer_last() {
    let records: Vec<Record> = (0..50_u32).map(|n| record(n.into(), (n * 7 % 50).into(), "hello")).collect();
    let segment = segment_of(&records);
    let mut printed = Vec::new();
    flate2::read::MultiGzDecoder::new(segment.bytes.as_slice()).read_to_end(&mut printed).unwrap();
    let from = memchr::memmem::rfind(&printed, b"{\"format\":").unwrap();
    assert_eq!(serde_json::from_slice::<Footer>(&printed[from..]).unwrap(), segment.footer);
    assert_eq!(segment.footer.raw_bytes, text_of(&records).len() as u64);
    assert!(segment.bytes.len() < text_of(&records).len() / 5, "{}", segment.bytes.len());
}

#[test]
fn a_segment_is_read_by_its_end_its_footer_and_the_ranges_of_its_blocks() {
    let count = u32::try_from(2 * MAX_SEGMENT_BLOCK_ROWS).unwrap() + 5;
    // Falling times: the writer sorts.
    let records: Vec<Record> = (0..count).map(|n| record(n.into(), (count - n).into(), "m")).collect();
    let Segment { bytes, footer, footer_offset, .. } = segment_of(&records);
    let place = reader::end_marker(&bytes[bytes.len() - END_LEN..]).unwrap();
    assert_eq!((place.offset, place.length), (footer_offset, (bytes.len() - END_LEN) as u64 - footer_offset));
    let tail = &bytes[usize::try_from(footer_offset).unwrap()..];
    assert_eq!(reader::footer(tail).unwrap(), footer);
    assert_eq!(footer.blocks.iter().map(|block| block.rows).collect::<Vec<_>>(), [4_096, 4_096, 5]);
    assert_eq!(footer.rows, u64::from(count));

    let opened = Opened::new(footer.clone()).unwrap();
    let expected = sorted(records);
    let mut at = 0;
    for meta in &footer.blocks {
        let BlockMeta { offset, length, .. } = *meta;
        let from = usize::try_from(offset).unwrap();
        let fetched = &bytes[from..from + usize::try_from(length).unwrap()];
        let own = Bytes::copy_from_slice(reader::slice(fetched, offset, meta).unwrap());
        let got = records_of(&[reader::block(&opened, meta, own).unwrap()]);
        assert_eq!(got, expected[at..at + meta.rows as usize]);
        at += meta.rows as usize;
        let times = || got.iter().map(|record| record.timestamp);
        let received = || got.iter().map(|record| record.received_at);
        assert_eq!((Some(meta.min_time), Some(meta.max_time)), (times().min(), times().max()));
        assert_eq!((Some(meta.min_received), Some(meta.max_received)), (received().min(), received().max()));
        assert!(reader::slice(fetched, offset + 1, meta).is_err());
        assert!(reader::slice(&fetched[1..], offset, meta).is_err());
    }
    assert_eq!(at, expected.len());
}

#[test]
fn a_block_is_closed_by_its_bytes_before_its_rows() {
    let large = "x".repeat(200_000);
    let records: Vec<Record> = (0..25_u32).map(|n| record(n.into(), n.into(), &large)).collect();
    let segment = segment_of(&records);
    // An eleventh row of 200 KB would reach over 2 MiB.
    assert_eq!(segment.footer.blocks.iter().map(|block| block.rows).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(records_of(&reader::blocks_of(&segment.bytes).unwrap()), records);
    let transit = encode(&records);
    assert_eq!(transit.iter().map(|block| block.rows).collect::<Vec<_>>(), [10, 10, 5]);
}

#[test]
fn a_row_that_is_too_long_is_left_out_and_harms_no_other() {
    let around = serde_json::to_string(&record(0, 0, "x")).unwrap().len() - 1;
    let longest = "x".repeat(MAX_ROW_BYTES - around);
    let mut encoder = Encoder::default();
    // Received in the same millisecond, so that their heads are of one length.
    for n in [0, 7] {
        assert_eq!(encoder.push(&record(n, 0, "short")).unwrap(), Ok(()));
        let too_long = encoder.push(&record(n, 0, &format!("{longest}x"))).unwrap();
        assert_eq!(too_long, Err(TooLong { row_bytes: MAX_ROW_BYTES + 1 }));
        assert_eq!(encoder.push(&record(n, 0, &longest)).unwrap(), Ok(()));
    }
    let blocks = encoder.finish();
    assert_eq!(blocks.iter().map(|block| block.rows).collect::<Vec<_>>(), [3, 1]);
    for block in blocks {
        let text = unpacked(&block);
        assert!(text.len() <= MAX_BLOCK_BYTES);
        assert_eq!(records_of(&[text]).len(), block.rows as usize);
    }
}

#[test]
fn a_footer_says_of_its_rows_that_their_addresses_are_those_of_networks_or_nothing() {
    for anonymised in [false, true] {
        let records = [record(1, 5, "m")];
        let text = text_of(&records);
        let rows: Vec<Row<'_>> = rows::rows(&text).collect::<Result<_, _>>().unwrap();
        let mut writer =
            segment::Writer::made_of(segment_of(&records).footer.id, vec!["a".into()], anonymised);
        writer.push(&rows).unwrap();
        let segment = writer.finish().unwrap().unwrap();
        let footer = reader::footer_of(&segment.bytes).unwrap();
        assert_eq!((footer.anonymised, &footer.sources), (anonymised, &vec!["a".to_owned()]));
        assert_eq!(footer, segment.footer);
        let json = serde_json::to_string(&footer).unwrap();
        // What was stored before says nothing, and is written as it was.
        assert_eq!(json.contains("\"anonymised\":true"), anonymised, "{json}");
        assert_eq!(json.contains("anonymised"), anonymised, "{json}");
    }
}

#[test]
fn no_rows_make_no_segment() {
    assert!(segment::write(id(), Vec::<Row<'_>>::new()).unwrap().is_none());
    assert_eq!(rows::Encoder::default().finish(), []);
}

#[test]
fn a_segment_cut_anywhere_is_an_error() {
    let records: Vec<Record> = (0..20_u32).map(|n| record(n.into(), n.into(), "hello")).collect();
    let bytes = segment_of(&records).bytes;
    for end in 0..bytes.len() {
        assert!(read(&bytes[..end]).is_err(), "{end}");
        assert!(reader::footer(&bytes[..end]).is_err(), "{end}");
    }
    assert!(read(&[&bytes[..], b"x"].concat()).is_err());
}

#[test]
fn a_changed_byte_is_an_error_or_changes_nothing() {
    let records: Vec<Record> =
        (0..20_u32).map(|n| record(n.into(), n.into(), &format!("hello {n}"))).collect();
    let bytes = segment_of(&records).bytes;
    let rows = read(&bytes).unwrap();
    for at in 0..bytes.len() {
        for bit in [0, 3, 7] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            if let Ok(read) = read(&damaged) {
                assert!(read == rows, "byte {at} bit {bit}");
            }
        }
    }
}

fn any_records() -> impl Strategy<Value = Vec<Record>> {
    let one = ("[ -~\n\u{e9}\u{1f600}]{1,300}", 0..1_000_u64);
    prop::collection::vec(one, 1..40)
        .prop_map(|ones| ones.iter().zip(0..).map(|((message, us), n)| record(n, *us, message)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_and_written_is_read(records in any_records()) {
        let mut got = Vec::new();
        for block in encode(&records) {
            prop_assert_eq!(block.codec, Codec::Packed);
            let text = unpacked(&block);
            prop_assert_eq!(text.len(), block.raw_bytes as usize);
            got.extend(records_of(&[text]));
        }
        prop_assert_eq!(&got, &records);
        let segment = segment_of(&records);
        prop_assert_eq!(&reader::footer_of(&segment.bytes).unwrap(), &segment.footer);
        prop_assert_eq!(records_of(&reader::blocks_of(&segment.bytes).unwrap()), sorted(records));
    }

    #[test]
    fn the_same_rows_in_any_order_make_the_same_segment(records in any_records().prop_shuffle()) {
        let shuffled = segment_of(&records);
        prop_assert_eq!(shuffled.bytes, segment_of(&sorted(records)).bytes);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        records in any_records(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        length in 0..60_usize,
    ) {
        let bytes = segment_of(&records).bytes;
        let rows = read(&bytes).unwrap();
        let from = at.index(bytes.len());
        let to = (from + length).min(bytes.len());
        let spliced = [&bytes[..from], &noise[..], &bytes[to..]].concat();
        if let Ok(read) = read(&spliced) {
            prop_assert!(read == rows);
        }
        let _ = read(&noise);
        let _ = reader::footer(&noise);
        let _ = reader::end_marker(&noise);
        for codec in [Codec::Raw, Codec::Gzip, Codec::Lz4, Codec::Packed] {
            let _ = rows::unpack(codec, &noise);
        }
        for row in rows::rows(&noise) {
            let _ = row.and_then(|row| row.record());
        }
    }
}
