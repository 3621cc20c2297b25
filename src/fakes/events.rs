//! Events in memory.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, lock};
use crate::{
    engine::{pipeline::Event, record::timestamp::Timestamp, tenant::Tenant},
    ports::{Events, PortError, events::Held},
};

const PART: &str = "events";

pub struct FakeEvents {
    inner: Arc<Inner>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    events: BTreeMap<(Tenant, String), Event>,
    held: BTreeMap<(Tenant, String), Held>,
}

impl FakeEvents {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, tables: Mutex::default() }
    }

    fn run<T>(&self, call: &str, work: impl FnOnce(&mut Tables) -> T) -> Result<T, PortError> {
        self.inner.run(PART, call, || Ok(work(&mut lock(&self.tables))))
    }
}

#[async_trait]
impl Events for FakeEvents {
    async fn note(
        &self,
        tenant: &Tenant,
        events: &[Event],
        held: &BTreeMap<String, u64>,
        now: Timestamp,
    ) -> Result<(), PortError> {
        self.run("events.note", |tables| {
            for event in events {
                match tables.events.get_mut(&(tenant.clone(), event.id.clone())) {
                    Some(known) => {
                        known.count += event.count;
                        known.last = known.last.max(event.last);
                    }
                    None => {
                        tables.events.insert((tenant.clone(), event.id.clone()), event.clone());
                    }
                }
            }
            for (rule, count) in held {
                let new = || Held { rule: rule.clone(), count: 0, last: now };
                let known = tables.held.entry((tenant.clone(), rule.clone())).or_insert_with(new);
                known.count += count;
                known.last = known.last.max(now);
            }
        })
    }

    async fn list(
        &self,
        tenant: &Tenant,
        before: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Event>, PortError> {
        self.run("events.list", |tables| {
            let own = tables.events.iter().rev().filter(|((owner, id), _)| {
                owner == tenant && before.is_none_or(|before| id.as_str() < before)
            });
            own.map(|(_, event)| event.clone()).take(limit).collect()
        })
    }

    async fn held(&self, tenant: &Tenant) -> Result<Vec<Held>, PortError> {
        self.run("events.held", |tables| {
            let own = tables.held.iter().filter(|((owner, _), _)| owner == tenant);
            own.map(|(_, held)| held.clone()).collect()
        })
    }

    async fn erase(&self, tenant: &Tenant) -> Result<(), PortError> {
        self.run("events.erase", |tables| {
            tables.events.retain(|(owner, _), _| owner != tenant);
            tables.held.retain(|(owner, _), _| owner != tenant);
        })
    }

    async fn forget(&self, before: Timestamp) -> Result<(), PortError> {
        self.run("events.forget", |tables| tables.events.retain(|_, event| event.last >= before))
    }
}
