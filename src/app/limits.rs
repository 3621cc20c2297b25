//! Rate limits, as an isolate keeps them: what it holds of the counters decides most requests, and the limiter is
//! asked for the rest.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::App;
use crate::{
    engine::{
        limit::{Held, Lease, Look, Policy, held::Spent},
        tenant::Tenant,
    },
    ports::{PortError, limits::Ask},
};

/// Counters held at the most, some 200 bytes each.
const MAX_COUNTERS: usize = 10_000;

/// Another request's answer is looked for this soon, and then at twice the time: the limiter is 5 to 50 ms away.
const WAIT_MS: u64 = 4;
const MAX_WAIT_MS: u64 = 64;

/// So many times, some 1.5 seconds in all; then a request asks for itself.
const MAX_WAITS: u32 = 25;

/// A limiter that has failed is not asked again for so long: requests go on meanwhile.
const DOWN_MS: u64 = 1_000;

const JOURNAL_MS: u64 = 60_000;

#[derive(Default)]
pub struct Cache {
    /// Never held across an await.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counters: HashMap<Tenant, HashMap<String, Held>>,
    /// Until when a tenant's limiter is not asked.
    down: HashMap<Tenant, u64>,
    journaled_ms: Option<u64>,
}

/// What a request counts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    pub name: String,
    pub policy: Policy,
    /// More than the limit are never let through.
    pub units: u32,
}

/// Whether a request is let through, and of its counters the tightest: the one that opens last, or the one with the
/// smallest part left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    pub allowed: bool,
    pub limit: u32,
    pub remaining: u32,
    /// When the next unit frees.
    pub reset_s: u32,
    /// When there will be enough; 0 when allowed.
    pub retry_after_s: u32,
    /// Which of the counters it is.
    pub counter: usize,
}

/// What is done next about a request.
enum Step {
    Decided(Verdict),
    Wait,
    LetThrough,
    Ask(Asked),
}

/// A request of which some units are asked for; the others are taken.
#[derive(Default)]
struct Asked {
    asks: Vec<Ask>,
    /// The counter of each ask.
    of: Vec<usize>,
    spent: Vec<(usize, Spent)>,
}

/// Counts a request for all of these counters, or refuses it and counts it for none. A limiter that cannot be asked
/// lets it through.
pub async fn take(app: &App, tenant: &Tenant, counters: &[Counter]) -> Verdict {
    if counters.is_empty() {
        return Verdict { allowed: true, ..Verdict::default() };
    }
    app.limits.state().came(tenant, counters, app.clock.now_ms());
    let (mut waits, mut wait_ms) = (0, WAIT_MS);
    loop {
        let now = app.clock.now_ms();
        let step = app.limits.state().step(tenant, counters, now, waits < MAX_WAITS);
        match step {
            Step::Decided(verdict) => return verdict,
            Step::LetThrough => return let_through(app, counters),
            Step::Ask(asked) => return ask(app, tenant, counters, asked, now).await,
            // By its own timer and no signal: on the platform a request is not woken by another one.
            Step::Wait => app.clock.sleep_ms(wait_ms).await,
        }
        (waits, wait_ms) = (waits + 1, (wait_ms * 2).min(MAX_WAIT_MS));
    }
}

async fn ask(app: &App, tenant: &Tenant, counters: &[Counter], asked: Asked, asked_ms: u64) -> Verdict {
    let answer = app.limiter.ask(tenant, &asked.asks).await.and_then(|leases| {
        let reason = format!("{} leases for {} counters", leases.len(), asked.asks.len());
        if leases.len() == asked.asks.len() { Ok(leases) } else { Err(PortError { part: "limiter", reason }) }
    });
    let now = app.clock.now_ms();
    let mut state = app.limits.state();
    match answer {
        Ok(leases) => {
            state.down.remove(tenant);
            state.answered(tenant, counters, &asked, &leases, asked_ms, now)
        }
        Err(error) => {
            let is_told = state.failed(tenant, counters, &asked, asked_ms, now);
            drop(state);
            if is_told {
                app.journal.error(&format!("requests are let through without limits: {error}"));
            }
            let_through(app, counters)
        }
    }
}

fn let_through(app: &App, counters: &[Counter]) -> Verdict {
    app.meter.limiter_failed();
    let limit = counters.first().map_or(0, |counter| counter.policy.limit);
    Verdict { allowed: true, limit, remaining: limit, ..Verdict::default() }
}

impl Cache {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn held(&mut self, tenant: &Tenant, name: &str, now: u64) -> &mut Held {
        let is_known = self.counters.get(tenant).is_some_and(|counters| counters.contains_key(name));
        if !is_known {
            self.make_room(now);
        }
        let counters = self.counters.entry(tenant.clone()).or_default();
        counters.entry(name.to_owned()).or_default()
    }

    /// What is forgotten is asked for again; what was left of a lease is lost until it ends.
    fn make_room(&mut self, now: u64) {
        let count = |state: &Self| state.counters.values().map(HashMap::len).sum::<usize>();
        if count(self) < MAX_COUNTERS {
            return;
        }
        for counters in self.counters.values_mut() {
            counters.retain(|_, held| held.is_of_use(now));
        }
        self.counters.retain(|_, counters| !counters.is_empty());
        // Or each new counter would look at all of them.
        if count(self) > MAX_COUNTERS / 2 {
            self.counters.clear();
        }
    }

    fn came(&mut self, tenant: &Tenant, counters: &[Counter], now: u64) {
        for counter in counters {
            self.held(tenant, &counter.name, now).came(counter.units);
        }
    }

    fn step(&mut self, tenant: &Tenant, counters: &[Counter], now: u64, may_wait: bool) -> Step {
        let mut looks = Vec::with_capacity(counters.len());
        for Counter { name, policy, units } in counters {
            looks.push(self.held(tenant, name, now).look(*policy, now, *units));
        }
        let retry = |look: &Look| if let Look::Blocked { retry_ms } = look { Some(*retry_ms) } else { None };
        let blocked = looks.iter().enumerate().filter_map(|(nth, look)| Some((retry(look)?, nth)));
        if let Some((retry_ms, nth)) = blocked.max_by_key(|(retry_ms, _)| *retry_ms) {
            return Step::Decided(self.refusal(tenant, counters, now, nth, retry_ms));
        }
        if may_wait && looks.contains(&Look::Asking) {
            return Step::Wait;
        }
        let is_short = looks.iter().any(|look| *look != Look::Held);
        if is_short && self.down.get(tenant).is_some_and(|until| now < *until) {
            return Step::LetThrough;
        }
        let mut asked = Asked::default();
        for (nth, Counter { name, policy, units }) in counters.iter().enumerate() {
            let held = self.held(tenant, name, now);
            if let Some(spent) = held.spend(*policy, now, *units) {
                asked.spent.push((nth, spent));
            } else {
                let wish = held.ask(*policy, now, *units);
                asked.asks.push(Ask { counter: name.clone(), policy: *policy, wish });
                asked.of.push(nth);
            }
        }
        if asked.asks.is_empty() {
            return Step::Decided(self.allowance(tenant, counters, now));
        }
        Step::Ask(asked)
    }

    fn answered(
        &mut self,
        tenant: &Tenant,
        counters: &[Counter],
        asked: &Asked,
        leases: &[Lease],
        asked_ms: u64,
        now: u64,
    ) -> Verdict {
        let mut refused = None;
        for ((ask, nth), lease) in asked.asks.iter().zip(&asked.of).zip(leases) {
            self.held(tenant, &ask.counter, now).granted(asked_ms, now, ask.wish.need, lease);
            if !lease.grants(&ask.wish) {
                refused = refused.max(Some((lease.blocked_for_ms, *nth)));
            }
        }
        let Some((retry_ms, nth)) = refused else { return self.allowance(tenant, counters, now) };
        for (nth, spent) in &asked.spent {
            if let Some(counter) = counters.get(*nth) {
                self.held(tenant, &counter.name, now).put_back(*spent);
            }
        }
        self.refusal(tenant, counters, now, nth, retry_ms)
    }

    /// What was asked for is not known to be counted, and what was given back not to be taken: both are let go.
    /// Answers whether it is time to tell of it.
    fn failed(
        &mut self,
        tenant: &Tenant,
        counters: &[Counter],
        asked: &Asked,
        asked_ms: u64,
        now: u64,
    ) -> bool {
        for nth in &asked.of {
            if let Some(counter) = counters.get(*nth) {
                self.held(tenant, &counter.name, now).answered(asked_ms);
            }
        }
        self.down.retain(|_, until| now < *until);
        self.down.insert(tenant.clone(), now.saturating_add(DOWN_MS));
        let is_time = self.journaled_ms.is_none_or(|last| last.saturating_add(JOURNAL_MS) <= now);
        if is_time {
            self.journaled_ms = Some(now);
        }
        is_time
    }

    fn allowance(&mut self, tenant: &Tenant, counters: &[Counter], now: u64) -> Verdict {
        let mut tightest: Option<Verdict> = None;
        for (nth, Counter { name, policy, .. }) in counters.iter().enumerate() {
            let held = self.held(tenant, name, now);
            let limit = policy.limit;
            let remaining = held.remaining().min(limit);
            let smaller = |other: &Verdict| {
                u64::from(remaining) * u64::from(other.limit) < u64::from(other.remaining) * u64::from(limit)
            };
            if tightest.as_ref().is_none_or(smaller) {
                let reset_s = seconds(held.reset_in_ms(now));
                let verdict =
                    Verdict { allowed: true, limit, remaining, reset_s, retry_after_s: 0, counter: nth };
                tightest = Some(verdict);
            }
        }
        tightest.unwrap_or_default()
    }

    fn refusal(
        &mut self,
        tenant: &Tenant,
        counters: &[Counter],
        now: u64,
        nth: usize,
        retry_ms: u64,
    ) -> Verdict {
        let Some(Counter { name, policy, .. }) = counters.get(nth) else { return Verdict::default() };
        let held = self.held(tenant, name, now);
        Verdict {
            allowed: false,
            limit: policy.limit,
            remaining: held.remaining().min(policy.limit),
            reset_s: seconds(held.reset_in_ms(now)),
            retry_after_s: seconds(retry_ms).max(1),
            counter: nth,
        }
    }
}

/// Whole seconds, never too few.
fn seconds(ms: u64) -> u32 {
    u32::try_from(ms.div_ceil(1_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
