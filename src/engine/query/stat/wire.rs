//! How parts of what is measured are written where JSON has no form for them.

/// A map whose keys are no texts, as pairs.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    type Buckets = BTreeMap<(i8, i32), u64>;

    pub(in super::super) fn serialize<S: Serializer>(map: &Buckets, to: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(to)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Buckets, D::Error> {
        Ok(Vec::<((i8, i32), u64)>::deserialize(from)?.into_iter().collect())
    }
}

/// Hashes, 16 hexadecimal digits each: as numbers they would take a third more.
pub(super) mod hashes {
    use std::{collections::HashSet, fmt::Write};

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(in super::super) fn serialize<S: Serializer>(
        hashes: &HashSet<u64>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(hashes.len() * 16);
        for hash in hashes {
            // Writing into a String cannot fail.
            let _ = write!(text, "{hash:016x}");
        }
        to.serialize_str(&text)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<HashSet<u64>, D::Error> {
        let text = String::deserialize(from)?;
        let hash = |digits: &[u8]| {
            let digits = str::from_utf8(digits).ok().filter(|digits| digits.len() == 16)?;
            u64::from_str_radix(digits, 16).ok()
        };
        text.as_bytes()
            .chunks(16)
            .map(hash)
            .collect::<Option<_>>()
            .ok_or_else(|| D::Error::custom("no hashes"))
    }
}
