//! What rules watch for, counted for all isolates. It is not durable: a count is worth less than its row.

use std::sync::PoisonError;

use super::Shard;
use crate::engine::triage::Observation;

impl Shard {
    /// Counts what rules watch for; answers how many there are of each.
    pub fn observe(&self, observed: &[(Observation, u32)]) -> Vec<u32> {
        let now = self.clock.now_ms();
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut count = |(seen, count): &(Observation, u32)| {
            let counted = (*count, seen.value);
            windows.count(&seen.rule, &seen.key, seen.window_s, counted, seen.threshold, now)
        };
        observed.iter().map(&mut count).collect()
    }
}
