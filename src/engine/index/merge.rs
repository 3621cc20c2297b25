//! Making an index: a merge of runs and of indexes, a zone at a time.
//!
//! What it holds: the pairs of one zone, 8 bytes each; the zone's bytes, 3 a pair; its keys; and of each source
//! what was read and is not used up: up to one and a half times 64 KB of a run, or two zones of an index. With
//! `Options::new`, zones of a million pairs, and 100 sources that are runs, or indexes made with
//! `Options::to_be_merged`, and one large index, that is less than 32 MB; `benches/needle_at_scale` measures it.
//! So a large partition is made in two steps: its runs a hundred at a time, then those indexes in one.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    ops::Range,
};

use super::{
    Error, Header, MAX_KEY_BYTES, MAX_SEGMENTS, Pair, Source,
    header::{Frame, Zone},
    keys,
    source::Next,
    zone,
};
use crate::engine::block::Corrupt;

/// Pairs of a zone at the most, but for those of its last word.
const MAX_ZONE_PAIRS: usize = 1 << 20;

/// Pairs of a zone of a small index.
const MIN_ZONE_PAIRS: usize = 16 << 10;

/// How an index is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What `names::identity` makes of the index's key.
    pub identity: u64,
    /// What a lookup reads for a word.
    pub page_bytes: u32,
    /// What a merge holds, and reads at once when it is a source.
    pub zone_pairs: usize,
}

impl Options {
    /// For the index of a partition.
    pub fn new(identity: u64) -> Self {
        Self { identity, page_bytes: 8 << 10, zone_pairs: MAX_ZONE_PAIRS }
    }

    /// For an index that is made to be merged with a hundred others.
    pub fn to_be_merged(identity: u64) -> Self {
        Self { zone_pairs: MIN_ZONE_PAIRS, ..Self::new(identity) }
    }

    /// For an index of about so many pairs, which may be merged with others or not: small ones have small zones.
    pub fn for_pairs(identity: u64, pairs: u64) -> Self {
        let zone_pairs = usize::try_from(pairs / 64).unwrap_or(MAX_ZONE_PAIRS);
        Self { zone_pairs: zone_pairs.clamp(MIN_ZONE_PAIRS, MAX_ZONE_PAIRS), ..Self::new(identity) }
    }
}

/// What a merge is about to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// It wants all of these, in any order, before the next step.
    Read(Vec<Need>),
    /// These bytes follow those before.
    Write(Vec<u8>),
    Done,
}

/// Bytes of a source's object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Which of the sources, in the order they were given.
    pub source: usize,
    pub range: Range<u64>,
}

/// An index in the making.
pub struct Merge {
    zone_pairs: usize,
    keys: Vec<String>,
    sources: Vec<Source>,
    /// The next pair of every source that is not hungry.
    heads: BinaryHeap<Reverse<(Pair, usize)>>,
    hungry: Vec<usize>,
    zone: Vec<Pair>,
    /// Of what is written: the zone begins where it ends.
    header: Header,
    ended: bool,
    /// The source that gave what cannot be read.
    broken: Option<usize>,
}

impl Merge {
    /// The index of the segments with these keys, in the order of their ordinals.
    pub fn new(options: &Options, keys: Vec<String>, sources: Vec<Source>) -> Result<Self, Error> {
        if keys.len() > MAX_SEGMENTS {
            return Err(Error::TooManySegments(keys.len()));
        }
        if let Some(long) = keys.iter().map(String::len).find(|length| *length > MAX_KEY_BYTES) {
            return Err(Error::KeyTooLong(long));
        }
        if let Some(strange) =
            sources.iter().filter_map(Source::highest).find(|highest| usize::from(*highest) >= keys.len())
        {
            return Err(Error::NoSuchSegment(strange, keys.len()));
        }
        let frame = Frame {
            identity: options.identity,
            segments: u32::try_from(keys.len()).unwrap_or(u32::MAX),
            page_bytes: options.page_bytes.clamp(64, 1 << 20),
        };
        let record = u32::try_from(keys::record_bytes(&keys)).unwrap_or(u32::MAX);
        Ok(Self {
            zone_pairs: options.zone_pairs.clamp(1, MAX_ZONE_PAIRS),
            keys,
            heads: BinaryHeap::with_capacity(sources.len()),
            hungry: (0..sources.len()).collect(),
            sources,
            zone: Vec::new(),
            header: Header { frame, words: 0, pairs: 0, keys: 0, record, end: 0, zones: Vec::new() },
            ended: false,
            broken: None,
        })
    }

    /// The header of what was written; the whole index's once the merge is done.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The source that a step has failed by.
    pub fn broken(&self) -> Option<usize> {
        self.broken
    }

    /// Gives a source what it wanted.
    pub fn feed(&mut self, source: usize, bytes: &[u8]) -> Result<(), Error> {
        let source = self.sources.get_mut(source);
        Ok(source.ok_or_else(|| Corrupt::damaged("index source", "there is no such"))?.feed(bytes)?)
    }

    pub fn step(&mut self) -> Result<Step, Error> {
        if self.ended {
            return Ok(Step::Done);
        }
        loop {
            self.settle()?;
            if !self.hungry.is_empty() {
                return Ok(Step::Read(self.needs()));
            }
            let Some(mut head) = self.heads.peek_mut() else { break };
            let Reverse((pair, nth)) = *head;
            let full = self.zone.len() >= self.zone_pairs;
            if full && self.zone.last().is_some_and(|last| last.word() != pair.word()) {
                drop(head);
                return Ok(Step::Write(self.flush(pair.word())));
            }
            if self.zone.capacity() == 0 {
                self.zone.reserve_exact(self.zone_pairs + MAX_SEGMENTS);
            }
            self.zone.push(pair);
            let next = self.sources.get_mut(nth).map_or(Ok(Next::Done), Source::next);
            self.broken = next.is_err().then_some(nth);
            match next? {
                Next::Pair(next) => *head = Reverse((next, nth)),
                Next::Hungry => {
                    PeekMut::pop(head);
                    self.hungry.push(nth);
                }
                Next::Done => {
                    PeekMut::pop(head);
                }
            }
        }
        let end = self.zone.last().map(|last| last.word() + 1);
        let mut bytes = end.map(|end| self.flush(end)).unwrap_or_default();
        self.zone = Vec::new();
        keys::write(&mut bytes, &self.keys, self.header.frame.identity, self.header.keys);
        bytes.extend_from_slice(&self.header.encode());
        self.ended = true;
        Ok(Step::Write(bytes))
    }

    /// Takes the next pair of every source that was hungry and is no more.
    fn settle(&mut self) -> Result<(), Corrupt> {
        let mut still = Vec::new();
        for nth in std::mem::take(&mut self.hungry) {
            let next = self.sources.get_mut(nth).map_or(Ok(Next::Done), Source::next);
            self.broken = next.is_err().then_some(nth);
            match next? {
                Next::Pair(pair) => self.heads.push(Reverse((pair, nth))),
                Next::Hungry => still.push(nth),
                Next::Done => (),
            }
        }
        self.hungry = still;
        Ok(())
    }

    /// What the hungry want, and what those want that soon will be: sources run low at about the same time, and
    /// their reads can go side by side.
    fn needs(&self) -> Vec<Need> {
        let wanting = |nth: usize, source: &Source| source.is_low() || self.hungry.contains(&nth);
        let sources = self.sources.iter().enumerate().filter(|(nth, source)| wanting(*nth, source));
        sources.filter_map(|(nth, source)| Some(Need { source: nth, range: source.wants()? })).collect()
    }

    /// The bytes of the zone, which ends before the word `end`.
    fn flush(&mut self, end: u64) -> Vec<u8> {
        if !self.zone.is_sorted() {
            self.zone.sort_unstable();
        }
        self.zone.dedup();
        let Header { frame, keys: offset, end: start, .. } = self.header;
        let (bytes, pages, words) = zone::write(&self.zone, start..end, &frame, offset);
        self.header.zones.push(Zone { start, offset, pages });
        self.header.words += words;
        self.header.pairs += self.zone.len() as u64;
        self.header.keys += bytes.len() as u64;
        self.zone.clear();
        self.header.end = end;
        bytes
    }
}
