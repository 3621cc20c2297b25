//! OTLP's messages in JSON: `lowerCamelCase` names, whole numbers also as text, `null` for what is absent.
//! Unknown names are ignored.
//!
//! Invariant: the envelope is gone through once, and its records are kept as text until they are asked for.

mod value;

use std::fmt;

use serde::Deserialize;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use self::value::{AnyValue, KeyValues};
use super::{ParseError, TOO_DEEP, Walk, too_deep};
use crate::engine::record::rejection::Rejection;
use crate::engine::wire::report::json_error;

/// Reads a record, a resource or a scope; nothing at all is an empty one.
pub(super) fn object<T: DeserializeOwned + Default>(json: &[u8]) -> Result<T, Rejection> {
    match json.first() {
        None => return Ok(T::default()),
        Some(b'{') => {}
        Some(_) => return Err(Rejection::new(Rejection::NOT_AN_OBJECT, "expected one JSON object")),
    }
    serde_json::from_slice(json).map_err(|error| {
        let message = json_error(&error);
        if message.starts_with(TOO_DEEP) {
            return too_deep();
        }
        Rejection::new(Rejection::MALFORMED_JSON, message)
    })
}

/// A JSON string, or nothing.
pub(super) fn text(json: &[u8]) -> String {
    serde_json::from_slice(json).unwrap_or_default()
}

/// `ExportLogsServiceRequest`.
pub(super) fn walk<'a>(body: &'a [u8], walk: &mut Walk<'a>) -> Result<(), ParseError> {
    let failed = |error: serde_json::Error| ParseError::Json(json_error(&error));
    // Checked once: each record is handed out as text.
    let text = str::from_utf8(body).map_err(|error| {
        ParseError::Json(format!("expected UTF-8, got another byte at {}", error.valid_up_to()))
    })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Message { level: 0, walk }.deserialize(&mut deserializer).map_err(failed)?;
    deserializer.end().map_err(failed)
}

/// The messages of the envelope are alike: a list of the next ones in each, and what these share.
const LISTS: [&str; 3] = ["resourceLogs", "scopeLogs", "logRecords"];
const SHARED: [&str; 3] = ["", "resource", "scope"];
const RECORDS: usize = 2;

struct Message<'w, 'a> {
    level: usize,
    walk: &'w mut Walk<'a>,
}

impl<'de> DeserializeSeed<'de> for Message<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Message<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with `{}`", LISTS.get(self.level).copied().unwrap_or_default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let name_of = |names: &[&'static str]| names.get(self.level).copied().unwrap_or_default();
        let (list, shared_name) = (name_of(&LISTS), name_of(&SHARED));
        let first = self.walk.groups.len();
        let (mut shared, mut schema_url) = (None::<&'de RawValue>, None::<&'de RawValue>);
        while let Some(name) = map.next_key::<String>()? {
            if name == list {
                map.next_value_seed(List { level: self.level, walk: self.walk })?;
            } else if name == shared_name {
                shared = map.next_value::<Option<_>>()?;
            } else if name == "schemaUrl" {
                schema_url = map.next_value::<Option<_>>()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        let bytes = |raw: Option<&'de RawValue>| raw.map_or(&[][..], |raw| raw.get().as_bytes());
        match self.level {
            0 => {}
            RECORDS => self.walk.end_scope(bytes(shared), bytes(schema_url)),
            _ => self.walk.end_resource(first, bytes(shared), bytes(schema_url)),
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

struct List<'w, 'a> {
    level: usize,
    walk: &'w mut Walk<'a>,
}

impl<'de> DeserializeSeed<'de> for List<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        if self.level < RECORDS {
            while seq.next_element_seed(Message { level: self.level + 1, walk: self.walk })?.is_some() {}
            return Ok(());
        }
        while self.walk.has_room() {
            match seq.next_element::<&'de RawValue>()? {
                Some(record) => self.walk.record(record.get().as_bytes()),
                None => return Ok(()),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            self.walk.record(&[]);
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// An integer as a number or as text; `null` is 0.
pub(super) fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128>,
{
    let number = deserializer.deserialize_any(Whole)?;
    T::try_from(number).map_err(|_| D::Error::custom(format!("expected a smaller number, got {number}")))
}

pub(super) fn any_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
    AnyValue { depth: 0 }.deserialize(deserializer)
}

pub(super) fn attributes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    deserializer.deserialize_any(KeyValues { depth: 0 })
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = i128;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E>(self, number: i64) -> Result<i128, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<i128, E> {
        Ok(number.into())
    }

    /// `1e3` is a whole number, too. Larger ones have lost digits.
    fn visit_f64<E: Error>(self, number: f64) -> Result<i128, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if number.fract() != 0.0 || number.abs() > EXACT {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and within 53 bits")]
        let number = number as i64;
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<i128, E> {
        // Longer than any 64 bits: `i128` would take it, and every field would refuse it.
        text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
    }

    fn visit_unit<E>(self) -> Result<i128, E> {
        Ok(0)
    }
}
