//! Limiters: the Durable Object, which opens `app::limiter` on its `SQLite`, and the stubs that Workers call.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use async_trait::async_trait;
use worker::{
    DurableObject, Env, ObjectNamespace, Request, Response, Result, SqlStorage, SqlStorageValue, State,
    durable_object,
    send::{SendFuture, SendWrapper},
};

#[cfg(feature = "contract")]
use super::path;
use super::{call, integer};
use crate::{
    app::limiter::Limiter,
    engine::{limit::Lease, tenant::Tenant},
    platform::{clock::Platform, meter, port_error},
    ports::{LimitLog, LimiterName, Limits, PortError, limit_log::Row, limits::Ask},
};

#[durable_object]
pub struct LimiterObject {
    state: State,
    opened: RefCell<Option<Rc<Limiter>>>,
}

impl DurableObject for LimiterObject {
    fn new(state: State, _: Env) -> Self {
        Self { state, opened: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let url = request.url()?;
        let name = url.query_pairs().find(|(key, _)| key == "limiter");
        if name.and_then(|(_, name)| LimiterName::from_name(&name)).is_none() {
            return Response::error("the request names no limiter", 400);
        }
        #[cfg(feature = "contract")]
        if url.path() == path::CONTRACT {
            let log = SqliteLimits::open(&self.state).map_err(|error| error.to_string())?;
            return crate::platform::contract::answer(crate::contract::limit_log(&log));
        }
        let body = request.bytes().await?;
        let Ok(asks) = serde_json::from_slice::<Vec<Ask>>(&body) else {
            return Response::error("the request asks for nothing", 400);
        };
        match self.limiter().and_then(|limiter| limiter.ask(&asks)) {
            Ok(leases) => Response::from_json(&leases),
            Err(error) => Response::error(error.to_string(), 503),
        }
    }
}

impl LimiterObject {
    /// The limiter, opened at the first event. No await: two events never open it twice.
    fn limiter(&self) -> std::result::Result<Rc<Limiter>, PortError> {
        if let Some(limiter) = &*self.opened.borrow() {
            return Ok(limiter.clone());
        }
        let log = SqliteLimits::open(&self.state)?;
        let limiter = Rc::new(Limiter::open(Arc::new(log), Arc::new(Platform))?);
        *self.opened.borrow_mut() = Some(limiter.clone());
        Ok(limiter)
    }
}

/// A limiter's storage on the object's `SQLite`.
struct SqliteLimits(SendWrapper<SqlStorage>);

/// No index and no rowid: a changed counter is one row written.
const COUNTERS: &str = "CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, state TEXT NOT NULL, \
                        until_ms INTEGER NOT NULL) WITHOUT ROWID";

impl SqliteLimits {
    fn open(state: &State) -> std::result::Result<Self, PortError> {
        let log = Self(SendWrapper::new(state.storage().sql()));
        log.write_all(COUNTERS, Vec::new())?;
        Ok(log)
    }

    fn write_all(&self, sql: &str, values: Vec<SqlStorageValue>) -> std::result::Result<(), PortError> {
        let cursor = self.0.exec(sql, values).map_err(port_error("limit log"))?;
        meter::LIMITER_ROWS_WRITTEN.add(cursor.rows_written());
        Ok(())
    }
}

fn row(values: Vec<SqlStorageValue>) -> Option<Row> {
    let [SqlStorageValue::String(name), SqlStorageValue::String(state), until_ms] =
        <[SqlStorageValue; 3]>::try_from(values).ok()?
    else {
        return None;
    };
    Some(Row { name, state, until_ms: integer(&until_ms)? })
}

impl LimitLog for SqliteLimits {
    fn read(&self) -> std::result::Result<Vec<Row>, PortError> {
        let failed = || port_error("limit log");
        let cursor = self.0.exec("SELECT name, state, until_ms FROM counters", None).map_err(failed())?;
        let rows = cursor.raw().collect::<std::result::Result<Vec<_>, _>>().map_err(failed())?;
        Ok(rows.into_iter().filter_map(row).collect())
    }

    fn write(&self, row: &Row) -> std::result::Result<(), PortError> {
        let sql = "INSERT INTO counters (name, state, until_ms) VALUES (?, ?, ?) \
                   ON CONFLICT (name) DO UPDATE SET state = excluded.state, until_ms = excluded.until_ms";
        let until_ms = i64::try_from(row.until_ms).unwrap_or(i64::MAX);
        self.write_all(sql, vec![row.name.as_str().into(), row.state.as_str().into(), until_ms.into()])
    }

    fn remove(&self, name: &str) -> std::result::Result<(), PortError> {
        self.write_all("DELETE FROM counters WHERE name = ?", vec![name.into()])
    }
}

pub(crate) struct LimiterStubs(ObjectNamespace);

impl LimiterStubs {
    pub(crate) fn new(namespace: ObjectNamespace) -> Self {
        Self(namespace)
    }

    async fn call(
        &self,
        tenant: &Tenant,
        path: &str,
        body: &[u8],
    ) -> std::result::Result<Vec<u8>, PortError> {
        meter::LIMITER_REQUESTS.add(1);
        let name = LimiterName { tenant: tenant.clone() }.to_name();
        let url = format!("https://limiter{path}?limiter={name}");
        let asked = SendFuture::new(call(&self.0, &name, &url, body)).await;
        match asked.map_err(port_error("limiter"))? {
            (200, bytes) => Ok(bytes),
            (status, bytes) => {
                let reason = format!("it answered {status}: {}", String::from_utf8_lossy(&bytes));
                Err(PortError { part: "limiter", reason })
            }
        }
    }
}

#[cfg(feature = "contract")]
impl LimiterStubs {
    /// Runs the storage's contract in the object of this tenant.
    pub(crate) async fn contract(&self, tenant: &Tenant) -> std::result::Result<(), PortError> {
        self.call(tenant, path::CONTRACT, &[]).await.map(|_| ())
    }
}

#[async_trait]
impl Limits for LimiterStubs {
    async fn ask(&self, tenant: &Tenant, asks: &[Ask]) -> std::result::Result<Vec<Lease>, PortError> {
        let unreadable = |error: serde_json::Error| PortError { part: "limiter", reason: error.to_string() };
        let body = serde_json::to_vec(asks).map_err(unreadable)?;
        let answer = self.call(tenant, "/", &body).await?;
        serde_json::from_slice(&answer).map_err(unreadable)
    }
}
