//! The words of all rules as one automaton, and what bounds a word in each field.

use aho_corasick::{
    Input, MatchKind,
    automaton::{Automaton, OverlappingState},
    nfa::{contiguous, noncontiguous},
};

use super::{CategoryRule, Field, Seen};

/// What a message is about stands at its beginning; a long stack trace is not read to its end.
const MAX_MESSAGE: usize = 4096;
const MAX_NAME: usize = 256;

/// Words as an automaton that finds all of them, overlapping, in any case.
pub(in super::super) fn automaton<'w>(words: impl IntoIterator<Item = &'w str>) -> Option<contiguous::NFA> {
    let sparse = noncontiguous::Builder::new()
        .match_kind(MatchKind::Standard)
        .ascii_case_insensitive(true)
        .prefilter(false)
        .build(words)
        .ok()?;
    contiguous::Builder::new().dense_depth(3).build_from_noncontiguous(&sparse).ok()
}

/// Which rules a word belongs to, by field; `NONE` where no rule of the field has it.
#[derive(Clone, Copy)]
struct Owners {
    message: usize,
    source: usize,
    error_type: usize,
    endpoint: usize,
    service: usize,
    /// The word marks the line of a request.
    is_request: bool,
}

const NONE: usize = usize::MAX;

pub(super) struct Words {
    automaton: contiguous::NFA,
    owners: Vec<Owners>,
    statuses: Vec<(i64, usize)>,
    attack: usize,
    request: usize,
    path: usize,
    anything: usize,
    /// The rules up to here look into the line of a request too.
    last_of_requests: usize,
}

impl Words {
    pub(super) fn new(rules: &[CategoryRule]) -> Option<Self> {
        let mut words: Vec<&str> = Vec::new();
        let mut owners: Vec<Owners> = Vec::new();
        let mut statuses = Vec::new();
        let first = |field: Field| rules.iter().position(|rule| rule.field == field).unwrap_or(NONE);
        for (rule, CategoryRule { field, words: own, .. }) in rules.iter().enumerate() {
            for word in *own {
                if *field == Field::Status {
                    statuses.push((word.parse().ok()?, rule));
                    continue;
                }
                let at = words.iter().position(|known| known == word).unwrap_or_else(|| {
                    words.push(word);
                    let (message, source, error_type, endpoint, service) = (NONE, NONE, NONE, NONE, NONE);
                    owners.push(Owners { message, source, error_type, endpoint, service, is_request: false });
                    owners.len() - 1
                });
                let owners = owners.get_mut(at)?;
                let owner = match field {
                    Field::Message => &mut owners.message,
                    Field::Source => &mut owners.source,
                    Field::ErrorType => &mut owners.error_type,
                    Field::Endpoint => &mut owners.endpoint,
                    Field::Service => &mut owners.service,
                    Field::Request => {
                        owners.is_request = true;
                        continue;
                    }
                    Field::Attack | Field::Status | Field::Path | Field::Anything => continue,
                };
                *owner = rule.min(*owner);
            }
        }
        Some(Self {
            automaton: automaton(words)?,
            owners,
            statuses,
            attack: first(Field::Attack),
            request: first(Field::Request),
            path: first(Field::Path),
            anything: first(Field::Anything),
            last_of_requests: first(Field::Message),
        })
    }

    /// The first rule that fits.
    pub(super) fn first_rule(&self, seen: &Seen<'_>) -> usize {
        if seen.is_attack {
            return self.attack;
        }
        let mut best = self.anything;
        if let Some(endpoint) = seen.endpoint {
            best = best.min(if seen.method.is_some() { self.request } else { self.path });
            self.find(endpoint, MAX_NAME, |owners, text, start, end| {
                if owners.endpoint < best && is_segment(text, start, end) {
                    best = owners.endpoint;
                }
            });
        }
        if let Some(status) = seen.status {
            let rule = self.statuses.iter().find(|(number, _)| *number == status);
            best = best.min(rule.map_or(NONE, |(_, rule)| *rule));
        }
        for name in [seen.component, seen.logger].into_iter().flatten() {
            self.find(name, MAX_NAME, |owners, text, start, end| {
                if owners.source < best && is_in_name(text, start, end) {
                    best = owners.source;
                }
            });
        }
        if let Some(error_type) = seen.error_type {
            self.find(error_type, MAX_NAME, |owners, _, _, _| best = best.min(owners.error_type));
        }
        self.find(seen.service, MAX_NAME, |owners, text, start, end| {
            if owners.service < best && is_in_name(text, start, end) {
                best = owners.service;
            }
        });
        best.min(self.message_rule(seen.message))
    }

    fn message_rule(&self, message: &str) -> usize {
        // `payment_failed`, `user.login.failed`: an event's name.
        let is_name = message.len() <= MAX_NAME && memchr::memchr2(b' ', b'=', message.as_bytes()).is_none();
        let (mut best, mut always, mut is_request) = (NONE, NONE, false);
        self.find(message, MAX_MESSAGE, |owners, text, start, end| {
            if owners.is_request {
                is_request = true;
            } else if owners.message < best
                && if is_name { is_in_name(text, start, end) } else { is_word(text, start, end) }
            {
                best = owners.message;
                if best <= self.last_of_requests {
                    always = best;
                }
            }
        });
        if is_request { always.min(self.request) } else { best }
    }

    fn find(&self, text: &str, most: usize, mut hit: impl FnMut(&Owners, &[u8], usize, usize)) {
        let text = text.as_bytes();
        let text = text.get(..most).unwrap_or(text);
        let input = Input::new(text);
        let mut state = OverlappingState::start();
        while self.automaton.try_find_overlapping(&input, &mut state).is_ok() {
            let Some(found) = state.get_match() else { return };
            if let Some(owners) = self.owners.get(found.pattern().as_usize()) {
                hit(owners, text, found.start(), found.end());
            }
        }
    }
}

fn before(text: &[u8], start: usize) -> Option<u8> {
    text.get(start.checked_sub(1)?).copied()
}

/// What is behind a word, its plural being the word as well.
fn behind(text: &[u8], end: usize) -> usize {
    match text.get(end..) {
        Some([b's', next, ..]) if !next.is_ascii_alphanumeric() => end + 1,
        Some([b's']) => end + 1,
        _ => end,
    }
}

/// A word of a text: not of a path, a file's name, a link or a longer name.
fn is_word(text: &[u8], start: usize, end: usize) -> bool {
    let joins =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b'\\') || byte >= 0x80;
    let begins = match before(text, start) {
        Some(b'.' | b'?' | b'&' | b'%' | b'@' | b'#' | b'$') => false,
        byte => !byte.is_some_and(joins),
    };
    let end = behind(text, end);
    begins
        && match text.get(end..) {
            // The name of a file, a call or an address; and a key, which says nothing of its value.
            Some([b'.' | b'(' | b'@', next, ..]) if next.is_ascii_alphanumeric() => false,
            Some([b'=', ..]) => false,
            Some([byte, ..]) => !joins(*byte),
            _ => true,
        }
}

/// A word of a name: `auth` in `auth-service`, `AuthService` and `app.auth.tokens`.
fn is_in_name(text: &[u8], start: usize, end: usize) -> bool {
    let starts_upper = text.get(start).is_some_and(u8::is_ascii_uppercase);
    let begins = before(text, start)
        .is_none_or(|byte| !byte.is_ascii_alphanumeric() || (starts_upper && !byte.is_ascii_uppercase()));
    let end = behind(text, end);
    let ends_upper = before(text, end).is_some_and(|byte| byte.is_ascii_uppercase());
    let is_camel = |end: usize| text.get(end).is_some_and(u8::is_ascii_uppercase);
    begins
        && (text.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric())
            || (!ends_upper && (is_camel(end) || (text.get(end) == Some(&b's') && is_camel(end + 1)))))
}

/// One segment of a path, and all of it.
fn is_segment(text: &[u8], start: usize, end: usize) -> bool {
    let end = behind(text, end);
    before(text, start).is_none_or(|byte| byte == b'/')
        && text.get(end).is_none_or(|byte| matches!(byte, b'/' | b'?' | b'.' | b':'))
}
