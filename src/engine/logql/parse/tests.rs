use proptest::prelude::*;

use super::{
    super::{
        ast::*,
        re2,
        unit::{parse_bytes, parse_duration, print_bytes, print_duration},
    },
    *,
};

/// A text and what is printed of it.
fn check(text: &str, printed: &str) {
    let expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(expr.to_string(), printed, "{text}");
    assert_eq!(parse(printed), Ok(expr), "{printed}");
}

fn refuse(text: &str, message: &str) {
    match parse(text) {
        Ok(expr) => panic!("{text} is {expr}"),
        Err(error) => assert_eq!(error.to_string(), message, "{text}"),
    }
}

#[test]
fn prints_a_query_of_lines_in_one_spelling() {
    check("{ service = `api` ,level!~\"a|b\" }", r#"{service="api", level!~"a|b"}"#);
    check("( {a=\"b\"} # which\n |= \"x\" )", r#"{a="b"} |= "x""#);
    check(r#"{a="b"}|="x" or ip("10.0.0.0/8") or "y""#, r#"{a="b"} |= "x" or ip("10.0.0.0/8") or "y""#);
    check(r#"{a="b"} |> "<_> b" !> "c <_>""#, r#"{a="b"} |> "<_> b" !> "c <_>""#);
    check(r#"{a="b"} | json | json x, y="z[0].q""#, r#"{a="b"} | json | json x="x", y="z[0].q""#);
    check(r#"{a="b"} | logfmt --keep-empty --strict x"#, r#"{a="b"} | logfmt --strict --keep-empty x="x""#);
    check(r#"{a="b"} | drop x, y=~"1.*" | keep z"#, r#"{a="b"} | drop x, y=~"1.*" | keep z"#);
    check(r#"{a="b"} | label_format x=y, z="{{.q}}""#, r#"{a="b"} | label_format x=y, z="{{.q}}""#);
    check(r#"{a="b"} | unpack | decolorize"#, r#"{a="b"} | unpack | decolorize"#);
    check(r#"{a="b"} | json != "1""#, r#"{a="b"} | json != "1""#);
    check(r#"{a="b"} | ip="1" offset="2""#, r#"{a="b"} | ip="1" and offset="2""#);
}

#[test]
fn commas_bind_less_tightly_than_or_and_or_less_than_and() {
    check(r#"{a="b"} | x=1 or y>2 and z<3ms"#, r#"{a="b"} | x==1 or (y>2 and z<3ms)"#);
    check(r#"{a="b"} | x="1", y="2" or z>=1KiB"#, r#"{a="b"} | x="1" and (y="2" or z>=1KiB)"#);
    check(r#"{a="b"} | x="1" y!=ip("1.2.3.4")"#, r#"{a="b"} | x="1" and y!=ip("1.2.3.4")"#);
    check(r#"{a="b"} | (x="1" or y=-2) and z==1.5s"#, r#"{a="b"} | (x="1" or y==-2) and z==1s500ms"#);
}

#[test]
fn prints_numbers_over_time_in_one_spelling() {
    check(r#"rate({a="b"}[90s] offset 1d)"#, r#"rate({a="b"} [1m30s] offset 24h)"#);
    check(r#"rate(({a="b"} |= "x")[5m])"#, r#"rate({a="b"} |= "x" [5m])"#);
    // The range may stand before the stages.
    check(r#"rate({a="b"}[5m] offset -1m |= "x")"#, r#"rate({a="b"} |= "x" [5m] offset -1m)"#);
    check(
        r#"quantile_over_time(.99, {a="b"} | unwrap duration(t) | __error__="" [1m]) by (x)"#,
        r#"quantile_over_time(0.99, {a="b"} | unwrap duration(t) | __error__="" [1m]) by (x)"#,
    );
    check(r#"sum(rate({a="b"}[1m])) by (x,y)"#, r#"sum by (x, y) (rate({a="b"} [1m]))"#);
    check(r#"topk without (x) (3, rate({a="b"}[1m]))"#, r#"topk without (x) (3, rate({a="b"} [1m]))"#);
    check("sum(3 + vector(1))", "sum(3 + vector(1))");
    check("1+2*3^2^2-4", "(1 + (2 * (3 ^ (2 ^ 2)))) - 4");
    check("vector(1) or vector(2) and vector(3)", "vector(1) or (vector(2) and vector(3))");
    check("1 - 2 - -3", "(1 - 2) - -3");
    check("vector(1)>bool 2==3", "(vector(1) > bool 2) == 3");
    check(
        "vector(1) / on(a) group_left vector(2) + ignoring(b) group_right(c,d) vector(3)",
        "(vector(1) / on (a) group_left () vector(2)) + ignoring (b) group_right (c, d) vector(3)",
    );
    check(
        r#"label_replace(vector(1),"a","$1","b","(.*)")"#,
        r#"label_replace(vector(1), "a", "$1", "b", "(.*)")"#,
    );
}

#[test]
fn says_where_a_text_is_wrong() {
    refuse("", "parse error at line 1, col 1: syntax error: unexpected $end");
    refuse("{a=\"b\"} |~", "parse error at line 1, col 11: syntax error: unexpected $end, expecting STRING");
    refuse("{a=\"b\"}\n| x", "parse error at line 2, col 4: syntax error: unexpected $end");
    refuse("{a=\"b\",}", "parse error at line 1, col 8: syntax error: unexpected }, expecting IDENTIFIER");
    refuse("{ä=\"b\"}", "parse error at line 1, col 2: syntax error: unexpected character 'ä'");
    refuse("rate({a=\"b\"}[5])", "parse error at line 1, col 13: not a valid duration string: \"5\"");
    refuse("rate({a=\"b\"}[5m)", "parse error at line 1, col 13: missing closing ']' in duration");
    refuse("{a=\"b\"} | unwrap x", "parse error at line 1, col 11: syntax error: unexpected unwrap");
    refuse("{a=\"b} ", "parse error at line 1, col 4: literal not terminated");
    refuse(
        "sum(rate({a=\"b\"}[1m])) - {a=\"b\"}",
        "parse error at line 1, col 26: syntax error: unexpected {",
    );
}

#[test]
fn refuses_what_has_no_meaning() {
    for (text, message) in [
        (
            "{a!=\"b\"}",
            "queries require at least one regexp or equality matcher that does not have an empty-compatible value. \
             For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
        ),
        ("count_over_time({a=\"b\"} | unwrap x [1m])", "invalid aggregation count_over_time with unwrap"),
        ("sum_over_time({a=\"b\"}[1m])", "invalid aggregation sum_over_time without unwrap"),
        ("rate_counter({a=\"b\"}[1m])", "invalid aggregation rate_counter without unwrap"),
        ("rate({a=\"b\"}[1m]) by (x)", "grouping not allowed for rate aggregation"),
        (
            "sum_over_time({a=\"b\"} | unwrap x [1m]) by (x)",
            "grouping not allowed for sum_over_time aggregation",
        ),
        (
            "quantile_over_time({a=\"b\"} | unwrap x [1m])",
            "parameter required for operation quantile_over_time",
        ),
        ("rate(2, {a=\"b\"}[1m])", "parameter 2 not supported for operation rate"),
        ("topk(rate({a=\"b\"}[1m]))", "parameter required for operation topk"),
        ("topk(1.5, rate({a=\"b\"}[1m]))", "invalid parameter topk(1.5,"),
        ("topk(0, rate({a=\"b\"}[1m]))", "invalid parameter (must be greater than 0) topk(0"),
        ("sum(2, rate({a=\"b\"}[1m]))", "unsupported parameter for operation sum(2,"),
        ("approx_topk(2, rate({a=\"b\"}[1m]))", "approx_topk is not supported: topk is exact"),
        ("1 or vector(1)", "unexpected literal for left leg of logical/set binary operation (or): 1"),
        ("vector(1) and on (a) group_left vector(2)", "no grouping allowed for \"and\" operation"),
        ("1 + bool 2", "bool modifier can only be used on comparison operators"),
        (
            "{a=\"b\"} | label_format x=y, x=z",
            "multiple label name 'x' not allowed in a single format operation",
        ),
        ("{a=\"b\"} | pattern \"<_> a\"", "at least one named capture is required in a pattern"),
        ("{a=\"b\"} |> \"<x> a\"", "named captures are not allowed in a pattern filter"),
        ("{a=\"b\"} | regexp \"a\"", "at least one named capture must be supplied"),
        ("{a=\"b\"} |= ip(\"1.2.3\")", "ip: invalid pattern: \"1.2.3\""),
        (
            "{a=\"b\"} | line_format \"{{.x | nosuch}}\"",
            "invalid line template: function \"nosuch\" not defined",
        ),
        ("{a=\"b\"} | line_format \"{{now}}\"", "invalid line template: function \"now\" is not supported"),
        (
            "{a=\"b\"} | label_format x=\"{{trunc .y}}\"",
            "invalid template for label 'x': wrong number of args for trunc: want 2 got 1",
        ),
    ] {
        refuse(text, &format!("parse error : {message}"));
    }
}

#[test]
fn no_text_nests_without_end() {
    refuse(
        &format!("{}1{}", "(".repeat(100), ")".repeat(100)),
        "parse error at line 1, col 66: more than 64 parentheses within each other",
    );
    refuse(&"1+".repeat(300), "parse error : more than 256 operations in a query");
    assert!(parse(&format!("{}1", "2^".repeat(MAX_OPERATIONS))).is_ok());
    assert!(parse(&format!("{{a=\"b\"}} | {}", "(".repeat(60_000))).is_err());
    assert!(parse(&format!("{{a=\"b\"}} {}", "| unpack".repeat(300))).is_err());
    assert!(parse(&format!("{{a=\"b\"}} {}", "|~ \"x\"".repeat(30))).is_err());
    let fields = vec!["x"; MAX_PARTS + 1].join(", ");
    assert!(parse(&format!("{{a=\"b\"}} | json {fields}")).is_err());
    let template = "{{count \"x+\" .a}}".repeat(MAX_REGEXES + 1);
    assert!(parse(&format!("{{a=\"b\"}} | line_format `{template}`")).is_err());
    assert!(parse(&format!("{{a=\"b\"}} | line_format `{}`", "{{.a}}".repeat(600))).is_err());
    assert!(parse(&" ".repeat(MAX_TEXT + 1)).is_err());
}

#[test]
fn reads_a_bare_selector() {
    assert_eq!(parse_selector("{}"), Ok(Vec::new()));
    let matcher = Matcher { name: "a".into(), op: MatchOp::NotEqual, value: "b".into() };
    assert_eq!(parse_selector("{a!=\"b\"}"), Ok(vec![matcher]));
    assert!(parse_selector("{a!=\"b\"} |= \"x\"").is_err());
    assert!(parse_selector("{a=~\"(\"}").is_err());
}

#[test]
fn reads_units_as_go_and_loki_do() {
    for (text, ns) in
        [("1h30m", 5_400_000_000_000), ("1.5s", 1_500_000_000), ("-2ms", -2_000_000), ("3µs", 3_000)]
    {
        assert_eq!(parse_duration(text), Some(ns), "{text}");
    }
    for text in ["", "5", "5x", "m", "1..5s", "999999999999h"] {
        assert_eq!(parse_duration(text), None, "{text}");
    }
    for (text, bytes) in [("10", 10), ("1.5KB", 1_500), ("2 MiB", 2 << 20), ("3k", 3_000), ("7B", 7)] {
        assert_eq!(parse_bytes(text), Some(bytes), "{text}");
    }
    assert_eq!(parse_bytes("20XB"), None);
}

#[test]
fn expressions_are_those_of_re2() {
    let matches = |pattern: &str, text: &str| re2::compile(pattern).unwrap().is_match(text);
    // Braces that repeat nothing, classes with a bracket or a mark twice in them, quoted texts.
    assert!(matches(r#"{"a":"#, r#"x{"a":1"#));
    assert!(matches("a{2}b", "aab") && !matches("^a{2}$", "a{2}"));
    assert!(matches("^[[&&]+$", "[&&"));
    assert!(matches("^[]a]+$", "]a"));
    assert!(matches(r"\Qa.b\E$", "a.b") && !matches(r"^\Qa.b\E$", "axb"));
    assert!(matches(r"\<a\>", "<a>"));
    // Classes are those of ASCII.
    assert!(!matches(r"^\d$", "٣") && !matches(r"^\w$", "é") && matches(r"^[^\d\s]$", "é"));
    assert!(matches("^[[:alpha:]]$", "q"));
    assert!(re2::compile("(").is_err() && re2::compile_whole("a)(b").is_err());
    assert!(re2::compile("((a{100}){100}){100}").is_err());
}

fn name() -> impl Strategy<Value = String> {
    "[a-z_][a-z0-9_]{0,5}x"
}

fn text() -> impl Strategy<Value = String> {
    "[ -~éß\u{1}\n\t]{0,12}"
        .prop_filter("templates and patterns are apart", |text| !text.contains(['{', '<']))
}

fn matcher() -> impl Strategy<Value = Matcher> {
    prop_oneof![
        (name(), text()).prop_map(|(name, value)| Matcher { name, op: MatchOp::Equal, value: value + "x" }),
        (name(), text()).prop_map(|(name, value)| Matcher { name, op: MatchOp::NotEqual, value }),
        (name(), "[a-z.]{1,5}[+*]?").prop_map(|(name, value)| Matcher {
            name,
            op: MatchOp::Regex,
            value: value + "x"
        }),
        (name(), "[a-z|]{1,5}").prop_map(|(name, value)| Matcher { name, op: MatchOp::NotRegex, value }),
    ]
}

fn compare() -> impl Strategy<Value = CompareOp> {
    prop_oneof![
        Just(CompareOp::Equal),
        Just(CompareOp::NotEqual),
        Just(CompareOp::Greater),
        Just(CompareOp::GreaterEqual),
        Just(CompareOp::Less),
        Just(CompareOp::LessEqual),
    ]
}

fn label_filter() -> impl Strategy<Value = LabelFilter> {
    let leaf = prop_oneof![
        matcher().prop_map(LabelFilter::Text),
        (name(), compare(), -1e9..1e9).prop_map(|(label, op, value)| LabelFilter::Number {
            label,
            op,
            value
        }),
        (name(), compare(), -1_000_000_000_000_i64..1_000_000_000_000_000)
            .prop_map(|(label, op, ns)| LabelFilter::Duration { label, op, ns }),
        (name(), compare(), 0..u64::MAX).prop_map(|(label, op, bytes)| LabelFilter::Bytes {
            label,
            op,
            bytes
        }),
        (name(), any::<bool>()).prop_map(|(label, negated)| LabelFilter::Ip {
            label,
            negated,
            pattern: "10.0.0.1-10.0.0.9".into()
        }),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(LabelFilter::And),
            prop::collection::vec(inner, 2..4).prop_map(LabelFilter::Or),
        ]
    })
}

fn extracts() -> impl Strategy<Value = Vec<Extract>> {
    prop::collection::vec((name(), "[a-z]{1,3}(\\.[a-z]{1,3}|\\[[0-9]\\]|\\[\"[a-z ]{1,4}\"\\]){0,2}"), 0..3)
        .prop_map(|fields| fields.into_iter().map(|(label, path)| Extract { label, path }).collect())
}

fn stage() -> impl Strategy<Value = Stage> {
    let choices = || {
        let choice =
            prop_oneof![name().prop_map(LabelChoice::Name), matcher().prop_map(LabelChoice::Matching)];
        prop::collection::vec(choice, 1..3)
    };
    prop_oneof![
        (prop::collection::vec(text().prop_map(LineMatch::Text), 1..3), any::<bool>()).prop_map(
            |(any, negated)| {
                let op = if negated { LineOp::NotContains } else { LineOp::Contains };
                Stage::LineFilter(LineFilter { op, any })
            }
        ),
        "[a-z.]{1,6}".prop_map(|regex| {
            Stage::LineFilter(LineFilter { op: LineOp::Regex, any: vec![LineMatch::Text(regex)] })
        }),
        "[a-z ]{1,4}<_>[a-z]{0,4}".prop_map(|pattern| {
            Stage::LineFilter(LineFilter { op: LineOp::NotPattern, any: vec![LineMatch::Text(pattern)] })
        }),
        extracts().prop_map(Stage::Json),
        (any::<bool>(), any::<bool>(), extracts()).prop_map(|(strict, keep_empty, fields)| Stage::Logfmt {
            strict,
            keep_empty,
            fields
        }),
        Just(Stage::Regexp("(?P<a>\\w+)\"".into())),
        Just(Stage::Pattern("<a> \"<_>\"".into())),
        Just(Stage::Unpack),
        Just(Stage::Decolorize),
        label_filter().prop_map(Stage::LabelFilter),
        text().prop_map(|text| Stage::LineFormat(text + "{{.a | ToUpper}}")),
        (name(), name(), text()).prop_map(|(first, second, text)| {
            let mut formats = vec![LabelFormat { label: first.clone(), value: LabelSource::Template(text) }];
            if first != second {
                formats.push(LabelFormat { label: second, value: LabelSource::Label(first) });
            }
            Stage::LabelFormat(formats)
        }),
        choices().prop_map(Stage::Keep),
        choices().prop_map(Stage::Drop),
    ]
}

fn log_expr() -> impl Strategy<Value = LogExpr> {
    let first = Matcher { name: "app".into(), op: MatchOp::Regex, value: ".+".into() };
    (prop::collection::vec(matcher(), 0..3), prop::collection::vec(stage(), 0..4)).prop_map(
        move |(mut matchers, stages)| {
            matchers.push(first.clone());
            // `| drop a != "b"` drops by a value: no text has a filter of lines there.
            let mut apart: Vec<Stage> = Vec::new();
            for stage in stages {
                let ends_with_name = matches!(apart.last(), Some(Stage::Keep(choices) | Stage::Drop(choices))
                    if matches!(choices.last(), Some(LabelChoice::Name(_))));
                if ends_with_name && matches!(&stage, Stage::LineFilter(filter) if filter.op.is_negated()) {
                    apart.push(Stage::Unpack);
                }
                apart.push(stage);
            }
            let stages = apart;
            LogExpr { matchers, stages }
        },
    )
}

fn grouping() -> impl Strategy<Value = Option<Grouping>> {
    prop::option::of(
        (any::<bool>(), prop::collection::vec(name(), 0..3))
            .prop_map(|(without, labels)| Grouping { without, labels }),
    )
}

fn range() -> impl Strategy<Value = RangeAggregation> {
    let ops: Vec<RangeOp> = RangeOp::WORDS.iter().map(|(op, _)| *op).collect();
    let conversions =
        vec![Conversion::None, Conversion::Bytes, Conversion::Duration, Conversion::DurationSeconds];
    let unwrap = (name(), prop::sample::select(conversions), prop::collection::vec(label_filter(), 0..2))
        .prop_map(|(label, conversion, filters)| Unwrap { label, conversion, filters });
    (
        prop::sample::select(ops),
        log_expr(),
        (unwrap, any::<bool>()),
        1..i64::MAX / 4,
        -1_000_000_000_i64..1_000_000_000_000,
        grouping(),
    )
        .prop_map(|(op, query, (unwrap, unwraps), range_ns, offset_ns, grouping)| RangeAggregation {
            op,
            parameter: (op == RangeOp::Quantile).then_some(0.25),
            range: LogRange {
                query,
                unwrap: (op.needs_unwrap() || op.allows_unwrap() && unwraps).then_some(unwrap),
                range_ns,
                offset_ns,
            },
            grouping: grouping.filter(|_| op.allows_grouping()),
        })
}

fn metric() -> impl Strategy<Value = Metric> {
    let leaf = prop_oneof![
        (-1e6..1e6).prop_map(Metric::Number),
        (0.0..1e6).prop_map(Metric::Vector),
        range().prop_map(Metric::Range),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        let ops: Vec<VectorOp> = VectorOp::WORDS.iter().map(|(op, _)| *op).collect();
        let aggregation = (prop::sample::select(ops), inner.clone(), 1..100_u32, grouping()).prop_map(
            |(op, inner, count, grouping)| {
                let parameter = matches!(op, VectorOp::TopK | VectorOp::BottomK).then_some(count);
                Metric::Aggregate(Aggregation { op, parameter, inner: Box::new(inner), grouping })
            },
        );
        let ops: Vec<BinaryOp> = BinaryOp::WORDS.iter().map(|(op, _)| *op).collect();
        let group = prop::option::of((any::<bool>(), prop::collection::vec("[a-z]{3}", 0..2)));
        let matching = prop::option::of((any::<bool>(), prop::collection::vec(name(), 0..3), group));
        let binary = (prop::sample::select(ops), inner.clone(), inner.clone(), any::<bool>(), matching)
            .prop_map(|(op, left, right, returns_bool, matching)| {
                let literal = left.is_literal() || right.is_literal();
                let op = if literal && op.is_set() { BinaryOp::Add } else { op };
                let matching = matching.filter(|_| !literal).map(|(on, labels, group)| {
                    let group = group.filter(|_| !op.is_set());
                    Matching {
                        on,
                        labels,
                        group: group.map(|(many_left, include)| Group { many_left, include }),
                    }
                });
                let returns_bool = returns_bool && op.is_comparison();
                Metric::Binary(Box::new(Binary { op, left, right, returns_bool, matching }))
            });
        let replace = (inner, text()).prop_map(|(inner, replacement)| {
            let texts = ("target".to_owned(), "source".to_owned(), "(.*)\"".to_owned());
            let (target, source, regex) = texts;
            Metric::LabelReplace(Box::new(LabelReplace { inner, target, replacement, source, regex }))
        });
        prop_oneof![aggregation, binary, replace]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_is_parsed_as_the_same(expr in prop_oneof![
        log_expr().prop_map(Expr::Log),
        metric().prop_map(Expr::Metric),
    ]) {
        let printed = expr.to_string();
        let refused_for_size = |error: &ParseError| error.message.starts_with("more than");
        match parse(&printed) {
            Err(error) if refused_for_size(&error) => {}
            parsed => prop_assert_eq!(parsed, Ok(expr), "{}", printed),
        }
    }

    #[test]
    fn no_text_panics(text in "[ -~]{0,60}", words in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "a", "=", "\"b\"", "|", "json", "(", ")", "[5m]", "rate", "sum", "by", ",", "|=", "unwrap", "1",
        "or", "and", "offset", "5m", "==", "-", "`{{.a}}`", "line_format", "ip", "label_format", "topk", "vector",
    ]), 0..25)) {
        let _ = parse(&text);
        let _ = parse_selector(&text);
        let _ = parse(&words.join(" "));
        let _ = parse(&format!("{{a=\"b\"}} {}", words.join(" ")));
    }

    #[test]
    fn units_are_read_as_they_are_printed(ns in any::<i64>(), bytes in any::<u64>()) {
        let ns = ns / 2;
        prop_assert_eq!(parse_duration(&print_duration(ns)), Some(ns));
        prop_assert_eq!(parse_bytes(&print_bytes(bytes)), Some(bytes));
    }
}
