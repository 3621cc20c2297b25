//! What is counted of the rows of a block that was taken apart in columns.

use std::borrow::Cow;

use super::{Counted, DURATIONS, Dimension};
use crate::engine::{
    block::shred::{Kind, Shredded, Shredder},
    record::row,
};

/// Where the columns of a writer are that are counted.
pub(in crate::engine::block) struct Columns<'s, 'a> {
    shredded: &'s Shredded<'a>,
    /// Of each: the column of texts and that of numbers, and how far each was read.
    category: Cursor,
    values: [Cursors; 6],
    duration: Cursors,
    sample_rate: Cursor,
}

/// Paths of which the first that is there counts.
struct Cursors(Vec<Cursor>);

impl Cursors {
    fn new(shredder: &Shredder, paths: &[&[&str]]) -> Self {
        let cursors = paths.iter().map(|path| Cursor::new(shredder, path));
        Self(cursors.filter(|cursor| cursor.columns.iter().any(Option::is_some)).collect())
    }

    fn take<'s>(&mut self, shredded: &'s Shredded<'_>, row: u32) -> Option<&'s str> {
        let mut found = None;
        // Each goes on, whichever counts.
        for cursor in &mut self.0 {
            let value = cursor.take(shredded, row);
            found = found.or(value);
        }
        found
    }
}

/// Reads the values of a path row by row.
#[derive(Clone, Copy, Default)]
struct Cursor {
    columns: [Option<usize>; 2],
    next: [usize; 2],
}

impl Cursor {
    fn new(shredder: &Shredder, path: &[&str]) -> Self {
        let find =
            |kind: Kind| shredder.columns.iter().position(|(known, of)| *of == kind && known.iter().eq(path));
        Self { columns: [find(Kind::Text), find(Kind::Number)], next: [0, 0] }
    }

    /// The value of this row; rows are asked for in order.
    fn take<'s>(&mut self, shredded: &'s Shredded<'_>, row: u32) -> Option<&'s str> {
        for (column, next) in self.columns.iter().zip(&mut self.next) {
            let Some((rows, values)) = column.and_then(|column| shredded.columns.get(column)) else {
                continue;
            };
            if rows.get(*next) == Some(&row) {
                let value = values.get(*next).map(|value| &**value);
                *next += 1;
                return value;
            }
        }
        None
    }
}

impl<'s, 'a> Columns<'s, 'a> {
    pub(in crate::engine::block) fn new(of: &Shredder, shredded: &'s Shredded<'a>) -> Self {
        Self {
            shredded,
            category: Cursor::new(of, &["category"]),
            values: Dimension::ALL.map(|dimension| Cursors::new(of, dimension.paths())),
            duration: Cursors::new(of, &[&["duration_ms"], DURATIONS[0], DURATIONS[1]]),
            sample_rate: Cursor::new(of, &["sample_rate"]),
        }
    }

    /// What is counted of this row of the block, but for its head; rows are asked for in order.
    pub(in crate::engine::block) fn take(&mut self, row: u32) -> Counted<'s> {
        let shredded = self.shredded;
        Counted {
            category: self.category.take(shredded, row).map(Cow::Borrowed),
            values: self.values.each_mut().map(|cursor| cursor.take(shredded, row).map(Cow::Borrowed)),
            duration_ms: self.duration.take(shredded, row).and_then(|text| text.parse().ok()),
            weight: self.sample_rate.take(shredded, row).map_or(1, row::weight_of).into(),
        }
    }
}
