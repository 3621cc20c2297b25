//! `LogQL` evaluated in the slow and obvious way, for tests: each step and each leaf scans all lines again, and
//! nothing is kept from one line to the next. It shares the parser with the engine and nothing else.
//!
//! Where Loki leaves a choice, the input's order decides: of lines at the same time the first is the first.
//! Of equal values `topk` takes those with the smaller labels; a label without text names no series. What is not
//! covered panics and says so, but for JSON that breaks off or has a key twice, which reads as JSON that is wrong
//! and as its last value.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::struct_field_names,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: what cannot be evaluated fails the test"
)]

mod filters;
pub(crate) mod generate;
mod leaf;
mod operations;
mod parsers;
mod stages;
mod template;
mod units;

use std::collections::BTreeMap;

use timberline::engine::logql::ast::{LogExpr, Metric};

pub(crate) type LabelSet = BTreeMap<String, String>;

/// The labels of a series, and its values by time.
pub(crate) type Series = (LabelSet, Vec<(i64, f64)>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) ts_ns: i64,
    pub(crate) stream: LabelSet,
    pub(crate) metadata: LabelSet,
    pub(crate) line: String,
}

/// The lines from `start_ns` to before `end_ns` that pass, in the order of the input: time, all labels with
/// `__error__`, line.
pub(crate) fn lines(
    query: &LogExpr,
    all: &[Line],
    start_ns: i64,
    end_ns: i64,
) -> Vec<(i64, LabelSet, String)> {
    let mut passed = Vec::new();
    for line in all {
        if line.ts_ns < start_ns || line.ts_ns >= end_ns {
            continue;
        }
        if let Some((labels, text)) = stages::run(query, line) {
            passed.push((line.ts_ns, labels.with_error(), text));
        }
    }
    passed
}

/// The series of a query at each step from `start_ns` to `end_ns` inclusive; a step without a value is left
/// out.
pub(crate) fn metric(
    metric: &Metric,
    all: &[Line],
    start_ns: i64,
    end_ns: i64,
    step_ns: i64,
) -> Result<Vec<Series>, String> {
    let mut series: BTreeMap<LabelSet, Vec<(i64, f64)>> = BTreeMap::new();
    let mut at_ns = start_ns;
    while at_ns <= end_ns {
        for (labels, value) in operations::evaluate(metric, all, at_ns)? {
            let points = series.entry(labels.clone()).or_default();
            if points.last().is_some_and(|(last_ns, _)| *last_ns == at_ns) {
                return Err(format!("two samples of one series at the same time: {labels:?}"));
            }
            points.push((at_ns, value));
        }
        at_ns += step_ns;
    }
    Ok(series.into_iter().collect())
}
