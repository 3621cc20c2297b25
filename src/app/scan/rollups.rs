//! The roll-ups and facts of listed segments: those that the isolate keeps, and the others out of the catalog.

use std::{collections::HashMap, sync::Arc};

use super::recent::Recent;
use crate::{
    app::{App, Error},
    engine::block::{Facts, Rollup},
    ports::{CatalogEntry, catalog::WalkFrom},
};

/// What the isolate keeps of each of the two, of its 128 MB.
const MAX_CACHED_BYTES: usize = 8 << 20;

/// Roll-ups or facts by their segments' keys. A segment's never change, so they are kept for the next reader.
pub struct Kept<T>(Recent<Arc<str>, Arc<T>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Recent::new(MAX_CACHED_BYTES))
    }
}

/// Gives the entries of a page their roll-ups, at one statement for all that are not kept. An entry whose roll-up
/// is gone from the catalog stays without.
pub(super) async fn fill(app: &App, page: &mut [CatalogEntry]) -> Result<(), Error> {
    let missing = app.rollups.take(page, |entry| &mut entry.rollup);
    if !missing.is_empty() {
        let found = app.catalog.rollups(&missing).await?;
        app.rollups.put(page, found, |entry| &mut entry.rollup, Rollup::weight);
    }
    Ok(())
}

/// The same with their facts.
pub(super) async fn fill_facts(app: &App, page: &mut [CatalogEntry]) -> Result<(), Error> {
    let missing = app.facts.take(page, |entry| &mut entry.facts);
    if !missing.is_empty() {
        let found = app.catalog.facts(&missing).await?;
        app.facts.put(page, found, |entry| &mut entry.facts, Facts::weight);
    }
    Ok(())
}

impl<T> Kept<T> {
    /// Gives the entries what is kept; those for which nothing is.
    fn take(
        &self,
        page: &mut [CatalogEntry],
        slot: impl Fn(&mut CatalogEntry) -> &mut Option<Arc<T>>,
    ) -> Vec<WalkFrom> {
        let mut missing = Vec::new();
        for entry in page {
            let kept = self.0.get(entry.key.as_str());
            if kept.is_none() {
                missing.push(WalkFrom::behind(entry));
            }
            *slot(entry) = kept;
        }
        missing
    }

    /// Gives the other entries what was found, and keeps it.
    fn put(
        &self,
        page: &mut [CatalogEntry],
        found: Vec<(String, T)>,
        slot: impl Fn(&mut CatalogEntry) -> &mut Option<Arc<T>>,
        weight: impl Fn(&T) -> usize,
    ) {
        let mut found: HashMap<String, T> = found.into_iter().collect();
        for entry in page {
            let Some(one) = found.remove(&entry.key).map(Arc::new) else { continue };
            self.0.put(entry.key.as_str().into(), one.clone(), entry.key.len() + weight(&one));
            *slot(entry) = Some(one);
        }
    }
}
