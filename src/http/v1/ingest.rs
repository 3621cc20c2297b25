//! Logs in: one record, or a batch.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    app::App,
    engine::{
        auth::Principal,
        record::{normalise::Raw, rejection::Rejection},
        wire::batch::{parse_batch, parse_one},
    },
    http::{
        body,
        error::{Error, json_answer},
        gate::About,
        request_id::RequestId,
        taking::{Asked, Records, dry_run, rejected, request_key, take},
    },
};

/// A record is at most 256 KB; the rest is room for white space.
const MAX_ONE_BYTES: usize = 512 << 10;

const MAX_BATCH_BYTES: usize = 10 << 20;

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
        return dry_run(&app, &who, one_of(record), &asked).await;
    }
    let taken = take(&app, &who, one_of(record), key, &asked).await?;
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
    let (format, bytes) = body::read(&parts.headers, body, asked.most_bytes(MAX_BATCH_BYTES)).await?;
    let key = request_key(&parts.headers, &bytes)?;
    let records = parse_batch(&bytes, format, MAX_BATCH_RECORDS)?;
    if !asked.redact {
        about.unredacted(&app, &who);
    }
    if asked.dry_run {
        return dry_run(&app, &who, Box::new(records.into_iter()), &asked).await;
    }
    let taken = take(&app, &who, Box::new(records.into_iter()), key, &asked).await?;
    let status = match (taken.ids.is_empty() && taken.dropped.is_empty(), taken.over_quota_s) {
        (false, _) => StatusCode::OK,
        (true, None) => StatusCode::BAD_REQUEST,
        (true, Some(_)) => StatusCode::TOO_MANY_REQUESTS,
    };
    let rejected: Vec<_> = taken.rejected.iter().map(|(index, why)| rejected(*index, why)).collect();
    let mut body = Told {
        accepted: taken.ids.len(),
        ids: &taken.ids,
        rejected,
        dropped: Some(taken.dropped.len()).filter(|dropped| *dropped > 0),
        error: None,
    };
    if taken.over_quota_s.is_none() {
        return Ok(json_answer(status, &body));
    }
    about.over_quota(&app, &who, status);
    if status == StatusCode::OK {
        return Ok(json_answer(status, &body));
    }
    let over = taken.rejected.into_iter().find(|(_, why)| why.code == Rejection::QUOTA_EXCEEDED);
    body.error = over.map(|(_, rejection)| Error::over_quota(rejection).to_json(&id.0));
    Ok(retry_after(json_answer(status, &body), taken.over_quota_s))
}

/// What became of a batch.
#[derive(Serialize)]
struct Told<'a> {
    accepted: usize,
    ids: &'a [Uuid],
    rejected: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Value>,
}

fn retry_after(mut response: Response, seconds: Option<u64>) -> Response {
    if let Some(seconds) = seconds {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn one_of(record: Raw<'_>) -> Records<'_> {
    Box::new(std::iter::once(Ok(record)))
}
