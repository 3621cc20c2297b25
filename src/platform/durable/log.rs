//! A shard's storage on the object's `SQLite`.

use async_trait::async_trait;
use chrono::DateTime;
use worker::{
    SqlStorage, SqlStorageValue, State, Storage,
    send::{SendFuture, SendWrapper},
};

use super::integer;
use crate::{
    engine::shard::wal::WalRow,
    platform::{meter, port_error},
    ports::{PortError, ShardLog, ShardName, shard_log::Table},
};

pub(super) struct SqliteLog {
    sql: SendWrapper<SqlStorage>,
    storage: SendWrapper<Storage>,
}

/// Facts about the shard: its name, and the spooled objects it has taken.
const FACTS: &str = "CREATE TABLE IF NOT EXISTS facts (kind TEXT NOT NULL, value TEXT NOT NULL, \
                     PRIMARY KEY (kind, value)) WITHOUT ROWID";

impl SqliteLog {
    pub(super) fn new(state: &State) -> Self {
        let storage = state.storage();
        Self { sql: SendWrapper::new(storage.sql()), storage: SendWrapper::new(storage) }
    }

    /// The name that the object was first called by: an alarm does not bring it.
    pub(super) fn name(&self) -> Result<Option<ShardName>, PortError> {
        if !self.has_table("facts")? {
            return Ok(None);
        }
        let names = self.texts("SELECT value FROM facts WHERE kind = 'name'", Vec::new())?;
        Ok(names.first().and_then(|name| ShardName::from_name(name)))
    }

    pub(super) fn keep_name(&self, name: &ShardName) -> Result<(), PortError> {
        self.note("name", &name.to_name())
    }

    fn note(&self, kind: &str, value: &str) -> Result<(), PortError> {
        self.write(FACTS, Vec::new())?;
        let sql = "INSERT OR IGNORE INTO facts (kind, value) VALUES (?, ?)";
        self.write(sql, vec![kind.into(), value.into()])
    }

    fn has_table(&self, name: &str) -> Result<bool, PortError> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = ?";
        Ok(!self.texts(sql, vec![name.into()])?.is_empty())
    }

    fn write(&self, sql: &str, values: Vec<SqlStorageValue>) -> Result<(), PortError> {
        let cursor = self.sql.exec(sql, values).map_err(port_error("shard log"))?;
        meter::SHARD_ROWS_WRITTEN.add(cursor.rows_written());
        Ok(())
    }

    fn rows(&self, sql: &str, values: Vec<SqlStorageValue>) -> Result<Vec<Vec<SqlStorageValue>>, PortError> {
        let cursor = self.sql.exec(sql, values).map_err(port_error("shard log"))?;
        cursor.raw().collect::<Result<Vec<_>, _>>().map_err(port_error("shard log"))
    }

    fn texts(&self, sql: &str, values: Vec<SqlStorageValue>) -> Result<Vec<String>, PortError> {
        let rows = self.rows(sql, values)?.into_iter();
        let text = |row: Vec<SqlStorageValue>| match row.into_iter().next() {
            Some(SqlStorageValue::String(text)) => Some(text),
            _ => None,
        };
        Ok(rows.filter_map(text).collect())
    }
}

fn wal_row(values: Vec<SqlStorageValue>) -> Option<WalRow> {
    let [seq, part, parts, SqlStorageValue::Blob(body)] = <[SqlStorageValue; 4]>::try_from(values).ok()?
    else {
        return None;
    };
    let small = |value: &SqlStorageValue| u32::try_from(integer(value)?).ok();
    Some(WalRow { seq: integer(&seq)?, part: small(&part)?, parts: small(&parts)?, body })
}

fn unreadable(what: &str) -> PortError {
    PortError { part: "shard log", reason: format!("{what} cannot be read") }
}

#[async_trait]
impl ShardLog for SqliteLog {
    fn tables(&self) -> Result<Vec<Table>, PortError> {
        let names = self.texts("SELECT name FROM sqlite_master WHERE type = 'table'", Vec::new())?;
        Ok(names.iter().filter_map(|name| Table::from_name(name)).collect())
    }

    fn create(&self, table: Table) -> Result<(), PortError> {
        let name = table.to_name();
        let columns =
            "seq INTEGER PRIMARY KEY, part INTEGER NOT NULL, parts INTEGER NOT NULL, body BLOB NOT NULL";
        self.write(&format!("CREATE TABLE {name} ({columns})"), Vec::new())
    }

    fn append(&self, table: Table, rows: Vec<WalRow>) -> Result<(), PortError> {
        let sql = format!("INSERT INTO {} (seq, part, parts, body) VALUES (?, ?, ?, ?)", table.to_name());
        for row in rows {
            let seq = i64::try_from(row.seq).map_err(|_| unreadable("a sequence number"))?;
            let (part, parts) = (i64::from(row.part), i64::from(row.parts));
            self.write(&sql, vec![seq.into(), part.into(), parts.into(), row.body.into()])?;
        }
        Ok(())
    }

    fn read(&self, table: Table) -> Result<Vec<WalRow>, PortError> {
        let sql = format!("SELECT seq, part, parts, body FROM {} ORDER BY seq", table.to_name());
        let rows = self.rows(&sql, Vec::new())?.into_iter();
        rows.map(|values| wal_row(values).ok_or_else(|| unreadable("a write-ahead row"))).collect()
    }

    fn drop_table(&self, table: Table) -> Result<(), PortError> {
        self.write(&format!("DROP TABLE IF EXISTS {}", table.to_name()), Vec::new())
    }

    fn note_spooled(&self, key: &str) -> Result<(), PortError> {
        self.note("spooled", key)
    }

    fn was_spooled(&self, key: &str) -> Result<bool, PortError> {
        if !self.has_table("facts")? {
            return Ok(false);
        }
        let sql = "SELECT value FROM facts WHERE kind = 'spooled' AND value = ?";
        Ok(!self.texts(sql, vec![key.into()])?.is_empty())
    }

    async fn wakes_at(&self) -> Result<Option<u64>, PortError> {
        let alarm = SendFuture::new(self.storage.get_alarm()).await.map_err(port_error("shard log"))?;
        Ok(alarm.and_then(|ms| u64::try_from(ms).ok()))
    }

    async fn wake_at(&self, ms: u64) -> Result<(), PortError> {
        meter::SHARD_ROWS_WRITTEN.add(1);
        let at = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
        SendFuture::new(self.storage.set_alarm(at)).await.map_err(port_error("shard log"))
    }
}
