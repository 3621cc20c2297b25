use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    expr::NOT_SEARCHED,
    parse::{MAX_MATCHES, MAX_NESTING, MAX_REGEXES, MAX_TEXT},
    *,
};
use crate::engine::{
    block::{Kind, words},
    record::model::Level,
};

fn one(field: &str, test: Test) -> Expr {
    let field = if field.is_empty() { Field::Any } else { Field::named(field).unwrap() };
    Expr::Match(Match { field, test })
}

fn term(term: &str) -> Expr {
    one("", Test::Words(term.to_owned()))
}

fn value(field: &str, value: &str) -> Expr {
    one(field, Test::Value(value.to_owned()))
}

fn exact(field: &str, value: &str) -> Expr {
    one(field, Test::Exact(value.to_owned()))
}

fn operand(field: &str, text: &str) -> Operand {
    Operand::new(&Field::named(field).unwrap(), text).unwrap()
}

fn and(parts: &[Expr]) -> Expr {
    Expr::and(parts.to_vec())
}

fn or(parts: &[Expr]) -> Expr {
    Expr::or(parts.to_vec())
}

fn not(expr: Expr) -> Expr {
    expr.negated()
}

/// Parses as that, and prints as a text that parses as that.
fn check(text: &str, expected: &Expr) {
    let parsed = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(parsed, *expected, "{text}");
    let printed = parsed.to_string();
    assert_eq!(parse(&printed).as_ref(), Ok(expected), "{text} was printed as {printed}");
    assert_eq!(parse(&printed).unwrap().to_string(), printed, "{text}");
}

#[test]
fn terms_are_joined_as_their_operators_say() {
    let (a, b, c, d) = (term("a"), term("b"), term("c"), term("d"));
    check("", &Expr::All);
    check(" \t\n ", &Expr::All);
    check("*", &Expr::All);
    check("**", &Expr::All);
    check("(*) a", &a);
    check("a OR *", &Expr::All);
    check("NOT *", &not(Expr::All));
    check("a b", &and(&[a.clone(), b.clone()]));
    check("a AND b", &and(&[a.clone(), b.clone()]));
    check("(a b) (c AND d)", &and(&[a.clone(), b.clone(), c.clone(), d.clone()]));
    check("a b OR c d", &or(&[and(&[a.clone(), b.clone()]), and(&[c.clone(), d.clone()])]));
    check("a (b OR c) d", &and(&[a.clone(), or(&[b.clone(), c.clone()]), d.clone()]));
    check("a OR (b OR c)", &or(&[a.clone(), b.clone(), c.clone()]));
    check("a OR(b)", &or(&[a.clone(), b.clone()]));
    check("NOT a b", &and(&[not(a.clone()), b.clone()]));
    check("NOT(a b)", &not(and(&[a.clone(), b.clone()])));
    check("-a -(b OR c)", &and(&[not(a.clone()), not(or(&[b.clone(), c.clone()]))]));
    check("a NOT b", &and(&[a.clone(), not(b.clone())]));
    check("a AND NOT b OR c", &or(&[and(&[a.clone(), not(b)]), c]));
    check("NOT NOT a", &a);
    check("NOT -a", &a);
    check("  ( a )  ", &a);
    check("and or not", &and(&[term("and"), term("or"), term("not")]));
    check("ANDROID TO", &and(&[term("android"), term("to")]));
}

#[test]
fn a_term_is_a_word_a_phrase_a_pattern_or_an_expression() {
    check("Timeout", &term("timeout"));
    check("user-1", &term("user-1"));
    check("\"-1\"", &term("-1"));
    check("a-b.c/d@e_f=g%h+i#j,k;l'm!n&o|p~q^r$s", &term("a-b.c/d@e_f=g%h+i#j,k;l'm!n&o|p~q^r$s"));
    check("50%", &term("50%"));
    check("%", &term("%"));
    check("ÄRGER", &term("ärger"));
    check("\"Connection  Reset\"", &term("connection  reset"));
    check(r#""say \"no\" C:\\a \b""#, &term(r#"say "no" c:\a \b"#));
    check("\"AND\" OR \"(\"", &or(&[term("and"), term("(")]));
    check(r"a\:b\ \*", &term("a:b *"));
    check(r"\/api/v1", &term("/api/v1"));
    check(r"\AND".replace('A', "-A").as_str(), &term("-and"));
    let wildcard = |pieces: &[Piece]| Test::Wildcard(Wildcard::new(pieces.to_vec()).unwrap());
    let text = |text: &str| Piece::Text(text.to_owned());
    check("Pay*", &one("", wildcard(&[text("pay"), Piece::Many])));
    check("a**b", &one("", wildcard(&[text("a"), Piece::Many, text("b")])));
    check("us?r", &one("", wildcard(&[text("us"), Piece::One, text("r")])));
    check(r"\/a\**", &one("", wildcard(&[text("/a*"), Piece::Many])));
    check("service:*mid*", &one("service", wildcard(&[Piece::Many, text("mid"), Piece::Many])));
    let regex = |source: &str, is_insensitive| Test::Regex(Pattern::new(source, is_insensitive).unwrap());
    check(r"/a\/b [0-9]+\./", &one("", regex(r"a/b [0-9]+\.", false)));
    check(r"/\\\/\\/", &one("", regex(r"\\/\\", false)));
    check("message:/Time(d )?out/i", &one("message", regex("Time(d )?out", true)));
}

#[test]
fn a_field_has_a_value_a_comparison_or_a_range() {
    check("service:API", &value("service", "api"));
    check("message:Timeout", &one("message", Test::Words("timeout".into())));
    check("stack_trace:\"at Main\"", &one("stack_trace", Test::Words("at main".into())));
    check("service:=API", &exact("service", "API"));
    check("service:=\"a b\"", &exact("service", "a b"));
    check("user_id:\"\"", &value("user_id", ""));
    check("user_id:*", &one("user_id", Test::Exists));
    check("user_id:[* TO *]", &one("user_id", Test::Exists));
    check("temp:-5", &value("temp", "-5"));
    check("-temp:-5", &not(value("temp", "-5")));
    check("service:(a OR B)", &or(&[value("service", "a"), value("service", "b")]));
    check("service:(a* -b) x", &and(&[parse("service:a*").unwrap(), not(value("service", "b")), term("x")]));
    check(
        "status:(>=500 OR (404 NOT =x) OR [1 TO 2])",
        &parse("status:>=500 OR (status:404 -status:=x) OR status:[1 TO 2]").unwrap(),
    );
    check("message:(a b)", &parse("message:a AND message:b").unwrap());
    let range = |low, high| Test::Range { low, high };
    let number = |text| operand("status", text);
    assert_eq!(number("-5e1").number, Some(-50.0));
    for (text, low, high) in [
        (">500", Bound::Excluded(number("500")), Bound::Open),
        (">=500", Bound::Included(number("500")), Bound::Open),
        ("<-5", Bound::Open, Bound::Excluded(number("-5"))),
        ("<=5", Bound::Open, Bound::Included(number("5"))),
        ("[* TO \"5\"]", Bound::Open, Bound::Included(number("5"))),
        ("{5 TO *}", Bound::Excluded(number("5")), Bound::Open),
        ("[ 1 TO 5 ]", Bound::Included(number("1")), Bound::Included(number("5"))),
        ("{-1 TO +5}", Bound::Excluded(number("-1")), Bound::Excluded(number("+5"))),
        ("[Ab TO \"c d\"}", Bound::Included(number("Ab")), Bound::Excluded(number("c d"))),
        ("{\"TO\" TO \"AND\"]", Bound::Excluded(number("TO")), Bound::Included(number("AND"))),
        (">\"=x\"", Bound::Excluded(number("=x")), Bound::Open),
    ] {
        check(&format!("status:{text}"), &one("status", range(low, high)));
    }
}

#[test]
fn levels_and_times_are_read_as_producers_write_them() {
    check("level:warning", &value("level", "warn"));
    check("severity:(E OR FATAL)", &or(&[value("level", "error"), value("level", "critical")]));
    check("level:=err", &exact("level", "ERROR"));
    check("ts:\"2025-11-20 23:47:16.000+00\"", &value("timestamp", "2025-11-20t23:47:16z"));
    check("received_at:=1763682436", &exact("received_at", "2025-11-20T23:47:16Z"));
    let low = Bound::Included(operand("level", "warn"));
    check("level:>=warn", &one("level", Test::Range { low, high: Bound::Open }));
    assert!(operand("level", "warn").level.is_some() && operand("time", "1763682436").time.is_some());
    assert!(operand("service", "warn").level.is_none() && operand("status", "1763682436").time.is_none());
}

#[test]
fn a_name_leads_where_it_leads_a_producer() {
    for (name, expected) in [
        ("severity", "level"),
        ("service_name", "service"),
        ("serviceName", "service"),
        ("msg", "message"),
        ("@timestamp", "timestamp"),
        ("requestPath", "endpoint"),
        ("durationMs", "duration_ms"),
        ("id", "id"),
        ("source_type", "source_type"),
        ("http.status", "metadata.http.status"),
        ("metadata.http.status", "metadata.http.status"),
        ("metadata.service", "metadata.service"),
        ("service.name", "metadata.service.name"),
        ("Level", "metadata.Level"),
        ("metadata.metadata", "metadata.metadata"),
        ("metadata.metadata.x", "metadata.metadata.x"),
        ("", "metadata."),
        ("AND", "metadata.AND"),
    ] {
        assert_eq!(Field::named(name), Ok(Field::Named(expected.to_owned())));
        check(&format!("\"{name}\":1*"), &parse(&format!("\"{expected}\":1*")).unwrap());
    }
    check("\"odd name\":x", &value("metadata.odd name", "x"));
    check(r"odd\ name:x", &value("metadata.odd name", "x"));
    check("\"a:b\":x", &value("a:b", "x"));
    check("app.kubernetes.io/name:x", &value("app.kubernetes.io/name", "x"));
    assert_eq!(parse("metadata.http.status:404").unwrap().to_string(), "http.status:404");
    assert_eq!(parse("metadata.service:x").unwrap().to_string(), "metadata.service:x");
}

#[test]
fn what_is_printed_reads_well() {
    for (text, expected) in [
        ("a AND b", "a b"),
        ("a b OR -c", "a AND b OR NOT c"),
        ("a (b OR c AND d)", "a (b OR c AND d)"),
        ("-(a b)", "NOT (a b)"),
        ("msg:(\"x\" OR \"y z\")", "message:x OR message:\"y z\""),
        ("status:[* TO 5}", "status:<5"),
        ("duration_ms:{-5 TO 1e3]", "duration_ms:{-5 TO 1e3]"),
        ("service:=\"API\"", "service:=API"),
        (r"endpoint:\/api/*", r"endpoint:\/api/*"),
        ("endpoint:\"/api\"", "endpoint:\"/api\""),
        (r"/a\/b/i", r"/a\/b/i"),
    ] {
        assert_eq!(parse(text).unwrap().to_string(), expected);
    }
}

#[test]
fn an_error_says_where_and_what_is_expected() {
    for (text, expected) in [
        ("level:", "expected a value after \"level:\" at byte 6, found the end"),
        ("level: error", "expected a value after \"level:\" at byte 6, found a blank"),
        ("x level:)", "expected a value after \"level:\" at byte 8, found \")\""),
        ("service:NOT x", "expected a value after \"service:\" at byte 8, found \"NOT\""),
        ("status:>", "expected a value after \">\" at byte 8, found the end"),
        ("status:>= 5", "expected a value after \">=\" at byte 9, found a blank"),
        ("status:=", "expected a value after \"=\" at byte 8, found the end"),
        ("status:>5*", "expected a value without wildcards at byte 8, found \"5*\""),
        ("AND a", "expected a term at byte 0, found \"AND\""),
        ("a AND", "expected a term after \"AND\" at byte 5, found the end"),
        ("a AND OR b", "expected a term after \"AND\" at byte 6, found \"OR\""),
        ("a OR", "expected a term after \"OR\" at byte 4, found the end"),
        ("a NOT", "expected a term after \"NOT\" at byte 5, found the end"),
        ("a - b", "expected a term after \"-\" at byte 3, found a blank"),
        (
            "--verbose",
            "expected a term after \"-\" (a text that begins with \"-\" goes in quotes) at byte 1, found \"-verbose\"",
        ),
        ("()", "expected a term after \"(\" at byte 1, found \")\""),
        ("(a", "expected a \")\" for the \"(\" of byte 0 at byte 2, found the end"),
        ("service:(a", "expected a \")\" for the \"(\" of byte 8 at byte 10, found the end"),
        ("a)", "expected a \"(\" before it at byte 1, found \")\""),
        ("ok \"no end", "expected a closing quote for the quote of byte 3 at byte 10, found the end"),
        ("\"\"", "expected a word within the quotes at byte 0, found a quote"),
        ("f(x)", "expected a blank (a text with \"(\" goes in quotes) at byte 1, found \"(\""),
        (
            "\"a\"b",
            "expected a blank (a text with quotes, slashes or parentheses goes in quotes as a whole) at byte 3, found \"b\"",
        ),
        ("a:b:c", "expected a blank (a text with \":\" goes in quotes) at byte 3, found \":\""),
        (
            "12:30",
            "expected the name of a field before \":\" (a text with \":\" goes in quotes) at byte 0, found \"12\"",
        ),
        ("a:(b c:d)", "expected a blank (a text with \":\" goes in quotes) at byte 6, found \":\""),
        ("é :x", "expected a term at byte 3, found \":\""),
        (
            ">5",
            "expected a field before it, as in name:>5 (as a text it goes in quotes) at byte 0, found \">\"",
        ),
        ("x>5", "expected a blank (a text with \">\" goes in quotes) at byte 1, found \">\""),
        ("a && b", "expected AND or OR (as a text it goes in quotes) at byte 2, found \"&&\""),
        (
            "!a",
            "expected NOT or \"-\" (a text that begins with \"!\" goes in quotes) at byte 0, found \"!a\"",
        ),
        (
            r"C:\temp",
            "expected a sign or a blank after \"\\\" (a text with \"\\\" goes in quotes) at byte 3, found \"temp\"",
        ),
        (
            "endpoint:/api/v1",
            "expected a blank (a text with quotes, slashes or parentheses goes in quotes as a whole) at byte 14, found \"v1\"",
        ),
        (
            "endpoint:/health",
            "expected a closing \"/\" for the \"/\" of byte 9 (a path goes in quotes) at byte 16, found the end",
        ),
        (
            "http://x",
            "expected a regular expression between slashes (a path goes in quotes) at byte 5, found \"//x\"",
        ),
        ("x /a(/", "expected a regular expression at byte 2, found \"a(\" (unclosed group)"),
        (
            "/(\\w{1000}){1000}/",
            "expected a regular expression at byte 0, found \"(\\w{1000}){1000}\" (too large)",
        ),
        (
            "level:loud",
            "expected a level such as debug, info, warn, error or critical at byte 6, found \"loud\"",
        ),
        (
            "level:(warn OR >=\"loud\")",
            "expected a level such as debug, info, warn, error or critical at byte 17, found a quote",
        ),
        (
            "timestamp:>2025-11-20",
            "expected a time such as \"2025-11-20T23:47:16Z\" at byte 11, found \"2025-11-20\"",
        ),
        ("x:[1 5]", "expected TO, as in [1 TO 5] at byte 5, found \"5\""),
        ("x:[1 TO 5", "expected a \"]\" or \"}\" for the range of byte 2 at byte 9, found the end"),
        ("x:[1 TO 5)", "expected a \"]\" or \"}\" for the range of byte 2 at byte 9, found \")\""),
        ("x:[1 TO", "expected a value after \"TO\" at byte 7, found the end"),
        ("x:[1 TO]", "expected a value after \"TO\" at byte 7, found \"]\""),
        ("x:[ TO 5]", "expected a value after \"[\" at byte 4, found \"TO\""),
        ("x:[1* TO 5]", "expected a value without wildcards at byte 3, found \"1*\""),
        ("x:[*1 TO 5]", "expected a value without wildcards at byte 3, found \"*1\""),
        ("[1 TO 5]", "expected a term at byte 0, found \"[\""),
        ("metadata:x", "expected a path below metadata, such as metadata.user at byte 0, found \"metadata\""),
        ("severity_number:17", "expected level and the name of one at byte 0, found \"severity_number\""),
    ] {
        match parse(text) {
            Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
            Ok(expr) => panic!("{text} was parsed as {expr}"),
        }
    }
}

#[test]
fn a_text_has_its_limits() {
    let fails = |text: &str, expected: &str| {
        let error = parse(text).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    assert!(parse(&"x".repeat(MAX_TEXT)).is_ok());
    fails(&"x".repeat(MAX_TEXT + 1), "expected at most 8192 bytes at byte 8192, found 8193 bytes");
    let nested = |n| format!("{}x{}", "(".repeat(n), ")".repeat(n));
    assert_eq!(parse(&nested(MAX_NESTING)), Ok(term("x")));
    fails(&nested(MAX_NESTING + 1), "at most 64 parentheses within each other at byte 64, found \"(\"");
    fails(&"(".repeat(MAX_TEXT), "at most 64");
    let alternating = (0..MAX_NESTING).fold("x".to_owned(), |inner, n| {
        if n % 2 == 0 { format!("(a OR {inner} b)") } else { format!("(a NOT {inner})") }
    });
    check(&alternating, &parse(&alternating).unwrap());
    assert_eq!(parse(&("NOT ".repeat(2_000) + "x")), Ok(term("x")));
    let many = |n| vec!["x"; n].join(" ");
    assert!(parse(&many(MAX_MATCHES)).is_ok());
    fails(&many(MAX_MATCHES + 1), "at most 256 terms at byte 512, found \"x\"");
    assert!(parse(&["/a/"; MAX_REGEXES].join(" ")).is_ok());
    fails(&["/a/"; MAX_REGEXES + 1].join(" "), "at most 8 regular expressions at byte 32");
    fails(&format!("{}*", "x".repeat(128)), "at most 127 characters in a word with wildcards at byte 0");
    fails(
        &format!("{}:({})", "x".repeat(100), many(100)),
        "at most 8192 bytes when each term names its field at byte 302, found 10299 bytes",
    );
}

fn row() -> String {
    json!({
        "id": "0193f5a1-7c00-7000-8000-000000000001",
        "timestamp": "2025-11-20T23:47:16.500Z",
        "received_at": "2025-11-20T23:47:17Z",
        "service": "Api-gateway",
        "level": "WARN",
        "message": "Payment FAILED: timeout after 30s, req-ba7725a3-d454",
        "source_type": "http",
        "status": 404,
        "duration_ms": 1500.0,
        "tags": ["blue", "Green light"],
        "metadata": {
            "http": {"status": "0503", "ok": false},
            "items": [{"sku": "A-1", "n": 3}, {"sku": "B-2", "n": [7, []]}],
            "nothing": null, "nil": [null], "none": {}, "order": 9_007_199_254_740_993_u64,
            "version": "1.10", "nan": "NaN", "path": "/a/b", "a.b": "flat", "name": "ÉMILE \u{212a}",
        },
    })
    .to_string()
}

#[test]
fn every_value_of_a_row_is_seen_under_its_path() {
    let mut seen = Vec::new();
    let line = r#"{"a":"x\n\u00e9","b":{"c":[1,-2.50,1e20,[true,[]],{"d":null}],"e":{},"":"y"},"":18446744073709551615}"#;
    leaves(line.as_bytes(), &mut |path, kind, value| seen.push(format!("{path} {kind:?} {value}"))).unwrap();
    assert_eq!(
        seen,
        [
            "a Text x\né",
            "b.c Number 1",
            "b.c Number -2.5",
            "b.c Number 1e+20",
            "b.c Raw true",
            "b.c Raw []",
            "b.c.d Raw null",
            "b.e Raw {}",
            "b. Text y",
            " Number 18446744073709551615"
        ]
    );
    leaves(b"{}", &mut |_, _, _| panic!("nothing is in it")).unwrap();
    for bad in ["", "1", "[]", "[1]", "\"x\"", "null", "{", "{\"a\":1}x", "{\"a\":}", "{\"a\":1e999}"] {
        assert!(leaves(bad.as_bytes(), &mut |_, _, _| {}).is_err(), "{bad}");
        assert!(parse("a").unwrap().matches_row(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn numbers_are_given_as_they_are_stored() {
    for number in ["0", "-1", "1.5", "1500.0", "1e-7", "1.7976931348623157e308", "0.1", "-0.0"] {
        let stored = serde_json::from_str::<Value>(number).unwrap().to_string();
        let line = format!("{{\"a\":{stored}}}");
        leaves(line.as_bytes(), &mut |_, kind, value| {
            assert_eq!((kind, value), (Kind::Number, stored.as_str()));
        })
        .unwrap();
    }
}

/// Whether the row is found, by `matches_row` and by `holds` alike.
fn find(cases: &[(&str, bool)]) {
    let row = row();
    for (text, expected) in cases {
        let expr = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(expr.matches_row(row.as_bytes()), Ok(*expected), "{text}");
        let decided = expr.decide(&mut |found| {
            let mut held = false;
            leaves(row.as_bytes(), &mut |name, kind, value| held |= found.holds(name, kind, value)).unwrap();
            Some(held)
        });
        assert_eq!(decided, Some(*expected), "{text}");
    }
}

#[test]
fn a_row_is_found_by_the_terms_in_it() {
    find(&[
        ("", true),
        ("NOT *", false),
        ("timeout", true),
        ("out", false),
        ("TIMEOUT failed", true),
        ("\"failed: timeout\"", true),
        ("\"failed timeout\"", false),
        ("ba7725a3", true),
        ("req-ba7725a3-d454", true),
        ("-ba7725a3", false),
        ("\"-ba7725a3\"", true),
        (",", true),
        ("green", true),
        ("404", true),
        ("false", true),
        ("warn", true),
        ("émile", true),
        ("2025-11-20", false),
        ("0193f5a1", false),
        ("nosuch OR payment", true),
        ("payment -nosuch", true),
        ("NOT (payment nosuch)", true),
        ("pay*", true),
        ("*ment", true),
        ("pay*failed", false),
        ("req-*-d4??", true),
        ("ay*", false),
        ("gate*", true),
        ("/FAILED: .* 30s/", true),
        ("/failed:/", false),
        ("/failed:/i", true),
    ]);
}

#[test]
fn a_row_is_found_by_its_fields() {
    find(&[
        ("service:api", false),
        ("service:api-gateway", true),
        ("service:API*", true),
        ("service:*gate*", true),
        ("service:gate*", false),
        ("service:=Api-gateway", true),
        ("service:=api-gateway", false),
        ("service:/^Api/", true),
        ("message:timeout", true),
        ("message:out", false),
        ("message:api", false),
        ("message:=timeout", false),
        ("message:time*", true),
    ]);
}

#[test]
fn a_row_is_found_by_levels_numbers_and_times() {
    find(&[
        ("level:warning", true),
        ("level:error", false),
        ("level:>=warn", true),
        ("level:>warn", false),
        ("level:<critical", true),
        ("level:[info TO error]", true),
        ("level:{warn TO error]", false),
        ("status:404", true),
        ("status:404.0", true),
        ("status:4.04e2", true),
        ("status:4*", true),
        ("status:>=404", true),
        ("status:>404", false),
        ("status:[400 TO 500}", true),
        ("status:(404 OR 500)", true),
        ("status:(NOT 404)", false),
        ("duration_ms:1500", true),
        ("duration_ms:=1500", true),
        ("duration_ms:>1499.5", true),
        ("timestamp:>=\"2025-11-20T23:47:16Z\"", true),
        ("timestamp:>\"2025-11-20T23:47:16.5Z\"", false),
        ("timestamp:\"2025-11-21T00:47:16.5+01:00\"", true),
        ("timestamp:[1763682436 TO 1763682437]", true),
        ("timestamp:2025*", true),
        ("received_at:<1763682437", false),
        ("id:0193f5a1-7c00-7000-8000-000000000001", true),
        ("service:>a", true),
        ("service:>B", false),
        ("service:[api TO apj]", true),
    ]);
}

#[test]
fn a_row_is_found_by_its_metadata_and_lists() {
    find(&[
        ("http.status:503", false),
        ("http.status:0503", true),
        ("http.status:>502", true),
        ("http.status:abc", false),
        ("metadata.http.status:0503", true),
        ("http:*", false),
        ("http.ok:false", true),
        ("http.ok:FALSE", true),
        ("http.ok:<x", false),
        ("version:1.1", false),
        ("version:1.10", true),
        ("order:9007199254740993", true),
        ("order:9007199254740992", false),
        ("nan:>0", false),
        ("nan:<0", false),
        ("nan:nan", true),
        ("tags:blue", true),
        ("tags:green", false),
        ("tags:\"green light\"", true),
        ("tags:(blue \"green light\")", true),
        ("tags:(NOT blue)", false),
        ("items.sku:b-2", true),
        ("items.n:7", true),
        ("items.n:[4 TO 6]", false),
        ("nothing:*", false),
        ("nothing:null", true),
        ("nil:*", false),
        ("none:*", true),
        ("nosuch:*", false),
        ("user_id:*", false),
        ("service:*", true),
        ("a.b:flat", true),
        ("path:x", false),
        ("metadata.path:\"/a/b\"", true),
        ("metadata.path:/^.a/", true),
        ("metadata.name:\"émile k\"", true),
        ("metadata.name:é*", true),
    ]);
}

#[test]
fn a_term_without_a_field_looks_everywhere_but_in_ids_and_times() {
    let found = Match { field: Field::Any, test: Test::Words("x".into()) };
    for name in NOT_SEARCHED {
        assert!(!found.holds(name, Kind::Text, "x"), "{name}");
    }
    for name in ["level", "message", "metadata.id", "metadata.timestamp"] {
        assert!(found.holds(name, Kind::Text, "x"), "{name}");
    }
}

#[test]
fn what_can_be_told_without_a_row() {
    let expr = parse("a (service:b OR NOT level:error) -http.status:5*").unwrap();
    let fields = expr.fields();
    assert!(fields.any);
    assert_eq!(fields.named.into_iter().collect::<Vec<_>>(), ["level", "metadata.http.status", "service"]);
    assert_eq!(Expr::All.fields(), Fields::default());

    let may = |text: &str, possible: &[&str]| {
        parse(text).unwrap().might_match(&mut |found| possible.contains(&found.to_string().as_str()))
    };
    assert!(may("", &[]) && may("NOT a", &["a"]) && may("NOT a", &[]) && may("a OR NOT b", &[]));
    assert!(may("a b", &["a", "b"]) && !may("a b", &["a"]));
    assert!(may("a OR b", &["b"]) && !may("a OR b", &["c"]) && !may("a NOT b", &["b"]));

    let decide = |text: &str| {
        parse(text).unwrap().decide(&mut |found| match found.to_string().as_str() {
            "yes" => Some(true),
            "no" => Some(false),
            _ => None,
        })
    };
    for (text, expected) in [
        ("", Some(true)),
        ("yes", Some(true)),
        ("maybe", None),
        ("NOT yes", Some(false)),
        ("NOT maybe", None),
        ("yes maybe", None),
        ("maybe no", Some(false)),
        ("yes yes", Some(true)),
        ("maybe OR yes", Some(true)),
        ("maybe OR no", None),
        ("no OR no", Some(false)),
    ] {
        assert_eq!(decide(text), expected, "{text}");
    }
    assert_eq!(Expr::or(Vec::new()).decide(&mut |_| None), Some(false));
    assert_eq!(Expr::and(Vec::new()), Expr::All);
    assert_eq!(Expr::or(Vec::new()).to_string(), "NOT *");
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9]{1,8}",
        "[a-cA-C0-9 \"\\\\()\\[\\]{}:<>*?/=!&|.@_%+#-]{1,8}",
        ".{1,6}",
        prop::sample::select(vec![
            "AND", "OR", "NOT", "TO", "-5", "1e3", "null", "İ", "\u{307}", "ẞ", "*", "-", "i"
        ])
        .prop_map(str::to_owned),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "service",
            "level",
            "message",
            "stack_trace",
            "timestamp",
            "status",
            "http.status",
            "metadata.service",
            "id",
        ])
        .prop_map(str::to_owned),
        text().prop_filter("no field", |name| Field::named(name).is_ok()),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![text().prop_map(Piece::Text), Just(Piece::One), Just(Piece::Many)];
    prop::collection::vec(piece, 1..5).prop_filter("a word without a wildcard or a star", |pieces| {
        let has = |wanted: &Piece| pieces.contains(wanted);
        has(&Piece::One) || (has(&Piece::Many) && pieces.iter().any(|piece| *piece != Piece::Many))
    })
}

fn bound(field: Field) -> impl Strategy<Value = Bound> {
    let text = match field.name() {
        Some("level") => prop::sample::select(vec!["warn", "ERROR", "4"]).prop_map(str::to_owned).boxed(),
        Some("timestamp") => Just("2025-11-20T23:47:16Z".to_owned()).boxed(),
        _ => prop_oneof![text(), any::<f64>().prop_map(|number| number.to_string())].boxed(),
    };
    (text, 0..3).prop_map(move |(text, how)| match how {
        0 => Bound::Open,
        1 => Bound::Included(Operand::new(&field, &text).unwrap()),
        _ => Bound::Excluded(Operand::new(&field, &text).unwrap()),
    })
}

fn test_of(field: Field) -> BoxedStrategy<Test> {
    let folded = |text: String| words::fold(&text).into_owned();
    let is_text = field.is_text();
    let plain = match field.name() {
        Some("level") => Just(Test::Value("warn".into())).boxed(),
        Some("timestamp") => Just(Test::Exact("2025-11-20T23:47:16Z".into())).boxed(),
        _ if is_text => text().prop_map(move |text| Test::Words(folded(text))).boxed(),
        _ => prop_oneof![
            prop::option::of(text()).prop_map(move |text| Test::Value(folded(text.unwrap_or_default()))),
            prop::option::of(text()).prop_map(|text| Test::Exact(text.unwrap_or_default())),
        ]
        .boxed(),
    };
    let regex = (text(), any::<bool>()).prop_filter_map("no expression", |(source, is_insensitive)| {
        Pattern::new(&source, is_insensitive).ok().map(Test::Regex)
    });
    let wildcard = pieces().prop_map(|pieces| Test::Wildcard(Wildcard::new(pieces).unwrap()));
    if field == Field::Any {
        return prop_oneof![3 => plain, 2 => wildcard, 1 => regex].boxed();
    }
    let range = (bound(field.clone()), bound(field)).prop_map(|ends| match ends {
        (Bound::Open, Bound::Open) => Test::Exists,
        (low, high) => Test::Range { low, high },
    });
    prop_oneof![3 => plain, 2 => wildcard, 1 => regex, 2 => range].boxed()
}

fn expr() -> impl Strategy<Value = Expr> {
    let field = prop_oneof![Just(Field::Any), name().prop_map(|name| Field::named(&name).unwrap())];
    let found = field.prop_flat_map(|field| {
        test_of(field.clone()).prop_map(move |test| Match { field: field.clone(), test })
    });
    let leaf = prop_oneof![
        20 => found.prop_map(Expr::Match),
        1 => Just(Expr::All),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::and),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Expr::or),
            inner.prop_map(Expr::negated),
        ]
    })
}

fn regexes(expr: &Expr) -> usize {
    let mut sum = 0;
    expr.each_match(&mut |found| sum += usize::from(matches!(found.test, Test::Regex(_))));
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn what_is_printed_is_parsed_as_what_it_was(expr in expr()) {
        prop_assume!(regexes(&expr) <= MAX_REGEXES);
        let printed = expr.to_string();
        let parsed = parse(&printed);
        prop_assert_eq!(parsed.as_ref(), Ok(&expr), "{}", printed);
        prop_assert_eq!(parsed.unwrap().to_string(), printed);
    }

    #[test]
    fn what_parameters_ask_for_is_parsed_as_what_it_was(
        values in prop::collection::vec(
            (
                prop::sample::select(vec!["service", "user_id", "message", "stack_trace", "source_type", "metadata.a b"]),
                prop::collection::vec(text(), 1..4),
            ),
            0..4,
        ),
        levels in prop::collection::vec(prop::sample::select(Level::ALL.to_vec()), 0..3),
        expr in expr(),
    ) {
        prop_assume!(regexes(&expr) <= MAX_REGEXES);
        let fields = values.iter().map(|(field, values)| Filter::exactly(field, values.iter().map(String::as_str)));
        let mut exprs: Vec<Expr> = fields.collect();
        if !levels.is_empty() {
            exprs.push(Filter::levels(&levels));
        }
        exprs.push(expr);
        let expr = Expr::and(exprs);
        let printed = expr.to_string();
        prop_assert_eq!(parse(&printed), Ok(expr), "{}", printed);
    }

    #[test]
    fn no_text_panics_and_what_is_parsed_prints(
        text in prop_oneof![
            ".{0,40}",
            "[a-c \"\\\\()\\[\\]{}:<>*?/=!.-]{0,30}",
            prop::collection::vec(
                prop::sample::select(vec![
                    "a", "b*", "AND", "OR", "NOT", "TO", "-", "(", ")", " ", " ", " ", "level:", "service:", "message:",
                    "x:", "\"", "\\", "/", ">", ">=", "=", "[", "]", "{", "}", "*", "?", "warn", "5", "é", "İ",
                ]),
                0..16,
            )
            .prop_map(|parts| parts.concat()),
        ],
    ) {
        match parse(&text) {
            Ok(expr) => {
                let printed = expr.to_string();
                prop_assert_eq!(parse(&printed), Ok(expr.clone()), "{} printed as {}", text, printed);
                prop_assert!(expr.matches_row(row().as_bytes()).is_ok());
            }
            Err(error) => prop_assert!(error.at <= text.len() && text.is_char_boundary(error.at)),
        }
    }

    #[test]
    fn a_fold_is_final(c in any::<char>()) {
        let once = words::fold(c.encode_utf8(&mut [0; 4])).into_owned();
        prop_assert_eq!(words::fold(&once), once.as_str());
    }

    #[test]
    fn a_match_of_a_row_holds_for_one_of_its_values(expr in expr()) {
        let row = row();
        let known = expr.decide(&mut |found| {
            let mut held = false;
            leaves(row.as_bytes(), &mut |name, kind, value| held |= found.holds(name, kind, value)).unwrap();
            Some(held)
        });
        prop_assert_eq!(expr.matches_row(row.as_bytes()).ok(), known);
    }
}
