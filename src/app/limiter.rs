//! A limiter: the counters of one tenant. One `Limiter` lives in one object, and every isolate asks it.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    engine::limit::{Lease, Window},
    ports::{Clock, LimitLog, PortError, limit_log::Row, limits::Ask},
};

/// Counters in memory, and rows: some 2 KB each at the most.
const MAX_COUNTERS: usize = 10_000;

/// Anybody can come from many addresses: their counters leave room for those of keys.
const MAX_ADDRESSES: usize = 9_000;

/// How the names of address counters begin.
pub const ADDRESS: &str = "addr:";

/// A counter that is over is kept for so long: a caller who comes back has his row written over, instead of one
/// row removed and another one added.
const KEPT_MS: u64 = 10 * 60 * 1_000;

/// Rows that one call removes.
const MAX_REMOVED: usize = 4;

/// Counters that one call asks for.
const MAX_ASKS: usize = 16;

/// A name has one of our prefixes, and a key's id or an address.
const MAX_NAME_BYTES: usize = 256;

pub struct Limiter {
    log: Arc<dyn LimitLog>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counters: HashMap<String, Counter>,
    /// What is stored, by when it is over.
    ends: BTreeSet<(u64, String)>,
    addresses: usize,
}

struct Counter {
    window: Window,
    /// Its place in `ends`.
    until_ms: u64,
}

impl Limiter {
    /// Opens a limiter on what its storage holds.
    pub fn open(log: Arc<dyn LimitLog>, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        let mut state = State::default();
        for Row { name, state: text, until_ms } in log.read()? {
            // What cannot be read was written by another version: it counts as nothing, and is written over.
            let window = serde_json::from_str(&text).unwrap_or_default();
            state.keep(name, window, until_ms);
        }
        Ok(Self { log, clock, state: Mutex::new(state) })
    }

    /// Grants all that is asked for, or nothing. Without an await: what it writes is one transaction.
    pub fn ask(&self, asks: &[Ask]) -> Result<Vec<Lease>, PortError> {
        if asks.len() > MAX_ASKS || asks.iter().any(|ask| ask.counter.len() > MAX_NAME_BYTES) {
            return Err(failed("too many counters or too long names"));
        }
        let now = self.clock.now_ms();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // One counter may be asked for twice: where it is shared.
        let mut asked: Vec<(String, Window)> = Vec::with_capacity(asks.len());
        let mut places = Vec::with_capacity(asks.len());
        for ask in asks {
            let name = state.place(&ask.counter, now, &*self.log)?;
            let place = asked.iter().position(|(other, _)| *other == name).unwrap_or(asked.len());
            if place == asked.len() {
                let window = state.counters.get(&name).map(|counter| counter.window.clone());
                asked.push((name, window.unwrap_or_default()));
            }
            places.push(place);
            if let Some((_, window)) = asked.get_mut(place) {
                window.settle(ask.policy, now, ask.wish.back.as_ref());
            }
        }
        let mut granted = asked.clone();
        let mut leases = Vec::with_capacity(asks.len());
        for (ask, place) in asks.iter().zip(&places) {
            let Some((name, window)) = granted.get_mut(*place) else { continue };
            let mut wish = ask.wish.clone();
            if *name != ask.counter {
                // What comes back would be looked for in the wrong place, once the counter has its own.
                wish.want = wish.need;
            }
            leases.extend(window.grant(ask.policy, now, &wish));
        }
        if leases.len() == asks.len() {
            for (name, window) in granted {
                state.write(name, window, &*self.log)?;
            }
            state.remove_finished(now, &*self.log)?;
            return Ok(leases);
        }
        let refuse = |(ask, place): (&Ask, &usize)| {
            let window = asked.get(*place).map(|(_, window)| window);
            window.map(|window| window.refuse(ask.policy, now, ask.wish.need))
        };
        let mut leases: Vec<Lease> = asks.iter().zip(&places).filter_map(refuse).collect();
        if leases.iter().all(|lease| lease.blocked_for_ms == 0) {
            // Each would have had enough alone, but two of them share a counter.
            for lease in &mut leases {
                lease.blocked_for_ms = lease.reset_in_ms.max(1);
            }
        }
        // What has come back is known to the memory alone until the next grant: without it more counts, not less.
        for (name, window) in asked {
            if let Some(counter) = state.counters.get_mut(&name) {
                counter.window = window;
            }
        }
        Ok(leases)
    }
}

impl State {
    /// The counter that counts for this name: its own while there is room.
    fn place(&mut self, name: &str, now: u64, log: &dyn LimitLog) -> Result<String, PortError> {
        if self.counters.contains_key(name) {
            return Ok(name.to_owned());
        }
        let is_full = |state: &Self| {
            let addresses = name.starts_with(ADDRESS) && state.addresses >= MAX_ADDRESSES;
            addresses || state.counters.len() >= MAX_COUNTERS
        };
        if is_full(self) {
            self.remove_oldest(now, log)?;
        }
        if is_full(self) {
            let kind = name.split_once(':').map_or("", |(kind, _)| kind);
            return Ok(format!("{kind}:*"));
        }
        Ok(name.to_owned())
    }

    fn keep(&mut self, name: String, window: Window, until_ms: u64) {
        self.ends.insert((until_ms, name.clone()));
        let is_address = name.starts_with(ADDRESS);
        match self.counters.insert(name.clone(), Counter { window, until_ms }) {
            Some(old) if old.until_ms != until_ms => drop(self.ends.remove(&(old.until_ms, name))),
            Some(_) => {}
            None => self.addresses += usize::from(is_address),
        }
    }

    fn write(&mut self, name: String, window: Window, log: &dyn LimitLog) -> Result<(), PortError> {
        let Some(until_ms) = window.until_ms() else { return Ok(()) };
        let state = serde_json::to_string(&window).map_err(failed)?;
        // In memory first: should the write fail, this much is counted nevertheless.
        self.keep(name.clone(), window, until_ms);
        log.write(&Row { name, state, until_ms })
    }

    fn remove_finished(&mut self, now: u64, log: &dyn LimitLog) -> Result<(), PortError> {
        for _ in 0..MAX_REMOVED {
            match self.ends.first() {
                Some((end, _)) if end.saturating_add(KEPT_MS) <= now => self.remove_first(log)?,
                _ => break,
            }
        }
        Ok(())
    }

    /// Makes room by what is over, however lately.
    fn remove_oldest(&mut self, now: u64, log: &dyn LimitLog) -> Result<(), PortError> {
        for _ in 0..MAX_REMOVED {
            match self.ends.first() {
                Some((end, _)) if *end <= now => self.remove_first(log)?,
                _ => break,
            }
        }
        Ok(())
    }

    fn remove_first(&mut self, log: &dyn LimitLog) -> Result<(), PortError> {
        let Some((_, name)) = self.ends.pop_first() else { return Ok(()) };
        self.counters.remove(&name);
        self.addresses -= usize::from(name.starts_with(ADDRESS));
        log.remove(&name)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as `map_err(failed)`")]
fn failed(reason: impl ToString) -> PortError {
    PortError { part: "limiter", reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
