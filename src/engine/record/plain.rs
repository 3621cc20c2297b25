//! The quick way from a record's JSON to its stored row, for records that need nothing but to be put in
//! order: no tree is made of them.
//!
//! Invariant: what it writes is byte for byte what `normalise` and `Record`'s serialisation would; where that
//! is not plain to see it reads nothing, and the record goes the long way. It refuses no record.

mod scan;

use std::borrow::Cow;

use uuid::Uuid;

use self::scan::{Quoted, Scan};
use super::{
    model::{Level, SourceType},
    normalise::{self, Context, MAX_RECORD_BYTES},
    row::begin,
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

/// Fields that are copied, in the order in which they are stored, and what stands before the value of each; `source_type` and
/// the numbers come between.
const TEXTS: [(Slot, &str); 15] = [
    (Slot::Message, ",\"message\":"),
    (Slot::Environment, ",\"environment\":"),
    (Slot::Component, ",\"component\":"),
    (Slot::Endpoint, ",\"endpoint\":"),
    (Slot::Method, ",\"method\":"),
    (Slot::Category, ",\"category\":"),
    (Slot::CorrelationId, ",\"correlation_id\":"),
    (Slot::TraceId, ",\"trace_id\":"),
    (Slot::SpanId, ",\"span_id\":"),
    (Slot::UserId, ",\"user_id\":"),
    (Slot::ErrorType, ",\"error_type\":"),
    (Slot::StackTrace, ",\"stack_trace\":"),
    (Slot::Logger, ",\"logger\":"),
    (Slot::Thread, ",\"thread\":"),
    (Slot::Host, ",\"host\":"),
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
                Slot::Metadata => {
                    let mut own = Vec::new();
                    metadata = Some(scan.members(&mut own)?);
                    names.extend(own);
                }
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
        let nth = TEXTS.iter().position(|(slot, _)| slot.stored() == name)?;
        let quoted = (*self.texts.get(nth)?)?;
        match quoted.plain() {
            Some(text) => Some(Cow::Borrowed(text)),
            None => serde_json::from_str(quoted.text).ok().map(Cow::Owned),
        }
    }

    /// Appends the row as it is stored and answers its time; `None`, and nothing appended, when its time is
    /// not one that is taken, or when there is no place for what is added.
    pub fn write(
        &self,
        id: Uuid,
        ctx: &Context<'_>,
        added: &Additions<'_>,
        row: &mut Vec<u8>,
    ) -> Option<Timestamp> {
        if self.takes_added && (added.endpoint.is_some() || added.client.is_some()) {
            return None;
        }
        let timestamp = self.time(ctx);
        if self.timestamp.is_some() && !normalise::is_time_taken(timestamp, self.service, ctx) {
            return None;
        }
        begin(id, timestamp, ctx.received_at, |part| row.extend_from_slice(part.as_bytes()));
        let level = self.level.or(added.level).unwrap_or(Level::Info);
        for part in [",\"service\":\"", self.service, "\",\"level\":\"", level.as_str(), "\""] {
            row.extend_from_slice(part.as_bytes());
        }
        for (nth, ((slot, name), value)) in TEXTS.iter().zip(self.texts).enumerate() {
            if nth == SOURCE_BEFORE {
                put(row, "source_type", source(ctx.source));
            }
            if nth == NUMBERS_BEFORE {
                put_some(row, "status", self.status);
                put_some(row, "duration_ms", self.duration);
                if self.duration.is_some_and(|duration| !duration.contains('.')) {
                    row.extend_from_slice(b".0");
                }
            }
            match (slot, added.endpoint, added.category) {
                (Slot::Endpoint, Some(endpoint), _) => put_plain(row, "endpoint", endpoint),
                (Slot::Category, _, Some(category)) if value.is_none() => {
                    put_plain(row, "category", category);
                }
                _ => {
                    if let Some(value) = value {
                        row.extend_from_slice(name.as_bytes());
                        row.extend_from_slice(value.text.as_bytes());
                    }
                }
            }
        }
        if let Some(pattern) = added.pattern {
            put_plain(row, "pattern_id", pattern.write(&mut [0; 16]));
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
        for (name, text, [open, close]) in
            [("tags", &*self.tags, ["[", "]"]), ("metadata", &*metadata, ["{", "}"])]
        {
            if !text.is_empty() {
                put(row, name, open);
                row.extend_from_slice(text.as_bytes());
                row.extend_from_slice(close.as_bytes());
            }
        }
        row.push(b'}');
        Some(timestamp)
    }
}

fn put_some(row: &mut Vec<u8>, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        put(row, name, value);
    }
}

fn put_plain(row: &mut Vec<u8>, name: &str, value: &str) {
    put(row, name, "\"");
    row.extend_from_slice(value.as_bytes());
    row.push(b'"');
}

fn put(row: &mut Vec<u8>, name: &str, value: &str) {
    for part in [",\"", name, "\":", value] {
        row.extend_from_slice(part.as_bytes());
    }
}

const fn source(source: SourceType) -> &'static str {
    match source {
        SourceType::Http => "\"http\"",
        SourceType::Tail => "\"tail\"",
    }
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
