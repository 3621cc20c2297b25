//! What rules set off.

use std::collections::BTreeMap;

use super::{Broken, same};
use crate::{
    engine::{
        pipeline::Event,
        record::{model::Level, timestamp::Timestamp},
        tenant::Tenant,
        triage::Severity,
    },
    ports::{Events, events::Held},
};

/// Begins with no events of these tenants.
pub async fn events(events: &dyn Events) -> Result<(), Broken> {
    let (Some(a), Some(b)) = (Tenant::parse("contract-e"), Tenant::parse("contract-f")) else {
        return Err(Broken("the tenants have names".into()));
    };
    let at = |ms: i64| Timestamp::from_ms(1_763_683_200_000 + ms);
    let event = |id: &str, count, ms: i64| Event {
        id: id.to_owned(),
        rule: "r".into(),
        action: "alert".into(),
        target: None,
        severity: Severity::High,
        title: "a 'title' with \"quotes\"".into(),
        key: "service=api".into(),
        service: "api".into(),
        level: Level::Error,
        category: Some("security".into()),
        message: "m ü".into(),
        log_id: Some("019aa3a8-0e00-7000-8000-000000000000".into()),
        count,
        first: at(0),
        last: at(ms),
    };
    let held = |rules: &[(&str, u64)]| -> BTreeMap<String, u64> {
        rules.iter().map(|(rule, count)| ((*rule).to_owned(), *count)).collect()
    };
    same("there is nothing at first", events.list(&a, None, 10).await?, Vec::new())?;
    events.note(&a, &[event("1", 2, 5), event("2", 1, 0)], &held(&[("r", 3)]), at(5)).await?;
    let both = vec![event("2", 1, 0), event("1", 2, 5)];
    same("events are listed, the last id first", events.list(&a, None, 10).await?, both.clone())?;
    events.note(&a, &[event("1", 4, 3)], &BTreeMap::new(), at(6)).await?;
    let counted = vec![event("2", 1, 0), event("1", 6, 5)];
    same("one that is there counts on", events.list(&a, None, 10).await?, counted)?;
    same("a page of them", events.list(&a, None, 1).await?, vec![event("2", 1, 0)])?;
    same("and the next", events.list(&a, Some("2"), 1).await?, vec![event("1", 6, 5)])?;
    events.note(&a, &[], &held(&[("q", 1), ("r", 2)]), at(4)).await?;
    let mut rules = events.held(&a).await?;
    rules.sort_by(|one, other| one.rule.cmp(&other.rule));
    let one = |rule: &str, count, ms| Held { rule: rule.into(), count, last: at(ms) };
    same("rules are counted", rules, vec![one("q", 1, 4), one("r", 5, 5)])?;
    events.note(&b, &[event("1", 1, 0)], &held(&[("r", 1)]), at(0)).await?;
    same("another tenant's are another's", events.list(&b, None, 10).await?, vec![event("1", 1, 0)])?;
    events.forget(at(1)).await?;
    same("what is old is forgotten", events.list(&a, None, 10).await?, vec![event("1", 6, 5)])?;
    same("of everybody", events.list(&b, None, 10).await?, Vec::new())?;
    events.erase(&a).await?;
    same(
        "a tenant's end",
        (events.list(&a, None, 10).await?, events.held(&a).await?),
        (Vec::new(), Vec::new()),
    )?;
    same("leaves the others", events.held(&b).await?.len(), 1)?;
    events.erase(&b).await?;
    Ok(())
}
