//! The values of a column that has few.

use super::{Parsed, parse::Rows};
use crate::engine::block::{numbers::Numbers, template::static_form};

/// A column of more values has none.
const MAX_VALUES: usize = 64;

/// The distinct values in the order in which they first come, and which of them each value is.
#[derive(Debug)]
pub(in crate::engine::block) struct Dictionary<'a> {
    pub(in crate::engine::block) texts: Vec<&'a str>,
    pub(in crate::engine::block) numbers: Vec<u32>,
}

impl<'a> Dictionary<'a> {
    /// `None` when there are too many, or none at all.
    pub(in crate::engine::block) fn of(values: impl ExactSizeIterator<Item = &'a str>) -> Option<Self> {
        if values.len() == 0 {
            return None;
        }
        let most = MAX_VALUES.min((values.len() / 8).max(8));
        let mut numbers = Vec::with_capacity(values.len());
        let mut known = Numbers::default();
        let mut last: Option<(&str, u32)> = None;
        for value in values {
            let number = match last {
                Some((text, number)) if text == value => number,
                _ => known.number_below(value, most)?,
            };
            last = Some((value, number));
            numbers.push(number);
        }
        Some(Self { texts: known.keys, numbers })
    }

    /// Each value is a template.
    pub(super) fn into_parsed(self) -> Parsed {
        let form_of = |text: &&str| {
            // The form may have marks in it.
            let mut form = String::new();
            static_form(text, &mut form);
            Rows::new(&form, &[])
        };
        let mut templates: Vec<Rows> = self.texts.iter().map(form_of).collect();
        for number in &self.numbers {
            if let Some(rows) = templates.get_mut(*number as usize) {
                rows.count += 1;
            }
        }
        Parsed { tids: self.numbers, templates, words: Vec::new() }
    }
}
