//! Pages of the best answers: what a search finds is weighed first, and then only the rows of the page are read.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Page, Search, Stored};
use crate::{
    app::{
        App, Error, Reader,
        fresh::Copies,
        scan::{self, Again, Gather, Part, Scan, Sink, Stats, Vanished},
    },
    engine::{
        block::{Block, rows::Row},
        query::{
            Cursor, Mask, Order, Position, TimeRange,
            expr::TEXT_FIELDS,
            leaves,
            relevance::{Collection, Terms, by_score},
        },
        record::timestamp::Timestamp,
    },
};

/// Rows that are weighed; of more than this the newest are ranked.
const MAX_WEIGHED: usize = 100_000;

pub(super) async fn search(
    app: &App,
    reader: &Reader,
    search: &Search,
    last_try: bool,
) -> Result<Result<Page, Vanished>, Error> {
    let mut stats = Stats::default();
    let filter = reader.confine(&search.filter);
    // What was asked for: what is asked of stored rows may say less.
    let terms = Terms::of(&search.filter.expr);
    if terms.is_empty() {
        let message = "there is nothing to rank by: a search by relevance needs a word or a phrase";
        return Err(Error::invalid("invalid_parameter", "sort", message));
    }
    let scan = |filter, stops_early, spreads| Scan {
        filter,
        copies: Copies::PassedOver,
        order: Order::Newest,
        after: None,
        unlimited: false,
        stops_early,
        spreads,
    };
    let mut weighed = Weighed::new(terms.clone(), MAX_WEIGHED);
    let asked = scan(&filter, false, true);
    match scan::run(app, &asked, &mut weighed, &mut stats, last_try).await? {
        Ok(_) => {}
        Err(Again::Vanished) => return Ok(Err(Vanished)),
        Err(Again::InOrder) => {
            let lost = stats.cost();
            (weighed, stats) = (Weighed::new(terms, MAX_WEIGHED), Stats::default());
            let asked = scan(&filter, false, false);
            if scan::run(app, &asked, &mut weighed, &mut stats, last_try).await?.is_err() {
                return Ok(Err(Vanished));
            }
            stats.add(&lost);
        }
    }
    stats.partial |= weighed.rows.len() >= MAX_WEIGHED;
    let ranked = weighed.ranked();
    let chosen = ranked.iter().skip(search.offset).take(search.limit).copied();
    let mut picked = Picked { slots: chosen.zip(0..).collect(), found: BTreeMap::new() };
    if let (Some((first, _)), Some((last, _))) =
        (picked.slots.first_key_value(), picked.slots.last_key_value())
    {
        let time = TimeRange { start: first.time, end: last.time };
        let filter = filter.clone().within(time);
        let (matched, scanned) = (stats.rows_matched, stats.rows_scanned);
        // What has been found once must be found again, whatever it costs.
        let again = Scan { after: Some(Timestamp::EPOCH), ..scan(&filter, true, false) };
        if scan::run(app, &again, &mut picked, &mut stats, last_try).await?.is_err() {
            return Ok(Err(Vanished));
        }
        (stats.rows_matched, stats.rows_scanned) = (matched, scanned);
    }
    let end = search.offset + search.limit;
    let next = (ranked.len() > end).then_some(Cursor::Offset(end));
    Ok(Ok(Page { rows: picked.found.into_values().collect(), next, stats }))
}

/// What is needed of each row to rank it.
pub struct Weighed {
    terms: Terms,
    collection: Collection,
    /// How many rows it takes.
    room: usize,
    /// Its place and the number of its words.
    rows: Vec<(Position, u32)>,
    /// How often it has each term, row after row.
    counts: Vec<u16>,
}

/// What was weighed of some of the rows: time in ns, id and number of words of each, and how often it has each term.
#[derive(Debug, Serialize, Deserialize)]
pub struct WeighedPart {
    rows: Vec<(i64, Uuid, u32)>,
    counts: Vec<u16>,
}

impl Weighed {
    pub fn new(terms: Terms, room: usize) -> Self {
        let collection = Collection::new(&terms);
        Self { terms, collection, room: room.min(MAX_WEIGHED), rows: Vec::new(), counts: Vec::new() }
    }

    /// `None` when there was no room for all of them.
    pub fn into_part(self) -> Option<WeighedPart> {
        let rows = self.rows.iter().map(|(at, words)| (at.time.as_ns(), at.id, *words));
        (self.rows.len() < self.room).then(|| WeighedPart { rows: rows.collect(), counts: self.counts })
    }

    /// Adds a row without any words; answers where its counts are.
    fn add(&mut self, at: Position) -> usize {
        self.rows.push((at, 0));
        self.counts.resize(self.counts.len() + self.terms.len(), 0);
        self.rows.len() - 1
    }

    fn read(&mut self, nth: usize, text: &str) {
        let width = self.terms.len();
        if let (Some((_, words)), Some(counts)) =
            (self.rows.get_mut(nth), self.counts.get_mut(nth * width..(nth + 1) * width))
        {
            *words = words.saturating_add(self.terms.count(text, counts));
        }
    }

    fn collect(&mut self, from: usize) {
        let width = self.terms.len();
        for ((_, words), counts) in self.rows.iter().zip(self.counts.chunks(width)).skip(from) {
            self.collection.add(*words, counts);
        }
    }

    /// The places of all rows, the best first.
    pub fn ranked(&self) -> Vec<Position> {
        let counts = self.counts.chunks(self.terms.len());
        let scored = self.rows.iter().zip(counts);
        let mut scored: Vec<(f64, Position)> =
            scored.map(|((at, words), counts)| (self.collection.score(*words, counts), *at)).collect();
        scored.sort_unstable_by(by_score);
        scored.into_iter().map(|(_, at)| at).collect()
    }
}

impl Sink for Weighed {
    fn row(&mut self, row: &Row<'_>, _: Option<&Arc<str>>) -> Result<(), Error> {
        if self.rows.len() >= self.room {
            return Ok(());
        }
        let nth = self.add(Position { time: row.head.timestamp, id: row.head.id });
        leaves(row.line, &mut |name, _, value| {
            if TEXT_FIELDS.contains(&name) {
                self.read(nth, value);
            }
        })?;
        self.collect(nth);
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, _: &Arc<str>) -> Result<(), Error> {
        let (times, ids) = (block.times()?, block.ids()?);
        let first = self.rows.len();
        let mut nths = vec![None; block.len()];
        // The newest are at the end.
        let mut rows: Vec<usize> = wanted.rows().collect();
        rows.reverse();
        for row in rows.into_iter().take(self.room.saturating_sub(first)) {
            if let (Some(time), Some(id), Some(nth)) = (times.get(row), ids.get(row), nths.get_mut(row)) {
                *nth = Some(self.add(Position { time: *time, id: *id }));
            }
        }
        let mut text = String::new();
        for column in &block.meta().columns {
            let name = block.opened().columns().get(column.column as usize).map_or("", |column| &column.name);
            if !TEXT_FIELDS.contains(&name) {
                continue;
            }
            let values = block.values(column)?;
            for (entry, (row, _)) in values.entries.iter().enumerate() {
                if let Some(Some(nth)) = nths.get(row) {
                    text.clear();
                    values.push(entry, &mut text)?;
                    self.read(*nth, &text);
                }
            }
        }
        self.collect(first);
        Ok(())
    }

    fn is_full(&self, _: Timestamp, _: Timestamp) -> bool {
        self.rows.len() >= self.room
    }

    fn gather(&self) -> Option<Gather> {
        Some(Gather::Weights { room: self.room.saturating_sub(self.rows.len()) })
    }

    fn absorb(&mut self, part: Part) -> bool {
        let Part::Weights(part) = part else { return false };
        let first = self.rows.len();
        if part.counts.len() != part.rows.len() * self.terms.len() || first + part.rows.len() >= self.room {
            return false;
        }
        let row = |(time, id, words)| (Position { time: Timestamp::from_ns(time), id }, words);
        self.rows.extend(part.rows.into_iter().map(row));
        self.counts.extend(part.counts);
        self.collect(first);
        true
    }
}

/// The rows of a page, by their places on it.
struct Picked {
    slots: BTreeMap<Position, usize>,
    found: BTreeMap<usize, Stored>,
}

impl Sink for Picked {
    fn row(&mut self, row: &Row<'_>, key: Option<&Arc<str>>) -> Result<(), Error> {
        let at = Position { time: row.head.timestamp, id: row.head.id };
        if let Some(slot) = self.slots.get(&at) {
            self.found.insert(*slot, Stored { line: row.line.into(), key: key.cloned() });
        }
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, key: &Arc<str>) -> Result<(), Error> {
        let (times, ids) = (block.times()?, block.ids()?);
        let chosen = |row: &usize| {
            let at = times.get(*row).zip(ids.get(*row)).map(|(time, id)| Position { time: *time, id: *id });
            at.is_some_and(|at| self.slots.contains_key(&at))
        };
        let rows: Vec<u32> = wanted.rows().filter(chosen).filter_map(|row| u32::try_from(row).ok()).collect();
        let (slots, found) = (&self.slots, &mut self.found);
        block.render(&rows, |_, time, id, line| {
            if let Some(slot) = slots.get(&Position { time, id }) {
                found.insert(*slot, Stored { line: line.as_bytes().into(), key: Some(key.clone()) });
            }
        })?;
        Ok(())
    }

    fn is_full(&self, _: Timestamp, _: Timestamp) -> bool {
        self.found.len() >= self.slots.len()
    }

    fn skips(&self, min: Timestamp, max: Timestamp) -> bool {
        let from = Position { time: min, id: uuid::Uuid::nil() };
        let to = Position { time: max, id: uuid::Uuid::max() };
        min > max || self.slots.range(from..=to).next().is_none()
    }
}
