//! Who reads, and what of a tenant's logs it may see. A scan takes a `Confined` filter, and only a `Reader` makes one:
//! no query can be made that leaves out the tenant or what the reader may not see.

use std::ops::Deref;

use super::{
    App, Error,
    patterns::{self, Patterns},
};
use crate::engine::{
    auth::{Permission, Principal, permission::SECURITY},
    block::Corrupt,
    pattern::PATTERN_ID,
    pipeline,
    query::{Expr, Field, Filter, Match, Test, TimeRange},
    record::{row::RowHead, timestamp::Timestamp},
    redact,
    tenant::Tenant,
};

/// What a caller may see.
#[derive(Clone, Debug)]
pub struct Reader {
    tenant: Tenant,
    /// What every row that it sees matches.
    scope: Expr,
    services: Option<Vec<String>>,
    /// Personal data is masked in what it is shown.
    masks: bool,
    /// What was before is not its.
    since: Timestamp,
    /// Whether it sees what is of a category that not everybody may see.
    sees_security: bool,
    /// To show patterns, and to find them: `with_patterns`.
    patterns: Option<Patterns>,
}

/// A filter with its tenant, which wants no row that its reader may not see.
#[derive(Clone, Debug)]
pub struct Confined {
    tenant: Tenant,
    filter: Filter,
    /// What must hold for a row as it is shown, where that is not what is stored.
    of_masked: Option<Expr>,
    since: Timestamp,
}

impl Reader {
    /// `None`: the caller may not read logs.
    pub fn of(who: &Principal) -> Option<Self> {
        if !who.may(Permission::ReadLogs) {
            return None;
        }
        let services = who.services().map(<[String]>::to_vec);
        let mut scope = Vec::new();
        if let Some(services) = &services {
            scope.push(Filter::services(services));
        }
        if !who.may(Permission::ReadSecurity) {
            scope.extend(SECURITY.map(|name| of_category(name).negated()));
        }
        let masks = !who.may(Permission::ReadPersonal);
        Some(Self {
            sees_security: who.may(Permission::ReadSecurity),
            patterns: None,
            tenant: who.tenant().clone(),
            scope: Expr::and(scope),
            services,
            masks,
            since: Timestamp::EPOCH,
        })
    }

    /// The reader of the tenant's audit stream since this time: who had the tenant's name before is somebody else.
    /// `None`: the caller may not.
    pub fn of_audit(who: &Principal, since: Timestamp) -> Option<Self> {
        let may = who.may(Permission::ReadAudit) && who.services().is_none();
        may.then(|| Self {
            tenant: who.tenant().audit(),
            scope: Expr::All,
            services: None,
            masks: false,
            since,
            sees_security: true,
            patterns: None,
        })
    }

    /// The reader of a job, which sees all of a tenant's logs as they are stored. What it finds is shown to no caller before
    /// it was looked at who may see it.
    pub(super) fn of_job(tenant: &Tenant) -> Self {
        Self {
            tenant: tenant.clone(),
            scope: Expr::All,
            services: None,
            masks: false,
            since: Timestamp::EPOCH,
            sees_security: true,
            patterns: None,
        }
    }

    /// The reader whose sight everybody who reads logs has at least: what is said of what it sees may be shown to all who
    /// see the service.
    pub(super) fn of_analyst(tenant: &Tenant) -> Self {
        let scope = Expr::and(SECURITY.map(|name| of_category(name).negated()).to_vec());
        Self { scope, masks: true, sees_security: false, ..Self::of_job(tenant) }
    }

    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// The same, that shows rows with their patterns and finds them by those.
    pub async fn with_patterns(&self, app: &App) -> Result<Self, Error> {
        if self.tenant.is_audit() {
            return Ok(self.clone());
        }
        Ok(Self { patterns: Some(patterns::of(app, &self.tenant).await?), ..self.clone() })
    }

    /// The same where nothing is shown: only a filter that names a pattern needs them.
    pub async fn with_patterns_of(&self, app: &App, filter: &Filter) -> Result<Self, Error> {
        let fields = filter.expr.fields();
        if fields.named.iter().any(|name| *name == PATTERN_ID) {
            self.with_patterns(app).await
        } else {
            Ok(self.clone())
        }
    }

    pub fn confine(&self, filter: &Filter) -> Confined {
        let asked = pipeline::as_stored(&filter.expr);
        let asked = self.patterns.as_ref().map_or_else(|| asked.clone(), |patterns| patterns.widened(&asked));
        let of_masked = (self.masks && looks_at_masked(&asked)).then(|| asked.clone());
        let asked = if of_masked.is_some() { loosened(asked) } else { asked };
        let expr = Expr::and(vec![self.scope.clone(), asked]);
        let time = TimeRange { start: filter.time.start.max(self.since), end: filter.time.end };
        Confined { tenant: self.tenant.clone(), filter: Filter { time, expr }, of_masked, since: self.since }
    }

    pub fn sees_service(&self, service: &str) -> bool {
        self.services.as_ref().is_none_or(|services| services.iter().any(|own| own == service))
    }

    /// Whether it sees rows of a service and category.
    pub fn sees_of(&self, service: &str, category: &str) -> bool {
        let is_secret = || SECURITY.iter().any(|name| category.eq_ignore_ascii_case(name));
        self.sees_service(service) && (self.sees_security || !is_secret())
    }

    /// A field's value as it is shown to it.
    pub(super) fn shown_value(&self, field: &str, value: &str) -> String {
        if self.masks { redact::mask(field, value) } else { value.to_owned() }
    }

    pub(super) fn masks(&self) -> bool {
        self.masks
    }

    /// A row as it is shown to it.
    pub(super) fn shown(&self, line: Box<[u8]>) -> Result<Box<[u8]>, Error> {
        let text = str::from_utf8(&line).map_err(|error| Corrupt::damaged("row", error))?;
        Ok(self.shown_line(text)?.map_or(line, |text| text.into_bytes().into()))
    }

    /// The same of a row's text; `None` when it is shown as it is stored.
    pub(super) fn shown_line(&self, line: &str) -> Result<Option<String>, Error> {
        let with_pattern = self.patterns.as_ref().and_then(|patterns| patterns.show(line));
        if !self.masks {
            return Ok(with_pattern);
        }
        let line = with_pattern.as_deref().unwrap_or(line);
        let masked = redact::mask_row(line.as_bytes()).and_then(|line| String::from_utf8(line).ok());
        Ok(Some(masked.ok_or_else(|| Corrupt::damaged("row", "it is no object"))?))
    }

    /// Whether it may see a stored row.
    pub fn sees(&self, line: &[u8]) -> Result<bool, Error> {
        let head = RowHead::parse(line).map_err(|error| Corrupt::damaged("row", error))?;
        Ok(self.confine(&Filter::all()).matches(&head, line)?)
    }
}

/// Whether it looks at what masking may change.
fn looks_at_masked(expr: &Expr) -> bool {
    let fields = expr.fields();
    fields.any || fields.named.iter().any(|name| !redact::is_shown_as_stored(name))
}

/// What of an expression may be asked of rows as they are stored, before it is asked of them as they are shown. Only
/// words that must be there: masking takes words away and adds none but marks, and a test that a mark may meet would tell
/// rows apart by what is behind it.
fn loosened(expr: Expr) -> Expr {
    let is_word = |found: &Match| matches!(found.test, Test::Words(_) | Test::Value(_) | Test::Exact(_));
    match expr {
        Expr::And(parts) => Expr::and(parts.into_iter().map(loosened).collect()),
        Expr::Match(found) if is_word(&found) => Expr::Match(found),
        other if looks_at_masked(&other) => Expr::All,
        other => other,
    }
}

/// Rows of this category, in capitals or not.
pub(super) fn of_category(name: &str) -> Expr {
    let test = Test::Value(name.to_owned());
    Expr::Match(Match { field: Field::Named("category".to_owned()), test })
}

impl Confined {
    /// For jobs of a scanner, which were confined before they were sent.
    pub(super) fn of_job(tenant: Tenant, filter: Filter) -> Self {
        Self { tenant, filter, of_masked: None, since: Timestamp::EPOCH }
    }

    pub fn tenant(&self) -> &Tenant {
        &self.tenant
    }

    /// What a row must meet as it is shown, besides what the filter says of it as it is stored.
    pub(super) fn of_masked(&self) -> Option<&Expr> {
        self.of_masked.as_ref()
    }

    /// The same within another range of time.
    #[must_use]
    pub fn within(mut self, time: TimeRange) -> Self {
        self.filter.time = TimeRange { start: time.start.max(self.since), end: time.end };
        self
    }
}

impl Deref for Confined {
    type Target = Filter;

    fn deref(&self) -> &Filter {
        &self.filter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::auth::{Identity, Permissions};

    fn reader(permissions: &[Permission], services: Option<&[&str]>) -> Option<Reader> {
        let identity = Identity { id: "k".into(), name: "k".into(), role: "r".into() };
        let services = services.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        Reader::of(&Principal::new(
            Tenant::default_tenant(),
            identity,
            Permissions::of(permissions),
            services,
        ))
    }

    fn row(service: &str, category: &str) -> Vec<u8> {
        let text = r#"{"id":"019aa3a8-0e00-7000-8000-000000000000","timestamp":"2025-11-21T00:00:00Z","received_at":"2025-11-21T00:00:00Z","service":"S","level":"INFO","message":"m","category":"C"}"#;
        text.replace("\"S\"", &format!("{service:?}")).replace("\"C\"", &format!("{category:?}")).into_bytes()
    }

    #[test]
    fn a_reader_sees_its_services_and_no_security() {
        type Case = (&'static [Permission], Option<&'static [&'static str]>, [bool; 4]);
        use Permission::{ReadAudit, ReadLogs, ReadSecurity};
        assert!(reader(&[ReadAudit, ReadSecurity], None).is_none());
        let cases: [Case; 5] = [
            (&[ReadLogs, ReadSecurity], None, [true; 4]),
            (&[ReadLogs], None, [true, false, true, false]),
            (&[ReadLogs], Some(&["api"]), [true, false, false, false]),
            (&[ReadLogs, ReadSecurity], Some(&["api", "x"]), [true, true, false, false]),
            (&[ReadLogs, ReadSecurity], Some(&[]), [false; 4]),
        ];
        for (permissions, services, expected) in cases {
            let reader = reader(permissions, services).unwrap();
            let rows = [row("api", "database"), row("api", "security"), row("web", "x"), row("web", "Audit")];
            let sees: Vec<bool> = rows.iter().map(|line| reader.sees(line).unwrap()).collect();
            assert_eq!(sees, expected, "{permissions:?} {services:?}");
            assert_eq!(reader.sees_service("web"), services.is_none());
        }
    }
}
