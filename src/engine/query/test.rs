//! Whether one value meets one test.

use std::{borrow::Cow, cell::OnceCell, cmp::Ordering};

use super::expr::{Bound, Field, Match, NOT_SEARCHED, Operand, Test};
use crate::engine::{
    block::{Kind, words},
    record::{model::Level, timestamp::Timestamp},
};

/// One value of a row, folded once for however many tests.
pub(super) struct Leaf<'a> {
    name: &'a str,
    kind: Kind,
    value: &'a str,
    folded: OnceCell<Cow<'a, str>>,
}

impl<'a> Leaf<'a> {
    pub(super) fn new(name: &'a str, kind: Kind, value: &'a str) -> Self {
        Self { name, kind, value, folded: OnceCell::new() }
    }

    fn folded(&self) -> &str {
        self.folded.get_or_init(|| words::fold(self.value))
    }
}

/// A decimal number as JSON writes it, or with a `+`; finite.
pub fn number(text: &str) -> Option<f64> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if decimal { text.parse().ok().filter(|number: &f64| number.is_finite()) } else { None }
}

impl Match {
    /// Whether it holds for one value of a row: of a text the string itself, of all else its JSON.
    pub fn holds(&self, name: &str, kind: Kind, value: &str) -> bool {
        self.holds_for(&Leaf::new(name, kind, value))
    }

    pub(super) fn holds_for(&self, leaf: &Leaf<'_>) -> bool {
        match &self.field {
            Field::Any if NOT_SEARCHED.contains(&leaf.name) => return false,
            Field::Named(name) if name != leaf.name => return false,
            _ => {}
        }
        match &self.test {
            Test::Words(term) => words::holds(leaf.folded(), term),
            Test::Value(value) => is_folded(leaf, value) || is_number(leaf, value),
            Test::Exact(value) => leaf.value == value || is_number(leaf, value),
            Test::Wildcard(wildcard) if self.field.is_text() => wildcard.matches_words(leaf.folded()),
            Test::Wildcard(wildcard) => wildcard.matches(leaf.folded()),
            Test::Regex(pattern) => pattern.is_match(leaf.value),
            Test::Exists => leaf.kind != Kind::Raw || leaf.value != "null",
            Test::Range { low, high } => {
                leaf.kind != Kind::Raw
                    && is_within(leaf, low, Ordering::is_gt)
                    && is_within(leaf, high, Ordering::is_lt)
            }
        }
    }
}

fn is_folded(leaf: &Leaf<'_>, value: &str) -> bool {
    leaf.value.eq_ignore_ascii_case(value) || !leaf.value.is_ascii() && leaf.folded() == value
}

/// Whether a JSON number is this one, however either is written. Whole numbers are compared digit by digit.
fn is_number(leaf: &Leaf<'_>, value: &str) -> bool {
    if leaf.kind != Kind::Number {
        return false;
    }
    match (leaf.value.parse::<i128>(), value.parse::<i128>()) {
        (Ok(there), Ok(wanted)) => there == wanted,
        _ => number(value)
            .zip(number(leaf.value))
            .is_some_and(|(wanted, there)| wanted.partial_cmp(&there) == Some(Ordering::Equal)),
    }
}

fn is_within(leaf: &Leaf<'_>, bound: &Bound, beyond: fn(Ordering) -> bool) -> bool {
    match bound {
        Bound::Open => true,
        Bound::Included(operand) => compare(leaf, operand).is_some_and(|it| it.is_eq() || beyond(it)),
        Bound::Excluded(operand) => compare(leaf, operand).is_some_and(beyond),
    }
}

/// The value beside the operand; `None` if the two cannot be compared.
fn compare(leaf: &Leaf<'_>, operand: &Operand) -> Option<Ordering> {
    if let Some(level) = operand.level {
        Some(Level::parse(leaf.value)?.cmp(&level))
    } else if let Some(time) = operand.time {
        Some(Timestamp::parse_text(leaf.value).ok()?.cmp(&time))
    } else if let Some(wanted) = operand.number {
        number(leaf.value)?.partial_cmp(&wanted)
    } else {
        Some(leaf.folded().cmp(&operand.folded))
    }
}
