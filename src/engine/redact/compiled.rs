//! A policy, made ready: what `Policy` says of a text, a record and a piece of JSON.

use std::borrow::Cow;

use memchr::memmem;
use regex::Regex;
use serde::Serialize;
use thiserror::Error;

use super::{
    kind::{Found, Kind},
    mark::mark,
    percent::Percent,
    policy::{self, Policy, Refused, Strategy},
    scan::{self, Setting},
    values::mark_end,
};

/// As often is what came out looked at again: a mark is shorter than what it stands for and may bring together
/// what stood apart.
const ROUNDS: usize = 6;

/// How much of one kind was redacted in one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Redaction {
    pub kind: String,
    pub field: String,
    pub count: u32,
}

/// A record that cannot be redacted, and so must not be stored. It does not say what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Failed {
    #[error("metadata is nested deeper than {0} levels")]
    TooDeep(usize),
    #[error("a found part does not end between characters")]
    Cut,
}

/// A compiled `Policy`.
pub struct Redactor {
    pub(super) policy: Policy,
    key: [u8; 32],
    strategies: [Strategy; Kind::BUILT_IN.len()],
    patterns: Vec<Regex>,
    /// A pattern that asks where its text begins or ends says nothing of a record as a whole.
    anchored: bool,
}

impl Redactor {
    pub fn new(policy: &Policy, key: [u8; 32]) -> Result<Self, Refused> {
        policy::check_entries(policy)?;
        let strategies = policy::strategies(policy)?;
        let patterns = policy::patterns(policy)?;
        let anchored = policy.custom.iter().any(|custom| {
            let pattern = custom.pattern.replace("[^", "").replace("\\^", "").replace("\\$", "");
            pattern.contains(['^', '$']) || pattern.contains("\\A") || pattern.contains("\\z")
        });
        Ok(Self { policy: policy.clone(), key, strategies, patterns, anchored })
    }

    pub const fn is_enabled(&self) -> bool {
        self.policy.enabled
    }

    /// Quick and conservative, on a piece of a record's JSON as it was sent, with its escapes, keys and values in
    /// one: false only when nothing in it would be changed by `record`.
    pub fn suspects(&self, json: &str) -> bool {
        if !self.policy.enabled {
            return false;
        }
        if self.anchored || !self.policy.fields.is_empty() && self.names_a_field(json) {
            return true;
        }
        // A scan of a text with escapes would take their letters for its own.
        let plain = if memchr::memchr(b'\\', json.as_bytes()).is_some() {
            Cow::Owned(unescaped(json))
        } else {
            Cow::Borrowed(json)
        };
        let keeps = |kind: Kind| self.strategy(kind) == Strategy::Keep;
        let setting = Setting { field: "", whole: true, keeps: &keeps };
        let may_go = |text: &str| {
            self.patterns.iter().any(|pattern| pattern.is_match(text))
                || scan::finds(text.as_bytes(), setting)
        };
        may_go(&plain) || Percent::read(&plain).is_some_and(|undone| may_go(&undone.text))
    }

    /// Whether a field of the policy's may stand in the JSON.
    fn names_a_field(&self, json: &str) -> bool {
        self.policy.fields.iter().filter(|(_, strategy)| **strategy != Strategy::Keep).any(|(path, _)| {
            let last = path.rsplit('.').find(|name| *name != "*").unwrap_or_default();
            // A well-known field may come under another name.
            !path.starts_with("metadata.")
                || memmem::find(json.as_bytes(), last.as_bytes()).is_some()
                || json.contains('\\')
        })
    }

    /// A lone text standing under this field path; None: the field is dropped.
    pub fn text<'t>(
        &self,
        field: &str,
        text: &'t str,
        found: &mut Vec<Redaction>,
    ) -> Result<Option<Cow<'t, str>>, Failed> {
        if !self.policy.enabled || self.is_untouched(field) {
            return Ok(Some(Cow::Borrowed(text)));
        }
        if let Some(strategy) = self.of_field(field) {
            return Ok(self.whole(Kind::Field, strategy, field, text, found).map(Cow::Owned));
        }
        let mut current = Cow::Borrowed(text);
        for _ in 0..ROUNDS {
            let parts = self.find_all(field, &current);
            if parts.is_empty() {
                break;
            }
            let mut drops = false;
            let mut next = String::with_capacity(current.len());
            let mut from = 0;
            for (part, value) in &parts {
                let Some(kept) = current.get(from..part.start) else { return Err(Failed::Cut) };
                let strategy = self.strategy(part.kind);
                next.push_str(kept);
                next.push_str(&mark(strategy, part.kind, self.name(part.kind), value, &self.key));
                note(found, self.name(part.kind), field);
                drops |= strategy == Strategy::Drop;
                from = part.end;
            }
            if drops && field != "message" {
                return Ok(None);
            }
            if drops {
                return Ok(Some(Cow::Owned("[REDACTED]".to_owned())));
            }
            next.push_str(current.get(from..).ok_or(Failed::Cut)?);
            if next == *current {
                break;
            }
            current = Cow::Owned(next);
        }
        Ok(Some(current))
    }

    /// What goes of a text, in its order, and what it is: as it stands there, or else with its percent escapes undone.
    fn find_all(&self, field: &str, text: &str) -> Vec<(Found, String)> {
        let with_values = |text: &str, parts: Vec<Found>| -> Vec<(Found, String)> {
            let value = |part: &Found| text.get(part.start..part.end).unwrap_or_default().to_owned();
            parts.into_iter().map(|part| (part, value(&part))).collect()
        };
        let parts = self.find(field, text);
        if !parts.is_empty() {
            return with_values(text, parts);
        }
        let Some(undone) = Percent::read(text) else { return Vec::new() };
        let found = with_values(&undone.text, self.find(field, &undone.text));
        found.into_iter().filter_map(|(part, value)| Some((undone.source(&part)?, value))).collect()
    }

    /// What goes of a text, in its order.
    fn find(&self, field: &str, text: &str) -> Vec<Found> {
        let keeps = |kind: Kind| self.strategy(kind) == Strategy::Keep;
        let setting = Setting { field, whole: false, keeps: &keeps };
        let mut parts = scan::scan(text.as_bytes(), setting);
        for (n, pattern) in (0..).zip(&self.patterns) {
            if !keeps(Kind::Custom(n)) {
                let found = pattern
                    .find_iter(text)
                    .filter(|found| !found.is_empty() && !inside_mark(text, found.start(), found.end()));
                parts.extend(found.map(|found| Found {
                    start: found.start(),
                    end: found.end(),
                    kind: Kind::Custom(n),
                }));
            }
        }
        if !self.patterns.is_empty() {
            parts = scan::merged(parts);
        }
        if !parts.is_empty() {
            // An end inside a character would be a fault of a rule; the character goes with the rest then.
            for part in &mut parts {
                while !text.is_char_boundary(part.start) {
                    part.start -= 1;
                }
                while !text.is_char_boundary(part.end) {
                    part.end += 1;
                }
            }
            parts.retain(|part| !text.get(part.start..part.end).is_some_and(|value| self.is_allowed(value)));
        }
        parts
    }

    /// A whole value that goes by the policy's word or by its name. None: it is dropped.
    pub(super) fn whole(
        &self,
        kind: Kind,
        strategy: Strategy,
        field: &str,
        value: &str,
        found: &mut Vec<Redaction>,
    ) -> Option<String> {
        if strategy == Strategy::Keep
            || value.is_empty()
            || mark_end(value.as_bytes(), 0) == Some(value.len())
        {
            return Some(value.to_owned());
        }
        let name = self.name(kind);
        note(found, name, field);
        (strategy != Strategy::Drop || field == "message")
            .then(|| mark(strategy, kind, name, value, &self.key))
    }

    pub(super) fn strategy(&self, kind: Kind) -> Strategy {
        if let Kind::Custom(n) = kind {
            return self.policy.custom.get(usize::from(n)).map_or(Strategy::Mask, |custom| custom.strategy);
        }
        let place = Kind::BUILT_IN.iter().position(|(other, _)| *other == kind);
        place.and_then(|place| self.strategies.get(place)).copied().unwrap_or(Strategy::Mask)
    }

    fn name(&self, kind: Kind) -> &str {
        match kind {
            Kind::Custom(n) => self.policy.custom.get(usize::from(n)).map_or("custom", |custom| &custom.name),
            kind => kind.name(),
        }
    }

    pub(super) fn is_untouched(&self, path: &str) -> bool {
        self.policy.untouched.iter().any(|entry| policy::is_meant(entry, path))
            || self.of_field(path) == Some(Strategy::Keep)
    }

    /// What the policy says of a field by name; the longest entry that means it.
    pub(super) fn of_field(&self, path: &str) -> Option<Strategy> {
        let meant = self.policy.fields.iter().filter(|(entry, _)| policy::is_meant(entry, path));
        meant.max_by_key(|(entry, _)| entry.len()).map(|(_, strategy)| *strategy)
    }

    fn is_allowed(&self, value: &str) -> bool {
        self.policy.allow.iter().any(|entry| {
            let ends = |end: &str| {
                value.len() > end.len()
                    && value.get(value.len() - end.len()..).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
            };
            match entry.strip_prefix('*') {
                Some(end) if end.starts_with('.') => ends(end),
                _ => entry == value || (entry.starts_with('@') && ends(entry)),
            }
        })
    }
}

/// Counts one more of a kind in a field.
fn note(found: &mut Vec<Redaction>, kind: &str, field: &str) {
    match found.iter_mut().find(|other| other.kind == kind && other.field == field) {
        Some(other) => other.count = other.count.saturating_add(1),
        None => found.push(Redaction { kind: kind.to_owned(), field: field.to_owned(), count: 1 }),
    }
}

/// Whether a part of the text is a part of a mark.
fn inside_mark(text: &str, start: usize, end: usize) -> bool {
    let bytes = text.as_bytes();
    let open = bytes.get(..=start).and_then(|head| memchr::memrchr(b'[', head));
    open.and_then(|open| mark_end(bytes, open)).is_some_and(|close| end <= close)
}

/// JSON without its escapes. What is no escape stays as it is.
fn unescaped(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((head, behind)) = rest.split_once('\\') {
        plain.push_str(head);
        let mut chars = behind.chars();
        let next = chars.next();
        rest = chars.as_str();
        match next {
            Some('n') => plain.push('\n'),
            Some('r') => plain.push('\r'),
            Some('t') => plain.push('\t'),
            Some('b') => plain.push('\u{8}'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let unit = |text: &str| text.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
                let first = unit(rest);
                rest = first.and_then(|_| rest.get(4..)).unwrap_or(rest);
                let second = rest.strip_prefix("\\u").and_then(unit);
                let pair = [first.unwrap_or(0xfffd), second.unwrap_or(0)];
                let letter = char::decode_utf16(pair).next().and_then(Result::ok);
                if letter.is_some_and(|letter| letter.len_utf16() == 2) {
                    rest = rest.get(6..).unwrap_or_default();
                }
                plain.push(letter.unwrap_or('\u{fffd}'));
            }
            // It would take the quote behind it, which ends the text, for escaped.
            Some('\\') if rest.starts_with('"') => plain.push_str("\\ "),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain.push_str(rest);
    plain
}
