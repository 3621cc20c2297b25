//! The one name that no object may have. `serde_json` takes an object that begins with it for text to be
//! parsed again, so it would be read as another value than was sent.

use std::fmt;

use memchr::memmem;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::engine::record::rejection::Rejection;

pub(super) const NAME: &str = "$serde_json::private::RawValue";

/// Whether an object somewhere in this JSON has the name. Only JSON that shows it, or hides it behind an
/// escape, is read for it.
pub(super) fn is_named_in(json: &[u8]) -> bool {
    if memmem::find(json, NAME.as_bytes()).is_none() && memmem::find(json, b"\\u00").is_none() {
        return false;
    }
    let mut found = false;
    // JSON that is malformed is for the parser to refuse.
    let _ = Names(&mut found).deserialize(&mut serde_json::Deserializer::from_slice(json));
    found
}

/// Reads every name and keeps nothing.
struct Names<'f>(&'f mut bool);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Name(self.0))?.is_some() {
            map.next_value_seed(Names(self.0))?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Names(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

struct Name<'f>(&'f mut bool);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<(), E> {
        *self.0 |= name == NAME;
        if *self.0 { Err(E::custom("it is found")) } else { Ok(()) }
    }
}

/// Refuses an object that has the name, itself or anywhere in it: formats that send names as values, as
/// `{"key":…}`, show no name to `is_named_in`.
pub(super) fn refuse(fields: &Map<String, Value>) -> Result<(), Rejection> {
    if fields.iter().any(|(name, value)| name == NAME || is_named(value)) {
        let message = "expected an object without this name, which the service cannot keep";
        return Err(Rejection::of_field(Rejection::INVALID_FIELD, NAME, message));
    }
    Ok(())
}

/// As deep as the decoders build, which is bounded.
fn is_named(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_named),
        Value::Object(fields) => fields.iter().any(|(name, value)| name == NAME || is_named(value)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_seen_as_a_name_alone_and_behind_escapes_too() {
        let escaped = NAME.replace('$', "\\u0024");
        for name in [NAME, &escaped, &NAME.replace('V', "\\u0056")] {
            for json in [
                "{\"@\":1}",
                "{\"a\":[1.5,-1,null,true,\"@\",{\"b\":1,\"@\":{}}]}",
                "[{\"@\":\"[1]\"",
                "{\"@\"}",
            ] {
                assert!(is_named_in(json.replace('@', name).as_bytes()), "{json} {name}");
            }
            for json in
                ["{\"a\":\"@\"}", "{\"@ \":1}", "[\"@\"]", "\"@\"", "{1:@}", "{\"a\":\"\\u00e9\"}", ""]
            {
                assert!(!is_named_in(json.replace('@', name).as_bytes()), "{json} {name}");
            }
        }
    }
}
