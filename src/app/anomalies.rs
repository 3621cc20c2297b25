//! Anomalies of a tenant's services. The cron looks every five minutes; what it finds is kept in the catalog with what was
//! looked up about it, so that it is one anomaly from its first sign to its end. Who asks sees what there is by then as well.

mod evidence;
mod history;
mod list;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

pub use list::{Shown, Wanted, list};
use serde::{Deserialize, Serialize};

use super::{App, Error, jobs::round::Round, patterns};
use crate::{
    engine::{
        anomaly::{
            self, Anomaly, Budget, Context, Deviation, History, Kind, Series, Unit, history::series_name,
        },
        block::{Corrupt, facts::fine},
        pattern::{PatternId, State},
        pipeline::Event,
        query::TimeRange,
        record::{model::Level, timestamp::Timestamp},
        severity,
        tenant::Tenant,
        triage::{self, Severity},
    },
    ports::{accounts::Stored, anomalies::StoredAnomaly},
};

/// Logs are waited for so long: the cron comes a minute after a step has ended.
const LAG_MS: i64 = 45_000;

/// How far back is looked the first time.
const FIRST_STEPS: u32 = 2 * 288;

/// What is older than this does not change any more, and is kept; it is done when so much has gathered.
const SETTLED_STEPS: u32 = 24;
const SETTLE_EVERY: u32 = 12;

/// Anomalies of one look about which more is looked up.
const MAX_EXAMINED: usize = 3;

/// Anomalies that are read of the time that is remembered.
const MAX_KNOWN: usize = 1_000;

/// Tenants that one run of the cron looks at; the next one goes on behind them.
const MAX_TENANTS: usize = 40;

/// Events are read in pages, those of the last windows first.
const EVENTS: usize = 200;
const EVENT_PAGES: usize = 5;

/// Tenants of which an isolate keeps what it found.
const MAX_KEPT: usize = 50;

/// The rule that events of anomalies come from.
const ANOMALY: &str = "anomaly";

/// An anomaly and what was looked up about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Noted {
    pub id: String,
    #[serde(flatten)]
    pub anomaly: Anomaly,
    pub context: Context,
    /// Ids of logs that show it.
    pub examples: Vec<String>,
}

/// What an isolate has looked at.
#[derive(Default)]
pub struct Looked(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// What was found of tenants, and the step before which it was looked for.
    tenants: HashMap<Tenant, (u32, Arc<Vec<Noted>>)>,
}

impl Looked {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets all of a tenant.
    pub fn forget(&self, tenant: &Tenant) {
        self.lock().tenants.remove(tenant);
    }

    fn keep(&self, tenant: &Tenant, step: u32, found: Vec<Noted>) -> Arc<Vec<Noted>> {
        let found = Arc::new(found);
        let mut state = self.lock();
        if state.tenants.len() >= MAX_KEPT {
            state.tenants.clear();
        }
        state.tenants.insert(tenant.clone(), (step, found.clone()));
        found
    }
}

/// The first step that is not complete.
fn now_step(now: Timestamp) -> u32 {
    fine::step(Timestamp::from_ms(now.as_ms() - LAG_MS))
}

/// Looks at every tenant; one that cannot be looked at does not keep the others from it.
pub async fn look_at_all(app: &App, now: Timestamp) -> Result<(), Error> {
    let mut round = Round::begin(app, "anomalies").await?;
    let mut failed = Ok(());
    for _ in 0..MAX_TENANTS {
        let Some(tenant) = round.next(app).await? else { break };
        if let Err(error) = look(app, &tenant, now).await {
            failed = Err(error);
        }
    }
    round.end(app).await?;
    failed
}

/// What is found by now, for who asks between two runs of the cron: nothing is written, and an isolate looks once a step.
async fn peek(app: &App, tenant: &Tenant) -> Result<Arc<Vec<Noted>>, Error> {
    let now = app.now();
    let step = now_step(now);
    if let Some((looked, found)) = app.looked.lock().tenants.get(tenant)
        && *looked >= step
    {
        return Ok(found.clone());
    }
    let (found, _) = find(app, tenant, step).await?;
    let found: Vec<Noted> = found.changed.into_iter().chain(found.opened).collect();
    Ok(app.looked.keep(tenant, step, found))
}

/// Looks at what was logged before `now`, and writes down what is found; answers the anomalies that it is the first to see.
pub async fn look(app: &App, tenant: &Tenant, now: Timestamp) -> Result<Vec<Noted>, Error> {
    let step = now_step(now);
    let is_closing = |stored: &Stored| stored.account.closing.is_some();
    if app.accounts.read(tenant).await?.as_ref().is_some_and(is_closing) {
        return Ok(Vec::new());
    }
    let (found, history) = find(app, tenant, step).await?;
    if let Some(mut history) = history
        && step.saturating_sub(history.until) >= SETTLED_STEPS + SETTLE_EVERY
    {
        history.settle(step - SETTLED_STEPS);
        history::save(app, tenant, &history).await?;
    }
    // Told first: what is written is known, and would never be told. Telling twice is one event.
    tell(app, tenant, &found.opened, now).await?;
    let written: Vec<StoredAnomaly> =
        found.changed.iter().chain(&found.opened).map(stored_of).collect::<Result<_, _>>()?;
    if !written.is_empty() {
        app.anomalies.put(tenant, &written).await?;
    }
    Ok(found.opened)
}

/// What a look has found of anomalies that were known, and of others.
#[derive(Default)]
struct Found {
    changed: Vec<Noted>,
    opened: Vec<Noted>,
}

/// Looks at the steps before `step`; the history that it has read as well, unless something is missing of it.
async fn find(app: &App, tenant: &Tenant, step: u32) -> Result<(Found, Option<History>), Error> {
    let budget = Budget { false_alarms_per_day: app.settings.false_alarms_per_day, ..Budget::default() };
    let patterns = patterns::of(app, tenant).await?;
    let history = history::load(app, tenant, &patterns, step).await?;
    // Without all logs nothing can be said, not even that something is over.
    let Some(history) = history else { return Ok((Found::default(), None)) };
    let mut found = evaluate(&history, &patterns, budget, step);
    let now_ms = fine::start_ms(step);
    add_attacks(&mut found, attacks(app, tenant, now_ms).await?, now_ms);
    Ok((follow(app, tenant, found, budget, now_ms).await?, Some(history)))
}

fn evaluate(history: &History, patterns: &patterns::Patterns, budget: Budget, step: u32) -> Vec<Anomaly> {
    let describe = |service: &str, id: &str| {
        let id = PatternId::parse(id);
        let known = id.and_then(|id| patterns.known(service, id));
        anomaly::history::Described {
            template: id.and_then(|id| patterns.text(service, id)).unwrap_or_default(),
            first_seen_ms: known.map(|known| known.first.as_ms()),
            is_ignored: known.is_some_and(|known| known.own.state == State::Ignored),
        }
    };
    let Some((span, services)) = history.series(step, describe) else { return Vec::new() };
    let mut found = anomaly::evaluate_each(span, services, budget, span.steps);
    for one in &mut found {
        for deviation in std::iter::once(&mut one.lead).chain(&mut one.co_moving) {
            if let Some(minutes) = history.minutes(&deviation.service) {
                anomaly::refine(deviation, minutes);
            }
        }
    }
    found
}

/// What the rules that count failed logins have set off in the last step.
async fn attacks(app: &App, tenant: &Tenant, now_ms: i64) -> Result<Vec<Deviation>, Error> {
    let rules = [triage::BRUTE_FORCE, triage::CREDENTIAL_STUFFING];
    let since = Timestamp::from_ms(now_ms - fine::STEP_MS);
    let mut events: Vec<Event> = Vec::new();
    let mut before: Option<String> = None;
    for _ in 0..EVENT_PAGES {
        let page = app.events.list(tenant, before.as_deref(), EVENTS).await?;
        let is_last = page.len() < EVENTS;
        before = page.last().map(|event| event.id.clone());
        events.extend(page.into_iter().filter(|event| event.last >= since));
        if is_last {
            break;
        }
    }
    let is_attack = |event: &&Event| {
        rules.contains(&event.rule.as_str()) && event.first.as_ms() <= now_ms + 2 * fine::STEP_MS
    };
    let attacks = events.iter().filter(is_attack).map(|event| {
        // Whom it is tried with is no client.
        let client = match event.key.split_once('=') {
            Some(("login.user", user)) => format!("{}{user}", anomaly::USER),
            Some((_, address)) => address.to_owned(),
            None => event.key.clone(),
        };
        let count = f64::from(u32::try_from(event.count).unwrap_or(u32::MAX));
        let (start_ms, end_ms) = (event.first.as_ms(), event.last.as_ms().max(event.first.as_ms()) + 1);
        Deviation {
            service: series_name(&event.service, event.category.as_deref().unwrap_or_default()),
            kind: Kind::BruteForce,
            series: Series::Client { client },
            unit: Unit::Records,
            expected: 0.0,
            seen: count,
            window_ms: (end_ms - start_ms).max(fine::MINUTE_MS),
            start_ms,
            end_ms,
            score: count.max(1.0).log10(),
        }
    });
    Ok(attacks.collect())
}

/// An attack says most about why a service deviates; it is one anomaly with what deviates.
fn add_attacks(found: &mut Vec<Anomaly>, attacks: Vec<Deviation>, now_ms: i64) {
    for attack in attacks {
        match found.iter_mut().find(|one| one.lead.service == attack.service) {
            Some(one) if one.lead.kind == Kind::BruteForce => one.co_moving.push(attack),
            Some(one) => {
                let before = std::mem::replace(&mut one.lead, attack);
                one.co_moving.insert(0, before);
            }
            None => {
                let ongoing = attack.end_ms > now_ms - fine::STEP_MS;
                found.push(Anomaly { lead: attack, co_moving: Vec::new(), found_ms: now_ms, ongoing });
            }
        }
    }
}

/// What was found, as part of what is known, or as new.
async fn follow(
    app: &App,
    tenant: &Tenant,
    found: Vec<Anomaly>,
    budget: Budget,
    now_ms: i64,
) -> Result<Found, Error> {
    let remembered = anomaly::remembered_ms(budget);
    let range = TimeRange { start: Timestamp::from_ms(now_ms - remembered), end: Timestamp::MAX };
    let stored = app.anomalies.list(tenant, range, MAX_KNOWN).await?;
    // The oldest first, as they were found.
    let known: Vec<Noted> = stored
        .iter()
        .rev()
        .filter_map(|one| serde_json::from_str::<Noted>(&one.data).ok())
        .filter(|one| now_ms - one.anomaly.lead.end_ms <= remembered)
        .collect();
    let before: Vec<Anomaly> = known.iter().map(|one| one.anomaly.clone()).collect();
    let followed = anomaly::follow(before, found, budget, now_ms).known;
    let (mut changed, mut opened) = (Vec::new(), Vec::new());
    let mut known = known.into_iter();
    for anomaly in followed {
        match known.next() {
            Some(old) if old.anomaly == anomaly => {}
            Some(old) => changed.push(Noted { anomaly, ..old }),
            None => {
                let lead = &anomaly.lead;
                let name = format!("{}\n{:?}", lead.service, lead.kind);
                let id = Event::id(lead.start_ms, &name);
                let new = Noted { id, anomaly, context: Context::default(), examples: Vec::new() };
                let examined = opened.len() < MAX_EXAMINED;
                opened.push(if examined { evidence::examine(app, tenant, new, now_ms).await } else { new });
            }
        }
    }
    Ok(Found { changed, opened })
}

fn stored_of(noted: &Noted) -> Result<StoredAnomaly, Corrupt> {
    let lead = &noted.anomaly.lead;
    Ok(StoredAnomaly {
        id: noted.id.clone(),
        service: lead.service.clone(),
        start: Timestamp::from_ms(lead.start_ms),
        end: Timestamp::from_ms(lead.end_ms),
        is_ongoing: noted.anomaly.ongoing,
        data: serde_json::to_string(noted).map_err(|error| Corrupt::damaged("anomaly", error))?,
    })
}

/// Events of what was found, for who listens to events.
async fn tell(app: &App, tenant: &Tenant, opened: &[Noted], now: Timestamp) -> Result<(), Error> {
    let events: Vec<Event> = opened
        .iter()
        .map(|one| {
            let insight = anomaly::sentences(&one.anomaly, &one.context);
            let lead = &one.anomaly.lead;
            let (service, category) = anomaly::history::of_series(&lead.service);
            Event {
                id: Event::id(lead.start_ms, &format!("{ANOMALY}\n{}", one.id)),
                rule: ANOMALY.to_owned(),
                action: "notify".to_owned(),
                target: None,
                severity: severity(insight.severity),
                title: "Out of the ordinary".to_owned(),
                key: format!("anomaly={}", one.id),
                service: service.to_owned(),
                level: Level::Warn,
                category: category.map(str::to_owned),
                message: insight.title,
                log_id: one.examples.first().cloned(),
                count: 1,
                first: Timestamp::from_ms(lead.start_ms),
                last: Timestamp::from_ms(lead.end_ms),
            }
        })
        .collect();
    if events.is_empty() {
        return Ok(());
    }
    Ok(app.events.note(tenant, &events, &BTreeMap::new(), now).await?)
}

fn severity(of: severity::Severity) -> Severity {
    match of {
        severity::Severity::Low => Severity::Low,
        severity::Severity::Medium => Severity::Medium,
        severity::Severity::High => Severity::High,
        severity::Severity::Critical => Severity::Critical,
    }
}
