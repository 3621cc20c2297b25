use proptest::prelude::*;

use super::{super::Expr, *};

const NONE: &BTreeMap<String, String> = &BTreeMap::new();

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn pipeline(stages: &str) -> Pipeline {
    match super::super::parse(&format!("{{a=\"b\"}} {stages}")) {
        Ok(Expr::Log(log)) => Pipeline::new(&log).unwrap(),
        other => panic!("{stages}: {other:?}"),
    }
}

/// The labels and the line at the end; details of errors are left out.
fn run(stages: &str, stream: &[(&str, &str)], line: &str) -> Option<(BTreeMap<String, String>, String)> {
    let stream = map(stream);
    let entry = Entry { ts_ns: 1_715_760_000_123_456_789, stream: &stream, metadata: NONE, line, weight: 1 };
    let row = pipeline(stages).run(&entry)?;
    let mut labels = row.labels.to_map();
    labels.remove("__error_details__");
    Some((labels, row.line.into_owned()))
}

fn check(stages: &str, stream: &[(&str, &str)], line: &str, labels: &[(&str, &str)], out: &str) {
    assert_eq!(run(stages, stream, line), Some((map(labels), out.to_owned())), "{stages} on {line}");
}

fn labels(stages: &str, line: &str, labels: &[(&str, &str)]) {
    assert_eq!(run(stages, &[], line).map(|(labels, _)| labels), Some(map(labels)), "{stages} on {line}");
}

fn line(template: &str, stream: &[(&str, &str)], out: &str) {
    let stages = format!("| line_format {}", super::super::lex::quote(template));
    check(&stages, stream, "the line", stream, out);
}

fn passes(stages: &str, line: &str) -> bool {
    run(stages, &[], line).is_some()
}

#[test]
fn filters_lines_by_text_expression_pattern_and_address() {
    assert!(
        passes(r#"|= "b" != "x""#, "abc")
            && !passes(r#"|= "x" or "y""#, "abc")
            && passes(r#"|= "x" or "c""#, "abc")
    );
    // None of them may be in it.
    assert!(!passes(r#"!= "x" or "c""#, "abc") && passes(r#"!~ "x+" or "y+""#, "abc"));
    assert!(passes(r#"|~ "(?i)B.""#, "abc") && passes(r#"|= """#, ""));
    assert!(
        passes(r#"|> "a <_> c""#, "a b c")
            && !passes(r#"|> "a <_> c""#, "a b c d")
            && passes(r#"!> "b<_>""#, "a b")
    );
    assert!(
        passes(r#"|> "<_>b<_>""#, "abc") && !passes(r#"|> "<_>b<_>""#, "bc") && !passes(r#"|> "<_>b""#, "")
    );
    assert!(passes(r#"|= ip("10.0.0.0/8")"#, "from 10.2.3.4:80 to 8.8.8.8"));
    assert!(
        passes(r#"|= ip("10.0.0.1-10.0.0.9")"#, "<10.0.0.9>.")
            && !passes(r#"|= ip("10.0.0.1")"#, "10.0.0.11")
    );
    assert!(
        passes(r#"|= ip("2001:db8::/32")"#, "[2001:db8::7]:443")
            && passes(r#"!= ip("1.1.1.1")"#, "12:30 1.5")
    );
}

#[test]
fn json_names_each_value_after_its_keys() {
    labels(
        "| json",
        r#"{"a":"x\n\u00e9\ud83d\ude00","b":{"c d":1e5,"e":{"f":true}},"g":[1,{"h":2}],"i":null,"7":1.0}"#,
        &[("a", "x\né😀"), ("b_c_d", "1e5"), ("b_e_f", "true"), ("_7", "1.0")],
    );
    check(
        "| json",
        &[("a", "stream")],
        r#"{"a":"line"}"#,
        &[("a", "stream"), ("a_extracted", "line")],
        r#"{"a":"line"}"#,
    );
    for line in
        ["", "{", "[1]", "text", r#"{"a":1} x"#, r#"{"a":1,}"#, r#"{"a" 1}"#, r#"{"a":tru}"#, r#"{"a":-}"#]
    {
        let (labels, _) = run("| json | keep b", &[], line).unwrap();
        assert_eq!(labels, map(&[("__error__", "JSONParserErr")]), "{line}");
    }
}

#[test]
fn the_first_parser_that_reads_a_label_is_believed() {
    labels("| logfmt", "a=1 a=2", &[("a", "1")]);
    labels(
        r#"| json | line_format "{{.l}}" | logfmt"#,
        r#"{"a":"1","l":"a=2 b=3"}"#,
        &[("a", "1"), ("b", "3"), ("l", "a=2 b=3")],
    );
    check("| logfmt", &[("a", "s")], "a=1 a=2", &[("a", "s"), ("a_extracted", "1")], "a=1 a=2");
    // A label that has only been formatted is still read.
    labels(r#"| label_format a="x" | logfmt"#, "a=1", &[("a", "1")]);
    labels("| json", r#"{"__error__":"x","__error_details__":"y"}"#, &[]);
}

#[test]
fn a_line_of_too_many_labels_is_an_error() {
    let pairs: Vec<String> = (0..20_000).map(|n| format!("k{n}=1")).collect();
    let (labels, _) = run("| logfmt", &[], &pairs.join(" ")).unwrap();
    assert_eq!((labels["__error__"].as_str(), labels.len()), ("LabelLimitErr", 513));
}

#[test]
fn json_expressions_pick_values() {
    let line = r#"{"a":{"b c":[{"d":"x"},[7]]},"n":null,"a":1}"#;
    labels(
        r#"| json d="a[\"b c\"][0].d", e="a[\"b c\"][1][0]", o="a[\"b c\"][0]", n, z="a.q""#,
        line,
        &[("d", "x"), ("e", "7"), ("o", r#"{"d":"x"}"#), ("n", ""), ("z", "")],
    );
}

#[test]
fn deep_json_is_an_error_and_no_crash() {
    let deep = format!("{}1{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert_eq!(run("| json | keep b", &[], &deep).unwrap().0, map(&[("__error__", "JSONParserErr")]));
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(run("| json a | keep b", &[], &deep).unwrap().0, map(&[("__error__", "JSONParserErr")]));
}

#[test]
fn logfmt_reads_pairs_and_skips_what_is_none() {
    labels(
        "| logfmt",
        r#"a=1 b="x \"y\"" c= d e-f=2 =9 g="h"i j=k"#,
        &[("a", "1"), ("b", "x \"y\""), ("e_f", "2"), ("j", "k")],
    );
    labels("| logfmt --keep-empty", "a= b", &[("a", ""), ("b", "")]);
    labels("| logfmt --strict", "a=1 b==2", &[("a", "1"), ("__error__", "LogfmtParserErr")]);
    labels(r#"| logfmt x="a", b, q"#, "a=1 b=2 c=3", &[("x", "1"), ("b", "2"), ("q", "")]);
}

#[test]
fn regexp_and_pattern_read_what_they_name() {
    labels(r#"| regexp "(?P<m>\\w+) (?P<p>/\\S*)""#, "GET /x", &[("m", "GET"), ("p", "/x")]);
    labels(
        r#"| pattern "<ip> - <_> [<at>] <rest>""#,
        "1.2.3.4 - bob [now] x y",
        &[("ip", "1.2.3.4"), ("at", "now"), ("rest", "x y")],
    );
    labels(r#"| pattern "x <a>""#, "y z", &[]);
    // A literal that is missing ends the captures with the rest of the line.
    labels(r#"| pattern "<a>, <b>""#, "x y", &[("a", "x y")]);
}

#[test]
fn unpack_takes_the_line_out() {
    check(
        "| unpack",
        &[("a", "s")],
        r#"{"_entry":"x","a":"1","n":2,"c":"3"}"#,
        &[("a", "s"), ("a_extracted", "1"), ("c", "3")],
        "x",
    );
    check("| unpack", &[], r#"{"a":"1"}"#, &[], r#"{"a":"1"}"#);
    labels("| unpack", "x", &[("__error__", "JSONParserErr")]);
}

#[test]
fn filters_labels_by_what_their_values_are() {
    let json = r#"{"n":5,"d":"1.5s","b":"2KB","ip":"10.1.1.1","s":"x"}"#;
    for filter in [
        "n>4",
        "n==5",
        "d>=1500ms",
        "d<1h",
        "b>1KiB",
        "b!=1KB",
        r#"ip=ip("10.0.0.0/8")"#,
        r#"s=~"x|y""#,
        r#"q="""#,
    ] {
        assert!(passes(&format!("| json | {filter}"), json), "{filter}");
    }
    for filter in ["n>5", "q>0", "d>2s", r#"s!="x""#, r#"ip!=ip("10.1.1.1")"#, "n>4 and d>2s", "n>5 or b>3KB"]
    {
        assert!(!passes(&format!("| json | {filter}"), json), "{filter}");
    }
    assert!(passes("| json | n>9 or d>1s, b>1KB", json));
    // A value that is no number does not decide, an error stays until it is filtered.
    let (found, _) = run("| json | s>1 | keep q", &[], json).unwrap();
    assert_eq!(found, map(&[("__error__", "LabelFilterErr")]));
    assert!(!passes(r#"| json | s>1 | __error__="""#, json) && !passes(r#"| json | __error__="""#, "text"));
    assert!(passes(r#"| json | __error__="JSONParserErr""#, "text"));
}

#[test]
fn labels_are_kept_dropped_and_renamed() {
    let stream = [("a", "1"), ("b", "2"), ("c", "3")];
    check(r#"| keep a, b="9""#, &stream, "", &[("a", "1")], "");
    check(r#"| drop a, b=~"2|3", c!="3""#, &stream, "", &[("c", "3")], "");
    check("| json | drop __error__, __error_details__", &[], "x", &[], "x");
    check(
        r#"| label_format d=a, b="{{.b}}{{.c}}", e=zz"#,
        &stream,
        "",
        &[("b", "23"), ("c", "3"), ("d", "1")],
        "",
    );
}

#[test]
fn colours_are_taken_out() {
    check("| decolorize", &[], "\u{1b}[31mred\u{1b}[0m and \u{1b}[1;42mgreen", &[], "red and green");
}

#[test]
fn a_label_of_the_stream_keeps_its_name_before_metadata_of_that_name() {
    let (stream, metadata) = (map(&[("a", "s"), ("b", "s")]), map(&[("a", "m")]));
    let entry = Entry { ts_ns: 0, stream: &stream, metadata: &metadata, line: "a=l c=l", weight: 1 };
    let row = pipeline("| logfmt").run(&entry).unwrap();
    let mut found: Vec<_> = row.labels.iter().collect();
    found.sort_by_key(|label| label.0);
    let wanted = [
        ("a", "s", Source::Stream),
        ("a_extracted", "l", Source::Parsed),
        ("b", "s", Source::Stream),
        ("c", "l", Source::Parsed),
    ];
    assert_eq!(found, wanted);
}

#[test]
fn templates_write_texts_labels_and_conditions() {
    let stream = [("a", "Foo bar"), ("n", "7"), ("e", "")];
    for (template, out) in [
        ("plain", "plain"),
        ("{{.a}} {{ .missing }}|{{__line__}}", "Foo bar |the line"),
        ("x {{- .n -}} y", "x7y"),
        ("{{/* why */}}{{ .n }}", "7"),
        ("{{if .e}}1{{else if eq .n \"7\"}}2{{else}}3{{end}}", "2"),
        ("{{if and .a (not .e)}}yes{{end}}", "yes"),
        ("{{if gt (int .n) 5}}big{{else}}small{{end}}", "big"),
        ("{{.a | lower | replace \"o\" \"0\" | printf \"%-10s|\"}}", "f00 bar   |"),
        ("{{ Replace .a \"o\" \"0\" 1 }}{{ ToUpper .a }}{{ title \"ab cd\" }}", "F0o barFOO BARAb Cd"),
        ("{{trunc 3 .a}}{{trunc -3 .a}}{{substr 1 3 .a}}", "Foobaroo"),
        ("{{ trimPrefix \"Foo \" .a }}{{ TrimSuffix .a \" bar\" }}{{ TrimLeft .a \"oF\" }}", "barFoo bar"),
        ("{{ regexReplaceAll \"(o+) (b)\" .a \"$2-$1\" }}", "Fb-ooar"),
        ("{{ regexReplaceAllLiteral \"o+\" .a \"$1\" }}{{ count \"o\" .a }}", "F$1 bar2"),
        ("{{ default \"none\" .e }}{{ .e | default \"no\" }}{{ default \"x\" .n }}", "noneno7"),
        ("{{ add 1 .n 2 }} {{ sub 1 3 }} {{ mul 2 3 }} {{ div 7 2 }} {{ mod .n 4 }}", "10 -2 6 3 3"),
        (
            "{{ addf 1.5 2 }} {{ divf 1 4 }} {{ round 3.14159 2 }} {{ ceil 1.2 }} {{ float64 \"2.50\" }}",
            "3.5 0.25 3.14 2 2.5",
        ),
        ("{{ max 1 .n 3 }}{{ minf 1.5 2 }}{{ len .a }}", "71.57"),
        ("{{ printf \"%05d %x %.2f %q %v%%\" 42 255 1.5 .n true }}", "00042 ff 1.50 \"7\" true%"),
        ("{{ printf \"%d %s\" .n }}", "%!d(string=7) %!s(MISSING)"),
        (
            "{{ b64enc .a }} {{ b64dec \"Rm9v\" }} {{ urlencode \"a b/ä\" }} {{ urldecode \"a+b%2F\" }}",
            "Rm9vIGJhcg== Foo a+b%2F%C3%A4 a b/",
        ),
        ("{{ bytes \"2KB\" }} {{ duration \"1m30s\" }}", "2000 90"),
        (
            "{{ repeat 3 \"ab\" }}{{ indent 2 \"x\" }}{{ alignLeft 3 .a }}{{ alignRight 4 .n }}",
            "ababab  xFoo   7",
        ),
        ("{{ __timestamp__ | date \"2006-01-02T15:04:05.000Z07:00\" }}", "2024-05-15T08:00:00.123Z"),
        ("{{ __timestamp__ | date \"Mon Jan _2 3:04PM 06 002\" }}", "Wed May 15 8:00AM 24 136"),
        ("{{ unixEpoch __timestamp__ }} {{ __timestamp__ | unixEpochMillis }}", "1715760000 1715760000123"),
        ("{{ unixToTime \"1715760000\" | date \"2006-01-02\" }}", "2024-05-15"),
        ("{{__timestamp__}}", "2024-05-15 08:00:00.123456789 +0000 UTC"),
        ("{{ \"}}\" }}{{ `{{` }}", "}}{{"),
    ] {
        line(template, &stream, out);
    }
}

#[test]
fn templates_that_fail_leave_the_line_and_say_so() {
    for template in [
        "{{div 1 .zero}}",
        "{{.a Replace \"x\"}}",
        "{{ b64dec \"?\" }}",
        "{{ duration \"x\" }}",
        "{{ repeat 999999999 \"x\" }}",
    ] {
        let stages = format!("| line_format `{template}`");
        check(&stages, &[("a", "1")], "kept", &[("a", "1"), ("__error__", "TemplateFormatErr")], "kept");
    }
    // Each replacement doubles the text: it ends at the limit.
    let doubling = format!("| line_format `{{{{ .a {} }}}}`", "| replace \"a\" \"aa\" ".repeat(64));
    assert_eq!(run(&doubling, &[("a", "a")], "kept").unwrap().0["__error__"], "TemplateFormatErr");
}

#[test]
fn no_function_makes_or_holds_more_than_a_few_lines() {
    let long = "(repeat 200000 \"x\")";
    for template in [
        format!("{{{{regexReplaceAll \"(?s)(.*)\" {long} \"{}\"}}}}", "$0$1".repeat(5_000)),
        format!("{{{{print {}}}}}", format!("{long} ").repeat(100)),
        format!("{{{{{long} | printf \"%s\" {}}}}}", format!("{long} ").repeat(2)),
    ] {
        let stages = format!("| line_format `{template}`");
        let (labels, _) = run(&stages, &[], "kept").unwrap();
        assert_eq!(labels["__error__"], "TemplateFormatErr", "{template}");
    }
    line("{{regexReplaceAll \"(a)(b)\" \"ab\" \"$2$1$$1${1}$\"}}", &[], "ba$1a$");
    // As long as it may be, and each of its characters is one of the last that are cut off.
    let trims = "{{len (trimAll (print (repeat 200000 \"a\") \"x\") (repeat 200000 \"x\"))}}";
    line(trims, &[], "0");
}

#[test]
fn templates_refuse_what_they_do_not_know() {
    for template in [
        "{{",
        "{{}}",
        "{{.a",
        "{{end}}",
        "{{else}}",
        "{{if .a}}",
        "{{if}}x{{end}}",
        "{{range .a}}{{end}}",
        "{{$x}}",
        "{{.}}",
        "{{.a.b}}",
        "{{nosuch .a}}",
        "{{.a | .b}}",
        "{{now}}",
        "{{fromJson .a}}",
        "{{(.a}}",
        "{{\"x}}",
        "{{regexReplaceAll .a .b .c}}",
        "{{regexReplaceAll \"(\" .b .c}}",
        "{{trunc .a}}",
        "{{/* x }}",
        "{{with .a}}{{end}}",
        "{{if .a}}{{else}}{{else}}{{end}}x",
    ] {
        let known = template::Template::parse(template, &mut 9).is_ok();
        // An empty `else` cannot be told from none.
        assert!(!known || template.contains("{{else}}{{else}}"), "{template}");
    }
    assert!(template::Template::parse(&"{{if .a}}".repeat(50_000), &mut 9).is_err());
    assert!(template::Template::parse(&format!("{{{{{}", "(".repeat(50_000)), &mut 9).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_line_panics(line in "[ -~é\u{1b}\\PC]{0,60}", words in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "\"a\"", ":", ",", "[", "]", "1", "null", "=", " ", "\\", "\"", "\\u12", "<", ">", "1.2.3.4", "\u{1b}[",
    ]), 0..20)) {
        let stages = "| json | json x=\"a.b[0]\" | logfmt --strict | logfmt a | unpack | decolorize \
            | regexp \"(?P<r>\\\\w+)\" | pattern \"<p> <q>=\" | n > 1 | t > 1s | b > 1KB | r = ip(\"10.0.0.0/8\") \
            | line_format `{{ __line__ | trunc 9 | title | urlencode | b64enc }}{{ printf .r .p 1 }}{{ date .p __timestamp__ }}`";
        let _ = run(stages, &[], &line);
        let _ = run(stages, &[], &words.concat());
    }

    #[test]
    fn no_template_panics(words in prop::collection::vec(prop::sample::select(vec![
        "{{", "}}", "-}}", "{{- ", " ", ".a", "|", "(", ")", "\"x\"", "`", "1", "-2.5", "if", "else", "end", "printf", "trunc",
        "add", "date", "__line__", "/*", "*/", "é", "%", "$", "div", "substr",
    ]), 0..20), line in "\\PC{0,10}") {
        if let Ok(template) = template::Template::parse(&words.concat(), &mut 9) {
            let stream = map(&[("a", "3é")]);
            let entry = Entry { ts_ns: i64::MIN, stream: &stream, metadata: NONE, line: &line, weight: 1 };
            let _ = template.render(&Row::new(&entry, None));
        }
    }

    #[test]
    fn json_that_is_valid_is_read(text in "\\PC{0,20}", number in any::<f64>()) {
        prop_assume!(number.is_finite());
        let value = serde_json::json!({"t": text, "n": number, "o": {"x": [text, number], "t": text}});
        let (labels, _) = run("| json", &[], &value.to_string()).unwrap();
        prop_assert_eq!(&labels["t"], &text);
        prop_assert_eq!(&labels["o_t"], &text);
        prop_assert_eq!(labels["n"].parse::<f64>(), Ok(number));
        prop_assert!(!labels.contains_key("__error__"));
    }
}
