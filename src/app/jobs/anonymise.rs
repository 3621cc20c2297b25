//! Addresses in logs that are stored become those of networks when all rows of their segment are older than their
//! tenant's `anonymize_ip_after_days`: the segment is written anew once, and is not read again after that.
//!
//! The walk of `expire` finds the segments. An old one that was replaced stays for a day, as after every rewrite.

use std::collections::VecDeque;

use super::{
    merge::{Addresses, Keep},
    rewrite::{Rewritten, rewrite},
};
use crate::{
    app::{App, Error},
    engine::{block::Summary, record::timestamp::Timestamp, retention},
    ports::CatalogEntry,
};

/// How much one run reads; what is left over is for the next night.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub segments: usize,
    pub raw_bytes: u64,
}

impl Most {
    /// The job has 15 minutes. 4 GB of rows take two and a half of CPU at 27 MB a second, and about as long to fetch and
    /// to put; a segment takes some six operations, of which a run may use 10,000.
    pub const OF_A_RUN: Self = Self { segments: 1_000, raw_bytes: 4 << 30 };
}

/// Segments that are held at the most, 1 KB each: a merge needs most of the memory.
const MAX_HELD: usize = 10_000;

/// The segments whose turn it is, by tenant: of each no more than a run can take.
pub(super) struct Due {
    most: Most,
    tenants: Vec<OfTenant>,
    held: usize,
}

#[derive(Default)]
struct OfTenant {
    name: String,
    raw_bytes: u64,
    segments: VecDeque<CatalogEntry>,
}

impl Due {
    pub(super) fn new(most: Most) -> Self {
        Self { most, tenants: Vec::new(), held: 0 }
    }

    /// Whether one more is wanted. They come tenant by tenant.
    pub(super) fn has_room(&self, entry: &CatalogEntry) -> bool {
        let own = self.tenants.last().filter(|last| last.name == entry.id.tenant);
        let full =
            |own: &OfTenant| own.segments.len() >= self.most.segments || own.raw_bytes >= self.most.raw_bytes;
        self.held < MAX_HELD && !own.is_some_and(full)
    }

    pub(super) fn add(&mut self, entry: CatalogEntry) {
        if self.tenants.last().is_none_or(|last| last.name != entry.id.tenant) {
            self.tenants.push(OfTenant { name: entry.id.tenant.clone(), ..OfTenant::default() });
        }
        let Some(own) = self.tenants.last_mut() else { return };
        own.raw_bytes += entry.raw_bytes;
        // Nothing asks for the services, which are most of an entry.
        own.segments.push_back(CatalogEntry { services: Summary::new(), ..entry });
        self.held += 1;
    }
}

/// Cuts the addresses in these segments, one of each tenant in turn; answers how many were written anew. One that
/// fails keeps no other tenant's; the first reason is what it ends with.
pub(super) async fn run(app: &App, due: Due, now: Timestamp) -> Result<u64, Error> {
    let Due { most, mut tenants, .. } = due;
    // Who comes first changes by the day, for when there are more tenants than a run can take segments.
    let day = usize::try_from(now.as_ms() / retention::DAY_MS).unwrap_or_default();
    let first = day % tenants.len().max(1);
    tenants.rotate_left(first);
    let mut tenants: VecDeque<_> = tenants.into_iter().map(|own| own.segments).collect();
    let (mut segments, mut raw_bytes, mut anonymised) = (0, 0, 0);
    let mut failed = None;
    while let Some(mut own) = tenants.pop_front() {
        let Some(entry) = own.pop_front() else { continue };
        if segments >= most.segments || raw_bytes >= most.raw_bytes {
            let left = 1 + own.len() + tenants.iter().map(VecDeque::len).sum::<usize>();
            app.journal
                .error(&format!("addresses in {left} segments or more are due, and wait for the next night"));
            break;
        }
        segments += 1;
        raw_bytes += entry.raw_bytes;
        match rewrite(app, &entry, Keep::All, Addresses::Cut, now).await {
            Ok(Rewritten::Anew { .. }) => anonymised += 1,
            Ok(Rewritten::AsItWas) => {}
            Err(error) => {
                app.journal.error(&format!("addresses in {} could not be cut: {error}", entry.key));
                failed.get_or_insert(error);
                continue;
            }
        }
        tenants.push_back(own);
    }
    failed.map_or(Ok(anonymised), Err)
}
