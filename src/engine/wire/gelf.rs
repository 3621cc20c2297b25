//! GELF 1.1 over HTTP: one object a request to raw records; several in a row or an array are taken too.
//!
//! Invariant: additional fields lose their underscore and nothing else. A message in the form of 1.0, with
//! `facility`, is read as well.

use serde_json::Map;

use super::batch::{RawRecord, parse_record};
use super::draft::Draft;
use super::split::{self, SplitError};
use crate::engine::record::normalise::add_metadata;
use crate::engine::record::rejection::Rejection;

/// The messages of a body, in order, parsed one at a time.
pub fn decode(
    body: &[u8],
    max: usize,
) -> Result<impl Iterator<Item = Result<RawRecord, Rejection>>, SplitError> {
    Ok(split::values(body, max)?.into_iter().map(|json| parse_record(json).and_then(record)))
}

fn record(raw: RawRecord) -> Result<RawRecord, Rejection> {
    let RawRecord { fields, size_bytes } = raw;
    let (additional, mut known): (Map<_, _>, Map<_, _>) =
        fields.into_iter().partition(|(key, _)| key.len() > 1 && key.starts_with('_'));
    for (key, value) in additional {
        // Of two names that differ by the underscore alone both are kept.
        add_metadata(&mut known, key.strip_prefix('_').unwrap_or(&key).to_owned(), value);
    }
    let mut draft = Draft::new(RawRecord { fields: known, size_bytes });
    draft.message(&["short_message", "full_message", "message"]);
    if !draft.has("message") {
        let message = "expected text in `short_message`, got none";
        return Err(Rejection::of_field(Rejection::MISSING_FIELD, "short_message", message));
    }
    draft.take("version");
    draft.time("timestamp");
    draft.level("level");
    draft.service(&["service", "service_name", "service.name", "app", "application", "facility"]);
    let host = draft.peek_text("host");
    draft.text_field("host", "host");
    if let Some(host) = host.filter(|_| !draft.has("service")) {
        draft.set("service", super::draft::service_name(&host));
    }
    Ok(draft.finish())
}

#[cfg(test)]
mod tests;
