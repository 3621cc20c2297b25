use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::engine::{
    block::{Rollup, SegmentId, Summary, rows::Row, segment, summary},
    record::row::RowHead,
    sketch::Sketch,
};

const HOUR: i64 = 3_600_000;

fn line(n: i64, more: &Value) -> Vec<u8> {
    let time = Timestamp::from_ms(n * HOUR / 4);
    let level = if n % 3 == 0 { "ERROR" } else { "INFO" };
    let service = if n % 2 == 0 { "api" } else { "web" };
    let mut row = json!({
        "id": Uuid::from_u128(n.unsigned_abs().into()), "timestamp": time, "received_at": time, "service": service,
        "level": level, "message": "m",
    });
    for (name, value) in more.as_object().unwrap() {
        row[name] = value.clone();
    }
    serde_json::to_vec(&row).unwrap()
}

fn row(line: &[u8]) -> Row<'_> {
    Row { head: RowHead::parse(line).unwrap(), line }
}

fn id() -> SegmentId {
    SegmentId {
        tenant: "t".into(),
        class: "standard".into(),
        shard: 0,
        first_seq: 1,
        last_seq: 1,
        part: 0,
        generation: 0,
        merged: None,
    }
}

#[test]
fn a_segment_counts_its_rows_as_they_are_counted_one_by_one() {
    let lines: Vec<Vec<u8>> = (0..200)
        .map(|n| {
            line(n, &json!({
                "environment": if n % 5 == 0 { "staging" } else { "production" }, "component": "c",
                "endpoint": format!("/{}", n % 7), "category": if n % 2 == 0 { "billing" } else { "database" },
                "status": if n % 4 == 0 { json!(200) } else { json!("done") }, "duration_ms": f64::from(i32::try_from(n).unwrap()) / 3.0,
                "pattern_id": format!("{:016x}", n % 6), "metadata": { "release": format!("1.{}", n % 2) },
            }))
        })
        // Those who say it otherwise.
        .chain((240..260).map(|n| line(n, &json!({ "metadata": { "version": format!("2.{}", n % 2), "latency_ms": n } }))))
        .chain((260..270).map(|n| line(n, &json!({ "duration_ms": 3, "metadata": { "latency_ms": n, "release": "a", "version": "b" } }))))
        // Rows with a weight, without fields, and of another shape.
        .chain((200..240).map(|n| line(n, &json!({ "sample_rate": 10, "component": "", "metadata": { "release": 7, "x": n } }))))
        .collect();
    let mut expected = Facts::default();
    for line in &lines {
        expected.count_row(&row(line));
    }
    expected.fit();
    let segment = segment::write(id(), lines.iter().map(|line| row(line)).collect()).unwrap().unwrap();
    assert!(segment.footer.facts == expected, "a block counts otherwise than its rows");
    let total: u64 = expected.iter().map(|(_, _, _, cell)| cell.levels.total()).sum();
    assert_eq!(total, 200 + 40 * 10 + 30);
    let of_release = |name: &str| -> u64 {
        expected
            .iter()
            .filter_map(|(_, _, _, cell)| cell.values(Dimension::Release).get(name))
            .map(Levels::total)
            .sum()
    };
    assert_eq!((of_release("2.1"), of_release("a"), of_release("b")), (10, 10, 0));
    let timed: u64 =
        expected.iter().filter_map(|(_, _, _, cell)| Some(cell.durations.as_ref()?.count())).sum();
    assert_eq!(timed, 230);
    let text = serde_json::to_string(&expected).unwrap();
    assert!(serde_json::from_str::<Facts>(&text).unwrap() == expected, "{text}");
    assert!(
        text.len() < 2 * expected.weight() && expected.weight() < 2 * text.len(),
        "{} {}",
        text.len(),
        expected.weight()
    );
    let statuses: u64 = expected
        .iter()
        .filter_map(|(_, _, _, cell)| cell.values(Dimension::Status).get("200"))
        .map(Levels::total)
        .sum();
    assert_eq!(statuses, 50);
}

#[test]
fn blocks_count_as_rows_do_where_there_is_no_room_for_all() {
    // 10,000 rows of an hour in several blocks, in the order in which a segment has them.
    let lines: Vec<Vec<u8>> = (0..10_000_i64)
        .map(|n| {
            let dice = n * 7_919 % 10_007;
            let endpoint = if dice % 50 == 0 { "x".repeat(300) } else { format!("/{}", dice % 900) };
            let category = match dice % 100 {
                0 => "Security".to_owned(),
                1 => "(other)".to_owned(),
                2 => "c".repeat(300),
                3..10 => String::new(),
                other => format!("c{}", other + dice % 7),
            };
            let more = json!({
                "timestamp": Timestamp::from_ms(n * 360), "category": category, "endpoint": endpoint, "environment": format!("e{}", dice % 12),
                "component": format!("c{}", dice % 500), "pattern_id": format!("{:016x}", dice % 300), "sample_rate": dice % 3,
                "duration_ms": if dice % 5 == 0 { json!(-1.5) } else { json!(dice) }, "status": dice % 600,
            });
            line(n, &more)
        })
        .collect();
    let (mut facts, mut services, mut rollup) = (Facts::default(), Summary::new(), Rollup::default());
    for line in &lines {
        let row = row(line);
        let (service, level, time) = (&*row.head.service, row.head.level, row.head.timestamp);
        summary::count(&mut services, service, level, time, line.len() as u64 + 1, row.weight());
        rollup.count(service, level, time, row.weight());
        facts.count_row(&row);
    }
    let categories = facts.cells.get("api").unwrap();
    assert!(categories.len() >= MAX_CATEGORIES && categories.contains_key(OTHER_CATEGORIES));
    facts.fit();
    let segment = segment::write(id(), lines.iter().map(|line| row(line)).collect()).unwrap().unwrap();
    assert!(
        segment.footer.blocks.len() > 2 && segment.footer.blocks.iter().all(|block| block.heads.is_some())
    );
    assert!(segment.footer.facts == facts, "blocks count otherwise than rows");
    assert_eq!((segment.footer.services, segment.footer.rollup), (services, rollup));
}

#[test]
fn rows_that_are_not_taken_apart_are_counted_too() {
    // Written otherwise than it would be stored, so that the block is written as lines.
    let text = String::from_utf8(line(1, &json!({ "environment": "x" }))).unwrap().replace(',', ", ");
    let segment = segment::write(id(), vec![row(text.as_bytes())]).unwrap().unwrap();
    let cells: Vec<_> = segment.footer.facts.iter().collect();
    assert_eq!(cells.len(), 1);
    assert_eq!(cells[0].3.values(Dimension::Environment).get("x").map(Levels::total), Some(1));
}

#[test]
fn what_is_too_much_is_counted_together_and_levels_stay_exact() {
    let mut facts = Facts::default();
    for n in 0..6_000 {
        let line = line(
            n % 40,
            &json!({ "endpoint": format!("/{}/{}", "x".repeat(60), n), "component": format!("c{n}") }),
        );
        facts.count_row(&row(&line));
    }
    facts.fit();
    assert!(facts.weight() <= MAX_BYTES);
    assert!(serde_json::to_string(&facts).unwrap().len() <= 2 * MAX_BYTES);
    let total: u64 = facts.iter().map(|(_, _, _, cell)| cell.levels.total()).sum();
    assert_eq!(total, 6_000);
    for (_, _, _, cell) in facts.iter() {
        let told: u64 = cell.values(Dimension::Endpoint).values().map(Levels::total).sum();
        assert!(told == 0 || told == cell.levels.total());
    }
    // Even the bare counts may be too many; then nothing is known.
    let mut facts = Facts::default();
    for n in 0..12_000_i64 {
        let line = line(n * 4, &json!({}));
        facts.count_row(&row(&line));
    }
    facts.fit();
    assert!(!facts.is_known());
}

#[test]
fn hours_and_categories_that_are_not_wanted_are_left_out() {
    let mut facts = Facts::default();
    for n in 0..40 {
        let category = if n % 4 == 0 { "security" } else { "billing" };
        facts.count_row(&row(&line(
            n,
            &json!({ "category": category, "component": format!("jane-{}", n % 3) }),
        )));
    }
    let mut seen = Facts::default();
    let wanted = Wanted {
        sees: |service: &str, category: &str| service == "api" && category != "security",
        category: |category: &str| category.to_owned(),
        value: |_: Dimension, value: &str| value.replace("jane", "[NAME]"),
        environment: None,
        dimensions: &[Dimension::Component],
        minutes: true,
        durations: false,
        step: 1,
    };
    seen.add(&facts, &(2..=3), &wanted);
    let cells: Vec<_> = seen
        .iter()
        .map(|(service, category, hour, cell)| (service, category, hour, cell.levels.total()))
        .collect();
    assert_eq!(cells, [("api", "billing", 2, 1), ("api", "billing", 3, 1)]);
    assert!(seen.iter().all(|(_, _, _, cell)| {
        cell.values(Dimension::Component).keys().all(|name| name.starts_with("[NAME]"))
    }));
}

#[test]
fn a_sender_cannot_make_categories_without_end() {
    let mut facts = Facts::default();
    for n in 0..200 {
        facts.count_row(&row(&line(0, &json!({ "category": format!("c{n}") }))));
    }
    facts.count_row(&row(&line(0, &json!({ "category": "Security" }))));
    let categories = facts.cells.get("api").unwrap();
    assert!(
        categories.len() <= MAX_CATEGORIES + 2
            && categories.contains_key("Security")
            && !categories.contains_key("")
    );
    let total: u64 = facts.iter().map(|(_, _, _, cell)| cell.levels.total()).sum();
    assert_eq!(total, 201);
}

/// The minutes of an environment, as they are told.
fn minutes_of(facts: &Facts, environment: &str) -> Vec<u64> {
    let mut seen = Facts::default();
    let wanted = Wanted {
        sees: |_: &str, _: &str| true,
        category: str::to_owned,
        value: |_: Dimension, value: &str| value.to_owned(),
        environment: Some(environment),
        dimensions: &[],
        minutes: true,
        durations: false,
        step: 1,
    };
    seen.add(facts, &(0..=9), &wanted);
    let cells: Vec<&Cell> = seen.iter().map(|(_, _, _, cell)| cell).collect();
    let [cell] = cells[..] else { panic!("{} cells", cells.len()) };
    cell.fine.minutes.iter().map(Levels::total).collect()
}

#[test]
fn minutes_are_known_of_each_environment() {
    let at = |minute: i64, environment: &str| {
        let time = Timestamp::from_ms(minute * 60_000);
        line(0, &json!({ "timestamp": time, "service": "api", "environment": environment }))
    };
    let mut facts = Facts::default();
    for (minute, environment) in [(0, "prod"), (0, "test"), (2, "prod"), (2, "prod"), (3, "")] {
        facts.count_row(&row(&at(minute, environment)));
    }
    facts.fit();
    assert_eq!(minutes_of(&facts, "Prod"), [1, 0, 2]);
    assert_eq!(minutes_of(&facts, "test"), [1]);
    assert_eq!(minutes_of(&facts, "dev"), [0; 0]);
    // The only environment costs nothing: its minutes are those of the cell.
    let mut facts = Facts::default();
    for minute in [1, 1, 4] {
        facts.count_row(&row(&at(minute, "prod")));
    }
    facts.fit();
    assert!(facts.iter().all(|(_, _, _, cell)| cell.fine.environments.is_empty()));
    assert_eq!(minutes_of(&facts, "prod"), [0, 2, 0, 0, 1]);
    // Of environments without end some are known.
    for n in 0..40 {
        facts.count_row(&row(&at(5, &format!("e{n}"))));
    }
    assert_eq!(minutes_of(&facts, "e0"), [0, 0, 0, 0, 0, 1]);
    assert_eq!(minutes_of(&facts, "e39"), [0; 0]);
}

#[test]
fn minutes_and_steps_add_up_to_the_hour() {
    let mut facts = Facts::default();
    // Two records a minute over two hours, at its beginning and near its end.
    for n in 0..240_i64 {
        let time = Timestamp::from_ms(n / 2 * 60_000 + n % 2 * 59_999);
        let more = json!({ "timestamp": time, "service": "api", "pattern_id": format!("{:016x}", n % 3), "duration_ms": n });
        facts.count_row(&row(&line(0, &more)));
    }
    let mut steps: BTreeMap<u32, u64> = BTreeMap::new();
    for (_, _, hour, cell) in facts.iter() {
        assert_eq!(cell.fine.minutes.len(), 60);
        assert!(cell.fine.minutes.iter().all(|levels| levels.total() == 2), "{hour}");
        let of_patterns: u64 = cell.fine.patterns.values().flatten().sum();
        let timed: u64 = cell.fine.durations.iter().map(Sketch::count).sum();
        assert_eq!((of_patterns, timed), (120, 120));
        for counts in cell.fine.patterns.values() {
            for (step, count) in (fine::first_step(hour)..).zip(counts) {
                *steps.entry(step).or_default() += count;
            }
        }
    }
    // The first of them began a minute before the epoch, the last one holds the last minute alone.
    let expected: Vec<(u32, u64)> = (0..=24)
        .map(|step| {
            (
                step,
                if step == 0 {
                    8
                } else if step == 24 {
                    2
                } else {
                    10
                },
            )
        })
        .collect();
    assert_eq!(steps.into_iter().collect::<Vec<_>>(), expected);
    for (ms, step, start) in
        [(0, 0, -60_000), (239_999, 0, -60_000), (240_000, 1, 240_000), (3_540_000, 12, 3_540_000)]
    {
        let found = fine::step(Timestamp::from_ms(ms));
        assert_eq!((found, fine::start_ms(found)), (step, start), "{ms}");
    }
    let before = facts.weight();
    facts.fit_in(before / 2);
    let (_, _, _, cell) = facts.iter().next().unwrap();
    assert!(
        cell.fine.patterns.is_empty()
            && cell.fine.is_cut
            && cell.fine.minutes.len() == 60
            && cell.durations.is_some()
    );
}
