//! The promises of the limiter.

use super::{Broken, same};
use crate::{
    engine::{
        limit::{Back, Lease, Policy, Wish},
        tenant::Tenant,
    },
    ports::{Limits, limits::Ask},
};

/// Runs on a limiter that knows none of these counters.
pub async fn limits(limits: &dyn Limits, tenant: &Tenant) -> Result<(), Broken> {
    let policy = Policy { limit: 10, window_ms: 3_600_000 };
    let ask = |counter: &str, need, want, back| {
        let wish = Wish { need, want, back };
        Ask { counter: counter.to_owned(), policy, wish }
    };
    let granted = |leases: &[Lease]| leases.iter().map(|lease| lease.granted).collect::<Vec<_>>();
    let left = |leases: &[Lease]| leases.iter().map(|lease| lease.remaining).collect::<Vec<_>>();

    let first = limits.ask(tenant, &[ask("key:a", 2, 4, None), ask("addr:a", 9, 9, None)]).await?;
    same("what is needed and wanted is granted", granted(&first), vec![4, 9])?;
    same("and counted", left(&first), vec![6, 1])?;
    let refused = limits.ask(tenant, &[ask("key:a", 1, 1, None), ask("addr:a", 2, 2, None)]).await?;
    same("all are granted or none", granted(&refused), vec![0, 0])?;
    same("and nothing is counted", left(&refused), vec![6, 1])?;
    let blocked: Vec<bool> = refused.iter().map(|lease| lease.blocked_for_ms > 0).collect();
    same("the counter that refuses is told", blocked, vec![false, true])?;

    let slot = first.first().map(|lease| lease.slot).unwrap_or_default();
    let back = Back { slot, units: 2, spent: vec![(0, 1)] };
    let returned = limits.ask(tenant, &[ask("key:a", 7, 7, Some(back))]).await?;
    same("what comes back is granted again", (granted(&returned), left(&returned)), (vec![7], vec![0]))?;
    let other = Tenant::parse("contract-other").unwrap_or_else(Tenant::default_tenant);
    let others = limits.ask(&other, &[ask("key:a", 10, 10, None)]).await?;
    same("another tenant has counters of its own", granted(&others), vec![10])?;
    same("nothing is asked of nothing", limits.ask(tenant, &[]).await?, Vec::new())
}
