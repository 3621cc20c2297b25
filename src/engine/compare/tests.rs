use proptest::prelude::*;

use super::*;

fn counts(field: &str, selection: &[(&str, u64)], baseline: &[(&str, u64)]) -> FieldCounts {
    let own = |list: &[(&str, u64)]| list.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    FieldCounts {
        field: field.to_owned(),
        selection: own(selection),
        baseline: own(baseline),
        selection_complete: true,
        baseline_complete: true,
    }
}

/// Differences as `field=value` with `+` or `-` before them.
fn names(found: &[Difference]) -> Vec<String> {
    let sign = |over| if over { '+' } else { '-' };
    found.iter().map(|one| format!("{}{}={}", sign(one.over), one.field, one.value)).collect()
}

fn check(selection: u64, baseline: u64, fields: &[FieldCounts], wanted: &[&str]) {
    let found = compare(selection, baseline, fields, 100);
    assert_eq!(names(&found), wanted, "{fields:?}");
}

#[test]
fn what_differs_is_named() {
    let none = [];
    // Nothing to compare.
    check(0, 0, &[], &none);
    check(0, 100, &[counts("a", &[], &[("x", 100)])], &none);
    check(100, 0, &[counts("a", &[("x", 100)], &[])], &none);
    check(100, 100, &[counts("a", &[], &[])], &none);
    // Constant in both, or the same shares.
    check(100, 1000, &[counts("a", &[("x", 100)], &[("x", 1000)])], &none);
    check(100, 1000, &[counts("a", &[("x", 50), ("y", 50)], &[("x", 500), ("y", 500)])], &none);
    // A clear difference, and its other side.
    check(
        100,
        1000,
        &[counts("host", &[("a", 90), ("b", 10)], &[("a", 100), ("b", 900)])],
        &["+host=a", "-host=b"],
    );
    // A value that only one side has.
    check(100, 1000, &[counts("version", &[("2", 100)], &[("1", 1000)])], &["+version=2", "-version=1"]);
    check(100, 1000, &[counts("code", &[("x", 40), ("y", 60)], &[("x", 1000)])], &["+code=y", "-code=x"]);
    // Records without a value are a value.
    check(100, 1000, &[counts("user", &[("x", 5)], &[("x", 50), ("y", 850)])], &["+user=", "-user=y"]);
    check(100, 1000, &[counts("user", &[], &[("x", 1000)])], &["+user=", "-user=x"]);
    // Too few to say anything.
    check(2, 1000, &[counts("a", &[("x", 2)], &[("y", 1000)])], &none);
    check(3, 4, &[counts("a", &[("x", 3)], &[("y", 4)])], &none);
    // Certain, but too little to interest anybody.
    let much = 1_000_000_000_000;
    check(
        much,
        much,
        &[counts(
            "a",
            &[("x", much / 2), ("y", much / 2)],
            &[("x", much / 2 + 1_000_000_000), ("y", much / 2 - 1_000_000_000)],
        )],
        &none,
    );
    check(
        much,
        much,
        &[counts("a", &[("x", much / 4), ("y", much / 4 * 3)], &[("x", much / 8), ("y", much / 8 * 7)])],
        &["+a=x", "-a=y"],
    );
}

#[test]
fn ids_are_left_out_and_a_frequent_one_among_them_is_not() {
    let many = |prefix: &str, n: u32| -> Vec<(String, u64)> {
        (0..n).map(|at| (format!("{prefix}{at}"), 1)).collect()
    };
    let mut ids = FieldCounts {
        field: "request".to_owned(),
        selection: many("s", 100),
        baseline: many("b", 1000),
        selection_complete: true,
        baseline_complete: true,
    };
    check(100, 1000, std::slice::from_ref(&ids), &[]);
    ids.selection = many("s", 50);
    ids.selection.push(("x".to_owned(), 50));
    check(100, 1000, &[ids], &["+request=x"]);
}

/// A value in nine of ten records with a lift of 20 says more than one in three records with a lift of 1,000.
#[test]
fn what_explains_more_comes_first() {
    let field = |name: &str, selection: u64, baseline: u64| {
        counts(
            name,
            &[("x", selection), ("", 1000 - selection)],
            &[("x", baseline), ("", 100_000 - baseline)],
        )
    };
    let fields = [field("rare", 30, 3), field("most", 900, 4500), field("half", 500, 2500)];
    let found = compare(1000, 100_000, &fields, 3);
    assert_eq!(names(&found), ["+most=x", "+half=x", "+rare=x"]);
    assert!(found[2].lift > 900.0 && (found[0].lift - 20.0).abs() < 1e-9);
    // Those with a smaller share come behind all others, and are cut first.
    let all = compare(1000, 100_000, &fields, 100);
    assert!(names(&all).starts_with(&["+most=x".into(), "+half=x".into(), "+rare=x".into()]));
    assert!(all[3..].iter().all(|one| !one.over) && all.len() > 3);
    assert_eq!(compare(1000, 100_000, &fields, 0), []);
}

#[test]
fn the_numbers_of_a_difference_are_those_of_the_counts() {
    let found = compare(100, 1000, &[counts("host", &[("a", 90), ("b", 10)], &[("a", 100), ("b", 900)])], 1);
    let one = &found[0];
    assert_eq!((one.selection, one.baseline, one.selection_exact), (90, Some(100), true));
    assert!((one.selection_share - 0.9).abs() < 1e-12 && (one.baseline_share - 0.1).abs() < 1e-12);
    assert!((one.lift - 9.0).abs() < 1e-9);
    // Two values were tested, so the corrected p-value is twice the other.
    assert!((one.significance + (one.p_value * 2.0).log10()).abs() < 1e-6);
    assert!(one.p_value < 1e-50);
}

#[test]
fn a_value_that_is_not_listed_is_bounded_by_the_least_listed_one() {
    let mut field = counts("user", &[("x", 60), ("y", 40)], &[("y", 300), ("z", 20)]);
    field.baseline_complete = false;
    let found = compare(100, 1000, &[field.clone()], 10);
    assert_eq!(found[0].value, "x");
    assert_eq!(found[0].baseline, None);
    assert!((found[0].baseline_share - 0.02).abs() < 1e-12);
    // What may be as frequent there is not named.
    field.baseline = vec![("y".to_owned(), 900), ("z".to_owned(), 700)];
    assert!(compare(100, 1000, &[field], 10).iter().all(|one| one.value != "x"));
    // Of the other side: at most 40 of 1,000 have it, far fewer than 80 of 100.
    let mut field = counts("user", &[("x", 500), ("y", 40)], &[("w", 8000), ("x", 2000)]);
    field.selection_complete = false;
    let found = compare(1000, 10_000, &[field], 10);
    let under = found.iter().find(|one| one.value == "w").unwrap();
    assert!(!under.over && !under.selection_exact && under.selection == 40);
}

#[test]
fn values_of_lists_may_add_up_to_more_than_all() {
    let mut field =
        counts("tags", &[("a", 100), ("b", 90), ("a", 100)], &[("a", 1000), ("b", 100), ("c", 900)]);
    check(100, 1000, std::slice::from_ref(&field), &["+tags=b", "-tags=c"]);
    field.selection[0].1 = u64::MAX;
    field.baseline[2].1 = u64::MAX;
    check(100, 1000, &[field], &["+tags=b", "-tags=c"]);
}

/// The generator of Knuth's MMIX; its upper bits.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Counts of `records` draws: of `values` values, the first ones more frequent.
    fn draw(&mut self, records: u64, values: u64, skewed: bool) -> Vec<(String, u64)> {
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..records {
            let value = if skewed {
                let most = self.below(values) + 1;
                self.below(most)
            } else {
                self.below(values)
            };
            *counts.entry(value).or_insert(0) += 1;
        }
        let mut counts: Vec<(String, u64)> =
            counts.into_iter().map(|(value, n)| (format!("v{value}"), n)).collect();
        counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        counts
    }
}

/// How many of 300 comparisons of two sets drawn alike name anything.
fn false_alarms(selection: u64, baseline: u64, listed: usize, seed: u64) -> usize {
    let mut dice = Dice(seed);
    (0..300)
        .filter(|_| {
            let fields: Vec<FieldCounts> = [(2, false), (8, true), (40, true), (300, true), (2000, false)]
                .into_iter()
                .map(|(values, skewed)| {
                    let (mut one, mut other) =
                        (dice.draw(selection, values, skewed), dice.draw(baseline, values, skewed));
                    let complete = (one.len() <= listed, other.len() <= listed);
                    one.truncate(listed);
                    other.truncate(listed);
                    FieldCounts {
                        field: format!("f{values}"),
                        selection: one,
                        baseline: other,
                        selection_complete: complete.0,
                        baseline_complete: complete.1,
                    }
                })
                .collect();
            !compare(selection, baseline, &fields, 10).is_empty()
        })
        .count()
}

#[test]
fn under_no_difference_at_most_one_comparison_in_twenty_names_anything() {
    for (selection, baseline, listed) in [
        (30, 300, 5000),
        (200, 200, 5000),
        (200, 2000, 5000),
        (2000, 2000, 5000),
        (200, 2000, 20),
        (1000, 200, 10),
        (50, 3000, 50),
    ] {
        let alarms = false_alarms(selection, baseline, listed, selection ^ baseline);
        assert!(alarms <= 15, "{selection} {baseline} {listed}: {alarms} of 300");
    }
}

/// The other error: what differs is found. One host has 30% of the selection and 5% of the baseline.
#[test]
fn a_real_difference_among_noise_is_found_and_comes_first() {
    let mut dice = Dice(7);
    for _ in 0..50 {
        let mut host = FieldCounts {
            field: "host".to_owned(),
            selection: dice.draw(140, 20, false),
            baseline: dice.draw(1900, 20, false),
            selection_complete: true,
            baseline_complete: true,
        };
        host.selection.push(("bad".to_owned(), 60));
        host.baseline.push(("bad".to_owned(), 100));
        let noise = FieldCounts {
            field: "noise".to_owned(),
            selection: dice.draw(200, 50, true),
            baseline: dice.draw(2000, 50, true),
            selection_complete: true,
            baseline_complete: true,
        };
        assert_eq!(names(&compare(200, 2000, &[noise, host], 1)), ["+host=bad"]);
    }
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0..20_u64, 0..5000_u64, 0..2_000_000_000_000_u64, any::<u64>()]
}

fn list() -> impl Strategy<Value = Vec<(String, u64)>> {
    prop::collection::vec(("[a-e]{0,2}", count()), 0..8)
}

proptest! {
    #[test]
    fn any_counts_give_finite_ordered_differences(
        selection in count(), baseline in count(), lists in prop::collection::vec((list(), list(), any::<bool>(), any::<bool>()), 0..4),
    ) {
        let fields: Vec<FieldCounts> = lists
            .into_iter()
            .map(|(one, other, selection_complete, baseline_complete)| FieldCounts {
                field: "f".to_owned(), selection: one, baseline: other, selection_complete, baseline_complete,
            })
            .collect();
        let found = compare(selection, baseline, &fields, 5);
        prop_assert!(found.len() <= 5);
        for one in &found {
            prop_assert!((0.0..=1.0).contains(&one.selection_share) && (0.0..=1.0).contains(&one.baseline_share));
            prop_assert!(one.lift.is_finite() && one.lift >= 0.0);
            prop_assert!((0.0..=1.0).contains(&one.p_value));
            prop_assert!(one.significance.is_finite() && one.significance > 1.3);
            prop_assert_eq!(one.over, one.selection_share > one.baseline_share);
            let known = if one.over { one.selection_exact } else { one.baseline.is_some() };
            prop_assert!(known);
        }
        prop_assert!(found.is_sorted_by_key(|one| !one.over));
        // The order of what comes in does not matter.
        let turned: Vec<FieldCounts> = fields.iter().rev().cloned().map(|mut field| {
            field.selection.reverse();
            field.baseline.reverse();
            field
        }).collect();
        prop_assert_eq!(found.len(), compare(selection, baseline, &turned, 5).len());
    }

    #[test]
    fn the_more_it_differs_the_more_significant(a in 0..200_u64, b in 0..200_u64) {
        let p = |a: u64| ln_two_sided(&Table::new(a, 200, b, 200));
        if a > b {
            prop_assert!(p(a + 1) <= p(a) + 1e-9);
        }
        // Both sides are treated alike.
        prop_assert!((p(a) - ln_two_sided(&Table::new(b, 200, a, 200))).abs() < 1e-9);
    }
}
