//! The names of segments. They outlive every deploy: a changed letter here loses stored logs, so a
//! test pins the literal bytes.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

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
    /// Grows each time the segment is written anew without some of its rows.
    pub generation: u32,
}

impl SegmentId {
    /// The object's key. `day` is when the segment's newest row was received.
    pub fn object_key(&self, day: Timestamp) -> String {
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

fn day_path(day: Timestamp) -> String {
    let date = chrono::DateTime::from_timestamp_millis(day.as_ms()).unwrap_or_default();
    date.format("%Y/%m/%d").to_string()
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
        };
        let day = Timestamp::from_ms(1_763_682_436_123);
        assert_eq!(id.object_key(day), "logs/default/d30/2025/11/20/002-000000000001-000000001234.seg.gz");
        (id.part, id.generation) = (1, 2);
        assert_eq!(
            id.object_key(day),
            "logs/default/d30/2025/11/20/002-000000000001-000000001234-p1-g2.seg.gz"
        );
        assert_eq!(spool_key("default", 0, "abc"), "spool/default/000/abc.append");
        assert_eq!(damaged_key("default", 1, 7, 0), "damaged/default/001-000000000007-0.append");
        assert_eq!(parse_spool_key("spool/default/012/abc.append"), Some(("default", 12)));
        for other in
            ["spool/default/abc.append", "logs/a/1/b.append", "spool/a/x/b.append", "spool/a/1/b/c.append"]
        {
            assert_eq!(parse_spool_key(other), None, "{other}");
        }
    }
}
