//! Operations on two results: numbers, series and a number, and series that match by their labels.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::ast::{Binary, BinaryOp, Group, Matching},
    EvalError, LabelSet, Points, Series,
    series::{merged, shown, signature},
};

/// Two numbers; a comparison of them is one or zero.
pub(super) fn scalar(op: BinaryOp, left: f64, right: f64) -> f64 {
    match compared(op, left, right) {
        Some(holds) => f64::from(u8::from(holds)),
        None => computed(op, left, right),
    }
}

/// Exactly, as Loki does.
#[expect(clippy::float_cmp)]
fn compared(op: BinaryOp, left: f64, right: f64) -> Option<bool> {
    Some(match op {
        BinaryOp::Equal => left == right,
        BinaryOp::NotEqual => left != right,
        BinaryOp::Greater => left > right,
        BinaryOp::GreaterEqual => left >= right,
        BinaryOp::Less => left < right,
        BinaryOp::LessEqual => left <= right,
        _ => return None,
    })
}

fn computed(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        // Loki gives no infinity here.
        BinaryOp::Divide | BinaryOp::Modulo if right == 0.0 => f64::NAN,
        BinaryOp::Divide => left / right,
        BinaryOp::Modulo => left % right,
        BinaryOp::Power => left.powf(right),
        _ => f64::NAN,
    }
}

/// The value of two samples; a comparison that does not hold has none, one that holds has `kept`.
fn sample(binary: &Binary, left: f64, right: f64, kept: f64) -> Option<f64> {
    match compared(binary.op, left, right) {
        None => Some(computed(binary.op, left, right)),
        Some(holds) if binary.returns_bool => Some(f64::from(u8::from(holds))),
        Some(holds) => holds.then_some(kept),
    }
}

pub(super) fn with_scalar(
    binary: &Binary,
    mut series: Vec<Series>,
    number: f64,
    number_is_left: bool,
) -> Vec<Series> {
    for series in &mut series {
        series.points.map(|value| {
            let (left, right) = if number_is_left { (number, value) } else { (value, number) };
            sample(binary, left, right, value)
        });
    }
    series.retain(|series| !series.points.is_empty());
    series
}

pub(super) fn vectors(
    binary: &Binary,
    left: Vec<Series>,
    right: Vec<Series>,
    steps: usize,
) -> Result<Vec<Series>, EvalError> {
    let matching = binary.matching.as_ref();
    match binary.op {
        BinaryOp::And => Ok(where_other(left, &right, matching, true)),
        BinaryOp::Unless => Ok(where_other(left, &right, matching, false)),
        BinaryOp::Or => {
            let mut either = where_other(right, &left, matching, false);
            either.extend(left);
            merged(either, EvalError::SameLabels)
        }
        _ => matched(binary, &left, &right, steps),
    }
}

/// The series at the steps where one of the other side matches, or none does.
fn where_other(
    series: Vec<Series>,
    other: &[Series],
    matching: Option<&Matching>,
    present: bool,
) -> Vec<Series> {
    let mut steps_of: BTreeMap<LabelSet, BTreeSet<usize>> = BTreeMap::new();
    for series in other {
        let steps = steps_of.entry(signature(matching, &series.labels)).or_default();
        steps.extend(series.points.iter().map(|(step, _)| step));
    }
    let nowhere = BTreeSet::new();
    let mut kept = series;
    for series in &mut kept {
        let steps = steps_of.get(&signature(matching, &series.labels)).unwrap_or(&nowhere);
        let removed: Vec<usize> = series
            .points
            .iter()
            .map(|(step, _)| step)
            .filter(|step| steps.contains(step) != present)
            .collect();
        for step in removed {
            series.points.set(step, None);
        }
    }
    kept.retain(|series| !series.points.is_empty());
    kept
}

/// Pairs each series of the side of many with the one that matches it.
fn matched(
    binary: &Binary,
    left: &[Series],
    right: &[Series],
    steps: usize,
) -> Result<Vec<Series>, EvalError> {
    let matching = binary.matching.as_ref();
    let group = matching.and_then(|matching| matching.group.as_ref());
    let many_left = group.is_none_or(|group| group.many_left);
    let (many, one) = if many_left { (left, right) } else { (right, left) };
    let mut ones: BTreeMap<LabelSet, Vec<&Series>> = BTreeMap::new();
    for series in one {
        ones.entry(signature(matching, &series.labels)).or_default().push(series);
    }
    for (labels, candidates) in ones.iter().filter(|(_, candidates)| candidates.len() > 1) {
        if (0..steps)
            .any(|step| candidates.iter().filter(|series| series.points.get(step).is_some()).count() > 1)
        {
            let side = if many_left { "right" } else { "left" };
            return Err(EvalError::ManyToMany { group: shown(labels), side });
        }
    }
    let mut found = Vec::new();
    for series in many {
        let matched = signature(matching, &series.labels);
        for candidate in ones.get(&matched).map(Vec::as_slice).unwrap_or_default() {
            let mut points = Points::absent(steps);
            for (step, value) in series.points.iter() {
                let Some(other) = candidate.points.get(step) else { continue };
                let (left, right) = if many_left { (value, other) } else { (other, value) };
                points.set(step, sample(binary, left, right, left));
            }
            if !points.is_empty() {
                let labels = match group {
                    Some(group) => with_included(series, candidate, group),
                    None => matched.clone(),
                };
                found.push(Series { labels, points });
            }
        }
    }
    merged(found, if group.is_some() { EvalError::NotUnique } else { EvalError::ManyToOne })
}

/// The labels of the side of many, with those that are asked for from the other.
fn with_included(many: &Series, one: &Series, group: &Group) -> LabelSet {
    let mut labels = many.labels.clone();
    for name in &group.include {
        match one.labels.get(name) {
            Some(value) => labels.insert(name.clone(), value.clone()),
            None => labels.remove(name),
        };
    }
    labels
}
