//! How many records the rows of a block stand for. A block in which each stands for itself has no such column, and
//! its footer says so.

use super::{Block, BlockColumn, BlockMeta, Corrupt, Footer, Kind, Opened};
use crate::engine::record::row::weight_of;

const FIELD: &str = "sample_rate";

/// The column of a segment that has them.
pub(super) fn column(footer: &Footer) -> Option<u32> {
    let columns = (0..).zip(&footer.columns);
    let mut of_rates = columns.filter(|(_, column)| column.kind == Kind::Number && column.path == [FIELD]);
    of_rates.next().map(|(nth, _)| nth)
}

impl Opened {
    /// Whether some rows of a block stand for several records, so that the number of its rows is not that of records.
    pub fn is_sampled(&self, block: usize) -> bool {
        self.footer.blocks.get(block).is_some_and(|block| self.sample_rates_of(block).is_some())
    }

    fn sample_rates_of<'b>(&self, block: &'b BlockMeta) -> Option<&'b BlockColumn> {
        let column = self.sample_rates?;
        let at = block.columns.binary_search_by_key(&column, |known| known.column).ok()?;
        block.columns.get(at)
    }
}

/// The weights of a block's rows.
#[derive(Clone, Debug)]
pub struct Weights(Option<Vec<u32>>);

impl Weights {
    pub fn of(&self, row: usize) -> u64 {
        match &self.0 {
            None => 1,
            Some(weights) => weights.get(row).copied().unwrap_or(1).into(),
        }
    }

    /// Of so many rows together.
    pub fn sum(&self, rows: impl Iterator<Item = usize>) -> u64 {
        match &self.0 {
            None => rows.count() as u64,
            Some(_) => rows.map(|row| self.of(row)).sum(),
        }
    }
}

impl Block<'_> {
    pub fn weights(&self) -> Result<Weights, Corrupt> {
        let Some(column) = self.opened().sample_rates_of(self.meta()) else { return Ok(Weights(None)) };
        let mut weights = vec![1; self.len()];
        let values = self.values(column)?;
        let mut text = String::new();
        for (entry, (row, _)) in values.entries.iter().enumerate() {
            text.clear();
            values.push(entry, &mut text)?;
            if let Some(slot) = weights.get_mut(row) {
                *slot = weight_of(&text);
            }
        }
        Ok(Weights(Some(weights)))
    }
}
