//! How bad it is. Each fact has a severity of its own; the worst counts, and many users make it one step worse.

use super::facts::{Facts, real};
use super::pattern::{self, Change};
use super::{Severity, facts};

/// Users from which on it is one step worse.
const MANY_USERS: u64 = 1000;

pub(super) fn severity(facts: &Facts<'_>) -> Severity {
    let evidence = facts.evidence;
    let mut worst = silence(facts).max(errors(facts)).max(critical(facts));
    for seen in &evidence.patterns {
        worst = worst.max(pattern_severity(facts, seen));
    }
    if let Some(ratio) = facts.slower() {
        worst = worst.max(Severity::of_steps(ratio, [2.0, 8.0, f64::INFINITY]));
    }
    for noted in &evidence.anomalies {
        worst = worst.max(noted.severity);
    }
    // Attempts are daily bread; many of them are worth a look.
    let attacks = evidence.threats.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
    worst = worst.max(Severity::of_steps(real(attacks), [100.0, 10_000.0, f64::INFINITY]));
    let wide = evidence.users.is_some_and(|users| users >= MANY_USERS);
    if wide && worst > Severity::Low { worst.worse() } else { worst }
}

fn silence(facts: &Facts<'_>) -> Severity {
    if facts.total > 0 {
        Severity::Low
    } else {
        Severity::of_steps(real(facts.before_total), [1.0, 100.0, f64::INFINITY])
    }
}

/// By the share of errors and by its growth. Few errors are never more than MEDIUM: three of four records of a service that
/// logs hardly anything.
fn errors(facts: &Facts<'_>) -> Severity {
    if facts.errors < 5 {
        return Severity::Low;
    }
    let share = Severity::of_steps(facts.share(), [0.05, 0.2, 0.5]);
    let growth =
        facts.grown().map_or(Severity::Low, |ratio| Severity::of_steps(ratio, [2.0, 10.0, f64::INFINITY]));
    // What always was so is one step milder than what is new.
    let known = facts.before_errors >= 5
        && facts.grown().is_none()
        && !facts::differs(facts.errors, facts.before_errors);
    let worst = if known { share.milder() } else { share.max(growth) };
    if facts.errors < 20 { worst.min(Severity::Medium) } else { worst }
}

fn critical(facts: &Facts<'_>) -> Severity {
    let grown =
        facts::differs(facts.critical, facts.before_critical) && facts.critical > facts.before_critical;
    match facts.critical {
        0 => Severity::Low,
        10.. if grown => Severity::High,
        _ => Severity::Medium,
    }
}

fn pattern_severity(facts: &Facts<'_>, seen: &super::PatternSeen) -> Severity {
    if !pattern::is_error(&seen.level) {
        return Severity::Low;
    }
    match pattern::change(facts.evidence, seen) {
        Change::New(_) => Severity::of_steps(real(seen.count), [10.0, 1000.0, f64::INFINITY]),
        Change::Grown(ratio) if seen.count >= 20 => Severity::of_steps(ratio, [2.0, 20.0, f64::INFINITY]),
        _ => Severity::Low,
    }
}
