//! What is known of a group so far, for each measure.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{Measure, sum::Sum, wire};

/// Values that a quantile keeps as they are; of more it keeps how many are in each bucket.
const MAX_EXACT: usize = 512;

/// Buckets are so wide that a value within one is off by this share at the most.
const ERROR: f64 = 0.01;

/// Different values that one group may keep, and all groups together: beyond it they are estimated.
const MAX_DIFFERENT: usize = 100_000;
pub(super) const MAX_KEPT: usize = 1_000_000;

/// Registers of an estimate: 2 to this power, off by 1.04 / √4096 = 1.6 %.
const REGISTER_BITS: u32 = 12;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum State {
    Count(u64),
    /// The sum, and how many there were.
    Sum(Sum, u64),
    Avg(Sum, u64),
    Min(Option<f64>),
    Max(Option<f64>),
    Quantile(f64, Sketch),
    Uniq(Uniq),
}

/// What comes out of a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Whole(u64),
    Real(Option<f64>),
}

impl State {
    pub fn new(measure: &Measure) -> Self {
        match measure {
            Measure::Count => Self::Count(0),
            Measure::Sum(_) => Self::Sum(Sum::default(), 0),
            Measure::Avg(_) => Self::Avg(Sum::default(), 0),
            Measure::Min(_) => Self::Min(None),
            Measure::Max(_) => Self::Max(None),
            Measure::Quantile(_, share) => Self::Quantile(*share, Sketch::default()),
            Measure::Uniq(_) => Self::Uniq(Uniq::Exact(HashSet::new())),
        }
    }

    pub fn count(&mut self, records: u64) {
        if let Self::Count(count) = self {
            *count += records;
        }
    }

    /// Adds the number of a row that stands for `weight` records.
    pub fn number(&mut self, number: f64, weight: u64) {
        match self {
            Self::Sum(sum, count) | Self::Avg(sum, count) => {
                sum.add_times(number, weight);
                *count += weight;
            }
            Self::Min(least) => *least = Some(least.map_or(number, |least| least.min(number))),
            Self::Max(most) => *most = Some(most.map_or(number, |most| most.max(number))),
            Self::Quantile(_, sketch) => sketch.add(number, weight),
            Self::Count(_) | Self::Uniq(_) => {}
        }
    }

    /// `kept` is how many values all groups keep.
    pub fn value(&mut self, hash: u64, kept: &mut usize) {
        if let Self::Uniq(uniq) = self {
            uniq.add(hash, kept);
        }
    }

    /// Adds what is known of other rows of the group. `false`: it is of another measure, or more values would be
    /// kept than may be, and which of them are estimated then depends on the order.
    pub(super) fn absorb(&mut self, other: Self, kept: &mut usize) -> bool {
        match (self, other) {
            (Self::Count(mine), Self::Count(theirs)) => *mine += theirs,
            (Self::Sum(mine, count), Self::Sum(theirs, more))
            | (Self::Avg(mine, count), Self::Avg(theirs, more)) => {
                mine.absorb(&theirs);
                *count += more;
            }
            (Self::Min(mine), Self::Min(theirs)) => {
                *mine = [*mine, theirs].into_iter().flatten().reduce(f64::min);
            }
            (Self::Max(mine), Self::Max(theirs)) => {
                *mine = [*mine, theirs].into_iter().flatten().reduce(f64::max);
            }
            (Self::Quantile(_, mine), Self::Quantile(_, theirs)) => mine.absorb(theirs),
            (Self::Uniq(mine), Self::Uniq(theirs)) => return mine.absorb(theirs, kept),
            _ => return false,
        }
        true
    }

    #[expect(clippy::cast_precision_loss, reason = "an average")]
    pub fn result(&self) -> Number {
        match self {
            Self::Count(count) => Number::Whole(*count),
            Self::Sum(sum, count) => Number::Real((*count > 0).then(|| sum.value())),
            Self::Avg(sum, count) => Number::Real((*count > 0).then(|| sum.value() / *count as f64)),
            Self::Min(number) | Self::Max(number) => Number::Real(*number),
            Self::Quantile(share, sketch) => Number::Real(sketch.quantile(*share)),
            Self::Uniq(uniq) => Number::Whole(uniq.count()),
        }
    }

    /// Whether its result is an estimate.
    pub fn is_approximate(&self) -> bool {
        match self {
            Self::Quantile(_, sketch) => sketch.exact.is_empty() && sketch.count > 0,
            Self::Uniq(uniq) => matches!(uniq, Uniq::Estimate(_)),
            _ => false,
        }
    }
}

/// How numbers are spread (Masson, Rim, Lee 2019: `DDSketch`).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sketch {
    exact: Vec<f64>,
    count: u64,
    /// By sign and bucket: of a negative number the bucket counts down.
    #[serde(with = "wire::pairs")]
    buckets: BTreeMap<(i8, i32), u64>,
}

impl Sketch {
    fn add(&mut self, number: f64, weight: u64) {
        self.count += weight;
        match usize::try_from(weight) {
            Ok(weight) if self.buckets.is_empty() && self.exact.len().saturating_add(weight) <= MAX_EXACT => {
                self.exact.extend(std::iter::repeat_n(number, weight));
            }
            _ => {
                for number in std::mem::take(&mut self.exact) {
                    *self.buckets.entry(bucket(number)).or_default() += 1;
                }
                *self.buckets.entry(bucket(number)).or_default() += weight;
            }
        }
    }

    fn absorb(&mut self, other: Self) {
        for number in other.exact {
            self.add(number, 1);
        }
        if other.buckets.is_empty() {
            return;
        }
        for number in std::mem::take(&mut self.exact) {
            *self.buckets.entry(bucket(number)).or_default() += 1;
        }
        for (bucket, count) in other.buckets {
            *self.buckets.entry(bucket).or_default() += count;
            self.count += count;
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank below the count"
    )]
    fn quantile(&self, share: f64) -> Option<f64> {
        let rank = (share * self.count.saturating_sub(1) as f64).round() as u64;
        if self.buckets.is_empty() {
            let mut sorted = self.exact.clone();
            sorted.sort_by(f64::total_cmp);
            return usize::try_from(rank).ok().and_then(|rank| sorted.get(rank)).copied();
        }
        let mut before = 0;
        self.buckets.iter().find_map(|((sign, bucket), count)| {
            before += count;
            (before > rank).then(|| match sign {
                0 => 0.0,
                -1 => -middle(-bucket),
                _ => middle(*bucket),
            })
        })
    }
}

fn gamma() -> f64 {
    (1.0 + ERROR) / (1.0 - ERROR)
}

#[expect(clippy::cast_possible_truncation, reason = "it is clamped")]
fn bucket(number: f64) -> (i8, i32) {
    let size = number.abs();
    // What is nearer to nothing than this is nothing; what is larger than that is as large as that.
    if size < 1e-9 {
        return (0, 0);
    }
    let bucket = (size.min(1e18).ln() / gamma().ln()).ceil() as i32;
    if number < 0.0 { (-1, -bucket) } else { (1, bucket) }
}

fn middle(bucket: i32) -> f64 {
    2.0 * gamma().powi(bucket) / (gamma() + 1.0)
}

/// How many different values there are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Uniq {
    /// Their hashes.
    #[serde(with = "wire::hashes")]
    Exact(HashSet<u64>),
    /// The longest run of zeros of each register (Flajolet, Fusy, Gandouet, Meunier 2007: `HyperLogLog`).
    Estimate(Box<[u8]>),
}

impl Uniq {
    fn add(&mut self, hash: u64, kept: &mut usize) {
        match self {
            Self::Exact(known) => {
                if !known.insert(hash) {
                    return;
                }
                *kept += 1;
                if known.len() > MAX_DIFFERENT || *kept > MAX_KEPT {
                    *kept -= known.len();
                    *self = Self::Estimate(registers(known));
                }
            }
            Self::Estimate(registers) => note(registers, hash),
        }
    }

    fn absorb(&mut self, other: Self, kept: &mut usize) -> bool {
        match other {
            Self::Exact(hashes) => {
                for hash in hashes {
                    if matches!(self, Self::Exact(_)) && *kept >= MAX_KEPT {
                        return false;
                    }
                    self.add(hash, kept);
                }
                true
            }
            Self::Estimate(theirs) => {
                if let Self::Exact(known) = self {
                    *kept = kept.saturating_sub(known.len());
                    *self = Self::Estimate(registers(known));
                }
                let Self::Estimate(mine) = self else { return false };
                for (mine, theirs) in mine.iter_mut().zip(&theirs) {
                    *mine = (*mine).max(*theirs);
                }
                mine.len() == theirs.len()
            }
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn count(&self) -> u64 {
        match self {
            Self::Exact(known) => known.len() as u64,
            Self::Estimate(registers) => {
                let registers_count = registers.len() as f64;
                let alpha = 0.7213 / (1.0 + 1.079 / registers_count);
                let sum: f64 = registers.iter().map(|zeros| (-f64::from(*zeros)).exp2()).sum();
                let estimate = alpha * registers_count * registers_count / sum;
                let empty = registers.iter().map(|zeros| usize::from(*zeros == 0)).sum::<usize>();
                if estimate <= 2.5 * registers_count && empty > 0 {
                    return (registers_count * (registers_count / empty as f64).ln()).round() as u64;
                }
                estimate.round() as u64
            }
        }
    }
}

fn registers(known: &HashSet<u64>) -> Box<[u8]> {
    let mut registers = vec![0; 1 << REGISTER_BITS].into_boxed_slice();
    for hash in known {
        note(&mut registers, *hash);
    }
    registers
}

fn note(registers: &mut [u8], hash: u64) {
    let rest = (hash << REGISTER_BITS) | (1 << (REGISTER_BITS - 1));
    let zeros = u8::try_from(rest.leading_zeros() + 1).unwrap_or(u8::MAX);
    let slot = usize::try_from(hash >> (64 - REGISTER_BITS)).ok().and_then(|nth| registers.get_mut(nth));
    if let Some(slot) = slot {
        *slot = (*slot).max(zeros);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::block::words;

    #[test]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank below the count")]
    fn quantiles_are_off_by_a_hundredth_at_the_most() {
        for count in [1, 100, 512, 513, 20_000] {
            let mut sketch = Sketch::default();
            let numbers: Vec<f64> = (0..count).map(|n| f64::from(n * 7_919 % count) - 50.0).collect();
            for number in &numbers {
                sketch.add(*number, 1);
            }
            let mut sorted = numbers;
            sorted.sort_by(f64::total_cmp);
            for share in [0.0, 0.5, 0.95, 1.0] {
                let exact = sorted[(share * f64::from(count - 1)).round() as usize];
                let got = sketch.quantile(share).unwrap();
                assert!((got - exact).abs() <= exact.abs() * 0.0101, "{count} {share}: {got} {exact}");
            }
        }
        assert_eq!(Sketch::default().quantile(0.5), None);
    }

    #[test]
    fn a_number_of_so_many_records_is_as_many_numbers() {
        let measures = ["sum(x)", "avg(x)", "min(x)", "max(x)", "p50(x)", "p95(x)"];
        let numbers = [(0.1, 7), (3.5, 1), (-2.25, 90), (1e9 + 0.1, 3), (0.3, 400)];
        for measure in measures {
            for times in [1, 2] {
                let measure = Measure::parse(measure).unwrap();
                let (mut weighed, mut one_by_one) = (State::new(&measure), State::new(&measure));
                for (number, weight) in numbers.iter().cycle().take(numbers.len() * times) {
                    weighed.number(*number, *weight);
                    (0..*weight).for_each(|_| one_by_one.number(*number, 1));
                }
                assert_eq!(weighed.result(), one_by_one.result(), "{measure:?} {times}");
                assert_eq!(weighed.is_approximate(), one_by_one.is_approximate(), "{measure:?} {times}");
            }
        }
    }

    #[test]
    fn different_values_are_counted_and_beyond_a_limit_estimated() {
        let mut kept = 0;
        let mut uniq = Uniq::Exact(HashSet::new());
        for n in 0..300_000_u32 {
            uniq.add(words::hash(&(n % 250_000).to_string()), &mut kept);
            if n == 50_000 {
                assert_eq!(uniq.count(), 50_001);
            }
        }
        assert!(matches!(uniq, Uniq::Estimate(_)) && kept == 0);
        assert!((240_000..260_000).contains(&uniq.count()), "{}", uniq.count());
    }

    #[test]
    fn small_numbers_are_not_lost_in_a_large_sum() {
        let mut sum = State::new(&Measure::Sum(String::new()));
        for number in [1e16, 1.0, 1.0, -1e16] {
            sum.number(number, 1);
        }
        assert_eq!(sum.result(), Number::Real(Some(2.0)));
    }
}
