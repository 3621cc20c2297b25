//! What a request's records set off besides being stored: events, counts of rules, observations. Gathered, so that a
//! thousand records that are alike are one event.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Passed;
use crate::engine::{
    block::words,
    record::{
        model::{Level, Record},
        timestamp::Timestamp,
    },
    triage::{Action, Fired, Observation, Severity},
};

/// Events of a kind are one within so long, where the rule has no window.
const WINDOW_S: u64 = 300;

/// Kinds of events of one request.
const MAX_EVENTS: usize = 100;
const MAX_OBSERVED: usize = 1_000;

/// What is shown of a message.
const MAX_MESSAGE: usize = 300;

/// What others are to be told, as often as it happened within a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The same for all that are one event.
    pub id: String,
    pub rule: String,
    /// `alert`, `webhook` or `notify`.
    pub action: String,
    /// The URL or channel.
    pub target: Option<String>,
    pub severity: Severity,
    pub title: String,
    /// What was counted, or the service.
    pub key: String,
    pub service: String,
    pub level: Level,
    pub category: Option<String>,
    /// The first record's, redacted.
    pub message: String,
    /// The first record, if it is stored.
    pub log_id: Option<String>,
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// What events tell of a record.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub id: Uuid,
    pub received_at: Timestamp,
    pub service: &'a str,
    pub level: Level,
    pub category: Option<&'a str>,
    pub message: &'a str,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    pub events: BTreeMap<String, Event>,
    /// How often each rule held.
    pub held: BTreeMap<String, u64>,
    pub observed: Vec<(Observation, u32)>,
}

impl Event {
    /// The id of what is called so within a window. It begins with the window: the order of the ids is that of time.
    pub fn id(window_ms: i64, name: &str) -> String {
        format!("{window_ms:012x}-{:016x}", words::hash(name))
    }
}

impl<'a> From<&'a Record> for Subject<'a> {
    fn from(record: &'a Record) -> Self {
        Self {
            id: record.id,
            received_at: record.received_at,
            service: &record.service,
            level: record.level,
            category: record.fields.category.as_deref(),
            message: &record.message,
        }
    }
}

impl Effects {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.held.is_empty() && self.observed.is_empty()
    }

    /// Whether there is something to write down.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty() || !self.held.is_empty()
    }

    /// Whether it has as many observations as one request may make.
    pub fn is_full(&self) -> bool {
        self.observed.len() >= MAX_OBSERVED
    }

    /// Notes what was made of a record.
    pub fn note<'a>(&mut self, record: impl Into<Subject<'a>>, passed: &Passed) {
        let subject = record.into();
        for rule in &passed.held {
            *self.held.entry(rule.clone()).or_default() += 1;
        }
        for fired in passed.fired.iter().filter(|fired| fired.action.is_event()) {
            self.add(event(&subject, fired, passed.dropped));
        }
    }

    fn add(&mut self, event: Event) {
        if let Some(known) = self.events.get_mut(&event.id) {
            known.count += event.count;
            known.last = known.last.max(event.last);
        } else if self.events.len() < MAX_EVENTS {
            self.events.insert(event.id.clone(), event);
        }
    }

    /// Adds what was gathered elsewhere.
    pub fn merge(&mut self, other: Self) {
        for (rule, count) in other.held {
            *self.held.entry(rule).or_default() += count;
        }
        other.events.into_values().for_each(|event| self.add(event));
        for (observation, times) in other.observed {
            self.observe_often(observation, times, usize::MAX);
        }
    }

    pub fn observe(&mut self, observation: Observation) {
        self.observe_often(observation, 1, MAX_OBSERVED);
    }

    fn observe_often(&mut self, observation: Observation, times: u32, most: usize) {
        let alike = |(other, _): &&mut (Observation, u32)| *other == observation;
        if let Some((_, count)) = self.observed.iter_mut().rev().take(16).find(alike) {
            *count = count.saturating_add(times);
        } else if self.observed.len() < most {
            self.observed.push((observation, times));
        }
    }
}

fn event(subject: &Subject<'_>, fired: &Fired, dropped: bool) -> Event {
    let (severity, title, target) = match &fired.action {
        Action::Alert { severity, title } => (*severity, title.clone(), None),
        Action::Webhook { url } => (Severity::default(), None, Some(url.clone())),
        Action::Notify { channel } => (Severity::default(), None, Some(channel.clone())),
        _ => (Severity::default(), None, None),
    };
    let at = subject.received_at;
    let key = fired.key.clone().unwrap_or_else(|| format!("service={}", subject.service));
    let window_ms = i64::try_from(fired.window_s.unwrap_or(WINDOW_S).max(1) * 1_000).unwrap_or(i64::MAX);
    let window = at.as_ms().div_euclid(window_ms);
    let action = fired.action.name();
    let name =
        format!("{}\n{action}\n{}\n{key}\n{window}", fired.rule, target.as_deref().unwrap_or_default());
    Event {
        id: Event::id(window.saturating_mul(window_ms), &name),
        rule: fired.rule.clone(),
        action: action.to_owned(),
        target,
        severity,
        title: title.unwrap_or_else(|| fired.rule.clone()),
        key,
        service: subject.service.to_owned(),
        level: subject.level,
        category: subject.category.map(str::to_owned),
        message: subject.message.chars().take(MAX_MESSAGE).collect(),
        log_id: (!dropped).then(|| subject.id.to_string()),
        count: 1,
        first: at,
        last: at,
    }
}
