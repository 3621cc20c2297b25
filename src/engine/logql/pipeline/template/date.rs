//! Times in Go's layouts, in UTC.

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Timelike};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// What layouts are made of, the longer ones first.
const PARTS: [&str; 28] = [
    "January",
    "Jan",
    "Monday",
    "Mon",
    "MST",
    "2006",
    "-07:00:00",
    "-07:00",
    "-0700",
    "-07",
    "Z07:00",
    "Z0700",
    "01",
    "02",
    "03",
    "04",
    "05",
    "06",
    "002",
    "15",
    "PM",
    "pm",
    "_2",
    "1",
    "2",
    "3",
    "4",
    "5",
];

/// The time as a layout writes it.
pub(super) fn format(layout: &str, ns: i64) -> String {
    let time = DateTime::from_timestamp_nanos(ns);
    let (year, month, day) = (time.year(), time.month(), time.day());
    let (hour, minute, second, nanos) = (time.hour(), time.minute(), time.second(), time.nanosecond());
    let (is_afternoon, hour_of_12) = time.hour12();
    let month_name = MONTHS.get(time.month0() as usize).copied().unwrap_or_default();
    let day_name = DAYS.get(time.weekday().num_days_from_sunday() as usize).copied().unwrap_or_default();
    let mut out = String::with_capacity(layout.len() + 8);
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        if let Some((digits, trims)) = fraction(rest) {
            let written = format!("{nanos:09}");
            let written = written.get(..digits.min(9)).unwrap_or_default();
            let written = if trims { written.trim_end_matches('0') } else { written };
            if !written.is_empty() {
                out.push(c);
                out.push_str(written);
            }
            rest = rest.get(digits + 1..).unwrap_or_default();
            continue;
        }
        let part = PARTS.iter().copied().find(|part| rest.starts_with(part)).unwrap_or_default();
        let written: Cow<'_, str> = match part {
            "January" => month_name.into(),
            "Jan" => (month_name.get(..3).unwrap_or_default()).into(),
            "Monday" => day_name.into(),
            "Mon" => (day_name.get(..3).unwrap_or_default()).into(),
            "MST" => "UTC".into(),
            "2006" => format!("{year:04}").into(),
            "06" => format!("{:02}", year.rem_euclid(100)).into(),
            "01" => format!("{month:02}").into(),
            "1" => month.to_string().into(),
            "02" => format!("{day:02}").into(),
            "_2" => format!("{day:2}").into(),
            "2" => day.to_string().into(),
            "002" => format!("{:03}", time.ordinal()).into(),
            "15" => format!("{hour:02}").into(),
            "03" => format!("{hour_of_12:02}").into(),
            "3" => hour_of_12.to_string().into(),
            "04" => format!("{minute:02}").into(),
            "4" => minute.to_string().into(),
            "05" => format!("{second:02}").into(),
            "5" => second.to_string().into(),
            "PM" => (if is_afternoon { "PM" } else { "AM" }).into(),
            "pm" => (if is_afternoon { "pm" } else { "am" }).into(),
            "-07:00:00" => "+00:00:00".into(),
            "-07:00" => "+00:00".into(),
            "-0700" => "+0000".into(),
            "-07" => "+00".into(),
            "Z07:00" | "Z0700" => "Z".into(),
            _ => c.to_string().into(),
        };
        out.push_str(&written);
        rest = rest.get(part.len().max(if part.is_empty() { c.len_utf8() } else { 0 })..).unwrap_or_default();
    }
    out
}

/// The digits of a fraction such as `.000`, and whether its zeros at the end are left out.
fn fraction(layout: &str) -> Option<(usize, bool)> {
    let digits = layout.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|c| matches!(c, '0' | '9'))?;
    let count = digits.find(|c| c != digit).unwrap_or(digits.len());
    let ends = !digits.get(count..).unwrap_or_default().starts_with(|c: char| c.is_ascii_digit());
    ends.then_some((count, digit == '9'))
}

/// Nanoseconds of an epoch in days, seconds, milliseconds, microseconds or nanoseconds, by its digits.
pub(super) fn of_epoch(text: &str) -> Option<i64> {
    let value: i64 = text.parse().ok()?;
    value.checked_mul(match text.trim_start_matches('-').len() {
        5 => 86_400_000_000_000,
        10 => 1_000_000_000,
        13 => 1_000_000,
        16 => 1_000,
        19 => 1,
        _ => return None,
    })
}
