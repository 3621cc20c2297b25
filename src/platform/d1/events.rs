//! Events on D1. Every statement about one tenant has it as `?1`.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Deserialize;
use worker::{send::SendFuture, wasm_bindgen::JsValue};

use super::{D1Catalog, limit, ms, port};
use crate::{
    engine::{pipeline::Event, record::timestamp::Timestamp, tenant::Tenant},
    ports::{Events, PortError, events::Held},
};

#[derive(Deserialize)]
struct EventRow {
    event: String,
    count: u64,
    last_ms: i64,
}

#[derive(Deserialize)]
struct HeldRow {
    rule: String,
    count: u64,
    last_ms: i64,
}

fn json(rows: &[serde_json::Value]) -> Result<JsValue, worker::Error> {
    Ok(serde_json::to_string(rows)?.into())
}

#[async_trait]
impl Events for D1Catalog {
    async fn note(
        &self,
        tenant: &Tenant,
        events: &[Event],
        held: &BTreeMap<String, u64>,
        now: Timestamp,
    ) -> Result<(), PortError> {
        let work = async {
            let mut statements = Vec::new();
            if !events.is_empty() {
                let rows = events.iter().map(|event| {
                    let text = serde_json::to_string(event)?;
                    Ok(serde_json::json!([event.id, text, event.count, event.last.as_ms()]))
                });
                let rows = rows.collect::<Result<Vec<_>, serde_json::Error>>()?;
                let sql = "INSERT INTO events (tenant, id, event, count, last_ms) \
                           SELECT ?1, value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?2) WHERE true \
                           ON CONFLICT (tenant, id) DO UPDATE SET count = count + excluded.count, \
                           last_ms = max(last_ms, excluded.last_ms)";
                statements.push(self.statement(sql, &[tenant.as_str().into(), json(&rows)?])?);
            }
            if !held.is_empty() {
                let rows: Vec<_> =
                    held.iter().map(|(rule, count)| serde_json::json!([rule, count])).collect();
                let sql = "INSERT INTO rule_hits (tenant, rule, count, last_ms) \
                           SELECT ?1, value ->> 0, value ->> 1, ?3 FROM json_each(?2) WHERE true \
                           ON CONFLICT (tenant, rule) DO UPDATE SET count = count + excluded.count, \
                           last_ms = max(last_ms, excluded.last_ms)";
                let values = [tenant.as_str().into(), json(&rows)?, ms(now)];
                statements.push(self.statement(sql, &values)?);
            }
            self.run(statements).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn list(&self, tenant: &Tenant, before: Option<&str>, max: usize) -> Result<Vec<Event>, PortError> {
        let work = async {
            let sql = "SELECT event, count, last_ms FROM events WHERE tenant = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
            // Behind every id.
            let before = before.unwrap_or("~");
            let rows: Vec<EventRow> =
                self.select(sql, &[tenant.as_str().into(), before.into(), limit(max)]).await?;
            let events = rows.iter().map(|row| {
                let event: Event = serde_json::from_str(&row.event)?;
                Ok(Event { count: row.count, last: Timestamp::from_ms(row.last_ms), ..event })
            });
            Ok(events.collect::<Result<Vec<_>, serde_json::Error>>()?)
        };
        SendFuture::new(port(work)).await
    }

    async fn held(&self, tenant: &Tenant) -> Result<Vec<Held>, PortError> {
        let work = async {
            let sql = "SELECT rule, count, last_ms FROM rule_hits WHERE tenant = ?1";
            let rows: Vec<HeldRow> = self.select(sql, &[tenant.as_str().into()]).await?;
            let held = |row: HeldRow| Held {
                rule: row.rule,
                count: row.count,
                last: Timestamp::from_ms(row.last_ms),
            };
            Ok(rows.into_iter().map(held).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError> {
        let work = async {
            let owner = [tenant.as_str().into()];
            let statements = vec![
                self.statement("DELETE FROM events WHERE tenant = ?1", &owner)?,
                self.statement("DELETE FROM rule_hits WHERE tenant = ?1", &owner)?,
            ];
            self.run(statements).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn forget(&self, before: Timestamp) -> Result<(), PortError> {
        let work = async {
            let sql = "DELETE FROM events WHERE last_ms < ?1";
            self.run(vec![self.statement(sql, &[ms(before)])?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }
}
