//! How many of a kind there were lately: counts, and different values, in sliding windows.
//!
//! Invariant: memory is bounded. What has not been seen for longest goes first.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Kinds counted at once.
const MAX_KEYS: usize = 20_000;

/// Different values kept at once, of all kinds together.
const MAX_VALUES: usize = 200_000;

/// A window is counted in so many steps: what is a step older than it may still count.
const STEPS: u64 = 10;

#[derive(Debug, Default)]
pub struct Windows {
    counts: HashMap<(String, String), Count>,
    /// When each was last seen, with its place: the oldest first.
    ages: BTreeMap<(u64, u64), (String, String)>,
    next: u64,
    values: usize,
}

#[derive(Debug, Default)]
struct Count {
    /// Where each step began, and how many there were in it.
    steps: VecDeque<(u64, u32)>,
    /// Different values, and when each was last seen.
    values: HashMap<u64, u64>,
    age: (u64, u64),
}

impl Windows {
    /// Counts `count` records, or a value that is counted once, and says how many there are in the window now.
    /// Of values no more are told apart than `threshold`.
    pub fn count(
        &mut self,
        rule: &str,
        key: &str,
        window_s: u64,
        (count, value): (u32, Option<u64>),
        threshold: u32,
        now_ms: u64,
    ) -> u32 {
        let name = (rule.to_owned(), key.to_owned());
        let length_ms = window_s.max(1) * 1_000;
        let oldest = now_ms.saturating_sub(length_ms);
        self.next += 1;
        let age = (now_ms, self.next);
        let known = self.counts.entry(name.clone()).or_default();
        self.ages.remove(&known.age);
        self.ages.insert(age, name);
        known.age = age;
        let seen = if let Some(value) = value {
            let before = known.values.len();
            known.values.retain(|_, seen| *seen >= oldest);
            if known.values.len() < threshold as usize || known.values.contains_key(&value) {
                known.values.insert(value, now_ms);
            }
            self.values = (self.values + known.values.len()).saturating_sub(before);
            u32::try_from(known.values.len()).unwrap_or(u32::MAX)
        } else {
            let step = (length_ms / STEPS).max(1);
            let begin = now_ms - now_ms % step;
            while known.steps.front().is_some_and(|(begin, _)| begin + step <= oldest) {
                known.steps.pop_front();
            }
            match known.steps.back_mut() {
                Some((last, counted)) if *last >= begin => *counted = counted.saturating_add(count),
                _ => known.steps.push_back((begin, count)),
            }
            known.steps.iter().fold(0_u32, |sum, (_, counted)| sum.saturating_add(*counted))
        };
        while self.counts.len() > MAX_KEYS || self.values > MAX_VALUES {
            let Some((_, oldest)) = self.ages.pop_first() else { break };
            let gone = self.counts.remove(&oldest).map_or(0, |count| count.values.len());
            self.values = self.values.saturating_sub(gone);
        }
        seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_does_not_count() {
        let mut windows = Windows::default();
        let mut count = |at: u64| windows.count("r", "k", 100, (1, None), 5, at * 1_000);
        assert_eq!([0, 1, 50, 99].map(&mut count), [1, 2, 3, 4]);
        // A step of ten seconds is the least that can be told apart.
        assert_eq!(count(111), 3);
        assert_eq!(count(500), 1);
    }

    #[test]
    fn kinds_are_counted_apart() {
        let mut windows = Windows::default();
        for (rule, key, expected) in [("r", "a", 1), ("r", "b", 1), ("q", "a", 1), ("r", "a", 2)] {
            assert_eq!(windows.count(rule, key, 60, (1, None), 5, 1_000), expected);
        }
        assert_eq!(windows.count("r", "a", 60, (40, None), 5, 2_000), 42);
    }

    #[test]
    fn values_count_once_and_go_with_the_window() {
        let mut windows = Windows::default();
        let mut count = |at: u64, value| windows.count("r", "k", 60, (1, Some(value)), 3, at * 1_000);
        assert_eq!(
            [(0, 1), (1, 1), (2, 2), (3, 3), (4, 4)].map(|(at, value)| count(at, value)),
            [1, 1, 2, 3, 3]
        );
        assert_eq!(count(70, 9), 1);
    }

    #[test]
    fn memory_is_bounded_and_the_longest_unseen_goes_first() {
        let mut windows = Windows::default();
        for nth in 0..(MAX_KEYS as u64 + 10) {
            windows.count("r", &nth.to_string(), 60, (1, None), 5, nth);
            windows.count("r", "0", 60, (1, None), 5, nth);
        }
        assert_eq!(windows.counts.len(), MAX_KEYS);
        assert_eq!(windows.ages.len(), MAX_KEYS);
        assert!(windows.counts.contains_key(&("r".into(), "0".into())));
        assert!(!windows.counts.contains_key(&("r".into(), "1".into())));
    }
}
