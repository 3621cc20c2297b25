//! Templates: what the values of a column have in common, with variables where they differ (the idea of CLP,
//! Rodrigues, Luo, Yuan 2021).
//!
//! A template is kept as text. In it U+0001 stands before a letter that names a variable, or before `=` for
//! itself; FORMAT.md has the table. Every variable but `r` lies in words that have an ASCII digit, or in
//! words of hexadecimal digits, so that any other word is in the template's text or nowhere.

mod cut;
mod fixed;

pub(super) use cut::Cut;
pub(super) use fixed::Fixed;

use std::sync::OnceLock;

use super::{Corrupt, shred, words};

const MARK: char = '\u{1}';

/// Decimal digits that fit in 64 bits whatever they are.
const MAX_DIGITS: usize = 18;

const MAX_HEX: usize = 64;

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Var {
    /// Decimal digits without leading zeros.
    Int,
    /// Exactly so many decimal digits.
    Padded(u8),
    /// Exactly so many digits of `0-9a-f`.
    Hex(u8),
    /// 8-4-4-4-12 digits of `0-9a-f`.
    Uuid,
    /// Four numbers to 255 with dots.
    Ip4,
    /// A word with a digit in it.
    Word,
    /// Any text.
    Raw,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    Var(Var),
}

/// A template, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pub pieces: Vec<Piece>,
    /// Whether no value of it needs an escape in JSON.
    is_plain: bool,
    /// Made when they are first asked for.
    words: OnceLock<Vec<String>>,
}

impl Template {
    pub fn parse(form: &str) -> Result<Self, Corrupt> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        let mut chars = form.chars();
        while let Some(c) = chars.next() {
            if c != MARK {
                text.push(c);
                continue;
            }
            let mark = chars.next();
            let length = if matches!(mark, Some('z' | 'x')) { chars.next() } else { None };
            let length = |max: usize| {
                let length = length.and_then(|c| u8::try_from(c).ok()?.checked_sub(b'0'));
                length.filter(|length| (1..=max).contains(&usize::from(*length)))
            };
            let var = match mark {
                Some('=') => {
                    text.push(MARK);
                    continue;
                }
                Some('d') => Some(Var::Int),
                Some('z') => length(MAX_DIGITS).map(Var::Padded),
                Some('x') => length(MAX_HEX).map(Var::Hex),
                Some('u') => Some(Var::Uuid),
                Some('i') => Some(Var::Ip4),
                Some('w') => Some(Var::Word),
                Some('r') => Some(Var::Raw),
                _ => None,
            };
            let var =
                var.ok_or_else(|| Corrupt::damaged("template", format!("{form:?} has an unknown mark")))?;
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Var(var));
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        let is_plain = |piece: &Piece| match piece {
            Piece::Text(text) => shred::is_plain(text),
            Piece::Var(var) => !matches!(var, Var::Word | Var::Raw),
        };
        Ok(Self { is_plain: pieces.iter().all(is_plain), pieces, words: OnceLock::new() })
    }

    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The value that all rows of this template have, when it has no variable.
    pub fn value(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    pub fn vars(&self) -> impl Iterator<Item = Var> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Var(var) => Some(*var),
            Piece::Text(_) => None,
        })
    }

    /// Whether every value is its own: the template says nothing of it.
    pub fn is_raw(&self) -> bool {
        self.vars().any(|var| var == Var::Raw)
    }

    /// Whether a value of this template can have this folded word: `Yes` when all have it.
    pub fn has_word(&self, word: &str) -> HasWord {
        if self.is_raw() {
            return HasWord::InVariable;
        }
        if self.words().iter().any(|known| known == word) {
            return HasWord::Yes;
        }
        if self.could_make(word) { HasWord::InVariable } else { HasWord::No }
    }

    /// The number that its only variable is in every value that has this folded word, which is not in its text. `None`
    /// where there is no such number.
    pub fn number_of(&self, word: &str) -> Option<u64> {
        let mut vars = self.pieces.iter().enumerate().filter(|(_, piece)| matches!(piece, Piece::Var(_)));
        let (Some((nth, Piece::Var(Var::Int | Var::Padded(_)))), None) = (vars.next(), vars.next()) else {
            return None;
        };
        let digits = word.len() <= MAX_DIGITS && word.bytes().all(|b| b.is_ascii_digit());
        if !digits || self.is_part_of_word(nth) { None } else { word.parse().ok() }
    }

    /// Whether there is a letter, a digit or another variable beside this variable.
    fn is_part_of_word(&self, nth: usize) -> bool {
        let beside = |nth: Option<usize>, end: fn(&str) -> Option<char>| {
            let piece = nth.and_then(|nth| self.pieces.get(nth));
            piece.is_some_and(|piece| match piece {
                Piece::Text(text) => end(text).is_some_and(words::is_word),
                Piece::Var(_) => true,
            })
        };
        beside(nth.checked_sub(1), |text| text.chars().next_back())
            || beside(Some(nth + 1), |text| text.chars().next())
    }

    /// Whether a variable, or one with text at its side, can be this word.
    fn could_make(&self, word: &str) -> bool {
        let digits = word.bytes().all(|b| b.is_ascii_digit());
        let hex = word.bytes().all(is_hex);
        if !hex && !word.bytes().any(|b| b.is_ascii_digit()) {
            return false;
        }
        self.pieces.iter().enumerate().any(|(nth, piece)| {
            let Piece::Var(var) = piece else { return false };
            if self.is_part_of_word(nth) {
                return true;
            }
            match var {
                Var::Int => digits && word.len() <= MAX_DIGITS,
                Var::Padded(length) => digits && word.len() == usize::from(*length),
                Var::Ip4 => digits && word.len() <= 3,
                Var::Hex(length) => hex && word.len() == usize::from(*length),
                Var::Uuid => hex && matches!(word.len(), 4 | 8 | 12),
                Var::Word | Var::Raw => true,
            }
        })
    }

    /// The folded words of the text: those that every value has.
    pub fn words(&self) -> &[String] {
        self.words.get_or_init(|| self.find_words())
    }

    fn find_words(&self) -> Vec<String> {
        let var_at = |nth: Option<usize>| {
            nth.and_then(|nth| self.pieces.get(nth)).is_some_and(|piece| matches!(piece, Piece::Var(_)))
        };
        let mut found = Vec::new();
        for (nth, piece) in self.pieces.iter().enumerate() {
            let Piece::Text(text) = piece else { continue };
            let text = words::fold(text);
            for word in words::words(&text) {
                let begins = word.as_ptr() == text.as_ptr();
                let ends = word.as_ptr().wrapping_add(word.len()) == text.as_ptr().wrapping_add(text.len());
                // Next to a variable it is a part of a word.
                if !(begins && var_at(nth.checked_sub(1)) || ends && var_at(Some(nth + 1))) {
                    found.push(word.to_owned());
                }
            }
        }
        found
    }
}

/// Where a word can be in the values of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasWord {
    Yes,
    No,
    /// In some of them, or none.
    InVariable,
}

/// A template's text whose only variable is all of the value.
pub(super) const RAW_FORM: &str = "\u{1}r";

/// Appends a value as the text of a template without variables.
pub(super) fn static_form(value: &str, form: &mut String) {
    if value.contains(MARK) {
        form.push_str(&value.replace(MARK, "\u{1}="));
    } else {
        form.push_str(value);
    }
}

pub(super) fn put_var(form: &mut String, var: Var) {
    form.push(MARK);
    let length = |length: u8| char::from(b'0' + length);
    match var {
        Var::Int => form.push('d'),
        Var::Padded(digits) => form.extend(['z', length(digits)]),
        Var::Hex(digits) => form.extend(['x', length(digits)]),
        Var::Uuid => form.push('u'),
        Var::Ip4 => form.push('i'),
        Var::Word => form.push('w'),
        Var::Raw => form.push('r'),
    }
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_need_no_escape_is_plain() {
        for (form, is_plain) in [
            ("", true),
            ("took \u{1}d ms of \u{1}x4, \u{1}u, \u{1}i, \u{1}z3", true),
            ("ä", true),
            ("say \"\u{1}d\"", false),
            ("a\\b", false),
            ("a\nb", false),
            ("a\u{1}=b", false),
            ("a \u{1}w", false),
            ("\u{1}r", false),
        ] {
            assert_eq!(Template::parse(form).unwrap().is_plain(), is_plain, "{form:?}");
        }
    }

    #[test]
    fn a_word_tells_the_number_of_a_lone_variable() {
        for (form, word, number) in [
            ("u-\u{1}z5", "00413", Some(413)),
            ("took \u{1}d ms", "7", Some(7)),
            ("took \u{1}d ms", "07", Some(7)),
            ("\u{1}d", "123456789012345678", Some(123_456_789_012_345_678)),
            ("\u{1}d", "1234567890123456789", None),
            ("took \u{1}dms", "7", None),
            ("v\u{1}d", "7", None),
            ("\u{1}d of \u{1}d", "7", None),
            ("id \u{1}x4", "7777", None),
            ("from \u{1}i", "10", None),
            ("took \u{1}d ms", "ms", None),
            ("\u{1}r", "7", None),
        ] {
            assert_eq!(Template::parse(form).unwrap().number_of(word), number, "{form:?}");
        }
    }
}
