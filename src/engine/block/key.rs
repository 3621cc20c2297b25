//! The names of segments. They outlive every deploy: a changed letter here loses stored logs, so a
//! test pins the literal bytes.

use std::{collections::BTreeMap, fmt::Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::record::timestamp::Timestamp;

/// What tells one segment from every other; the same flush always makes the same identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentId {
    pub tenant: String,
    /// Retention class: `d30` is kept for 30 days. It stands before the date so that a lifecycle
    /// rule of the bucket can name a whole class.
    pub class: String,
    pub shard: u32,
    /// The first and last write-ahead sequence numbers of the flush.
    pub first_seq: u64,
    pub last_seq: u64,
    /// Counts the segments that one flush of one class is cut into.
    pub part: u32,
    /// Grew each time the segment was written anew without some of its rows. Now such a segment is a merged
    /// one, of one source.
    pub generation: u32,
    /// Of a segment that was made of others; shard and sequence numbers are then 0, as in no flush.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged: Option<Merged>,
}

/// What tells a merged segment from every other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merged {
    /// The day in the keys of its sources, as `2025/11/20`: it keeps it, whatever rows are in it.
    pub day: String,
    /// Another one for each attempt, so that none writes over what another has written.
    pub name: String,
    /// For each shard, the last sequence number of those merged.
    pub upto: Vec<(u32, u64)>,
}

impl SegmentId {
    /// The identity of the segment that an attempt makes of these, which share tenant, class and day. `None`
    /// when they do not, or when there are none. Each attempt has a number of its own.
    pub fn of_merged(sources: &[(&Self, &str)], attempt: u128) -> Option<Self> {
        let (first, first_key) = sources.first()?;
        let folder = folder_of(first_key)?;
        let mut upto = BTreeMap::new();
        let mut hash = Sha256::new_with_prefix(attempt.to_be_bytes());
        for (id, key) in sources {
            if folder_of(key) != Some(folder) {
                return None;
            }
            hash.update(key);
            hash.update([b'\n']);
            let own = [(id.shard, id.last_seq)];
            for (shard, seq) in id.merged.as_ref().map_or(own.as_slice(), |merged| merged.upto.as_slice()) {
                let last: &mut u64 = upto.entry(*shard).or_default();
                *last = seq.max(last).to_owned();
            }
        }
        let name = hash.finalize().iter().take(8).fold(String::new(), |mut name, byte| {
            // Writing into a String cannot fail.
            let _ = write!(name, "{byte:02x}");
            name
        });
        let day = folder.strip_prefix(&format!("logs/{}/{}/", first.tenant, first.class))?.to_owned();
        Some(Self {
            tenant: first.tenant.clone(),
            class: first.class.clone(),
            shard: 0,
            first_seq: 0,
            last_seq: 0,
            part: 0,
            generation: 0,
            merged: Some(Merged { day, name, upto: upto.into_iter().collect() }),
        })
    }

    /// The object's key. `day` is when the segment's newest row was received.
    pub fn object_key(&self, day: Timestamp) -> String {
        if let Some(Merged { day, name, .. }) = &self.merged {
            return format!("logs/{}/{}/{day}/{MERGED}{name}.seg.gz", self.tenant, self.class);
        }
        let mut key = format!(
            "logs/{}/{}/{}/{:03}-{:012}-{:012}",
            self.tenant,
            self.class,
            day_path(day),
            self.shard,
            self.first_seq,
            self.last_seq
        );
        // Writing into a String cannot fail.
        if self.part > 0 {
            let _ = write!(key, "-p{}", self.part);
        }
        if self.generation > 0 {
            let _ = write!(key, "-g{}", self.generation);
        }
        key.push_str(".seg.gz");
        key
    }
}

/// A day as it stands in keys: `2025/11/20`. Later ones are greater.
pub fn day_path(day: Timestamp) -> String {
    let date = chrono::DateTime::from_timestamp_millis(day.as_ms()).unwrap_or_default();
    date.format("%Y/%m/%d").to_string()
}

/// What the name of a merged segment begins with: no digit, as that of a flushed one does.
const MERGED: &str = "merged-";

/// The part of a segment's key that it shares with those it may be merged with: tenant, class and day.
pub fn folder_of(key: &str) -> Option<&str> {
    key.rsplit_once('/').map(|(folder, _)| folder)
}

/// Whether the segment with this key was made of others.
pub fn is_made_of_others(key: &str) -> bool {
    key.rsplit_once('/').is_some_and(|(_, name)| name.starts_with(MERGED)) || rewritten_from(key).is_some()
}

/// The segment that this one was written anew from, when its key tells: its footer does not.
pub fn rewritten_from(key: &str) -> Option<String> {
    let (base, generation) = key.strip_suffix(".seg.gz")?.rsplit_once("-g")?;
    match generation.parse::<u32>().ok()? {
        0 => None,
        1 => Some(format!("{base}.seg.gz")),
        n => Some(format!("{base}-g{}.seg.gz", n - 1)),
    }
}

/// The key under which a block waits in the bucket while its shard cannot be reached.
pub fn spool_key(tenant: &str, shard: u32, request: &str) -> String {
    format!("spool/{tenant}/{shard:03}/{request}.append")
}

/// The key under which an append is set aside that a flush could not read.
pub fn damaged_key(tenant: &str, shard: u32, seq: u64, nth: usize) -> String {
    format!("damaged/{tenant}/{shard:03}-{seq:012}-{nth}.append")
}

/// The tenant and shard of a spool key; `None` for any other key.
pub fn parse_spool_key(key: &str) -> Option<(&str, u32)> {
    let mut parts = key.strip_prefix("spool/")?.strip_suffix(".append")?.split('/');
    let (tenant, shard, _request) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some((tenant, shard.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_these_letters_for_ever() {
        let mut id = SegmentId {
            tenant: "default".into(),
            class: "d30".into(),
            shard: 2,
            first_seq: 1,
            last_seq: 1_234,
            part: 0,
            generation: 0,
            merged: None,
        };
        let day = Timestamp::from_ms(1_763_682_436_123);
        assert_eq!(id.object_key(day), "logs/default/d30/2025/11/20/002-000000000001-000000001234.seg.gz");
        (id.part, id.generation) = (1, 2);
        assert_eq!(
            id.object_key(day),
            "logs/default/d30/2025/11/20/002-000000000001-000000001234-p1-g2.seg.gz"
        );
        let old = id.object_key(day);
        assert_eq!(rewritten_from(&old), Some(old.replace("g2", "g1")));
        assert_eq!(rewritten_from(&old.replace("g2", "g1")), Some(old.replace("-g2", "")));
        assert_eq!(rewritten_from(&old.replace("-g2", "")), None);
        assert_eq!(spool_key("default", 0, "abc"), "spool/default/000/abc.append");
        assert_eq!(damaged_key("default", 1, 7, 0), "damaged/default/001-000000000007-0.append");
        assert_eq!(parse_spool_key("spool/default/012/abc.append"), Some(("default", 12)));
        for other in
            ["spool/default/abc.append", "logs/a/1/b.append", "spool/a/x/b.append", "spool/a/1/b/c.append"]
        {
            assert_eq!(parse_spool_key(other), None, "{other}");
        }
    }

    #[test]
    fn a_merged_segment_keeps_the_day_of_its_sources_and_says_how_far_they_reach() {
        let flushed = |shard, first_seq, last_seq| SegmentId {
            tenant: "default".into(),
            class: "d30".into(),
            shard,
            first_seq,
            last_seq,
            part: 0,
            generation: 0,
            merged: None,
        };
        let (a, b, c) = (flushed(0, 1, 9), flushed(0, 10, 12), flushed(3, 1, 40));
        let day = Timestamp::from_ms(1_763_682_436_123);
        let keys = [&a, &b, &c].map(|id| id.object_key(day));
        let at = Timestamp::from_ms;
        let of = |n| SegmentId::of_merged(&[(&a, &keys[0]), (&b, &keys[1]), (&c, &keys[2])], n).unwrap();
        let id = of(5);
        assert_eq!(id.object_key(at(0)), "logs/default/d30/2025/11/20/merged-d2b21b3cb0d16095.seg.gz");
        assert_eq!(id.merged.as_ref().unwrap().upto, [(0, 12), (3, 40)]);
        assert_eq!(of(5), id);
        assert_ne!(of(6).object_key(at(0)), id.object_key(at(0)));
        assert!(is_made_of_others(&id.object_key(at(0))) && !is_made_of_others(&keys[0]));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<SegmentId>(&json).unwrap(), id);
        let key = id.object_key(at(0));
        let again = SegmentId::of_merged(&[(&id, &key), (&flushed(1, 1, 2), &keys[0])], 9).unwrap();
        assert_eq!(again.merged.unwrap().upto, [(0, 12), (1, 2), (3, 40)]);
        let other_day = c.object_key(at(1_763_682_436_123 + 86_400_000));
        assert_eq!(SegmentId::of_merged(&[(&a, &keys[0]), (&c, &other_day)], 5), None);
        assert_eq!(SegmentId::of_merged(&[], 5), None);
    }
}
