//! The fields of a block's rows, column by column. What is counted of them gets numbers first, so that a map is asked once
//! for each text of a block and not once for each row.

use super::{
    column::Dictionary,
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
    /// Of each column that has one.
    pub(super) dictionaries: &'s [Option<Dictionary<'s>>],
}

impl<'s> Fields<'s, '_> {
    /// What each row has at the first of these paths that it has, if it is a text or a number.
    pub(super) fn first(&self, paths: &[&[&str]]) -> Vec<Option<&'s str>> {
        let mut found = vec![None; self.shredded.shapes.len()];
        for path in paths.iter().rev() {
            for (rows, values) in self.columns(path).filter_map(|column| self.shredded.columns.get(column)) {
                for (row, value) in rows.iter().zip(values) {
                    if let Some(slot) = found.get_mut(*row as usize) {
                        *slot = Some(&**value);
                    }
                }
            }
        }
        found
    }

    /// The same, numbered.
    pub(super) fn numbered(&self, paths: &[&[&str]]) -> Numbered<'s> {
        let mut columns = paths.iter().flat_map(|path| self.columns(path));
        let only = columns.next().filter(|_| columns.next().is_none());
        let known =
            |column: usize| self.shredded.columns.get(column).zip(self.dictionaries.get(column)?.as_ref());
        if let Some(((rows, _), dictionary)) = only.and_then(known) {
            let mut of_rows = vec![None; self.shredded.shapes.len()];
            for (row, number) in rows.iter().zip(&dictionary.numbers) {
                if let Some(slot) = of_rows.get_mut(*row as usize) {
                    *slot = Some(*number);
                }
            }
            return Numbered { texts: dictionary.texts.clone(), of_rows };
        }
        let mut numbers = Numbers::default();
        let of_rows = self.first(paths).into_iter().map(|text| Some(numbers.number(text?))).collect();
        Numbered { texts: numbers.keys, of_rows }
    }

    /// The columns of a path that have texts or numbers.
    fn columns(&self, path: &[&str]) -> impl Iterator<Item = usize> {
        let all = self.shredder.columns.iter().zip(&self.shredded.columns).enumerate();
        all.filter_map(move |(number, ((known, kind), (rows, _)))| {
            (*kind != Kind::Raw && !rows.is_empty() && known.iter().eq(path.iter())).then_some(number)
        })
    }
}

/// Texts of rows, numbered.
#[derive(Debug, Default)]
pub(super) struct Numbered<'a> {
    pub(super) texts: Vec<&'a str>,
    of_rows: Vec<Option<u32>>,
}

impl<'a> Numbered<'a> {
    /// The number of a row's text.
    pub(super) fn number(&self, row: usize) -> Option<u32> {
        self.of_rows.get(row).copied().flatten()
    }

    pub(super) fn text(&self, number: u32) -> &'a str {
        self.texts.get(number as usize).copied().unwrap_or_default()
    }
}
