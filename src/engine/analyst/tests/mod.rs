//! Evidence that the tests share.

mod hostile;
mod model;
mod question;
mod rules;

use super::*;

pub(super) const HOUR: i64 = 3_600_000;
/// 2026-11-20 06:00 UTC.
pub(super) const FROM: i64 = 1_795_154_400_000;
pub(super) const TO: i64 = FROM + 6 * HOUR;
pub(super) const LOG: &str = "0193f5a1-7c00-7000-8000-000000000001";
pub(super) const PATTERN: &str = "736484470c3dcfc8";

pub(super) fn quiet() -> Evidence {
    Evidence {
        service: "checkout".to_owned(),
        from_ms: FROM,
        to_ms: TO,
        levels: [100, 9880, 10, 10, 0],
        before: [100, 9885, 8, 12, 0],
        ..Evidence::default()
    }
}

pub(super) fn seen(id: &str, template: &str, count: u64, before: u64) -> PatternSeen {
    PatternSeen {
        id: id.to_owned(),
        template: template.to_owned(),
        level: "ERROR".to_owned(),
        count,
        before,
        first_seen_ms: Some(FROM - 1000 * HOUR),
        last_seen_ms: TO - 60_000,
    }
}

pub(super) fn example(id: &str, message: &str, pattern: &str) -> Example {
    Example {
        id: id.to_owned(),
        time_ms: FROM + HOUR,
        level: "ERROR".to_owned(),
        message: message.to_owned(),
        pattern_id: Some(pattern.to_owned()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".to_owned()),
        stack: Some("at Pool.get (pool.js:10)\n  at pay (pay.js:20)".to_owned()),
    }
}

/// A bad morning: a release after which payments time out.
pub(super) fn bad() -> Evidence {
    let mut new = seen(PATTERN, "payment of order <*> timed out after <*> ms", 900, 0);
    new.first_seen_ms = Some(FROM + 2 * HOUR + 4 * 60_000);
    Evidence {
        levels: [0, 9000, 100, 1200, 3],
        before: [0, 9800, 100, 100, 0],
        patterns: vec![
            new,
            seen("00000000000000a1", "card <*> declined", 290, 95),
            seen("00000000000000a2", "retry <*>", 10, 11),
        ],
        endpoints: vec![
            Part { name: "/api/v1/pay".to_owned(), errors: 1100, total: 3000 },
            Part { name: "/health".to_owned(), errors: 3, total: 6000 },
        ],
        releases: vec![
            ReleaseSeen { name: "1.4.1".to_owned(), from_ms: FROM - 100 * HOUR, errors: 30, total: 3000 },
            ReleaseSeen { name: "1.4.2".to_owned(), from_ms: FROM + 2 * HOUR, errors: 1170, total: 7000 },
        ],
        latency: Some(Latency {
            p50_ms: 90.0,
            p95_ms: 2700.0,
            p99_ms: 9000.0,
            before_p95_ms: Some(300.0),
            samples: 9000,
        }),
        anomalies: vec![Noted {
            title: "checkout: error rate up from 1.0% to 12%".to_owned(),
            text: "Since 08:05 …".to_owned(),
            severity: Severity::Medium,
            since_ms: FROM + 2 * HOUR + 5 * 60_000,
        }],
        users: Some(412),
        threats: vec![("sqli".to_owned(), 12), ("xss".to_owned(), 3)],
        examples: vec![
            example(
                LOG,
                "payment of order o-17 timed out after 30000 ms, see https://status.pay.example/o-17",
                PATTERN,
            ),
            example("0193f5a1-7c00-7000-8000-000000000002", "card 4… declined", "00000000000000a1"),
        ],
        ..quiet()
    }
}

/// What holds of every analysis, whatever it was made of.
pub(super) fn assert_bounded(analysis: &Analysis) {
    let within = |text: &str, most: usize| {
        assert!(text.chars().count() <= most, "{} characters: {text}", text.chars().count());
        assert!(!text.chars().any(clean::is_hidden), "{text:?}");
        assert!(!text.contains("](") && !text.contains("<script") && !text.contains("```"), "{text}");
    };
    within(&analysis.service_name, limits::NAME);
    within(&analysis.summary, limits::SUMMARY);
    assert!(analysis.patterns.len() <= limits::PATTERNS);
    for note in &analysis.patterns {
        within(&note.id, limits::ID);
        within(&note.template, limits::TEMPLATE);
        within(&note.what, limits::WHAT);
    }
    assert!(analysis.recommendations.len() <= limits::RECOMMENDATIONS);
    analysis.recommendations.iter().for_each(|text| within(text, limits::RECOMMENDATION));
    assert!(analysis.evidence_ids.len() <= limits::EVIDENCE_IDS);
    analysis.evidence_ids.iter().for_each(|id| within(id, limits::ID));
    assert!(analysis.notes.len() <= limits::NOTES);
}
