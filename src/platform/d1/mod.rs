//! The catalog on D1.

mod accounts;
mod events;
mod findings;
mod partitions;
mod patterns;
mod rows;
#[cfg(feature = "contract")]
pub(crate) mod sent;

use std::slice::from_ref;

use async_trait::async_trait;
use serde::{Deserialize, de::DeserializeOwned};
use worker::{D1Database, D1PreparedStatement, D1Result, send::SendFuture, wasm_bindgen::JsValue};

use rows::{ColumnRow, ConfigRow, ErasedRow, KeyRow, PlaceRow, entries};

use super::{meter, port_error};
use crate::{
    engine::{
        block::{Facts, Rollup},
        config::ServiceConfig,
        query::TimeRange,
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        Catalog, CatalogEntry, PortError,
        catalog::{After, Erased, Only, WalkFrom},
    },
};

/// D1 refuses a row of 2 MB; locally it does not.
const MAX_ROW_BYTES: usize = 1_900_000;

/// The columns of a listing, but for the moment.
const COLUMNS: &str = "key, max_ms, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, \
                       size_bytes, footer_offset, filters_offset, services, words_bytes, indexed_in, ordinal, \
                       anonymised";

/// The same of a segment that was replaced: its run and its place in an index are no more, and who reads it does not
/// ask for the mark.
const COLUMNS_OF_REMOVED: &str = "key, max_ms, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, \
                                  size_bytes, footer_offset, filters_offset, services, NULL AS words_bytes, \
                                  NULL AS indexed_in, NULL AS ordinal, 0 AS anonymised";

/// The columns of a whole row, the same in `segments` and `removals`.
const WHOLE: &str = "key, max_ms, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, \
                     size_bytes, footer_offset, filters_offset, services, rollup, facts, tenant, born";

/// Notes the keys in `?1` for removal at `?2`.
const NOTE_KEYS: &str = "INSERT OR REPLACE INTO removals (key, noted_ms) SELECT value, ?2 FROM json_each(?1)";

const AS_OF: &str = "coalesce((SELECT epoch FROM epochs WHERE tenant = ?1), 0) AS as_of";

/// The rows of a list of tenants, times and keys, given as JSON in `?1`. Without the casts it would not go by
/// the primary key.
const LISTED: &str = "(tenant, max_ms, key) IN (SELECT CAST(value ->> 0 AS TEXT), \
                      CAST(value ->> 1 AS INTEGER), CAST(value ->> 2 AS TEXT) FROM json_each(?1))";

pub(crate) struct D1Catalog(D1Database);

impl D1Catalog {
    pub(crate) fn new(database: D1Database) -> Self {
        Self(database)
    }

    fn statement(&self, sql: &str, values: &[JsValue]) -> Result<D1PreparedStatement, worker::Error> {
        #[cfg(feature = "contract")]
        sent::note(sql, values);
        self.0.prepare(sql).bind(values)
    }

    async fn select<T>(&self, sql: &str, values: &[JsValue]) -> Result<Vec<T>, worker::Error>
    where
        T: for<'de> Deserialize<'de>,
    {
        let result = self.statement(sql, values)?.all().await?;
        count(&result)?;
        result.results()
    }

    /// One transaction; how many rows its last statement changed.
    async fn run(&self, statements: Vec<D1PreparedStatement>) -> Result<usize, worker::Error> {
        let mut changes = 0;
        if statements.is_empty() {
            return Ok(changes);
        }
        for result in self.0.batch(statements).await? {
            count(&result)?;
            if let Some(error) = result.error() {
                return Err(error.into());
            }
            changes = result.meta()?.and_then(|meta| meta.changes).unwrap_or_default();
        }
        Ok(changes)
    }

    /// Inserts a segment where the condition holds, which has its values in `?18` and behind.
    fn insert(
        &self,
        entry: &CatalogEntry,
        born: &str,
        condition: &str,
        more: &[JsValue],
    ) -> Result<D1PreparedStatement, worker::Error> {
        let (services, rollup) =
            (serde_json::to_string(&entry.services)?, serde_json::to_string(&entry.rollup.as_deref())?);
        // Without them answers are partial; without its row the segment would be lost.
        let facts = Some(serde_json::to_string(&entry.facts.as_deref())?)
            .filter(|facts| services.len() + rollup.len() + facts.len() <= MAX_ROW_BYTES);
        if services.len() + rollup.len() > MAX_ROW_BYTES {
            return Err(format!("the catalog row of {} is over {MAX_ROW_BYTES} bytes", entry.key).into());
        }
        let sql = format!(
            "INSERT OR IGNORE INTO segments (tenant, max_ms, key, min_ms, min_received_ms, max_received_ms, \
             id, rows, raw_bytes, size_bytes, footer_offset, services, rollup, filters_offset, words_bytes, \
             anonymised, facts, born) \
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, {born} \
             WHERE {condition}"
        );
        let mut values = vec![
            entry.id.tenant.as_str().into(),
            ms(entry.max_time),
            entry.key.as_str().into(),
            ms(entry.min_time),
            ms(entry.min_received),
            ms(entry.max_received),
            serde_json::to_string(&entry.id)?.into(),
            number(entry.rows),
            number(entry.raw_bytes),
            number(entry.size_bytes),
            number(entry.footer_offset),
            services.into(),
            rollup.into(),
            optional(entry.filters_offset),
            optional(entry.words_bytes),
            number(entry.anonymised.into()),
            facts.map_or(JsValue::NULL, Into::into),
        ];
        values.extend_from_slice(more);
        self.statement(&sql, &values)
    }

    /// A column with JSON of segments that were listed; also of those replaced since.
    async fn column<T: DeserializeOwned>(
        &self,
        column: &str,
        segments: &[WalkFrom],
    ) -> Result<Vec<(String, T)>, worker::Error> {
        // One statement, so that no row moves from the one table to the other meanwhile.
        let sql = format!(
            "SELECT key, {column} AS value FROM segments WHERE {LISTED} AND {column} IS NOT NULL UNION ALL \
             SELECT key, {column} AS value FROM removals WHERE {column} IS NOT NULL \
             AND key IN (SELECT CAST(value ->> 2 AS TEXT) FROM json_each(?1))"
        );
        let rows: Vec<ColumnRow> = self.select(&sql, &[listed(segments)?]).await?;
        rows.into_iter().map(|row| Ok((row.key, serde_json::from_str(&row.value)?))).collect()
    }

    /// The statements of `replace`. Each asks for itself whether all of `gone` are there: nothing can
    /// come between them, and the last one takes them away.
    fn replacement(
        &self,
        gone: &[CatalogEntry],
        new: &[CatalogEntry],
        now: Timestamp,
    ) -> Result<Vec<D1PreparedStatement>, worker::Error> {
        let list: JsValue = serde_json::to_string(&gone.iter().map(place).collect::<Vec<_>>())?.into();
        let there = format!("(SELECT count(*) FROM segments WHERE {LISTED}) = json_array_length(?1)");
        let step = "INSERT INTO epochs (tenant, epoch) SELECT DISTINCT value ->> 0, 1 FROM json_each(?1)";
        let step = format!("{step} WHERE {there} ON CONFLICT (tenant) DO UPDATE SET epoch = epoch + 1");
        let note = format!(
            "INSERT OR REPLACE INTO removals (noted_ms, {WHOLE}, gone) SELECT ?2, {WHOLE}, \
             (SELECT epoch FROM epochs WHERE epochs.tenant = segments.tenant) \
             FROM segments WHERE {LISTED} AND {there}"
        );
        let note_run = format!("{NOTE_KEYS} WHERE {}", there.replace("?1", "?3"));
        let runs: Vec<String> = gone.iter().flat_map(|entry| entry.object_keys().skip(1)).collect();
        let mut statements =
            vec![self.statement(&step, from_ref(&list))?, self.statement(&note, &[list.clone(), ms(now)])?];
        if !runs.is_empty() {
            statements.push(self.statement(&note_run, &[json_list(&runs)?, ms(now), list.clone()])?);
        }
        let there_behind = there.replace("?1", "?18");
        for entry in new {
            let born = "(SELECT epoch FROM epochs WHERE tenant = ?1)";
            statements.push(self.insert(entry, born, &there_behind, from_ref(&list))?);
        }
        if !new.is_empty() {
            let stay = "DELETE FROM removals WHERE key IN (SELECT value FROM json_each(?2))";
            let keys: Vec<String> = new.iter().flat_map(CatalogEntry::object_keys).collect();
            statements
                .push(self.statement(&format!("{stay} AND {there}"), &[list.clone(), json_list(&keys)?])?);
        }
        let take = format!("DELETE FROM segments WHERE {LISTED} AND {there}");
        statements.push(self.statement(&take, &[list])?);
        Ok(statements)
    }

    /// A page of a listing as it is now.
    async fn list(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: Option<&After>,
        max: usize,
    ) -> Result<Vec<CatalogEntry>, worker::Error> {
        let mut values = vec![tenant.as_str().into(), ms(range.start), ms(range.end), limit(max)];
        // Two statements and not one with an OR: only so the walk begins where it stopped.
        let behind = if let Some(after) = after {
            values.extend([number(after.max_time_ms.unsigned_abs()), after.key.as_str().into()]);
            "AND (max_ms, key) < (?5, ?6)"
        } else {
            ""
        };
        let sql = format!(
            "SELECT {COLUMNS}, {AS_OF} FROM segments \
             WHERE tenant = ?1 AND max_ms >= ?2 AND min_ms <= ?3 {behind} \
             ORDER BY max_ms DESC, key DESC LIMIT ?4"
        );
        entries(self.select(&sql, &values).await?)
    }

    /// A page of a listing of another moment than now.
    async fn list_of_then(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: &After,
        as_of: u64,
        max: usize,
    ) -> Result<Vec<CatalogEntry>, worker::Error> {
        let wanted =
            "tenant = ?1 AND max_ms >= ?2 AND min_ms <= ?3 AND (max_ms, key) < (?5, ?6) AND born <= ?7";
        let sql = format!(
            "SELECT {COLUMNS}, ?7 AS as_of FROM segments WHERE {wanted} UNION ALL \
             SELECT {COLUMNS_OF_REMOVED}, ?7 AS as_of FROM removals WHERE {wanted} AND gone > ?7 \
             ORDER BY max_ms DESC, key DESC LIMIT ?4"
        );
        let (from_ms, from) = (number(after.max_time_ms.unsigned_abs()), after.key.as_str().into());
        let (start, end) = (ms(range.start), ms(range.end));
        let values = [tenant.as_str().into(), start, end, limit(max), from_ms, from, number(as_of)];
        entries(self.select(&sql, &values).await?)
    }
}

fn count(result: &D1Result) -> Result<(), worker::Error> {
    if let Some(meta) = result.meta()? {
        meter::D1_ROWS_READ.add(meta.rows_read.unwrap_or_default());
        meter::D1_ROWS_WRITTEN.add(meta.rows_written.unwrap_or_default());
    }
    Ok(())
}

/// D1 takes numbers as doubles; all of ours are far below 2^53.
#[expect(clippy::cast_precision_loss)]
fn number(n: u64) -> JsValue {
    JsValue::from_f64(n as f64)
}

fn optional(n: Option<u64>) -> JsValue {
    n.map_or(JsValue::NULL, number)
}

fn ms(time: Timestamp) -> JsValue {
    number(time.as_ms().unsigned_abs())
}

fn limit(n: usize) -> JsValue {
    number(n as u64)
}

fn json_list(items: &[String]) -> Result<JsValue, worker::Error> {
    Ok(serde_json::to_string(items)?.into())
}

/// A place in the listing, for a list of them in JSON.
fn place(entry: &CatalogEntry) -> (&str, i64, &str) {
    (&entry.id.tenant, entry.max_time.as_ms(), &entry.key)
}

/// A list of places as JSON, for `LISTED`.
fn listed(segments: &[WalkFrom]) -> Result<JsValue, worker::Error> {
    let places = segments.iter().map(|from| (&from.tenant, from.max_time_ms, &from.key));
    Ok(serde_json::to_string(&places.collect::<Vec<_>>())?.into())
}

/// Runs a future of the platform as a port's.
async fn port<T>(work: impl Future<Output = Result<T, worker::Error>>) -> Result<T, PortError> {
    SendFuture::new(work).await.map_err(port_error("catalog"))
}

#[async_trait]
impl Catalog for D1Catalog {
    async fn add(&self, segments: &[CatalogEntry]) -> Result<(), PortError> {
        let work = async {
            let stays = "NOT EXISTS (SELECT 1 FROM removals WHERE removals.key = ?3)";
            let insert = |entry| self.insert(entry, "0", stays, &[]);
            let inserts = segments.iter().map(insert).collect::<Result<Vec<_>, _>>()?;
            self.run(inserts).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn segments(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: Option<&After>,
        max: usize,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        SendFuture::new(port(self.list(tenant, range, after, max))).await
    }

    async fn segments_as_of(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: &After,
        as_of: u64,
        max: usize,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        let work = async {
            let found = self.list(tenant, range, Some(after), max).await?;
            // Nearly always nothing was replaced since. An empty page does not say.
            if found.first().is_some_and(|entry| entry.as_of == as_of) {
                return Ok(found);
            }
            self.list_of_then(tenant, range, after, as_of, max).await
        };
        SendFuture::new(port(work)).await
    }

    async fn rollups(&self, segments: &[WalkFrom]) -> Result<Vec<(String, Rollup)>, PortError> {
        SendFuture::new(port(self.column("rollup", segments))).await
    }

    async fn facts(&self, segments: &[WalkFrom]) -> Result<Vec<(String, Facts)>, PortError> {
        SendFuture::new(port(self.column("facts", segments))).await
    }

    async fn received_at(&self, tenant: &Tenant, time: Timestamp) -> Result<Vec<CatalogEntry>, PortError> {
        let work = async {
            let sql = format!(
                "SELECT {COLUMNS} FROM segments INDEXED BY segments_by_receipt \
                 WHERE tenant = ?1 AND max_received_ms >= ?2 AND min_received_ms <= ?2"
            );
            entries(self.select(&sql, &[tenant.as_str().into(), ms(time)]).await?)
        };
        SendFuture::new(port(work)).await
    }

    async fn walk(&self, from: &WalkFrom, max: usize, only: Only) -> Result<Vec<CatalogEntry>, PortError> {
        let work = async {
            let from_ms = number(from.max_time_ms.unsigned_abs());
            let mut values = vec![from.tenant.as_str().into(), from_ms, from.key.as_str().into(), limit(max)];
            let small = match only {
                Only::All => "",
                Only::Small { raw_bytes, received_before } => {
                    values.extend([number(raw_bytes), ms(received_before)]);
                    "AND (raw_bytes < ?5 OR (words_bytes IS NULL AND indexed_in IS NULL)) \
                     AND max_received_ms < ?6"
                }
            };
            let sql = format!(
                "SELECT {COLUMNS} FROM segments WHERE (tenant, max_ms, key) > (?1, ?2, ?3) {small} \
                 ORDER BY tenant, max_ms, key LIMIT ?4"
            );
            entries(self.select(&sql, &values).await?)
        };
        SendFuture::new(port(work)).await
    }

    async fn places(&self, from: &WalkFrom, max: usize) -> Result<Vec<WalkFrom>, PortError> {
        let work = async {
            let sql = "SELECT tenant, max_ms, key FROM segments WHERE (tenant, max_ms, key) > (?1, ?2, ?3) \
                       ORDER BY tenant, max_ms, key LIMIT ?4";
            let from_ms = number(from.max_time_ms.unsigned_abs());
            let values = [from.tenant.as_str().into(), from_ms, from.key.as_str().into(), limit(max)];
            let rows: Vec<PlaceRow> = self.select(sql, &values).await?;
            let place =
                |row: PlaceRow| WalkFrom { tenant: row.tenant, max_time_ms: row.max_ms, key: row.key };
            Ok(rows.into_iter().map(place).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn replace(
        &self,
        gone: &[CatalogEntry],
        new: &[CatalogEntry],
        now: Timestamp,
    ) -> Result<bool, PortError> {
        // The last statement takes all of `gone` or nothing.
        let work = async { Ok(self.run(self.replacement(gone, new, now)?).await? >= gone.len()) };
        SendFuture::new(port(work)).await
    }

    async fn mark_anonymised(&self, segments: &[WalkFrom]) -> Result<(), PortError> {
        let work = async {
            let sql = format!("UPDATE segments SET anonymised = 1 WHERE {LISTED}");
            self.run(vec![self.statement(&sql, &[listed(segments)?])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn note_removals(&self, keys: &[String], now: Timestamp) -> Result<(), PortError> {
        let work = async {
            self.run(vec![self.statement(NOTE_KEYS, &[json_list(keys)?, ms(now)])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn removals(&self, noted_before: Timestamp, max: usize) -> Result<Vec<String>, PortError> {
        let work = async {
            let sql = "SELECT key FROM removals WHERE noted_ms < ?1 ORDER BY noted_ms, key LIMIT ?2";
            let rows: Vec<KeyRow> = self.select(sql, &[ms(noted_before), limit(max)]).await?;
            Ok(rows.into_iter().map(|row| row.key).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn forget_removals(&self, keys: &[String]) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM removals WHERE key IN (SELECT value FROM json_each(?1))";
            self.run(vec![self.statement(sql, &[json_list(keys)?])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn note_spooled(&self, tenant: &str, key: &str) -> Result<(), PortError> {
        let work = async {
            let sql = "INSERT OR IGNORE INTO spooled (tenant, key) VALUES (?1, ?2)";
            self.run(vec![self.statement(sql, &[tenant.into(), key.into()])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn spooled(&self, tenant: &Tenant, max: usize) -> Result<Vec<String>, PortError> {
        let work = async {
            let sql = "SELECT key FROM spooled WHERE tenant = ?1 ORDER BY key LIMIT ?2";
            let rows: Vec<KeyRow> = self.select(sql, &[tenant.as_str().into(), limit(max)]).await?;
            Ok(rows.into_iter().map(|row| row.key).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn forget_spooled(&self, keys: &[String]) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM spooled WHERE key IN (SELECT value FROM json_each(?1))";
            self.run(vec![self.statement(sql, &[json_list(keys)?])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn service_configs(&self, tenant: &Tenant) -> Result<Vec<ServiceConfig>, PortError> {
        let work = async {
            let sql = "SELECT config FROM service_configs WHERE tenant = ?1";
            let rows: Vec<ConfigRow> = self.select(sql, &[tenant.as_str().into()]).await?;
            let configs = rows.iter().map(|row| serde_json::from_str(&row.config));
            Ok(configs.collect::<Result<Vec<_>, _>>()?)
        };
        SendFuture::new(port(work)).await
    }

    async fn put_service_config(&self, tenant: &Tenant, config: &ServiceConfig) -> Result<(), PortError> {
        let work = async {
            let sql = "INSERT INTO service_configs (tenant, service, config) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (tenant, service) DO UPDATE SET config = excluded.config";
            let json = serde_json::to_string(config)?;
            let values = [tenant.as_str().into(), config.service.as_str().into(), json.into()];
            self.run(vec![self.statement(sql, &values)?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn erase(&self, tenant: &Tenant) -> Result<Erased, PortError> {
        let work = async {
            let owner = [JsValue::from(tenant.as_str())];
            let sum = "SELECT count(*) AS segments, coalesce(sum(rows), 0) AS rows, \
                       coalesce(sum(size_bytes), 0) AS size_bytes FROM segments WHERE tenant = ?1";
            let held: Vec<ErasedRow> = self.select(sum, &owner).await?;
            let tables = ["segments", "removals", "partitions", "epochs", "spooled", "service_configs"];
            let forget = |table| self.statement(&format!("DELETE FROM {table} WHERE tenant = ?1"), &owner);
            self.run(tables.into_iter().map(forget).collect::<Result<_, _>>()?).await?;
            let row = held.into_iter().next().unwrap_or_default();
            Ok(Erased { segments: row.segments, rows: row.rows, size_bytes: row.size_bytes })
        };
        SendFuture::new(port(work)).await
    }

    async fn ping(&self) -> Result<(), PortError> {
        // The table, not a constant: without its migrations the catalog is not there.
        let work = async { self.select::<KeyRow>("SELECT key FROM segments LIMIT 1", &[]).await.map(|_| ()) };
        SendFuture::new(port(work)).await
    }
}
