//! What a selection of logs has that others have not: values of fields that are over- or under-represented.

use super::{
    App, Error, Reader,
    aggregate::{self, Facet, Facets},
    scan::Stats,
};
use crate::engine::{
    compare::{self, Difference, FieldCounts},
    query::{Filter, TimeRange, stat::Key},
    record::timestamp::Timestamp,
};

/// Values of a field that are compared.
const MAX_VALUES: usize = 1_000;

/// Every record has one, so its counts add up to all records.
const LEVEL: &str = "level";

/// What a selection is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// What is not selected, in the same time.
    Rest,
    /// What the same selection was in the time of the same length just before.
    Previous,
}

#[derive(Debug)]
pub struct Compared {
    pub selection: (TimeRange, u64),
    pub baseline: (TimeRange, u64),
    pub differences: Vec<Difference>,
    pub stats: Stats,
}

/// `fields` are stored names; without any the usual ones are compared, and those of metadata.
pub async fn compare(
    app: &App,
    reader: &Reader,
    selection: &Filter,
    baseline: Baseline,
    fields: &[String],
    most: usize,
) -> Result<Compared, Error> {
    let other = match baseline {
        Baseline::Rest => Filter { time: selection.time, expr: selection.expr.clone().negated() },
        Baseline::Previous => Filter { time: before(selection.time), expr: selection.expr.clone() },
    };
    let mut names = fields.to_vec();
    let asks_level = names.is_empty() || names.iter().any(|name| name == LEVEL);
    if !asks_level {
        names.push(LEVEL.to_owned());
    }
    let ours = aggregate::facets(app, reader, selection, &names).await?;
    let theirs = aggregate::facets(app, reader, &other, &names).await?;
    let mut stats = ours.stats.clone();
    stats.add(&theirs.stats);
    stats.elapsed_ms = ours.stats.elapsed_ms + theirs.stats.elapsed_ms;
    let (ours, theirs) = (Counts::of(ours), Counts::of(theirs));
    let mut all: Vec<&String> = ours.fields.iter().chain(&theirs.fields).map(|(name, ..)| name).collect();
    all.sort_unstable();
    all.dedup();
    let counts: Vec<FieldCounts> = all
        .into_iter()
        .filter(|name| asks_level || *name != LEVEL)
        .map(|name| {
            let ((selection, selection_complete), (baseline, baseline_complete)) =
                (ours.get(name), theirs.get(name));
            FieldCounts { field: name.clone(), selection, baseline, selection_complete, baseline_complete }
        })
        .collect();
    let differences = compare::compare(ours.total, theirs.total, &counts, most);
    Ok(Compared {
        selection: (selection.time, ours.total),
        baseline: (other.time, theirs.total),
        differences,
        stats,
    })
}

/// The time of the same length that ends where this begins.
fn before(time: TimeRange) -> TimeRange {
    let length = time.end.as_ns().saturating_sub(time.start.as_ns());
    let end = time.start.as_ns().saturating_sub(1);
    TimeRange {
        start: Timestamp::from_ns(end.saturating_sub(length).max(0)),
        end: Timestamp::from_ns(end.max(0)),
    }
}

struct Counts {
    total: u64,
    /// By field its values, and whether they are all.
    fields: Vec<(String, Values, bool)>,
}

type Values = Vec<(String, u64)>;

impl Counts {
    fn of(facets: Facets) -> Self {
        let mut total = 0;
        let count = |(name, facet): (String, Facet)| {
            let (values, other, _) = facet.top(MAX_VALUES);
            if name == LEVEL {
                total = values.iter().fold(other, |sum, one| sum.saturating_add(one.count));
            }
            let values = values.into_iter().filter_map(|one| Some((text(one.value)?, one.count))).collect();
            (name, values, other == 0)
        };
        let fields = facets.fields.into_iter().map(count).collect();
        Self { total, fields }
    }

    fn get(&self, name: &str) -> (Values, bool) {
        let found = self.fields.iter().find(|(known, ..)| known == name);
        found.map_or((Vec::new(), true), |(_, values, is_complete)| (values.clone(), *is_complete))
    }
}

fn text(key: Key) -> Option<String> {
    match key {
        Key::Text(text) | Key::Json(text) => Some(text),
        _ => None,
    }
}
