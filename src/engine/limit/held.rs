//! What an isolate holds of one counter. It asks for one unit when requests are rare, and for more when they are
//! frequent.

use super::{Back, Lease, Policy, Wish};

/// The answer to an ask is waited for this long; then the ask counts as lost.
const PATIENCE_MS: u64 = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    lease: Option<Units>,
    /// Until when, and for requests of how many units and more.
    blocked: Option<(u64, u32)>,
    /// What the limiter has said last: units that nobody has, and when the next one frees.
    remaining: u32,
    reset_ms: u64,
    /// An ask is under way since then.
    asking_since_ms: Option<u64>,
    asked_ms: u64,
    /// Units that requests have come for since `asked_ms`.
    demand: u64,
}

/// Units that may be spent until they expire.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Units {
    slot: u64,
    given: u32,
    left: u32,
    expires_ms: u64,
    /// When they were spent, by grains: the last time of each, and how many.
    spent: Vec<(u64, u32)>,
}

/// What can be done about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// There is enough: `spend`.
    Held,
    /// There will not be enough for so long.
    Blocked { retry_ms: u64 },
    /// Another request has asked: wait for its answer.
    Asking,
    /// `ask`.
    Short,
}

/// Units that were taken, in case they are not used after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    slot: u64,
    units: u32,
}

impl Held {
    pub fn look(&self, policy: Policy, now_ms: u64, units: u32) -> Look {
        if self.lease.as_ref().is_some_and(|lease| lease.has(now_ms, units)) {
            return Look::Held;
        }
        if units > policy.limit {
            return Look::Blocked { retry_ms: policy.window_ms };
        }
        match (self.blocked, self.asking_since_ms) {
            (Some((until, need)), _) if now_ms < until && need <= units => {
                Look::Blocked { retry_ms: until - now_ms }
            }
            (_, Some(since)) if now_ms < since.saturating_add(PATIENCE_MS) => Look::Asking,
            _ => Look::Short,
        }
    }

    /// A request has come; once for each, whatever becomes of it.
    pub fn came(&mut self, units: u32) {
        self.demand = self.demand.saturating_add(u64::from(units));
    }

    /// Takes units of the lease; `None` when it has not so many.
    pub fn spend(&mut self, policy: Policy, now_ms: u64, units: u32) -> Option<Spent> {
        let lease = self.lease.as_mut().filter(|lease| lease.has(now_ms, units))?;
        lease.left -= units;
        let grain = policy.grain_ms();
        match lease.spent.last_mut() {
            Some((last, spent)) if *last / grain == now_ms / grain => {
                *last = now_ms.max(*last);
                *spent = spent.saturating_add(units);
            }
            _ => lease.spent.push((now_ms, units)),
        }
        Some(Spent { slot: lease.slot, units })
    }

    /// Another counter has refused the request. Where the lease has come to its end meanwhile, the units stay
    /// spent.
    pub fn put_back(&mut self, spent: Spent) {
        let Some(lease) = self.lease.as_mut().filter(|lease| lease.slot == spent.slot) else { return };
        let mut rest = spent.units;
        for (_, units) in lease.spent.iter_mut().rev() {
            let back = rest.min(*units);
            *units -= back;
            rest -= back;
        }
        lease.left = lease.left.saturating_add(spent.units - rest).min(lease.given);
    }

    /// Ends the lease and says what to ask for.
    pub fn ask(&mut self, policy: Policy, now_ms: u64, need: u32) -> Wish {
        let lease_ms = policy.lease_ms();
        let elapsed = now_ms.saturating_sub(self.asked_ms).max(1);
        let expected = u128::from(self.demand) * u128::from(lease_ms) / u128::from(elapsed);
        // A few that come at once are no reason to expect them all the time: twice as many, and then again.
        let extra = expected.min(u128::from(self.demand) * 2);
        let most = policy.most_at_once().max(need);
        let want = need.saturating_add(u32::try_from(extra).unwrap_or(u32::MAX)).min(most);
        let back = self.lease.take().filter(|lease| {
            now_ms < lease.expires_ms.saturating_add(policy.window_ms).saturating_add(policy.grain_ms())
        });
        (self.asking_since_ms, self.asked_ms, self.demand) = (Some(now_ms), now_ms, 0);
        Wish { need, want, back: back.map(|lease| lease.back(now_ms)) }
    }

    /// The answer to what was asked at `asked_ms`. What was needed is spent.
    pub fn granted(&mut self, asked_ms: u64, now_ms: u64, need: u32, lease: &Lease) {
        self.answered(asked_ms);
        self.remaining = lease.remaining;
        self.reset_ms = now_ms.saturating_add(lease.reset_in_ms);
        if lease.granted < need || lease.blocked_for_ms > 0 {
            if lease.blocked_for_ms > 0 {
                self.blocked = Some((now_ms.saturating_add(lease.blocked_for_ms), need));
            }
            return;
        }
        self.blocked = None;
        let units = lease.granted - need;
        // Of two that were asked for at once, the smaller one is let go: nobody spends it.
        if units > self.lease.as_ref().map_or(0, |lease| lease.left) {
            self.lease = Some(Units {
                slot: lease.slot,
                given: units,
                left: units,
                expires_ms: asked_ms.saturating_add(lease.expires_in_ms),
                spent: Vec::new(),
            });
        }
    }

    /// No answer has come to what was asked at `asked_ms`, and none will.
    pub fn answered(&mut self, asked_ms: u64) {
        if self.asking_since_ms == Some(asked_ms) {
            self.asking_since_ms = None;
        }
    }

    /// Units that may still be spent, by this isolate or another; as far as this one knows.
    pub fn remaining(&self) -> u32 {
        self.remaining.saturating_add(self.lease.as_ref().map_or(0, |lease| lease.left))
    }

    pub fn reset_in_ms(&self, now_ms: u64) -> u64 {
        self.reset_ms.saturating_sub(now_ms)
    }

    /// Whether forgetting it would change anything.
    pub fn is_of_use(&self, now_ms: u64) -> bool {
        self.lease.as_ref().is_some_and(|lease| lease.has(now_ms, 1))
            || self.blocked.is_some_and(|(until, _)| now_ms < until)
            || self.asking_since_ms.is_some_and(|since| now_ms < since.saturating_add(PATIENCE_MS))
    }
}

impl Units {
    fn has(&self, now_ms: u64, units: u32) -> bool {
        now_ms < self.expires_ms && units <= self.left
    }

    fn back(self, now_ms: u64) -> Back {
        let ago = |(at, units): (u64, u32)| (now_ms.saturating_sub(at), units);
        let spent = self.spent.into_iter().filter(|(_, units)| *units > 0).map(ago).collect();
        Back { slot: self.slot, units: self.given, spent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { limit: 100, window_ms: 60_000 };

    /// Requests of one unit at these times, to a limiter that always has what is wanted: how much was
    /// granted for each; nothing where it was held.
    fn asked(policy: Policy, times: impl IntoIterator<Item = u64>) -> Vec<Option<u32>> {
        let mut held = Held::default();
        let mut ask = |time| {
            let now = 1_000_000 + time;
            held.came(1);
            if held.look(policy, now, 1) == Look::Held {
                held.spend(policy, now, 1).unwrap();
                return None;
            }
            let want = held.ask(policy, now, 1).want;
            let lease = Lease { granted: want, expires_in_ms: policy.lease_ms(), ..Lease::default() };
            held.granted(now, now, 1, &lease);
            Some(want)
        };
        times.into_iter().map(&mut ask).collect()
    }

    #[test]
    fn a_slow_caller_asks_for_one_and_a_fast_one_for_more() {
        assert_eq!(asked(POLICY, (0..5).map(|n| n * 10_000)), [Some(1); 5]);
        // One more than it needs: the next comes before the lease is over.
        assert_eq!(asked(POLICY, (0..5).map(|n| n * 4_000)), [Some(1), Some(2), None, Some(2), None]);
        let fast = asked(POLICY, (0..300).map(|n| n * 10));
        assert_eq!(fast.iter().flatten().max(), Some(&5));
        assert_eq!(fast.iter().flatten().count(), 62);
        let large = Policy { limit: 1_000_000, ..POLICY };
        let asks = asked(large, (0..10_000).map(|n| n / 10));
        assert_eq!(asks.iter().flatten().count(), 13);
    }

    #[test]
    fn a_lease_is_not_spent_after_its_end_and_goes_back_with_when_it_was_spent() {
        let mut held = Held::default();
        held.granted(
            1_000,
            1_500,
            1,
            &Lease { granted: 5, slot: 9, expires_in_ms: 6_000, ..Lease::default() },
        );
        for now in [1_500, 1_600, 4_000] {
            assert!(held.spend(POLICY, now, 1).is_some());
        }
        assert_eq!(held.look(POLICY, 6_999, 2), Look::Short);
        assert_eq!(held.look(POLICY, 6_999, 1), Look::Held);
        assert_eq!((held.look(POLICY, 7_000, 1), held.spend(POLICY, 7_000, 1)), (Look::Short, None));
        let back = Back { slot: 9, units: 4, spent: vec![(6_400, 2), (4_000, 1)] };
        let mut late = held.clone();
        assert_eq!(held.ask(POLICY, 8_000, 1).back, Some(back));
        assert_eq!(held.ask(POLICY, 8_000, 1).back, None);
        // The limiter has forgotten it.
        assert_eq!(late.ask(POLICY, 80_000, 1).back, None);
    }

    #[test]
    fn what_is_put_back_can_be_spent_again() {
        let mut held = Held::default();
        held.granted(0, 0, 1, &Lease { granted: 3, slot: 9, expires_in_ms: 6_000, ..Lease::default() });
        held.spend(POLICY, 0, 1).unwrap();
        let spent = held.spend(POLICY, 2_000, 1).unwrap();
        held.put_back(spent);
        assert_eq!(held.look(POLICY, 2_000, 1), Look::Held);
        assert_eq!(
            held.ask(POLICY, 2_000, 1).back,
            Some(Back { slot: 9, units: 2, spent: vec![(2_000, 1)] })
        );
        held.put_back(spent);
        assert_eq!(held.look(POLICY, 2_000, 1), Look::Asking);
    }

    #[test]
    fn a_refusal_is_remembered_for_as_long_as_it_holds() {
        let mut held = Held::default();
        held.ask(POLICY, 0, 10);
        assert_eq!(held.look(POLICY, 999, 1), Look::Asking);
        assert_eq!(held.look(POLICY, 1_000, 1), Look::Short);
        held.granted(0, 20, 10, &Lease { blocked_for_ms: 5_000, remaining: 3, ..Lease::default() });
        assert_eq!(held.look(POLICY, 20, 10), Look::Blocked { retry_ms: 5_000 });
        assert_eq!(held.look(POLICY, 5_019, 11), Look::Blocked { retry_ms: 1 });
        assert_eq!(held.look(POLICY, 5_020, 10), Look::Short);
        // Fewer may still be there.
        assert_eq!(held.look(POLICY, 20, 9), Look::Short);
        assert_eq!(held.look(POLICY, 0, 101), Look::Blocked { retry_ms: 60_000 });
        assert!(held.is_of_use(5_019) && !held.is_of_use(5_020));
        // Another counter has refused: nothing is known of this one.
        let mut other = Held::default();
        other.ask(POLICY, 0, 1);
        other.granted(0, 20, 1, &Lease { remaining: 3, ..Lease::default() });
        assert_eq!((other.look(POLICY, 20, 1), other.remaining()), (Look::Short, 3));
    }
}
