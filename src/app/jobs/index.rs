//! Partition indexes: the words of segments that are compacted go into an index, and small indexes become large
//! ones. See docs/decisions/0003-partition-index.md.

use std::collections::BTreeMap;

use futures::future::try_join_all;

use super::{compact::plan::LARGE_RAW_BYTES, merge::index_error};
use crate::{
    app::{App, Error, WAVE, scan},
    engine::{
        block::Corrupt,
        index::{
            self, Header, Merge, Options, Parts, Source, Step, names,
            plan::{self, Size},
        },
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        CatalogEntry,
        catalog::WalkFrom,
        partitions::{Member, Partition},
    },
};

/// A segment that is not large is taken after so long: until then it is likely to be merged with others.
const SETTLED_MS: i64 = 26 * 60 * 60 * 1_000;

/// Runs that go into one index at once: each is read by 64 KB.
const MAX_RUNS: usize = 96;

/// Segments that wait, taken by a run of the job: of all, and of one tenant, so that it keeps no other from it.
const MAX_WAITING: usize = 20_000;
const MAX_WAITING_OF_TENANT: usize = 10 * MAX_RUNS;
const PAGE: usize = 200;

/// Pairs that a run of the job writes. It has 15 minutes of CPU, and takes about 0.3 µs for each.
const MAX_PAIRS: u64 = 1 << 30;

/// The hour of the day, behind the nightly expiry, in which indexes are made anew that have lost so large a share of their
/// segments, or any and are so old: no word stays longer than that behind its segment.
const THINNING_HOUR: i64 = 4;
const LOST_SHARE: usize = 8;
const LOST_MS: i64 = 30 * 24 * HOUR_MS;
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// An index is written in objects of this size, and a zone more.
const PART_BYTES: usize = 8 << 20;
const ZONE_BYTES: usize = 4 << 20;

/// Words take about so many bytes of their run, by which their number is known before they are read.
const RUN_BYTES_OF_5_WORDS: u64 = 12;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    pub segments: u64,
    pub indexes_made: u64,
    pub indexes_gone: u64,
    pub pairs_written: u64,
}

/// Why an index cannot be made: a source that cannot be read, by its place among them, or any other reason.
enum Failed {
    Source(usize, String),
    Otherwise(Error),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Otherwise(error.into())
    }
}

/// Runs as of `now`, which the schedule gives. A tenant whose indexes fail keeps no other; the first reason is
/// what it ends with.
pub async fn index(app: &App, now: Timestamp) -> Result<Indexed, Error> {
    let mut indexed =
        Indexed { indexes_gone: app.partitions.dissolve_empty(now).await?, ..Indexed::default() };
    let mut groups: BTreeMap<String, (Vec<Partition>, Vec<CatalogEntry>)> = BTreeMap::new();
    for partition in app.partitions.all().await? {
        groups.entry(partition.tenant.clone()).or_default().0.push(partition);
    }
    for entry in waiting(app, now).await? {
        groups.entry(entry.id.tenant.clone()).or_default().1.push(entry);
    }
    let mut failed = None;
    // Who comes first changes by the hour, for when a run ends before it has come to all.
    let mut groups: Vec<_> = groups.into_iter().collect();
    let hour = usize::try_from(now.as_ms() / 3_600_000).unwrap_or_default();
    let first = hour % groups.len().max(1);
    groups.rotate_left(first);
    for (tenant, (partitions, waiting)) in groups {
        let suspects = Vec::new();
        let mut group = Group { app, now, tenant, partitions, suspects, indexed: &mut indexed };
        if let Err(error) = group.run(waiting).await {
            app.journal.error(&format!("an index of {} failed: {error}", group.tenant));
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(indexed), Err)
}

/// Segments that are as they will stay, and in no index.
async fn waiting(app: &App, now: Timestamp) -> Result<Vec<CatalogEntry>, Error> {
    let received_before = Timestamp::from_ms(now.as_ms() - SETTLED_MS);
    let mut all = Vec::new();
    let mut tenants: BTreeMap<String, usize> = BTreeMap::new();
    let mut from = WalkFrom::default();
    while all.len() < MAX_WAITING {
        let page = app.partitions.waiting(&from, LARGE_RAW_BYTES, received_before, PAGE).await?;
        let Some(last) = page.last() else { break };
        from = WalkFrom::behind(last);
        for entry in page {
            let seen = tenants.entry(entry.id.tenant.clone()).or_default();
            *seen += 1;
            if *seen <= MAX_WAITING_OF_TENANT {
                all.push(entry);
            }
        }
        if tenants.get(&from.tenant).is_some_and(|seen| *seen > MAX_WAITING_OF_TENANT) {
            // On to the next one.
            from.max_time_ms = i64::MAX;
        }
    }
    Ok(all)
}

/// One tenant's indexes.
struct Group<'a> {
    app: &'a App,
    now: Timestamp,
    tenant: String,
    partitions: Vec<Partition>,
    /// Indexes that could not be read once.
    suspects: Vec<u32>,
    indexed: &'a mut Indexed,
}

fn size(partition: &Partition) -> Size {
    Size { pairs: partition.pairs, segments: partition.segments }
}

fn size_of_runs(entries: &[CatalogEntry]) -> Size {
    let bytes: u64 = entries.iter().filter_map(|entry| entry.words_bytes).sum();
    Size {
        pairs: bytes * 5 / RUN_BYTES_OF_5_WORDS,
        segments: u32::try_from(entries.len()).unwrap_or(u32::MAX),
    }
}

impl Group<'_> {
    async fn run(&mut self, waiting: Vec<CatalogEntry>) -> Result<(), Error> {
        for some in waiting.chunks(MAX_RUNS) {
            let mut new = some.to_vec();
            while !new.is_empty() && self.indexed.pairs_written < MAX_PAIRS {
                let known: Vec<(u32, Size)> = self.sizes();
                let chosen = plan::with_new(&known, size_of_runs(&new));
                if self.make(&mut new, &chosen).await? {
                    break;
                }
            }
            self.merge_alike().await?;
        }
        self.merge_alike().await?;
        self.thin_out().await
    }

    /// Makes indexes anew that have lost segments: short terms end before long ones. Once a day, because it counts the
    /// segments of each.
    async fn thin_out(&mut self) -> Result<(), Error> {
        if self.now.as_ms().div_euclid(HOUR_MS).rem_euclid(24) != THINNING_HOUR {
            return Ok(());
        }
        let mut read = 0;
        for partition in self.partitions.clone() {
            let listed = self.app.partitions.members(&partition.tenant, partition.number).await?.len();
            let lost = (partition.segments as usize).saturating_sub(listed);
            // Its number is the second in which it was made, or a little later.
            let age_ms = self.now.as_ms() - i64::from(partition.number) * 1_000;
            let is_due = lost * LOST_SHARE >= partition.segments as usize || age_ms >= LOST_MS;
            if listed == 0 || lost == 0 || !is_due {
                continue;
            }
            // One a night, however large it is.
            if read > 0 && self.indexed.pairs_written + read + partition.pairs > MAX_PAIRS {
                continue;
            }
            read += partition.pairs;
            // Once more if it cannot be read: then it is given up.
            while self.partitions.contains(&partition)
                && !self.make(&mut Vec::new(), &[partition.number]).await?
            {}
        }
        Ok(())
    }

    async fn merge_alike(&mut self) -> Result<(), Error> {
        while self.indexed.pairs_written < MAX_PAIRS {
            let chosen = plan::among(&self.sizes());
            if chosen.is_empty() {
                break;
            }
            self.make(&mut Vec::new(), &chosen).await?;
        }
        Ok(())
    }

    fn sizes(&self) -> Vec<(u32, Size)> {
        self.partitions.iter().map(|partition| (partition.number, size(partition))).collect()
    }

    /// Makes one index of these. `false`: one of them cannot be read and is among them no more.
    async fn make(&mut self, new: &mut Vec<CatalogEntry>, chosen: &[u32]) -> Result<bool, Error> {
        let gone: Vec<Partition> =
            self.partitions.iter().filter(|partition| chosen.contains(&partition.number)).cloned().collect();
        match self.try_make(new, &gone).await {
            Ok(()) => Ok(true),
            Err(Failed::Source(nth, why)) => {
                if let Some(partition) = nth.checked_sub(new.len()).and_then(|nth| gone.get(nth)) {
                    // Its words cannot be had again, so it is tried twice.
                    if !self.suspects.contains(&partition.number) {
                        self.suspects.push(partition.number);
                        return Ok(false);
                    }
                    // Its segments are found without it, as those that are in no index are.
                    self.app.journal.error(&format!("index {} is given up: {why}", partition.name));
                    self.app.partitions.dissolve(partition, self.now).await?;
                    self.forget(partition);
                } else if nth < new.len() {
                    let entry = new.remove(nth);
                    self.app.journal.error(&format!("segment {} cannot be indexed: {why}", entry.key));
                    let run: Vec<String> = names::run_key(&entry.key).into_iter().collect();
                    self.app.catalog.note_removals(&run, self.now).await?;
                    self.app.partitions.set_runs(&[(WalkFrom::behind(&entry), None)]).await?;
                }
                Ok(false)
            }
            Err(Failed::Otherwise(error)) => Err(error),
        }
    }

    fn forget(&mut self, partition: &Partition) {
        self.partitions.retain(|one| one.number != partition.number);
        self.indexed.indexes_gone += 1;
    }

    async fn try_make(&mut self, new: &[CatalogEntry], gone: &[Partition]) -> Result<(), Failed> {
        let app = self.app;
        let mut making =
            Making { app, members: Vec::new(), keys: Vec::new(), sources: Vec::new(), from: Vec::new() };
        for entry in new {
            making.add_run(entry)?;
        }
        let tenant = Tenant::stored(&self.tenant);
        let tenant = tenant.ok_or_else(|| Corrupt::damaged("catalog", "a tenant has no tenant's name"))?;
        for partition in gone {
            making.add_index(&tenant, partition).await?;
        }
        let whole = gone.iter().map(size).fold(size_of_runs(new), |sum, one| Size {
            pairs: sum.pairs + one.pairs,
            segments: sum.segments.saturating_add(one.segments),
        });
        let number = next_number(app, &self.tenant, self.now).await?;
        let name = names::index_name(&self.tenant, number, app.random.bits());
        let members = std::mem::take(&mut making.members);
        let (header, parts) = making.run(&name, whole.pairs, self.now).await?;
        let times = || {
            let new = new.iter().map(|entry| (entry.min_time, entry.max_time));
            new.chain(gone.iter().map(|partition| (partition.min_time, partition.max_time)))
        };
        let partition = Partition {
            tenant: self.tenant.clone(),
            number,
            name,
            min_time: times().map(|(min, _)| min).min().unwrap_or(Timestamp::MAX),
            max_time: times().map(|(_, max)| max).max().unwrap_or(Timestamp::from_ms(0)),
            pairs: header.pairs,
            segments: header.segments(),
            parts,
        };
        self.indexed.pairs_written += header.pairs;
        if app.partitions.put(&partition, &header.encode(), &members, gone, self.now).await? {
            self.indexed.segments += new.len() as u64;
            self.indexed.indexes_made += 1;
            for partition in gone {
                self.forget(partition);
            }
            self.partitions.push(partition);
            return Ok(());
        }
        // Another run has them.
        self.partitions.retain(|one| !gone.contains(one));
        Ok(())
    }
}

/// The number of a tenant's next index: greater than all before, also those that are gone, and those that a catalog
/// which was lost had known.
pub(in crate::app) async fn next_number(app: &App, tenant: &str, now: Timestamp) -> Result<u32, Error> {
    let seconds = u32::try_from(now.as_ms() / 1_000).unwrap_or(u32::MAX);
    Ok(app.partitions.last_number(tenant).await?.saturating_add(1).max(seconds))
}

/// An index that is being made.
struct Making<'a> {
    app: &'a App,
    members: Vec<Member>,
    keys: Vec<String>,
    sources: Vec<Source>,
    from: Vec<Object>,
}

/// Where a source is read.
enum Object {
    Run(String),
    Index(Partition),
}

impl Making<'_> {
    fn add_run(&mut self, entry: &CatalogEntry) -> Result<(), Failed> {
        let ordinal = self.next_ordinal()?;
        let key = names::run_key(&entry.key).unwrap_or_default();
        self.sources.push(Source::run(entry.words_bytes.unwrap_or_default(), ordinal));
        self.from.push(Object::Run(key));
        self.members.push(Member::New { max_time_ms: entry.max_time.as_ms(), key: entry.key.clone() });
        self.keys.push(entry.key.clone());
        Ok(())
    }

    /// Takes over those segments of an index that are still listed.
    async fn add_index(&mut self, tenant: &Tenant, partition: &Partition) -> Result<(), Failed> {
        let nth = self.sources.len();
        let damaged = |reason: &dyn ToString| Failed::Source(nth, reason.to_string());
        let headers = self.app.partitions.headers(tenant, &[partition.number]).await?;
        let (_, bytes) = headers.first().ok_or_else(|| damaged(&"it is not in the catalog"))?;
        let header = Header::decode(bytes).and_then(|header| header.of(names::identity(&partition.name)));
        let header = header.map_err(|corrupt| damaged(&corrupt))?;
        let mut map = vec![None; header.segments() as usize];
        for (ordinal, key) in self.app.partitions.members(tenant.as_str(), partition.number).await? {
            let new = self.next_ordinal()?;
            let place = map.get_mut(usize::from(ordinal));
            *place.ok_or_else(|| damaged(&"it has not the segments that the catalog says"))? = Some(new);
            self.members.push(Member::Old { partition: partition.number, ordinal });
            self.keys.push(key);
        }
        self.sources.push(Source::index(&header, map).map_err(|error| damaged(&error))?);
        self.from.push(Object::Index(partition.clone()));
        Ok(())
    }

    fn next_ordinal(&self) -> Result<index::Ordinal, Failed> {
        let next = index::Ordinal::try_from(self.keys.len()).ok();
        let too_many = || index_error(index::Error::TooManySegments(self.keys.len()));
        next.filter(|_| self.keys.len() < index::MAX_SEGMENTS).ok_or_else(|| too_many().into())
    }

    /// Writes the index. Each of its objects is noted for removal before it is written.
    async fn run(self, name: &str, pairs: u64, now: Timestamp) -> Result<(Header, Parts), Failed> {
        let Self { app, keys, sources, from, .. } = self;
        let options = Options::for_pairs(names::identity(name), pairs);
        let mut merge = Merge::new(&options, keys, sources).map_err(index_error)?;
        let mut parts = Vec::new();
        let mut open = Vec::with_capacity(PART_BYTES + ZONE_BYTES);
        loop {
            let step = merge.step().map_err(|error| broken(&merge, error))?;
            match step {
                Step::Read(needs) => {
                    for some in needs.chunks(WAVE) {
                        let mut reads = Vec::with_capacity(some.len());
                        for need in some {
                            reads.push(read(app, &from, need));
                        }
                        for (need, bytes) in some.iter().zip(try_join_all(reads).await?) {
                            let fed = merge.feed(need.source, &bytes);
                            fed.map_err(|error| Failed::Source(need.source, error.to_string()))?;
                        }
                    }
                }
                Step::Write(bytes) => {
                    open.extend_from_slice(&bytes);
                    if open.len() >= PART_BYTES {
                        put(app, name, &mut open, &mut parts, now).await?;
                        open.reserve_exact(PART_BYTES + ZONE_BYTES);
                    }
                }
                Step::Done => break,
            }
        }
        put(app, name, &mut open, &mut parts, now).await?;
        Ok((merge.header().clone(), Parts::new(parts)?))
    }
}

/// Which source is to blame.
fn broken(merge: &Merge, error: index::Error) -> Failed {
    match merge.broken() {
        Some(source) => Failed::Source(source, error.to_string()),
        None => Failed::Otherwise(index_error(error)),
    }
}

async fn put(
    app: &App,
    name: &str,
    open: &mut Vec<u8>,
    parts: &mut Vec<u64>,
    now: Timestamp,
) -> Result<(), Error> {
    if open.is_empty() {
        return Ok(());
    }
    let key = names::part_key(name, parts.len());
    app.catalog.note_removals(std::slice::from_ref(&key), now).await?;
    parts.push(open.len() as u64);
    app.objects.put(&key, std::mem::take(open)).await?;
    Ok(())
}

async fn read(app: &App, from: &[Object], need: &index::merge::Need) -> Result<Vec<u8>, Failed> {
    let damaged = |reason: &dyn ToString| Failed::Source(need.source, reason.to_string());
    match from.get(need.source) {
        Some(Object::Run(key)) => {
            let length = need.range.end - need.range.start;
            let read = app.objects.get_range(key, need.range.start, length).await?;
            read.ok_or_else(|| damaged(&"its words are not in the bucket"))
        }
        Some(Object::Index(partition)) => match scan::read_index(app, partition, &need.range).await {
            Ok((bytes, _)) => Ok(bytes),
            Err(Error::Corrupt(corrupt)) => Err(damaged(&corrupt)),
            Err(error) => Err(error.into()),
        },
        None => Err(damaged(&"there is no such source")),
    }
}
