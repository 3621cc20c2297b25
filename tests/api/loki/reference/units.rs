//! Durations and sizes in the values of labels, as Go and its `humanize` read them.

/// Nanoseconds of one or more numbers with units, such as `1h2.5s`.
pub(super) fn duration_ns(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0;
    while !rest.is_empty() {
        let (number, tail) = digits(rest);
        let end = tail.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(tail.len());
        let unit_ns = match &tail[..end] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total += scaled(number, unit_ns)?;
        rest = &tail[end..];
    }
    Some(sign * total)
}

/// The whole part exactly, of the fraction whole nanoseconds: `129.7ms` is not a nanosecond less.
fn scaled(number: &str, unit_ns: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut ns = if whole.is_empty() { 0 } else { whole.parse::<i64>().ok()? * unit_ns };
    let mut place = unit_ns;
    for digit in fraction.chars() {
        ns += i64::from(digit.to_digit(10)?) * place / 10;
        place /= 10;
    }
    Some(ns)
}

/// Bytes of a number with a unit of 1000 or 1024 in any case, or with none.
pub(super) fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = digits(text);
    let number: f64 = number.parse().ok()?;
    let unit = unit.trim().to_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let scale = match unit {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        "t" => 1e12,
        "p" => 1e15,
        "ki" => 1024.0,
        "mi" => 1024.0 * 1024.0,
        "gi" => 1024.0 * 1024.0 * 1024.0,
        "ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "as humanize does")]
    let bytes = (number * scale) as u64;
    Some(bytes)
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| c != '.' && !c.is_ascii_digit()).unwrap_or(text.len()))
}
