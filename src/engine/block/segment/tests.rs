//! Rows in columns: any rows are read as they were written, no word of them is denied, and no damage is believed.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt::Write,
};

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{END_LEN, Writer, block_len, write};
use crate::engine::{
    block::{
        Block, Corrupt, Footer, HasWord, Kind, MAX_INFLATED_BYTES, MAX_ROW_BYTES, Opened, Parted, Segment,
        footer::Place,
        gzip,
        packed::Packed,
        reader,
        rows::{self, Encoder, Row},
        tests::id,
        view, words,
    },
    record::{
        field::{Field, Form, Values},
        row::RowHead,
        timestamp::Timestamp,
    },
};

fn read(bytes: &[u8]) -> Result<Vec<u8>, Corrupt> {
    check_parted(bytes);
    reader::blocks_of(bytes).map(|texts| texts.concat())
}

/// Blocks that can be taken apart are those that can be read, and say the same; answers how many there are.
fn check_parted(bytes: &[u8]) -> usize {
    let Ok(opened) = reader::footer_of(bytes).and_then(Opened::new) else { return 0 };
    let mut writer = Writer::made_of(id(), Vec::new(), false);
    let mut taken = 0;
    for meta in opened.footer.blocks.iter().filter(|meta| meta.heads.is_some()) {
        let Ok(block) = reader::slice(bytes, 0, meta).map(Bytes::copy_from_slice) else { continue };
        if let Ok(Some(parted)) = writer.part(&Block::new(&opened, meta, block.clone())) {
            assert_eq!(writer.lines_of(parted).unwrap(), reader::block(&opened, meta, block).unwrap());
            taken += 1;
        }
    }
    taken
}

/// Noise that is the same each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(1);
        words::hash(&self.0.to_string())
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits).map(|_| char::from(b"0123456789abcdef"[self.below(16)])).collect()
    }

    /// A choice of fields, another one each time.
    fn fields(&mut self, of: usize) -> Map<String, Value> {
        let bits = self.next();
        (0..of).filter(|bit| bits >> bit & 1 == 1).map(|n| (format!("k{n}"), json!(n))).collect()
    }
}

/// The nth row, with these fields behind its head.
fn line(nth: usize, fields: Value) -> String {
    let at = Timestamp::from_ns(1_763_683_200_000_000_000 + 1_000 * i64::try_from(nth).unwrap());
    let request = 0x019a_a2b0_0000_7000_8000_0000_0000_0000 + (u128::try_from(nth / 100).unwrap() << 20);
    let id = Uuid::from_u128(request + u128::try_from(nth % 100).unwrap());
    let received = Timestamp::from_ms(at.as_ms());
    let mut row =
        json!({"id": id, "timestamp": at, "received_at": received, "service": "api", "level": "INFO"});
    let (Value::Object(row), Value::Object(fields)) = (&mut row, fields) else { panic!() };
    row.extend(fields);
    serde_json::to_string(row).unwrap()
}

fn lines(count: usize, fields: impl Fn(usize) -> Value) -> Vec<String> {
    (0..count).map(|nth| line(nth, fields(nth))).collect()
}

fn segment_of(lines: &[String]) -> Segment {
    let text = lines.join("\n");
    let rows: Vec<Row<'_>> = rows::rows(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    write(id(), rows).unwrap().unwrap()
}

/// The words that a segment of these rows tells an index.
fn words_told(lines: &[String]) -> Vec<u64> {
    let text = lines.join("\n");
    let rows: Vec<Row<'_>> = rows::rows(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    let mut writer = Writer::made_of(id(), Vec::new(), false);
    let mut rest = rows.as_slice();
    while !rest.is_empty() {
        let (block, behind) = rest.split_at(block_len(rest));
        rest = behind;
        writer.push(block).unwrap();
    }
    writer.finish().unwrap().unwrap().words
}

/// Rows in order are read as they were, and nothing says no to a word that they have.
fn check(lines: &[String]) -> Segment {
    let segment = segment_of(lines);
    let got = String::from_utf8(read(&segment.bytes).unwrap()).unwrap();
    for (nth, (got, line)) in got.lines().zip(lines).enumerate() {
        assert_eq!(got, line, "row {nth}");
    }
    assert_eq!(got.lines().count(), lines.len());
    assert_eq!(reader::footer_of(&segment.bytes).unwrap(), segment.footer);
    check_words(&segment, &words_told(lines));
    check_carried(&segment, lines);
    check_values(&segment, lines);
    segment
}

/// The rows by their values, as they come to a shard; `None` when some are no records.
fn values(lines: &[String]) -> Option<Vec<Packed>> {
    let mut encoder = Encoder::default();
    for line in lines {
        let head = RowHead::parse(line.as_bytes()).ok()?;
        let row: Map<String, Value> = serde_json::from_str(line).ok()?;
        let of = |(name, value): (&String, &Value)| {
            let field = Field::ALL.into_iter().find(|field| field.name() == name)?;
            let json = value.to_string();
            match (field.form(), value) {
                (Form::Text, Value::String(_)) => Some((field, json[1..json.len() - 1].to_owned())),
                (Form::Number, Value::Number(_)) | (Form::Array, Value::Array(_)) => Some((field, json)),
                (Form::Object, Value::Object(object)) => (!object.is_empty()).then_some((field, json)),
                _ => None,
            }
        };
        let values: Vec<(Field, String)> = row.iter().skip(3).map(of).collect::<Option<_>>()?;
        if !values.is_sorted_by_key(|(field, _)| *field as usize) {
            return None;
        }
        let pushed = encoder.push_values(head.id, head.received_at, |row| {
            for (field, value) in &values {
                row.put(*field, &[value]);
            }
            Some(head.timestamp)
        });
        pushed?.ok()?;
    }
    let blocks = encoder.finish();
    let blocks: Vec<Packed> =
        blocks.iter().map(|block| rows::unpack(block.codec, &block.bytes).unwrap()).collect();
    let mut text = Vec::new();
    blocks.iter().flat_map(Packed::rows).for_each(|row| row.write(&mut text));
    str::from_utf8(&text).unwrap().lines().eq(lines).then_some(blocks)
}

/// Rows by their values make the segment that lines do.
fn check_values(segment: &Segment, lines: &[String]) {
    if let Some(blocks) = values(lines) {
        let written = super::write(id(), blocks.iter().flat_map(Packed::rows).collect()).unwrap().unwrap();
        assert!(written.bytes == segment.bytes, "another segment");
    }
}

/// The blocks of a segment, taken apart for this writer; `None` when one cannot be.
fn parted(segment: &Segment, writer: &mut Writer) -> Option<VecDeque<Parted>> {
    let opened = Opened::new(segment.footer.clone()).unwrap();
    let mut blocks = VecDeque::new();
    for meta in &opened.footer.blocks {
        meta.heads?;
        let bytes = Bytes::copy_from_slice(reader::slice(&segment.bytes, 0, meta).unwrap());
        blocks.push_back(writer.part(&Block::new(&opened, meta, bytes)).unwrap()?);
    }
    Some(blocks)
}

/// Two segments with these rows by turns make, from columns to columns, the segment that lines do.
fn check_carried(segment: &Segment, lines: &[String]) {
    let is_first = |nth: &usize| (nth / 5).is_multiple_of(2) || nth.is_multiple_of(7);
    let of = |first: bool| {
        let own = lines.iter().enumerate().filter(|(nth, _)| is_first(nth) == first);
        own.map(|(_, line)| line.clone()).collect::<Vec<_>>()
    };
    let mut writer = Writer::made_of(id(), Vec::new(), false);
    let sources = [of(true), of(false)].into_iter().filter(|lines| !lines.is_empty());
    let sources: Option<Vec<_>> = sources.map(|lines| parted(&segment_of(&lines), &mut writer)).collect();
    let Some(mut sources) = sources else { return };
    let mut next = vec![0; sources.len()];
    let mut open = Parted::default();
    loop {
        let key = |nth: usize| sources[nth].front().and_then(|block| block.key(next[nth]));
        let Some((_, first)) = (0..sources.len()).filter_map(|nth| Some((key(nth)?, nth))).min() else {
            break;
        };
        let others = (0..sources.len()).filter(|nth| *nth != first).filter_map(key);
        let until = others.min().unwrap_or((Timestamp::MAX, Uuid::max()));
        let block = sources[first].front_mut().unwrap();
        let carried = open.carry(block, next[first], until);
        next[first] += carried;
        if carried == 0 {
            writer.push_parted(std::mem::take(&mut open)).unwrap();
        } else if next[first] == block.len() {
            sources[first].pop_front();
            next[first] = 0;
        }
    }
    let as_lines = String::from_utf8(writer.lines_of(open.clone()).unwrap()).unwrap();
    assert!(as_lines.lines().eq(&lines[lines.len() - open.len()..]), "{as_lines}");
    writer.push_parted(open).unwrap();
    let merged = writer.finish().unwrap().unwrap();
    let text = String::from_utf8(read(&merged.bytes).unwrap()).unwrap();
    assert!(text.lines().eq(lines), "{text}");
    let (merged, direct) = (&merged.footer, &segment.footer);
    assert_eq!((merged.rows, merged.raw_bytes), (direct.rows, direct.raw_bytes));
    assert_eq!((merged.min_time, merged.max_time), (direct.min_time, direct.max_time));
    assert_eq!((merged.min_received, merged.max_received), (direct.min_received, direct.max_received));
    assert_eq!((&merged.services, &merged.rollup), (&direct.services, &direct.rollup));
    assert_eq!(merged.facts, direct.facts);
}

/// As `check`, and all blocks are in columns.
fn check_columns(lines: &[String]) -> Segment {
    let segment = check(lines);
    assert!(segment.footer.blocks.iter().all(|block| block.heads.is_some()));
    segment
}

fn leaf_words(value: &Value, found: &mut BTreeSet<String>) {
    let text = match value {
        Value::Array(items) => return items.iter().for_each(|item| leaf_words(item, found)),
        Value::Object(fields) => return fields.values().for_each(|value| leaf_words(value, found)),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    found.extend(words::words(&words::fold(&text)).map(str::to_owned));
}

fn words_of(kind: Kind, value: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let leaf = if kind == Kind::Raw { serde_json::from_str(value).unwrap() } else { json!(value) };
    leaf_words(&leaf, &mut found);
    found
}

fn filters_of(segment: &Segment) -> Vec<Vec<u8>> {
    let filters = |place: &Place| {
        let from = usize::try_from(place.offset).unwrap();
        view::filters(&segment.bytes[from..from + usize::try_from(place.length).unwrap()]).unwrap()
    };
    segment.footer.columns.iter().map(|c| c.filters.as_ref().map(filters).unwrap_or_default()).collect()
}

/// Every word of every value is one that its template has, or one that the filter lets through; and the words of
/// a template are in all its values.
fn check_words(segment: &Segment, told: &[u64]) {
    let opened = Opened::new(segment.footer.clone()).unwrap();
    let filters = filters_of(segment);
    for (nth, meta) in opened.footer.blocks.iter().enumerate().filter(|(_, meta)| meta.heads.is_some()) {
        let bytes = Bytes::copy_from_slice(reader::slice(&segment.bytes, 0, meta).unwrap());
        let block = Block::new(&opened, meta, bytes);
        for column in &meta.columns {
            let number = column.column as usize;
            let kind = opened.columns()[number].kind;
            let filter = opened.filter(nth, column.column, &filters[number]);
            assert_eq!(filter.len() as u64, column.filter);
            let templates: Vec<_> = opened.templates(column).map(|(template, _)| template.clone()).collect();
            let own: Vec<Vec<String>> = templates.iter().map(|template| template.words().to_vec()).collect();
            let values = block.values(column).unwrap();
            let mut seen = BTreeSet::new();
            for (at, tid) in values.entries.tids.iter().enumerate().map(|(at, tid)| (at, usize::from(*tid))) {
                let mut value = String::new();
                values.push(at, &mut value).unwrap();
                let found = words_of(kind, &value);
                for word in own[tid].iter().filter(|_| kind == Kind::Text) {
                    assert!(found.contains(word), "{word:?} of {:?} is not in {value:?}", templates[tid]);
                }
                for word in found {
                    let hash = words::hash(&word);
                    if !seen.insert((tid, hash)) {
                        continue;
                    }
                    let held = match templates[tid].has_word(&word) {
                        HasWord::Yes => true,
                        HasWord::InVariable => view::filter_may_hold(filter, hash),
                        HasWord::No => false,
                    };
                    assert!(held, "{word:?} of {value:?} in {:?}", templates[tid]);
                    assert!(told.binary_search(&hash).is_ok(), "{word:?}");
                }
            }
        }
    }
}

const ODD_TEXTS: &[&str] = &[
    "",
    " ",
    "İ1",
    "5İ",
    "a 1İ2 b",
    "İstanbul",
    "ß",
    "ẞ9",
    "straße 5ß",
    "K5",
    "5K",
    "Å1",
    "e\u{301}1 x",
    "1\u{301}",
    "٣ 3",
    "日本語 15 日本",
    "\u{1}",
    "\u{1}d",
    "\u{1}=1\u{1}",
    "a\u{1}r5",
    "\u{0}\u{7}\u{1f} 7",
    "\"quoted\" \\ back\\\\slash \\u0031",
    "line\nbreak\r\n\t1",
    "\u{7f}\u{80}\u{2028}\u{feff}1",
    "😀1😀",
    "007 0 00 0001",
    "123456789012345678 1234567890123456789 12345678901234567890123",
    "18446744073709551615 -1 +1 1e5 1.5",
    "10.0.0.1 255.255.255.255 256.1.1.1 1.2.3 1.2.3.4.5 01.2.3.4",
    "018f3c2e-0000-7abc-8def-0123456789ab",
    "018F3C2E-0000-7ABC-8DEF-0123456789AB",
    "018f3c2e-0000-7abc-8def-0123456789abc x018f3c2e-0000-7abc-8def-0123456789ab",
    "deadbeef DEADBEEF beef 0xbeef f00 feed1e",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
    "took 15ms of 30s, worker3 and retry2of5",
    "abcdefghijklmnop1",
    "true",
    "null",
    "GET /api/v1/users/499218?page=2&x=%20 200",
    "ſ1 Ⓐ2 ǅ3 ﬁ4",
];

#[test]
fn odd_texts_are_kept() {
    let all = lines(400, |nth| {
        let (text, other) = (ODD_TEXTS[nth % ODD_TEXTS.len()], ODD_TEXTS[nth * 7 % ODD_TEXTS.len()]);
        let joined = format!("{text} {nth} {other}");
        json!({"message": text, "metadata": {"a": joined, "b": [text, {"k": other}], "c": nth}})
    });
    check_columns(&all);
    for text in ODD_TEXTS {
        for count in [1, 9, 300] {
            // As dictionaries, and as templates that many share.
            check_columns(&lines(count, |_| json!({"message": text, "tags": [text]})));
            check_columns(&lines(count, |nth| json!({"message": format!("{text}{nth} {nth}{text}")})));
        }
    }
}

#[test]
fn words_of_every_character_are_kept() {
    // What folds to more or less than one character, or to one that is in no word.
    let odd = |c: &char| {
        let c = c.to_string();
        let folded = words::fold(&c);
        folded.chars().count() != 1 || folded.chars().map(words::is_word).ne(c.chars().map(words::is_word))
    };
    let odd: Vec<char> = ('\u{80}'..=char::MAX).filter(odd).collect();
    assert!(!odd.is_empty());
    let of =
        |c: &char| [format!("{c}1"), format!("1{c}"), format!("x{c}2 y"), format!("{c}"), format!("3{c}z")];
    let texts: Vec<String> = odd.iter().flat_map(of).collect();
    check_columns(&lines(texts.len(), |nth| json!({"message": texts[nth]})));
    check_columns(&lines(300 + texts.len(), |nth| json!({"message": texts[nth % texts.len()]})));
}

#[test]
fn odd_shapes_are_kept() {
    let numbers = [
        json!(0),
        json!(-0.0),
        json!(1.5),
        json!(-1),
        json!(1e300),
        json!(5e-324),
        json!(1e15),
        json!(1e16),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1),
    ];
    let fields = [
        json!({}),
        json!({"message": "x"}),
        json!({"metadata": {}}),
        json!({"metadata": {"a": {}}}),
        json!({"metadata": {"a": {"b": {}}, "c": []}}),
        json!({"metadata": {"a": {"b": 1, "c": {"d": 2}}, "e": 3, "f": {"g": {"h": 4}}}}),
        json!({"metadata": {"a": {"b": {"c": 1}}, "b": {"b": {"c": 1}}}}),
        json!({"metadata": {"a.b": 1, "a": {"b": 2}, "": 3, "\"": 4, "\u{1}\n\\": {"\u{1}": 5}, "ß": 6, " ": null}}),
        json!({"metadata": {"a": 1, "b": true, "c": null, "d": false, "e": "x"}}),
        json!({"metadata": {"a": "1", "b": 1, "c": [], "d": {}, "e": [[[]]], "id": 1, "timestamp": "x"}}),
        json!({"metadata": {"n": numbers}}),
        json!({"metadata": {"a": ["x\ny", "tab\there", "caf\u{e9}", "b\\c", "q\"r", {"u\u{1}v": "w\u{1}x"}]}}),
        json!({"status": 200, "duration_ms": 1.0, "tags": ["a", "b"]}),
        json!({"status": "FAILED", "metadata": {"x": {"metadata": {"x": 1}}}}),
    ];
    for field in &fields {
        check_columns(&lines(1, |_| field.clone()));
        check_columns(&lines(40, |_| field.clone()));
    }
    check_columns(&lines(500, |nth| fields[nth * 5 % fields.len()].clone()));
    check_columns(&lines(500, |nth| json!({"n": numbers[nth * 3 % numbers.len()], "m": numbers[nth / 50]})));
}

#[test]
fn a_deep_object_is_kept_as_text_from_some_depth_on() {
    let deep = |depth| {
        (0..depth).fold(json!("end 5"), |inner, nth| json!({format!("k{}", nth % 3): inner, "n": nth}))
    };
    for depth in [1, 14, 15, 16, 17, 40, 100] {
        let segment = check_columns(&lines(20, |_| json!({"metadata": deep(depth)})));
        assert!(segment.footer.columns.iter().all(|column| column.path.len() <= 16));
    }
    let array = (0..100).fold(json!(1), |inner, _| json!([inner]));
    check_columns(&lines(1, |_| json!({"metadata": {"a": array}})));
}

#[test]
fn more_columns_than_a_segment_has_are_one_of_json() {
    let object = |from: usize, count: usize| {
        Value::Object((from..from + count).map(|n| (format!("key{n}"), json!(n))).collect())
    };
    // Each row has other keys.
    let segment = check_columns(&lines(30, |nth| json!({"metadata": object(nth * 100, 100)})));
    let columns = segment.footer.columns.len();
    assert!((900..1_010).contains(&columns), "{columns}");
    let folded = segment.footer.columns.iter().find(|column| column.path == ["metadata"]).unwrap();
    assert_eq!(folded.kind, Kind::Raw);
    // One row has too many.
    for count in [240, 246, 247, 248, 249, 250, 251, 300, 5_000] {
        let segment = check_columns(&lines(1, |_| json!({"message": "m", "metadata": object(0, count)})));
        assert_eq!(segment.footer.columns.len() < 10, count > 247, "{count}");
    }
    // Keys that are longer than a footer should have.
    let long = |nth| json!({"metadata": {format!("{}{nth}", "k".repeat(100_000)): {"a": nth, "b": nth}}});
    let segment = check_columns(&lines(30, long));
    let paths: usize = segment.footer.columns.iter().flat_map(|column| &column.path).map(String::len).sum();
    assert!(paths < 600_000, "{paths}");
}

#[test]
fn a_footer_stays_readable_however_many_shapes_there_are() {
    let mut dice = Dice(1);
    // Each row has another choice of fields.
    let choices: Vec<Map<String, Value>> = (0..12_000).map(|_| dice.fields(40)).collect();
    let segment = check_columns(&lines(12_000, |nth| json!({"message": "m", "metadata": choices[nth]})));
    let columns: usize = segment.footer.shapes.iter().map(Vec::len).sum();
    assert!(columns < 200_000, "{columns}");
    // Those of the top level cannot be folded: the rows are kept as lines.
    let choices: Vec<Map<String, Value>> = (0..20_000).map(|_| dice.fields(30)).collect();
    let segment = check(&lines(20_000, |nth| Value::Object(choices[nth].clone())));
    assert!(segment.footer.blocks[0].heads.is_some() && segment.footer.blocks[2].heads.is_none());
}

#[test]
fn a_footer_stays_readable_however_many_templates_there_are() {
    let mut dice = Dice(1);
    let letters = |hex: String| hex.replace(|c: char| c.is_ascii_digit(), "\u{1}");
    let texts: Vec<String> = (0..40_000).map(|_| letters(dice.hex(40))).collect();
    let metadata = |nth: usize| -> Map<String, Value> {
        (0..20).map(|n| (format!("k{n}"), json!(texts[(nth % 1_500 + n * 1_500) % texts.len()]))).collect()
    };
    let segment = check(&lines(9_000, |nth| json!({"metadata": metadata(nth)})));
    let json = serde_json::to_vec(&segment.footer).unwrap().len();
    assert!(json < 10 << 20, "{json}");
}

#[test]
fn rows_without_room_for_their_columns_are_lines_and_counted_once() {
    let lines = lines(50, |nth| json!({"message": format!("took {nth}ms"), "metadata": {"a": nth}}));
    let whole = segment_of(&lines);
    let text = lines.join("\n");
    let rows: Vec<Row<'_>> = rows::rows(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    let of_parted = |writer: &mut Writer| {
        let blocks = parted(&whole, writer).unwrap();
        writer.meta_room = 0;
        for block in blocks {
            writer.push_parted(block).unwrap();
        }
    };
    let of_rows = |writer: &mut Writer| {
        writer.meta_room = 0;
        writer.push(&rows).unwrap();
    };
    for write in [&of_parted as &dyn Fn(&mut Writer), &of_rows] {
        let mut writer = Writer::new(id());
        write(&mut writer);
        let segment = writer.finish().unwrap().unwrap();
        assert!(segment.footer.blocks.iter().all(|block| block.heads.is_none()));
        assert_eq!(read(&segment.bytes).unwrap(), read(&whole.bytes).unwrap());
        let (services, rollup) = (&whole.footer.services, &whole.footer.rollup);
        assert_eq!((&segment.footer.services, &segment.footer.rollup), (services, rollup));
    }
}

#[test]
fn ten_thousand_templates_are_kept() {
    let word = |nth: usize| nth.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect::<String>();
    let message = |nth: usize| format!("{} took {nth} of it", word(nth / 5));
    let segment = check_columns(&lines(50_000, |nth| json!({"message": message(nth)})));
    let most = segment.footer.columns.iter().map(|column| column.templates.len()).max().unwrap();
    assert!((4_900..=5_000).contains(&most), "{most}");
}

#[test]
fn columns_that_repeat_others_take_few_bytes() {
    let mut dice = Dice(7);
    let traces: Vec<String> = (0..500).map(|_| dice.hex(32)).collect();
    let which: Vec<usize> = (0..4_000).map(|_| dice.below(500)).collect();
    let users: Vec<usize> = (0..500).map(|_| dice.below(1 << 40)).collect();
    let size = |with: &dyn Fn(usize) -> Value| check_columns(&lines(4_000, with)).bytes.len();
    let base = size(&|nth| json!({"trace_id": traces[which[nth]]}));
    let same = size(&|nth| {
        let trace = &traces[which[nth]];
        json!({"message": format!("trace {trace} done"), "trace_id": trace, "request_id": trace[..16]})
    });
    let filter = 550;
    assert!(same < base + 2 * filter + 200, "{base} {same}");
    let per =
        size(&|nth| json!({"trace_id": traces[which[nth]], "user": format!("u-{}", users[which[nth]])}));
    assert!(per < base + filter + 6_000, "{base} {per}");
}

#[test]
fn references_to_columns_that_are_references_are_kept() {
    let mut dice = Dice(3);
    for rows in [40, 400, 2_000] {
        // A short id begins several long ones; it has a user, and that a group.
        let shorts: Vec<String> = (0..rows / 8).map(|_| dice.hex(8)).collect();
        let longs: Vec<(usize, String)> = (0..rows)
            .map(|_| {
                let short = dice.below(shorts.len());
                (short, format!("{}{}", shorts[short], dice.hex(24)))
            })
            .collect();
        let users: Vec<String> = shorts.iter().map(|_| dice.hex(12)).collect();
        let groups: Vec<String> = users.iter().map(|_| dice.hex(6)).collect();
        let picks: [Vec<usize>; 2] = [(0..rows).collect(), (0..rows).map(|_| dice.below(rows / 2)).collect()];
        for pick in &picks {
            for gap in [usize::MAX, 2, 3, 5] {
                for names in ["abcd", "dcba", "cadb", "bcad"] {
                    check_columns(&lines(rows, |nth| {
                        let (short, long) = &longs[pick[nth]];
                        let values =
                            [long, &shorts[*short], &users[*short], &groups[short % 7 % groups.len()]];
                        // The first rows have them all, and so say in which order the columns are.
                        let there = |at: usize| nth < 2 || at == 0 || (nth * (at + 1)) % gap != 1;
                        let of = |name: u8| {
                            (char::from(name).to_string(), json!(values[usize::from(name - b'a')]))
                        };
                        let fields = names.bytes().enumerate().filter(|(at, _)| there(*at));
                        json!({"metadata": fields.map(|(_, name)| of(name)).collect::<Map<_, _>>()})
                    }));
                }
            }
        }
    }
}

#[test]
fn a_long_chain_of_references_is_kept() {
    let mut dice = Dice(5);
    let values: Vec<String> = (0..300).map(|_| dice.hex(64)).collect();
    let segment = lines(900, |nth| {
        // Each a part of the one before, in fewer rows.
        let parts = (0..29).filter(|n| nth < 2 || nth % 31 >= *n);
        let part = |n: usize| (format!("k{n}"), json!(values[nth % 300][n..64 - n]));
        json!({"metadata": parts.map(part).collect::<Map<_, _>>()})
    });
    check_columns(&segment);
}

#[test]
fn short_numbers_among_long_ones_do_not_outgrow_a_reader() {
    // As numbers of eight bytes they would be four times as long as the rows.
    let texts = ["1 ".repeat(300), "123456789012345678 ".repeat(300)];
    check_columns(&lines(7_000, |nth| json!({"message": texts[usize::from(nth == 5_000)]})));
    check_columns(&lines(7_000, |nth| {
        let number = if nth == 3_000 { "9".repeat(18) } else { (nth % 10).to_string() };
        json!({"message": format!("{number} ").repeat(290)})
    }));
}

#[test]
fn rows_of_a_megabyte_are_kept() {
    let around = line(0, json!({"message": ""})).len();
    let mut dice = Dice(9);
    let mut long = |nth| {
        let mut text = String::new();
        while text.len() < MAX_ROW_BYTES {
            let _ = write!(text, "{} {} ", dice.hex(7), dice.below(100_000));
        }
        text.truncate(MAX_ROW_BYTES - around);
        line(nth, json!({"message": text}))
    };
    // With microseconds the head is longer.
    let all: Vec<String> = (0..6).map(|nth| long(nth * 1_000_000)).collect();
    assert!(all.iter().all(|line| line.len() == MAX_ROW_BYTES), "{}", all[1].len());
    assert_eq!(check_columns(&all[..5]).footer.blocks.len(), 5);
    check_columns(&lines(1, |_| json!({"message": "\u{1}".repeat(170_000)})));
    check_columns(&lines(1, |_| json!({"metadata": {"a": vec![1.5; 200_000]}})));
    check(&lines(1, |_| json!({"metadata": {"k".repeat(1_000_000): 1}})));
}

#[test]
fn a_row_that_is_not_written_as_records_are_is_kept_as_it_is() {
    let good = line(0, json!({"message": "one", "metadata": {"a": 1}}));
    let variants = [
        good.replace("\"message\":", "\"message\": "),
        good.replace("one", "\\u006fne"),
        good.replace("one", "o\\/ne"),
        good.replace("\"a\":1", "\"a\":1,\"a\":2"),
        good.replace("\"a\":1", "\"a\":{\"b\":1},\"a\":{\"c\":2}"),
        good.replace("\"a\":1", "\"\\u0061\":1"),
        good.replace("\"a\":1", " "),
        good.replace("\"a\":1", "\"a\": { }"),
        good.replace("00:00Z", "00:00.000Z"),
        good.replace("00:00Z", "00:00+00:00"),
        good.replace("019aa2b0", "019AA2B0"),
        good.replace("}}", "}} "),
        good.replace("}}", "}"),
        good.replace("\"message\":\"one\"", "\"message\":\"\u{2}\""),
        good.replace("\"metadata\"", "\"message\""),
    ];
    for odd in &variants {
        assert_ne!(odd, &good);
        let segment = segment_of(&[good.clone(), odd.clone()]);
        let got = String::from_utf8(read(&segment.bytes).unwrap()).unwrap();
        let mut lines: Vec<&str> = got.lines().collect();
        assert!(lines.contains(&odd.as_str()), "{odd}\n{got}");
        lines.retain(|line| *line != odd);
        assert_eq!(lines, [&good]);
    }
    let odd = [good.replace("one", "tw\\u006f")];
    let segment = segment_of(&odd);
    assert_eq!((segment.footer.blocks[0].heads, segment.words.len()), (None, 0));
    for word in ["two", "1", "api", "info"] {
        assert!(words_told(&odd).binary_search(&words::hash(word)).is_ok(), "{word}");
    }
}

#[test]
fn filters_let_few_other_words_through() {
    let mut dice = Dice(11);
    let all: Vec<String> = (0..8_192)
        .map(|nth| {
            let user = dice.below(5_000);
            let ip = format!("10.0.{}.{}", nth % 256, user % 256);
            let mut metadata = json!({"user": format!("u-{user}"), "ip": ip});
            if nth % 400 == 0 {
                metadata["seldom"] = json!(dice.hex(9));
            }
            let message =
                format!("order {} took {}ms {}", dice.below(1 << 30), dice.below(5_000), dice.hex(12));
            line(nth, json!({"message": message, "trace_id": dice.hex(32), "metadata": metadata}))
        })
        .collect();
    let segment = check_columns(&all);
    let opened = Opened::new(segment.footer.clone()).unwrap();
    let filters = filters_of(&segment);
    let others: Vec<u64> = (0..60_000).map(|n| words::hash(&format!("other{n}"))).collect();
    let mut measured = 0;
    for column in opened.footer.blocks[0].columns.iter().filter(|column| column.filter > 0) {
        let filter = opened.filter(0, column.column, &filters[column.column as usize]);
        let passed = others.iter().filter(|hash| view::filter_may_hold(filter, **hash)).count();
        assert!(passed <= others.len() / 100, "{}: {passed}", opened.columns()[column.column as usize].name);
        measured += 1;
    }
    assert!(measured >= 5, "{measured}");
}

/// The segment with another footer, its checksum right.
fn with_footer(segment: &Segment, change: impl FnOnce(&mut Footer)) -> Vec<u8> {
    let mut footer = segment.footer.clone();
    change(&mut footer);
    let at = usize::try_from(segment.footer_offset).unwrap();
    let member = gzip::compress(&serde_json::to_vec(&footer).unwrap(), 6);
    let mut end = segment.bytes[segment.bytes.len() - END_LEN..].to_vec();
    let mut crc = flate2::Crc::new();
    crc.update(&member);
    end[24..28].copy_from_slice(&u32::try_from(member.len()).unwrap().to_le_bytes());
    end[28..32].copy_from_slice(&crc.sum().to_le_bytes());
    [&segment.bytes[..at], &member, &end].concat()
}

/// The segment with another content of the nth chunk of its first block, checksums and lengths right.
fn with_chunk(segment: &Segment, nth: usize, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let meta = &segment.footer.blocks[0];
    let mut lengths: Vec<u64> = meta.heads.unwrap().to_vec();
    lengths.extend(meta.columns.iter().map(|column| column.numbers));
    lengths.extend(meta.columns.iter().map(|column| column.variables));
    let from = usize::try_from(meta.offset + lengths[..nth].iter().sum::<u64>()).unwrap();
    let to = from + usize::try_from(lengths[nth]).unwrap();
    let mut raw = Vec::new();
    if from < to {
        raw = gzip::inflate(&segment.bytes[from..to], MAX_INFLATED_BYTES, "chunk").unwrap();
    }
    change(&mut raw);
    let member = if raw.is_empty() { Vec::new() } else { gzip::compress(&raw, 1) };
    let mut changed = segment.clone();
    changed.footer_offset = segment.footer_offset - lengths[nth] + member.len() as u64;
    changed.bytes.splice(from..to, member.iter().copied());
    let at = changed.bytes.len() - END_LEN + 16;
    changed.bytes[at..at + 8].copy_from_slice(&changed.footer_offset.to_le_bytes());
    with_footer(&changed, |footer| {
        let meta = &mut footer.blocks[0];
        let (length, columns) = (member.len() as u64, meta.columns.len());
        meta.length = meta.length - lengths[nth] + length;
        match nth {
            0..4 => meta.heads.as_mut().unwrap()[nth] = length,
            nth if nth < 4 + columns => meta.columns[nth - 4].numbers = length,
            nth => meta.columns[nth - 4 - columns].variables = length,
        }
    })
}

/// Gives the segment another content of the nth chunk of its first block, as `with_chunk` does.
fn forge_chunk(segment: &mut Segment, nth: usize, change: impl FnOnce(&mut Vec<u8>)) {
    segment.bytes = with_chunk(segment, nth, change);
    segment.footer = reader::footer_of(&segment.bytes).unwrap();
    let place = reader::end_marker(&segment.bytes[segment.bytes.len() - END_LEN..]).unwrap();
    segment.footer_offset = place.offset;
}

#[test]
fn what_would_hardly_shrink_is_stored_as_it_is() {
    let mut dice = Dice(9);
    let like_random: Vec<u8> =
        dice.hex(2_000).into_bytes().chunks(2).map(|two| two[0] ^ two[1] << 4).collect();
    let mut writer = super::Writer::new(id());
    assert_eq!(writer.chunk(&like_random), 18 + 5 + 1_000);
    assert_eq!(gzip::inflate(&writer.bytes, 1_000, "chunk").unwrap(), like_random);
    assert!(writer.chunk(&[7; 1_000]) < 60);
    assert_eq!((writer.chunk(b"tiny"), writer.chunk(b"")), (18 + 5 + 4, 0));
}

fn varied(rows: usize) -> Vec<String> {
    let mut dice = Dice(2);
    let traces: Vec<String> = (0..rows).map(|_| dice.hex(32)).collect();
    let varied = |nth: usize| {
        let trace = &traces[dice.below(rows / 4 + 1)];
        let text = ODD_TEXTS[nth % ODD_TEXTS.len()];
        let message = format!("request {nth} of {trace} took {}ms, f{}", dice.below(9_999), dice.hex(4));
        let mut row = json!({"message": message, "trace_id": trace, "span_id": trace[4..20]});
        if !nth.is_multiple_of(3) {
            row["user_id"] = json!(format!("u-{:05}", words::hash(trace) % 9_999));
            row["metadata"] =
                json!({"text": text, "ip": format!("10.0.0.{}", nth % 256), "ok": nth.is_multiple_of(2)});
        }
        line(nth, row)
    };
    (0..rows).map(varied).collect()
}

#[test]
fn every_changed_byte_of_columns_is_an_error_or_changes_nothing() {
    let segment = check_columns(&varied(40));
    let rows = read(&segment.bytes).unwrap();
    for at in 0..segment.bytes.len() {
        for flip in [1, 0x10, 0xff] {
            let mut damaged = segment.bytes.clone();
            damaged[at] ^= flip;
            if let Ok(read) = read(&damaged) {
                assert!(read == rows, "byte {at}");
            }
        }
        assert!(read(&segment.bytes[..at]).is_err(), "{at}");
    }
}

#[test]
fn chunks_that_lie_are_no_panic() {
    let segment = check_columns(&varied(60));
    let chunks = 4 + 2 * segment.footer.blocks[0].columns.len();
    let mut dice = Dice(13);
    for nth in 0..chunks {
        for _ in 0..150 {
            let kind = dice.below(4);
            let noise: Vec<u8> =
                (0..dice.below(20)).map(|_| u8::try_from(dice.below(256)).unwrap()).collect();
            let changed = with_chunk(&segment, nth, |raw| {
                let at = dice.below(raw.len() + 1);
                match kind {
                    0 => raw.truncate(at),
                    1 => raw.extend(&noise),
                    _ => {
                        let to = (at + noise.len()).min(raw.len());
                        raw.splice(at..to, noise.iter().copied());
                    }
                }
            });
            // Whatever it reads is as long as the footer says, or an error.
            if let Ok(read) = read(&changed) {
                assert_eq!(read.len() as u64, segment.footer.raw_bytes);
            }
        }
    }
}

#[test]
fn footers_that_lie_are_errors() {
    let segment = check_columns(&varied(60));
    assert!(read(&with_footer(&segment, |_| ())).is_ok());
    let huge = u32::MAX;
    let lies: &[&dyn Fn(&mut Footer)] = &[
        &|f| f.version = 3,
        &|f| f.blocks[0].rows = huge,
        &|f| f.blocks[0].rows -= 1,
        &|f| f.blocks[0].length = u64::MAX,
        &|f| f.blocks[0].offset = u64::MAX,
        &|f| f.blocks[0].raw_bytes = u64::MAX,
        &|f| f.blocks[0].raw_bytes -= 1,
        &|f| f.blocks[0].heads = Some([u64::MAX; 4]),
        &|f| f.blocks[0].heads = None,
        &|f| f.blocks[0].columns[0].column = huge,
        &|f| f.blocks[0].columns[0].rows = huge,
        &|f| f.blocks[0].columns[0].numbers = u64::MAX,
        &|f| f.blocks[0].columns[0].variables = u64::MAX,
        &|f| f.blocks[0].columns[0].templates.clear(),
        &|f| f.blocks[0].columns[0].templates[0].0 = huge,
        &|f| f.blocks[0].columns[0].templates.push((0, 0)),
        &|f| f.blocks[0].columns[0].templates.push((0, huge)),
        &|f| f.blocks[0].columns.swap(0, 1),
        &|f| f.blocks[0].columns.truncate(1),
        &|f| f.shapes.clear(),
        &|f| f.shapes[0].push(huge),
        &|f| f.shapes[0].push(0),
        &|f| f.shapes[0].clear(),
        &|f| f.shapes[0] = vec![2; 1_000_000],
        &|f| f.columns.clear(),
        &|f| f.columns[2].path.clear(),
        &|f| f.columns[2].path = vec!["k".repeat(5_000_000)],
        &|f| f.columns[0].templates[0] = "k".repeat(5_000_000),
        &|f| f.columns[2].templates[0] = "k".repeat(5_000_000),
        &|f| f.columns[2].templates[0] = "\u{1}d".repeat(1_000_000),
        &|f| f.columns[2].templates[0] = "\u{1}?".into(),
    ];
    for (nth, lie) in lies.iter().enumerate() {
        assert!(read(&with_footer(&segment, lie)).is_err(), "{nth}");
    }
    // Filters are asked one at a time.
    let lies = with_footer(&segment, |f| f.blocks[0].columns[0].filter = u64::MAX);
    let opened = Opened::new(reader::footer_of(&lies).unwrap()).unwrap();
    assert!([0, 1].iter().all(|block| view::filter_may_hold(opened.filter(*block, 0, &[]), 7)));
}

#[test]
fn blocks_whose_shapes_and_columns_differ_are_not_taken_apart() {
    let all = lines(40, |nth| json!({ if nth % 2 == 0 { "aa" } else { "bb" }: nth % 7 }));
    let segment = check_columns(&all);
    assert_eq!(check_parted(&segment.bytes), 1);
    let other_shape = with_chunk(&segment, 3, |raw| raw.iter_mut().take(9).for_each(|shape| *shape ^= 1));
    assert_eq!(check_parted(&other_shape), 0);
    let place = |name: &str| segment.footer.columns.iter().position(|column| column.path == [name]).unwrap();
    let (aa, bb) = (place("aa"), place("bb"));
    let one_name = with_footer(&segment, |footer| footer.columns[bb].path = footer.columns[aa].path.clone());
    assert_eq!(check_parted(&one_name), 0);
    let twice = with_footer(&segment, |footer| {
        footer.shapes.iter_mut().for_each(|shape| shape.push(*shape.last().unwrap()));
    });
    assert_eq!(check_parted(&twice), 0);
}

#[test]
fn a_block_can_be_asked_often() {
    let segment = check_columns(&varied(8_192));
    let opened = Opened::new(segment.footer.clone()).unwrap();
    let meta = &opened.footer.blocks[0];
    let bytes = Bytes::copy_from_slice(reader::slice(&segment.bytes, 0, meta).unwrap());
    let block = Block::new(&opened, meta, bytes);
    let ids = block.ids().unwrap();
    for (nth, id) in ids.iter().enumerate().take(2_000) {
        assert_eq!(block.ids().unwrap()[nth], *id);
        let values = block.values(&meta.columns[nth % meta.columns.len()]).unwrap();
        assert_eq!(values.len(), meta.columns[nth % meta.columns.len()].rows as usize);
    }
}

#[test]
fn a_chain_of_references_that_no_writer_makes_is_an_error_in_whatever_order_it_is_read() {
    let dice = std::cell::RefCell::new(Dice(5));
    let hex = || dice.borrow_mut().hex(16);
    let row =
        |_| json!({"metadata": (0..40).map(|n| (format!("k{n:02}"), json!(hex()))).collect::<Map<_, _>>()});
    let mut segment = check_columns(&lines(20, row));
    let columns = segment.footer.blocks[0].columns.clone();
    let forged: Vec<usize> = (0..columns.len()).filter(|nth| columns[*nth].variables > 0).collect();
    assert_eq!(forged.len(), 40);
    for pair in forged.windows(2) {
        let (before, nth) = (columns[pair[0]].column, pair[1]);
        let reference = vec![1, u8::try_from(before).unwrap(), 0];
        forge_chunk(&mut segment, 4 + columns.len() + nth, |raw| *raw = reference);
    }
    let opened = Opened::new(segment.footer.clone()).unwrap();
    let meta = &opened.footer.blocks[0];
    let bytes = Bytes::copy_from_slice(reader::slice(&segment.bytes, 0, meta).unwrap());
    for rising in [true, false] {
        let block = Block::new(&opened, meta, bytes.clone());
        let read =
            |nth: &usize| block.values(&meta.columns[*nth]).unwrap().push(0, &mut String::new()).is_ok();
        let good = if rising {
            forged.iter().filter(|nth| read(nth)).count()
        } else {
            forged.iter().rev().filter(|nth| read(nth)).count()
        };
        assert!((8..=10).contains(&good), "{good}");
    }
}

#[test]
fn chunks_that_inflate_to_too_much_together_are_errors() {
    let text = |nth: usize, n: usize| format!("{} {n}", char::from(b'a' + u8::try_from(nth).unwrap()));
    let row = |nth| json!({"metadata": (0..6).map(|n| (format!("k{n}"), json!(text(nth, n)))).collect::<Map<_, _>>()});
    let mut segment = check_columns(&lines(20, row));
    let columns = segment.footer.blocks[0].columns.clone();
    let whole = |column: &u32| segment.footer.columns[*column as usize].templates == ["\u{1}r"];
    assert_eq!(columns.iter().filter(|column| whole(&column.column)).count(), 6);
    // Twenty texts of 400,000 bytes each: as a column alone it could be.
    let mut large = vec![0, 0, 0x80, 0xb5, 0x18, 0];
    large.resize(8_000_006, b'x');
    for (nth, _) in columns.iter().enumerate().filter(|(_, column)| column.variables > 0) {
        forge_chunk(&mut segment, 4 + columns.len() + nth, |raw| raw.clone_from(&large));
    }
    let opened = Opened::new(segment.footer.clone()).unwrap();
    let meta = &opened.footer.blocks[0];
    let bytes = Bytes::copy_from_slice(reader::slice(&segment.bytes, 0, meta).unwrap());
    let block = Block::new(&opened, meta, bytes);
    let first = |column| block.values(column).unwrap().push(0, &mut String::new());
    let error = meta.columns.iter().find_map(|column| first(column).err()).unwrap().to_string();
    assert!(error.contains("its variables are too long"), "{error}");
    assert!(read(&segment.bytes).is_err());
}

#[test]
fn chunks_that_inflate_to_too_much_are_errors() {
    let segment = check_columns(&varied(60));
    let meta = &segment.footer.blocks[0];
    let lengths = meta.columns.iter().map(|c| c.numbers).chain(meta.columns.iter().map(|c| c.variables));
    let lengths: Vec<u64> = meta.heads.unwrap().into_iter().chain(lengths).collect();
    for (nth, _) in lengths.iter().enumerate().filter(|(_, length)| **length > 0) {
        for length in [MAX_INFLATED_BYTES, MAX_INFLATED_BYTES + 1] {
            assert!(read(&with_chunk(&segment, nth, |raw| raw.resize(length, 0))).is_err(), "{nth}");
        }
    }
}

fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(ODD_TEXTS).prop_map(str::to_owned),
        "[a-z]{1,8}",
        "[a-zA-Z0-9]{1,12}",
        "[0-9]{1,20}",
        "0{0,4}[1-9]{1,3}",
        "[0-9a-f]{6,40}",
        "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
        "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        prop::collection::vec(any::<char>(), 0..6).prop_map(String::from_iter),
    ];
    let glue = prop::sample::select(vec!["", " ", "-", ".", "/", "\u{1}", "é", ":", "0"]);
    let pieces = prop::collection::vec((piece, glue), 0..5);
    pieces.prop_map(|pieces| pieces.into_iter().flat_map(|(piece, glue)| [piece, glue.to_owned()]).collect())
}

fn any_key() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[abc]", 1 => "[ab]\\.[ab]", 1 => any_text()]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        4 => any_text().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => (0..100_i64).prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => (0..10_000_u32).prop_map(|n| Value::from(f64::from(n) / 100.0)),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let fields = prop::collection::vec((any_key(), inner.clone()), 0..5);
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::from),
            fields.prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Rows made of a few values, so that some repeat and some columns have few.
fn any_lines() -> impl Strategy<Value = Vec<String>> {
    let values = prop::collection::vec(any_value(), 1..12);
    let texts = prop::collection::vec(any_text(), 1..12);
    let picks = prop::collection::vec((any::<[prop::sample::Index; 4]>(), 0..8_u32, any::<u16>()), 1..80);
    (values, texts, picks).prop_map(|(values, texts, picks)| {
        lines(picks.len(), |nth| {
            let ([a, b, c, d], which, number) = &picks[nth];
            let mut row = json!({"message": format!("{} {number}", b.get(&texts))});
            if which & 1 == 1 {
                row["status"] = json!(number % 5);
                row["trace_id"] = json!(c.get(&texts));
            }
            if which & 2 == 2 {
                row["metadata"] = json!({"x": a.get(&values), "y": d.get(&values), "copy": b.get(&texts)});
            }
            if which & 4 == 4 {
                row["tags"] = json!([a.get(&values), number]);
            }
            row
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_rows_are_kept_with_their_words(lines in any_lines()) {
        check_columns(&lines);
    }

    #[test]
    fn no_changed_chunk_makes_a_reader_panic(
        lines in any_lines(),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
    ) {
        let segment = segment_of(&lines);
        let nth = which.index(4 + 2 * segment.footer.blocks[0].columns.len());
        let changed = with_chunk(&segment, nth, |raw| {
            let from = at.index(raw.len() + 1);
            let to = (from + noise.len()).min(raw.len());
            raw.splice(from..to, noise.iter().copied());
        });
        if let Ok(read) = read(&changed) {
            prop_assert_eq!(read.len() as u64, segment.footer.raw_bytes);
        }
    }
}
