//! Aggregations over the series of one time.

use std::{cmp::Ordering, collections::BTreeMap};

use super::{
    super::ast::{Aggregation, VectorOp},
    LabelSet, Points, Series,
    series::grouped,
    window::{larger, smaller, variance},
};

pub(super) fn aggregate(aggregation: &Aggregation, series: Vec<Series>, steps: usize) -> Vec<Series> {
    if matches!(aggregation.op, VectorOp::Sort | VectorOp::SortDesc) {
        return sorted(series, aggregation.op == VectorOp::SortDesc);
    }
    let mut groups: BTreeMap<LabelSet, Vec<Series>> = BTreeMap::new();
    for series in series {
        groups.entry(grouped(aggregation.grouping.as_ref(), &series.labels)).or_default().push(series);
    }
    match aggregation.op {
        VectorOp::TopK | VectorOp::BottomK => {
            let count = usize::try_from(aggregation.parameter.unwrap_or(1)).unwrap_or(usize::MAX);
            let largest = aggregation.op == VectorOp::TopK;
            let kept =
                groups.into_values().flat_map(|group| extremes(group, count, largest, steps)).collect();
            sorted(kept, largest)
        }
        op => groups
            .into_iter()
            .map(|(labels, group)| Series { labels, points: joined(op, &group, steps) })
            .collect(),
    }
}

fn joined(op: VectorOp, group: &[Series], steps: usize) -> Points {
    let mut points = Points::absent(steps);
    for step in 0..steps {
        let values = || group.iter().filter_map(|series| series.points.get(step));
        let Some(first) = values().next() else { continue };
        let count = || values().map(|_| 1.0).sum::<f64>();
        let value = match op {
            VectorOp::Sum => values().sum(),
            VectorOp::Avg => values().sum::<f64>() / count(),
            VectorOp::Min => values().fold(first, smaller),
            VectorOp::Max => values().fold(first, larger),
            VectorOp::Count => count(),
            VectorOp::Stddev => variance(values()).sqrt(),
            VectorOp::Stdvar => variance(values()),
            VectorOp::TopK | VectorOp::BottomK | VectorOp::Sort | VectorOp::SortDesc => first,
        };
        points.set(step, Some(value));
    }
    points
}

/// Each step keeps its own largest or smallest series.
fn extremes(mut group: Vec<Series>, count: usize, largest: bool, steps: usize) -> Vec<Series> {
    if group.len() > count {
        for step in 0..steps {
            let mut values: Vec<(f64, usize)> = group
                .iter()
                .enumerate()
                .filter_map(|(number, series)| Some((series.points.get(step)?, number)))
                .collect();
            if values.len() <= count {
                continue;
            }
            values.sort_by(|left, right| order(left.0, right.0, largest));
            for (_, number) in values.into_iter().skip(count) {
                if let Some(series) = group.get_mut(number) {
                    series.points.set(step, None);
                }
            }
        }
    }
    group.retain(|series| !series.points.is_empty());
    group
}

/// By the value at the first step, which is the only one where an order is seen.
fn sorted(mut series: Vec<Series>, descending: bool) -> Vec<Series> {
    series.sort_by(|left, right| match (left.points.get(0), right.points.get(0)) {
        (Some(left), Some(right)) => order(left, right, descending),
        (left, right) => right.is_some().cmp(&left.is_some()),
    });
    series
}

/// What is no number comes last.
fn order(left: f64, right: f64, descending: bool) -> Ordering {
    match (left.is_nan(), right.is_nan()) {
        (false, false) if descending => right.total_cmp(&left),
        (false, false) => left.total_cmp(&right),
        (left, right) => left.cmp(&right),
    }
}
