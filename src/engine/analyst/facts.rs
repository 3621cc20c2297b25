//! Numbers that follow from the evidence, and whether they differ by more than chance.

use super::{Evidence, Part, ReleaseSeen};

#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) total: u64,
    /// ERROR and CRITICAL.
    pub(super) errors: u64,
    pub(super) critical: u64,
    pub(super) warnings: u64,
    pub(super) before_total: u64,
    pub(super) before_errors: u64,
    pub(super) before_critical: u64,
}

/// Errors below this are too few for a share of them to mean anything.
const FEW: u64 = 5;
/// Requests from which on a percentile of their latency means something.
const ENOUGH_SAMPLES: u64 = 50;

impl<'a> Facts<'a> {
    pub(super) fn new(evidence: &'a Evidence) -> Self {
        let sum = |levels: &[u64]| levels.iter().fold(0_u64, |sum, &count| sum.saturating_add(count));
        let [.., warnings, error, critical] = evidence.levels;
        let [.., before_error, before_critical] = evidence.before;
        Self {
            evidence,
            total: sum(&evidence.levels),
            errors: error.saturating_add(critical),
            critical,
            warnings,
            before_total: sum(&evidence.before),
            before_errors: before_error.saturating_add(before_critical),
            before_critical,
        }
    }

    pub(super) fn share(&self) -> f64 {
        share(self.errors, self.total)
    }

    pub(super) fn before_share(&self) -> f64 {
        share(self.before_errors, self.before_total)
    }

    /// How many times the share of errors before, when it is more than chance; a share of none counts as half an error.
    pub(super) fn grown(&self) -> Option<f64> {
        let clear = self.errors >= FEW
            && shares_differ((self.errors, self.total), (self.before_errors, self.before_total))
            && self.share() > self.before_share();
        clear.then(|| {
            let before = real(self.before_errors).max(0.5) / real(self.before_total).max(1.0);
            self.share() / before
        })
    }

    /// The endpoint that has most of the errors, with the number of all of them.
    pub(super) fn endpoint(&self) -> Option<(&'a Part, u64)> {
        let parts = &self.evidence.endpoints;
        let all = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.errors));
        let most = parts.iter().max_by_key(|part| part.errors)?;
        let has_most = most.errors >= FEW && share(most.errors, all) >= 0.5;
        (has_most && parts.len() > 1 && !most.name.is_empty()).then_some((most, all))
    }

    /// The newest release and the one before it, when the newer has clearly more errors.
    pub(super) fn worse_release(&self) -> Option<(&'a ReleaseSeen, &'a ReleaseSeen)> {
        let (new, old) = self.releases()?;
        let worse = new.errors >= FEW
            && share(new.errors, new.total) > share(old.errors, old.total)
            && shares_differ((new.errors, new.total), (old.errors, old.total));
        worse.then_some((new, old))
    }

    /// The two newest releases that logged anything.
    pub(super) fn releases(&self) -> Option<(&'a ReleaseSeen, &'a ReleaseSeen)> {
        let mut all: Vec<&ReleaseSeen> = self.evidence.releases.iter().filter(|one| one.total > 0).collect();
        all.sort_by_key(|release| std::cmp::Reverse(release.from_ms));
        match all.as_slice() {
            [new, old, ..] => Some((new, old)),
            _ => None,
        }
    }

    /// How many times as long the 95th percentile is as before; only where it is clearly longer.
    pub(super) fn slower(&self) -> Option<f64> {
        let latency = self.evidence.latency?;
        let before = latency.before_p95_ms.filter(|&before| before.is_finite() && before > 0.0)?;
        let ratio = latency.p95_ms / before;
        (latency.samples >= ENOUGH_SAMPLES && ratio.is_finite() && ratio >= 1.5).then_some(ratio)
    }
}

pub(super) fn share(part: u64, of: u64) -> f64 {
    (real(part) / real(of).max(1.0)).min(1.0)
}

/// Two counts of equal times: one and a half times as many, and three standard deviations of chance apart.
pub(super) fn differs(now: u64, before: u64) -> bool {
    let (now, before) = (real(now), real(before));
    let (low, high) = (now.min(before), now.max(before));
    high >= 1.5 * low && (high - low).powi(2) >= 9.0 * (high + low) && high > 0.0
}

/// Two shares: one and a half times as large, and three standard deviations apart.
fn shares_differ((part, of): (u64, u64), (other_part, other_of): (u64, u64)) -> bool {
    if of == 0 || other_of == 0 {
        return false;
    }
    let (one, other) = (share(part, of), share(other_part, other_of));
    let both = ((real(part) + real(other_part)) / (real(of) + real(other_of))).min(1.0);
    let deviation = (both * (1.0 - both) * (1.0 / real(of) + 1.0 / real(other_of))).sqrt();
    one.max(other) >= 1.5 * one.min(other) && (one - other).abs() >= 3.0 * deviation && both > 0.0
}

#[expect(clippy::cast_precision_loss, reason = "15 digits are more than a sentence needs")]
pub(super) fn real(count: u64) -> f64 {
    count as f64
}
