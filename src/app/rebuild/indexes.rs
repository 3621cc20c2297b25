//! What the catalog says of partition indexes and runs, made again from the bucket: after the segments, as they
//! are told by the segments' keys. What belongs to no segment is noted for removal: all of it can be made again.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{MAX_NOTED, PAGE, Rebuilt};
use crate::{
    app::{App, Error, jobs::index::next_number, scan},
    engine::{
        block::Corrupt,
        index::{
            Header, Ordinal, Parts,
            header::Opened,
            keys,
            names::{self, PartName},
        },
        record::timestamp::Timestamp,
    },
    ports::{
        catalog::WalkFrom,
        partitions::{Member, Partition},
    },
};

/// Indexes that one call lists: each takes a handful of operations, of which a request may use 1,000.
const MAX_LISTED: u64 = 60;

/// Where the next call goes on that has nothing to do but this: behind all segments.
const BEHIND_ALL: &str = "logs/~";

/// An index whose objects are there, and which the catalog has not.
type Found = BTreeMap<usize, u64>;

pub(super) async fn again(app: &App, rebuilt: &mut Rebuilt) -> Result<(), Error> {
    let objects = super::objects(app, names::FOLDER).await?;
    let noted: HashSet<String> = app.catalog.removals(Timestamp::MAX, MAX_NOTED).await?.into_iter().collect();
    // In this order: what is being made is noted before it is written, and until it is listed.
    let known = app.partitions.all().await?;
    let known: HashSet<String> = known.into_iter().map(|one| one.name).collect();
    let places = places(app).await?;
    let mut indexes: BTreeMap<(u32, String), (PartName, Found)> = BTreeMap::new();
    let mut runs = Vec::new();
    let mut strange = Vec::new();
    for (key, size) in objects.into_iter().filter(|(key, _)| !noted.contains(key)) {
        if let Some(part) = PartName::parse(&key) {
            if !known.contains(&part.name) {
                let id = (part.partition, part.name.clone());
                let number = part.part;
                indexes.entry(id).or_insert_with(|| (part, Found::new())).1.insert(number, size);
            }
        } else if let Some(segment) = names::segment_key(&key) {
            match places.get(&segment) {
                Some(place) => runs.push((place, size)),
                None => strange.push(key),
            }
        } else {
            rebuilt.unreadable += 1;
            app.journal.error(&format!("object {key} is no index and no run"));
        }
    }
    // The latest first: of two that have a segment, the other one was made into it.
    let mut taken = HashSet::new();
    for (_, (part, found)) in indexes.into_iter().rev() {
        let objects: Vec<String> = found.keys().map(|nth| names::part_key(&part.name, *nth)).collect();
        if rebuilt.indexes_added >= MAX_LISTED {
            rebuilt.next = Some(BEHIND_ALL.to_owned());
            return Ok(());
        }
        // A new number, so that it is not below what a search has seen.
        let number = next_number(app, &part.tenant, app.now()).await?.max(part.partition.saturating_add(1));
        let part = PartName { partition: number, ..part };
        match attach(app, part, &found, &places, &mut taken).await {
            Ok(true) => rebuilt.indexes_added += 1,
            Ok(false) => strange.extend(objects),
            Err(Error::Corrupt(corrupt)) => {
                app.journal.error(&format!("index {objects:?} cannot be listed: {corrupt}"));
                strange.extend(objects);
            }
            Err(error) => return Err(error),
        }
    }
    let waiting = waiting(app).await?;
    let runs: Vec<(WalkFrom, Option<u64>)> = runs
        .into_iter()
        .filter(|(place, _)| !waiting.contains(&place.key))
        .map(|(place, size)| (place.clone(), Some(size)))
        .collect();
    app.partitions.set_runs(&runs).await?;
    for some in strange.chunks(PAGE) {
        app.catalog.note_removals(some, app.now()).await?;
    }
    rebuilt.superseded += strange.len() as u64;
    Ok(())
}

/// Where each segment is in the listings.
async fn places(app: &App) -> Result<HashMap<String, WalkFrom>, Error> {
    let mut places = HashMap::new();
    let mut from = WalkFrom::default();
    loop {
        let page = app.catalog.places(&from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(places) };
        from = last.clone();
        places.extend(page.into_iter().map(|place| (place.key.clone(), place)));
    }
}

/// The segments that are known to have a run.
async fn waiting(app: &App) -> Result<HashSet<String>, Error> {
    let mut all = HashSet::new();
    let mut from = WalkFrom::default();
    loop {
        let page = app.partitions.waiting(&from, 0, Timestamp::MAX, PAGE).await?;
        let Some(last) = page.last() else { return Ok(all) };
        from = WalkFrom::behind(last);
        all.extend(page.into_iter().map(|entry| entry.key));
    }
}

/// Lists an index for those of its segments that are listed and in no other. `false`: there are none.
async fn attach(
    app: &App,
    part: PartName,
    found: &Found,
    places: &HashMap<String, WalkFrom>,
    taken: &mut HashSet<String>,
) -> Result<bool, Error> {
    if !found.keys().copied().eq(0..found.len()) {
        return Err(Corrupt::damaged("index", "one of its objects is missing").into());
    }
    let mut partition = Partition {
        tenant: part.tenant,
        number: part.partition,
        name: part.name,
        min_time: Timestamp::from_ms(0),
        max_time: Timestamp::MAX,
        pairs: 0,
        segments: 0,
        parts: Parts::new(found.values().copied().collect())?,
    };
    let header = header(app, &partition).await?.of(names::identity(&partition.name))?;
    (partition.pairs, partition.segments) = (header.pairs, header.segments());
    let range = keys::all(&header);
    let (bytes, _) = scan::read_index(app, &partition, &range).await?;
    let mut members = Vec::with_capacity(header.segments() as usize);
    let mut there = false;
    for ordinal in 0..header.segments() {
        let ordinal = Ordinal::try_from(ordinal).unwrap_or(Ordinal::MAX);
        let key = keys::read(&header, range.start, &bytes, ordinal)?;
        let place = places.get(&key).filter(|place| place.tenant == partition.tenant);
        there |= place.is_some() && taken.insert(key.clone());
        members.push(Member::New { max_time_ms: place.map_or(0, |place| place.max_time_ms), key });
    }
    // Another run may have been faster.
    if there && app.partitions.put(&partition, &header.encode(), &members, &[], app.now()).await? {
        app.partitions.measure(&partition).await?;
    }
    Ok(there)
}

async fn header(app: &App, partition: &Partition) -> Result<Header, Error> {
    let length = partition.parts.bytes();
    let (tail, _) = scan::read_index(app, partition, &Header::tail(length)).await?;
    match Header::open(length, &tail)? {
        Opened::Header(header) => Ok(*header),
        Opened::More(range) => {
            let (bytes, _) = scan::read_index(app, partition, &range).await?;
            Ok(Header::decode(&bytes)?)
        }
    }
}
