//! Durations and sizes as Go and Loki write them: `1h30m`, `1.5s`, `10KB`, `2MiB`. What is printed is read as
//! the same value.

use std::fmt::Write as _;

const DURATIONS: [(&str, u64); 10] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

const YEAR_NS: u64 = 365 * 86_400_000_000_000;

/// Sizes in the order in which they are tried for printing: the largest that divides wins.
const SIZES: [(&str, u64); 12] = [
    ("EB", 1_000_000_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("EiB", 1 << 60),
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
];

/// Nanoseconds of a duration of one or more numbers with units; `d`, `w` and `y` are units too.
pub fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i64;
    while !rest.is_empty() {
        let (number, tail) = number(rest)?;
        let end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(end)?;
        let scale = if unit == "y" {
            YEAR_NS
        } else {
            DURATIONS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale)?
        };
        total = total.checked_add(i64::try_from(exactly(number, scale)?).ok()?)?;
        rest = tail;
    }
    Some(if negative { -total } else { total })
}

/// Bytes of a size; a number alone is bytes. Units of 1000 and 1024, in any case, the `B` may be left out.
pub fn parse_bytes(text: &str) -> Option<u64> {
    let (number, unit) = number(text)?;
    let unit = unit.trim();
    let scale = if unit.is_empty() || unit.eq_ignore_ascii_case("b") {
        1
    } else {
        SIZES.iter().find(|(name, _)| is_size(unit, name)).map(|(_, scale)| *scale)?
    };
    scaled(number, scale)
}

fn is_size(unit: &str, name: &str) -> bool {
    unit.eq_ignore_ascii_case(name)
        || name.strip_suffix('B').is_some_and(|name| unit.eq_ignore_ascii_case(name))
}

/// The digits at the start, with at most one point, and what follows.
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(end)?;
    let has_digit = number.bytes().any(|byte| byte.is_ascii_digit());
    (has_digit && number.matches('.').count() <= 1).then_some((number, rest))
}

/// The whole and the fraction apart: a float has not all digits of both.
fn exactly(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.checked_mul(scale)? };
    let mut part = 0_u128;
    let mut unit = u128::from(scale) * 1_000_000_000;
    for digit in fraction.bytes().map(|byte| u128::from(byte.saturating_sub(b'0'))) {
        unit /= 10;
        part += digit * unit;
    }
    whole.checked_add(u64::try_from(part / 1_000_000_000).ok()?)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
fn scaled(number: &str, scale: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(scale);
    }
    let value = number.parse::<f64>().ok()? * scale as f64;
    (value < u64::MAX as f64).then_some(value as u64)
}

/// A duration in whole units, the largest first.
pub(super) fn print_duration(ns: i64) -> String {
    let mut rest = ns.unsigned_abs();
    if rest == 0 {
        return "0s".into();
    }
    let mut printed = if ns < 0 { "-".to_owned() } else { String::new() };
    for unit in ["h", "m", "s", "ms", "us", "ns"] {
        let Some((_, scale)) = DURATIONS.iter().find(|(name, _)| *name == unit) else { continue };
        if rest >= *scale {
            let _ = write!(printed, "{}{unit}", rest / scale);
            rest %= scale;
        }
    }
    printed
}

/// A size in the largest unit that divides it.
pub(super) fn print_bytes(bytes: u64) -> String {
    let unit = SIZES.iter().find(|(_, scale)| bytes != 0 && bytes.is_multiple_of(*scale));
    match unit {
        Some((unit, scale)) => format!("{}{unit}", bytes / scale),
        None => format!("{bytes}B"),
    }
}
