//! The analysis by rules.

use super::*;

#[test]
fn a_bad_morning_is_told_in_sentences() {
    let analysis = builtin(&bad());
    assert_bounded(&analysis);
    assert_eq!(analysis.severity, Severity::High);
    assert_eq!(
        analysis.summary,
        "checkout logged 10,303 records from 2026-11-20 06:00 UTC to 12:00 UTC: 1,203 errors (12%), 3 of them critical, and 100 warnings. The 6 hours before had 100 errors in 10,000 records (1.0%): the share of errors is 12 times as large. One pattern is new: \"payment of order <*> timed out after <*> ms\" (ERROR, pattern 736484470c3dcfc8), 900 records, new since 08:04 UTC, 4 minutes after release 1.4.2 began. More frequent: \"card <*> declined\" (ERROR, pattern 00000000000000a1) 3.1 times as often as before (290 records). Of release 1.4.2, first seen 2026-11-20 08:00 UTC, 17% of 7,000 records are errors; of release 1.4.1 it is 1.0%. Endpoint /api/v1/pay has 1,100 of 1,103 errors (99.7%); 37% of its 3,000 records are errors. The 95th percentile of latency is 2.7 s, 9.0 times the 300 ms before; the median is 90 ms. The errors and warnings tell of timeouts (900 records). Anomaly: checkout: error rate up from 1.0% to 12% (since 08:05 UTC). Attempts of attacks were detected: sqli (12) and xss (3). 412 users appear in records of errors."
    );
    let what: Vec<&str> = analysis.patterns.iter().map(|note| note.what.as_str()).collect();
    assert_eq!(
        what,
        [
            "new since 08:04 UTC, 4 minutes after release 1.4.2 began",
            "3.1 times as many as before",
            "as before"
        ]
    );
    assert_eq!(
        analysis.recommendations,
        [
            "Compare release 1.4.2 with 1.4.1, and roll back if the change explains it: 1 new pattern began with it; 17% of its records are errors, 1.0% of those of 1.4.1. Search: `service:checkout AND release:1.4.2 AND level:>=error`",
            "Look at pattern 736484470c3dcfc8 (\"payment of order <*> timed out after <*> ms\", 900 records, new since 08:04 UTC, 4 minutes after release 1.4.2 began): open the slowest traces, see which call it waits for, and check the load and latency of what is called before a limit is raised. Search: `service:checkout AND pattern_id:736484470c3dcfc8`",
            "Look at pattern 00000000000000a1 (\"card <*> declined\", 290 records, 3.1 times as many as before): read its newest records and group them by endpoint and host. Search: `service:checkout AND pattern_id:00000000000000a1`",
            "Start with endpoint /api/v1/pay: it has 1,100 of 1,103 errors. Search: `service:checkout AND endpoint:\"/api/v1/pay\" AND level:>=error`",
            "Open the slowest traces and look at the calls they wait for: one request in twenty takes longer than 2.7 s. Search: `service:checkout AND duration_ms:>2700`",
            "Check whether any attempt of sqli got an answer other than an error, and limit or block the addresses that sent the 12 records. Search: `service:checkout AND tags:attack*`",
            "Look at the anomaly \"checkout: error rate up from 1.0% to 12%\": compare the logs from 2026-11-20 08:05 UTC on with those before."
        ]
    );
    assert_eq!(analysis.evidence_ids, [LOG, "0193f5a1-7c00-7000-8000-000000000002"]);
    assert_eq!(analysis, builtin(&bad()));
}

#[test]
fn a_quiet_morning_needs_nothing() {
    let analysis = builtin(&quiet());
    assert_eq!(
        analysis.summary,
        "checkout logged 10,000 records from 2026-11-20 06:00 UTC to 12:00 UTC: 10 errors (0.1%) and 10 warnings. The 6 hours before had 12 errors in 10,005 records (0.1%). Nothing stands out."
    );
    assert_eq!((analysis.severity, analysis.recommendations.len()), (Severity::Low, 0));
}

/// Evidence with a change, the severity, and words that the summary or an advice must hold.
fn check(change: impl Fn(&mut Evidence), severity: Severity, words: &[&str]) {
    let mut evidence = quiet();
    change(&mut evidence);
    let analysis = builtin(&evidence);
    assert_bounded(&analysis);
    let text = format!("{} / {}", analysis.summary, analysis.recommendations.join(" / "));
    assert_eq!(analysis.severity, severity, "{text}");
    for one in words {
        assert!(text.contains(one), "expected {one:?} in: {text}");
    }
}

#[test]
fn levels_have_their_sentence_and_their_severity() {
    use Severity::{Critical, High, Low, Medium};
    // Nothing at all, and silence.
    check(
        |e| (e.levels, e.before) = ([0; 5], [0; 5]),
        Low,
        &["logged nothing from", "It logged nothing in the 6 hours before."],
    );
    check(
        |e| e.levels = [0; 5],
        High,
        &[
            "In the 6 hours before it logged 10,005 records.",
            "Check whether checkout runs",
            "Search: `service:checkout`",
        ],
    );
    check(|e| (e.levels, e.before) = ([0; 5], [0, 5, 0, 0, 0]), Medium, &["logged nothing"]);
    check(|e| e.before = [0; 5], Low, &["Nothing was logged in the 6 hours before."]);
    // Errors, by share and growth.
    check(|e| e.levels = [0, 9000, 0, 100, 0], Medium, &["100 errors (1.1%)", "9.2 times as large"]);
    check(|e| e.levels = [0, 700, 0, 300, 0], High, &["300 errors (30%)"]);
    check(|e| e.levels = [0, 400, 0, 600, 0], Critical, &["600 errors (60%)"]);
    check(|e| e.levels = [0, 1, 0, 3, 0], Low, &["3 errors (75%)"]);
    check(|e| e.levels = [0, 1, 0, 9, 0], Medium, &["9 errors (90%)"]);
    // What always was so is one step milder.
    check(|e| (e.levels, e.before) = ([0, 700, 0, 300, 0], [0, 690, 0, 310, 0]), Medium, &[]);
    check(|e| e.levels = [0, 29_000, 10, 40, 0], Low, &["It logged 2.9 times as many records as before."]);
    check(
        |e| e.levels = [0, 990, 0, 1, 0],
        Low,
        &["9.9% of the number of records before", "1 error (0.1%) and no warnings"],
    );
    check(|e| e.levels = [0, 9990, 0, 9, 1], Medium, &["1 of them critical,"]);
}

#[test]
fn patterns_have_their_sentence_and_their_severity() {
    use Severity::{High, Low, Medium};
    let first = |at: i64| {
        move |e: &mut Evidence| {
            let mut one = seen(PATTERN, "disk is full on <*>", 50, 0);
            one.first_seen_ms = Some(at);
            e.patterns.push(one);
        }
    };
    check(
        first(FROM + HOUR),
        Medium,
        &[
            "One pattern is new",
            "new since 07:00 UTC",
            "a full disk (50 records)",
            "free space",
            "pattern_id:736484470c3dcfc8",
        ],
    );
    check(first(FROM - 1000 * HOUR), Low, &["not in the period before; first seen 2026-10-09 14:00 UTC"]);
    check(
        |e| e.patterns = vec![seen("a1", "x", 3000, 100)],
        High,
        &["30 times as many as before", "read its newest records"],
    );
    check(
        |e| e.patterns = vec![seen("a1", "connection refused by <*>", 50, 52)],
        Low,
        &["as before", "check whether the service it calls runs"],
    );
    check(|e| e.patterns = vec![seen("a1", "x", 10, 100)], Low, &["Nothing stands out."]);
    check(
        |e| {
            e.patterns = vec![seen("a1", "upstream said <*>", 50, 5)];
            e.examples = vec![example("l1", "upstream said HTTP 429", "a1")];
        },
        Medium,
        &["rate limits", "space retries out"],
    );
}

#[test]
fn other_facts_have_their_sentence_and_their_severity() {
    use Severity::{Critical, High, Low, Medium};
    check(
        |e| {
            e.endpoints = vec![
                Part { name: "/a b".to_owned(), errors: 9, total: 90 },
                Part { name: "/c".to_owned(), errors: 1, total: 900 },
            ];
        },
        Low,
        &[
            "Endpoint /a b has 9 of 10 errors (90%); 10% of its 90 records are errors.",
            "`service:checkout AND endpoint:\"/a b\" AND level:>=error`",
        ],
    );
    let slow = |p95: f64| {
        move |e: &mut Evidence| {
            e.latency = Some(Latency {
                p50_ms: 5.0,
                p95_ms: p95,
                p99_ms: p95,
                before_p95_ms: Some(100.0),
                samples: 1000,
            });
        }
    };
    check(slow(120.0), Low, &["Nothing stands out."]);
    check(
        slow(250.0),
        Medium,
        &["The 95th percentile of latency is 250 ms, 2.5 times the 100 ms before", "duration_ms:>250"],
    );
    check(slow(f64::INFINITY), Low, &[]);
    check(slow(f64::NAN), Low, &[]);
    check(slow(1000.0), High, &[]);
    check(
        |e| e.threats = vec![("sqli".to_owned(), 12)],
        Low,
        &["Attempts of attacks were detected: sqli (12).", "tags:attack*"],
    );
    check(|e| e.threats = vec![("sqli".to_owned(), 1200)], Medium, &[]);
    check(|e| (e.users, e.levels) = (Some(5000), [0, 9000, 0, 100, 0]), High, &["5,000 users appear"]);
    let noted = |severity| {
        move |e: &mut Evidence| {
            e.anomalies = vec![Noted {
                title: "checkout is silent".to_owned(),
                text: String::new(),
                severity,
                since_ms: FROM,
            }];
        }
    };
    check(
        noted(Critical),
        Critical,
        &["Anomaly: checkout is silent (since 06:00 UTC).", "Look at the anomaly \"checkout is silent\""],
    );
    check(noted(Low), Low, &[]);
}

#[test]
fn a_period_over_midnight_names_the_day() {
    let mut evidence = bad();
    (evidence.from_ms, evidence.to_ms) = (FROM - 9 * HOUR, FROM - 3 * HOUR);
    assert!(builtin(&evidence).summary.contains("from 2026-11-19 21:00 UTC to 03:00 UTC"));
}

#[test]
fn values_of_logs_cannot_change_a_search() {
    let mut evidence = bad();
    evidence.endpoints[0].name = "/x\" OR level:* OR \"".to_owned();
    evidence.releases[1].name = "1.4.2` <b onclick=x>".to_owned();
    evidence.service = "a AND b".to_owned();
    let text = builtin(&evidence).recommendations.join("\n");
    assert!(
        text.contains("`service:\"a AND b\" AND endpoint:\"/x\\\" OR level:* OR \\\"\" AND level:>=error`"),
        "{text}"
    );
    assert!(!text.contains("release:"), "{text}");
}
