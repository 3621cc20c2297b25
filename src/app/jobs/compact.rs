//! Compaction: the small segments of hours that are over become few large ones. See
//! docs/decisions/0002-compaction.md.

pub mod plan;

use std::collections::{HashMap, VecDeque};

use super::{
    merge::{self, Addresses, Failed, Keep, Merged},
    settled::Settled,
};
use crate::{
    app::{App, Error, configs},
    engine::{
        record::timestamp::Timestamp,
        retention::{self, Verdict},
        tenant::Tenant,
    },
    ports::catalog::{Only, WalkFrom},
};
use plan::{Candidate, Group, LARGE_RAW_BYTES};

const HOUR_MS: i64 = 3_600_000;

/// An hour is over when it ended so long ago: by then nearly all of it is flushed.
const GRACE_MS: i64 = 10 * 60 * 1_000;

/// Raw bytes that a run reads and writes: a third of the 30 s of CPU that it may take. What is left over is
/// for the next one.
const MAX_RAW_BYTES: u64 = 512 << 20;

/// Sources of a run, each of which takes an operation or more; a run may use 10,000.
const MAX_SOURCES: usize = 4_000;

/// Segments of one tenant that a run looks at.
const MAX_CANDIDATES: usize = 4_000;

/// The same of large ones that lack their words.
const MAX_WORDLESS: usize = 100;

/// Segments that lack their words are written anew by one run in so many: one that cannot be read is tried again.
const WORDS_EVERY_HOURS: i64 = 6;

const PAGE: usize = 100;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    pub segments_gone: u64,
    pub segments_made: u64,
    pub rows: u64,
    pub raw_bytes: u64,
}

/// Runs as of `now`, which the schedule gives. A group that cannot be merged keeps no other; the first reason
/// is what it ends with.
pub async fn compact(app: &App, now: Timestamp) -> Result<Compacted, Error> {
    let over = now.as_ms() - GRACE_MS;
    let received_before = Timestamp::from_ms(over - over.rem_euclid(HOUR_MS));
    let mut tenants = groups(app, now, received_before).await?;
    if !tenants.is_empty() {
        // Who comes first changes by the hour, for when a run ends before it has come to all.
        let hour = usize::try_from(over / HOUR_MS).unwrap_or_default();
        let first = hour % tenants.len();
        tenants.rotate_left(first);
    }
    let mut compacted = Compacted::default();
    let mut failed = None;
    // What is new comes first, however much of old lacks its words.
    let mut for_words = VecDeque::new();
    for groups in &mut tenants {
        let (alone, several): (VecDeque<_>, _) = groups.drain(..).partition(Group::is_for_words);
        *groups = several;
        for_words.push_back(alone);
    }
    if (over / HOUR_MS).rem_euclid(WORDS_EVERY_HOURS) != 0 {
        for_words.clear();
    }
    for mut tenants in [tenants, for_words] {
        while let Some(mut groups) = tenants.pop_front() {
            let Some(group) = groups.pop_front() else { continue };
            if compacted.raw_bytes + group.raw_bytes > MAX_RAW_BYTES
                || compacted.segments_gone + group.sources.len() as u64 > MAX_SOURCES as u64
            {
                break;
            }
            if let Err(error) = merge_group(app, group, now, &mut compacted).await {
                app.journal.error(&format!("a compaction failed: {error}"));
                failed.get_or_insert(error);
            }
            tenants.push_back(groups);
        }
    }
    failed.map_or(Ok(compacted), Err)
}

/// The groups of every tenant that has some.
async fn groups(
    app: &App,
    now: Timestamp,
    received_before: Timestamp,
) -> Result<VecDeque<VecDeque<Group>>, Error> {
    let small = Only::Small { raw_bytes: LARGE_RAW_BYTES, received_before };
    let mut tenants: HashMap<String, (usize, usize)> = HashMap::new();
    let mut settled = Settled::new(app);
    let mut all = VecDeque::new();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut known: Option<(Tenant, configs::Known)> = None;
    let mut from = WalkFrom::default();
    loop {
        let page = app.catalog.walk(&from, PAGE, small).await?;
        let Some(last) = page.last() else { break };
        from = WalkFrom::behind(last);
        for entry in page {
            let Some(tenant) = Tenant::stored(&entry.id.tenant) else { continue };
            let configs = match &known {
                Some((of, configs)) if *of == tenant => configs.clone(),
                _ => {
                    all.extend(
                        groups_of(&mut settled, std::mem::take(&mut candidates), received_before).await,
                    );
                    configs::stored(app, &tenant).await?
                }
            };
            let class = entry.id.class.clone();
            let ttl_days = |service: &str| configs.kept_days(&class, service);
            let (small, large) = tenants.entry(tenant.to_string()).or_default();
            let (seen, most) = if entry.raw_bytes < LARGE_RAW_BYTES {
                (small, MAX_CANDIDATES)
            } else {
                (large, MAX_WORDLESS)
            };
            // What expires tonight is not worth a merge.
            if *seen < most && retention::judge(&entry.services, now, ttl_days) == Verdict::Keep {
                *seen += 1;
                candidates.push(Candidate::new(entry));
            }
            known = Some((tenant, configs));
        }
    }
    all.extend(groups_of(&mut settled, candidates, received_before).await);
    Ok(all)
}

/// The groups of one tenant, without what its shards might flush again.
async fn groups_of(
    settled: &mut Settled<'_>,
    candidates: Vec<Candidate>,
    received_before: Timestamp,
) -> Option<VecDeque<Group>> {
    let mut sure = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        if settled.is(&candidate.entry).await {
            sure.push(candidate);
        }
    }
    let groups: VecDeque<Group> = plan::groups(sure, received_before).into();
    (!groups.is_empty()).then_some(groups)
}

/// Merges a group, without those of its sources that cannot be read.
async fn merge_group(
    app: &App,
    group: Group,
    now: Timestamp,
    compacted: &mut Compacted,
) -> Result<(), Error> {
    let is_for_words = group.is_for_words();
    let mut sources = group.sources;
    while sources.len() > 1 || (is_for_words && !sources.is_empty()) {
        match merge::replace(app, &sources, Keep::All, Addresses::AsTheyAre, now).await {
            Ok(Merged::Done { rows }) => {
                compacted.segments_gone += sources.len() as u64;
                compacted.segments_made += 1;
                compacted.rows += rows;
                compacted.raw_bytes += sources.iter().map(|source| source.raw_bytes).sum::<u64>();
                return Ok(());
            }
            Ok(Merged::Empty | Merged::AsItWas | Merged::Overtaken) => return Ok(()),
            Err(Failed::Source(nth, why)) => {
                let source = sources.remove(nth);
                app.journal.error(&format!("segment {} cannot be merged: {why}", source.key));
            }
            Err(Failed::Otherwise(error)) => return Err(error),
        }
    }
    Ok(())
}
