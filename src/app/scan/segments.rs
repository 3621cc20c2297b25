//! The walk over the segments of a range, as the catalog lists them: a page at a time, and before that those
//! that the partition indexes point to.

use std::{
    collections::{HashSet, VecDeque},
    iter::{self, Peekable},
    vec::IntoIter,
};

use super::{Stats, needles::Needles, open, rollups};
use crate::{
    app::{App, Error, fresh::Fresh},
    engine::{
        query::{Filter, TimeRange},
        tenant::Tenant,
    },
    ports::{CatalogEntry, catalog::After},
};

/// Catalog entries of a first page. An entry may take 2 MB, so the pages behind it are as long as the
/// entries before them were short.
const FIRST_PAGE: usize = 8;
const MAX_PAGE: usize = 200;
const PAGE_BYTES: usize = 2 << 20;

/// Walks a tenant's segments that overlap a range, newest first, without those that `fresh` covers.
pub struct Segments<'a> {
    app: &'a App,
    tenant: &'a Tenant,
    range: TimeRange,
    rollups: bool,
    facts: bool,
    needles: Option<(Needles, &'a Filter)>,
    /// Those that the indexes point to, and how many of them were brought.
    some: VecDeque<CatalogEntry>,
    some_keys: HashSet<String>,
    brought: usize,
    first_brought: usize,
    page: Peekable<IntoIter<CatalogEntry>>,
    page_len: usize,
    after: Option<After>,
    /// The moment of the first page, to which the others keep: a merge between two of them hides nothing.
    as_of: u64,
    done: bool,
}

impl<'a> Segments<'a> {
    /// All of them.
    pub fn new(app: &'a App, tenant: &'a Tenant, range: TimeRange) -> Self {
        Self {
            app,
            tenant,
            range,
            rollups: false,
            facts: false,
            needles: None,
            some: VecDeque::new(),
            some_keys: HashSet::new(),
            brought: 0,
            first_brought: usize::MAX,
            page: Vec::new().into_iter().peekable(),
            page_len: FIRST_PAGE,
            after: None,
            as_of: 0,
            done: false,
        }
    }

    /// With their roll-ups.
    #[must_use]
    pub fn with_rollups(mut self) -> Self {
        self.rollups = true;
        self
    }

    /// With their facts.
    #[must_use]
    pub fn with_facts(mut self) -> Self {
        self.facts = true;
        self
    }

    /// Those that can hold the needles, and some more. So many that the indexes point to are brought together at first,
    /// and the others when those were not enough.
    #[must_use]
    pub(super) fn that_hold(mut self, needles: Needles, filter: &'a Filter, first: usize) -> Self {
        self.needles = Some((needles, filter));
        self.first_brought = first;
        self
    }

    pub async fn next(&mut self, fresh: &Fresh, stats: &mut Stats) -> Result<Option<CatalogEntry>, Error> {
        loop {
            if self.page.peek().is_none() && !self.done {
                self.turn(stats).await?;
                continue;
            }
            let order = |entry: &CatalogEntry| (entry.max_time.as_ms(), entry.key.clone());
            let some_first = self
                .page
                .peek()
                .is_none_or(|page| self.some.front().is_some_and(|some| order(some) > order(page)));
            let entry = if some_first {
                let Some(entry) = self.some.pop_front() else { return Ok(None) };
                entry
            } else {
                let Some(entry) = self.page.next() else { return Ok(None) };
                let known = self.some_keys.contains(&entry.key);
                if known || self.needles.as_ref().is_some_and(|(needles, _)| needles.rules_out(&entry)) {
                    continue;
                }
                entry
            };
            if !fresh.covers(&entry) {
                return Ok(Some(entry));
            }
        }
    }

    /// Called before the entry that came last is looked into: if an index points to it, it is brought with those that
    /// come next.
    pub async fn bring(&mut self, entry: &CatalogEntry, fresh: &Fresh, stats: &mut Stats) {
        let Some((_, filter)) = &self.needles else { return };
        let passed = self.some_keys.len().saturating_sub(self.some.len() + 1);
        if !self.some_keys.contains(&entry.key) || passed < self.brought {
            return;
        }
        let most = if self.brought == 0 { self.first_brought } else { self.some.len() + 1 };
        self.brought = passed + most.min(self.some.len() + 1);
        if self.some_keys.len() <= open::MAX_BROUGHT {
            let wanted = |entry: &&CatalogEntry| filter.may_match(&entry.services) && !fresh.covers(entry);
            let now: Vec<_> = iter::once(entry).chain(&self.some).take(most).filter(wanted).collect();
            open::bring(self.app, &now, stats).await;
        }
    }

    async fn turn(&mut self, stats: &mut Stats) -> Result<(), Error> {
        let (app, tenant, range, limit) = (self.app, self.tenant, self.range, self.page_len);
        // All but the first page ask for the moment that they keep to as well.
        stats.catalog_requests += 1 + u64::from(self.after.is_some() || self.needles.is_some());
        let mut page = match (&self.needles, &self.after) {
            (None, None) => {
                let page = app.catalog.segments(tenant, range, None, limit).await?;
                self.as_of = page.first().map_or(0, |entry| entry.as_of);
                page
            }
            (None, Some(after)) => {
                app.catalog.segments_as_of(tenant, range, after, self.as_of, limit).await?
            }
            (Some((needles, _)), None) => {
                let found = app.partitions.candidates(tenant, range, &needles.wanted, limit).await?;
                self.as_of = found.as_of;
                self.some_keys = found.some.iter().map(|entry| entry.key.clone()).collect();
                self.some = found.some.into();
                found.page
            }
            (Some((needles, _)), Some(after)) => {
                let (wanted, as_of) = (&needles.wanted, self.as_of);
                app.partitions.candidates_behind(tenant, range, wanted, after, as_of, limit).await?
            }
        };
        self.done = page.len() < self.page_len;
        self.after =
            page.last().map(|entry| After { max_time_ms: entry.max_time.as_ms(), key: entry.key.clone() });
        if self.rollups {
            rollups::fill(app, &mut page).await?;
        }
        if self.facts {
            rollups::fill_facts(app, &mut page).await?;
        }
        let bytes: usize = page.iter().map(weight).sum();
        self.page_len = (PAGE_BYTES * page.len() / bytes.max(1)).clamp(FIRST_PAGE, MAX_PAGE);
        self.page = page.into_iter().peekable();
        Ok(())
    }
}

/// About the bytes that an entry takes in memory.
fn weight(entry: &CatalogEntry) -> usize {
    1_000
        + entry.services.len() * 300
        + entry.rollup.as_ref().map_or(0, |rollup| rollup.weight())
        + entry.facts.as_ref().map_or(0, |facts| facts.weight())
}
