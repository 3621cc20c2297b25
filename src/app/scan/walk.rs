//! The segments of a scan, in its order: a page of the catalog at a time, or listed at once.

use super::{Scan, Segments, Stats, needles::Needles};
use crate::{
    app::{App, Error, fresh::Fresh},
    engine::query::{Filter, Order},
    ports::CatalogEntry,
};

/// Of the segments that indexes point to, those that are read at first when the newest rows are likely to be enough.
const FIRST_BROUGHT: usize = 2;

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
            let is_first_enough = scan.stops_early && scan.order == Order::Newest;
            let first = if is_first_enough { FIRST_BROUGHT } else { usize::MAX };
            segments = segments.that_hold(needles, scan.filter, first);
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
                segments.bring(&entry, fresh, stats).await;
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

    /// Called before the entry that came last is looked into.
    pub(super) async fn bring(&mut self, entry: &CatalogEntry, fresh: &Fresh, stats: &mut Stats) {
        if let Self::Paged(segments) = self {
            segments.bring(entry, fresh, stats).await;
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
