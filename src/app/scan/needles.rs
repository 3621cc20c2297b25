//! Which segments can hold some words, as the partition indexes say: one small read for each word and index.
//! What an index does not know, or cannot tell because it is damaged, is among the segments as well.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use bytes::Bytes;
use futures::future::{join_all, try_join_all};

use super::{Stats, recent::Recent};
use crate::{
    app::{App, Error, WAVE},
    engine::{
        block::Corrupt,
        index::{Header, Lookup, Ordinal, names},
        query::TimeRange,
        tenant::Tenant,
    },
    ports::{
        CatalogEntry,
        partitions::{Partition, Wanted},
    },
};

/// Words that are looked for: the longest, which are the rarest. And how many of them at first; the others where
/// these leave more segments than that.
const MAX_WORDS: usize = 6;
const FIRST_WORDS: usize = 2;
const FEW: usize = 8;

/// Reads that looking words up may cost. Segments of indexes that are not asked then are all looked into.
const MAX_READS: u64 = 120;

/// Segments that are asked for one by one, all at once; of an index with more, the listing is walked.
const MAX_SOME: usize = 200;

/// What the isolate keeps of indexes, of its 128 MB: headers and pages.
const MAX_CACHED_BYTES: usize = 8 << 20;

/// About what a header takes for each byte that it is stored in.
const HEADER_WEIGHT: usize = 2;

/// Headers and pages of indexes. Indexes never change, so they are kept for the next reader.
pub struct Cache(Recent<Part, Kept>);

/// An index's name, and a range of its bytes, or nothing for its header.
type Part = (Arc<str>, Option<(u64, u64)>);

#[derive(Clone, Debug)]
enum Kept {
    Header(Arc<Header>),
    Bytes(Bytes),
}

impl Default for Cache {
    fn default() -> Self {
        Self(Recent::new(MAX_CACHED_BYTES))
    }
}

impl Cache {
    fn header(&self, name: &str) -> Option<Arc<Header>> {
        match self.0.get(&(name.into(), None)) {
            Some(Kept::Header(header)) => Some(header),
            _ => None,
        }
    }

    fn bytes(&self, name: &str, range: &Range<u64>) -> Option<Bytes> {
        match self.0.get(&(name.into(), Some((range.start, range.end)))) {
            Some(Kept::Bytes(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

/// What the indexes have said.
#[derive(Debug)]
pub(super) struct Needles {
    pub(super) wanted: Wanted,
    /// Of the partitions that are listed as a whole, the segments that can hold all words, in order.
    many: BTreeMap<u32, Vec<Ordinal>>,
}

impl Needles {
    /// Whether the segment's index says that it does not hold all words.
    pub(super) fn rules_out(&self, entry: &CatalogEntry) -> bool {
        let Some((partition, ordinal)) = entry.indexed else { return false };
        self.many.get(&partition).is_some_and(|found| found.binary_search(&ordinal).is_err())
    }
}

/// Asks the indexes of a range for segments that can hold all of these words. `None` when there are none to ask.
pub(super) async fn look_up(
    app: &App,
    tenant: &Tenant,
    range: TimeRange,
    words: &[u64],
    stats: &mut Stats,
) -> Result<Option<Needles>, Error> {
    if words.is_empty() {
        return Ok(None);
    }
    let words = words.get(..MAX_WORDS).unwrap_or(words);
    stats.catalog_requests += 1;
    let overlapping = app.partitions.overlapping(tenant, range).await?;
    if overlapping.partitions.is_empty() {
        return Ok(None);
    }
    let mut needles =
        Needles { wanted: Wanted { known: overlapping.known, ..Wanted::default() }, many: BTreeMap::new() };
    let mut room = MAX_SOME;
    // To ask the index of one segment costs as much as to ask the segment, which has the number 0 there.
    let (worth, single): (Vec<_>, Vec<_>) =
        overlapping.partitions.into_iter().partition(|partition| partition.segments > 1);
    let (some, others) = single.split_at(single.len().min(room));
    room -= some.len();
    needles.wanted.some.extend(some.iter().map(|partition| (partition.number, vec![0])));
    needles.wanted.all.extend(others.iter().map(|partition| partition.number));
    stats.catalog_requests += u64::from(!worth.is_empty());
    let headers = headers(app, tenant, &worth).await?;
    for some in worth.chunks(WAVE) {
        if stats.r2_reads >= MAX_READS {
            needles.wanted.all.extend(some.iter().map(|partition| partition.number));
            continue;
        }
        let mut asked = Vec::with_capacity(some.len());
        for partition in some {
            asked.push(ask(app, partition, headers.get(&partition.number).cloned(), words));
        }
        for (partition, (found, spent)) in some.iter().zip(join_all(asked).await) {
            stats.add(&spent);
            match found {
                Ok(found) if found.is_empty() => {}
                Ok(found) if found.len() <= room => {
                    room -= found.len();
                    needles.wanted.some.push((partition.number, found));
                }
                Ok(found) => {
                    needles.wanted.all.push(partition.number);
                    needles.many.insert(partition.number, found);
                }
                // The logs are in the segments, and can be found without it.
                Err(Error::Corrupt(corrupt)) => {
                    app.journal.error(&format!("index {} was passed over: {corrupt}", partition.name));
                    needles.wanted.all.push(partition.number);
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(Some(needles))
}

/// The headers of indexes, as far as they can be read.
async fn headers(
    app: &App,
    tenant: &Tenant,
    partitions: &[Partition],
) -> Result<BTreeMap<u32, Arc<Header>>, Error> {
    let mut headers = BTreeMap::new();
    let mut missing = BTreeMap::new();
    for partition in partitions {
        match app.indexes.header(&partition.name) {
            Some(header) => drop(headers.insert(partition.number, header)),
            None => drop(missing.insert(partition.number, partition)),
        }
    }
    if missing.is_empty() {
        return Ok(headers);
    }
    let numbers: Vec<u32> = missing.keys().copied().collect();
    for (number, bytes) in app.partitions.headers(tenant, &numbers).await? {
        let Some(partition) = missing.get(&number) else { continue };
        match Header::decode(&bytes).and_then(|header| header.of(names::identity(&partition.name))) {
            Ok(header) => {
                let header = Arc::new(header);
                let key = (partition.name.as_str().into(), None);
                app.indexes.0.put(key, Kept::Header(header.clone()), bytes.len() * HEADER_WEIGHT);
                headers.insert(number, header);
            }
            Err(corrupt) => app.journal.error(&format!("index {}: {corrupt}", partition.name)),
        }
    }
    Ok(headers)
}

/// The segments of an index that can hold all of these words.
async fn ask(
    app: &App,
    partition: &Partition,
    header: Option<Arc<Header>>,
    words: &[u64],
) -> (Result<Vec<Ordinal>, Error>, Stats) {
    let mut stats = Stats { indexes: 1, ..Stats::default() };
    let found = match header {
        Some(header) => ask_header(app, partition, &header, words, &mut stats).await,
        None => Err(Corrupt::damaged("index header", "it cannot be read").into()),
    };
    (found, stats)
}

async fn ask_header(
    app: &App,
    partition: &Partition,
    header: &Header,
    words: &[u64],
    stats: &mut Stats,
) -> Result<Vec<Ordinal>, Error> {
    let (first, others) = words.split_at(FIRST_WORDS.min(words.len()));
    let found = ask_words(app, partition, header, first, stats).await?;
    if found.len() <= FEW || others.is_empty() {
        return Ok(found);
    }
    let mut others = ask_words(app, partition, header, others, stats).await?;
    others.retain(|ordinal| found.binary_search(ordinal).is_ok());
    Ok(others)
}

async fn ask_words(
    app: &App,
    partition: &Partition,
    header: &Header,
    words: &[u64],
    stats: &mut Stats,
) -> Result<Vec<Ordinal>, Error> {
    let mut lookup = Lookup::new(header, words);
    loop {
        let wants = lookup.wants();
        if wants.is_empty() || lookup.is_excluded() {
            return Ok(lookup.found_all()?);
        }
        let mut reads = Vec::with_capacity(wants.len());
        for range in &wants {
            reads.push(page(app, partition, range));
        }
        for (range, (bytes, reads)) in wants.iter().zip(try_join_all(reads).await?) {
            stats.r2_reads += reads;
            stats.bytes_read += if reads > 0 { bytes.len() as u64 } else { 0 };
            lookup.feed(range, &bytes)?;
        }
    }
}

/// Some pages of an index, and how many reads they took.
async fn page(app: &App, partition: &Partition, range: &Range<u64>) -> Result<(Bytes, u64), Error> {
    if let Some(bytes) = app.indexes.bytes(&partition.name, range) {
        return Ok((bytes, 0));
    }
    let (bytes, reads) = read(app, partition, range).await?;
    let bytes = Bytes::from(bytes);
    let key = (partition.name.as_str().into(), Some((range.start, range.end)));
    app.indexes.0.put(key, Kept::Bytes(bytes.clone()), bytes.len());
    Ok((bytes, reads))
}

/// Bytes of an index, and how many reads they took.
pub(in crate::app) async fn read(
    app: &App,
    partition: &Partition,
    range: &Range<u64>,
) -> Result<(Vec<u8>, u64), Error> {
    let mut bytes = Vec::new();
    let pieces = partition.parts.pieces(range)?;
    for piece in &pieces {
        let key = names::part_key(&partition.name, piece.part);
        let length = piece.range.end - piece.range.start;
        let read = app.objects.get_range(&key, piece.range.start, length).await?;
        let read = read.ok_or_else(|| Corrupt::damaged("index", "it is not in the bucket"))?;
        if bytes.is_empty() {
            bytes = read;
        } else {
            bytes.extend_from_slice(&read);
        }
    }
    Ok((bytes, pieces.len() as u64))
}
