//! Numbers, times and lists as people write them: `1,234`, `2.7 s`, `2024-05-15 14:22 UTC`.

use std::fmt::Write as _;

use chrono::{DateTime, Datelike, Timelike};

/// A count with separators: `1,234,567`. Small means keep one digit behind the point.
pub fn number(value: f64) -> String {
    if value.abs() < 10.0 && (value - value.round()).abs() >= 0.05 {
        return format!("{value:.1}");
    }
    let plain = format!("{:.0}", value.abs());
    let mut text = String::from(if value <= -0.5 { "-" } else { "" });
    for (at, digit) in plain.chars().enumerate() {
        if at > 0 && (plain.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 record`, `12 records`.
pub fn counted(value: f64, one: &str, many: &str) -> String {
    let value_text = number(value);
    let noun = if value_text == "1" { one } else { many };
    format!("{value_text} {noun}")
}

/// A share as per cent: `0.4%`, `35%`. Not quite all is `99.7%` and never 100%.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    if (value > 0.0 && value < 9.95) || (value > 99.0 && value < 100.0) {
        format!("{:.1}%", if value > 99.0 { value.min(99.9) } else { value })
    } else {
        format!("{value:.0}%")
    }
}

/// A latency: `7 ms`, `2.7 s`.
pub fn latency(ms: f64) -> String {
    if ms >= 1000.0 { format!("{} s", number_of(ms / 1000.0)) } else { format!("{} ms", number_of(ms)) }
}

fn number_of(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}").trim_end_matches(".0").to_owned() } else { number(value) }
}

/// How many times more: `3.2 times`, `40 times`.
pub fn times(ratio: f64) -> String {
    if ratio < 10.0 { format!("{ratio:.1} times") } else { format!("{} times", number(ratio)) }
}

/// A span: `40 seconds`, `12 minutes`, `3 hours 5 minutes`, `2 days 4 hours`.
pub fn span(ms: i64) -> String {
    let seconds = ms.max(0) / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let part = |n: i64, unit: &str| format!("{n} {unit}{}", if n == 1 { "" } else { "s" });
    let two = |first: String, rest: i64, unit: &str| {
        if rest == 0 { first } else { format!("{first} {}", part(rest, unit)) }
    };
    if days > 0 {
        two(part(days, "day"), hours % 24, "hour")
    } else if hours > 0 {
        two(part(hours, "hour"), minutes % 60, "minute")
    } else if minutes > 0 {
        part(minutes, "minute")
    } else {
        part(seconds, "second")
    }
}

/// The minute of a time since 1970, in UTC.
pub fn minute(ms: i64) -> String {
    let time = DateTime::from_timestamp_millis(ms).unwrap_or_default();
    let (year, month, day) = (time.year(), time.month(), time.day());
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", time.hour(), time.minute())
}

/// `a`, `a and b`, `a, b and 3 more`.
pub fn list(names: &[String], most: usize) -> String {
    let mut text = String::new();
    let shown = names.len().min(most.max(1));
    let more = names.len() - shown;
    for (at, name) in names.iter().take(shown).enumerate() {
        if at > 0 {
            text.push_str(if at + 1 == shown && more == 0 { " and " } else { ", " });
        }
        text.push_str(name);
    }
    if more > 0 {
        let _ = write!(text, " and {more} more");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_people_write_them() {
        let cases = [
            (number(0.0), "0"),
            (number(1_234_567.0), "1,234,567"),
            (number(0.25), "0.2"),
            (number(999.6), "1,000"),
            (counted(1.0, "user", "users"), "1 user"),
            (counted(40.0, "user", "users"), "40 users"),
            (percent(0.014), "1.4%"),
            (percent(0.351), "35%"),
            (percent(0.0), "0%"),
            (percent(0.99999), "99.9%"),
            (percent(1.0), "100%"),
            (latency(7.0), "7 ms"),
            (latency(2724.9), "2.7 s"),
            (latency(61_000.0), "61 s"),
            (times(3.16), "3.2 times"),
            (times(1250.0), "1,250 times"),
        ];
        for (found, wanted) in cases {
            assert_eq!(found, wanted);
        }
    }

    #[test]
    fn times_are_utc_minutes() {
        let cases = [
            (0, "1970-01-01 00:00 UTC"),
            (1_715_781_765_999, "2024-05-15 14:02 UTC"),
            (1_709_251_199_999, "2024-02-29 23:59 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
        ];
        for (ms, wanted) in cases {
            assert_eq!(minute(ms), wanted);
        }
        assert_eq!(span(40_000), "40 seconds");
        assert_eq!(span(60_000), "1 minute");
        assert_eq!(span(11_100_000), "3 hours 5 minutes");
        assert_eq!(span(187_200_000), "2 days 4 hours");
    }

    #[test]
    fn lists_are_cut() {
        let names: Vec<String> = ["a", "b", "c", "d"].map(String::from).to_vec();
        assert_eq!(list(&names[..1], 3), "a");
        assert_eq!(list(&names[..2], 3), "a and b");
        assert_eq!(list(&names, 3), "a, b, c and 1 more");
        assert_eq!(list(&[], 3), "");
    }
}
