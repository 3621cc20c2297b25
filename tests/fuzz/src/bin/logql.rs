//! Changed queries of `LogQL`: an error at a place in the text, or an expression that is printed as what is parsed as the
//! same; over a few lines it gives at each step of a range what it gives at that time alone, whatever its leaves leave out.

use std::collections::BTreeMap;

use timberline::engine::logql::{
    Expr, LogExpr, Metric, ParseError,
    ast::{Aggregation, Binary, BinaryOp, LabelReplace, VectorOp},
    eval::{EvalError, Evaluator, LabelSet, Limits, Output, Times, leaves, needed},
    parse,
    parse::{MAX_OPERATIONS, MAX_TEXT},
    parse_selector,
    pipeline::{Entry, Pipeline, Selector},
};
use timberline_fuzz::run;

const SEEDS: &[&str] = &[
    r#"{app="shop"}"#,
    r#"{app=~"s.*|web", env!="dev", level!~"debug|trace"} # which"#,
    r#"({app="shop"} |= "failed" != "healthz" |~ `(?i)time.?out` !~ "[0-9]{5,}")"#,
    r#"{app="shop"} |= "x" or ip("10.0.0.0/8") or "y" |> "<_> GET <_>" !> "debug <_>""#,
    r#"{app="shop"} | json | status>=500 or (took>1.5s and size<10KB) | line_format "{{.method}} {{.path | lower}}""#,
    r#"{app="shop"} | json method="request.method", first="items[0].id", odd="[\"a b\"]" | method="GET""#,
    r#"{app="web"} | logfmt --strict --keep-empty | logfmt msg, lvl="level" | lvl=~"warn|error", addr=ip("192.168.0.0/16")"#,
    r#"{app="web"} | regexp "(?P<method>\\w+) (?P<path>/\\S*)" | pattern `<_> <path2> <_>` | __error__="" | drop path, method="GET""#,
    r#"{app="web"} | unpack | decolorize | keep app, status=~"5.." | label_format a=b, c="{{.app}}-{{__timestamp__ | date \"2006-01-02T15:04:05.000Z07:00\"}}""#,
    r#"{app="web"} | line_format `{{if eq .level "error"}}{{ToUpper .msg}}{{else if .msg}}{{- trunc 5 .msg -}}{{else}}{{/* no */}}-{{end}} {{printf "%-8s|%06.2f|%q|%x" .app 1.5 .msg 255}}`"#,
    r#"{app="web"} | line_format "{{regexReplaceAll `(a+)` __line__ `<$1>`}} {{add 1 2 (mul 3 .n)}} {{div 7 .n}} {{round 2.345 2}} {{substr 1 3 .msg}} {{replace \"a\" \"b\" .msg | Trim \"x\"}}""#,
    r#"{app="web"} | line_format "{{alignLeft 10 .msg}}{{alignRight 3 .msg}}{{indent 2 .msg}}{{repeat 3 .n}}{{urlencode .msg | urldecode}}{{b64enc .msg | b64dec}}{{default \"d\" .no}}{{count \"a\" .msg}}{{unixEpochMillis __timestamp__}}{{bytes \"2KiB\"}}{{duration \"1m\"}}""#,
    r#"count_over_time({app="shop"}[5m])"#,
    r#"rate(({app=~".+"} |= "e")[1m] offset 30s)"#,
    r#"sum by (app, level) (rate({app=~".+"} | json | logfmt [2m]))"#,
    r#"sum without (level) (count_over_time({app=~".+"} | logfmt | drop __error__ [2m]))"#,
    r#"avg_over_time({app="shop"} | json | unwrap n | __error__="" [3m]) by (method)"#,
    r#"quantile_over_time(0.95, {app=~".+"} | json | unwrap duration(took) | __error__="" [5m]) without (path)"#,
    r#"max(sum_over_time({app=~".+"} | json | unwrap bytes(size) | __error__!~".+" [90s])) by (app)"#,
    r#"topk(2, sum by (level) (bytes_rate({app=~".+"}[1h] offset -1m)))"#,
    r#"sort_desc(bottomk without (app) (1, bytes_over_time({app=~".+"}[10m])))"#,
    r#"absent_over_time({app="none", env="x"}[5m]) or vector(3)"#,
    r#"rate_counter({app="shop"} | json | unwrap n | __error__="" [5m]) > bool 0.5"#,
    r#"stddev_over_time({app="shop"} | json | unwrap n | __error__="" [5m]) + stdvar_over_time({app="shop"} | json | unwrap n | __error__="" [5m])"#,
    r#"first_over_time({app="shop"} | json | unwrap n | __error__="" [5m]) - last_over_time({app="shop"} | json | unwrap n | __error__="" [5m])"#,
    r#"sum by (app) (count_over_time({app=~".+"}[5m])) / on (app) group_left (level) min by (app, level) (count_over_time({app=~".+"} | logfmt [5m]))"#,
    r#"count_over_time({app="web"}[5m]) and ignoring (app) count_over_time({app="shop"}[5m]) unless on () vector(1)"#,
    r#"label_replace(count_over_time({app=~".+"}[5m]), "service", "$1-$2", "app", "(.)(.*)") == 2"#,
    "1+2*3^2^2-4%3/5 - -3",
    "vector(1) > bool 2 == 3 or vector(2e3) and vector(.5) unless vector(0x1)",
    r#"(((sum(stddev(count(avg(stdvar(sort(rate({app=~".+"}[1d2h3m4s5ms6us7ns]))))))))) != 0.1)"#,
];

fn main() {
    let mut seeds: Vec<Vec<u8>> = SEEDS.iter().map(|seed| seed.as_bytes().to_vec()).collect();
    // As long as it may be, about.
    seeds.push(["1"; MAX_OPERATIONS / 4].join(" + ").into_bytes());
    let words: &[&[u8]] = &[
        b"{",
        b"}",
        b"(",
        b")",
        b"((((((((((((((((",
        b"[5m]",
        b"[1s]",
        b"\"",
        b"`",
        b"\\",
        b"\"\"",
        b"\"x\"",
        b"|",
        b" |= ",
        b" |~ ",
        b" |> ",
        b" != ",
        b" !~ ",
        b" !> ",
        b"=",
        b"=~",
        b"==",
        b">=",
        b"<=",
        b"<",
        b">",
        b",",
        b"+",
        b"-",
        b"*",
        b"/",
        b"%",
        b"^",
        b"#",
        b"\n",
        b" and ",
        b" or ",
        b" unless ",
        b" by (app) ",
        b" without (level) ",
        b" on (app) ",
        b" ignoring (level) ",
        b" group_left ",
        b" group_right (app) ",
        b" bool ",
        b" offset 1m ",
        b" offset -1h",
        b" | json ",
        b" | logfmt ",
        b" --strict ",
        b" --keep-empty ",
        b" | regexp \"(?P<a>.)\" ",
        b" | pattern \"<a> <_>\" ",
        b" | unpack ",
        b" | decolorize ",
        b" | line_format \"{{.app}}\" ",
        b" | label_format app=\"{{__line__}}\" ",
        b" | label_format level=app ",
        b" | keep app ",
        b" | drop level ",
        b" | unwrap n ",
        b" | unwrap duration_seconds(took) ",
        b" | __error__=\"\" ",
        b" | n>1 ",
        b"ip(\"10.0.0.1-10.0.0.9\")",
        b"vector(1)",
        b"label_replace(",
        b"approx_topk(",
        b"rate(",
        b"count_over_time(",
        b"bytes_over_time(",
        b"sum_over_time(",
        b"min_over_time(",
        b"max_over_time(",
        b"absent_over_time(",
        b"quantile_over_time(0.5, ",
        b"sum(",
        b"min(",
        b"max(",
        b"avg(",
        b"count(",
        b"topk(1, ",
        b"sort(",
        b"{{",
        b"}}",
        b"{{- ",
        b" -}}",
        b"{{if ",
        b"{{else}}",
        b"{{end}}",
        b"{{/*",
        b"*/}}",
        b" | ",
        b".n ",
        b"__line__ ",
        b"__timestamp__ ",
        b"%d",
        b"%09.3f",
        b"%+v",
        b"$1",
        b"1e300",
        b"0.1",
        b"1h30m",
        b"10MiB",
        b"292y",
        b"(?i)",
        b"[^]",
        b".*",
        b"\\\\d{2,}",
        b"\\u00e9",
        b"\\x41",
        b"\xc2\xb5s",
        "İ".as_bytes(),
    ];
    let lines = Lines::new();
    run("logql", &seeds, words, |input| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        check_matchers(text, &lines);
        let expr = match parse(text) {
            Ok(expr) => expr,
            Err(error) => return check_position(text, &error),
        };
        check_printed(text, &expr);
        match &expr {
            Expr::Log(log) => check_log(log, &lines),
            Expr::Metric(metric) => check_metric(text, metric, &lines),
        }
    });
}

/// Lines of each kind that parsers know, a minute's worth of them twice, with their streams.
struct Lines {
    streams: Vec<LabelSet>,
    metadata: LabelSet,
    lines: Vec<(i64, usize, &'static str)>,
}

const SECOND_NS: i64 = 1_000_000_000;
const START_NS: i64 = 1_763_682_400 * SECOND_NS;

/// Numbers that are summed up without an error, in whatever order.
const TEXTS: [(usize, &str); 12] = [
    (
        0,
        r#"{"level":"error","method":"GET","path":"/pay","status":502,"n":1.5,"took":"1.5s","size":"2KiB","items":[{"id":"a"}]}"#,
    ),
    (
        0,
        r#"{"level":"info","method":"POST","n":"4","took":"250ms","size":1024,"app":"other","request":{"method":"PUT","a b":null}}"#,
    ),
    (0, r#"{"_entry":"packed line","level":"warn","n":"NaN"}"#),
    (0, "it failed after 10.0.0.7 timeout 12345"),
    (1, "level=warn msg=\"slow \\\"query\\\"\" n=2 took=8ms addr=192.168.1.9 empty= =x"),
    (1, "level=error msg=aaa n=0.25 took=1m size=3MB"),
    (1, "GET /a/b?c=d 200"),
    (1, "\u{1b}[31mred\u{1b}[0m POST /x 500"),
    (2, ""),
    (2, "größe 日本語 n=1 {{.app}}"),
    (2, "level=info n=-8"),
    (0, r#"{"n":16,"level":"error","#),
];

impl Lines {
    fn new() -> Self {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let streams = vec![
            map(&[("app", "shop"), ("env", "prod")]),
            map(&[("app", "web"), ("env", "prod"), ("level", "info")]),
            map(&[("app", "web"), ("env", "dev")]),
        ];
        let lines = (0..24).zip(TEXTS.iter().chain(&TEXTS));
        let lines = lines.map(|(nth, (stream, line))| (START_NS + nth * 5 * SECOND_NS, *stream, *line));
        Self { streams, metadata: map(&[("trace_id", "4bf9"), ("env", "meta")]), lines: lines.collect() }
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let none = const { &BTreeMap::new() };
        self.lines.iter().zip(1..).filter_map(move |((ts_ns, stream, line), nth)| {
            let metadata = if nth % 3 == 1 { &self.metadata } else { none };
            let (stream, weight) = (self.streams.get(*stream)?, if nth % 5 == 0 { nth } else { 1 });
            Some(Entry { ts_ns: *ts_ns, stream, metadata, line, weight })
        })
    }
}

fn check_position(text: &str, error: &ParseError) {
    let Some(at) = error.at else { return };
    let line = text.split('\n').nth(at.line as usize - 1);
    let is_within = line.is_some_and(|line| (1..=line.chars().count() + 1).contains(&(at.column as usize)));
    assert!(is_within, "{text:?} has no such place: {error}");
}

fn check_matchers(text: &str, lines: &Lines) {
    match parse_selector(text) {
        Ok(matchers) => {
            let printed: Vec<String> = matchers.iter().map(ToString::to_string).collect();
            let printed = format!("{{{}}}", printed.join(", "));
            assert!(parse_selector(&printed).as_ref() == Ok(&matchers), "{text:?} is printed as {printed:?}");
            let selector = Selector::new(&matchers).unwrap_or_else(|why| panic!("{text:?}: {why}"));
            let _ = lines.streams.iter().filter(|stream| selector.matches(stream)).count();
        }
        Err(error) => check_position(text, &error),
    }
}

/// What is printed has more parentheses and escapes than a text needs, and so may be one that is too long.
fn check_printed(text: &str, expr: &Expr) {
    let printed = expr.to_string();
    match parse(&printed) {
        Err(error) if printed.len() > MAX_TEXT || error.message.starts_with("more than") => {}
        again => assert!(
            again.as_ref() == Ok(expr),
            "{text:?} is printed as {printed:?}, which is {again:?}, not {expr:?}"
        ),
    }
}

fn check_log(log: &LogExpr, lines: &Lines) {
    let pipeline = Pipeline::new(log).unwrap_or_else(|why| panic!("{log}: {why}"));
    let selector = Selector::new(&log.matchers).unwrap_or_else(|why| panic!("{log}: {why}"));
    for entry in lines.entries().filter(|entry| selector.matches(entry.stream)) {
        let shown = |entry| pipeline.run(entry).map(|row| (row.line.into_owned(), row.labels.to_map()));
        assert_eq!(shown(&entry), shown(&entry), "{log}");
    }
}

fn check_metric(text: &str, metric: &Metric, lines: &Lines) {
    let times = Times { start_ns: START_NS, end_ns: START_NS + 150 * SECOND_NS, step_ns: 35 * SECOND_NS };
    for range in leaves(metric) {
        let (start, end) = needed(range, times);
        assert!(start <= end, "{text:?} needs nothing");
    }
    let Ok(Output::Matrix(found)) = evaluated(metric, times, false, lines) else { return };
    // Which of two that are alike is taken is nobody's promise.
    if takes_some(metric) {
        return;
    }
    let unreduced = unreduced(metric);
    for step in 0.. {
        let at_ns = times.start_ns + step * times.step_ns;
        if at_ns > times.end_ns {
            break;
        }
        let mut expected: BTreeMap<&LabelSet, f64> = BTreeMap::new();
        for line in &found {
            let at = line.points.iter().find(|(at, _)| *at == at_ns);
            expected.extend(at.map(|(_, value)| (&line.labels, *value)));
        }
        for (metric, is_reduced) in [(metric, true), (&unreduced, false)] {
            let vector = match evaluated(metric, Times::instant(at_ns), true, lines) {
                Ok(Output::Vector(vector)) => vector,
                Ok(Output::Scalar { .. }) => break,
                // A line may be whatever it is where nothing of it is needed.
                Err(EvalError::Pipeline { .. }) if !is_reduced => continue,
                other => panic!("{text:?} is {other:?} at step {step} alone and {expected:?} in a range"),
            };
            let is_same = vector.len() == expected.len()
                && vector.iter().all(|sample| {
                    expected.get(&sample.labels).is_some_and(|value| is_near(*value, sample.value))
                });
            assert!(is_same, "{text:?} is {vector:?} at step {step} by {metric} and {expected:?} in a range");
        }
    }
}

fn is_near(left: f64, right: f64) -> bool {
    left == right
        || !(left.is_finite() && right.is_finite())
        || (left - right).abs() <= 1e-9 * left.abs().max(right.abs()).max(1.0)
}

fn evaluated(metric: &Metric, times: Times, is_instant: bool, lines: &Lines) -> Result<Output, EvalError> {
    let limits = Limits { series: 60, leaf_series: 40, steps: 10, samples: 500, points: 2_000 };
    let mut evaluator = match is_instant {
        true => Evaluator::instant(metric, times.start_ns, limits)?,
        false => Evaluator::range(metric, times, limits)?,
    };
    for leaf in 0..leaves(metric).len() {
        for entry in lines.entries() {
            evaluator.push(leaf, &entry)?;
        }
    }
    evaluator.finish()
}

fn takes_some(metric: &Metric) -> bool {
    match metric {
        Metric::Number(_) | Metric::Vector(_) | Metric::Range(_) => false,
        Metric::Aggregate(aggregation) => {
            matches!(aggregation.op, VectorOp::TopK | VectorOp::BottomK) || takes_some(&aggregation.inner)
        }
        Metric::Binary(binary) => takes_some(&binary.left) || takes_some(&binary.right),
        Metric::LabelReplace(replace) => takes_some(&replace.inner),
    }
}

/// The same query without an aggregation right above a range, so that no leaf may leave out what is not needed there.
fn unreduced(metric: &Metric) -> Metric {
    match metric {
        Metric::Number(_) | Metric::Vector(_) | Metric::Range(_) => metric.clone(),
        Metric::Aggregate(aggregation) => {
            let inner = match &*aggregation.inner {
                range @ Metric::Range(_) => Metric::Binary(Box::new(Binary {
                    op: BinaryOp::Multiply,
                    left: range.clone(),
                    right: Metric::Number(1.0),
                    returns_bool: false,
                    matching: None,
                })),
                other => unreduced(other),
            };
            Metric::Aggregate(Aggregation { inner: Box::new(inner), ..aggregation.clone() })
        }
        Metric::Binary(binary) => Metric::Binary(Box::new(Binary {
            left: unreduced(&binary.left),
            right: unreduced(&binary.right),
            ..(**binary).clone()
        })),
        Metric::LabelReplace(replace) => Metric::LabelReplace(Box::new(LabelReplace {
            inner: unreduced(&replace.inner),
            ..(**replace).clone()
        })),
    }
}
