//! The hash that ids are made of. It is part of what is stored: it never changes.

use std::hash::{BuildHasherDefault, Hasher};

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// A number's bits, spread over all 64 (the finish of `MurmurHash3`, by other constants).
pub(super) fn spread(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 32)).wrapping_mul(SECOND);
    bits = (bits ^ (bits >> 32)).wrapping_mul(SECOND);
    bits ^ (bits >> 32)
}

/// Eight bytes a step and only 64-bit products, which is what wasm has.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut sum = FIRST ^ u64::try_from(bytes.len()).unwrap_or(0);
    for word in words {
        sum = step(sum, u64::from_le_bytes(*word));
    }
    let mut last = 0;
    for byte in rest.iter().rev() {
        last = last << 8 | u64::from(*byte);
    }
    spread(step(sum, last))
}

fn step(sum: u64, word: u64) -> u64 {
    (sum ^ spread_lightly(word)).wrapping_mul(FIRST).rotate_left(29)
}

fn spread_lightly(word: u64) -> u64 {
    let product = word.wrapping_mul(SECOND);
    product ^ (product >> 29)
}

/// For tables whose keys are hashes already.
#[derive(Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = spread(self.0 ^ hash(bytes));
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
}

pub(super) type Hashed = BuildHasherDefault<AsItIs>;
