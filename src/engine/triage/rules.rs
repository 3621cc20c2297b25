//! A tenant's rules, compiled, and what they do with a record.

use serde::{Deserialize, Serialize};

use super::{
    Action, Refused, Rule, in_order,
    rule::path_of,
    sample::{is_kept, trace_of},
};
use crate::engine::{
    block::{Corrupt, Kind, words},
    query::{Expr, Field, Match, Test, leaves},
    record::model::{Level, Record},
    retention::Class,
};

const MAX_RULES: usize = 200;

/// Compiled regular expressions are large.
const MAX_REGEXES: usize = 20;

/// Bytes of a value in the name of what is counted.
const MAX_KEY: usize = 120;

#[derive(Debug)]
pub struct Rules(Vec<Compiled>);

#[derive(Clone, Debug)]
struct Compiled {
    rule: Rule,
    expr: Expr,
    group_by: Vec<String>,
    distinct: Option<String>,
}

/// Fields of a record that are known before it is put together: `None` is unknown, `Some(None)` absent.
pub type Known<'a> = dyn Fn(&str) -> Option<Option<&'a str>> + 'a;

/// What is counted in a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub rule: String,
    /// Which of its kind: `service=api`.
    pub key: String,
    pub window_s: u64,
    pub threshold: u32,
    pub value: Option<u64>,
}

/// A failed login that a record tells of, as it may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    pub address: Option<Counted>,
    pub user: Option<Counted>,
}

/// A value that is counted as it is, and shown as it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    shown: String,
    /// Told apart from others that are shown alike; kept in memory alone.
    hash: Option<u64>,
}

impl Counted {
    /// `shown` is the text redacted; where there is nothing of it, `instead` is.
    pub fn new(text: &str, shown: Option<String>, instead: &str) -> Self {
        let hash = (shown.as_deref() != Some(text)).then(|| words::hash(text));
        Self { shown: shown.unwrap_or_else(|| instead.to_owned()), hash }
    }

    /// One that is shown as it is, as far as it is counted: many of them are held together, and they may be long.
    fn of(value: &str) -> Self {
        Self { shown: value.chars().take(MAX_KEY).collect(), hash: None }
    }

    fn counted(&self) -> String {
        match self.hash {
            Some(hash) => format!("{}#{hash:x}", self.shown),
            None => self.shown.chars().take(MAX_KEY).collect(),
        }
    }
}

/// An action that was taken, or is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    pub rule: String,
    pub action: Action,
    /// What was counted, where it was, and in which window.
    pub key: Option<String>,
    pub window_s: Option<u64>,
}

/// There is as much as a rule waits for; what of, if it counts.
struct Enough {
    key: Option<String>,
}

/// A rule that holds for a record and leaves it as it is.
#[derive(Clone, Debug)]
pub struct Holding<'r> {
    one: &'r Compiled,
    /// What it counts: paths and their values.
    keys: Vec<(&'r str, Counted)>,
}

/// What rules made of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Triaged {
    /// In the order of the rules.
    pub fired: Vec<Fired>,
    pub class: Option<Class>,
    /// It is not stored: dropped, or sampled out.
    pub dropped: bool,
    /// The first rule that samples decides.
    sampled: bool,
    /// Names of the rules that held.
    pub held: Vec<String>,
}

impl Rules {
    /// The tenant's own and those that everybody has.
    pub fn new(own: &[Rule]) -> Result<Self, Refused> {
        if own.len() > MAX_RULES {
            return Err(Refused::new("rules", format!("expected at most {MAX_RULES}, got {}", own.len())));
        }
        let mut regexes = 0;
        let mut compiled = Vec::new();
        for (rule, _) in in_order(own) {
            rule.check()?;
            let expr = rule.expression()?;
            expr.each_match(&mut |found| regexes += usize::from(matches!(found.test, Test::Regex(_))));
            let group_by = match (rule.group_by.as_slice(), rule.window) {
                ([], Some(_)) => vec!["service".to_owned()],
                (fields, _) => fields.iter().map(|name| path_of(name)).collect(),
            };
            let distinct = rule.distinct.as_deref().map(path_of);
            if rule.enabled {
                compiled.push(Compiled { rule, expr, group_by, distinct });
            }
        }
        if regexes > MAX_REGEXES {
            let message =
                format!("expected at most {MAX_REGEXES} regular expressions in all rules, got {regexes}");
            return Err(Refused::new("when", message));
        }
        let mut names: Vec<&str> = own.iter().map(|rule| rule.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) =
            names.windows(2).find_map(|pair| (pair.first() == pair.last()).then(|| pair.first()))
        {
            let message =
                format!("expected one rule of a name, got several {:?}", twice.copied().unwrap_or_default());
            return Err(Refused::new("name", message));
        }
        Ok(Self(compiled))
    }

    /// One alone, to try it.
    pub fn only(rule: &Rule) -> Result<Self, Refused> {
        let mut all = Self::new(std::slice::from_ref(rule))?;
        all.0.retain(|one| one.rule.name == rule.name);
        Ok(all)
    }

    /// Whether one of them asks for a field.
    pub fn ask_for(&self, name: &str) -> bool {
        self.0.iter().any(|one| one.expr.fields().named.contains(name))
    }

    /// The same with other expressions.
    #[must_use]
    pub fn with(&self, expr: impl Fn(&Expr) -> Expr) -> Self {
        Self(self.0.iter().map(|one| Compiled { expr: expr(&one.expr), ..one.clone() }).collect())
    }

    /// Those that hold for a record of which only this is known. `None`: that cannot be said, or one of them does
    /// more than to count and to tell.
    pub fn holding(&self, known: &Known<'_>) -> Option<Vec<Holding<'_>>> {
        let mut all = Vec::new();
        for one in &self.0 {
            if one.expr.decide(&mut |found| decide(found, known))? {
                all.push(one.holding(known)?);
            }
        }
        Some(all)
    }

    /// Asks them in their order and does to the record what they say. `count` notes an observation and answers how many
    /// there are of it in its window.
    pub fn triage(
        &self,
        record: &mut Record,
        login: Option<&Login>,
        count: &mut dyn FnMut(Observation) -> u32,
    ) -> Result<Triaged, Corrupt> {
        let mut triaged = Triaged::default();
        // The row as it stands; written again only after a change.
        let mut row: Option<Vec<u8>> = None;
        for one in &self.0 {
            let known = |name: &str| of_record(record, name);
            let held = match one.expr.decide(&mut |found| decide(found, &known)) {
                Some(held) => held,
                None => one.expr.matches_row(write(&mut row, record)?)?,
            };
            if !held {
                continue;
            }
            let mut keys = Vec::new();
            let mut value = None;
            if one.rule.window.is_some() {
                if let Some(path) = &one.distinct {
                    // Without one there is nothing to count.
                    let Some(found) = value_of(path, record, login, &mut row)? else { continue };
                    value = Some(words::hash(&found.counted()));
                }
                for path in &one.group_by {
                    keys.extend(value_of(path, record, login, &mut row)?.map(|of| (path.as_str(), of)));
                }
            }
            let Some(enough) = one.count(&keys, value, count) else { continue };
            triaged.held.push(one.rule.name.clone());
            for action in &one.rule.then {
                if act(action, record, &mut triaged) {
                    if !action.is_event() {
                        row = None;
                    }
                    triaged.fired.push(one.fired(action, &enough));
                }
            }
            if one.rule.stop || triaged.dropped {
                break;
            }
        }
        Ok(triaged)
    }
}

impl Compiled {
    fn holding(&self, known: &Known<'_>) -> Option<Holding<'_>> {
        let Rule { stop, then, window, .. } = &self.rule;
        if *stop || self.distinct.is_some() || !then.iter().all(Action::is_event) {
            return None;
        }
        let mut keys = Vec::new();
        for path in self.group_by.iter().filter(|_| window.is_some()) {
            keys.extend(known(path)?.map(|value| (path.as_str(), Counted::of(value))));
        }
        Some(Holding { one: self, keys })
    }

    /// Counts what a record has under its paths. `None`: there is not enough of it yet.
    fn count(
        &self,
        keys: &[(&str, Counted)],
        value: Option<u64>,
        count: &mut dyn FnMut(Observation) -> u32,
    ) -> Option<Enough> {
        let (Some(window_s), Some(threshold)) = (self.rule.window, self.rule.threshold) else {
            return Some(Enough { key: None });
        };
        let mut key = None;
        for (path, of) in keys {
            let (rule, counted) = (self.rule.name.clone(), format!("{path}={}", of.counted()));
            let seen = count(Observation { rule, key: counted, window_s, threshold, value });
            if seen >= threshold && key.is_none() {
                key = Some(format!("{path}={}", of.shown.chars().take(MAX_KEY).collect::<String>()));
            }
        }
        key.is_some().then_some(Enough { key })
    }

    fn fired(&self, action: &Action, enough: &Enough) -> Fired {
        Fired {
            rule: self.rule.name.clone(),
            action: action.clone(),
            key: enough.key.clone(),
            window_s: self.rule.window,
        }
    }
}

impl Holding<'_> {
    /// Counts a record for which it holds, and adds what is to be told.
    pub fn count(&self, triaged: &mut Triaged, count: &mut dyn FnMut(Observation) -> u32) {
        let Some(enough) = self.one.count(&self.keys, None, count) else { return };
        triaged.held.push(self.one.rule.name.clone());
        triaged.fired.extend(self.one.rule.then.iter().map(|action| self.one.fired(action, &enough)));
    }
}

/// Takes an action; `false`: there was nothing to do.
fn act(action: &Action, record: &mut Record, triaged: &mut Triaged) -> bool {
    let fields = &mut record.fields;
    match action {
        Action::Tag { tag } => {
            if fields.tags.contains(tag) {
                return false;
            }
            fields.tags.push(tag.clone());
        }
        Action::SetLevel { level } => record.level = *level,
        Action::SetCategory { category } => fields.category = Some(category.clone()),
        Action::RouteClass { class } => triaged.class = Some(*class),
        Action::Sample { one_in, errors } => {
            if record.level >= Level::Error && !errors || triaged.sampled {
                return false;
            }
            let trace = trace_of(record);
            let fields = &mut record.fields;
            triaged.sampled = true;
            fields.sample_rate = Some(fields.sample_rate.unwrap_or(1).saturating_mul(*one_in));
            triaged.dropped = !is_kept(trace, *one_in);
        }
        Action::Drop {} => triaged.dropped = true,
        Action::Alert { .. } | Action::Webhook { .. } | Action::Notify { .. } => {}
    }
    true
}

/// What a match says of a field that is known.
fn decide(found: &Match, known: &Known<'_>) -> Option<bool> {
    let Field::Named(name) = &found.field else { return None };
    match known(name)? {
        Some(value) => Some(found.holds(name, Kind::Text, value)),
        None => Some(false),
    }
}

/// Fields that are read without the row.
#[expect(clippy::option_option, reason = "unknown, absent and a text are three things")]
fn of_record<'a>(record: &'a Record, name: &str) -> Option<Option<&'a str>> {
    let fields = &record.fields;
    Some(match name {
        "service" => Some(record.service.as_str()),
        "level" => Some(record.level.as_str()),
        "message" => Some(record.message.as_str()),
        "environment" => fields.environment.as_deref(),
        "component" => fields.component.as_deref(),
        "category" => fields.category.as_deref(),
        "endpoint" => fields.endpoint.as_deref(),
        "method" => fields.method.as_deref(),
        "error_type" => fields.error_type.as_deref(),
        "logger" => fields.logger.as_deref(),
        "host" => fields.host.as_deref(),
        // A tag holds when one of several does; without any none does.
        "tags" if fields.tags.is_empty() => None,
        _ => return None,
    })
}

fn write<'r>(row: &'r mut Option<Vec<u8>>, record: &Record) -> Result<&'r [u8], Corrupt> {
    if row.is_none() {
        *row = Some(serde_json::to_vec(record).map_err(|error| Corrupt::damaged("row", error))?);
    }
    Ok(row.as_deref().unwrap_or_default())
}

/// The first value under a path.
fn value_of(
    path: &str,
    record: &Record,
    login: Option<&Login>,
    row: &mut Option<Vec<u8>>,
) -> Result<Option<Counted>, Corrupt> {
    match path {
        "login.address" => return Ok(login.and_then(|login| login.address.clone())),
        "login.user" => return Ok(login.and_then(|login| login.user.clone())),
        _ => {}
    }
    if let Some(value) = of_record(record, path) {
        return Ok(value.map(Counted::of));
    }
    let mut first = None;
    leaves(write(row, record)?, &mut |name, _, value| {
        if name == path && first.is_none() {
            first = Some(Counted::of(value));
        }
    })?;
    Ok(first)
}

#[cfg(test)]
mod tests;
