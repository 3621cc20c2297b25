//! Series over the steps of a query.

use std::collections::BTreeMap;

use super::{
    super::ast::{Grouping, Matching},
    EvalError, LabelSet,
};

/// A value or none for each step. None is a NaN that no arithmetic gives.
#[derive(Clone, Debug)]
pub(super) struct Points(Vec<f64>);

const ABSENT: u64 = 0x7ff8_0000_0000_a85e;

impl Points {
    pub(super) fn absent(steps: usize) -> Self {
        Self(vec![f64::from_bits(ABSENT); steps])
    }

    pub(super) fn get(&self, step: usize) -> Option<f64> {
        self.0.get(step).copied().filter(|value| value.to_bits() != ABSENT)
    }

    pub(super) fn set(&mut self, step: usize, value: Option<f64>) {
        if let Some(point) = self.0.get_mut(step) {
            *point = value.unwrap_or(f64::from_bits(ABSENT));
        }
    }

    /// The values there are, with their steps.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, f64)> {
        self.0.iter().copied().enumerate().filter(|(_, value)| value.to_bits() != ABSENT)
    }

    pub(super) fn map(&mut self, change: impl Fn(f64) -> Option<f64>) {
        for point in &mut self.0 {
            if point.to_bits() != ABSENT {
                *point = change(*point).unwrap_or(f64::from_bits(ABSENT));
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) labels: LabelSet,
    pub(super) points: Points,
}

impl Series {
    pub(super) fn constant(value: f64, steps: usize) -> Self {
        Self { labels: LabelSet::new(), points: Points(vec![value; steps]) }
    }
}

/// Joins series with the same labels; two values at one step are an error.
pub(super) fn merged(series: Vec<Series>, twice: EvalError) -> Result<Vec<Series>, EvalError> {
    let mut by_labels: BTreeMap<LabelSet, Points> = BTreeMap::new();
    for series in series {
        match by_labels.get_mut(&series.labels) {
            None => {
                by_labels.insert(series.labels, series.points);
            }
            Some(points) => {
                for (step, value) in series.points.iter() {
                    if points.get(step).is_some() {
                        return Err(twice);
                    }
                    points.set(step, Some(value));
                }
            }
        }
    }
    Ok(by_labels.into_iter().map(|(labels, points)| Series { labels, points }).collect())
}

/// The labels of the group that a series is in; without a grouping all are in one.
pub(super) fn grouped(grouping: Option<&Grouping>, labels: &LabelSet) -> LabelSet {
    match grouping {
        None => LabelSet::new(),
        Some(grouping) => chosen(labels, &grouping.labels, !grouping.without),
    }
}

/// The labels that two series must have in common to match.
pub(super) fn signature(matching: Option<&Matching>, labels: &LabelSet) -> LabelSet {
    match matching {
        None => labels.clone(),
        Some(matching) => chosen(labels, &matching.labels, matching.on),
    }
}

fn chosen(labels: &LabelSet, names: &[String], listed: bool) -> LabelSet {
    let wanted = labels.iter().filter(|(name, _)| names.contains(name) == listed);
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}

pub(super) fn shown(labels: &LabelSet) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}
