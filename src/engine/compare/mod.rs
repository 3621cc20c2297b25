//! Which values of which fields a selection of logs has more often, or more rarely, than a baseline. Not a search and
//! not a cause: it compares counts that the caller made. Under no difference at most one comparison in twenty names
//! anything at all, however many values are tested.
//!
//! The two sets are taken to be disjoint; where the baseline holds the selection too, fewer differences are named.
//! Records are taken to be independent of each other, which bursts are not: the order of the differences means more
//! than the size of their significance.

mod chance;
mod counts;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use chance::{Table, ln_two_sided};
use counts::{Field, Value};

/// How often each value of a field was counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldCounts {
    pub field: String,
    pub selection: Vec<(String, u64)>,
    pub baseline: Vec<(String, u64)>,
    /// False: only the most frequent values are listed.
    pub selection_complete: bool,
    pub baseline_complete: bool,
}

/// A value whose share differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    pub field: String,
    /// `""` stands for records without a value.
    pub value: String,
    pub selection: u64,
    /// False when the value is none of the listed ones: `selection` and its share are then upper bounds.
    pub selection_exact: bool,
    pub selection_share: f64,
    /// `None` when the value is none of the listed ones: the share is then an upper bound.
    pub baseline: Option<u64>,
    pub baseline_share: f64,
    /// How many times the share of the baseline; half a record stands for none in the baseline.
    pub lift: f64,
    /// Two-sided and of this value alone. It may be too small for a double; `significance` is not.
    pub p_value: f64,
    /// `-log10` of the p-value, corrected for all tests.
    pub significance: f64,
    pub over: bool,
}

/// Corrected p-values from here on are chance.
const ALPHA: f64 = 0.05;
/// Sets of fewer records, and values in fewer records of both sets, say nothing.
pub(crate) const FEWEST: u64 = 3;
/// Odds that differ by less interest nobody, however certain the difference is: 50.0% against 50.1% of a billion logs.
const LEAST_ODDS_RATIO: f64 = 1.2;

/// The differences that chance does not explain: values with a larger share first, then those with a smaller one, each by
/// how much they tell about whether a record is of the selection (the G statistic, which is their information gain
/// times the number of records). Lift alone would put a value of three records above one of nine in ten.
pub fn compare(
    selection_total: u64,
    baseline_total: u64,
    fields: &[FieldCounts],
    most: usize,
) -> Vec<Difference> {
    if selection_total.min(baseline_total) < FEWEST {
        return Vec::new();
    }
    let mut tests = 0.0;
    let mut found = Vec::new();
    for counts in fields {
        let field = Field::new(counts, selection_total, baseline_total);
        if field.values_nearly_all_differ() {
            continue;
        }
        let tested = field.values.iter().filter(|value| field.is_worth_a_test(value));
        let mut any = false;
        for value in tested {
            any = true;
            tests += 1.0;
            found.extend(test(&counts.field, value, selection_total, baseline_total));
        }
        if any {
            // Which values are listed is chosen by their counts, so those that could have been count as tests too.
            tests += field.tests_that_might_have_been();
        }
    }
    let correction = f64::ln(if tests > 1.0 { tests } else { 1.0 });
    for (difference, _, ln_p) in &mut found {
        difference.significance = (-(*ln_p + correction) / std::f64::consts::LN_10).max(0.0);
    }
    let least = -ALPHA.log10();
    found.retain(|(difference, ..)| difference.significance > least);
    found.sort_by(|(a, a_gain, _), (b, b_gain, _)| {
        b.over
            .cmp(&a.over)
            .then(b_gain.total_cmp(a_gain))
            .then_with(|| a.field.cmp(&b.field))
            .then_with(|| a.value.cmp(&b.value))
    });
    found.truncate(most);
    found.into_iter().map(|(difference, ..)| difference).collect()
}

/// The value with its G statistic and the logarithm of its p-value, unless too little is known or it differs too little.
fn test(
    field: &str,
    value: &Value<'_>,
    selection_total: u64,
    baseline_total: u64,
) -> Option<(Difference, f64, f64)> {
    let table = Table::new(value.selection, selection_total, value.baseline, baseline_total);
    let over = table.share() > table.other_share();
    // A bound from above only helps where the truth lies further away from the other side.
    if (over && !value.selection_known) || (!over && !value.baseline_known) {
        return None;
    }
    if !over && table.share() >= table.other_share() {
        return None;
    }
    let odds = table.odds_ratio();
    if odds < LEAST_ODDS_RATIO && odds > 1.0 / LEAST_ODDS_RATIO {
        return None;
    }
    let ln_p = ln_two_sided(&table);
    let difference = Difference {
        field: field.to_owned(),
        value: value.name.to_owned(),
        selection: value.selection,
        selection_exact: value.selection_known,
        selection_share: table.share(),
        baseline: value.baseline_known.then_some(value.baseline),
        baseline_share: table.other_share(),
        lift: table.lift(),
        p_value: ln_p.exp(),
        significance: 0.0,
        over,
    };
    Some((difference, table.g(), ln_p))
}
