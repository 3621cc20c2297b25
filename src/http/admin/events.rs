//! What rules have set off.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use serde_json::json;

use crate::{
    app::{self, App},
    engine::{
        auth::{Permission, Principal, permission::SECURITY},
        pipeline::Event,
        record::timestamp::Timestamp,
        redact,
    },
    http::{
        error::{Error, json_answer},
        gate::{Reads, shows},
        params::Params,
    },
};

/// Events, the latest windows first: `?limit=&cursor=`.
pub(in crate::http) async fn list(
    State(app): State<App>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, Timestamp::EPOCH)?;
    let limit = params.take_number(&["limit"], 1, 1_000)?.unwrap_or(100);
    let cursor = params.take(&["cursor"])?.map(|(_, id)| id);
    params.finish()?;
    let events = app.events.list(who.tenant(), cursor.as_deref(), limit);
    let events = events.await.map_err(|error| Error::of(&app, app::Error::from(error)))?;
    // As of the logs that they tell of.
    let sees = |event: &Event| {
        let is_secret = |category: &String| SECURITY.iter().any(|name| category.eq_ignore_ascii_case(name));
        let may = who.may(Permission::ReadSecurity) || !event.category.as_ref().is_some_and(is_secret);
        may && who.may_use_service(&event.service)
    };
    let next = events.last().filter(|_| events.len() == limit).map(|event| event.id.clone());
    let shown: Vec<Event> = events
        .into_iter()
        .filter(sees)
        .map(|event| {
            if who.may(Permission::ReadPersonal) {
                return event;
            }
            let message = redact::mask("message", &event.message);
            let key = event
                .key
                .split_once('=')
                .map_or_else(String::new, |(path, value)| format!("{path}={}", redact::mask(path, value)));
            Event { key, message, ..event }
        })
        .collect();
    let count = shown.len();
    let answer = json_answer(StatusCode::OK, &json!({ "data": shown, "next_cursor": next }));
    Ok(shows(answer, Reads::Shown(count)))
}
