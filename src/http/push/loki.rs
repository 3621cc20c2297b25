//! Loki's push. A client drops what was answered with 400 and sends again what was answered with 429 or 5xx: so the good lines
//! of a request are kept, whatever is said of the others.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Became, By, MAX_BYTES, MAX_RECORDS, Sent, answer, check_repeated, no_room, too_large};
use crate::{
    app::App,
    engine::{auth::Principal, wire::loki},
    http::{error::Error, gate::About},
};

const ORG: HeaderName = HeaderName::from_static("x-scope-orgid");

const TEXT: &str = "text/plain; charset=utf-8";

/// Takes streams of lines: 204.
pub(in crate::http) async fn push(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Extension(about): Extension<Arc<About>>,
    mut request: Request,
) -> Result<Response, Error> {
    // Some say so of the body that is a snappy block anyway.
    if request.headers().get(header::CONTENT_ENCODING).is_some_and(|sent| sent == "snappy") {
        request.headers_mut().remove(header::CONTENT_ENCODING);
    }
    let sent = Sent::read(request, &who).await?;
    check_org(&sent, &who)?;
    let by = By { app: &app, who: &who, about: &about };
    let plain;
    let entries = if sent.content_type() == "application/json" {
        loki::decode_json(&sent.body, MAX_RECORDS)
    } else {
        plain = loki::decompress(&sent.body, sent.asked.most_bytes(MAX_BYTES)).map_err(refused)?;
        loki::decode_protobuf(&plain, MAX_RECORDS)
    };
    let entries = entries.map_err(refused)?;
    check_repeated(entries.repeated_bytes())?;
    let records = Box::new(entries);
    let mut taken = match by.take(&sent, "loki", records).await? {
        Became::Shown(shown) => return Ok(shown),
        Became::Taken(taken) => taken,
    };
    if let Some(refused) = no_room(&mut taken) {
        return Ok(refused);
    }
    if taken.rejected.is_empty() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(answer(StatusCode::BAD_REQUEST, TEXT, loki::reasons(&taken.rejected)))
}

/// Promtail, Vector and others ask this before they send.
pub(in crate::http) async fn ready() -> Response {
    answer(StatusCode::OK, TEXT, "ready\n")
}

/// A tenant that is named must be the key's own.
pub(super) fn check_org(sent: &Sent, who: &Principal) -> Result<(), Error> {
    match sent.header(&ORG) {
        Some(named) if named != who.tenant().as_str() => Err(Error::OTHER_ORG),
        _ => Ok(()),
    }
}

fn refused(error: loki::ParseError) -> Error {
    match error {
        loki::ParseError::TooLarge { .. } | loki::ParseError::TooMany { .. } => too_large(&error),
        // What Loki says of a push of nothing.
        loki::ParseError::NoStreams => Error::unprocessable("empty_push", error.to_string()),
        error => Error::invalid("malformed_push", "body", error.to_string()),
    }
}
