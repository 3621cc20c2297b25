//! Labels that are kept or dropped.

use super::{super::ast::LabelChoice, Row, Step, labels::ERROR, matcher::LabelMatcher};

pub(super) struct Select {
    keep: bool,
    choices: Vec<Choice>,
}

enum Choice {
    Name(String),
    Matching(LabelMatcher),
}

impl Choice {
    fn holds(&self, name: &str, value: &str) -> bool {
        match self {
            Choice::Name(wanted) => wanted == name,
            Choice::Matching(matcher) => matcher.name == name && matcher.matches(value),
        }
    }
}

impl Select {
    pub(super) fn keep(choices: &[LabelChoice]) -> Result<Self, String> {
        Self::new(true, choices)
    }

    pub(super) fn drop(choices: &[LabelChoice]) -> Result<Self, String> {
        Self::new(false, choices)
    }

    fn new(keep: bool, choices: &[LabelChoice]) -> Result<Self, String> {
        let choices = choices.iter().map(|choice| match choice {
            LabelChoice::Name(name) => Ok(Choice::Name(name.clone())),
            LabelChoice::Matching(matcher) => LabelMatcher::new(matcher).map(Choice::Matching),
        });
        Ok(Self { keep, choices: choices.collect::<Result<_, _>>()? })
    }
}

impl Step for Select {
    fn run(&self, row: &mut Row<'_>) -> bool {
        row.labels
            .retain(|name, value| self.choices.iter().any(|choice| choice.holds(name, value)) == self.keep);
        if !self.keep {
            let error = row.labels.get(ERROR).unwrap_or_default().to_owned();
            if self.choices.iter().any(|choice| choice.holds(ERROR, &error)) {
                row.labels.remove(ERROR);
            } else if self.choices.iter().any(|choice| choice.holds(super::labels::ERROR_DETAILS, "")) {
                row.labels.remove(super::labels::ERROR_DETAILS);
            }
        }
        true
    }
}
