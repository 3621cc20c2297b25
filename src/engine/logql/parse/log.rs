//! Selectors, queries of lines and ranges of them.

use super::{
    super::{
        ast::{Conversion, LogExpr, LogRange, MatchOp, Matcher, Stage, Unwrap},
        lex::Token,
        pipeline::Selector,
    },
    ParseError, Parser, refused,
};

impl Parser {
    /// Whether the first token that is no opening parenthesis is a brace.
    pub(super) fn starts_with_selector(&self) -> bool {
        let first = self.tokens.iter().skip(self.next).find(|(token, _)| *token != Token::Symbol("("));
        matches!(first, Some((Token::Symbol("{"), _)))
    }

    pub(super) fn log_query(&mut self) -> Result<LogExpr, ParseError> {
        if self.take_symbol("(") {
            let inner = self.nested(Self::log_query)?;
            self.symbol(")")?;
            return Ok(inner);
        }
        let matchers = self.stream_matchers()?;
        let mut stages = Vec::new();
        self.pipeline(&mut stages)?;
        Ok(LogExpr { matchers, stages })
    }

    /// The matchers of a query, which must not match streams without a label.
    fn stream_matchers(&mut self) -> Result<Vec<Matcher>, ParseError> {
        let matchers = self.matchers()?;
        let selector = Selector::new(&matchers).map_err(refused)?;
        if selector.matches_every_unlabelled() {
            return Err(refused(
                "queries require at least one regexp or equality matcher that does not have an empty-compatible \
                 value. For instance, app=~\".*\" does not meet this requirement, but app=~\".+\" will",
            ));
        }
        Ok(matchers)
    }

    pub(super) fn matchers(&mut self) -> Result<Vec<Matcher>, ParseError> {
        self.symbol("{")?;
        if self.take_symbol("}") {
            return Ok(Vec::new());
        }
        let matchers = self.list(Self::matcher)?;
        if !self.take_symbol("}") {
            return Err(self.unexpected("} or ,"));
        }
        Ok(matchers)
    }

    pub(super) fn matcher(&mut self) -> Result<Matcher, ParseError> {
        let name = self.name()?;
        let op = match self.peek() {
            Token::Symbol("=") => MatchOp::Equal,
            Token::Symbol("!=") => MatchOp::NotEqual,
            Token::Symbol("=~") => MatchOp::Regex,
            Token::Symbol("!~") => MatchOp::NotRegex,
            _ => return Err(self.unexpected("=, =~, !~ or !=")),
        };
        self.next += 1;
        let value = self.text()?;
        self.checked_matcher(Matcher { name, op, value })
    }

    pub(super) fn checked_matcher(&mut self, matcher: Matcher) -> Result<Matcher, ParseError> {
        if matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex) {
            self.count_regex()?;
            super::super::re2::compile_whole(&matcher.value).map_err(refused)?;
        }
        Ok(matcher)
    }

    /// The lines of a range aggregation: the range stands after the stages or before them.
    pub(super) fn log_range(&mut self) -> Result<LogRange, ParseError> {
        let mut building = Building::default();
        self.range_parts(&mut building)?;
        let Some(matchers) = building.matchers else { return Err(self.unexpected("{")) };
        let Some(range_ns) = building.range_ns else { return Err(self.unexpected("RANGE")) };
        Ok(LogRange {
            query: LogExpr { matchers, stages: building.stages },
            unwrap: building.unwrap,
            range_ns,
            offset_ns: building.offset_ns,
        })
    }

    fn range_parts(&mut self, building: &mut Building) -> Result<(), ParseError> {
        if self.take_symbol("(") {
            self.nested(|parser| parser.range_parts(building))?;
            self.symbol(")")?;
            // Stages may not follow a parenthesis, a range may.
            return self.range_and_offset(building);
        }
        building.matchers = Some(self.stream_matchers()?);
        self.range_and_offset(building)?;
        self.pipeline(&mut building.stages)?;
        building.unwrap = self.unwrapped()?;
        self.range_and_offset(building)
    }

    fn range_and_offset(&mut self, building: &mut Building) -> Result<(), ParseError> {
        if building.range_ns.is_some() {
            return Ok(());
        }
        let Token::Range(range_ns) = *self.peek() else { return Ok(()) };
        self.next += 1;
        building.range_ns = Some(range_ns);
        if self.take_word("offset") {
            let negative = self.take_symbol("-");
            let Token::Duration(ns) = *self.peek() else { return Err(self.unexpected("DURATION")) };
            self.next += 1;
            building.offset_ns = if negative { -ns } else { ns };
        }
        Ok(())
    }

    fn unwrapped(&mut self) -> Result<Option<Unwrap>, ParseError> {
        if !self.is_symbol("|") || !self.is_word_at(1, "unwrap") {
            return Ok(None);
        }
        self.next += 2;
        let name = self.name()?;
        let (label, conversion) = if self.take_symbol("(") {
            let conversion = match name.as_str() {
                "bytes" => Conversion::Bytes,
                "duration" => Conversion::Duration,
                "duration_seconds" => Conversion::DurationSeconds,
                _ => return Err(refused(format!("unknown conversion {name:?} of an unwrapped label"))),
            };
            let label = self.name()?;
            self.symbol(")")?;
            (label, conversion)
        } else {
            (name, Conversion::None)
        };
        let mut stages = Vec::new();
        let at = self.at();
        self.pipeline(&mut stages)?;
        let mut filters = Vec::new();
        for stage in stages {
            let Stage::LabelFilter(filter) = stage else {
                return Err(super::error(at, "syntax error: only label filters may follow unwrap"));
            };
            filters.push(filter);
        }
        Ok(Some(Unwrap { label, conversion, filters }))
    }
}

#[derive(Default)]
struct Building {
    matchers: Option<Vec<Matcher>>,
    stages: Vec<Stage>,
    unwrap: Option<Unwrap>,
    range_ns: Option<i64>,
    offset_ns: i64,
}
