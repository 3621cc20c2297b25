//! What happens beside the logs: counts of what rules watch for, and the events that they set off. None of it delays an
//! answer.
//!
//! An isolate counts by itself, and tells the tenant's first shard, which counts for all isolates and says what is over
//! its threshold. So an attack over many isolates is seen a second later than one over a single one.

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

/// Its first shard is told no more often, unless there is more to tell than one request may observe.
const TELL_MS: u64 = 1_000;

/// Who has not done it after so many times as long will not do it any more.
const ABANDONED: u64 = 10;

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
    writing: Pace,
    telling: Pace,
}

/// Something that is done for many requests together.
#[derive(Default)]
struct Pace {
    last_at: Option<u64>,
    /// Until when somebody is waited for who does it: the platform may have ended it.
    led_until: u64,
}

impl Pace {
    /// How long whoever asks is to wait, and to do it then; `None` when somebody does already.
    fn lead(&mut self, now: u64, every_ms: u64) -> Option<u64> {
        if now < self.led_until {
            return None;
        }
        self.led_until = now + ABANDONED * every_ms;
        Some(self.last_at.map_or(0, |at| (at + every_ms).saturating_sub(now)))
    }

    /// The same at once, whoever else waits to do it.
    fn lead_now(&mut self, now: u64, every_ms: u64) -> u64 {
        self.led_until = now + ABANDONED * every_ms;
        0
    }

    fn begin(&mut self, now: u64) {
        *self = Self { last_at: Some(now), led_until: 0 };
    }
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
pub fn report(app: &App, tenant: &Tenant, effects: Effects) {
    if effects.is_empty() {
        return;
    }
    let (tell, write) = {
        let now = app.clock.now_ms();
        let mut state = app.watch.lock();
        if state.waiting.len() >= MAX_HELD && !state.waiting.contains_key(tenant) {
            state.waiting.retain(|_, waiting| now < waiting.writing.led_until.max(waiting.telling.led_until));
        }
        let waiting = state.waiting.entry(tenant.clone()).or_default();
        waiting.effects.merge(effects);
        let Waiting { effects, writing, telling } = waiting;
        let tell = if effects.is_full() {
            Some(telling.lead_now(now, TELL_MS))
        } else if effects.observed.is_empty() {
            None
        } else {
            telling.lead(now, TELL_MS)
        };
        (tell, if effects.has_events() { writing.lead(now, WRITE_MS) } else { None })
    };
    if let Some(wait_ms) = tell {
        let (app, tenant) = (app.clone(), tenant.clone());
        app.background.clone().spawn(Box::pin(async move {
            wait(&app, wait_ms).await;
            observe(&app, &tenant).await;
        }));
    }
    if let Some(wait_ms) = write {
        let (app, tenant) = (app.clone(), tenant.clone());
        app.background.clone().spawn(Box::pin(async move {
            wait(&app, wait_ms).await;
            write_events(&app, &tenant).await;
        }));
    }
}

async fn wait(app: &App, wait_ms: u64) {
    if wait_ms > 0 {
        app.clock.sleep_ms(wait_ms).await;
    }
}

async fn write_events(app: &App, tenant: &Tenant) {
    let now = app.now();
    let (events, held) = {
        let mut state = app.watch.lock();
        let Some(waiting) = state.waiting.get_mut(tenant) else { return };
        waiting.writing.begin(app.clock.now_ms());
        (std::mem::take(&mut waiting.effects.events), std::mem::take(&mut waiting.effects.held))
    };
    let events: Vec<_> = events.into_values().collect();
    for last in [false, true] {
        match app.events.note(tenant, &events, &held, now).await {
            Ok(()) => return,
            Err(error) if last => {
                app.journal
                    .error(&format!("{} events of {tenant} could not be written: {error}", events.len()));
            }
            Err(_) => app.clock.sleep_ms(1_000).await,
        }
    }
}

/// Tells the first shard what was seen.
async fn observe(app: &App, tenant: &Tenant) {
    let observed = {
        let mut state = app.watch.lock();
        let Some(waiting) = state.waiting.get_mut(tenant) else { return };
        waiting.telling.begin(app.clock.now_ms());
        std::mem::take(&mut waiting.effects.observed)
    };
    if observed.is_empty() {
        return;
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leads_at_a_time_and_no_more_often_than_its_pace() {
        let mut pace = Pace::default();
        assert_eq!((pace.lead(100, 1_000), pace.lead(101, 1_000)), (Some(0), None));
        pace.begin(150);
        assert_eq!((pace.lead(400, 1_000), pace.lead(401, 1_000)), (Some(750), None));
        // The one who led is gone.
        assert_eq!(pace.lead(10_399, 1_000), None);
        assert_eq!((pace.lead(10_400, 1_000), pace.lead(10_401, 1_000)), (Some(0), None));
        // There is too much to wait for.
        assert_eq!((pace.lead_now(11_000, 1_000), pace.lead(20_999, 1_000)), (0, None));
        pace.begin(21_000);
        assert_eq!(pace.lead(21_000, 1_000), Some(1_000));
    }
}
