//! The catalog on D1.

use async_trait::async_trait;
use serde::Deserialize;
use worker::{D1Database, D1PreparedStatement, D1Result, send::SendFuture, wasm_bindgen::JsValue};

use super::{meter, port_error};
use crate::{
    engine::{config::ServiceConfig, query::TimeRange, record::timestamp::Timestamp, tenant::Tenant},
    ports::{
        Catalog, CatalogEntry, PortError,
        catalog::{After, Detail, WalkFrom},
    },
};

/// D1 refuses a row of 2 MB; locally it does not.
const MAX_ROW_BYTES: usize = 1_900_000;

const SUMMARY: &str = "key, max_ms, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, \
                       size_bytes, footer_offset, services, NULL AS rollup";

const WITH_ROLLUP: &str = "key, max_ms, min_ms, min_received_ms, max_received_ms, id, rows, raw_bytes, \
                           size_bytes, footer_offset, services, rollup";

pub(crate) struct D1Catalog(D1Database);

impl D1Catalog {
    pub(crate) fn new(database: D1Database) -> Self {
        Self(database)
    }

    fn statement(&self, sql: &str, values: &[JsValue]) -> Result<D1PreparedStatement, worker::Error> {
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

    async fn run(&self, statements: Vec<D1PreparedStatement>) -> Result<(), worker::Error> {
        if statements.is_empty() {
            return Ok(());
        }
        for result in self.0.batch(statements).await? {
            count(&result)?;
            if let Some(error) = result.error() {
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn insert(&self, entry: &CatalogEntry) -> Result<D1PreparedStatement, worker::Error> {
        let (services, rollup) =
            (serde_json::to_string(&entry.services)?, serde_json::to_string(&entry.rollup)?);
        if services.len() + rollup.len() > MAX_ROW_BYTES {
            return Err(format!("the catalog row of {} is over {MAX_ROW_BYTES} bytes", entry.key).into());
        }
        let sql = "INSERT OR IGNORE INTO segments (tenant, max_ms, key, min_ms, min_received_ms, \
                   max_received_ms, id, rows, raw_bytes, size_bytes, footer_offset, services, rollup) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let values = [
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
        ];
        self.statement(sql, &values)
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

fn ms(time: Timestamp) -> JsValue {
    number(time.as_ms().unsigned_abs())
}

fn limit(n: usize) -> JsValue {
    number(n as u64)
}

fn json_list(items: &[String]) -> Result<JsValue, worker::Error> {
    Ok(serde_json::to_string(items)?.into())
}

#[derive(Deserialize)]
struct SegmentRow {
    key: String,
    max_ms: i64,
    min_ms: i64,
    min_received_ms: i64,
    max_received_ms: i64,
    id: String,
    rows: u64,
    raw_bytes: u64,
    size_bytes: u64,
    footer_offset: u64,
    services: String,
    rollup: Option<String>,
}

impl SegmentRow {
    fn entry(self) -> Result<CatalogEntry, worker::Error> {
        Ok(CatalogEntry {
            key: self.key,
            id: serde_json::from_str(&self.id)?,
            rows: self.rows,
            raw_bytes: self.raw_bytes,
            size_bytes: self.size_bytes,
            footer_offset: self.footer_offset,
            min_time: Timestamp::from_ms(self.min_ms),
            max_time: Timestamp::from_ms(self.max_ms),
            min_received: Timestamp::from_ms(self.min_received_ms),
            max_received: Timestamp::from_ms(self.max_received_ms),
            services: serde_json::from_str(&self.services)?,
            rollup: self.rollup.map(|json| serde_json::from_str(&json)).transpose()?,
        })
    }
}

fn entries(rows: Vec<SegmentRow>) -> Result<Vec<CatalogEntry>, worker::Error> {
    rows.into_iter().map(SegmentRow::entry).collect()
}

#[derive(Deserialize)]
struct KeyRow {
    key: String,
}

#[derive(Deserialize)]
struct ConfigRow {
    config: String,
}

/// Runs a future of the platform as a port's.
async fn port<T>(work: impl Future<Output = Result<T, worker::Error>>) -> Result<T, PortError> {
    SendFuture::new(work).await.map_err(port_error("catalog"))
}

#[async_trait]
impl Catalog for D1Catalog {
    async fn add(&self, segments: &[CatalogEntry]) -> Result<(), PortError> {
        let work = async {
            let inserts = segments.iter().map(|entry| self.insert(entry)).collect::<Result<Vec<_>, _>>()?;
            self.run(inserts).await
        };
        SendFuture::new(port(work)).await
    }

    async fn segments(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        after: Option<&After>,
        max: usize,
        detail: Detail,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        let work = async {
            let columns = match detail {
                Detail::Summaries => SUMMARY,
                Detail::Rollups => WITH_ROLLUP,
            };
            let mut values = vec![tenant.as_str().into(), ms(range.start), ms(range.end), limit(max)];
            // Two statements and not one with an OR: only so the walk begins where it stopped.
            let behind = if let Some(after) = after {
                values.extend([number(after.max_time_ms.unsigned_abs()), after.key.as_str().into()]);
                "AND (max_ms, key) < (?5, ?6)"
            } else {
                ""
            };
            let sql = format!(
                "SELECT {columns} FROM segments WHERE tenant = ?1 AND max_ms >= ?2 AND min_ms <= ?3 {behind} \
                 ORDER BY max_ms DESC, key DESC LIMIT ?4"
            );
            entries(self.select(&sql, &values).await?)
        };
        SendFuture::new(port(work)).await
    }

    async fn received_at(&self, tenant: &Tenant, time: Timestamp) -> Result<Vec<CatalogEntry>, PortError> {
        let work = async {
            let sql = format!(
                "SELECT {SUMMARY} FROM segments INDEXED BY segments_by_receipt \
                 WHERE tenant = ?1 AND max_received_ms >= ?2 AND min_received_ms <= ?2"
            );
            entries(self.select(&sql, &[tenant.as_str().into(), ms(time)]).await?)
        };
        SendFuture::new(port(work)).await
    }

    async fn walk(&self, from: &WalkFrom, max: usize) -> Result<Vec<CatalogEntry>, PortError> {
        let work = async {
            let sql = format!(
                "SELECT {SUMMARY} FROM segments WHERE (tenant, max_ms, key) > (?1, ?2, ?3) \
                 ORDER BY tenant, max_ms, key LIMIT ?4"
            );
            let from_ms = number(from.max_time_ms.unsigned_abs());
            let values = [from.tenant.as_str().into(), from_ms, from.key.as_str().into(), limit(max)];
            entries(self.select(&sql, &values).await?)
        };
        SendFuture::new(port(work)).await
    }

    async fn replace(
        &self,
        gone: &[CatalogEntry],
        new: &[CatalogEntry],
        now: Timestamp,
    ) -> Result<(), PortError> {
        let work = async {
            let mut statements = Vec::with_capacity(gone.len() * 2 + new.len());
            for entry in gone {
                let place = [entry.id.tenant.as_str().into(), ms(entry.max_time), entry.key.as_str().into()];
                let delete = "DELETE FROM segments WHERE tenant = ?1 AND max_ms = ?2 AND key = ?3";
                statements.push(self.statement(delete, &place)?);
                let note = "INSERT OR IGNORE INTO removals (key, noted_ms) VALUES (?1, ?2)";
                statements.push(self.statement(note, &[entry.key.as_str().into(), ms(now)])?);
            }
            for entry in new {
                statements.push(self.insert(entry)?);
            }
            self.run(statements).await
        };
        SendFuture::new(port(work)).await
    }

    async fn removals(&self, noted_before: Timestamp, max: usize) -> Result<Vec<String>, PortError> {
        let work = async {
            let sql = "SELECT key FROM removals WHERE noted_ms < ?1 ORDER BY key LIMIT ?2";
            let rows: Vec<KeyRow> = self.select(sql, &[ms(noted_before), limit(max)]).await?;
            Ok(rows.into_iter().map(|row| row.key).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn forget_removals(&self, keys: &[String]) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM removals WHERE key IN (SELECT value FROM json_each(?1))";
            self.run(vec![self.statement(sql, &[json_list(keys)?])?]).await
        };
        SendFuture::new(port(work)).await
    }

    async fn note_spooled(&self, tenant: &str, key: &str) -> Result<(), PortError> {
        let work = async {
            let sql = "INSERT OR IGNORE INTO spooled (tenant, key) VALUES (?1, ?2)";
            self.run(vec![self.statement(sql, &[tenant.into(), key.into()])?]).await
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
            self.run(vec![self.statement(sql, &[json_list(keys)?])?]).await
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
            self.run(vec![self.statement(sql, &values)?]).await
        };
        SendFuture::new(port(work)).await
    }

    async fn ping(&self) -> Result<(), PortError> {
        // The table, not a constant: without its migrations the catalog is not there.
        let work = async { self.select::<KeyRow>("SELECT key FROM segments LIMIT 1", &[]).await.map(|_| ()) };
        SendFuture::new(port(work)).await
    }
}
