//! What is done with each line: filters, parsers and formats, in the order of the query.
//!
//! Invariant: a line that a stage cannot read is not lost; it goes on with the label `__error__`, which only a
//! filter of that label removes.

mod decolorize;
mod format;
mod ip;
mod json;
mod label_filter;
mod labels;
mod line_filter;
mod logfmt;
mod matcher;
mod parsers;
mod pattern;
mod select;
mod template;
mod unwrap;
mod wanted;

#[cfg(test)]
mod tests;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use super::{
    ast::{LogExpr, LogRange, Stage},
    parse::{MAX_REGEXES, ParseError},
};

pub use json::label_name;
pub use labels::{Labels, Source};
pub use matcher::Selector;
pub(super) use unwrap::Unwrapper;

/// A stored line as it is handed in.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    pub ts_ns: i64,
    pub stream: &'a BTreeMap<String, String>,
    pub metadata: &'a BTreeMap<String, String>,
    pub line: &'a str,
    /// The lines that it stands for.
    pub weight: u32,
}

/// A line on its way through the stages.
#[derive(Clone, Debug)]
pub struct Row<'a> {
    pub ts_ns: i64,
    pub line: Cow<'a, str>,
    pub labels: Labels<'a>,
}

impl<'a> Row<'a> {
    fn new(entry: &Entry<'a>, wanted: Option<Arc<[String]>>) -> Self {
        Self {
            ts_ns: entry.ts_ns,
            line: Cow::Borrowed(entry.line),
            labels: Labels::new(entry.stream, entry.metadata, wanted),
        }
    }
}

/// One stage, ready to run.
trait Step: Send + Sync {
    /// Whether the line goes on.
    fn run(&self, row: &mut Row<'_>) -> bool;
}

/// The stages of a query, compiled once for all its lines.
pub struct Pipeline {
    /// Those that read the line alone and come before all others: most lines end there.
    line_filters: Vec<line_filter::Filter>,
    steps: Vec<Box<dyn Step>>,
    wanted: Option<Arc<[String]>>,
}

impl Pipeline {
    /// Fails only for stages that no parser has checked.
    pub fn new(query: &LogExpr) -> Result<Self, ParseError> {
        let refused = |message| ParseError { at: None, message };
        let mut regexes_left = MAX_REGEXES;
        let mut line_filters = Vec::new();
        let mut steps = Vec::new();
        for stage in &query.stages {
            match stage {
                Stage::LineFilter(filter) if steps.is_empty() => {
                    line_filters.push(line_filter::Filter::new(filter).map_err(refused)?);
                }
                stage => steps.push(step(stage, &mut regexes_left).map_err(refused)?),
            }
        }
        Ok(Self { line_filters, steps, wanted: None })
    }

    /// One of which the labels of `kept` are used and no others, beside those that its stages read themselves:
    /// parsers need not read the rest.
    pub(super) fn for_labels(range: &LogRange, kept: &[String]) -> Result<Self, ParseError> {
        let wanted = wanted::wanted(range, kept);
        if !wanted.as_ref().is_some_and(|wanted| wanted.is_empty()) {
            return Ok(Self { wanted, ..Self::new(&range.query)? });
        }
        // Nothing that they read is used: not even that they cannot.
        let is_used = |stage: &&Stage| {
            !matches!(stage, Stage::Json(_) | Stage::Logfmt { .. } | Stage::Pattern(_) | Stage::Unpack)
        };
        let stages = range.query.stages.iter().filter(is_used).cloned().collect();
        Ok(Self { wanted, ..Self::new(&LogExpr { matchers: Vec::new(), stages })? })
    }

    /// The line and the labels it has at the end, if it gets there.
    pub fn run<'a>(&self, entry: &Entry<'a>) -> Option<Row<'a>> {
        if !self.line_filters.iter().all(|filter| filter.passes(entry.line)) {
            return None;
        }
        let mut row = Row::new(entry, self.wanted.clone());
        self.steps.iter().all(|step| step.run(&mut row)).then_some(row)
    }
}

/// Why a stage cannot be run, if so. The expressions in its templates are taken off `regexes_left`.
pub(super) fn check(stage: &Stage, regexes_left: &mut usize) -> Result<(), String> {
    step(stage, regexes_left).map(drop)
}

fn step(stage: &Stage, regexes_left: &mut usize) -> Result<Box<dyn Step>, String> {
    Ok(match stage {
        Stage::LineFilter(filter) => Box::new(line_filter::Filter::new(filter)?),
        Stage::Json(fields) if fields.is_empty() => Box::new(json::Flatten),
        Stage::Json(fields) => Box::new(json::Pick::new(fields)?),
        Stage::Logfmt { strict, keep_empty, fields } => {
            Box::new(logfmt::Logfmt::new(*strict, *keep_empty, fields))
        }
        Stage::Regexp(regex) => Box::new(parsers::Regexp::new(regex)?),
        Stage::Pattern(pattern) => Box::new(parsers::Pattern::new(pattern)?),
        Stage::Unpack => Box::new(json::Unpack),
        Stage::LabelFilter(filter) => Box::new(label_filter::Filter::new(filter)?),
        Stage::LineFormat(template) => Box::new(format::LineFormat::new(template, regexes_left)?),
        Stage::LabelFormat(formats) => Box::new(format::LabelFormat::new(formats, regexes_left)?),
        Stage::Keep(choices) => Box::new(select::Select::keep(choices)?),
        Stage::Drop(choices) => Box::new(select::Select::drop(choices)?),
        Stage::Decolorize => Box::new(decolorize::Decolorize),
    })
}
