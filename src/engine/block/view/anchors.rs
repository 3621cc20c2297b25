//! How columns of a block refer to each other.

use super::Block;
use crate::engine::block::{
    BlockColumn, Corrupt,
    column::{Anchor, Anchors, MAX_DEPTH},
};

/// What the columns of a block refer to: columns that do not refer further, or only to ones before them.
pub(super) struct Below<'b, 'a> {
    pub(super) block: &'b Block<'a>,
    pub(super) column: u32,
}

impl Anchors for Below<'_, '_> {
    fn anchor(&self, column: u32) -> Result<Anchor, Corrupt> {
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
        let depth = &self.block.depth;
        if depth.get() == MAX_DEPTH {
            return Err(wrong());
        }
        depth.set(depth.get() + 1);
        let variables = self.block.variables(meta);
        depth.set(depth.get() - 1);
        // Whatever was read before: looking a value up goes down all of it.
        let variables = variables?;
        if variables.depth() >= MAX_DEPTH {
            return Err(wrong());
        }
        Ok(Anchor::new(variables, self.block.rows_of(meta)?))
    }
}
