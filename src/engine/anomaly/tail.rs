//! How improbable a count is: logarithms of the tails of the Poisson and of the negative binomial distribution.
//! Both sums are replaced by a geometric series that is never smaller, so that a tail is never called rarer than it
//! is, and one call costs the same whatever the size of the counts.

/// Natural logarithm of the probability of `seen` or more, when `mean` is expected with `variance`. A variance that
/// is not larger than the mean is taken for a Poisson count.
pub(super) fn ln_at_least(seen: f64, mean: f64, variance: f64) -> f64 {
    let seen = seen.ceil();
    if !(mean > 0.0 && seen > mean && seen.is_finite()) {
        return 0.0;
    }
    let shape = Shape::of(mean, variance);
    let ratio = match shape {
        Shape::Poisson => mean / (seen + 1.0),
        Shape::Spread { r, q } => ((seen + r) / (seen + 1.0) * q).max(q),
    };
    at_most_certain(shape.ln_mass(seen, mean) - (-ratio).ln_1p())
}

/// Natural logarithm of the probability of `seen` or fewer.
pub(super) fn ln_at_most(seen: f64, mean: f64, variance: f64) -> f64 {
    let seen = seen.floor().max(0.0);
    if !(mean > 0.0 && seen < mean && mean.is_finite()) {
        return 0.0;
    }
    let shape = Shape::of(mean, variance);
    let mass = shape.ln_mass(seen, mean);
    let ratio = match shape {
        Shape::Poisson => seen / mean,
        Shape::Spread { r, q } if seen >= 1.0 => seen / ((seen - 1.0 + r) * q),
        Shape::Spread { .. } => 0.0,
    };
    if ratio < 1.0 {
        return at_most_certain(mass - (-ratio).ln_1p());
    }
    match shape {
        // So widely spread that nothing is the likeliest count.
        Shape::Spread { r, .. } if r <= 1.0 => at_most_certain(shape.ln_mass(0.0, mean) + (seen + 1.0).ln()),
        // Between the likeliest count and the mean, where nothing is improbable.
        _ => 0.0,
    }
}

#[derive(Clone, Copy)]
enum Shape {
    Poisson,
    Spread { r: f64, q: f64 },
}

impl Shape {
    fn of(mean: f64, variance: f64) -> Self {
        let excess = variance - mean;
        // Nearer to Poisson than this, the difference is lost in rounding.
        if excess.is_finite() && excess > mean * 1e-6 {
            Self::Spread { r: mean / excess * mean, q: excess / variance }
        } else {
            Self::Poisson
        }
    }

    fn ln_mass(self, count: f64, mean: f64) -> f64 {
        match self {
            Self::Poisson => count * mean.ln() - mean - ln_gamma(count + 1.0),
            Self::Spread { r, q } => {
                ln_gamma(count + r) - ln_gamma(r) - ln_gamma(count + 1.0) + r * (-q).ln_1p() + count * q.ln()
            }
        }
    }
}

fn at_most_certain(ln: f64) -> f64 {
    if ln.is_nan() { 0.0 } else { ln.min(0.0) }
}

/// Stirling's series, after moving small arguments up: good to 10 digits from 10 on.
fn ln_gamma(x: f64) -> f64 {
    let mut x = x.max(f64::MIN_POSITIVE);
    let mut shift = 0.0;
    while x < 10.0 {
        shift += x.ln();
        x += 1.0;
    }
    let inverse = 1.0 / x;
    let square = inverse * inverse;
    let series = inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0));
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, truth: f64, slack: f64) {
        assert!((found - truth).abs() <= slack, "{found} for {truth}");
    }

    #[test]
    fn the_gamma_function_is_right_on_factorials() {
        for (x, truth) in
            [(1.0, 1.0_f64), (2.0, 1.0), (5.0, 24.0), (11.0, 3_628_800.0), (0.5, 1.772_453_850_9)]
        {
            near(ln_gamma(x), truth.ln(), 1e-9);
        }
    }

    #[test]
    fn tails_are_never_called_rarer_than_they_are_and_little_more_common() {
        // Summed term by term.
        for (mean, variance) in
            [(0.1, 0.1), (3.0, 3.0), (3.0, 9.0), (50.0, 50.0), (50.0, 400.0), (900.0, 2000.0)]
        {
            let shape = Shape::of(mean, variance);
            for k in 0..2000_i32 {
                let count = f64::from(k);
                let sum = |range: std::ops::Range<i32>| {
                    range.map(|i| shape.ln_mass(f64::from(i), mean).exp()).sum::<f64>()
                };
                if count > mean + 3.0 * variance.sqrt() && k < 1500 {
                    let truth = sum(k..k + 3000).ln();
                    let found = ln_at_least(count, mean, variance);
                    if truth > -600.0 {
                        assert!(
                            found >= truth - 1e-6 && found <= truth + 0.3,
                            "{found} for {truth}, {count} of {mean}"
                        );
                    }
                }
                if count < mean {
                    let truth = sum(0..k + 1).ln();
                    let found = ln_at_most(count, mean, variance);
                    let slack = if count < mean - 2.0 * variance.sqrt() { 0.5 } else { f64::INFINITY };
                    assert!(
                        found >= truth - 1e-6 && found <= truth + slack,
                        "{found} for {truth}, {count} of {mean}"
                    );
                }
            }
        }
    }

    #[test]
    fn any_arguments_give_a_number_of_at_most_zero() {
        let odd = [0.0, -1.0, 1e-300, 0.3, 7.0, 1e9, 1e15, 1e300, f64::INFINITY, f64::NAN];
        for seen in odd {
            for mean in odd {
                for variance in odd {
                    for ln in [ln_at_least(seen, mean, variance), ln_at_most(seen, mean, variance)] {
                        assert!(ln <= 0.0, "{seen} {mean} {variance} gave {ln}");
                    }
                }
            }
        }
    }
}
