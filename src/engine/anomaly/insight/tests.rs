use super::super::Unit;
use super::*;

const START_MS: i64 = 1_715_782_980_000;

fn deviation(service: &str, kind: Kind, series: Series, (expected, seen): (f64, f64)) -> Deviation {
    let unit = match series {
        Series::ErrorRate => Unit::Share,
        Series::Latency { .. } => Unit::Milliseconds,
        _ => Unit::Records,
    };
    Deviation {
        service: service.into(),
        kind,
        series,
        unit,
        expected,
        seen,
        window_ms: 300_000,
        start_ms: START_MS,
        end_ms: START_MS + 720_000,
        score: 4.0,
    }
}

fn anomaly(lead: Deviation, co_moving: Vec<Deviation>) -> Anomaly {
    Anomaly { lead, co_moving, found_ms: START_MS + 300_000, ongoing: true }
}

fn pattern(level: &str) -> Series {
    Series::Pattern { id: "p1".into(), template: "pool exhausted, <*> waiting".into(), level: level.into() }
}

fn context() -> Context {
    Context {
        releases: vec![
            Release {
                service: "orders".into(),
                field: "version".into(),
                before: "1.4.0".into(),
                after: "1.4.1".into(),
                at_ms: START_MS - 120_000,
            },
            Release { service: "orders".into(), at_ms: START_MS - 7_200_000, ..Release::default() },
        ],
        endpoints: vec![
            Named { name: "POST /api/orders".into(), count: 45 },
            Named { name: "GET /api/orders".into(), count: 15 },
        ],
        templates: vec![Named { name: "pool exhausted, <*> waiting".into(), count: 50 }],
        users: Some(12),
    }
}

#[test]
fn an_error_rate_shift_is_told_with_all_that_is_known() {
    let own = deviation("orders", Kind::Spike, Series::Level { level: "ERROR".into() }, (2.0, 61.0));
    let other = deviation("payments", Kind::LatencyShift, Series::Latency { percentile: 90 }, (80.0, 2400.0));
    let lead = deviation("orders", Kind::ErrorRateShift, Series::ErrorRate, (0.014, 0.35));
    let insight = sentences(&anomaly(lead, vec![own, other]), &context());
    assert_eq!(insight.title, "orders: error rate up from 1.4% to 35%");
    assert_eq!(
        insight.text,
        "Since 2024-05-15 14:23 UTC, 35% of the records of orders are errors; 1.4% were expected. \
         It has lasted 12 minutes so far. \
         orders changed version from 1.4.0 to 1.4.1 at 2024-05-15 14:21 UTC, 2 minutes before it began. \
         Most frequent pattern: \"pool exhausted, <*> waiting\" (50 of 50 records). \
         Most affected endpoint: POST /api/orders (45 of 60 records). \
         12 users appear in these records. \
         Also: 61 records of level ERROR instead of 2. \
         At the same time in other services: payments (90th percentile of latency 2.4 s instead of 80 ms)."
    );
    assert_eq!(insight.severity, Severity::High);
    assert_eq!(
        insight.recommendations,
        [
            "Compare version 1.4.1 with 1.4.0 of orders, and roll back if the change explains it.",
            "Read the errors of orders from 2024-05-15 14:23 UTC on, grouped by pattern.",
            "Start with POST /api/orders.",
            "Check whether payments depends on orders or the other way round.",
        ]
    );
    assert_eq!(insight.evidence.len(), 3);
    assert_eq!(insight.evidence[0].seen, "35%");
}

#[test]
fn every_kind_has_a_title_and_a_first_sentence() {
    let client = Series::Client { client: "203.0.113.9".into() };
    let cases = [
        (
            Kind::Silence,
            Series::Total,
            (40.0, 0.0),
            "orders is silent",
            "orders has logged nothing since 2024-05-15 14:23 UTC; 40 records were expected in 5 minutes.",
        ),
        (
            Kind::OneClient,
            client,
            (2.0, 500.0),
            "orders: one client sends 250 times as many records",
            "Since 2024-05-15 14:23 UTC, the client 203.0.113.9 sent 500 records to orders in 5 minutes; 2 records were expected.",
        ),
        (
            Kind::NewPattern,
            pattern("ERROR"),
            (0.1, 13.0),
            "orders: new log pattern \"pool exhausted, <*> waiting\"",
            "Since 2024-05-15 14:23 UTC, orders logs a pattern that it did not log before: \"pool exhausted, <*> waiting\". 13 records of new patterns came in 5 minutes; 0.1 records were expected.",
        ),
        (
            Kind::LatencyShift,
            Series::Latency { percentile: 50 },
            (20.0, 90.0),
            "orders: median latency up from 20 ms to 90 ms",
            "Since 2024-05-15 14:23 UTC, the median latency of orders is 90 ms; it was 20 ms before.",
        ),
        (
            Kind::Spike,
            Series::Total,
            (100.0, 320.0),
            "orders: 3.2 times as many records",
            "Since 2024-05-15 14:23 UTC, orders logged 320 records in 5 minutes; 100 records were expected.",
        ),
        (
            Kind::Drop,
            Series::Total,
            (100.0, 20.0),
            "orders: records down to 20% of the expected number",
            "Since 2024-05-15 14:23 UTC, orders logged 20 records in 5 minutes; 100 records were expected.",
        ),
        (
            Kind::VanishedPattern,
            pattern("INFO"),
            (30.0, 0.0),
            "orders: log pattern \"pool exhausted, <*> waiting\" stopped",
            "Since 2024-05-15 14:23 UTC, orders no longer logs the pattern \"pool exhausted, <*> waiting\"; 30 records were expected in 5 minutes.",
        ),
    ];
    for (kind, series, numbers, title, first) in cases {
        let insight =
            sentences(&anomaly(deviation("orders", kind, series, numbers), Vec::new()), &Context::default());
        assert_eq!(insight.title, title);
        assert_eq!(insight.text, format!("{first} It has lasted 12 minutes so far."));
        assert_eq!(insight.recommendations.len(), 1);
    }
}

#[test]
fn severity_grows_with_size_and_reach() {
    let rate = |seen| deviation("orders", Kind::ErrorRateShift, Series::ErrorRate, (0.01, seen));
    let check = |lead: &Deviation, users, others: usize, severity| {
        let other = deviation("other", Kind::Spike, Series::Total, (1.0, 2.0));
        let context = Context { users: Some(users), ..Context::default() };
        let found = sentences(&anomaly(lead.clone(), vec![other; others]), &context).severity;
        assert_eq!(found, severity, "{lead:?} {users} {others}");
    };
    check(&rate(0.03), 0, 0, Severity::Low);
    check(&rate(0.1), 0, 0, Severity::Medium);
    check(&rate(0.3), 0, 1, Severity::High);
    check(&rate(0.6), 0, 0, Severity::Critical);
    check(&rate(0.1), 5000, 0, Severity::High);
    check(&rate(0.3), 0, 2, Severity::Critical);
    check(&deviation("orders", Kind::Silence, Series::Total, (50.0, 0.0)), 0, 0, Severity::High);
    check(&deviation("orders", Kind::NewPattern, pattern("INFO"), (0.0, 50.0)), 0, 0, Severity::Low);
    check(&deviation("orders", Kind::NewPattern, pattern("ERROR"), (0.0, 50.0)), 0, 0, Severity::High);
    check(&deviation("orders", Kind::Spike, Series::Total, (0.0, f64::MAX)), 0, 0, Severity::High);
}

#[test]
fn an_ended_anomaly_says_how_long_it_was() {
    let lead = deviation("orders", Kind::Silence, Series::Total, (40.0, 0.0));
    let ended = Anomaly { ongoing: false, ..anomaly(lead, Vec::new()) };
    let insight = sentences(&ended, &Context::default());
    assert_eq!(insight.title, "orders was silent");
    assert_eq!(
        insight.text,
        "orders logged nothing from 2024-05-15 14:23 UTC on; 40 records were expected in 5 minutes. It ended after 12 minutes."
    );
}
