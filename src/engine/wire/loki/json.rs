//! Loki's push in JSON: `{"streams":[{"stream":{…},"values":[["<ns>","line",{…}?],…]},…]}`. Unknown names are
//! ignored.

use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;

use super::{Entry, Labels, Line, Pairs, ParseError, Walk};
use crate::engine::record::normalise::MAX_RECORD_BYTES;
use crate::engine::record::rejection::Rejection;
use crate::engine::wire::report::{cut, json_error};

pub(super) fn walk<'a>(body: &'a [u8], walk: &mut Walk<'a>) -> Result<(), ParseError> {
    let failed = |error: serde_json::Error| ParseError::Json(json_error(&error));
    // Checked once: each entry is handed out as text.
    let text = str::from_utf8(body).map_err(|error| {
        ParseError::Json(format!("expected UTF-8, got another byte at {}", error.valid_up_to()))
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Node { shape: Shape::Push, walk }.deserialize(&mut deserializer).map_err(failed)?;
    deserializer.end().map_err(failed)
}

/// The labels of a stream.
pub(super) fn labels(json: &str) -> Result<Pairs, Rejection> {
    pairs(json).map_err(|error| {
        let message = format!("error parsing labels '{}' with error: {}", cut(json), json_error(&error));
        Rejection::of_field(Rejection::INVALID_FIELD, "stream", message)
    })
}

pub(super) fn line(ns: i64, line: &RawValue, metadata: Option<&RawValue>) -> Result<Line, Rejection> {
    let size_bytes = line.get().len() + metadata.map_or(0, |metadata| metadata.get().len());
    // Looked at before it is read: structured metadata takes several times the memory of its text.
    if size_bytes > MAX_RECORD_BYTES {
        return Err(Rejection::too_large(MAX_RECORD_BYTES, size_bytes));
    }
    let unreadable = |error: serde_json::Error| Rejection::new(Rejection::MALFORMED_JSON, json_error(&error));
    let text = serde_json::from_str(line.get()).map_err(unreadable)?;
    let metadata = metadata.map(|metadata| pairs(metadata.get())).transpose().map_err(|error| {
        let message = format!("expected structured metadata of text alone: {}", json_error(&error));
        Rejection::of_field(Rejection::INVALID_FIELD, "structured_metadata", message)
    })?;
    Ok(Line { ns, text, metadata: metadata.unwrap_or_default(), size_bytes })
}

/// What stands in a push, from the outside in.
#[derive(Clone, Copy)]
enum Shape {
    Push,
    Streams,
    Stream,
    Values,
    Value,
}

impl Shape {
    const fn expected(self) -> &'static str {
        match self {
            Self::Push => "an object with `streams`",
            Self::Streams => "an array of streams",
            Self::Stream => "an object with `stream` and `values`",
            Self::Values => "an array of entries",
            Self::Value => "an array of a timestamp, a line and structured metadata",
        }
    }
}

struct Node<'w, 'a> {
    shape: Shape,
    walk: &'w mut Walk<'a>,
}

impl<'de> DeserializeSeed<'de> for Node<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.expected())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (list, inner) = match self.shape {
            Shape::Push => ("streams", Shape::Streams),
            Shape::Stream => ("values", Shape::Values),
            _ => return Err(A::Error::invalid_type(Unexpected::Map, &self)),
        };
        let mut labels = "{}";
        while let Some(name) = map.next_key::<String>()? {
            if name == list {
                map.next_value_seed(Node { shape: inner, walk: self.walk })?;
            } else if name == "stream" {
                labels = map.next_value::<Option<&'de RawValue>>()?.map_or("{}", RawValue::get);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if let Shape::Stream = self.shape {
            self.walk.end_stream(Labels::Json(labels));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = match self.shape {
            Shape::Streams => Shape::Stream,
            Shape::Values => Shape::Value,
            Shape::Value => {
                let Ns(ns) = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let line: &'de RawValue =
                    seq.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
                let metadata = seq.next_element::<Option<&'de RawValue>>()?.flatten();
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                if !line.get().starts_with('"') {
                    return Err(A::Error::custom("expected text as the line of an entry"));
                }
                self.walk.entry(Entry::Json { ns, line, metadata });
                return Ok(());
            }
            _ => return Err(A::Error::invalid_type(Unexpected::Seq, &self)),
        };
        while seq.next_element_seed(Node { shape: inner, walk: self.walk })?.is_some() {}
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        match self.shape {
            Shape::Streams | Shape::Values => Ok(()),
            _ => Err(E::invalid_type(Unexpected::Unit, &self)),
        }
    }
}

/// Nanoseconds as text: as a number most would have lost their last digits on the way.
struct Ns(i64);

impl<'de> Deserialize<'de> for Ns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Ns;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nanoseconds since 1970 as text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Ns, E> {
                text.parse().map(Ns).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The members of a flat object of text.
fn pairs(json: &str) -> Result<Pairs, serde_json::Error> {
    struct Flat;

    impl<'de> Visitor<'de> for Flat {
        type Value = Pairs;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object of text")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(json);
    deserializer.deserialize_map(Flat)
}
