//! Attacks in the content of a log line: requests that try injections, traversals and the like, and logins
//! that failed. It reads; it blocks nothing and counts nothing.
//!
//! A text goes three steps, and an honest one only the first: `gate` looks for marks in one pass; `parts` takes
//! out what a client sent, and `decode` its disguises; the patterns of `rules` run on what is left. Every step
//! takes time in proportion to the text, and none panics on any bytes.

mod agents;
pub mod auth;
mod decode;
mod gate;
mod parts;
mod rules;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

pub use rules::{Rule, Severity};

use parts::Parts;
use rules::{
    ADDRESS, ANYWHERE, CODE, GROUPS, Group, PATH, PROTOCOL, SCANNER, SCRIPT, SHELL, SQL, TARGET, VALUE,
};

/// Of a longer text only the first and the last half of it are looked at: who hides a payload between 64 KB of
/// padding is passed over, and one line cannot hold up all others.
const MAX_BYTES: usize = 64 << 10;

static ALL: LazyLock<Vec<Rule>> =
    LazyLock::new(|| GROUPS.iter().flat_map(|group| group.rules).chain([&SCANNER]).copied().collect());

/// Every rule, for documentation.
pub fn rules() -> &'static [Rule] {
    &ALL
}

/// The rules that the text meets, the worst of each tag first met; empty for an honest one.
pub fn detect(text: &str) -> Vec<&'static Rule> {
    let text = text.as_bytes();
    let mut found = Vec::new();
    if text.len() <= MAX_BYTES {
        look(text, &mut found);
    } else {
        look(text.get(..MAX_BYTES / 2).unwrap_or_default(), &mut found);
        look(text.get(text.len() - MAX_BYTES / 2..).unwrap_or_default(), &mut found);
    }
    found
}

/// Quick and conservative, on JSON as it was sent: false only when `detect` of every text in it would find
/// nothing and none of them tells of a login that failed.
pub fn suspects(json: &str) -> bool {
    gate::may_hold_or_tell_of_a_login(json.as_bytes())
}

fn look(text: &[u8], found: &mut Vec<&'static Rule>) {
    if !gate::may_hold(text) {
        return;
    }
    let parts = Parts::of(text);
    if !parts.path.is_empty() {
        let plain = decode::plain(&parts.path);
        add([&PATH, &TARGET, &CODE, &SCRIPT, &PROTOCOL], &plain, found);
    }
    if !parts.values.is_empty() {
        let plain = decode::plain(&parts.values);
        add([&SQL, &SCRIPT, &SHELL, &PATH, &ADDRESS, &CODE, &VALUE, &PROTOCOL], &plain, found);
        if let Some(unquoted) = decode::unquoted(&plain) {
            add([&SHELL], &unquoted, found);
        }
    }
    if !parts.agent.is_empty() {
        let plain = decode::plain(&parts.agent);
        add([&SQL, &SCRIPT, &PATH, &CODE], &plain, found);
        if agents::names_a_scanner(&plain) {
            note(&SCANNER, found);
        }
    }
    add([&ANYWHERE], &decode::plain(text), found);
}

fn add<const N: usize>(groups: [&'static Group; N], plain: &[u8], found: &mut Vec<&'static Rule>) {
    for rule in groups.into_iter().flat_map(|group| group.met(plain)) {
        note(rule, found);
    }
}

fn note(rule: &'static Rule, found: &mut Vec<&'static Rule>) {
    match found.iter_mut().find(|known| known.tag == rule.tag) {
        Some(known) if known.severity < rule.severity => *known = rule,
        Some(_) => {}
        None => found.push(rule),
    }
}
