//! Quantile sketches: how a set of non-negative values was spread, in a few dozen bytes that can be added up.
//! It is no histogram for drawing and keeps no values. Invariant: every quantile is within 1% of the value at that
//! rank (5% once it was made coarse), and merging in any order gives the same sketch, so that minutes add up to hours
//! and shards to a service.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bucket `i` holds the values in `(GAMMA^(i-1), GAMMA^i]`; its middle is within 1% of all of them.
const GAMMA: f64 = 1.01 / 0.99;
/// Buckets from the highest one down that are kept apart; what is lower is counted in the lowest of them. 1,024 of
/// them span a factor of 8e8: a microsecond beside a quarter of an hour.
const SPAN: i32 = 1024;
/// Buckets that a coarse sketch joins to one, and how far the index of a value is from that of its bucket then.
const COARSE: i32 = 5;
const SLACK: i32 = COARSE / 2;
/// Smaller values count as zero.
const SMALLEST: f64 = 1e-9;
/// Larger values count as this one. It keeps the sum far from overflow.
const LARGEST: f64 = 1e15;
/// The sum is kept in billionths: integers add up the same in any order, floats do not.
const SUM_UNITS: f64 = 1e9;
/// Six bits a character, URL-safe, so that the text needs no escapes in JSON.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// The first character of a sketch as text: the version of the format.
const VERSION: char = '1';

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sketch {
    zeros: u64,
    buckets: BTreeMap<i32, u64>,
    sum_units: u128,
    range: Option<(f64, f64)>,
}

impl Sketch {
    /// Counts `value` `weight` times. Values that are negative or no numbers are refused.
    pub fn add(&mut self, value: f64, weight: u64) -> bool {
        if !value.is_finite() || value < 0.0 {
            return false;
        }
        if weight == 0 {
            return true;
        }
        let value = value.min(LARGEST);
        let units = units(value).saturating_mul(u128::from(weight));
        self.sum_units = self.sum_units.saturating_add(units);
        self.widen(value, value);
        match index(value) {
            None => self.zeros = self.zeros.saturating_add(weight),
            Some(at) => {
                count(&mut self.buckets, at, weight);
                self.collapse();
            }
        }
        true
    }

    /// Adds all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        self.zeros = self.zeros.saturating_add(other.zeros);
        self.sum_units = self.sum_units.saturating_add(other.sum_units);
        if let Some((low, high)) = other.range {
            self.widen(low, high);
        }
        for (&at, &weight) in &other.buckets {
            count(&mut self.buckets, at, weight);
        }
        self.collapse();
    }

    /// The same counts in buckets five times as wide, which takes a third of the space: quantiles are within 5%
    /// then. Count, sum, least and largest value stay exact. It adds up with any other sketch.
    #[must_use]
    pub fn coarse(&self) -> Self {
        let mut buckets = BTreeMap::new();
        for (&at, &weight) in &self.buckets {
            count(&mut buckets, joined(at), weight);
        }
        let mut coarse = Self { buckets, ..self.clone() };
        coarse.collapse();
        coarse
    }

    pub fn is_empty(&self) -> bool {
        self.range.is_none()
    }

    pub fn count(&self) -> u64 {
        self.buckets.values().fold(self.zeros, |all, &n| all.saturating_add(n))
    }

    pub fn sum(&self) -> f64 {
        wide(self.sum_units) / SUM_UNITS
    }

    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum() / wide(u128::from(count)))
    }

    pub fn min(&self) -> Option<f64> {
        self.range.map(|(low, _)| low)
    }

    pub fn max(&self) -> Option<f64> {
        self.range.map(|(_, high)| high)
    }

    /// The value that a share of `q` (0 to 1) of the values does not exceed: the one at rank `q * (count - 1)`,
    /// rounded down. `None` when nothing was counted.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let (low, high) = self.range?;
        let last = self.count().saturating_sub(1);
        let rank = floor(q.clamp(0.0, 1.0) * wide(u128::from(last))).min(last);
        if rank == 0 {
            return Some(low);
        }
        if rank == last {
            return Some(high);
        }
        let mut seen = self.zeros;
        if rank < seen {
            return Some(low);
        }
        for (&at, &weight) in &self.buckets {
            seen = seen.saturating_add(weight);
            if rank < seen {
                let middle = 2.0 * GAMMA.powi(at) / (GAMMA + 1.0);
                return Some(middle.clamp(low, high));
            }
        }
        Some(high)
    }

    /// About its bytes as text.
    pub fn weight(&self) -> usize {
        24 + 3 * self.buckets.len()
    }

    /// How many of the values lie in buckets above the one of `value`: exact but for values within 2% of it, or 10%
    /// in a coarse sketch.
    pub fn count_above(&self, value: f64) -> u64 {
        let above = match index(value) {
            None => self.buckets.range(..),
            Some(at) => self.buckets.range(at.saturating_add(1)..),
        };
        above.fold(0, |all, (_, &n)| all.saturating_add(n))
    }

    /// The sketch as a short text of letters, digits, `-` and `_`.
    pub fn encode(&self) -> String {
        let mut text = String::from(VERSION);
        let Some((low, high)) = self.range else {
            return text;
        };
        // Whole numbers have only zero bits at the end: turned round they are small.
        put(&mut text, u128::from(low.to_bits().reverse_bits()));
        put(&mut text, u128::from(high.to_bits().reverse_bits()));
        // Most sums are of whole numbers, which the last digits of the billionths would only make longer.
        let whole = u128::from(1_000_000_000_u32);
        if self.sum_units.is_multiple_of(whole) {
            put(&mut text, (self.sum_units / whole) << 1);
        } else {
            put(&mut text, (self.sum_units.min(u128::MAX >> 1) << 1) | 1);
        }
        put(&mut text, u128::from(self.zeros));
        let mut before = None;
        for (&at, &weight) in &self.buckets {
            let gap = match before {
                None => zigzag(at),
                Some(before) => u128::from(at.abs_diff(before)),
            };
            put(&mut text, gap);
            put(&mut text, u128::from(weight));
            before = Some(at);
        }
        text
    }

    /// Reads what [`Sketch::encode`] wrote. `None` for anything that no sketch encodes to.
    pub fn decode(text: &str) -> Option<Self> {
        let mut rest = text.strip_prefix(VERSION)?.bytes();
        if rest.len() == 0 {
            return Some(Self::default());
        }
        let low = f64::from_bits(u64::try_from(take(&mut rest)?).ok()?.reverse_bits());
        let high = f64::from_bits(u64::try_from(take(&mut rest)?).ok()?.reverse_bits());
        let sum = take(&mut rest)?;
        let sum_units = if sum & 1 == 0 { (sum >> 1).checked_mul(1_000_000_000)? } else { sum >> 1 };
        let zeros = u64::try_from(take(&mut rest)?).ok()?;
        let mut buckets = BTreeMap::new();
        let mut before: Option<i32> = None;
        while rest.len() > 0 {
            let gap = take(&mut rest)?;
            let at = match before {
                None => unzigzag(gap)?,
                Some(before) => before.checked_add(i32::try_from(gap).ok().filter(|&gap| gap > 0)?)?,
            };
            let weight = u64::try_from(take(&mut rest)?).ok().filter(|&weight| weight > 0)?;
            buckets.insert(at, weight);
            before = Some(at);
        }
        let sketch = Self { zeros, buckets, sum_units, range: Some((low, high)) };
        (sketch.is_sound() && sketch.encode() == text).then_some(sketch)
    }

    /// Whether the parts of a decoded sketch fit together.
    fn is_sound(&self) -> bool {
        let Some((low, high)) = self.range else {
            return false;
        };
        let ordered = low.is_sign_positive() && low <= high && high <= LARGEST;
        let top = self.buckets.last_key_value().map(|(&at, _)| at);
        let bottom = self.buckets.first_key_value().map(|(&at, _)| at);
        let narrow = match (bottom, top) {
            (Some(bottom), Some(top)) => bottom > top.saturating_sub(SPAN),
            _ => self.zeros > 0,
        };
        // The lowest bucket may stand for values that were collapsed into it, the highest is always true, or as near
        // as a coarse one.
        let near_top = match (index(high), top) {
            (Some(high), Some(top)) => high.abs_diff(top) <= SLACK.unsigned_abs(),
            (high, top) => high == top,
        };
        let over_low = index(low).map(|low| low - SLACK) <= bottom;
        ordered
            && narrow
            && near_top
            && index(low).is_none() == (self.zeros > 0)
            && (self.zeros > 0 || over_low)
    }

    fn widen(&mut self, low: f64, high: f64) {
        self.range = Some(match self.range {
            None => (low, high),
            Some((lowest, highest)) => (lowest.min(low), highest.max(high)),
        });
    }

    /// Keeps the buckets within `SPAN` of the highest. What is folded depends on the highest bucket alone, and that
    /// only grows: so the order of merges does not matter.
    fn collapse(&mut self) {
        let Some((&top, _)) = self.buckets.last_key_value() else {
            return;
        };
        let lowest = top.saturating_sub(SPAN).saturating_add(1);
        while let Some((&at, &weight)) = self.buckets.first_key_value() {
            if at >= lowest {
                break;
            }
            self.buckets.remove(&at);
            count(&mut self.buckets, lowest, weight);
        }
    }
}

impl Serialize for Sketch {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.encode())
    }
}

impl<'de> Deserialize<'de> for Sketch {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Sketch;
            fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                to.write_str("a sketch as text")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Sketch, E> {
                Sketch::decode(text).ok_or_else(|| E::custom("not a sketch"))
            }
        }
        from.deserialize_str(Text)
    }
}

fn count(buckets: &mut BTreeMap<i32, u64>, at: i32, weight: u64) {
    let held = buckets.entry(at).or_default();
    *held = held.saturating_add(weight);
}

/// The bucket of a value, `None` for what counts as zero.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of 1e-9 to 1e15 is within plus or minus 2,000"
)]
fn index(value: f64) -> Option<i32> {
    (value >= SMALLEST).then(|| (value.min(LARGEST).ln() / GAMMA.ln()).ceil() as i32)
}

/// The bucket that stands for bucket `at` and its neighbours in a coarse sketch: the middle one of five.
fn joined(at: i32) -> i32 {
    at.saturating_add(SLACK).div_euclid(COARSE).saturating_mul(COARSE)
}

/// A value in billionths; at most 1e24.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1e24 fits 128 bits")]
fn units(value: f64) -> u128 {
    (value * SUM_UNITS).round() as u128
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers pass 0 to u64::MAX; it saturates"
)]
fn floor(value: f64) -> u64 {
    value.floor() as u64
}

#[expect(clippy::cast_precision_loss, reason = "15 digits are more than a mean or a rank needs")]
fn wide(number: u128) -> f64 {
    number as f64
}

fn zigzag(number: i32) -> u128 {
    let magnitude = u128::from(number.unsigned_abs());
    if number < 0 { magnitude * 2 - 1 } else { magnitude * 2 }
}

fn unzigzag(code: u128) -> Option<i32> {
    let magnitude = i32::try_from(code.div_ceil(2)).ok()?;
    Some(if code.is_multiple_of(2) { magnitude } else { -magnitude })
}

/// Writes a number five bits a character, the lowest first; the sixth bit says that more follow.
fn put(text: &mut String, mut number: u128) {
    loop {
        let low = usize::try_from(number & 31).unwrap_or(0);
        number >>= 5;
        let code = if number == 0 { low } else { low | 32 };
        text.push(ALPHABET.get(code).map_or('A', |&c| char::from(c)));
        if number == 0 {
            return;
        }
    }
}

fn take(text: &mut impl Iterator<Item = u8>) -> Option<u128> {
    let mut number = 0_u128;
    for shift in (0..128).step_by(5) {
        let letter = text.next()?;
        let code = u128::try_from(ALPHABET.iter().position(|&c| c == letter)?).ok()?;
        let part = code & 31;
        if part.checked_shl(shift).map(|up| up >> shift) != Some(part) {
            return None;
        }
        number |= part << shift;
        if code < 32 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests;
