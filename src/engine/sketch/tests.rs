use super::*;
use proptest::prelude::*;

fn of(values: &[(f64, u64)]) -> Sketch {
    let mut sketch = Sketch::default();
    for &(value, weight) in values {
        assert!(sketch.add(value, weight));
    }
    sketch
}

fn exact(values: &[(f64, u64)], q: f64) -> f64 {
    let mut all: Vec<f64> =
        values.iter().flat_map(|&(v, w)| std::iter::repeat_n(v, usize::try_from(w).unwrap())).collect();
    all.sort_by(f64::total_cmp);
    all[usize::try_from(floor(q * f64::from(u32::try_from(all.len() - 1).unwrap()))).unwrap()]
}

fn values() -> impl Strategy<Value = Vec<(f64, u64)>> {
    let value =
        prop_oneof![Just(0.0), 1.0..100_000.0_f64, (0_u32..60_000).prop_map(f64::from), 0.001..1.0_f64];
    proptest::collection::vec((value, 1_u64..5), 1..200)
}

proptest! {
    #[test]
    fn quantiles_are_within_one_percent(values in values(), q in 0.0..=1.0_f64) {
        let (found, truth) = (of(&values).quantile(q).unwrap(), exact(&values, q));
        prop_assert!((found - truth).abs() <= truth * 0.010_000_1, "{found} for {truth}");
    }

    #[test]
    fn merging_in_any_order_is_one_sketch_of_all(a in values(), b in values(), c in values()) {
        let all = of(&[a.clone(), b.clone(), c.clone()].concat());
        let (a, b, c) = (of(&a), of(&b), of(&c));
        let join = |x: &Sketch, y: &Sketch| { let mut x = x.clone(); x.merge(y); x };
        prop_assert_eq!(&join(&join(&a, &b), &c), &all);
        prop_assert_eq!(&join(&a, &join(&b, &c)), &all);
        prop_assert_eq!(&join(&c, &join(&b, &a)), &all);
        prop_assert_eq!(&join(&all, &Sketch::default()), &all);
    }

    #[test]
    fn values_of_any_size_merge_in_any_order(
        a in proptest::collection::vec((0.0..f64::MAX, 0..=u64::MAX), 0..20),
        b in proptest::collection::vec((1e-12..1e6_f64, 0..=u64::MAX), 0..20),
    ) {
        let all = of(&[a.clone(), b.clone()].concat());
        let (mut x, mut y) = (of(&a), of(&b));
        let first = x.clone();
        x.merge(&y);
        y.merge(&first);
        prop_assert_eq!(&x, &all);
        prop_assert_eq!(&y, &all);
        prop_assert!(all.buckets.len() <= 1024);
        prop_assert!(all.sum().is_finite());
    }

    #[test]
    fn text_keeps_everything(values in values()) {
        let sketch = of(&values);
        prop_assert_eq!(Sketch::decode(&sketch.encode()), Some(sketch.clone()));
        let json = serde_json::to_string(&sketch).unwrap();
        prop_assert_eq!(serde_json::from_str::<Sketch>(&json).unwrap(), sketch);
    }

    #[test]
    fn a_coarse_sketch_is_within_five_percent_and_keeps_the_exact_numbers(values in values(), q in 0.0..=1.0_f64) {
        let fine = of(&values);
        let coarse = fine.coarse();
        let (found, truth) = (coarse.quantile(q).unwrap(), exact(&values, q));
        prop_assert!((found - truth).abs() <= truth * 0.052, "{found} for {truth}");
        prop_assert_eq!((coarse.count(), coarse.min(), coarse.max()), (fine.count(), fine.min(), fine.max()));
        prop_assert_eq!((coarse.sum_units, coarse.zeros), (fine.sum_units, fine.zeros));
        prop_assert_eq!(coarse.coarse(), coarse.clone());
        prop_assert_eq!(Sketch::decode(&coarse.encode()), Some(coarse));
    }

    #[test]
    fn coarse_sketches_add_up_with_any_other(a in values(), b in values()) {
        let join = |x: &Sketch, y: &Sketch| { let mut x = x.clone(); x.merge(y); x };
        let all = of(&[a.clone(), b.clone()].concat()).coarse();
        let (a, b) = (of(&a), of(&b));
        prop_assert_eq!(&join(&a.coarse(), &b.coarse()), &all);
        let mixed = join(&a.coarse(), &b);
        prop_assert_eq!(&join(&b, &a.coarse()), &mixed);
        prop_assert_eq!(&mixed.coarse(), &all);
        prop_assert_eq!(Sketch::decode(&mixed.encode()), Some(mixed));
    }

    #[test]
    fn coarse_sketches_of_values_of_any_size_are_sound(
        values in proptest::collection::vec((0.0..f64::MAX, 0..1_000_u64), 0..20),
        small in proptest::collection::vec((1e-12..1e6_f64, 0..1_000_u64), 0..20),
    ) {
        let coarse = of(&[values, small].concat()).coarse();
        prop_assert_eq!(coarse.coarse(), coarse.clone());
        prop_assert_eq!(Sketch::decode(&coarse.encode()), Some(coarse));
    }

    #[test]
    fn any_text_decodes_to_a_sound_sketch_or_to_none(text in "1?[A-Za-z0-9_ -]{0,60}", other in ".{0,20}") {
        for text in [text, other] {
            if let Some(sketch) = Sketch::decode(&text) {
                prop_assert_eq!(sketch.encode(), text);
                prop_assert!(sketch.quantile(0.5).is_none_or(f64::is_finite));
            }
        }
    }

    #[test]
    fn a_damaged_text_never_panics(values in values(), at in 0_usize..300, letter in "[A-Za-z0-9_-]") {
        let mut text = of(&values).encode();
        let at = at % text.len();
        text.replace_range(at..=at, &letter);
        if let Some(sketch) = Sketch::decode(&text) {
            prop_assert!(sketch.min() <= sketch.max());
            prop_assert!(sketch.mean().is_some_and(f64::is_finite));
        }
    }
}

#[test]
fn count_sum_min_and_max_are_exact() {
    let sketch = of(&[(3.0, 2), (0.0, 1), (1000.5, 4)]);
    assert_eq!(sketch.count(), 7);
    assert!((sketch.sum() - 4008.0).abs() < 1e-9);
    assert_eq!((sketch.min(), sketch.max()), (Some(0.0), Some(1000.5)));
    assert_eq!(sketch.count_above(3.0), 4);
    assert_eq!(sketch.count_above(0.0), 6);
    assert_eq!(sketch.count_above(2000.0), 0);
}

#[test]
fn what_is_no_measure_is_refused() {
    let mut sketch = Sketch::default();
    for value in [f64::NAN, f64::INFINITY, -1.0, f64::NEG_INFINITY] {
        assert!(!sketch.add(value, 1));
    }
    assert!(sketch.add(5.0, 0));
    assert!(sketch.is_empty());
    assert_eq!((sketch.quantile(0.5), sketch.mean(), sketch.count()), (None, None, 0));
}

#[test]
fn garbage_is_none() {
    for text in [
        "",
        "0",
        "2A",
        "1A",
        "1!",
        "1AAAA",
        "1AAAAA",
        "1__________________________________________",
        "é",
        "1é",
    ] {
        assert_eq!(Sketch::decode(text), None, "{text}");
    }
    assert_eq!(Sketch::decode("1"), Some(Sketch::default()));
    assert!(serde_json::from_str::<Sketch>("[1]").is_err());
}

#[test]
fn a_sketch_stays_small() {
    // A minute of a service with 30 latencies, and an hour of a busy one that spans 1 ms to 20 s.
    let minute: Vec<(f64, u64)> = (0..30).map(|i| (f64::from(7 + i * i % 61), 1)).collect();
    assert!(of(&minute).encode().len() < 90, "{}", of(&minute).encode());
    let hour: Vec<(f64, u64)> = (0..20_000).map(|i| (f64::from(i + 1), 50)).collect();
    assert!(of(&hour).encode().len() < 2000, "{}", of(&hour).encode().len());
    let coarse = of(&hour).coarse().encode();
    assert!(coarse.len() < 450, "{}", coarse.len());
    assert_eq!(Sketch::default().coarse(), Sketch::default());
}

#[test]
fn far_outliers_collapse_the_lowest_values_only() {
    let mut sketch = of(&[(1.0, 100), (1000.0, 100)]);
    assert!(sketch.add(1e14, 1));
    assert_eq!((sketch.count(), sketch.min()), (201, Some(1.0)));
    assert!((sketch.quantile(1.0).unwrap() - 1e14).abs() < 1.0);
    assert!(sketch.buckets.len() <= 1024);
    assert_eq!(Sketch::decode(&sketch.encode()), Some(sketch));
}
