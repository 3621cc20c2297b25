//! Administration: tenants and their domains, keys, roles, and the audit stream.

pub(super) mod audit;
pub(super) mod domains;
pub(super) mod events;
pub(super) mod keys;
pub(super) mod pipeline;
pub(super) mod redaction;
pub(super) mod retention;
pub(super) mod roles;
pub(super) mod rules;

use axum::{extract::Request, http::Uri};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{body, error::Error, params};
use crate::{
    app::{App, pipelines},
    engine::{auth::Principal, pipeline::Settings},
};

/// More than any of these requests needs.
const MAX_BYTES: usize = 256 << 10;

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

/// What is the whole tenant's is nothing for a key of some services.
pub(in crate::http) fn check_whole(who: &Principal) -> Result<(), Error> {
    if who.services().is_none() { Ok(()) } else { Err(Error::OTHER_SERVICE) }
}

/// What a tenant's logs pass, as it is stored.
async fn settings(app: &App, who: &Principal, uri: &Uri) -> Result<Settings, Error> {
    check_whole(who)?;
    params::none(uri)?;
    pipelines::stored(app, who.tenant()).await.map_err(|error| Error::of(app, error))
}

/// Sets a part of it to the body of a request; what it is then.
async fn set<T: DeserializeOwned + Clone>(
    app: &App,
    who: &Principal,
    what: &str,
    request: Request,
    part: impl Fn(&mut Settings) -> &mut T,
) -> Result<Settings, Error> {
    check_whole(who)?;
    let said: T = read(what, request).await?;
    let change = |settings: &mut Settings| {
        *part(settings) = said.clone();
        Ok(())
    };
    pipelines::change(app, who.tenant(), change).await.map_err(|error| Error::of(app, error))
}

/// The body of a request as what it has to be.
pub(in crate::http) async fn read<T: DeserializeOwned>(what: &str, request: Request) -> Result<T, Error> {
    typed(what, object(request).await?.into())
}

/// A value as what it has to be; the error names the field.
fn typed<T: DeserializeOwned>(what: &str, value: Value) -> Result<T, Error> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        // A name that is not known stands as a question mark.
        let path = error.path().to_string().trim_end_matches(".?").to_owned();
        let message = error.into_inner().to_string();
        let quoted = |prefix| message.strip_prefix(prefix).and_then(|rest: &str| rest.split_once('`'));
        let (code, name) = if let Some((name, _)) = quoted("unknown field `") {
            ("unknown_field", Some(name))
        } else if let Some((name, _)) = quoted("missing field `") {
            ("missing_field", Some(name))
        } else {
            ("invalid_value", None)
        };
        // A path may end with the field already.
        let field = match (path.as_str(), name) {
            (".", Some(name)) => name.to_owned(),
            (".", None) => what.to_owned(),
            (path, Some(name)) if path.rsplit('.').next() != Some(name) => format!("{path}.{name}"),
            (path, _) => path.to_owned(),
        };
        Error::invalid(code, &field, message)
    })
}

/// A field that has to be there, and to be text.
fn text(fields: &mut Map<String, Value>, name: &str) -> Result<String, Error> {
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(Error::invalid("invalid_value", name, format!("expected a text, got {other}"))),
        None => Err(Error::invalid("missing_field", name, "it is missing")),
    }
}
