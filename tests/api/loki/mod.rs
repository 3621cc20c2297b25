//! Reading as Loki's clients do: every query against the slow and obvious evaluator, over what was pushed and is not flushed,
//! flushed and merged.

mod reference;
mod tail;

use std::{collections::BTreeMap, fmt::Write};

use axum::http::Method;
use serde_json::{Value, json};
use timberline::engine::logql::{self, Expr};

use self::reference::{LabelSet, Line, generate::generate};
use crate::{Answer, NOW_MS, Service, log_at};

const QUERIES: &str = include_str!("queries.txt");

const MINUTE_NS: i64 = 60_000_000_000;

#[expect(clippy::cast_possible_wrap, reason = "it is of this century")]
const START_NS: i64 = NOW_MS as i64 * 1_000_000 - 60 * MINUTE_NS;

type Table = BTreeMap<LabelSet, Vec<(i64, f64)>>;

fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02X}");
        out
    })
}

async fn ask(service: &Service, path: &str, query: &str, more: &str) -> Answer {
    let form = format!("query={}&{more}", encoded(query));
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    service.call(Method::POST, &format!("/loki/api/v1/{path}"), &headers, form).await
}

/// Pushes lines as they are, each stream's together.
async fn push(service: &Service, lines: &[Line]) {
    for some in lines.chunks(5_000) {
        let mut streams: BTreeMap<&LabelSet, Vec<Value>> = BTreeMap::new();
        for line in some {
            let value = json!([line.ts_ns.to_string(), line.line, line.metadata]);
            streams.entry(&line.stream).or_default().push(value);
        }
        let streams: Vec<Value> = streams
            .into_iter()
            .map(|(stream, values)| json!({ "stream": stream, "values": values }))
            .collect();
        let answer = service.post("/loki/api/v1/push?redact=false", &json!({ "streams": streams })).await;
        assert_eq!(answer.status, 204, "{}", answer.text);
    }
}

/// What every line is given here beside what it came with.
fn with_levels(mut lines: Vec<Line>) -> Vec<Line> {
    for line in &mut lines {
        let level = line.stream["level"].clone();
        line.metadata.insert("detected_level".to_owned(), level);
    }
    lines
}

fn labels_of(value: &Value) -> LabelSet {
    let mut labels: LabelSet = serde_json::from_value(value.clone()).unwrap();
    // Its words are the engine's own.
    labels.remove("__error_details__");
    labels.retain(|_, value| !value.is_empty());
    labels
}

fn lines_of(answer: &Value) -> Vec<(i64, LabelSet, String)> {
    assert_eq!(answer["data"]["resultType"], "streams", "{answer}");
    let mut lines = Vec::new();
    for stream in answer["data"]["result"].as_array().unwrap() {
        for value in stream["values"].as_array().unwrap() {
            let ts_ns = value[0].as_str().unwrap().parse().unwrap();
            lines.push((ts_ns, labels_of(&stream["stream"]), value[1].as_str().unwrap().to_owned()));
        }
    }
    lines.sort();
    lines
}

fn point(value: &Value) -> (i64, f64) {
    #[expect(clippy::cast_possible_truncation, reason = "ms of this century")]
    let ms = (value[0].as_f64().unwrap() * 1e3).round() as i64;
    (ms, value[1].as_str().unwrap().parse().unwrap())
}

fn table_of(answer: &Value) -> Table {
    let data = &answer["data"];
    if data["resultType"] == "scalar" {
        return Table::from([(LabelSet::new(), vec![point(&data["result"])])]);
    }
    let series = |one: &Value| {
        let points = match one.get("values") {
            Some(values) => values.as_array().unwrap().iter().map(point).collect(),
            None => vec![point(&one["value"])],
        };
        (labels_of(&one["metric"]), points)
    };
    data["result"].as_array().unwrap().iter().map(series).collect()
}

fn nearly_equal(left: f64, right: f64) -> bool {
    left.is_nan() && right.is_nan()
        || left.total_cmp(&right).is_eq()
        || (left - right).abs() <= 1e-9 * left.abs().max(right.abs())
}

/// Why two tables differ, if they do.
fn difference(expected: &Table, got: &Table) -> Option<String> {
    for labels in expected.keys().chain(got.keys()) {
        let (Some(expected), Some(got)) = (expected.get(labels), got.get(labels)) else {
            return Some(format!(
                "{labels:?} is on one side alone: {} and {} series",
                expected.len(),
                got.len()
            ));
        };
        let same = expected.len() == got.len()
            && expected.iter().zip(got).all(|(a, b)| a.0 == b.0 && nearly_equal(a.1, b.1));
        if !same {
            return Some(format!("{labels:?}: {expected:?} {got:?}"));
        }
    }
    None
}

/// Whether every point is that of one of two tables.
fn is_between(one: &Table, other: &Table, got: &Table) -> bool {
    let is_either = |labels: &LabelSet, nth: usize, got: (i64, f64)| {
        let wanted = [one, other].map(|table| table.get(labels)?.get(nth).copied());
        wanted.into_iter().flatten().any(|wanted| wanted.0 == got.0 && nearly_equal(wanted.1, got.1))
    };
    let count = |table: &Table| table.values().map(Vec::len).sum::<usize>();
    count(one) == count(got)
        && got.iter().all(|(labels, points)| {
            points.iter().enumerate().all(|(nth, point)| is_either(labels, nth, *point))
        })
}

/// The same lines, those of one instant the other way round.
fn with_ties_turned(lines: &[Line]) -> Vec<Line> {
    let mut turned: Vec<Line> = lines.iter().rev().cloned().collect();
    turned.sort_by_key(|line| line.ts_ns);
    turned
}

fn in_ms(series: Vec<reference::Series>) -> Table {
    let points = |points: Vec<(i64, f64)>| points.into_iter().map(|(ns, value)| (ns / 1_000_000, value));
    series.into_iter().map(|(labels, of)| (labels, points(of).collect())).collect()
}

/// Whether an answer says that the result is larger than what is answered.
fn is_too_large(answer: &Answer) -> bool {
    answer.status == 400 && answer.text.starts_with("maximum of series")
}

/// Answers the query both ways, at one time and over many, and says where they differ.
async fn compare(service: &Service, query: &str, lines: &[Line]) -> Option<String> {
    match logql::parse(query).unwrap() {
        Expr::Log(parsed) => {
            let (start, end) = (START_NS + 10 * MINUTE_NS, START_NS + 50 * MINUTE_NS);
            let mut expected = reference::lines(&parsed, lines, start, end);
            for (_, labels, _) in &mut expected {
                labels.retain(|_, value| !value.is_empty());
            }
            expected.sort();
            let more = format!("start={start}&end={end}&limit=5000");
            let answer = ask(service, "query_range", query, &more).await;
            let got = lines_of(&answer.ok());
            let lost = expected.iter().find(|line| !got.contains(line));
            let found = got.iter().find(|line| !expected.contains(line));
            (expected != got)
                .then(|| format!("{} and {} lines: {lost:?} {found:?}", expected.len(), got.len()))
        }
        Expr::Metric(parsed) => {
            let at = START_NS + 30 * MINUTE_NS;
            let (start, end, step) =
                (START_NS + 10 * MINUTE_NS, START_NS + 58 * MINUTE_NS, 7 * MINUTE_NS + 1_000_000);
            let aligned = |at: i64| at - at % step;
            for (path, more, [start, end, step]) in [
                ("query", format!("time={at}"), [at, at, 1]),
                (
                    "query_range",
                    format!("start={start}&end={end}&step={}ms", step / 1_000_000),
                    [aligned(start), aligned(end), step],
                ),
            ] {
                let answer = ask(service, path, query, &more).await;
                let difference = match reference::metric(&parsed, lines, start, end, step) {
                    Err(_) => (answer.status != 400).then(|| format!("{path} goes well: {}", answer.text)),
                    Ok(series) if series.len() > 500 && is_too_large(&answer) => None,
                    Ok(series) if answer.status == 200 => {
                        let (expected, got) = (in_ms(series), table_of(&answer.json()));
                        // Which of two samples of one instant is the later one nobody says.
                        let turned = || {
                            let turned = with_ties_turned(lines);
                            reference::metric(&parsed, &turned, start, end, step).map(in_ms)
                        };
                        let is_of_ties = || turned().is_ok_and(|other| is_between(&expected, &other, &got));
                        difference(&expected, &got).filter(|_| !is_of_ties())
                    }
                    Ok(_) => Some(format!("{} {}", answer.status, answer.text)),
                };
                if let Some(difference) = difference {
                    return Some(format!("{path}: {difference}"));
                }
            }
            None
        }
    }
}

async fn check(service: &Service, queries: &[&str], lines: &[Line]) {
    let mut differences = Vec::new();
    for query in queries {
        if let Some(difference) = compare(service, query, lines).await {
            differences.push(format!("{query}\n    {difference:.1200}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {}:\n{}",
        differences.len(),
        queries.len(),
        differences.join("\n")
    );
}

#[tokio::test]
async fn queries_agree_with_a_slow_and_obvious_evaluator() {
    let lines = with_levels(generate(7, 1_200, START_NS, 60 * MINUTE_NS));
    let queries: Vec<&str> = QUERIES.lines().filter(|line| !line.is_empty()).collect();
    assert!(queries.len() > 250);
    let service = Service::new();
    push(&service, &lines[..500]).await;
    service.flush().await;
    push(&service, &lines[500..900]).await;
    service.flush().await;
    push(&service, &lines[900..]).await;
    check(&service, &queries, &lines).await;
}

#[tokio::test]
async fn queries_over_a_hundred_thousand_lines_agree_too() {
    let lines = with_levels(generate(3, 100_000, START_NS, 60 * MINUTE_NS));
    let service = Service::new();
    push(&service, &lines).await;
    service.flush().await;
    let queries = [
        r#"{env="test", service_name="db", pod="pod-3"}"#,
        r#"{env="prod"} |= "2001:db8::7" |= "DELETE" |= "/users/3" != " 200 ""#,
        r#"{service_name=~"a.*", level="error", pod!~"pod-[1-9]"} | json | __error__="" | status=503"#,
        "sum(count_over_time({service_name=~\".+\"}[13m]))",
        r#"sum by (service_name) (rate({env="prod"} |= "timeout" [10m]))"#,
        r#"sum by (level, detected_level) (count_over_time({service_name="api"} | drop __error__ [5m]))"#,
        r#"sum by (env, pod) (count_over_time({pod=~"pod-[12]", env=~".+"} | detected_level="warn" [7m]))"#,
        r#"topk(3, sum by (status) (count_over_time({env="test"} | logfmt | __error__="" [20m])))"#,
    ];
    check(&service, &queries, &lines).await;
}

#[tokio::test]
async fn many_lines_are_counted_without_being_read() {
    let lines = with_levels(generate(5, 20_000, START_NS, 60 * MINUTE_NS));
    let service = Service::new();
    push(&service, &lines).await;
    service.flush().await;
    let calls = || service.world.calls("objects.get") + service.world.calls("objects.get_range");
    let before = calls();
    let (start, end) = (START_NS, START_NS + 60 * MINUTE_NS);
    let more = format!("start={start}&end={end}&step=300");
    for (query, by) in [
        (r#"sum by (service_name) (count_over_time({service_name=~".+"}[5m]))"#, "service_name"),
        (r#"sum by (detected_level) (count_over_time({service_name=~".+"}[5m]))"#, "detected_level"),
    ] {
        let got = table_of(&ask(&service, "query_range", query, &more).await.ok());
        for (labels, points) in got {
            let total: f64 = points.iter().map(|(_, value)| value).sum();
            let own = |line: &&Line| {
                let value = line.stream.get(by).or_else(|| line.metadata.get(by));
                value == labels.get(by)
            };
            #[expect(clippy::cast_precision_loss, reason = "they are few")]
            let expected = lines.iter().filter(own).count() as f64;
            assert!(nearly_equal(total, expected), "{labels:?} {total} {expected}");
        }
    }
    assert_eq!(calls(), before, "no segment is opened");
}

#[tokio::test]
async fn a_query_that_cannot_be_is_refused_with_its_place() {
    let service = Service::new();
    for (query, expected) in [
        (r#"{a="b"} |= x"#, "parse error at line 1, col 12: "),
        ("{}", "parse error"),
        (r#"{a=~".*"}"#, "parse error"),
        (r#"rate({a="b"})"#, "parse error at line 1, col "),
        ("", "query: expected a query"),
    ] {
        for path in ["query", "query_range"] {
            let answer = ask(&service, path, query, "").await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(answer.text.starts_with(expected), "{query}: {}", answer.text);
        }
    }
    for (more, expected) in [
        ("start=5&end=4", "end: "),
        ("start=soon", "start: "),
        ("start=-1", "start: "),
        ("limit=5001", "limit: max entries limit"),
        ("limit=-1", "limit: "),
        ("direction=up", "direction: "),
    ] {
        let answer = ask(&service, "query_range", r#"{a="b"}"#, more).await;
        assert!(answer.status == 400 && answer.text.starts_with(expected), "{more}: {}", answer.text);
    }
    let answer = ask(&service, "query_range", r#"rate({a="b"}[1m])"#, "step=0").await;
    assert!(answer.status == 400 && answer.text.starts_with("step: "), "{}", answer.text);
    let answer = ask(&service, "query_range", r#"rate({a="b"}[1m])"#, "start=1&end=100000&step=1").await;
    assert!(answer.status == 400 && answer.text.contains("maximum resolution"), "{}", answer.text);
}

#[tokio::test]
async fn a_record_with_many_values_of_many_labels_is_in_no_groups_without_end() {
    let service = Service::new();
    let mut planted = log_at("api", "m", NOW_MS - 60_000);
    let labels = (0..25).map(|n| (format!("a{n}"), json!(["x", "y"])));
    planted["metadata"] = json!({ "labels": labels.collect::<serde_json::Map<_, _>>() });
    planted["metadata"]["labels"]["service_name"] = json!("api");
    service.store(&planted).await;
    for flushed in [false, true] {
        if flushed {
            service.flush().await;
        }
        for path in ["series", "index/stats", "detected_labels"] {
            let answer = ask(&service, path, r#"{service_name="api"}"#, "").await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text);
            assert!(answer.json()["warnings"].is_array(), "{path}: {}", answer.text);
        }
    }
}

#[tokio::test]
async fn what_was_not_pushed_is_of_the_stream_of_its_service_alone() {
    let service = Service::new();
    let mut record = log_at("api", "a<b", NOW_MS - 60_000);
    record["environment"] = json!("production");
    record["metadata"] = json!({ "labels": { "app": "x" } });
    service.store(&record).await;
    for flushed in [false, true] {
        if flushed {
            service.flush().await;
        }
        for (query, expected) in [
            (r#"{app="x"}"#, 0),
            (r#"{service_name="api", app!="x"}"#, 1),
            (r#"{environment="prod"}"#, 0),
            (r#"{environment!="prod", service_name="api"}"#, 1),
            (r#"{service_name="api"} |= "a<b""#, 1),
            (r#"{service_name="api"} |= "<a""#, 0),
            (r#"{service_name="api"} | labels_app="x""#, 1),
            (r#"{service_name="api"} | labels_app > 5 | __error__="LabelFilterErr""#, 1),
        ] {
            let lines = lines_of(&ask(&service, "query_range", query, "").await.ok());
            assert_eq!(lines.len(), expected, "{query}");
            let counted = ask(&service, "query", &format!("sum(count_over_time({query} [1h]))"), "").await;
            if expected == 0 {
                assert_eq!(counted.ok()["data"]["result"], json!([]), "{query}");
            } else if !query.contains("__error__") {
                assert_eq!(counted.ok()["data"]["result"][0]["value"][1], "1", "{query}");
            }
        }
        let names = ask(&service, "labels", "", "").await.ok();
        assert_eq!(names["data"], json!(["environment", "level", "service_name"]));
        let volume = |path| ask(&service, path, r#"{service_name="api"}"#, "targetLabels=environment");
        for path in ["index/volume", "index/volume_range"] {
            let found = volume(path).await.ok();
            assert_eq!(
                found["data"]["result"][0]["metric"],
                json!({ "environment": "production" }),
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn groups_are_the_same_whether_counted_or_looked_at() {
    let service = Service::new();
    let values = [
        json!("eu"),
        json!(7),
        json!(1.5),
        json!(true),
        json!(""),
        json!(null),
        json!(["a", 1]),
        json!("x\"y"),
    ];
    let mut records = Vec::new();
    for (n, value) in (0..).zip(values.iter().chain(&values)) {
        let mut record = log_at("api", "a line", NOW_MS - 60_000 + n);
        record["metadata"] = json!({ "region": value, "n": n % 3, "status": value });
        if n % 2 == 0 {
            record["component"] = json!(format!("c{}", n % 4));
            record["status"] = json!(200 + n % 4);
        } else {
            record["metadata"]["component"] = json!("sent");
        }
        records.push(record);
    }
    service.store_all(&records).await;
    let at = (NOW_MS - 30_000) * 1_000_000;
    let stream = json!({ "app": "shop", "region": "us", "component": "p" });
    let values = json!([[at.to_string(), "a line", { "n": "5" }], [(at + 1).to_string(), "a line"]]);
    let streams = json!([{ "stream": stream, "values": values }, { "stream": { "app": "shop" }, "values": [[(at + 2).to_string(), "a line"]] }]);
    assert_eq!(service.post("/loki/api/v1/push", &json!({ "streams": streams })).await.status, 204);
    let mut object = log_at("web", "a line", NOW_MS - 60_000);
    object["metadata"] = json!({ "region": { "name": "eu" } });
    for state in ["not flushed", "flushed", "with an object"] {
        if state == "flushed" {
            service.flush().await;
        }
        if state == "with an object" {
            service.store(&object).await;
        }
        for label in ["region", "component", "status", "n", "level", "environment", "endpoint", "nothing"] {
            let query = |stages| {
                format!(
                    r#"sum by ({label}) (count_over_time({{service_name=~".+"}} |= "line" {stages} [1h]))"#
                )
            };
            let counted = ask(&service, "query", &query(""), "").await.ok();
            let looked_at = ask(&service, "query", &query("| label_format looked_at=`yes`"), "").await.ok();
            let sorted = |answer: &Value| {
                let groups = answer["data"]["result"].as_array().unwrap().iter();
                let mut groups: Vec<String> =
                    groups.map(|one| format!("{} {}", one["metric"], one["value"][1])).collect();
                groups.sort();
                groups
            };
            assert_eq!(sorted(&counted), sorted(&looked_at), "{label}, {state}");
        }
    }
}

#[tokio::test]
async fn lines_that_stages_make_long_are_bounded() {
    let service = Service::new();
    service.store(&log_at("api", "m", NOW_MS - 60_000)).await;
    let long = |n: usize| format!("label_format l{n}=`{{{{repeat 250000 \"x\"}}}}`");
    let stages: Vec<String> = (0..5).map(long).collect();
    let query = format!(r#"{{service_name="api"}} | {}"#, stages.join(" | "));
    let answer = ask(&service, "query_range", &query, "").await;
    assert!(answer.status == 400 && answer.text.contains("a line with its labels"), "{:.200}", answer.text);
}

#[tokio::test]
async fn what_a_form_asked_is_written_down() {
    let service = Service::new();
    service.store(&log_at("api", "m", NOW_MS - 60_000)).await;
    ask(&service, "query_range", r#"{service_name="api"}"#, "").await.ok();
    service.world.background.settle().await;
    let audit = service.get("/admin/audit").await.ok();
    assert!(audit["data"].to_string().contains("query=%7B%73%65"), "{audit}");
}

#[tokio::test]
async fn a_reader_finds_and_counts_what_it_may_see_alone() {
    let service = Service::new();
    service.store(&log_at("api", "open sesame", NOW_MS - 60_000)).await;
    service.store(&log_at("web", "open sesame", NOW_MS - 60_000)).await;
    let mut secret = log_at("api", "open sesame", NOW_MS - 60_000);
    secret["category"] = json!("security");
    service.store(&secret).await;
    let (_, key) = service.key(&json!({ "name": "w", "role": "developer", "services": ["api"] })).await;
    let query = encoded(r#"{service_name=~".+"} |= "sesame""#);
    let counts = encoded(r#"sum by (service_name) (count_over_time({service_name=~".+"}[1h]))"#);
    for (uri, expected) in [
        (format!("query_range?query={query}"), "\"service_name\":\"api\""),
        (format!("query?query={counts}"), "\"service_name\":\"api\""),
        (format!("series?match[]={}", encoded(r#"{service_name=~".+"}"#)), "\"service_name\":\"api\""),
        ("label/service_name/values".to_owned(), "[\"api\"]"),
        (format!("index/volume?query={}", encoded(r#"{service_name=~".+"}"#)), "\"service_name\":\"api\""),
    ] {
        for flushed in [false, true] {
            if flushed {
                service.flush().await;
            }
            let answer = service.get_as(&key, &format!("/loki/api/v1/{uri}")).await;
            assert_eq!(answer.status, 200, "{uri}: {}", answer.text);
            assert!(answer.text.contains(expected) && !answer.text.contains("web"), "{uri}: {}", answer.text);
            if uri.starts_with("query?") {
                assert_eq!(answer.json()["data"]["result"][0]["value"][1], "1", "{}", answer.text);
            }
            if uri.starts_with("query_range") {
                assert_eq!(lines_of(&answer.json()).len(), 1, "{}", answer.text);
            }
        }
    }
}
