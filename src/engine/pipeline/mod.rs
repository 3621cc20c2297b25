//! What a record passes between the wire and its block: enriched, looked through for attacks, redacted, put in a
//! category, triaged, and given its retention class, in this order. Rules see what would be stored, and no more.
//!
//! Invariant: a record for which there is nothing to do is stored as it was sent, and it is the same whether it went
//! the quick way (`plain`) or the long one (`pass`). A record that cannot be redacted is not stored.

mod asked;
mod client;
mod events;
pub mod settings;

use std::{borrow::Cow, cell::LazyCell, fmt, sync::Arc};

use serde_json::Value;

pub use asked::as_stored;
pub use client::Client;
pub use events::{Effects, Event, Subject};
pub use settings::{Settings, Steps};

use crate::engine::{
    attack, enrich,
    pattern::{FormBuf, PATTERN_ID, PatternId, form},
    query::Expr,
    record::{
        model::{Level, Record, Status},
        normalise::add_metadata,
        plain::{self, Additions, Plain},
        rejection::Rejection,
    },
    redact::{Redaction, Redactor},
    retention::{Class, Retention},
    triage::{Counted, Fired, Holding, Login, Observation, Rules, Triaged},
};

/// The tag of a failed login; the rules that count them ask for it.
const AUTH_FAILURE: &str = "auth:failure";

/// The name in the metadata of a browser's or program's family.
const USER_AGENT_FAMILY: &str = "user_agent_family";

/// Texts of a record's metadata that are looked through for attacks.
const MAX_SEARCHED: usize = 200;

/// A tenant's settings, compiled.
pub struct Pipeline {
    pub steps: Steps,
    redactor: Arc<Redactor>,
    /// A policy that names fields is for the long way: what is added to a record is a field too.
    names_fields: bool,
    rules: Rules,
    /// Some rule asks for the pattern of a message.
    pub asks_for_patterns: bool,
    pub retention: Retention,
}

/// What to do besides.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    pub client: Option<&'a Client>,
    pub redact: bool,
}

/// What became of a record.
#[derive(Clone, Debug)]
pub struct Passed {
    pub class: Class,
    /// It is not stored.
    pub dropped: bool,
    pub fired: Vec<Fired>,
    /// Rules that held.
    pub held: Vec<String>,
    pub redactions: Vec<Redaction>,
    /// The rules of attacks that it meets.
    pub attacks: Vec<&'static attack::Rule>,
}

impl Passed {
    /// Of a record that goes through no pipeline.
    pub const fn untouched(class: Class) -> Self {
        Self {
            class,
            dropped: false,
            fired: Vec::new(),
            held: Vec::new(),
            redactions: Vec::new(),
            attacks: Vec::new(),
        }
    }
}

/// How a plain record is stored, and the rules that hold for it.
#[derive(Clone, Debug)]
pub struct Way<'a> {
    pub class: Class,
    level: Option<Level>,
    category: Option<Cow<'a, str>>,
    endpoint: Option<String>,
    client: Option<&'a str>,
    holding: Vec<Holding<'a>>,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Way<'_> {
    pub fn additions(&self) -> Additions<'_> {
        Additions {
            level: self.level,
            category: self.category.as_deref(),
            endpoint: self.endpoint.as_deref(),
            client: self.client,
            pattern: None,
        }
    }

    pub fn level(&self) -> Level {
        self.level.unwrap_or(Level::Info)
    }

    pub fn category(&self) -> Option<&str> {
        self.category.as_deref()
    }

    /// Asks the rules that hold; `None` when none does. `count` is that of `Pipeline::pass`.
    pub fn pass(&self, count: &mut dyn FnMut(Observation) -> u32) -> Option<Passed> {
        if self.holding.is_empty() {
            return None;
        }
        let mut triaged = Triaged::default();
        for one in &self.holding {
            one.count(&mut triaged, count);
        }
        let Triaged { fired, held, .. } = triaged;
        Some(Passed { fired, held, ..Passed::untouched(self.class) })
    }
}

impl Pipeline {
    /// `key` is what a tenant's tokens are made with.
    pub fn new(settings: &Settings, key: [u8; 32]) -> Result<Self, settings::Refused> {
        settings.check()?;
        let rules = Rules::new(&settings.rules)?;
        Ok(Self {
            steps: settings.steps,
            redactor: Arc::new(Redactor::new(&settings.redaction, key)?),
            names_fields: !settings.redaction.fields.is_empty(),
            asks_for_patterns: settings.steps.patterns && rules.ask_for(PATTERN_ID),
            rules,
            retention: settings.retention.clone(),
        })
    }

    /// The same with other expressions in its rules.
    #[must_use]
    pub fn with_rules(&self, expr: impl Fn(&Expr) -> Expr) -> Self {
        Self {
            redactor: self.redactor.clone(),
            rules: self.rules.with(expr),
            retention: self.retention.clone(),
            ..*self
        }
    }

    /// The level that a message tells.
    pub fn level_in(&self, message: &str) -> Option<Level> {
        if !self.steps.enrichment {
            return None;
        }
        enrich::level_of(message).or_else(|| enrich::parse_message(message)?.level)
    }

    pub fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// How a plain record is stored, if it needs no more than what `Additions` can say.
    pub fn plain<'p>(&'p self, plain: &'p Plain<'_>, options: Options<'p>) -> Option<Way<'p>> {
        let redacts = options.redact && (self.names_fields || self.redactor.is_enabled());
        if redacts || self.steps.attacks {
            let json = str::from_utf8(plain.json).ok()?;
            let is_suspect = redacts && (self.names_fields || self.redactor.suspects(json))
                || self.steps.attacks && attack::suspects(json);
            if is_suspect {
                return None;
            }
        }
        let enriches = self.steps.enrichment;
        let message = plain.text("message")?;
        if enriches && enrich::may_have_fields(&message) && enrich::parse_message(&message).is_some() {
            return None;
        }
        // Many are asked for by no step.
        let lazily = |name: &'static str| LazyCell::new(move || plain.text(name));
        let [component, environment, method, error_type, logger] =
            ["component", "environment", "method", "error_type", "logger"].map(lazily);
        let sent = plain.text("category");
        let is_changed = || {
            component.as_deref().is_some_and(|name| enrich::component(name).is_some())
                || environment.as_deref().is_some_and(|name| enrich::environment(name).is_some())
        };
        if enriches && is_changed() {
            return None;
        }
        let level = plain.level().or_else(|| self.level_in(&message));
        let known_level = level.unwrap_or(Level::Info);
        let was = plain.text("endpoint");
        let endpoint = was.as_deref().filter(|_| enriches).and_then(enrich::endpoint);
        if endpoint.as_deref().is_some_and(needs_escapes) {
            return None;
        }
        let shown_endpoint = endpoint.as_deref().or(was.as_deref());
        let category = match sent {
            Some(sent) => Some(sent),
            None if !enriches => None,
            None => Some(Cow::Borrowed(
                enrich::category(&enrich::Seen {
                    service: plain.service(),
                    level: known_level,
                    message: &message,
                    component: component.as_deref(),
                    endpoint: shown_endpoint,
                    method: method.as_deref(),
                    status: plain.status(),
                    error_type: error_type.as_deref(),
                    logger: logger.as_deref(),
                    is_attack: false,
                })
                .as_str(),
            )),
        };
        let pattern = self.asks_for_patterns.then(|| pattern_of(&message).to_string());
        let known = |name: &str| {
            Some(match name {
                PATTERN_ID if self.steps.patterns => Some(pattern.as_deref()?),
                PATTERN_ID => None,
                "service" => Some(plain.service()),
                "level" => Some(known_level.as_str()),
                "message" => Some(&*message),
                "environment" => environment.as_deref(),
                "component" => component.as_deref(),
                "category" => category.as_deref(),
                "endpoint" => shown_endpoint,
                "method" => method.as_deref(),
                "error_type" => error_type.as_deref(),
                "logger" => logger.as_deref(),
                "tags" if !plain.has_tags() => None,
                _ => return None,
            })
        };
        let holding = self.rules.holding(&known)?;
        let class = self.class(known_level, category.as_deref(), None);
        let client = options.client.filter(|_| enriches).map(Client::json);
        Some(Way { class, level, category, endpoint, client, holding })
    }

    /// Takes a record the whole way. `count` notes an observation and answers how many there are of it lately.
    pub fn pass(
        &self,
        record: &mut Record,
        options: Options<'_>,
        count: &mut dyn FnMut(Observation) -> u32,
    ) -> Result<Passed, Rejection> {
        let sent_endpoint = record.fields.endpoint.clone();
        let Steps { enrichment, attacks: looks, patterns } = self.steps;
        if enrichment {
            enrich_record(record, options.client);
        }
        let attacks = if looks { attacks(record, sent_endpoint.as_deref()) } else { Vec::new() };
        for rule in &attacks {
            add_tag(record, rule.tag);
        }
        let login = self.login(&record.message);
        if login.is_some() {
            add_tag(record, AUTH_FAILURE);
        }
        let mut redactions = Vec::new();
        if options.redact {
            self.redactor.record(record, &mut redactions).map_err(|failed| {
                Rejection::new(Rejection::REDACTION_FAILED, format!("it cannot be redacted: {failed}"))
            })?;
        }
        if record.fields.category.is_none() && (enrichment || !attacks.is_empty()) {
            let category = category_of(record, !attacks.is_empty());
            record.fields.category = Some(category.as_str().to_owned());
        }
        record.fields.pattern_id = patterns.then(|| pattern_of(&record.message));
        let triaged = self.rules.triage(record, login.as_ref(), count).map_err(|corrupt| {
            Rejection::new(Rejection::TRIAGE_FAILED, format!("rules cannot read it: {corrupt}"))
        })?;
        let class = self.class(record.level, record.fields.category.as_deref(), triaged.class);
        let Triaged { fired, dropped, held, .. } = triaged;
        Ok(Passed { class, dropped, fired, held, redactions, attacks })
    }

    fn class(&self, level: Level, category: Option<&str>, routed: Option<Class>) -> Class {
        let is_lower = |name: &&str| !name.bytes().any(|byte| byte.is_ascii_uppercase());
        let lower = category.map(|name| {
            Some(name).filter(is_lower).map_or_else(|| name.to_ascii_lowercase().into(), Cow::Borrowed)
        });
        self.retention.class(level, lower.as_deref(), routed)
    }

    /// The failed login that a message tells of.
    pub fn login(&self, message: &str) -> Option<Login> {
        if !self.steps.attacks {
            return None;
        }
        let login = attack::auth::failed_login(message)?;
        // A policy for the message as a whole is one for what stands in it.
        let whole = self.shown("message", message);
        let shown = |field, text: &str| match &whole {
            Some(whole) if self.names_fields && !whole.contains(text) => None,
            Some(_) => self.shown(field, text),
            None => None,
        };
        Some(Login {
            address: login.address.map(|text| Counted::new(text, shown("message", text), "[ADDRESS]")),
            user: login.user.map(|text| Counted::new(text, shown("user_id", text), "[USER]")),
        })
    }

    /// A text as events may show it; nothing of one that is dropped.
    fn shown(&self, field: &str, text: &str) -> Option<String> {
        self.redactor.text(field, text, &mut Vec::new()).ok().flatten().map(Cow::into_owned)
    }
}

fn pattern_of(message: &str) -> PatternId {
    let mut buffer = FormBuf::default();
    form(message, &mut buffer);
    buffer.id()
}

/// Whether a text cannot be written in quotes as it is.
fn needs_escapes(text: &str) -> bool {
    text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\')
}

fn add_tag(record: &mut Record, tag: &str) {
    if !record.fields.tags.iter().any(|known| known == tag) {
        record.fields.tags.push(tag.to_owned());
    }
}

fn enrich_record(record: &mut Record, client: Option<&Client>) {
    let parsed = enrich::parse_message(&record.message);
    let fields = &mut record.fields;
    if let Some(parsed) = parsed {
        fill(&mut fields.method, parsed.method);
        fill(&mut fields.endpoint, parsed.endpoint);
        fill(&mut fields.trace_id, parsed.trace_id.filter(|id| is_trace_id(id)));
        fill(&mut fields.user_id, parsed.user_id);
        fill(&mut fields.error_type, parsed.error_type);
        fill(&mut fields.logger, parsed.logger);
        fields.duration_ms = fields.duration_ms.or(parsed.duration_ms);
        if fields.status.is_none() {
            fields.status = parsed.status.map(Status::Code);
        }
        for (name, value) in parsed.fields {
            // What the sender says of a name counts for more than what stands in the message.
            if !fields.metadata.contains_key(&name) {
                fields.metadata.insert(name, value);
            }
        }
        if let Some(user_agent) = parsed.user_agent {
            let family = enrich::user_agent_family(&user_agent);
            add_metadata(&mut fields.metadata, USER_AGENT_FAMILY.to_owned(), family.into());
        }
    }
    if let Some(name) = fields.environment.as_deref().and_then(enrich::environment) {
        fields.environment = Some(name.to_owned());
    }
    if let Some(name) = fields.component.as_deref().and_then(enrich::component) {
        fields.component = Some(name);
    }
    if let Some(endpoint) = fields.endpoint.as_deref().and_then(enrich::endpoint) {
        let sent = fields.endpoint.replace(endpoint).unwrap_or_default();
        // An access line has it, with what was asked for.
        let there = fields.metadata.get(plain::PATH).and_then(Value::as_str);
        let is_there = there.is_some_and(|path| path.starts_with(&sent));
        if !is_there {
            add_metadata(&mut fields.metadata, plain::PATH.to_owned(), sent.into());
        }
    }
    if let Some(client) = client {
        add_metadata(&mut fields.metadata, plain::CLIENT.to_owned(), client.value());
    }
}

/// Ids of traces are not redacted, so that nothing else may be taken for one.
fn is_trace_id(id: &str) -> bool {
    (16..=36).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

fn fill(field: &mut Option<String>, value: Option<String>) {
    if field.is_none() {
        *field = value;
    }
}

/// The attacks that a record tells of: of each tag the first rule that it meets.
fn attacks(record: &Record, endpoint: Option<&str>) -> Vec<&'static attack::Rule> {
    let mut met: Vec<&'static attack::Rule> = Vec::new();
    let mut look = |text: &str| {
        for rule in attack::detect(text) {
            if !met.iter().any(|known| known.tag == rule.tag) {
                met.push(rule);
            }
        }
    };
    look(&record.message);
    if let Some(endpoint) = endpoint {
        look(endpoint);
    }
    let mut left = MAX_SEARCHED;
    for value in record.fields.metadata.values() {
        each_text(value, &mut left, &mut look);
    }
    met
}

fn each_text(value: &Value, left: &mut usize, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) if *left > 0 => {
            *left -= 1;
            each(text);
        }
        Value::Array(items) => items.iter().for_each(|item| each_text(item, left, each)),
        Value::Object(fields) => fields.values().for_each(|field| each_text(field, left, each)),
        _ => {}
    }
}

fn category_of(record: &Record, is_attack: bool) -> enrich::Category {
    let fields = &record.fields;
    let status = match fields.status {
        Some(Status::Code(code)) => Some(code),
        _ => None,
    };
    enrich::category(&enrich::Seen {
        service: &record.service,
        level: record.level,
        message: &record.message,
        component: fields.component.as_deref(),
        endpoint: fields.endpoint.as_deref(),
        method: fields.method.as_deref(),
        status,
        error_type: fields.error_type.as_deref(),
        logger: fields.logger.as_deref(),
        is_attack,
    })
}

#[cfg(test)]
mod tests;
