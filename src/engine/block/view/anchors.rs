//! How columns of a block refer to each other.

use std::sync::Arc;

use super::Block;
use crate::engine::block::{
    BlockColumn, Corrupt,
    column::{Anchors, MAX_DEPTH, Variables},
};

/// What the columns of a block refer to: columns that do not refer further, or only to ones before them.
pub(super) struct Below<'b, 'a> {
    pub(super) block: &'b Block<'a>,
    pub(super) column: u32,
}

impl Anchors for Below<'_, '_> {
    fn anchor(&self, column: u32, rows: &[u32]) -> Result<(Arc<Variables>, Vec<u32>), Corrupt> {
        let wrong = || Corrupt::damaged("column", "it refers to a column that cannot be referred to");
        let meta = self.block.column(column).ok_or_else(wrong)?;
        // Only towards the front, or from a column that none refers to: no circle.
        let single = |meta: &BlockColumn| {
            meta.templates.len() == 1
                && self.block.opened.templates(meta).all(|(template, _)| template.vars().count() == 1)
        };
        if !single(meta) || (column >= self.column && self.block.column(self.column).is_none_or(single)) {
            return Err(wrong());
        }
        let entries = match self.block.rows_of(meta)? {
            None => rows.to_vec(),
            Some(known) => places(rows, &known).ok_or_else(wrong)?,
        };
        let depth = &self.block.depth;
        if depth.get() == MAX_DEPTH {
            return Err(wrong());
        }
        depth.set(depth.get() + 1);
        let variables = self.block.variables(meta);
        depth.set(depth.get() - 1);
        Ok((variables?, entries))
    }
}

/// Where each of some rows is among others, both in rising order; `None` when one of them is not there.
fn places(rows: &[u32], among: &[u32]) -> Option<Vec<u32>> {
    if rows == among {
        return Some((0..u32::try_from(rows.len()).ok()?).collect());
    }
    let mut others = (0_u32..).zip(among);
    rows.iter()
        .map(|row| others.find(|(_, other)| *other >= row).filter(|(_, other)| *other == row))
        .map(|found| Some(found?.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::places;

    #[test]
    fn rows_are_found_among_others() {
        assert_eq!(places(&[2, 5, 9], &[2, 5, 9]), Some(vec![0, 1, 2]));
        assert_eq!(places(&[2, 9], &[1, 2, 5, 9, 12]), Some(vec![1, 3]));
        assert_eq!(places(&[], &[3]), Some(vec![]));
        for (rows, among) in [(&[2, 6][..], &[2, 5, 9][..]), (&[10], &[2, 5, 9]), (&[1], &[])] {
            assert_eq!(places(rows, among), None, "{rows:?}");
        }
    }
}
