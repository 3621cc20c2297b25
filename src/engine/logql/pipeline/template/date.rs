//! Times in Go's layouts, in UTC.

use std::borrow::Cow;

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

const DAYS: [&str; 7] = ["Thursday", "Friday", "Saturday", "Sunday", "Monday", "Tuesday", "Wednesday"];

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
    let (days, seconds) =
        (ns.div_euclid(86_400_000_000_000), ns.rem_euclid(86_400_000_000_000) / 1_000_000_000);
    let nanos = ns.rem_euclid(1_000_000_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let hour_of_12 = if hour % 12 == 0 { 12 } else { hour % 12 };
    let name = |names: &[&'static str], index: i64| {
        usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
    };
    let month_name = name(&MONTHS, month - 1);
    let day_name = name(&DAYS, days.rem_euclid(7));
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
            "002" => format!("{:03}", days - first_day(year) + 1).into(),
            "15" => format!("{hour:02}").into(),
            "03" => format!("{hour_of_12:02}").into(),
            "3" => hour_of_12.to_string().into(),
            "04" => format!("{minute:02}").into(),
            "4" => minute.to_string().into(),
            "05" => format!("{second:02}").into(),
            "5" => second.to_string().into(),
            "PM" => (if hour < 12 { "AM" } else { "PM" }).into(),
            "pm" => (if hour < 12 { "am" } else { "pm" }).into(),
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

/// Year, month and day of a day since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The first of January of a year, in days since 1970.
fn first_day(year: i64) -> i64 {
    let before = year - 1;
    before * 365 + before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400) - 719_162
}
