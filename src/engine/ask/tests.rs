use chrono::DateTime;
use proptest::prelude::*;

use super::*;

/// Friday, 2026-11-20, 12:00.
const NOW: i64 = 1_795_176_000_000;

fn with_known<T>(run: impl Fn(&Known<'_>) -> T) -> T {
    let services = [
        "checkout",
        "payment-service",
        "auth",
        "api-gateway",
        "worker",
        "user-service",
        "inventory",
        "email.sender",
    ]
    .map(str::to_owned);
    let environments = ["production", "staging", "dev"].map(str::to_owned);
    let categories = ["authentication", "security", "billing", "database", "api_request", "performance"];
    run(&Known { services: &services, environments: &environments, categories: &categories })
}

fn asked(question: &str) -> Result<Asked, Unclear> {
    with_known(|known| ask(question, known, NOW))
}

fn shown(time: Option<i64>) -> String {
    let Some(time) = time else { return "-".to_owned() };
    let text = DateTime::from_timestamp_millis(time).unwrap().format("%Y-%m-%d %H:%M:%S%.3f").to_string();
    text.strip_prefix("2026-").unwrap_or(&text).trim_end_matches(":00.000").to_owned()
}

/// A question, its query, the times with the first millisecond behind them, and what else is wanted.
fn check(question: &str, query: &str, times: &str, more: &str) {
    let asked = asked(question).unwrap_or_else(|error| panic!("{question}: {error}"));
    let end = asked.end_ms.map(|end| end + 1);
    let found = if asked.start_ms.is_none() && end.is_none() {
        String::new()
    } else {
        format!("{} .. {}", shown(asked.start_ms), shown(end))
    };
    let mut rest = Vec::new();
    if asked.wants != Wants::Logs {
        rest.push(format!("{:?}", asked.wants).replace('"', ""));
    }
    if asked.sort_oldest_first {
        rest.push("oldest first".to_owned());
    }
    if let Some(limit) = asked.limit {
        rest.push(format!("limit {limit}"));
    }
    if !asked.ignored.is_empty() {
        rest.push(format!("ignored {}", asked.ignored.join(", ")));
    }
    assert_eq!(
        (asked.query.as_str(), found.as_str(), rest.join("; ").as_str()),
        (query, times, more),
        "{question}"
    );
}

#[test]
fn a_question_becomes_a_search() {
    for (question, query, times, more) in CASES {
        check(question, query, times, more);
    }
}

#[test]
fn a_question_that_says_nothing_is_unclear() {
    for question in [
        "",
        "   ",
        "hello",
        "why?",
        "please",
        "???",
        "\"\"",
        "not",
        "AND OR NOT",
        "🎉",
        "tomorrow",
        "and the",
    ] {
        let error = asked(question).unwrap_err();
        assert!(!error.message.is_empty() && !error.hint.is_empty(), "{question}");
    }
    assert!(asked(&"x".repeat(MAX_QUESTION + 1)).is_err());
    assert!(asked("errors but no errors").is_err());
    assert!(with_known(|known| ask("errors", known, i64::MAX)).is_err());
    assert!(with_known(|known| ask("errors", known, i64::MIN)).is_err());
}

#[test]
fn it_tells_what_each_part_was_taken_for() {
    let parts = |question| {
        let parts = asked(question).unwrap().understood;
        parts.into_iter().map(|part| format!("{} = {}", part.words, part.meaning)).collect::<Vec<_>>()
    };
    assert_eq!(
        parts("how many Errors in the Payment Service yesterday, but not about refunds?"),
        [
            "how many = how many",
            "Errors = level:>=error",
            "in the Payment Service = service:payment-service",
            "yesterday = from 2026-11-19T00:00:00Z until 2026-11-20T00:00:00Z",
            "refunds = -(refund OR refunds)",
        ]
    );
    assert_eq!(
        parts("latest 20 logs since 9am"),
        ["latest 20 = the newest first, at most 20", "since 9am = since 2026-11-20T09:00:00Z",]
    );
}

#[test]
fn without_known_names_they_are_words() {
    let asked = |question| ask(question, &Known::default(), NOW).unwrap().query;
    assert_eq!(asked("errors in checkout"), "level:>=error checkout");
    assert_eq!(asked("errors in prod"), "level:>=error environment:(production OR prod)");
    assert_eq!(asked("service checkout-2"), "service:checkout-2");
    assert_eq!(asked("category billing"), "category:billing");
}

#[test]
fn names_that_are_hostile_stay_names() {
    let services = ["a b\" OR level:debug", "AND", "x)"].map(str::to_owned);
    let known = Known { services: &services, environments: &services, categories: &["NOT"] };
    let asked = |question| ask(question, &known, NOW).unwrap().query;
    assert_eq!(asked("errors in service and"), r#"level:>=error service:"AND""#);
    assert_eq!(asked("errors in x"), r#"level:>=error service:"x)""#);
    assert_eq!(asked("category not"), r#"category:"NOT""#);
}

#[test]
fn a_value_is_data_whatever_it_holds() {
    for (question, query) in [
        (r#"user "a\" OR level:debug""#, r#"user_id:"a\\" OR level:debug"#),
        (r"user = AND", r#"user_id:"AND""#),
        (r"containing (a OR b)", "a OR b"),
        (r#"containing "(a OR b)""#, r#""(a OR b)""#),
        (r#"containing "x AND service:secret""#, r#""x AND service:secret""#),
        (r#""NOT""#, r#""NOT""#),
        (r#""*""#, r#""*""#),
        (r#""/a(/""#, r#""/a(/""#),
        (r#"endpoint starting with "/a*b?""#, r"endpoint:\/a\*b\?*"),
        (r#"host = "a:b[1 TO 2]""#, r#"host:"a:b[1 TO 2]""#),
        (r#""my field)" = "[1 TO *]""#, r#""my field)":"[1 TO *]""#),
        (r"severity = loud", r"loud"),
        (r"tag = <script>", r"tag script"),
        (r#"user `x" y`"#, r#"user_id:"x\" y""#),
    ] {
        assert_eq!(asked(question).unwrap().query, query, "{question}");
    }
}

/// The texts in quotes of a query, read by the rules of docs/search.md, and what stands outside of them.
fn taken_apart(query: &str) -> (Vec<String>, String) {
    let (mut texts, mut outside) = (Vec::new(), String::new());
    let mut chars = query.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            assert!(chars.next().is_some_and(|c| !c.is_alphanumeric()), "{query}");
            outside.push('_');
            continue;
        }
        if c != '"' {
            outside.push(c);
            continue;
        }
        let mut text = String::new();
        loop {
            match chars.next() {
                None => panic!("not closed: {query}"),
                Some('"') => break,
                Some('\\') => text.push(chars.next().unwrap()),
                Some(c) => text.push(c),
            }
        }
        texts.push(text);
        outside.push('"');
    }
    (texts, outside)
}

/// What every query keeps to, besides being read by the parser of the language.
fn check_form(query: &str) {
    let (_, outside) = taken_apart(query);
    let mut depth = 0_i32;
    for c in outside.chars() {
        depth += i32::from(c == '(') - i32::from(c == ')');
        assert!(depth >= 0, "{query}");
    }
    assert_eq!(depth, 0, "{query}");
    assert!(!outside.contains("--") || outside.contains(|c: char| c.is_alphanumeric()), "{query}");
    assert!(!query.is_empty() && query.len() < 8192, "{query}");
}

const WORDS: &[&str] = &[
    "errors",
    "warnings",
    "not",
    "no",
    "or",
    "and",
    "AND",
    "OR",
    "NOT",
    "in",
    "checkout",
    "payment",
    "service",
    "from",
    "between",
    "2",
    "3 pm",
    "since",
    "until",
    "yesterday",
    "monday",
    "last",
    "week",
    "the",
    "about",
    "containing",
    "\"",
    "\"a b\"",
    "\\",
    "(",
    ")",
    ":",
    "=",
    ">",
    "<=",
    "user",
    "4711",
    "trace",
    "id",
    "u-12",
    "status",
    "500",
    "5xx",
    "endpoint",
    "/api/*",
    "*",
    "-",
    "failed",
    "payments",
    "how many",
    "by",
    "top",
    "slowest",
    "first",
    "latest",
    "20",
    "duration",
    "over",
    "under",
    "500ms",
    "took",
    "exceptions",
    "a b) OR (c",
    "level:",
    "x:y",
    "a.b=c",
    "is",
    "true",
    "with",
    "without",
    "starting with",
    "'",
    "it's",
    "except for",
    "prod",
    "message",
    "contains",
    "📦",
    "İ",
    ",",
    "?",
    "“",
    "”",
    "metadata",
    "timestamp",
    "around",
    "ago",
    "minutes",
    "an hour",
    "2026-11-20",
    "20.11.",
    "half",
    "9999999999",
    "25:61",
    "debug",
    "only",
    "worse than",
    "or worse",
    "category",
    "null",
    "\u{0}",
];

proptest! {
    #[test]
    fn no_text_breaks_it(question in ".{0,300}") {
        if let Ok(asked) = asked(&question) {
            check_form(&asked.query);
        }
    }

    #[test]
    fn no_order_of_words_breaks_it(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..40), glue in " ?") {
        if let Ok(asked) = asked(&words.join(&glue)) {
            check_form(&asked.query);
            prop_assert!(asked.limit.is_none_or(|limit| (1..=1000).contains(&limit)));
        }
    }

    #[test]
    fn what_is_in_quotes_is_one_value(text in "[^\"]{0,60}") {
        prop_assume!(!text.trim().is_empty());
        for (before, after) in [("logs containing ", ""), ("user ", " "), ("host = ", ""), ("not ", "")] {
            let query = asked(&format!("{before}\"{text}\"{after}")).unwrap().query;
            let (texts, outside) = taken_apart(&query);
            let outside = outside.trim_start_matches('-');
            let (name, value) = outside.split_once(':').unwrap_or(("", outside));
            let value = texts.first().map_or(value, String::as_str);
            let text = if name == "user_id" || name == "host" { text.strip_prefix('#').filter(|rest| !rest.is_empty()).unwrap_or(&text) } else { &text };
            prop_assert_eq!(value, text, "{}", &query);
            prop_assert!(texts.len() <= 1 && matches!(name, "" | "user_id" | "host"), "{}", &query);
        }
    }

    #[test]
    fn a_time_is_within_reason_at_any_moment(now in 0..4_000_000_000_000_i64, words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..8)) {
        for question in ["errors yesterday between 2 and 3 pm", "since last tuesday", "between 22:00 and 02:00", "at 14:05", "this week", "on february 29", "last month", "on the 31st"] {
            let asked = ask(&format!("{question} {}", words.join(" ")), &Known::default(), now);
            if words.is_empty() {
                let asked = asked.unwrap();
                prop_assert!(asked.start_ms.is_none_or(|start| start <= now), "{question}");
                prop_assert!(asked.end_ms.is_none_or(|end| asked.start_ms.is_some_and(|start| start < end)), "{question}");
            }
        }
    }
}

/// Questions as people ask them, by kind of asker more than by kind of word.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("errors", "level:>=error", "", ""),
    ("show me all errors from yesterday", "level:>=error", "11-19 00:00 .. 11-20 00:00", ""),
    (
        "errors in checkout yesterday between 2 and 3 pm",
        "level:>=error service:checkout",
        "11-19 14:00 .. 11-19 15:00",
        "",
    ),
    ("warnings in the last 15 minutes", "level:warn", "11-20 11:45 .. -", ""),
    ("errors and warnings in checkout since 9am", "level:>=warn service:checkout", "11-20 09:00 .. -", ""),
    (
        "critical errors in the payment service last night",
        "level:critical service:payment-service",
        "11-19 20:00 .. 11-20 06:00",
        "",
    ),
    ("any eror in payments today?", "level:>=error service:payment-service", "11-20 00:00 .. -", ""),
    ("warnigns from auth this morning", "level:warn service:auth", "11-20 06:00 .. 11-20 12:00", ""),
    ("what went wrong in checkout in the last hour", "level:>=warn service:checkout", "11-20 11:00 .. -", ""),
    ("failed logins by user 4711", "fail* (login OR logins) user_id:4711", "", ""),
    ("failures in checkout", "level:>=error service:checkout", "", ""),
    ("failed requests since noon", "level:>=error OR status:>=500", "11-20 12:00 .. -", ""),
    (
        "payment failures in checkout last week",
        "payment fail* service:checkout",
        "11-09 00:00 .. 11-16 00:00",
        "",
    ),
    (
        "exceptions in the api gateway past 2 days",
        "(error_type:* OR stack_trace:* OR exception OR exceptions) service:api-gateway",
        "11-18 12:00 .. -",
        "",
    ),
    ("crashes on Monday", "level:critical OR crash*", "11-16 00:00 .. 11-17 00:00", ""),
    ("everything worse than info on 2026-11-20", "level:>=warn", "11-20 00:00 .. -", ""),
    ("at least warnings on November 3", "level:>=warn", "11-03 00:00 .. 11-04 00:00", ""),
    ("no debug from worker", "-level:debug service:worker", "", ""),
    ("errors except for auth", "level:>=error -service:auth", "", ""),
    ("errors not in auth or checkout", "level:>=error -service:(auth OR checkout)", "", ""),
    ("everything but debug in the last hour", "-level:debug", "11-20 11:00 .. -", ""),
    ("logs containing \"connection reset\"", "\"connection reset\"", "", ""),
    ("logs about timeouts from checkout", "(timeout OR timeouts) service:checkout", "", ""),
    ("timeouts", "timeout OR timeouts", "", ""),
    (
        "timeouts in checkout or payments today",
        "(timeout OR timeouts) service:(checkout OR payment-service)",
        "11-20 00:00 .. -",
        "",
    ),
    (
        "logs saying connection reset by peer since yesterday",
        "\"connection reset by peer\"",
        "11-19 00:00 .. -",
        "",
    ),
    ("errors mentioning refunds in billing", "level:>=error (refund OR refunds) billing", "", ""),
    ("logs without \"health check\"", "-\"health check\"", "", ""),
    ("not containing health since 9am", "-health", "11-20 09:00 .. -", ""),
    ("requests slower than 2 seconds", "duration_ms:>2000", "", ""),
    ("requests that took more than 500ms in api-gateway", "duration_ms:>500 service:api-gateway", "", ""),
    ("queries longer than a minute", "(query OR queries) duration_ms:>60000", "", ""),
    ("faster than 10ms", "duration_ms:<10", "", ""),
    ("took between 1 and 2 seconds", "duration_ms:[1000 TO 2000]", "", ""),
    ("slow requests today", "duration_ms:>1000", "11-20 00:00 .. -", ""),
    ("errors for user jane@x.example", "level:>=error user_id:jane@x.example", "", ""),
    ("logs of user 4711 yesterday", "user_id:4711", "11-19 00:00 .. 11-20 00:00", ""),
    ("user id u-12", "user_id:u-12", "", ""),
    ("trace abc123def", "trace_id:abc123def", "", ""),
    ("request id req-99", "correlation_id:req-99", "", ""),
    ("correlation id c-17", "correlation_id:c-17", "", ""),
    ("logs from ip 203.0.113.7", "203.0.113.7", "", ""),
    ("endpoint /api/v1/orders errors", "endpoint:\"/api/v1/orders\" level:>=error", "", ""),
    ("status 500 in checkout", "status:500 service:checkout", "", ""),
    ("5xx in the last hour", "status:[500 TO 599]", "11-20 11:00 .. -", ""),
    ("404s today", "status:404", "11-20 00:00 .. -", ""),
    ("HTTP 4xx from api gateway", "status:[400 TO 499] service:api-gateway", "", ""),
    ("how many 500 errors since yesterday", "status:500", "11-19 00:00 .. -", "Count"),
    ("method POST", "method:POST", "", ""),
    ("POST requests to /api/v1/pay", "method:POST endpoint:\"/api/v1/pay\"", "", ""),
    ("host node-b", "host:node-b", "", ""),
    ("errors in prod", "level:>=error environment:production", "", ""),
    ("errors in staging last night", "level:>=error environment:staging", "11-19 20:00 .. 11-20 06:00", ""),
    ("environment production", "environment:production", "", ""),
    ("category billing", "category:billing", "", ""),
    ("security events this week", "category:security", "11-16 00:00 .. -", ""),
    ("component router", "component:router", "", ""),
    ("version 1.4.2", "version:1.4.2 OR release:1.4.2", "", ""),
    ("release 2.0.0-rc1 errors", "(version:2.0.0-rc1 OR release:2.0.0-rc1) level:>=error", "", ""),
    ("order.id = 17", "order.id:17", "", ""),
    ("order.total over 100", "order.total:>100", "", ""),
    ("retry is true", "retry:true", "", ""),
    ("retries over 5", "retries:>5", "", ""),
    ("how many errors today", "level:>=error", "11-20 00:00 .. -", "Count"),
    ("count of errors by service", "level:>=error", "", "CountBy(service)"),
    ("number of errors per endpoint this week", "level:>=error", "11-16 00:00 .. -", "CountBy(endpoint)"),
    ("which services have the most errors", "level:>=error", "", "CountBy(service)"),
    ("top endpoints", "*", "", "CountBy(endpoint)"),
    (
        "top 5 services with errors yesterday",
        "level:>=error",
        "11-19 00:00 .. 11-20 00:00",
        "CountBy(service); limit 5",
    ),
    ("slowest requests in checkout today", "service:checkout duration_ms:*", "11-20 00:00 .. -", "Slowest"),
    ("slowest endpoints", "duration_ms:*", "", "Slowest"),
    ("latest 20 errors", "level:>=error", "", "limit 20"),
    ("first error today", "level:>=error", "11-20 00:00 .. -", "oldest first; limit 1"),
    ("newest logs from auth", "service:auth", "", ""),
    ("oldest error", "level:>=error", "", "oldest first; limit 1"),
    ("last error in checkout", "level:>=error service:checkout", "", "limit 1"),
    ("errors per hour since yesterday", "level:>=error", "11-19 00:00 .. -", "Trend"),
    (
        "error rate in checkout over the last 2 days",
        "level:>=error service:checkout",
        "11-18 12:00 .. -",
        "Trend",
    ),
    ("trend of warnings this week", "level:warn", "11-16 00:00 .. -", "Trend"),
    ("when did the errors in checkout start", "level:>=error service:checkout", "", "oldest first; limit 1"),
    ("last 10 errors of worker", "level:>=error service:worker", "", "limit 10"),
    ("10 minutes ago", "*", "11-20 11:47:30.000 .. 11-20 11:52:30.000", ""),
    ("errors an hour ago", "level:>=error", "11-20 10:45 .. 11-20 11:15", ""),
    ("errors around 3pm", "level:>=error", "11-19 14:45 .. 11-19 15:15", ""),
    ("errors at 14:05", "level:>=error", "11-19 14:05 .. 11-19 14:06", ""),
    ("at 11:05 in checkout", "service:checkout", "11-20 11:05 .. 11-20 11:06", ""),
    ("since yesterday", "*", "11-19 00:00 .. -", ""),
    ("errors before noon", "level:>=error", "11-20 00:00 .. 11-20 12:00", ""),
    ("this afternoon", "*", "11-20 12:00 .. 11-20 18:00", ""),
    ("last Tuesday errors", "level:>=error", "11-17 00:00 .. 11-18 00:00", ""),
    ("from 10:00 to 11:00 on Friday", "*", "11-20 10:00 .. 11-20 11:00", ""),
    ("between 14:00 and 15:30", "*", "11-19 14:00 .. 11-19 15:30", ""),
    ("errors on the 3rd of November", "level:>=error", "11-03 00:00 .. 11-04 00:00", ""),
    (
        "errors from 2026-11-18T10:00:00Z to 2026-11-18T11:00:00Z",
        "level:>=error",
        "11-18 10:00 .. 11-18 11:00",
        "",
    ),
    ("in November", "*", "11-01 00:00 .. -", ""),
    ("last month's crashes", "level:critical OR crash*", "10-01 00:00 .. 11-01 00:00", ""),
    ("between Monday and Wednesday", "*", "11-16 00:00 .. 11-19 00:00", ""),
    ("errors since 2 hours", "level:>=error", "11-20 10:00 .. -", ""),
    ("errors before 2 hours", "level:>=error", "11-20 09:30 .. 11-20 10:30", ""),
    (
        "show me the errors of the service checkout between 8 and 9 o'clock",
        "level:>=error service:checkout",
        "11-20 08:00 .. 11-20 09:00",
        "",
    ),
    ("please show me the actual errors", "level:>=error", "", ""),
    ("informations of the worker", "level:info service:worker", "", ""),
    ("errors on 03.11.2026", "level:>=error", "11-03 00:00 .. 11-04 00:00", ""),
    ("errors at 14 o'clock", "level:>=error", "11-19 14:00 .. 11-19 15:00", ""),
    ("what is the weather", "weather", "", ""),
    ("level:error service:checkout", "level:error service:checkout", "", ""),
    ("level>=warn", "level:>=warn", "", ""),
    ("status>=500 AND duration_ms>2000", "status:>=500 duration_ms:>2000", "", ""),
    ("errors OR status:500", "level:>=error OR status:500", "", ""),
    ("foo\" OR service:secret", "foo service:secret", "", ""),
    ("user \"x\\\" OR level:debug\"", "user_id:\"x\\\\\" OR level:debug", "", ""),
    ("service = \"a b) OR (c\"", "service:\"a b) OR (c\"", "", ""),
    ("errors or timeouts in checkout", "(level:>=error OR timeout OR timeouts) service:checkout", "", ""),
    ("status not 200", "-status:200", "", ""),
    ("non-200 responses", "-status:200", "", ""),
    ("without a trace id", "-trace_id:*", "", ""),
    ("logs with a user id", "user_id:*", "", ""),
    ("errors with code ECONNREFUSED", "level:>=error ECONNREFUSED", "", ""),
    ("env is staging and level is error", "environment:staging level:error", "", ""),
    ("checkout errors, last 30 min", "service:checkout level:>=error", "11-20 11:30 .. -", ""),
    (
        "pls show errors of payment service last 24h thx",
        "level:>=error service:payment-service",
        "11-19 12:00 .. -",
        "",
    ),
    ("is checkout down?", "service:checkout", "", "ignored down"),
    (
        "are there any critical errors in production right now?",
        "level:critical environment:production",
        "11-20 11:45 .. -",
        "",
    ),
    ("did anyone see NullPointerException today", "NullPointerException", "11-20 00:00 .. -", ""),
    (
        "can you list the last 50 warnings from the inventory service?",
        "level:warn service:inventory",
        "",
        "limit 50",
    ),
    ("database errors since Monday", "category:database level:>=error", "11-16 00:00 .. -", ""),
    ("authentication failures for user u-12", "category:authentication level:>=error user_id:u-12", "", ""),
    ("out of memory on node-b", "\"out of memory\" node-b", "", ""),
    (
        "kubernetes pod evicted yesterday evening",
        "(kubernete OR kubernetes) pod evicted",
        "11-19 18:00 .. 11-20 00:00",
        "",
    ),
    ("how many users had errors today", "level:>=error", "11-20 00:00 .. -", "CountBy(user_id)"),
    ("which users got 403s", "status:403", "", "CountBy(user_id)"),
    ("errors by user", "level:>=error", "", "CountBy(user_id)"),
    ("errors by level and service", "level:>=error", "", "CountBy(level); ignored service"),
    ("compare errors today with yesterday", "level:>=error", "11-19 00:00 .. -", "ignored compare"),
    ("average duration of requests", "*", "", "ignored average, duration"),
    ("by user 4711", "user_id:4711", "", ""),
    ("logs for user jane", "user_id:jane", "", ""),
    ("errors for users in checkout", "level:>=error (user OR users) service:checkout", "", ""),
    ("more info about user 5", "user_id:5", "", ""),
    ("wtf is broken in checkout rn", "level:>=warn service:checkout", "11-20 11:45 .. -", "ignored wtf"),
    ("what's failing?", "level:>=error", "", ""),
    (
        "what failed last night in prod",
        "level:>=error environment:production",
        "11-19 20:00 .. 11-20 06:00",
        "",
    ),
    ("checkout broken since 3am", "service:checkout level:>=warn", "11-20 03:00 .. -", ""),
    ("errs auth 1h", "level:>=error service:auth", "11-20 11:00 .. -", ""),
    ("errors auth last 1h30m", "level:>=error service:auth", "11-20 10:30 .. -", ""),
    (
        "prod 5xx past 30m api gateway",
        "environment:production status:[500 TO 599] service:api-gateway",
        "11-20 11:30 .. -",
        "",
    ),
    ("warn+ checkout today", "level:>=warn service:checkout", "11-20 00:00 .. -", ""),
    ("errors/warnings in auth", "level:>=warn service:auth", "", ""),
    (
        "4xx/5xx from api-gateway today",
        "status:([400 TO 499] OR [500 TO 599]) service:api-gateway",
        "11-20 00:00 .. -",
        "",
    ),
    ("errors from yesterday 22:00 until today 02:00", "level:>=error", "11-19 22:00 .. 11-20 02:00", ""),
    ("errors between 22:00 and 02:00", "level:>=error", "11-19 22:00 .. 11-20 02:00", ""),
    ("errors between 11 and 1 pm", "level:>=error", "11-20 11:00 .. 11-20 13:00", ""),
    ("between 9 and 5 yesterday", "*", "11-19 09:00 .. 11-19 17:00", ""),
    ("this morning at 9", "*", "11-20 09:00 .. 11-20 10:00", ""),
    ("today at 14:05", "*", "11-20 14:05 .. 11-20 14:06", ""),
    ("on Friday at 18:00", "*", "11-13 18:00 .. 11-13 18:01", ""),
    ("errors in the morning", "level:>=error", "11-20 06:00 .. 11-20 12:00", ""),
    ("logs from last weekend", "*", "11-14 00:00 .. 11-16 00:00", ""),
    ("errors on 11/18/2026", "level:>=error", "11-18 00:00 .. 11-19 00:00", ""),
    ("errors on the 18th", "level:>=error", "11-18 00:00 .. 11-19 00:00", ""),
    ("november 18 at 10am", "*", "11-18 10:00 .. 11-18 11:00", ""),
    ("nov 18, 2026 errors", "level:>=error", "11-18 00:00 .. 11-19 00:00", ""),
    ("two days ago", "*", "11-18 00:00 .. 11-19 00:00", ""),
    ("3 weeks ago", "*", "10-26 00:00 .. 11-02 00:00", ""),
    ("errors in the last half an hour", "level:>=error", "11-20 11:30 .. -", ""),
    ("errors from the last couple of days", "level:>=error", "11-18 12:00 .. -", ""),
    ("last few minutes", "*", "11-20 11:55 .. -", ""),
    ("since monday 9am", "*", "11-16 09:00 .. -", ""),
    ("since 2 days ago", "*", "11-18 00:00 .. -", ""),
    ("until 10:00", "*", "11-20 00:00 .. 11-20 10:00", ""),
    ("before 2026-11-19", "*", "- .. 11-19 00:00", ""),
    ("after 10:30 in checkout", "service:checkout", "11-20 10:30 .. -", ""),
    ("after 3pm yesterday", "*", "11-19 15:00 .. 11-20 00:00", ""),
    ("yesterday after 3pm", "*", "11-19 15:00 .. 11-20 00:00", ""),
    ("errors on Monday and Tuesday", "level:>=error", "11-16 00:00 .. 11-18 00:00", ""),
    ("what happened at noon", "*", "11-20 12:00 .. 11-20 12:01", ""),
    ("around midnight yesterday", "*", "11-18 23:45 .. 11-19 00:15", ""),
    ("14:00-15:30 yesterday", "*", "11-19 14:00 .. 11-19 15:30", ""),
    ("2-3pm yesterday errors", "level:>=error", "11-19 14:00 .. 11-19 15:00", ""),
    ("2026-11-20T11:05:30Z", "*", "11-20 11:05:30.000 .. 11-20 11:05:31.000", ""),
    ("errors at 2026-11-19 14:05", "level:>=error", "11-19 14:05 .. 11-19 14:06", ""),
    ("quarter past 9", "*", "11-20 09:15 .. 11-20 09:16", ""),
    ("errors not today", "level:>=error", "", "ignored not today"),
    ("no errors", "level:<=warn", "", ""),
    ("warnings but no errors", "level:warn", "", ""),
    ("errors but not critical", "level:error", "", ""),
    ("only errors in auth", "level:error service:auth", "", ""),
    ("just warnings", "level:warn", "", ""),
    ("errors only", "level:error", "", ""),
    ("level is error or worse", "level:>=error", "", ""),
    ("severity above info", "level:>=warn", "", ""),
    ("log level debug", "level:debug", "", ""),
    ("below error", "level:<=warn", "", ""),
    ("warnings or worse from inventory", "level:>=warn service:inventory", "", ""),
    ("info and debug logs of auth", "level:<=info service:auth", "", ""),
    ("errors or info", "level:(info OR >=error)", "", ""),
    ("fatal errors", "level:critical", "", ""),
    ("any panics in worker", "(level:critical OR panic*) service:worker", "", ""),
    ("exceptions of type TimeoutError in checkout", "error_type:TimeoutError service:checkout", "", ""),
    ("errors without stack trace", "level:>=error -stack_trace:*", "", ""),
    ("checkout or auth errors", "service:(checkout OR auth) level:>=error", "", ""),
    (
        "errors in checkout, payments and auth",
        "level:>=error service:(checkout OR payment-service OR auth)",
        "",
        "",
    ),
    (
        "errors from all services except checkout and auth",
        "level:>=error -service:(checkout OR auth)",
        "",
        "",
    ),
    ("not from worker", "-service:worker", "", ""),
    ("service email sender", "service:email.sender", "", ""),
    ("email.sender warnings", "service:email.sender level:warn", "", ""),
    ("payment service errors", "service:payment-service level:>=error", "", ""),
    ("paymentservice errors", "service:payment-service level:>=error", "", ""),
    ("errors in chekout", "level:>=error service:checkout", "", ""),
    ("errors in frobnicator", "level:>=error frobnicator", "", ""),
    ("service = frobnicator", "service:frobnicator", "", ""),
    ("service named frob-1", "service:frob-1", "", ""),
    ("from the user service for user 12", "service:user-service user_id:12", "", ""),
    ("in dev environment", "environment:dev", "", ""),
    ("development warnings", "environment:dev level:warn", "", ""),
    ("messages containing error in auth", "message:error service:auth", "", ""),
    ("logs containing timeout or refused", "timeout OR refused", "", ""),
    ("containing timeout and refused", "timeout refused", "", ""),
    ("logs that say \"disk full\" or \"no space left\"", "\"disk full\" OR \"no space left\"", "", ""),
    ("with the words payment declined", "payment declined", "", ""),
    ("with the phrase payment declined", "\"payment declined\"", "", ""),
    ("about payment refunds yesterday", "payment (refund OR refunds)", "11-19 00:00 .. 11-20 00:00", ""),
    ("logs mentioning order o-17", "order o-17", "", ""),
    ("message contains refused", "message:refused", "", ""),
    ("endpoint contains orders", "endpoint:*orders*", "", ""),
    ("endpoint starting with /api/v1", "endpoint:\\/api/v1*", "", ""),
    ("under /api/v1/ errors", "endpoint:\\/api/v1/* level:>=error", "", ""),
    ("endpoint /api/*", "endpoint:\\/api/*", "", ""),
    ("GET /health slower than 1s", "method:GET endpoint:\"/health\" duration_ms:>1000", "", ""),
    ("get requests over 200ms", "method:GET duration_ms:>200", "", ""),
    ("DELETE requests that failed", "method:DELETE level:>=error", "", ""),
    ("duration over 500", "duration_ms:>500", "", ""),
    ("latency above 1.5s", "duration_ms:>1500", "", ""),
    ("response time between 100 and 200 ms", "duration_ms:[100 TO 200]", "", ""),
    ("took 5 seconds or more", "duration_ms:>=5000", "", ""),
    (">500ms", "duration_ms:>500", "", ""),
    ("under 10 ms", "duration_ms:<10", "", ""),
    ("status between 500 and 503", "status:[500 TO 503]", "", ""),
    ("status code 404 or 410", "status:(404 OR 410)", "", ""),
    ("status is failed", "status:failed", "", ""),
    ("status over 499", "status:>499", "", ""),
    ("500, 502 and 503 in checkout", "status:(500 OR 502 OR 503) service:checkout", "", ""),
    ("500 internal server error", "status:500", "", ""),
    ("server errors yesterday", "status:[500 TO 599]", "11-19 00:00 .. 11-20 00:00", ""),
    ("403 for user 12", "status:403 user_id:12", "", ""),
    ("http status != 200", "-status:200", "", ""),
    ("trace id = \"4bf92f3577b34da6a3ce929d0e0e4736\"", "trace_id:4bf92f3577b34da6a3ce929d0e0e4736", "", ""),
    ("request abc-123 and request abc-124", "correlation_id:(abc-123 OR abc-124)", "", ""),
    ("host node-a or node-b", "host:(node-a OR node-b)", "", ""),
    ("hosts node-a, node-b", "host:(node-a OR node-b)", "", ""),
    ("tagged eu-west", "tags:eu-west", "", ""),
    ("logger app.auth.tokens", "logger:app.auth.tokens", "", ""),
    ("error type ConnectionError", "error_type:ConnectionError", "", ""),
    ("thread main", "thread:main", "", ""),
    ("client id c-9", "client_id:c-9", "", ""),
    ("ip address 2001:db8::1", "\"2001:db8::1\"", "", ""),
    ("from 203.0.113.7", "203.0.113.7", "", ""),
    ("203.0.113.7:443", "\"203.0.113.7:443\"", "", ""),
    ("version = \"1.0 (beta)\"", "version:\"1.0 (beta)\" OR release:\"1.0 (beta)\"", "", ""),
    ("queue_size >= 100", "queue_size:>=100", "", ""),
    ("disk.free <= 0", "disk.free:<=0", "", ""),
    ("\"file name\" = \"C:\\out\\pay.csv\"", "\"file name\":\"C:\\\\out\\\\pay.csv\"", "", ""),
    ("cache_hit is false", "cache_hit:false", "", ""),
    ("a=b", "a:b", "", ""),
    ("limit 20 errors", "level:>=error", "", "limit 20"),
    ("show me 50 errors", "level:>=error", "", "limit 50"),
    ("5 newest warnings", "level:warn", "", "limit 5"),
    ("most recent crash", "level:critical OR crash*", "", "limit 1"),
    ("the ten latest errors in auth", "level:>=error service:auth", "", "limit 10"),
    ("most common errors today", "level:>=error", "11-20 00:00 .. -", "CountBy(pattern_id)"),
    ("busiest endpoints", "*", "", "CountBy(endpoint)"),
    ("number of users with failures", "level:>=error", "", "CountBy(user_id)"),
    ("list services", "*", "", "CountBy(service)"),
    ("how often did payments time out", "(payment OR payments) \"time out\"", "", "Count"),
    ("errors per day this month", "level:>=error", "11-01 00:00 .. -", "Trend"),
    ("hourly warnings", "level:warn", "", "Trend"),
    ("chart of 5xx in prod", "status:[500 TO 599] environment:production", "", "Trend"),
    ("Which endpoints are slowest?", "duration_ms:*", "", "Slowest; ignored Which endpoints"),
    (
        "what took longest in checkout yesterday?",
        "service:checkout duration_ms:*",
        "11-19 00:00 .. 11-20 00:00",
        "Slowest",
    ),
    ("when was the last error in auth", "level:>=error service:auth", "", "limit 1"),
    ("in chronological order", "*", "", "oldest first"),
    ("errors oldest first", "level:>=error", "", "oldest first"),
    (
        "could you please be so kind and give me the errors of yesterday evening from auth",
        "level:>=error service:auth",
        "11-19 18:00 .. 11-20 00:00",
        "",
    ),
    ("yo any 500s?", "status:500", "", ""),
    ("SHOW ALL ERRORS IN CHECKOUT", "level:>=error service:checkout", "", ""),
    (
        "errors that are not from payments and not about refunds",
        "level:>=error -service:payment-service -(refund OR refunds)",
        "",
        "",
    ),
    ("logs where duration is more than 3s and status is 200", "duration_ms:>3000 status:200", "", ""),
    ("why is checkout slow", "service:checkout duration_ms:>1000", "", "ignored why"),
    ("tomorrow's errors", "level:>=error", "", "ignored tomorrow"),
    ("errors since 9:00 CET", "level:>=error", "11-20 09:00 .. -", "ignored CET"),
    ("everything", "*", "", ""),
    ("show me all logs", "*", "", ""),
    ("how many logs today", "*", "11-20 00:00 .. -", "Count"),
    ("pod restarted loop", "pod restarted loop", "", ""),
    ("連接失敗 in checkout", "連接失敗 service:checkout", "", ""),
    ("ошибки сегодня", "ошибки сегодня", "", ""),
    ("errors 🎉 in checkout", "level:>=error service:checkout", "", ""),
    ("ERRORS AND WARNINGS", "level:>=warn", "", ""),
    ("what is wrong with checkout rn", "level:>=warn service:checkout", "11-20 11:45 .. -", ""),
    ("which service is failing", "level:>=error", "", "CountBy(service)"),
    ("which services failed yesterday", "level:>=error", "11-19 00:00 .. 11-20 00:00", "CountBy(service)"),
    ("errors after 3 retries", "level:>=error (retry OR retries)", "", "ignored 3"),
    ("errors within an hour", "level:>=error", "11-20 11:00 .. -", ""),
    ("logs older than 2 days", "*", "- .. 11-18 12:00", ""),
    ("shortly after 3pm yesterday in auth", "service:auth", "11-19 15:00 .. 11-19 15:15", ""),
    ("10-11am errors", "level:>=error", "11-20 10:00 .. 11-20 11:00", ""),
    ("is the auth service healthy?", "service:auth", "", "ignored healthy"),
    ("which hosts logged out of memory errors", "\"out of memory\" level:>=error", "", "CountBy(host)"),
    ("errors last night between 2 and 3", "level:>=error", "11-20 02:00 .. 11-20 03:00", ""),
    ("give me 100 debug logs from auth", "level:debug service:auth", "", "limit 100"),
    ("show me stack traces from payment-service", "stack_trace:* service:payment-service", "", ""),
    ("what did user 99 do between 8 and 10 this morning", "user_id:99", "11-20 08:00 .. 11-20 10:00", ""),
    ("top 10 users by failed logins", "fail* (login OR logins)", "", "CountBy(user_id); limit 10"),
    ("how many requests to /api/v1/pay failed", "endpoint:\"/api/v1/pay\" level:>=error", "", "Count"),
    ("warnings or errors from worker, newest first, limit 30", "level:>=warn service:worker", "", "limit 30"),
];
