//! The parser of the search language. A text that is not an expression is an error that says where and what
//! is expected; nothing is guessed.
//!
//! ```text
//! or    = and { "OR" and }
//! and   = unary { [ "AND" ] unary }
//! unary = { "NOT" } [ "-" ] term
//! term  = "(" or ")" | word | phrase | regex | name ":" value
//! value = "(" or ")", whose terms are values | word | phrase | regex | comparison | range
//! ```

use std::ops::Range;

use super::{
    expr::{Bound, Expr, Field, LEVEL_WANTED, Match, Operand, Pattern, TIME_WANTED, Test},
    lexer::{Keyword, Lexer, Word, is_bare, is_name, shown},
    wildcard::Wildcard,
};
use crate::engine::{
    block::words,
    record::{model::Level, timestamp::Timestamp},
};

pub use super::lexer::ParseError;

/// Bytes of a text, as it is written and as it is printed again.
pub const MAX_TEXT: usize = 8 << 10;

/// Parentheses within parentheses.
pub const MAX_NESTING: usize = 64;

/// Tests of an expression.
pub const MAX_MATCHES: usize = 256;

/// Regular expressions among them: each may take megabytes.
pub const MAX_REGEXES: usize = 8;

/// Reads a search text; a blank one is `Expr::All`.
pub fn parse(text: &str) -> Result<Expr, ParseError> {
    let too_long = |bytes: usize, how: &str| ParseError {
        at: MAX_TEXT.min(text.len()),
        expected: format!("at most {MAX_TEXT} bytes{how}"),
        found: format!("{bytes} bytes"),
    };
    if text.len() > MAX_TEXT {
        return Err(too_long(text.len(), ""));
    }
    let mut parser = Parser { lexer: Lexer::new(text), matches: 0, regexes: 0, nesting: 0 };
    parser.lexer.skip_blanks();
    if parser.lexer.peek().is_none() {
        return Ok(Expr::All);
    }
    let expr = parser.any_of(&Field::Any, 0..0)?;
    if parser.lexer.peek().is_some() {
        return Err(parser.lexer.error("a \"(\" before it"));
    }
    // A group names its field once and is printed with a name for each of its terms.
    match expr.to_string().len() {
        printed if printed > MAX_TEXT => Err(too_long(printed, " when each term names its field")),
        _ => Ok(expr),
    }
}

struct Parser<'a> {
    lexer: Lexer<'a>,
    matches: usize,
    regexes: usize,
    nesting: usize,
}

impl Parser<'_> {
    /// Terms joined by `OR`, up to the end or a `)`. `after` is what stands before and wants them.
    fn any_of(&mut self, field: &Field, after: Range<usize>) -> Result<Expr, ParseError> {
        let mut parts = vec![self.all_of(field, after)?];
        while let Some(operator) = self.lexer.take(Keyword::Or) {
            parts.push(self.all_of(field, operator)?);
        }
        Ok(Expr::or(parts))
    }

    fn all_of(&mut self, field: &Field, after: Range<usize>) -> Result<Expr, ParseError> {
        let mut parts = vec![self.unary(field, after)?];
        loop {
            self.lexer.skip_blanks();
            match (self.lexer.peek(), self.lexer.keyword()) {
                (None | Some(')'), _) | (_, Some((Keyword::Or, _))) => return Ok(Expr::and(parts)),
                _ => {
                    let operator = self.lexer.take(Keyword::And).unwrap_or_default();
                    parts.push(self.unary(field, operator)?);
                }
            }
        }
    }

    fn unary(&mut self, field: &Field, mut after: Range<usize>) -> Result<Expr, ParseError> {
        let mut is_negated = false;
        self.lexer.skip_blanks();
        while let Some(operator) = self.lexer.take(Keyword::Not) {
            (is_negated, after) = (!is_negated, operator);
            self.lexer.skip_blanks();
        }
        let minus = self.lexer.at();
        if self.lexer.eat("-") {
            (is_negated, after) = (!is_negated, minus..minus + 1);
            if self.lexer.peek() == Some('-') {
                return Err(self
                    .lexer
                    .error("a term after \"-\" (a text that begins with \"-\" goes in quotes)"));
            }
        }
        let term = self.term(field, after)?;
        Ok(if is_negated { term.negated() } else { term })
    }

    fn term(&mut self, field: &Field, after: Range<usize>) -> Result<Expr, ParseError> {
        let (at, named) = (self.lexer.at(), *field != Field::Any);
        if self.lexer.keyword().is_some() {
            return Err(self.wanted(field, after));
        }
        let test = match self.lexer.peek() {
            Some('(') => return self.group(field),
            Some('"') => {
                let text = self.lexer.phrase()?;
                if !named && self.lexer.peek() == Some(':') {
                    return self.value_of(&text, at);
                }
                self.words(field, &text, at)?
            }
            Some('/') => Test::Regex(self.regex(at)?),
            Some('[' | '{') if named => self.range(field)?,
            Some('<' | '>') if named => self.comparison(field)?,
            Some('=') if named => {
                self.lexer.eat("=");
                let exact = self.text(field, at..at + 1, &[])?;
                Test::Exact(self.stored(field, &exact, at + 1)?.unwrap_or(exact))
            }
            Some('<' | '>' | '=') => {
                return Err(self
                    .lexer
                    .error("a field before it, as in name:>5 (as a text it goes in quotes)"));
            }
            Some('!') => {
                return Err(self.lexer.error("NOT or \"-\" (a text that begins with \"!\" goes in quotes)"));
            }
            _ => return self.word(field, after),
        };
        self.found(field, test, at)
    }

    fn word(&mut self, field: &Field, after: Range<usize>) -> Result<Expr, ParseError> {
        let at = self.lexer.at();
        let word = self.lexer.word()?;
        let raw = self.lexer.slice(at..self.lexer.at());
        if word.pieces.is_empty() {
            return Err(self.wanted(field, after));
        }
        if *field == Field::Any && self.lexer.peek() == Some(':') {
            return match word.plain().filter(|name| word.is_escaped || is_name(name)) {
                Some(name) => self.value_of(name, at),
                None => Err(self
                    .lexer
                    .error_at(at, "the name of a field before \":\" (a text with \":\" goes in quotes)")),
            };
        }
        if matches!(raw, "&&" | "||") {
            return Err(self.lexer.error_at(at, "AND or OR (as a text it goes in quotes)"));
        }
        let test = match word.plain() {
            Some(text) => self.words(field, text, at)?,
            None if !word.is_star() => self.wildcard(word, at)?,
            None if *field != Field::Any => Test::Exists,
            None => return self.gap().map(|()| Expr::All),
        };
        self.found(field, test, at)
    }

    fn group(&mut self, field: &Field) -> Result<Expr, ParseError> {
        let open = self.lexer.at();
        if self.nesting == MAX_NESTING {
            return Err(self.lexer.error(format!("at most {MAX_NESTING} parentheses within each other")));
        }
        self.nesting += 1;
        self.lexer.eat("(");
        let expr = self.any_of(field, open..open + 1)?;
        if !self.lexer.eat(")") {
            return Err(self.lexer.error(format!("a \")\" for the \"(\" of byte {open}")));
        }
        self.nesting -= 1;
        self.gap()?;
        Ok(expr)
    }

    /// What follows a name, from the colon on.
    fn value_of(&mut self, name: &str, at: usize) -> Result<Expr, ParseError> {
        let field = Field::named(name).map_err(|instead| self.lexer.error_at(at, instead))?;
        self.lexer.eat(":");
        self.term(&field, at..self.lexer.at())
    }

    /// The test that a text stands for where no comparison is before it.
    fn words(&self, field: &Field, text: &str, at: usize) -> Result<Test, ParseError> {
        if field.is_text() {
            if text.is_empty() {
                return Err(self.lexer.error_at(at, "a word within the quotes"));
            }
            return Ok(Test::Words(words::fold(text).into_owned()));
        }
        let stored = self.stored(field, text, at)?;
        Ok(Test::Value(words::fold(stored.as_deref().unwrap_or(text)).into_owned()))
    }

    /// The text as the field stores it, if it stores texts in a form of its own.
    fn stored(&self, field: &Field, text: &str, at: usize) -> Result<Option<String>, ParseError> {
        let stored = if field.is_level() {
            Level::parse(text).map(|level| level.to_string()).ok_or(LEVEL_WANTED)
        } else if field.is_time() {
            Timestamp::parse_text(text).map(|time| time.to_string()).map_err(|_| TIME_WANTED)
        } else {
            return Ok(None);
        };
        stored.map(Some).map_err(|wanted| self.lexer.error_at(at, wanted))
    }

    fn wildcard(&self, word: Word, at: usize) -> Result<Test, ParseError> {
        let wildcard = Wildcard::new(word.pieces).map(Test::Wildcard);
        wildcard.ok_or_else(|| {
            let most = Wildcard::MAX_LENGTH;
            self.lexer.error_at(at, format!("at most {most} characters in a word with wildcards"))
        })
    }

    fn regex(&mut self, at: usize) -> Result<Pattern, ParseError> {
        let (source, is_insensitive) = self.lexer.regex()?;
        self.regexes += 1;
        if source.is_empty() {
            return Err(self
                .lexer
                .error_at(at, "a regular expression between slashes (a path goes in quotes)"));
        }
        if self.regexes > MAX_REGEXES {
            return Err(self.lexer.error_at(at, format!("at most {MAX_REGEXES} regular expressions")));
        }
        let pattern = Pattern::new(source, is_insensitive);
        pattern.map_err(|reason| ParseError {
            at,
            expected: "a regular expression".to_owned(),
            found: format!("{} ({reason})", shown(source)),
        })
    }

    fn comparison(&mut self, field: &Field) -> Result<Test, ParseError> {
        let start = self.lexer.at();
        let is_low = self.lexer.eat(">");
        let is_included = (is_low || self.lexer.eat("<")) && self.lexer.eat("=");
        let bound = self.operand(field, start..self.lexer.at(), &[], is_included)?;
        let (low, high) = if is_low { (bound, Bound::Open) } else { (Bound::Open, bound) };
        Ok(Test::Range { low, high })
    }

    fn range(&mut self, field: &Field) -> Result<Test, ParseError> {
        let start = self.lexer.at();
        let is_low_included = self.lexer.eat("[") || !self.lexer.eat("{");
        // Whether the end is included is known when it has been read.
        let low = self.end(field, start..start + 1, is_low_included)?;
        self.lexer.skip_blanks();
        let to = self.lexer.at();
        if !self.is_to() || !self.lexer.eat("TO") {
            return Err(self.lexer.error("TO, as in [1 TO 5]"));
        }
        let high = self.end(field, to..to + 2, true)?;
        self.lexer.skip_blanks();
        let high = match (self.lexer.eat("]"), high) {
            (true, high) => high,
            (false, high) if self.lexer.eat("}") => match high {
                Bound::Included(operand) => Bound::Excluded(operand),
                other => other,
            },
            _ => return Err(self.lexer.error(format!("a \"]\" or \"}}\" for the range of byte {start}"))),
        };
        Ok(match (&low, &high) {
            (Bound::Open, Bound::Open) => Test::Exists,
            _ => Test::Range { low, high },
        })
    }

    /// One end of a range; `*` leaves it open.
    fn end(&mut self, field: &Field, after: Range<usize>, is_included: bool) -> Result<Bound, ParseError> {
        self.lexer.skip_blanks();
        let at = self.lexer.at();
        if self.lexer.eat("*") && self.lexer.peek().is_none_or(|c| c.is_whitespace() || "]}".contains(c)) {
            return Ok(Bound::Open);
        }
        if self.lexer.at() > at {
            return Err(self.lexer.error_at(at, "a value without wildcards"));
        }
        if self.is_to() {
            return Err(self.wanted(field, after));
        }
        self.operand(field, after, &[']', '}'], is_included)
    }

    fn is_to(&self) -> bool {
        let behind = self.lexer.rest().strip_prefix("TO").map(|behind| behind.chars().next());
        behind.is_some_and(|next| next.is_none_or(|c| c.is_whitespace() || "]}".contains(c)))
    }

    fn operand(
        &mut self,
        field: &Field,
        after: Range<usize>,
        ends: &[char],
        is_included: bool,
    ) -> Result<Bound, ParseError> {
        let at = self.lexer.at();
        let text = self.text(field, after, ends)?;
        let operand = Operand::new(field, &text).map_err(|wanted| self.lexer.error_at(at, wanted))?;
        Ok(if is_included { Bound::Included(operand) } else { Bound::Excluded(operand) })
    }

    /// A word without wildcards, or a phrase; one of `ends` may follow it.
    fn text(&mut self, field: &Field, after: Range<usize>, ends: &[char]) -> Result<String, ParseError> {
        let at = self.lexer.at();
        if self.lexer.keyword().is_some() {
            return Err(self.wanted(field, after));
        }
        let text = if self.lexer.peek() == Some('"') {
            self.lexer.phrase()?
        } else {
            let word = self.lexer.word()?;
            match word.plain() {
                Some(text) => text.to_owned(),
                None if word.pieces.is_empty() => return Err(self.wanted(field, after)),
                None => return Err(self.lexer.error_at(at, "a value without wildcards")),
            }
        };
        match self.lexer.peek() {
            Some(c) if ends.contains(&c) => Ok(text),
            _ => self.gap().map(|()| text),
        }
    }

    /// A match that ends here.
    fn found(&mut self, field: &Field, test: Test, at: usize) -> Result<Expr, ParseError> {
        self.gap()?;
        self.matches += 1;
        if self.matches > MAX_MATCHES {
            return Err(self.lexer.error_at(at, format!("at most {MAX_MATCHES} terms")));
        }
        Ok(Expr::Match(Match { field: field.clone(), test }))
    }

    /// A term is ended by a blank, a `)` or the end.
    fn gap(&self) -> Result<(), ParseError> {
        match self.lexer.peek() {
            None | Some(')') => Ok(()),
            Some(c) if c.is_whitespace() => Ok(()),
            Some(c) if is_bare(c) || c == '"' => Err(self
                .lexer
                .error("a blank (a text with quotes, slashes or parentheses goes in quotes as a whole)")),
            Some(c) => Err(self.lexer.error(format!("a blank (a text with \"{c}\" goes in quotes)"))),
        }
    }

    /// The error that here a term or a value is missing.
    fn wanted(&self, field: &Field, after: Range<usize>) -> ParseError {
        let what = if *field == Field::Any { "a term" } else { "a value" };
        match self.lexer.slice(after) {
            "" => self.lexer.error(what),
            before => self.lexer.error(format!("{what} after {}", shown(before))),
        }
    }
}
