//! The history of a tenant's services: an object with what is settled, and what came since out of the catalog and the shards.

use crate::{
    app::{App, Error, analytics, patterns::Patterns, scan::Stats},
    engine::{
        anomaly::History, block::facts::fine, pattern::PatternId, query::TimeRange,
        record::timestamp::Timestamp, tenant::Tenant,
    },
};

use super::FIRST_STEPS;

/// Where it is kept.
fn key(tenant: &Tenant) -> String {
    format!("history/{tenant}/series")
}

/// All steps before `step`; nothing where something of them cannot be read: missing logs would look like silence.
pub(super) async fn load(
    app: &App,
    tenant: &Tenant,
    patterns: &Patterns,
    step: u32,
) -> Result<Option<History>, Error> {
    let kept = match app.objects.get(&key(tenant)).await? {
        None => None,
        Some(bytes) => History::decode(&bytes).unwrap_or_else(|corrupt| {
            // It is made anew of what the catalog knows.
            app.journal.error(&format!("the history of {tenant} cannot be read: {corrupt}"));
            None
        }),
    };
    // One that is ahead is of no use for a time that lies before; and behind a gap there would be silence.
    let reaches = |kept: &History| (step.saturating_sub(FIRST_STEPS)..=step).contains(&kept.until);
    let mut series = kept.filter(reaches).unwrap_or_default();
    let steps = series.until.max(step.saturating_sub(FIRST_STEPS))..step;
    let range = TimeRange {
        start: Timestamp::from_ms(fine::start_ms(steps.start)),
        end: Timestamp::from_ns(Timestamp::from_ms(fine::start_ms(steps.end)).as_ns() - 1),
    };
    let lead = |service: &str, id: &str| {
        PatternId::parse(id).map_or_else(|| id.to_owned(), |id| patterns.resolve(service, id).to_string())
    };
    let mut stats = Stats::default();
    let mut is_whole = true;
    analytics::walk(app, tenant, range, &mut stats, |facts| is_whole &= series.add(facts, &steps, lead))
        .await?;
    Ok((is_whole && !stats.partial).then_some(series))
}

pub(super) async fn save(app: &App, tenant: &Tenant, series: &History) -> Result<(), Error> {
    Ok(app.objects.put(&key(tenant), series.encode()?).await?)
}
