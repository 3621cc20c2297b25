//! Copies of accounts in KV.

use async_trait::async_trait;
use worker::{
    kv::KvStore,
    send::{SendFuture, SendWrapper},
};

use super::meter;
use crate::ports::{Copies, PortError};

/// How long a copy is kept where it is read: as short as the platform allows.
const CACHE_SECONDS: u64 = 30;

pub(super) struct KvCopies(SendWrapper<KvStore>);

impl KvCopies {
    pub(super) fn new(store: KvStore) -> Self {
        Self(SendWrapper::new(store))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as `map_err(failed)`")]
fn failed(error: worker::kv::KvError) -> PortError {
    PortError { part: "copies", reason: error.to_string() }
}

#[async_trait]
impl Copies for KvCopies {
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, PortError> {
        meter::KV_READS.add(1);
        let work = async { self.0.get(name).cache_ttl(CACHE_SECONDS).bytes().await };
        SendFuture::new(work).await.map_err(failed)
    }

    async fn put(&self, name: &str, value: Vec<u8>) -> Result<(), PortError> {
        meter::KV_WRITES.add(1);
        let work = async { self.0.put_bytes(name, &value)?.execute().await };
        SendFuture::new(work).await.map_err(failed)
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        meter::KV_WRITES.add(1);
        SendFuture::new(async { self.0.delete(name).await }).await.map_err(failed)
    }
}
