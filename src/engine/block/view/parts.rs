//! What was read of a block, for whoever reads it next.

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;

use crate::engine::{block::column::Variables, record::timestamp::Timestamp};

/// The parts of a block that were asked for.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    pub(super) times: Option<Arc<Vec<Timestamp>>>,
    pub(super) ids: Option<Arc<Vec<Uuid>>>,
    pub(super) shapes: Option<Arc<Vec<u32>>>,
    /// By which shapes have the column.
    pub(super) rows: BTreeMap<Vec<bool>, Arc<Vec<u32>>>,
    pub(super) tids: BTreeMap<u32, Arc<Vec<u16>>>,
    pub(super) variables: BTreeMap<u32, Arc<Variables>>,
    /// Bytes that the variables have inflated to.
    pub(super) inflated: usize,
}

impl Parts {
    /// About the bytes that they take in memory.
    pub fn weight(&self) -> usize {
        fn of<T>(lists: impl IntoIterator<Item = impl AsRef<Vec<T>>>) -> usize {
            lists.into_iter().map(|list| 100 + size_of_val(list.as_ref().as_slice())).sum()
        }
        let shapes: usize = self.rows.keys().map(Vec::len).sum();
        let variables: usize = self.variables.values().map(|variables| variables.weight()).sum();
        of(&self.times)
            + of(&self.ids)
            + of(&self.shapes)
            + of(self.rows.values())
            + of(self.tids.values())
            + shapes
            + variables
            + self.inflated
    }
}
