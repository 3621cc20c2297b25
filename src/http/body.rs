//! Request bodies: refused by their declared length or type before they are read, bounded while they
//! are read, bounded again while they inflate.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::error::Error;
use crate::engine::wire::body::{BodyError, Format, format_of, inflate};

/// Reads a body of at most `limit` bytes, on the wire and inflated.
pub(super) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<(Format, Bytes), Error> {
    let format = format_of(text(headers, &header::CONTENT_TYPE)?)?;
    Ok((format, read_any(headers, body, limit).await?))
}

/// The same of a body of any type.
pub(super) async fn read_any(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Error> {
    let encoding = text(headers, &header::CONTENT_ENCODING)?;
    let declared = text(headers, &header::CONTENT_LENGTH)?.and_then(|length| length.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(BodyError::TooLarge { limit }.into());
    }
    let read = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return BodyError::TooLarge { limit }.into();
        }
        Error::invalid("body_unreadable", "body", "the body ended before it was whole")
    })?;
    let bytes = read.to_bytes();
    let inflated = match inflate(encoding, &bytes, limit)? {
        std::borrow::Cow::Borrowed(_) => None,
        std::borrow::Cow::Owned(inflated) => Some(inflated),
    };
    Ok(inflated.map_or(bytes, Bytes::from))
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Error> {
    headers
        .get(name)
        .map(|value| {
            let reason = "expected visible ASCII characters";
            value.to_str().map_err(|_| Error::invalid("invalid_header", name.as_str(), reason))
        })
        .transpose()
}
