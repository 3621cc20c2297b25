//! One point in time as it is said: a time of day, a day, both, an ISO time, or so long ago.

use chrono::DateTime;

use super::{
    clock::{Clock, DAY, HOUR, MINUTE, SECOND, clock, clock_of, length},
    day::{Calendar, Day, Span, day, part},
    words::Tokens,
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) day: Option<Day>,
    pub(super) clock: Option<Clock>,
    /// What needs no day.
    pub(super) exact: Option<Exact>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exact {
    /// What is meant when it happened then.
    pub(super) span: Span,
    /// What is meant when something began or ended then.
    pub(super) begins: i64,
    pub(super) ends: i64,
}

/// What may stand behind a number alone that is a time of day: "after 3 retries" is none.
const BEHIND_BARE: &[&str] = &[
    "",
    "on",
    "in",
    "and",
    "to",
    "until",
    "till",
    "til",
    "-",
    "–",
    "for",
    "of",
    "from",
    "at",
    "with",
    "by",
    "or",
    "yesterday",
    "today",
    "this",
    "last",
    "utc",
    "only",
    "please",
    "the",
    "tonight",
];

/// A point, and where it ends.
pub(super) fn point(
    tokens: &Tokens<'_>,
    at: usize,
    calendar: &Calendar,
    may_be_bare: bool,
) -> Option<(usize, Point)> {
    if tokens.is_phrase(at) {
        return None;
    }
    let at = tokens.skip(at, &["about", "around"]);
    let inner = tokens.skip(at, &["the", "at", "on"]);
    if let Some(found) = ago(tokens, inner, calendar) {
        return Some(found);
    }
    if let Some(next) = tokens.eat_any(inner, &["right now", "now", "the present"]) {
        let (begins, ends) = (calendar.now, calendar.now + 1);
        return Some((next, exact(Exact { span: (begins, ends), begins, ends })));
    }
    if let Some(span) = iso(tokens.text(inner)) {
        return Some((inner + 1, exact(Exact { span, begins: span.0, ends: span.0 })));
    }
    if let Some((next, found)) = day(tokens, inner, calendar, true).filter(|_| !tokens.is(inner, &["past"])) {
        let lead = tokens.skip(next, &["at", "@", "around"]);
        let behind = clock(tokens, lead, lead > next).filter(|(end, clock)| fits(tokens, *end, *clock));
        return Some(match behind {
            Some((end, clock)) => (end, Point { day: Some(found), clock: Some(clock), exact: None }),
            None => (next, Point { day: Some(found), clock: None, exact: None }),
        });
    }
    let inner = tokens.skip(at, &["at", "the", "@"]);
    let (next, clock) = clock(tokens, inner, may_be_bare)?;
    if !fits(tokens, next, clock) && day(tokens, next, calendar, true).is_none() {
        return None;
    }
    if tokens.begins_part(next) {
        return Some((next, Point { day: None, clock: Some(clock), exact: None }));
    }
    if let Some((end, part)) = part_behind(tokens, next) {
        return Some((end, Point { day: None, clock: Some(clock.within(part)), exact: None }));
    }
    let lead = tokens.skip(next, &["on", "of", "in", "from"]);
    Some(match day(tokens, lead, calendar, true).filter(|_| !tokens.is(lead, &["past"])) {
        Some((end, day)) => (end, Point { day: Some(day), clock: Some(clock), exact: None }),
        None => (next, Point { day: None, clock: Some(clock), exact: None }),
    })
}

fn exact(exact: Exact) -> Point {
    Point { exact: Some(exact), ..Point::default() }
}

/// "in the afternoon", which says whether it is am or pm.
fn part_behind(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Span)> {
    let named = tokens.eat_any(at, &["in the", "at"])?;
    part(tokens.lower(named)).map(|part| (named + 1, part))
}

fn fits(tokens: &Tokens<'_>, next: usize, clock: Clock) -> bool {
    !clock.is_bare
        || tokens.begins_part(next)
        || tokens.is_phrase(next)
        || BEHIND_BARE.contains(&tokens.lower(next))
}

/// "10 minutes ago", which is that time give or take a quarter of it, from one minute up to half an hour; with
/// days or more, the whole day, week, month or year of the calendar.
fn ago(tokens: &Tokens<'_>, at: usize, calendar: &Calendar) -> Option<(usize, Point)> {
    let (next, micros, unit) = length(tokens, at, false)?;
    let next = tokens.eat_any(next, &["ago", "earlier", "back", "before now"])?;
    let millis = micros / 1000;
    let then = calendar.now.checked_sub(millis)?;
    if unit < DAY {
        let slack = (millis / 4).clamp(MINUTE, 30 * MINUTE);
        return Some((next, exact(Exact { span: (then - slack, then + slack), begins: then, ends: then })));
    }
    let count = u32::try_from(millis / unit).ok()?;
    let span = match unit / DAY {
        1 => calendar.days_ago(u64::from(count)).span,
        7 => calendar.period_ago("week", count)?.span,
        30 => calendar.period_ago("month", count)?.span,
        _ => calendar.period_ago("year", count)?.span,
    };
    Some((next, exact(Exact { span, begins: span.0, ends: span.1 })))
}

/// An ISO time; it lasts as long as the smallest unit in it.
fn iso(text: &str) -> Option<Span> {
    let split = text.find(['T', 't']).filter(|n| *n >= 8)?;
    let (date, time) = text.split_at_checked(split)?;
    let time = time.get(1..)?;
    let zone = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
    let (time, zone) = time.split_at_checked(zone)?;
    let clock = clock_of(time).filter(|clock| !clock.is_bare)?;
    let zone = if zone.is_empty() { "Z" } else { zone };
    let full = if clock.length == MINUTE {
        format!("{date}T{time}:00{zone}")
    } else {
        format!("{date}T{time}{zone}")
    };
    let start = DateTime::parse_from_rfc3339(&full).ok()?.timestamp_millis();
    let length = if time.contains('.') { 1 } else { clock.length.clamp(SECOND, HOUR) };
    Some((start, start + length))
}
