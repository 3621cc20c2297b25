//! The Durable Object of a shard: opens `app::shard` on its storage and passes requests to it.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use bytes::Bytes;
use serde::Serialize;
use worker::{DurableObject, Env, Request, Response, Result, State, durable_object};

use super::{log::SqliteLog, path};
use crate::{
    app::shard::Shard,
    engine::{
        query::TimeRange,
        record::timestamp::Timestamp,
        shard::{frames, reply},
        triage::Observation,
    },
    platform::{clock::Platform, d1::D1Catalog, r2::R2Objects},
    ports::{Events, Patterns, PortError, ShardName, shards::Appended},
};

#[durable_object]
pub struct ShardObject {
    state: State,
    env: Env,
    opened: RefCell<Option<Rc<Shard>>>,
}

impl DurableObject for ShardObject {
    fn new(state: State, env: Env) -> Self {
        Self { state, env, opened: RefCell::new(None) }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        let url = request.url()?;
        let query =
            |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let Some(name) = query("shard").and_then(|name| ShardName::from_name(&name)) else {
            return Response::error("the request names no shard", 400);
        };
        #[cfg(feature = "contract")]
        if url.path() == path::CONTRACT {
            let log = SqliteLog::new(&self.state);
            let wake_ms = worker::Date::now().as_millis() + 3_600_000;
            return crate::platform::contract::answer(crate::contract::shard_log(&log, wake_ms).await);
        }
        let shard = self.shard(Some(name))?;
        match url.path() {
            path::APPEND_ALL => match frames::split(&Bytes::from(request.bytes().await?)) {
                Ok(messages) => lines(shard.append_all(messages).await),
                Err(error) => Response::error(error.to_string(), 400),
            },
            path::KNOWN => match serde_json::from_slice(&request.bytes().await?) {
                Ok(key) => answer(shard.known(&key).await),
                Err(error) => Response::error(error.to_string(), 400),
            },
            path::OBSERVE => match serde_json::from_slice::<Vec<(Observation, u32)>>(&request.bytes().await?)
            {
                Ok(observed) => answer(Ok(shard.observe(&observed))),
                Err(error) => Response::error(error.to_string(), 400),
            },
            path::UNFLUSHED => {
                let time = |name| query(name).and_then(|ns| ns.parse().ok()).map(Timestamp::from_ns);
                let range = TimeRange {
                    start: time("start").unwrap_or(Timestamp::EPOCH),
                    end: time("end").unwrap_or(Timestamp::MAX),
                };
                match shard.unflushed(range).await {
                    Ok(found) => {
                        let header =
                            reply::ReplyHeader { from_seq: found.from_seq, truncated: found.truncated };
                        let bytes = reply::encode(&header, &found.appends).map_err(|e| e.to_string())?;
                        Response::from_bytes(bytes)
                    }
                    Err(error) => failed(&error),
                }
            }
            path::FLUSH => answer(shard.flush().await),
            path::FORGET_PATTERNS => answer(shard.forget_patterns()),
            path::STATE => answer(Ok(shard.describe())),
            _ => Response::error("a shard has no such path", 404),
        }
    }

    async fn alarm(&self) -> Result<Response> {
        let shard = self.shard(None)?;
        shard.woken().await.map_err(|error| error.to_string())?;
        Response::empty()
    }
}

impl ShardObject {
    /// The shard, opened at the first event. No await: two events never open it twice.
    fn shard(&self, name: Option<ShardName>) -> Result<Rc<Shard>> {
        if let Some(shard) = &*self.opened.borrow() {
            return Ok(shard.clone());
        }
        let log = SqliteLog::new(&self.state);
        let name = match (log.name().map_err(text)?, name) {
            (Some(known), _) => known,
            (None, Some(name)) => {
                log.keep_name(&name).map_err(text)?;
                name
            }
            (None, None) => return Err("a shard that was never called by its name was woken".into()),
        };
        let catalog = Arc::new(D1Catalog::new(self.env.d1("DB")?));
        let objects = Arc::new(R2Objects::new(self.env.bucket("BUCKET")?));
        let notes = (catalog.clone() as Arc<dyn Patterns>, catalog.clone() as Arc<dyn Events>);
        let (clock, journal) = (Arc::new(Platform), Arc::new(Platform));
        let shard =
            Shard::open(name, Arc::new(log), catalog, objects, clock, journal, notes).map_err(text)?;
        let shard = Rc::new(shard);
        *self.opened.borrow_mut() = Some(shard.clone());
        Ok(shard)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as `map_err(text)`")]
fn text(error: PortError) -> worker::Error {
    error.to_string().into()
}

fn answer<T: Serialize>(result: std::result::Result<T, PortError>) -> Result<Response> {
    match result {
        Ok(value) => Response::from_json(&value),
        Err(error) => failed(&error),
    }
}

/// A line of JSON for each append, in their order.
fn lines(answers: Vec<std::result::Result<Appended, PortError>>) -> Result<Response> {
    let mut text = String::new();
    for answer in answers {
        let answer = answer.map_err(|error| error.to_string());
        text.push_str(&serde_json::to_string(&answer)?);
        text.push('\n');
    }
    Response::ok(text)
}

fn failed(error: &PortError) -> Result<Response> {
    Response::error(error.to_string(), 503)
}
