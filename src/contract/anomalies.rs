//! What was out of the ordinary.

use super::{Broken, same};
use crate::{
    engine::{query::TimeRange, record::timestamp::Timestamp, tenant::Tenant},
    ports::{Anomalies, anomalies::StoredAnomaly},
};

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_763_683_200_000 + ms)
}

/// Begins with no anomalies of these tenants.
pub async fn anomalies(anomalies: &dyn Anomalies) -> Result<(), Broken> {
    let (Some(a), Some(b)) = (Tenant::parse("contract-i"), Tenant::parse("contract-j")) else {
        return Err(Broken("the tenants have names".into()));
    };
    let one = |id: &str, start: i64, end: i64| StoredAnomaly {
        id: id.to_owned(),
        service: "a 'quoted' \"service\" ü".into(),
        start: at(start),
        end: at(end),
        is_ongoing: false,
        data: r#"{"title":"it's ü","seen":1.5}"#.into(),
    };
    let from = |start: i64, end: i64| TimeRange { start: at(start), end: at(end) };
    same("there is nothing at first", anomalies.list(&a, TimeRange::ALL, 10).await?, Vec::new())?;
    anomalies.put(&a, &[]).await?;
    let going_on = StoredAnomaly { is_ongoing: true, ..one("3", 20, 30) };
    anomalies.put(&a, &[one("1", 0, 10), one("2", 0, 100), going_on.clone()]).await?;
    anomalies.put(&b, &[one("1", 5, 5)]).await?;
    let all = vec![going_on.clone(), one("2", 0, 100), one("1", 0, 10)];
    let list = |range, limit| anomalies.list(&a, range, limit);
    same(
        "the latest beginnings first, and of one beginning the highest id",
        list(TimeRange::ALL, 10).await?,
        all,
    )?;
    same("as many as are wanted", list(TimeRange::ALL, 1).await?, vec![going_on.clone()])?;
    same("those of a time", list(from(11, 19), 10).await?, vec![one("2", 0, 100)])?;
    let at_ends = vec![going_on.clone(), one("2", 0, 100), one("1", 0, 10)];
    same("both ends of a time are of it", list(from(10, 20), 10).await?, at_ends)?;
    same("what is before it is not", list(from(101, 200), 10).await?, Vec::new())?;
    let over = StoredAnomaly { service: "other".into(), data: "{}".into(), ..one("3", 20, 40) };
    let moved = StoredAnomaly { is_ongoing: true, ..one("1", 25, 35) };
    anomalies.put(&a, &[over.clone(), moved.clone()]).await?;
    let replaced = vec![moved.clone(), over.clone(), one("2", 0, 100)];
    same("one that is there is replaced, its beginning too", list(TimeRange::ALL, 10).await?, replaced)?;
    anomalies.forget(at(40)).await?;
    let left = vec![over, one("2", 0, 100)];
    same(
        "what has ended before is forgotten, whether it goes on or not",
        list(TimeRange::ALL, 10).await?,
        left,
    )?;
    same("of everybody", anomalies.list(&b, TimeRange::ALL, 10).await?, Vec::new())?;
    anomalies.put(&b, &[one("1", 5, 5)]).await?;
    anomalies.erase(&a).await?;
    same("a tenant's end", list(TimeRange::ALL, 10).await?, Vec::new())?;
    same("leaves the others", anomalies.list(&b, TimeRange::ALL, 10).await?, vec![one("1", 5, 5)])?;
    Ok(anomalies.erase(&b).await?)
}
