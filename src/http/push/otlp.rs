//! OpenTelemetry's protocol over HTTP. A client sends again after 429, 502, 503 and 504, and never after anything else.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, header},
    response::Response,
};

use super::{
    Became, By, MAX_RECORDS, Sent, answer, check_repeated, dialect, loki::check_org, no_room, too_large,
};
use crate::{
    app::App,
    engine::{auth::Principal, wire::otlp},
    http::{error::Error, gate::About},
};

/// Takes log records: 200 with what was rejected.
pub(in crate::http) async fn logs(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    request: Request,
) -> Result<Response, Error> {
    let sent = Sent::read(request, &who).await?;
    check_org(&sent, &who)?;
    let sent_type = sent.header(&header::CONTENT_TYPE).unwrap_or_default();
    let encoding = dialect::encoding(sent_type).ok_or(Error::NO_OTLP)?;
    let by = By { app: &app, who: &who, about: &about };
    let records = otlp::decode(&sent.body, encoding, MAX_RECORDS).map_err(|error| match error {
        otlp::ParseError::TooMany { .. } => too_large(&error),
        error => Error::invalid("malformed_request", "body", error.to_string()),
    })?;
    check_repeated(records.repeated_bytes())?;
    let mut taken = match by.take(&sent, "otlp", Box::new(records)).await? {
        Became::Shown(shown) => return Ok(shown),
        Became::Taken(taken) => taken,
    };
    if let Some(refused) = no_room(&mut taken) {
        return Ok(refused);
    }
    let why = taken.rejected.first().map(|(index, why)| format!("record {index}: {why}"));
    let body = otlp::success(encoding, taken.rejected.len() as u64, &why.unwrap_or_default());
    Ok(answer(StatusCode::OK, dialect::media_type(encoding), body))
}

/// Traces and metrics are no logs: 501, which no client sends again.
pub(in crate::http) async fn not_logs() -> Error {
    Error::NOT_LOGS
}
