//! Looking words up: one read of a page for each word, and for few of them one more.

use std::ops::Range;

use super::{
    Header, Ordinal, coalesce,
    header::Place,
    page::{self, List, Reader},
    prefix, unseal, within,
};
use crate::engine::block::Corrupt;

/// Parts that are no further apart are read as one.
const GAP_BYTES: u64 = 16 << 10;

/// A few words on their way through an index. Any error means that every segment can hold them.
pub struct Lookup<'h> {
    header: &'h Header,
    words: Vec<Word>,
}

struct Word {
    prefix: u64,
    state: State,
}

enum State {
    /// The word is on this page, or on none.
    Page {
        zone: Place,
        page: u32,
    },
    /// The page had no room for it: it is among these words behind the pages, or nowhere.
    Spill {
        span: Range<u64>,
        bytes: Range<u64>,
        zone: Place,
    },
    List {
        bytes: Range<u64>,
    },
    Found(Vec<Ordinal>),
}

impl<'h> Lookup<'h> {
    /// Begins with the words' full hashes.
    pub fn new(header: &'h Header, hashes: &[u64]) -> Self {
        let word = |hash: &u64| {
            let prefix = prefix(*hash);
            let state = header.zone_of(prefix).map_or(State::Found(Vec::new()), |zone| {
                let page = zone.page_of(prefix);
                State::Page { zone, page }
            });
            Word { prefix, state }
        };
        Self { header, words: hashes.iter().map(word).collect() }
    }

    /// Which bytes to read and feed next; none when every word was found or is nowhere.
    pub fn wants(&self) -> Vec<Range<u64>> {
        coalesce(self.words.iter().filter_map(|word| word.state.wants()).collect(), GAP_BYTES)
    }

    /// Takes the bytes of one of the ranges that it wants.
    pub fn feed(&mut self, range: &Range<u64>, bytes: &[u8]) -> Result<(), Corrupt> {
        if Some(bytes.len() as u64) != range.end.checked_sub(range.start) {
            return Err(Corrupt::damaged("index page", "fewer or more bytes came than were asked for"));
        }
        for word in &mut self.words {
            let Some(part) = word.state.wants() else { continue };
            if let Some(part_bytes) = within(bytes, range.start, &part) {
                word.state = word.read(self.header, part.start, part_bytes)?;
            }
        }
        Ok(())
    }

    /// Whether some word is already known to be in no segment: who wants all of them need not read on.
    pub fn is_excluded(&self) -> bool {
        self.words.iter().any(|word| matches!(&word.state, State::Found(list) if list.is_empty()))
    }

    /// For each word the segments that can hold it, in order.
    pub fn found(self) -> Result<Vec<Vec<Ordinal>>, Corrupt> {
        let list = |word: Word| match word.state {
            State::Found(list) => Ok(list),
            _ => Err(Corrupt::damaged("index page", "it was not read to its end")),
        };
        self.words.into_iter().map(list).collect()
    }

    /// The segments that can hold every word, in order. Words that are not read yet are an error, but where one
    /// is known to be in no segment.
    pub fn found_all(self) -> Result<Vec<Ordinal>, Corrupt> {
        if self.is_excluded() {
            return Ok(Vec::new());
        }
        let mut lists = self.found()?;
        lists.sort_by_key(Vec::len);
        let mut lists = lists.into_iter();
        let mut common = lists.next().unwrap_or_default();
        for list in lists {
            common.retain(|ordinal| list.binary_search(ordinal).is_ok());
        }
        Ok(common)
    }
}

impl State {
    fn wants(&self) -> Option<Range<u64>> {
        match self {
            Self::Page { zone, page } => Some(zone.page_bytes(*page)),
            Self::Spill { bytes, .. } | Self::List { bytes } => Some(bytes.clone()),
            Self::Found(_) => None,
        }
    }
}

impl Word {
    /// What follows from the bytes it wanted.
    fn read(&self, header: &Header, offset: u64, bytes: &[u8]) -> Result<State, Corrupt> {
        let frame = header.frame;
        let content = |what| unseal(frame.identity, offset, bytes, what);
        let (zone, span) = match &self.state {
            State::Page { zone, page } => (zone, zone.page_span(*page)),
            State::Spill { span, zone, .. } => (zone, span.clone()),
            State::List { .. } => {
                let mut list = Vec::new();
                page::list(content("index list")?, frame.segments, &mut list)?;
                return Ok(State::Found(list));
            }
            State::Found(list) => return Ok(State::Found(list.clone())),
        };
        let mut words = Reader::new(content("index page")?, span, frame.segments)?;
        let mut list = Vec::new();
        while let Some((word, place)) = words.next(&mut list)? {
            if word < self.prefix {
                continue;
            }
            return Ok(match place {
                _ if word > self.prefix => State::Found(Vec::new()),
                List::Here => State::Found(list),
                List::Elsewhere(place) => State::List { bytes: zone.in_heap(&place)? },
            });
        }
        let spilled = words.spill.take().filter(|_| matches!(self.state, State::Page { .. }));
        let Some(spill) = spilled else { return Ok(State::Found(Vec::new())) };
        Ok(State::Spill { span: words.rest(), bytes: zone.in_heap(&spill)?, zone: zone.clone() })
    }
}
