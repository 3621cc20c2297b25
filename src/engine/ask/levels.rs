//! Levels: "errors", "warnings or worse", "level above info", with the usual misspellings.
//!
//! "Errors" are ERROR and CRITICAL, because who asks for errors would not want to miss the worse ones; "only
//! errors" and "level error" are ERROR alone. All other names mean their level alone.

use super::{
    clause::{ALL_LEVELS, Clause},
    words::{Kind, Tokens},
};

const WARN: usize = 2;
const ERROR: usize = 3;
const CRITICAL: usize = 4;

/// What fields of the level are called; each wants the name of one.
pub(super) const NAMES: &[&str] = &[
    "level",
    "levels",
    "severity",
    "loglevel",
    "log_level",
    "severity_text",
    "severitytext",
    "severity_number",
    "severitynumber",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Level {
    pub(super) clause: Clause,
    pub(super) is_negated: bool,
    /// Whether one log was meant, as in "the last error".
    pub(super) is_one: bool,
}

/// The level that a word names, and whether in the singular.
pub(super) fn level(word: &str) -> Option<(usize, bool)> {
    let word = word.strip_suffix('+').unwrap_or(word);
    let level = match word {
        "debug" | "debugs" | "dbg" | "verbose" => 0,
        "info" | "infos" | "information" | "informations" | "informational" | "inof" | "ifno" => 1,
        "warn" | "warns" | "warning" | "warnings" | "warining" | "warinings" => WARN,
        "error" | "errors" | "err" | "errs" | "severe" | "erro" | "eror" | "erors" => ERROR,
        "critical" | "criticals" | "crit" | "fatal" | "fatals" | "fatality" => CRITICAL,
        "warming" | "debut" | "errand" | "errands" => return None,
        _ => {
            let near = [
                ("warning", WARN),
                ("warnings", WARN),
                ("error", ERROR),
                ("errors", ERROR),
                ("critical", CRITICAL),
            ];
            near.iter().find(|(name, _)| is_near(word, name))?.1
        }
    };
    Some((level, !word.ends_with('s')))
}

/// Whether two words differ by one letter more, less, other or swapped; not in the first.
pub(super) fn is_near(word: &str, name: &str) -> bool {
    if !word.is_ascii()
        || !name.is_ascii()
        || word.len().abs_diff(name.len()) > 1
        || word.get(..1) != name.get(..1)
    {
        return false;
    }
    let same = word.bytes().zip(name.bytes()).take_while(|(a, b)| a == b).count();
    let (a, b) = (word.get(same..).unwrap_or_default(), name.get(same..).unwrap_or_default());
    let behind = |text: &str, n: usize| text.get(n..).map(str::to_owned);
    if behind(a, 1) == Some(b.to_owned()) || behind(b, 1) == Some(a.to_owned()) {
        return true;
    }
    let swapped = a.get(..1) == b.get(1..2) && b.get(..1) == a.get(1..2) && behind(a, 2) == behind(b, 2);
    a == b || (behind(a, 1).is_some() && behind(a, 1) == behind(b, 1)) || (a.len() > 1 && swapped)
}

pub(super) fn is_exception(word: &str) -> bool {
    matches!(
        word,
        "exception" | "exceptions" | "exeptions" | "exeption" | "exceptons" | "stacktraces" | "stacktrace"
    ) || is_near(word, "exception")
        || is_near(word, "exceptions")
}

fn from(level: usize) -> u8 {
    ALL_LEVELS & (ALL_LEVELS << level)
}

fn only(level: usize) -> u8 {
    1 << level
}

/// Reads a level that begins here.
pub(super) fn read(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Level)> {
    if tokens.kind(at) != Some(Kind::Word) {
        return None;
    }
    compared(tokens, at)
        .or_else(|| named(tokens, at))
        .or_else(|| alone(tokens, at))
        .or_else(|| alike(tokens, at))
}

fn found(mask: u8) -> Level {
    Level { clause: Clause::Levels(mask), is_negated: false, is_one: false }
}

/// "worse than info", "at least warnings".
fn compared(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Level)> {
    let (next, compare) = comparison(tokens, at)?;
    let next = tokens.skip(next, &["a", "an", "the", "level", "severity"]);
    let (level, _) = level(tokens.lower(next)).filter(|_| !tokens.is_phrase(next))?;
    Some((tokens.skip(next + 1, &["level", "severity"]), found(compare(level))))
}

type Compare = fn(usize) -> u8;

fn comparison(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Compare)> {
    let lists: [(&[&str], Compare); 4] = [
        (
            &[
                "worse than",
                "more severe than",
                "more than",
                "higher than",
                "above",
                "over",
                "beyond",
                "greater than",
            ],
            |level| from(level + 1),
        ),
        (&["at least", "minimum", "min", "no less than", "not less than", "not below"], from),
        (&["at most", "up to", "no worse than", "no higher than", "not above", "maximum"], |level| {
            ALL_LEVELS & !from(level + 1)
        }),
        (
            &["below", "less than", "lower than", "less severe than", "milder than", "under", "better than"],
            |level| ALL_LEVELS & !from(level),
        ),
    ];
    if tokens.kind(at) == Some(Kind::Operator) {
        let compare: Compare = match tokens.text(at) {
            ">" => |level| from(level + 1),
            ">=" | "≥" => from,
            "<" => |level| ALL_LEVELS & !from(level),
            "<=" | "≤" => |level| ALL_LEVELS & !from(level + 1),
            "!=" | "<>" | "≠" => |level| ALL_LEVELS & !only(level),
            _ => only,
        };
        return Some((at + 1, compare));
    }
    lists.iter().find_map(|(phrases, compare)| Some((tokens.eat_any(at, phrases)?, *compare)))
}

/// "level is error", "severity >= warn".
fn named(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Level)> {
    let start = tokens
        .eat_any(at, &["log level", "severity level"])
        .or_else(|| NAMES.contains(&tokens.lower(at)).then_some(at + 1))?;
    let not = tokens.eat_any(start, &["is not", "isn't", "not"]);
    let next =
        not.unwrap_or_else(|| tokens.skip(start, &["is", "equals", "was", "of", "equal", "to", "are"]));
    let (next, compare) = comparison(tokens, next).unwrap_or((next, only));
    let (first, _) = level(value(tokens, next)?)?;
    let (next, mask) = modified(tokens, next + 1, first, compare(first));
    Some((next, Level { is_negated: not.is_some(), ..found(mask) }))
}

/// A level may stand in quotes where its field is named.
fn value<'a>(tokens: &'a Tokens<'_>, at: usize) -> Option<&'a str> {
    match tokens.kind(at)? {
        Kind::Phrase => Some(tokens.text(at)),
        _ => Some(tokens.lower(at)),
    }
}

/// "errors", "errors or worse", "error level", "only errors", "critical errors".
fn alone(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Level)> {
    let inner = tokens.skip(at, &["only", "just"]);
    let word = tokens.lower(inner);
    let (level_of, mut is_one) = level(word).filter(|_| !tokens.is_phrase(inner))?;
    let mut next = inner + 1;
    let is_talk = level_of == 1 && tokens.is(next, &["about", "on", "regarding", "concerning"]);
    let is_verb = level_of == 0 && tokens.is(inner.wrapping_sub(1), &["me", "to", "us", "help", "i"]);
    if inner == at && (is_talk || is_verb) {
        return None;
    }
    // "Error rate" and "error type" are other things.
    if level_of == ERROR
        && is_one
        && tokens.is(next, &["type", "types", "class", "rate", "rates", "code", "codes"])
    {
        return None;
    }
    if level_of != ERROR
        && level(tokens.lower(next)).is_some_and(|(level, _)| level == ERROR)
        && !tokens.begins_part(next)
    {
        is_one = level(tokens.lower(next)).is_some_and(|(_, is_one)| is_one);
        next += 1;
    }
    let is_level = tokens.is(next, &["level", "severity", "lvl"]);
    next = tokens.skip(next, &["level", "severity", "lvl"]);
    let is_only = inner > at
        || is_level
        || tokens.is(next, &["only", "alone"])
        || tokens.eat(next, "and nothing else").is_some();
    if tokens.is(next, &["only", "alone"]) {
        next += 1;
    }
    let plain = if level_of == ERROR && !is_only { from(level_of) } else { only(level_of) };
    let plain = if word.ends_with('+') { from(level_of) } else { plain };
    let (next, mask) = modified(tokens, next, level_of, plain);
    Some((next, Level { is_one, ..found(mask) }))
}

fn modified(tokens: &Tokens<'_>, at: usize, level: usize, plain: u8) -> (usize, u8) {
    let up = [
        "or worse",
        "and worse",
        "or higher",
        "and higher",
        "or above",
        "and above",
        "and up",
        "or up",
        "upwards",
        "or more severe",
        "and more severe",
        "or more",
        "or greater",
        "+",
        "plus",
        "and upwards",
    ];
    let down = ["or below", "and below", "or lower", "and lower", "or less", "or milder", "and down"];
    if let Some(next) = tokens.eat_any(at, &up) {
        return (next, from(level));
    }
    match tokens.eat_any(at, &down) {
        Some(next) => (next, ALL_LEVELS & !from(level + 1)),
        None => (at, plain),
    }
}

/// What is no level by name, but means one.
fn alike(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Level)> {
    let word = tokens.lower(at);
    if tokens.is(at, &["trace", "traces", "tracing"])
        && tokens.is(at + 1, &["level", "logs", "messages", "lines", "log"])
    {
        return Some((at + 1, found(only(0))));
    }
    if let Some(next) = tokens.eat_any(at, &["stack traces", "stack trace"]) {
        let clause = Clause::Field("stack_trace".to_owned(), super::clause::Test::Exists);
        return Some((next, Level { clause, is_negated: false, is_one: false }));
    }
    let is_one = !word.ends_with('s');
    let clause = match word {
        "crash" | "crashes" | "crashed" | "crashing" => {
            Clause::Any(vec![Clause::Levels(only(CRITICAL)), Clause::Begins("crash".to_owned())])
        }
        "panic" | "panics" | "panicked" | "panicking" => {
            Clause::Any(vec![Clause::Levels(only(CRITICAL)), Clause::Begins("panic".to_owned())])
        }
        "problem" | "problems" | "issue" | "issues" | "trouble" | "troubles" | "wrong" | "problematic"
        | "broken" => {
            return Some((at + 1, Level { is_one: false, ..found(from(WARN)) }));
        }
        word if is_exception(word) && tokens.kind(at + 1) != Some(Kind::Operator) => {
            if let Some(next) = tokens.eat_any(at + 1, &["of type", "type"]) {
                let name = tokens.get(next).filter(|_| next < tokens.len())?;
                return Some((
                    next + 1,
                    Level { clause: Clause::is("error_type", name.text), is_negated: false, is_one },
                ));
            }
            Clause::Any(vec![
                Clause::Field("error_type".to_owned(), super::clause::Test::Exists),
                Clause::Field("stack_trace".to_owned(), super::clause::Test::Exists),
                Clause::Term("exception".to_owned()),
                Clause::Term("exceptions".to_owned()),
            ])
        }
        _ => return None,
    };
    Some((at + 1, Level { clause, is_negated: false, is_one }))
}

/// "Failed", "failures", "failing": ERROR or worse by themselves, a word when they are said of a thing.
pub(super) fn is_failure(word: &str) -> bool {
    matches!(
        word,
        "fail"
            | "fails"
            | "failed"
            | "failing"
            | "failure"
            | "failures"
            | "failling"
            | "faild"
            | "faliures"
            | "faliure"
            | "failiures"
    )
}

pub(super) fn failure() -> Clause {
    Clause::Levels(from(ERROR))
}
