//! Which segments become one. A group is such that the segment it makes is always a single one: its rows, its
//! services and its minutes stay below what a segment may have. So every merge makes fewer segments of more, but for
//! one that is alone when its day is over: it is written anew for its words, without which no index can have it.

use std::collections::BTreeMap;

use crate::{
    app::jobs::merge,
    engine::{
        block::{key, summary},
        record::timestamp::Timestamp,
        shard::flush::{MAX_MINUTES, MAX_SERVICES},
    },
    ports::CatalogEntry,
};

/// A segment with so many raw bytes is merged with no other.
pub const LARGE_RAW_BYTES: u64 = 40 << 20;

/// Raw bytes of a merged segment at the most, some 64 MB as they were sent: a row takes more than what is sent of it. With the
/// mark above, one that is full has 48 MB or more.
const MAX_RAW_BYTES: u64 = 88 << 20;

/// Packed bytes of its sources at the most: the merged segment is held until it is written.
const MAX_SIZE_BYTES: u64 = 24 << 20;

/// Bytes that those sources take together whose times overlap.
const MAX_HELD_BYTES: u64 = 20 << 20;

/// Sources of a merged segment at the most.
const MAX_SOURCES: usize = 256;

/// What the plan must know of a segment.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub entry: CatalogEntry,
    reach: Reach,
}

impl Candidate {
    pub fn new(mut entry: CatalogEntry) -> Self {
        let mut reach = Reach::default();
        for (service, summary) in std::mem::take(&mut entry.services) {
            let (first, last) = (summary::minute(summary.first), summary::minute(summary.last));
            let is_sampled = summary.stored.is_some();
            reach.add(name_hash(&service), Minutes { rows: summary.rows, first, last, is_sampled });
        }
        Self { entry, reach }
    }

    fn held_bytes(&self) -> u64 {
        merge::held_bytes(self.entry.raw_bytes, self.entry.size_bytes)
    }
}

fn name_hash(service: &str) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    service.hash(&mut hasher);
    hasher.finish()
}

/// The minutes of a service's rows: no more than there are rows, and than there are from first to last. Those of rows
/// that stand for several records take the room of two: see `MAX_MINUTES`.
#[derive(Clone, Copy, Debug)]
struct Minutes {
    rows: u64,
    first: u32,
    last: u32,
    is_sampled: bool,
}

impl Minutes {
    fn and(self, other: Self) -> Self {
        let (first, last) = (self.first.min(other.first), self.last.max(other.last));
        let is_sampled = self.is_sampled || other.is_sampled;
        Self { rows: self.rows + other.rows, first, last, is_sampled }
    }

    fn most(self) -> u64 {
        let minutes = self.rows.min(u64::from(self.last.saturating_sub(self.first)) + 1);
        if self.is_sampled { minutes * 2 } else { minutes }
    }
}

/// Each service's minutes, by the hash of its name.
#[derive(Clone, Debug, Default)]
struct Reach {
    services: BTreeMap<u64, Minutes>,
    most_minutes: u64,
}

impl Reach {
    fn add(&mut self, service: u64, minutes: Minutes) {
        let known = self.services.get(&service).copied();
        let both = known.map_or(minutes, |known| known.and(minutes));
        self.most_minutes = self.most_minutes - known.map_or(0, Minutes::most) + both.most();
        self.services.insert(service, both);
    }

    /// With the other's, when that is no more than a catalog row takes.
    fn with(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        for (service, minutes) in &other.services {
            both.add(*service, *minutes);
        }
        let fits = both.services.len() <= MAX_SERVICES && both.most_minutes <= MAX_MINUTES as u64;
        fits.then_some(both)
    }
}

/// Segments that become one, or one that is written anew for its words.
#[derive(Debug)]
pub struct Group {
    pub sources: Vec<CatalogEntry>,
    pub raw_bytes: u64,
}

impl Group {
    pub fn is_for_words(&self) -> bool {
        self.sources.len() == 1
    }
}

/// The groups of one tenant's candidates, those of the oldest days first. A day that is over is merged whole;
/// of the others only what was flushed, and not what was merged already: each row is written twice at the
/// most, or three times where much of it came late.
pub fn groups(candidates: Vec<Candidate>, received_before: Timestamp) -> Vec<Group> {
    let today = key::day_path(received_before);
    let mut folders: BTreeMap<(String, String), Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        let Some(folder) = key::folder_of(&candidate.entry.key) else { continue };
        let day = day_of(folder).to_owned();
        if candidate.entry.id.merged.is_none() || day < today {
            folders.entry((day, folder.to_owned())).or_default().push(candidate);
        }
    }
    folders.into_iter().flat_map(|((day, _), some)| groups_of_folder(some, day < today)).collect()
}

/// The day at the end of a folder: `2025/11/20`.
fn day_of(folder: &str) -> &str {
    folder.rmatch_indices('/').nth(2).and_then(|(at, _)| folder.get(at + 1..)).unwrap_or(folder)
}

fn groups_of_folder(mut candidates: Vec<Candidate>, day_is_over: bool) -> Vec<Group> {
    candidates.sort_by(|a, b| (a.entry.min_time, &a.entry.key).cmp(&(b.entry.min_time, &b.entry.key)));
    let mut groups = Vec::new();
    let mut open = Open::default();
    for candidate in candidates {
        if !open.take(&candidate) {
            groups.extend(std::mem::take(&mut open).close(day_is_over));
            open.take(&candidate);
        }
    }
    groups.extend(open.close(day_is_over));
    groups
}

/// The group that candidates are being added to.
#[derive(Debug, Default)]
struct Open {
    sources: Vec<Candidate>,
    reach: Reach,
    raw_bytes: u64,
    size_bytes: u64,
}

impl Open {
    /// Adds a candidate that begins no earlier than the others; whether it fits.
    fn take(&mut self, candidate: &Candidate) -> bool {
        let entry = &candidate.entry;
        let (raw, size) = (self.raw_bytes + entry.raw_bytes, self.size_bytes + entry.size_bytes);
        let overlapping = self.sources.iter().filter(|source| source.entry.max_time >= entry.min_time);
        let held = overlapping.map(Candidate::held_bytes).sum::<u64>() + candidate.held_bytes();
        let fits = raw <= MAX_RAW_BYTES
            && size <= MAX_SIZE_BYTES
            && held <= MAX_HELD_BYTES
            && self.sources.len() < MAX_SOURCES;
        let reach = self.reach.with(&candidate.reach).filter(|_| fits);
        let Some(reach) = reach.or_else(|| self.sources.is_empty().then(|| candidate.reach.clone())) else {
            return false;
        };
        (self.reach, self.raw_bytes, self.size_bytes) = (reach, raw, size);
        self.sources.push(candidate.clone());
        true
    }

    fn close(self, day_is_over: bool) -> Option<Group> {
        let sources: Vec<CatalogEntry> = self.sources.into_iter().map(|source| source.entry).collect();
        let lacks_words = || day_is_over && sources.iter().any(CatalogEntry::is_wordless);
        (sources.len() > 1 || lacks_words()).then_some(Group { sources, raw_bytes: self.raw_bytes })
    }
}

#[cfg(test)]
mod tests;
