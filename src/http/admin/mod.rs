//! Administration: tenants and their domains, keys, roles, and the audit stream.

pub(super) mod audit;
pub(super) mod domains;
pub(super) mod keys;
pub(super) mod roles;

use axum::extract::Request;
use serde_json::{Map, Value};

use super::{body, error::Error, params};

/// More than any of these requests needs.
const MAX_BYTES: usize = 64 << 10;

/// The body of a request, which is one JSON object.
async fn object(request: Request) -> Result<Map<String, Value>, Error> {
    let (parts, body) = request.into_parts();
    params::none(&parts.uri)?;
    let (_, bytes) = body::read(&parts.headers, body, MAX_BYTES).await?;
    if bytes.is_empty() {
        return Ok(Map::new());
    }
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::invalid("invalid_body", "body", format!("expected a JSON object: {error}")))
}

/// A field that has to be there, and to be text.
fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String, Error> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Error::invalid("invalid_value", name, format!("expected a text, got {other}"))),
        None => Err(Error::invalid("missing_field", name, "it is missing")),
    }
}
