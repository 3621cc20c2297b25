use super::*;
use crate::engine::block::{SegmentId, ServiceSummary};

const MB: u64 = 1 << 20;
const MINUTE_MS: i64 = 60_000;
/// 2025-11-20.
const DAY: i64 = 1_763_596_800_000;

/// A segment of these minutes of the day, flushed by this shard.
fn flushed(shard: u32, minutes: std::ops::Range<i64>, raw_bytes: u64, services: usize) -> CatalogEntry {
    let at = |minute: i64| Timestamp::from_ms(DAY + minute * MINUTE_MS);
    let id = SegmentId {
        tenant: "default".into(),
        class: "d30".into(),
        shard,
        first_seq: minutes.start.unsigned_abs() + 1,
        last_seq: minutes.end.unsigned_abs(),
        part: 0,
        generation: 0,
        merged: None,
    };
    let (first, last) = (at(minutes.start), at(minutes.end - 1));
    let one = ServiceSummary { rows: 1_000_000, bytes: 1, first, last, levels: [0; 5], stored: None };
    CatalogEntry {
        anonymised: false,
        filters_offset: None,
        words_bytes: None,
        indexed: None,
        key: id.object_key(last),
        id,
        rows: services as u64,
        raw_bytes,
        size_bytes: raw_bytes / 12,
        footer_offset: 0,
        min_time: first,
        max_time: last,
        min_received: first,
        max_received: last,
        services: (0..services).map(|n| (format!("s{n}"), one.clone())).collect(),
        rollup: None,
        facts: None,
        as_of: 0,
    }
}

/// How many segments, and megabytes, each group has; as of this hour of the day.
fn plan(entries: &[CatalogEntry], hour: i64) -> Vec<(usize, u64)> {
    let candidates = entries.iter().cloned().map(Candidate::new).collect();
    let groups = groups(candidates, Timestamp::from_ms(DAY + hour * 60 * MINUTE_MS));
    groups.iter().map(|group| (group.sources.len(), group.raw_bytes / MB)).collect()
}

fn merged(mut entry: CatalogEntry, sources: &[CatalogEntry]) -> CatalogEntry {
    let names: Vec<_> = sources.iter().map(|one| (&one.id, one.key.as_str())).collect();
    entry.id = SegmentId::of_merged(&names, 1).unwrap();
    entry.key = entry.id.object_key(Timestamp::EPOCH);
    entry
}

#[test]
fn one_alone_is_written_anew_for_its_words_when_its_day_is_over() {
    let alone = flushed(0, 0..1, MB, 1);
    assert_eq!(plan(std::slice::from_ref(&alone), 23), []);
    assert_eq!(plan(std::slice::from_ref(&alone), 24), [(1, 1)]);
    let words = CatalogEntry { words_bytes: Some(9), ..alone.clone() };
    let indexed = CatalogEntry { indexed: Some((1, 0)), ..alone };
    assert_eq!((plan(&[words], 24), plan(&[indexed], 24)), (vec![], vec![]));
}

#[test]
fn small_ones_become_one() {
    let minutes: Vec<_> = (0..60).map(|n| flushed(0, n..n + 1, MB / 8, 3)).collect();
    assert_eq!(plan(&minutes, 1), [(60, 7)]);
    assert_eq!(plan(&minutes[..1], 1), []);
    assert_eq!(plan(&[], 1), []);
}

#[test]
fn a_group_is_no_larger_than_a_segment_should_be() {
    let quarters: Vec<_> = (0..8).map(|n| flushed(0, n * 15..n * 15 + 15, 16 * MB, 3)).collect();
    assert_eq!(plan(&quarters, 2), [(5, 80), (3, 48)]);
    let uneven = [39, 39, 39, 1].map(|mb| flushed(0, mb..mb + 1, mb.unsigned_abs() * MB, 1));
    assert_eq!(plan(&uneven, 2), [(3, 79)]);
}

#[test]
fn what_cannot_be_packed_is_not_held_at_once() {
    let mut entries: Vec<_> = (0..6).map(|n| flushed(0, n..n + 1, 10 * MB, 1)).collect();
    for entry in &mut entries {
        entry.size_bytes = entry.raw_bytes;
    }
    assert_eq!(plan(&entries, 1), [(2, 20), (2, 20), (2, 20)]);
}

#[test]
fn sources_whose_times_overlap_are_no_more_than_memory_holds() {
    let one_after_the_other: Vec<_> = (0..9).map(|n| flushed(0, n..n + 1, 6 * MB, 1)).collect();
    assert_eq!(plan(&one_after_the_other, 1), [(9, 54)]);
    let all_at_once: Vec<_> = (0..9).map(|n| flushed(n, 0..10, 6 * MB, 1)).collect();
    let groups = plan(&all_at_once, 1);
    assert!(groups.len() > 1 && groups.iter().all(|(sources, _)| *sources <= 4), "{groups:?}");
}

#[test]
fn services_and_minutes_stay_below_a_catalog_row() {
    // 100 services in each of 60 minutes are 6,000 minutes.
    let busy: Vec<_> = (0..60).map(|n| flushed(0, n..n + 1, MB / 8, 100)).collect();
    assert_eq!(plan(&busy, 1), [(60, 7)]);
    let hours: Vec<_> = (0..7).map(|n| flushed(0, n * 60..n * 60 + 60, MB, 100)).collect();
    assert_eq!(plan(&hours, 7), [(3, 3), (3, 3)]);
    let many = [flushed(0, 0..1, MB, 1_500), flushed(1, 1..2, MB, 2_000)];
    assert_eq!(plan(&many, 1), [(2, 2)]);
    let too_many = [flushed(0, 0..1, MB, 2_000), flushed(1, 1..2, MB, 1_999), flushed(1, 2..3, MB, 2)];
    assert_eq!(plan(&too_many, 1), [(3, 3)]);
    let mut other = flushed(1, 1..2, MB, 1_000);
    other.services = other.services.into_iter().map(|(name, one)| (format!("other {name}"), one)).collect();
    assert_eq!(plan(&[flushed(0, 0..1, MB, 1_001), other], 1), []);
}

#[test]
fn what_is_merged_is_merged_again_when_its_day_is_over() {
    let sources: Vec<_> = (0..3).map(|n| flushed(0, n..n + 1, MB, 1)).collect();
    let hours: Vec<_> =
        (0..23).map(|n| merged(flushed(0, n * 60..n * 60 + 60, 4 * MB, 1), &sources)).collect();
    let last: Vec<_> = (0..2).map(|n| flushed(0, 1_380 + n..1_381 + n, MB, 1)).collect();
    let all = [hours, last].concat();
    assert_eq!(plan(&all, 23), [(2, 2)]);
    assert_eq!(plan(&all, 24), [(22, 88), (3, 6)]);
}

#[test]
fn classes_and_days_are_kept_apart_and_older_days_come_first() {
    let mut entries = Vec::new();
    for (day, class) in [(1, "d30"), (0, "d30"), (0, "d7"), (1, "d7")] {
        for n in 0..2 {
            let mut entry = flushed(n, day * 1_440..day * 1_440 + 1, MB * (1 + day.unsigned_abs()), 1);
            entry.id.class = class.into();
            entry.key = entry.id.object_key(entry.max_received);
            entries.push(entry);
        }
    }
    assert_eq!(plan(&entries, 40), [(2, 2), (2, 2), (2, 4), (2, 4)]);
}
