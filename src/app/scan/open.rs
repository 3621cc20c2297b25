//! Opening segments: their footers, filters and bytes, and what the isolate keeps of them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::future::join_all;

use super::{Stats, Vanished, recent::Recent};
use crate::{
    app::{App, Error, WAVE},
    engine::{
        block::{Corrupt, Opened, Parts, reader, view},
        query::Filters,
    },
    ports::CatalogEntry,
};

/// A segment up to this size is read whole: one operation costs more than the bytes.
const WHOLE_BELOW_BYTES: u64 = 512 << 10;

/// The same of one that is sure to be wanted, because an index points to it; and of those that are brought
/// together, how many and how large.
const WANTED_WHOLE_BYTES: u64 = 4 << 20;
pub(super) const MAX_BROUGHT: usize = 8;
const MAX_BROUGHT_BYTES: u64 = 24 << 20;

/// What the isolate keeps of segments, of its 128 MB.
const MAX_CACHED_BYTES: usize = 32 << 20;

/// Filters up to this size are read with the footer, without being asked for.
const MAX_FILTERS_BYTES: u64 = 2 << 20;

/// The newest blocks stand before the filters: so much of them comes along where the newest rows are likely to be enough.
const NEWEST_BYTES: u64 = 256 << 10;

/// A part up to this size is kept: what a search of few rows reads, and not what an export does.
const MAX_PART_BYTES: u64 = 512 << 10;

/// What the isolate keeps of what was read of blocks, and of one block at the most.
const MAX_PARTS_BYTES: usize = 8 << 20;
const MAX_PARTS_OF_BLOCK_BYTES: usize = 2 << 20;

/// A segment opened for reading. Segments never change, so it is kept for the next reader.
pub struct Held {
    pub key: Arc<str>,
    pub opened: Opened,
    /// All of the segment, when it is small.
    whole: Option<Bytes>,
    /// The filters as they came with the footer, with where they begin; until the first search has taken its own.
    packed_filters: Mutex<Option<(u64, Bytes)>>,
    filters: Mutex<BTreeMap<u32, Bytes>>,
    /// Parts that have been read, by their offsets.
    parts: Mutex<BTreeMap<u64, Bytes>>,
}

impl Held {
    fn weight(&self) -> usize {
        let filters = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        self.opened.weight()
            + self.whole.as_ref().map_or(0, Bytes::len)
            + self.packed_filters().as_ref().map_or(0, |(_, packed)| packed.len())
            + filters.values().map(Bytes::len).sum::<usize>()
            + self.parts().values().map(Bytes::len).sum::<usize>()
    }

    fn packed_filters(&self) -> MutexGuard<'_, Option<(u64, Bytes)>> {
        self.packed_filters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<u64, Bytes>> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part at this place, if it is at hand or in one that is.
    fn part(&self, offset: u64, length: u64) -> Option<Bytes> {
        let parts = self.parts();
        let (from, part) = parts.range(..=offset).next_back()?;
        let range =
            usize::try_from(offset - from).ok()?..usize::try_from(offset.checked_add(length)? - from).ok()?;
        (range.end <= part.len()).then(|| part.slice(range))
    }

    /// Whether reading this part costs an operation.
    pub fn costs_a_read(&self, offset: u64, length: u64) -> bool {
        self.whole.is_none() && self.part(offset, length).is_none()
    }

    /// The filters that are at hand.
    pub fn filters(&self) -> AtHand {
        AtHand(self.filters.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Bytes of the segment; a small part is kept for the next reader.
    pub async fn read(&self, app: &App, offset: u64, length: u64) -> Result<Result<Bytes, Vanished>, Error> {
        if let Some(part) = self.part(offset, length) {
            return Ok(Ok(part));
        }
        let Ok(bytes) = self.fetch(app, offset, length).await? else { return Ok(Err(Vanished)) };
        if length <= MAX_PART_BYTES && self.whole.is_none() {
            self.parts().insert(offset, bytes.clone());
            app.segments.weigh(&self.key);
        }
        Ok(Ok(bytes))
    }

    async fn fetch(&self, app: &App, offset: u64, length: u64) -> Result<Result<Bytes, Vanished>, Error> {
        let Some(whole) = &self.whole else {
            let read = app.objects.get_range(&self.key, offset, length).await?;
            return Ok(read.map(Bytes::from).ok_or(Vanished));
        };
        let range = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
        let there =
            range.filter(|(from, length)| from.checked_add(*length).is_some_and(|end| end <= whole.len()));
        let Some((from, length)) = there else {
            return Err(Corrupt::damaged("footer", "it leads outside of its segment").into());
        };
        Ok(Ok(whole.slice(from..from + length)))
    }

    /// Makes sure that the filters of these columns are at hand: one read for all that are not.
    pub async fn load_filters(
        &self,
        app: &App,
        columns: &[u32],
        stats: &mut Stats,
    ) -> Result<Result<(), Vanished>, Error> {
        let known = self.filters();
        let places: Vec<_> = columns
            .iter()
            .filter(|column| known.of(**column).is_none())
            .filter_map(|column| Some((*column, self.opened.footer.columns.get(*column as usize)?.filters?)))
            .collect();
        let Some(from) = places.iter().map(|(_, place)| place.offset).min() else { return Ok(Ok(())) };
        let end =
            places.iter().map(|(_, place)| place.offset.saturating_add(place.length)).max().unwrap_or(from);
        let packed = self.packed_filters().take();
        let at_hand = packed.and_then(|(at, packed)| {
            let range =
                usize::try_from(from.checked_sub(at)?).ok()?..usize::try_from(end.checked_sub(at)?).ok()?;
            (range.start <= range.end && range.end <= packed.len()).then(|| packed.slice(range))
        });
        let bytes = if let Some(bytes) = at_hand {
            bytes
        } else {
            let Ok(bytes) = self.fetch(app, from, end - from).await? else { return Ok(Err(Vanished)) };
            if self.whole.is_none() {
                stats.r2_reads += 1;
                stats.bytes_read += bytes.len() as u64;
            }
            bytes
        };
        let mut read = Vec::with_capacity(places.len());
        for (column, place) in places {
            let at = usize::try_from(place.offset - from).ok().zip(usize::try_from(place.length).ok());
            let member =
                at.and_then(|(at, length)| bytes.get(at..at.checked_add(length)?)).unwrap_or_default();
            read.push((column, Bytes::from(view::filters(member)?)));
        }
        self.filters.lock().unwrap_or_else(PoisonError::into_inner).extend(read);
        app.segments.weigh(&self.key);
        Ok(Ok(()))
    }
}

/// Filters of some columns.
pub struct AtHand(BTreeMap<u32, Bytes>);

impl Filters for AtHand {
    fn of(&self, column: u32) -> Option<&[u8]> {
        self.0.get(&column).map(|bytes| &**bytes)
    }
}

/// Segments that the isolate has opened, and what it has read of their blocks, the ones used last.
pub struct Cache {
    held: Recent<Arc<str>, Arc<Held>>,
    parts: Recent<(Arc<str>, usize), Parts>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { held: Recent::new(MAX_CACHED_BYTES), parts: Recent::new(MAX_PARTS_BYTES) }
    }
}

impl Cache {
    fn get(&self, key: &str) -> Option<Arc<Held>> {
        self.held.get(key)
    }

    /// What readers before have read of a block.
    pub(super) fn parts_of(&self, held: &Held, block: usize) -> Parts {
        self.parts.get(&(held.key.clone(), block)).unwrap_or_default()
    }

    /// Keeps what was read of a block for the next reader.
    pub(super) fn keep_parts(&self, held: &Held, block: usize, parts: Parts) {
        let weight = parts.weight();
        if weight <= MAX_PARTS_OF_BLOCK_BYTES {
            self.parts.put((held.key.clone(), block), parts, weight);
        }
    }

    fn put(&self, held: &Arc<Held>) {
        self.held.put(held.key.clone(), held.clone(), held.weight());
    }

    /// Weighs a segment again of which more is held than before.
    fn weigh(&self, key: &str) {
        self.held.weigh(key, |held| held.weight());
    }

    /// About the bytes it holds.
    #[cfg(test)]
    fn weight(&self) -> usize {
        self.held.weight()
    }
}

/// Opens a segment: its footer is read with what else a search is likely to ask, and all of it where that is as cheap.
pub async fn open(
    app: &App,
    entry: &CatalogEntry,
    reads: Reads,
    stats: &mut Stats,
) -> Result<Result<Arc<Held>, Vanished>, Error> {
    stats.segments += 1;
    let held = match app.segments.get(&entry.key) {
        Some(held) => held,
        None => match read(app, entry, reads, stats).await? {
            Ok(held) => held,
            Err(vanished) => return Ok(Err(vanished)),
        },
    };
    stats.blocks_total += held.opened.footer.blocks.len() as u64;
    Ok(Ok(held))
}

/// What is read of a segment that is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    Footer,
    Filters,
    /// The filters and the newest blocks.
    Newest,
    Whole,
}

/// Opens segments that indexes point to, all at once: each takes one read then, and they wait for each other's no
/// longer. What goes wrong is met again where they are looked into.
pub(super) async fn bring(app: &App, entries: &[&CatalogEntry], stats: &mut Stats) {
    let mut room = MAX_BROUGHT_BYTES;
    let missing = |entry: &&&CatalogEntry| {
        let fits = entry.size_bytes <= WANTED_WHOLE_BYTES && app.segments.get(&entry.key).is_none();
        let left = room.checked_sub(entry.size_bytes).filter(|_| fits);
        room = left.unwrap_or(room);
        left.is_some()
    };
    let wanted: Vec<&CatalogEntry> = entries.iter().filter(missing).copied().collect();
    for some in wanted.chunks(WAVE) {
        let mut reads = Vec::with_capacity(some.len());
        for entry in some {
            reads.push(async move {
                let mut cost = Stats::default();
                drop(read(app, entry, Reads::Whole, &mut cost).await);
                cost
            });
        }
        join_all(reads).await.iter().for_each(|cost| stats.add(cost));
    }
}

async fn read(
    app: &App,
    entry: &CatalogEntry,
    reads: Reads,
    stats: &mut Stats,
) -> Result<Result<Arc<Held>, Vanished>, Error> {
    let whole = entry.size_bytes <= WHOLE_BELOW_BYTES || reads == Reads::Whole;
    stats.r2_reads += 1;
    let filters = entry.filters_offset.filter(|at| {
        let length = entry.footer_offset.checked_sub(*at);
        let asked = matches!(reads, Reads::Filters | Reads::Newest);
        asked && length.is_some_and(|length| length <= MAX_FILTERS_BYTES)
    });
    let newest = if reads == Reads::Newest { NEWEST_BYTES } else { 0 };
    let from = match filters {
        _ if whole => 0,
        Some(at) => at.saturating_sub(newest),
        None => entry.footer_offset,
    };
    let read = if whole {
        app.objects.get(&entry.key).await?
    } else {
        app.objects.get_range(&entry.key, from, entry.size_bytes.saturating_sub(from)).await?
    };
    let Some(bytes) = read.map(Bytes::from) else { return Ok(Err(Vanished)) };
    stats.bytes_read += bytes.len() as u64;
    let tail = if whole {
        reader::tail_of(&bytes)?
    } else {
        let at = usize::try_from(entry.footer_offset.saturating_sub(from)).unwrap_or(usize::MAX);
        bytes.get(at..).unwrap_or_default()
    };
    let footer = reader::footer_for_rows(tail)?;
    let before = |at: u64| usize::try_from(at.saturating_sub(from)).unwrap_or(usize::MAX).min(bytes.len());
    let filters = filters.filter(|_| !whole).map(|at| (at, bytes.slice(before(at)..)));
    let blocks = filters
        .as_ref()
        .map(|(at, _)| Bytes::copy_from_slice(bytes.get(..before(*at)).unwrap_or_default()))
        .filter(|blocks| !blocks.is_empty());
    let held = Arc::new(Held {
        key: entry.key.as_str().into(),
        opened: Opened::new(footer)?,
        whole: whole.then_some(bytes),
        packed_filters: Mutex::new(filters),
        filters: Mutex::default(),
        parts: Mutex::new(blocks.map(|blocks| (from, blocks)).into_iter().collect()),
    });
    app.segments.put(&held);
    Ok(Ok(held))
}

#[cfg(test)]
mod tests;
