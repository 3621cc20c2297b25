//! How a request is refused in the words of its protocol, wherever that is decided: by the router, the gate or a handler.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde_json::json;

use super::answer;
use crate::{
    engine::wire::{
        elastic,
        otlp::{self, Encoding},
        splunk::Answer,
    },
    http::error::{Error, json_text},
};

/// An answer that has its words already.
#[derive(Clone, Copy)]
pub(in crate::http) struct Own;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http) enum Dialect {
    Loki,
    Otlp(Encoding),
    Elastic,
    Splunk,
}

impl Dialect {
    /// The protocol that is spoken at a path; nothing at those of the service itself.
    pub(in crate::http) fn of(path: &str, headers: &HeaderMap) -> Option<Self> {
        let is = |prefix: &str| path.starts_with(prefix);
        if is("/v1/") || is("/otlp/v1/") {
            let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            return Some(Self::Otlp(encoding(kind.unwrap_or_default()).unwrap_or(Encoding::Json)));
        }
        if is("/loki/") || is("/prometheus/") || is("/config/") {
            return Some(Self::Loki);
        }
        if is("/services/collector") {
            return Some(Self::Splunk);
        }
        (is("/_") || is("/elastic") || path == "/" || path.ends_with("/_bulk")).then_some(Self::Elastic)
    }

    pub(in crate::http) fn refuse(self, error: &Error) -> Response {
        let (status, text) = (error.status(), error.told());
        let mut response = match self {
            Self::Loki => answer(status, "text/plain; charset=utf-8", format!("{text}\n")),
            Self::Otlp(encoding) => {
                // A client sends again after these alone: nothing else of ours may be told as one of them, and what could go
                // well later has to be.
                let status = if status == StatusCode::INTERNAL_SERVER_ERROR {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    status
                };
                answer(status, media_type(encoding), otlp::status(encoding, rpc_code(status), &text))
            }
            Self::Elastic => {
                let kind = match status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => "security_exception",
                    StatusCode::TOO_MANY_REQUESTS => "es_rejected_execution_exception",
                    status if status.is_server_error() => "unavailable_shards_exception",
                    _ => "illegal_argument_exception",
                };
                found_by_clients(json_text(
                    status,
                    elastic::error_body(status.as_u16(), kind, &text).to_string(),
                ))
            }
            Self::Splunk => {
                // A collector comes again after this one alone.
                let status = if status == StatusCode::TOO_MANY_REQUESTS {
                    StatusCode::SERVICE_UNAVAILABLE
                } else {
                    status
                };
                let code = match status {
                    StatusCode::UNAUTHORIZED => Answer::TOKEN_REQUIRED.code,
                    StatusCode::FORBIDDEN => Answer::INVALID_TOKEN.code,
                    status if status.is_client_error() => Answer::INVALID_FORMAT.code,
                    _ => Answer::BUSY.code,
                };
                json_text(status, json!({ "text": text, "code": code }).to_string())
            }
        };
        if status == StatusCode::UNAUTHORIZED {
            let scheme = if self == Self::Elastic { "Basic realm=\"timberline\"" } else { "Bearer" };
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(scheme));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response.extensions_mut().insert(Own);
        response
    }
}

/// Elasticsearch's clients look for this, and speak to nobody else.
pub(super) fn found_by_clients(mut response: Response) -> Response {
    response.headers_mut().insert("x-elastic-product", HeaderValue::from_static("Elasticsearch"));
    response
}

/// How an OTLP body is written, by its content type.
pub(super) fn encoding(content_type: &str) -> Option<Encoding> {
    match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/json" => Some(Encoding::Json),
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        _ => None,
    }
}

pub(super) const fn media_type(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Json => "application/json",
        Encoding::Protobuf => "application/x-protobuf",
    }
}

/// The code of `google.rpc.Code` for a status.
fn rpc_code(status: StatusCode) -> i32 {
    match status.as_u16() {
        400 | 413 | 415 | 422 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        429 => 8,
        405 | 501 => 12,
        503 => 14,
        _ => 2,
    }
}
