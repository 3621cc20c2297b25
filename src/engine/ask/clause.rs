//! What a question asks of logs, and how the search language writes it. Every value is data: it is printed so
//! that it is read as one term, whatever stands in it.

use std::fmt::{self, Display, Formatter, Write};

use crate::engine::query::{is_plain, print_name, print_text};

/// The levels, the mildest first; a set of them is a mask with a bit for each.
pub(super) const LEVELS: [&str; 5] = ["debug", "info", "warn", "error", "critical"];
pub(super) const ALL_LEVELS: u8 = 0b1_1111;

/// A word with wildcards may have 127 characters; a longer one is asked for as it is.
const MAX_WILD: usize = 120;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Clause {
    /// A term anywhere in a log.
    Term(String),
    /// A word that begins so, anywhere in a log.
    Begins(String),
    Field(String, Test),
    Levels(u8),
    All(Vec<Clause>),
    Any(Vec<Clause>),
    Not(Box<Clause>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Is(String),
    /// `>`, `>=`, `<` or `<=`, and a number.
    Than(&'static str, String),
    /// Both ends included.
    Between(String, String),
    Exists,
    Prefix(String),
    Suffix(String),
    Contains(String),
}

impl Clause {
    pub(super) fn is(field: &str, value: &str) -> Self {
        Self::Field(field.to_owned(), Test::Is(value.to_owned()))
    }

    pub(super) fn than(field: &str, operator: &'static str, value: impl Into<String>) -> Self {
        Self::Field(field.to_owned(), Test::Than(operator, value.into()))
    }

    pub(super) fn any(mut parts: Vec<Self>) -> Self {
        parts.dedup();
        match (parts.len(), parts.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                parts.extend(last);
                Self::Any(parts)
            }
        }
    }

    pub(super) fn all(mut parts: Vec<Self>) -> Self {
        match (parts.len(), parts.pop()) {
            (1, Some(only)) => only,
            (_, last) => {
                parts.extend(last);
                Self::All(parts)
            }
        }
    }

    /// How many terms it has, and how many bytes they take at most, each with the name of its field.
    pub(super) fn size(&self) -> (usize, usize) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).fold((0, 0), |sum, size| {
                (sum.0.saturating_add(size.0), sum.1.saturating_add(size.1).saturating_add(4))
            }),
            Self::Not(inner) => inner.size(),
            Self::Levels(_) => (5, 80),
            other => (1, other.to_string().len().saturating_add(8)),
        }
    }

    /// The field that all of these tests are about, where there is one.
    fn shared(parts: &[Self]) -> Option<&str> {
        let mut names = parts.iter().map(|part| match part {
            Self::Field(name, _) => Some(name.as_str()),
            _ => None,
        });
        let first = names.next()??;
        names.all(|name| name == Some(first)).then_some(first)
    }
}

impl Display for Clause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(text) => print_text(f, text),
            Self::Begins(text) => print_wild(f, "", text, "*"),
            Self::Field(name, test) => {
                print_name(f, name)?;
                f.write_char(':')?;
                print_test(f, test)
            }
            Self::Levels(mask) => print_levels(f, *mask),
            Self::All(parts) => {
                for (n, part) in parts.iter().enumerate() {
                    f.write_str(if n == 0 { "" } else { " " })?;
                    match part {
                        Self::Any(inner) if Self::shared(inner).is_none() => write!(f, "({part})")?,
                        Self::All(_) => write!(f, "({part})")?,
                        _ => part.fmt(f)?,
                    }
                }
                Ok(())
            }
            Self::Any(parts) => {
                let shared = Self::shared(parts);
                if let Some(name) = shared {
                    print_name(f, name)?;
                    f.write_str(":(")?;
                }
                for (n, part) in parts.iter().enumerate() {
                    f.write_str(if n == 0 { "" } else { " OR " })?;
                    match part {
                        Self::Field(_, test) if shared.is_some() => print_test(f, test)?,
                        Self::All(_) | Self::Any(_) => write!(f, "({part})")?,
                        _ => part.fmt(f)?,
                    }
                }
                f.write_str(if shared.is_some() { ")" } else { "" })
            }
            Self::Not(inner) => match &**inner {
                Self::Any(parts) if Self::shared(parts).is_some() => write!(f, "-{inner}"),
                Self::All(_) | Self::Any(_) | Self::Not(_) => write!(f, "-({inner})"),
                _ => write!(f, "-{inner}"),
            },
        }
    }
}

fn print_test(f: &mut Formatter<'_>, asked: &Test) -> fmt::Result {
    match asked {
        Test::Is(text) => print_text(f, text),
        Test::Than(operator, value) => {
            f.write_str(operator)?;
            print_operand(f, value)
        }
        Test::Between(low, high) => {
            f.write_char('[')?;
            print_operand(f, low)?;
            f.write_str(" TO ")?;
            print_operand(f, high)?;
            f.write_char(']')
        }
        Test::Exists => f.write_char('*'),
        Test::Prefix(text) => print_wild(f, "", text, "*"),
        Test::Suffix(text) => print_wild(f, "*", text, ""),
        Test::Contains(text) => print_wild(f, "*", text, "*"),
    }
}

fn print_levels(f: &mut Formatter<'_>, mask: u8) -> fmt::Result {
    let has = |n: usize| mask & (1 << n) != 0;
    let all: Vec<usize> = (0..LEVELS.len()).filter(|n| has(*n)).collect();
    let name = |n: usize| LEVELS.get(n).copied().unwrap_or_default();
    let top = (0..LEVELS.len()).rev().take_while(|n| has(*n)).last();
    let below = (0..LEVELS.len()).take_while(|n| has(*n)).last();
    match (all.as_slice(), top, below) {
        // No level is below the mildest: nothing is found.
        ([], _, _) => f.write_str("level:<debug"),
        ([only], _, _) => write!(f, "level:{}", name(*only)),
        (all, Some(top), _) if all.first() == Some(&top) => write!(f, "level:>={}", name(top)),
        (all, _, Some(below)) if all.last() == Some(&below) => write!(f, "level:<={}", name(below)),
        (all, top, _) => {
            let top = top.filter(|top| *top + 1 < LEVELS.len());
            let mut names: Vec<String> =
                all.iter().filter(|n| top.is_none_or(|top| **n < top)).map(|n| name(*n).to_owned()).collect();
            names.extend(top.map(|top| format!(">={}", name(top))));
            write!(f, "level:({})", names.join(" OR "))
        }
    }
}

fn print_operand(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_digit() || c == b'.');
    if is_number { f.write_str(text) } else { print_text(f, text) }
}

/// Signs in the text are signs; only what is around it is a wildcard.
fn print_wild(f: &mut Formatter<'_>, before: &str, text: &str, after: &str) -> fmt::Result {
    if text.is_empty() || text.chars().count() > MAX_WILD {
        return print_text(f, text);
    }
    f.write_str(before)?;
    for (n, c) in text.chars().enumerate() {
        if !is_plain(c, n == 0 && before.is_empty()) {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_str(after)
}
