//! Patterns on D1. Every statement has the tenant as `?1`.

use async_trait::async_trait;
use serde::Deserialize;
use worker::send::SendFuture;

use super::{D1Catalog, limit, port};
use crate::{
    engine::{
        pattern::{Own, PatternId},
        record::{model::Level, timestamp::Timestamp},
        tenant::Tenant,
    },
    ports::{
        PortError,
        patterns::{KnownPattern, Patterns},
    },
};

/// D1 takes texts of 2 MB.
const MAX_LIST_BYTES: usize = 500_000;

#[derive(Deserialize)]
struct PatternRow {
    service: String,
    id: PatternId,
    leads_to: PatternId,
    template: String,
    level: usize,
    first_ms: i64,
    own: Option<String>,
}

impl PatternRow {
    fn pattern(self) -> Result<KnownPattern, worker::Error> {
        Ok(KnownPattern {
            service: self.service,
            id: self.id,
            leads_to: self.leads_to,
            template: self.template,
            level: Level::ALL.get(self.level).copied().unwrap_or(Level::Info),
            first: Timestamp::from_ms(self.first_ms),
            own: self.own.map(|own| serde_json::from_str(&own)).transpose()?.unwrap_or_default(),
        })
    }
}

/// Puts values of JSON into lists that a statement takes.
pub(super) fn lists(rows: impl Iterator<Item = String>) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for row in rows {
        match lists.last_mut().filter(|list| list.len() + row.len() < MAX_LIST_BYTES) {
            Some(list) => {
                list.push(',');
                list.push_str(&row);
            }
            None => lists.push(format!("[{row}")),
        }
    }
    for list in &mut lists {
        list.push(']');
    }
    lists
}

#[async_trait]
impl Patterns for D1Catalog {
    async fn note(&self, tenant: &Tenant, patterns: &[KnownPattern]) -> Result<(), PortError> {
        if patterns.is_empty() {
            return Ok(());
        }
        let work = async {
            let rows = patterns.iter().map(|one| {
                let (level, first) = (one.level as usize, one.first.as_ms());
                serde_json::json!([one.service, one.id, one.leads_to, one.template, level, first]).to_string()
            });
            let sql = "INSERT INTO patterns (tenant, service, id, leads_to, template, level, first_ms) \
                       SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5 \
                       FROM json_each(?2) WHERE true \
                       ON CONFLICT (tenant, service, id) DO UPDATE SET leads_to = excluded.leads_to, \
                       template = excluded.template";
            let mut statements = Vec::new();
            for list in lists(rows) {
                statements.push(self.statement(sql, &[tenant.as_str().into(), list.into()])?);
            }
            self.run(statements).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn list(&self, tenant: &Tenant, most: usize) -> Result<Vec<KnownPattern>, PortError> {
        let work = async {
            let sql = "SELECT service, id, leads_to, template, level, first_ms, own FROM patterns \
                       WHERE tenant = ?1 ORDER BY own IS NULL, first_ms DESC, service, id LIMIT ?2";
            let rows: Vec<PatternRow> = self.select(sql, &[tenant.as_str().into(), limit(most)]).await?;
            rows.into_iter().map(PatternRow::pattern).collect()
        };
        SendFuture::new(port(work)).await
    }

    async fn say(&self, tenant: &Tenant, service: &str, id: PatternId, own: &Own) -> Result<bool, PortError> {
        let work = async {
            let sql = "UPDATE patterns SET own = ?4 WHERE tenant = ?1 AND service = ?2 AND id = ?3";
            let own = serde_json::to_string(own)?;
            let values = [tenant.as_str().into(), service.into(), id.to_string().into(), own.into()];
            Ok(self.run(vec![self.statement(sql, &values)?]).await? > 0)
        };
        SendFuture::new(port(work)).await
    }

    async fn erase(&self, tenant: &Tenant, service: Option<&str>) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM patterns WHERE tenant = ?1 AND (?2 IS NULL OR service = ?2)";
            let service = service.map_or(worker::wasm_bindgen::JsValue::NULL, Into::into);
            self.run(vec![self.statement(sql, &[tenant.as_str().into(), service])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }
}
