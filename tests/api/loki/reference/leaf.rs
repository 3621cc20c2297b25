//! Range aggregations: the lines of a window, the number taken of each, and one number made of these.

use std::collections::BTreeMap;

use timberline::engine::logql::ast::{
    Conversion, Grouping, LabelFilter, LogRange, MatchOp, RangeAggregation, RangeOp, Stage, Unwrap,
};

use super::{LabelSet, Line, filters, parsers, stages, stages::Labels, units};

/// The time and the number of a line.
type Sample = (i64, f64);

/// The series of the window that ends at `at_ns`; its start is not in it, its end is. A sum over the series
/// hands down the groups it makes, as it may want a label that is lost otherwise.
pub(super) fn evaluate(
    aggregation: &RangeAggregation,
    sum: Option<&Grouping>,
    all: &[Line],
    at_ns: i64,
) -> Result<Vec<(LabelSet, f64)>, String> {
    let RangeAggregation { op, parameter, range, grouping } = aggregation;
    let is_additive =
        matches!(op, RangeOp::Count | RangeOp::Rate | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum);
    let grouping = grouping.as_ref().or(sum.filter(|_| is_additive));
    let hints = Hints::new(*op, range, grouping);
    let range = &hints.without_needless_parsers(range);
    let end_ns = at_ns - range.offset_ns;
    let start_ns = end_ns - range.range_ns;
    let mut series: BTreeMap<LabelSet, Vec<Sample>> = BTreeMap::new();
    for line in all {
        if line.ts_ns <= start_ns || line.ts_ns > end_ns {
            continue;
        }
        let Some((labels, value)) = sample(*op, range, line) else { continue };
        if let Some(error) = &labels.error {
            let is_wanted = hints.wants_errors && error.ends_with("ParserErr");
            if !is_wanted {
                return Err(format!("pipeline error: {error} of {:?}", labels.all));
            }
        }
        let mut name = labels.with_error();
        if let Some(grouping) = grouping {
            name = grouped(grouping, &name);
        }
        if let (Some(unwrap), true) = (&range.unwrap, grouping.is_none_or(|grouping| grouping.without)) {
            name.remove(&unwrap.label);
        }
        // A label without text is none.
        name.retain(|_, value| !value.is_empty());
        series.entry(name).or_default().push((line.ts_ns, value));
    }
    if *op == RangeOp::Absent {
        return Ok(if series.is_empty() { vec![(absent_labels(range), 1.0)] } else { Vec::new() });
    }
    let result = |(labels, samples): (LabelSet, Vec<Sample>)| {
        (labels, reduce(*op, parameter.unwrap_or(0.0), range, end_ns, &samples))
    };
    Ok(series.into_iter().map(result).collect())
}

/// What Loki's parsers know of what is made of their labels.
struct Hints {
    /// Where no label is wanted, lines are not parsed, so none of them can fail.
    no_labels: bool,
    /// Lines that no parser can read count where `__error__` is asked for.
    wants_errors: bool,
}

impl Hints {
    fn new(op: RangeOp, range: &LogRange, grouping: Option<&Grouping>) -> Self {
        let by = grouping.filter(|grouping| !grouping.without).map(|grouping| &grouping.labels);
        let is_one_series = op == RangeOp::Absent || by.is_some_and(Vec::is_empty);
        let mut wanted: Vec<String> = by.cloned().unwrap_or_default();
        wanted.extend(range.unwrap.as_ref().map(|unwrap| unwrap.label.clone()));
        for stage in &range.query.stages {
            match stage {
                Stage::LabelFilter(filter) => filter_labels(filter, &mut wanted),
                Stage::LineFormat(template) => wanted.extend(template.contains('.').then(String::new)),
                Stage::LabelFormat(_) => wanted.push(String::new()),
                _ => {}
            }
        }
        let wants_errors = wanted.iter().any(|label| label == "__error__");
        Self {
            no_labels: is_one_series && wanted.is_empty(),
            wants_errors: (is_one_series || by.is_some()) && wants_errors,
        }
    }

    fn without_needless_parsers(&self, range: &LogRange) -> LogRange {
        let mut range = range.clone();
        if self.no_labels {
            range.query.stages.retain(|stage| {
                !matches!(stage, Stage::Json(_) | Stage::Logfmt { .. } | Stage::Pattern(_) | Stage::Unpack)
            });
        }
        range
    }
}

fn filter_labels(filter: &LabelFilter, labels: &mut Vec<String>) {
    match filter {
        LabelFilter::Text(matcher) => labels.push(matcher.name.clone()),
        LabelFilter::Number { label, .. }
        | LabelFilter::Duration { label, .. }
        | LabelFilter::Bytes { label, .. }
        | LabelFilter::Ip { label, .. } => labels.push(label.clone()),
        LabelFilter::And(filters) | LabelFilter::Or(filters) => {
            for filter in filters {
                filter_labels(filter, labels);
            }
        }
    }
}

/// The labels that a group has in common.
pub(super) fn grouped(grouping: &Grouping, labels: &LabelSet) -> LabelSet {
    let mut kept = labels.clone();
    kept.retain(|name, _| grouping.labels.contains(name) != grouping.without);
    kept
}

/// The labels and the number of a line that passes.
fn sample(op: RangeOp, range: &LogRange, line: &Line) -> Option<(Labels, f64)> {
    let (mut labels, text) = stages::run(&range.query, line)?;
    let Some(unwrap) = &range.unwrap else {
        #[expect(clippy::cast_precision_loss, reason = "lines are short")]
        let bytes = text.len() as f64;
        let is_bytes = matches!(op, RangeOp::Bytes | RangeOp::BytesRate);
        return Some((labels, if is_bytes { bytes } else { 1.0 }));
    };
    let written = labels.get(&unwrap.label).unwrap_or("").to_owned();
    if written.is_empty() {
        return None;
    }
    let value = converted(unwrap, &written).unwrap_or_else(|| {
        labels.fail("SampleExtractionErr");
        0.0
    });
    let passes = unwrap.filters.iter().all(|filter| filters::labels_pass(filter, &mut labels));
    passes.then_some((labels, value))
}

#[expect(clippy::cast_precision_loss, reason = "as Loki does")]
fn converted(unwrap: &Unwrap, written: &str) -> Option<f64> {
    match unwrap.conversion {
        Conversion::None => parsers::float(written),
        Conversion::Bytes => units::bytes(written).map(|bytes| bytes as f64),
        Conversion::Duration | Conversion::DurationSeconds => {
            units::duration_ns(written).map(|ns| ns as f64 / 1e9)
        }
    }
}

/// The labels that the selector says all lines would have had.
fn absent_labels(range: &LogRange) -> LabelSet {
    let matchers = &range.query.matchers;
    let mut labels = LabelSet::new();
    for matcher in matchers {
        let only = matchers.iter().filter(|other| other.name == matcher.name).count() == 1;
        if only && matcher.op == MatchOp::Equal {
            labels.insert(matcher.name.clone(), matcher.value.clone());
        }
    }
    labels
}

#[expect(clippy::cast_precision_loss, reason = "few samples, short ranges")]
fn reduce(op: RangeOp, parameter: f64, range: &LogRange, end_ns: i64, samples: &[Sample]) -> f64 {
    let seconds = range.range_ns as f64 / 1e9;
    let values: Vec<f64> = samples.iter().map(|(_, value)| *value).collect();
    let sum: f64 = values.iter().sum();
    match op {
        RangeOp::Count => values.len() as f64,
        RangeOp::Rate | RangeOp::BytesRate => sum / seconds,
        RangeOp::Bytes | RangeOp::Sum => sum,
        RangeOp::RateCounter => rate_counter(samples, end_ns - range.range_ns, end_ns),
        RangeOp::Avg => sum / values.len() as f64,
        RangeOp::Min => values.iter().copied().fold(f64::INFINITY, f64::min),
        RangeOp::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        RangeOp::First => values[0],
        RangeOp::Last => {
            let last_ns = samples[samples.len() - 1].0;
            let latest = samples.iter().filter(|(ts_ns, _)| *ts_ns == last_ns);
            latest.map(|(_, value)| *value).next_back().unwrap()
        }
        RangeOp::Stddev => variance(&values).sqrt(),
        RangeOp::Stdvar => variance(&values),
        RangeOp::Quantile => quantile(parameter, values),
        RangeOp::Absent => unreachable!("has no samples"),
    }
}

/// Of the whole population.
#[expect(clippy::cast_precision_loss, reason = "few values")]
pub(super) fn variance(values: &[f64]) -> f64 {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count
}

/// Between the two nearest ranks, as Prometheus does.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn quantile(at: f64, mut values: Vec<f64>) -> f64 {
    if at < 0.0 {
        return f64::NEG_INFINITY;
    }
    if at > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(f64::total_cmp);
    let rank = at * (values.len() - 1) as f64;
    let below = values[rank.floor() as usize];
    let above = values[rank.ceil() as usize];
    below + (above - below) * rank.fract()
}

/// The increase with what was lost at resets, stretched to the edges of the window as Prometheus does: by half a
/// gap where an edge is far, and to the start by no more than a counter from zero would have needed.
#[expect(clippy::cast_precision_loss)]
fn rate_counter(samples: &[Sample], start_ns: i64, end_ns: i64) -> f64 {
    if samples.len() < 2 {
        return 0.0;
    }
    let (first_ns, first) = samples[0];
    let (last_ns, last) = samples[samples.len() - 1];
    let resets = samples.windows(2).filter(|pair| pair[1].1 < pair[0].1);
    let increase = last - first + resets.map(|pair| pair[0].1).sum::<f64>();
    let seconds = |from_ns: i64, to_ns: i64| (to_ns - from_ns) as f64 / 1e9;
    let span = seconds(first_ns, last_ns);
    if first_ns == last_ns {
        return 0.0;
    }
    let gap = span / (samples.len() - 1) as f64;
    let mut before = seconds(start_ns, first_ns);
    let after = seconds(last_ns, end_ns);
    if increase > 0.0 && first >= 0.0 {
        before = before.min(span * (first / increase));
    }
    let before = if before < gap * 1.1 { before } else { gap / 2.0 };
    let after = if after < gap * 1.1 { after } else { gap / 2.0 };
    increase * ((span + before + after) / span) / seconds(start_ns, end_ns)
}
