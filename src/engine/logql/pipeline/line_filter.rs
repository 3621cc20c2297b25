//! Filters of the line's text.

use memchr::memmem::Finder;
use regex::Regex;

use super::{
    super::{
        ast::{LineFilter, LineMatch, LineOp},
        re2,
    },
    Row, Step,
    ip::IpPattern,
    pattern::Pattern,
};

pub(super) struct Filter {
    negated: bool,
    any: Vec<Test>,
}

enum Test {
    Contains(Box<Finder<'static>>),
    Regex(Regex),
    Pattern(Pattern),
    Ip(IpPattern),
}

impl Filter {
    pub(super) fn new(filter: &LineFilter) -> Result<Self, String> {
        let any = filter.any.iter().map(|wanted| match (filter.op, wanted) {
            (_, LineMatch::Ip(pattern)) => IpPattern::parse(pattern).map(Test::Ip),
            (LineOp::Contains | LineOp::NotContains, LineMatch::Text(text)) => {
                Ok(Test::Contains(Box::new(Finder::new(text.as_bytes()).into_owned())))
            }
            (LineOp::Regex | LineOp::NotRegex, LineMatch::Text(regex)) => {
                re2::compile(regex).map(Test::Regex)
            }
            (LineOp::Pattern | LineOp::NotPattern, LineMatch::Text(pattern)) => {
                Pattern::parse_filter(pattern).map(Test::Pattern)
            }
        });
        Ok(Self { negated: filter.op.is_negated(), any: any.collect::<Result<_, _>>()? })
    }

    pub(super) fn passes(&self, line: &str) -> bool {
        let found = self.any.iter().any(|test| match test {
            Test::Contains(finder) => finder.find(line.as_bytes()).is_some(),
            Test::Regex(regex) => regex.is_match(line),
            Test::Pattern(pattern) => pattern.matches(line),
            Test::Ip(pattern) => pattern.is_in(line),
        });
        found != self.negated
    }
}

impl Step for Filter {
    fn run(&self, row: &mut Row<'_>) -> bool {
        self.passes(&row.line)
    }
}
