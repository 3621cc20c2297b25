//! What is known of patterns.

use super::{Broken, same};
use crate::{
    engine::{
        pattern::{Own, PatternId, State},
        record::{model::Level, timestamp::Timestamp},
        tenant::Tenant,
    },
    ports::{Patterns, patterns::KnownPattern},
};

/// Begins with no patterns of these tenants.
pub async fn patterns(patterns: &dyn Patterns) -> Result<(), Broken> {
    let (Some(a), Some(b)) = (Tenant::parse("contract-g"), Tenant::parse("contract-h")) else {
        return Err(Broken("the tenants have names".into()));
    };
    let one = |service: &str, id: u64, leads_to: u64, template: &str| KnownPattern {
        service: service.to_owned(),
        id: PatternId(id),
        leads_to: PatternId(leads_to),
        template: template.to_owned(),
        level: Level::Warn,
        first: Timestamp::from_ms(1_763_683_200_000),
        own: Own::default(),
    };
    same("there is nothing at first", patterns.list(&a, 10).await?, Vec::new())?;
    patterns.note(&a, &[]).await?;
    let (high, low) = (one("api", u64::MAX, u64::MAX, "a 'quoted' \"<*>\" ü"), one("api", 1, 1, "b"));
    patterns.note(&a, &[high.clone(), low.clone(), one("web", 1, 1, "c")]).await?;
    patterns.note(&b, &[one("api", 1, 1, "d")]).await?;
    let all = vec![low, high.clone(), one("web", 1, 1, "c")];
    same("those of one time are listed by service and id", patterns.list(&a, 10).await?, all.clone())?;
    same(
        "as many as are wanted",
        patterns.list(&a, 1).await?,
        all.iter().take(1).cloned().collect::<Vec<_>>(),
    )?;
    let own = Own {
        name: Some("n".into()),
        state: State::Pinned,
        template: Some("<*>".into()),
        merged_into: Some(PatternId(u64::MAX)),
    };
    same("something is said of one", patterns.say(&a, "api", PatternId(1), &own).await?, true)?;
    same("but not of none", patterns.say(&a, "api", PatternId(2), &own).await?, false)?;
    let later = KnownPattern { level: Level::Error, first: Timestamp::EPOCH, ..one("api", 1, u64::MAX, "e") };
    patterns.note(&a, &[later]).await?;
    let led = KnownPattern { own, ..one("api", 1, u64::MAX, "e") };
    same("where it leads is noted again, and nothing else", patterns.list(&a, 1).await?, vec![led])?;
    patterns.erase(&a, Some("api")).await?;
    same("a service is forgotten", patterns.list(&a, 10).await?, vec![one("web", 1, 1, "c")])?;
    patterns.erase(&a, None).await?;
    same("and a tenant", patterns.list(&a, 10).await?, Vec::new())?;
    same("but no other", patterns.list(&b, 10).await?, vec![one("api", 1, 1, "d")])?;
    Ok(patterns.erase(&b, None).await?)
}
