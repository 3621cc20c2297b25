//! What analyses have said.

use super::{Broken, same};
use crate::{
    engine::{record::timestamp::Timestamp, tenant::Tenant},
    ports::{Analyses, analyses::StoredAnalysis},
};

/// Begins with no analyses of these tenants.
pub async fn analyses(analyses: &dyn Analyses) -> Result<(), Broken> {
    let (Some(a), Some(b)) = (Tenant::parse("contract-k"), Tenant::parse("contract-l")) else {
        return Err(Broken("the tenants have names".into()));
    };
    let at = |ms: i64| Timestamp::from_ms(1_763_683_200_000 + ms);
    let one = |n: i64, service: &str| StoredAnalysis {
        id: format!("019aa3a8-0e00-7000-8000-{n:012}"),
        service: service.to_owned(),
        severity: "LOW".into(),
        analyzed_at: at(n),
        until: at(n - 100),
        data: r#"{"summary":"it's \"quoted\" ü"}"#.into(),
    };
    let id = |n: i64| one(n, "").id;
    let api = "api 'ü'";
    same("there is nothing at first", analyses.list(&a, None, None, 10).await?, Vec::new())?;
    same("and nothing that is the newest", analyses.latest(&a, 10).await?, Vec::new())?;
    for (n, service) in [(3, "web"), (1, api), (2, api), (4, "db")] {
        analyses.put(&a, &one(n, service)).await?;
    }
    analyses.put(&b, &one(9, api)).await?;
    let all = vec![one(4, "db"), one(3, "web"), one(2, api), one(1, api)];
    same("the newest first", analyses.list(&a, None, None, 10).await?, all.clone())?;
    same("a page of them", analyses.list(&a, None, None, 2).await?, vec![one(4, "db"), one(3, "web")])?;
    same("and the next", analyses.list(&a, None, Some(&id(3)), 1).await?, vec![one(2, api)])?;
    let own = vec![one(2, api), one(1, api)];
    same("those of a service", analyses.list(&a, Some(api), None, 10).await?, own)?;
    same("a page of those", analyses.list(&a, Some(api), Some(&id(2)), 10).await?, vec![one(1, api)])?;
    same("of a service that has none", analyses.list(&a, Some("ap"), None, 10).await?, Vec::new())?;
    let newest = vec![one(2, api), one(4, "db"), one(3, "web")];
    same("the newest of each service", analyses.latest(&a, 10).await?, newest.clone())?;
    let two = newest.iter().take(2).cloned().collect::<Vec<_>>();
    same("of so many services", analyses.latest(&a, 2).await?, two)?;
    let again = StoredAnalysis { severity: "HIGH".into(), data: "{}".into(), until: at(7), ..one(4, "db") };
    analyses.put(&a, &again).await?;
    same("one that is there is replaced", analyses.list(&a, None, None, 1).await?, vec![again.clone()])?;
    analyses.forget(at(3)).await?;
    let left = vec![again, one(3, "web")];
    same("what was made before is forgotten", analyses.list(&a, None, None, 10).await?, left)?;
    analyses.erase(&a).await?;
    same("a tenant's end", analyses.list(&a, None, None, 10).await?, Vec::new())?;
    same("leaves the others", analyses.latest(&b, 10).await?, vec![one(9, api)])?;
    analyses.forget(at(10)).await?;
    same("old ones are forgotten of everybody", analyses.list(&b, None, None, 10).await?, Vec::new())?;
    Ok(analyses.erase(&b).await?)
}
