use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::engine::record::model::Level;

/// Messages as text and as they stand in JSON.
fn escaped(message: &str) -> String {
    let json = serde_json::to_string(message).unwrap();
    json[1..json.len() - 1].to_owned()
}

fn everything(text: &str) {
    let parsed = parse_message(text);
    if parsed.is_some() {
        assert!(may_have_fields(text), "{text}");
        assert!(may_have_fields(&escaped(text)), "escaped: {text}");
    }
    level_of(text);
    environment(text);
    user_agent_family(text);
    if let Some(usual) = component(text) {
        assert_eq!(component(&usual), None, "{text}");
    }
    let usual = endpoint(text).unwrap_or_else(|| text.to_owned());
    assert_eq!(endpoint(&usual), None, "{text:?}");
    let seen = Seen {
        service: text,
        level: Level::Info,
        message: text,
        component: Some(text),
        endpoint: Some(text),
        method: Some(text),
        status: Some(200),
        error_type: Some(text),
        logger: Some(text),
        is_attack: false,
    };
    category(&seen);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn nothing_panics_on_any_text(text in any::<String>()) {
        everything(&text);
    }

    #[test]
    fn nothing_panics_on_what_looks_like_a_log(
        text in r#"[ \[\]{}()<>"'\\=:,;/|%@#?&.\-_a-zA-Z0-9\u{1b}\u{e9}]{0,80}"#
    ) {
        everything(&text);
    }

    #[test]
    fn parts_of_logs_in_any_order_are_read(parts in prop::collection::vec(prop::sample::select(PARTS), 0..10)) {
        everything(&parts.concat());
        everything(&parts.join(" "));
    }

    #[test]
    fn a_path_is_usual_after_once(path in r"(https?://)?(/?[a-zA-Z0-9._:;@%,~-]{0,40}){0,8}(\?[a-z=]{0,9})?") {
        everything(&path);
    }
}

const PARTS: &[&str] = &[
    "{",
    "}",
    "\"",
    "\"a\":1",
    "level=",
    "level=info",
    "msg=\"a b\"",
    "a=1",
    "b=\"\\\"\"",
    "word",
    "GET /a HTTP/1.1",
    "192.0.2.1",
    "- -",
    "[17/May/2015:10:05:03 +0000]",
    "\"GET /a?b HTTP/1.1\"",
    "200",
    "512",
    "\"-\"",
    "0.123",
    "rt=0.1",
    "ERROR",
    "[error]",
    "<3>",
    "E0131 10:00:00",
    "\u{1b}[31m",
    "2024-01-31",
    "10:00:00",
    "panic:",
    "/users/",
    "123",
    "/",
    ".png",
    "550e8400-e29b-41d4-a716-446655440000",
    ";",
    "?",
    "#",
    "%40",
    "@",
    "payment",
    "_",
    "é",
    "\t",
    "\n",
];

// A measurement of the host's own time; nothing of it is shipped.
#[allow(clippy::disallowed_methods)]
#[test]
fn a_long_text_costs_no_more_per_byte() {
    let fastest = |text: &str, repeat: usize| {
        let run = || {
            let begun = Instant::now();
            for _ in 0..repeat {
                everything(text);
            }
            begun.elapsed()
        };
        (0..3).map(|_| run()).min().unwrap_or(Duration::ZERO)
    };
    for part in ["{\"a\":", "[", "a=\"", "a=1 ", "\" 200 ", "/1", "a;", "1-", "\\", "word ", "A_", "\u{e9}"] {
        let text = |bytes: usize| part.repeat(bytes / part.len());
        let (short, long) = (fastest(&text(1 << 10), 1 << 6), fastest(&text(1 << 20), 1) / 16);
        // The same number of bytes: sixteen times too much is what a machine at work may add, a square is a thousand.
        assert!(long < short * 16 + Duration::from_millis(5), "{part:?}: {short:?} and {long:?}");
    }
}
