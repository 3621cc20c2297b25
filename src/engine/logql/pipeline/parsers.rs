//! The parsers that read a line by an expression or a pattern.

use regex::Regex;

use super::{super::re2, Row, Step, pattern};

pub(super) struct Regexp {
    regex: Regex,
    /// The groups with names, by number.
    names: Vec<(usize, String)>,
}

impl Regexp {
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let regex = re2::compile(pattern)?;
        let names: Vec<(usize, String)> = regex
            .capture_names()
            .enumerate()
            .filter_map(|(group, name)| name.map(|name| (group, name.to_owned())))
            .collect();
        if names.is_empty() {
            return Err("at least one named capture must be supplied".into());
        }
        match names.iter().find(|(_, name)| !is_label_name(name)) {
            Some((_, name)) => Err(format!("invalid extracted label name '{name}'")),
            None => Ok(Self { regex, names }),
        }
    }
}

fn is_label_name(name: &str) -> bool {
    name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

impl Step for Regexp {
    fn run(&self, row: &mut Row<'_>) -> bool {
        if let Some(captures) = self.regex.captures(&row.line) {
            for (group, name) in &self.names {
                let value = captures.get(*group).map_or("", |found| found.as_str());
                row.labels.extract(name, value);
            }
        }
        true
    }
}

pub(super) struct Pattern(pattern::Pattern);

impl Pattern {
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        pattern::Pattern::parse(pattern).map(Self)
    }
}

impl Step for Pattern {
    fn run(&self, row: &mut Row<'_>) -> bool {
        let labels = &mut row.labels;
        self.0.captures(&row.line, &mut |name, value| labels.extract(name, value));
        true
    }
}
