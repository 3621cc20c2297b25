use serde_json::json;

use super::*;
use crate::engine::{
    block::rows::Row,
    record::{row::RowHead, timestamp::Timestamp},
};

const MINUTE: i64 = 60_000;

fn facts(rows: &[(i64, &str, &str, &str, u64)]) -> Facts {
    let mut facts = Facts::default();
    for (ms, service, category, level, pattern) in rows {
        let time = Timestamp::from_ms(*ms);
        let line = serde_json::to_vec(&json!({
            "id": uuid::Uuid::nil(), "timestamp": time, "received_at": time, "service": service, "level": level,
            "message": "m", "category": category, "pattern_id": format!("{pattern:016x}"), "duration_ms": 12.5,
        }));
        let line = line.unwrap();
        facts.count_row(&Row { head: RowHead::parse(&line).unwrap(), line: &line });
    }
    facts
}

fn same(_: &str, id: &str) -> String {
    id.to_owned()
}

fn series(history: &History, now: u32) -> (Span, Vec<ServiceSeries>) {
    let known = |_: &str, id: &str| Described { template: format!("t{id}"), ..Described::default() };
    let (span, all) = history.series(now, known).unwrap();
    (span, all.collect())
}

#[test]
fn facts_become_series_by_service_and_what_is_secret_stays_apart() {
    let rows: Vec<_> = (0..60)
        .flat_map(|minute| {
            let ms = minute * MINUTE + 7 * 3_600_000;
            [
                (ms, "api", "database", if minute < 30 { "INFO" } else { "ERROR" }, 1),
                (ms + 1, "api", "Security", "WARN", 2),
            ]
        })
        .collect();
    let facts = facts(&rows);
    let mut history = History::default();
    let (first, end) = (fine::first_step(7), fine::first_step(8) + 1);
    // In two parts, as evaluations come.
    assert!(history.add(&facts, &(first..first + 6), same));
    assert!(history.add(&facts, &(first + 6..end), same));
    let (span, all) = series(&history, end);
    assert_eq!((span.start_ms, span.step_ms, span.steps), (7 * 3_600_000 - MINUTE, 300_000, 13));
    let names: Vec<&str> = all.iter().map(|one| one.service.as_str()).collect();
    assert_eq!(names, ["api", "api (security)"]);
    assert_eq!((of_series("api"), of_series(names[1])), (("api", None), ("api", Some("security"))));
    let levels: Vec<(&str, u32, usize)> =
        all[0].levels.iter().map(|of| (of.level.as_str(), of.counts.iter().sum(), of.counts.len())).collect();
    assert_eq!(levels, [("INFO", 30, 7), ("ERROR", 30, 13)]);
    assert_eq!(all[0].patterns[0].counts, [4, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 1]);
    assert_eq!((all[0].latency.len(), all[0].latency[12].count()), (13, 1));
    assert_eq!(history.minutes("api").unwrap().len(), 60);
    // The last one is of the first minute of the last step.
    assert_eq!(all.iter().map(|one| one.quiet_ms).collect::<Vec<_>>(), [Some(4 * MINUTE); 2]);
    let (_, all) = series(&history, end + 1);
    assert_eq!(all[0].quiet_ms, Some(9 * MINUTE));
}

#[test]
fn what_is_kept_comes_back_and_what_is_old_goes() {
    let rows: Vec<_> = (0..16 * 24)
        .map(|hour| (hour * 3_600_000 + 30 * MINUTE, if hour < 24 { "old" } else { "api" }, "x", "ERROR", 1))
        .collect();
    let facts = facts(&rows);
    let now = fine::first_step(16 * 24);
    let mut history = History::default();
    history.add(&facts, &(0..now), same);
    history.settle(now - 24);
    let bytes = history.encode().unwrap();
    let again = History::decode(&bytes).unwrap().unwrap();
    assert_eq!((again.until, again.names()), (now - 24, HashSet::from(["api"])));
    let (span, all) = series(&again, now);
    assert_eq!(all[0].quiet_ms, None);
    assert!(span.start_ms >= fine::start_ms(now - KEPT_STEPS));
    let total: u32 = all[0].levels[0].counts.iter().sum();
    assert_eq!(total, 14 * 24 - 2);
    let of_pattern: u32 = all[0].patterns[0].counts.iter().sum();
    assert_eq!(of_pattern, 4 * 24);
    let timed: u64 = all[0].latency.iter().map(Sketch::count).sum();
    assert_eq!(timed, 26);
    // Steps that come again, as they do until they are settled, are not counted twice.
    let mut more = again.clone();
    more.add(&facts, &(again.until..now), same);
    let (_, all) = series(&more, now);
    assert_eq!(all[0].levels[0].counts.iter().sum::<u32>(), 14 * 24);
    for damaged in [&bytes[..bytes.len() / 2], b"", b"{}"] {
        assert!(History::decode(damaged).is_err());
    }
}

#[test]
fn errors_are_kept_before_what_is_frequent() {
    let mut history = History::default();
    let mut kept = Kept::default();
    kept.levels.insert(5, Levels([0, 1, 0, 0, 0]));
    for n in 0..1_500_u32 {
        let levels = if n >= 1_400 { [0, 0, 0, 1, 0] } else { [0, u64::from(n) + 1, 0, 0, 0] };
        let counts = BTreeMap::from([(5, levels.iter().sum())]);
        kept.patterns.insert(format!("{n:04}"), Pattern { levels: Levels(levels), counts });
    }
    history.services.insert("api".into(), kept);
    history.settle(6);
    let patterns = &history.services["api"].patterns;
    assert_eq!(patterns.len(), MAX_PATTERNS);
    assert!(patterns.contains_key("1499") && patterns.contains_key("1399") && !patterns.contains_key("0000"));
}

#[test]
fn a_pattern_has_the_level_of_its_records_whatever_id_they_are_stored_with() {
    let rows: Vec<_> =
        (0..10).map(|n| (n * MINUTE + 3_600_000, "api", "x", "INFO", 1 + n.unsigned_abs() % 2)).collect();
    let mut history = History::default();
    history.add(&facts(&rows), &(0..100), |_, _| "lead".to_owned());
    let (_, all) = series(&history, 100);
    assert_eq!((all[0].patterns[0].id.as_str(), all[0].patterns[0].level.as_str()), ("lead", "INFO"));
    assert_eq!(all[0].patterns[0].counts.iter().sum::<u32>(), 10);
}

#[test]
fn what_there_was_no_room_for_is_not_taken_for_silence() {
    let rows: Vec<_> =
        (0..30).map(|n| (n * MINUTE + 3_600_000, "api", "x", "INFO", n.unsigned_abs())).collect();
    let mut cut = facts(&rows);
    for cell in cut.cells.values_mut().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::values_mut) {
        cell.fine.patterns.clear();
        cell.fine.is_cut = true;
    }
    let mut history = History::default();
    assert!(history.add(&cut, &(0..100), same));
    let (_, all) = series(&history, 100);
    assert!(all[0].patterns.is_empty() && all[0].latency.is_empty() && !all[0].levels.is_empty());
    for cell in cut.cells.values_mut().flat_map(BTreeMap::values_mut).flat_map(BTreeMap::values_mut) {
        cell.fine = fine::Fine::default();
    }
    assert!(!History::default().add(&cut, &(0..100), same));
    // A service whose name is that of another's secret series is not taken for it.
    let mut history = History::default();
    history.add(&facts(&[(3_600_000, "api (security)", "x", "INFO", 1)]), &(0..100), same);
    assert!(history.names().is_empty());
}
