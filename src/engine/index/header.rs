//! The header of an index: what a reader keeps of it. It stands at the object's end, as the parts before it are
//! written in one pass; a copy of its bytes may be kept wherever it is at hand without a read.

use std::ops::Range;

use super::{HASH_BITS, MAX_KEY_BYTES, MAX_SEGMENTS, VERSION, number, seal, unseal, within};
use crate::engine::block::Corrupt;

/// What a reader asks for who has nothing but an object's length: as a rule the header is in it.
pub const TAIL_BYTES: u64 = 32 << 10;

const MAGIC: &[u8; 8] = b"TL-INDEX";
const END_BYTES: usize = 32;
const ZONE_BYTES: usize = 14;
const PAGE_BYTES: Range<u32> = 64..(1 << 20) + 1;

/// The first bytes of a page: checksum, words, parameter, and where the words are that found no room.
pub(super) const PAGE_HEAD: usize = 16;

/// What is known of an index without reading its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    pub(super) frame: Frame,
    /// Distinct words.
    pub words: u64,
    /// Words, each counted once for each segment that holds it.
    pub pairs: u64,
    /// Where the keys begin and all zones end.
    pub(super) keys: u64,
    /// Bytes of the record of one key.
    pub(super) record: u32,
    /// Behind the last word of the last zone.
    pub(super) end: u64,
    pub(super) zones: Vec<Zone>,
}

/// What every part of an index is written and read with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Goes into every checksum, so that no part of another object is taken for one of this.
    pub(super) identity: u64,
    pub(super) segments: u32,
    pub(super) page_bytes: u32,
}

/// A range of hashes and its share of the object: pages of one size, then what found no room in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Zone {
    /// The first hash.
    pub(super) start: u64,
    pub(super) offset: u64,
    pub(super) pages: u32,
}

/// A zone with its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) span: Range<u64>,
    pub(super) bytes: Range<u64>,
    pub(super) pages: u32,
    page_bytes: u32,
}

/// What an object's end says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    Header(Box<Header>),
    /// The header is longer: these bytes, up to the object's end, hold it.
    More(Range<u64>),
}

impl Header {
    /// Itself, if it is that of the index with this identity.
    pub fn of(self, identity: u64) -> Result<Self, Corrupt> {
        if self.frame.identity == identity { Ok(self) } else { Err(damaged("it is another index's")) }
    }

    /// How many segments the index numbers.
    pub fn segments(&self) -> u32 {
        self.frame.segments
    }

    /// Bytes of the object up to its header.
    pub fn body_bytes(&self) -> u64 {
        self.keys + u64::from(self.frame.segments) * u64::from(self.record)
    }

    /// The bytes that an object ends with.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(52 + END_BYTES + self.zones.len() * ZONE_BYTES);
        bytes.extend_from_slice(&self.frame.identity.to_le_bytes());
        bytes.extend_from_slice(&self.words.to_le_bytes());
        bytes.extend_from_slice(&self.pairs.to_le_bytes());
        bytes.extend_from_slice(&self.keys.to_le_bytes());
        bytes.extend_from_slice(&self.end.to_le_bytes());
        for short in [self.frame.segments, self.frame.page_bytes, self.record] {
            bytes.extend_from_slice(&short.to_le_bytes());
        }
        for zone in &self.zones {
            bytes.extend(zone.start.to_le_bytes().into_iter().take(5));
            bytes.extend(zone.offset.to_le_bytes().into_iter().take(6));
            bytes.extend(zone.pages.to_le_bytes().into_iter().take(3));
        }
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let crc = seal(0, 0, &bytes);
        let mut end = Vec::with_capacity(END_BYTES);
        end.extend_from_slice(MAGIC);
        end.extend_from_slice(&VERSION.to_le_bytes());
        end.extend_from_slice(&self.body_bytes().to_le_bytes());
        end.extend_from_slice(&length.to_le_bytes());
        end.extend_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&seal(0, 0, &end).to_le_bytes());
        bytes.extend_from_slice(&end);
        bytes
    }

    /// Reads what `encode` made.
    pub fn decode(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (body, end) = split_end(bytes)?;
        let end = End::read(end)?;
        if body.len() as u64 != u64::from(end.length) || seal(0, 0, body) != end.crc {
            return Err(damaged("its checksum differs from the end's"));
        }
        let header = parse(body).ok_or_else(|| damaged("it is cut short"))?;
        if header.body_bytes() != end.offset {
            return Err(damaged("it does not follow the keys"));
        }
        header.check()?;
        Ok(header)
    }

    /// What to read of an object of this length to open it.
    pub fn tail(object_length: u64) -> Range<u64> {
        object_length.saturating_sub(TAIL_BYTES)..object_length
    }

    /// Reads the header from the end of an object, be it as much as `tail` asks for or as `Opened::More` does.
    pub fn open(object_length: u64, tail: &[u8]) -> Result<Opened, Corrupt> {
        let end = End::read(split_end(tail)?.1)?;
        let all = end.offset..object_length;
        let length = u64::from(end.length) + END_BYTES as u64;
        if end.offset.checked_add(length) != Some(object_length) {
            return Err(damaged("the object is longer or shorter than it says"));
        }
        match within(tail, object_length.saturating_sub(tail.len() as u64), &all) {
            Some(bytes) => Ok(Opened::Header(Box::new(Self::decode(bytes)?))),
            None => Ok(Opened::More(all)),
        }
    }

    /// Every length that a reader goes by.
    fn check(&self) -> Result<(), Corrupt> {
        let Frame { segments, page_bytes, .. } = self.frame;
        let sound = segments as usize <= MAX_SEGMENTS
            && PAGE_BYTES.contains(&page_bytes)
            && self.record as usize <= MAX_KEY_BYTES + super::keys::RECORD_HEAD
            && self.end <= 1 << HASH_BITS
            && self.zones.first().is_none_or(|zone| zone.start == 0 && zone.offset == 0)
            && (0..self.zones.len()).filter_map(|nth| self.zone(nth)).all(|zone| {
                zone.pages > 0
                    && zone.span.start < zone.span.end
                    && zone.heap() <= zone.bytes.end
                    && u32::try_from(zone.bytes.end - zone.bytes.start).is_ok()
            });
        if sound { Ok(()) } else { Err(damaged("its numbers contradict each other")) }
    }

    pub(super) fn zone(&self, nth: usize) -> Option<Place> {
        let zone = self.zones.get(nth)?;
        let (end, last) =
            self.zones.get(nth + 1).map_or((self.end, self.keys), |next| (next.start, next.offset));
        let (span, bytes) = (zone.start..end, zone.offset..last);
        Some(Place { span, bytes, pages: zone.pages, page_bytes: self.frame.page_bytes })
    }

    /// The zone that a word is in; `None` behind the last word.
    pub(super) fn zone_of(&self, word: u64) -> Option<Place> {
        let place = self.zone(self.zones.partition_point(|zone| zone.start <= word).checked_sub(1)?)?;
        place.span.contains(&word).then_some(place)
    }
}

impl Place {
    pub(super) fn new(span: Range<u64>, offset: u64, pages: u32, page_bytes: u32) -> Self {
        let heap = offset + u64::from(pages) * u64::from(page_bytes);
        Self { span, bytes: offset..heap, pages, page_bytes }
    }

    /// Which page a word is on.
    pub(super) fn page_of(&self, word: u64) -> u32 {
        let width = (self.span.end - self.span.start).max(1);
        let page = word.saturating_sub(self.span.start).saturating_mul(u64::from(self.pages)) / width;
        u32::try_from(page).unwrap_or(u32::MAX).min(self.pages.saturating_sub(1))
    }

    /// The words that can be on a page.
    pub(super) fn page_span(&self, page: u32) -> Range<u64> {
        let width = self.span.end - self.span.start;
        let edge =
            |page: u32| self.span.start + (u64::from(page) * width).div_ceil(u64::from(self.pages.max(1)));
        edge(page)..edge(page + 1)
    }

    pub(super) fn page_bytes(&self, page: u32) -> Range<u64> {
        let start = self.bytes.start + u64::from(page) * u64::from(self.page_bytes);
        start..start + u64::from(self.page_bytes)
    }

    /// Where the pages end.
    pub(super) fn heap(&self) -> u64 {
        self.bytes.start.saturating_add(u64::from(self.pages) * u64::from(self.page_bytes))
    }

    /// Bytes of the object that a page names by their place behind the pages.
    pub(super) fn in_heap(&self, place: &Range<u64>) -> Result<Range<u64>, Corrupt> {
        let range = self.heap() + place.start..self.heap() + place.end;
        let sound = range.start < range.end && range.end <= self.bytes.end;
        if sound { Ok(range) } else { Err(Corrupt::damaged("index page", "it points outside its zone")) }
    }
}

struct End {
    offset: u64,
    length: u32,
    crc: u32,
}

impl End {
    fn read(end: &[u8]) -> Result<Self, Corrupt> {
        let content = unseal(0, 0, end, "index end")?;
        let mut rest = content.strip_prefix(MAGIC).ok_or(Corrupt::NoEndMarker)?;
        let version = short(&mut rest).ok_or(Corrupt::NoEndMarker)?;
        if version != VERSION {
            return Err(Corrupt::UnknownVersion(version));
        }
        let fields = (number::<8>(&mut rest), short(&mut rest), short(&mut rest));
        let (Some(offset), Some(length), Some(crc)) = fields else { return Err(Corrupt::NoEndMarker) };
        Ok(Self { offset, length, crc })
    }
}

fn split_end(bytes: &[u8]) -> Result<(&[u8], &[u8]), Corrupt> {
    let at = bytes.len().checked_sub(END_BYTES).ok_or(Corrupt::NoEndMarker)?;
    Ok(bytes.split_at(at))
}

fn short(bytes: &mut &[u8]) -> Option<u32> {
    u32::try_from(number::<4>(bytes)?).ok()
}

fn parse(mut rest: &[u8]) -> Option<Header> {
    let rest = &mut rest;
    let (identity, words, pairs, keys) =
        (number::<8>(rest)?, number::<8>(rest)?, number::<8>(rest)?, number::<8>(rest)?);
    let end = number::<8>(rest)?;
    let (segments, page_bytes, record) = (short(rest)?, short(rest)?, short(rest)?);
    let mut zones = Vec::with_capacity(rest.len() / ZONE_BYTES);
    while !rest.is_empty() {
        let (start, offset) = (number::<5>(rest)?, number::<6>(rest)?);
        zones.push(Zone { start, offset, pages: u32::try_from(number::<3>(rest)?).ok()? });
    }
    // A partition of zones is bounded by the object: no sum of these can overflow.
    (keys < 1 << 48).then_some(())?;
    Some(Header { frame: Frame { identity, segments, page_bytes }, words, pairs, keys, record, end, zones })
}

fn damaged(reason: &'static str) -> Corrupt {
    Corrupt::damaged("index header", reason)
}
