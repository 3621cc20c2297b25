//! Days and longer pieces of the calendar: "yesterday", "last Tuesday", "November 3", "this week".

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, Weekday};

use super::{
    clock::{DAY, HOUR, WEEK, is_digits, number},
    words::Tokens,
};

/// From the first up to the second, which is not in it any more.
pub(super) type Span = (i64, i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    pub(super) span: Span,
    /// How far back it is moved when the time that was said of it has not come yet; 0 for never.
    pub(super) step: i64,
    /// A part of each day in it, in milliseconds since midnight.
    pub(super) part: Option<Span>,
}

const MORNING: Span = (6 * HOUR, 12 * HOUR);
const AFTERNOON: Span = (12 * HOUR, 18 * HOUR);
const EVENING: Span = (18 * HOUR, 24 * HOUR);
/// A night belongs to the day on which it begins.
const NIGHT: Span = (20 * HOUR, 30 * HOUR);

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Mon),
    ("tuesday", Weekday::Tue),
    ("wednesday", Weekday::Wed),
    ("thursday", Weekday::Thu),
    ("friday", Weekday::Fri),
    ("saturday", Weekday::Sat),
    ("sunday", Weekday::Sun),
];

/// The calendar as it is at one moment.
#[derive(Clone, Copy)]
pub(super) struct Calendar {
    pub(super) now: i64,
    today: NaiveDate,
}

pub(super) fn start_of(date: NaiveDate) -> i64 {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis()
}

impl Calendar {
    /// Nothing when no calendar reaches that far.
    pub(super) fn at(now: i64) -> Option<Self> {
        let today = DateTime::from_timestamp_millis(now)?.date_naive();
        (1900..=9000).contains(&today.year()).then_some(Self { now, today })
    }

    pub(super) fn today(&self) -> Day {
        self.days_ago(0)
    }

    pub(super) fn days_ago(&self, days: u64) -> Day {
        let start = self.today.checked_sub_days(Days::new(days)).map_or(0, start_of);
        Day { span: (start, start + DAY), step: 0, part: None }
    }

    /// The calendar's week, month or year so many before this one.
    pub(super) fn period_ago(&self, unit: &str, count: u32) -> Option<Day> {
        let (start, end) = match unit {
            "week" => {
                let monday = self.today.week(Weekday::Mon).checked_first_day()?;
                let monday = monday.checked_sub_days(Days::new(u64::from(count) * 7))?;
                (monday, monday.checked_add_days(Days::new(7))?)
            }
            "month" => {
                let first = self.today.with_day(1)?.checked_sub_months(Months::new(count))?;
                (first, first.checked_add_months(Months::new(1))?)
            }
            "year" => {
                let year = self.today.year().checked_sub_unsigned(count)?;
                (NaiveDate::from_ymd_opt(year, 1, 1)?, NaiveDate::from_ymd_opt(year.checked_add(1)?, 1, 1)?)
            }
            _ => return None,
        };
        Some(Day { span: (start_of(start), start_of(end)), step: 0, part: None })
    }

    /// The last of these days, today among them; `skip_today` for "last Monday".
    fn weekday(&self, day: Weekday, skip_today: bool) -> Day {
        let back = u64::from(self.today.weekday().days_since(day));
        let back = if back == 0 && skip_today { 7 } else { back };
        Day { step: WEEK, ..self.days_ago(back) }
    }

    fn weekend(&self, skip_this: bool) -> Day {
        let saturday = self.weekday(Weekday::Sat, false);
        let (start, _) = saturday.span;
        let start = if skip_this && self.now < start + 2 * DAY { start - WEEK } else { start };
        Day { span: (start, start + 2 * DAY), step: 0, part: None }
    }

    /// A day of a month; without a year the last that has come.
    fn date(&self, year: Option<i32>, month: u32, day: u32) -> Option<Day> {
        let date = match year {
            Some(year) => NaiveDate::from_ymd_opt(year, month, day)?,
            None => (0..8).find_map(|back| {
                let year = self.today.year().checked_sub(back)?;
                NaiveDate::from_ymd_opt(year, month, day).filter(|date| *date <= self.today)
            })?,
        };
        let start = start_of(date);
        Some(Day { span: (start, start + DAY), step: 0, part: None })
    }

    fn month(&self, year: Option<i32>, month: u32) -> Option<Day> {
        let first = self.date(year, month, 1)?.span.0;
        let date = DateTime::from_timestamp_millis(first)?.date_naive();
        Some(Day { span: (first, start_of(date.checked_add_months(Months::new(1))?)), step: 0, part: None })
    }
}

/// A part of the day by its name.
pub(super) fn part(word: &str) -> Option<Span> {
    Some(match word {
        "morning" | "mornings" => MORNING,
        "afternoon" => AFTERNOON,
        "evening" => EVENING,
        "night" => NIGHT,
        _ => return None,
    })
}

/// A day or a longer piece, and where it ends. `is_wanted` says that a word before it wants a time, so that
/// "sat" is a day.
pub(super) fn day(
    tokens: &Tokens<'_>,
    at: usize,
    calendar: &Calendar,
    is_wanted: bool,
) -> Option<(usize, Day)> {
    let at = tokens.skip(at, &["the"]);
    let (mut next, mut day) = whole(tokens, at, calendar, is_wanted)?;
    if day.part.is_none() && day.span.1 - day.span.0 == DAY {
        let named = tokens.eat_any(next, &["in the", "at"]).unwrap_or(next);
        if let Some(part) = part(tokens.lower(named)) {
            (day.part, next) = (Some(part), named + 1);
        }
    }
    Some((next, day))
}

fn whole(tokens: &Tokens<'_>, at: usize, calendar: &Calendar, is_wanted: bool) -> Option<(usize, Day)> {
    let word = tokens.lower(at);
    if let Some(next) = tokens.eat(at, "day before yesterday") {
        return Some((next, calendar.days_ago(2)));
    }
    match word {
        "today" | "todays" => return Some((at + 1, calendar.today())),
        "yesterday" | "yesterdays" | "yday" | "yesteday" | "yesterady" | "yesturday" => {
            return Some((at + 1, calendar.days_ago(1)));
        }
        "tonight" => return Some((at + 1, Day { part: Some(EVENING), step: DAY, ..calendar.today() })),
        "overnight" => return Some((at + 1, Day { part: Some(NIGHT), ..calendar.days_ago(1) })),
        "weekend" => return Some((at + 1, calendar.weekend(false))),
        _ => {}
    }
    if matches!(word, "this" | "last" | "past" | "previous" | "current" | "the") {
        return relative(tokens, at, calendar);
    }
    if is_wanted && part(word).is_some() && tokens.is(at.wrapping_sub(1), &["the"]) {
        return part_of_today(calendar, word, false).map(|day| (at + 1, day));
    }
    if let Some(day) = weekday(word, is_wanted) {
        return Some((at + 1, calendar.weekday(day, false)));
    }
    numeric(tokens, at, calendar, is_wanted).or_else(|| named(tokens, at, calendar, is_wanted))
}

/// "this morning", "last Tuesday", "last week".
fn relative(tokens: &Tokens<'_>, at: usize, calendar: &Calendar) -> Option<(usize, Day)> {
    let is_last = !tokens.is(at, &["this", "current"]);
    let word = tokens.lower(at + 1);
    let next = at + 2;
    if part(word).is_some() {
        return part_of_today(calendar, word, is_last).map(|day| (next, day));
    }
    if let Some(day) = weekday(word, true) {
        return Some((next, calendar.weekday(day, is_last)));
    }
    if word == "weekend" {
        return Some((next, calendar.weekend(is_last)));
    }
    if let Some(month) = month(word) {
        let year = NaiveDate::from_ymd_opt(calendar.today.year(), month, 1)?;
        let is_this = year.month() == calendar.today.month() && is_last;
        return Some((next, calendar.month(is_this.then(|| calendar.today.year() - 1), month)?));
    }
    // "past week" is the last seven days, "last week" the week before this one.
    if tokens.is(at, &["past"]) {
        return None;
    }
    Some((next, calendar.period_ago(word, u32::from(is_last))?))
}

fn part_of_today(calendar: &Calendar, word: &str, is_last: bool) -> Option<Day> {
    let part = part(word)?;
    let is_night = word == "night";
    let day = if is_last || is_night { calendar.days_ago(1) } else { calendar.today() };
    Some(Day { part: Some(part), step: if is_last { 0 } else { DAY }, ..day })
}

fn weekday(word: &str, may_be_short: bool) -> Option<Weekday> {
    WEEKDAYS.iter().find_map(|(name, day)| {
        let short = ["mon", "tue", "tues", "wed", "weds", "thu", "thur", "thurs", "fri", "sat", "sun"];
        let is_short = may_be_short && short.contains(&word) && name.starts_with(word.trim_end_matches('s'));
        (*name == word || is_short).then_some(*day)
    })
}

fn month(word: &str) -> Option<u32> {
    let is_short = word.len() == 3 || word == "sept";
    let fits = |name: &str| name == word || (is_short && name.starts_with(word));
    MONTHS.iter().position(|name| fits(name)).and_then(|n| u32::try_from(n + 1).ok())
}

/// 2026-11-20, 2026/11/20, 20.11.2026, 20.11. and 11/20/2026.
fn numeric(tokens: &Tokens<'_>, at: usize, calendar: &Calendar, is_wanted: bool) -> Option<(usize, Day)> {
    let word = tokens.lower(at);
    let sign = word.chars().find(|c| matches!(c, '-' | '/' | '.'))?;
    let mut parts = word.split(sign).filter(|part| !part.is_empty());
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next());
    let all = [Some(first), Some(second), third];
    if parts.next().is_some() || !all.iter().flatten().all(|part| is_digits(part) && part.len() <= 4) {
        return None;
    }
    let (a, b): (u32, u32) = (first.parse().ok()?, second.parse().ok()?);
    let year = |text: &str| if text.len() == 4 { text.parse::<i32>().ok() } else { None };
    let day = match (sign, third) {
        ('-' | '/', Some(third)) if first.len() == 4 => calendar.date(year(first), b, third.parse().ok()?),
        ('.' | '-', Some(third)) => calendar.date(Some(year(third)?), b, a),
        // Americans say the month first; where it cannot be one, it is the day.
        ('/', Some(third)) if a > 12 => calendar.date(Some(year(third)?), b, a),
        ('/', Some(third)) => calendar.date(Some(year(third)?), a, b),
        ('.', None) if is_wanted && tokens.get(at).is_some_and(|token| token.has_dot) => {
            calendar.date(None, b, a)
        }
        _ => None,
    };
    Some((at + 1, day?))
}

/// "November 3", "3rd of November 2025", "in November", "on the 20th".
fn named(tokens: &Tokens<'_>, at: usize, calendar: &Calendar, is_wanted: bool) -> Option<(usize, Day)> {
    let year_at = |at: usize| {
        let word = tokens.lower(at);
        let year: i32 = if word.len() == 4 && is_digits(word) { word.parse().ok()? } else { return None };
        (1970..=2200).contains(&year).then_some(year)
    };
    let and_year = |next: usize| year_at(next).map_or((next, None), |year| (next + 1, Some(year)));
    let word = tokens.lower(at);
    if let Some(month) = month(word) {
        if let Some((day, _)) = ordinal(tokens.lower(at + 1)) {
            let (next, year) = and_year(at + 2);
            return Some((next, calendar.date(year, month, day)?));
        }
        let is_full = word.len() > 3 || is_wanted;
        let (next, year) = and_year(at + 1);
        let is_said = year.is_some() || (is_wanted && is_full && word != "may" && word != "march");
        let is_in = tokens.is(at.wrapping_sub(1), &["in", "during", "since", "of"]);
        return if is_said || is_in { Some((next, calendar.month(year, month)?)) } else { None };
    }
    let (day, is_ordinal) = ordinal(word)?;
    let after = tokens.skip(at + 1, &["of"]);
    if let Some(month) = month(tokens.lower(after)) {
        let (next, year) = and_year(after + 1);
        return Some((next, calendar.date(year, month, day)?));
    }
    if !is_ordinal || !is_wanted {
        return None;
    }
    let date = (0..3).find_map(|back| {
        let first = calendar.today.with_day(1)?.checked_sub_months(Months::new(back))?;
        first.with_day(day).filter(|date| *date <= calendar.today)
    })?;
    let start = start_of(date);
    Some((at + 1, Day { span: (start, start + DAY), step: 0, part: None }))
}

/// A day of a month, and whether it is said as one: "3rd".
fn ordinal(word: &str) -> Option<(u32, bool)> {
    let bare = ["st", "nd", "rd", "th"].iter().find_map(|ending| word.strip_suffix(ending));
    let digits = bare.unwrap_or(word);
    let day = number(digits).filter(|_| is_digits(digits) && digits.len() <= 2)?;
    let day = u32::try_from(day).ok().filter(|day| (1..=31).contains(day))?;
    Some((day, bare.is_some()))
}
