//! Operations on the series of one time: aggregations, binary operations, changes of labels.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use timberline::engine::logql::ast::{
    Aggregation, Binary, BinaryOp, Group, Grouping, LabelReplace, Matching, Metric, VectorOp,
};

use super::{LabelSet, Line, leaf};

/// The samples of one time, each of another series.
type Samples = Vec<(LabelSet, f64)>;

pub(super) fn evaluate(metric: &Metric, all: &[Line], at_ns: i64) -> Result<Samples, String> {
    if let Some(value) = literal(metric) {
        return Ok(vec![(LabelSet::new(), value)]);
    }
    match metric {
        Metric::Number(_) => unreachable!("a literal"),
        Metric::Vector(value) => Ok(vec![(LabelSet::new(), *value)]),
        Metric::Range(aggregation) => leaf::evaluate(aggregation, None, all, at_ns),
        Metric::Aggregate(aggregation) => {
            let all_one = Grouping { without: false, labels: Vec::new() };
            let samples = match (aggregation.op, &*aggregation.inner) {
                (VectorOp::Sum, Metric::Range(range)) => {
                    let grouping = aggregation.grouping.as_ref().unwrap_or(&all_one);
                    leaf::evaluate(range, Some(grouping), all, at_ns)?
                }
                (_, inner) => evaluate(inner, all, at_ns)?,
            };
            Ok(aggregate(aggregation, samples))
        }
        Metric::Binary(binary) => binary_operation(binary, all, at_ns),
        Metric::LabelReplace(replace) => Ok(label_replace(replace, evaluate(&replace.inner, all, at_ns)?)),
    }
}

/// The value of what is made of numbers alone; a comparison of two is 1 or 0.
fn literal(metric: &Metric) -> Option<f64> {
    match metric {
        Metric::Number(value) => Some(*value),
        Metric::Binary(binary) => Some(apply(binary.op, literal(&binary.left)?, literal(&binary.right)?)),
        _ => None,
    }
}

/// A comparison gives 1 or 0, a division by zero no number.
fn apply(op: BinaryOp, left: f64, right: f64) -> f64 {
    let truth = |holds: bool| f64::from(u8::from(holds));
    #[expect(clippy::float_cmp, reason = "that is what is asked")]
    match op {
        BinaryOp::Equal => truth(left == right),
        BinaryOp::NotEqual => truth(left != right),
        BinaryOp::Greater => truth(left > right),
        BinaryOp::GreaterEqual => truth(left >= right),
        BinaryOp::Less => truth(left < right),
        BinaryOp::LessEqual => truth(left <= right),
        BinaryOp::Add => left + right,
        BinaryOp::Subtract => left - right,
        BinaryOp::Multiply => left * right,
        BinaryOp::Divide | BinaryOp::Modulo if right == 0.0 => f64::NAN,
        BinaryOp::Divide => left / right,
        BinaryOp::Modulo => left % right,
        BinaryOp::Power => left.powf(right),
        BinaryOp::Or | BinaryOp::And | BinaryOp::Unless => unreachable!("of sets, not of numbers"),
    }
}

fn aggregate(aggregation: &Aggregation, samples: Samples) -> Samples {
    let mut groups: BTreeMap<LabelSet, Samples> = BTreeMap::new();
    for (labels, value) in samples {
        let group = match &aggregation.grouping {
            Some(grouping) => leaf::grouped(grouping, &labels),
            None => LabelSet::new(),
        };
        groups.entry(group).or_default().push((labels, value));
    }
    let mut results = Samples::new();
    for (group, mut members) in groups {
        let values: Vec<f64> = members.iter().map(|(_, value)| *value).collect();
        match aggregation.op {
            VectorOp::Sort | VectorOp::SortDesc => results.extend(members),
            VectorOp::TopK | VectorOp::BottomK => {
                members.sort_by(|(left_labels, left), (right_labels, right)| {
                    let order = left.partial_cmp(right).expect("not covered: topk of NaN");
                    let order = if aggregation.op == VectorOp::TopK { order.reverse() } else { order };
                    order.then_with(|| left_labels.cmp(right_labels))
                });
                let count = usize::try_from(aggregation.parameter.expect("has one")).unwrap();
                results.extend(members.into_iter().take(count));
            }
            op => results.push((group, of_group(op, &values))),
        }
    }
    results
}

#[expect(clippy::cast_precision_loss, reason = "few values")]
fn of_group(op: VectorOp, values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let sum: f64 = values.iter().sum();
    match op {
        VectorOp::Sum => sum,
        VectorOp::Avg => sum / count,
        VectorOp::Count => count,
        // A NaN is less and more than nothing.
        VectorOp::Min => values.iter().copied().fold(f64::NAN, f64::min),
        VectorOp::Max => values.iter().copied().fold(f64::NAN, f64::max),
        VectorOp::Stddev => leaf::variance(values).sqrt(),
        VectorOp::Stdvar => leaf::variance(values),
        VectorOp::TopK | VectorOp::BottomK | VectorOp::Sort | VectorOp::SortDesc => {
            unreachable!("keeps the series")
        }
    }
}

fn binary_operation(binary: &Binary, all: &[Line], at_ns: i64) -> Result<Samples, String> {
    match (literal(&binary.left), literal(&binary.right)) {
        (Some(left), _) => {
            let samples = evaluate(&binary.right, all, at_ns)?;
            Ok(with_number(binary, samples, |value| apply(binary.op, left, value)))
        }
        (_, Some(right)) => {
            let samples = evaluate(&binary.left, all, at_ns)?;
            Ok(with_number(binary, samples, |value| apply(binary.op, value, right)))
        }
        (None, None) => {
            let left = evaluate(&binary.left, all, at_ns)?;
            let right = evaluate(&binary.right, all, at_ns)?;
            let matching = binary.matching.clone();
            let all_labels = Matching { on: false, labels: Vec::new(), group: None };
            let matching = matching.unwrap_or(all_labels);
            if binary.op.is_set() {
                Ok(set_operation(binary.op, &matching, left, right))
            } else {
                joined(binary, &matching, &left, &right)
            }
        }
    }
}

/// Each sample with a number; a comparison that is no number keeps the samples for which it holds.
fn with_number(binary: &Binary, samples: Samples, operation: impl Fn(f64) -> f64) -> Samples {
    let is_filter = binary.op.is_comparison() && !binary.returns_bool;
    let mut results = Samples::new();
    for (labels, value) in samples {
        let result = operation(value);
        if !is_filter {
            results.push((labels, result));
        } else if result > 0.0 {
            results.push((labels, value));
        }
    }
    results
}

/// The labels by which samples of the two sides find each other.
fn signature(matching: &Matching, labels: &LabelSet) -> LabelSet {
    let mut kept = labels.clone();
    kept.retain(|name, value| matching.labels.contains(name) == matching.on && !value.is_empty());
    kept
}

fn set_operation(op: BinaryOp, matching: &Matching, left: Samples, right: Samples) -> Samples {
    let signatures = |samples: &Samples| -> BTreeSet<LabelSet> {
        samples.iter().map(|(labels, _)| signature(matching, labels)).collect()
    };
    let (in_left, in_right) = (signatures(&left), signatures(&right));
    let is_in = |set: &BTreeSet<LabelSet>, labels: &LabelSet| set.contains(&signature(matching, labels));
    match op {
        BinaryOp::And => left.into_iter().filter(|(labels, _)| is_in(&in_right, labels)).collect(),
        BinaryOp::Unless => left.into_iter().filter(|(labels, _)| !is_in(&in_right, labels)).collect(),
        _ => {
            let added = right.into_iter().filter(|(labels, _)| !is_in(&in_left, labels));
            left.into_iter().chain(added).collect()
        }
    }
}

/// Each sample of the side of many with the one of the other side that it matches.
fn joined(binary: &Binary, matching: &Matching, left: &Samples, right: &Samples) -> Result<Samples, String> {
    let many_left = matching.group.as_ref().is_none_or(|group| group.many_left);
    let (many, one) = if many_left { (left, right) } else { (right, left) };
    let mut ones: BTreeMap<LabelSet, &(LabelSet, f64)> = BTreeMap::new();
    for sample in one {
        if ones.insert(signature(matching, &sample.0), sample).is_some() {
            return Err("many-to-many matching".to_owned());
        }
    }
    let is_filter = binary.op.is_comparison() && !binary.returns_bool;
    let mut taken: BTreeSet<(LabelSet, LabelSet)> = BTreeSet::new();
    let mut results = Samples::new();
    for (labels, value) in many {
        let signature = signature(matching, labels);
        let Some((one_labels, one_value)) = ones.get(&signature).copied() else { continue };
        let result_labels = match &matching.group {
            Some(group) => with_included(group, labels, one_labels),
            None => kept_of_pair(matching, labels),
        };
        // Without a group each of the one side may be matched once, with one each result must be unique.
        let distinct = if matching.group.is_some() { result_labels.clone() } else { LabelSet::new() };
        if !taken.insert((signature, distinct)) {
            return Err("multiple matches for labels".to_owned());
        }
        let (left, right) = if many_left { (*value, *one_value) } else { (*one_value, *value) };
        let result = apply(binary.op, left, right);
        if !is_filter {
            results.push((result_labels, result));
        } else if result > 0.0 {
            results.push((result_labels, left));
        }
    }
    Ok(results)
}

/// The labels that two samples matched one to one have for certain in common.
fn kept_of_pair(matching: &Matching, labels: &LabelSet) -> LabelSet {
    let mut kept = labels.clone();
    kept.retain(|name, _| matching.labels.contains(name) == matching.on);
    kept
}

fn with_included(group: &Group, many: &LabelSet, one: &LabelSet) -> LabelSet {
    let mut labels = many.clone();
    for name in &group.include {
        labels.remove(name);
        if let Some(value) = one.get(name).filter(|value| !value.is_empty()) {
            labels.insert(name.clone(), value.clone());
        }
    }
    labels
}

/// Only where the expression matches the whole value; a label that becomes empty is taken away.
fn label_replace(replace: &LabelReplace, samples: Samples) -> Samples {
    let regex = Regex::new(&format!("^(?s:{})$", replace.regex)).unwrap();
    let mut results = Samples::new();
    for (mut labels, value) in samples {
        let source = labels.get(&replace.source).cloned().unwrap_or_default();
        if let Some(found) = regex.captures(&source) {
            let mut replaced = String::new();
            found.expand(&replace.replacement, &mut replaced);
            labels.remove(&replace.target);
            if !replaced.is_empty() {
                labels.insert(replace.target.clone(), replaced);
            }
        }
        results.push((labels, value));
    }
    results
}
