//! Logs in: one record, or a batch.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

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
        wire::batch::{parse_batch, parse_one},
    },
    http::{
        body,
        error::{Error, json_answer},
        gate::About,
        params::Params,
        request_id::RequestId,
    },
};

/// A record is at most 256 KB; the rest is room for white space.
const MAX_ONE_BYTES: usize = 512 << 10;

const MAX_BATCH_BYTES: usize = 10 << 20;

/// What is shown of records is held as trees, which take many times their text.
const MAX_DRY_BYTES: usize = 1 << 20;

/// Records of one batch request.
const MAX_BATCH_RECORDS: usize = 1_000;

/// Takes one record: 201 `{"id","accepted":1}`.
pub(in crate::http) async fn one(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts, &who)?;
    let (_, bytes) = body::read(&parts.headers, body, MAX_ONE_BYTES).await?;
    let key = request_key(&parts.headers, &bytes)?;
    let record = parse_one(&bytes)?;
    if !asked.redact {
        about.unredacted(&app, &who);
    }
    if asked.dry_run {
        return dry_run(&app, &who, [Ok(record)], &asked).await;
    }
    let taken = take(&app, &who, [Ok(record)], key, &asked).await?;
    if !taken.dropped.is_empty() {
        return Ok(json_answer(StatusCode::OK, &json!({ "accepted": 0, "dropped": 1 })));
    }
    let over_quota_s = taken.over_quota_s;
    match (taken.ids.first(), taken.rejected.into_iter().next()) {
        (None, Some((_, rejection))) if over_quota_s.is_some() => {
            about.over_quota(&app, &who, StatusCode::TOO_MANY_REQUESTS);
            Ok(retry_after(Error::over_quota(rejection).into_response(), over_quota_s))
        }
        (Some(id), _) => Ok(json_answer(StatusCode::CREATED, &json!({ "id": id, "accepted": 1 }))),
        (None, Some((_, rejection))) => Err(Error::of(&app, rejection.into())),
        (None, None) => Ok(json_answer(StatusCode::OK, &json!({ "accepted": 0 }))),
    }
}

/// Takes up to 1,000 records: 200 `{"accepted","ids","rejected"}`, 400 with the same when none is good, and 429 with an
/// error beside it when there is no room for any.
pub(in crate::http) async fn batch(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts, &who)?;
    let most = if asked.dry_run { MAX_DRY_BYTES } else { MAX_BATCH_BYTES };
    let (format, bytes) = body::read(&parts.headers, body, most).await?;
    let key = request_key(&parts.headers, &bytes)?;
    let records = parse_batch(&bytes, format, MAX_BATCH_RECORDS)?;
    if !asked.redact {
        about.unredacted(&app, &who);
    }
    if asked.dry_run {
        return dry_run(&app, &who, records, &asked).await;
    }
    let taken = take(&app, &who, records, key, &asked).await?;
    let status = match (taken.ids.is_empty() && taken.dropped.is_empty(), taken.over_quota_s) {
        (false, _) => StatusCode::OK,
        (true, None) => StatusCode::BAD_REQUEST,
        (true, Some(_)) => StatusCode::TOO_MANY_REQUESTS,
    };
    let rejected: Vec<_> = taken.rejected.iter().map(|(index, why)| rejected(*index, why)).collect();
    let mut body = json!({ "accepted": taken.ids.len(), "ids": taken.ids, "rejected": rejected });
    if let (Some(body), false) = (body.as_object_mut(), taken.dropped.is_empty()) {
        body.insert("dropped".into(), taken.dropped.len().into());
    }
    if taken.over_quota_s.is_none() {
        return Ok(json_answer(status, &body));
    }
    about.over_quota(&app, &who, status);
    if status == StatusCode::OK {
        return Ok(json_answer(status, &body));
    }
    let over = taken.rejected.into_iter().find(|(_, why)| why.code == Rejection::QUOTA_EXCEEDED);
    if let (Some((_, rejection)), Some(body)) = (over, body.as_object_mut()) {
        body.insert("error".into(), Error::over_quota(rejection).to_json(&id.0));
    }
    Ok(retry_after(json_answer(status, &body), taken.over_quota_s))
}

fn retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

async fn take(
    app: &App,
    who: &Principal,
    records: impl IntoIterator<Item = Result<Raw<'_>, Rejection>>,
    key: Option<RequestKey>,
    asked: &Asked,
) -> Result<Taken, Error> {
    let batch = Batch { records, key, how: asked.how(who) };
    app::ingest::ingest(app, who.tenant(), batch).await.map_err(|error| Error::of(app, error))
}

/// What would be stored: 200 `{"accepted","rejected","logs"}`, `logs` in the order of the records that would be.
async fn dry_run(
    app: &App,
    who: &Principal,
    records: impl IntoIterator<Item = Result<Raw<'_>, Rejection>>,
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

fn rejected(index: usize, why: &Rejection) -> Value {
    json!({ "index": index, "code": why.code, "field": why.field, "message": why.message })
}

/// What is asked of an ingest besides its records.
struct Asked {
    /// Nothing is stored.
    dry_run: bool,
    redact: bool,
    client: Option<Arc<Client>>,
}

impl Asked {
    /// `?dry_run=true` and `?redact=false`; the second is for those who may change what is redacted.
    fn of(parts: &Parts, who: &Principal) -> Result<Self, Error> {
        let mut params = Params::read(&parts.uri, Timestamp::EPOCH)?;
        let dry_run = params.take_switch("dry_run")?.unwrap_or(false);
        let redact = params.take_switch("redact")?.unwrap_or(true);
        params.finish()?;
        let may = who.may(Permission::WriteConfig) && who.services().is_none();
        if !redact && !may {
            return Err(Error::not_allowed(Permission::WriteConfig, &who.identity().role));
        }
        Ok(Self { dry_run, redact, client: parts.extensions.get::<Arc<Client>>().cloned() })
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
fn request_key(headers: &HeaderMap, body: &[u8]) -> Result<Option<RequestKey>, Error> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.as_bytes();
    if !(1..=255).contains(&key.len()) || !key.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        let expected = "expected 1 to 255 visible ASCII characters";
        return Err(Error::invalid("invalid_header", "Idempotency-Key", expected));
    }
    Ok(Some(RequestKey { key: digest(key), body: digest(body) }))
}
