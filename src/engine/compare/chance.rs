//! How likely chance alone makes two shares differ as much: Fisher's exact test where a count is small, the G-test where
//! all are large. Everything is kept as logarithms, and no term is the difference of two large ones, so that counts
//! from none to 1e12 and beyond work.

/// One value against all others, in the selection and in the baseline.
pub(super) struct Table {
    /// Selection with and without the value, baseline with and without it.
    cells: [f64; 4],
}

/// From this many expected records on in the smallest cell the G-test is as good as the exact one, which takes a term for
/// each count that is possible.
const EXACT_BELOW: f64 = 1000.0;
/// Terms of the tail; those that count are fewer than 20 times the square root of `EXACT_BELOW`.
const MOST_TERMS: u32 = 20_000;

impl Table {
    pub(super) fn new(selection: u64, selection_total: u64, baseline: u64, baseline_total: u64) -> Self {
        let (selection, baseline) = (selection.min(selection_total), baseline.min(baseline_total));
        Self {
            cells: [
                real(selection),
                real(selection_total - selection),
                real(baseline),
                real(baseline_total - baseline),
            ],
        }
    }

    pub(super) fn share(&self) -> f64 {
        let [with, without, ..] = self.cells;
        with / (with + without).max(1.0)
    }

    pub(super) fn other_share(&self) -> f64 {
        let [.., with, without] = self.cells;
        with / (with + without).max(1.0)
    }

    pub(super) fn lift(&self) -> f64 {
        let [.., with, without] = self.cells;
        self.share() / (with.max(0.5) / (with + without).max(1.0))
    }

    /// With half a record in each cell, so that it is finite.
    pub(super) fn odds_ratio(&self) -> f64 {
        let [a, b, c, d] = self.cells.map(|cell| cell + 0.5);
        (a / b) / (c / d)
    }

    /// The G statistic: twice the information, in nats, that the value has about the set over all records.
    pub(super) fn g(&self) -> f64 {
        let expected = self.expected();
        2.0 * self.cells.iter().zip(expected).map(|(&seen, expected)| deviance(seen, expected)).sum::<f64>()
    }

    fn expected(&self) -> [f64; 4] {
        let [a, b, c, d] = self.cells;
        let all = (a + b + c + d).max(1.0);
        let (selection, baseline) = ((a + b) / all, (c + d) / all);
        [(a + c) * selection, (b + d) * selection, (a + c) * baseline, (b + d) * baseline]
    }

    /// The same table turned so that the smallest expected count is that of the first cell.
    fn turned(&self) -> [f64; 4] {
        let [a, b, c, d] = self.cells;
        let turns = [[a, b, c, d], [b, a, d, c], [c, d, a, b], [d, c, b, a]];
        let mut best = (f64::INFINITY, [a, b, c, d]);
        for (expected, turn) in self.expected().into_iter().zip(turns) {
            if expected < best.0 {
                best = (expected, turn);
            }
        }
        best.1
    }
}

/// The logarithm of the two-sided p-value: twice the tail that the table lies in, and never above 0.
pub(super) fn ln_two_sided(table: &Table) -> f64 {
    let smallest = table.expected().into_iter().fold(f64::INFINITY, f64::min);
    let ln_p = if smallest <= 0.0 {
        0.0
    } else if smallest < EXACT_BELOW {
        std::f64::consts::LN_2 + ln_tail(table.turned())
    } else {
        ln_erfc((table.g() / 2.0).max(0.0).sqrt())
    };
    if ln_p.is_nan() { 0.0 } else { ln_p.min(0.0) }
}

/// The logarithm of the probability of the first cell being as far out as it is, or further, given the margins.
fn ln_tail(cells: [f64; 4]) -> f64 {
    let [mut a, mut b, mut c, mut d] = cells;
    let upper = a * (b + d) > b * (a + c);
    let mut sum = 1.0;
    let mut term = 1.0;
    for _ in 0..MOST_TERMS {
        // Each point of the distribution is the one before times this factor; it is 0 behind the last one.
        if upper {
            term *= (b / (a + 1.0)) * (c / (d + 1.0));
            (a, b, c, d) = (a + 1.0, b - 1.0, c - 1.0, d + 1.0);
        } else {
            term *= (a / (b + 1.0)) * (d / (c + 1.0));
            (a, b, c, d) = (a - 1.0, b + 1.0, c + 1.0, d - 1.0);
        }
        if term.is_nan() || term <= sum * 1e-17 {
            break;
        }
        sum += term;
    }
    ln_point(cells) + sum.ln()
}

/// The hypergeometric probability of a table, by the way of C. Loader: products of binomial ones, in which the large
/// factorials cancel before they are rounded.
fn ln_point([a, b, c, d]: [f64; 4]) -> f64 {
    let (with, without, all) = (a + c, b + d, a + b + c + d);
    let drawn = (a + b) / all;
    let left = (c + d) / all;
    ln_binomial(a, with, drawn, left) + ln_binomial(b, without, drawn, left)
        - ln_binomial(a + b, all, drawn, left)
}

fn ln_binomial(hits: f64, of: f64, share: f64, other_share: f64) -> f64 {
    if of <= 0.0 {
        return 0.0;
    }
    let misses = of - hits;
    if hits <= 0.0 {
        return -deviance(of, of * other_share) - of * share;
    }
    if misses <= 0.0 {
        return -deviance(of, of * share) - of * other_share;
    }
    let stirling = stirling_error(of) - stirling_error(hits) - stirling_error(misses);
    let spread = std::f64::consts::TAU * hits * (misses / of);
    stirling - deviance(hits, of * share) - deviance(misses, of * other_share) - 0.5 * spread.ln()
}

/// `ln n!` less what Stirling's formula gives, for whole numbers from 1 on.
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        let mut factorial = 1.0;
        let mut at = 2.0;
        while at <= n {
            factorial *= at;
            at += 1.0;
        }
        let n = n.max(1.0);
        return f64::ln(factorial) - (n + 0.5) * n.ln() + n - 0.5 * std::f64::consts::TAU.ln();
    }
    let square = n * n;
    let inner = 1.0 / 1260.0 - (1.0 / 1680.0 - (1.0 / 1188.0) / square) / square;
    (1.0 / 12.0 - (1.0 / 360.0 - inner / square) / square) / n
}

/// `seen ln(seen / expected) + expected - seen`, without cancellation where the two are close.
fn deviance(seen: f64, expected: f64) -> f64 {
    if seen <= 0.0 {
        return expected;
    }
    if expected <= 0.0 {
        return 0.0;
    }
    let difference = seen - expected;
    if difference.abs() >= 0.1 * (seen + expected) {
        return (seen * (seen / expected).ln() - difference).max(0.0);
    }
    let small = difference / (seen + expected);
    let square = small * small;
    let mut sum = difference * small;
    let mut power = 2.0 * seen * small;
    let mut odd = 3.0;
    loop {
        power *= square;
        let next = sum + power / odd;
        if next.to_bits() == sum.to_bits() || odd > 60.0 {
            return sum.max(0.0);
        }
        sum = next;
        odd += 2.0;
    }
}

/// The logarithm of the complementary error function from 0 on, to seven digits of the function: Chebyshev's fit of
/// Numerical Recipes.
fn ln_erfc(z: f64) -> f64 {
    const FIT: [f64; 10] = [
        0.170_872_77,
        -0.822_152_23,
        1.488_515_87,
        -1.135_203_98,
        0.278_868_07,
        -0.186_288_06,
        0.096_784_18,
        0.374_091_96,
        1.000_023_68,
        -1.265_512_23,
    ];
    let t = 1.0 / (1.0 + 0.5 * z);
    t.ln() - z * z + FIT.iter().fold(0.0, |sum, factor| sum * t + factor)
}

#[expect(clippy::cast_precision_loss, reason = "shares of counts above 2^53 need no more than 15 digits")]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against values computed with whole numbers of any size.
    #[test]
    fn the_exact_test_is_exact() {
        let cases = [
            (3, 10, 0, 10, -1.558_144_618),
            (8, 10, 1, 10, -5.207_107_464_8),
            (0, 20, 15, 20, -14.075_762_593_2),
            (5, 5, 0, 1000, -29.073_110_046_3),
            (90, 100, 100, 2000, -209.129_646_703_8),
            (12, 100, 90, 1000, -0.886_542_968_1),
            (1, 3, 1, 3, 0.0),
            (700, 1000, 100, 1000, -412.090_815_381_8),
            (2, 50, 400, 5000, -0.787_357_941_6),
            (0, 300, 30, 3000, -2.179_423_103_3),
            (999, 1000, 900, 1000, -67.245_201_521_3),
        ];
        for (a, of_a, b, of_b, wanted) in cases {
            let found = ln_two_sided(&Table::new(a, of_a, b, of_b));
            assert!(
                (found - wanted).abs() < 1e-9 * f64::abs(wanted).max(1.0),
                "{a}/{of_a} {b}/{of_b}: {found} {wanted}"
            );
        }
    }

    /// The two tests meet where one hands over to the other.
    #[test]
    fn the_two_tests_agree_on_large_counts() {
        for shift in [20_u64, 60, 120, 200, 400] {
            let table = Table::new(990 + shift, 100_000, 990, 100_000);
            let exact = std::f64::consts::LN_2 + ln_tail(table.turned());
            let approximate = ln_erfc((table.g() / 2.0).sqrt());
            let tolerance = 0.03 + 0.02 * exact.abs();
            assert!((exact.min(0.0) - approximate).abs() < tolerance, "{shift}: {exact} {approximate}");
        }
    }

    #[test]
    fn nothing_overflows() {
        let counts = [0, 1, 2, 3, 999, 1_000_000_000_000, u64::MAX];
        for a in counts {
            for of_a in counts {
                for b in counts {
                    for of_b in counts {
                        let table = Table::new(a, of_a, b, of_b);
                        let p = ln_two_sided(&table);
                        assert!(p.is_finite() && p <= 0.0, "{a}/{of_a} {b}/{of_b}: {p}");
                        assert!(table.g() >= 0.0 && table.g().is_finite());
                        assert!(table.lift() >= 0.0 && table.lift().is_finite());
                        assert!(table.odds_ratio().is_finite());
                    }
                }
            }
        }
    }
}
