//! What happens beside the logs: counts of what rules watch for, and the events that they set off. None of it delays an
//! answer.
//!
//! An isolate counts by itself, and tells the tenant's first shard, which counts for all isolates and says what is over
//! its threshold. So an attack over many isolates is seen a request later than one over a single one.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::App;
use crate::{
    engine::{
        pipeline::Effects,
        tenant::Tenant,
        triage::{Observation, Windows},
    },
    ports::ShardName,
};

/// Events of a tenant are written no more often than this by one isolate.
const WRITE_MS: u64 = 5_000;

/// A write that has not come by then comes no more.
const ABANDONED_MS: u64 = 60_000;

/// What the shard said of kinds, and tenants that have something to write: beyond it the memory begins anew.
const MAX_HELD: usize = 10_000;

/// The shard that counts for all.
const COUNTS: u32 = 0;

/// Of an isolate.
#[derive(Default)]
pub struct Watch(Mutex<State>);

#[derive(Default)]
struct State {
    windows: Windows,
    /// What the shard has counted, and until when that is taken for true.
    over: HashMap<(Tenant, String, String), (u32, u64)>,
    waiting: HashMap<Tenant, Waiting>,
}

#[derive(Default)]
struct Waiting {
    effects: Effects,
    written_at: Option<u64>,
    /// Until when somebody is waited for who writes them: the platform may have ended it.
    led_until: u64,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts an observation; answers how many there are of it lately, as far as this isolate knows.
pub fn count(app: &App, tenant: &Tenant, seen: &Observation, now: u64) -> u32 {
    let mut state = app.watch.lock();
    let key = format!("{tenant}\n{}", seen.key);
    let own = state.windows.count(&seen.rule, &key, seen.window_s, (1, seen.value), seen.threshold, now);
    let told = state.over.get(&(tenant.clone(), seen.rule.clone(), seen.key.clone()));
    told.filter(|(_, until)| now < *until).map_or(own, |(count, _)| own.max(*count))
}

/// Has what a request set off written down behind its answer.
pub fn report(app: &App, tenant: &Tenant, mut effects: Effects) {
    if effects.is_empty() {
        return;
    }
    let observed = std::mem::take(&mut effects.observed);
    if !observed.is_empty() {
        let (app, tenant) = (app.clone(), tenant.clone());
        app.background.clone().spawn(Box::pin(async move { observe(&app, &tenant, observed).await }));
    }
    if effects.is_empty() {
        return;
    }
    let wait_ms = {
        let now = app.clock.now_ms();
        let mut state = app.watch.lock();
        if state.waiting.len() >= MAX_HELD && !state.waiting.contains_key(tenant) {
            state.waiting.retain(|_, waiting| now < waiting.led_until);
        }
        let waiting = state.waiting.entry(tenant.clone()).or_default();
        waiting.effects.merge(effects);
        if now < waiting.led_until {
            return;
        }
        waiting.led_until = now + ABANDONED_MS;
        waiting.written_at.map_or(0, |at| (at + WRITE_MS).saturating_sub(now))
    };
    let (app, tenant) = (app.clone(), tenant.clone());
    app.background.clone().spawn(Box::pin(async move {
        if wait_ms > 0 {
            app.clock.sleep_ms(wait_ms).await;
        }
        write(&app, &tenant).await;
    }));
}

async fn write(app: &App, tenant: &Tenant) {
    let now = app.now();
    let effects = {
        let mut state = app.watch.lock();
        let Some(waiting) = state.waiting.get_mut(tenant) else { return };
        waiting.led_until = 0;
        waiting.written_at = Some(app.clock.now_ms());
        std::mem::take(&mut waiting.effects)
    };
    let events: Vec<_> = effects.events.values().cloned().collect();
    for last in [false, true] {
        match app.events.note(tenant, &events, &effects.held, now).await {
            Ok(()) => return,
            Err(error) if last => {
                app.journal
                    .error(&format!("{} events of {tenant} could not be written: {error}", events.len()));
            }
            Err(_) => app.clock.sleep_ms(1_000).await,
        }
    }
}

async fn observe(app: &App, tenant: &Tenant, observed: Vec<(Observation, u32)>) {
    let shard = ShardName { tenant: tenant.clone(), number: COUNTS };
    let counts = match app.shards.observe(&shard, &observed).await {
        Ok(counts) => counts,
        Err(error) => {
            app.journal.error(&format!("what was observed of {tenant} could not be counted: {error}"));
            return;
        }
    };
    let now = app.clock.now_ms();
    let mut state = app.watch.lock();
    if state.over.len() >= MAX_HELD {
        state.over.retain(|_, (_, until)| now < *until);
    }
    for ((seen, _), count) in observed.into_iter().zip(counts) {
        if count >= seen.threshold && state.over.len() < MAX_HELD {
            let until = now + seen.window_s * 1_000;
            state.over.insert((tenant.clone(), seen.rule, seen.key), (count, until));
        }
    }
}
