//! Matchers of labels, compiled.

use std::collections::BTreeMap;

use regex::Regex;

use super::super::{
    ast::{MatchOp, Matcher},
    re2,
};

pub(super) struct LabelMatcher {
    pub(super) name: String,
    test: Test,
    negated: bool,
}

enum Test {
    Equal(String),
    Regex(Regex),
}

impl LabelMatcher {
    pub(super) fn new(matcher: &Matcher) -> Result<Self, String> {
        let test = match matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => Test::Equal(matcher.value.clone()),
            MatchOp::Regex | MatchOp::NotRegex => Test::Regex(re2::compile_whole(&matcher.value)?),
        };
        let negated = matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
        Ok(Self { name: matcher.name.clone(), test, negated })
    }

    pub(super) fn matches(&self, value: &str) -> bool {
        let found = match &self.test {
            Test::Equal(wanted) => wanted == value,
            Test::Regex(regex) => regex.is_match(value),
        };
        found != self.negated
    }
}

/// The matchers of a stream, compiled.
pub struct Selector(Vec<LabelMatcher>);

impl Selector {
    /// Fails with the reason if an expression cannot be compiled.
    pub fn new(matchers: &[Matcher]) -> Result<Self, String> {
        matchers.iter().map(LabelMatcher::new).collect::<Result<_, _>>().map(Self)
    }

    /// Whether all matchers match; a label that is not there is one without a value.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).map_or("", String::as_str)))
    }

    pub(in super::super) fn matches_every_unlabelled(&self) -> bool {
        self.0.iter().all(|matcher| matcher.matches(""))
    }
}
