//! Points in time: nanoseconds since the epoch, and the one reader of every way a producer writes them.
//!
//! Invariant: a `Timestamp` lies between 1970-01-01 and 2262-04-11, so its nanoseconds are a
//! non-negative `i64` and its year has four digits.

use std::fmt;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

/// A moment in UTC, to the nanosecond.
///
/// As text and in JSON it is RFC 3339 with `Z` and 0, 3, 6 or 9 fractional digits, as many as it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why something is not a timestamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    #[error("expected RFC 3339 or a number of seconds, ms, us or ns since 1970, got {got}")]
    Unreadable { got: String },
    #[error("expected a date with a time of day, got the date {got} alone")]
    DateOnly { got: String },
    #[error("expected a time from 1970-01-01 to 2262-04-11, got {got}")]
    OutOfRange { got: String },
}

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;

/// Inside one function it is enough to know the kind; the text is added once, by `parse_text`.
enum Fault {
    Unreadable,
    DateOnly,
    OutOfRange,
}

impl Timestamp {
    pub const EPOCH: Self = Self(0);
    pub const MAX: Self = Self(i64::MAX);

    /// Nanoseconds since the epoch; a negative number is the epoch itself.
    pub const fn from_ns(ns: i64) -> Self {
        if ns < 0 { Self::EPOCH } else { Self(ns) }
    }

    /// Milliseconds since the epoch, held to the range of the type.
    pub const fn from_ms(ms: i64) -> Self {
        Self::from_ns(ms.saturating_mul(1_000_000))
    }

    pub const fn as_ns(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down.
    pub const fn as_ms(self) -> i64 {
        self.0 / 1_000_000
    }

    /// Reads a JSON string as `parse_text` and a JSON number as `parse_number`; nothing else is a time.
    pub fn parse(value: &Value) -> Result<Self, TimestampError> {
        match value {
            Value::String(text) => Self::parse_text(text),
            Value::Number(number) => Self::parse_number(number),
            other => Err(Fault::Unreadable.about(&other.to_string())),
        }
    }

    /// Reads RFC 3339 with any offset (`T`, `t` or a space between; `.` or `,` before the fraction;
    /// `+02:00`, `+0200` or `+02`), the same without an offset (taken as UTC), or a number as text.
    ///
    /// A fraction finer than nanoseconds is cut; second 60 is the first second of the next minute.
    pub fn parse_text(text: &str) -> Result<Self, TimestampError> {
        let trimmed = text.trim_ascii();
        let read = match trimmed.as_bytes() {
            [_, _, _, _, b'-', ..] => parse_date_time(trimmed.as_bytes()),
            _ => parse_decimal(trimmed),
        };
        read.map_err(|fault| fault.about(trimmed))
    }

    /// Reads a number by its size: below 1e11 seconds, below 1e14 milliseconds, below 1e17
    /// microseconds, else nanoseconds.
    ///
    /// Each threshold is March 1973 in the finer unit and the year 5138 in the coarser one, so every
    /// moment from 1973 on is read the same in all four. A fraction keeps its decimal digits.
    pub fn parse_number(number: &Number) -> Result<Self, TimestampError> {
        let read = match number.as_i64() {
            Some(whole) => scaled(whole, 0),
            None => parse_decimal(&number.to_string()),
        };
        read.map_err(|fault| fault.about(&number.to_string()))
    }

    pub(super) fn write(self, buffer: &mut [u8; 30]) -> &str {
        // Split once, then 32 bits: wasm divides 64 bits by a constant at the cost of a real division.
        let (days, of_day) = (self.0 / DAY_NS, self.0 % DAY_NS);
        let narrow = |number: i64| u32::try_from(number).unwrap_or_default();
        let (seconds, fraction) = (narrow(of_day / SECOND_NS), narrow(of_day % SECOND_NS));
        let (year, month, day) = civil_from_days(narrow(days));
        let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
        let length = text_len(fraction);
        let end_or = |at: usize, byte: u8| if length == at { b'Z' } else { byte };
        let ([y0, y1], [y2, y3]) = (two(year / 100), two(year % 100));
        let ([m0, m1], [d0, d1]) = (two(month), two(day));
        let ([h0, h1], [i0, i1], [s0, s1]) = (two(hour), two(minute), two(second));
        let [f0, f1, f2] = three(fraction / 1_000_000);
        let [f3, f4, f5] = three(fraction / 1_000 % 1_000);
        let [f6, f7, f8] = three(fraction % 1_000);
        let (dot, f3, f6) = (end_or(20, b'.'), end_or(24, f3), end_or(27, f6));
        #[rustfmt::skip]
        let text = [
            y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', h0, h1, b':', i0, i1, b':', s0, s1,
            dot, f0, f1, f2, f3, f4, f5, f6, f7, f8, b'Z',
        ];
        *buffer = text;
        buffer.get(..length).and_then(|bytes| str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// How many bytes it has as text.
    pub(super) fn text_len(self) -> usize {
        text_len(u32::try_from(self.0 % SECOND_NS).unwrap_or_default())
    }
}

/// Bytes of a time with such a fraction of a second, in nanoseconds.
const fn text_len(fraction: u32) -> usize {
    match fraction {
        0 => 20,
        ms if ms % 1_000_000 == 0 => 24,
        us if us % 1_000 == 0 => 27,
        _ => 30,
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.write(&mut [0; 30]))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_text(text)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.write(&mut [0; 30]))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 timestamp")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                parse_date_time(text.as_bytes()).map_err(|fault| E::custom(fault.about(text)))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl Fault {
    fn about(self, text: &str) -> TimestampError {
        // Long enough for any timestamp, short enough to be echoed to a caller.
        let mut got: String = text.chars().take(40).collect();
        if got.len() < text.len() {
            got.push('…');
        }
        let got = format!("`{got}`");
        match self {
            Self::Unreadable => TimestampError::Unreadable { got },
            Self::DateOnly => TimestampError::DateOnly { got },
            Self::OutOfRange => TimestampError::OutOfRange { got },
        }
    }
}

fn parse_date_time(text: &[u8]) -> Result<Timestamp, Fault> {
    if let [_, _, _, _, b'-', _, _, b'-', _, _] = text {
        return Err(Fault::DateOnly);
    }
    #[rustfmt::skip]
    let [
        y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T' | b't' | b' ',
        h0, h1, b':', i0, i1, b':', s0, s1, rest @ ..,
    ] = text
    else {
        return Err(Fault::Unreadable);
    };
    let year = number(&[*y0, *y1, *y2, *y3])?;
    let (month, day) = (number(&[*m0, *m1])?, number(&[*d0, *d1])?);
    let (hour, minute, second) = (number(&[*h0, *h1])?, number(&[*i0, *i1])?, number(&[*s0, *s1])?);
    let (nanos, zone) = split_fraction(rest)?;
    let offset_seconds = parse_offset(zone)?;
    if day == 0 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60 {
        return Err(Fault::Unreadable);
    }
    // 1969 stays for now: an offset may carry its last hours into 1970.
    if year < 1969 {
        return Err(Fault::OutOfRange);
    }
    let days = days_from_civil(year, month, day);
    let clock = i64::from(hour * 3_600 + minute * 60 + second);
    let seconds = days * 86_400 + clock - offset_seconds;
    seconds
        .checked_mul(SECOND_NS)
        .and_then(|ns| ns.checked_add(nanos))
        .filter(|ns| *ns >= 0)
        .map(Timestamp)
        .ok_or(Fault::OutOfRange)
}

/// The fraction in nanoseconds and what follows it.
fn split_fraction(rest: &[u8]) -> Result<(i64, &[u8]), Fault> {
    let [b'.' | b',', tail @ ..] = rest else {
        return Ok((0, rest));
    };
    let length = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, zone) = tail.split_at_checked(length).ok_or(Fault::Unreadable)?;
    if digits.is_empty() {
        return Err(Fault::Unreadable);
    }
    Ok((billionths(digits), zone))
}

/// Seconds east of UTC; nothing at all is UTC.
fn parse_offset(zone: &[u8]) -> Result<i64, Fault> {
    let zone = zone.strip_prefix(b" ").unwrap_or(zone);
    let (sign, hours, minutes) = match zone {
        [] | [b'Z' | b'z'] | b"UTC" | b"GMT" => return Ok(0),
        [sign, h0, h1, b':', m0, m1] | [sign, h0, h1, m0, m1] => (sign, [*h0, *h1], [*m0, *m1]),
        [sign, h0, h1] => (sign, [*h0, *h1], [b'0', b'0']),
        _ => return Err(Fault::Unreadable),
    };
    let (hours, minutes) = (number(&hours)?, number(&minutes)?);
    if hours > 23 || minutes > 59 {
        return Err(Fault::Unreadable);
    }
    let seconds = i64::from(hours * 3_600 + minutes * 60);
    match sign {
        b'+' => Ok(seconds),
        b'-' => Ok(-seconds),
        _ => Err(Fault::Unreadable),
    }
}

/// A decimal number since the epoch, its digits read one by one: through `f64` the last would be lost.
fn parse_decimal(text: &str) -> Result<Timestamp, Fault> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let (negative, digits) = whole.strip_prefix('-').map_or((false, whole), |digits| (true, digits));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if plain(digits) && plain(fraction) {
        return match digits.parse::<i64>() {
            Ok(whole) if !negative => scaled(whole, billionths(fraction.as_bytes())),
            _ => Err(Fault::OutOfRange),
        };
    }
    // An exponent. Rust prints an f64 without one, and with its shortest digits.
    let exponent = text.contains(['e', 'E']).then(|| text.parse::<f64>().ok()).flatten();
    match exponent {
        Some(value) if value.is_finite() => parse_decimal(&value.to_string()),
        _ => Err(Fault::Unreadable),
    }
}

/// `whole` and `fraction` billionths of whatever unit the size of `whole` tells.
fn scaled(whole: i64, fraction: i64) -> Result<Timestamp, Fault> {
    let unit_ns: i64 = match whole {
        ..0 => return Err(Fault::OutOfRange),
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    whole
        .checked_mul(unit_ns)
        .and_then(|ns| ns.checked_add(fraction * unit_ns / SECOND_NS))
        .map(Timestamp)
        .ok_or(Fault::OutOfRange)
}

/// The first nine digits as billionths, as though the rest were zeros.
fn billionths(digits: &[u8]) -> i64 {
    let (mut sum, mut unit) = (0, SECOND_NS);
    for byte in digits.iter().take(9) {
        unit /= 10;
        sum = sum * 10 + i64::from(byte.wrapping_sub(b'0'));
    }
    sum * unit
}

fn number(digits: &[u8]) -> Result<u32, Fault> {
    let mut sum = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Fault::Unreadable);
        }
        sum = sum * 10 + u32::from(digit);
    }
    Ok(sum)
}

const fn digit(number: u32) -> u8 {
    b'0' + (number % 10) as u8
}

const fn two(number: u32) -> [u8; 2] {
    [digit(number / 10), digit(number)]
}

const fn three(number: u32) -> [u8; 3] {
    [digit(number / 100), digit(number / 10), digit(number)]
}

const fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 0,
    }
}

/// Days since the epoch, of any year from 1 on.
///
/// This and its inverse are Howard Hinnant's civil-calendar algorithms: years begin in March, in eras of
/// 400 years.
fn days_from_civil(year: u32, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i64::from(era * 146_097 + day_of_era) - 719_468
}

/// Year, month, day.
const fn civil_from_days(days: u32) -> (u32, u32, u32) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, SecondsFormat};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// `expected` is what is shown, or the first words of the error after "expected".
    fn check(input: &Value, expected: &str) {
        let shown = match Timestamp::parse(input) {
            Ok(timestamp) => timestamp.to_string(),
            Err(TimestampError::Unreadable { .. }) => "unreadable".into(),
            Err(TimestampError::DateOnly { .. }) => "date only".into(),
            Err(TimestampError::OutOfRange { .. }) => "out of range".into(),
        };
        assert_eq!(shown, expected, "{input}");
    }

    #[test]
    fn every_way_to_write_a_date_and_time_is_read() {
        for (input, expected) in [
            ("2025-11-20T23:47:16Z", "2025-11-20T23:47:16Z"),
            ("2025-11-20T23:47:16.1Z", "2025-11-20T23:47:16.100Z"),
            ("2025-11-20T23:47:16.123Z", "2025-11-20T23:47:16.123Z"),
            ("2025-11-20T23:47:16.1234Z", "2025-11-20T23:47:16.123400Z"),
            ("2025-11-20T23:47:16.123456Z", "2025-11-20T23:47:16.123456Z"),
            ("2025-11-20T23:47:16.123456789Z", "2025-11-20T23:47:16.123456789Z"),
            ("2025-11-20T23:47:16.000Z", "2025-11-20T23:47:16Z"),
            // .NET writes seven digits; more than nine are cut.
            ("2025-11-20T23:47:16.1234567Z", "2025-11-20T23:47:16.123456700Z"),
            ("2025-11-20T23:47:16.12345678999Z", "2025-11-20T23:47:16.123456789Z"),
            ("2025-11-20t23:47:16z", "2025-11-20T23:47:16Z"),
            ("2025-11-20 23:47:16Z", "2025-11-20T23:47:16Z"),
            ("  2025-11-20T23:47:16Z\n", "2025-11-20T23:47:16Z"),
            // Python: isoformat(), logging's asctime, strftime's %z.
            ("2025-11-20T23:47:16.123456", "2025-11-20T23:47:16.123456Z"),
            ("2025-11-20T23:47:16", "2025-11-20T23:47:16Z"),
            ("2025-11-20 23:47:16,123", "2025-11-20T23:47:16.123Z"),
            ("2025-11-20T23:47:16+0100", "2025-11-20T22:47:16Z"),
            ("2025-11-20T23:47:16.5+05:30", "2025-11-20T18:17:16.500Z"),
            ("2025-11-20T23:47:16-08:00", "2025-11-21T07:47:16Z"),
            ("2025-11-20T23:47:16-00:00", "2025-11-20T23:47:16Z"),
            // PostgreSQL, Ruby.
            ("2025-11-20 23:47:16.25+02", "2025-11-20T21:47:16.250Z"),
            ("2025-11-20 23:47:16 +0000", "2025-11-20T23:47:16Z"),
            ("2025-11-20 23:47:16 UTC", "2025-11-20T23:47:16Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z"),
            ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00Z"),
            ("2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807Z"),
        ] {
            check(&json!(input), expected);
        }
    }

    #[test]
    fn what_is_not_a_date_with_a_time_is_an_error_with_its_reason() {
        for (input, expected) in [
            ("2025-11-20", "date only"),
            ("2262-04-11T23:47:16.854775808Z", "out of range"),
            ("2262-04-12T00:00:00Z", "out of range"),
            ("9999-12-31T23:59:59Z", "out of range"),
            ("1969-12-31T23:59:59Z", "out of range"),
            ("1970-01-01T00:00:00+00:01", "out of range"),
            ("0000-01-01T00:00:00Z", "out of range"),
            ("1969-01-01T00:00:00Z", "out of range"),
            ("", "unreadable"),
            ("now", "unreadable"),
            ("yesterday", "unreadable"),
            ("NaN", "unreadable"),
            ("inf", "unreadable"),
            ("Thu, 20 Nov 2025 23:47:16 GMT", "unreadable"),
            ("2025-11-20T", "unreadable"),
            ("2025-11-20T23:47Z", "unreadable"),
            ("2025-11-20T23:47:16.Z", "unreadable"),
            ("2025-11-20T23:47:16Zebra", "unreadable"),
            ("2025-11-20T23:47:16+24:00", "unreadable"),
            ("2025-11-20T23:47:16*01:00", "unreadable"),
            ("2025-11-20T24:00:00Z", "unreadable"),
            ("2025-11-20T23:60:00Z", "unreadable"),
            ("2025-11-20T23:59:61Z", "unreadable"),
            ("2025-13-20T23:47:16Z", "unreadable"),
            ("2025-00-20T23:47:16Z", "unreadable"),
            ("2025-11-00T23:47:16Z", "unreadable"),
            ("2025-11-31T23:47:16Z", "unreadable"),
            ("2025-02-29T23:47:16Z", "unreadable"),
            ("2100-02-29T23:47:16Z", "unreadable"),
            ("2025-1a-20T23:47:16Z", "unreadable"),
            ("2025–11–20T23:47:16Z", "unreadable"),
        ] {
            check(&json!(input), expected);
        }
    }

    #[test]
    fn a_number_is_seconds_milliseconds_microseconds_or_nanoseconds_by_its_size() {
        for (input, expected) in [
            (json!(0), "1970-01-01T00:00:00Z"),
            (json!(1_763_682_436), "2025-11-20T23:47:16Z"),
            (json!(1_763_682_436_123_i64), "2025-11-20T23:47:16.123Z"),
            (json!(1_763_682_436_123_456_i64), "2025-11-20T23:47:16.123456Z"),
            (json!(1_763_682_436_123_456_789_i64), "2025-11-20T23:47:16.123456789Z"),
            (json!(1_763_682_436.123), "2025-11-20T23:47:16.123Z"),
            (json!(1_763_682_436.123_456), "2025-11-20T23:47:16.123456Z"),
            (json!(1_763_682_436_123.5), "2025-11-20T23:47:16.123500Z"),
            (json!(1.763_682_436e9), "2025-11-20T23:47:16Z"),
            (json!("1763682436"), "2025-11-20T23:47:16Z"),
            (json!("1763682436.123456789"), "2025-11-20T23:47:16.123456789Z"),
            (json!("1763682436123"), "2025-11-20T23:47:16.123Z"),
            (json!("1763682436123456789"), "2025-11-20T23:47:16.123456789Z"),
            (json!("1.763682436e9"), "2025-11-20T23:47:16Z"),
            // The two sides of each threshold.
            (json!(9_223_372_036_i64), "2262-04-11T23:47:16Z"),
            (json!(9_223_372_037_i64), "out of range"),
            (json!(99_999_999_999_i64), "out of range"),
            (json!(100_000_000_000_i64), "1973-03-03T09:46:40Z"),
            (json!(9_223_372_036_854_i64), "2262-04-11T23:47:16.854Z"),
            (json!(99_999_999_999_999_i64), "out of range"),
            (json!(100_000_000_000_000_i64), "1973-03-03T09:46:40Z"),
            (json!(99_999_999_999_999_999_i64), "out of range"),
            (json!(100_000_000_000_000_000_i64), "1973-03-03T09:46:40Z"),
            (json!(i64::MAX), "2262-04-11T23:47:16.854775807Z"),
            (json!(u64::MAX), "out of range"),
            (json!(1e300), "out of range"),
            (json!(-1), "out of range"),
            (json!(-1.5), "out of range"),
            (json!("-1"), "out of range"),
            (json!(-0.5), "out of range"),
            (json!("99999999999999999999"), "out of range"),
            (json!("1."), "unreadable"),
            (json!(".5"), "unreadable"),
            (json!("1.2.3"), "unreadable"),
            (json!("0x10"), "unreadable"),
            (json!(true), "unreadable"),
            (json!(null), "unreadable"),
            (json!([1]), "unreadable"),
            (json!({"seconds": 1}), "unreadable"),
        ] {
            check(&input, expected);
        }
    }

    #[test]
    fn errors_say_what_came_and_cut_it_short() {
        let error = Timestamp::parse_text(&"x".repeat(100)).unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "expected RFC 3339 or a number of seconds, ms, us or ns since 1970, got `{}…`",
                "x".repeat(40)
            )
        );
    }

    #[test]
    fn numbers_outside_the_range_are_held_to_it() {
        assert_eq!(Timestamp::from_ns(-1), Timestamp::EPOCH);
        assert_eq!(Timestamp::from_ms(i64::MIN), Timestamp::EPOCH);
        assert_eq!(Timestamp::from_ms(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::from_ns(1_999_999).as_ms(), 1);
    }

    #[test]
    fn stored_text_must_be_a_date_and_never_a_number() {
        assert_eq!(serde_json::from_str::<Timestamp>("\"1763682436\"").ok(), None);
        assert_eq!(serde_json::from_str::<Timestamp>("1763682436").ok(), None);
        assert_eq!(
            serde_json::from_str::<Timestamp>("\"2025-11-20T23:47:16.5Z\"").ok(),
            Some(Timestamp::from_ms(1_763_682_436_500))
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(ns in 0..=i64::MAX, unit in prop::sample::select(vec![1, 1_000, 1_000_000, 1_000_000_000])) {
            let timestamp = Timestamp::from_ns(ns / unit * unit);
            let json = serde_json::to_string(&timestamp).unwrap();
            prop_assert_eq!(serde_json::from_str::<Timestamp>(&json).unwrap(), timestamp);
            prop_assert_eq!(Timestamp::parse_text(&timestamp.to_string()), Ok(timestamp));
        }

        #[test]
        fn the_calendar_is_the_one_of_chrono(ns in 0..=i64::MAX, minutes in -1_439..=1_439_i32) {
            let utc = DateTime::from_timestamp_nanos(ns);
            prop_assert_eq!(Timestamp::from_ns(ns).to_string(), utc.to_rfc3339_opts(SecondsFormat::AutoSi, true));
            let zone = chrono::FixedOffset::east_opt(minutes * 60).unwrap();
            let local = utc.with_timezone(&zone).to_rfc3339();
            prop_assert_eq!(Timestamp::parse_text(&local), Ok(Timestamp::from_ns(ns)));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}", digits in "[0-9TtZz:., +-]{0,40}") {
            let _ = Timestamp::parse_text(&text);
            let _ = Timestamp::parse_text(&digits);
        }
    }
}
