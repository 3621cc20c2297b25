//! Sums that do not depend on the order of what is added.

use serde::{Deserialize, Serialize};

/// An exact sum, as numbers of which none overlaps another, the smallest first (Shewchuk 1997). Most sums of what is
/// logged are one or two of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum(Vec<f64>);

impl Sum {
    pub(super) fn add(&mut self, number: f64) {
        let mut sum = number;
        self.0.retain_mut(|part| {
            let (large, small) = if sum.abs() < part.abs() { (*part, sum) } else { (sum, *part) };
            sum = large + small;
            *part = small - (sum - large);
            *part != 0.0
        });
        if !sum.is_finite() {
            self.0.clear();
        }
        self.0.push(sum);
    }

    /// Adds a number so many times. What the product loses is added too, so that the sum stays exact.
    #[expect(clippy::cast_precision_loss, reason = "weights are 32 bits")]
    pub(super) fn add_times(&mut self, number: f64, times: u64) {
        if times == 1 {
            return self.add(number);
        }
        let times = times as f64;
        let product = number * times;
        self.add(product);
        let lost = number.mul_add(times, -product);
        if product.is_finite() && lost != 0.0 {
            self.add(lost);
        }
    }

    pub(super) fn absorb(&mut self, other: &Self) {
        for part in &other.0 {
            self.add(*part);
        }
    }

    /// The nearest number; of two that are as near the even one.
    #[expect(clippy::float_cmp, reason = "whether it is exact")]
    pub(super) fn value(&self) -> f64 {
        let mut parts = self.0.iter().rev();
        let (mut sum, mut lost) = (0.0, 0.0);
        for part in parts.by_ref() {
            let before: f64 = sum;
            sum = before + part;
            lost = part - (sum - before);
            if lost != 0.0 {
                break;
            }
        }
        // What is left of a tie is decided by what comes behind it.
        if lost != 0.0 && parts.next().is_some_and(|next| (lost > 0.0) == (*next > 0.0)) {
            let twice = lost * 2.0;
            let other = sum + twice;
            if twice == other - sum {
                sum = other;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(numbers: &[f64]) -> f64 {
        let mut sum = Sum::default();
        for number in numbers {
            sum.add(*number);
        }
        sum.value()
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "sums are exact")]
    fn a_sum_is_the_nearest_number() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e16, 1.0, 1.0, -1e16]), 2.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100, 1e-100]), 1.0);
        // Half of the last digit and a little more.
        assert_eq!(sum(&[1e16, 1.0, 1e-16]), 1e16 + 2.0);
        assert_eq!(sum(&[1e16, 1.0]), 1e16);
        assert_eq!(sum(&[f64::MAX, f64::MAX, 1.0]), f64::INFINITY);
    }

    proptest! {
        #[test]
        fn the_order_of_numbers_and_the_way_they_are_split_do_not_matter(
            mut numbers in prop::collection::vec(prop_oneof![-1e3..1e3, -1e18..1e18, -1e-9..1e-9], 0..60),
            split in any::<prop::sample::Index>(),
        ) {
            let whole = sum(&numbers);
            let (mut left, mut right) = (Sum::default(), Sum::default());
            let at = split.index(numbers.len() + 1);
            numbers.iter().take(at).for_each(|number| right.add(*number));
            numbers.iter().skip(at).for_each(|number| left.add(*number));
            let text = serde_json::to_string(&right).unwrap();
            left.absorb(&serde_json::from_str(&text).unwrap());
            prop_assert_eq!(left.value().to_bits(), whole.to_bits());
            numbers.sort_by(f64::total_cmp);
            prop_assert_eq!(sum(&numbers).to_bits(), whole.to_bits());
        }
    }
}
