//! What is wanted of the logs: themselves, the newest or the oldest, how many, by what, how they go over time.

use super::{
    Wants,
    clause::LEVELS,
    clock, fields, levels,
    vocabulary::is_noun,
    words::{Kind, Tokens},
};

/// As many as one page of a search may have.
pub(super) const MOST: usize = 1000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) wants: Option<Wants>,
    pub(super) oldest_first: Option<bool>,
    pub(super) limit: Option<usize>,
}

impl Wish {
    fn of(wants: Wants) -> Self {
        Self { wants: Some(wants), ..Self::default() }
    }

    pub(super) fn meaning(&self) -> String {
        let order = match self.oldest_first {
            Some(true) => Some("the oldest first".to_owned()),
            Some(false) => Some("the newest first".to_owned()),
            None => None,
        };
        let wants = self.wants.as_ref().map(|wants| match wants {
            Wants::Logs => "logs".to_owned(),
            Wants::Count => "how many".to_owned(),
            Wants::CountBy(field) => format!("how many by {field}"),
            Wants::Slowest => "the slowest first".to_owned(),
            Wants::Trend => "how many over time".to_owned(),
        });
        let limit = self.limit.map(|limit| format!("at most {limit}"));
        [wants, order, limit].into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Fields that logs are counted by, as they are called.
pub(super) fn group(tokens: &Tokens<'_>, at: usize) -> Option<(usize, String)> {
    const GROUPS: &[(&[&str], &str)] = &[
        (&["service name", "services", "service", "app", "apps", "microservice", "microservices"], "service"),
        (&["log level", "levels", "level", "severity", "severities"], "level"),
        (&["users", "user", "user id", "people", "customers", "user ids"], "user_id"),
        (
            &[
                "status codes",
                "status code",
                "statuses",
                "status",
                "response code",
                "response codes",
                "http status",
            ],
            "status",
        ),
        (&["endpoints", "endpoint", "paths", "path", "routes", "route", "urls", "url"], "endpoint"),
        (&["http methods", "http method", "methods", "method"], "method"),
        (&["hosts", "host", "servers", "server", "machines", "machine", "hostname"], "host"),
        (&["environments", "environment", "env"], "environment"),
        (&["components", "component", "modules", "module"], "component"),
        (&["categories", "category"], "category"),
        (
            &[
                "error types",
                "error type",
                "error_type",
                "exception types",
                "exception type",
                "type of error",
                "types of errors",
                "type",
                "kinds of errors",
                "types of error",
                "kind of error",
            ],
            "error_type",
        ),
        (&["loggers", "logger"], "logger"),
        (&["threads", "thread"], "thread"),
        (&["traces", "trace id", "trace_id", "trace"], "trace_id"),
        (&["tags", "tag"], "tags"),
        (&["versions", "version"], "version"),
        (&["message pattern", "message patterns", "patterns", "pattern"], "pattern_id"),
    ];
    let (next, field) = GROUPS.iter().find_map(|(names, field)| {
        // "user id" before "user".
        let next = names.iter().filter_map(|name| tokens.eat(at, name)).max()?;
        Some((next, *field))
    })?;
    Some((next, field.to_owned()))
}

/// Reads a wish that begins here. `is_value` says whether something such as "user 4711" begins at a place.
pub(super) fn read(
    tokens: &Tokens<'_>,
    at: usize,
    is_value: &dyn Fn(usize) -> bool,
) -> Option<(usize, Wish)> {
    if tokens.kind(at) != Some(Kind::Word) {
        return None;
    }
    moment(tokens, at)
        .or_else(|| counted(tokens, at, is_value))
        .or_else(|| grouped(tokens, at, is_value))
        .or_else(|| over_time(tokens, at))
        .or_else(|| ranked(tokens, at, is_value))
        .or_else(|| ordered(tokens, at))
        .or_else(|| limited(tokens, at))
}

/// "When did it start": the first of the logs, otherwise the last.
fn moment(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Wish)> {
    if at > 0 {
        return None;
    }
    let next = tokens.eat_any(
        at,
        &["when did", "when was", "when were", "when has", "when have", "since when", "when is"],
    )?;
    let is_start = tokens.is(at, &["since"])
        || (next..tokens.len()).any(|n| is_beginning(tokens.lower(n)) || tokens.is(n, &["first"]));
    Some((next, Wish { oldest_first: Some(is_start), limit: Some(1), wants: None }))
}

/// Words that "when" asks with.
pub(super) fn is_beginning(word: &str) -> bool {
    matches!(word, "start" | "started" | "starts" | "begin" | "began" | "begun")
}

/// "how many errors", "number of users".
fn counted(tokens: &Tokens<'_>, at: usize, is_value: &dyn Fn(usize) -> bool) -> Option<(usize, Wish)> {
    let counts = [
        "how many different",
        "how many distinct",
        "how many unique",
        "how many of the",
        "how many",
        "how much",
        "the number of",
        "number of",
        "total number of",
        "count of",
        "count the",
        "count all",
        "count",
        "counts of",
        "counts",
        "amount of",
        "quantity of",
        "total of",
        "how often",
        "numbers of",
    ];
    let next = tokens.eat_any(at, &counts)?;
    match group(tokens, next).filter(|_| !is_value(next)) {
        Some((end, field))
            if tokens.is(at, &["how", "number", "count"])
                && !tokens.is(end, &["errors", "error", "messages"]) =>
        {
            Some((end, Wish::of(Wants::CountBy(field))))
        }
        _ => Some((next, Wish::of(Wants::Count))),
    }
}

/// "by service", "per endpoint", "which services", "top 5 endpoints".
fn grouped(tokens: &Tokens<'_>, at: usize, is_value: &dyn Fn(usize) -> bool) -> Option<(usize, Wish)> {
    let by = [
        "grouped by the",
        "grouped by",
        "group by",
        "broken down by",
        "split by",
        "aggregated by",
        "for each",
        "by each",
        "in each",
        "of each",
        "on each",
        "by",
        "per",
        "each",
        "breakdown by",
        "for every",
        "from each",
    ];
    if let Some(next) = tokens.eat_any(at, &by) {
        let (end, field) = group(tokens, next).filter(|_| !is_value(next))?;
        return Some((end, Wish::of(Wants::CountBy(field))));
    }
    let which = [
        "which of the",
        "which of our",
        "which",
        "what",
        "whose",
        "list all the",
        "list all",
        "list of all",
        "list of",
        "list the",
        "unique",
        "distinct",
        "busiest",
        "noisiest",
        "affected",
        "list",
    ];
    if let Some(next) = tokens.eat_any(at, &which) {
        let (end, field) = group(tokens, next)?;
        let is_plural = tokens.lower(end.wrapping_sub(1)).ends_with('s');
        let is_list = tokens.is(at, &["list"]);
        return (is_plural || !is_list).then(|| (end, Wish::of(Wants::CountBy(field))));
    }
    let next = tokens.eat_any(
        at,
        &[
            "top",
            "the most common",
            "most common",
            "most frequent",
            "most active",
            "worst",
            "most affected",
            "commonest",
            "biggest",
        ],
    )?;
    let (next, limit) = amount(tokens, next).map_or((next, None), |(next, limit)| (next, Some(limit)));
    let next = tokens.skip(next, &["most", "common", "frequent", "of", "the"]);
    if tokens.is(next, &["slowest", "longest"]) {
        let (end, wish) = ranked(tokens, next, is_value)?;
        return Some((end, Wish { limit, ..wish }));
    }
    match group(tokens, next).filter(|_| !is_value(next)) {
        Some((end, field)) => Some((end, Wish { limit, ..Wish::of(Wants::CountBy(field)) })),
        // The most common errors are the most common messages.
        None => Some((next, Wish { limit, ..Wish::of(Wants::CountBy("pattern_id".to_owned())) })),
    }
}

/// "over time", "per hour", "trend".
fn over_time(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Wish)> {
    let phrases = [
        "over time",
        "trend of",
        "trends of",
        "trend",
        "trends",
        "trending",
        "timeline",
        "histogram",
        "error rate",
        "error rates",
        "rate of",
        "rates of",
        "graph of",
        "graph",
        "chart of",
        "chart",
        "plot of",
        "plot",
        "time series",
        "timeseries",
        "hourly",
        "daily",
        "frequency of",
        "evolution of",
        "development of",
    ];
    let next = tokens.eat_any(at, &phrases).or_else(|| {
        let next = tokens.eat_any(at, &["per", "by the", "by", "for each", "each", "every", "for every"])?;
        tokens
            .is(next, &["second", "minute", "hour", "day", "week", "month", "5min", "min"])
            .then_some(next + 1)
    })?;
    Some((next, Wish::of(Wants::Trend)))
}

/// "slowest requests", "most time".
fn ranked(tokens: &Tokens<'_>, at: usize, is_value: &dyn Fn(usize) -> bool) -> Option<(usize, Wish)> {
    let phrases = [
        "slowest",
        "longest running",
        "longest-running",
        "longest",
        "took longest",
        "took the longest",
        "take the longest",
        "takes longest",
        "takes the longest",
        "most time",
    ];
    let next = tokens.eat_any(at, &phrases)?;
    let (next, limit) = amount(tokens, next).map_or((next, None), |(next, limit)| (next, Some(limit)));
    let end = group(tokens, next).filter(|_| !is_value(next)).map_or(next, |(end, _)| end);
    let limit = limit.or_else(|| is_one(tokens, next).then_some(1));
    Some((end, Wish { limit, ..Wish::of(Wants::Slowest) }))
}

/// "latest 20", "first", "oldest", "most recent".
fn ordered(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Wish)> {
    let counted = amount(tokens, at).filter(|(next, _)| {
        tokens
            .eat_any(
                *next,
                &[
                    "latest",
                    "newest",
                    "most recent",
                    "recent",
                    "oldest",
                    "earliest",
                    "last",
                    "first",
                    "slowest",
                ],
            )
            .is_some()
    });
    let (start, before) = counted.map_or((at, None), |(next, limit)| (next, Some(limit)));
    let newest = [
        "newest first",
        "latest first",
        "most recent first",
        "most recent",
        "newest",
        "latest",
        "last",
        "recent",
        "descending",
    ];
    let oldest = [
        "oldest first",
        "earliest first",
        "in chronological order",
        "chronologically",
        "from the beginning",
        "ascending",
        "oldest",
        "earliest",
        "first",
        "in order",
    ];
    if tokens.is(start, &["slowest"]) {
        return Some((start + 1, Wish { limit: before, ..Wish::of(Wants::Slowest) }));
    }
    let (next, is_oldest) = match (tokens.eat_any(start, &newest), tokens.eat_any(start, &oldest)) {
        (Some(next), _) => (next, false),
        (_, Some(next)) => (next, true),
        _ => return None,
    };
    // "At first" and "first of all" order nothing.
    if tokens.is(start, &["first"]) && (tokens.is(next, &["of"]) || tokens.is(start.wrapping_sub(1), &["at"]))
    {
        return None;
    }
    let (next, after) = amount(tokens, next).map_or((next, None), |(next, limit)| (next, Some(limit)));
    let is_order = tokens.is(next.wrapping_sub(1), &["first"]) && next > start + 1;
    let one = (!is_order && !tokens.is(start, &["recent"]) && is_one(tokens, next)).then_some(1);
    Some((next, Wish { oldest_first: Some(is_oldest), limit: before.or(after).or(one), wants: None }))
}

/// Whether one log is meant: the first noun from here on is in the singular.
fn is_one(tokens: &Tokens<'_>, at: usize) -> bool {
    for next in at..at + 4 {
        let word = tokens.lower(next);
        if word.is_empty()
            || (next > at && tokens.begins_part(next))
            || tokens.is(next, &["in", "of", "from", "by", "for", "at", "on"])
        {
            return false;
        }
        let singular = matches!(
            word,
            "log"
                | "entry"
                | "line"
                | "record"
                | "event"
                | "message"
                | "request"
                | "call"
                | "response"
                | "occurrence"
                | "one"
                | "failure"
                | "exception"
                | "crash"
                | "panic"
                | "timeout"
        );
        if singular
            || levels::level(word)
                .is_some_and(|(level, is_one)| is_one && LEVELS.get(level) != Some(&"critical"))
        {
            // "Error messages" and "request timeouts" are many.
            let behind = tokens.lower(next + 1);
            return !(is_noun(behind) && behind.ends_with('s'));
        }
        if is_noun(word)
            || levels::level(word).is_some_and(|(_, is_one)| !is_one)
            || matches!(word, "failures" | "exceptions" | "crashes")
        {
            return false;
        }
    }
    false
}

/// "limit 20", "50 errors".
fn limited(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Wish)> {
    let of = |limit| Wish { limit: Some(limit), ..Wish::default() };
    if let Some(next) = tokens.eat_any(
        at,
        &["limit to", "limited to", "limit", "max", "maximum", "at most", "no more than", "up to"],
    ) {
        let next = next + usize::from(tokens.kind(next) == Some(Kind::Operator));
        let (end, limit) = amount(tokens, next)?;
        let is_other = clock::unit(tokens.lower(end)).is_some() || tokens.is(end, &["pm", "am"]);
        let is_plain = tokens.is(at, &["limit", "limited"]) || is_noun(tokens.lower(end));
        return (!is_other && is_plain).then(|| (end, of(limit)));
    }
    let (next, limit) = amount(tokens, at)
        .filter(|_| clock::is_digits(tokens.lower(at)) || !tokens.is(at, &["a", "an", "one", "single"]))?;
    let noun = tokens.lower(next);
    let is_said_of = is_noun(tokens.lower(next + 1)) && tokens.lower(next + 1).ends_with('s');
    let is_counted = levels::level(noun).is_some_and(|(_, is_one)| !is_one || is_said_of)
        || (is_noun(noun) && noun.ends_with('s'))
        || matches!(noun, "entries" | "exceptions" | "crashes" | "failures");
    // "500 errors" are a status.
    let is_status = (400..600).contains(&limit) && clock::is_digits(tokens.lower(at));
    let is_after = tokens.is(at.wrapping_sub(1), &["than", "over", "under", "above", "below", "least"]);
    let is_value = at.checked_sub(1).is_some_and(|before| {
        fields::named(tokens, before).is_some() || tokens.kind(before) == Some(Kind::Operator)
    });
    (is_counted && !is_status && !is_after && !is_value && !tokens.begins_part(next))
        .then(|| (next, of(limit)))
}

/// A number of logs; more than a page holds is a page.
fn amount(tokens: &Tokens<'_>, at: usize) -> Option<(usize, usize)> {
    let word = tokens.lower(at);
    let count = clock::number(word).filter(|count| *count > 0 && !matches!(word, "a" | "an"))?;
    Some((at + 1, usize::try_from(count).ok()?.min(MOST)))
}
