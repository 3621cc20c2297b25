//! Segments read by others: docs/read-a-segment.py prints the rows of both versions, gzip takes every part, and
//! what was stored once stays readable. How the fixtures were made is in tests/fixtures/README.md.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Map, Value, json};
use timberline::engine::{
    block::{
        Segment, SegmentId, reader,
        rows::{self, Row},
        segment,
    },
    record::timestamp::Timestamp,
};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of this name that is gone when the test is over.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, bytes: &[u8]) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, bytes).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn run(program: &str, args: &[&str], file: &Path) -> Output {
    let output = Command::new(program).args(args).arg(file).output();
    output.unwrap_or_else(|error| panic!("this test needs `{program}` on the path: {error}"))
}

fn python(segment: &Path) -> String {
    let script = root("docs/read-a-segment.py");
    let output = run("python3", &[script.to_str().unwrap()], segment);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Compares line by line: the first that differs tells more than all of them.
fn assert_same(got: &str, expected: &str) {
    for (nth, (got, expected)) in got.lines().zip(expected.lines()).enumerate() {
        assert_eq!(got, expected, "row {nth}");
    }
    assert_eq!(got.len(), expected.len());
}

fn segment_of(lines: &[String]) -> Segment {
    let text = lines.join("\n");
    let rows: Vec<Row<'_>> = rows::rows(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    let id = SegmentId {
        tenant: "default".into(),
        class: "d30".into(),
        shard: 0,
        first_seq: 1,
        last_seq: 1,
        part: 0,
        generation: 0,
        merged: None,
    };
    segment::write(id, rows).unwrap().unwrap()
}

fn text(segment: &[u8]) -> String {
    String::from_utf8(reader::blocks_of(segment).unwrap().concat()).unwrap()
}

/// Noise that is the same each time.
fn noise(nth: u64) -> u64 {
    let mixed = (nth ^ nth >> 30).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb) ^ mixed >> 31
}

const TEXTS: [&str; 10] = [
    "",
    "größe \"0\" \u{1} line\nnext \\ \u{7f} \u{1}d",
    "日本語 15 😀",
    "took 15ms of 007, 1.5e3 -1",
    "from 10.0.0.255:80 to 256.1.1.1",
    "id 018f3c2e-0000-7abc-8def-0123456789ab and 018F3C2E",
    "deadbeef 0123456789ABCDEF 5İ ß5",
    "123456789012345678 12345678901234567890",
    "\u{2028}\u{feff}\u{1f}\t\r",
    "plain",
];

/// Rows in order that need every part of the format.
fn varied(count: u64) -> Vec<String> {
    let row = |nth: u64| {
        let (which, trace) = (noise(nth), noise(nth / 3 % 50));
        let at = Timestamp::from_ns(i64::try_from(1_763_683_200_000_000_000 + nth * 1_000_007).unwrap());
        let received =
            Timestamp::from_ms(1_763_683_260_000 + i64::try_from(nth / 100 * 7 + nth / 900).unwrap());
        let request = u128::from(1_763_683_260_000 + nth / 100 * 7) << 80 | 7 << 76 | 2 << 62;
        let id =
            uuid::Uuid::from_u128(request + u128::from(noise(nth / 100) >> 32 << 20) + u128::from(nth % 100));
        let trace_id = format!("{trace:016x}{:016x}", noise(trace));
        let text = TEXTS[usize::try_from(nth % 10).unwrap()];
        let template = "abcdefghijklmnopqrstuvwxyz".repeat(2);
        let at_letter = usize::try_from(nth / 4 % 26).unwrap();
        let kind = &template[at_letter..=at_letter + usize::try_from(nth / 104 % 8).unwrap()];
        let message = match nth % 4 {
            0 => format!("{kind} took {}ms for {trace_id}", which % 5_000),
            1 => format!("{text}{nth}"),
            2 => format!("{kind} of user {} failed, step {:03}", which % 997, which % 90),
            _ => format!(
                "GET /items/{}/x{:06x} from 10.{}.0.1",
                which % 100_000,
                which % 0xff_ffff,
                which % 256
            ),
        };
        let mut row =
            json!({"id": id, "timestamp": at, "received_at": received, "service": "api", "level": "INFO"});
        let fields = row.as_object_mut().unwrap();
        fields.insert("message".into(), json!(message));
        fields.insert("trace_id".into(), json!(trace_id));
        fields.insert("span_id".into(), json!(trace_id[..16]));
        if !nth.is_multiple_of(5) {
            fields.insert("user_id".into(), json!(format!("u-{:05}", noise(trace) % 20_011)));
            fields
                .insert("duration_ms".into(), json!(f64::from(u32::try_from(which % 9_999).unwrap()) / 8.0));
        }
        let mut metadata = Map::new();
        metadata.insert("seq".into(), json!(nth));
        metadata.insert(
            "http".into(),
            json!({"status": 200 + which % 3, "peer": {"ip": format!("10.0.{}.{}", trace % 256, trace % 9)}}),
        );
        if nth.is_multiple_of(3) {
            metadata.insert("odd.\"key\"".into(), json!([text, {"x": [nth, null, true]}, 1e300, -0.0]));
            metadata.insert("uuid".into(), json!(uuid::Uuid::from_u128(u128::from(which) << 40)));
        } else {
            metadata.insert("flag".into(), if nth.is_multiple_of(2) { json!(null) } else { json!({}) });
            metadata.insert("text".into(), json!(text));
        }
        fields.insert("metadata".into(), Value::Object(metadata));
        row.to_string()
    };
    (0..count).map(row).collect()
}

#[test]
fn the_script_prints_the_rows_of_a_segment() {
    for count in [1, 2, 700, 20_000] {
        let mut lines = varied(count);
        if count == 20_000 {
            // Not as a writer has it: this block is kept as lines.
            lines[12_000] = lines[12_000].replace("INFO", "\\u0049NFO");
        }
        let segment = segment_of(&lines);
        let in_columns = segment.footer.blocks.iter().filter(|block| block.heads.is_some()).count();
        assert_eq!(in_columns, if count == 20_000 { 4 } else { 1 });
        let templates =
            segment.footer.blocks.iter().flat_map(|block| &block.columns).map(|c| c.templates.len());
        assert!(count < 20_000 || templates.max() > Some(256), "template numbers of two bytes are not read");
        let file = Scratch::new(&format!("script-{count}.seg.gz"), &segment.bytes);
        assert_same(&text(&segment.bytes), &(lines.join("\n") + "\n"));
        assert_same(&python(&file.0), &(lines.join("\n") + "\n"));
    }
}

#[test]
fn gzip_takes_a_segment_without_a_warning() {
    let segment = segment_of(&varied(9_000));
    let file = Scratch::new("gzip.seg.gz", &segment.bytes);
    for args in [["-t"], ["-dc"]] {
        let output = run("gzip", &args, &file.0);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        if args == ["-dc"] {
            // The footer is the last that it prints.
            let lines = output.stdout.strip_suffix(b"\n").unwrap();
            assert!(lines.ends_with(b"}"));
        }
    }
}

#[test]
fn what_was_stored_stays_readable() {
    for version in [1, 2] {
        let path = root(&format!("tests/fixtures/segment-v{version}.seg.gz"));
        let expected =
            fs::read_to_string(root(&format!("tests/fixtures/segment-v{version}.ndjson"))).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(reader::footer_of(&bytes).unwrap().version, version);
        assert_same(&text(&bytes), &expected);
        assert_same(&python(&path), &expected);
    }
}
