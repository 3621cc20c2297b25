//! The minute in which something began: series are looked at in steps of five, the latest of them are known by the minute.

use std::collections::BTreeMap;

use super::{Deviation, Kind, Series, baseline::Side, onset::stretch, series::is_error};
use crate::engine::{
    block::facts::{Levels, fine::MINUTE_MS},
    record::model::Level,
};

/// So far before its step an anomaly may have begun.
const BEFORE: i64 = 5;

/// Sets the beginning of what was found to its minute, where the minutes tell.
pub fn refine(found: &mut Deviation, minutes: &BTreeMap<i64, Levels>) {
    let errors = |levels: &Levels| {
        let is_of = |level: &&Level| is_error(level.as_str());
        Level::ALL.iter().filter(is_of).map(|level| levels.of(*level)).sum::<u64>()
    };
    let start = found.start_ms.div_euclid(MINUTE_MS);
    let end = found.end_ms.div_euclid(MINUTE_MS);
    if found.kind == Kind::Silence {
        // The minute behind the last record.
        if let Some((last, _)) =
            minutes.range(..end).next_back().filter(|(last, _)| **last + 1 >= start - BEFORE)
        {
            found.start_ms = (last + 1) * MINUTE_MS;
        }
        return;
    }
    let count: Box<dyn Fn(&Levels) -> u64> = match &found.series {
        Series::Total => Box::new(Levels::total),
        Series::ErrorRate => Box::new(errors),
        Series::Level { level } => {
            let Some(level) = Level::parse(level) else { return };
            Box::new(move |levels| levels.of(level))
        }
        Series::Latency { .. } | Series::Pattern { .. } | Series::Client { .. } => return,
    };
    let first = start - BEFORE;
    let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
    let of = |count: &dyn Fn(&Levels) -> u64| -> Vec<u32> {
        (first..end).map(|minute| minutes.get(&minute).map_or(0, |levels| narrow(count(levels)))).collect()
    };
    if minutes.range(first..end).next().is_none() {
        return;
    }
    let counts = of(&count);
    let (exposure, rate) = if found.series == Series::ErrorRate {
        (of(&Levels::total), found.expected)
    } else {
        let length = (found.window_ms / MINUTE_MS).max(1);
        (Vec::new(), found.expected / f64::from(i32::try_from(length).unwrap_or(i32::MAX)))
    };
    let side = if found.seen >= found.expected { Side::More } else { Side::Fewer };
    let ratio = found.seen / found.expected.max(1e-9);
    let (from, _) = stretch(&counts, &exposure, (0, counts.len()), (rate, ratio), side);
    found.start_ms = (first + i64::try_from(from).unwrap_or(0)) * MINUTE_MS;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::anomaly::Unit;

    fn found(kind: Kind, series: Series, expected: f64, seen: f64) -> Deviation {
        let (start_ms, end_ms) = (100 * MINUTE_MS, 110 * MINUTE_MS);
        let (service, unit) = ("api".to_owned(), Unit::Records);
        let window_ms = end_ms - start_ms;
        Deviation { service, kind, series, unit, expected, seen, window_ms, start_ms, end_ms, score: 3.0 }
    }

    fn minutes(count: impl Fn(i64) -> [u64; 5]) -> BTreeMap<i64, Levels> {
        (60..110).map(|minute| (minute, Levels(count(minute)))).filter(|(_, of)| of.total() > 0).collect()
    }

    #[test]
    fn what_began_within_a_step_began_in_its_minute() {
        let spike = minutes(|minute| [0, if minute >= 103 { 40 } else { 4 }, 0, 0, 0]);
        let errors = minutes(|minute| [0, 20, 0, if minute >= 97 { 12 } else { 0 }, 0]);
        let silent = minutes(|minute| [0, if minute < 101 { 9 } else { 0 }, 0, 0, 0]);
        let drop = minutes(|minute| [0, if minute < 102 { 20 } else { 2 }, 0, 0, 0]);
        let level = Series::Level { level: "ERROR".into() };
        let cases = [
            (found(Kind::Spike, Series::Total, 40.0, 300.0), &spike, 103),
            (found(Kind::ErrorRateShift, Series::ErrorRate, 0.01, 0.4), &errors, 97),
            (found(Kind::Spike, level, 0.5, 120.0), &errors, 97),
            (found(Kind::Silence, Series::Total, 90.0, 0.0), &silent, 101),
            (found(Kind::Drop, Series::Total, 200.0, 56.0), &drop, 102),
            // What is not known by the minute stays as it is.
            (found(Kind::LatencyShift, Series::Latency { percentile: 90 }, 10.0, 90.0), &spike, 100),
            (found(Kind::Spike, Series::Total, 40.0, 300.0), &BTreeMap::new(), 100),
        ];
        for (mut one, minutes, expected) in cases {
            refine(&mut one, minutes);
            assert_eq!(one.start_ms / MINUTE_MS, expected, "{one:?}");
        }
    }
}
