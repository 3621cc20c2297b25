//! Numbers for texts, in the order in which they first come: a map for what is asked for each row of a block, and is gone
//! with it. Who sends texts that share a slot makes it as slow as an ordered map, and no slower.

use std::collections::BTreeMap;

/// Slots at first, and how many there are for each number at least.
const SLOTS: usize = 64;
const LOAD: usize = 2;

/// Slots that are looked at for a key.
const MOST_PROBES: usize = 32;

/// What can have a number.
pub(super) trait Key: Copy + Ord {
    /// Which slot it gets is up to the high bits.
    fn hash(self) -> u64;
}

/// An odd number without a pattern, the golden ratio.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

impl Key for u64 {
    fn hash(self) -> u64 {
        self.wrapping_mul(FACTOR)
    }
}

impl Key for &[u8] {
    #[inline]
    fn hash(self) -> u64 {
        let mut hash = self.len() as u64;
        let mut add = |word: u64| hash = (hash.rotate_left(29) ^ word).wrapping_mul(FACTOR);
        let (words, rest) = self.as_chunks::<8>();
        for word in words {
            add(u64::from_le_bytes(*word));
        }
        add(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        hash
    }
}

impl Key for &str {
    fn hash(self) -> u64 {
        self.as_bytes().hash()
    }
}

#[derive(Debug)]
pub(super) struct Numbers<K> {
    pub(super) keys: Vec<K>,
    /// One more than the number, 0 where there is none; a power of two of them.
    slots: Vec<u32>,
    /// Those that found no slot.
    others: BTreeMap<K, u32>,
}

impl<K> Default for Numbers<K> {
    fn default() -> Self {
        Self { keys: Vec::new(), slots: vec![0; SLOTS], others: BTreeMap::new() }
    }
}

impl<K: Key> Numbers<K> {
    /// The number of a key, a new one where it has none.
    pub(super) fn number(&mut self, key: K) -> u32 {
        self.number_below(key, usize::MAX).unwrap_or(u32::MAX)
    }

    /// The same where there are no more than so many; `None` where there would be.
    pub(super) fn number_below(&mut self, key: K, most: usize) -> Option<u32> {
        let mut free = None;
        for slot in self.slots_of(key) {
            match self.slots.get(slot).copied().unwrap_or(0).checked_sub(1) {
                Some(number) if self.keys.get(number as usize) == Some(&key) => return Some(number),
                Some(_) => {}
                None => {
                    free = Some(slot);
                    break;
                }
            }
        }
        if free.is_none()
            && let Some(number) = self.others.get(&key)
        {
            return Some(*number);
        }
        if self.keys.len() >= most {
            return None;
        }
        self.keys.push(key);
        let count = u32::try_from(self.keys.len()).ok()?;
        self.put(key, count, free);
        if self.keys.len() * LOAD > self.slots.len() {
            self.grow();
        }
        Some(count - 1)
    }

    fn slots_of(&self, key: K) -> impl Iterator<Item = usize> + use<K> {
        // A power of two, whose bits are taken from the top.
        let shift = u64::BITS - self.slots.len().trailing_zeros();
        let (first, mask) = (usize::try_from(key.hash() >> shift).unwrap_or(0), self.slots.len() - 1);
        (0..MOST_PROBES).map(move |probe| (first + probe) & mask)
    }

    fn put(&mut self, key: K, count: u32, free: Option<usize>) {
        match free.and_then(|slot| self.slots.get_mut(slot)) {
            Some(slot) => *slot = count,
            None => drop(self.others.insert(key, count - 1)),
        }
    }

    fn grow(&mut self) {
        self.slots = vec![0; self.slots.len() * 4];
        self.others.clear();
        for (count, key) in (1..).zip(self.keys.clone()) {
            let free = self.slots_of(key).find(|slot| self.slots.get(*slot) == Some(&0));
            self.put(key, count, free);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_those_of_a_map(texts in prop::collection::vec("[ab]{0,10}|[a-f]{8}", 0..600), most in 0..300_usize) {
            let mut known: HashMap<&str, u32> = HashMap::new();
            let mut numbers = Numbers::default();
            let mut few = Numbers::default();
            for text in &texts {
                let next = u32::try_from(known.len()).unwrap();
                let expected = *known.entry(text).or_insert(next);
                assert_eq!(numbers.number(text.as_str()), expected);
                let told = few.number_below(text.as_bytes(), most);
                assert_eq!(told, Some(expected).filter(|number| (*number as usize) < most));
            }
            assert!(numbers.keys.iter().zip(0..).all(|(text, number)| known[text] == number));
        }
    }

    #[test]
    fn keys_that_share_a_slot_are_told_apart() {
        // What a key has to be for a hash: the factor's inverse, by Newton's steps.
        let inverse = (0..6).fold(FACTOR, |x, _| x.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(x))));
        let forged = |n: u64| n.wrapping_mul(inverse);
        assert_eq!(forged(7).hash(), 7);
        let mut numbers = Numbers::default();
        for _ in 0..2 {
            for n in 0..5_000 {
                assert_eq!(u64::from(numbers.number(forged(n))), n);
            }
        }
        assert_eq!((numbers.keys.len(), numbers.others.len()), (5_000, 5_000 - MOST_PROBES));
        assert_eq!(numbers.number_below(forged(5_000), 5_000), None);
    }
}
