//! The stages of a pipeline and the filters of labels.

use super::{
    super::{
        ast::{
            CompareOp, Extract, LabelChoice, LabelFilter, LabelFormat, LabelSource, LineFilter, LineMatch,
            LineOp, MatchOp, Matcher, Stage,
        },
        lex::Token,
        pipeline,
    },
    MAX_REGEXES, ParseError, Parser, is_keyword, refused,
};

/// Words that other places of the language need and labels often have.
const LABELS: [&str; 4] = ["ip", "offset", "on", "vector"];

impl Parser {
    /// Reads stages up to what is none; an `unwrap` is left to the caller.
    pub(super) fn pipeline(&mut self, stages: &mut Vec<Stage>) -> Result<(), ParseError> {
        loop {
            let stage = match self.peek() {
                Token::Symbol("|=") => self.line_filter(LineOp::Contains)?,
                Token::Symbol("!=") => self.line_filter(LineOp::NotContains)?,
                Token::Symbol("|~") => self.line_filter(LineOp::Regex)?,
                Token::Symbol("!~") => self.line_filter(LineOp::NotRegex)?,
                Token::Symbol("|>") => self.line_filter(LineOp::Pattern)?,
                Token::Symbol("!>") => self.line_filter(LineOp::NotPattern)?,
                Token::Symbol("|") if !self.is_word_at(1, "unwrap") => {
                    self.next += 1;
                    self.piped()?
                }
                _ => return Ok(()),
            };
            self.count_part()?;
            if matches!(stage, Stage::Regexp(_)) {
                self.count_regex()?;
            }
            let mut regexes_left = MAX_REGEXES - self.regexes;
            pipeline::check(&stage, &mut regexes_left).map_err(refused)?;
            self.regexes = MAX_REGEXES - regexes_left;
            stages.push(stage);
        }
    }

    fn line_filter(&mut self, op: LineOp) -> Result<Stage, ParseError> {
        self.next += 1;
        let mut any = Vec::new();
        loop {
            self.count_part()?;
            if matches!(op, LineOp::Regex | LineOp::NotRegex) {
                self.count_regex()?;
            }
            if self.is_word("ip") && self.is_symbol_at(1, "(") {
                if !matches!(op, LineOp::Contains | LineOp::NotContains) {
                    return Err(self.unexpected("STRING"));
                }
                any.push(LineMatch::Ip(self.ip()?));
            } else {
                any.push(LineMatch::Text(self.text()?));
            }
            if !self.take_word("or") {
                return Ok(Stage::LineFilter(LineFilter { op, any }));
            }
        }
    }

    fn ip(&mut self) -> Result<String, ParseError> {
        self.next += 1;
        self.symbol("(")?;
        let pattern = self.text()?;
        self.symbol(")")?;
        Ok(pattern)
    }

    fn piped(&mut self) -> Result<Stage, ParseError> {
        let Token::Name(word) = self.peek().clone() else { return self.label_filters() };
        match word.as_str() {
            "json" => {
                self.next += 1;
                Ok(Stage::Json(self.extracts()?))
            }
            "logfmt" => {
                self.next += 1;
                let (mut strict, mut keep_empty) = (false, false);
                while let Token::Flag(flag) = self.peek() {
                    match flag.as_str() {
                        "strict" => strict = true,
                        "keep-empty" => keep_empty = true,
                        _ => return Err(self.unexpected("--strict or --keep-empty")),
                    }
                    self.next += 1;
                }
                Ok(Stage::Logfmt { strict, keep_empty, fields: self.extracts()? })
            }
            "regexp" => self.with_text(Stage::Regexp),
            "pattern" => self.with_text(Stage::Pattern),
            "line_format" => self.with_text(Stage::LineFormat),
            "unpack" => {
                self.next += 1;
                Ok(Stage::Unpack)
            }
            "decolorize" => {
                self.next += 1;
                Ok(Stage::Decolorize)
            }
            "label_format" => {
                self.next += 1;
                self.label_formats()
            }
            "keep" => {
                self.next += 1;
                Ok(Stage::Keep(self.list(Self::label_choice)?))
            }
            "drop" => {
                self.next += 1;
                Ok(Stage::Drop(self.list(Self::label_choice)?))
            }
            _ => self.label_filters(),
        }
    }

    fn with_text(&mut self, stage: fn(String) -> Stage) -> Result<Stage, ParseError> {
        self.next += 1;
        self.text().map(stage)
    }

    fn extracts(&mut self) -> Result<Vec<Extract>, ParseError> {
        match self.peek() {
            Token::Name(_) => self.list(|parser| {
                let label = parser.name()?;
                let path = if parser.take_symbol("=") { parser.text()? } else { label.clone() };
                Ok(Extract { label, path })
            }),
            _ => Ok(Vec::new()),
        }
    }

    fn label_formats(&mut self) -> Result<Stage, ParseError> {
        let formats = self.list(|parser| {
            let label = parser.name()?;
            parser.symbol("=")?;
            let value = match parser.peek() {
                Token::Name(_) => LabelSource::Label(parser.name()?),
                Token::Text(_) => LabelSource::Template(parser.text()?),
                _ => return Err(parser.unexpected("IDENTIFIER or STRING")),
            };
            Ok(LabelFormat { label, value })
        })?;
        for (index, format) in formats.iter().enumerate() {
            if formats.iter().take(index).any(|earlier| earlier.label == format.label) {
                return Err(refused(format!(
                    "multiple label name '{}' not allowed in a single format operation",
                    format.label
                )));
            }
            if format.label == "__error__" {
                return Err(refused("__error__ cannot be formatted"));
            }
        }
        Ok(Stage::LabelFormat(formats))
    }

    fn label_choice(&mut self) -> Result<LabelChoice, ParseError> {
        if self.compares_at(1) {
            self.matcher().map(LabelChoice::Matching)
        } else {
            self.name().map(LabelChoice::Name)
        }
    }

    fn compares_at(&self, ahead: usize) -> bool {
        matches!(
            self.peek_at(ahead),
            Token::Symbol("=" | "==" | "!=" | "=~" | "!~" | ">" | ">=" | "<" | "<=")
        )
    }

    fn label_filters(&mut self) -> Result<Stage, ParseError> {
        self.all_filters().map(Stage::LabelFilter)
    }

    /// Filters with commas or nothing between them, which bind less tightly than `or`.
    fn all_filters(&mut self) -> Result<LabelFilter, ParseError> {
        let mut filters = vec![self.any_filter()?];
        loop {
            let begins = matches!(self.peek(), Token::Name(_)) && self.compares_at(1) || self.is_symbol("(");
            if !self.take_symbol(",") && !begins {
                return Ok(only_or(filters, LabelFilter::And));
            }
            filters.push(self.any_filter()?);
        }
    }

    fn any_filter(&mut self) -> Result<LabelFilter, ParseError> {
        let mut filters = vec![self.both_filters()?];
        while self.take_word("or") {
            filters.push(self.both_filters()?);
        }
        Ok(only_or(filters, LabelFilter::Or))
    }

    fn both_filters(&mut self) -> Result<LabelFilter, ParseError> {
        let mut filters = vec![self.one_filter()?];
        while self.take_word("and") {
            filters.push(self.one_filter()?);
        }
        Ok(only_or(filters, LabelFilter::And))
    }

    fn one_filter(&mut self) -> Result<LabelFilter, ParseError> {
        self.count_part()?;
        if self.take_symbol("(") {
            let inner = self.nested(Self::all_filters)?;
            self.symbol(")")?;
            return Ok(inner);
        }
        // `| json != "x"` is a filter of lines behind a parser: the words of stages name no labels.
        if matches!(self.peek(), Token::Name(name) if is_keyword(name) && !LABELS.contains(&name.as_str())) {
            return Err(self.unexpected("IDENTIFIER"));
        }
        let label = self.name()?;
        let Token::Symbol(symbol) = *self.peek() else { return Err(self.unexpected("")) };
        let (as_match, as_compare) = match symbol {
            "=" => (Some(MatchOp::Equal), Some(CompareOp::Equal)),
            "!=" => (Some(MatchOp::NotEqual), Some(CompareOp::NotEqual)),
            "=~" => (Some(MatchOp::Regex), None),
            "!~" => (Some(MatchOp::NotRegex), None),
            "==" => (None, Some(CompareOp::Equal)),
            ">" => (None, Some(CompareOp::Greater)),
            ">=" => (None, Some(CompareOp::GreaterEqual)),
            "<" => (None, Some(CompareOp::Less)),
            "<=" => (None, Some(CompareOp::LessEqual)),
            _ => return Err(self.unexpected("a comparison")),
        };
        self.next += 1;
        if let (Some(op), Token::Text(_)) = (as_match, self.peek()) {
            let value = self.text()?;
            return self.checked_matcher(Matcher { name: label, op, value }).map(LabelFilter::Text);
        }
        if self.is_word("ip") {
            if !matches!(symbol, "=" | "!=") {
                return Err(self.unexpected("BYTES or NUMBER or DURATION"));
            }
            return Ok(LabelFilter::Ip { label, negated: symbol == "!=", pattern: self.ip()? });
        }
        let Some(op) = as_compare else { return Err(self.unexpected("STRING")) };
        let negative = self.take_symbol("-");
        let filter = match *self.peek() {
            Token::Number(value) => {
                LabelFilter::Number { label, op, value: if negative { -value } else { value } }
            }
            Token::Duration(ns) => LabelFilter::Duration { label, op, ns: if negative { -ns } else { ns } },
            Token::Bytes(bytes) if !negative => LabelFilter::Bytes { label, op, bytes },
            _ => return Err(self.unexpected("BYTES or NUMBER or DURATION")),
        };
        self.next += 1;
        Ok(filter)
    }
}

fn only_or(mut filters: Vec<LabelFilter>, several: fn(Vec<LabelFilter>) -> LabelFilter) -> LabelFilter {
    match (filters.len(), filters.pop()) {
        (1, Some(only)) => only,
        (_, last) => {
            filters.extend(last);
            several(filters)
        }
    }
}
