//! When a deviation began and ended: the stretch of steps near the present that fits a changed rate best.

use super::baseline::{Side, real};

/// The steps from the first to the one after the last that deviate. `counts` and `exposure` (empty for plain counts)
/// are per step, `rate` is what was expected per unit of exposure, `ratio` how much more or less was seen in the
/// tested window. Steps before `oldest` and from `now` on are not looked at.
pub(super) fn stretch(
    counts: &[u32],
    exposure: &[u32],
    (oldest, now): (usize, usize),
    (rate, ratio): (f64, f64),
    side: Side,
) -> (usize, usize) {
    // The window may hold quiet steps too, so the changed rate is at least half as much again, or half.
    let factor = match side {
        Side::More => ratio.clamp(1.5, 1e6),
        Side::Fewer => ratio.clamp(1e-3, 0.5),
    };
    let rate = rate.max(1e-9);
    // Logarithms of the likelihood of the changed rate over that of the expected one: the stretch with the largest
    // sum is where the change is.
    let (mut sum, mut from) = (0.0_f64, oldest);
    let mut best = (f64::NEG_INFINITY, oldest, now);
    for step in oldest..now {
        let count = f64::from(counts.get(step).copied().unwrap_or(0));
        let exposed =
            if exposure.is_empty() { 1.0 } else { f64::from(exposure.get(step).copied().unwrap_or(0)) };
        if sum <= 0.0 {
            (sum, from) = (0.0, step);
        }
        sum += count * factor.ln() - exposed * rate * (factor - 1.0);
        // At equal sums the later end: steps without exposure say nothing against it.
        if sum >= best.0 {
            best = (sum, from, step + 1);
        }
    }
    (best.1, best.2)
}

/// The steps at the end without any count.
pub(super) fn quiet(counts: &[u32], now: usize) -> usize {
    let known = counts.get(..now).unwrap_or(counts);
    let missing = now.saturating_sub(known.len());
    missing + known.iter().rev().take_while(|&&count| count == 0).count()
}

/// How many times more was seen than expected.
pub(super) fn ratio(seen: f64, expected: f64) -> f64 {
    seen / expected.max(1.0 / real(usize::from(u16::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stretch_is_where_the_rate_changed() {
        let mut counts = vec![2_u32; 60];
        counts[40..52].fill(20);
        let stretched = stretch(&counts, &[], (20, 60), (2.0, 6.0), Side::More);
        assert_eq!(stretched, (40, 52));
        counts[40..].fill(0);
        assert_eq!(stretch(&counts, &[], (20, 60), (2.0, 0.0), Side::Fewer), (40, 60));
        // Two errors of three records, where one of ten is expected.
        let mut errors = vec![0_u32; 60];
        errors[57..].fill(2);
        let records = vec![3_u32; 60];
        assert_eq!(stretch(&errors, &records, (20, 60), (0.1, 6.0), Side::More), (57, 60));
    }

    #[test]
    fn quiet_steps_are_counted_from_the_end() {
        assert_eq!(quiet(&[0, 3, 0, 0], 4), 2);
        assert_eq!(quiet(&[0, 3, 0, 0, 9], 4), 2);
        assert_eq!(quiet(&[3], 4), 3);
        assert_eq!(quiet(&[], 0), 0);
    }
}
