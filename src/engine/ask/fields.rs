//! Fields by the names that people give them, and their values: "user 4711", "status is 500", "order.total over 5".

use super::{
    clause::{Clause, Test},
    clock::is_digits,
    levels,
    numbers::{compare, decimal},
    status,
    vocabulary::{is_filler, is_noun, is_stop},
    words::{Kind, Tokens},
};

/// What a word behind the name has to look like to be its value when nothing such as "is" stands between them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// Any word.
    Any,
    /// One with a digit or a sign in it, or in quotes.
    Id,
}

/// Names, the longest first; the field; and what its value has to look like.
const ALIASES: &[(&[&str], &str, Wants)] = &[
    (&["user id", "user_id", "userid", "user-id", "user name", "username"], "user_id", Wants::Any),
    (&["user", "users"], "user_id", Wants::Id),
    (&["trace id", "trace_id", "traceid", "trace-id"], "trace_id", Wants::Any),
    (&["trace"], "trace_id", Wants::Id),
    (&["span id", "span_id", "spanid"], "span_id", Wants::Any),
    (&["span"], "span_id", Wants::Id),
    (
        &[
            "correlation id",
            "correlation_id",
            "correlationid",
            "correlation-id",
            "request id",
            "request_id",
            "requestid",
            "request-id",
            "x-request-id",
            "req id",
        ],
        "correlation_id",
        Wants::Any,
    ),
    (&["correlation", "request"], "correlation_id", Wants::Id),
    (&["error type", "error_type", "errortype", "exception type", "error class"], "error_type", Wants::Any),
    (&["request path", "endpoint", "endpoints", "path", "route", "url", "uri"], "endpoint", Wants::Id),
    (&["hostname", "host"], "host", Wants::Any),
    (&["server", "machine", "hosts"], "host", Wants::Id),
    (&["component", "module"], "component", Wants::Any),
    (&["logger"], "logger", Wants::Any),
    (&["thread"], "thread", Wants::Any),
    (&["category"], "category", Wants::Any),
    (&["environment", "env"], "environment", Wants::Any),
    (&["service name", "service_name", "servicename"], "service", Wants::Any),
    (&["service"], "service", Wants::Id),
    (&["tagged with", "tagged as", "tagged", "tag", "tags"], "tags", Wants::Any),
    (&["app version", "version", "release"], "version", Wants::Id),
    (&["client id", "client_id"], "client_id", Wants::Any),
    (&["ticket id", "ticket_id"], "ticket_id", Wants::Any),
    (&["ip address", "ip addresses", "client ip", "source ip", "remote ip", "ip"], "ip", Wants::Id),
    (&["stack trace", "stack_trace"], "stack_trace", Wants::Id),
    (&["message", "messages"], "message", Wants::Id),
    (&["response time", "duration_ms", "duration", "latency", "execution time"], "duration_ms", Wants::Id),
];

/// Fields whose values are no text and are read elsewhere, and names that the search language refuses.
const REFUSED: &[&str] = &[
    "timestamp",
    "executed_at",
    "executedat",
    "time",
    "@timestamp",
    "ts",
    "received_at",
    "execution_time_seconds",
    "executiontimeseconds",
    "metadata",
];

/// What a question says of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) clause: Clause,
    pub(super) is_negated: bool,
}

impl Said {
    pub(super) fn of(clause: Clause) -> Self {
        Self { clause, is_negated: false }
    }
}

/// The field that a name means, and where the name ends.
pub(super) fn named(tokens: &Tokens<'_>, at: usize) -> Option<(usize, &'static str, Wants)> {
    if tokens.kind(at) != Some(Kind::Word) {
        return None;
    }
    ALIASES.iter().find_map(|(names, field, wants)| Some((tokens.eat_any(at, names)?, *field, *wants)))
}

/// Reads what is said of a field from here on. `is_time` says where a time begins, which is no value.
pub(super) fn read(tokens: &Tokens<'_>, at: usize, is_time: &dyn Fn(usize) -> bool) -> Option<(usize, Said)> {
    let known = named(tokens, at);
    if let Some((next, field, wants)) = known {
        return of_field(tokens, at, next, field, wants, is_time);
    }
    unknown(tokens, at)
}

fn of_field(
    tokens: &Tokens<'_>,
    at: usize,
    next: usize,
    field: &'static str,
    wants: Wants,
    is_time: &dyn Fn(usize) -> bool,
) -> Option<(usize, Said)> {
    if let Some((next, clause)) = compare(tokens, next, field) {
        return Some((next, Said::of(clause)));
    }
    if let Some((next, test)) = parts(tokens, next) {
        let clause = match (field, test) {
            ("message" | "stack_trace", Test::Contains(text)) => Clause::is(field, &text),
            (_, test) => Clause::Field(field.to_owned(), test),
        };
        return Some((next, Said::of(clause)));
    }
    let (mut next, is_explicit, is_negated) =
        link(tokens, next, tokens.get(next.wrapping_sub(1)).is_some_and(|name| name.has_colon));
    let said = |clause| Said { clause, is_negated };
    let fits = |at: usize| {
        let (word, is_phrase) = (tokens.lower(at), tokens.is_phrase(at));
        let is_plain =
            !is_stop(word) && !is_noun(word) && !levels::is_failure(word) && levels::level(word).is_none();
        let is_there =
            tokens.kind(at).is_some_and(|kind| kind != Kind::Operator) && !tokens.text(at).is_empty();
        let is_there = is_there && !(is_phrase && tokens.text(at).trim().is_empty());
        is_there
            && (is_phrase
                || (is_explicit
                    && ((is_plain && !is_verb(word))
                        || tokens.kind(at.wrapping_sub(1)) == Some(Kind::Operator)))
                || (!is_time(at)
                    && (is_id(tokens.text(at)) || (wants == Wants::Any && is_plain && !is_verb(word)))))
    };
    let by = at.checked_sub(1).is_some_and(|before| tokens.is(before, &["by", "for", "of", "from"]));
    // "for user jane": a name, when a person was led to and nothing follows that it could belong to.
    let is_person = field == "user_id" && by && {
        let word = tokens.lower(next);
        let behind = tokens.lower(next + 1);
        let is_end = next + 1 >= tokens.len()
            || tokens.begins_part(next + 1)
            || is_filler(behind)
            || is_time(next + 1);
        !word.is_empty()
            && !is_stop(word)
            && !is_noun(word)
            && !is_verb(word)
            && !is_time(next)
            && is_end
            && levels::level(word).is_none()
            && !levels::is_failure(word)
            && !tokens.begins_part(next)
    };
    if !fits(next) && !is_person {
        return exists(tokens, at, next, field).filter(|_| !is_explicit);
    }
    let mut all = vec![value(field, tokens.text(next))];
    next += 1;
    // "host node-a or node-b".
    while next < tokens.len() {
        let more = tokens.skip(next, &["or", "and", "nor"]);
        let is_list = more > next || tokens.begins_part(next);
        let is_value = tokens.is_phrase(more) || (is_id(tokens.text(more)) && !is_time(more));
        let is_other = named(tokens, more).is_some()
            || status::of_word(tokens.lower(more)).is_some()
            || tokens.kind(more + 1) == Some(Kind::Operator)
            || tokens.text(more).starts_with('/') && field != "endpoint";
        if !is_list
            || !is_value
            || is_other
            || tokens.kind(more) == Some(Kind::Operator)
            || tokens.text(more).trim().is_empty()
        {
            break;
        }
        all.push(value(field, tokens.text(more)));
        next = more + 1;
    }
    Some((next, said(Clause::any(all))))
}

/// A value of a field, as the field keeps it.
fn value(field: &str, text: &str) -> Clause {
    let text = text.strip_prefix('#').filter(|rest| !rest.is_empty()).unwrap_or(text);
    match field {
        // Who sent it is under no certain name, but an address is found anywhere.
        "ip" => Clause::Term(text.to_owned()),
        "version" => Clause::Any(vec![Clause::is("version", text), Clause::is("release", text)]),
        "endpoint" => path(text),
        _ => Clause::is(field, text),
    }
}

/// A path, in which a star at the end stands for the rest.
pub(super) fn path(text: &str) -> Clause {
    match text.strip_suffix('*').filter(|start| !start.is_empty()) {
        Some(start) => Clause::Field("endpoint".to_owned(), Test::Prefix(start.to_owned())),
        None => Clause::is("endpoint", text),
    }
}

/// "starting with /api", "contains refused".
fn parts(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Test)> {
    let at = tokens.skip(at, &["that", "which"]);
    let starts = ["starting with", "starts with", "beginning with", "begins with", "under", "below"];
    let ends = ["ending with", "ends with", "ending in", "ends in"];
    let holds = [
        "containing",
        "contains",
        "contain",
        "including",
        "includes",
        "include",
        "mentioning",
        "mentions",
        "matching",
        "like",
    ];
    let read = |next: usize| {
        let text = tokens.text(next);
        let text = if tokens.is_phrase(next) { text } else { text.trim_end_matches('*') };
        (!text.trim().is_empty() && tokens.kind(next) != Some(Kind::Operator)).then(|| text.to_owned())
    };
    if let Some(next) = tokens.eat_any(at, &starts) {
        return Some((next + 1, Test::Prefix(read(next)?)));
    }
    if let Some(next) = tokens.eat_any(at, &ends) {
        return Some((next + 1, Test::Suffix(read(next)?)));
    }
    let next = tokens.eat_any(at, &holds)?;
    let next = tokens.skip(next, &["the", "word", "words", "phrase", "text"]);
    Some((next + 1, Test::Contains(read(next)?)))
}

/// What stands between a name and its value: where it ends, whether it says that a value follows, and whether
/// that it is another one.
fn link(tokens: &Tokens<'_>, at: usize, has_colon: bool) -> (usize, bool, bool) {
    let not = [
        "is not equal to",
        "is not",
        "isn't",
        "not equal to",
        "not equals",
        "not",
        "other than",
        "different from",
        "was not",
    ];
    if let Some(next) = tokens.eat_any(at, &not) {
        return (next, true, true);
    }
    if tokens.kind(at) == Some(Kind::Operator) {
        return match tokens.text(at) {
            "!=" | "<>" | "≠" => (at + 1, true, true),
            _ => (at + 1, true, false),
        };
    }
    let is = [
        "is equal to",
        "equal to",
        "equals",
        "is",
        "was",
        "named",
        "called",
        "being",
        "with id",
        "number",
        "no",
        "are",
    ];
    match tokens.eat_any(at, &is) {
        Some(next) => (next, !tokens.is(at, &["number", "no"]), false),
        None => (at, has_colon, false),
    }
}

/// "with a user id", "without trace id": that there is one.
fn exists(tokens: &Tokens<'_>, at: usize, next: usize, field: &str) -> Option<(usize, Said)> {
    if matches!(field, "service" | "message" | "ip" | "version" | "environment" | "endpoint") {
        return None;
    }
    let before = |n: usize| at.checked_sub(n).map_or("", |at| tokens.lower(at));
    let article = usize::from(matches!(before(1), "a" | "an" | "any"));
    let is_asked = matches!(
        before(1 + article),
        "with" | "without" | "has" | "have" | "having" | "no" | "missing" | "lacking" | "w/o"
    );
    (is_asked && (field != "user_id" || next - at > 1 || tokens.text(at).contains('_')))
        .then(|| (next, Said::of(Clause::Field(field.to_owned(), Test::Exists))))
}

/// `order.id=17`, "retry is true", "retries over 5".
fn unknown(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Said)> {
    let token = tokens.get(at).filter(|token| token.kind != Kind::Operator)?;
    let name = token.text;
    let has_operator = tokens.kind(at + 1) == Some(Kind::Operator);
    let is_name = (token.kind == Kind::Word || has_operator && !name.is_empty())
        && (token.kind == Kind::Phrase || name.starts_with(|c: char| c.is_alphabetic() || "_@$".contains(c)));
    if !is_name
        || REFUSED.contains(&name.to_lowercase().as_str())
        || levels::NAMES.contains(&name.to_lowercase().as_str())
    {
        return None;
    }
    let is_key = name.contains('_') || name.split('.').filter(|part| !part.is_empty()).count() > 1;
    let is_word =
        is_stop(tokens.lower(at)) || is_noun(tokens.lower(at)) || levels::level(tokens.lower(at)).is_some();
    if (has_operator || (!is_word && token.kind == Kind::Word))
        && let Some((next, clause)) = compare(tokens, at + 1, name)
    {
        return Some((next, Said::of(clause)));
    }
    let (next, is_explicit, is_negated) = link(tokens, at + 1, token.has_colon && is_key);
    let value = tokens.get(next).filter(|value| value.kind != Kind::Operator && !value.text.is_empty())?;
    let is_literal =
        matches!(tokens.lower(next), "true" | "false" | "null") || decimal(tokens.lower(next)).is_some();
    let is_quoted = value.kind == Kind::Phrase;
    let is_said = has_operator
        || (is_key && (is_quoted || is_literal || (name.contains('_') && !is_stop(tokens.lower(next)))))
        || (!is_word
            && is_literal
            && !is_digits(tokens.lower(next))
            && tokens.is(at + 1, &["is", "equals", "was", "equal"]))
        || (!is_word
            && (is_literal || is_quoted)
            && tokens.eat_any(at + 1, &["equals", "is equal to", "equal to"]).is_some());
    if !is_explicit || !is_said || (is_quoted && value.text.trim().is_empty()) {
        return None;
    }
    // A value that is a comparison of its own, as in `a:>=b`, is none.
    Some((next + 1, Said { clause: Clause::is(name, value.text), is_negated }))
}

/// Whether it looks like an identifier.
pub(super) fn is_id(text: &str) -> bool {
    let has_sign = text.contains(['@', '_', '-', '.', '/', ':', '#']) && text.len() > 1;
    text.chars().any(|c| c.is_ascii_digit()) || (has_sign && text.chars().any(char::is_alphanumeric))
}

/// Words that follow the name of a field without being its value.
fn is_verb(word: &str) -> bool {
    matches!(
        word,
        "is" | "was"
            | "are"
            | "were"
            | "has"
            | "had"
            | "have"
            | "with"
            | "login"
            | "logins"
            | "logged"
            | "failed"
            | "could"
            | "cannot"
            | "could not"
            | "not"
            | "service"
            | "services"
            | "name"
            | "names"
            | "and"
            | "or"
            | "pool"
            | "header"
            | "failure"
            | "failures"
            | "unreachable"
            | "down"
            | "broken"
            | "failing"
            | "missing"
            | "empty"
            | "slowest"
            | "longest"
            | "fastest"
            | "unavailable"
            | "up"
            | "dead"
            | "full"
            | "busy"
            | "overloaded"
            | "stuck"
            | "slow"
            | "unknown"
            | "timeout"
            | "timeouts"
            | "starvation"
            | "dump"
            | "changes"
    )
}
