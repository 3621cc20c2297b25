//! OTLP's `AnyValue` in JSON, in which every value is an object that names its type.
//!
//! Invariant: a text is gone through a fixed number of times, however deep it nests, and never nests deeper
//! than a record may.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::whole;
use crate::engine::record::normalise::MAX_DEPTH;
use crate::engine::wire::otlp::{TOO_DEEP, double};

/// `serde_json` reads 128 levels, and a level of ours may be four of its own: after so many it starts anew.
const LEVELS_A_PARSER: usize = 16;

/// Base64 may come without its padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Any value within `depth` arrays and objects.
#[derive(Clone, Copy)]
pub(super) struct AnyValue {
    pub(super) depth: usize,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum Kind {
    StringValue,
    BoolValue,
    IntValue,
    DoubleValue,
    ArrayValue,
    KvlistValue,
    BytesValue,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for AnyValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth % LEVELS_A_PARSER == LEVELS_A_PARSER - 1 {
            let raw = <&'de RawValue>::deserialize(deserializer)?;
            let mut deserializer = serde_json::Deserializer::from_str(raw.get());
            return deserializer.deserialize_any(self).map_err(D::Error::custom);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object such as {\"stringValue\":…}")
    }

    /// Of several values the last counts.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut value = Value::Null;
        while let Some(kind) = map.next_key()? {
            value = match kind {
                Kind::StringValue => map.next_value::<Option<String>>()?.into(),
                Kind::BoolValue => map.next_value::<Option<bool>>()?.into(),
                Kind::IntValue => map.next_value::<Option<Int>>()?.map(|Int(number)| number).into(),
                Kind::DoubleValue => map.next_value_seed(Double)?,
                Kind::ArrayValue => map.next_value_seed(self.values(false)?)?,
                Kind::KvlistValue => map.next_value_seed(self.values(true)?)?,
                Kind::BytesValue => match map.next_value::<Option<String>>()? {
                    Some(base64) => bytes(&base64)?,
                    None => Value::Null,
                },
                Kind::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
        }
        Ok(value)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

impl AnyValue {
    fn values<E: Error>(self, keyed: bool) -> Result<Values, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(TOO_DEEP));
        }
        Ok(Values { depth: self.depth + 1, keyed })
    }
}

#[derive(Deserialize)]
struct Int(#[serde(deserialize_with = "whole")] i64);

/// In either of base64's alphabets; kept in the common one, with its padding.
fn bytes<E: Error>(base64: &str) -> Result<Value, E> {
    let common = base64.replace('-', "+").replace('_', "/");
    let bytes = LENIENT.decode(common).map_err(|error| E::custom(format!("expected base64: {error}")))?;
    Ok(Value::from(STANDARD.encode(bytes)))
}

struct Double;

impl<'de> DeserializeSeed<'de> for Double {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Double {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, `NaN`, `Infinity` or `-Infinity`")
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(double(number))
    }

    #[expect(clippy::cast_precision_loss, reason = "the field is a double")]
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(double(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "the field is a double")]
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(double(number as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        let number = text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))?;
        Ok(double(number))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// `ArrayValue`, or `KeyValueList` when it is keyed.
#[derive(Clone, Copy)]
struct Values {
    depth: usize,
    keyed: bool,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum ValuesName {
    Values,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for Values {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Values {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `values`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut value = if self.keyed { Value::Object(Map::new()) } else { Value::Array(Vec::new()) };
        while let Some(name) = map.next_key()? {
            match name {
                ValuesName::Values if self.keyed => {
                    value = Value::Object(map.next_value_seed(KeyValues { depth: self.depth })?);
                }
                ValuesName::Values => value = map.next_value_seed(Items { depth: self.depth })?,
                ValuesName::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(value)
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

struct Items {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Items {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Items {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(AnyValue { depth: self.depth })? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Array(Vec::new()))
    }
}

#[derive(Clone, Copy)]
pub(super) struct KeyValues {
    pub(super) depth: usize,
}

impl<'de> DeserializeSeed<'de> for KeyValues {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyValues {
    type Value = Map<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of objects with `key` and `value`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut fields = Map::new();
        while let Some((key, value)) = seq.next_element_seed(KeyValue { depth: self.depth })? {
            fields.insert(key, value);
        }
        Ok(fields)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Map::new())
    }
}

struct KeyValue {
    depth: usize,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum KeyValueName {
    Key,
    Value,
    #[serde(other)]
    Unknown,
}

impl<'de> DeserializeSeed<'de> for KeyValue {
    type Value = (String, Value);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyValue {
    type Value = (String, Value);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `key` and `value`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut key, mut value) = (String::new(), Value::Null);
        while let Some(name) = map.next_key()? {
            match name {
                KeyValueName::Key => key = map.next_value()?,
                KeyValueName::Value => value = map.next_value_seed(AnyValue { depth: self.depth })?,
                KeyValueName::Unknown => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok((key, value))
    }
}
