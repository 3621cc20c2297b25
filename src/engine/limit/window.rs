//! One counter as the limiter keeps it: how many units count until when.

use std::iter;

use serde::{Deserialize, Serialize};

use super::{Back, Lease, Policy, Wish};

/// A window and a lease are at most 130 grains; only a policy that changes all the time comes here.
const MAX_SLOTS: usize = 256;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// When units stop to count, and how many, the soonest first.
    slots: Vec<(u64, u32)>,
}

impl Window {
    /// Forgets what counts no longer, and takes in what an isolate tells of its last lease.
    pub fn settle(&mut self, policy: Policy, now_ms: u64, back: Option<&Back>) {
        // Nothing was granted later than now: what counts for longer was granted by a clock that has been
        // turned back since, or under another policy.
        let last = end(policy, now_ms, policy.window_ms.saturating_add(policy.lease_ms()));
        self.slots.retain(|(end, units)| *end > now_ms && *units > 0);
        let late = self.slots.partition_point(|(end, _)| *end <= last);
        for (end, units) in self.slots.split_off(late) {
            self.add(end.min(last), units);
        }
        let Some(back) = back else { return };
        let slot = self.slots.iter_mut().find(|(end, _)| *end == back.slot);
        // It has stopped to count, and what was spent of it as well.
        let Some((slot_ms, units)) = slot else { return };
        let slot_ms = *slot_ms;
        let mut taken = back.units.min(*units);
        *units -= taken;
        for (ago, spent) in &back.spent {
            let spent = taken.min(*spent);
            taken -= spent;
            let until = end(policy, now_ms.saturating_sub(*ago), policy.window_ms);
            if until > now_ms {
                self.add(until.min(slot_ms), spent);
            }
        }
        self.slots.retain(|(_, units)| *units > 0);
    }

    /// Gives what is needed, and of what is wanted beyond that at most half of what is left; `None` when there
    /// is less than is needed. After `settle`.
    pub fn grant(&mut self, policy: Policy, now_ms: u64, wish: &Wish) -> Option<Lease> {
        let left = self.free(policy).checked_sub(wish.need)?;
        // Half: the last units go singly to whoever asks, and none of them waits with an isolate for nothing.
        let extra = wish.want.saturating_sub(wish.need).min(left / 2);
        let lease_ms = policy.lease_ms();
        let slot = end(policy, now_ms, policy.window_ms.saturating_add(lease_ms));
        self.add(end(policy, now_ms, policy.window_ms), wish.need);
        self.add(slot, extra);
        Some(Lease {
            granted: wish.need.saturating_add(extra),
            slot,
            expires_in_ms: lease_ms,
            ..self.state(policy, now_ms)
        })
    }

    /// The answer when this counter or another one has refused. After `settle`.
    pub fn refuse(&self, policy: Policy, now_ms: u64, need: u32) -> Lease {
        let free = self.free(policy);
        let frees = self.slots.iter().scan(u64::from(free), |free, (end, units)| {
            *free += u64::from(*units);
            Some((*end, *free))
        });
        // What is more than the limit is never there.
        let never = iter::once((now_ms.saturating_add(policy.window_ms).saturating_add(1), u64::MAX));
        let blocked_for_ms = match need.checked_sub(free) {
            None | Some(0) => 0,
            Some(_) => {
                let mut enough = frees.chain(never).filter(|(_, free)| *free >= u64::from(need));
                enough.next().map_or(0, |(end, _)| end.saturating_sub(now_ms))
            }
        };
        Lease { blocked_for_ms, ..self.state(policy, now_ms) }
    }

    /// When nothing of it counts any more; `None` when nothing does.
    pub fn until_ms(&self) -> Option<u64> {
        self.slots.last().map(|(end, _)| *end)
    }

    fn state(&self, policy: Policy, now_ms: u64) -> Lease {
        let reset_in_ms = self.slots.first().map_or(0, |(end, _)| end.saturating_sub(now_ms));
        Lease { remaining: self.free(policy), reset_in_ms, ..Lease::default() }
    }

    fn free(&self, policy: Policy) -> u32 {
        let counted = self.slots.iter().fold(0_u32, |sum, (_, units)| sum.saturating_add(*units));
        policy.limit.saturating_sub(counted)
    }

    fn add(&mut self, end: u64, units: u32) {
        if units == 0 {
            return;
        }
        let at = self.slots.partition_point(|(other, _)| *other < end);
        match self.slots.get_mut(at) {
            Some((other, counted)) if *other == end => *counted = counted.saturating_add(units),
            _ => self.slots.insert(at, (end, units)),
        }
        if self.slots.len() > MAX_SLOTS {
            let (_, first) = self.slots.remove(0);
            if let Some((_, next)) = self.slots.first_mut() {
                *next = next.saturating_add(first);
            }
        }
    }
}

/// The end of the grain in which this time is over.
fn end(policy: Policy, from_ms: u64, length_ms: u64) -> u64 {
    let end = from_ms.saturating_add(length_ms);
    end.checked_next_multiple_of(policy.grain_ms()).unwrap_or(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { limit: 100, window_ms: 6_400 };

    fn wish(need: u32, want: u32) -> Wish {
        Wish { need, want, back: None }
    }

    #[test]
    fn what_was_needed_counts_for_a_window_and_a_lease_for_as_long_as_it_may_be_spent() {
        let mut window = Window::default();
        let lease = window.grant(POLICY, 1_000, &wish(2, 5)).unwrap();
        let expected = Lease {
            granted: 5,
            slot: 8_100,
            expires_in_ms: 640,
            remaining: 95,
            reset_in_ms: 6_400,
            blocked_for_ms: 0,
        };
        assert_eq!(lease, expected);
        for (now, remaining) in [(7_399, 95), (7_400, 97), (8_099, 97), (8_100, 100)] {
            window.settle(POLICY, now, None);
            assert_eq!(window.free(POLICY), remaining, "{now}");
        }
        assert_eq!(window.until_ms(), None);
    }

    #[test]
    fn a_lease_that_comes_back_counts_where_it_was_spent() {
        let mut window = Window::default();
        let slot = window.grant(POLICY, 1_000, &wish(1, 5)).unwrap().slot;
        let back = Back { slot, units: 4, spent: vec![(300, 1), (100, 2)] };
        window.settle(POLICY, 1_400, Some(&back));
        assert_eq!(window.slots, [(7_400, 1), (7_500, 1), (7_700, 2)]);
        // A second time there is nothing left to take.
        window.settle(POLICY, 1_400, Some(&back));
        assert_eq!(window.slots, [(7_400, 1), (7_500, 1), (7_700, 2)]);
        // More than was given is not taken from the others.
        let slot = window.grant(POLICY, 1_400, &wish(0, 3)).unwrap().slot;
        let back = Back { slot, units: 9, spent: vec![(0, 1), (0, 7)] };
        window.settle(POLICY, 1_400, Some(&back));
        assert_eq!(window.slots, [(7_400, 1), (7_500, 1), (7_700, 2), (7_800, 3)]);
        window.settle(POLICY, 99_000, Some(&back));
        assert_eq!(window, Window::default());
    }

    #[test]
    fn a_refusal_says_when_there_will_be_enough() {
        let mut window = Window::default();
        for now in [0, 1_000, 2_000] {
            window.grant(POLICY, now, &wish(30, 30)).unwrap();
        }
        let now = 3_000;
        assert_eq!(window.grant(POLICY, now, &wish(11, 11)), None);
        for (need, blocked) in [(10, 0), (11, 3_400), (40, 3_400), (41, 4_400), (100, 5_400), (101, 6_401)] {
            let lease = window.refuse(POLICY, now, need);
            assert_eq!((lease.granted, lease.blocked_for_ms, lease.remaining), (0, blocked, 10), "{need}");
        }
    }

    #[test]
    fn the_last_units_are_not_given_ahead() {
        let mut window = Window::default();
        window.grant(POLICY, 0, &wish(90, 90)).unwrap();
        let given: Vec<u32> =
            iter::from_fn(|| window.grant(POLICY, 0, &wish(1, 5)).map(|lease| lease.granted)).collect();
        assert_eq!(given, [5, 3, 1, 1]);
    }

    #[test]
    fn a_clock_that_is_turned_back_blocks_nobody_for_long() {
        let mut window = Window::default();
        window.grant(POLICY, 1_000_000, &wish(100, 100)).unwrap();
        window.settle(POLICY, 1_000, None);
        assert_eq!(window.refuse(POLICY, 1_000, 1).blocked_for_ms, 7_100);
    }

    #[test]
    fn a_state_stays_small_and_is_read_as_it_was_written() {
        let mut window = Window::default();
        let policy = Policy { limit: 1_000_000_000, window_ms: 60_000 };
        for now in (0..200_000).step_by(10) {
            window.settle(policy, now, None);
            window.grant(policy, now, &wish(1_000, 2_000)).unwrap();
        }
        let text = serde_json::to_string(&window).unwrap();
        assert!(window.slots.len() <= 73 && text.len() < 2_000, "{} {}", window.slots.len(), text.len());
        assert_eq!(serde_json::from_str::<Window>(&text).unwrap(), window);
        for window_ms in 40_000..60_000 {
            window.grant(Policy { window_ms, ..policy }, 199_990, &wish(1, 1)).unwrap();
        }
        assert_eq!(window.slots.len(), MAX_SLOTS);
    }
}
