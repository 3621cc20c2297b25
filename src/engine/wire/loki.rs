//! Loki's push API: the body of a push to raw records, and the text that says what was not taken.
//!
//! JSON and protobuf are two spellings of one push: both become labels and entries, which `entry` maps to the
//! fields of docs/fields.md. Invariant: what Loki refuses as a whole is refused before the first entry is
//! read, and a stream or an entry that breaks a limit costs nothing but itself.

mod answer;
mod entry;
mod json;
mod labels;
mod protobuf;

use std::vec;

use serde_json::value::RawValue;

pub use self::answer::reasons;
use self::entry::Stream;
use self::labels::LabelsError;
use super::batch::RawRecord;
use super::protobuf::Malformed;
use super::report::cut;
use crate::engine::record::rejection::Rejection;

/// Loki takes 15 by default; collectors that send to several stores know no such number.
const MAX_LABELS: usize = 64;
const MAX_LABEL_NAME_BYTES: usize = 1024;
const MAX_LABEL_VALUE_BYTES: usize = 2048;
const MAX_LABELS_BYTES: usize = 256 * 1024;
const MAX_METADATA_PAIRS: usize = 128;
const MAX_METADATA_BYTES: usize = 64 * 1024;

/// Why a body is no push.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Says line and column.
    #[error("{0}")]
    Json(String),
    #[error("{0}")]
    Protobuf(#[from] Malformed),
    #[error("expected a snappy block: {0}")]
    Snappy(String),
    #[error("expected at most {limit} bytes when decompressed, got {got}")]
    TooLarge { limit: usize, got: usize },
    #[error("expected at least one stream, got none")]
    NoStreams,
    #[error("expected at most {limit} entries, got {got}")]
    TooMany { limit: usize, got: usize },
}

/// The entries of a push, of all its streams, read one at a time.
#[derive(Debug)]
pub struct Entries<'a> {
    groups: vec::IntoIter<Group<'a>>,
    stream: Result<Stream, Rejection>,
    rest: vec::IntoIter<Entry<'a>>,
    left: usize,
}

/// Reads the envelope of a push in JSON.
pub fn decode_json(body: &[u8], max_entries: usize) -> Result<Entries<'_>, ParseError> {
    let mut walk = Walk { room: max_entries, ..Walk::default() };
    json::walk(body, &mut walk)?;
    walk.finish(max_entries)
}

/// Reads the envelope of a push in protobuf, which `decompress` has brought out of its snappy block.
pub fn decode_protobuf(body: &[u8], max_entries: usize) -> Result<Entries<'_>, ParseError> {
    let mut walk = Walk { room: max_entries, ..Walk::default() };
    protobuf::walk(body, &mut walk)?;
    walk.finish(max_entries)
}

/// The bytes in a snappy block. Nothing is allocated for one that claims to hold more than `max_bytes`.
pub fn decompress(block: &[u8], max_bytes: usize) -> Result<Vec<u8>, ParseError> {
    let failed = |error: snap::Error| ParseError::Snappy(error.to_string());
    let got = snap::raw::decompress_len(block).map_err(failed)?;
    if got > max_bytes {
        return Err(ParseError::TooLarge { limit: max_bytes, got });
    }
    snap::raw::Decoder::new().decompress_vec(block).map_err(failed)
}

impl Entries<'_> {
    fn read(&self, entry: &Entry<'_>) -> Result<RawRecord, Rejection> {
        let stream = self.stream.as_ref().map_err(Clone::clone)?;
        let line = match entry {
            Entry::Json { ns, line, metadata } => json::line(*ns, line, *metadata)?,
            Entry::Protobuf(message) => protobuf::line(message)?,
        };
        stream.record(line)
    }
}

impl Entries<'_> {
    /// What the entries take when each says the labels of its stream.
    pub fn repeated_bytes(&self) -> usize {
        let of = |group: &Group<'_>| group.labels.size_bytes().saturating_mul(group.entries.len());
        self.groups.as_slice().iter().map(of).fold(0, usize::saturating_add)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<RawRecord, Rejection>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.rest.next() {
                self.left -= 1;
                return Some(self.read(&entry));
            }
            let group = self.groups.next()?;
            self.stream = group.labels.read().and_then(|(text, labels)| Stream::new(&text, labels));
            self.rest = group.entries.into_iter();
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Entries<'_> {}

/// Names and values in the order they were sent.
type Pairs = Vec<(String, String)>;

/// One entry, read.
#[derive(Debug)]
struct Line {
    ns: i64,
    text: String,
    metadata: Pairs,
    /// As it came.
    size_bytes: usize,
}

/// The labels of a stream, as they were sent.
#[derive(Clone, Copy, Debug)]
enum Labels<'a> {
    Json(&'a str),
    Text(&'a [u8]),
}

impl Labels<'_> {
    const fn size_bytes(self) -> usize {
        match self {
            Self::Json(json) => json.len(),
            Self::Text(text) => text.len(),
        }
    }

    /// The labels, with the text that names their stream to whoever sent it.
    fn read(self) -> Result<(String, Pairs), Rejection> {
        let got = self.size_bytes();
        // Looked at before they are read: ten megabytes of short labels are a list of over a million.
        if got > MAX_LABELS_BYTES {
            let message = format!("expected labels of at most {MAX_LABELS_BYTES} bytes, got {got}");
            return Err(Rejection::of_field(Rejection::RECORD_TOO_LARGE, "stream", message));
        }
        match self {
            Self::Json(json) => Ok((json.to_owned(), json::labels(json)?)),
            Self::Text(text) => {
                let text = String::from_utf8_lossy(text).into_owned();
                let labels = labels::parse(&text).map_err(|error| unreadable(&text, &error))?;
                Ok((text, labels))
            }
        }
    }
}

fn unreadable(text: &str, error: &LabelsError) -> Rejection {
    let message = format!("error parsing labels '{}' with error: {error}", cut(text));
    Rejection::of_field(Rejection::INVALID_FIELD, "stream", message)
}

/// One entry, as it was sent. The time of one in JSON is read early: Loki refuses the whole push for it.
#[derive(Debug)]
enum Entry<'a> {
    Json { ns: i64, line: &'a RawValue, metadata: Option<&'a RawValue> },
    Protobuf(&'a [u8]),
}

#[derive(Debug)]
struct Group<'a> {
    labels: Labels<'a>,
    entries: Vec<Entry<'a>>,
}

/// What a walk through an envelope has found. Entries beyond `room` are counted and not kept.
#[derive(Debug, Default)]
struct Walk<'a> {
    groups: Vec<Group<'a>>,
    entries: Vec<Entry<'a>>,
    room: usize,
    got: usize,
    has_stream: bool,
}

impl<'a> Walk<'a> {
    fn entry(&mut self, entry: Entry<'a>) {
        if self.got < self.room {
            self.entries.push(entry);
        }
        self.got += 1;
    }

    fn end_stream(&mut self, labels: Labels<'a>) {
        self.has_stream = true;
        if !self.entries.is_empty() {
            let entries = std::mem::take(&mut self.entries);
            self.groups.push(Group { labels, entries });
        }
    }

    fn finish(self, max_entries: usize) -> Result<Entries<'a>, ParseError> {
        if !self.has_stream {
            return Err(ParseError::NoStreams);
        }
        if self.got > max_entries {
            return Err(ParseError::TooMany { limit: max_entries, got: self.got });
        }
        Ok(Entries {
            groups: self.groups.into_iter(),
            stream: Err(Rejection::new(Rejection::MISSING_FIELD, "expected a stream, got none")),
            rest: Vec::new().into_iter(),
            left: self.got,
        })
    }
}

#[cfg(test)]
mod tests;
