//! A text cut into tokens, each with the line and the column of its first character. It knows no grammar.

use std::fmt::Write as _;

use super::unit::{parse_bytes, parse_duration};

/// Where a token starts; both count from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// Why a text is not a query, in the words Loki's clients know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parse error {}: {message}", .at.map_or_else(String::new, |at| format!("at line {}, col {}", at.line, at.column)))]
pub struct ParseError {
    /// What a text means has no place in it: a wrong meaning is reported without one.
    pub at: Option<Position>,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    Text(String),
    Number(f64),
    /// Nanoseconds.
    Duration(i64),
    Bytes(u64),
    /// Nanoseconds between brackets.
    Range(i64),
    /// A word after two dashes.
    Flag(String),
    Symbol(&'static str),
    End,
}

/// The longer ones first: each is tried in turn.
const SYMBOLS: [&str; 30] = [
    "|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<=", "{", "}", "(", ")", ",", "=", ">", "<", "|",
    "+", "-", "*", "/", "%", "^", ".", ":", ";", "&", "!",
];

pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Position)>, ParseError> {
    let mut lexer = Lexer { rest: text, at: Position { line: 1, column: 1 } };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blanks();
        let at = lexer.at;
        let token = lexer.token()?;
        let is_end = token == Token::End;
        tokens.push((token, at));
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    rest: &'a str,
    at: Position,
}

impl<'a> Lexer<'a> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes so many bytes, which must end at a character's end.
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at_checked(bytes).unwrap_or((self.rest, ""));
        for c in taken.chars() {
            if c == '\n' {
                self.at = Position { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !keep(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn skip_blanks(&mut self) {
        loop {
            self.take_while(char::is_whitespace);
            if self.peek() != Some('#') {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn token(&mut self) -> Result<Token, ParseError> {
        let at = self.at;
        let Some(c) = self.peek() else { return Ok(Token::End) };
        let second = self.rest.chars().nth(1);
        match c {
            '"' => self.quoted(at),
            '`' => {
                let Some(end) = self.rest.get(1..).and_then(|rest| rest.find('`')) else {
                    return Err(error(at, "literal not terminated"));
                };
                let raw = self.take(end + 2);
                Ok(Token::Text(raw.trim_matches('`').replace('\r', "")))
            }
            '[' => self.range(at),
            '0'..='9' => self.number(at),
            '.' if second.is_some_and(|c| c.is_ascii_digit()) => self.number(at),
            'a'..='z' | 'A'..='Z' | '_' => {
                Ok(Token::Name(self.take_while(|c| c == '_' || c.is_ascii_alphanumeric()).to_owned()))
            }
            '-' if second == Some('-')
                && self.rest.chars().nth(2).is_some_and(|c| c.is_ascii_alphabetic()) =>
            {
                self.take(2);
                Ok(Token::Flag(self.take_while(|c| c == '-' || c.is_ascii_alphabetic()).to_owned()))
            }
            _ => match SYMBOLS.iter().find(|symbol| self.rest.starts_with(**symbol)) {
                Some(symbol) => {
                    self.take(symbol.len());
                    Ok(Token::Symbol(symbol))
                }
                None => Err(error(at, &format!("syntax error: unexpected character {c:?}"))),
            },
        }
    }

    fn range(&mut self, at: Position) -> Result<Token, ParseError> {
        let Some(end) = self.rest.find(']') else {
            return Err(error(at, "missing closing ']' in duration"));
        };
        let inside = self.take(end + 1).trim_start_matches('[').trim_end_matches(']').trim();
        match parse_duration(inside) {
            Some(ns) if ns > 0 => Ok(Token::Range(ns)),
            _ => Err(error(at, &format!("not a valid duration string: {inside:?}"))),
        }
    }

    fn number(&mut self, at: Position) -> Result<Token, ParseError> {
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let mut end = digits(self.rest);
        let after = |end: usize| self.rest.get(end..).unwrap_or_default();
        if let Some(fraction) = after(end).strip_prefix('.') {
            end += 1 + digits(fraction);
        }
        if let Some(exponent) = after(end).strip_prefix(['e', 'E']) {
            let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            if unsigned.starts_with(|c: char| c.is_ascii_digit()) {
                end += 1 + (exponent.len() - unsigned.len()) + digits(unsigned);
            }
        }
        if !after(end).starts_with(|c: char| c.is_alphabetic()) {
            let number = self.take(end);
            return number
                .parse()
                .ok()
                .filter(|value: &f64| value.is_finite())
                .map(Token::Number)
                .ok_or_else(|| error(at, &format!("not a valid number: {number:?}")));
        }
        let written = self.take_while(|c| c.is_alphanumeric() || c == '.');
        if let Some(ns) = parse_duration(written) {
            return Ok(Token::Duration(ns));
        }
        parse_bytes(written)
            .map(Token::Bytes)
            .ok_or_else(|| error(at, &format!("not a valid number, duration or size: {written:?}")))
    }

    /// A text between double quotes, with Go's escapes.
    fn quoted(&mut self, at: Position) -> Result<Token, ParseError> {
        self.take(1);
        let mut text = Vec::new();
        loop {
            let plain = self.take_while(|c| !matches!(c, '"' | '\\' | '\n'));
            text.extend_from_slice(plain.as_bytes());
            match self.peek() {
                Some('"') => {
                    self.take(1);
                    break;
                }
                Some('\\') => {
                    let escape_at = self.at;
                    self.take(1);
                    if !self.escape(&mut text) {
                        return Err(error(escape_at, "invalid escape sequence in a string"));
                    }
                }
                _ => return Err(error(at, "literal not terminated")),
            }
        }
        match String::from_utf8(text) {
            Ok(text) => Ok(Token::Text(text)),
            Err(_) => Err(error(at, "a string that is not UTF-8")),
        }
    }

    /// Reads an escape whose backslash has been taken; `false` if there is no such escape.
    fn escape(&mut self, text: &mut Vec<u8>) -> bool {
        let Some(c) = self.peek() else { return false };
        let digits = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0'..='7' => {
                let octal = self.rest.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok());
                self.take(3);
                text.extend(octal);
                return octal.is_some();
            }
            _ => {
                self.take(c.len_utf8());
                let byte = match c {
                    'a' => 7,
                    'b' => 8,
                    'f' => 12,
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    'v' => 11,
                    '\\' => b'\\',
                    '"' => b'"',
                    '\'' => b'\'',
                    _ => return false,
                };
                text.push(byte);
                return true;
            }
        };
        let hex = self.rest.get(1..=digits).filter(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()) else { return false };
        self.take(digits + 1);
        if digits == 2 {
            text.extend(u8::try_from(code));
            return true;
        }
        let Some(c) = char::from_u32(code) else { return false };
        text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        true
    }
}

pub(super) fn error(at: Position, message: &str) -> ParseError {
    ParseError { at: Some(at), message: message.to_owned() }
}

/// A text between double quotes, so that it is read as itself.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
