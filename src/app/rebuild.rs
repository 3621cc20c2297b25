//! The catalog's segments made again from the bucket alone: what is missing comes back, and what has no object
//! goes. It may run beside everything else, and as often as one likes.

mod indexes;
mod stand;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde::Serialize;

use super::{App, Error};
use crate::{
    engine::{
        block::{Footer, key, reader, segment::END_LEN},
        record::timestamp::Timestamp,
    },
    ports::{
        CatalogEntry,
        catalog::{Only, WalkFrom},
    },
};
use stand::Made;

/// Objects that one call reads, some of them twice: a request may use 1,000 operations.
const MAX_READ: usize = 400;

/// Of each object so much is read first: more than most footers.
const END_BYTES: u64 = 64 << 10;

/// Entries that are added together.
const BATCH: usize = 20;

/// A day's removals, and far more.
const MAX_NOTED: usize = 1_000_000;

/// Places that are asked for together.
const PAGE: usize = 5_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    pub segments_added: u64,
    pub rows_added: u64,
    /// Partition indexes that are listed again.
    pub indexes_added: u64,
    /// Objects that others stand for, and indexes of what is gone: they are noted for removal.
    pub superseded: u64,
    /// Entries whose objects are gone.
    pub entries_removed: u64,
    /// Objects that are no segments or damaged: they stay where they are.
    pub unreadable: u64,
    /// Present when there is more to do: where the next call goes on.
    #[serde(skip)]
    pub next: Option<String>,
}

/// What there is, each asked for after the one before: an object that is being merged away or into is then in
/// one of the latter.
struct There {
    objects: BTreeMap<String, u64>,
    listed: HashSet<String>,
    noted: HashSet<String>,
}

/// Goes on behind the key that an earlier call ended with.
pub async fn rebuild(app: &App, behind: Option<&str>) -> Result<Rebuilt, Error> {
    let there =
        There { objects: objects(app, "logs/").await?, listed: listed(app).await?, noted: noted(app).await? };
    let mut rebuilt = Rebuilt::default();
    let mut left = MAX_READ;
    let missing = |key: &&String| !there.listed.contains(*key) && !there.noted.contains(*key);
    let behind_it = |key: &&String| behind.is_none_or(|behind| key.as_str() > behind);
    let folders: BTreeSet<&str> = there
        .objects
        .keys()
        .filter(behind_it)
        .filter(missing)
        .filter_map(|key| key::folder_of(key))
        .collect();
    for folder in folders {
        if left == 0 {
            rebuilt.next = Some(folder.to_owned());
            return Ok(rebuilt);
        }
        let next = folder_again(app, &there, folder, behind, &mut left, &mut rebuilt).await?;
        if next.is_some() {
            rebuilt.next = next;
            return Ok(rebuilt);
        }
    }
    forget_what_is_gone(app, &there, &mut rebuilt).await?;
    indexes::again(app, &mut rebuilt).await?;
    Ok(rebuilt)
}

async fn objects(app: &App, folder: &str) -> Result<BTreeMap<String, u64>, Error> {
    let mut objects = BTreeMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = app.objects.list(folder, cursor.as_deref()).await?;
        objects.extend(page.objects.into_iter().map(|object| (object.key, object.size_bytes)));
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(objects);
        }
    }
}

async fn listed(app: &App) -> Result<HashSet<String>, Error> {
    let mut listed = HashSet::new();
    let mut from = WalkFrom::default();
    loop {
        let page = app.catalog.places(&from, PAGE).await?;
        let Some(last) = page.last() else { return Ok(listed) };
        from = last.clone();
        listed.extend(page.into_iter().map(|place| place.key));
    }
}

async fn noted(app: &App) -> Result<HashSet<String>, Error> {
    Ok(app.catalog.removals(Timestamp::MAX, MAX_NOTED).await?.into_iter().collect())
}

/// Brings back what is missing of one tenant, class and day. Answers where to go on, when it has not come to
/// the end.
async fn folder_again(
    app: &App,
    there: &There,
    folder: &str,
    behind: Option<&str>,
    left: &mut usize,
    rebuilt: &mut Rebuilt,
) -> Result<Option<String>, Error> {
    let inside = format!("{folder}/");
    let all = there.objects.range(inside.clone()..).take_while(|(key, _)| key.starts_with(&inside));
    let all: Vec<(&String, u64)> =
        all.filter(|(key, _)| !there.noted.contains(*key)).map(|(key, size)| (key, *size)).collect();
    let mut footers: BTreeMap<&str, Option<CatalogEntry>> = BTreeMap::new();
    let mut made = Vec::new();
    for (key, size) in all.iter().filter(|(key, _)| key::is_made_of_others(key)) {
        *left = left.saturating_sub(1);
        let read = read(app, key, *size).await?;
        if let Some((footer, _)) = &read {
            let of_key = || key::rewritten_from(key).into_iter().collect();
            let sources = if footer.sources.is_empty() { of_key() } else { footer.sources.clone() };
            made.push(Made { key: (*key).clone(), sources });
        }
        footers.insert(key, read.map(|(_, entry)| entry));
    }
    // However many those were, each call brings something back.
    *left = (*left).max(BATCH);
    let keys: BTreeSet<&str> = all.iter().map(|(key, _)| key.as_str()).collect();
    let dead = stand::dead(&made, &keys, &|key| there.listed.contains(key));
    let missing = |key: &str| !there.listed.contains(key);
    let superseded: Vec<String> =
        dead.iter().filter(|key| missing(key)).map(|key| (*key).to_owned()).collect();
    if !superseded.is_empty() {
        app.catalog.note_removals(&superseded, app.now()).await?;
        rebuilt.superseded += superseded.len() as u64;
    }
    let mut batch = Vec::new();
    let mut done = None;
    for (key, size) in all {
        if dead.contains(key.as_str()) || !missing(key) || behind.is_some_and(|behind| key.as_str() <= behind)
        {
            continue;
        }
        let entry = match footers.remove(key.as_str()) {
            Some(known) => known,
            None if *left == 0 => {
                add(app, &mut batch, rebuilt).await?;
                // What is behind the last one, or behind the folder's name.
                return Ok(Some(done.unwrap_or(inside)));
            }
            None => {
                *left -= 1;
                read(app, key, size).await?.map(|(_, entry)| entry)
            }
        };
        match entry {
            Some(entry) => batch.push(entry),
            None => rebuilt.unreadable += 1,
        }
        done = Some(key.clone());
        if batch.len() >= BATCH {
            add(app, &mut batch, rebuilt).await?;
        }
    }
    add(app, &mut batch, rebuilt).await?;
    Ok(None)
}

async fn add(app: &App, batch: &mut Vec<CatalogEntry>, rebuilt: &mut Rebuilt) -> Result<(), Error> {
    app.catalog.add(batch).await?;
    rebuilt.segments_added += batch.len() as u64;
    rebuilt.rows_added += batch.iter().map(|entry| entry.rows).sum::<u64>();
    batch.clear();
    Ok(())
}

/// Reads an object's footer. One that cannot be read is told of and passed over.
async fn read(app: &App, key: &str, size: u64) -> Result<Option<(Footer, CatalogEntry)>, Error> {
    let from = size.saturating_sub(END_BYTES);
    let Some(mut end) = app.objects.get_range(key, from, size - from).await? else { return Ok(None) };
    let marker = end.len().checked_sub(END_LEN).and_then(|at| end.get(at..));
    let place = match reader::end_marker(marker.unwrap_or_default()) {
        Ok(place) if place.offset < size => place,
        Ok(_) => return Ok(unreadable(app, key, "its footer is not within it")),
        Err(corrupt) => return Ok(unreadable(app, key, &corrupt.to_string())),
    };
    let footer = if place.offset < from {
        let Some(bytes) = app.objects.get_range(key, place.offset, size - place.offset).await? else {
            return Ok(None);
        };
        reader::footer(&bytes)
    } else {
        let at = usize::try_from(place.offset - from).unwrap_or(usize::MAX).min(end.len());
        reader::footer(&end.split_off(at))
    };
    let footer = match footer {
        Ok(footer) => footer,
        Err(corrupt) => return Ok(unreadable(app, key, &corrupt.to_string())),
    };
    let entry = CatalogEntry::of_footer(&footer, size, place.offset);
    if entry.key != key {
        return Ok(unreadable(app, key, &format!("it says that it is {}", entry.key)));
    }
    Ok(Some((footer, entry)))
}

fn unreadable<T>(app: &App, key: &str, why: &str) -> Option<T> {
    app.journal.error(&format!("object {key} cannot be listed: {why}"));
    None
}

/// Takes out the entries whose objects are gone.
async fn forget_what_is_gone(app: &App, there: &There, rebuilt: &mut Rebuilt) -> Result<(), Error> {
    if there.listed.iter().all(|key| there.objects.contains_key(key)) {
        return Ok(());
    }
    let mut from = WalkFrom::default();
    loop {
        let page = app.catalog.walk(&from, app.settings.cleanup_batch_size, Only::All).await?;
        let Some(last) = page.last() else { return Ok(()) };
        from = WalkFrom::behind(last);
        for entry in page.iter().filter(|entry| !there.objects.contains_key(&entry.key)) {
            // It may have been written after the bucket was listed.
            let is_gone = app.objects.get_range(&entry.key, 0, 1).await?.is_none();
            if is_gone && app.catalog.replace(std::slice::from_ref(entry), &[], app.now()).await? {
                rebuilt.entries_removed += 1;
            }
        }
    }
}
