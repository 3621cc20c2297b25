//! What a merge reads: the run of a segment, or an index with the new numbers of its segments.

use std::{collections::VecDeque, ops::Range};

use super::{
    Error, Header, Ordinal, Pair,
    header::{Frame, Place},
    run, zone,
};
use crate::engine::block::Corrupt;

/// What is read of a run at once.
const RUN_BYTES: u64 = 64 << 10;

/// A stored run or index, read from its beginning to its end.
pub struct Source(Kind);

enum Kind {
    Run(Run),
    Index(Index),
}

/// What a source has for its merge.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Pair(Pair),
    /// It must be fed first.
    Hungry,
    Done,
}

struct Run {
    reader: run::Reader,
    ordinal: Ordinal,
    length: u64,
    fed: u64,
}

struct Index {
    frame: Frame,
    zones: VecDeque<Place>,
    /// The zones that are fed and not used up.
    fed: VecDeque<(Place, Vec<u8>)>,
    /// The next page of the first of them.
    page: u32,
    map: Vec<Option<Ordinal>>,
    pairs: Vec<Pair>,
    at: usize,
}

impl Source {
    /// The run of the segment that the new index numbers so; `length` is its object's.
    pub fn run(length: u64, ordinal: Ordinal) -> Self {
        Self(Kind::Run(Run { reader: run::Reader::default(), ordinal, length, fed: 0 }))
    }

    /// An index: `map` has for each of its segments the number in the new index, or none when the segment is gone.
    pub fn index(header: &Header, map: Vec<Option<Ordinal>>) -> Result<Self, Error> {
        if map.len() != header.frame.segments as usize {
            return Err(Error::WrongMap(map.len(), header.frame.segments));
        }
        let zones = (0..header.zones.len()).filter_map(|nth| header.zone(nth)).collect();
        Ok(Self(Kind::Index(Index {
            frame: header.frame,
            zones,
            fed: VecDeque::new(),
            page: 0,
            map,
            pairs: Vec::new(),
            at: 0,
        })))
    }

    /// The highest number it gives.
    pub(super) fn highest(&self) -> Option<Ordinal> {
        match &self.0 {
            Kind::Run(run) => Some(run.ordinal),
            Kind::Index(index) => index.map.iter().copied().flatten().max(),
        }
    }

    /// What it reads next, if anything is left.
    pub(super) fn wants(&self) -> Option<Range<u64>> {
        match &self.0 {
            Kind::Run(run) => {
                (run.fed < run.length).then(|| run.fed..run.fed.saturating_add(RUN_BYTES).min(run.length))
            }
            Kind::Index(index) => index.zones.front().map(|zone| zone.bytes.clone()),
        }
    }

    /// Whether half or more of what was fed last is used up, so that it is as well read on.
    pub(super) fn is_low(&self) -> bool {
        match &self.0 {
            Kind::Run(run) => {
                let (words, bytes) = run.reader.buffered();
                (words + bytes) as u64 * 2 < RUN_BYTES
            }
            Kind::Index(index) => {
                index.fed.len() < 2 && index.fed.front().is_none_or(|(zone, _)| index.page > zone.pages / 2)
            }
        }
    }

    /// Takes the bytes that it wanted.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), Corrupt> {
        let wanted = self.wants().map_or(0, |range| range.end - range.start);
        if bytes.len() as u64 != wanted {
            return Err(Corrupt::damaged("index source", format!("{} bytes for {wanted}", bytes.len())));
        }
        match &mut self.0 {
            Kind::Run(run) => {
                run.reader.feed(bytes);
                run.fed += wanted;
            }
            Kind::Index(index) => {
                if let Some(zone) = index.zones.pop_front() {
                    index.fed.push_back((zone, bytes.to_vec()));
                }
            }
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> Result<Next, Corrupt> {
        match &mut self.0 {
            Kind::Run(run) => run.next(),
            Kind::Index(index) => index.next(),
        }
    }
}

impl Run {
    fn next(&mut self) -> Result<Next, Corrupt> {
        if let Some(word) = self.reader.next_word()? {
            return Ok(Next::Pair(Pair::new(word, self.ordinal)));
        }
        if self.reader.done() {
            return Ok(Next::Done);
        }
        if self.fed < self.length {
            return Ok(Next::Hungry);
        }
        Err(Corrupt::damaged("word run", "it is cut short"))
    }
}

impl Index {
    fn next(&mut self) -> Result<Next, Corrupt> {
        loop {
            if let Some(pair) = self.pairs.get(self.at) {
                self.at += 1;
                return Ok(Next::Pair(*pair));
            }
            let Some((zone, bytes)) = self.fed.front() else {
                return Ok(if self.zones.is_empty() { Next::Done } else { Next::Hungry });
            };
            self.pairs.clear();
            self.at = 0;
            zone::read_page(zone, &self.frame, bytes, self.page, &mut self.pairs)?;
            let map = &self.map;
            self.pairs.retain_mut(|pair| {
                let new = map.get(usize::from(pair.ordinal())).copied().flatten();
                *pair = Pair::new(pair.word(), new.unwrap_or(0));
                new.is_some()
            });
            self.page += 1;
            if self.page >= zone.pages {
                self.fed.pop_front();
                self.page = 0;
            }
        }
    }
}
