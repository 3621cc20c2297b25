//! Expressions printed as the text that is parsed as them, with as few parentheses and quotes as that takes.

use std::fmt::{self, Display, Formatter, Write};

use super::{
    expr::{Bound, Expr, Field, Match, Operand, Pattern, Test},
    lexer::{is_name, keyword},
    wildcard::{Piece, Wildcard},
};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Match(found) => found.fmt(f),
            Self::And(parts) if parts.is_empty() => f.write_str("*"),
            Self::Or(parts) if parts.is_empty() => f.write_str("NOT *"),
            Self::And(parts) => joined(f, parts, " ", |part| matches!(part, Self::And(_) | Self::Or(_))),
            Self::Or(parts) => {
                for (n, part) in parts.iter().enumerate() {
                    f.write_str(if n == 0 { "" } else { " OR " })?;
                    match part {
                        // The words say what the precedence is.
                        Self::And(inner) if !inner.is_empty() => {
                            joined(f, inner, " AND ", |part| matches!(part, Self::And(_) | Self::Or(_)))?;
                        }
                        Self::Or(_) => write!(f, "({part})")?,
                        _ => part.fmt(f)?,
                    }
                }
                Ok(())
            }
            Self::Not(inner) => match &**inner {
                Self::And(_) | Self::Or(_) => write!(f, "NOT ({inner})"),
                _ => write!(f, "NOT {inner}"),
            },
        }
    }
}

fn joined(f: &mut Formatter<'_>, parts: &[Expr], by: &str, wants: fn(&Expr) -> bool) -> fmt::Result {
    for (n, part) in parts.iter().enumerate() {
        f.write_str(if n == 0 { "" } else { by })?;
        if wants(part) { write!(f, "({part})") } else { part.fmt(f) }?;
    }
    Ok(())
}

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(name) = self.field.name() {
            print_name(f, name)?;
            f.write_char(':')?;
        }
        match &self.test {
            Test::Words(text) | Test::Value(text) => print_text(f, text),
            Test::Exact(text) => {
                f.write_char('=')?;
                print_text(f, text)
            }
            Test::Wildcard(wildcard) => wildcard.fmt(f),
            Test::Regex(pattern) => pattern.fmt(f),
            Test::Exists => f.write_char('*'),
            Test::Range { low, high } => print_range(f, low, high),
        }
    }
}

impl Display for Wildcard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut is_first = true;
        for piece in self.pieces() {
            match piece {
                Piece::Many => f.write_char('*')?,
                Piece::One => f.write_char('?')?,
                Piece::Text(text) => {
                    for c in text.chars() {
                        if !is_plain(c, is_first) {
                            f.write_char('\\')?;
                        }
                        f.write_char(c)?;
                        is_first = false;
                    }
                }
            }
            is_first = false;
        }
        Ok(())
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('/')?;
        let mut is_escaped = false;
        for c in self.source().chars() {
            if c == '/' && !is_escaped {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
            is_escaped = c == '\\' && !is_escaped;
        }
        f.write_str(if self.is_insensitive() { "/i" } else { "/" })
    }
}

fn print_range(f: &mut Formatter<'_>, low: &Bound, high: &Bound) -> fmt::Result {
    match (low, high) {
        (Bound::Included(operand), Bound::Open) => print_operand(f, ">=", operand),
        (Bound::Excluded(operand), Bound::Open) => print_operand(f, ">", operand),
        (Bound::Open, Bound::Included(operand)) => print_operand(f, "<=", operand),
        (Bound::Open, Bound::Excluded(operand)) => print_operand(f, "<", operand),
        (Bound::Open, Bound::Open) => f.write_char('*'),
        (Bound::Included(from) | Bound::Excluded(from), Bound::Included(to) | Bound::Excluded(to)) => {
            print_operand(f, if matches!(low, Bound::Included(_)) { "[" } else { "{" }, from)?;
            print_operand(f, " TO ", to)?;
            f.write_char(if matches!(high, Bound::Included(_)) { ']' } else { '}' })
        }
    }
}

fn print_operand(f: &mut Formatter<'_>, before: &str, operand: &Operand) -> fmt::Result {
    f.write_str(before)?;
    match operand.number {
        Some(_) => f.write_str(&operand.text),
        None => print_text(f, &operand.text),
    }
}

/// A name without `metadata.` where it leads there anyway.
pub fn print_name(f: &mut Formatter<'_>, name: &str) -> fmt::Result {
    let is_same = |short: &&str| Field::named(short).is_ok_and(|field| field.name() == Some(name));
    let name = name.strip_prefix("metadata.").filter(is_same).unwrap_or(name);
    if is_name(name) && keyword(name).is_none() { f.write_str(name) } else { print_quoted(f, name) }
}

/// A term, in quotes where it needs them.
pub fn print_text(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    let mut chars = text.chars();
    let is_bare = chars.next().is_some_and(|c| is_plain(c, true))
        && chars.all(|c| is_plain(c, false))
        && keyword(text).is_none()
        && text != "TO";
    if is_bare { f.write_str(text) } else { print_quoted(f, text) }
}

/// Whether a character needs neither quotes nor a `\`.
pub fn is_plain(c: char, is_first: bool) -> bool {
    c.is_alphanumeric() || "_.@%+#".contains(c) || (!is_first && "-/=".contains(c))
}

fn print_quoted(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}
