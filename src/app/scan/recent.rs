//! What was used last, up to so many bytes.

use std::{
    borrow::Borrow,
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Its lock is never held across an await.
#[derive(Debug)]
pub(super) struct Recent<K, V>(Mutex<All<K, V>>);

#[derive(Debug)]
struct All<K, V> {
    entries: HashMap<K, Entry<V>>,
    bytes: usize,
    max_bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    weight: usize,
    used: u64,
}

impl<K: Eq + Hash + Clone, V: Clone> Recent<K, V> {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self(Mutex::new(All { entries: HashMap::new(), bytes: 0, max_bytes, uses: 0 }))
    }

    fn all(&self) -> MutexGuard<'_, All<K, V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let mut all = self.all();
        all.uses += 1;
        let now = all.uses;
        let entry = all.entries.get_mut(key)?;
        entry.used = now;
        Some(entry.value.clone())
    }

    pub(super) fn put(&self, key: K, value: V, weight: usize) {
        let mut all = self.all();
        all.uses += 1;
        all.bytes += weight;
        let used = all.uses;
        if let Some(old) = all.entries.insert(key, Entry { value, weight, used }) {
            all.bytes -= old.weight;
        }
        all.shrink();
    }

    /// Weighs a value again that has grown.
    pub(super) fn weigh<Q: Eq + Hash + ?Sized>(&self, key: &Q, weight: impl FnOnce(&V) -> usize)
    where
        K: Borrow<Q>,
    {
        let mut all = self.all();
        let Some(entry) = all.entries.get_mut(key) else { return };
        let after = weight(&entry.value);
        let before = std::mem::replace(&mut entry.weight, after);
        all.bytes = (all.bytes + after).saturating_sub(before);
        all.shrink();
    }

    #[cfg(test)]
    pub(super) fn weight(&self) -> usize {
        self.all().bytes
    }

    #[cfg(test)]
    pub(super) fn values(&self) -> Vec<V> {
        self.all().entries.values().map(|entry| entry.value.clone()).collect()
    }
}

impl<K: Eq + Hash + Clone, V> All<K, V> {
    fn shrink(&mut self) {
        while self.bytes > self.max_bytes {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone());
            let Some(entry) = oldest.and_then(|key| self.entries.remove(&key)) else { return };
            self.bytes = self.bytes.saturating_sub(entry.weight);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_least_lately_goes_first() {
        let recent: Recent<String, u32> = Recent::new(100);
        for n in 0..4 {
            recent.put(format!("k{n}"), n, 30);
        }
        assert_eq!(recent.weight(), 90);
        assert_eq!((recent.get("k0"), recent.get("k1")), (None, Some(1)));
        recent.put("k4".into(), 4, 30);
        assert_eq!((recent.get("k1"), recent.get("k2")), (Some(1), None));
        recent.put("k1".into(), 11, 10);
        assert_eq!((recent.get("k1"), recent.weight()), (Some(11), 70));
        recent.weigh("k4", |_| 80);
        assert_eq!((recent.get("k3"), recent.get("k1"), recent.weight()), (None, Some(11), 90));
        recent.put("large".into(), 5, 101);
        assert_eq!((recent.get("large"), recent.weight()), (None, 0));
    }
}
