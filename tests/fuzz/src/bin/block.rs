//! Changed segments: an error, or the rows that were written; rows of changed texts: what was written.

use timberline::engine::block::{Segment, packed::Packed, reader, segment};
use timberline_fuzz::{
    run,
    segments::{self, line, seal, segment_of, with_chunk},
};

/// The first byte of an input says what is changed: the segment as it is stored, a chunk, the footer, texts, rows on their way
/// to a segment.
const STORED: u8 = 0;
const CHUNK: u8 = 1;
const FOOTER: u8 = 2;
const TEXT: u8 = 3;
const ROWS: u8 = 4;

/// What stands before the rows of a block that is too small to be compressed.
const BEFORE_ROWS: usize = 12;

fn main() {
    let seeds = segments::seeds();
    let mut inputs = Vec::new();
    for (which, seed) in (0_u8..).zip(&seeds) {
        let footer = serde_json::to_vec(&seed.footer).expect("a footer");
        inputs.push([&[STORED, which, 0], seed.bytes.as_slice()].concat());
        // As often as chunks, of which there are many.
        inputs.extend(vec![[&[FOOTER, which, 0], footer.as_slice()].concat(); 10]);
        for (nth, range) in (0_u8..).zip(segments::chunks(seed)).filter(|(_, range)| !range.is_empty()) {
            inputs.push([&[CHUNK, which, nth], segments::unpack(&seed.bytes[range]).as_slice()].concat());
        }
        let rows = reader::blocks_of(&seed.bytes).expect("the rows of a seed").concat();
        inputs.extend(vec![[&[TEXT, which, 0], &rows[..rows.len().min(4_000)]].concat(); 10]);
    }
    for block in segments::blocks() {
        inputs.extend(vec![[&[ROWS, 0, 0], &block.bytes[BEFORE_ROWS..]].concat(); 10]);
    }
    let words: &[&[u8]] = &[
        "5İ".as_bytes(),
        b"\x01d",
        b"\x01",
        b"00012",
        b"10.0.0.1",
        b"[0,0]",
        b"\xff\xff",
        b"\x00\x00",
        b"\n",
    ];
    run("block", &inputs, words, |input| attempt(&seeds, input));
}

fn attempt(seeds: &[Segment], input: &[u8]) {
    let [kind, which, nth, rest @ ..] = input else { return };
    let seed = &seeds[usize::from(*which) % seeds.len()];
    let read = |segment: &[u8]| reader::blocks_of(segment).map(|texts| texts.concat());
    match kind % 5 {
        STORED => {
            if let Ok(rows) = read(rest) {
                // Of whichever seed it was made.
                assert!(seeds.iter().any(|seed| read(&seed.bytes).as_ref() == Ok(&rows)), "other rows");
            }
        }
        CHUNK => {
            let chunks = segments::chunks(seed).len();
            if let Ok(rows) = read(&with_chunk(seed, usize::from(*nth) % chunks, rest)) {
                assert_eq!(rows.len() as u64, seed.footer.raw_bytes);
            }
        }
        FOOTER => {
            let before = &seed.bytes[..seed.footer_offset as usize];
            let _ = read(&seal(before, rest, &seed.bytes));
        }
        ROWS => {
            if let Ok(packed) = Packed::read(rest.to_vec()) {
                let mut rows: Vec<_> = packed.rows().collect();
                let segment = segment::write(segments::id(), rows.clone()).expect("it is written");
                rows.sort_by_key(|row| (row.timestamp(), row.id()));
                let mut text = Vec::new();
                rows.iter().for_each(|row| row.write(&mut text));
                let read = segment.map(|segment| read(&segment.bytes).expect("what was written"));
                assert!(read.unwrap_or_default() == text, "other rows");
            }
        }
        _ => {
            let text = String::from_utf8_lossy(rest);
            let parts: Vec<&str> = text.split('\n').collect();
            let row = |(nth, part): (usize, &&str)| {
                let other = parts[nth * 7 % parts.len()];
                let fields = match serde_json::from_str::<serde_json::Value>(part) {
                    Ok(value) => serde_json::json!({"message": other, "metadata": {"any": value}}),
                    Err(_) => {
                        serde_json::json!({"message": part, "metadata": {other: [part, nth], "x": other}})
                    }
                };
                line(nth, &fields)
            };
            let lines: Vec<String> = parts.iter().enumerate().map(row).collect();
            let segment = segment_of(&lines);
            let rows = read(&segment.bytes).expect("what was written");
            assert!(rows == (lines.join("\n") + "\n").into_bytes(), "other rows");
        }
    }
}
