//! What every way in has in common: what is asked of an ingest besides its records, what is shown of a dry run, and the key
//! that makes a request sent again the same request.

use std::sync::Arc;

use axum::{
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use serde_json::{Value, json};

use super::{
    error::{Error, json_answer},
    params::{self, Params},
};
use crate::{
    app::{
        self, App,
        ingest::{Batch, How, Taken},
    },
    engine::{
        attack,
        auth::{Permission, Principal, digest},
        pipeline::{Client, Passed},
        record::{model::SourceType, normalise::Raw, rejection::Rejection, timestamp::Timestamp},
        shard::RequestKey,
    },
};

/// What is shown of records is held as trees, which take many times their text.
const MAX_DRY_BYTES: usize = 1 << 20;

/// Records as they are read, whichever way they came: ingest is made once for all of them.
pub(super) type Records<'a> = Box<dyn Iterator<Item = Result<Raw<'a>, Rejection>> + Send + 'a>;

/// Stores what is good of the records.
pub(super) async fn take(
    app: &App,
    who: &Principal,
    records: Records<'_>,
    key: Option<RequestKey>,
    asked: &Asked,
) -> Result<Taken, Error> {
    let batch = Batch { records, key, how: asked.how(who) };
    app::ingest::ingest(app, who.tenant(), batch).await.map_err(|error| Error::of(app, error))
}

/// What would be stored: 200 `{"accepted","rejected","logs"}`, `logs` in the order of the records that would be.
pub(super) async fn dry_run(
    app: &App,
    who: &Principal,
    records: Records<'_>,
    asked: &Asked,
) -> Result<Response, Error> {
    let batch = Batch { records, key: None, how: asked.how(who) };
    let all = app::ingest::dry_run(app, who.tenant(), batch).await.map_err(|error| Error::of(app, error))?;
    let (mut logs, mut refused, mut dropped) = (Vec::new(), Vec::new(), 0);
    for (index, one) in all.into_iter().enumerate() {
        match (one.record, one.passed) {
            (Ok(row), Some(passed)) => {
                dropped += usize::from(passed.dropped);
                logs.push(dry(&row, &passed, &one.retention_class));
            }
            (Err(why), _) => refused.push(rejected(index, &why)),
            (Ok(_), None) => {}
        }
    }
    let mut body =
        json!({ "accepted": logs.len() - dropped, "rejected": refused, "logs": logs, "dry_run": true });
    if let (Some(body), true) = (body.as_object_mut(), dropped > 0) {
        body.insert("dropped".into(), dropped.into());
    }
    Ok(json_answer(StatusCode::OK, &body))
}

/// A record as it would be stored, and what was done to it.
fn dry(row: &[u8], passed: &Passed, class: &str) -> Value {
    let mut log: Value = serde_json::from_slice(row).unwrap_or_default();
    let triage: Vec<Value> = passed
        .fired
        .iter()
        .map(|fired| json!({ "rule": fired.rule, "action": fired.action.name() }))
        .collect();
    if let Some(log) = log.as_object_mut() {
        log.entry("tags").or_insert_with(|| json!([]));
        log.insert("redactions".into(), json!(passed.redactions));
        let attack = |rule: &&attack::Rule| json!({ "rule": rule.id, "tag": rule.tag, "severity": rule.severity, "reason": rule.reason });
        log.insert("attacks".into(), passed.attacks.iter().map(attack).collect());
        log.insert("triage".into(), triage.into());
        log.insert("retention_class".into(), class.into());
        if passed.dropped {
            log.insert("dropped".into(), true.into());
        }
    }
    log
}

pub(super) fn rejected(index: usize, why: &Rejection) -> Value {
    json!({ "index": index, "code": why.code, "field": why.field, "message": why.message })
}

/// What is asked of an ingest besides its records.
pub(super) struct Asked {
    /// Nothing is stored.
    pub(super) dry_run: bool,
    pub(super) redact: bool,
    client: Option<Arc<Client>>,
}

impl Asked {
    /// `?dry_run=true` and `?redact=false`; the second is for those who may change what is redacted.
    pub(super) fn of(parts: &Parts, who: &Principal) -> Result<Self, Error> {
        let mut params = Params::read(&parts.uri, Timestamp::EPOCH)?;
        let dry_run = params.take_switch("dry_run")?.unwrap_or(false);
        let redact = params.take_switch("redact")?.unwrap_or(true);
        params.finish()?;
        Self::allowed(parts, who, dry_run, redact)
    }

    /// The same of a protocol whose clients have parameters of their own.
    pub(super) fn of_push(parts: &Parts, who: &Principal) -> Result<Self, Error> {
        let pairs = params::pairs(&parts.uri)?;
        let switch = |name: &'static str, default: bool| {
            let sent = pairs.iter().find(|(sent, value)| sent == name && !value.is_empty());
            sent.map_or(Ok(default), |(_, value)| params::switch(name, value))
        };
        Self::allowed(parts, who, switch("dry_run", false)?, switch("redact", true)?)
    }

    fn allowed(parts: &Parts, who: &Principal, dry_run: bool, redact: bool) -> Result<Self, Error> {
        let may = who.may(Permission::WriteConfig) && who.services().is_none();
        if !redact && !may {
            return Err(Error::not_allowed(Permission::WriteConfig, &who.identity().role));
        }
        Ok(Self { dry_run, redact, client: parts.extensions.get::<Arc<Client>>().cloned() })
    }

    /// How long a body may be that may else be so long.
    pub(super) fn most_bytes(&self, max: usize) -> usize {
        if self.dry_run { MAX_DRY_BYTES } else { max }
    }

    fn how<'a>(&'a self, who: &'a Principal) -> How<'a> {
        How {
            services: who.services(),
            client: self.client.as_deref(),
            redact: self.redact,
            ..How::of(SourceType::Http)
        }
    }
}

/// The `Idempotency-Key` header with what it is for.
pub(super) fn request_key(headers: &HeaderMap, body: &[u8]) -> Result<Option<RequestKey>, Error> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.as_bytes();
    if !(1..=255).contains(&key.len()) || !key.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        let expected = "expected 1 to 255 visible ASCII characters";
        return Err(Error::invalid("invalid_header", "Idempotency-Key", expected));
    }
    Ok(Some(RequestKey { key: digest(key), body: digest(body) }))
}
