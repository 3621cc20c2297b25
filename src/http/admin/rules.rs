//! Triage rules: the list in its order, each by its name, and a trial on what is stored.

use axum::{
    Extension,
    extract::{Path, Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    app::{App, Reader, rules},
    engine::{auth::Principal, triage::Rule},
    http::{
        error::{Error, json_answer},
        gate::{AskedInBody, Reads, shows},
        params,
    },
};

/// Records that a rule is tried on, at the most and where nothing is said.
const MAX_TRIED: usize = 10_000;
const TRIED: usize = 1_000;

/// Every rule in the order in which they are asked, with how often it held.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    params::none(&uri)?;
    let all = rules::list(&app, who.tenant()).await.map_err(|error| Error::of(&app, error))?;
    let data: Vec<Value> = all.iter().map(shown).collect();
    Ok(json_answer(StatusCode::OK, &json!({ "data": data, "next_cursor": null })))
}

pub(in crate::http) async fn one(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    params::none(&uri)?;
    let one = rules::one(&app, who.tenant(), &name).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &shown(&one)))
}

/// Adds a rule behind the tenant's others: 201. One of the name of a built-in rule takes its place.
pub(in crate::http) async fn create(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    request: Request,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    let rule: Rule = super::read("rule", request).await?;
    let made = rules::create(&app, who.tenant(), rule).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::CREATED, &json!(made)))
}

/// Sets a rule, in its place where it is there.
pub(in crate::http) async fn put(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    let mut fields = super::object(request).await?;
    let named = fields.entry("name").or_insert_with(|| name.clone().into());
    if named.as_str() != Some(&name) {
        let message = format!("expected the name of the path, {name:?}, got {named}");
        return Err(Error::invalid("invalid_value", "name", message));
    }
    let rule: Rule = super::typed("rule", fields.into())?;
    let set = rules::put(&app, who.tenant(), rule).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!(set)))
}

/// Takes a rule away; a built-in one is as it was again.
pub(in crate::http) async fn delete(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    uri: Uri,
) -> Result<Response, Error> {
    super::check_whole(&who)?;
    params::none(&uri)?;
    rules::remove(&app, who.tenant(), &name).await.map_err(|error| Error::of(&app, error))?;
    Ok(json_answer(StatusCode::OK, &json!({ "deleted": name })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    rule: Rule,
    #[serde(default)]
    last: Option<usize>,
}

/// Tries a rule on the last stored records and says what it would have done: `{"rule","last"?}`. Nothing changes.
pub(in crate::http) async fn test(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    request: Request,
) -> Result<Response, Error> {
    let Trial { rule, last } = super::read("trial", request).await?;
    let asked = AskedInBody(rule.when.clone());
    let last = last.unwrap_or(TRIED);
    if !(1..=MAX_TRIED).contains(&last) {
        let message = format!("expected a whole number from 1 to {MAX_TRIED}, got {last}");
        return Err(Error::invalid("invalid_value", "last", message));
    }
    let tried = rules::test(&app, &reader, rule, last).await.map_err(|error| Error::of(&app, error))?;
    let body = json!({
        "tested": tried.tested,
        "held": tried.held,
        "actions": tried.actions,
        "examples": tried.examples,
        "partial": tried.partial,
    });
    let mut response = json_answer(StatusCode::OK, &body);
    response.extensions_mut().insert(asked);
    Ok(shows(response, Reads::Shown(tried.examples.len())))
}

fn shown(one: &rules::Shown) -> Value {
    let mut shown = json!(one.rule);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("enabled".into(), one.rule.enabled.into());
        fields.insert("built_in".into(), one.built_in.into());
        fields.insert("held".into(), one.held.into());
        fields.insert("last_held_at".into(), json!(one.last));
    }
    shown
}
