//! Metric queries over entries that are handed in: what each leaf needs, what is kept of its lines, and the series
//! that come of it.
//!
//! Invariant: what is kept grows with the series and the steps of a query and, for the few functions that need
//! each number, with its samples; all three are bounded, and a query beyond a bound fails instead of being cut.

mod aggregate;
mod binary;
mod leaf;
mod series;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use regex::Regex;

use super::{
    ast::{LabelReplace, LogRange, Metric, VectorOp},
    parse::ParseError,
    pipeline::Entry,
    re2,
};
use leaf::Leaf;
use series::{Points, Series, merged};

pub type LabelSet = BTreeMap<String, String>;

/// Bytes of the labels that the leaves of a query keep and that its `label_replace`s make: one label may be as long as
/// a line.
const MAX_LABEL_BYTES: usize = 8 << 20;

/// The times at which a query is evaluated: the first, the last at most, and what lies between two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    pub start_ns: i64,
    pub end_ns: i64,
    pub step_ns: i64,
}

impl Times {
    pub fn instant(at_ns: i64) -> Self {
        Self { start_ns: at_ns, end_ns: at_ns, step_ns: 1 }
    }

    /// How many there are.
    fn steps(self) -> usize {
        let span = i128::from(self.end_ns) - i128::from(self.start_ns);
        if span < 0 {
            0
        } else {
            usize::try_from(span / i128::from(self.step_ns.max(1)) + 1).unwrap_or(usize::MAX)
        }
    }

    fn at(self, step: usize) -> i64 {
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.start_ns.saturating_add(self.step_ns.max(1).saturating_mul(step))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Series of a result, as Loki limits them.
    pub series: usize,
    /// Series of a leaf, which an aggregation may still join.
    pub leaf_series: usize,
    /// Steps, as Prometheus limits them: Grafana asks for one a pixel.
    pub steps: usize,
    /// Samples kept of all leaves, of 32 bytes each.
    pub samples: usize,
    /// Series times steps of each operation, of 8 bytes each.
    pub points: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { series: 500, leaf_series: 5_000, steps: 11_000, samples: 1_000_000, points: 4_000_000 }
    }
}

/// Why a query has no result. All of them are the caller's to mend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error(
        "exceeded maximum resolution of {limit} points per time series; try increasing the value of the step parameter"
    )]
    Steps { limit: usize },
    #[error("maximum of series ({limit}) reached for a single query")]
    Series { limit: usize },
    #[error("maximum of samples ({limit}) reached for a single query; take a shorter range or a longer step")]
    Samples { limit: usize },
    #[error("maximum of bytes of labels ({limit}) reached for a single query; join series, or drop labels")]
    Labels { limit: usize },
    #[error("maximum of points ({limit}) reached for a single query; take a longer step or fewer series")]
    Points { limit: usize },
    #[error(
        "pipeline error: '{error}' for series: '{series}'. Use a label filter to intentionally skip this error. \
         (e.g | __error__!=\"{error}\"). To skip all potential errors you can match empty errors. \
         (e.g | __error__=\"\"). The label filter can also be specified after unwrap. \
         (e.g | unwrap latency | __error__=\"\")"
    )]
    Pipeline { error: String, series: String },
    #[error(
        "found duplicate series for the match group {group} on the {side} hand-side of the operation: many-to-many \
         matching not allowed: matching labels must be unique on one side"
    )]
    ManyToMany { group: String, side: &'static str },
    #[error("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)")]
    ManyToOne,
    #[error("multiple matches for labels: grouping labels must ensure unique matches")]
    NotUnique,
    #[error("vector cannot contain metrics with the same labelset")]
    SameLabels,
    #[error(transparent)]
    Query(#[from] ParseError),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Of a query of literals, at one time.
    Scalar { at_ns: i64, value: f64 },
    /// Of a query at one time; in the order that `topk` and `sort` give, by labels otherwise.
    Vector(Vec<Sample>),
    /// By labels.
    Matrix(Vec<Line>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: LabelSet,
    pub at_ns: i64,
    pub value: f64,
}

/// A series over time; steps without a value are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub labels: LabelSet,
    pub points: Vec<(i64, f64)>,
}

/// The log ranges of a query from left to right: `Evaluator::push` takes their numbers.
pub fn leaves(metric: &Metric) -> Vec<&LogRange> {
    let mut found = Vec::new();
    collect(metric, &mut found);
    found
}

fn collect<'a>(metric: &'a Metric, found: &mut Vec<&'a LogRange>) {
    match metric {
        Metric::Number(_) | Metric::Vector(_) => {}
        Metric::Range(range) => found.push(&range.range),
        Metric::Aggregate(aggregation) => collect(&aggregation.inner, found),
        Metric::Binary(binary) => {
            collect(&binary.left, found);
            collect(&binary.right, found);
        }
        Metric::LabelReplace(replace) => collect(&replace.inner, found),
    }
}

/// The times of the entries that a leaf needs: after the first, up to the last.
pub fn needed(range: &LogRange, times: Times) -> (i64, i64) {
    let earlier = |at: i64| at.saturating_sub(range.offset_ns);
    (earlier(times.start_ns).saturating_sub(range.range_ns), earlier(times.end_ns))
}

/// A query that takes in its entries one by one.
pub struct Evaluator {
    metric: Metric,
    times: Times,
    limits: Limits,
    is_instant: bool,
    leaves: Vec<Leaf>,
    samples: usize,
    label_bytes_left: usize,
}

impl Evaluator {
    /// A query at one time gives a vector, one over many gives a matrix.
    pub fn instant(metric: &Metric, at_ns: i64, limits: Limits) -> Result<Self, EvalError> {
        Self::new(metric, Times::instant(at_ns), limits, true)
    }

    pub fn range(metric: &Metric, times: Times, limits: Limits) -> Result<Self, EvalError> {
        Self::new(metric, times, limits, false)
    }

    fn new(metric: &Metric, times: Times, limits: Limits, is_instant: bool) -> Result<Self, EvalError> {
        if times.steps() > limits.steps {
            return Err(EvalError::Steps { limit: limits.steps });
        }
        let mut leaves = Vec::new();
        Leaf::collect(metric, None, times, &mut leaves)?;
        let (metric, label_bytes_left) = (metric.clone(), MAX_LABEL_BYTES);
        Ok(Self { metric, times, limits, is_instant, leaves, samples: 0, label_bytes_left })
    }

    /// Takes an entry for a leaf: one that the leaf does not select is passed over. Entries may come in any order;
    /// those of one time count in the order in which they come.
    pub fn push(&mut self, leaf: usize, entry: &Entry<'_>) -> Result<(), EvalError> {
        let Some(leaf) = self.leaves.get_mut(leaf) else { return Ok(()) };
        let pushed = leaf.push(entry, self.limits.leaf_series, &mut self.label_bytes_left)?;
        self.samples += usize::from(pushed);
        if self.samples > self.limits.samples {
            return Err(EvalError::Samples { limit: self.limits.samples });
        }
        Ok(())
    }

    pub fn finish(self) -> Result<Output, EvalError> {
        let Self { metric, times, limits, is_instant, leaves, label_bytes_left, .. } = self;
        let (steps, leaves) = (times.steps(), leaves.into_iter());
        let mut evaluation = Evaluation { steps, times, limits, leaves, label_bytes_left };
        let found = match evaluation.value(&metric)? {
            Value::Scalar(value) if is_instant => {
                return Ok(Output::Scalar { at_ns: times.start_ns, value });
            }
            Value::Scalar(value) => vec![Series::constant(value, evaluation.steps)],
            Value::Series(series) => series,
        };
        if found.len() > limits.series {
            return Err(EvalError::Series { limit: limits.series });
        }
        Ok(if is_instant {
            Output::Vector(vector(&metric, found, times.start_ns))
        } else {
            matrix(found, times)
        })
    }
}

fn vector(metric: &Metric, found: Vec<Series>, at_ns: i64) -> Vec<Sample> {
    let samples = found.into_iter().filter_map(|series| {
        let value = series.points.get(0)?;
        Some(Sample { labels: series.labels, at_ns, value })
    });
    let mut samples: Vec<Sample> = samples.collect();
    let is_ordered = matches!(metric, Metric::Aggregate(aggregation)
        if matches!(aggregation.op, VectorOp::TopK | VectorOp::BottomK | VectorOp::Sort | VectorOp::SortDesc));
    if !is_ordered {
        samples.sort_by(|left, right| left.labels.cmp(&right.labels));
    }
    samples
}

fn matrix(found: Vec<Series>, times: Times) -> Output {
    let lines = found.into_iter().map(|series| {
        let points = series.points.iter().map(|(step, value)| (times.at(step), value)).collect();
        Line { labels: series.labels, points }
    });
    let mut lines: Vec<Line> = lines.filter(|line| !line.points.is_empty()).collect();
    lines.sort_by(|left, right| left.labels.cmp(&right.labels));
    Output::Matrix(lines)
}

enum Value {
    Scalar(f64),
    Series(Vec<Series>),
}

struct Evaluation {
    steps: usize,
    times: Times,
    limits: Limits,
    /// In the order of `leaves`, which is that of evaluation.
    leaves: std::vec::IntoIter<Leaf>,
    label_bytes_left: usize,
}

impl Evaluation {
    fn value(&mut self, metric: &Metric) -> Result<Value, EvalError> {
        let series = match metric {
            Metric::Number(value) => return Ok(Value::Scalar(*value)),
            Metric::Vector(value) => vec![Series::constant(*value, self.steps)],
            Metric::Range(_) => match self.leaves.next() {
                Some(leaf) => {
                    self.fits(leaf.series_count())?;
                    leaf.finish(self.times, self.steps)
                }
                None => Vec::new(),
            },
            Metric::Aggregate(aggregation) => {
                let inner = self.series(&aggregation.inner)?;
                aggregate::aggregate(aggregation, inner, self.steps)
            }
            Metric::Binary(binary) => {
                let left = self.value(&binary.left)?;
                let right = self.value(&binary.right)?;
                match (left, right) {
                    (Value::Scalar(left), Value::Scalar(right)) => {
                        return Ok(Value::Scalar(binary::scalar(binary.op, left, right)));
                    }
                    (Value::Series(left), Value::Scalar(right)) => {
                        binary::with_scalar(binary, left, right, false)
                    }
                    (Value::Scalar(left), Value::Series(right)) => {
                        binary::with_scalar(binary, right, left, true)
                    }
                    (Value::Series(left), Value::Series(right)) => {
                        self.fits(left.len() + right.len())?;
                        binary::vectors(binary, left, right, self.steps)?
                    }
                }
            }
            Metric::LabelReplace(replace) => {
                let inner = self.series(&replace.inner)?;
                replaced(replace, inner, &mut self.label_bytes_left)?
            }
        };
        self.fits(series.len())?;
        Ok(Value::Series(series))
    }

    fn series(&mut self, metric: &Metric) -> Result<Vec<Series>, EvalError> {
        Ok(match self.value(metric)? {
            Value::Scalar(value) => vec![Series::constant(value, self.steps)],
            Value::Series(series) => series,
        })
    }

    fn fits(&self, series: usize) -> Result<(), EvalError> {
        if series.saturating_mul(self.steps) > self.limits.points {
            return Err(EvalError::Points { limit: self.limits.points });
        }
        Ok(())
    }
}

fn replaced(
    replace: &LabelReplace,
    mut series: Vec<Series>,
    bytes_left: &mut usize,
) -> Result<Vec<Series>, EvalError> {
    let regex: Regex = re2::compile_whole(&replace.regex)
        .map_err(|message| EvalError::Query(ParseError { at: None, message }))?;
    for series in &mut series {
        let source = series.labels.get(&replace.source).map_or("", String::as_str);
        let Some(captures) = regex.captures(source) else { continue };
        let mut value = String::new();
        if !re2::expand(&captures, &replace.replacement, *bytes_left, &mut value) {
            return Err(EvalError::Labels { limit: MAX_LABEL_BYTES });
        }
        *bytes_left -= value.len();
        if value.is_empty() {
            series.labels.remove(&replace.target);
        } else {
            series.labels.insert(replace.target.clone(), value);
        }
    }
    merged(series, EvalError::SameLabels)
}

/// A value as the HTTP API of Prometheus writes it.
pub fn print_value(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "+Inf".into() } else { "-Inf".into() };
    }
    value.to_string()
}
