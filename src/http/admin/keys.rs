//! API keys. A key is shown once, by the answer that makes it.

use axum::{
    Extension,
    extract::{Path, Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    app::{App, accounts},
    engine::{
        account::{Key, NewKey},
        auth::{ApiKey, Permission, Principal},
        record::timestamp::Timestamp,
    },
    http::{
        error::{Error, json_answer},
        params,
    },
    ports::accounts::KeyUse,
};

/// What a key that is asked for may have.
const FIELDS: [&str; 6] = ["name", "role", "services", "expires_at", "allowed_ips", "rate_limit"];

/// Makes a key: `{"name","role","services"?,"expires_at"?,"allowed_ips"?,"rate_limit"?,"tenantId"?}`.
pub(in crate::http) async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    let mut fields = super::object(request).await?;
    let tenant = match fields.remove("tenantId") {
        None => who.tenant().to_string(),
        Some(Value::String(name)) if name == who.tenant().as_str() => name,
        Some(Value::String(_)) if !who.may(Permission::ManageTenants) => {
            return Err(Error::not_allowed(Permission::ManageTenants, &who.identity().role));
        }
        Some(Value::String(name)) => name,
        Some(other) => {
            return Err(Error::invalid("invalid_value", "tenantId", format!("expected a text, got {other}")));
        }
    };
    for name in ["name", "role"] {
        if !fields.contains_key(name) {
            return Err(Error::invalid("missing_field", name, "it is missing"));
        }
    }
    if let Some(name) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        let message = format!("there is no such field; there are {}, tenantId", FIELDS.join(", "));
        return Err(Error::invalid("unknown_field", name, message));
    }
    let new: NewKey = serde_json::from_value(fields.into())
        .map_err(|error| Error::invalid("invalid_value", "body", error.to_string()))?;
    let (key, secret) =
        accounts::add_key(&app, &tenant, &new, &who).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::CREATED, &once(&key, &secret, app.now())))
}

/// A key with what nobody sees again.
fn once(key: &Key, secret: &ApiKey, now: Timestamp) -> Value {
    let mut shown = json!({ "id": key.id, "key": secret.as_str() });
    if let (Value::Object(fields), Value::Object(rest)) = (&mut shown, self::shown(key, None, now)) {
        fields.extend(rest);
    }
    shown
}

fn shown(key: &Key, used: Option<&KeyUse>, now: Timestamp) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "role": key.role,
        "services": key.services,
        "created_at": key.created_at,
        "created_by": key.created_by,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "replaced_by": key.replaced_by,
        "allowed_ips": key.allowed_ips,
        "rate_limit": key.rate_limit,
        "valid": key.is_valid(now),
        "last_used_at": used.map(|used| used.last_used),
        "addresses": used.map_or(0, |used| used.addresses),
    })
}

/// The tenant's keys, without those that ended more than 90 days ago.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let keys = accounts::keys(&app, who.tenant()).await.map_err(|error| Error::of(&app, error))?;
    let now = app.now();
    let keys: Vec<Value> = keys.iter().map(|(key, used)| shown(key, used.as_ref(), now)).collect();
    Ok(json_answer(StatusCode::OK, &json!({ "data": keys, "next_cursor": null })))
}

/// Makes a key in place of another one, which is valid for `{"overlap_seconds"?}` more.
pub(in crate::http) async fn rotate(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let mut fields = super::object(request).await?;
    let overlap = match fields.remove("overlap_seconds") {
        None | Some(Value::Null) => None,
        Some(sent) => Some(sent.as_u64().ok_or_else(|| {
            let message = format!("expected a whole number from 0, got {sent}");
            Error::invalid("invalid_value", "overlap_seconds", message)
        })?),
    };
    if let Some(name) = fields.keys().next() {
        return Err(Error::invalid("unknown_field", name, "there is overlap_seconds"));
    }
    let (key, secret) =
        accounts::rotate_key(&app, &who, &id, overlap).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::CREATED, &once(&key, &secret, app.now())))
}

pub(in crate::http) async fn revoke(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Response, Error> {
    accounts::revoke_key(&app, who.tenant(), &id).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!({ "id": id, "revoked": true })))
}
