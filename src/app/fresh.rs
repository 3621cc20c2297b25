//! What waits in front of the segments: appends in the spool and in the shards' logs.
//!
//! Reading them before the catalog makes a read fresh and exact: spool, then shards, then catalog. A row
//! moves only forwards along that line and is written in the new place before it leaves the old one, so
//! no row is missed; what a shard has answered is not read again from a segment. Each append is dropped
//! before the next is asked for, so many shards need no more memory than one.

use std::collections::HashSet;

use uuid::Uuid;

use super::{
    App, Error, find,
    scan::{self, Stats},
};
use crate::{
    engine::{
        block::{Corrupt, packed::Packed, rows},
        query::TimeRange,
        shard::Append,
        tenant::Tenant,
    },
    ports::CatalogEntry,
};

/// Spooled objects a reader looks into; while there are more, answers are partial.
const MAX_SPOOLED: usize = 200;

/// What the spool and the shards have answered.
#[derive(Clone, Debug, Default)]
pub struct Fresh {
    /// For each shard that answered: what segments from this sequence number on hold has been read.
    covered: Vec<(u32, u64)>,
    /// Something could not be read.
    pub partial: bool,
}

/// A spooled append may be in a segment too, when its shard had taken it before the answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// For readers that tell rows apart by id.
    Allowed,
    /// For readers that count.
    PassedOver,
}

/// What is done with the rows of each block.
type Each<'e> = dyn FnMut(&Packed, &mut Stats) -> Result<(), Error> + Send + 'e;

/// Hands over the rows of every block that overlaps the range.
pub async fn read(
    app: &App,
    tenant: &Tenant,
    range: TimeRange,
    copies: Copies,
    stats: &mut Stats,
    each: &mut Each<'_>,
) -> Result<Fresh, Error> {
    let mut fresh = Fresh::default();
    let mut spooled = HashSet::new();
    stats.catalog_requests += 1;
    let keys = app.catalog.spooled(tenant, MAX_SPOOLED).await?;
    fresh.partial |= keys.len() >= MAX_SPOOLED;
    for key in &keys {
        stats.r2_reads += 1;
        // One that is gone has come home since: its shard has it.
        let Some(bytes) = app.objects.get(key).await? else { continue };
        stats.bytes_read += bytes.len() as u64;
        let first_id = match Append::parse(&bytes) {
            Ok(append) => append.header.first_id,
            Err(corrupt) => {
                fresh.pass_over(app, key, &corrupt);
                continue;
            }
        };
        let known = copies == Copies::PassedOver && fresh.is_in_segments(app, tenant, first_id).await?;
        if !known && spooled.insert(first_id) {
            fresh.hand_over(app, key, &bytes, range, stats, each)?;
        }
    }
    for shard in app.shards_of(tenant) {
        stats.shard_requests += 1;
        // What is in segments can still be found; the answer says that it is not all.
        let Ok(unflushed) = app.shards.unflushed(&shard, range).await else {
            fresh.partial = true;
            continue;
        };
        fresh.partial |= unflushed.truncated;
        fresh.covered.push((shard.number, unflushed.from_seq));
        for bytes in unflushed.appends {
            if spooled.is_empty() || !spooled.contains(&first_id(&bytes)) {
                fresh.hand_over(app, "of a shard", &bytes, range, stats, each)?;
            }
        }
    }
    Ok(fresh)
}

impl Fresh {
    /// Whether everything a segment holds has been handed over already.
    pub fn covers(&self, entry: &CatalogEntry) -> bool {
        // What is merged was let go by its shards before.
        entry.id.merged.is_none()
            && self
                .covered
                .iter()
                .any(|(shard, from)| entry.id.shard == *shard && entry.id.first_seq >= *from)
    }

    /// Whether a segment holds some of what has been handed over and other rows: a shard that could not flush
    /// for an hour has done so since it was asked, and its segment was merged. Who counts, counts twice.
    pub fn is_older_than(&self, entry: &CatalogEntry) -> bool {
        let upto = entry.id.merged.iter().flat_map(|merged| &merged.upto);
        upto.into_iter().any(|(of, seq)| self.covered.iter().any(|(shard, from)| shard == of && seq >= from))
    }

    /// One append that cannot be read must not hide all the others.
    fn hand_over(
        &mut self,
        app: &App,
        name: &str,
        bytes: &[u8],
        range: TimeRange,
        stats: &mut Stats,
        each: &mut Each<'_>,
    ) -> Result<(), Error> {
        let mut work = || {
            let append = Append::parse(bytes)?;
            for (head, block) in append.blocks() {
                if range.overlaps(head.min_time, head.max_time) {
                    each(&rows::unpack(head.codec, block)?, stats)?;
                }
            }
            Ok(())
        };
        match work() {
            Err(Error::Corrupt(corrupt)) => {
                self.pass_over(app, name, &corrupt);
                Ok(())
            }
            done => done,
        }
    }

    fn pass_over(&mut self, app: &App, name: &str, corrupt: &Corrupt) {
        app.journal.error(&format!("append {name} was passed over: {corrupt}"));
        self.partial = true;
    }

    async fn is_in_segments(&mut self, app: &App, tenant: &Tenant, id: Uuid) -> Result<bool, Error> {
        match find::in_segments(app, tenant, id, |_| false, &mut scan::Stats::default()).await {
            Ok(found) => Ok(found.is_some()),
            Err(Error::Unavailable(_)) => {
                self.partial = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

fn first_id(append: &[u8]) -> Uuid {
    Append::parse(append).map(|append| append.header.first_id).unwrap_or_default()
}
