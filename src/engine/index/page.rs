//! A page: the words of a range of hashes, each with the list of its segments.

use std::ops::Range;

use super::{
    Ordinal, Pair,
    bits::{BitReader, BitWriter, Count, Sink, rice_k},
    header::PAGE_HEAD,
    number, postings, put_sealed,
};
use crate::engine::block::Corrupt;

/// Bits of the word of a list that stands elsewhere: its mark, its place and its length.
const FAR_BITS: u64 = 31 + PLACE_BITS as u64 + LENGTH_BITS as u64;
const PLACE_BITS: u32 = 32;
const LENGTH_BITS: u32 = 16;

/// A list that takes more than one part in this many of a page stands elsewhere: pages are filled evenly only
/// when no word counts for much.
const FAR_PART: u64 = 32;

/// How a zone's pages are written.
pub(super) struct Writer {
    pub(super) identity: u64,
    pub(super) segments: u64,
    pub(super) page_bytes: usize,
    /// Where the heap begins in the object.
    pub(super) heap_at: u64,
    /// What found no room in the pages.
    pub(super) heap: Vec<u8>,
    list: Vec<Ordinal>,
}

/// The words of some pairs: each with all its pairs.
pub(super) fn by_word(pairs: &[Pair]) -> impl Iterator<Item = &[Pair]> {
    pairs.chunk_by(|a, b| a.word() == b.word())
}

impl Writer {
    pub(super) fn new(identity: u64, segments: u64, page_bytes: usize) -> Self {
        Self { identity, segments, page_bytes, heap_at: 0, heap: Vec::new(), list: Vec::new() }
    }

    /// The bits that a page has for words.
    pub(super) fn room(&self) -> u64 {
        self.page_bytes.saturating_sub(PAGE_HEAD) as u64 * 8
    }

    /// The bits of a word's list as it stands in a page, and whether the list stands elsewhere.
    pub(super) fn list_bits(&mut self, word: &[Pair]) -> (u64, bool) {
        self.list.clear();
        self.list.extend(word.iter().map(|pair| pair.ordinal()));
        let mut count = Count::default();
        postings::write(&mut count, &self.list, self.segments);
        let far = count.0 > self.room() / FAR_PART && count.0 > FAR_BITS;
        (if far { FAR_BITS } else { count.0 }, far)
    }

    /// Writes the words of one page; what finds no room in it goes behind the pages.
    pub(super) fn page(&mut self, pairs: &[Pair], span: &Range<u64>) -> Vec<u8> {
        let (mut content, rest, next) = self.content(pairs, span.clone(), self.room());
        let mut spill = 0..0;
        if !rest.is_empty() {
            let (more, _, _) = self.content(rest, next..span.end, u64::MAX);
            spill = self.put(&more);
        }
        let length = (spill.end - spill.start).to_le_bytes().into_iter().take(3);
        let place = spill.start.to_le_bytes().into_iter().take(4);
        for (slot, byte) in content.iter_mut().skip(5).zip(length.chain(place)) {
            *slot = byte;
        }
        content.resize(self.page_bytes.saturating_sub(4), 0);
        content
    }

    /// As many words as there is room for, the pairs that are left, and the first word that may be among them.
    fn content<'p>(&mut self, pairs: &'p [Pair], span: Range<u64>, room: u64) -> (Vec<u8>, &'p [Pair], u64) {
        let k = rice_k(span.end - span.start, by_word(pairs).count() as u64);
        let (mut bits, mut used, mut words, mut taken) = (BitWriter::default(), 0_u64, 0_u32, 0_usize);
        let mut next = span.start;
        for word in by_word(pairs) {
            let Some(hash) = word.first().map(|pair| pair.word()) else { break };
            let gap = hash.saturating_sub(next);
            let (list_bits, far) = self.list_bits(word);
            used = used.saturating_add((gap >> k) + 1 + u64::from(k) + list_bits);
            if used > room {
                break;
            }
            bits.rice(gap, k);
            if far {
                let mut list = BitWriter::default();
                postings::write(&mut list, &self.list, self.segments);
                let place = self.put(&list.finish());
                bits.gamma(postings::ELSEWHERE);
                bits.put(place.start, PLACE_BITS);
                bits.put(place.end - place.start, LENGTH_BITS);
            } else {
                postings::write(&mut bits, &self.list, self.segments);
            }
            words += 1;
            taken += word.len();
            next = hash + 1;
        }
        let mut content = Vec::with_capacity(self.page_bytes);
        content.extend_from_slice(&words.to_le_bytes());
        content.push(u8::try_from(k).unwrap_or(0));
        content.extend_from_slice(&[0; 7]);
        content.extend_from_slice(&bits.finish());
        (content, pairs.get(taken..).unwrap_or_default(), next)
    }

    /// Appends to the heap; answers where, counted from its beginning.
    fn put(&mut self, content: &[u8]) -> Range<u64> {
        let start = self.heap.len() as u64;
        put_sealed(&mut self.heap, self.identity, self.heap_at + start, content);
        start..self.heap.len() as u64
    }
}

/// Reads the words of a page, or of what found no room in one.
pub(super) struct Reader<'b> {
    bits: BitReader<'b>,
    left: u32,
    k: u32,
    /// The next word is not less, and less than the end.
    span: Range<u64>,
    segments: u64,
    /// Where the words behind the last of these are, in the heap.
    pub(super) spill: Option<Range<u64>>,
}

/// Where a word's list is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum List {
    /// It was read.
    Here,
    /// At this place of the heap.
    Elsewhere(Range<u64>),
}

impl<'b> Reader<'b> {
    /// Takes a page's content without its checksum.
    pub(super) fn new(mut content: &'b [u8], span: Range<u64>, segments: u32) -> Result<Self, Corrupt> {
        let rest = &mut content;
        let fields = (number::<4>(rest), number::<1>(rest), number::<3>(rest), number::<4>(rest));
        let (Some(words), Some(k), Some(length), Some(place)) = fields else { return Err(damaged()) };
        let (Ok(left), Ok(k)) = (u32::try_from(words), u32::try_from(k)) else { return Err(damaged()) };
        if k > super::HASH_BITS {
            return Err(damaged());
        }
        let spill = (length > 0).then(|| place..place + length);
        Ok(Self { bits: BitReader::new(rest), left, k, span, segments: u64::from(segments), spill })
    }

    /// The next word; its list, when it stands here, is put in `list`.
    pub(super) fn next(&mut self, list: &mut Vec<Ordinal>) -> Result<Option<(u64, List)>, Corrupt> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.word(list).map(Some).ok_or_else(damaged)
    }

    fn word(&mut self, list: &mut Vec<Ordinal>) -> Option<(u64, List)> {
        let word = self.bits.rice(self.k)?.checked_add(self.span.start).filter(|n| *n < self.span.end)?;
        self.span.start = word + 1;
        let count = self.bits.gamma()?;
        if count == postings::ELSEWHERE {
            let place = self.bits.take(PLACE_BITS)?;
            let length = self.bits.take(LENGTH_BITS)?;
            return Some((word, List::Elsewhere(place..place + length)));
        }
        postings::read(&mut self.bits, count, self.segments, list)?;
        Some((word, List::Here))
    }

    /// The words that the spill can hold, when all of these have been read.
    pub(super) fn rest(&self) -> Range<u64> {
        self.span.clone()
    }
}

/// Reads a list that stands by itself, its checksum taken off.
pub(super) fn list(content: &[u8], segments: u32, list: &mut Vec<Ordinal>) -> Result<(), Corrupt> {
    let mut bits = BitReader::new(content);
    let count = bits.gamma().filter(|count| *count < postings::ELSEWHERE).ok_or_else(damaged)?;
    postings::read(&mut bits, count, u64::from(segments), list).ok_or_else(damaged)
}

fn damaged() -> Corrupt {
    Corrupt::damaged("index page", "it holds what no writer wrote")
}
