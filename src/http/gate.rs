//! The gate: nothing behind it is parsed or read for a caller who has not shown who it is and may not do what the
//! route asks for.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{error::Error, request_id::RequestId};
use crate::{
    app::{
        App, Reader,
        access::{self, Admitted, Refusal, Shown},
        audit::{self, Action, Event},
        export::Tally,
        limits::{self, Verdict},
    },
    engine::{
        auth::{Credential, Identity, Permission, Principal, credential},
        record::rejection::Rejection,
        tenant::Tenant,
    },
};

/// The platform's own word for the client's address; nobody can set it from outside.
const ADDRESS: &str = "cf-connecting-ip";
const COUNTRY: &str = "cf-ipcountry";

/// Where Datadog's agents put their key.
const DATADOG_KEY: &str = "dd-api-key";

/// What is said of a request in the audit stream.
const MAX_PATH: usize = 500;

/// What more there is to a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    /// It takes many records at once.
    Batch,
    /// It answers with counts, which a tenant can switch off.
    Analytics,
}

/// What a route asks of a caller.
#[derive(Clone)]
pub(super) struct Gate {
    pub(super) app: App,
    pub(super) path: &'static str,
    pub(super) need: Permission,
    pub(super) kind: Kind,
}

/// What an answer shows, for the audit stream.
#[derive(Clone, Debug)]
pub(super) enum Reads {
    /// So many records.
    Shown(usize),
    /// Records that are counted while they stream.
    Streams(Arc<Tally>),
}

/// By which query, where the address does not tell.
#[derive(Clone, Debug)]
pub(super) struct AskedInBody(pub(super) String);

/// Who may come in, to be asked again while an answer goes on: of a request for a WebSocket.
#[derive(Clone)]
pub(super) struct Pass {
    credential: Option<Credential>,
    about: Arc<About>,
    need: Permission,
}

/// What became of asking again.
pub(super) enum Again {
    /// As it may read by now.
    Reader(Box<Reader>),
    No(&'static str),
    /// Nobody could be asked.
    Unknown,
}

impl Pass {
    /// Whether the caller may read on. It counts as a request.
    pub(super) async fn again(&self, app: &App) -> Again {
        let admitted = match admit(app, self.credential.as_ref(), &self.about).await {
            Ok(admitted) => admitted,
            Err((error, ..)) if error.status().is_server_error() => return Again::Unknown,
            Err(_) => return Again::No("the key may not read any more"),
        };
        let counters = access::counters(app, &admitted, self.about.address.as_deref(), false);
        let principal = &admitted.principal;
        let Some(reader) = Reader::of(principal).filter(|_| principal.may(self.need)) else {
            return Again::No("the key may not read any more");
        };
        if !counters.is_empty() && !limits::take(app, principal.tenant(), &counters).await.allowed {
            return Again::No("there were too many requests of this key");
        }
        Again::Reader(Box::new(reader))
    }
}

/// The tenant has switched counts off.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoAnalytics;

/// Tells what an answer shows.
pub(super) fn shows(mut response: Response, reads: Reads) -> Response {
    response.extensions_mut().insert(reads);
    response
}

/// Lets in who may, gives the handlers a `Principal` and a `Reader`, and writes down what has to be.
pub(super) async fn gate(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Gate { app, path, need, kind } = gate;
    let about = Arc::new(About::of(&request, path));
    let headers = request.headers();
    let api_key = text(headers, &app.settings.api_key_header).or_else(|| text(headers, DATADOG_KEY));
    let credential = credential::credential(text(headers, header::AUTHORIZATION.as_str()), api_key);
    let admitted = match admit(&app, credential.as_ref(), &about).await {
        Ok(admitted) => admitted,
        Err((error, tenant, who)) => return about.refused(&app, &tenant, who, error),
    };
    let counters = access::counters(&app, &admitted, about.address.as_deref(), kind == Kind::Batch);
    let Admitted { principal, account, .. } = admitted;
    let who = principal.identity().clone();
    let allowed = &account.account.config.allowed_origins;
    let origin = about.origin.clone().filter(|origin| is_allowed(allowed, origin));
    let refuse = |error| {
        let mut response = about.refused(&app, principal.tenant(), Some(who.clone()), error);
        allow_origin(&mut response, origin.clone());
        response
    };
    let mut verdict = None;
    if !counters.is_empty() {
        let counted = limits::take(&app, principal.tenant(), &counters).await;
        if !counted.allowed {
            let mut response = refuse(Error::RATE_LIMITED);
            say_limits(&mut response, &counted);
            return response;
        }
        verdict = Some(counted);
    }
    if !principal.may(need) {
        return refuse(Error::not_allowed(need, &who.role));
    }
    if !account.account.config.enable_analytics {
        if kind == Kind::Analytics {
            return refuse(Error::ANALYTICS_OFF);
        }
        request.extensions_mut().insert(NoAnalytics);
    }
    access::note_use(&app, &principal, about.address.as_deref(), |address| {
        about.event(Action::NewAddress, Some(who.clone()), Some(address))
    });
    if let Some(reader) = Reader::of(&principal) {
        request.extensions_mut().insert(reader);
    }
    if text(request.headers(), header::UPGRADE.as_str())
        .is_some_and(|to| to.eq_ignore_ascii_case("websocket"))
    {
        request.extensions_mut().insert(Pass { credential, about: about.clone(), need });
    }
    let tenant = principal.tenant().clone();
    request.extensions_mut().insert(principal);
    request.extensions_mut().insert(about.clone());
    let mut response = next.run(request).await;
    about.note(&app, &tenant, need, who, &mut response);
    allow_origin(&mut response, origin);
    if let Some(verdict) = verdict {
        say_limits(&mut response, &verdict);
    }
    response
}

fn say_limits(response: &mut Response, verdict: &Verdict) {
    let headers = response.headers_mut();
    for (name, value) in [
        ("ratelimit-limit", verdict.limit),
        ("ratelimit-remaining", verdict.remaining),
        ("ratelimit-reset", verdict.reset_s),
    ] {
        headers.insert(HeaderName::from_static(name), value.into());
    }
    if !verdict.allowed {
        headers.insert(header::RETRY_AFTER, verdict.retry_after_s.max(1).into());
    }
}

type Refused = (Error, Tenant, Option<Identity>);

async fn admit(app: &App, credential: Option<&Credential>, about: &About) -> Result<Admitted, Refused> {
    let shown = Shown { credential, host: about.host.as_deref(), address: about.address.as_deref() };
    access::admit(app, shown).await.map_err(|refusal| {
        let nobody = Tenant::default_tenant;
        match refusal {
            Refusal::NotConfigured => (Error::NO_KEY_SET, nobody(), None),
            Refusal::Missing => (Error::NO_KEY, nobody(), None),
            Refusal::Token(refused) => (Error::bad_token(&refused), nobody(), None),
            Refusal::Wrong { tenant } => (Error::WRONG_KEY, tenant.unwrap_or_else(nobody), None),
            Refusal::OtherHost { tenant, who } => (Error::OTHER_HOST, tenant, Some(who)),
            Refusal::Address { tenant, who } => (Error::WRONG_ADDRESS, tenant, Some(who)),
            Refusal::Unavailable(error) => (Error::of(app, error.into()), nobody(), None),
        }
    })
}

pub(super) fn is_allowed(allowed: &[String], origin: &HeaderValue) -> bool {
    allowed.iter().any(|known| known.as_bytes() == origin.as_bytes())
}

pub(super) fn allow_origin(response: &mut Response, origin: Option<HeaderValue>) {
    let Some(origin) = origin else { return };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    let exposed = HeaderValue::from_static(
        "x-request-id, retry-after, ratelimit-limit, ratelimit-remaining, ratelimit-reset",
    );
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
}

/// What the audit stream is told of a request.
pub(super) struct About {
    method: Method,
    route: &'static str,
    path: String,
    query: Option<String>,
    host: Option<String>,
    address: Option<String>,
    country: Option<String>,
    origin: Option<HeaderValue>,
    request_id: String,
}

impl About {
    fn of(request: &Request, route: &'static str) -> Self {
        let headers = request.headers();
        let own = |name: &str| text(headers, name).map(str::to_owned);
        let uri = request.uri();
        let extensions = request.extensions();
        Self {
            method: request.method().clone(),
            route,
            path: uri.path().chars().take(MAX_PATH).collect(),
            query: uri.query().map(str::to_owned),
            host: uri.host().map(str::to_owned).or_else(|| own("host")),
            address: own(ADDRESS),
            country: own(COUNTRY),
            origin: headers.get(header::ORIGIN).cloned(),
            request_id: extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        }
    }

    fn event(&self, action: Action, who: Option<Identity>, address: Option<&str>) -> Event {
        Event {
            action,
            who,
            address: address.map(str::to_owned),
            country: self.country.clone(),
            host: self.host.clone(),
            method: self.method.to_string(),
            route: self.route.to_owned(),
            path: self.path.clone(),
            query: self.query.clone(),
            status: 0,
            code: None,
            shown: None,
            outcome: None,
            request_id: self.request_id.clone(),
            count: 1,
        }
    }

    fn refused(&self, app: &App, tenant: &Tenant, who: Option<Identity>, error: Error) -> Response {
        let mut event = self.event(Action::Refusal, who, self.address.as_deref());
        (event.status, event.code) = (error.status().as_u16(), Some(error.code().to_owned()));
        // What cannot be reached is no refusal.
        if !error.status().is_server_error() {
            audit::note_refusal(app, tenant, event);
        }
        error.into_response()
    }

    /// Records of the request were over a quota: some, or all.
    pub(super) fn over_quota(&self, app: &App, who: &Principal, status: StatusCode) {
        let mut event = self.event(Action::Refusal, Some(who.identity().clone()), self.address.as_deref());
        (event.status, event.code) = (status.as_u16(), Some(Rejection::QUOTA_EXCEEDED.to_owned()));
        audit::note_refusal(app, who.tenant(), event);
    }

    /// Records are taken as they were sent, whatever is in them.
    pub(super) fn unredacted(&self, app: &App, who: &Principal) {
        let mut event = self.event(Action::Unredacted, Some(who.identity().clone()), self.address.as_deref());
        event.code = Some("redaction_skipped".to_owned());
        audit::note(app, who.tenant(), event);
    }

    /// Every read of logs, and everything that changes something but logs.
    fn note(&self, app: &App, tenant: &Tenant, need: Permission, who: Identity, response: &mut Response) {
        let action = match need {
            Permission::ReadLogs | Permission::ReadAudit => Action::Read,
            Permission::WriteLogs => return,
            _ if self.method.is_safe() => return,
            _ => Action::Change,
        };
        let reads = response.extensions_mut().remove::<Reads>();
        let asked = response.extensions_mut().remove::<AskedInBody>();
        let mut event = self.event(action, Some(who), self.address.as_deref());
        event.status = response.status().as_u16();
        event.code = response.extensions().get::<Error>().map(|error| error.code().to_owned());
        if let Some(AskedInBody(query)) = asked {
            event.query = Some(query);
        }
        match reads {
            None => {}
            Some(Reads::Shown(records)) => event.shown = Some(records as u64),
            // One record now, in case the isolate does not see the end, and one when it is known how much was shown.
            Some(Reads::Streams(tally)) => {
                let (app, tenant) = (app.clone(), tenant.clone());
                let ended = Event { outcome: Some("ended"), ..event.clone() };
                tally.at_end(move |records| {
                    audit::note(&app, &tenant, Event { shown: Some(records), ..ended });
                });
                event.outcome = Some("began");
            }
        }
        audit::note(app, tenant, event);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Whether a principal may name a service: for routes that have one in their path.
pub(super) fn check_service(who: &Principal, service: &str) -> Result<(), Error> {
    if who.may_use_service(service) { Ok(()) } else { Err(Error::OTHER_SERVICE) }
}
