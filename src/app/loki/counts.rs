//! What of a metric query can be counted by groups: sums of counts and rates by labels that are fields.
//!
//! A stretch of time is counted with its first instant and without its last, as roll-ups are; Loki counts it the other way
//! round. So few lines are counted one by one, and of many the few at such an instant are counted one step later.

use std::collections::BTreeMap;

use crate::{
    app::{App, Error, Reader, aggregate, scan::Stats},
    engine::{
        logql::{
            LogExpr, Metric,
            ast::{Aggregation, RangeAggregation, RangeOp, VectorOp},
            eval::{EvalError, Times},
            pipeline::Entry,
        },
        loki::{DETECTED_LEVEL, ENVIRONMENT, LEVEL, PUSHED, SERVICE, Selection, is_own_field, source},
        query::{
            Expr, Filter, TimeRange,
            stat::{By, Key, Measure, State},
        },
    },
};

const MS: i64 = 1_000_000;

/// Lines that are rather looked at one by one.
const FEW: u64 = 5_000;

/// Stretches of time of one query.
const MAX_STRETCHES: i64 = 5_000;

/// Labels that a query can be counted by.
const MAX_LABELS: usize = 8;

/// A leaf that can be counted.
#[derive(Debug)]
pub(super) struct Planned {
    expr: Expr,
    labels: Vec<Label>,
    /// How long the stretches are that are counted together; none where there is but one step.
    stretch_ms: Option<i64>,
}

#[derive(Debug)]
struct Label {
    name: String,
    /// Those that tell its value.
    fields: Vec<String>,
}

/// The leaves of a query, from left to right, as far as they can be counted.
pub(super) fn plan(metric: &Metric, times: Times) -> Vec<Option<Planned>> {
    let mut plan = Vec::new();
    collect(metric, None, times, &mut plan);
    plan
}

fn collect(metric: &Metric, above: Option<&Aggregation>, times: Times, plan: &mut Vec<Option<Planned>>) {
    match metric {
        Metric::Number(_) | Metric::Vector(_) => {}
        Metric::Range(range) => {
            plan.push(planned(range, above, times));
        }
        Metric::Aggregate(aggregation) => {
            collect(&aggregation.inner, Some(aggregation), times, plan);
        }
        Metric::Binary(binary) => {
            collect(&binary.left, None, times, plan);
            collect(&binary.right, None, times, plan);
        }
        Metric::LabelReplace(replace) => collect(&replace.inner, None, times, plan),
    }
}

fn planned(leaf: &RangeAggregation, above: Option<&Aggregation>, times: Times) -> Option<Planned> {
    let range = &leaf.range;
    let above = above.filter(|above| above.op == VectorOp::Sum)?;
    let labels = match &above.grouping {
        None => Vec::new(),
        Some(grouping) if !grouping.without => grouping.labels.clone(),
        Some(_) => return None,
    };
    if !matches!(leaf.op, RangeOp::Count | RangeOp::Rate)
        || leaf.grouping.is_some()
        || range.unwrap.is_some()
        || labels.len() > MAX_LABELS
    {
        return None;
    }
    let selection = Selection::of(&range.query);
    if !selection.is_exact {
        return None;
    }
    let stretch_ms = if times.start_ns == times.end_ns {
        None
    } else {
        let first = times.start_ns.checked_sub(range.offset_ns)?;
        let stretch = gcd(gcd(first, times.step_ns), range.range_ns);
        let span = times.end_ns.checked_sub(times.start_ns)?.checked_add(range.range_ns)?;
        if stretch < MS || stretch % MS != 0 || span / stretch > MAX_STRETCHES {
            return None;
        }
        Some(stretch / MS)
    };
    let labels = labels.into_iter().map(|name| Label { fields: fields_of(&name), name }).collect();
    Some(Planned { expr: selection.expr, labels, stretch_ms })
}

fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    i64::try_from(a).unwrap_or(i64::MAX)
}

/// The query with those leaves that were counted taking whatever they are given.
pub(super) fn without_queries(metric: &Metric, counted: &[Option<Counting>]) -> Metric {
    let mut metric = metric.clone();
    let mut counted = counted.iter();
    clear(&mut metric, &mut counted);
    metric
}

fn clear(metric: &mut Metric, counted: &mut std::slice::Iter<'_, Option<Counting>>) {
    match metric {
        Metric::Number(_) | Metric::Vector(_) => {}
        Metric::Range(range) => {
            if counted.next().is_some_and(Option::is_some) {
                range.range.query = LogExpr { matchers: Vec::new(), stages: Vec::new() };
            }
        }
        Metric::Aggregate(aggregation) => clear(&mut aggregation.inner, counted),
        Metric::Binary(binary) => {
            clear(&mut binary.left, counted);
            clear(&mut binary.right, counted);
        }
        Metric::LabelReplace(replace) => clear(&mut replace.inner, counted),
    }
}

/// What was counted.
#[derive(Debug)]
pub(super) struct Counting {
    /// When, of which labels, how many.
    groups: Vec<(i64, BTreeMap<String, String>, u64)>,
}

impl Counting {
    pub(super) fn feed(
        &self,
        mut take: impl FnMut(&Entry<'_>) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let nothing = BTreeMap::new();
        for (ts_ns, labels, count) in &self.groups {
            let mut left = *count;
            while left > 0 {
                let weight = u32::try_from(left).unwrap_or(u32::MAX);
                take(&Entry { ts_ns: *ts_ns, stream: labels, metadata: &nothing, line: "", weight })?;
                left -= u64::from(weight);
            }
        }
        Ok(())
    }
}

/// Counts a leaf's lines. `None`: they have to be looked at.
pub(super) async fn count(
    app: &App,
    reader: &Reader,
    planned: &Planned,
    time: TimeRange,
    stats: &mut Stats,
) -> Result<Option<Counting>, Error> {
    let mut by: Vec<By> = planned.stretch_ms.map(By::Time).into_iter().collect();
    for label in &planned.labels {
        by.extend(label.fields.iter().cloned().map(By::Field));
    }
    let filter = Filter { time, expr: planned.expr.clone() };
    let found = aggregate::groups(app, reader, &filter, &by, &[Measure::Count]).await?;
    stats.add(&found.stats.cost());
    if found.truncated {
        return Ok(None);
    }
    let mut total = 0;
    let mut groups = Vec::with_capacity(found.groups.len());
    for (keys, states) in &found.groups {
        let [State::Count(count)] = states.as_slice() else { return Ok(None) };
        let mut keys = keys.iter();
        let ts_ns = match planned.stretch_ms {
            None => time.end.as_ns(),
            Some(_) => match keys.next() {
                // Within the stretch, whichever of its ends is counted.
                Some(Key::Time(start)) => start.saturating_mul(MS).saturating_add(1),
                _ => return Ok(None),
            },
        };
        let mut labels = BTreeMap::new();
        for Label { name, fields } in &planned.labels {
            let own: Vec<&Key> = keys.by_ref().take(fields.len()).collect();
            let Some(value) = value_of(name, &own) else { return Ok(None) };
            if !value.is_empty() {
                labels.insert(name.clone(), value);
            }
        }
        total += count;
        groups.push((ts_ns, labels, *count));
    }
    if planned.stretch_ms.is_some() && total <= FEW {
        return Ok(None);
    }
    stats.rows_scanned += found.stats.rows_scanned;
    stats.rows_matched += found.stats.rows_matched;
    stats.segments += found.stats.segments;
    stats.partial |= found.stats.partial;
    Ok(Some(Counting { groups }))
}

/// The fields that tell the value of a label.
fn fields_of(label: &str) -> Vec<String> {
    let native = match label {
        SERVICE => return vec!["service".to_owned()],
        DETECTED_LEVEL => return vec!["level".to_owned()],
        LEVEL => "level",
        ENVIRONMENT => "environment",
        label if is_own_field(label) => label,
        label => return vec![source(label), PUSHED.to_owned()],
    };
    vec![source(label), PUSHED.to_owned(), native.to_owned(), format!("metadata.{label}")]
}

/// The value of a label, nothing where it has none; `None` where the fields do not tell it.
fn value_of(label: &str, keys: &[&Key]) -> Option<String> {
    let text = |key: &Key| match key {
        Key::Text(text) | Key::Json(text) => Some(text.clone()),
        Key::Absent | Key::Time(_) => None,
    };
    let of_level = |key: &Key| text(key).map(|level| level.to_ascii_lowercase());
    match (label, keys) {
        (DETECTED_LEVEL, [level]) => of_level(level),
        (SERVICE, [service]) => text(service),
        // Of what was not pushed a field of another name may be that label, or a list, which would be counted by each
        // of what is in it.
        (_, [_, Key::Absent]) | (LEVEL | ENVIRONMENT, [_, Key::Absent, _, Key::Json(_)]) => None,
        (LEVEL, [_, Key::Absent, native, _]) => of_level(native),
        (ENVIRONMENT, [_, Key::Absent, native, _]) => Some(text(native).unwrap_or_default()),
        (_, [_, Key::Absent, Key::Absent, Key::Absent]) => Some(String::new()),
        (_, [_, Key::Absent, native, _]) => text(native),
        (_, [Key::Absent, _, _, Key::Absent]) => Some(String::new()),
        (_, [of_label, _] | [of_label, _, _, _]) => text(of_label),
        _ => None,
    }
}
