//! How a pattern changed against the period before, in a few words.

use super::{Evidence, PatternSeen, ReleaseSeen};
use crate::engine::prose::{minute, percent, span, times};

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// Never seen before this time of the period.
    New(i64),
    /// Not in the period before, but earlier, or it is not known whether earlier.
    Back(Option<i64>),
    Grown(f64),
    /// To this share of the number before.
    Fallen(f64),
    AsBefore,
    /// Nothing was logged before.
    Unknown,
}

/// How long after the beginning of a release a new pattern still is put beside it, and how long before it for clocks
/// that differ.
const SOON_MS: i64 = 1_800_000;
const DOUBT_MS: i64 = 300_000;

pub(super) fn change(evidence: &Evidence, pattern: &PatternSeen) -> Change {
    let inside = pattern.first_seen_ms.filter(|&first| first >= evidence.from_ms);
    if let Some(first) = inside.filter(|_| pattern.before == 0) {
        return Change::New(first);
    }
    if evidence.before.iter().all(|&count| count == 0) && pattern.before == 0 {
        return Change::Unknown;
    }
    if pattern.before == 0 {
        return Change::Back(pattern.first_seen_ms);
    }
    let ratio = super::facts::real(pattern.count) / super::facts::real(pattern.before);
    if !super::facts::differs(pattern.count, pattern.before) {
        Change::AsBefore
    } else if ratio > 1.0 {
        Change::Grown(ratio)
    } else {
        Change::Fallen(ratio)
    }
}

/// `new since 14:02 UTC`, `3.2 times as many as before`, `as before`.
pub(super) fn what(evidence: &Evidence, pattern: &PatternSeen) -> String {
    match change(evidence, pattern) {
        Change::New(first) => {
            let since = format!("new since {}", short(first, evidence));
            match started_with(evidence, pattern) {
                Some(release) => format!("{since}, {}", distance(first, release)),
                None => since,
            }
        }
        Change::Back(Some(first)) => format!("not in the period before; first seen {}", minute(first)),
        Change::Back(None) => "not in the period before".to_owned(),
        Change::Grown(ratio) => format!("{} as many as before", times(ratio)),
        Change::Fallen(ratio) => format!("down to {} of the number before", percent(ratio)),
        Change::AsBefore => "as before".to_owned(),
        Change::Unknown => "nothing before to compare with".to_owned(),
    }
}

/// The release that began last before a new pattern was seen, and not long before.
pub(super) fn started_with<'a>(evidence: &'a Evidence, pattern: &PatternSeen) -> Option<&'a ReleaseSeen> {
    let Change::New(first) = change(evidence, pattern) else { return None };
    evidence
        .releases
        .iter()
        .filter(|release| release.from_ms >= evidence.from_ms)
        .filter(|release| (-DOUBT_MS..=SOON_MS).contains(&first.saturating_sub(release.from_ms)))
        .min_by_key(|release| first.abs_diff(release.from_ms))
}

fn distance(first: i64, release: &ReleaseSeen) -> String {
    let name = super::clean::line(&release.name, 60);
    let after = first.saturating_sub(release.from_ms);
    if after >= 60_000 {
        format!("{} after release {name} began", span(after))
    } else {
        format!("as release {name} began")
    }
}

/// Without the day where that is the one on which the period ends.
pub(super) fn short(ms: i64, evidence: &Evidence) -> String {
    let (text, end) = (minute(ms), minute(evidence.to_ms));
    match (text.split_once(' '), end.split_once(' ')) {
        (Some((day, time)), Some((last, _))) if day == last => time.to_owned(),
        _ => text,
    }
}

/// How much a pattern is of interest, the most first.
pub(super) fn rank(evidence: &Evidence, pattern: &PatternSeen) -> u8 {
    match change(evidence, pattern) {
        Change::New(_) => 0,
        Change::Grown(_) => 1,
        Change::Back(_) => 2,
        Change::Unknown | Change::AsBefore => 3,
        Change::Fallen(_) => 4,
    }
}

pub(super) fn is_error(level: &str) -> bool {
    ["error", "critical", "fatal"].iter().any(|one| level.eq_ignore_ascii_case(one))
}
