//! One anomaly from its first report to its end: evaluations report it again and again, and this makes one of them.
//! The caller keeps what it gets back and brings it to the next evaluation; there is no other state.

use std::collections::BTreeSet;

use super::{Anomaly, Budget, Deviation};

/// Periods without a report after which an anomaly is over.
const GRACE: i64 = 3;
/// Periods for which an anomaly is remembered after its end. The longest window still sees it for that long.
const MEMORY: i64 = 24;
/// Series kept beside the lead.
const CO_MOVING: usize = 50;

/// What an evaluation changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Followed {
    /// All that are remembered: bring them to the next call.
    pub known: Vec<Anomaly>,
    /// Those of `known` that are new: alarm these.
    pub opened: Vec<Anomaly>,
    /// Those of `known` that ended.
    pub ended: Vec<Anomaly>,
}

/// How long nothing may be seen of an anomaly that goes on.
pub fn grace_ms(budget: Budget) -> i64 {
    budget.period_ms.max(1).saturating_mul(GRACE)
}

/// How long an anomaly is remembered after its end.
pub fn remembered_ms(budget: Budget) -> i64 {
    budget.period_ms.max(1).saturating_mul(MEMORY)
}

/// Joins what the evaluation at `now_ms` found with what was known before it. An anomaly keeps the minute it began in
/// and the time it was found; its numbers are those of when it was clearest.
pub fn follow(known: Vec<Anomaly>, found: Vec<Anomaly>, budget: Budget, now_ms: i64) -> Followed {
    let grace_ms = grace_ms(budget);
    let memory_ms = remembered_ms(budget);
    let mut known: Vec<Anomaly> =
        known.into_iter().filter(|one| now_ms.saturating_sub(one.lead.end_ms) <= memory_ms).collect();
    let mut opened = Vec::new();
    for new in found {
        let same = known.iter_mut().filter(|old| continues(old, &new.lead, grace_ms));
        // The latest one: an older one may have ended close to its beginning.
        if let Some(old) = same.max_by_key(|old| old.lead.end_ms) {
            absorb(old, new);
        } else {
            let mut new = new;
            new.co_moving.truncate(CO_MOVING);
            opened.push(new.clone());
            known.push(new);
        }
    }
    let mut ended = Vec::new();
    for one in &mut known {
        let ongoing = now_ms.saturating_sub(one.lead.end_ms) <= grace_ms;
        if one.ongoing && !ongoing {
            ended.push(Anomaly { ongoing, ..one.clone() });
        }
        one.ongoing = ongoing;
    }
    Followed { known, opened, ended }
}

/// Whether a deviation belongs to a known anomaly: it overlaps it, or follows it closely without being worse news. A
/// service that falls silent after a burst of errors is a second alarm.
fn continues(old: &Anomaly, new: &Deviation, grace_ms: i64) -> bool {
    let lead = &old.lead;
    let seen = old.co_moving.iter().any(|one| one.service == lead.service && one.kind == new.kind);
    let worse = new.kind < lead.kind && !seen;
    let grace_ms = if worse { -1 } else { grace_ms };
    lead.service == new.service && new.start_ms <= lead.end_ms.saturating_add(grace_ms)
}

fn absorb(old: &mut Anomaly, new: Anomaly) {
    let end_ms = old.lead.end_ms.max(new.lead.end_ms);
    let start_ms = old.lead.start_ms;
    let mut also: Vec<Deviation> = std::mem::take(&mut old.co_moving);
    also.extend(new.co_moving);
    if new.lead.score > old.lead.score && new.lead.kind <= old.lead.kind {
        also.push(std::mem::replace(&mut old.lead, new.lead));
    } else {
        also.push(new.lead);
    }
    old.lead.start_ms = start_ms;
    old.lead.end_ms = end_ms;
    also.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut names = BTreeSet::from([(old.lead.service.clone(), old.lead.kind, old.lead.series.clone())]);
    also.retain(|one| names.insert((one.service.clone(), one.kind, one.series.clone())));
    also.truncate(CO_MOVING);
    old.co_moving = also;
    old.ongoing |= new.ongoing;
}
