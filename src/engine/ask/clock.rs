//! Times of day, and lengths of time: "14:05", "2 pm", "noon", "15 minutes", "1h30m".

use super::words::Tokens;

pub(super) const SECOND: i64 = 1000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;
pub(super) const WEEK: i64 = 7 * DAY;

/// A time of day. It lasts as long as the smallest unit that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    /// Milliseconds since midnight.
    pub(super) from: i64,
    pub(super) length: i64,
    /// Whether am or pm is still open.
    pub(super) is_open: bool,
    pub(super) is_pm: bool,
    /// A number alone, which is a time only where one is wanted.
    pub(super) is_bare: bool,
}

impl Clock {
    fn of(hour: i64, minute: Option<i64>, second: Option<i64>) -> Option<Self> {
        let is_day = hour < 24 || (hour == 24 && minute.unwrap_or(0) == 0 && second.unwrap_or(0) == 0);
        if !is_day || minute.unwrap_or(0) > 59 || second.unwrap_or(0) > 59 {
            return None;
        }
        let from = hour * HOUR + minute.unwrap_or(0) * MINUTE + second.unwrap_or(0) * SECOND;
        let length = match (minute, second) {
            (None, _) => HOUR,
            (_, None) => MINUTE,
            _ => SECOND,
        };
        Some(Self {
            from,
            length,
            is_open: (1..=12).contains(&hour),
            is_pm: false,
            is_bare: minute.is_none(),
        })
    }

    /// The same with am or pm said.
    pub(super) fn half(self, is_pm: bool) -> Option<Self> {
        if self.from >= 13 * HOUR {
            // "14:00 pm" is said, and means 14:00.
            return is_pm.then_some(Self { is_pm, is_bare: false, ..self });
        }
        let from = self.from % (12 * HOUR) + if is_pm { 12 * HOUR } else { 0 };
        Some(Self { from, is_open: false, is_pm, is_bare: false, ..self })
    }

    /// The same within a part of the day, where that decides between am and pm.
    pub(super) fn within(self, part: (i64, i64)) -> Self {
        let later = self.from + 12 * HOUR;
        let fits = |at: i64| (part.0..part.1).contains(&at);
        // The small hours of a night are of the next day.
        if part.1 > DAY && !fits(self.from) && fits(self.from + DAY) {
            return Self { from: self.from + DAY, is_open: false, ..self };
        }
        if self.is_open && !fits(self.from) && fits(later) {
            Self { from: later, is_open: false, ..self }
        } else {
            self
        }
    }
}

/// Two or three numbers, as in `14:05:30`, or one.
fn digits(text: &str) -> Option<Clock> {
    let text =
        text.split_once('.').filter(|(_, fraction)| is_digits(fraction)).map_or(text, |(whole, _)| whole);
    let mut parts = text.split(':');
    let hour = short(parts.next()?)?;
    let minute = parts.next().map(|part| if part.len() == 2 { short(part) } else { None });
    let second = parts.next().map(|part| if part.len() == 2 { short(part) } else { None });
    let clock = match (minute, second, parts.next()) {
        (Some(None), ..) | (_, Some(None), _) | (_, _, Some(_)) => return None,
        (minute, second, None) => Clock::of(hour, minute.flatten(), second.flatten())?,
    };
    // Who writes 02:00 counts up to 24.
    Some(Clock { is_open: clock.is_open && !text.starts_with('0'), ..clock })
}

pub(super) fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

fn short(text: &str) -> Option<i64> {
    (text.len() <= 2 && is_digits(text)).then(|| text.parse().ok()).flatten()
}

/// A time of day in one word.
pub(super) fn clock_of(word: &str) -> Option<Clock> {
    match word {
        "noon" | "midday" => return Clock::of(12, Some(0), None)?.half(true),
        "midnight" => return Some(Clock { is_open: false, ..Clock::of(0, Some(0), None)? }),
        _ => {}
    }
    for (ending, is_pm) in [("am", false), ("a.m", false), ("pm", true), ("p.m", true)] {
        if let Some(rest) = word.strip_suffix(ending) {
            return digits(rest)?.half(is_pm);
        }
    }
    if let Some(rest) =
        word.strip_suffix('z').or_else(|| word.strip_suffix("-ish")).or_else(|| word.strip_suffix("ish"))
    {
        return digits(rest).map(|clock| Clock { is_bare: false, ..clock });
    }
    digits(word)
}

/// A time of day, and where it ends. `may_be_bare` says whether a number alone is one.
pub(super) fn clock(tokens: &Tokens<'_>, at: usize, may_be_bare: bool) -> Option<(usize, Clock)> {
    let word = tokens.lower(at);
    if let Some(hour) = half_past(tokens, at) {
        return Some(hour);
    }
    let mut clock = clock_of(word)?;
    let mut next = at + 1;
    if tokens.is(next, &["am", "a.m", "pm", "p.m"]) {
        clock = clock.half(tokens.lower(next).starts_with('p'))?;
        next += 1;
    }
    if let Some(end) = tokens.eat_any(next, &["o'clock", "oclock", "o clock", "clock", "hrs", "uhr"]) {
        clock.is_bare = false;
        next = end;
        if tokens.is(next, &["am", "pm"]) {
            clock = clock.half(tokens.lower(next) == "pm")?;
            next += 1;
        }
    }
    next = tokens.skip(next, &["utc", "gmt", "sharp"]);
    (may_be_bare || !clock.is_bare).then_some((next, clock))
}

/// "half past 3", "quarter to 4".
fn half_past(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Clock)> {
    let at = tokens.skip(at, &["a"]);
    let minutes = match tokens.lower(at) {
        "half" => 30,
        "quarter" => 15,
        _ => return None,
    };
    let is_past = tokens.is(at + 1, &["past", "after"]);
    if !is_past && !tokens.is(at + 1, &["to", "before"]) {
        return None;
    }
    let (next, hour) = clock(tokens, at + 2, true).filter(|(_, clock)| clock.length == HOUR)?;
    let from = (hour.from + if is_past { minutes } else { -minutes } * MINUTE).rem_euclid(DAY);
    Some((next, Clock { from, length: MINUTE, is_bare: false, ..hour }))
}

/// What a word counts, when it does.
pub(super) fn number(word: &str) -> Option<i64> {
    if is_digits(word) {
        return (word.len() <= 9).then(|| word.parse().ok()).flatten();
    }
    Some(match word {
        "a" | "an" | "one" | "single" => 1,
        "two" | "couple" => 2,
        "three" => 3,
        "four" => 4,
        "five" | "few" | "several" => 5,
        "six" => 6,
        "seven" => 7,
        "eight" => 8,
        "nine" => 9,
        "ten" => 10,
        "eleven" => 11,
        "twelve" => 12,
        "fifteen" => 15,
        "twenty" => 20,
        "thirty" => 30,
        "forty" => 40,
        "forty-five" => 45,
        "fifty" => 50,
        "sixty" => 60,
        "ninety" => 90,
        "hundred" => 100,
        _ => return None,
    })
}

/// Thousandths: `1.5` is 1500. It has up to nine digits and up to three behind the point.
fn thousandths(word: &str) -> Option<i64> {
    let (whole, fraction) = word.split_once(['.', ',']).unwrap_or((word, "0"));
    if !is_digits(whole) || whole.len() > 9 || !is_digits(fraction) || fraction.len() > 3 {
        return None;
    }
    let whole: i64 = whole.parse().ok()?;
    let fraction: i64 = format!("{fraction:0<3}").parse().ok()?;
    Some(whole * 1000 + fraction)
}

/// Milliseconds of a unit.
pub(super) fn unit(word: &str) -> Option<i64> {
    Some(match word {
        "ms" | "msec" | "msecs" | "milli" | "millis" | "millisecond" | "milliseconds" => 1,
        "s" | "sec" | "secs" | "second" | "seconds" | "secounds" => SECOND,
        "m" | "min" | "mins" | "minute" | "minutes" | "minuts" | "minutos" | "minuten" => MINUTE,
        "h" | "hr" | "hrs" | "hour" | "hours" | "houres" | "stunden" => HOUR,
        "d" | "day" | "days" => DAY,
        "w" | "wk" | "wks" | "week" | "weeks" => WEEK,
        "month" | "months" => 30 * DAY,
        "year" | "years" => 365 * DAY,
        _ => return None,
    })
}

/// A length of time in thousandths of a millisecond, the last unit in it, and where it ends. `wants_unit` is
/// false where "last hour" counts one.
pub(super) fn length(tokens: &Tokens<'_>, at: usize, may_lack_number: bool) -> Option<(usize, i64, i64)> {
    const MOST: i64 = i64::MAX / 4;
    let word = tokens.lower(at);
    if tokens.is_phrase(at) {
        return None;
    }
    if let Some((total, unit)) = compact(word) {
        return (total < MOST).then_some((at + 1, total, unit));
    }
    if let Some(next) = tokens.eat_any(at, &["half an", "half a", "half"]) {
        let unit = unit(tokens.lower(next))?;
        return Some((next + 1, unit * 500, unit));
    }
    let (mut next, count) = match (thousandths(word), number(word)) {
        (Some(count), _) => (at + 1, count),
        (None, Some(count)) => (at + 1, count * 1000),
        (None, None) if may_lack_number => (at, 1000),
        (None, None) => return None,
    };
    let mut count = count;
    if word == "a" && tokens.is(next, &["few", "couple"]) {
        count = number(tokens.lower(next))? * 1000;
        next += 1;
    }
    next = tokens.skip(next, &["of"]);
    let size = unit(tokens.lower(next))?;
    next += 1;
    let mut total = count.checked_mul(size).filter(|total| *total < MOST)?;
    if let Some(end) = tokens.eat(next, "and a half") {
        return Some((end, total + size * 500, size));
    }
    // "1 hour and 30 minutes".
    let more = tokens.skip(next, &["and"]);
    if let (Some(count), Some(smaller)) = (thousandths(tokens.lower(more)), unit(tokens.lower(more + 1)))
        && smaller < size
        && !tokens.begins_part(more)
    {
        total = total.checked_add(count.checked_mul(smaller)?).filter(|total| *total < MOST)?;
        return Some((more + 2, total, smaller));
    }
    Some((next, total, size))
}

/// `500ms`, `1.5s`, `1h30m`.
fn compact(word: &str) -> Option<(i64, i64)> {
    let (mut rest, mut total, mut last) = (word, 0_i64, None);
    while !rest.is_empty() {
        let number = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|n| *n > 0)?;
        let (count, behind) = rest.split_at_checked(number)?;
        let letters = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (name, behind) = behind.split_at_checked(letters)?;
        let size = unit(name.trim_start_matches('-'))?;
        total = total.checked_add(thousandths(count)?.checked_mul(size)?)?;
        (rest, last) = (behind, Some(size));
    }
    Some((total, last?))
}
