//! The rules: what they look for, in which part of a request, and why it alarms.
//!
//! Patterns run on the text as `decode` leaves it: lower case, one blank for a run of them, `\x01` around each
//! name and value, `=\x02` between the two.

mod address;
mod anywhere;
mod code;
mod path;
mod protocol;
mod script;
mod shell;
mod sql;

use std::sync::LazyLock;

use regex::bytes::{RegexSet, RegexSetBuilder};
use serde::Serialize;

/// How bad it would be if the attack were let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

/// One thing that a text may be found to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Stays as it is when the pattern changes.
    pub id: &'static str,
    pub tag: &'static str,
    pub severity: Severity,
    pub reason: &'static str,
    pattern: &'static str,
}

/// Rules that are looked for together, in one pass.
pub(super) struct Group {
    pub(super) rules: &'static [Rule],
    set: LazyLock<Option<RegexSet>>,
}

/// The scanner rule has no pattern: names are looked up, not matched.
pub(super) static SCANNER: Rule = rule(
    "scanner-01",
    "attack:scanner",
    Severity::Medium,
    "The user agent is that of a tool that looks for weaknesses.",
    "",
);

pub(super) static SQL: Group = Group::new(sql::RULES, || compiled(sql::RULES));
pub(super) static SCRIPT: Group = Group::new(script::RULES, || compiled(script::RULES));
pub(super) static SHELL: Group = Group::new(shell::RULES, || compiled(shell::RULES));
pub(super) static PATH: Group = Group::new(path::RULES, || compiled(path::RULES));
pub(super) static TARGET: Group = Group::new(path::TARGETS, || compiled(path::TARGETS));
pub(super) static ADDRESS: Group = Group::new(address::RULES, || compiled(address::RULES));
pub(super) static CODE: Group = Group::new(code::RULES, || compiled(code::RULES));
pub(super) static VALUE: Group = Group::new(code::VALUES, || compiled(code::VALUES));
pub(super) static PROTOCOL: Group = Group::new(protocol::RULES, || compiled(protocol::RULES));
pub(super) static ANYWHERE: Group = Group::new(anywhere::RULES, || compiled(anywhere::RULES));

pub(super) static GROUPS: [&Group; 10] =
    [&SQL, &SCRIPT, &SHELL, &PATH, &TARGET, &ADDRESS, &CODE, &VALUE, &PROTOCOL, &ANYWHERE];

impl Group {
    const fn new(rules: &'static [Rule], set: fn() -> Option<RegexSet>) -> Self {
        Self { rules, set: LazyLock::new(set) }
    }

    /// The rules that a decoded text meets.
    pub(super) fn met(&self, plain: &[u8]) -> impl Iterator<Item = &'static Rule> {
        let met = self.set.as_ref().map(|set| set.matches(plain));
        let rules = self.rules;
        met.into_iter().flatten().filter_map(move |index| rules.get(index))
    }

    #[cfg(test)]
    pub(super) fn compiles(&self) -> bool {
        self.set.is_some()
    }
}

const fn rule(
    id: &'static str,
    tag: &'static str,
    severity: Severity,
    reason: &'static str,
    pattern: &'static str,
) -> Rule {
    Rule { id, tag, severity, reason, pattern }
}

/// The automaton's cache of each set is kept small: there are ten, and an isolate has 128 MB for all it does.
const CACHE_BYTES: usize = 256 << 10;

/// Stands before each pattern and takes nothing: there may be none of it. Before so many bytes no literals are
/// looked for that a match could begin or end with; a set makes no use of them, and they are a third of its cost.
const NO_LITERALS: &str = r"[\x0e-\x1f]*";

fn compiled(rules: &[Rule]) -> Option<RegexSet> {
    RegexSetBuilder::new(rules.iter().map(|rule| format!("{NO_LITERALS}(?:{})", rule.pattern)))
        .unicode(false)
        .dfa_size_limit(CACHE_BYTES)
        .build()
        .ok()
}
