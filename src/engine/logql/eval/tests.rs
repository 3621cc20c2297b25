#![expect(clippy::float_cmp)]

use proptest::prelude::*;

use super::{
    super::{Expr, parse},
    *,
};

const S: i64 = 1_000_000_000;

struct Stored {
    at_s: i64,
    stream: LabelSet,
    line: String,
}

fn set(pairs: &[(&str, &str)]) -> LabelSet {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// One line each ten seconds: of `x` and of `y` in turn, with a number that grows.
fn store() -> Vec<Stored> {
    let stored = |n: i64| Stored {
        at_s: n * 10,
        stream: set(&[("app", if n % 2 == 0 { "x" } else { "y" }), ("env", "prod")]),
        line: format!("v={n} id=i{n} took={}ms", n * 100),
    };
    (0..12).map(stored).collect()
}

fn metric(query: &str) -> Metric {
    match parse(query) {
        Ok(Expr::Metric(metric)) => metric,
        other => panic!("{query}: {other:?}"),
    }
}

fn feed(mut evaluator: Evaluator, metric: &Metric, store: &[Stored]) -> Result<Output, EvalError> {
    let none = LabelSet::new();
    for leaf in 0..leaves(metric).len() {
        for stored in store {
            let entry = Entry {
                ts_ns: stored.at_s * S,
                stream: &stored.stream,
                metadata: &none,
                line: &stored.line,
                weight: 1,
            };
            evaluator.push(leaf, &entry)?;
        }
    }
    evaluator.finish()
}

fn instant_of(query: &str, at_s: i64, limits: Limits) -> Result<Output, EvalError> {
    let metric = metric(query);
    feed(Evaluator::instant(&metric, at_s * S, limits)?, &metric, &store())
}

/// Samples as `{labels} value`.
fn instant(query: &str, at_s: i64) -> Vec<String> {
    match instant_of(query, at_s, Limits::default()) {
        Ok(Output::Vector(samples)) => {
            let show =
                |sample: &Sample| format!("{} {}", series::shown(&sample.labels), print_value(sample.value));
            samples.iter().map(show).collect()
        }
        other => panic!("{query}: {other:?}"),
    }
}

fn check(query: &str, samples: &[&str]) {
    assert_eq!(instant(query, 110), samples, "{query}");
}

fn fail(query: &str, message: &str) {
    match instant_of(query, 110, Limits::default()) {
        Err(error) => assert_eq!(error.to_string(), message, "{query}"),
        Ok(output) => panic!("{query}: {output:?}"),
    }
}

#[test]
fn counts_what_is_after_the_start_of_a_range_and_up_to_its_end() {
    check(r#"count_over_time({app="x"}[40s])"#, &[r#"{app="x", env="prod"} 2"#]);
    check(r#"count_over_time({app="y"}[40s])"#, &[r#"{app="y", env="prod"} 2"#]);
    check(r#"count_over_time({app="y"}[20s] offset 1m)"#, &[r#"{app="y", env="prod"} 1"#]);
    check(r#"sum(rate({env="prod"}[1m]))"#, &["{} 0.1"]);
    check(r#"sum by (app) (bytes_over_time({env="prod"} |= "v=1 " [2m]))"#, &[r#"{app="y"} 20"#]);
    check(r#"sum(bytes_rate({env="prod"} | line_format "abcd" [40s]))"#, &["{} 0.4"]);
    check(r#"count_over_time({app="z"}[1m])"#, &[]);
}

#[test]
fn functions_over_the_numbers_of_lines() {
    // The numbers of x in the range are 6, 8 and 10.
    let over = |function: &str| format!("{function}({{app=\"x\"}} | logfmt | keep app, v | unwrap v [1m])");
    for (function, value) in [
        ("sum_over_time", "24"),
        ("avg_over_time", "8"),
        ("min_over_time", "6"),
        ("max_over_time", "10"),
        ("first_over_time", "6"),
        ("last_over_time", "10"),
        ("stdvar_over_time", "2.6666666666666665"),
        ("stddev_over_time", "1.632993161855452"),
        ("rate", "0.4"),
    ] {
        check(&over(function), &[&format!(r#"{{app="x"}} {value}"#)]);
    }
    let quantile =
        |q: &str| format!("quantile_over_time({q}, {{app=\"x\"}} | logfmt | keep v | unwrap v [1m])");
    check(&quantile("0.75"), &["{} 9"]);
    check(&quantile("1"), &["{} 10"]);
    check(&quantile("2"), &["{} +Inf"]);
    // A counter that grows by 4 in 40 seconds; the range ends 10 s after it and starts 10 s before it.
    check(&over("rate_counter"), &[r#"{app="x"} 0.1"#]);
    check(r#"max_over_time({app="x"} | logfmt | unwrap duration(took) [1m]) by (app)"#, &[r#"{app="x"} 1"#]);
    check(r#"sum(sum_over_time({app="x"} | logfmt | unwrap v | v > 8 [1m]))"#, &["{} 10"]);
}

#[test]
fn an_absent_stream_is_one_with_the_labels_asked_for() {
    check(r#"absent_over_time({app="z", env=~"p.*"}[1m])"#, &[r#"{app="z"} 1"#]);
    check(r#"absent_over_time({app="x"}[1m])"#, &[]);
}

#[test]
fn aggregations_join_series() {
    let by_app = r#"sum by (app) (sum_over_time({env="prod"} | logfmt | unwrap v [1m]))"#;
    check(by_app, &[r#"{app="x"} 24"#, r#"{app="y"} 27"#]);
    for (op, value) in
        [("sum", "51"), ("avg", "25.5"), ("min", "24"), ("max", "27"), ("count", "2"), ("stddev", "1.5")]
    {
        check(&format!("{op}({by_app})"), &[&format!("{{}} {value}")]);
    }
    check(&format!("sum without (app) ({by_app})"), &["{} 51"]);
    check(&format!("topk(1, {by_app})"), &[r#"{app="y"} 27"#]);
    check(&format!("bottomk(1, {by_app})"), &[r#"{app="x"} 24"#]);
    check(&format!("topk by (app) (1, {by_app})"), &[r#"{app="y"} 27"#, r#"{app="x"} 24"#]);
    check(&format!("sort_desc({by_app})"), &[r#"{app="y"} 27"#, r#"{app="x"} 24"#]);
    check(&format!("sort({by_app})"), &[r#"{app="x"} 24"#, r#"{app="y"} 27"#]);
}

#[test]
fn operations_match_series_by_their_labels() {
    let by_app = r#"sum by (app) (count_over_time({env="prod"}[1m]))"#;
    let all = r#"sum(count_over_time({env="prod"}[1m]))"#;
    check("vector(1) + vector(1)", &["{} 2"]);
    check(&format!("{by_app} * 2 - {by_app}"), &[r#"{app="x"} 3"#, r#"{app="y"} 3"#]);
    check(&format!("100 * {by_app} / on () group_left () {all}"), &[r#"{app="x"} 50"#, r#"{app="y"} 50"#]);
    check(&format!("{all} / on () group_right () {by_app}"), &[r#"{app="x"} 2"#, r#"{app="y"} 2"#]);
    check(&format!("{by_app} > 2"), &[r#"{app="x"} 3"#, r#"{app="y"} 3"#]);
    check(&format!("2 > bool {by_app}"), &[r#"{app="x"} 0"#, r#"{app="y"} 0"#]);
    check(&format!("{by_app} > 3"), &[]);
    let x = r#"sum by (app) (count_over_time({app="x"}[1m]))"#;
    check(&format!("{by_app} and {x}"), &[r#"{app="x"} 3"#]);
    check(&format!("{by_app} unless {x}"), &[r#"{app="y"} 3"#]);
    check(&format!("{x} * 0 or {by_app}"), &[r#"{app="x"} 0"#, r#"{app="y"} 3"#]);
    check(&format!("{by_app} / 0"), &[r#"{app="x"} NaN"#, r#"{app="y"} NaN"#]);
    fail(
        &format!("{by_app} + on () {by_app}"),
        "found duplicate series for the match group {} on the right hand-side of the operation: many-to-many \
         matching not allowed: matching labels must be unique on one side",
    );
    fail(
        &format!("{by_app} + on () {all}"),
        "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
    );
}

#[test]
fn labels_are_replaced() {
    let by_app = r#"sum by (app) (count_over_time({env="prod"}[1m]))"#;
    let replaced = format!(r#"label_replace({by_app}, "to", "<$1>", "app", "(x)")"#);
    check(&replaced, &[r#"{app="x", to="<x>"} 3"#, r#"{app="y"} 3"#]);
    fail(
        &format!(r#"label_replace({by_app}, "app", "z", "app", ".")"#),
        "vector cannot contain metrics with the same labelset",
    );
}

#[test]
fn bytes_of_labels_are_bounded() {
    let refused =
        "maximum of bytes of labels (8388608) reached for a single query; join series, or drop labels";
    let long = r#"count_over_time({env="prod"} | label_format long="{{repeat 60000 `x`}}" [1m])"#;
    fail(&format!(r#"label_replace({long}, "to", "{}", "long", ".*")"#, "$0".repeat(10_000)), refused);
    let long = |n: usize| format!(r#"label_format l{n}="{{{{repeat 260000 `x`}}}}{{{{__timestamp__}}}}""#);
    let stages: Vec<_> = (0..20).map(long).collect();
    fail(&format!(r#"count_over_time({{env="prod"}} | {} [1m])"#, stages.join(" | ")), refused);
}

#[test]
fn literals_are_scalars() {
    let scalar = |query: &str| match instant_of(query, 1, Limits::default()) {
        Ok(Output::Scalar { value, .. }) => value,
        other => panic!("{query}: {other:?}"),
    };
    assert_eq!(scalar("1 + 2 * 3 ^ 2"), 19.0);
    assert_eq!(scalar("3 > 4"), 0.0);
    assert!(scalar("1 % 0").is_nan());
}

#[test]
fn a_range_of_times_gives_a_line_for_each_series() {
    let query = r#"sum by (app) (count_over_time({env="prod"}[20s]))"#;
    let times = Times { start_ns: 90 * S, end_ns: 135 * S, step_ns: 15 * S };
    let metric = metric(query);
    let output = feed(Evaluator::range(&metric, times, Limits::default()).unwrap(), &metric, &store());
    let line = |app: &str, points: &[(i64, f64)]| Line {
        labels: set(&[("app", app)]),
        points: points.iter().map(|(at_s, value)| (at_s * S, *value)).collect(),
    };
    // The last line of x is of 100 s, that of y of 110 s: after them there are no points.
    let wanted = vec![line("x", &[(90, 1.0), (105, 1.0)]), line("y", &[(90, 1.0), (105, 1.0), (120, 1.0)])];
    assert_eq!(output, Ok(Output::Matrix(wanted)));
    assert_eq!(needed(leaves(&metric)[0], times), (70 * S, 135 * S));
}

#[test]
fn a_line_with_an_error_fails_the_query_unless_it_is_filtered() {
    // Where nothing is read of a line, it may be whatever it is.
    check(r#"sum(count_over_time({app="x"} | json [1m]))"#, &["{} 3"]);
    check(
        r#"sum by (__error__) (count_over_time({app="x"} | json [1m]))"#,
        &["{__error__=\"JSONParserErr\"} 3"],
    );
    let query = r#"sum by (id) (count_over_time({app="x"} | json [1m]))"#;
    assert!(
        matches!(instant_of(query, 110, Limits::default()), Err(EvalError::Pipeline { error, .. }) if error == "JSONParserErr")
    );
    check(r#"sum(count_over_time({app="x"} | json | __error__="" [1m]))"#, &[]);
    check(r#"sum(count_over_time({app="x"} | json | drop __error__ [1m]))"#, &["{} 3"]);
    let unwrap = r#"sum(sum_over_time({app="x"} | logfmt | unwrap id [1m]))"#;
    assert!(
        matches!(instant_of(unwrap, 110, Limits::default()), Err(EvalError::Pipeline { error, .. }) if error == "SampleExtractionErr")
    );
}

#[test]
fn series_that_are_joined_above_do_not_count() {
    let limits = Limits { series: 2, leaf_series: 3, ..Limits::default() };
    let run = |query: &str| instant_of(query, 110, limits);
    // Each line has an id of its own.
    assert_eq!(run(r#"count_over_time({env="prod"} | logfmt [2m])"#), Err(EvalError::Series { limit: 3 }));
    assert!(run(r#"sum by (app) (count_over_time({env="prod"} | logfmt [2m]))"#).is_ok());
    assert!(run(r#"max(max_over_time({env="prod"} | logfmt | unwrap v [2m]))"#).is_ok());
    assert_eq!(
        run(r#"avg(count_over_time({env="prod"} | logfmt [2m]))"#),
        Err(EvalError::Series { limit: 3 })
    );
    assert_eq!(
        EvalError::Series { limit: 500 }.to_string(),
        "maximum of series (500) reached for a single query"
    );
}

#[test]
fn labels_that_are_not_read_change_nothing() {
    let counted = |stages: &str| {
        instant(&format!(r#"sum by (id, app_extracted) (count_over_time({{app="y"}} {stages} [20s]))"#), 110)
    };
    let wanted = [r#"{app_extracted="q", id="i11"} 1"#];
    assert_eq!(
        counted(r#"|= "v=11" | line_format "{{.app}} {{__line__}} app=q" | logfmt | took > 1s | v == 11"#),
        wanted
    );
    assert_eq!(counted(r#"|= "v=11" | logfmt | took > 1s | v == 11"#), [r#"{id="i11"} 1"#]);
    assert_eq!(counted(r#"| pattern "v=<app> <_>" | app_extracted=~"1." | drop app_extracted"#), ["{} 1"]);
}

#[test]
fn steps_samples_and_points_are_bounded() {
    let query = r#"last_over_time({env="prod"} | logfmt | keep v | unwrap v [2m])"#;
    let limits = Limits { samples: 4, points: 10, ..Limits::default() };
    assert_eq!(instant_of(query, 110, limits), Err(EvalError::Samples { limit: 4 }));
    assert!(instant_of(r#"sum(count_over_time({env="prod"}[2m]))"#, 110, limits).is_ok());
    let times = Times { start_ns: 0, end_ns: 11_000 * S, step_ns: S };
    let found = Evaluator::range(&metric("vector(1)"), times, limits).err();
    assert_eq!(found, Some(EvalError::Steps { limit: 11_000 }));
    let times = Times { end_ns: 100 * S, ..times };
    let found = Evaluator::range(&metric("vector(1)"), times, limits).unwrap().finish();
    assert_eq!(found, Err(EvalError::Points { limit: 10 }));
    let times = Times { start_ns: i64::MIN, end_ns: i64::MAX, step_ns: 1 };
    assert!(Evaluator::range(&metric("vector(1)"), times, limits).is_err());
}

#[test]
fn is_kept_while_others_wait() {
    fn sent<T: Send + 'static>(_: &T) {}
    sent(&Evaluator::instant(&metric("vector(1)"), 0, Limits::default()).unwrap());
}

#[test]
fn the_largest_are_chosen_at_each_step() {
    let query = r#"topk(1, sum by (app) (count_over_time({env="prod"}[10s])))"#;
    let times = Times { start_ns: 0, end_ns: 30 * S, step_ns: 10 * S };
    let metric = metric(query);
    let output = feed(Evaluator::range(&metric, times, Limits::default()).unwrap(), &metric, &store());
    let Ok(Output::Matrix(lines)) = output else { panic!("{output:?}") };
    let at = |line: &Line| line.points.iter().map(|(at_ns, _)| at_ns / S).collect::<Vec<_>>();
    assert_eq!(lines.iter().map(at).collect::<Vec<_>>(), [vec![0, 20], vec![10, 30]]);
}

#[test]
fn a_chain_of_operations_as_long_as_may_be_is_computed() {
    check(&format!("vector(1){}", " + 1".repeat(256)), &["{} 257"]);
    check(&format!("{}vector(1){}", "sum(".repeat(64), ")".repeat(64)), &["{} 1"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_query_panics(
        leaves in prop::collection::vec(prop::sample::select(vec![
            "1", "vector(2)", "rate({env=\"prod\"}[1m])", "absent_over_time({app=\"x\"}[5s])",
            "rate_counter({app=\"x\"} | logfmt | unwrap v [1m] offset -20s)",
            "quantile_over_time(0.5, {env=\"prod\"} | logfmt | unwrap took [1m]) by (app)",
            "stddev_over_time({env=\"prod\"} | logfmt | unwrap duration(took) [30s]) without (id)",
        ]), 2..4),
        around in prop::collection::vec(prop::sample::select(vec![
            ("sum by (app) (", ")"), ("topk(1, ", ")"), ("avg without (app) (", ")"), ("sort(", ")"), ("stddev(", ")"),
            ("label_replace(", ", \"app\", \"$0\", \"id\", \".*\")"),
        ]), 0..4),
        op in prop::sample::select(vec![
            "+", "/", "^", ">", "== bool", "and", "or", "unless on (app)", "* on (app) group_left (id)", "% ignoring (id)",
        ]),
        (start_s, end_s, step_s) in (-50_i64..200, -50_i64..200, 0_i64..50),
    ) {
        let mut query = leaves.join(&format!(" {op} "));
        for (before, after) in around {
            query = format!("{before}{query}{after}");
        }
        if let Ok(Expr::Metric(metric)) = parse(&query) {
            prop_assert_eq!(parse(&metric.to_string()), Ok(Expr::Metric(metric.clone())));
            let times = Times { start_ns: start_s * S, end_ns: end_s * S, step_ns: step_s * S };
            if let Ok(evaluator) = Evaluator::range(&metric, times, Limits::default()) {
                let _ = feed(evaluator, &metric, &store());
            }
            let _ = feed(Evaluator::instant(&metric, end_s * S, Limits::default()).unwrap(), &metric, &store());
        }
    }

    /// Joined cells and sums that are carried on give what counting anew at each step gives, in any order.
    #[test]
    fn a_window_holds_what_its_times_say(
        at in prop::collection::vec(-50_i64..150, 0..40),
        (range_s, step_s, offset_s) in (1_i64..40, 1_i64..40, -20_i64..20),
        function in prop::sample::select(vec!["count_over_time({a=\"b\"}", "sum_over_time({a=\"b\"} | logfmt | keep v | unwrap v",
            "max_over_time({a=\"b\"} | logfmt | keep v | unwrap v", "avg_over_time({a=\"b\"} | logfmt | keep v | unwrap v"]),
    ) {
        let store: Vec<Stored> = at
            .iter()
            .map(|at_s| Stored { at_s: *at_s, stream: set(&[("a", "b")]), line: format!("v={at_s}") })
            .collect();
        let metric = metric(&format!("{function} [{range_s}s] offset {offset_s}s)"));
        let times = Times { start_ns: 0, end_ns: 100 * S, step_ns: step_s * S };
        let output = feed(Evaluator::range(&metric, times, Limits::default()).unwrap(), &metric, &store);
        let Ok(Output::Matrix(lines)) = output else { panic!("{output:?}") };
        let mut wanted = Vec::new();
        for step in 0..=100 / step_s {
            let end = step * step_s - offset_s;
            #[expect(clippy::cast_precision_loss)]
            let within: Vec<f64> =
                at.iter().filter(|at_s| **at_s > end - range_s && **at_s <= end).map(|at_s| *at_s as f64).collect();
            if within.is_empty() {
                continue;
            }
            #[expect(clippy::cast_precision_loss)]
            let count = within.len() as f64;
            let value = match &function[..3] {
                "cou" => count,
                "sum" => within.iter().sum(),
                "max" => within.iter().copied().fold(f64::MIN, f64::max),
                _ => within.iter().sum::<f64>() / count,
            };
            wanted.push((step * step_s * S, value));
        }
        let found = lines.first().map(|line| line.points.clone()).unwrap_or_default();
        prop_assert_eq!(found, wanted);
    }
}
