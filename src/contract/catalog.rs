//! The promises of the catalog.

use uuid::Uuid;

use super::{Broken, same};
use crate::{
    engine::{
        block::{
            Facts, Rollup, SegmentId,
            packed::Packed,
            rows::{self, Encoder},
            segment,
        },
        config::ServiceConfig,
        query::TimeRange,
        record::{
            field::{Field, Values},
            model::Level,
            timestamp::Timestamp,
        },
        tenant::Tenant,
    },
    ports::{
        Catalog, CatalogEntry, PortError,
        catalog::{After, Only, WalkFrom},
    },
};

/// Runs on a catalog that holds nothing.
pub async fn catalog(catalog: &dyn Catalog) -> Result<(), Broken> {
    let (Some(a), Some(b)) = (Tenant::parse("contract-a"), Tenant::parse("contract-b")) else {
        return Err(Broken("the names of the test's tenants are not names".into()));
    };
    catalog.ping().await?;
    listing(catalog, &a, &b).await?;
    marking(catalog, &a, &b).await?;
    replacing(catalog, &a, &b).await?;
    spool(catalog, &a, &b).await?;
    configs(catalog, &a, &b).await
}

/// A segment of two rows, at these nanoseconds.
pub(super) fn entry(tenant: &Tenant, seq: u64, from_ns: i64, to_ns: i64) -> Result<CatalogEntry, Broken> {
    let mut encoder = Encoder::default();
    for (ns, level) in [(from_ns, Level::Error), (to_ns, Level::Info)] {
        let at = Timestamp::from_ns(ns);
        // Receipts are whole milliseconds, like the clock.
        let received_at = Timestamp::from_ms(at.as_ms());
        let _ = encoder.push_values(Uuid::from_u128(1), received_at, |row| {
            row.put(Field::Service, &["it's \\\"quoted\\\""]);
            row.put(Field::Level, &[level.as_str()]);
            row.put(Field::Message, &["m"]);
            Some(at)
        });
    }
    let id = SegmentId {
        tenant: tenant.to_string(),
        class: "d30".into(),
        shard: 0,
        first_seq: seq,
        last_seq: seq,
        part: 0,
        generation: 0,
        merged: None,
    };
    let blocks = encoder.finish().into_iter().map(|block| rows::unpack(block.codec, &block.bytes));
    let blocks: Vec<Packed> = blocks.collect::<Result<_, _>>()?;
    let rows = blocks.iter().flat_map(Packed::rows).collect();
    let segment = segment::write(id, rows)?.ok_or_else(|| Broken("two rows made no segment".into()))?;
    Ok(CatalogEntry::of(&segment))
}

pub(super) fn plain(entry: &CatalogEntry) -> CatalogEntry {
    CatalogEntry { rollup: None, facts: None, ..entry.clone() }
}

/// What the catalog gives as the roll-ups of these segments, by their keys.
async fn rollups(
    catalog: &dyn Catalog,
    segments: &[&CatalogEntry],
) -> Result<Vec<(String, Rollup)>, PortError> {
    let places: Vec<_> = segments.iter().map(|entry| WalkFrom::behind(entry)).collect();
    let mut rollups = catalog.rollups(&places).await?;
    rollups.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(rollups)
}

/// The roll-ups that were added with these segments, by their keys.
fn kept(segments: &[&CatalogEntry]) -> Vec<(String, Rollup)> {
    let rollup = |entry: &&CatalogEntry| Some((entry.key.clone(), Rollup::clone(entry.rollup.as_ref()?)));
    let mut rollups: Vec<_> = segments.iter().filter_map(rollup).collect();
    rollups.sort_by(|(a, _), (b, _)| a.cmp(b));
    rollups
}

/// The same of their facts.
async fn facts(catalog: &dyn Catalog, segments: &[&CatalogEntry]) -> Result<Vec<(String, Facts)>, PortError> {
    let places: Vec<_> = segments.iter().map(|entry| WalkFrom::behind(entry)).collect();
    let mut facts = catalog.facts(&places).await?;
    facts.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(facts)
}

fn kept_facts(segments: &[&CatalogEntry]) -> Vec<(String, Facts)> {
    let of = |entry: &&CatalogEntry| Some((entry.key.clone(), Facts::clone(entry.facts.as_ref()?)));
    let mut facts: Vec<_> = segments.iter().filter_map(of).collect();
    facts.sort_by(|(a, _), (b, _)| a.cmp(b));
    facts
}

pub(super) const MS: i64 = 1_000_000;
/// 2025-11-20, with a fraction that whole milliseconds do not hold.
pub(super) const T: i64 = 1_763_682_436_123_000_000 + 456_789;

async fn listing(catalog: &dyn Catalog, a: &Tenant, b: &Tenant) -> Result<(), Broken> {
    let all = TimeRange::ALL;
    let (old, mid, new) =
        (entry(a, 1, T, T + MS)?, entry(a, 2, T, T + 5 * MS)?, entry(a, 3, T + 5 * MS, T + 9 * MS)?);
    let other = entry(b, 1, T, T + MS)?;
    catalog.add(&[old.clone(), new.clone(), mid.clone(), other.clone()]).await?;
    let list = |range, after: Option<After>, limit| async move {
        catalog.segments(a, range, after.as_ref(), limit).await
    };
    let whole = vec![plain(&new), plain(&mid), plain(&old)];
    same("segments come newest first, of one tenant", list(all, None, 9).await?, whole.clone())?;
    let changed = CatalogEntry { rows: 99, ..old.clone() };
    catalog.add(&[changed]).await?;
    same("one that is there stays as it is", list(all, None, 9).await?, whole)?;

    let after = |entry: &CatalogEntry| After { max_time_ms: entry.max_time.as_ms(), key: entry.key.clone() };
    same("a listing has its limit", list(all, None, 1).await?, vec![plain(&new)])?;
    same("and goes on", list(all, Some(after(&new)), 1).await?, vec![plain(&mid)])?;
    same("to its end", list(all, Some(after(&old)), 9).await?, Vec::new())?;

    let at = |ns| Timestamp::from_ns(ns);
    let range = |start, end| TimeRange { start: at(start), end: at(end) };
    same("a range holds its end", list(range(0, T), None, 9).await?, vec![plain(&mid), plain(&old)])?;
    same("and its start", list(range(T + 9 * MS, i64::MAX), None, 9).await?, vec![plain(&new)])?;
    same("and nothing beyond", list(range(T + 11 * MS, i64::MAX), None, 9).await?, Vec::new())?;

    let never = entry(a, 9, T, T + MS)?;
    let asked = [&new, &never, &other, &old];
    same(
        "roll-ups are those of their segments",
        rollups(catalog, &asked).await?,
        kept(&[&new, &other, &old]),
    )?;
    same("or none", rollups(catalog, &[]).await?, Vec::new())?;
    same("so are facts", facts(catalog, &asked).await?, kept_facts(&[&new, &other, &old]))?;
    same("or none", facts(catalog, &[]).await?, Vec::new())?;
    let receipt = Timestamp::from_ms((T + 5 * MS) / MS);
    let mut found = catalog.received_at(a, receipt).await?;
    found.sort_by(|x, y| x.key.cmp(&y.key));
    same("a receipt leads to its segments", found, vec![plain(&mid), plain(&new)])?;

    let start = WalkFrom::default();
    let everything = vec![plain(&old), plain(&mid), plain(&new), plain(&other)];
    same("a walk sees every tenant in order", catalog.walk(&start, 9, Only::All).await?, everything)?;
    let from = WalkFrom { tenant: a.to_string(), max_time_ms: mid.max_time.as_ms(), key: mid.key.clone() };
    same("and goes on", catalog.walk(&from, 1, Only::All).await?, vec![plain(&new)])?;
    let only = Only::Small { raw_bytes: old.raw_bytes, received_before: Timestamp::MAX };
    let wordless: Vec<_> =
        [&old, &mid, &new, &other].into_iter().filter(|one| one.is_wordless()).map(plain).collect();
    same("or sees small ones only, and those without words", catalog.walk(&start, 9, only).await?, wordless)?;
    let only = Only::Small { raw_bytes: old.raw_bytes + 1, received_before: new.max_received };
    let early: Vec<_> = catalog.walk(&start, 9, only).await?.into_iter().map(|entry| entry.key).collect();
    same("or early ones", early, vec![old.key, mid.key, other.key.clone()])?;
    let places = catalog.places(&from, 9).await?;
    same("places are those of the walk", places, vec![WalkFrom::behind(&new), WalkFrom::behind(&other)])
}

async fn marking(catalog: &dyn Catalog, a: &Tenant, b: &Tenant) -> Result<(), Broken> {
    let (old, never) = (entry(a, 1, T, T + MS)?, entry(a, 9, T, T + MS)?);
    let marked = || async move {
        let all = catalog.walk(&WalkFrom::default(), 9, Only::All).await?;
        let marked = all.into_iter().filter(|entry| entry.anonymised).map(|entry| entry.key);
        Ok::<Vec<String>, PortError>(marked.collect())
    };
    same("no segment is marked", marked().await?, Vec::new())?;
    catalog.mark_anonymised(&[WalkFrom::behind(&old), WalkFrom::behind(&never)]).await?;
    catalog.mark_anonymised(&[WalkFrom::behind(&old)]).await?;
    same("what is there and was named is marked", marked().await?, vec![old.key.clone()])?;
    let listed = catalog.segments(a, TimeRange::ALL, None, 9).await?;
    let listed = listed.into_iter().find(|entry| entry.key == old.key);
    same("and is else as it was", listed, Some(CatalogEntry { anonymised: true, ..plain(&old) }))?;
    // One that says it of itself takes the place of one that does not.
    let new = CatalogEntry { anonymised: true, ..entry(b, 7, T, T + MS)? };
    catalog.add(std::slice::from_ref(&new)).await?;
    same("what is added marked is marked", marked().await?, vec![old.key.clone(), new.key.clone()])?;
    let later = CatalogEntry { anonymised: true, ..entry(b, 8, T, T + MS)? };
    let now = Timestamp::from_ms(500);
    catalog.replace(std::slice::from_ref(&new), std::slice::from_ref(&later), now).await?;
    same("and what replaces it", marked().await?, vec![old.key, later.key.clone()])?;
    // As it was before, for those who come next.
    catalog.replace(std::slice::from_ref(&later), &[], now).await?;
    Ok(catalog.forget_removals(&[new.key, later.key]).await?)
}

async fn replacing(catalog: &dyn Catalog, a: &Tenant, b: &Tenant) -> Result<(), Broken> {
    let at = Timestamp::from_ms;
    let (old, mid, new) = (entry(a, 1, T, T + MS)?, entry(a, 2, T, T + 5 * MS)?, entry(a, 4, T, T + 7 * MS)?);
    let (newest, never) = (entry(a, 3, T + 5 * MS, T + 9 * MS)?, entry(a, 9, T, T + MS)?);
    let list = |after| catalog.segments(a, TimeRange::ALL, after, 1);
    let first = list(None).await?;
    let as_of = first.first().map_or(9, |entry| entry.as_of);
    same("a listing begins", first, vec![plain(&newest)])?;
    // The segment is noted before it is written, and the others are replaced while somebody lists them.
    catalog.note_removals(std::slice::from_ref(&new.key), at(900)).await?;
    catalog.add(std::slice::from_ref(&new)).await?;
    same("what is noted for removal is not added", list(None).await?, vec![plain(&newest)])?;
    let missing = catalog.replace(&[old.clone(), never], std::slice::from_ref(&new), at(1_000)).await?;
    same("what is not there is not replaced", missing, false)?;
    same("nor anything else", catalog.removals(at(1_001), 9).await?, vec![new.key.clone()])?;
    let replaced =
        catalog.replace(&[old.clone(), mid.clone()], std::slice::from_ref(&new), at(1_000)).await?;
    same("what is there is replaced", replaced, true)?;
    let again = catalog.replace(std::slice::from_ref(&mid), std::slice::from_ref(&new), at(1_000)).await?;
    same("once", again, false)?;
    catalog.add(&[old.clone(), mid.clone()]).await?;
    let after = After { max_time_ms: newest.max_time.as_ms(), key: newest.key.clone() };
    let now = catalog.segments(a, TimeRange::ALL, Some(&after), 9).await?;
    let keys = |entries: &[CatalogEntry]| entries.iter().map(|entry| entry.key.clone()).collect::<Vec<_>>();
    same("who begins now sees the new", keys(&now), vec![new.key.clone()])?;
    for (after, expected) in [(&newest, vec![&mid, &old]), (&mid, vec![&old]), (&old, vec![])] {
        let after = After { max_time_ms: after.max_time.as_ms(), key: after.key.clone() };
        let then = catalog.segments_as_of(a, TimeRange::ALL, &after, as_of, 9).await?;
        let expected: Vec<_> =
            expected.into_iter().map(|entry| CatalogEntry { as_of, ..plain(entry) }).collect();
        same("who began before goes on with the old", then, expected)?;
    }
    let both = [&old, &new, &mid];
    same("roll-ups of the old are there as well", rollups(catalog, &both).await?, kept(&both))?;
    same("and facts", facts(catalog, &both).await?, kept_facts(&both))?;
    let left = catalog.segments(a, TimeRange::ALL, None, 9).await?;
    let keys: Vec<_> = left.iter().map(|entry| entry.id.first_seq).collect();
    same("what is replaced is gone", keys, vec![3, 4])?;
    let others = catalog.segments(b, TimeRange::ALL, None, 9).await?;
    same("of one tenant only", others.len(), 1)?;
    same("a removal is not due before its time", catalog.removals(at(1_000), 9).await?, Vec::new())?;
    let mut due = catalog.removals(at(1_001), 9).await?;
    due.sort();
    same("objects are noted for removal", due, vec![old.key.clone(), mid.key.clone()])?;
    same("removals have their limit", catalog.removals(at(1_001), 1).await?.len(), 1)?;
    catalog.forget_removals(std::slice::from_ref(&old.key)).await?;
    same("one is forgotten", catalog.removals(at(1_001), 9).await?, vec![mid.key.clone()])?;
    same("and its roll-up", rollups(catalog, &both).await?, kept(&[&new, &mid]))
}

async fn spool(catalog: &dyn Catalog, a: &Tenant, b: &Tenant) -> Result<(), Broken> {
    for (tenant, key) in [(a, "spool/a2"), (a, "spool/a1"), (b, "spool/b1"), (a, "spool/a1")] {
        catalog.note_spooled(tenant.as_str(), key).await?;
    }
    let keys = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    same("a tenant's spool", catalog.spooled(a, 9).await?, keys(&["spool/a1", "spool/a2"]))?;
    same("has its limit", catalog.spooled(a, 1).await?, keys(&["spool/a1"]))?;
    catalog.forget_spooled(&keys(&["spool/a1", "spool/never"])).await?;
    same("one is forgotten", catalog.spooled(a, 9).await?, keys(&["spool/a2"]))?;
    same("and no other tenant's", catalog.spooled(b, 9).await?, keys(&["spool/b1"]))
}

async fn configs(catalog: &dyn Catalog, a: &Tenant, b: &Tenant) -> Result<(), Broken> {
    same("no service has settings", catalog.service_configs(a).await?, Vec::new())?;
    let config = ServiceConfig { max_logs_per_day: Some(1 << 53), ..ServiceConfig::default_for("api") };
    catalog.put_service_config(a, &ServiceConfig::default_for("api")).await?;
    catalog.put_service_config(a, &config).await?;
    same("the last settings are read", catalog.service_configs(a).await?, vec![config])?;
    same("by their tenant alone", catalog.service_configs(b).await?, Vec::new())
}
