//! What a flush learns of its rows' messages: each row comes with the id of its form and goes with that of its pattern.

use std::{collections::HashMap, sync::LazyLock};

use memchr::{memchr, memmem::Finder};
use serde::Deserialize;

use crate::engine::{
    pattern::{Miners, News, PatternId},
    record::{model::Level, row::RowHead, timestamp::Timestamp},
};

/// Of a service in one flush: who writes something else each time must not cost a row of the catalog each time.
const MAX_NEWS: usize = 200;

/// Of all services together.
const MAX_ALL_NEWS: usize = 2_000;

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
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut seen: Vec<Seen> = Vec::new();
    for (nth, text) in texts.iter().enumerate() {
        // Of a tenant who does without patterns no row has an id.
        if ID_FINDER.find(text).is_none() {
            continue;
        }
        let mut from = 0;
        while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
            let end = memchr(b'\n', rest).unwrap_or(rest.len());
            let line = rest.get(..end).unwrap_or_default();
            if let Some(one) = learn(line, miners, &mut services, &mut numbers) {
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
    for one in miners.news(MAX_NEWS, MAX_ALL_NEWS) {
        let Some(service) = numbers.get(&one.service) else { continue };
        for news in one.news {
            let at = of_patterns.get(&(*service, news.pattern));
            let (level, first) = at.map_or((Level::Debug, Timestamp::EPOCH), |at| (at.level, at.time));
            let is_new = one.was_known && news.is_new && at.is_some();
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

fn learn(
    line: &[u8],
    miners: &mut Miners,
    services: &mut Vec<String>,
    numbers: &mut HashMap<String, usize>,
) -> Option<Seen> {
    let at = place(line)?;
    let form = id_of(line)?;
    let head = RowHead::parse(line).ok()?;
    let service = if let Some(number) = numbers.get(&*head.service) {
        *number
    } else {
        services.push(head.service.to_string());
        numbers.insert(head.service.to_string(), services.len() - 1);
        services.len() - 1
    };
    let message =
        || serde_json::from_slice::<Message>(line).map_or_else(|_| String::new(), |row| row.message);
    let id = miners.learn(&head.service, form, message);
    Some(Seen { text: 0, from: 0, at, service, id, level: head.level, time: head.timestamp })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::pattern::{FormBuf, form};

    fn line(n: u32, service: &str, level: &str, message: &str) -> String {
        let mut buffer = FormBuf::default();
        form(message, &mut buffer);
        let row = json!({
            "id": uuid::Uuid::from_u128(n.into()), "timestamp": "2025-11-20T00:00:00Z", "received_at": "2025-11-20T00:00:00Z",
            "service": service, "level": level, "message": message, "category": "billing", "pattern_id": buffer.id(),
            "metadata": { "a": 1, "pattern_id": "0123456789abcdef" },
        });
        format!("{row}\n")
    }

    fn ids(text: &[u8]) -> Vec<PatternId> {
        text.split(|byte| *byte == b'\n').filter_map(id_of).collect()
    }

    #[test]
    fn rows_get_the_ids_of_their_patterns_and_nothing_else_changes() {
        let names = ["ann", "bob", "cid", "dan", "eve", "fay"];
        let said = |n: usize| format!("session opened for user {}", names[n % names.len()]);
        let mut text: Vec<u8> =
            (0..60).flat_map(|n| line(n, "auth", "INFO", &said(n as usize)).into_bytes()).collect();
        let before = text.clone();
        let mut miners = Miners::default();
        let mined = mine(&mut [&mut text], &mut miners);
        let found = ids(&text);
        assert!(found.len() == 60 && found.iter().all(|id| *id == found[0]), "{found:?}");
        let told: Vec<_> = mined.iter().filter(|one| one.news.id == found[0]).collect();
        assert_eq!((told.len(), told[0].news.template.as_str()), (1, "session opened for user <*>"));
        assert!(!told[0].is_new, "everything is new of a new service");
        let shown = |text: &[u8]| -> Vec<Value> {
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let row = |line| {
                let mut row: Value = serde_json::from_slice(line).unwrap();
                row.as_object_mut().unwrap().remove("pattern_id");
                row
            };
            lines.map(row).collect()
        };
        assert_eq!(shown(&text), shown(&before));
        // A flush that is repeated makes the same rows, and one that follows knows them.
        let mut again = before.clone();
        mine(&mut [&mut again], &mut Miners::default());
        assert_eq!(again, text);
        let mut kept = Miners::load(&miners.save()).unwrap();
        let mut next =
            [line(99, "auth", "INFO", "session opened for user gus"), line(98, "auth", "WARN", "no disk")]
                .concat()
                .into_bytes();
        let mined = mine(&mut [&mut next], &mut kept);
        assert_eq!(ids(&next)[0], found[0]);
        let new: Vec<_> = mined.iter().filter(|one| one.is_new).collect();
        assert_eq!((new.len(), new[0].level, new[0].category.as_deref()), (1, Level::Warn, Some("billing")));
    }

    #[test]
    fn a_name_in_the_metadata_is_no_id() {
        let with = |head: &str| {
            format!(r#"{{"message":"m"{head},"metadata":{{"x":1,"pattern_id":"0123456789abcdef"}}}}"#)
        };
        assert_eq!(place(with("").as_bytes()), None);
        assert_eq!(id_of(with(r#","pattern_id":"0000000000000007""#).as_bytes()), Some(PatternId(7)));
        assert_eq!(place(br#"{"message":",\"pattern_id\":\"0123456789abcdef\""}"#), None);
        assert_eq!(place(br#"{"message":"m","pattern_id":"short"}"#), None);
    }

    #[test]
    fn who_says_something_else_each_time_costs_a_bounded_number_of_rows() {
        let word = |n: u32| {
            (0..8)
                .map(|k| char::from(b'a' + u8::try_from(n / 26_u32.pow(k % 4) % 26).unwrap()))
                .collect::<String>()
        };
        let mut text: Vec<u8> = (0..3_000)
            .flat_map(|n| {
                line(
                    n,
                    "noise",
                    "INFO",
                    &format!("{} {} {}", word(n * 7), word(n * 31 + 5), word(n * 57 + 9)),
                )
                .into_bytes()
            })
            .collect();
        let mined = mine(&mut [&mut text], &mut Miners::default());
        assert!(mined.len() <= MAX_NEWS, "{}", mined.len());
    }
}
