//! Every error that leaves the service: its status, its code, its words.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    app::{self, App},
    engine::{
        auth::{Permission, jwt::Refused},
        record::rejection::Rejection,
        wire::{batch::ParseError, body::BodyError},
    },
};

/// An answer that is `{"error":{"code","message","details","request_id"}}`.
#[derive(Clone, Debug)]
pub(super) struct Error {
    status: StatusCode,
    code: &'static str,
    message: std::borrow::Cow<'static, str>,
    field: Option<String>,
    /// At which byte of the field.
    position: Option<usize>,
}

impl Error {
    pub(super) const NO_ROUTE: Self =
        Self::fixed(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path");
    pub(super) const METHOD_NOT_ALLOWED: Self = Self::fixed(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path does not take this method",
    );
    pub(super) const NO_KEY: Self = Self::fixed(
        StatusCode::UNAUTHORIZED,
        "unauthorized",
        "expected a key in the header `Authorization: Bearer KEY` or `X-API-Key: KEY`, got none",
    );
    pub(super) const WRONG_KEY: Self =
        Self::fixed(StatusCode::FORBIDDEN, "forbidden", "this key is not valid here");
    pub(super) const RATE_LIMITED: Self = Self::fixed(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        "there were too many requests in this window of time; the header Retry-After says when to go on",
    );
    pub(super) const OTHER_HOST: Self =
        Self::fixed(StatusCode::FORBIDDEN, "wrong_host", "this host is another tenant's than the key's");
    pub(super) const WRONG_ADDRESS: Self =
        Self::fixed(StatusCode::FORBIDDEN, "wrong_address", "this key may not be used from this address");
    pub(super) const OTHER_SERVICE: Self =
        Self::fixed(StatusCode::FORBIDDEN, "service_not_allowed", "this key is not for this service");
    pub(super) const OTHER_ORIGIN: Self = Self::fixed(
        StatusCode::FORBIDDEN,
        "origin_not_allowed",
        "the tenant's allowedOrigins do not have this origin",
    );
    pub(super) const OTHER_ORG: Self = Self::fixed(
        StatusCode::FORBIDDEN,
        "wrong_tenant",
        "X-Scope-OrgID names another tenant than the key's",
    );
    pub(super) const NO_OTLP: Self = Self::fixed(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_content_type",
        "expected content-type application/x-protobuf or application/json",
    );
    pub(super) const NOT_LOGS: Self = Self::fixed(
        StatusCode::NOT_IMPLEMENTED,
        "not_implemented",
        "this service takes logs alone, at /v1/logs",
    );
    pub(super) const NO_WEBSOCKET: Self = Self::fixed(
        StatusCode::UPGRADE_REQUIRED,
        "upgrade_required",
        "expected a WebSocket, with the header `Upgrade: websocket`",
    );
    pub(super) const TOO_MANY_TAILS: Self = Self::fixed(
        StatusCode::TOO_MANY_REQUESTS,
        "too_many_tails",
        "as many queries are tailed here as can be; try again later",
    );
    pub(super) const ANALYTICS_OFF: Self =
        Self::fixed(StatusCode::FORBIDDEN, "analytics_disabled", "the tenant has switched analytics off");
    pub(super) const NO_KEY_SET: Self = Self::fixed(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_configured",
        "the secret LOG_SERVICE_API_KEY is not set: run `wrangler secret put LOG_SERVICE_API_KEY`",
    );

    const fn fixed(status: StatusCode, code: &'static str, message: &'static str) -> Self {
        Self { status, code, message: std::borrow::Cow::Borrowed(message), field: None, position: None }
    }

    pub(super) fn bad_token(refused: &Refused) -> Self {
        let message = format!("the token is not valid: {refused}");
        Self { message: message.into(), code: "invalid_token", ..Self::NO_KEY }
    }

    pub(super) fn not_allowed(need: Permission, role: &str) -> Self {
        let message = format!(
            "this needs the permission {}, which this key of the role {role:?} has not",
            need.as_str()
        );
        Self {
            status: StatusCode::FORBIDDEN,
            code: "not_allowed",
            message: message.into(),
            field: None,
            position: None,
        }
    }

    /// A request of more than is taken at once.
    pub(super) fn too_large(message: String) -> Self {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self { status, code: "body_too_large", message: message.into(), field: None, position: None }
    }

    /// A request that can be read and says nothing.
    pub(super) fn unprocessable(code: &'static str, message: String) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { status, code, message: message.into(), field: None, position: None }
    }

    /// A record that is over a daily quota.
    pub(super) fn over_quota(rejection: Rejection) -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            code: rejection.code,
            message: rejection.message.into(),
            field: rejection.field,
            position: None,
        }
    }

    /// What is wrong with a request, in words that are whole.
    pub(super) fn said(code: &'static str, message: impl Into<String>) -> Self {
        let status = StatusCode::BAD_REQUEST;
        Self { status, code, message: message.into().into(), field: None, position: None }
    }

    /// What was wrong in one line, with the field that was.
    pub(super) fn told(&self) -> String {
        match &self.field {
            Some(field) => format!("{field}: {}", self.message),
            None => self.message.to_string(),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn code(&self) -> &'static str {
        self.code
    }

    pub(super) fn invalid(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        let field = Some(field.to_owned());
        Self { status: StatusCode::BAD_REQUEST, code, message: message.into().into(), field, position: None }
    }

    /// The same, at a byte of the field.
    pub(super) fn at(self, position: usize) -> Self {
        Self { position: Some(position), ..self }
    }

    /// What a use case ended with. What is not the caller's doing is logged here, and only here.
    pub(super) fn of(app: &App, error: app::Error) -> Self {
        let status = match &error {
            app::Error::Invalid { .. } => StatusCode::BAD_REQUEST,
            app::Error::NotFound(_) => StatusCode::NOT_FOUND,
            app::Error::Denied { .. } => StatusCode::FORBIDDEN,
            app::Error::Conflict { .. } => StatusCode::CONFLICT,
            app::Error::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            app::Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            app::Error::Corrupt(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let message = error.to_string();
        match error {
            app::Error::Invalid { code, field, message } => {
                Self { status, code, message: message.into(), field, position: None }
            }
            app::Error::Denied { code, .. } => {
                Self { status, code, message: message.into(), field: None, position: None }
            }
            app::Error::Conflict { code, field, .. } => {
                Self { status, code, message: message.into(), field: Some(field), position: None }
            }
            app::Error::NotFound(_) => {
                Self { status, code: "not_found", message: message.into(), field: None, position: None }
            }
            app::Error::KeyReused => {
                let field = Some("Idempotency-Key".to_owned());
                Self {
                    status,
                    code: "idempotency_key_reused",
                    message: message.into(),
                    field,
                    position: None,
                }
            }
            app::Error::Unavailable(_) => {
                app.journal.error(&message);
                Self::fixed(status, "unavailable", "a part of the service cannot be reached; try again")
            }
            app::Error::Corrupt(_) => {
                app.journal.error(&message);
                Self::fixed(status, "corrupt", "stored data could not be read; it has been logged")
            }
        }
    }

    /// What the router refused by itself, in words of its own: a path that is not text.
    pub(super) fn of_the_router(response: &Response) -> Option<Self> {
        let json =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        let refused = response.status().is_client_error() && !json;
        refused.then(|| Self::fixed(response.status(), "invalid_request", "the request cannot be read"))
    }

    /// What there is to say where no response can be made any more.
    pub(super) fn brief(&self) -> Value {
        json!({ "code": self.code, "message": self.message })
    }

    /// As it stands in a body.
    pub(super) fn to_json(&self, request_id: &str) -> Value {
        let details = match (&self.field, self.position) {
            (None, _) => Value::Null,
            (Some(field), None) => json!({ "field": field }),
            (Some(field), Some(position)) => json!({ "field": field, "position": position }),
        };
        json!({ "code": self.code, "message": self.message, "details": details, "request_id": request_id })
    }

    /// The whole response.
    pub(super) fn into_answer(self, request_id: &str) -> Response {
        let mut response = json_answer(self.status, &json!({ "error": self.to_json(request_id) }));
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

/// The body is made by the outermost layer, which knows the request's id.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

impl From<BodyError> for Error {
    fn from(error: BodyError) -> Self {
        let (status, field) = match &error {
            BodyError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, None),
            BodyError::Malformed { .. } => (StatusCode::BAD_REQUEST, Some("content-encoding")),
            BodyError::UnsupportedEncoding { .. } => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, Some("content-encoding"))
            }
            BodyError::UnsupportedType { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Some("content-type")),
        };
        let message = error.to_string().into();
        Self { status, code: error.code(), message, field: field.map(str::to_owned), position: None }
    }
}

impl From<ParseError> for Error {
    fn from(error: ParseError) -> Self {
        let status = match &error {
            ParseError::TooMany { .. } | ParseError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            _ => StatusCode::BAD_REQUEST,
        };
        let field = error.field().map(str::to_owned);
        Self { status, code: error.code(), message: error.to_string().into(), field, position: None }
    }
}

/// A JSON response.
pub(super) fn json_answer(status: StatusCode, body: &impl Serialize) -> Response {
    // Answers have nothing in them that cannot be written.
    let mut text = serde_json::to_vec(body).unwrap_or_default();
    // For terminals.
    text.push(b'\n');
    json_text(status, text)
}

/// The same of JSON that is written already.
pub(super) fn json_text(status: StatusCode, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
