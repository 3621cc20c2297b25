//! Bits, lowest first, and the codes of numbers: Golomb-Rice, Elias gamma, truncated binary.

/// Where codes are written to, or only counted.
pub(super) trait Sink {
    /// The low `count` bits of a value, 32 at the most.
    fn put(&mut self, value: u64, count: u32);

    fn unary(&mut self, zeros: u64) {
        let mut left = zeros;
        while left >= 32 {
            self.put(0, 32);
            left -= 32;
        }
        // Fewer than 32 are left.
        let left = u32::try_from(left).unwrap_or(0);
        self.put(0, left);
        self.put(1, 1);
    }

    /// The low bits of a value, 64 at the most.
    fn put_long(&mut self, value: u64, count: u32) {
        self.put(value, count.min(32));
        self.put(value >> 32, count.saturating_sub(32));
    }

    fn rice(&mut self, value: u64, k: u32) {
        self.unary(value >> k);
        self.put_long(value, k);
    }

    /// A value from 1 on.
    fn gamma(&mut self, value: u64) {
        let log = value.max(1).ilog2();
        self.unary(u64::from(log));
        self.put_long(value, log);
    }

    /// A value below `bound`, which has 32 bits at the most.
    fn below(&mut self, value: u64, bound: u64) {
        let log = bound.max(1).ilog2();
        let short = (2 << log) - bound;
        if value < short {
            self.put(value, log);
        } else {
            let long = value + short;
            self.put(long >> 1, log);
            self.put(long & 1, 1);
        }
    }
}

/// The parameter that makes the Rice code of `count` gaps shortest when they share `span` evenly.
pub(super) fn rice_k(span: u64, count: u64) -> u32 {
    let mean = span.saturating_mul(31) / count.max(1).saturating_mul(32);
    mean.max(1).ilog2()
}

/// Counts bits.
#[derive(Default)]
pub(super) struct Count(pub(super) u64);

impl Sink for Count {
    fn put(&mut self, _: u64, count: u32) {
        self.0 += u64::from(count);
    }

    fn unary(&mut self, zeros: u64) {
        self.0 += zeros + 1;
    }
}

/// Keeps bits.
#[derive(Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// Up to 31 bits that are not in `bytes` yet.
    open: u64,
    filled: u32,
}

impl BitWriter {
    pub(super) fn finish(mut self) -> Vec<u8> {
        let left = self.filled.div_ceil(8) as usize;
        self.bytes.extend(self.open.to_le_bytes().into_iter().take(left));
        self.bytes
    }
}

impl Sink for BitWriter {
    fn put(&mut self, value: u64, count: u32) {
        self.open |= (value & ((1 << count) - 1)) << self.filled;
        self.filled += count;
        if self.filled >= 32 {
            self.bytes.extend(self.open.to_le_bytes().into_iter().take(4));
            self.open >>= 32;
            self.filled -= 32;
        }
    }
}

/// Reads bits; `None` is what lies behind the end.
pub(super) struct BitReader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> BitReader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next bits, 57 of them at least; zeros behind the end.
    fn window(&self) -> u64 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let word = match rest.first_chunk::<8>() {
            Some(chunk) => u64::from_le_bytes(*chunk),
            None => rest.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte)),
        };
        word >> (self.at % 8)
    }

    fn advance(&mut self, count: u32) -> Option<()> {
        self.at = self.at.checked_add(count as usize)?;
        (self.at <= self.bytes.len().checked_mul(8)?).then_some(())
    }

    /// The next `count` bits, 56 at the most.
    pub(super) fn take(&mut self, count: u32) -> Option<u64> {
        let value = self.window() & ((1 << count) - 1);
        self.advance(count).map(|()| value)
    }

    pub(super) fn unary(&mut self) -> Option<u64> {
        let mut zeros = 0_u64;
        loop {
            let run = self.window().trailing_zeros();
            if run < 57 {
                self.advance(run + 1)?;
                return Some(zeros + u64::from(run));
            }
            self.advance(57)?;
            zeros += 57;
        }
    }

    pub(super) fn rice(&mut self, k: u32) -> Option<u64> {
        let high = self.unary()?;
        let low = self.take(k)?;
        // What does not fit is damage: the high part would be cut.
        (high.leading_zeros() >= k).then_some(high << k | low)
    }

    pub(super) fn gamma(&mut self) -> Option<u64> {
        let log = u32::try_from(self.unary()?).ok().filter(|log| *log < 48)?;
        Some(1 << log | self.take(log)?)
    }

    pub(super) fn below(&mut self, bound: u64) -> Option<u64> {
        let log = bound.max(1).ilog2();
        let short = (2 << log) - bound;
        let value = self.take(log)?;
        let value = if value < short { value } else { (value << 1 | self.take(1)?) - short };
        (value < bound).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_as_it_was_written_and_is_as_long_as_counted() {
        let values = [0_u64, 1, 2, 3, 6, 7, 8, 31, 32, 33, 100, 9_999, 65_535, (1 << 31) - 9];
        let (mut writer, mut count) = (BitWriter::default(), Count::default());
        for value in values {
            each(&mut writer, value);
            each(&mut count, value);
        }
        let bytes = writer.finish();
        assert_eq!(bytes.len() as u64, count.0.div_ceil(8));
        let mut reader = BitReader::new(&bytes);
        for value in values {
            assert_eq!(reader.rice(rice_k(value + 1, 2)), Some(value));
            assert_eq!(reader.gamma(), Some(value + 1));
            assert_eq!(reader.below(value + 1), Some(value));
            assert_eq!(reader.below(value + 7), Some(value));
            assert_eq!(reader.take(36), Some(value));
        }
        assert_eq!(reader.take(8), None);
    }

    fn each(sink: &mut impl Sink, value: u64) {
        sink.rice(value, rice_k(value + 1, 2));
        sink.gamma(value + 1);
        sink.below(value, value + 1);
        sink.below(value, value + 7);
        sink.put_long(value, 36);
    }

    #[test]
    fn nothing_is_read_behind_the_end() {
        assert_eq!(BitReader::new(&[]).unary(), None);
        assert_eq!(BitReader::new(&[0; 40]).unary(), None);
        assert_eq!(BitReader::new(&[0, 0x80]).unary(), Some(15));
        assert_eq!(BitReader::new(&[0xff]).take(9), None);
    }
}
