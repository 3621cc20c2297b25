//! Comparisons with numbers: "over 5", "at least 3", "between 1 and 2 seconds", "slower than 500ms".

use super::{
    clause::{Clause, Test},
    clock::{length, unit},
    words::{Kind, Tokens},
};

/// From how many milliseconds on a log is called slow.
const SLOW_MS: &str = "1000";

/// A number that the search language compares as one.
pub(super) fn decimal(word: &str) -> Option<String> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number =
        |text: &str| !text.is_empty() && text.len() <= 15 && text.bytes().all(|c| c.is_ascii_digit());
    (is_number(whole) && is_number(fraction)).then(|| word.to_owned())
}

const LISTS: [(&str, &[&str]); 4] = [
    (
        ">",
        &[
            "greater than",
            "more than",
            "higher than",
            "bigger than",
            "larger than",
            "longer than",
            "slower than",
            "over",
            "above",
            "exceeds",
            "exceeding",
            "beyond",
        ],
    ),
    (">=", &["at least", "no less than", "not less than", "minimum"]),
    (
        "<",
        &[
            "less than",
            "lower than",
            "smaller than",
            "shorter than",
            "faster than",
            "quicker than",
            "fewer than",
            "below",
            "under",
        ],
    ),
    ("<=", &["at most", "no more than", "not more than", "up to", "maximum"]),
];

/// The operator that words stand for, and where they end.
fn operator(tokens: &Tokens<'_>, at: usize) -> Option<(usize, &'static str)> {
    if tokens.kind(at) == Some(Kind::Operator) {
        let operator = match tokens.text(at) {
            ">" => ">",
            ">=" | "≥" => ">=",
            "<" => "<",
            "<=" | "≤" => "<=",
            _ => return None,
        };
        return Some((at + 1, operator));
    }
    LISTS.iter().find_map(|(operator, phrases)| Some((tokens.eat_any(at, phrases)?, *operator)))
}

/// What is compared with: a number, or of a duration a length of time.
fn operand(tokens: &Tokens<'_>, at: usize, field: &str) -> Option<(usize, String)> {
    if field == "duration_ms"
        && let Some((next, micros, _)) = length(tokens, at, false)
    {
        return Some((next, millis(micros)));
    }
    Some((at + 1, decimal(tokens.lower(at))?))
}

/// Reads a comparison of a field that has been named.
pub(super) fn compare(tokens: &Tokens<'_>, at: usize, field: &str) -> Option<(usize, Clause)> {
    let at = tokens.skip(at, &["is", "was", "are", "of", "that", "being", "code", "codes"]);
    if let Some(next) = tokens.eat(at, "between") {
        return between(tokens, next, field);
    }
    if let Some((next, operator)) = operator(tokens, at) {
        let (next, value) = operand(tokens, next, field)?;
        return Some((next, Clause::than(field, operator, value)));
    }
    let (next, value) = operand(tokens, at, field)?;
    let more = tokens.eat_any(
        next,
        &["or more", "or higher", "or above", "and above", "and up", "or greater", "or longer"],
    );
    if let Some(next) = more {
        return Some((next, Clause::than(field, ">=", value)));
    }
    let less = tokens.eat_any(next, &["or less", "or lower", "or below", "and below", "or fewer"])?;
    Some((less, Clause::than(field, "<=", value)))
}

fn between(tokens: &Tokens<'_>, at: usize, field: &str) -> Option<(usize, Clause)> {
    let (and, mut low) = operand(tokens, at, field).or_else(|| Some((at + 1, decimal(tokens.lower(at))?)))?;
    let high_at = tokens.eat_any(and, &["and", "to", "-"])?;
    let (next, high) = operand(tokens, high_at, field)?;
    // "Between 1 and 2 seconds": the unit is of both.
    if field == "duration_ms"
        && unit(tokens.lower(and.wrapping_sub(1))).is_none()
        && next > high_at + 1
        && let Some(both) = unit(tokens.lower(next - 1))
    {
        low =
            low.parse::<i64>().ok().and_then(|low| low.checked_mul(both)).map_or(low, |low| low.to_string());
    }
    Some((next, Clause::Field(field.to_owned(), Test::Between(low, high))))
}

/// Reads how long something took, where no field is named: "slower than 2 seconds", "took 500ms".
pub(super) fn duration(tokens: &Tokens<'_>, at: usize) -> Option<(usize, Clause)> {
    const FIELD: &str = "duration_ms";
    if tokens.is_phrase(at) {
        return None;
    }
    let verb = tokens.skip(at, &["that", "which"]);
    let verbs = [
        "took",
        "take",
        "takes",
        "taking",
        "lasted",
        "lasting",
        "lasts",
        "ran for",
        "running for",
        "running",
        "ran",
        "completed in",
        "finished in",
        "done in",
    ];
    let took = tokens.eat_any(verb, &verbs);
    if let Some(start) = took {
        let start = tokens.skip(start, &["for", "about"]);
        if let Some(next) = tokens.eat(start, "between") {
            return between(tokens, next, FIELD);
        }
        if let Some((next, operator)) = operator(tokens, start) {
            let (next, value) = operand(tokens, next, FIELD)?;
            return Some((next, Clause::than(FIELD, operator, value)));
        }
        let (next, micros, _) = length(tokens, start, false)?;
        let next = tokens.eat_any(next, &["or more", "or longer", "and more"]).unwrap_or(next);
        return Some((next, Clause::than(FIELD, ">=", millis(micros))));
    }
    if let Some((start, operator)) = operator(tokens, at) {
        // "Slower than 200" can only be of milliseconds; "over 5" can be of anything.
        if let Some((next, micros, _)) = length(tokens, start, false) {
            let is_time = tokens.is(next, &["ago", "earlier", "old", "back"]);
            return (!is_time).then(|| (next, Clause::than(FIELD, operator, millis(micros))));
        }
        let is_speed = tokens.is(at, &["slower", "faster", "longer", "quicker", "shorter"]);
        let value = decimal(tokens.lower(start)).filter(|_| is_speed)?;
        return Some((start + 1, Clause::than(FIELD, operator, value)));
    }
    if tokens.is(at, &["slow"]) {
        return Some((at + 1, Clause::than(FIELD, ">", SLOW_MS)));
    }
    None
}

/// Thousandths of a millisecond as milliseconds.
fn millis(micros: i64) -> String {
    let (whole, rest) = (micros / 1000, micros % 1000);
    if rest == 0 { whole.to_string() } else { format!("{whole}.{rest:03}").trim_end_matches('0').to_owned() }
}
