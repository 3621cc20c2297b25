//! The segments of a scan, in its order: a page of the catalog at a time, or listed at once.

use super::{Scan, Segments, Stats, needles::Needles};
use crate::{
    app::{App, Error, fresh::Fresh},
    engine::query::{Filter, Order},
    ports::CatalogEntry,
};

/// The segments of a scan, in its order.
pub(super) enum Walk<'a> {
    Paged(Box<Segments<'a>>),
    Listed(std::vec::IntoIter<CatalogEntry>),
}

impl<'a> Walk<'a> {
    pub(super) async fn new(
        app: &'a App,
        scan: &Scan<'a>,
        (needles, rollups): (Option<Needles>, bool),
        fresh: &Fresh,
        stats: &mut Stats,
    ) -> Result<Self, Error> {
        let mut segments = Segments::new(app, scan.filter.tenant(), scan.filter.time);
        if let Some(needles) = needles {
            segments = segments.that_hold(needles, scan.filter);
        } else if rollups {
            // What words decide is not in them.
            segments = segments.with_rollups();
        }
        if scan.order == Order::Newest && !scan.unlimited {
            return Ok(Self::Paged(Box::new(segments)));
        }
        let mut listed = Vec::new();
        while let Some(mut entry) = segments.next(fresh, stats).await? {
            if scan.filter.may_match(&entry.services) {
                // They would be most of what is held.
                entry.services.clear();
                listed.push(entry);
            }
        }
        if scan.order == Order::Oldest {
            listed.sort_by(|a, b| (a.min_time, &a.key).cmp(&(b.min_time, &b.key)));
        }
        Ok(Self::Listed(listed.into_iter()))
    }

    pub(super) async fn next(
        &mut self,
        fresh: &Fresh,
        stats: &mut Stats,
    ) -> Result<Option<CatalogEntry>, Error> {
        match self {
            Self::Paged(segments) => segments.next(fresh, stats).await,
            Self::Listed(entries) => Ok(entries.next()),
        }
    }

    /// Whether the entries' summaries are at hand.
    pub(super) fn has_summaries(&self) -> bool {
        matches!(self, Self::Paged(_))
    }

    /// Whether the entry's summary is at hand and says that it holds nothing wanted.
    pub(super) fn rules_out(&self, filter: &Filter, entry: &CatalogEntry) -> bool {
        self.has_summaries() && !filter.may_match(&entry.services)
    }
}
