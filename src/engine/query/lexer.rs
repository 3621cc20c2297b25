//! A search text cut into words, phrases and regular expressions. It knows no fields and no precedence.

use std::ops::Range;

use super::wildcard::Piece;

/// What stands where something else should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} at byte {at}, found {found}")]
pub struct ParseError {
    /// The byte of the text at which it stands.
    pub at: usize,
    pub expected: String,
    pub found: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyword {
    And,
    Or,
    Not,
}

/// Characters, escaped ones among them, and wildcards.
pub(super) struct Word {
    pub(super) pieces: Vec<Piece>,
    pub(super) is_escaped: bool,
}

impl Word {
    /// Its text, if no wildcard is in it.
    pub(super) fn plain(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it is `*` alone, once or more often.
    pub(super) fn is_star(&self) -> bool {
        !self.pieces.is_empty() && self.pieces.iter().all(|piece| *piece == Piece::Many)
    }

    fn push(&mut self, c: char) {
        match self.pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(c),
            _ => self.pieces.push(Piece::Text(c.to_string())),
        }
    }
}

/// Whether a character can stand in a word without a `\` before it.
pub(super) fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !"\"()[]{}:<>\\".contains(c)
}

/// Whether a text can be the name of a field without quotes. `NOT` and its like still want them.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || "_@$".contains(c))
        && chars.all(|c| c.is_alphanumeric() || "_-.@$/".contains(c))
}

pub(super) fn keyword(text: &str) -> Option<Keyword> {
    match text {
        "AND" => Some(Keyword::And),
        "OR" => Some(Keyword::Or),
        "NOT" => Some(Keyword::Not),
        _ => None,
    }
}

/// What is shown of a text in an error.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 40;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("\"{}…\"", text.get(..end).unwrap_or_default()),
        None => format!("\"{text}\""),
    }
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn slice(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn eat(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    pub(super) fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// The keyword that stands here, and where it ends.
    pub(super) fn keyword(&self) -> Option<(Keyword, usize)> {
        let run = self.run();
        let is_escaped = self.slice(self.at + run.len()..self.text.len()).starts_with('\\');
        let found = keyword(run).filter(|_| !is_escaped)?;
        Some((found, self.at + run.len()))
    }

    /// Takes the keyword, if it stands here; answers its place.
    pub(super) fn take(&mut self, wanted: Keyword) -> Option<Range<usize>> {
        let (_, end) = self.keyword().filter(|(found, _)| *found == wanted)?;
        let start = std::mem::replace(&mut self.at, end);
        Some(start..end)
    }

    /// Reads a word; without one its pieces are empty.
    pub(super) fn word(&mut self) -> Result<Word, ParseError> {
        let mut word = Word { pieces: Vec::new(), is_escaped: false };
        while let Some(c) = self.peek().filter(|c| is_bare(*c) || *c == '\\') {
            self.at += c.len_utf8();
            match c {
                '*' => word.pieces.push(Piece::Many),
                '?' => word.pieces.push(Piece::One),
                '\\' => {
                    let Some(escaped) = self.peek().filter(|c| !c.is_alphanumeric()) else {
                        return Err(
                            self.error("a sign or a blank after \"\\\" (a text with \"\\\" goes in quotes)")
                        );
                    };
                    self.at += escaped.len_utf8();
                    word.is_escaped = true;
                    word.push(escaped);
                }
                c => word.push(c),
            }
        }
        Ok(word)
    }

    /// Reads what stands between the quote that is here and the next: `\"` is a quote, `\\` a backslash.
    pub(super) fn phrase(&mut self) -> Result<String, ParseError> {
        let start = self.at;
        let mut text = String::new();
        self.next();
        loop {
            match self.next() {
                None => return Err(self.error(format!("a closing quote for the quote of byte {start}"))),
                Some('"') => return Ok(text),
                Some('\\') if matches!(self.peek(), Some('"' | '\\')) => text.extend(self.next()),
                Some(c) => text.push(c),
            }
        }
    }

    /// Reads what stands between the slash that is here and the next without a `\` before it, and whether an
    /// `i` follows.
    pub(super) fn regex(&mut self) -> Result<(&'a str, bool), ParseError> {
        let start = self.at;
        self.next();
        loop {
            match self.next() {
                None => {
                    let wanted =
                        format!("a closing \"/\" for the \"/\" of byte {start} (a path goes in quotes)");
                    return Err(self.error(wanted));
                }
                Some('/') => break,
                Some('\\') => {
                    self.next();
                }
                Some(_) => {}
            }
        }
        let source = self.slice(start + 1..self.at - 1);
        Ok((source, self.run() == "i" && self.eat("i")))
    }

    /// The error that here something else is expected.
    pub(super) fn error(&self, expected: impl Into<String>) -> ParseError {
        self.error_at(self.at, expected)
    }

    pub(super) fn error_at(&self, at: usize, expected: impl Into<String>) -> ParseError {
        let there = Self { text: self.text, at };
        let found = match there.peek() {
            None => "the end".to_owned(),
            Some(c) if c.is_whitespace() => "a blank".to_owned(),
            Some('"') => "a quote".to_owned(),
            Some(c) if is_bare(c) => shown(there.run()),
            Some(c) => format!("\"{c}\""),
        };
        ParseError { at, expected: expected.into(), found }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.slice(self.at..self.text.len())
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// The bare characters from here on.
    fn run(&self) -> &'a str {
        let rest = self.rest();
        rest.get(..rest.find(|c| !is_bare(c)).unwrap_or(rest.len())).unwrap_or_default()
    }
}
