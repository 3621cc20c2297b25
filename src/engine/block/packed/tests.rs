use std::fmt::Write;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::engine::{
    block::{
        MAX_BLOCK_BYTES, SegmentId, reader,
        rows::{self, Codec, Encoded, Encoder, TooLong},
        segment,
    },
    record::{field::Values, model::Record},
};

/// A row: its id, times, values as they stand in JSON, and whether it comes as a line.
#[derive(Clone, Debug)]
struct Made {
    id: u128,
    ns: i64,
    received_ms: i64,
    values: Vec<(Field, String)>,
    is_line: bool,
}

impl Made {
    fn line(&self) -> String {
        let (id, time, received_at) = self.head();
        let mut line = String::new();
        row::begin(id, time, received_at, |part| line.push_str(part));
        for (field, value) in &self.values {
            let quote = if field.form() == Form::Text { "\"" } else { "" };
            write!(line, ",\"{}\":{quote}{value}{quote}", field.name()).unwrap();
        }
        line + "}"
    }

    fn head(&self) -> (Uuid, Timestamp, Timestamp) {
        (Uuid::from_u128(self.id), Timestamp::from_ns(self.ns), Timestamp::from_ms(self.received_ms))
    }

    fn push(&self, encoder: &mut Encoder) -> Option<Result<(), TooLong>> {
        let (id, time, received_at) = self.head();
        if self.is_line {
            return encoder.push_line(|to| {
                to.extend_from_slice(self.line().as_bytes());
                Some(time)
            });
        }
        encoder.push_values(id, received_at, |to| {
            for (field, value) in &self.values {
                // In parts, as some of them come.
                let middle = (value.len() / 2..=value.len()).find(|at| value.is_char_boundary(*at)).unwrap();
                let parts = [&value[..middle], &value[middle..]];
                to.put(*field, &parts);
            }
            Some(time)
        })
    }
}

fn encoded(rows: &[Made]) -> Vec<Encoded> {
    let mut encoder = Encoder::default();
    for row in rows {
        assert_eq!(row.push(&mut encoder), Some(Ok(())));
    }
    encoder.finish()
}

/// The lines of blocks.
fn decoded(blocks: &[Encoded]) -> String {
    let mut text = Vec::new();
    for block in blocks {
        let packed = rows::unpack(block.codec, &block.bytes).unwrap();
        packed.rows().for_each(|row| row.write(&mut text));
    }
    String::from_utf8(text).unwrap()
}

fn lines(rows: &[Made]) -> String {
    rows.iter().map(|row| row.line() + "\n").collect()
}

fn id() -> SegmentId {
    SegmentId {
        tenant: "t".into(),
        class: "d30".into(),
        shard: 0,
        first_seq: 1,
        last_seq: 1,
        part: 0,
        generation: 0,
        merged: None,
    }
}

/// The segment that a flush makes of these blocks.
fn flushed(blocks: &[Encoded]) -> Vec<u8> {
    let packed: Vec<Packed> =
        blocks.iter().map(|block| rows::unpack(block.codec, &block.bytes).unwrap()).collect();
    segment::write(id(), packed.iter().flat_map(Packed::rows).collect()).unwrap().unwrap().bytes
}

/// One that lines make, as they did before there were values.
fn of_lines(text: &str) -> Vec<u8> {
    let rows: Vec<rows::Row<'_>> = rows::rows(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    segment::write(id(), rows).unwrap().unwrap().bytes
}

fn text() -> impl Strategy<Value = String> {
    "[ -~\n\u{e9}\u{1f600}]{0,20}".prop_map(|text| {
        let quoted = Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    })
}

fn value(field: Field) -> BoxedStrategy<String> {
    let number = || (-5_000..5_000_i32).prop_map(|number| number.to_string());
    match field {
        Field::Level => prop::sample::select(&Level::ALL[..]).prop_map(|level| level.as_str().into()).boxed(),
        Field::Service => prop::sample::select(vec!["api".to_owned(), "shop".into()]).boxed(),
        Field::SourceType => Just("http".to_owned()).boxed(),
        Field::PatternId => "[0-9a-f]{16}".boxed(),
        Field::SampleRate => (1..20_u32).prop_map(|rate| rate.to_string()).boxed(),
        Field::DurationMs => number().prop_map(|number| number + ".0").boxed(),
        Field::Status => number().boxed(),
        Field::Tags => {
            prop::collection::vec("[a-z\"]{1,3}", 1..3).prop_map(|all| json!(all).to_string()).boxed()
        }
        Field::Metadata => {
            let leaf = prop_oneof![
                "[a-z\n]{0,5}".prop_map(Value::from),
                any::<i32>().prop_map(Value::from),
                Just(Value::Null),
                Just(json!({})),
                Just(json!([1, { "a": "b" }])),
            ];
            let deep = leaf.prop_recursive(3, 8, 3, |inner| {
                prop::collection::btree_map("[a-c.\"]{1,2}", inner, 1..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>()))
            });
            prop::collection::btree_map("[a-d]{1,2}", deep, 1..4)
                .prop_map(|map| json!(map).to_string())
                .boxed()
        }
        _ => text().boxed(),
    }
}

fn made() -> impl Strategy<Value = Made> {
    let fields: Vec<_> = Field::ALL
        .into_iter()
        .map(|field| {
            let is_there = if field.bit() & (NEEDED | Field::Message.bit()) == 0 {
                any::<bool>().boxed()
            } else {
                Just(true).boxed()
            };
            (is_there, value(field)).prop_map(move |(is, value)| is.then_some((field, value)))
        })
        .collect();
    let time = prop_oneof![
        Just(0),
        (0..10_000_i64).prop_map(|s| s * 1_000_000_000),
        0..i64::from(i32::MAX) * 4_000_000_000,
    ];
    (any::<u8>(), time, 0..5_i64, fields, any::<u8>()).prop_map(|(id, ns, received_ms, values, dice)| Made {
        // Now and then the next one.
        id: 0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(id % 40),
        ns,
        received_ms: received_ms * 500,
        values: values.into_iter().flatten().collect(),
        is_line: dice % 4 == 0,
    })
}

/// A row of nothing but what it must have.
fn plain(n: u32, message: &str) -> Made {
    let values = vec![
        (Field::Service, "api".to_owned()),
        (Field::Level, "WARN".to_owned()),
        (Field::Message, message.to_owned()),
    ];
    Made { id: n.into(), ns: i64::from(n), received_ms: 5, values, is_line: false }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_are_the_rows_that_their_lines_are(rows in prop::collection::vec(made(), 1..30)) {
        let text = lines(&rows);
        let blocks = encoded(&rows);
        let raw: usize = blocks.iter().map(|block| block.raw_bytes as usize).sum();
        prop_assert_eq!(raw, text.len());
        prop_assert_eq!(decoded(&blocks), text.as_str());
        let packed: Vec<Packed> =
            blocks.iter().map(|block| rows::unpack(block.codec, &block.bytes).unwrap()).collect();
        let heads = rows::rows(text.as_bytes()).map(Result::unwrap);
        for ((row, expected), made) in packed.iter().flat_map(Packed::rows).zip(heads).zip(&rows) {
            let head = row.head();
            prop_assert_eq!((head.id, head.timestamp), (expected.head.id, expected.head.timestamp));
            prop_assert_eq!(head.received_at, expected.head.received_at);
            prop_assert_eq!((row.service(), row.level()), (expected.head.service.clone(), expected.head.level));
            prop_assert_eq!((row.bytes(), row.weight()), (expected.line.len() + 1, expected.weight()));
            let mut buffer = b"of another row".to_vec();
            let read = row.read(&mut buffer);
            prop_assert_eq!((&read.head, read.line), (&expected.head, expected.line));
            let record: Record = expected.record().unwrap();
            if !made.is_line {
                prop_assert_eq!(row.text(Field::Message).unwrap(), record.message);
                prop_assert_eq!(row.text(Field::Category).map(Cow::into_owned), record.fields.category);
                for field in Field::ALL {
                    let value = made.values.iter().find(|(of, _)| *of == field).map(|(_, value)| value.as_str());
                    prop_assert_eq!(row.place(field).and_then(|place| packed[0].text.get(place)), value);
                }
            }
        }
        prop_assert_eq!(flushed(&blocks), of_lines(&text));
    }

    #[test]
    fn damage_is_an_error_and_no_panic(
        rows in prop::collection::vec(made(), 1..8),
        at in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut packer = Packer::default();
        for row in &rows {
            let (id, time, received_at) = row.head();
            packer.stage();
            row.values.iter().for_each(|(field, value)| packer.put(*field, &[value]));
            packer.keep(id, time, received_at);
        }
        let bytes = packer.take();
        let at = at.index(bytes.len());
        prop_assert!(Packed::read(bytes[..at].to_vec()).is_err());
        let spliced = [&bytes[..at], &noise, bytes.get(at + noise.len()..).unwrap_or_default()].concat();
        for damaged in [&spliced, &noise] {
            if let Ok(packed) = Packed::read(damaged.clone()) {
                let mut text = Vec::new();
                for row in packed.rows() {
                    row.write(&mut text);
                    let _ = (row.service(), row.weight(), row.text(Field::Message));
                }
                // What is no JSON as rows are stored is written as it is.
                if let Some(segment) = segment::write(id(), packed.rows().collect()).unwrap() {
                    let mut sorted: Vec<Row<'_>> = packed.rows().collect();
                    sorted.sort_by_key(|row| (row.timestamp(), row.id()));
                    let mut text = Vec::new();
                    for row in &sorted {
                        row.write(&mut text);
                    }
                    prop_assert_eq!(reader::blocks_of(&segment.bytes).unwrap().concat(), text);
                }
            }
        }
        let [block] = &encoded(&rows)[..] else { panic!("one block") };
        for bytes in [&block.bytes[..at.min(block.bytes.len() - 1)], &noise, &spliced] {
            prop_assert!(rows::unpack(Codec::Packed, bytes).is_err());
        }
    }
}

#[test]
fn what_kept_lines_before_is_read_and_flushed_the_same() {
    let rows: Vec<Made> = (0..50).map(|n| plain(n, &format!("number {n}"))).collect();
    let text = [lines(&rows).as_bytes(), b"\n\n"].concat();
    let packed = lz4_flex::block::compress(&text);
    let length = u32::try_from(text.len()).unwrap().to_le_bytes();
    let lz4 = [&length[..], &xxhash_rust::xxh3::xxh3_64(&packed).to_le_bytes(), &packed].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &text).unwrap();
    for (codec, bytes) in
        [(Codec::Raw, text.clone()), (Codec::Gzip, gzip.finish().unwrap()), (Codec::Lz4, lz4)]
    {
        let packed = rows::unpack(codec, &bytes).unwrap();
        assert!(packed.rows().all(|row| matches!(row.body(), Body::Line(_)) && row.values().count() == 0));
        let written = segment::write(id(), packed.rows().collect()).unwrap().unwrap();
        assert!(written.bytes == flushed(&encoded(&rows)), "{codec:?}");
        assert!(rows::unpack(codec, &bytes[..bytes.len() / 2]).is_err(), "{codec:?}");
    }
    assert!(rows::unpack(Codec::Raw, b"\xff\n").is_err());
}

#[test]
fn a_value_that_is_none_of_its_field_is_an_error() {
    for (field, value, is_one) in [
        (Field::Message, "a\\\"b\\\\\\n", true),
        (Field::Message, "a\"b", false),
        (Field::Message, "a\\\\\"", false),
        (Field::Message, "a\\", false),
        (Field::Message, "a\nb", false),
        (Field::Message, "a\\\nb", false),
        (Field::Service, "a\\\"b", true),
        (Field::Service, "a\\u0062", false),
        (Field::Status, "-40", true),
        (Field::Status, "FAILED", false),
        (Field::Status, "", false),
        (Field::Tags, "[]", true),
        (Field::Tags, "[\n]", false),
        (Field::Metadata, "{\"a\":1}", true),
        (Field::Metadata, "1", false),
        (Field::Level, "LOUD", false),
    ] {
        let mut packer = Packer::default();
        packer.stage();
        for (own, text) in [(Field::Service, "api"), (Field::Level, "INFO")] {
            packer.put(own, &[if own == field { value } else { text }]);
        }
        if field as usize > Field::Level as usize {
            packer.put(field, &[value]);
        }
        packer.keep(Uuid::nil(), Timestamp::EPOCH, Timestamp::EPOCH);
        assert_eq!(Packed::read(packer.take()).is_ok(), is_one, "{field:?} {value}");
    }
}

#[test]
fn values_that_are_not_written_as_rows_are_make_a_block_of_lines() {
    let odd = |n| {
        let mut row = plain(n, "m");
        row.values.push((Field::Metadata, "{\"a\": 1}".to_owned()));
        row
    };
    let rows = [plain(1, "first"), odd(2), plain(3, "last")];
    assert!(flushed(&encoded(&rows)) == of_lines(&lines(&rows)));
    let text = reader::blocks_of(&flushed(&encoded(&rows))).unwrap().concat();
    assert_eq!(String::from_utf8(text).unwrap(), lines(&rows));
}

#[test]
fn a_row_that_is_taken_back_or_too_long_leaves_nothing() {
    let mut encoder = Encoder::default();
    assert_eq!(plain(1, "first").push(&mut encoder), Some(Ok(())));
    let put = |to: &mut Packer| to.put(Field::Service, &["gone"]);
    assert_eq!(
        encoder.push_values(Uuid::nil(), Timestamp::EPOCH, |to| {
            put(to);
            None
        }),
        None
    );
    let long = plain(2, &"x".repeat(super::super::MAX_ROW_BYTES));
    let row_bytes = long.line().len();
    assert_eq!(long.push(&mut encoder), Some(Err(TooLong { row_bytes })));
    assert_eq!(Made { is_line: true, ..long }.push(&mut encoder), Some(Err(TooLong { row_bytes })));
    assert_eq!(plain(3, "last").push(&mut encoder), Some(Ok(())));
    assert_eq!(decoded(&encoder.finish()), lines(&[plain(1, "first"), plain(3, "last")]));
}

#[test]
fn blocks_end_where_they_are_full_of_rows_or_of_bytes() {
    let many: Vec<Made> = (0..=u32::try_from(MAX_BLOCK_ROWS).unwrap()).map(|n| plain(n, "m")).collect();
    let rows_of = |blocks: &[Encoded]| blocks.iter().map(|block| block.rows as usize).collect::<Vec<_>>();
    assert_eq!(rows_of(&encoded(&many)), [MAX_BLOCK_ROWS, 1]);
    let large: Vec<Made> = (0..5).map(|n| plain(n, &format!("{n}").repeat(900 << 10))).collect();
    let blocks = encoded(&large);
    assert_eq!(rows_of(&blocks), [2, 2, 1]);
    assert!(blocks.iter().all(|block| block.raw_bytes as usize <= MAX_BLOCK_BYTES));
    assert!(decoded(&blocks) == lines(&large));
}

#[test]
fn alike_rows_take_few_bytes_beside_their_values() {
    let rows: Vec<Made> = (0..500).map(|n| Made { ns: 1_700_000_000_000_000_000, ..plain(n, "") }).collect();
    let mut packer = Packer::default();
    for row in &rows {
        let (id, time, received_at) = row.head();
        packer.stage();
        row.values.iter().for_each(|(field, value)| packer.put(*field, &[value]));
        packer.keep(id, time, received_at);
    }
    // Flags, no time between, three lengths.
    let values = rows.len() * "apiWARN".len();
    let bytes = packer.take().len() - values;
    assert!(bytes < rows.len() * 5 + 50, "{bytes}");
}
