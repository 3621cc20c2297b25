//! Anomalies and analyses on D1. Every statement about one tenant has it as `?1`.

use async_trait::async_trait;
use serde::Deserialize;
use worker::{send::SendFuture, wasm_bindgen::JsValue};

use super::{D1Catalog, limit, ms, patterns::lists, port};
use crate::{
    engine::{query::TimeRange, record::timestamp::Timestamp, tenant::Tenant},
    ports::{Analyses, Anomalies, PortError, analyses::StoredAnalysis, anomalies::StoredAnomaly},
};

#[derive(Deserialize)]
struct AnomalyRow {
    id: String,
    service: String,
    start_ms: i64,
    end_ms: i64,
    is_ongoing: u8,
    data: String,
}

impl From<AnomalyRow> for StoredAnomaly {
    fn from(row: AnomalyRow) -> Self {
        Self {
            id: row.id,
            service: row.service,
            start: Timestamp::from_ms(row.start_ms),
            end: Timestamp::from_ms(row.end_ms),
            is_ongoing: row.is_ongoing != 0,
            data: row.data,
        }
    }
}

#[async_trait]
impl Anomalies for D1Catalog {
    async fn put(&self, tenant: &Tenant, anomalies: &[StoredAnomaly]) -> Result<(), PortError> {
        let work = async {
            let rows = anomalies.iter().map(|one| {
                let (start, end, is_ongoing) = (one.start.as_ms(), one.end.as_ms(), u8::from(one.is_ongoing));
                serde_json::json!([one.id, one.service, start, end, is_ongoing, one.data]).to_string()
            });
            let upsert = "INSERT INTO anomalies (tenant, id, service, start_ms, end_ms, is_ongoing, data) \
                          SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 \
                          FROM json_each(?2) WHERE true ON CONFLICT (tenant, id) DO UPDATE SET \
                          service = excluded.service, end_ms = excluded.end_ms, \
                          is_ongoing = excluded.is_ongoing, data = excluded.data";
            // An update that names the start writes the index anew even if the start is the same.
            let move_start = "UPDATE anomalies SET start_ms = value ->> 2 FROM json_each(?2) WHERE tenant = ?1 \
                              AND anomalies.id = value ->> 0 AND start_ms <> value ->> 2";
            let mut statements = Vec::new();
            for list in lists(rows) {
                let values = [tenant.as_str().into(), list.into()];
                statements.push(self.statement(upsert, &values)?);
                statements.push(self.statement(move_start, &values)?);
            }
            self.run(statements).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn list(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        most: usize,
    ) -> Result<Vec<StoredAnomaly>, PortError> {
        let work = async {
            let sql = "SELECT id, service, start_ms, end_ms, is_ongoing, data FROM anomalies \
                       WHERE tenant = ?1 AND start_ms <= ?3 AND end_ms >= ?2 ORDER BY start_ms DESC, id DESC LIMIT ?4";
            let values = [tenant.as_str().into(), ms(range.start), ms(range.end), limit(most)];
            let rows: Vec<AnomalyRow> = self.select(sql, &values).await?;
            Ok(rows.into_iter().map(Into::into).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM anomalies WHERE tenant = ?1";
            self.run(vec![self.statement(sql, &[tenant.as_str().into()])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn forget(&self, before: Timestamp) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM anomalies WHERE end_ms < ?1";
            self.run(vec![self.statement(sql, &[ms(before)])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }
}

#[derive(Deserialize)]
struct AnalysisRow {
    id: String,
    service: String,
    severity: String,
    analyzed_ms: i64,
    until_ms: i64,
    data: String,
}

impl From<AnalysisRow> for StoredAnalysis {
    fn from(row: AnalysisRow) -> Self {
        Self {
            id: row.id,
            service: row.service,
            severity: row.severity,
            analyzed_at: Timestamp::from_ms(row.analyzed_ms),
            until: Timestamp::from_ms(row.until_ms),
            data: row.data,
        }
    }
}

#[async_trait]
impl Analyses for D1Catalog {
    async fn put(&self, tenant: &Tenant, analysis: &StoredAnalysis) -> Result<(), PortError> {
        let work = async {
            let sql = "INSERT INTO analysis_results (tenant, service, id, severity, analyzed_ms, until_ms, data) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (tenant, service, id) DO UPDATE SET \
                       severity = excluded.severity, analyzed_ms = excluded.analyzed_ms, \
                       until_ms = excluded.until_ms, data = excluded.data";
            let values = [
                tenant.as_str().into(),
                analysis.service.as_str().into(),
                analysis.id.as_str().into(),
                analysis.severity.as_str().into(),
                ms(analysis.analyzed_at),
                ms(analysis.until),
                analysis.data.as_str().into(),
            ];
            self.run(vec![self.statement(sql, &values)?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn list(
        &self,
        tenant: &Tenant,
        service: Option<&str>,
        before: Option<&str>,
        most: usize,
    ) -> Result<Vec<StoredAnalysis>, PortError> {
        let work = async {
            // Behind every id.
            let mut values = vec![tenant.as_str().into(), before.unwrap_or("~").into(), limit(most)];
            // Two statements: one with an OR would go by neither the key nor the index.
            let of_service = if let Some(service) = service {
                values.push(JsValue::from(service));
                "AND service = ?4"
            } else {
                ""
            };
            let sql = format!(
                "SELECT id, service, severity, analyzed_ms, until_ms, data FROM analysis_results \
                 WHERE tenant = ?1 AND id < ?2 {of_service} ORDER BY id DESC LIMIT ?3"
            );
            let rows: Vec<AnalysisRow> = self.select(&sql, &values).await?;
            Ok(rows.into_iter().map(Into::into).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn latest(&self, tenant: &Tenant, most: usize) -> Result<Vec<StoredAnalysis>, PortError> {
        let work = async {
            // From one service's name to the next, so that a few rows are read of each service and not all.
            let sql = "WITH RECURSIVE named (name) AS ( \
                       SELECT min(service) FROM analysis_results WHERE tenant = ?1 UNION ALL \
                       SELECT (SELECT min(service) FROM analysis_results WHERE tenant = ?1 AND service > name) \
                       FROM named WHERE name IS NOT NULL LIMIT ?2) \
                       SELECT id, service, severity, analyzed_ms, until_ms, data \
                       FROM named CROSS JOIN analysis_results ON tenant = ?1 AND service = name \
                       AND id = (SELECT max(id) FROM analysis_results WHERE tenant = ?1 AND service = name) \
                       ORDER BY service";
            let rows: Vec<AnalysisRow> = self.select(sql, &[tenant.as_str().into(), limit(most)]).await?;
            Ok(rows.into_iter().map(Into::into).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM analysis_results WHERE tenant = ?1";
            self.run(vec![self.statement(sql, &[tenant.as_str().into()])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn forget(&self, before: Timestamp) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM analysis_results WHERE analyzed_ms < ?1";
            self.run(vec![self.statement(sql, &[ms(before)])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }
}
