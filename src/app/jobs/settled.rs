//! Whether a segment is in its place for good: its shard has let go of its rows, and no flush writes it again.
//! Only such a one may be replaced: a flush that is repeated would bring the old one back beside the new.

use std::collections::HashMap;

use crate::{
    app::App,
    engine::tenant::Tenant,
    ports::{CatalogEntry, ShardName},
};

/// Asks each shard once.
pub(super) struct Settled<'a> {
    app: &'a App,
    flushed_before: HashMap<(String, u32), u64>,
}

impl<'a> Settled<'a> {
    pub(super) fn new(app: &'a App) -> Self {
        Self { app, flushed_before: HashMap::new() }
    }

    pub(super) async fn is(&mut self, entry: &CatalogEntry) -> bool {
        // What is merged was settled before: its shards need not be woken.
        entry.id.merged.is_some() || entry.id.last_seq < self.flushed_before(entry).await
    }

    async fn flushed_before(&mut self, entry: &CatalogEntry) -> u64 {
        let name = (entry.id.tenant.clone(), entry.id.shard);
        if let Some(before) = self.flushed_before.get(&name) {
            return *before;
        }
        let Some(tenant) = Tenant::stored(&entry.id.tenant) else { return 0 };
        let shard = ShardName { tenant, number: entry.id.shard };
        // Of a shard that cannot be asked nothing is sure.
        let before = self.app.shards.state(&shard).await.map_or(0, |state| state.flushed_before_seq);
        self.flushed_before.insert(name, before);
        before
    }
}
