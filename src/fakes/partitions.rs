//! The partitions of the catalog in memory.

use async_trait::async_trait;

use super::{
    catalog::{FakeCatalog, Tables, without_rollup},
    world::let_others_run,
};
use crate::{
    engine::{
        block::Summary,
        index::{Ordinal, names},
        query::TimeRange,
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        CatalogEntry, Partitions, PortError,
        catalog::{After, WalkFrom},
        partitions::{Candidates, Member, Overlapping, Partition, Wanted},
    },
};

fn id(partition: &Partition) -> (String, u32) {
    (partition.tenant.clone(), partition.number)
}

fn part_keys(partition: &Partition) -> impl Iterator<Item = String> {
    (0..partition.parts.lengths().len()).map(|part| names::part_key(&partition.name, part))
}

/// Whether a segment is one of those that are not asked for one by one.
fn is_other(wanted: &Wanted, entry: &CatalogEntry) -> bool {
    entry.indexed.is_none_or(|(partition, _)| partition > wanted.known || wanted.all.contains(&partition))
}

fn is_some(wanted: &Wanted, entry: &CatalogEntry) -> bool {
    let own = |place: (u32, Ordinal)| {
        let of = wanted.some.iter().filter(|(partition, _)| *partition == place.0);
        of.flat_map(|(_, ordinals)| ordinals).any(|ordinal| *ordinal == place.1)
    };
    entry.indexed.is_some_and(own)
}

impl Tables {
    fn put(
        &mut self,
        new: &Partition,
        header: &[u8],
        members: &[Member],
        gone: &[Partition],
        now: Timestamp,
    ) {
        for (ordinal, member) in (0..).zip(members) {
            for kept in self.segments.values_mut().filter(|kept| kept.entry.id.tenant == new.tenant) {
                let entry = &mut kept.entry;
                let is_it = match member {
                    Member::New { max_time_ms, key } => {
                        entry.indexed.is_none() && (entry.max_time.as_ms(), &entry.key) == (*max_time_ms, key)
                    }
                    Member::Old { partition, ordinal } => entry.indexed == Some((*partition, *ordinal)),
                };
                if is_it {
                    entry.indexed = Some((new.number, ordinal));
                    entry.words_bytes = None;
                    self.rows_written += 3;
                    break;
                }
            }
            if let Member::New { key, .. } = member {
                self.removals.extend(names::run_key(key).map(|run| (run, now)));
                self.rows_written += 1;
            }
        }
        for partition in gone {
            self.partitions.remove(&id(partition));
            self.removals.extend(part_keys(partition).map(|key| (key, now)));
        }
        self.removals.retain(|key, _| part_keys(new).all(|own| own != *key));
        self.rows_written += 2 + gone.len() as u64;
        self.partitions.insert(id(new), (new.clone(), header.to_vec()));
    }

    fn dissolve(&mut self, partition: &Partition, now: Timestamp) {
        for kept in self.segments.values_mut().filter(|kept| kept.entry.id.tenant == partition.tenant) {
            kept.entry.indexed = kept.entry.indexed.filter(|(number, _)| *number != partition.number);
        }
        self.partitions.remove(&id(partition));
        self.removals.extend(part_keys(partition).map(|key| (key, now)));
    }
}

#[async_trait]
impl Partitions for FakeCatalog {
    async fn overlapping(&self, tenant: &Tenant, range: TimeRange) -> Result<Overlapping, PortError> {
        self.run("partitions.overlapping", |tables| {
            let own = tables.partitions.values().map(|(partition, _)| partition);
            let own: Vec<_> = own.filter(|partition| partition.tenant == tenant.as_str()).collect();
            let known = own.iter().map(|partition| partition.number).max().unwrap_or_default();
            let overlaps = |partition: &&&Partition| range.overlaps(partition.min_time, partition.max_time);
            let partitions: Vec<_> = own.iter().filter(overlaps).map(|one| (*one).clone()).collect();
            let known = if partitions.is_empty() { 0 } else { known };
            Overlapping { partitions, known }
        })
    }

    async fn headers(&self, tenant: &Tenant, numbers: &[u32]) -> Result<Vec<(u32, Vec<u8>)>, PortError> {
        self.run("partitions.headers", |tables| {
            let found = |number: &u32| {
                let (_, header) = tables.partitions.get(&(tenant.to_string(), *number))?;
                Some((*number, header.clone()))
            };
            numbers.iter().filter_map(found).collect()
        })
    }

    async fn candidates(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        wanted: &Wanted,
        limit: usize,
    ) -> Result<Candidates, PortError> {
        let_others_run().await;
        self.run("partitions.candidates", |tables| {
            let as_of = tables.epoch(tenant.as_str());
            let list = |limit, wanted: &dyn Fn(&CatalogEntry) -> bool| {
                tables.list_if(tenant, range, None, as_of, limit, wanted)
            };
            let some = list(usize::MAX, &|entry| is_some(wanted, entry));
            Candidates { some, page: list(limit, &|entry| is_other(wanted, entry)), as_of }
        })
    }

    async fn candidates_behind(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        wanted: &Wanted,
        after: &After,
        as_of: u64,
        limit: usize,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        let_others_run().await;
        self.run("partitions.candidates", |tables| {
            let other = |entry: &CatalogEntry| is_other(wanted, entry);
            tables.list_if(tenant, range, Some(after), as_of, limit, other)
        })
    }

    async fn last_number(&self, tenant: &str) -> Result<u32, PortError> {
        self.run("partitions.last_number", |tables| {
            tables.last_index.get(tenant).copied().unwrap_or_default()
        })
    }

    async fn all(&self) -> Result<Vec<Partition>, PortError> {
        self.run("partitions.all", |tables| {
            tables.partitions.values().map(|(partition, _)| partition.clone()).collect()
        })
    }

    async fn waiting(
        &self,
        from: &WalkFrom,
        raw_bytes: u64,
        received_before: Timestamp,
        limit: usize,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        self.run("partitions.waiting", |tables| {
            let waits = |entry: &&CatalogEntry| {
                entry.indexed.is_none()
                    && entry.words_bytes.is_some()
                    && (entry.raw_bytes >= raw_bytes || entry.max_received < received_before)
            };
            let behind = tables.behind(from).map(|(_, kept)| &kept.entry);
            let bare =
                |entry: &CatalogEntry| CatalogEntry { services: Summary::new(), ..without_rollup(entry) };
            behind.filter(waits).take(limit).map(bare).collect()
        })
    }

    async fn members(&self, tenant: &str, partition: u32) -> Result<Vec<(Ordinal, String)>, PortError> {
        self.run("partitions.members", |tables| {
            let entries = tables.segments.values().map(|kept| &kept.entry);
            let own = entries.filter(|entry| entry.id.tenant == tenant);
            let numbered = |entry: &CatalogEntry| {
                let (of, ordinal) = entry.indexed?;
                (of == partition).then(|| (ordinal, entry.key.clone()))
            };
            let mut members: Vec<_> = own.filter_map(numbered).collect();
            members.sort();
            members
        })
    }

    async fn put(
        &self,
        partition: &Partition,
        header: &[u8],
        members: &[Member],
        gone: &[Partition],
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let_others_run().await;
        self.run("partitions.put", |tables| {
            let last = tables.last_index.get(&partition.tenant).copied().unwrap_or_default();
            let there = partition.number > last
                && gone.iter().all(|partition| tables.partitions.contains_key(&id(partition)));
            if there {
                tables.last_index.insert(partition.tenant.clone(), partition.number);
                tables.put(partition, header, members, gone, now);
            }
            there
        })
    }

    async fn dissolve(&self, partition: &Partition, now: Timestamp) -> Result<(), PortError> {
        self.run("partitions.dissolve", |tables| tables.dissolve(partition, now))
    }

    async fn dissolve_empty(&self, now: Timestamp) -> Result<u64, PortError> {
        self.run("partitions.dissolve_empty", |tables| {
            let segments = || tables.segments.values().map(|kept| &kept.entry);
            let is_empty = |partition: &&Partition| {
                !segments().any(|entry| {
                    entry.id.tenant == partition.tenant
                        && entry.indexed.is_some_and(|(number, _)| number == partition.number)
                })
            };
            let all = tables.partitions.values().map(|(partition, _)| partition);
            let empty: Vec<Partition> = all.filter(is_empty).cloned().collect();
            for partition in &empty {
                tables.dissolve(partition, now);
            }
            empty.len() as u64
        })
    }

    async fn measure(&self, partition: &Partition) -> Result<(), PortError> {
        self.run("partitions.measure", |tables| {
            let entries = tables.segments.values().map(|kept| &kept.entry);
            let own = |entry: &&CatalogEntry| {
                entry.id.tenant == partition.tenant
                    && entry.indexed.is_some_and(|(number, _)| number == partition.number)
            };
            let times: Vec<_> = entries.filter(own).map(|entry| (entry.min_time, entry.max_time)).collect();
            let (min, max) = (times.iter().map(|one| one.0).min(), times.iter().map(|one| one.1).max());
            if let Some((listed, _)) = tables.partitions.get_mut(&id(partition))
                && let Some((min, max)) = min.zip(max)
            {
                (listed.min_time, listed.max_time) = (min, max);
            }
        })
    }

    async fn set_runs(&self, runs: &[(WalkFrom, Option<u64>)]) -> Result<(), PortError> {
        self.run("partitions.set_runs", |tables| {
            for (segment, words_bytes) in runs {
                let place = (segment.tenant.clone(), segment.max_time_ms, segment.key.clone());
                let kept = tables.segments.get_mut(&place).filter(|kept| kept.entry.indexed.is_none());
                if let Some(kept) = kept {
                    kept.entry.words_bytes = *words_bytes;
                }
            }
        })
    }
}
