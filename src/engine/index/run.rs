//! A run: the words of one segment, as the prefixes of their hashes in order. It is written with the segment and
//! kept until it is merged into the index of the segment's partition.

use std::collections::VecDeque;

use super::{
    HASH_BITS, MAX_KEY_BYTES, VERSION,
    bits::{BitReader, BitWriter, Sink, rice_k},
    number, prefix, put_sealed, seal, unseal,
};
use crate::engine::block::Corrupt;

const MAGIC: &[u8; 8] = b"TL-WORDS";

/// Words of a block at the most.
const BLOCK_WORDS: usize = 4_096;

/// Length and checksum of a block.
const FRAME_BYTES: usize = 8;

/// Bytes of a block at the most: each word takes its parameter's bits and two more on average.
const MAX_BLOCK_BYTES: usize = FRAME_BYTES + 16 + BLOCK_WORDS * 8;

/// Bytes of a run that hold its head, however long its segment's key is.
const HEAD_BYTES: usize = 18;

/// Writes a run from a segment's hashes, which may come in any order and more than once.
pub fn encode(segment_key: &str, hashes: impl IntoIterator<Item = u64>) -> Result<Vec<u8>, super::Error> {
    let mut words: Vec<u64> = hashes.into_iter().map(prefix).collect();
    words.sort_unstable();
    words.dedup();
    let mut writer = Writer::new(segment_key)?;
    for word in words {
        writer.push_prefix(word);
    }
    Ok(writer.finish())
}

/// Writes a run from hashes that come in order.
pub struct Writer {
    identity: u64,
    /// Bytes of the run that were taken.
    taken: u64,
    bytes: Vec<u8>,
    /// The words of the next block.
    open: Vec<u64>,
    next: u64,
    words: u64,
}

impl Writer {
    pub fn new(segment_key: &str) -> Result<Self, super::Error> {
        let key = segment_key.as_bytes();
        let length = u16::try_from(key.len()).ok().filter(|n| usize::from(*n) <= MAX_KEY_BYTES);
        let length = length.ok_or(super::Error::KeyTooLong(key.len()))?;
        let mut head = Vec::with_capacity(HEAD_BYTES + key.len());
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&length.to_le_bytes());
        head.extend_from_slice(key);
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(&seal(0, 0, &head).to_le_bytes());
        Ok(Self { identity: identity(key), taken: 0, bytes, open: Vec::new(), next: 0, words: 0 })
    }

    /// Takes the next hash. One that is not above those before it in its kept bits is passed over: it is there.
    pub fn push(&mut self, hash: u64) {
        self.push_prefix(prefix(hash));
    }

    fn push_prefix(&mut self, word: u64) {
        if self.open.last().is_none_or(|last| *last < word) && word >= self.next {
            self.open.push(word);
        }
        if self.open.len() == BLOCK_WORDS {
            self.block();
        }
    }

    /// The bytes of whole blocks since they were last taken.
    pub fn take(&mut self) -> Vec<u8> {
        self.taken += self.bytes.len() as u64;
        std::mem::take(&mut self.bytes)
    }

    /// The bytes that are left.
    pub fn finish(mut self) -> Vec<u8> {
        self.block();
        let mut end = 0_u16.to_le_bytes().to_vec();
        end.extend_from_slice(&self.words.to_le_bytes());
        self.put(&end);
        self.bytes
    }

    fn block(&mut self) {
        let (Some(first), Some(last)) = (self.open.first().copied(), self.open.last().copied()) else {
            return;
        };
        let count = self.open.len();
        let k = rice_k(last - first, count as u64);
        let mut bits = BitWriter::default();
        let mut next = first;
        for word in self.open.drain(..) {
            bits.rice(word - next, k);
            next = word + 1;
        }
        let mut content = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes().to_vec();
        content.extend_from_slice(&first.to_le_bytes());
        content.push(u8::try_from(k).unwrap_or(0));
        content.extend_from_slice(&bits.finish());
        self.put(&content);
        self.next = next;
        self.words += count as u64;
    }

    fn put(&mut self, content: &[u8]) {
        let at = self.taken + self.bytes.len() as u64;
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        put_sealed(&mut self.bytes, self.identity, at, content);
    }
}

/// Reads a run from its bytes as they come, in parts of any size.
#[derive(Default)]
pub struct Reader {
    pending: VecDeque<u8>,
    /// Where `pending` begins in the run.
    at: u64,
    key: Option<String>,
    identity: u64,
    words: VecDeque<u64>,
    next: u64,
    read: u64,
    ended: bool,
}

impl Reader {
    /// Takes the bytes that follow those it was fed before.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.pending.extend(bytes);
    }

    /// The key of the run's segment, once the head was fed.
    pub fn segment_key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The next word's prefix; `None` while more bytes are needed, and at the end.
    pub fn next_word(&mut self) -> Result<Option<u64>, Corrupt> {
        while self.words.is_empty() {
            let read = if self.key.is_none() { self.head()? } else { !self.ended && self.block()? };
            if !read {
                break;
            }
        }
        Ok(self.words.pop_front())
    }

    /// Whether every word was read. A run whose bytes end before it is damaged.
    pub fn done(&self) -> bool {
        self.ended && self.words.is_empty()
    }

    /// Words that are decoded, and bytes that are not.
    pub(super) fn buffered(&self) -> (usize, usize) {
        (self.words.len(), self.pending.len())
    }

    fn head(&mut self) -> Result<bool, Corrupt> {
        let pending = self.pending.make_contiguous();
        let mut rest = pending.get(8..).unwrap_or_default();
        let (Some(version), Some(length)) = (number::<4>(&mut rest), number::<2>(&mut rest)) else {
            return Ok(false);
        };
        if pending.get(..8) != Some(MAGIC) {
            return Err(damaged("it does not begin as one"));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if version != u64::from(VERSION) || length > MAX_KEY_BYTES {
            return Err(Corrupt::UnknownVersion(u32::try_from(version).unwrap_or(u32::MAX)));
        }
        let Some((key, mut rest)) = rest.split_at_checked(length) else { return Ok(false) };
        let Some(crc) = number::<4>(&mut rest) else { return Ok(false) };
        let whole = HEAD_BYTES + length;
        let head = pending.get(..whole - 4).unwrap_or_default();
        if crc != u64::from(seal(0, 0, head)) {
            return Err(damaged("its head's checksum differs"));
        }
        self.identity = identity(key);
        self.key = Some(String::from_utf8(key.to_vec()).map_err(|_| damaged("its key is no text"))?);
        self.drop_front(whole);
        Ok(true)
    }

    fn block(&mut self) -> Result<bool, Corrupt> {
        let pending = self.pending.make_contiguous();
        let mut rest = &*pending;
        let Some(length) = number::<4>(&mut rest).and_then(|n| usize::try_from(n).ok()) else {
            return Ok(false);
        };
        if length > MAX_BLOCK_BYTES {
            return Err(damaged("a block is too long"));
        }
        let Some(part) = rest.get(..length + 4) else { return Ok(false) };
        let mut content = unseal(self.identity, self.at, part, "word run")?;
        let count = number::<2>(&mut content).ok_or_else(|| damaged("a block is too short"))?;
        let number_of = number::<8>(&mut content).ok_or_else(|| damaged("a block is too short"))?;
        if count == 0 {
            if number_of != self.read {
                return Err(damaged("it has fewer words than it says"));
            }
            self.ended = true;
        } else {
            self.words = words(content, count, number_of)
                .filter(|words| words.front().is_some_and(|first| *first >= self.next))
                .ok_or_else(|| damaged("a block holds what no writer wrote"))?;
            self.next = self.words.back().map_or(0, |last| last + 1);
            self.read += count;
        }
        self.drop_front(length + FRAME_BYTES);
        if self.ended && !self.pending.is_empty() {
            return Err(damaged("bytes behind its end"));
        }
        Ok(true)
    }

    fn drop_front(&mut self, bytes: usize) {
        self.pending.drain(..bytes.min(self.pending.len()));
        self.at += bytes as u64;
    }
}

fn words(mut content: &[u8], count: u64, first: u64) -> Option<VecDeque<u64>> {
    let k = u32::try_from(number::<1>(&mut content)?).ok().filter(|k| *k <= HASH_BITS)?;
    let mut bits = BitReader::new(content);
    let mut words = VecDeque::with_capacity(usize::try_from(count).ok()?.min(BLOCK_WORDS));
    let mut next = first;
    for _ in 0..count {
        let word = bits.rice(k)?.checked_add(next).filter(|word| *word < 1 << HASH_BITS)?;
        words.push_back(word);
        next = word + 1;
    }
    Some(words)
}

/// Ties a run's blocks to its segment.
fn identity(key: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(key)
}

fn damaged(reason: &'static str) -> Corrupt {
    Corrupt::damaged("word run", reason)
}
