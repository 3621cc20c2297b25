//! A body to the texts of its records, for protocols whose bodies are lines or JSON values in a row.
//!
//! It parses no record. Invariant: a body is walked once, and what is kept of it are at most `max` slices.

use std::fmt;

use memchr::memchr_iter;
use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde_json::Deserializer;
use serde_json::value::RawValue;

/// Why a body cannot be taken apart; nothing of it is to be stored then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("expected at least one record, got none")]
    Empty,
    #[error("expected at most {limit} records, got more")]
    TooMany { limit: usize },
    /// `at` counts the values before it.
    #[error("expected JSON, got something else after {at} values")]
    Malformed { at: usize },
}

/// The lines that are not blank, without their white space.
pub(super) fn lines(body: &[u8], max: usize) -> Result<Vec<&[u8]>, SplitError> {
    let mut kept = Vec::new();
    for (_, line) in numbered_lines(without_bom(body)) {
        if !line.is_empty() {
            push(&mut kept, line, max)?;
        }
    }
    if kept.is_empty() { Err(SplitError::Empty) } else { Ok(kept) }
}

/// Every line with its number, which counts from 1, without its white space.
pub(super) fn numbered_lines(body: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = 0;
    let ends = memchr_iter(b'\n', body).chain(Some(body.len()).filter(|end| *end > 0));
    (1..).zip(ends).map(move |(number, end)| {
        let line = body.get(start..end).unwrap_or_default();
        start = end + 1;
        (number, line.trim_ascii())
    })
}

/// JSON values one after the other, with white space or nothing between; of an array its elements.
pub(super) fn values(body: &[u8], max: usize) -> Result<Vec<&[u8]>, SplitError> {
    let mut kept = Vec::new();
    for value in Deserializer::from_slice(without_bom(body)).into_iter::<&RawValue>() {
        let Ok(value) = value else {
            return Err(SplitError::Malformed { at: kept.len() });
        };
        let text = value.get();
        if text.starts_with('[') {
            let mut too_many = false;
            let elements = Elements { kept: &mut kept, max, too_many: &mut too_many };
            // What a value holds was read once, so the only thing that can go wrong is the number.
            let _ = elements.deserialize(&mut Deserializer::from_str(text));
            if too_many {
                return Err(SplitError::TooMany { limit: max });
            }
        } else {
            push(&mut kept, text.as_bytes(), max)?;
        }
    }
    if kept.is_empty() { Err(SplitError::Empty) } else { Ok(kept) }
}

fn push<'a>(kept: &mut Vec<&'a [u8]>, text: &'a [u8], max: usize) -> Result<(), SplitError> {
    if kept.len() == max {
        return Err(SplitError::TooMany { limit: max });
    }
    kept.push(text);
    Ok(())
}

struct Elements<'k, 'de> {
    kept: &'k mut Vec<&'de [u8]>,
    max: usize,
    too_many: &'k mut bool,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(element) = seq.next_element::<&RawValue>()? {
            if push(self.kept, element.get().as_bytes(), self.max).is_err() {
                *self.too_many = true;
                // The rest is not of interest, and this ends the reading of it.
                return Err(serde::de::Error::custom("too many"));
            }
        }
        Ok(())
    }
}

pub(super) fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

#[cfg(test)]
mod tests;
