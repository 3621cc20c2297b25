//! Where a string of JSON ends.

const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// The place of the first quote, backslash or control character: eight bytes at a time, because most strings are short.
#[inline]
pub(in crate::engine) fn special(bytes: &[u8]) -> Option<usize> {
    let (words, rest) = bytes.as_chunks::<8>();
    for (nth, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        // A byte that is less than another one borrows from its high bit, which a byte of ASCII has not. The lowest bit that
        // is left is always true; those above it may be borrowed from.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let byte = |byte: u8| zero(word ^ (ONES * u64::from(byte)));
        let found = (byte(b'"') | byte(b'\\') | control) & HIGH;
        if found != 0 {
            return Some(nth * 8 + found.trailing_zeros() as usize / 8);
        }
    }
    let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    rest.iter().position(is_special).map(|at| bytes.len() - rest.len() + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one(bytes: &[u8]) -> Option<usize> {
        bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
    }

    #[test]
    fn every_byte_is_told_from_its_neighbours() {
        for byte in 0..=u8::MAX {
            for other in 0..=u8::MAX {
                for at in 0..20 {
                    let mut bytes = [other; 20];
                    bytes[at] = byte;
                    assert_eq!(special(&bytes), one_by_one(&bytes), "{byte} among {other} at {at}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_the_first(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0x1e..0x24_u8, 0x5b..0x5e_u8, Just(b'a')], 0..70)) {
            assert_eq!(special(&bytes), one_by_one(&bytes));
        }
    }
}
