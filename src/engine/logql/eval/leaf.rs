//! One log range of a query: its lines as numbers, by series.

use std::collections::HashMap;

use super::{
    super::{
        ast::{Grouping, LabelFilter, LogRange, MatchOp, Metric, RangeAggregation, RangeOp, Stage, VectorOp},
        parse::ParseError,
        pipeline::{Entry, Pipeline, Row, Selector, Unwrapper},
    },
    EvalError, LabelSet, MAX_LABEL_BYTES, Series, Times,
    series::{Points, shown},
    window::{self, Cell},
};

pub(super) struct Leaf {
    aggregation: RangeAggregation,
    /// The labels that its series keep: all, if nothing above joins them.
    reduction: Option<Grouping>,
    /// The query asks for lines that a parser cannot read.
    keeps_errors: bool,
    selector: Selector,
    pipeline: Pipeline,
    unwrapper: Option<Unwrapper>,
    times: Times,
    steps: usize,
    numbers: HashMap<String, usize>,
    series: Vec<(LabelSet, Vec<Cell>)>,
    key: String,
}

impl Leaf {
    /// Makes the leaves of a query in the order of `leaves`. `above` is the aggregation that joins their series.
    pub(super) fn collect(
        metric: &Metric,
        above: Option<(VectorOp, Option<&Grouping>)>,
        times: Times,
        leaves: &mut Vec<Self>,
    ) -> Result<(), EvalError> {
        match metric {
            Metric::Number(_) | Metric::Vector(_) => Ok(()),
            Metric::Range(aggregation) => {
                leaves.push(Self::new(aggregation, above, times)?);
                Ok(())
            }
            Metric::Aggregate(aggregation) => {
                let above = Some((aggregation.op, aggregation.grouping.as_ref()));
                Self::collect(&aggregation.inner, above, times, leaves)
            }
            Metric::Binary(binary) => {
                Self::collect(&binary.left, None, times, leaves)?;
                Self::collect(&binary.right, None, times, leaves)
            }
            Metric::LabelReplace(replace) => Self::collect(&replace.inner, None, times, leaves),
        }
    }

    fn new(
        aggregation: &RangeAggregation,
        above: Option<(VectorOp, Option<&Grouping>)>,
        times: Times,
    ) -> Result<Self, EvalError> {
        let refused = |message| EvalError::Query(ParseError { at: None, message });
        let range = &aggregation.range;
        let reduction = reduction(aggregation, above);
        let keeps_errors = above.is_some()
            && reduction.as_ref().is_some_and(|grouping| {
                grouping.labels.iter().any(|label| label == "__error__") || asks_for_errors(range)
            });
        let pipeline = match &reduction {
            Some(grouping) if !grouping.without => Pipeline::for_labels(range, &grouping.labels)?,
            _ => Pipeline::new(&range.query)?,
        };
        let unwrapper = range.unwrap.as_ref().map(Unwrapper::new).transpose().map_err(refused)?;
        Ok(Self {
            aggregation: aggregation.clone(),
            reduction,
            keeps_errors,
            selector: Selector::new(&range.query.matchers).map_err(refused)?,
            pipeline,
            unwrapper,
            times,
            steps: times.steps(),
            numbers: HashMap::new(),
            series: Vec::new(),
            key: String::new(),
        })
    }

    /// Takes an entry; whether it is kept as a sample of its own.
    pub(super) fn push(
        &mut self,
        entry: &Entry<'_>,
        limit: usize,
        label_bytes_left: &mut usize,
    ) -> Result<bool, EvalError> {
        let Some((first, last)) = self.covered(entry.ts_ns) else { return Ok(false) };
        if !self.selector.matches(entry.stream) {
            return Ok(false);
        }
        let Some(mut row) = self.pipeline.run(entry) else { return Ok(false) };
        let Some(value) = self.number(&mut row) else { return Ok(false) };
        let is_sum = matches!(
            self.aggregation.op,
            RangeOp::Count
                | RangeOp::Rate
                | RangeOp::Bytes
                | RangeOp::BytesRate
                | RangeOp::Sum
                | RangeOp::Avg
        );
        let (count, value) =
            if is_sum { (entry.weight, value * f64::from(entry.weight)) } else { (1, value) };
        let error = row.labels.get("__error__").filter(|error| !error.is_empty());
        if let Some(error) = error.filter(|error| !self.keeps_errors || !error.ends_with(PARSER_ERROR)) {
            let error = error.to_owned();
            return Err(EvalError::Pipeline { error, series: shown(&row.labels.to_map()) });
        }
        let number = self.number_of(&row, limit, label_bytes_left)?;
        let Some((_, cells)) = self.series.get_mut(number) else { return Ok(false) };
        let cell = Cell { first, last, ts_ns: entry.ts_ns, count, value };
        Ok(window::add(self.aggregation.op, cells, cell))
    }

    /// The steps whose ranges hold a time.
    fn covered(&self, ts_ns: i64) -> Option<(u32, u32)> {
        let range = &self.aggregation.range;
        let (start, step) = (i128::from(self.times.start_ns), i128::from(self.times.step_ns.max(1)));
        let since = i128::from(ts_ns) + i128::from(range.offset_ns) - start;
        // Rounded up: a range holds its end and not its start.
        let up = |span: i128| (span + step - 1).div_euclid(step);
        let last = (up(since + i128::from(range.range_ns)) - 1).min(self.steps as i128 - 1);
        let first = up(since).max(0);
        (first <= last).then(|| Some((u32::try_from(first).ok()?, u32::try_from(last).ok()?)))?
    }

    #[expect(clippy::cast_precision_loss)]
    fn number(&self, row: &mut Row<'_>) -> Option<f64> {
        match (&self.unwrapper, self.aggregation.op) {
            (Some(unwrapper), _) => unwrapper.read(row),
            (None, RangeOp::Bytes | RangeOp::BytesRate) => Some(row.line.len() as f64),
            (None, _) => Some(1.0),
        }
    }

    /// The number of the series that a line is of.
    fn number_of(
        &mut self,
        row: &Row<'_>,
        limit: usize,
        label_bytes_left: &mut usize,
    ) -> Result<usize, EvalError> {
        let unwrapped = self.unwrapper.as_ref().map(Unwrapper::label);
        let mut labels: Vec<(&str, &str)> = row
            .labels
            .iter()
            .filter(|(name, value, _)| !value.is_empty() && keeps(self.reduction.as_ref(), unwrapped, name))
            .map(|(name, value, _)| (name, value))
            .collect();
        let error = row.labels.get("__error__").filter(|_| keeps(self.reduction.as_ref(), None, "__error__"));
        labels.extend(error.filter(|error| !error.is_empty()).map(|error| ("__error__", error)));
        labels.sort_unstable();
        self.key.clear();
        for (name, value) in &labels {
            // A name has no zero byte in it and a value's length comes first, so no two sets are written alike.
            self.key.push_str(name);
            self.key.push('\0');
            self.key.push_str(&value.len().to_string());
            self.key.push('\0');
            self.key.push_str(value);
        }
        if let Some(number) = self.numbers.get(&self.key) {
            return Ok(*number);
        }
        if self.series.len() == limit {
            return Err(EvalError::Series { limit });
        }
        let left = label_bytes_left.checked_sub(self.key.len());
        *label_bytes_left = left.ok_or(EvalError::Labels { limit: MAX_LABEL_BYTES })?;
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let number = self.series.len();
        self.series.push((labels, Vec::new()));
        self.numbers.insert(self.key.clone(), number);
        Ok(number)
    }

    pub(super) fn series_count(&self) -> usize {
        self.series.len()
    }

    pub(super) fn finish(self, times: Times, steps: usize) -> Vec<Series> {
        let Self { aggregation, series, .. } = self;
        if aggregation.op == RangeOp::Absent {
            return absent(&aggregation, series, steps);
        }
        let series = series.into_iter().map(|(labels, mut cells)| {
            cells.sort_by_key(|cell| cell.ts_ns);
            Series { labels, points: window::points(&aggregation, &cells, times, steps) }
        });
        series.collect()
    }
}

/// How the errors of parsers end.
const PARSER_ERROR: &str = "ParserErr";

fn asks_for_errors(range: &LogRange) -> bool {
    fn names(filter: &LabelFilter) -> bool {
        match filter {
            LabelFilter::Text(matcher) => matcher.name == "__error__",
            LabelFilter::And(parts) | LabelFilter::Or(parts) => parts.iter().any(names),
            _ => false,
        }
    }
    range.query.stages.iter().any(|stage| matches!(stage, Stage::LabelFilter(filter) if names(filter)))
}

fn keeps(reduction: Option<&Grouping>, unwrapped: Option<&str>, name: &str) -> bool {
    match reduction {
        Some(grouping) if !grouping.without => grouping.labels.iter().any(|label| label == name),
        Some(grouping) => Some(name) != unwrapped && !grouping.labels.iter().any(|label| label == name),
        None => Some(name) != unwrapped,
    }
}

/// What the series of a range may be reduced to: its own grouping, or that of an aggregation above it to which
/// the order of joining makes no difference. Without it each line with an id of its own would be a series.
fn reduction(
    aggregation: &RangeAggregation,
    above: Option<(VectorOp, Option<&Grouping>)>,
) -> Option<Grouping> {
    if let Some(grouping) = &aggregation.grouping {
        return Some(grouping.clone());
    }
    let nothing = Grouping { without: false, labels: Vec::new() };
    if aggregation.op == RangeOp::Absent {
        return Some(nothing);
    }
    let (op, grouping) = above?;
    let joins = match op {
        VectorOp::Sum => matches!(
            aggregation.op,
            RangeOp::Count | RangeOp::Rate | RangeOp::Bytes | RangeOp::BytesRate | RangeOp::Sum
        ),
        VectorOp::Min => aggregation.op == RangeOp::Min,
        VectorOp::Max => aggregation.op == RangeOp::Max,
        _ => false,
    };
    joins.then(|| grouping.cloned().unwrap_or(nothing))
}

/// One where no line is in the range, with the labels that the selector asks for.
fn absent(aggregation: &RangeAggregation, series: Vec<(LabelSet, Vec<Cell>)>, steps: usize) -> Vec<Series> {
    let mut labels = LabelSet::new();
    let matchers = &aggregation.range.query.matchers;
    for matcher in matchers.iter().filter(|matcher| matcher.op == MatchOp::Equal && !matcher.value.is_empty())
    {
        if matchers.iter().filter(|other| other.name == matcher.name).count() == 1 {
            labels.insert(matcher.name.clone(), matcher.value.clone());
        }
    }
    let mut cells: Vec<Cell> = series.into_iter().flat_map(|(_, cells)| cells).collect();
    cells.sort_by_key(|cell| cell.first);
    let mut points = Points::absent(steps);
    let mut next = 0;
    for cell in cells {
        for step in next..usize::try_from(cell.first).unwrap_or(steps) {
            points.set(step, Some(1.0));
        }
        next = next.max(usize::try_from(cell.last).unwrap_or(steps) + 1);
    }
    for step in next..steps {
        points.set(step, Some(1.0));
    }
    if points.is_empty() { Vec::new() } else { vec![Series { labels, points }] }
}
