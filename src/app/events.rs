//! What rules have set off, as its reader may see it: like the logs that it tells of.

use super::{App, Error};
use crate::engine::{
    auth::{Permission, Principal, permission::SECURITY},
    pipeline::Event,
    redact,
};

/// A page of events, the latest windows first, and behind which one the next begins.
pub async fn list(
    app: &App,
    who: &Principal,
    before: Option<&str>,
    limit: usize,
) -> Result<(Vec<Event>, Option<String>), Error> {
    let events = app.events.list(who.tenant(), before, limit).await?;
    let next = events.last().filter(|_| events.len() == limit).map(|event| event.id.clone());
    let shown = events.into_iter().filter(|event| sees(who, event)).map(|event| shown(who, event)).collect();
    Ok((shown, next))
}

fn sees(who: &Principal, event: &Event) -> bool {
    let is_secret = |category: &String| SECURITY.iter().any(|name| category.eq_ignore_ascii_case(name));
    let may = who.may(Permission::ReadSecurity) || !event.category.as_ref().is_some_and(is_secret);
    may && who.may_use_service(&event.service)
}

fn shown(who: &Principal, event: Event) -> Event {
    if who.may(Permission::ReadPersonal) {
        return event;
    }
    let message = redact::mask("message", &event.message);
    let masked = |(path, value): (&str, &str)| format!("{path}={}", redact::mask(path, value));
    let key = event.key.split_once('=').map_or_else(String::new, masked);
    Event { key, message, ..event }
}
