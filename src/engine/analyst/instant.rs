//! Times as models are told them and write them: RFC 3339.

/// `2026-11-20T06:00:00Z`.
pub(super) fn write(ms: i64) -> String {
    let minute = crate::engine::prose::minute(ms);
    let (day, time) = minute.trim_end_matches(" UTC").split_once(' ').unwrap_or(("1970-01-01", "00:00"));
    let seconds = ms.rem_euclid(60_000) / 1000;
    format!("{day}T{time}:{seconds:02}Z")
}

/// A date and a time with any offset; without one it is UTC. Seconds and their fraction may be missing, and what is below a
/// millisecond is cut.
pub(super) fn read(text: &str) -> Option<i64> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let days_in_month = match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || !(1970..=2261).contains(&year) {
        return None;
    }
    let zone_at = rest.find(['Z', 'z', '+', '-', ' ']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at_checked(zone_at)?;
    let ms = days(year, month, day) * 86_400_000 + time_of_day(time)? - offset(zone.trim())?;
    (ms >= 0).then_some(ms)
}

fn time_of_day(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, "0"));
    let [hour, minute, second] = if whole.len() == 5 {
        let [hour, minute] = numbers(whole, ':', [2, 2])?;
        [hour, minute, 0]
    } else {
        numbers(whole, ':', [2, 2, 2])?
    };
    if hour > 23 || minute > 59 || second > 59 || fraction.is_empty() || fraction.len() > 12 {
        return None;
    }
    let mut thousandths = 0;
    for at in 0..3 {
        thousandths = thousandths * 10
            + fraction.as_bytes().get(at).map_or(0, |digit| i64::from(digit.wrapping_sub(b'0')));
    }
    if !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(((hour * 60 + minute) * 60 + second) * 1000 + thousandths)
}

fn offset(zone: &str) -> Option<i64> {
    if zone.is_empty() || ["Z", "z", "UTC", "GMT"].contains(&zone) {
        return Some(0);
    }
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    let [hours] = numbers(hours, ':', [2])?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let minutes = if minutes.is_empty() { 0 } else { numbers::<1>(minutes, ':', [2])?.into_iter().sum() };
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

/// Numbers of exactly so many digits, with one sign between them.
fn numbers<const N: usize>(text: &str, between: char, digits: [usize; N]) -> Option<[i64; N]> {
    let mut found = [0; N];
    let mut parts = text.split(between);
    for (number, digits) in found.iter_mut().zip(digits) {
        let part = parts.next()?;
        if part.len() != digits || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(found)
}

/// Days since 1970. Years that start in March put the leap day last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_any_offset() {
        let cases = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-05-15T14:02:45Z", Some(1_715_781_765_000)),
            ("2024-05-15T14:02:45.9999Z", Some(1_715_781_765_999)),
            ("2024-05-15 14:02:45", Some(1_715_781_765_000)),
            ("2024-05-15t16:02:45+02:00", Some(1_715_781_765_000)),
            ("2024-05-15T16:02:45+0200", Some(1_715_781_765_000)),
            ("2024-05-15T12:02:45 -02", Some(1_715_781_765_000)),
            ("2024-05-15T14:02:45 UTC", Some(1_715_781_765_000)),
            ("2024-05-15T14:02", Some(1_715_781_720_000)),
            ("2024-02-29T23:59:59Z", Some(1_709_251_199_000)),
            ("2023-02-29T00:00:00Z", None),
            ("2024-13-01T00:00:00Z", None),
            ("2024-05-15", None),
            ("2024-05-15T24:00:00Z", None),
            ("2024-05-15T14:02:60Z", None),
            ("2024-05-15T14:02:45.Z", None),
            ("2024-05-15T14:02:45.9xZ", None),
            ("2024-05-15T14:02:45+2", None),
            ("2024-05-15T14:02:45+ab:cd", None),
            ("1969-12-31T23:59:59Z", None),
            ("9999-01-01T00:00:00Z", None),
            ("+024-05-15T14:02:45Z", None),
            ("yesterday", None),
            ("", None),
            ("äääääääääää", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(read(text), wanted, "{text}");
        }
        assert_eq!(write(1_715_781_765_999), "2024-05-15T14:02:45Z");
        for ms in [0, 951_782_400_000, 4_107_542_399_000, 9_214_646_400_000 - 1000] {
            assert_eq!(read(&write(ms)), Some(ms));
        }
    }
}
