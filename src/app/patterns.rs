//! Patterns as readers meet them. Rows are stored with an id that never changes; where it leads by now is in the catalog, and
//! what was taken in since the last flush is known to the isolate that took it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{App, Error};
use crate::{
    engine::{
        pattern::{FormBuf, Limits, Miners, Own, PATTERN_ID, PatternId, Template, form},
        query::{Expr, Field, Match, Test},
        record::row::RowHead,
        shard::mine,
        tenant::Tenant,
    },
    ports::patterns::KnownPattern,
};

/// What the catalog says is taken for true for so long.
const FRESH_MS: u64 = 60_000;

/// Ids of a tenant that are read; of more, some are shown as they are stored.
pub const MAX_KNOWN: usize = 10_000;

/// Tenants whose patterns an isolate keeps.
const MAX_BOOKS: usize = 8;

/// What an isolate learns of what it takes in, of its 128 MB: a few MB.
const RECENT: Limits = Limits { forms: 500, bytes: 75_000, news: 2000 };
const RECENT_SERVICES: usize = 24;

/// An id leads to another, and that to a third: each step was a template becoming more general.
const MAX_STEPS: usize = 16;

/// Of an isolate.
pub struct Mined(Mutex<State>);

struct State {
    recent: Miners,
    books: HashMap<Tenant, (u64, Arc<Book>)>,
}

/// Where ids lead, by the catalog.
#[derive(Debug, Default)]
pub struct Book {
    services: HashMap<String, HashMap<PatternId, KnownPattern>>,
    /// Where each id leads in the end.
    heads: HashMap<String, HashMap<PatternId, PatternId>>,
    /// Templates of users, which win over those that were found.
    written: HashMap<String, Vec<(PatternId, Template)>>,
}

/// What a reader needs to show patterns.
#[derive(Clone)]
pub struct Patterns {
    tenant: Tenant,
    book: Arc<Book>,
    mined: Arc<Mined>,
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Patterns({})", self.tenant)
    }
}

impl Default for Mined {
    fn default() -> Self {
        let recent = Miners::new(RECENT_SERVICES, RECENT);
        Self(Mutex::new(State { recent, books: HashMap::new() }))
    }
}

impl Mined {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns a message that is taken in.
    pub fn learn(&self, tenant: &Tenant, service: &str, form: PatternId, message: &str) {
        let service = key(tenant, service);
        self.lock().recent.learn_stored(&service, form, || message.to_owned());
    }

    /// Forgets all of a tenant.
    pub fn forget(&self, tenant: &Tenant) {
        let mut state = self.lock();
        state.books.remove(tenant);
        state.recent.forget(&key(tenant, ""));
    }

    /// A batch begins: services that were not heard of for long make room.
    pub fn begin(&self) {
        self.lock().recent.begin();
    }
}

fn key(tenant: &Tenant, service: &str) -> String {
    format!("{tenant}\n{service}")
}

/// What is known of a tenant's patterns.
pub async fn book(app: &App, tenant: &Tenant) -> Result<Arc<Book>, Error> {
    let now = app.clock.now_ms();
    if let Some((until, book)) = app.mined.lock().books.get(tenant)
        && now < *until
    {
        return Ok(book.clone());
    }
    let book = Arc::new(Book::new(app.patterns.list(tenant, MAX_KNOWN).await?));
    let mut state = app.mined.lock();
    if state.books.len() >= MAX_BOOKS {
        state.books.clear();
    }
    state.books.insert(tenant.clone(), (now + FRESH_MS, book.clone()));
    Ok(book)
}

/// The same for a reader.
pub async fn of(app: &App, tenant: &Tenant) -> Result<Patterns, Error> {
    Ok(Patterns { tenant: tenant.clone(), book: book(app, tenant).await?, mined: app.mined.clone() })
}

/// What was said of a pattern is known to who said it at once.
pub fn forget_book(app: &App, tenant: &Tenant) {
    app.mined.lock().books.remove(tenant);
}

impl Book {
    fn new(known: Vec<KnownPattern>) -> Self {
        let mut book = Self::default();
        for one in known {
            if let Some(template) = one.own.template.as_deref().and_then(Template::parse) {
                book.written.entry(one.service.clone()).or_default().push((one.id, template));
            }
            book.services.entry(one.service.clone()).or_default().insert(one.id, one);
        }
        let of_service = |(service, known): (&String, &HashMap<PatternId, KnownPattern>)| {
            let heads = known.keys().map(|id| (*id, book.head(service, *id)));
            (service.clone(), heads.collect::<HashMap<_, _>>())
        };
        let heads = book.services.iter().map(of_service).collect();
        book.heads = heads;
        book.hand_on();
        book
    }

    /// Follows an id to where it leads. A template that a user wrote is an end.
    fn head(&self, service: &str, id: PatternId) -> PatternId {
        let Some(known) = self.services.get(service) else { return id };
        let mut at = id;
        for _ in 0..MAX_STEPS {
            let Some(one) = known.get(&at) else { break };
            let next = match one.own.merged_into {
                Some(into) => into,
                None if one.own.template.is_some() => break,
                None => self.written_for(service, &one.template).unwrap_or(one.leads_to),
            };
            if next == at || next == id || !known.contains_key(&next) {
                break;
            }
            at = next;
        }
        at
    }

    /// What users said of a pattern that became more general holds for that, unless they said something of it.
    fn hand_on(&mut self) {
        for (service, heads) in &self.heads {
            let Some(known) = self.services.get_mut(service) else { continue };
            let mut said: Vec<(PatternId, PatternId, Own)> = heads
                .iter()
                .filter(|(id, head)| id != head)
                .filter_map(|(id, head)| Some((*head, *id, known.get(id)?.own.clone())))
                .filter(|(_, _, own)| own.merged_into.is_none() && !own.is_nothing())
                .collect();
            said.sort_by_key(|(head, id, _)| (*head, *id));
            for (head, _, own) in said {
                if let Some(head) = known.get_mut(&head).filter(|head| head.own.is_nothing()) {
                    head.own = own;
                }
            }
        }
    }

    /// The pattern that an id leads to by now.
    pub fn resolve(&self, service: &str, id: PatternId) -> Option<&KnownPattern> {
        let head = self.heads.get(service)?.get(&id)?;
        self.services.get(service)?.get(head)
    }

    /// The pattern whose template a user wrote so that it covers this text.
    fn written_for(&self, service: &str, text: &str) -> Option<PatternId> {
        let written = self.written.get(service)?;
        written.iter().find(|(_, template)| template.matches(text)).map(|(id, _)| *id)
    }

    pub fn get(&self, service: &str, id: PatternId) -> Option<&KnownPattern> {
        self.services.get(service)?.get(&id)
    }

    /// Services that have a pattern of this id.
    pub fn services_of(&self, id: PatternId) -> Vec<&str> {
        let has = self.services.iter().filter(|(_, known)| known.contains_key(&id));
        has.map(|(service, _)| service.as_str()).collect()
    }
}

/// The text that a pattern is shown with.
pub fn shown(pattern: &KnownPattern) -> &str {
    pattern.own.template.as_deref().unwrap_or(&pattern.template)
}

impl Patterns {
    /// The pattern of a row, and its text. The message is only asked for when nobody knows its form.
    fn pattern(
        &self,
        service: &str,
        id: PatternId,
        message: impl FnOnce() -> Option<String>,
    ) -> Option<(PatternId, String)> {
        if let Some(known) = self.book.resolve(service, id) {
            return Some((known.id, shown(known).to_owned()));
        }
        let mined = self.mined.lock().recent.look(&key(&self.tenant, service), id);
        let (id, text) = if let Some(mined) = mined {
            mined
        } else {
            let mut buffer = FormBuf::default();
            form(&message()?, &mut buffer);
            (id, buffer.template())
        };
        let known = self.by_text(service, id, &text);
        Some(known.map_or((id, text), |known| (known.id, shown(known).to_owned())))
    }

    /// What the catalog knows of a pattern that the isolate has found, by its id or by a template that a user wrote.
    fn by_text(&self, service: &str, id: PatternId, text: &str) -> Option<&KnownPattern> {
        let written = || self.book.written_for(service, text).and_then(|own| self.book.resolve(service, own));
        self.book.resolve(service, id).or_else(written)
    }

    /// The id of the pattern that an id leads to by now.
    pub fn resolve(&self, service: &str, id: PatternId) -> PatternId {
        if let Some(known) = self.book.resolve(service, id) {
            return known.id;
        }
        let mined = self.mined.lock().recent.look(&key(&self.tenant, service), id);
        let Some((id, text)) = mined else { return id };
        self.by_text(service, id, &text).map_or(id, |known| known.id)
    }

    /// What is known of a pattern.
    pub fn known(&self, service: &str, id: PatternId) -> Option<&KnownPattern> {
        self.book.get(service, id)
    }

    /// The text of a pattern.
    pub fn text(&self, service: &str, id: PatternId) -> Option<String> {
        if let Some(known) = self.book.get(service, id) {
            return Some(shown(known).to_owned());
        }
        self.mined.lock().recent.look(&key(&self.tenant, service), id).map(|(_, text)| text)
    }

    /// A row with the pattern that it belongs to by now.
    pub fn show(&self, line: &str) -> Option<String> {
        #[derive(serde::Deserialize)]
        struct Said {
            message: String,
        }
        let at = mine::place(line.as_bytes())?;
        let id = mine::id_of(line.as_bytes())?;
        let head = RowHead::parse(line.as_bytes()).ok()?;
        let message = || Some(serde_json::from_str::<Said>(line).ok()?.message);
        let (id, text) = self.pattern(&head.service, id, message)?;
        let (before, after) = (line.get(..at)?, line.get(at + 17..)?);
        let text = serde_json::to_string(&text).ok()?;
        Some(format!("{before}{id}\",\"pattern\":{text}{after}"))
    }

    /// An expression that finds rows of a pattern by every id that leads to it.
    pub fn widened(&self, expr: &Expr) -> Expr {
        match expr {
            Expr::All => Expr::All,
            Expr::And(parts) => Expr::And(parts.iter().map(|part| self.widened(part)).collect()),
            Expr::Or(parts) => Expr::Or(parts.iter().map(|part| self.widened(part)).collect()),
            Expr::Not(inner) => Expr::Not(Box::new(self.widened(inner))),
            Expr::Match(found) => self.ids(found).unwrap_or_else(|| Expr::Match(found.clone())),
        }
    }

    fn ids(&self, found: &Match) -> Option<Expr> {
        let (Test::Value(value) | Test::Exact(value)) = &found.test else { return None };
        if found.field.name() != Some(PATTERN_ID) {
            return None;
        }
        let id = PatternId::parse(value)?;
        let mut ids: HashSet<PatternId> = HashSet::from([id]);
        for (service, known) in &self.book.services {
            let leads = |one: &&PatternId| self.book.resolve(service, **one).is_some_and(|to| to.id == id);
            ids.extend(known.keys().filter(leads));
        }
        let forms = self.mined.lock().recent.leading_to(&format!("{}\n", self.tenant), &ids);
        ids.extend(forms);
        let mut ids: Vec<PatternId> = ids.into_iter().collect();
        ids.sort_unstable();
        let one = |id: &PatternId| {
            let field = Field::Named(PATTERN_ID.to_owned());
            Expr::Match(Match { field, test: Test::Value(id.to_string()) })
        };
        Some(Expr::or(ids.iter().map(one).collect()))
    }
}

/// What users say of a pattern; each part that is absent stays as it is, and `None` in it takes it back.
#[derive(Clone, Debug, Default)]
pub struct Change {
    pub name: Option<Option<String>>,
    pub state: Option<crate::engine::pattern::State>,
    pub template: Option<Option<String>>,
    pub merged_into: Option<Option<PatternId>>,
}

/// Says something of a pattern. `service` is needed where several have one of this id.
pub async fn change(
    app: &App,
    tenant: &Tenant,
    (service, id): (Option<&str>, PatternId),
    change: Change,
) -> Result<KnownPattern, Error> {
    forget_book(app, tenant);
    let book = book(app, tenant).await?;
    let services = book.services_of(id);
    let service = match (service, services.as_slice()) {
        (Some(service), _) => service,
        (None, [only]) => only,
        (None, []) => return Err(Error::NotFound("pattern")),
        (None, several) => {
            let names = several.join(", ");
            let message = format!("several services have this pattern: say which of {names}");
            return Err(Error::invalid("invalid_parameter", "service", message));
        }
    };
    // What leads on is no pattern of its own any more; but a merge is taken back where it was said.
    let asked = book.get(service, id).ok_or(Error::NotFound("pattern"))?;
    let head = book.resolve(service, id).unwrap_or(asked);
    let known = if asked.own.merged_into.is_some() { asked } else { head };
    let id = known.id;
    let Own { name, state, template, merged_into } = known.own.clone();
    let own = Own {
        name: change.name.unwrap_or(name),
        state: change.state.unwrap_or(state),
        template: change.template.unwrap_or(template),
        merged_into: change.merged_into.unwrap_or(merged_into),
    };
    if let Some(into) = own.merged_into {
        let target = book.resolve(service, into);
        if target.is_none_or(|target| target.id == id) {
            let message = format!("expected the id of another pattern of {service}, got {into}");
            return Err(Error::invalid("invalid_parameter", "mergeInto", message));
        }
    }
    app.patterns.say(tenant, service, id, &own).await?;
    forget_book(app, tenant);
    Ok(KnownPattern { own, ..known.clone() })
}
