//! One line through the selector and the stages of a query.

use std::collections::BTreeSet;

use regex::Regex;
use timberline::engine::logql::ast::{LabelChoice, LabelFormat, LabelSource, LogExpr, Stage};

use super::{LabelSet, Line, filters, parsers, template};

/// The labels of a line on its way.
#[derive(Clone, Debug)]
pub(super) struct Labels {
    pub(super) all: LabelSet,
    pub(super) error: Option<String>,
    /// The names of the stream, whatever has become of them since.
    stream: BTreeSet<String>,
    /// Those of `all` that are metadata.
    metadata: BTreeSet<String>,
    /// Every name that a stage has set, whatever has become of it since.
    set: BTreeSet<String>,
}

impl Labels {
    fn new(line: &Line) -> Self {
        let mut all = line.stream.clone();
        all.extend(line.metadata.clone());
        let names = |labels: &LabelSet| labels.keys().cloned().collect();
        let (stream, metadata) = (names(&line.stream), names(&line.metadata));
        Self { all, error: None, stream, metadata, set: BTreeSet::new() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        if name == "__error__" { self.error.as_deref() } else { self.all.get(name).map(String::as_str) }
    }

    /// The name that a parser's find gets.
    pub(super) fn free_name(&self, name: &str) -> String {
        let is_taken = self.stream.contains(name) || self.metadata.contains(name);
        if is_taken { format!("{name}_extracted") } else { name.to_owned() }
    }

    /// Sets what a parser has found, if no stage has set it before: of two finds the first is kept.
    pub(super) fn extract(&mut self, name: &str, value: &str) {
        let name = self.free_name(name);
        if !self.set.contains(&name) {
            self.set(&name, value);
        }
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.all.insert(name.to_owned(), value.to_owned());
        self.metadata.remove(name);
        self.set.insert(name.to_owned());
    }

    /// What was metadata stays it under its new name.
    fn rename(&mut self, from: &str, to: &str) {
        let Some(value) = self.all.remove(from) else { return };
        if self.metadata.remove(from) {
            self.all.insert(to.to_owned(), value);
            self.metadata.insert(to.to_owned());
        } else if self.stream.contains(from) && !self.set.contains(from) {
            self.all.insert(to.to_owned(), value);
        } else {
            self.set(to, &value);
        }
    }

    fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        self.all.retain(|name, value| keep(name, value));
        self.metadata.retain(|name| self.all.contains_key(name));
    }

    pub(super) fn fail(&mut self, error: &str) {
        self.error = Some(error.to_owned());
    }

    pub(super) fn with_error(&self) -> LabelSet {
        let mut labels = self.all.clone();
        if let Some(error) = &self.error {
            labels.insert("__error__".to_owned(), error.clone());
        }
        labels
    }
}

/// The labels and the text of a line that passes.
pub(super) fn run(query: &LogExpr, line: &Line) -> Option<(Labels, String)> {
    for matcher in &query.matchers {
        let value = line.stream.get(&matcher.name).map_or("", String::as_str);
        if !filters::matches(matcher, value) {
            return None;
        }
    }
    let mut labels = Labels::new(line);
    let mut text = line.line.clone();
    for stage in &query.stages {
        if !pass(stage, &mut labels, &mut text) {
            return None;
        }
    }
    Some((labels, text))
}

fn pass(stage: &Stage, labels: &mut Labels, text: &mut String) -> bool {
    match stage {
        Stage::LineFilter(filter) => return filters::line_passes(filter, text),
        Stage::LabelFilter(filter) => return filters::labels_pass(filter, labels),
        Stage::Json(extracts) if extracts.is_empty() => parsers::json(text, labels),
        Stage::Json(extracts) => parsers::json_paths(text, extracts, labels),
        Stage::Logfmt { strict, keep_empty, fields } if fields.is_empty() => {
            parsers::logfmt(text, *strict, *keep_empty, labels);
        }
        Stage::Logfmt { strict, fields, .. } => parsers::logfmt_fields(text, *strict, fields, labels),
        Stage::Regexp(regex) => parsers::regexp(text, regex, labels),
        Stage::Pattern(pattern) => parsers::pattern(text, pattern, labels),
        Stage::Unpack => {
            if let Some(entry) = parsers::unpack(text, labels) {
                *text = entry;
            }
        }
        Stage::LineFormat(template) => match template::render(template, &labels.with_error(), text) {
            Ok(rendered) => *text = rendered,
            Err(_) => labels.fail("TemplateFormatErr"),
        },
        Stage::LabelFormat(formats) => label_format(formats, labels, text),
        Stage::Keep(choices) => labels.retain(|name, value| is_chosen(choices, name, value)),
        Stage::Drop(choices) => {
            labels.retain(|name, value| !is_chosen(choices, name, value));
            if labels.error.as_ref().is_some_and(|error| is_chosen(choices, "__error__", error)) {
                labels.error = None;
            }
        }
        Stage::Decolorize => {
            *text = Regex::new("\x1b\\[[0-9;]*m").unwrap().replace_all(text, "").into_owned();
        }
    }
    true
}

/// Renames are made one after the other; all templates see the labels as they were before the first of them.
fn label_format(formats: &[LabelFormat], labels: &mut Labels, text: &str) {
    let mut seen: Option<LabelSet> = None;
    for format in formats {
        match &format.value {
            LabelSource::Label(from) => labels.rename(from, &format.label),
            LabelSource::Template(template) => {
                let seen = seen.get_or_insert_with(|| labels.with_error());
                match template::render(template, seen, text) {
                    Ok(value) => labels.set(&format.label, &value),
                    Err(_) => labels.fail("TemplateFormatErr"),
                }
            }
        }
    }
}

fn is_chosen(choices: &[LabelChoice], name: &str, value: &str) -> bool {
    choices.iter().any(|choice| match choice {
        LabelChoice::Name(chosen) => chosen == name,
        LabelChoice::Matching(matcher) => matcher.name == name && filters::matches(matcher, value),
    })
}
