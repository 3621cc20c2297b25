//! The one expression that every search is: its types, how they are put together, and what can be told of
//! one without a row.

use std::collections::BTreeSet;

use regex::{Regex, RegexBuilder};

use super::{test, wildcard::Wildcard};
use crate::engine::{
    block::words,
    record::{model::Level, stored_name, timestamp::Timestamp},
};

/// Fields that are read as texts: a term is looked for among their words. All others are whole values.
pub const TEXT_FIELDS: &[&str] = &["message", "stack_trace"];

/// Fields in which a term without a field is not looked for.
pub const NOT_SEARCHED: &[&str] = &["id", "timestamp", "received_at", "source_type"];

/// Fields that are compared as times.
pub const TIME_FIELDS: &[&str] = &["timestamp", "received_at"];

/// What a row must meet.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// Every row.
    All,
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Not(Box<Expr>),
    Match(Match),
}

/// It holds for a row when the test holds for at least one value of the field.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    pub field: Field,
    pub test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// Every field but `NOT_SEARCHED`.
    Any,
    /// The dotted path in the stored row: `service`, `metadata.http.status`.
    Named(String),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// A folded term or phrase, held where it cuts no word at its ends: `words::holds`.
    Words(String),
    /// The folded whole value; a JSON number also by its value.
    Value(String),
    /// The whole value, case kept; a JSON number also by its value.
    Exact(String),
    /// Over the whole value, or over words where `Field::is_text`.
    Wildcard(Wildcard),
    /// Somewhere in the value as it is, not folded.
    Regex(Pattern),
    /// There is a value, and it is not `null`.
    Exists,
    Range {
        low: Bound,
        high: Bound,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum Bound {
    Open,
    Included(Operand),
    Excluded(Operand),
}

/// What a range compares with. The first of level, time, number that is there decides how; with none of them
/// folded texts are compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    /// As it was written.
    pub text: String,
    pub folded: String,
    /// Finite.
    pub number: Option<f64>,
    /// Of `TIME_FIELDS` alone.
    pub time: Option<Timestamp>,
    /// Of `level` alone.
    pub level: Option<Level>,
}

/// A regular expression; two are equal when they are written alike.
#[derive(Clone, Debug)]
pub struct Pattern {
    source: String,
    insensitive: bool,
    regex: Regex,
}

/// What an expression looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields {
    pub any: bool,
    pub named: BTreeSet<String>,
}

pub(super) const LEVEL_WANTED: &str = "a level such as debug, info, warn, error or critical";
pub(super) const TIME_WANTED: &str = "a time such as \"2025-11-20T23:47:16Z\"";

/// Spellings that producers may use and whose values mean something else than what is stored.
const UNFIT: &[(&str, &str)] = &[
    ("execution_time_seconds", "duration_ms, in milliseconds"),
    ("executionTimeSeconds", "duration_ms, in milliseconds"),
    ("severity_number", "level and the name of one"),
    ("severityNumber", "level and the name of one"),
    ("metadata", "a path below metadata, such as metadata.user"),
];

impl Field {
    /// The field that a name leads to, by the spellings that producers may use; an unknown name and a dotted one
    /// are metadata. The error says what is expected instead.
    pub fn named(name: &str) -> Result<Self, &'static str> {
        if let Some((_, instead)) = UNFIT.iter().find(|(unfit, _)| *unfit == name) {
            return Err(instead);
        }
        Ok(Self::Named(match name {
            "id" | "received_at" | "source_type" | "pattern_id" => name.to_owned(),
            _ => match stored_name(name) {
                Some(stored) => stored.to_owned(),
                None if name.starts_with("metadata.") => name.to_owned(),
                None => format!("metadata.{name}"),
            },
        }))
    }

    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Any => None,
            Self::Named(name) => Some(name),
        }
    }

    /// Whether terms and wildcards are looked for among the words of the value.
    pub fn is_text(&self) -> bool {
        self.name().is_none_or(|name| TEXT_FIELDS.contains(&name))
    }

    pub(super) fn is_level(&self) -> bool {
        self.name() == Some("level")
    }

    pub(super) fn is_time(&self) -> bool {
        self.name().is_some_and(|name| TIME_FIELDS.contains(&name))
    }
}

impl Operand {
    /// The error says what the field expects.
    pub fn new(field: &Field, text: &str) -> Result<Self, &'static str> {
        let level = field.is_level().then(|| Level::parse(text).ok_or(LEVEL_WANTED)).transpose()?;
        let time =
            field.is_time().then(|| Timestamp::parse_text(text).map_err(|_| TIME_WANTED)).transpose()?;
        let (folded, number) = (words::fold(text).into_owned(), test::number(text));
        Ok(Self { text: text.to_owned(), folded, number, time, level })
    }
}

impl Bound {
    pub fn operand(&self) -> Option<&Operand> {
        match self {
            Self::Open => None,
            Self::Included(operand) | Self::Excluded(operand) => Some(operand),
        }
    }
}

impl Pattern {
    /// Bytes that one compiled expression may take.
    const MAX_COMPILED: usize = 1 << 20;
    /// Bytes of its caches while it runs.
    const MAX_CACHED: usize = 2 << 20;

    /// An escaped slash is a slash. The error says what is wrong with it.
    pub fn new(written: &str, insensitive: bool) -> Result<Self, String> {
        let mut source = String::with_capacity(written.len());
        let mut chars = written.chars();
        while let Some(c) = chars.next() {
            match (c, if c == '\\' { chars.next() } else { None }) {
                (_, Some('/')) => source.push('/'),
                (_, escaped) => {
                    source.push(c);
                    source.extend(escaped);
                }
            }
        }
        let built = RegexBuilder::new(&source)
            .case_insensitive(insensitive)
            .size_limit(Self::MAX_COMPILED)
            .dfa_size_limit(Self::MAX_CACHED)
            .build();
        match built {
            Ok(regex) => Ok(Self { source, insensitive, regex }),
            Err(regex::Error::CompiledTooBig(_)) => Err("too large".to_owned()),
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().next_back().unwrap_or_default().trim();
                Err(reason.strip_prefix("error: ").unwrap_or(reason).to_owned())
            }
        }
    }

    /// Without the slashes around it and the `\` before those in it.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn is_insensitive(&self) -> bool {
        self.insensitive
    }

    pub fn is_match(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        (&self.source, self.insensitive) == (&other.source, other.insensitive)
    }
}

impl Expr {
    /// All of them, flattened; none is `All`.
    pub fn and(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All => {}
                Self::And(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match (flat.pop(), flat.is_empty()) {
            (None, _) => Self::All,
            (Some(only), true) => only,
            (Some(last), false) => {
                flat.push(last);
                Self::And(flat)
            }
        }
    }

    /// Any of them, flattened; none at all matches nothing.
    pub fn or(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All => return Self::All,
                Self::Or(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        match (flat.pop(), flat.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                flat.extend(last);
                Self::Or(flat)
            }
        }
    }

    /// The contrary; of a contrary, what it is the contrary of.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// Whether some row can match, by an oracle that tells whether a match may hold for some row. What is
    /// negated always may.
    pub fn might_match(&self, test: &mut dyn FnMut(&Match) -> bool) -> bool {
        match self {
            Self::All | Self::Not(_) => true,
            Self::And(parts) => parts.iter().all(|part| part.might_match(test)),
            Self::Or(parts) => parts.iter().any(|part| part.might_match(test)),
            Self::Match(found) => test(found),
        }
    }

    /// Whether it holds, as far as that follows from the matches that are known: Kleene's logic.
    pub fn decide(&self, test: &mut dyn FnMut(&Match) -> Option<bool>) -> Option<bool> {
        match self {
            Self::All => Some(true),
            Self::And(parts) => Self::settle(parts, false, test),
            Self::Or(parts) => Self::settle(parts, true, test),
            Self::Not(inner) => inner.decide(test).map(|held| !held),
            Self::Match(found) => test(found),
        }
    }

    /// One part that is `settling` settles it; else it is the contrary, unless a part is unknown.
    fn settle(parts: &[Self], settling: bool, test: &mut dyn FnMut(&Match) -> Option<bool>) -> Option<bool> {
        let mut known = true;
        for part in parts {
            match part.decide(test) {
                Some(held) if held == settling => return Some(settling),
                Some(_) => {}
                None => known = false,
            }
        }
        known.then_some(!settling)
    }

    /// Every match in it, in the order they are written.
    pub fn each_match<'a>(&'a self, each: &mut dyn FnMut(&'a Match)) {
        match self {
            Self::All => {}
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.each_match(each)),
            Self::Not(inner) => inner.each_match(each),
            Self::Match(found) => each(found),
        }
    }

    /// What it looks at.
    pub fn fields(&self) -> Fields {
        let mut fields = Fields::default();
        self.each_match(&mut |found| match &found.field {
            Field::Any => fields.any = true,
            Field::Named(name) => {
                fields.named.insert(name.clone());
            }
        });
        fields
    }
}
