//! Accounts on D1. Every statement about one tenant has it as `?1`.

use async_trait::async_trait;
use serde::Deserialize;
use worker::{send::SendFuture, wasm_bindgen::JsValue};

use super::{D1Catalog, MAX_ROW_BYTES, count, json_list, limit, ms, number, port};
use crate::{
    engine::{account::Account, record::timestamp::Timestamp, tenant::Tenant},
    ports::{
        Accounts, PortError,
        accounts::{KeyUse, MAX_ADDRESSES, Stored, Written},
    },
};

#[derive(Deserialize)]
struct AccountRow {
    tenant: String,
    version: u64,
    record: String,
}

#[derive(Deserialize)]
struct UseRow {
    key: String,
    last_ms: i64,
    addresses: u64,
}

#[derive(Deserialize)]
struct FirstRow {
    first_ms: u64,
    uses: u64,
}

impl AccountRow {
    fn read(self) -> Result<Stored, worker::Error> {
        let tenant = Tenant::parse(&self.tenant).ok_or_else(|| format!("{:?} is no tenant", self.tenant))?;
        let account = Account::read(&tenant, self.record.as_bytes())
            .map_err(|reason| format!("account of {tenant}: {reason}"))?;
        Ok(Stored { tenant, version: self.version, account })
    }
}

/// Whether the account is as the writer has read it: of version `?2`, or none where that is 0.
const AS_READ: &str = "coalesce((SELECT version FROM accounts WHERE tenant = ?1), 0) = ?2";

impl D1Catalog {
    async fn write_account(
        &self,
        tenant: &Tenant,
        account: &Account,
        expected: u64,
    ) -> Result<Written, worker::Error> {
        let record = serde_json::to_string(account)?;
        if record.len() > MAX_ROW_BYTES {
            return Err(format!("the account of {tenant} is over {MAX_ROW_BYTES} bytes").into());
        }
        let owner = JsValue::from(tenant.as_str());
        let names: Vec<String> = account.domains.iter().map(|one| one.domain.clone()).collect();
        let values = [owner.clone(), number(expected), json_list(&names)?];
        let forget = format!(
            "DELETE FROM domains WHERE tenant = ?1 AND {AS_READ} \
             AND domain NOT IN (SELECT value FROM json_each(?3))"
        );
        // One that is another tenant's fails, and the transaction with it.
        let claim = format!(
            "INSERT INTO domains (domain, tenant) SELECT value, ?1 FROM json_each(?3) WHERE {AS_READ} \
             AND NOT EXISTS (SELECT 1 FROM domains WHERE domain = value AND tenant = ?1)"
        );
        let write = format!(
            "INSERT INTO accounts (tenant, version, record) SELECT ?1, ?2 + 1, ?3 WHERE {AS_READ} \
             ON CONFLICT (tenant) DO UPDATE SET version = excluded.version, record = excluded.record"
        );
        let statements = vec![
            self.statement(&forget, &values)?,
            self.statement(&claim, &values)?,
            self.statement(&write, &[owner, number(expected), record.into()])?,
        ];
        match self.run(statements).await {
            Ok(0) => Ok(Written::Conflict),
            Ok(_) => Ok(Written::Done),
            Err(error) if error.to_string().contains("domains.domain") => Ok(Written::DomainTaken),
            Err(error) => Err(error),
        }
    }
}

#[async_trait]
impl Accounts for D1Catalog {
    async fn read(&self, tenant: &Tenant) -> Result<Option<Stored>, PortError> {
        let work = async {
            let sql = "SELECT tenant, version, record FROM accounts WHERE tenant = ?1";
            let rows: Vec<AccountRow> = self.select(sql, &[tenant.as_str().into()]).await?;
            rows.into_iter().next().map(AccountRow::read).transpose()
        };
        SendFuture::new(port(work)).await
    }

    async fn list(&self, after: &str, max: usize) -> Result<Vec<Stored>, PortError> {
        let work = async {
            let sql =
                "SELECT tenant, version, record FROM accounts WHERE tenant > ?1 ORDER BY tenant LIMIT ?2";
            let rows: Vec<AccountRow> = self.select(sql, &[after.into(), limit(max)]).await?;
            rows.into_iter().map(AccountRow::read).collect()
        };
        SendFuture::new(port(work)).await
    }

    async fn write(
        &self,
        tenant: &Tenant,
        account: &Account,
        expected: Option<u64>,
    ) -> Result<Written, PortError> {
        SendFuture::new(port(self.write_account(tenant, account, expected.unwrap_or(0)))).await
    }

    async fn remove(&self, tenant: &Tenant, expected: u64) -> Result<Written, PortError> {
        let work = async {
            let values = [JsValue::from(tenant.as_str()), number(expected)];
            let domains = format!("DELETE FROM domains WHERE tenant = ?1 AND {AS_READ}");
            let uses = format!("DELETE FROM key_uses WHERE tenant = ?1 AND {AS_READ}");
            let account = "DELETE FROM accounts WHERE tenant = ?1 AND version = ?2";
            let statements = vec![
                self.statement(&domains, &values)?,
                self.statement(&uses, &values)?,
                self.statement(account, &values)?,
            ];
            let changes = self.run(statements).await?;
            Ok(if changes == 0 { Written::Conflict } else { Written::Done })
        };
        SendFuture::new(port(work)).await
    }

    async fn closing(&self, max: usize) -> Result<Vec<Stored>, PortError> {
        let work = async {
            let sql = "SELECT tenant, version, record FROM accounts WHERE record ->> 'closing' IS NOT NULL LIMIT ?1";
            let rows: Vec<AccountRow> = self.select(sql, &[limit(max)]).await?;
            rows.into_iter().map(AccountRow::read).collect()
        };
        SendFuture::new(port(work)).await
    }

    async fn not_copied(&self, changed_after: Timestamp, max: usize) -> Result<Vec<Stored>, PortError> {
        let work = async {
            let sql = "SELECT tenant, version, record FROM accounts WHERE copied < version \
                       OR record ->> 'updated_at' > ?2 LIMIT ?1";
            let values = [limit(max), changed_after.to_string().into()];
            let rows: Vec<AccountRow> = self.select(sql, &values).await?;
            rows.into_iter().map(AccountRow::read).collect()
        };
        SendFuture::new(port(work)).await
    }

    async fn note_copied(&self, tenant: &Tenant, version: u64) -> Result<bool, PortError> {
        let work = async {
            let sql = "UPDATE accounts SET copied = ?2 WHERE tenant = ?1 AND version = ?2";
            let values = [tenant.as_str().into(), number(version)];
            Ok(self.run(vec![self.statement(sql, &values)?]).await? > 0)
        };
        SendFuture::new(port(work)).await
    }

    async fn note_use(
        &self,
        tenant: &Tenant,
        key: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let work = async {
            let sql = "INSERT INTO key_uses (tenant, key, address, first_ms, last_ms) SELECT ?1, ?2, ?3, ?4, ?4 \
                       WHERE (SELECT count(*) FROM key_uses WHERE tenant = ?1 AND key = ?2) < ?5 \
                       OR EXISTS (SELECT 1 FROM key_uses WHERE tenant = ?1 AND key = ?2 AND address = ?3) \
                       ON CONFLICT (tenant, key, address) DO UPDATE SET last_ms = max(last_ms, excluded.last_ms) \
                       RETURNING first_ms, (last_ms > first_ms) AS uses";
            let values = [tenant.as_str().into(), key.into(), address.into(), ms(now), number(MAX_ADDRESSES)];
            let result = self.statement(sql, &values)?.all().await?;
            count(&result)?;
            let rows: Vec<FirstRow> = result.results()?;
            let now = now.as_ms().unsigned_abs();
            Ok(rows.first().is_some_and(|row| row.first_ms == now && row.uses == 0))
        };
        SendFuture::new(port(work)).await
    }

    async fn uses(&self, tenant: &Tenant) -> Result<Vec<KeyUse>, PortError> {
        let work = async {
            let sql = "SELECT key, max(last_ms) AS last_ms, count(*) AS addresses FROM key_uses \
                       WHERE tenant = ?1 GROUP BY key";
            let rows: Vec<UseRow> = self.select(sql, &[tenant.as_str().into()]).await?;
            let used = |row: UseRow| KeyUse {
                key: row.key,
                last_used: Timestamp::from_ms(row.last_ms),
                addresses: row.addresses,
            };
            Ok(rows.into_iter().map(used).collect())
        };
        SendFuture::new(port(work)).await
    }
}
