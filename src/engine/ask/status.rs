//! What was asked of a server and what it answered: "status 500", "5xx", "404s", "POST requests", "/api/v1/orders".

use std::net::IpAddr;

use super::{
    clause::{Clause, Test},
    fields::{Said, path},
    numbers::compare,
    words::{Kind, Tokens},
};

const NAMES: &[&str] = &[
    "http status codes",
    "http status code",
    "http status",
    "http code",
    "http codes",
    "status codes",
    "status code",
    "response codes",
    "response code",
    "response status",
    "status_code",
    "response_status",
    "statuscode",
    "statuses",
    "status",
    "http",
    "returned",
    "returning",
    "returns",
];
const NOUNS: &[&str] =
    &["error", "errors", "response", "responses", "status", "code", "codes", "statuses", "answers"];
const METHODS: &[&str] = &["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
const MEANINGS: &[&str] = &[
    "internal server errors",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeouts",
    "gateway timeout",
    "not found",
    "unauthorized",
    "forbidden",
    "too many requests",
];

/// The codes that a word stands for: `404`, `404s`, `5xx`.
pub(super) fn of_word(word: &str) -> Option<Clause> {
    let word = word.strip_prefix("http").unwrap_or(word);
    let word = word.strip_suffix('s').or_else(|| word.strip_suffix("er")).unwrap_or(word);
    let first = word.chars().next().filter(|c| ('1'..='5').contains(c))?;
    match word.get(1..)? {
        "xx" | "**" | "00+" => Some(Clause::Field(
            "status".to_owned(),
            Test::Between(format!("{first}00"), format!("{first}99")),
        )),
        rest if rest.len() == 2 && rest.bytes().all(|c| c.is_ascii_digit()) => {
            Some(Clause::is("status", word))
        }
        _ => None,
    }
}

pub(super) fn is_class(word: &str) -> bool {
    word.ends_with("xx") && of_word(word).is_some()
}

/// Reads a status, a method, a path or an address that begins here.
pub(super) fn read(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Said)> {
    if tokens.kind(at) != Some(Kind::Word) {
        return None;
    }
    status(tokens, at)
        .or_else(|| method(tokens, at).map(|(next, clause)| (next, Said::of(clause))))
        .or_else(|| address(tokens, at).map(|(next, clause)| (next, Said::of(clause))))
}

fn status(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Said)> {
    if let Some(next) = tokens.eat_any(at, NAMES) {
        let is_verb = tokens.is(at, &["http", "returned", "returning", "returns"]);
        let named = if is_verb { None } else { compare(tokens, next, "status") };
        if let Some((next, clause)) = named {
            return Some((next, Said::of(clause)));
        }
        let mut inner = tokens.skip(
            next,
            &["is", "was", "of", "code", "codes", "equals", "a", "an", "equal", "to", "are", "status"],
        );
        let not = tokens.eat_any(inner, &["not", "other than", "isn't", "different from"]);
        inner = not.unwrap_or(inner);
        let operator = tokens.kind(inner) == Some(Kind::Operator);
        let is_negated = not.is_some() || (operator && matches!(tokens.text(inner), "!=" | "<>" | "≠"));
        inner += usize::from(operator);
        if let Some((next, clause)) = codes(tokens, inner) {
            return Some((next, Said { clause, is_negated }));
        }
        let text = tokens.text(inner);
        let known = [
            "failed",
            "failure",
            "timeout",
            "success",
            "succeeded",
            "ok",
            "aborted",
            "cancelled",
            "canceled",
            "pending",
            "running",
            "completed",
            "done",
            "error",
        ];
        let is_name =
            known.contains(&tokens.lower(inner)) || operator || (inner > next && tokens.is_phrase(inner));
        if is_verb || !is_name || text.trim().is_empty() || tokens.kind(inner) == Some(Kind::Operator) {
            return None;
        }
        return Some((inner + 1, Said { clause: Clause::is("status", text), is_negated }));
    }
    if let Some(next) = tokens.eat_any(at, &["server errors", "server error"]) {
        return Some((next, Said::of(of_word("5xx")?)));
    }
    if let Some(next) = tokens.eat_any(at, &["client errors", "client error"]) {
        return Some((next, Said::of(of_word("4xx")?)));
    }
    if let Some(clause) = tokens.lower(at).strip_prefix("non-").and_then(of_word) {
        return Some((tokens.skip(at + 1, NOUNS), Said { clause, is_negated: true }));
    }
    // A number alone is a status only where errors have theirs.
    let word = tokens.lower(at);
    let is_other = word.bytes().all(|c| c.is_ascii_digit())
        && !word.starts_with(['4', '5'])
        && !tokens.is(at + 1, NOUNS);
    let (next, clause) = codes(tokens, at).filter(|_| !is_other)?;
    let is_length = super::clock::unit(tokens.lower(next)).is_some();
    (!is_length).then_some((next, Said::of(clause)))
}

/// One code or several: "500 or 503", "4xx and 5xx errors".
fn codes(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Clause)> {
    let one =
        |at: usize| if tokens.is_phrase(at) { of_word(tokens.text(at)) } else { of_word(tokens.lower(at)) };
    let mut all = vec![one(at)?];
    let mut next = behind(tokens, at + 1);
    while next < tokens.len() {
        let more = tokens.skip(next, &["or", "and", "&", "nor"]);
        let more = tokens.skip(more, &["http", "status"]);
        if more == next && !tokens.begins_part(next) {
            break;
        }
        let Some(clause) = one(more) else { break };
        all.push(clause);
        next = behind(tokens, more + 1);
    }
    Some((next, Clause::any(all)))
}

fn behind(tokens: &Tokens<'_>, at: usize) -> usize {
    if tokens.begins_part(at) {
        return at;
    }
    tokens.skip(tokens.eat_any(at, MEANINGS).unwrap_or(at), NOUNS)
}

fn method(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Clause)> {
    let is_noun = |at: usize| tokens.is(at, &["request", "requests", "call", "calls", "method", "methods"]);
    if let Some(next) = tokens.eat_any(at, &["http method", "request method", "method", "verb"]) {
        let next = tokens.skip(next, &["is", "was", "equals"]);
        let next = next
            + usize::from(
                tokens.kind(next) == Some(Kind::Operator) && matches!(tokens.text(next), ":" | "=" | "=="),
            );
        let name = tokens.text(next).to_uppercase();
        return METHODS.contains(&name.as_str()).then(|| (next + 1, Clause::is("method", &name)));
    }
    let text = tokens.text(at);
    let name = text.to_uppercase();
    if !METHODS.contains(&name.as_str()) {
        return None;
    }
    // In small letters they are words like others, unless they are said of requests.
    let is_shown = text == name
        && (tokens.text(at + 1).starts_with('/') || !tokens.is(at + 1, &["me", "us", "all", "the"]));
    (is_shown || is_noun(at + 1)).then(|| (at + 1, Clause::is("method", &name)))
}

fn address(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Clause)> {
    let under = tokens.eat_any(at, &["starting with", "beginning with", "under", "below"]);
    let text = tokens.text(under.unwrap_or(at));
    if text.starts_with('/') && text.len() > 1 {
        let clause = match under {
            Some(_) => {
                Clause::Field("endpoint".to_owned(), Test::Prefix(text.trim_end_matches('*').to_owned()))
            }
            None => path(text),
        };
        return Some((under.unwrap_or(at) + 1, clause));
    }
    text.parse::<IpAddr>().ok().filter(|_| under.is_none()).map(|_| (at + 1, Clause::Term(text.to_owned())))
}
