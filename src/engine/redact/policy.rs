//! What a tenant wants redacted, and how. All of it has defaults, and a policy that is wrong is refused by the
//! name of what is wrong in it.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::kind::Kind;

/// The most patterns of a tenant's own; each is run over each text.
const MOST_CUSTOM: usize = 50;
/// What a compiled pattern and its cache may take.
const PATTERN_BYTES: usize = 1 << 20;
/// Fields, allowed values and untouched paths.
const MOST_ENTRIES: usize = 500;
const LONGEST_ENTRY: usize = 500;

/// What is done with what is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// A mark stands in its place: `[EMAIL]`.
    Mask,
    /// The mark keeps its last four characters.
    Partial,
    /// The mark is the same for the same value, and only the tenant's key could make it.
    Tokenize,
    /// The whole field goes.
    Drop,
    Keep,
}

/// A pattern of the tenant's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Custom {
    pub name: String,
    pub pattern: String,
    #[serde(default = "Custom::strategy")]
    pub strategy: Strategy,
}

impl Custom {
    fn strategy() -> Strategy {
        Strategy::Mask
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    pub enabled: bool,
    /// By kind or by group, `secrets` or `personal`; a kind's own entry comes before its group's.
    pub kinds: BTreeMap<String, Strategy>,
    /// By path; `*` stands for one name of it. What stands below a path is meant as well.
    pub fields: BTreeMap<String, Strategy>,
    pub custom: Vec<Custom>,
    /// Values that stay: whole ones, `@domain` for addresses of mail, `*.suffix` for the end of a value.
    pub allow: Vec<String>,
    /// Paths that are not looked into.
    pub untouched: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enabled: true,
            kinds: BTreeMap::from([("ipv4".to_owned(), Strategy::Keep), ("ipv6".to_owned(), Strategy::Keep)]),
            fields: BTreeMap::new(),
            custom: Vec::new(),
            allow: Vec::new(),
            untouched: Vec::new(),
        }
    }
}

/// A policy that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field}: {message}")]
pub struct Refused {
    pub field: String,
    pub message: String,
}

impl Refused {
    pub(super) fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// The strategies of the kinds, in the order of `Kind::BUILT_IN`.
pub(super) fn strategies(policy: &Policy) -> Result<[Strategy; Kind::BUILT_IN.len()], Refused> {
    let known = |name: &str| {
        matches!(name, "secrets" | "personal") || Kind::BUILT_IN.iter().any(|(_, other)| *other == name)
    };
    if let Some(name) = policy.kinds.keys().find(|name| !known(name)) {
        let names: Vec<&str> = Kind::BUILT_IN.iter().map(|(_, name)| *name).collect();
        let expected = format!("expected secrets, personal, {}", names.join(", "));
        return Err(Refused::new(format!("kinds.{name}"), expected));
    }
    Ok(Kind::BUILT_IN.map(|(kind, name)| {
        let group = if kind.is_secret() { "secrets" } else { "personal" };
        let address = matches!(kind, Kind::Ipv4 | Kind::Ipv6);
        let default = if address { Strategy::Keep } else { Strategy::Mask };
        policy.kinds.get(name).or_else(|| policy.kinds.get(group)).copied().unwrap_or(default)
    }))
}

/// The custom patterns, compiled.
pub(super) fn patterns(policy: &Policy) -> Result<Vec<Regex>, Refused> {
    if policy.custom.len() > MOST_CUSTOM {
        return Err(Refused::new(
            "custom",
            format!("at most {MOST_CUSTOM} patterns, {} came", policy.custom.len()),
        ));
    }
    let compiled = policy.custom.iter().enumerate().map(|(n, custom)| {
        let name_fits = custom.name.len() <= 40
            && custom.name.starts_with(|c: char| c.is_ascii_lowercase())
            && custom.name.len() >= 2
            && custom.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let taken = Kind::BUILT_IN.iter().any(|(_, name)| *name == custom.name)
            || matches!(custom.name.as_str(), "secrets" | "personal" | "redacted")
            || policy.custom.iter().take(n).any(|other| other.name == custom.name);
        if !name_fits || taken {
            let expected =
                "expected a name of its own of 2 to 40 small letters, digits and _, a letter first";
            return Err(Refused::new(format!("custom.{n}.name"), expected));
        }
        let refused = |message: String| Refused::new(format!("custom.{n}.pattern"), message);
        let pattern = RegexBuilder::new(&custom.pattern)
            .size_limit(PATTERN_BYTES)
            .dfa_size_limit(PATTERN_BYTES)
            .build()
            .map_err(|error| refused(error.to_string()))?;
        if pattern.is_match("") || matches_nothing(&pattern) {
            return Err(refused("it matches the empty text".to_owned()));
        }
        Ok(pattern)
    });
    compiled.collect()
}

/// Whether a pattern finds an empty text inside another one, as `\b` does.
fn matches_nothing(pattern: &Regex) -> bool {
    let probes = ["a", "a b", "1", "-", "a\nb", "Aa1 _-.:\n", " "];
    probes.iter().any(|probe| pattern.find_iter(probe).any(|found| found.is_empty()))
}

/// Checks the lists of paths and values.
pub(super) fn check_entries(policy: &Policy) -> Result<(), Refused> {
    let lists: [(&str, Vec<&String>); 3] = [
        ("fields", policy.fields.keys().collect()),
        ("allow", policy.allow.iter().collect()),
        ("untouched", policy.untouched.iter().collect()),
    ];
    for (list, entries) in lists {
        if entries.len() > MOST_ENTRIES {
            return Err(Refused::new(
                list,
                format!("at most {MOST_ENTRIES} entries, {} came", entries.len()),
            ));
        }
        for (n, entry) in entries.iter().enumerate() {
            let field = if list == "fields" { format!("fields.{entry}") } else { format!("{list}.{n}") };
            if entry.trim().is_empty() || entry.len() > LONGEST_ENTRY {
                return Err(Refused::new(field, format!("expected 1 to {LONGEST_ENTRY} characters")));
            }
            if list == "allow" && matches!(entry.as_str(), "@" | "*" | "*.") {
                return Err(Refused::new(field, "expected a value, @domain or *.suffix"));
            }
            if list != "allow" && entry.split('.').any(str::is_empty) {
                return Err(Refused::new(field, "expected a path of names between dots"));
            }
        }
    }
    Ok(())
}

/// Whether a path is meant by an entry, or stands below what is.
pub(super) fn is_meant(entry: &str, path: &str) -> bool {
    let mut names = path.split('.');
    entry.split('.').all(|expected| names.next().is_some_and(|name| expected == "*" || expected == name))
}
