//! Which streams there are: the names of their labels, the values of one, and the streams themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    app::{
        App, Error, Reader,
        aggregate::{self, FieldRows},
        scan::Stats,
    },
    engine::{
        loki::{ENVIRONMENT, LABELS, LEVEL, PUSHED, SERVICE, Selection, source},
        query::{
            Expr, Filter, TimeRange,
            stat::{By, Key, Measure, State},
        },
    },
};

/// Labels by which streams are told apart.
const MAX_LABELS: usize = 32;

pub(super) type Labels = BTreeMap<String, String>;

/// The names of labels.
pub async fn names(
    app: &App,
    reader: &Reader,
    expr: Expr,
    time: TimeRange,
) -> Result<(BTreeSet<String>, Stats), Error> {
    let (fields, rows, mut stats) =
        aggregate::fields(app, reader, &Filter { time, expr: expr.clone() }).await?;
    let mut names = BTreeSet::new();
    if rows > 0 {
        names.insert(SERVICE.to_owned());
    }
    let pushed = fields.get(PUSHED).map_or(0, |rows| rows.text);
    if pushed < rows {
        names.insert(LEVEL.to_owned());
        if fields.contains_key(ENVIRONMENT) {
            names.insert(ENVIRONMENT.to_owned());
        }
    }
    let own = |fields: &BTreeMap<String, FieldRows>| -> Vec<String> {
        let label = |name: &String| Some(name.strip_prefix(LABELS)?.strip_prefix('.')?.to_owned());
        fields.keys().filter_map(label).collect()
    };
    let mut labels = own(&fields);
    if pushed < rows && labels.len() > 1 {
        // Other records may have fields that are called so.
        let expr = Expr::and(vec![expr, Selection::pushed()]);
        let (fields, _, read) = aggregate::fields(app, reader, &Filter { time, expr }).await?;
        stats.add(&read);
        labels = own(&fields);
    }
    if pushed > 0 {
        names.extend(labels);
    }
    Ok((names, stats))
}

/// The values of a label.
pub async fn values(
    app: &App,
    reader: &Reader,
    label: &str,
    expr: Expr,
    time: TimeRange,
) -> Result<(BTreeSet<String>, Stats), Error> {
    let labels = BTreeSet::from([label.to_owned()]);
    let (streams, stats) = grouped(app, reader, &labels, expr, time, None).await?;
    let values = streams.into_iter().filter_map(|(_, mut labels, _)| labels.remove(label));
    Ok((values.collect(), stats))
}

/// The streams, as far as their labels can be told apart, with how many records each has.
pub async fn series(
    app: &App,
    reader: &Reader,
    expr: Expr,
    time: TimeRange,
) -> Result<(Vec<(Labels, u64)>, Stats), Error> {
    let (names, mut stats) = names(app, reader, expr.clone(), time).await?;
    stats.partial |= names.len() > MAX_LABELS;
    // Those that every stream has, before others.
    let (first, others): (Vec<String>, Vec<String>) =
        names.into_iter().partition(|name| matches!(name.as_str(), SERVICE | LEVEL | ENVIRONMENT));
    let labels: BTreeSet<String> = first.into_iter().chain(others).take(MAX_LABELS).collect();
    let (streams, read) = grouped(app, reader, &labels, expr, time, None).await?;
    stats.add(&read);
    Ok((streams.into_iter().map(|(_, labels, count)| (labels, count)).collect(), stats))
}

/// Counts records by these labels, and by when a stretch of time begins where there is one.
pub(super) async fn grouped(
    app: &App,
    reader: &Reader,
    labels: &BTreeSet<String>,
    expr: Expr,
    time: TimeRange,
    stretch_ms: Option<i64>,
) -> Result<(Vec<(i64, Labels, u64)>, Stats), Error> {
    let stored: Vec<&String> = labels.iter().filter(|label| *label != SERVICE).collect();
    let is_native = |label: &&&String| matches!(label.as_str(), LEVEL | ENVIRONMENT);
    let native: Vec<&String> = stored.iter().filter(is_native).copied().collect();
    let mut by: Vec<By> = stretch_ms.map(By::Time).into_iter().collect();
    if labels.contains(SERVICE) {
        by.push(By::Field(source(SERVICE)));
    }
    by.extend(stored.iter().map(|label| By::Field(source(label))));
    by.extend(native.iter().map(|label| By::Field((*label).clone())));
    if !stored.is_empty() {
        by.push(By::Field(PUSHED.to_owned()));
    }
    let found = aggregate::groups(app, reader, &Filter { time, expr }, &by, &[Measure::Count]).await?;
    let mut stats = found.stats;
    stats.partial |= found.truncated;
    let mut streams: BTreeMap<(i64, Labels), u64> = BTreeMap::new();
    for (keys, states) in found.groups {
        let count = if let [State::Count(count)] = states.as_slice() { *count } else { 0 };
        let is_pushed = keys.last().is_some_and(|key| *key != Key::Absent);
        let mut keys = keys.into_iter();
        let at_ms = match stretch_ms.and_then(|_| keys.next()) {
            Some(Key::Time(at_ms)) => at_ms,
            _ => 0,
        };
        let mut keys = keys.map(text);
        let mut of_stream = Labels::new();
        if labels.contains(SERVICE) {
            of_stream.extend(keys.next().flatten().map(|service| (SERVICE.to_owned(), service)));
        }
        let own: Vec<Option<String>> = keys.by_ref().take(stored.len()).collect();
        if is_pushed {
            for (label, value) in stored.iter().zip(own) {
                of_stream.extend(value.map(|value| ((*label).clone(), value)));
            }
        } else {
            for (label, value) in native.iter().zip(keys) {
                let value =
                    value.map(|value| if *label == LEVEL { value.to_ascii_lowercase() } else { value });
                of_stream.extend(value.map(|value| ((*label).clone(), value)));
            }
        }
        if !of_stream.is_empty() {
            *streams.entry((at_ms, of_stream)).or_default() += count;
        }
    }
    Ok((streams.into_iter().map(|((at_ms, labels), count)| (at_ms, labels, count)).collect(), stats))
}

fn text(key: Key) -> Option<String> {
    match key {
        Key::Text(text) | Key::Json(text) => Some(text),
        Key::Absent | Key::Time(_) => None,
    }
}
