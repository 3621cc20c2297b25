//! Queries of `LogQL` as searches: which records can be of the lines that one wants.

use std::collections::BTreeMap;

use super::{DETECTED_LEVEL, ENVIRONMENT, LABELS, LEVEL, PUSHED, SERVICE};
use crate::engine::{
    block::words,
    logql::{
        LogExpr, Matcher,
        ast::{LabelChoice, LabelFilter, LineFilter, LineMatch, LineOp, MatchOp, Stage},
        pipeline::Selector,
        re2,
    },
    query::{Expr, Field, Filter, Match, Pattern, Test},
    record::model::Level,
};

/// Shorter values of labels stand in too many records to be looked for as words.
const MIN_VALUE_BYTES: usize = 4;

/// The records that may be wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Selection {
    pub expr: Expr,
    /// It selects what is wanted and nothing else: no stage has to look at a line any more.
    pub is_exact: bool,
}

impl Selection {
    pub fn of(query: &LogExpr) -> Self {
        let mut selection = Self::of_streams(&query.matchers);
        let mut parts = vec![selection.expr];
        // Behind a stage that changes them lines and labels are no longer those that are stored.
        let (mut line_is_stored, mut labels_are_stored) = (true, true);
        for stage in &query.stages {
            let wanted = match stage {
                Stage::LineFilter(filter) if line_is_stored => of_line(filter),
                Stage::LabelFilter(filter) if labels_are_stored => of_label(filter),
                Stage::Drop(choices) if choices.iter().all(is_error) => Some((Expr::All, true)),
                _ => None,
            };
            line_is_stored &= !matches!(stage, Stage::LineFormat(_) | Stage::Unpack | Stage::Decolorize);
            labels_are_stored &= matches!(stage, Stage::LineFilter(_) | Stage::LabelFilter(_));
            let (expr, is_exact) = wanted.unwrap_or((Expr::All, false));
            parts.push(expr);
            selection.is_exact &= is_exact;
        }
        Self { expr: Expr::and(parts), is_exact: selection.is_exact }
    }

    /// What was pushed as Loki's.
    pub fn pushed() -> Expr {
        exists(PUSHED)
    }

    /// Of streams alone.
    pub fn of_streams(matchers: &[Matcher]) -> Self {
        let mut is_exact = true;
        let parts = matchers.iter().map(|matcher| {
            of_matcher(matcher).unwrap_or_else(|| {
                is_exact = false;
                Expr::All
            })
        });
        Self { expr: Expr::and(parts.collect()), is_exact }
    }
}

/// Where the value of a stream's label is stored, for records that were pushed as Loki's.
pub fn source(label: &str) -> String {
    match label {
        SERVICE => "service".to_owned(),
        label => format!("{LABELS}.{label}"),
    }
}

/// `None`: the expression cannot be asked of a store.
fn of_matcher(matcher: &Matcher) -> Option<Expr> {
    let field = source(&matcher.name);
    let stored = of_value(&field, matcher)?;
    // What was not pushed has none of these labels but may have fields for them.
    let native = match matcher.name.as_str() {
        SERVICE => return Some(stored),
        LEVEL => of_levels(matcher)?,
        ENVIRONMENT => of_value("environment", &as_regex(matcher))?,
        DETECTED_LEVEL => return takes_nothing(matcher).map(|takes| if takes { Expr::All } else { none() }),
        _ if takes_nothing(matcher)? => Expr::All,
        _ => return Some(Expr::and(vec![exists(PUSHED), stored])),
    };
    let pushed = exists(PUSHED);
    Some(Expr::or(vec![Expr::and(vec![pushed.clone(), stored]), Expr::and(vec![pushed.negated(), native])]))
}

/// Whether it matches a stream that has not the label.
fn takes_nothing(matcher: &Matcher) -> Option<bool> {
    let selector = Selector::new(std::slice::from_ref(matcher)).ok()?;
    Some(selector.matches(&BTreeMap::new()))
}

fn none() -> Expr {
    Expr::or(Vec::new())
}

/// As an expression, which is not taken for one of the spellings that an environment has.
fn as_regex(matcher: &Matcher) -> Matcher {
    let op = match matcher.op {
        MatchOp::Equal => MatchOp::Regex,
        MatchOp::NotEqual => MatchOp::NotRegex,
        MatchOp::Regex | MatchOp::NotRegex => return matcher.clone(),
    };
    Matcher { op, value: regex::escape(&matcher.value), name: matcher.name.clone() }
}

/// Levels by the names that they have as labels.
fn of_levels(matcher: &Matcher) -> Option<Expr> {
    let selector = Selector::new(std::slice::from_ref(matcher)).ok()?;
    let is_wanted = |level: &Level| {
        let name = level.as_str().to_ascii_lowercase();
        selector.matches(&BTreeMap::from([(matcher.name.clone(), name)]))
    };
    let wanted: Vec<Level> = Level::ALL.into_iter().filter(is_wanted).collect();
    Some(Filter::levels(&wanted))
}

fn of_value(field: &str, matcher: &Matcher) -> Option<Expr> {
    let is_negated = matches!(matcher.op, MatchOp::NotEqual | MatchOp::NotRegex);
    let (test, takes_nothing) = match matcher.op {
        MatchOp::Equal | MatchOp::NotEqual => (Test::Exact(matcher.value.clone()), matcher.value.is_empty()),
        MatchOp::Regex | MatchOp::NotRegex => {
            let pattern = whole(&matcher.value)?;
            let takes_nothing = pattern.is_match("");
            (Test::Regex(pattern), takes_nothing)
        }
    };
    let found = Expr::Match(Match { field: Field::Named(field.to_owned()), test });
    // A label that is not there is one without a value.
    let expr = if takes_nothing { Expr::or(vec![exists(field).negated(), found]) } else { found };
    Some(if is_negated { expr.negated() } else { expr })
}

fn exists(field: &str) -> Expr {
    Expr::Match(Match { field: Field::Named(field.to_owned()), test: Test::Exists })
}

fn whole(regex: &str) -> Option<Pattern> {
    Pattern::new(&re2::whole(regex), false).ok()
}

fn of_line(filter: &LineFilter) -> Option<(Expr, bool)> {
    let is_negated = matches!(filter.op, LineOp::NotContains | LineOp::NotRegex | LineOp::NotPattern);
    let mut any = Vec::with_capacity(filter.any.len());
    for wanted in &filter.any {
        let LineMatch::Text(text) = wanted else { return None };
        any.push(match filter.op {
            LineOp::Contains | LineOp::NotContains => contains(text)?,
            LineOp::Regex | LineOp::NotRegex => {
                of_message(Test::Regex(Pattern::new(&re2::translated(text), false).ok()?))
            }
            LineOp::Pattern | LineOp::NotPattern => return None,
        });
    }
    let any = Expr::or(any);
    Some((if is_negated { any.negated() } else { any }, true))
}

/// The text stands somewhere in the line. The words within it do so too, and they are what segments and blocks without
/// them are told by.
fn contains(text: &str) -> Option<Expr> {
    if text.is_empty() {
        return Some(Expr::All);
    }
    let exact = of_message(Test::Regex(Pattern::new(&regex::escape(text), false).ok()?));
    // A word at an end may be a part of a longer one.
    let inner = text.trim_start_matches(words::is_word).trim_end_matches(words::is_word);
    let folded = words::fold(inner);
    if words::words(&folded).next().is_none() {
        return Some(exact);
    }
    Some(Expr::and(vec![of_message(Test::Words(folded.into_owned())), exact]))
}

fn of_message(test: Test) -> Expr {
    Expr::Match(Match { field: Field::Named("message".to_owned()), test })
}

fn is_error(choice: &LabelChoice) -> bool {
    matches!(choice, LabelChoice::Name(name) if name.starts_with("__error"))
}

fn of_label(filter: &LabelFilter) -> Option<(Expr, bool)> {
    let all = |parts: &[LabelFilter]| parts.iter().map(of_label).collect::<Option<Vec<_>>>();
    match filter {
        LabelFilter::Text(matcher) if matcher.name == DETECTED_LEVEL => Some((of_levels(matcher)?, true)),
        LabelFilter::Text(matcher) => Some((holds(matcher)?, false)),
        LabelFilter::And(parts) => {
            // Any of them narrows.
            let known: Vec<_> = parts.iter().map(of_label).collect();
            let is_exact = known.iter().all(|part| matches!(part, Some((_, true))));
            Some((Expr::and(known.into_iter().flatten().map(|(expr, _)| expr).collect()), is_exact))
        }
        LabelFilter::Or(parts) => {
            let parts = all(parts)?;
            let is_exact = parts.iter().all(|(_, is_exact)| *is_exact);
            Some((Expr::or(parts.into_iter().map(|(expr, _)| expr).collect()), is_exact))
        }
        _ => None,
    }
}

/// The value of a label stands in some field of a record that has it, whatever that field is called.
fn holds(matcher: &Matcher) -> Option<Expr> {
    // No word is looked for in this field; and what a stage says of a line is in no field.
    if matcher.name == "source_type" || matcher.name.starts_with("__") {
        return None;
    }
    let value = &matcher.value;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    let is_word = value.len() >= MIN_VALUE_BYTES && value.chars().all(is_plain);
    // These three are no texts, and numbers have several spellings.
    let is_text = !matches!(value.as_str(), "true" | "false" | "null") && value.parse::<f64>().is_err();
    let level = Level::parse(value);
    let is_known = matcher.op == MatchOp::Equal && is_word && is_text && level.is_none();
    let folded = words::fold(value);
    (is_known && words::words(&folded).next().is_some())
        .then(|| Expr::Match(Match { field: Field::Any, test: Test::Words(folded.into_owned()) }))
}
