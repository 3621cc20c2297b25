//! Arrays of whole numbers: offsets from the smallest, or from the number before, in byte planes, so that
//! what gzip sees next to each other is alike.
//!
//! `mode` is 0 for offsets from the smallest number and 1 for offsets of differences from the smallest one.

use std::sync::OnceLock;

use bytes::Bytes;

use super::Corrupt;

const PLAIN: u8 = 0;
const DELTA: u8 = 1;

/// Appends a number in 7-bit groups, the lowest first.
#[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
pub(super) fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads bytes from the front, each read bounded by what is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Corrupt> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(ends)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn end(self) -> Result<(), Corrupt> {
        if self.0.is_empty() { Ok(()) } else { Err(Corrupt::damaged("column", "bytes are left over")) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Corrupt> {
        self.take(1)?.first().copied().ok_or_else(ends)
    }

    pub(super) fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Corrupt::damaged("column", "a number is longer than 64 bits"))
    }
}

fn ends() -> Corrupt {
    Corrupt::damaged("column", "it ends early")
}

pub(super) fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Appends the numbers; how many there are is the reader's to know.
pub(super) fn encode(bytes: &mut Vec<u8>, numbers: &[u64]) {
    let min = numbers.iter().copied().min().unwrap_or(0);
    let spread = numbers.iter().copied().max().unwrap_or(0) - min;
    let steps = || numbers.iter().zip(numbers.get(1..).unwrap_or_default()).map(|(a, b)| diff(*a, *b));
    let (min_step, max_step) =
        steps().fold((i64::MAX, i64::MIN), |(low, high), step| (low.min(step), high.max(step)));
    let step_spread = max_step.checked_sub(min_step).map_or(u64::MAX, i64::cast_unsigned);
    // A difference has twice the range; where the numbers are in no order they pack worse.
    if numbers.len() > 2 && u128::from(step_spread) * 2 < u128::from(spread) {
        bytes.push(DELTA);
        put_varint(bytes, numbers.first().copied().unwrap_or(0));
        put_varint(bytes, zigzag(min_step));
        planes(bytes, step_spread, steps().map(|step| step.wrapping_sub(min_step).cast_unsigned()));
    } else {
        bytes.push(PLAIN);
        put_varint(bytes, min);
        planes(bytes, spread, numbers.iter().map(|number| number - min));
    }
}

fn diff(a: u64, b: u64) -> i64 {
    b.wrapping_sub(a).cast_signed()
}

#[expect(clippy::cast_possible_truncation, reason = "the low bits are meant")]
#[expect(clippy::needless_pass_by_value, reason = "callers map it from their numbers")]
fn planes(bytes: &mut Vec<u8>, max: u64, numbers: impl Iterator<Item = u64> + Clone) {
    let width = (u64::BITS - max.leading_zeros()).div_ceil(8);
    bytes.push(width as u8);
    for plane in 0..width {
        bytes.extend(numbers.clone().map(|number| (number >> (8 * plane)) as u8));
    }
}

/// Reads so many numbers.
pub(super) fn decode(input: &mut Input<'_>, count: usize) -> Result<Vec<u64>, Corrupt> {
    Packed::read(input, count).map(Packed::all)
}

/// Numbers as they are kept.
#[derive(Clone, Copy, Debug)]
struct Packed<'a> {
    count: usize,
    first: u64,
    /// The smallest difference, where differences are kept.
    step: Option<i64>,
    planes: &'a [u8],
}

impl<'a> Packed<'a> {
    fn read(input: &mut Input<'a>, count: usize) -> Result<Self, Corrupt> {
        let mode = input.byte()?;
        let first = input.varint()?;
        let step = match mode {
            PLAIN => None,
            DELTA => Some(unzigzag(input.varint()?)),
            other => return Err(Corrupt::damaged("column", format!("numbers have no mode {other}"))),
        };
        let width = usize::from(input.byte()?);
        if width > 8 {
            return Err(Corrupt::damaged("column", format!("a number has {width} bytes")));
        }
        let mut packed = Self { count, first, step, planes: &[] };
        packed.planes = input.take(width * packed.kept())?;
        Ok(packed)
    }

    /// How many numbers have bytes: of differences there is one fewer.
    fn kept(&self) -> usize {
        if self.step.is_some() { self.count.saturating_sub(1) } else { self.count }
    }

    /// What is kept of each number.
    fn unpacked(&self) -> Vec<u64> {
        let kept = self.kept();
        let mut numbers = vec![0_u64; kept];
        for (plane, bytes) in self.planes.chunks_exact(kept.max(1)).enumerate() {
            for (number, byte) in numbers.iter_mut().zip(bytes) {
                *number |= u64::from(*byte) << (8 * plane);
            }
        }
        numbers
    }

    fn all(self) -> Vec<u64> {
        let mut numbers = self.unpacked();
        let Some(step) = self.step else {
            for number in &mut numbers {
                *number = number.wrapping_add(self.first);
            }
            return numbers;
        };
        let mut last = self.first;
        let steps = numbers.into_iter().map(|kept| {
            last = last.wrapping_add(kept.cast_signed().wrapping_add(step).cast_unsigned());
            last
        });
        std::iter::once(self.first).chain(steps).take(self.count).collect()
    }
}

/// Numbers that are looked at one by one.
#[derive(Debug)]
pub(super) struct Ints {
    count: usize,
    first: u64,
    step: Option<i64>,
    planes: Bytes,
    all: OnceLock<Vec<u64>>,
}

impl Ints {
    /// Finds so many numbers at the front of `input`, which is of `all`.
    pub(super) fn read(input: &mut Input<'_>, all: &Bytes, count: usize) -> Result<Self, Corrupt> {
        let Packed { count, first, step, planes } = Packed::read(input, count)?;
        Ok(Self { count, first, step, planes: all.slice_ref(planes), all: OnceLock::new() })
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// About the bytes that it takes in memory beside those it was read from.
    pub(super) fn weight(&self) -> usize {
        self.all.get().map_or(0, |all| all.len() * 8)
    }

    pub(super) fn get(&self, nth: usize) -> Option<u64> {
        if nth >= self.count {
            return None;
        }
        // A difference is none without those before it.
        if self.step.is_some() || self.all.get().is_some() {
            return self.all().get(nth).copied();
        }
        let planes = (0..).zip(self.planes.chunks_exact(self.count));
        let byte =
            |(plane, bytes): (u32, &[u8])| u64::from(bytes.get(nth).copied().unwrap_or(0)) << (8 * plane);
        Some(planes.map(byte).fold(self.first, u64::wrapping_add))
    }

    /// Marks, of the first numbers, those that are not this one.
    pub(super) fn mark_others(&self, number: u64, marks: &mut [bool]) {
        if self.step.is_some() || self.all.get().is_some() {
            for (mark, own) in marks.iter_mut().zip(self.all()) {
                *mark = *own != number;
            }
            return;
        }
        let planes = self.planes.chunks_exact(self.count.max(1));
        let kept = number.wrapping_sub(self.first).to_le_bytes();
        let (kept, above) = kept.split_at(planes.len().min(kept.len()));
        marks.fill(above.iter().any(|byte| *byte != 0));
        for (bytes, kept) in planes.zip(kept) {
            for (mark, byte) in marks.iter_mut().zip(bytes) {
                *mark |= byte != kept;
            }
        }
    }

    pub(super) fn all(&self) -> &[u64] {
        let Self { count, first, step, ref planes, .. } = *self;
        self.all.get_or_init(|| Packed { count, first, step, planes }.all())
    }

    /// All of them together, if that is no more than 64 bits hold.
    pub(super) fn sum(&self) -> Option<u64> {
        if self.step.is_some() {
            return self.all().iter().try_fold(0_u64, |sum, number| sum.checked_add(*number));
        }
        let mut sum = self.first.checked_mul(self.count as u64)?;
        for (plane, bytes) in (0..).zip(self.planes.chunks_exact(self.count.max(1))) {
            let bytes: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
            sum = sum.checked_add(bytes.checked_mul(1 << (8 * plane))?)?;
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(numbers: &[u64]) -> usize {
        let mut bytes = Vec::new();
        encode(&mut bytes, numbers);
        let mut input = Input(&bytes);
        assert_eq!(decode(&mut input, numbers.len()).unwrap(), numbers);
        assert!(input.0.is_empty());
        let all = Bytes::copy_from_slice(&bytes);
        let ints = Ints::read(&mut Input(&all), &all, numbers.len()).unwrap();
        assert_eq!(ints.sum(), numbers.iter().try_fold(0_u64, |sum, number| sum.checked_add(*number)));
        for nth in (0..numbers.len()).rev() {
            assert_eq!(ints.get(nth), Some(numbers[nth]));
        }
        assert_eq!((ints.get(numbers.len()), ints.len()), (None, numbers.len()));
        for wanted in numbers.iter().flat_map(|number| [*number, number.wrapping_add(1), number ^ 1 << 40]) {
            let mut others = vec![false; numbers.len()];
            ints.mark_others(wanted, &mut others);
            assert_eq!(others, numbers.iter().map(|number| *number != wanted).collect::<Vec<_>>());
        }
        assert_eq!(ints.all(), numbers);
        for cut in 0..bytes.len() {
            assert!(decode(&mut Input(&bytes[..cut]), numbers.len()).is_err());
        }
        bytes.len()
    }

    #[test]
    fn alike_numbers_take_few_bytes() {
        assert_eq!(check(&[7; 100]), 3);
        assert_eq!(check(&[1, 2, 3, 4, 5, 6]), 4);
        assert_eq!(check(&[1_000_000, 1_000_200, 1_000_001]), 8);
        check(&[]);
        check(&[9]);
        check(&[u64::MAX, 0, u64::MAX]);
        check(&[0, u64::MAX]);
        check(&[i64::MAX as u64, 0, 1 << 63, 5]);
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes(numbers in prop::collection::vec(any::<u64>(), 0..50), shift in 0..64_u32) {
            check(&numbers.iter().map(|number| number >> shift).collect::<Vec<_>>());
        }

        #[test]
        fn damage_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), count in 0..40_usize) {
            let _ = decode(&mut Input(&bytes), count);
        }
    }
}
