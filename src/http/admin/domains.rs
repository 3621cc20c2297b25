//! Tenants and the domains that lead to them.

use axum::{
    extract::{Path, Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::{Value, json};

use crate::{
    app::{
        App,
        accounts::{self, NewDomain},
        purge,
    },
    engine::account::domain::host_name,
    http::{
        error::{Error, json_answer},
        params::{self, Params},
    },
    ports::accounts::Stored,
};

const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1_000;

/// Gives a tenant a domain: `{"domain","tenantId","plan"?,"contactEmail"?,"config"?}`. A tenant that is not there is
/// made.
pub(in crate::http) async fn create(State(app): State<App>, request: Request) -> Result<Response, Error> {
    let mut fields = super::object(request).await?;
    let domain = super::text(&mut fields, "domain")?;
    let tenant = super::text(&mut fields, "tenantId")?;
    let new = NewDomain { domain: &domain, tenant: &tenant, settings: &fields };
    let stored = accounts::add_domain(&app, new).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::CREATED, &shown(&stored, &name_of(&domain)?)))
}

fn name_of(domain: &str) -> Result<String, Error> {
    host_name(domain).ok_or_else(|| {
        let message = format!("expected a name as logs.example.com, got {domain:?}");
        Error::invalid("invalid_value", "domain", message)
    })
}

fn shown(stored: &Stored, domain: &str) -> Value {
    let account = &stored.account;
    let domains: Vec<&str> = account.domains.iter().map(|one| one.domain.as_str()).collect();
    let created = account.domains.iter().find(|one| one.domain == domain).map(|one| one.created_at);
    json!({
        "domain": domain,
        "tenantId": stored.tenant.as_str(),
        "plan": account.plan,
        "contactEmail": account.contact_email,
        "config": account.config,
        "domains": domains,
        "version": stored.version,
        "created_at": created,
        "updated_at": account.updated_at,
    })
}

/// All domains, tenant by tenant.
pub(in crate::http) async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let limit = params.take_number(&["limit"], 1, MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
    let after = params.take(&["cursor"])?.map(|(_, cursor)| cursor).unwrap_or_default();
    params.finish()?;
    let found = accounts::list(&app, &after, limit).await.map_err(|error| Error::of(&app, error))?;
    let next = found.last().filter(|_| found.len() == limit).map(|stored| stored.tenant.to_string());
    let domains: Vec<Value> = found
        .iter()
        .flat_map(|stored| stored.account.domains.iter().map(|one| shown(stored, &one.domain)))
        .collect();
    Ok(json_answer(StatusCode::OK, &json!({ "data": domains, "next_cursor": next })))
}

pub(in crate::http) async fn one(
    State(app): State<App>,
    Path(domain): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let name = name_of(&domain)?;
    let stored = accounts::of_domain(&app, &name).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &shown(&stored, &name)))
}

/// Changes what the body names of plan, contact and settings, and leaves the rest.
pub(in crate::http) async fn change(
    State(app): State<App>,
    Path(domain): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    let fields = super::object(request).await?;
    let name = name_of(&domain)?;
    let failed = |error| Error::of(&app, error);
    let stored = accounts::of_domain(&app, &name).await.map_err(failed)?;
    let stored = accounts::set_tenant(&app, &stored.tenant, &fields).await.map_err(failed)?;
    Ok(json_answer(StatusCode::OK, &shown(&stored, &name)))
}

/// Takes a domain away, and with the last one its tenant. A tenant that holds logs stays, unless `purge=true` says that
/// they are to be erased.
pub(in crate::http) async fn delete(
    State(app): State<App>,
    Path(domain): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let purge = match params.take(&["purge"])? {
        None => false,
        Some((_, value)) if value == "true" || value == "false" => value == "true",
        Some((_, value)) => {
            let message = format!("expected true or false, got {value:?}");
            return Err(Error::invalid("invalid_parameter", "purge", message));
        }
    };
    params.finish()?;
    let name = name_of(&domain)?;
    let removed = purge::remove_domain(&app, &name, purge).await.map_err(|error| Error::of(&app, error))?;
    let status = if removed.is_complete { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok(json_answer(status, &json!({ "domain": name, "removed": removed })))
}
