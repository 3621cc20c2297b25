//! The samples of a series, and the functions over those in the range before each step.

use super::{
    super::ast::{RangeAggregation, RangeOp},
    Times,
    series::Points,
};

/// A sample, or many that are in the ranges of the same steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cell {
    /// The first and the last step whose ranges hold it.
    pub(super) first: u32,
    pub(super) last: u32,
    pub(super) ts_ns: i64,
    pub(super) count: u32,
    /// A number, or what the function makes of many.
    pub(super) value: f64,
}

/// Adds a sample; `false` if it has been joined with the last one.
pub(super) fn add(op: RangeOp, cells: &mut Vec<Cell>, cell: Cell) -> bool {
    let join: Option<fn(f64, f64) -> f64> = match op {
        RangeOp::Count
        | RangeOp::Rate
        | RangeOp::Bytes
        | RangeOp::BytesRate
        | RangeOp::Sum
        | RangeOp::Avg => Some(|left, right| left + right),
        RangeOp::Min => Some(smaller),
        RangeOp::Max => Some(larger),
        RangeOp::Absent => Some(|left, _| left),
        _ => None,
    };
    let last = cells.last_mut().filter(|last| (last.first, last.last) == (cell.first, cell.last));
    if let (Some(join), Some(last)) = (join, last)
        && let Some(count) = last.count.checked_add(cell.count)
    {
        last.count = count;
        last.value = join(last.value, cell.value);
        return false;
    }
    cells.push(cell);
    true
}

/// The function at each step, of cells by time.
pub(super) fn points(aggregation: &RangeAggregation, cells: &[Cell], times: Times, steps: usize) -> Points {
    let mut points = Points::absent(steps);
    // Counts and sizes are whole numbers, so what leaves the range can be subtracted without an error.
    let is_whole = aggregation.range.unwrap.is_none();
    let mut sum = 0.0;
    let (mut from, mut to) = (0, 0);
    for step in 0..steps {
        let at = u32::try_from(step).unwrap_or(u32::MAX);
        while let Some(cell) = cells.get(to).filter(|cell| cell.first <= at) {
            sum += cell.value;
            to += 1;
        }
        while let Some(cell) = cells.get(from).filter(|cell| from < to && cell.last < at) {
            sum -= cell.value;
            from += 1;
        }
        let window = cells.get(from..to).unwrap_or_default();
        if window.is_empty() {
            continue;
        }
        let value =
            if is_whole { Some(whole(aggregation, sum)) } else { over(aggregation, window, times.at(step)) };
        points.set(step, value);
    }
    points
}

/// A count or a size, or its rate.
fn whole(aggregation: &RangeAggregation, sum: f64) -> f64 {
    match aggregation.op {
        RangeOp::Rate | RangeOp::BytesRate => sum / seconds(aggregation),
        _ => sum,
    }
}

#[expect(clippy::cast_precision_loss)]
fn seconds(aggregation: &RangeAggregation) -> f64 {
    aggregation.range.range_ns as f64 / 1e9
}

fn over(aggregation: &RangeAggregation, window: &[Cell], at_ns: i64) -> Option<f64> {
    let values = || window.iter().map(|cell| cell.value);
    let sum = || values().sum::<f64>();
    match aggregation.op {
        RangeOp::Count | RangeOp::Bytes | RangeOp::Sum => Some(sum()),
        RangeOp::Rate | RangeOp::BytesRate => Some(sum() / seconds(aggregation)),
        RangeOp::RateCounter => {
            let end_ns = at_ns.saturating_sub(aggregation.range.offset_ns);
            Some(counter_rate(window, end_ns, aggregation.range.range_ns))
        }
        RangeOp::Absent => None,
        RangeOp::Avg => Some(sum() / window.iter().map(|cell| f64::from(cell.count)).sum::<f64>()),
        RangeOp::Min => values().reduce(smaller),
        RangeOp::Max => values().reduce(larger),
        RangeOp::First => window.first().map(|cell| cell.value),
        RangeOp::Last => window.last().map(|cell| cell.value),
        RangeOp::Stddev => Some(variance(values()).sqrt()),
        RangeOp::Stdvar => Some(variance(values())),
        RangeOp::Quantile => Some(quantile(aggregation.parameter.unwrap_or(0.5), values().collect())),
    }
}

/// A number wins over what is none.
pub(super) fn smaller(left: f64, right: f64) -> f64 {
    if right < left || left.is_nan() { right } else { left }
}

/// A number wins over what is none.
pub(super) fn larger(left: f64, right: f64) -> f64 {
    if right > left || left.is_nan() { right } else { left }
}

/// The variance of all there is, by Welford's method.
pub(super) fn variance(values: impl Iterator<Item = f64>) -> f64 {
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for value in values {
        count += 1.0;
        let delta = value - mean;
        mean += delta / count;
        squares += delta * (value - mean);
    }
    squares / count
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
fn quantile(quantile: f64, mut values: Vec<f64>) -> f64 {
    if quantile.is_nan() || values.is_empty() {
        return f64::NAN;
    }
    if quantile < 0.0 {
        return f64::NEG_INFINITY;
    }
    if quantile > 1.0 {
        return f64::INFINITY;
    }
    values.sort_unstable_by(f64::total_cmp);
    let rank = quantile * (values.len() - 1) as f64;
    let lower = values.get(rank.floor() as usize).copied().unwrap_or(f64::NAN);
    let upper = values.get(rank.ceil() as usize).copied().unwrap_or(lower);
    let weight = rank - rank.floor();
    if weight == 0.0 { lower } else { lower * (1.0 - weight) + upper * weight }
}

/// The rate of a counter that may have been reset, carried on to the ends of the range where its samples come
/// near enough to them, as Prometheus does.
#[expect(clippy::cast_precision_loss)]
fn counter_rate(window: &[Cell], end_ns: i64, range_ns: i64) -> f64 {
    let (Some(first), Some(last)) = (window.first(), window.last()) else { return 0.0 };
    let sampled = last.ts_ns.saturating_sub(first.ts_ns) as f64 / 1e9;
    if sampled <= 0.0 {
        return 0.0;
    }
    let resets = window.windows(2).map(|pair| match pair {
        [before, after] if after.value < before.value => before.value,
        _ => 0.0,
    });
    let increase = last.value - first.value + resets.sum::<f64>();
    let average = sampled / (window.len() - 1) as f64;
    let mut to_start = first.ts_ns.saturating_sub(end_ns.saturating_sub(range_ns)) as f64 / 1e9;
    let to_end = end_ns.saturating_sub(last.ts_ns) as f64 / 1e9;
    if increase > 0.0 && first.value >= 0.0 {
        // A counter starts at zero: no further back than that.
        to_start = to_start.min(sampled * (first.value / increase));
    }
    let carried = |gap: f64| if gap < average * 1.1 { gap } else { average / 2.0 };
    increase * ((sampled + carried(to_start) + carried(to_end)) / sampled) / (range_ns as f64 / 1e9)
}
