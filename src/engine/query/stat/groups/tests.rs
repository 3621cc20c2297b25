use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::engine::{
    block::{Block, Opened, SegmentId, reader, rows, segment},
    query::{mask::Mask, stat::*},
    record::{row::weight, timestamp::Timestamp},
};

const MEASURES: [&str; 7] = ["count", "sum(d)", "avg(d)", "min(d)", "max(d)", "p50(d)", "uniq(d)"];

fn line(n: usize, [service, level, tag, rate]: [usize; 4], d: i32) -> String {
    let ms = 1_763_682_436_000 + i64::try_from(n).unwrap() * 20_000;
    let time = Timestamp::from_ms(ms).to_string();
    let (service, level) = (["api", "web"][service], ["INFO", "WARN", "ERROR"][level]);
    let mut row = json!({
        "id": uuid::Uuid::from_u128((1_763_682_436_000_u128 << 80) + (7 << 76) + (2 << 62) + n as u128).to_string(),
        "timestamp": time, "received_at": time, "service": service, "level": level, "message": "m",
    });
    let fields = row.as_object_mut().unwrap();
    match rate {
        0 => {}
        1 => drop(fields.insert("sample_rate".into(), json!(10))),
        rate => drop(fields.insert("sample_rate".into(), json!(rate * rate * 37))),
    }
    if tag > 0 {
        fields.insert("tags".into(), json!(["all", format!("t{tag}")]));
    }
    // The same name, of something else.
    fields.insert("metadata".into(), json!({"d": f64::from(d) / 10.0, "sample_rate": 3}));
    row.to_string()
}

fn id() -> SegmentId {
    SegmentId {
        tenant: "t".into(),
        class: "d1".into(),
        shard: 0,
        first_seq: 1,
        last_seq: 1,
        part: 0,
        generation: 0,
        merged: None,
    }
}

fn results(groups: Groups) -> Vec<(Vec<Key>, Vec<Number>)> {
    let results =
        |(keys, states): (Vec<Key>, Vec<State>)| (keys, states.iter().map(State::result).collect::<Vec<_>>());
    let mut all: Vec<_> = groups.into_groups().into_iter().map(results).collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

/// Checks that blocks, and blocks in parts, say of these rows what the rows say one by one.
fn check(lines: &[String], by: &[&str], wanted: &dyn Fn(usize) -> bool) {
    let by: Vec<By> = by.iter().map(|by| By::parse(by).unwrap()).collect();
    let measures: Vec<Measure> =
        MEASURES.iter().map(|text| Measure::parse(&text.replace("(d)", "(metadata.d)")).unwrap()).collect();
    let new = || Groups::new(by.clone(), measures.clone());
    let text = lines.join("\n");
    let rows: Vec<_> = rows::rows(text.as_bytes()).collect::<Result<_, _>>().unwrap();
    let (mut one_by_one, mut repeated) = (new(), 0);
    for (nth, row) in rows.iter().enumerate().filter(|(nth, _)| wanted(*nth)) {
        let value: Value = serde_json::from_slice(row.line).unwrap();
        assert_eq!(u64::from(weight(row.line)), value["sample_rate"].as_u64().unwrap_or(1), "row {nth}");
        repeated += row.weight();
        one_by_one.row(row).unwrap();
    }
    let segment = segment::write(id(), rows.clone()).unwrap().unwrap();
    let opened = Opened::new(segment.footer.clone()).unwrap();
    let (mut of_blocks, mut of_parts, mut first) = (new(), new(), 0);
    for (nth, meta) in segment.footer.blocks.iter().enumerate() {
        let bytes = Bytes::copy_from_slice(reader::slice(&segment.bytes, 0, meta).unwrap());
        let block = Block::new(&opened, meta, bytes);
        let mut mask = Mask::none(block.len());
        (0..block.len()).filter(|row| wanted(first + row)).for_each(|row| mask.set(row));
        let sampled = rows.iter().skip(first).take(block.len()).any(|row| row.weight() > 1);
        assert_eq!(opened.is_sampled(nth), sampled);
        first += block.len();
        of_blocks.block(&block, &mask).unwrap();
        let mut part = new();
        part.block(&block, &mask).unwrap();
        assert!(of_parts.absorb(part.into_part()));
    }
    let expected = results(one_by_one);
    if by.is_empty() && repeated > 0 {
        assert_eq!(expected[0].1[0], Number::Whole(repeated));
    }
    assert_eq!(results(of_blocks), expected, "{by:?}");
    assert_eq!(results(of_parts), expected, "{by:?}");
    // What is told without reading.
    let mut levels = [0_u64; 5];
    let mut stored = [0_u64; 5];
    for row in &rows {
        levels[row.head.level as usize] += row.weight();
        stored[row.head.level as usize] += 1;
    }
    let sum = |each: &dyn Fn(&crate::engine::block::ServiceSummary) -> [u64; 5]| {
        let services = segment.footer.services.values().map(each);
        services.fold([0; 5], |sum: [u64; 5], one| std::array::from_fn(|nth| sum[nth] + one[nth]))
    };
    assert_eq!(sum(&|one| one.levels), levels);
    assert_eq!(sum(&|one| one.stored()), stored);
    let minutes = segment.footer.rollup.counts.values().flat_map(|minutes| minutes.values());
    let minutes = minutes.fold([0; 5], |sum: [u64; 5], one| std::array::from_fn(|nth| sum[nth] + one[nth]));
    assert_eq!(minutes, levels);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_count_what_rows_count_one_by_one(
        rows in prop::collection::vec(([0..2_usize, 0..3_usize, 0..3_usize, 0..5_usize], -40..40), 1..80),
        rates in 0..3_usize,
        modulus in 1..4_usize,
    ) {
        // None with a rate, all with the same, or as it comes.
        let rate = |rate: usize| match rates { 0 => 0, 1 => 1, _ => rate };
        let lines: Vec<String> = rows
            .iter()
            .enumerate()
            .map(|(n, ([service, level, tag, of], d))| line(n, [*service, *level, *tag, rate(*of)], *d))
            .collect();
        for by in [&[][..], &["service", "level"], &["tags"], &["time:1m", "service"], &["sample_rate", "tags"]] {
            check(&lines, by, &|nth| nth % modulus == 0);
        }
    }
}
