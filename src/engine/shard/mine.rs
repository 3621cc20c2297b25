//! What a flush learns of its rows' messages: each row comes with the id of its form and goes with that of its pattern.

use std::{collections::HashMap, sync::LazyLock};

use memchr::memmem::Finder;
use serde::Deserialize;

use crate::engine::{
    block::packed::{Body, Packed, Row},
    pattern::{Miners, News, PatternId},
    record::{field::Field, model::Level, timestamp::Timestamp},
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

/// A row's id: which row of which block, where in its text the id stands, and where it leads.
#[derive(Clone, Copy)]
struct Seen {
    block: usize,
    row: usize,
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

/// Learns the rows of these blocks, and writes to each the id of its pattern.
pub(super) fn mine(blocks: &mut [&mut Packed], miners: &mut Miners) -> Vec<Mined> {
    miners.begin();
    let mut services: Vec<String> = Vec::new();
    let mut numbers: HashMap<String, usize> = HashMap::new();
    let mut seen: Vec<Seen> = Vec::new();
    for (block, rows) in blocks.iter().enumerate() {
        for (nth, row) in rows.rows().enumerate() {
            if let Some(one) = learn(row, miners, &mut services, &mut numbers) {
                seen.push(Seen { block, row: nth, ..one });
            }
        }
    }
    miners.group();
    let mut of_patterns: HashMap<(usize, PatternId), Seen> = HashMap::new();
    for one in &seen {
        let Some(service) = services.get(one.service) else { continue };
        let id = miners.pattern(service, one.id).map_or(one.id, |pattern| pattern.id);
        let known = of_patterns.entry((one.service, id)).or_insert(*one);
        (known.level, known.time) = (known.level.max(one.level), known.time.min(one.time));
        if let Some(block) = blocks.get_mut(one.block) {
            block.overwrite(one.at, id.write(&mut [0; 16]));
        }
    }
    let mut mined = Vec::new();
    for one in miners.news(MAX_NEWS, MAX_ALL_NEWS) {
        let Some(service) = numbers.get(&one.service) else { continue };
        for news in one.news {
            let at = of_patterns.get(&(*service, news.pattern));
            let (level, first) = at.map_or((Level::Debug, Timestamp::EPOCH), |at| (at.level, at.time));
            let is_new = one.was_known && news.is_new && at.is_some();
            let category = at.filter(|_| is_new).and_then(|at| category(blocks, at));
            mined.push(Mined { service: one.service.clone(), news, is_new, level, first, category });
        }
    }
    mined
}

fn category(blocks: &[&mut Packed], seen: &Seen) -> Option<String> {
    let row = blocks.get(seen.block)?.row(seen.row)?;
    match row.body() {
        Body::Values(row) => row.text(Field::Category).map(Into::into),
        Body::Line(line) => serde_json::from_slice::<Message>(line).ok()?.category,
    }
}

fn learn(
    row: Row<'_>,
    miners: &mut Miners,
    services: &mut Vec<String>,
    numbers: &mut HashMap<String, usize>,
) -> Option<Seen> {
    let (at, form) = match row.body() {
        Body::Values(row) => {
            (row.place(Field::PatternId)?.start, PatternId::parse(&row.text(Field::PatternId)?)?)
        }
        Body::Line(line) => (row.start() + place(line)?, id_of(line)?),
    };
    let service = row.service();
    let number = if let Some(number) = numbers.get(&*service) {
        *number
    } else {
        services.push(service.to_string());
        numbers.insert(service.to_string(), services.len() - 1);
        services.len() - 1
    };
    let message = || match row.body() {
        Body::Values(row) => row.text(Field::Message).map_or_else(String::new, Into::into),
        Body::Line(line) => {
            serde_json::from_slice::<Message>(line).map_or_else(|_| String::new(), |row| row.message)
        }
    };
    let id = miners.learn(&service, form, message);
    Some(Seen { block: 0, row: 0, at, service: number, id, level: row.level(), time: row.timestamp() })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use uuid::Uuid;

    use super::*;
    use crate::engine::{
        block::rows::{self, Codec, Encoder},
        pattern::{FormBuf, form},
        record::field::Values,
    };

    type Said<'a> = (&'a str, Level, String);

    const AT: Timestamp = Timestamp::from_ms(1_763_596_800_000);

    /// Rows by their values.
    fn values(said: &[Said<'_>]) -> Packed {
        let mut encoder = Encoder::default();
        for (n, (service, level, message)) in (0_u32..).zip(said) {
            let mut buffer = FormBuf::default();
            form(message, &mut buffer);
            let pushed = encoder.push_values(Uuid::from_u128(n.into()), AT, |row| {
                row.put(Field::Service, &[service]);
                row.put(Field::Level, &[level.as_str()]);
                row.put(Field::Message, &[message]);
                row.put(Field::Category, &["billing"]);
                row.put(Field::PatternId, &[buffer.id().write(&mut [0; 16])]);
                row.put(Field::Metadata, &["{\"a\":1,\"pattern_id\":\"0123456789abcdef\"}"]);
                Some(AT)
            });
            assert_eq!(pushed, Some(Ok(())));
        }
        let [block] = &encoder.finish()[..] else { panic!("one block") };
        rows::unpack(block.codec, &block.bytes).unwrap()
    }

    fn text(block: &Packed) -> Vec<u8> {
        let mut text = Vec::new();
        block.rows().for_each(|row| row.write(&mut text));
        text
    }

    /// The same rows as lines.
    fn lines(said: &[Said<'_>]) -> Packed {
        rows::unpack(Codec::Raw, &text(&values(said))).unwrap()
    }

    fn ids(text: &[u8]) -> Vec<PatternId> {
        text.split(|byte| *byte == b'\n').filter_map(id_of).collect()
    }

    fn shown(text: &[u8]) -> Vec<Value> {
        let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let row = |line| {
            let mut row: Value = serde_json::from_slice(line).unwrap();
            row.as_object_mut().unwrap().remove("pattern_id");
            row
        };
        lines.map(row).collect()
    }

    #[test]
    fn rows_get_the_ids_of_their_patterns_and_nothing_else_changes() {
        let names = ["ann", "bob", "cid", "dan", "eve", "fay"];
        let said: Vec<Said<'_>> = (0..60)
            .map(|n| ("auth", Level::Info, format!("session opened for user {}", names[n % names.len()])))
            .collect();
        let next: [Said<'_>; 2] = [
            ("auth", Level::Info, "session opened for user gus".into()),
            ("auth", Level::Warn, "no disk".into()),
        ];
        let mut written = Vec::new();
        for blocks in [values, lines] {
            let mut block = blocks(&said);
            let before = text(&block);
            let mut miners = Miners::default();
            let mined = mine(&mut [&mut block], &mut miners);
            let after = text(&block);
            let found = ids(&after);
            assert!(found.len() == 60 && found.iter().all(|id| *id == found[0]), "{found:?}");
            let told: Vec<_> = mined.iter().filter(|one| one.news.id == found[0]).collect();
            assert_eq!((told.len(), told[0].news.template.as_str()), (1, "session opened for user <*>"));
            assert!(!told[0].is_new, "everything is new of a new service");
            assert_eq!(shown(&after), shown(&before));
            // A flush that is repeated makes the same rows, and one that follows knows them.
            let mut again = blocks(&said);
            mine(&mut [&mut again], &mut Miners::default());
            assert_eq!(text(&again), after);
            let mut kept = Miners::load(&miners.save()).unwrap();
            let mut next = blocks(&next);
            let mined = mine(&mut [&mut next], &mut kept);
            assert_eq!(ids(&text(&next))[0], found[0]);
            let new: Vec<_> = mined.iter().filter(|one| one.is_new).collect();
            assert_eq!(
                (new.len(), new[0].level, new[0].category.as_deref()),
                (1, Level::Warn, Some("billing"))
            );
            written.push(after);
        }
        assert_eq!(written[0], written[1]);
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
        let said: Vec<Said<'_>> = (0..3_000)
            .map(|n| {
                let message = format!("{} {} {}", word(n * 7), word(n * 31 + 5), word(n * 57 + 9));
                ("noise", Level::Info, message)
            })
            .collect();
        let mined = mine(&mut [&mut values(&said)], &mut Miners::default());
        assert!(mined.len() <= MAX_NEWS, "{}", mined.len());
    }
}
