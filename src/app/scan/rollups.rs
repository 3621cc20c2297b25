//! The roll-ups of listed segments: those that the isolate keeps, and the others out of the catalog.

use std::{collections::HashMap, sync::Arc};

use super::recent::Recent;
use crate::{
    app::{App, Error},
    engine::block::Rollup,
    ports::{CatalogEntry, catalog::WalkFrom},
};

/// What the isolate keeps of roll-ups, of its 128 MB.
const MAX_CACHED_BYTES: usize = 8 << 20;

/// Roll-ups by their segments' keys. A segment's roll-up never changes, so it is kept for the next reader.
pub struct Cache(Recent<Arc<str>, Arc<Rollup>>);

impl Default for Cache {
    fn default() -> Self {
        Self(Recent::new(MAX_CACHED_BYTES))
    }
}

/// Gives the entries of a page their roll-ups, at one statement for all that are not kept. An entry whose roll-up
/// is gone from the catalog stays without.
pub(super) async fn fill(app: &App, page: &mut [CatalogEntry]) -> Result<(), Error> {
    let mut missing = Vec::new();
    for entry in &mut *page {
        entry.rollup = app.rollups.0.get(entry.key.as_str());
        if entry.rollup.is_none() {
            missing.push(WalkFrom::behind(entry));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let found = app.catalog.rollups(&missing).await?;
    let mut found: HashMap<String, Rollup> = found.into_iter().collect();
    for entry in page.iter_mut().filter(|entry| entry.rollup.is_none()) {
        let Some(rollup) = found.remove(&entry.key).map(Arc::new) else { continue };
        let weight = entry.key.len() + rollup.weight();
        app.rollups.0.put(entry.key.as_str().into(), rollup.clone(), weight);
        entry.rollup = Some(rollup);
    }
    Ok(())
}
