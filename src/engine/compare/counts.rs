//! The two lists of counts of a field put beside each other: what is not listed is bounded, and records without a value
//! become a value of their own.

use std::collections::BTreeMap;

use super::{FEWEST, FieldCounts};

pub(super) struct Field<'a> {
    pub(super) values: Vec<Value<'a>>,
    selection: Side<'a>,
    baseline: Side<'a>,
}

/// One value. A count that is not known is the largest that it can be.
pub(super) struct Value<'a> {
    pub(super) name: &'a str,
    pub(super) selection: u64,
    pub(super) selection_known: bool,
    pub(super) baseline: u64,
    pub(super) baseline_known: bool,
}

struct Side<'a> {
    listed: BTreeMap<&'a str, u64>,
    total: u64,
    /// The records in none of the listed counts; they have other values, or none. Of a list field nothing is known
    /// of them once its counts add up to more than there are records: it may be all.
    rest: u64,
    /// The most that a value outside of the list can have; 0 when the list is complete.
    bound: u64,
}

/// Values that repeat less often than this on average are ids.
const ID_REPEATS: u64 = 3;

impl<'a> Field<'a> {
    pub(super) fn new(counts: &'a FieldCounts, selection_total: u64, baseline_total: u64) -> Self {
        let selection = Side::new(&counts.selection, selection_total, counts.selection_complete);
        let baseline = Side::new(&counts.baseline, baseline_total, counts.baseline_complete);
        let mut names: Vec<&str> = selection.listed.keys().chain(baseline.listed.keys()).copied().collect();
        names.sort_unstable();
        names.dedup();
        let values = names
            .into_iter()
            .map(|name| {
                let (selection, selection_known) = selection.count(name);
                let (baseline, baseline_known) = baseline.count(name);
                Value { name, selection, selection_known, baseline, baseline_known }
            })
            .collect();
        Self { values, selection, baseline }
    }

    /// Ids: hardly any value comes again. A field with one value in many records is kept, however rare the others are:
    /// one user in half of the failures is worth naming. Only sums over both sets decide, so that the choice of fields is
    /// independent of what the tests look at.
    pub(super) fn values_nearly_all_differ(&self) -> bool {
        let mut records = 0_u64;
        let mut values = 0_u64;
        let mut largest = 0;
        for value in self.values.iter().filter(|value| !value.name.is_empty()) {
            let known = |count: u64, known: bool| if known { count } else { 0 };
            let both = known(value.selection, value.selection_known)
                .saturating_add(known(value.baseline, value.baseline_known));
            records = records.saturating_add(both);
            values += 1;
            largest = largest.max(both);
        }
        values > 1
            && records < values.saturating_mul(ID_REPEATS)
            && largest < (self.selection.total / 20).max(10)
    }

    pub(super) fn is_worth_a_test(&self, value: &Value<'_>) -> bool {
        let (selection, baseline) = (value.selection, value.baseline);
        let constant = selection >= self.selection.total && baseline >= self.baseline.total;
        !constant && selection.saturating_add(baseline) >= FEWEST
    }

    /// How many values that are not listed could have been, had chance put them there.
    pub(super) fn tests_that_might_have_been(&self) -> f64 {
        let hidden = |side: &Side<'_>| if side.bound > 0 { side.rest } else { 0 };
        let rest = hidden(&self.selection).saturating_add(hidden(&self.baseline));
        let least = if self.selection.bound > 0 { self.selection.bound.max(FEWEST) } else { FEWEST };
        super::chance::real(rest / least)
    }
}

impl<'a> Side<'a> {
    fn new(counts: &'a [(String, u64)], total: u64, complete: bool) -> Self {
        let mut listed: BTreeMap<&str, u64> = BTreeMap::new();
        for (name, count) in counts {
            let sum = listed.entry(name).or_default();
            // A list field can name a value twice in a record, but no value is in more records than there are.
            *sum = sum.saturating_add(*count).min(total);
        }
        let sum = listed.values().fold(0_u64, |sum, &count| sum.saturating_add(count));
        let rest = if sum > total && !complete { total } else { total.saturating_sub(sum) };
        if complete && rest > 0 {
            let none = listed.entry("").or_default();
            *none = none.saturating_add(rest);
        }
        let smallest = listed.values().copied().min().unwrap_or(total);
        let bound = if complete { 0 } else { smallest };
        Self { listed, total, rest, bound }
    }

    fn count(&self, name: &str) -> (u64, bool) {
        match self.listed.get(name) {
            Some(&count) => (count, true),
            None => (self.bound, self.bound == 0),
        }
    }
}
