//! The parser of queries: recursive descent, one token of look-ahead. A query that Loki's grammar or its checks
//! refuse is refused, with its words; nothing is guessed and nothing is skipped.

mod log;
mod metric;
mod stage;

#[cfg(test)]
mod tests;

use super::{
    ast::{Expr, Matcher},
    lex::{Token, error, tokens},
};

pub use super::lex::{ParseError, Position};

/// Bytes of a text.
pub const MAX_TEXT: usize = 64 << 10;

/// Parentheses and calls within each other.
pub const MAX_NESTING: usize = 64;

/// Binary operations of a query: a chain of them nests as deep as it is long.
pub const MAX_OPERATIONS: usize = 256;

/// Stages, filters and listed names of a query: each may be tried on each line.
pub const MAX_PARTS: usize = 256;

/// Regular expressions of a query: each may take a megabyte.
pub const MAX_REGEXES: usize = 24;

/// Reads a query of lines or of numbers.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let mut parser = Parser::new(text)?;
    let expr = if parser.starts_with_selector() {
        Expr::Log(parser.log_query()?)
    } else {
        Expr::Metric(parser.metric()?)
    };
    parser.end()?;
    Ok(expr)
}

/// Reads matchers between braces and nothing else; there may be none.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let mut parser = Parser::new(text)?;
    let matchers = parser.matchers()?;
    parser.end()?;
    Ok(matchers)
}

struct Parser {
    tokens: Vec<(Token, Position)>,
    next: usize,
    nesting: usize,
    operations: usize,
    parts: usize,
    regexes: usize,
}

impl Parser {
    fn new(text: &str) -> Result<Self, ParseError> {
        if text.len() > MAX_TEXT {
            return Err(refused(format!("query too long ({} > {MAX_TEXT} bytes)", text.len())));
        }
        Ok(Self { tokens: tokens(text)?, next: 0, nesting: 0, operations: 0, parts: 0, regexes: 0 })
    }

    fn peek(&self) -> &Token {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> &Token {
        self.tokens.get(self.next + ahead).map_or(&Token::End, |(token, _)| token)
    }

    fn at(&self) -> Position {
        let last = self.tokens.last().map(|(_, at)| *at);
        self.tokens.get(self.next).map(|(_, at)| *at).or(last).unwrap_or(Position { line: 1, column: 1 })
    }

    fn advance(&mut self) -> Token {
        let token = self.peek().clone();
        self.next += 1;
        token
    }

    fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.peek(), Token::Symbol(found) if *found == symbol)
    }

    fn is_symbol_at(&self, ahead: usize, symbol: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Symbol(found) if *found == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        matches!(self.peek_at(ahead), Token::Name(found) if found == word)
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = self.is_symbol(symbol);
        self.next += usize::from(found);
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.next += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), ParseError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(symbol)) }
    }

    fn name(&mut self) -> Result<String, ParseError> {
        match self.peek() {
            Token::Name(_) => match self.advance() {
                Token::Name(name) => Ok(name),
                _ => Err(self.unexpected("IDENTIFIER")),
            },
            _ => Err(self.unexpected("IDENTIFIER")),
        }
    }

    fn text(&mut self) -> Result<String, ParseError> {
        match self.peek() {
            Token::Text(_) => match self.advance() {
                Token::Text(text) => Ok(text),
                _ => Err(self.unexpected("STRING")),
            },
            _ => Err(self.unexpected("STRING")),
        }
    }

    fn number(&mut self) -> Result<f64, ParseError> {
        match *self.peek() {
            Token::Number(value) => {
                self.next += 1;
                Ok(value)
            }
            _ => Err(self.unexpected("NUMBER")),
        }
    }

    fn end(&mut self) -> Result<(), ParseError> {
        // An `unwrap` that no aggregation reads: the word is what is wrong, not the bar before it.
        if self.is_symbol("|") && self.is_word_at(1, "unwrap") {
            self.next += 1;
        }
        if *self.peek() == Token::End { Ok(()) } else { Err(self.unexpected("")) }
    }

    /// One or more items with commas between them.
    fn list<T>(&mut self, item: impl Fn(&mut Self) -> Result<T, ParseError>) -> Result<Vec<T>, ParseError> {
        let mut items = Vec::new();
        loop {
            self.count_part()?;
            items.push(item(self)?);
            if !self.take_symbol(",") {
                return Ok(items);
            }
        }
    }

    /// Names between parentheses; there may be none.
    fn names(&mut self) -> Result<Vec<String>, ParseError> {
        self.symbol("(")?;
        if self.take_symbol(")") {
            return Ok(Vec::new());
        }
        let names = self.list(Self::name)?;
        self.symbol(")")?;
        Ok(names)
    }

    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.nesting == MAX_NESTING {
            return Err(error(self.at(), &format!("more than {MAX_NESTING} parentheses within each other")));
        }
        self.nesting += 1;
        let read = inner(self);
        self.nesting -= 1;
        read
    }

    fn count_part(&mut self) -> Result<(), ParseError> {
        self.parts += 1;
        if self.parts > MAX_PARTS {
            return Err(refused(format!("more than {MAX_PARTS} stages, filters and names in a query")));
        }
        Ok(())
    }

    fn count_regex(&mut self) -> Result<(), ParseError> {
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            return Err(refused(format!("more than {MAX_REGEXES} regular expressions in a query")));
        }
        Ok(())
    }

    fn unexpected(&self, expecting: &str) -> ParseError {
        let found = match self.peek() {
            Token::Name(name) if is_keyword(name) => name.as_str(),
            Token::Name(_) => "IDENTIFIER",
            Token::Text(_) => "STRING",
            Token::Number(_) => "NUMBER",
            Token::Duration(_) => "DURATION",
            Token::Bytes(_) => "BYTES",
            Token::Range(_) => "RANGE",
            Token::Flag(_) => "PARSER_FLAG",
            Token::Symbol(symbol) => symbol,
            Token::End => "$end",
        };
        let expecting = match expecting {
            "" => String::new(),
            expecting => format!(", expecting {expecting}"),
        };
        error(self.at(), &format!("syntax error: unexpected {found}{expecting}"))
    }
}

/// An error of meaning.
fn refused(message: impl Into<String>) -> ParseError {
    ParseError { at: None, message: message.into() }
}

fn is_keyword(name: &str) -> bool {
    const KEYWORDS: [&str; 25] = [
        "and",
        "or",
        "unless",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "bool",
        "offset",
        "json",
        "logfmt",
        "regexp",
        "pattern",
        "unpack",
        "line_format",
        "label_format",
        "keep",
        "drop",
        "decolorize",
        "unwrap",
        "vector",
        "label_replace",
        "ip",
    ];
    KEYWORDS.contains(&name)
}
