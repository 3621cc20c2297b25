//! Names that exist: services, environments and categories, however they are separated and whether or not
//! "service" is said with them.

use std::collections::HashMap;

use super::{
    Known,
    clause::Clause,
    fields, levels,
    vocabulary::{is_filler, is_noun},
    words::{Kind, Tokens},
};

/// Words of a question that one name may be made of.
const MOST_WORDS: usize = 4;

const LEADS: &[&str] = &["in", "from", "of", "by", "for", "on", "at", "within", "inside", "to", "with"];
const SERVICE: &[&str] = &["service", "services", "svc", "app", "application", "microservice"];
const ENVIRONMENT: &[&str] = &["environment", "env", "environments", "system", "cluster", "stage"];
const ENDINGS: &[&str] = &["service", "svc", "app", "api", "worker", "server"];
const FAMILIES: &[&[&str]] = &[
    &["production", "prod", "prd"],
    &["staging", "stage", "stg"],
    &["development", "dev"],
    &["testing", "test", "qa"],
];

#[derive(Default)]
pub(super) struct Names<'a> {
    /// By their letters and digits alone.
    services: HashMap<String, Vec<&'a str>>,
    /// The same without "-service" and its like, and in the singular.
    loose: HashMap<String, Vec<&'a str>>,
    environments: HashMap<String, Vec<&'a str>>,
    categories: HashMap<String, Vec<&'a str>>,
}

fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn add<'a>(map: &mut HashMap<String, Vec<&'a str>>, key: String, name: &'a str) {
    if key.is_empty() {
        return;
    }
    let names = map.entry(key).or_default();
    if !names.contains(&name) && names.len() < 8 {
        names.push(name);
    }
}

impl<'a> Names<'a> {
    pub(super) fn of(known: &Known<'a>) -> Self {
        let mut names = Self::default();
        for name in known.services {
            let key = letters(name);
            for ending in ENDINGS {
                if let Some(short) = key.strip_suffix(ending).filter(|short| short.len() > 1) {
                    add(&mut names.loose, short.to_owned(), name);
                }
            }
            add(&mut names.services, key, name);
        }
        for name in known.environments {
            add(&mut names.environments, letters(name), name);
        }
        for name in known.categories {
            add(&mut names.categories, letters(name), name);
        }
        names
    }

    /// A service that takes more than a plain word to name, which nothing else can be.
    pub(super) fn long(&self, tokens: &Tokens<'_>, at: usize) -> Option<(usize, Clause)> {
        let (next, names) = exact(&self.services, tokens, at)?;
        let is_long = next - at > 1 || tokens.text(at).contains(['-', '_', '.']);
        is_long.then(|| (tokens.skip(next, SERVICE), services(&names)))
    }

    /// Reads names that begin here, with what leads to them.
    pub(super) fn read(&self, tokens: &Tokens<'_>, at: usize) -> Option<(usize, Clause)> {
        let has_lead = tokens.is(at, LEADS);
        let inner = if has_lead { tokens.skip(at + 1, &["the", "our", "my", "all"]) } else { at };
        let has_noun = tokens.is(inner, SERVICE);
        let first = if has_noun {
            tokens.skip(tokens.skip(inner, SERVICE), &["named", "called", "is", "the", "name"])
        } else {
            inner
        };
        if let Some(found) = self.service(tokens, first, has_lead || has_noun) {
            return Some(found);
        }
        // "the service x-9", which is not known, is asked for all the same.
        let value = first
            + usize::from(
                tokens.kind(first) == Some(Kind::Operator) && tokens.is(inner, &["service", "app"]),
            );
        let is_named = value > inner + 1 && !tokens.is(first.wrapping_sub(1), &["is", "the"]);
        if has_noun && value < tokens.len() {
            let text = tokens.text(value);
            let is_name = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            if is_name && (is_named || text.contains(['-', '_'])) {
                return Some((value + 1, Clause::is("service", text)));
            }
        }
        self.environment(tokens, inner, has_lead).or_else(|| self.category(tokens, inner))
    }

    /// One service or several: "checkout, payments or auth".
    fn service(&self, tokens: &Tokens<'_>, at: usize, is_led: bool) -> Option<(usize, Clause)> {
        let (mut next, mut names) = self.one(tokens, at, is_led)?;
        loop {
            let mut more = tokens.skip(next, &["or", "and", "&", "nor", "+", "and/or"]);
            if more == next && !tokens.begins_part(next) || next >= tokens.len() {
                break;
            }
            more = tokens.skip(more, LEADS);
            more = tokens.skip(more, &["the"]);
            more = tokens.skip(more, SERVICE);
            let Some((end, others)) = self.one(tokens, more, is_led) else { break };
            next = end;
            names.extend(others);
        }
        names.dedup();
        Some((next, services(&names)))
    }

    fn one(&self, tokens: &Tokens<'_>, at: usize, is_led: bool) -> Option<(usize, Vec<&'a str>)> {
        if at >= tokens.len() || tokens.kind(at) == Some(Kind::Operator) {
            return None;
        }
        let word = tokens.lower(at);
        if !is_led && (is_filler(word) || is_noun(word)) && !tokens.is(at + 1, SERVICE) {
            return None;
        }
        if let Some((next, names)) = exact(&self.services, tokens, at) {
            return Some((tokens.skip(next, SERVICE), names));
        }
        let is_followed = tokens.is(at + 1, SERVICE);
        // "By user 4711" is of a user, also where a service is called so.
        if !is_followed && (!is_led || fields::named(tokens, at).is_some()) {
            return None;
        }
        if let Some((next, names)) = exact(&self.loose, tokens, at) {
            return Some((tokens.skip(next, SERVICE), names));
        }
        let key = letters(word);
        let singular = key.strip_suffix('s').filter(|key| key.len() > 2);
        if let Some(names) = singular.and_then(|key| self.services.get(key).or_else(|| self.loose.get(key))) {
            return Some((tokens.skip(at + 1, SERVICE), names.clone()));
        }
        let plural = format!("{key}s");
        if let Some(names) = self.services.get(&plural).or_else(|| self.loose.get(&plural)) {
            return Some((tokens.skip(at + 1, SERVICE), names.clone()));
        }
        // A misspelt name counts when it can be one only.
        if key.len() < 5 || !is_led || is_noun(word) || is_filler(word) {
            return None;
        }
        let mut near =
            self.services.iter().chain(&self.loose).filter(|(name, _)| levels::is_near(&key, name));
        let (_, names) = near.next()?;
        near.all(|(_, others)| others == names).then(|| (tokens.skip(at + 1, SERVICE), names.clone()))
    }

    fn environment(&self, tokens: &Tokens<'_>, at: usize, is_led: bool) -> Option<(usize, Clause)> {
        let at = tokens.skip(at, &["the"]);
        let is_named = tokens.is(at, &["environment", "env"]);
        let at = if is_named { tokens.skip(at + 1, &["is", "named", "called"]) } else { at };
        let word = tokens.lower(at);
        let (mut next, names) = match exact(&self.environments, tokens, at) {
            Some((next, names)) => (next, names.iter().map(|name| (*name).to_owned()).collect()),
            None => (at + 1, self.family(word)?),
        };
        let is_followed = tokens.is(next, ENVIRONMENT);
        let is_plain = FAMILIES.iter().take(2).any(|family| family.contains(&word)) && word != "stage"
            || word == "development";
        if !(is_led || is_named || is_followed || is_plain) || (is_filler(word) && !is_followed) {
            return None;
        }
        next = tokens.skip(next, ENVIRONMENT);
        Some((next, Clause::any(names.iter().map(|name| Clause::is("environment", name)).collect())))
    }

    /// The known environments that are meant by "prod" or "staging"; without one, what they are usually called.
    fn family(&self, word: &str) -> Option<Vec<String>> {
        let family = FAMILIES.iter().find(|family| family.contains(&word))?;
        let known: Vec<String> = family
            .iter()
            .filter_map(|name| self.environments.get(*name))
            .flatten()
            .map(|name| (*name).to_owned())
            .collect();
        Some(if known.is_empty() {
            family.iter().take(2).map(|name| (*name).to_owned()).collect()
        } else {
            known
        })
    }

    /// "category billing", "security events".
    fn category(&self, tokens: &Tokens<'_>, at: usize) -> Option<(usize, Clause)> {
        let is_named = tokens.is(at, &["category", "categories"]);
        let start = if is_named { tokens.skip(at + 1, &["is", "named", "called"]) } else { at };
        let (next, names) = exact(&self.categories, tokens, start)?;
        let is_followed = tokens.is(next, &["category"]);
        let behind = tokens.lower(next);
        let is_thing = is_noun(behind)
            || levels::level(behind).is_some()
            || levels::is_failure(behind)
            || matches!(behind, "problems" | "issues");
        if !(is_named || is_followed || is_thing) {
            return None;
        }
        Some((
            tokens.skip(next, &["category"]),
            Clause::any(names.iter().map(|name| Clause::is("category", name)).collect()),
        ))
    }
}

fn services(names: &[&str]) -> Clause {
    Clause::any(names.iter().map(|name| Clause::is("service", name)).collect())
}

/// The longest name that begins here, by its letters and digits.
fn exact<'a>(
    map: &HashMap<String, Vec<&'a str>>,
    tokens: &Tokens<'_>,
    at: usize,
) -> Option<(usize, Vec<&'a str>)> {
    if map.is_empty() {
        return None;
    }
    let mut key = String::new();
    let mut found = None;
    for next in at..at + MOST_WORDS {
        if next > at && (tokens.begins_part(next) || tokens.kind(next) != Some(Kind::Word)) {
            break;
        }
        let Some(token) = tokens.get(next).filter(|token| token.kind != Kind::Operator) else { break };
        key.push_str(&letters(token.text));
        if let Some(names) = map.get(&key) {
            found = Some((next + 1, names.clone()));
        }
    }
    found
}
