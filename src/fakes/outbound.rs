//! The world outside in memory: what tests have put at its URLs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, let_others_run, lock};
use crate::ports::{Outbound, PortError};

const PART: &str = "outbound";

pub struct FakeOutbound {
    inner: Arc<Inner>,
    answers: Mutex<HashMap<String, Vec<u8>>>,
}

impl FakeOutbound {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, answers: Mutex::default() }
    }

    /// What is at this URL from now on.
    pub fn publish(&self, url: &str, body: impl Into<Vec<u8>>) {
        lock(&self.answers).insert(url.to_owned(), body.into());
    }
}

#[async_trait]
impl Outbound for FakeOutbound {
    async fn get(&self, url: &str, max_bytes: usize, _timeout_ms: u64) -> Result<Vec<u8>, PortError> {
        let_others_run().await;
        self.inner.run(PART, &format!("outbound.get {url}"), || {
            let failed = |reason: &str| PortError { part: PART, reason: format!("{url}: {reason}") };
            let body = lock(&self.answers).get(url).cloned().ok_or_else(|| failed("answered 404"))?;
            if body.len() > max_bytes { Err(failed("the body is too long")) } else { Ok(body) }
        })
    }
}
