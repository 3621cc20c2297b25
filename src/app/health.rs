//! Whether the parts that the service stands on can be reached.

use std::sync::{Mutex, PoisonError};

use super::App;

/// An answer is reused for so long: the question needs no key, and must not cost an operation each time.
const FRESH_MS: u64 = 2_000;

#[derive(Default)]
pub struct Cache {
    last: Mutex<Option<(u64, Health)>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// `Err` carries the reason, for the log and not for the caller.
    pub db: Result<(), String>,
    pub storage: Result<(), String>,
}

impl Health {
    pub fn is_well(&self) -> bool {
        self.db.is_ok() && self.storage.is_ok()
    }
}

pub async fn check(app: &App) -> Health {
    let now = app.clock.now_ms();
    let last = app.health.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((_, health)) = last.filter(|(at, _)| now < at + FRESH_MS) {
        return health;
    }
    let (db, storage) = futures::future::join(app.catalog.ping(), app.objects.ping()).await;
    let health = Health { db: db.map_err(|e| e.to_string()), storage: storage.map_err(|e| e.to_string()) };
    *app.health.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, health.clone()));
    health
}
