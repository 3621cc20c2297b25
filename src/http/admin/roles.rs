//! Roles: the table as it is enforced, and those that a tenant makes for itself.

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
        account::CustomRole,
        auth::{Permission, Principal, permission::ROLES},
    },
    http::{
        error::{Error, json_answer},
        params,
        router::policy,
    },
};

/// Every role with its permissions, and every route with the permission that it asks for.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let built_in = ROLES.iter().map(|role| {
        json!({
            "name": role.name,
            "description": role.description,
            "permissions": role.permissions,
            "needs_services": role.needs_services,
            "custom": false,
        })
    });
    let own = accounts::roles(&app, who.tenant()).await.map_err(|error| Error::of(&app, error))?;
    let own = own.into_iter().map(|(name, role)| shown(&name, &role));
    let roles: Vec<Value> = built_in.chain(own).collect();
    let routes: Vec<Value> = policy()
        .into_iter()
        .map(|(method, path, need)| json!({ "method": method.as_str(), "path": path, "permission": need }))
        .collect();
    Ok(json_answer(StatusCode::OK, &json!({ "data": roles, "routes": routes, "next_cursor": null })))
}

fn shown(name: &str, role: &CustomRole) -> Value {
    json!({
        "name": name,
        "description": role.description,
        "permissions": role.permissions,
        "needs_services": false,
        "custom": true,
    })
}

/// Makes or changes a role: `{"permissions":["logs:read"],"description"?}`.
pub(in crate::http) async fn put(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let mut fields = super::object(request).await?;
    let permissions = match fields.remove("permissions") {
        Some(Value::Array(names)) => names.iter().map(permission).collect::<Result<Vec<_>, _>>()?,
        other => {
            let message = format!("expected a list of permissions, got {}", other.unwrap_or_default());
            return Err(Error::invalid("invalid_value", "permissions", message));
        }
    };
    let description = match fields.remove("description") {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(other) => {
            return Err(Error::invalid(
                "invalid_value",
                "description",
                format!("expected a text, got {other}"),
            ));
        }
    };
    if let Some(name) = fields.keys().next() {
        return Err(Error::invalid("unknown_field", name, "there are permissions, description"));
    }
    let role = CustomRole { permissions, description };
    let role = accounts::put_role(&app, &who, &name, &role).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &shown(&name, &role)))
}

fn permission(name: &Value) -> Result<Permission, Error> {
    name.as_str().and_then(Permission::parse).ok_or_else(|| {
        let known: Vec<&str> = Permission::ALL.into_iter().map(Permission::as_str).collect();
        let message = format!("expected some of {}, got {name}", known.join(", "));
        Error::invalid("invalid_value", "permissions", message)
    })
}

pub(in crate::http) async fn delete(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
) -> Result<Response, Error> {
    accounts::remove_role(&app, who.tenant(), &name).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!({ "name": name, "removed": true })))
}
