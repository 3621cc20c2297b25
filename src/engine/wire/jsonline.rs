//! JSON lines whose sender says by name which field is what, as it does to `VictoriaLogs` (`_time_field`,
//! `_msg_field`, `_stream_fields`, `ignore_fields`, `extra_fields`).
//!
//! Invariant: a bad line fails alone, and a line without a message or time is still a record.

use super::batch::{RawRecord, parse_record};
use super::draft::{Draft, MESSAGE_NAMES, SERVICE_NAMES};
use super::split::{self, SplitError};
use crate::engine::record::rejection::Rejection;

/// How many names a list of a mapping may hold: each is looked for in every line.
const MAX_NAMES: usize = 64;

/// Which field is what. Names are dotted paths, for flat keys and nested objects alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The first that is a time.
    time_field: Vec<String>,
    /// The first that has text.
    msg_field: Vec<String>,
    /// The first names the service of a line that does not.
    stream_fields: Vec<String>,
    /// A `*` at the end stands for any rest of a name.
    ignore_fields: Vec<String>,
    /// Put in the place of a line's own of the same name.
    extra_fields: Vec<(String, String)>,
}

impl Default for Mapping {
    fn default() -> Self {
        Self::parse(None, None, None, None, None)
    }
}

impl Mapping {
    /// Each is a list with commas, `extra_fields` one of `name=value`; without a name for them, the time is in
    /// `_time` and the message in `_msg`, or under the names that every route knows.
    pub fn parse(
        time_field: Option<&str>,
        msg_field: Option<&str>,
        stream_fields: Option<&str>,
        ignore_fields: Option<&str>,
        extra_fields: Option<&str>,
    ) -> Self {
        let extra = |pair: String| {
            let (name, value) = pair.split_once('=')?;
            (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        };
        Self {
            time_field: names(time_field.unwrap_or("_time")),
            msg_field: names(msg_field.unwrap_or("_msg")),
            stream_fields: names(stream_fields.unwrap_or_default()),
            ignore_fields: names(ignore_fields.unwrap_or_default()),
            extra_fields: names(extra_fields.unwrap_or_default()).into_iter().filter_map(extra).collect(),
        }
    }

    fn record(&self, raw: RawRecord) -> RawRecord {
        let mut draft = Draft::new(raw);
        for name in &self.ignore_fields {
            match name.strip_suffix('*') {
                Some(prefix) => draft.drop_all(prefix),
                None => {
                    draft.take(name);
                }
            }
        }
        for (name, value) in &self.extra_fields {
            draft.take(name);
            draft.put(name, value.as_str());
        }
        let fields: Vec<&str> = self.msg_field.iter().map(String::as_str).collect();
        draft.message(&fields);
        draft.message(&MESSAGE_NAMES);
        draft.message_of_all();
        for path in &self.time_field {
            draft.time(path);
        }
        draft.service(&SERVICE_NAMES);
        if let Some(stream) = self.stream_fields.first() {
            // A stream's field stays a field, and may hold a name that a service cannot have.
            if let Some(name) = draft.peek_text(stream).filter(|_| !draft.has("service")) {
                draft.set("service", super::draft::service_name(&name));
            }
        }
        draft.finish()
    }
}

/// The lines of a body, in order, parsed one at a time.
pub fn decode<'a>(
    body: &'a [u8],
    mapping: &'a Mapping,
    max: usize,
) -> Result<impl Iterator<Item = Result<RawRecord, Rejection>> + use<'a>, SplitError> {
    Ok(split::lines(body, max)?.into_iter().map(|line| Ok(mapping.record(parse_record(line)?))))
}

/// A name that is longer is none: each of its dots is looked behind, in every line.
const MAX_NAME_BYTES: usize = 256;

fn names(list: &str) -> Vec<String> {
    let names = list.split(',').map(str::trim).filter(|name| (1..=MAX_NAME_BYTES).contains(&name.len()));
    names.take(MAX_NAMES).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
