//! The stages that write a new line or new labels.

use std::borrow::Cow;

use super::{
    super::ast::{LabelFormat as Format, LabelSource},
    Row, Step,
    template::Template,
};

const ERROR: &str = "TemplateFormatErr";

pub(super) struct LineFormat(Template);

impl LineFormat {
    pub(super) fn new(template: &str, regexes_left: &mut usize) -> Result<Self, String> {
        Template::parse(template, regexes_left)
            .map(Self)
            .map_err(|reason| format!("invalid line template: {reason}"))
    }
}

impl Step for LineFormat {
    fn run(&self, row: &mut Row<'_>) -> bool {
        match self.0.render(row) {
            Ok(line) => row.line = Cow::Owned(line),
            Err(reason) => row.labels.fail(ERROR, reason),
        }
        true
    }
}

pub(super) struct LabelFormat(Vec<(String, Value)>);

enum Value {
    Renamed(String),
    Template(Template),
}

impl LabelFormat {
    pub(super) fn new(formats: &[Format], regexes_left: &mut usize) -> Result<Self, String> {
        let formats = formats.iter().map(|format| {
            let value = match &format.value {
                LabelSource::Label(source) => Value::Renamed(source.clone()),
                LabelSource::Template(template) => {
                    let invalid = |reason| format!("invalid template for label '{}': {reason}", format.label);
                    Value::Template(Template::parse(template, regexes_left).map_err(invalid)?)
                }
            };
            Ok((format.label.clone(), value))
        });
        formats.collect::<Result<_, String>>().map(Self)
    }
}

impl Step for LabelFormat {
    fn run(&self, row: &mut Row<'_>) -> bool {
        // What the first template sees, all the others see.
        let mut seen: Option<Row<'_>> = None;
        for (label, value) in &self.0 {
            match value {
                Value::Renamed(source) => {
                    let Some(value) = row.labels.get(source).map(str::to_owned) else { continue };
                    row.labels.remove(source);
                    row.labels.set(label, value);
                }
                Value::Template(template) => {
                    let rendered = if self.0.len() == 1 {
                        template.render(row)
                    } else {
                        template.render(seen.get_or_insert_with(|| row.clone()))
                    };
                    match rendered {
                        Ok(value) => row.labels.set(label, value),
                        Err(reason) => row.labels.fail(ERROR, reason),
                    }
                }
            }
        }
        true
    }
}
