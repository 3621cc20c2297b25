//! Who did what: records in the tenant's audit stream, which is stored like logs and read by nobody but
//! `GET /admin/audit`. Writing one never delays an answer, and one that cannot be written is counted and said.

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::Serialize;
use serde_json::json;

use super::{
    App,
    ingest::{self, Batch, How},
};
use crate::engine::{
    auth::Identity,
    record::{model::SourceType, rejection::Rejection, timestamp::Timestamp},
    redact,
    shard::quota::{Left, Of},
    tenant::Tenant,
    wire::batch::parse_one,
};

/// The service of every audit record.
pub const SERVICE: &str = "_audit";

/// Waits before the second try and those behind it.
const RETRY_MS: [u64; 3] = [200, 1_000, 5_000];

/// Refusals of one kind are told one by one no more often than this; those between are counted.
const REFUSALS_MS: u64 = 10_000;

/// A window that is open for longer is nobody's any more.
const ABANDONED_MS: u64 = 60_000;

/// Kinds of refusals that are counted at the same time; all others are one more.
const MAX_WINDOWS: usize = 1_000;

/// What is kept of a query.
const MAX_QUERY: usize = 2_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Logs were shown.
    Read,
    /// Configuration or access was changed, or tried to be.
    Change,
    /// Somebody was not let in, or not further.
    Refusal,
    /// A key was used from an address for the first time.
    NewAddress,
    /// Logs were taken as they were sent, without redaction.
    Unredacted,
    /// Somebody ought to look.
    Alert,
}

impl Action {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Change => "change",
            Self::Refusal => "refusal",
            Self::NewAddress => "new_address",
            Self::Unredacted => "unredacted",
            Self::Alert => "alert",
        }
    }
}

/// What happened, and how it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    pub action: Action,
    #[serde(skip)]
    pub who: Option<Identity>,
    pub address: Option<String>,
    pub country: Option<String>,
    pub host: Option<String>,
    pub method: String,
    /// The route as the router has it, and the path that was asked for.
    pub route: String,
    pub path: String,
    pub query: Option<String>,
    #[serde(skip_serializing_if = "is_zero")]
    pub status: u16,
    pub code: Option<String>,
    /// Records that were shown.
    pub shown: Option<u64>,
    /// Of what takes its time: whether it began or ended.
    pub outcome: Option<&'static str>,
    pub request_id: String,
    /// How many alike this stands for.
    pub count: u64,
}

/// A first use is written down before its answer is known.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_zero(status: &u16) -> bool {
    *status == 0
}

/// What an isolate has counted and not told.
#[derive(Default)]
pub struct Pending {
    /// When the first of a kind was told, and how many came since.
    windows: Mutex<HashMap<Kind, (u64, u64)>>,
    lost: AtomicU64,
}

impl Pending {
    /// Records that could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Refusals that are alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Kind {
    tenant: Tenant,
    address: Option<String>,
    code: Option<String>,
}

/// Writes an event down behind the answer.
pub fn note(app: &App, tenant: &Tenant, event: Event) {
    let (app, tenant) = (app.clone(), tenant.clone());
    app.background.clone().spawn(Box::pin(async move { write(&app, &tenant, &event).await }));
}

/// The same of a refusal: the first of its kind at once, those that follow as one.
pub fn note_refusal(app: &App, tenant: &Tenant, mut event: Event) {
    let mut kind = Kind { tenant: tenant.clone(), address: event.address.clone(), code: event.code.clone() };
    {
        let mut windows = app.audit.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MAX_WINDOWS && !windows.contains_key(&kind) {
            kind = Kind { tenant: Tenant::default_tenant(), address: None, code: None };
        }
        let now = app.clock.now_ms();
        match windows.get_mut(&kind) {
            Some((opened, more)) if now < *opened + ABANDONED_MS => {
                *more += 1;
                return;
            }
            // Who should have told of them was ended by the platform.
            Some((_, more)) => event.count += *more,
            None => {}
        }
        windows.insert(kind.clone(), (now, 0));
    }
    let app = app.clone();
    app.background.clone().spawn(Box::pin(async move {
        write(&app, &kind.tenant, &event).await;
        app.clock.sleep_ms(REFUSALS_MS).await;
        let more = app.audit.windows.lock().unwrap_or_else(PoisonError::into_inner).remove(&kind);
        if let Some(count) = more.map(|(_, more)| more).filter(|more| *more > 0) {
            write(&app, &kind.tenant, &Event { count, ..event }).await;
        }
    }));
}

/// Says that a quota refused its first records of a day.
pub fn alert_of_quota(app: &App, tenant: &Tenant, quota: &Left, now_ms: u64) {
    let whose = match &quota.of {
        Of::Tenant => format!("the tenant {tenant}"),
        Of::Service(service) => format!("the service {service}"),
    };
    let day = Timestamp::from_ms(i64::try_from(now_ms).unwrap_or_default()).to_string();
    let day = day.get(..10).unwrap_or_default();
    let service = if let Of::Service(service) = &quota.of { Some(service) } else { None };
    let record = json!({
        "service": SERVICE,
        "level": "ERROR",
        "message": format!("quota_exceeded: {whose} has sent the {} logs of {day} that max_logs_per_day allows", quota.limit),
        "category": "audit",
        "component": Action::Alert.as_str(),
        "metadata": {
            "action": Rejection::QUOTA_EXCEEDED,
            "field": "max_logs_per_day",
            "tenant": tenant.as_str(),
            "of_service": service,
            "limit": quota.limit,
            "day": day,
        },
    });
    let (app, tenant) = (app.clone(), tenant.clone());
    let what = format!("alert of {tenant}: quota_exceeded");
    app.background.clone().spawn(Box::pin(async move { keep(&app, &tenant, &record, 1, &what).await }));
}

async fn write(app: &App, tenant: &Tenant, event: &Event) {
    let who = event.who.as_ref().map_or("nobody", |who| &who.id);
    let what = format!("{} of {tenant} by {who}, request {}", event.action.as_str(), event.request_id);
    keep(app, tenant, &record(event), event.count, &what).await;
}

/// Writes a record that stands for so many events, and says so when it cannot.
async fn keep(app: &App, tenant: &Tenant, record: &serde_json::Value, count: u64, what: &str) {
    let record = record.to_string();
    let mut waits = RETRY_MS.into_iter();
    loop {
        let Err(reason) = append(app, tenant, &record).await else { return };
        let Some(ms) = waits.next() else {
            app.audit.lost.fetch_add(count, Ordering::Relaxed);
            app.journal.error(&format!("an audit record could not be written: {what}: {reason}"));
            return;
        };
        app.clock.sleep_ms(ms).await;
    }
}

async fn append(app: &App, tenant: &Tenant, record: &str) -> Result<(), String> {
    let raw = parse_one(record.as_bytes()).map_err(|error| error.to_string())?;
    let batch = Batch { records: [Ok(raw)], key: None, how: How::of(SourceType::Http) };
    let taken = ingest::ingest(app, &tenant.audit(), batch).await.map_err(|error| error.to_string())?;
    taken.rejected.first().map_or(Ok(()), |(_, rejection)| Err(rejection.message.clone()))
}

fn record(event: &Event) -> serde_json::Value {
    let path = redact::without_secrets(&event.path);
    let (id, role) = event.who.as_ref().map_or(("nobody", ""), |who| (who.id.as_str(), who.role.as_str()));
    let shown = event.shown.map(|shown| format!(", {shown} records")).unwrap_or_default();
    let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
    let what = match event.action {
        Action::NewAddress => "from this address for the first time".to_owned(),
        Action::Unredacted => "without redaction".to_owned(),
        _ => format!("answered {}", event.status),
    };
    let message = format!("{} by {id}: {} {path} {what}{shown}{times}", event.action.as_str(), event.method);
    let mut details = json!(event);
    if let Some(details) = details.as_object_mut() {
        details.retain(|_, value| !value.is_null());
        if let Some(who) = &event.who {
            details.insert("key_name".into(), json!(who.name));
        }
        details.insert("role".into(), json!(role));
        details.insert("path".into(), json!(path));
        if let Some(query) = &event.query {
            let query = redact::without_secrets(query);
            let end = query.char_indices().nth(MAX_QUERY).map_or(query.len(), |(at, _)| at);
            details.insert("query".into(), json!(query.get(..end)));
        }
    }
    json!({
        "service": SERVICE,
        "level": if event.action == Action::Refusal { "WARN" } else { "INFO" },
        "message": message,
        "category": "audit",
        "component": event.action.as_str(),
        "endpoint": event.route,
        "user_id": id,
        "metadata": details,
    })
}
