//! The quick way from a record's JSON to its stored row, for records that need nothing but to be put in
//! order: no tree is made of them.
//!
//! Invariant: the row is byte for byte what `normalise` and `Record`'s serialisation would write; where that
//! is not plain to see it reads nothing, and the record goes the long way. It refuses no record.

mod scan;

use std::borrow::Cow;

use self::scan::{Quoted, Scan};
use super::{
    field::{Field, Values},
    model::Level,
    normalise::{self, Context, MAX_RECORD_BYTES},
    timestamp::Timestamp,
    vocabulary::{self, Slot},
};
use crate::engine::pattern::PatternId;

/// A record's values where they stand in its JSON, or as they are stored.
#[derive(Clone, Debug)]
pub struct Plain<'a> {
    /// The record's JSON, for the long way.
    pub json: &'a [u8],
    service: &'a str,
    level: Option<Level>,
    timestamp: Option<Timestamp>,
    /// In the order of `TEXTS`; the message is the first.
    texts: [Option<Quoted<'a>>; TEXTS.len()],
    status: Option<&'a str>,
    duration: Option<&'a str>,
    /// As they are stored, without what encloses them.
    tags: Cow<'a, str>,
    metadata: Cow<'a, str>,
    /// Whether a name of `Additions` is taken in the metadata.
    takes_added: bool,
}

/// What is stored beside what was sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Additions<'a> {
    /// Where none was sent.
    pub level: Option<Level>,
    /// Where none was sent; nothing in it needs an escape.
    pub category: Option<&'a str>,
    /// In place of the one that was sent, which goes to the metadata; nothing in it needs an escape.
    pub endpoint: Option<&'a str>,
    /// Metadata about who sent it, as JSON.
    pub client: Option<&'a str>,
    pub pattern: Option<PatternId>,
}

/// The names in the metadata of an endpoint as it was sent, and of who sent it.
pub const PATH: &str = "path";
pub const CLIENT: &str = "client";

/// Fields that are copied, in the order in which they are stored; `source_type` and the numbers come between.
const TEXTS: [Field; 15] = [
    Field::Message,
    Field::Environment,
    Field::Component,
    Field::Endpoint,
    Field::Method,
    Field::Category,
    Field::CorrelationId,
    Field::TraceId,
    Field::SpanId,
    Field::UserId,
    Field::ErrorType,
    Field::StackTrace,
    Field::Logger,
    Field::Thread,
    Field::Host,
];

/// Where `source_type` is stored, and `status` and `duration_ms`: before the text of this number.
const SOURCE_BEFORE: usize = 6;
const NUMBERS_BEFORE: usize = 14;

impl<'a> Plain<'a> {
    /// Reads a record, if it is one of these.
    pub fn read(json: &'a [u8]) -> Option<Self> {
        if json.len() > MAX_RECORD_BYTES {
            return None;
        }
        let mut scan = Scan::new(str::from_utf8(json).ok()?);
        let (mut service, mut level, mut timestamp) = (None, None, None);
        let (mut status, mut duration, mut tags, mut metadata) = (None, None, None, None);
        let mut texts = [None; TEXTS.len()];
        // A bit for each slot that has a value.
        let mut taken = 0_u32;
        // Unknown fields, as metadata is stored, and their names.
        let mut rest = String::new();
        let mut names: Vec<&str> = Vec::new();
        scan.object(&mut |scan, key| {
            let Some((slot, _)) = vocabulary::place(key) else {
                if vocabulary::is_of_workflow(key) {
                    return None;
                }
                names.push(key);
                push_name(&mut rest, key);
                rest.push_str(&scan.value()?);
                return Some(());
            };
            // Which of two values counts is not decided here; a `null` of the same name takes one back.
            let bit = 1_u32 << slot as u32;
            if taken & bit != 0 {
                return None;
            }
            if scan.null()? {
                return Some(());
            }
            taken |= bit;
            match slot {
                Slot::Service => service = Some(scan.string()?),
                Slot::Level if vocabulary::is_otlp_level(key) => return None,
                Slot::Level => level = Some(level_of(scan.string()?.plain()?)?),
                Slot::Timestamp => timestamp = Some(time_of(scan)?),
                Slot::Status => status = Some(scan.integer()?),
                Slot::Duration if vocabulary::is_in_seconds(key) => return None,
                Slot::Duration => duration = Some(scan.number()?),
                Slot::Tags => tags = Some(scan.strings()?),
                Slot::Metadata => metadata = Some(scan.members(&mut names)?),
                // A slot that is none of these goes the long way.
                text => *texts.get_mut(text as usize)? = Some(scan.string()?),
            }
            Some(())
        })?;
        scan.end()?;
        let service = service?.plain()?;
        // Names that are taken twice get numbers.
        let twice = scan::has_twice(&names);
        if twice
            || !normalise::is_service_name(service)
            || texts.first()?.is_none_or(|message| message.text == "\"\"")
        {
            return None;
        }
        let mut metadata = metadata.unwrap_or_default();
        if !rest.is_empty() {
            if !metadata.is_empty() {
                metadata.to_mut().push(',');
            }
            *metadata.to_mut() += &rest;
        }
        Some(Self {
            json,
            service,
            level,
            timestamp,
            texts,
            status,
            duration,
            tags: tags.unwrap_or_default(),
            metadata,
            takes_added: names.contains(&PATH) || names.contains(&CLIENT),
        })
    }

    pub fn service(&self) -> &'a str {
        self.service
    }

    /// The level that was sent.
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    pub fn has_tags(&self) -> bool {
        !self.tags.is_empty()
    }

    pub fn status(&self) -> Option<i64> {
        self.status?.parse().ok()
    }

    /// When it happened, as far as it says.
    pub fn time(&self, ctx: &Context<'_>) -> Timestamp {
        self.timestamp.unwrap_or(ctx.received_at)
    }

    /// A text as it was meant, under the name it is stored with.
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        let nth = TEXTS.iter().position(|field| field.name() == name)?;
        let quoted = (*self.texts.get(nth)?)?;
        match quoted.plain() {
            Some(text) => Some(Cow::Borrowed(text)),
            None => serde_json::from_str(quoted.text).ok().map(Cow::Owned),
        }
    }

    /// Hands over the values of the row as it is stored and answers its time; `None`, and nothing handed over, when
    /// its time is not one that is taken, or when there is no place for what is added.
    pub fn write(
        &self,
        ctx: &Context<'_>,
        added: &Additions<'_>,
        row: &mut impl Values,
    ) -> Option<Timestamp> {
        if self.takes_added && (added.endpoint.is_some() || added.client.is_some()) {
            return None;
        }
        let timestamp = self.time(ctx);
        if self.timestamp.is_some() && !normalise::is_time_taken(timestamp, self.service, ctx) {
            return None;
        }
        put_plain(row, Field::Service, self.service);
        put_plain(row, Field::Level, self.level.or(added.level).unwrap_or(Level::Info).as_str());
        for (nth, (field, value)) in TEXTS.into_iter().zip(self.texts).enumerate() {
            if nth == SOURCE_BEFORE {
                put_plain(row, Field::SourceType, ctx.source.as_str());
            }
            if nth == NUMBERS_BEFORE {
                if let Some(status) = self.status {
                    put_plain(row, Field::Status, status);
                }
                if let Some(duration) = self.duration {
                    let fraction = if duration.contains('.') { "" } else { ".0" };
                    row.put(Field::DurationMs, &[duration, fraction]);
                }
            }
            match (field, added.endpoint, added.category) {
                (Field::Endpoint, Some(endpoint), _) => put_plain(row, field, endpoint),
                (Field::Category, _, Some(category)) if value.is_none() => put_plain(row, field, category),
                _ => {
                    if let Some(value) = value {
                        row.put(field, &[value.inner()]);
                    }
                }
            }
        }
        if let Some(pattern) = added.pattern {
            put_plain(row, Field::PatternId, pattern.write(&mut [0; 16]));
        }
        let mut metadata = Cow::Borrowed(&*self.metadata);
        let path = added.endpoint.and_then(|_| self.texts.get(Slot::Endpoint as usize).copied().flatten());
        let path = path.map(|path| path.text);
        for (name, value) in [(PATH, path), (CLIENT, added.client)] {
            if let Some(value) = value {
                push_name(metadata.to_mut(), name);
                metadata.to_mut().push_str(value);
            }
        }
        for (field, text, [open, close]) in
            [(Field::Tags, &*self.tags, ["[", "]"]), (Field::Metadata, &*metadata, ["{", "}"])]
        {
            if !text.is_empty() {
                row.put(field, &[open, text, close]);
            }
        }
        Some(timestamp)
    }
}

fn put_plain(row: &mut impl Values, field: Field, value: &str) {
    row.put(field, &[value]);
}

fn push_name(to: &mut String, name: &str) {
    if !to.is_empty() {
        to.push(',');
    }
    to.push('"');
    to.push_str(name);
    to.push_str("\":");
}

fn level_of(text: &str) -> Option<Level> {
    Level::ALL.into_iter().find(|level| level.as_str() == text).or_else(|| Level::parse(text))
}

fn time_of(scan: &mut Scan<'_>) -> Option<Timestamp> {
    if scan.is_string() {
        Timestamp::parse_text(scan.string()?.plain()?).ok()
    } else {
        Timestamp::parse(&scan.integer()?.parse::<i64>().ok()?.into()).ok()
    }
}

#[cfg(test)]
mod tests;
