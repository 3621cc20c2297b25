//! How much a caller may do in any window of time, kept exactly though many isolates let callers in: what the
//! limiter keeps of a counter (`window`), and what an isolate holds of it (`held`).
//!
//! The limiter counts a unit before it is spent. What a request needs is spent the moment the limiter counts it;
//! what an isolate is given beyond that is a lease, spent before it ends or not at all, and counts until a window
//! after its end. So no window sees more than `limit` units, whatever isolates do, how far their clocks stand
//! apart, and how late messages come: times between the two are how long ago or how long from now, and an
//! isolate counts a lease from when it asked. It is the isolate that tells when the units of a lease were spent,
//! and which were not; the limiter corrects itself then.

pub mod held;
pub mod window;

use serde::{Deserialize, Serialize};

pub use held::{Held, Look};
pub use window::Window;

/// At most `limit` units in any `window_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub limit: u32,
    pub window_ms: u64,
}

impl Policy {
    /// Times are kept in whole grains, always later ones: a state is small, and a unit counts for a window and at
    /// most two of these.
    pub fn grain_ms(self) -> u64 {
        self.window_ms.div_ceil(64).max(1)
    }

    /// How long an isolate may hold units. An isolate that ends with them keeps them from the others for that
    /// long and a window.
    pub fn lease_ms(self) -> u64 {
        (self.window_ms / 10).clamp(self.window_ms.min(500), 10_000)
    }

    /// What one isolate is given at once, unless a single request needs more: little is lost with it.
    pub fn most_at_once(self) -> u32 {
        (self.limit / 20).max(1)
    }
}

/// What an isolate wants of one counter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Units of the request that waits; spent when they are counted.
    pub need: u32,
    /// With those that are likely to be spent soon: `need` or more.
    pub want: u32,
    /// The lease that it held until now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Back>,
}

/// A lease that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// As in the `Lease`.
    pub slot: u64,
    pub units: u32,
    /// Which of the units were spent, and how many ms ago the last of each few.
    pub spent: Vec<(u64, u32)>,
}

/// The limiter's answer for one counter. Of several that were asked for at once all are granted or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// What was needed, and what may be spent later; 0 when a counter refused, not always this one.
    pub granted: u32,
    /// Where the limiter counts what may be spent later.
    pub slot: u64,
    /// From when it was asked for.
    pub expires_in_ms: u64,
    /// Units that nobody has.
    pub remaining: u32,
    /// When the next unit frees; 0 when none is taken.
    pub reset_in_ms: u64,
    /// When there will be what was needed; 0 when this counter has not refused.
    pub blocked_for_ms: u64,
}

impl Lease {
    pub fn grants(&self, wish: &Wish) -> bool {
        wish.need <= self.granted && self.blocked_for_ms == 0
    }
}

#[cfg(test)]
mod tests;
