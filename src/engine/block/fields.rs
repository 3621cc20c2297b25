//! The fields of a block's rows, column by column. What is counted of them gets numbers first, so that a map is asked once
//! for each text of a block and not once for each row.

use super::{
    numbers::Numbers,
    shred::{Kind, Shredded, Shredder},
};
use crate::engine::record::{model::Level, timestamp::Timestamp};

/// What is counted of a row, and how many records it stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct CountedRow {
    pub(super) time: Timestamp,
    pub(super) level: Level,
    /// Of its line and the newline.
    pub(super) bytes: u64,
    pub(super) weight: u64,
}

/// The columns of some rows.
pub(super) struct Fields<'s, 'a> {
    pub(super) shredder: &'s Shredder,
    pub(super) shredded: &'s Shredded<'a>,
}

impl<'s> Fields<'s, '_> {
    /// What each row has at the first of these paths that it has, if it is a text or a number.
    pub(super) fn first(&self, paths: &[&[&str]]) -> Vec<Option<&'s str>> {
        let mut found = vec![None; self.shredded.shapes.len()];
        for path in paths.iter().rev() {
            for ((known, kind), (rows, values)) in self.shredder.columns.iter().zip(&self.shredded.columns) {
                if *kind == Kind::Raw || !known.iter().eq(path.iter()) {
                    continue;
                }
                for (row, value) in rows.iter().zip(values) {
                    if let Some(slot) = found.get_mut(*row as usize) {
                        *slot = Some(&**value);
                    }
                }
            }
        }
        found
    }

    /// The same, numbered; an empty text is none.
    pub(super) fn numbered(&self, paths: &[&[&str]]) -> Numbered<'s> {
        Numbered::of(self.first(paths).into_iter().map(|text| text.filter(|text| !text.is_empty())))
    }
}

/// Texts of rows, numbered.
#[derive(Debug, Default)]
pub(super) struct Numbered<'a> {
    pub(super) texts: Vec<&'a str>,
    of_rows: Vec<Option<u32>>,
}

impl<'a> Numbered<'a> {
    pub(super) fn of(texts: impl Iterator<Item = Option<&'a str>>) -> Self {
        let mut numbers = Numbers::default();
        let of_rows = texts.map(|text| Some(numbers.number(text?))).collect();
        Self { texts: numbers.keys, of_rows }
    }

    /// The number of a row's text.
    pub(super) fn number(&self, row: usize) -> Option<u32> {
        self.of_rows.get(row).copied().flatten()
    }

    pub(super) fn text(&self, number: u32) -> &'a str {
        self.texts.get(number as usize).copied().unwrap_or_default()
    }
}
