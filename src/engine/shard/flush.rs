//! When a write-ahead log is flushed, and the segments a flush writes.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    append::Append,
    mine::{self, Mined},
    wal::Commit,
};
use crate::engine::{
    block::{
        Corrupt, Segment, SegmentId,
        packed::{Packed, Row},
        rows, segment, summary,
    },
    pattern::Miners,
};

/// Flush when the log holds so many bytes: what a reader is answered at the most.
pub const FLUSH_BYTES: u64 = 8 << 20;

/// Flush when its rows are so much as lines: the flush holds them all, in an isolate of 128 MB.
pub const FLUSH_RAW_BYTES: u64 = 16 << 20;

/// Flush when its oldest log has waited so long.
pub const FLUSH_AGE_MS: u64 = 15 * 60 * 1_000;

/// Services of a segment at the most, and minutes of all its services together: a service takes up to
/// 400 bytes of the catalog row and a minute about 35, and the row must stay below D1's 2 MB. A minute with rows that
/// stand for several records has larger numbers, and counts as two.
pub const MAX_SERVICES: usize = 2_000;
pub const MAX_MINUTES: usize = 20_000;

/// So many services are looked for one by one.
const FEW_SERVICES: usize = 64;

/// Whether a log of this size is due.
pub fn is_due(bytes: u64, raw_bytes: u64) -> bool {
    bytes >= FLUSH_BYTES || raw_bytes >= FLUSH_RAW_BYTES
}

/// What a flush writes.
#[derive(Debug, Default)]
pub struct Flush {
    pub segments: Vec<Segment>,
    /// Appends that cannot be read, each with the reason: they are set aside, for somebody to look at, and
    /// keep no other from its segment.
    pub damaged: Vec<(Vec<u8>, Corrupt)>,
    /// What is new of patterns.
    pub mined: Vec<Mined>,
}

/// The segments of these commits: one for each retention class, or more where a class has more
/// services or minutes than a segment may. The same commits and miners always make the same segments.
pub fn segments(tenant: &str, shard: u32, commits: &[Commit], miners: &mut Miners) -> Result<Flush, Corrupt> {
    let mut flush = Flush::default();
    let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return Ok(flush) };
    let mut read: Vec<(String, Packed)> = Vec::new();
    for commit in commits {
        for bytes in commit.appends() {
            let bytes = bytes?;
            match blocks(bytes) {
                Ok(blocks) => read.extend(blocks),
                Err(corrupt) => flush.damaged.push((bytes.to_vec(), corrupt)),
            }
        }
    }
    let mut all: Vec<&mut Packed> = read.iter_mut().map(|(_, block)| block).collect();
    flush.mined = mine::mine(&mut all, miners);
    let mut classes: BTreeMap<&str, Vec<Row<'_>>> = BTreeMap::new();
    for (class, block) in &read {
        classes.entry(class).or_default().extend(block.rows());
    }
    for (class, rows) in classes {
        for (part, rows) in (0_u32..).zip(cut(rows)) {
            let id = SegmentId {
                tenant: tenant.to_owned(),
                class: class.to_owned(),
                shard,
                first_seq: first.seq,
                last_seq: last.seq,
                part,
                generation: 0,
                merged: None,
            };
            flush.segments.extend(segment::write(id, rows)?);
        }
    }
    Ok(flush)
}

/// An append's blocks with their classes.
fn blocks(append: &[u8]) -> Result<Vec<(String, Packed)>, Corrupt> {
    let append = Append::parse(append)?;
    append.blocks().map(|(head, bytes)| Ok((head.class.clone(), rows::unpack(head.codec, bytes)?))).collect()
}

/// Cuts rows into parts that each have few enough services and minutes.
fn cut(mut rows: Vec<Row<'_>>) -> Vec<Vec<Row<'_>>> {
    if are_few(&rows) {
        return vec![rows];
    }
    rows.sort_by_cached_key(|row| (row.service(), row.timestamp()));
    let mut parts: Vec<Vec<Row<'_>>> = Vec::new();
    let (mut services, mut minutes) = (0, 0);
    let mut last: Option<(Cow<'_, str>, u32)> = None;
    let mut is_sampled = false;
    for row in rows {
        let (service, minute) = (row.service(), summary::minute(row.timestamp()));
        let new_service = last.as_ref().is_none_or(|(last, _)| *last != service);
        if new_service || last.as_ref().is_none_or(|(_, last)| *last != minute) {
            services += usize::from(new_service);
            minutes += 1;
            last = Some((service, minute));
            is_sampled = false;
        }
        if !is_sampled && row.weight() > 1 {
            minutes += 1;
            is_sampled = true;
        }
        if parts.is_empty() || services > MAX_SERVICES || minutes > MAX_MINUTES {
            parts.push(Vec::new());
            (services, minutes) = (1, 1 + usize::from(is_sampled));
        }
        if let Some(part) = parts.last_mut() {
            part.push(row);
        }
    }
    parts
}

/// Whether there are surely no more services and minutes than a part may have.
fn are_few(rows: &[Row<'_>]) -> bool {
    let mut services: Vec<Cow<'_, str>> = Vec::new();
    let (mut first, mut last) = (u32::MAX, 0);
    for row in rows {
        let (service, minute) = (row.service(), summary::minute(row.timestamp()));
        (first, last) = (first.min(minute), last.max(minute));
        if !services.contains(&service) {
            services.push(service);
        }
        if services.len() > FEW_SERVICES {
            return false;
        }
    }
    let minutes = services.len() * (last.saturating_sub(first) as usize + 1);
    minutes <= MAX_MINUTES / 2 || (minutes <= MAX_MINUTES && rows.iter().all(|row| row.weight() == 1))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::engine::{
        block::rows::Encoder,
        record::{
            field::{Field, Values},
            timestamp::Timestamp,
        },
    };

    /// The lengths of the parts that these are cut into, each of a service and a minute, and what it stands for.
    fn parts(rows: impl Iterator<Item = (String, usize, u32)>) -> Vec<usize> {
        let mut encoder = Encoder::default();
        for (service, minute, weight) in rows {
            let at = Timestamp::from_ms(i64::try_from(minute).unwrap() * 60_000);
            let pushed = encoder.push_values(Uuid::nil(), at, |row| {
                row.put(Field::Service, &[&service]);
                row.put(Field::Level, &["INFO"]);
                row.put(Field::Message, &["m"]);
                if weight > 1 {
                    row.put(Field::SampleRate, &[&weight.to_string()]);
                }
                Some(at)
            });
            assert_eq!(pushed, Some(Ok(())));
        }
        let blocks: Vec<Packed> =
            encoder.finish().iter().map(|block| rows::unpack(block.codec, &block.bytes).unwrap()).collect();
        cut(blocks.iter().flat_map(Packed::rows).collect()).iter().map(Vec::len).collect()
    }

    #[test]
    fn a_part_has_no_more_services_and_minutes_than_its_catalog_row_takes() {
        let of = |minute, weight| ("api".to_owned(), minute, weight);
        let by_service = parts((0..=2 * MAX_SERVICES).map(|n| (format!("s{n:05}"), 1, 1)));
        assert_eq!(by_service, [MAX_SERVICES, MAX_SERVICES, 1]);
        let by_minute = parts((0..=MAX_MINUTES).flat_map(|minute| [of(minute, 1), of(minute, 1)]));
        assert_eq!(by_minute, [2 * MAX_MINUTES, 2]);
        let sampled = parts((0..MAX_MINUTES).flat_map(|minute| [of(minute, 1), of(minute, 10)]));
        assert_eq!(sampled, [MAX_MINUTES, MAX_MINUTES]);
    }
}
