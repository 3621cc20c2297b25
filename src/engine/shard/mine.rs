//! What a flush learns of its rows' messages: each row comes with the id of its form and goes with that of its pattern.

use std::{collections::HashMap, sync::LazyLock};

use memchr::{memchr, memmem::Finder};
use serde::Deserialize;

use crate::engine::{
    pattern::{Miners, News, PatternId},
    record::{
        model::Level,
        row::{self, RowHead},
        timestamp::Timestamp,
    },
};

/// Of a service in one flush: who writes something else each time must not cost a row of the catalog each time.
const MAX_NEWS: usize = 200;

/// Where the id stands in a row, and what could look like it.
const ID: &[u8] = b",\"pattern_id\":\"";
const METADATA: &[u8] = b",\"metadata\":{";
static ID_FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(ID));
static METADATA_FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(METADATA));

/// An id that nobody was told of yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mined {
    pub service: String,
    pub news: News,
    /// Whether it is a pattern of its own, of a service whose patterns were known before.
    pub is_new: bool,
    /// The worst level of its rows in this flush, and when the first of them was.
    pub level: Level,
    pub first: Timestamp,
    /// The category of one of them.
    pub category: Option<String>,
}

/// A row's id: in which text and where there, and where it leads.
#[derive(Clone, Copy)]
struct Seen {
    text: usize,
    /// Where its row begins in the text.
    from: usize,
    at: usize,
    service: usize,
    id: PatternId,
    level: Level,
    time: Timestamp,
}

#[derive(Deserialize)]
struct Message {
    message: String,
    category: Option<String>,
}

/// Where the id of a row's pattern stands in it.
pub fn place(line: &[u8]) -> Option<usize> {
    let at = ID_FINDER.find(line)? + ID.len();
    let ends = line.get(at + 16) == Some(&b'"');
    let is_own = METADATA_FINDER.find(line.get(..at)?).is_none();
    (ends && is_own).then_some(at)
}

/// The id of a row's pattern.
pub fn id_of(line: &[u8]) -> Option<PatternId> {
    let at = place(line)?;
    PatternId::parse(str::from_utf8(line.get(at..at + 16)?).ok()?)
}

/// Learns the rows of these texts, and writes to each the id of its pattern.
pub(super) fn mine(texts: &mut [&mut Vec<u8>], miners: &mut Miners) -> Vec<Mined> {
    miners.begin();
    let mut services: Vec<String> = Vec::new();
    let mut seen: Vec<Seen> = Vec::new();
    for (nth, text) in texts.iter().enumerate() {
        let mut from = 0;
        while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            if let Some(one) = learn(line, miners, &mut services) {
                seen.push(Seen { text: nth, from, at: from + one.at, ..one });
            }
            from += end + 1;
        }
    }
    miners.group();
    let mut of_patterns: HashMap<(usize, PatternId), Seen> = HashMap::new();
    for one in &seen {
        let Some(service) = services.get(one.service) else { continue };
        let id = miners.pattern(service, one.id).map_or(one.id, |pattern| pattern.id);
        let known = of_patterns.entry((one.service, id)).or_insert(*one);
        (known.level, known.time) = (known.level.max(one.level), known.time.min(one.time));
        let place = texts.get_mut(one.text).and_then(|text| text.get_mut(one.at..one.at + 16));
        if let Some(place) = place {
            place.copy_from_slice(id.write(&mut [0; 16]).as_bytes());
        }
    }
    let mut mined = Vec::new();
    for mut one in miners.news() {
        // Patterns before what only leads to one.
        one.news.sort_by_key(|news| news.id != news.pattern);
        let service = services.iter().position(|known| *known == one.service).unwrap_or(usize::MAX);
        for news in one.news.into_iter().take(MAX_NEWS) {
            let at = of_patterns.get(&(service, news.pattern));
            let (level, first) = at.map_or((Level::Debug, Timestamp::EPOCH), |at| (at.level, at.time));
            let is_new = one.was_known && news.id == news.pattern && at.is_some();
            let category = at.filter(|_| is_new).and_then(|at| category(texts, at));
            mined.push(Mined { service: one.service.clone(), news, is_new, level, first, category });
        }
    }
    mined
}

fn category(texts: &[&mut Vec<u8>], seen: &Seen) -> Option<String> {
    let rest = texts.get(seen.text)?.get(seen.from..)?;
    let line = rest.get(..memchr(b'\n', rest).unwrap_or(rest.len()))?;
    serde_json::from_slice::<Message>(line).ok()?.category
}

fn learn(line: &[u8], miners: &mut Miners, services: &mut Vec<String>) -> Option<Seen> {
    let at = place(line)?;
    let form = id_of(line)?;
    let head = RowHead::parse(line).ok()?;
    let service = services.iter().rposition(|known| *known == head.service).unwrap_or_else(|| {
        services.push(head.service.to_string());
        services.len() - 1
    });
    let message =
        || serde_json::from_slice::<Message>(line).map_or_else(|_| String::new(), |row| row.message);
    let id = miners.learn(&head.service, form, message, row::weight(line).into());
    Some(Seen { text: 0, from: 0, at, service, id, level: head.level, time: head.timestamp })
}
