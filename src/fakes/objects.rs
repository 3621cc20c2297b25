//! A bucket in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, let_others_run, lock};
use crate::ports::{
    ObjectStore, PortError,
    objects::{Listed, Listing},
};

const PART: &str = "objects";
const PAGE: usize = 1_000;

pub struct FakeObjects {
    inner: Arc<Inner>,
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
}

impl FakeObjects {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, objects: Mutex::default() }
    }

    pub fn keys(&self) -> Vec<String> {
        lock(&self.objects).keys().cloned().collect()
    }

    pub fn bytes(&self, key: &str) -> Option<Vec<u8>> {
        lock(&self.objects).get(key).cloned()
    }

    pub fn overwrite(&self, key: &str, bytes: Vec<u8>) {
        lock(&self.objects).insert(key.to_owned(), bytes);
    }
}

#[async_trait]
impl ObjectStore for FakeObjects {
    async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), PortError> {
        let_others_run().await;
        self.inner.run(PART, &format!("objects.put {key}"), || {
            lock(&self.objects).insert(key.to_owned(), bytes);
            Ok(())
        })
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, PortError> {
        let_others_run().await;
        self.inner.run(PART, &format!("objects.get {key}"), || Ok(self.bytes(key)))
    }

    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Option<Vec<u8>>, PortError> {
        self.inner.run(PART, &format!("objects.get_range {key}"), || {
            let Some(bytes) = self.bytes(key) else { return Ok(None) };
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
            let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
            Ok(bytes.get(from..to).map(<[u8]>::to_vec))
        })
    }

    async fn delete(&self, keys: &[String]) -> Result<(), PortError> {
        self.inner.run(PART, "objects.delete", || {
            let mut objects = lock(&self.objects);
            for key in keys {
                objects.remove(key);
            }
            Ok(())
        })
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>) -> Result<Listing, PortError> {
        self.inner.run(PART, &format!("objects.list {prefix}"), || {
            let objects = lock(&self.objects);
            let behind = |(key, _): &(&String, &Vec<u8>)| {
                key.starts_with(prefix) && cursor.is_none_or(|cursor| key.as_str() > cursor)
            };
            let listed = |(key, bytes): (&String, &Vec<u8>)| Listed {
                key: key.clone(),
                size_bytes: bytes.len() as u64,
            };
            let found: Vec<Listed> = objects.iter().filter(behind).take(PAGE).map(listed).collect();
            let cursor = found.last().filter(|_| found.len() == PAGE).map(|last| last.key.clone());
            Ok(Listing { objects: found, cursor })
        })
    }

    async fn ping(&self) -> Result<(), PortError> {
        self.inner.run(PART, "objects.ping", || Ok(()))
    }
}
