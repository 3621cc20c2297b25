//! Triage rules as they are administered, and tried on history.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    App, Error, Reader, patterns, pipelines,
    search::{self, Search},
};
use crate::engine::{
    account::{Refused, Why},
    pattern::PATTERN_ID,
    pipeline::Settings,
    query::{Cursor, Filter, Order},
    record::{model::Record, timestamp::Timestamp},
    tenant::Tenant,
    triage::{Observation, Rule, Rules, Windows, builtin, in_order},
};

/// Records that are shown of those for which a rule held.
const MAX_EXAMPLES: usize = 10;

/// Rows are held until the oldest is there, which comes first.
const MAX_BYTES: usize = 16 << 20;

/// Rows of a page of history.
const PAGE: usize = 1_000;

#[derive(Clone, Debug)]
pub struct Shown {
    pub rule: Rule,
    pub built_in: bool,
    pub held: u64,
    pub last: Option<Timestamp>,
}

/// Every rule in the order in which they are asked: the tenant's own, then those that everybody has.
pub async fn list(app: &App, tenant: &Tenant) -> Result<Vec<Shown>, Error> {
    let own = pipelines::stored(app, tenant).await?.rules;
    let held = app.events.held(tenant).await?;
    let shown = |(rule, built_in): (Rule, bool)| {
        let counted = held.iter().find(|one| one.rule == rule.name);
        Shown { built_in, held: counted.map_or(0, |one| one.count), last: counted.map(|one| one.last), rule }
    };
    Ok(in_order(&own).into_iter().map(shown).collect())
}

pub async fn one(app: &App, tenant: &Tenant, name: &str) -> Result<Shown, Error> {
    let all = list(app, tenant).await?;
    all.into_iter().find(|one| one.rule.name == name).ok_or(NONE)
}

const NONE: Error = Error::NotFound("such rule");

/// Adds a rule, which must be new.
pub async fn create(app: &App, tenant: &Tenant, rule: Rule) -> Result<Rule, Error> {
    set(app, tenant, rule, true).await
}

pub async fn put(app: &App, tenant: &Tenant, rule: Rule) -> Result<Rule, Error> {
    set(app, tenant, rule, false).await
}

async fn set(app: &App, tenant: &Tenant, rule: Rule, must_be_new: bool) -> Result<Rule, Error> {
    // By itself first, so that an error is about this one.
    Rules::new(std::slice::from_ref(&rule))
        .map_err(|refused| Error::invalid("invalid_value", &refused.field, refused.message))?;
    let change = |settings: &mut Settings| {
        match settings.rules.iter_mut().find(|one| one.name == rule.name) {
            Some(_) if must_be_new => {
                let message = format!("there is a rule {:?} already", rule.name);
                return Err(Refused { why: Why::Conflict, ..Refused::new("name", message) });
            }
            Some(known) => *known = rule.clone(),
            None => settings.rules.push(rule.clone()),
        }
        Ok(())
    };
    pipelines::change(app, tenant, change).await?;
    Ok(rule)
}

/// Takes a rule of the tenant's own away.
pub async fn remove(app: &App, tenant: &Tenant, name: &str) -> Result<(), Error> {
    if !pipelines::stored(app, tenant).await?.rules.iter().any(|one| one.name == name) {
        if !builtin().iter().any(|one| one.name == name) {
            return Err(NONE);
        }
        let message = "a built-in rule cannot be deleted; set it with \"enabled\": false".into();
        return Err(Error::Conflict { code: "built_in", field: "name".into(), message });
    }
    let change = |settings: &mut Settings| -> Result<(), Refused> {
        settings.rules.retain(|one| one.name != name);
        Ok(())
    };
    pipelines::change(app, tenant, change).await.map(|_| ())
}

/// What a rule would have done.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    pub tested: usize,
    pub held: usize,
    /// How often each action would have been taken.
    pub actions: BTreeMap<&'static str, usize>,
    /// The last records for which it held, as they would have been.
    pub examples: Vec<Value>,
    /// Not all of them could be read.
    pub partial: bool,
}

/// Asks a rule about the last so many records that the reader may see, the oldest of them first.
pub async fn test(app: &App, reader: &Reader, rule: Rule, last: usize) -> Result<Tried, Error> {
    let mut tried = Tried::default();
    let name = rule.name.clone();
    let rule = Rule { enabled: true, ..rule };
    let rules = Rules::only(&rule).map_err(|refused| {
        Error::invalid("invalid_value", &format!("rule.{}", refused.field), refused.message)
    })?;
    let rules = if rules.ask_for(PATTERN_ID) {
        let patterns = patterns::of(app, reader.tenant()).await?;
        rules.with(|expr| patterns.widened(expr))
    } else {
        rules
    };
    let pipeline = pipelines::of(app, reader.tenant()).await?;
    let mut rows = Vec::new();
    let mut bytes = 0;
    let mut asked = Search::new(Filter::all(), Order::Newest, PAGE.min(last));
    loop {
        asked.limit = PAGE.min(last - rows.len());
        let page = search::search(app, reader, &asked).await?;
        tried.partial |= page.stats.partial;
        let read = page.rows.len().min(asked.limit);
        for row in page.rows.into_iter().take(read) {
            bytes += row.line.len();
            rows.push(row);
        }
        if bytes > MAX_BYTES {
            tried.partial = true;
            break;
        }
        match page.next {
            Some(Cursor::After(_, at)) if rows.len() < last && read > 0 => asked.after = Some(at),
            _ => break,
        }
    }
    let mut windows = Windows::default();
    for row in rows.into_iter().rev() {
        let Ok(mut record) = serde_json::from_slice::<Record>(&row.line) else { continue };
        tried.tested += 1;
        let now = record.timestamp.as_ms().unsigned_abs();
        let mut count = |seen: Observation| {
            windows.count(&seen.rule, &seen.key, seen.window_s, (1, seen.value), seen.threshold, now)
        };
        let login = pipeline.login(&record.message);
        let triaged = rules.triage(&mut record, login.as_ref(), &mut count)?;
        if !triaged.held.contains(&name) {
            continue;
        }
        tried.held += 1;
        for fired in &triaged.fired {
            *tried.actions.entry(fired.action.name()).or_default() += 1;
        }
        tried.examples.push(serde_json::to_value(&record).unwrap_or_default());
        if tried.examples.len() > MAX_EXAMPLES {
            tried.examples.remove(0);
        }
    }
    Ok(tried)
}
