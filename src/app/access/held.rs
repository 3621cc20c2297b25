//! What an isolate holds of copies: read again behind an answer before it is old, and in front of one when it is.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::ports::PortError;

/// A copy is at most 30 s old where it is read. Past this age it is read again behind the answer, so that a busy
/// isolate waits for none, and past the next before it: a change is everywhere within a minute.
const REFRESH_MS: u64 = 15_000;
pub(super) const FRESH_MS: u64 = 30_000;

/// When copies cannot be read, what was known last stands for so long.
const LAST_KNOWN_MS: u64 = 5 * 60_000;

/// Accounts and domains held, known and unknown: beyond it the cache begins anew.
const MAX_HELD: usize = 10_000;

/// Values by name, for so long as copies are trusted.
pub(super) struct Held<K, V>(Mutex<HashMap<K, Entry<V>>>);

pub(super) struct Entry<V> {
    /// Absent: it is known that there is none.
    pub(super) value: Option<V>,
    read_at: u64,
    refreshing: bool,
}

impl<K, V> Default for Held<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

enum Found<V> {
    Fresh(Option<V>),
    /// Good enough for this request; the caller is the one who reads it again.
    Aging(Option<V>),
    Old(Option<V>, u64),
    Nothing,
}

impl<K: Eq + Hash + Clone, V: Clone> Held<K, V> {
    /// The value, read where what is held is too old. `again` has it read behind the answer; both `put` what they read.
    pub(super) async fn through(
        &self,
        key: &K,
        now: u64,
        again: impl FnOnce(),
        read: impl Future<Output = Result<Option<V>, PortError>>,
    ) -> Result<Option<V>, PortError> {
        let last = match self.get(key, now) {
            Found::Fresh(value) => return Ok(value),
            Found::Aging(value) => {
                again();
                return Ok(value);
            }
            Found::Old(value, age) => Some(value).filter(|_| age < LAST_KNOWN_MS),
            Found::Nothing => None,
        };
        match read.await {
            Ok(value) => Ok(value),
            Err(error) => last.ok_or(error),
        }
    }

    fn get(&self, key: &K, now: u64) -> Found<V> {
        let mut held = self.lock();
        let Some(entry) = held.get_mut(key) else { return Found::Nothing };
        let age = now.saturating_sub(entry.read_at);
        if age < REFRESH_MS || (age < FRESH_MS && entry.refreshing) {
            return Found::Fresh(entry.value.clone());
        }
        if age < FRESH_MS {
            entry.refreshing = true;
            return Found::Aging(entry.value.clone());
        }
        Found::Old(entry.value.clone(), age)
    }

    pub(super) fn put(&self, key: K, value: Option<V>, now: u64) {
        let mut held = self.lock();
        if held.len() >= MAX_HELD && !held.contains_key(&key) {
            // Names that somebody made up must not push out those that are.
            held.retain(|_, entry| entry.value.is_some());
            if held.len() >= MAX_HELD {
                held.clear();
            }
        }
        held.insert(key, Entry { value, read_at: now, refreshing: false });
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
