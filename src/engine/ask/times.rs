//! When: the points and lengths of time in a question, and the one span that they come to.
//!
//! A time means the whole of the smallest unit that was said: a day, an hour, a minute. A time of day without a
//! day is today's, or yesterday's when it has not come yet. A number alone is an hour of 24 unless am or pm is
//! said, or the other end of a range or "this afternoon" says it.

use super::{
    clock::{Clock, DAY, HOUR, MINUTE, clock_of, length},
    day::{Calendar, Day, Span, day},
    point::{Point, point},
    words::Tokens,
};

/// What "around" allows on each side, and how long "shortly after" lasts.
const AROUND: i64 = 15 * MINUTE;
/// How far back "right now" reaches.
const NOW: i64 = 15 * MINUTE;
/// How far back "recently" reaches.
const RECENTLY: i64 = DAY;

const TO: &[&str] = &["to", "until", "till", "til", "-", "–", "—", "through", "thru", "and", "up to", "bis"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    day: Option<Day>,
    /// A time of day, and how much before and after it.
    clock: Option<(Clock, i64, i64)>,
    from: Option<(Point, bool)>,
    to: Option<(Point, bool)>,
    span: Option<(i64, Option<i64>)>,
}

/// What was read: where it ends, and the times with it; `None` in their place when it contradicts them.
type Read = Option<(usize, Option<Times>)>;

impl Times {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Reads a time that begins here.
    pub(super) fn read(&self, tokens: &Tokens<'_>, at: usize, calendar: &Calendar) -> Read {
        if tokens.is_phrase(at) {
            return None;
        }
        self.lengths(tokens, at, calendar)
            .or_else(|| self.ranges(tokens, at, calendar))
            .or_else(|| self.bounds(tokens, at, calendar))
            .or_else(|| self.moments(tokens, at, calendar))
    }

    /// "in the last 15 minutes", "since 2 hours", "right now".
    fn lengths(&self, tokens: &Tokens<'_>, at: usize, calendar: &Calendar) -> Read {
        let back = |length: i64| {
            let start = calendar.now.checked_sub(length)?;
            Some(self.is_empty().then_some(Self { span: Some((start, None)), ..*self }))
        };
        let now = [
            "right now",
            "just now",
            "at the moment",
            "at present",
            "currently",
            "happening now",
            "presently",
            "rn",
        ];
        if let Some(next) = tokens.eat_any(at, &now) {
            return Some((next, back(NOW)?));
        }
        if let Some(next) = tokens.eat_any(at, &["recently", "lately", "of late"]) {
            return Some((next, back(RECENTLY)?));
        }
        // "1h" alone, in haste.
        if let Some((next, micros, unit)) = length(tokens, at, false).filter(|(next, ..)| *next == at + 1) {
            let is_other = tokens
                .eat_any(next, &["ago", "earlier", "back", "before now", "or more", "or longer", "old"])
                .is_some();
            return if unit < MINUTE || is_other { None } else { Some((next, back(micros / 1000)?)) };
        }
        let lead = tokens.skip(
            at,
            &["in", "over", "during", "within", "for", "from", "of", "since", "at", "on", "through"],
        );
        let lead = tokens.skip(lead, &["the", "these", "this"]);
        if tokens.is(lead, &["last", "past", "previous", "prior", "latest"]) {
            let is_calendar = !tokens.is(lead, &["past"]) && tokens.is(lead + 1, &["week", "month", "year"]);
            let (next, micros, _) = length(tokens, lead + 1, true).filter(|_| !is_calendar)?;
            // "the last 2 hours ago" is nothing that is said.
            return Some((tokens.skip(next, &["ago"]), back(micros / 1000)?));
        }
        let next = tokens.eat_any(at, &["within the", "within", "for the", "for", "since"])?;
        let (next, micros, _) = length(tokens, next, false)?;
        if tokens.is(next, &["ago", "earlier", "back"]) { None } else { Some((next, back(micros / 1000)?)) }
    }

    /// "between 2 and 3 pm", "from Monday to Wednesday", "14:00-15:30".
    fn ranges(&self, tokens: &Tokens<'_>, at: usize, calendar: &Calendar) -> Read {
        let lead = tokens.eat_any(at, &["between the", "between", "from the", "from"]);
        let start = lead.unwrap_or(at);
        if let Some((from, to)) =
            dashed(tokens.lower(start), lead.is_some() || tokens.is(at.wrapping_sub(1), &["at"]))
        {
            let of = |clock| Point { clock: Some(clock), ..Point::default() };
            let next = tokens.skip(start + 1, &["utc", "gmt", "o'clock"]);
            return Some((next, self.with_range(of(from), of(to))));
        }
        let (next, from) = range_start(tokens, start, calendar, lead.is_some())?;
        let to = TO.iter().find_map(|words| tokens.eat(next, words))?;
        if tokens.is(next, &["and"]) && !tokens.is(at, &["between"]) {
            return None;
        }
        let (next, to) = point(tokens, to, calendar, true)?;
        // "between 1 and 2 seconds" is no time of day, and "2 to 3" alone is none either.
        let is_bare = |point: &Point| point.clock.is_some_and(|clock| clock.is_bare);
        if is_bare(&to) && (lead.is_none() || super::clock::unit(tokens.lower(next)).is_some()) {
            return None;
        }
        Some((next, self.with_range(from, to)))
    }

    /// "since 9am", "before noon", "until yesterday".
    fn bounds(&self, tokens: &Tokens<'_>, at: usize, calendar: &Calendar) -> Read {
        let shortly = tokens.skip(at, &["shortly", "just", "right", "soon", "immediately"]);
        if shortly > at && tokens.is(shortly, &["after", "before"]) {
            let (next, found) = point(tokens, shortly + 1, calendar, true)?;
            let (before, after) = if tokens.is(shortly, &["after"]) { (0, AROUND) } else { (AROUND, 0) };
            return Some((next, self.near(found, before, after)));
        }
        let from = [
            "since",
            "starting from",
            "starting at",
            "starting on",
            "starting",
            "beginning",
            "as of",
            "ever since",
            "newer than",
            "later than",
            "no earlier than",
        ];
        if let Some(start) = tokens.eat_any(at, &from) {
            let (next, found) = point(tokens, start, calendar, true)?;
            let times = Self { from: Some((found, true)), ..*self };
            return Some((
                tokens.skip(next, &["on", "onwards", "onward"]),
                self.from.is_none().then_some(times),
            ));
        }
        if let Some(start) = tokens.eat(at, "after") {
            let (next, found) = point(tokens, start, calendar, true)?;
            return Some((next, self.from.is_none().then_some(Self { from: Some((found, false)), ..*self })));
        }
        if let Some(start) = tokens.eat_any(at, &["until", "till", "til", "up to", "up until"]) {
            let (next, found) = point(tokens, start, calendar, true)?;
            return Some((next, self.to.is_none().then_some(Self { to: Some((found, true)), ..*self })));
        }
        if let Some(start) =
            tokens.eat_any(at, &["before", "prior to", "earlier than", "older than", "no later than"])
        {
            // "before 2 hours" is how a German says "2 hours ago".
            if let Some((next, micros, _)) = length(tokens, start, false)
                && !tokens.is(next, &["ago", "earlier", "back"])
            {
                let then = calendar.now.checked_sub(micros / 1000)?;
                if tokens.is(at, &["older"]) {
                    let old = Self { span: Some((i64::MIN, Some(then))), ..*self };
                    return Some((next, self.is_empty().then_some(old)));
                }
                let slack = (micros / 4000).clamp(MINUTE, 30 * MINUTE);
                let span = Some((then - slack, Some(then + slack)));
                return Some((next, self.is_empty().then_some(Self { span, ..*self })));
            }
            let (next, found) = point(tokens, start, calendar, true)?;
            return Some((next, self.to.is_none().then_some(Self { to: Some((found, false)), ..*self })));
        }
        None
    }

    /// "yesterday", "at 14:05", "around 3pm", "10 minutes ago".
    fn moments(&self, tokens: &Tokens<'_>, at: usize, calendar: &Calendar) -> Read {
        let around = ["around", "about", "approximately", "approx", "near", "circa", "roughly", "close to"];
        let inner = tokens.skip(at, &["at", "sometime", "somewhere"]);
        if let Some(start) = tokens.eat_any(inner, &around) {
            let (next, found) = point(tokens, start, calendar, true)?;
            return Some((next, self.near(found, AROUND, AROUND)));
        }
        if let Some(hour) = tokens.lower(at).strip_prefix('~').and_then(clock_of) {
            let found = Point { clock: Some(hour), ..Point::default() };
            return Some((at + 1, self.near(found, AROUND, AROUND)));
        }
        if let Some(next) = tokens.eat_any(at, &["at night", "during the night", "in the night"]) {
            return Some((next, self.with_day(night(calendar))));
        }
        let lead = [
            "at the",
            "at",
            "@",
            "on the",
            "on",
            "in the",
            "in",
            "during the",
            "during",
            "of",
            "over the",
            "over",
            "for",
            "from",
            "the",
        ];
        let start = tokens.eat_any(at, &lead);
        let may_be_bare = start.is_some() && tokens.is(at, &["at", "@", "from"]);
        let wanted = start.unwrap_or(at);
        if start.is_none() {
            let is_short = day(tokens, at, calendar, false).is_none();
            let is_clock = super::clock::clock(tokens, at, false).is_some();
            let is_exact = point(tokens, at, calendar, false).is_some_and(|(_, point)| point.exact.is_some());
            if is_short && !is_clock && !is_exact || tokens.is(at, &["now"]) {
                return None;
            }
        }
        let (mut next, found) = point(tokens, wanted, calendar, may_be_bare)?;
        if found.exact.is_some_and(|exact| exact.begins == calendar.now) && !tokens.is(at, &["at"]) {
            return None;
        }
        let is_clock = found.clock.is_some() || found.exact.is_some();
        if is_clock && tokens.is(at, &["in", "of", "over", "the", "during"]) {
            return None;
        }
        if tokens.is(at, &["from"]) && is_clock
            || tokens.is(next, &["onwards", "onward"])
            || tokens.eat(next, "and later").is_some()
        {
            next = tokens.skip(next, &["on", "onwards", "onward"]);
            return Some((next, self.from.is_none().then_some(Self { from: Some((found, true)), ..*self })));
        }
        if found.exact.is_some() || found.clock.is_some() {
            let after = found.clock.map_or(0, |clock| clock.length);
            return Some((next, self.near(found, 0, after)));
        }
        Some((next, found.day.map_or(Some(*self), |day| self.with_day(day))))
    }

    fn near(&self, found: Point, before: i64, after: i64) -> Option<Self> {
        if let Some(exact) = found.exact {
            let span = if before + after == 0 {
                exact.span
            } else if exact.begins == exact.ends {
                (exact.begins.saturating_sub(before), exact.ends.saturating_add(after))
            } else {
                exact.span
            };
            let times = Self { span: Some((span.0, Some(span.1))), ..*self };
            return self.is_empty().then_some(times);
        }
        let with_day = match found.day {
            Some(day) => self.with_day(day),
            None => Some(*self),
        };
        let Some(clock) = found.clock else { return with_day };
        let is_free = self.clock.is_none() && self.from.is_none() && self.to.is_none() && self.span.is_none();
        with_day.filter(|_| is_free).map(|times| Self { clock: Some((clock, before, after)), ..times })
    }

    /// Days beside each other make one span: "on Monday and Tuesday".
    fn with_day(&self, day: Day) -> Option<Self> {
        let Some(old) = self.day else {
            return self.span.is_none().then_some(Self { day: Some(day), ..*self });
        };
        let is_one = (old.part, old.span) == (None, day.span) || old.span == day.span && day.part.is_none();
        if is_one {
            return Some(Self { day: Some(Day { part: old.part.or(day.part), ..old }), ..*self });
        }
        let touch = old.part.is_none()
            && day.part.is_none()
            && (old.span.1 == day.span.0 || day.span.1 == old.span.0);
        let span = (old.span.0.min(day.span.0), old.span.1.max(day.span.1));
        touch.then_some(Self { day: Some(Day { span, step: 0, part: None }), ..*self })
    }

    fn with_range(&self, from: Point, to: Point) -> Option<Self> {
        let is_free = self.from.is_none() && self.to.is_none() && self.clock.is_none() && self.span.is_none();
        is_free.then_some(Self { from: Some((from, true)), to: Some((to, true)), ..*self })
    }

    /// The first millisecond, and the one behind the last.
    pub(super) fn resolve(&self, calendar: &Calendar) -> (Option<i64>, Option<i64>) {
        if let Some((start, end)) = self.span {
            return ((start > i64::MIN).then_some(start), end);
        }
        let today = Day { step: DAY, ..calendar.today() };
        if self.from.is_some() || self.to.is_some() {
            return self.resolve_bounds(calendar, today);
        }
        let day = self.day.unwrap_or(today);
        let (start, end) = match (self.clock, day.part) {
            (Some((clock, before, after)), part) if is_one_day(day) => {
                let clock = part.map_or(clock, |part| clock.within(part));
                let at = day.span.0 + clock.from;
                (at - before, at + after)
            }
            (None, None) if self.day.is_none() => return (None, None),
            (None, Some(part)) => (day.span.0 + part.0, day.span.1 - DAY + part.1),
            _ => day.span,
        };
        let back = if start > calendar.now { day.step } else { 0 };
        let is_open = self.clock.is_none() && day.part.is_none() && end > calendar.now;
        (Some(start - back), (!is_open).then_some(end - back))
    }

    fn resolve_bounds(&self, calendar: &Calendar, today: Day) -> (Option<i64>, Option<i64>) {
        let (from, to) = (self.from.map(|(point, _)| point), self.to.map(|(point, _)| point));
        let said = |point: Option<Point>| point.and_then(|point| point.day);
        let from_day = said(from).or(self.day).or(said(to)).unwrap_or(today);
        let until_day = said(to).or(said(from)).or(self.day).unwrap_or(today);
        let (from_clock, to_clock) = halves(from, to, from_day.part);

        let start = match self.from {
            Some((Point { exact: Some(exact), .. }, is_included)) => {
                Some(if is_included { exact.begins } else { exact.ends })
            }
            Some((Point { day: Some(day), clock: None, .. }, is_included)) => {
                let part = day.part.unwrap_or((0, DAY));
                Some(if is_included { day.span.0 + part.0 } else { day.span.1 - DAY + part.1 })
            }
            Some(_) => Some(from_day.span.0 + from_clock.map_or(0, |clock| clock.from)),
            None => to_clock.map(|_| until_day.span.0 + until_day.part.map_or(0, |part| part.0)),
        };
        let mut end = match self.to {
            Some((Point { exact: Some(exact), .. }, is_included)) => {
                Some(if is_included { exact.ends } else { exact.begins })
            }
            Some((Point { day: Some(day), clock: None, .. }, is_included)) => {
                let part = day.part.unwrap_or((0, DAY));
                Some(if is_included { day.span.1 - DAY + part.1 } else { day.span.0 + part.0 })
            }
            Some(_) => to_clock.map(|clock| until_day.span.0 + clock.from),
            // "yesterday after 3pm" ends with yesterday.
            None => {
                let is_rest = self.from.is_some_and(|(point, is_included)| {
                    point.clock.is_some() && !is_included && point.day.is_some()
                });
                let day = self.day.or_else(|| said(from).filter(|_| is_rest));
                day.filter(|day| day.span.1 <= calendar.now).map(|day| day.span.1)
            }
        };
        if let (Some(from), Some(to), Some(_)) = (start, end, to_clock) {
            // Over midnight.
            if to <= from && self.from.is_some() && from - to < DAY {
                end = Some(to + DAY);
            }
        }
        let is_wholly_ahead = start.is_some_and(|start| start > calendar.now);
        let has_clock = from_clock.is_some() || to_clock.is_some();
        let back = if is_wholly_ahead && has_clock { from_day.step } else { 0 };
        (start.map(|start| start - back), end.map(|end| end - back))
    }
}

fn is_one_day(day: Day) -> bool {
    day.span.1 - day.span.0 == DAY
}

fn night(calendar: &Calendar) -> Day {
    let night = Some((20 * HOUR, 30 * HOUR));
    Day { part: night, ..calendar.days_ago(1) }
}

/// The first point of a range: a number alone is one only when "between" or "from" stands before it, or am or pm
/// behind the second.
fn range_start(tokens: &Tokens<'_>, at: usize, calendar: &Calendar, is_led: bool) -> Option<(usize, Point)> {
    if is_led || super::clock::is_digits(tokens.lower(at)) {
        return point(tokens, at, calendar, true);
    }
    let is_day = day(tokens, at, calendar, false).is_some();
    point(tokens, at, calendar, false)
        .filter(|(_, point)| is_day || point.clock.is_some() || point.exact.is_some())
}

/// `14:00-15:30`, `2-3pm`.
fn dashed(word: &str, may_be_bare: bool) -> Option<(Clock, Clock)> {
    let (from, to) = word.split_once(['-', '–', '—'])?;
    let (from, to) = (clock_of(from)?, clock_of(to)?);
    (may_be_bare || !to.is_bare).then_some((from, to))
}

/// The times of day with am and pm decided: "2 and 3 pm" are both pm, "11 and 1 pm" are not, "9 and 5" are the
/// hours of an office.
fn halves(from: Option<Point>, to: Option<Point>, part: Option<Span>) -> (Option<Clock>, Option<Clock>) {
    let of = |point: Option<Point>| {
        let clock = point?.clock?;
        Some(part.or(point?.day.and_then(|day| day.part)).map_or(clock, |part| clock.within(part)))
    };
    let (Some(mut first), Some(mut last)) = (of(from), of(to)) else { return (of(from), of(to)) };
    let is_said = |clock: Clock| !clock.is_open && !clock.is_bare && (clock.is_pm || clock.from < 12 * HOUR);
    if first.is_bare && first.is_open && is_said(last) {
        let same = first.half(last.is_pm).filter(|same| same.from < last.from);
        first = same.or(first.half(!last.is_pm)).unwrap_or(first);
    }
    let may_be_later = first.from < 12 * HOUR || first.is_pm;
    if may_be_later && last.is_open && last.from <= first.from && last.from + 12 * HOUR > first.from {
        last.from += 12 * HOUR;
    }
    (Some(first), Some(last))
}
