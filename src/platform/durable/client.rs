//! Calls from a Worker to its shards.

use async_trait::async_trait;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{
    ObjectNamespace,
    js_sys::{Promise, Uint8Array},
    send::SendFuture,
};

use super::{call, path};
use crate::{
    engine::{
        query::TimeRange,
        shard::{RequestKey, reply},
        triage::Observation,
    },
    platform::{meter, port_error},
    ports::{
        PortError, ShardName, Shards,
        shards::{Appended, Flushed, ShardState, Unflushed},
    },
};

#[wasm_bindgen(module = "/src/platform/durable/gather.js")]
extern "C" {
    fn append(namespace: &JsValue, name: &str, url: &str, message: Uint8Array) -> Promise;

    fn calls_made() -> f64;
}

/// Calls by which appends have gone to shards.
pub(crate) fn appending_calls() -> u64 {
    // A count, far below 2^53.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let calls = calls_made() as u64;
    calls
}

/// Appends, with others of this isolate that do so at the moment: the answer's line.
async fn gather(
    namespace: &ObjectNamespace,
    name: &str,
    url: &str,
    message: &[u8],
) -> worker::Result<String> {
    let answer = append(namespace.as_ref(), name, url, Uint8Array::from(message));
    Ok(JsFuture::from(answer).await?.as_string().unwrap_or_default())
}

pub(crate) struct ShardStubs(ObjectNamespace);

impl ShardStubs {
    pub(crate) fn new(namespace: ObjectNamespace) -> Self {
        Self(namespace)
    }

    async fn call(
        &self,
        shard: &ShardName,
        path: &str,
        query: &str,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, PortError> {
        meter::SHARD_REQUESTS.add(1);
        let work = async {
            let name = shard.to_name();
            let url = format!("https://shard{path}?shard={name}{query}");
            let (status, bytes) = call(&self.0, &name, &url, &body).await?;
            match status {
                200 => Ok(bytes),
                status => {
                    Err(format!("{path} answered {status}: {}", String::from_utf8_lossy(&bytes)).into())
                }
            }
        };
        SendFuture::new(work).await.map_err(port_error("shard"))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        shard: &ShardName,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, PortError> {
        let bytes = self.call(shard, path, "", body).await?;
        serde_json::from_slice(&bytes).map_err(|error| PortError { part: "shard", reason: error.to_string() })
    }
}

#[cfg(feature = "contract")]
impl ShardStubs {
    /// Runs the storage's contract in an object of this name.
    pub(crate) async fn contract(&self, shard: &ShardName) -> Result<(), PortError> {
        self.call(shard, path::CONTRACT, "", Vec::new()).await.map(|_| ())
    }
}

#[async_trait]
impl Shards for ShardStubs {
    async fn append(&self, shard: &ShardName, message: Vec<u8>) -> Result<Appended, PortError> {
        let name = shard.to_name();
        let url = format!("https://shard{}?shard={name}", path::APPEND_ALL);
        let line = SendFuture::new(gather(&self.0, &name, &url, &message)).await;
        let line = line.map_err(port_error("shard"))?;
        serde_json::from_str::<Result<Appended, String>>(&line)
            .map_err(|error| error.to_string())
            .flatten()
            .map_err(|reason| PortError { part: "shard", reason })
    }

    async fn known(&self, shard: &ShardName, key: &RequestKey) -> Result<Option<Appended>, PortError> {
        let body = serde_json::to_vec(key)
            .map_err(|error| PortError { part: "shard", reason: error.to_string() })?;
        SendFuture::new(self.ask(shard, path::KNOWN, body)).await
    }

    async fn observe(
        &self,
        shard: &ShardName,
        observed: &[(Observation, u32)],
    ) -> Result<Vec<u32>, PortError> {
        let body = serde_json::to_vec(observed)
            .map_err(|error| PortError { part: "shard", reason: error.to_string() })?;
        SendFuture::new(self.ask(shard, path::OBSERVE, body)).await
    }

    async fn unflushed(&self, shard: &ShardName, range: TimeRange) -> Result<Unflushed, PortError> {
        let query = format!("&start={}&end={}", range.start.as_ns(), range.end.as_ns());
        let bytes = SendFuture::new(self.call(shard, path::UNFLUSHED, &query, Vec::new())).await?;
        let (header, appends) = reply::decode(&Bytes::from(bytes))
            .map_err(|error| PortError { part: "shard", reason: error.to_string() })?;
        Ok(Unflushed { from_seq: header.from_seq, appends, truncated: header.truncated })
    }

    async fn flush(&self, shard: &ShardName) -> Result<Flushed, PortError> {
        SendFuture::new(self.ask(shard, path::FLUSH, Vec::new())).await
    }

    async fn state(&self, shard: &ShardName) -> Result<ShardState, PortError> {
        SendFuture::new(self.ask(shard, path::STATE, Vec::new())).await
    }

    async fn forget_patterns(&self, shard: &ShardName) -> Result<(), PortError> {
        SendFuture::new(self.ask(shard, path::FORGET_PATTERNS, Vec::new())).await
    }
}
