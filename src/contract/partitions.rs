//! The promises of the partitions, beside those of the catalog.

use std::slice::from_ref;

use super::{
    Broken,
    catalog::{MS, T, entry, plain},
    same,
};
use crate::{
    engine::{
        index::{Parts, names},
        query::TimeRange,
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::{
        Catalog, CatalogEntry, Partitions,
        catalog::{After, WalkFrom},
        partitions::{Candidates, Member, Overlapping, Partition, Wanted},
    },
};

const NOW_MS: i64 = T / MS + 3_600_000;

/// Runs on a catalog without partitions, for tenants of its own.
pub async fn partitions(catalog: &dyn Catalog, partitions: &dyn Partitions) -> Result<(), Broken> {
    let (Some(a), Some(b)) = (Tenant::parse("contract-p"), Tenant::parse("contract-q")) else {
        return Err(Broken("the names of the test's tenants are not names".into()));
    };
    let both = Both { catalog, partitions, now: Timestamp::from_ms(NOW_MS) };
    let segments = both.waiting(&a, &b).await?;
    let first = both.first(&a, &b, &segments).await?;
    both.merging(&a, &segments, &first).await?;
    both.dissolving(&a, &b).await
}

struct Both<'a> {
    catalog: &'a dyn Catalog,
    partitions: &'a dyn Partitions,
    now: Timestamp,
}

fn partition(tenant: &Tenant, number: u32, times: (i64, i64), segments: u32) -> Result<Partition, Broken> {
    Ok(Partition {
        tenant: tenant.to_string(),
        number,
        name: names::index_name(tenant.as_str(), number, 1 << 64),
        min_time: Timestamp::from_ms(times.0),
        max_time: Timestamp::from_ms(times.1),
        pairs: 1 << 40,
        segments,
        parts: Parts::new(vec![10 << 30, 7])?,
    })
}

fn run_of(entry: &CatalogEntry) -> String {
    names::run_key(&entry.key).unwrap_or_default()
}

fn new(entry: &CatalogEntry) -> Member {
    Member::New { max_time_ms: entry.max_time.as_ms(), key: entry.key.clone() }
}

fn indexed(entry: &CatalogEntry, partition: u32, ordinal: u16) -> CatalogEntry {
    CatalogEntry { words_bytes: None, indexed: Some((partition, ordinal)), ..plain(entry) }
}

fn keys(entries: &[CatalogEntry]) -> Vec<String> {
    entries.iter().map(|entry| entry.key.clone()).collect()
}

impl Both<'_> {
    async fn candidates(&self, tenant: &Tenant, wanted: &Wanted) -> Result<Candidates, Broken> {
        Ok(self.partitions.candidates(tenant, TimeRange::ALL, wanted, 9).await?)
    }

    async fn noted(&self) -> Result<Vec<String>, Broken> {
        let mut noted = self.catalog.removals(Timestamp::MAX, 1_000).await?;
        noted.sort();
        Ok(noted)
    }

    /// Four segments of one tenant, of which three have a run, and one of another.
    async fn waiting(&self, a: &Tenant, b: &Tenant) -> Result<Vec<CatalogEntry>, Broken> {
        let with_run = |mut entry: CatalogEntry| {
            entry.words_bytes = Some(1_234);
            entry
        };
        let one = with_run(entry(a, 1, T, T + MS)?);
        let two = with_run(entry(a, 2, T + 2 * MS, T + 3 * MS)?);
        let three = with_run(entry(a, 3, T + 4 * MS, T + 5 * MS)?);
        let without = entry(a, 4, T + 6 * MS, T + 7 * MS)?;
        let other = with_run(entry(b, 1, T, T + MS)?);
        let all = [one.clone(), two.clone(), three.clone(), without.clone(), other.clone()];
        self.catalog.add(&all).await?;
        let wait = |from, raw_bytes, received_ms: i64, limit| async move {
            let received_before = Timestamp::from_ms(received_ms);
            let found = self.partitions.waiting(&from, raw_bytes, received_before, limit).await?;
            Ok::<_, Broken>(keys(&found))
        };
        let start = WalkFrom::default();
        let theirs = keys(&[one.clone(), two.clone(), three.clone(), other.clone()]);
        same("those with a run wait", wait(start.clone(), 0, 0, 9).await?, theirs)?;
        same("at most so many", wait(start.clone(), 0, 0, 1).await?, keys(from_ref(&one)))?;
        let behind = WalkFrom::behind(&two);
        same("and behind one", wait(behind, 0, 0, 1).await?, keys(from_ref(&three)))?;
        same("small ones do not", wait(start.clone(), 1 << 30, 0, 9).await?, Vec::new())?;
        let old = wait(start, 1 << 30, T / MS + 2, 9).await?;
        same("until they are old", old, keys(&[one.clone(), other.clone()]))?;
        let none = Overlapping::default();
        same("there is no index", self.partitions.overlapping(a, TimeRange::ALL).await?, none)?;
        let found = self.candidates(a, &Wanted::default()).await?;
        let whole = [&without, &three, &two, &one].map(plain).to_vec();
        same("all are candidates then", found, Candidates { some: Vec::new(), page: whole, as_of: 0 })?;
        Ok(vec![one, two, three, without, other])
    }

    async fn first(&self, a: &Tenant, b: &Tenant, segments: &[CatalogEntry]) -> Result<Partition, Broken> {
        let [one, two, three, without, other] = segments else { return Err(Broken("five segments".into())) };
        let first = partition(a, 700, (T / MS, T / MS + 4), 2)?;
        let part_keys = [0, 1].map(|part| names::part_key(&first.name, part));
        self.catalog.note_removals(&part_keys, self.now).await?;
        let put = self.partitions.put(&first, b"header", &[new(two), new(one)], &[], self.now).await?;
        same("an index is listed", put, true)?;
        let listed = Overlapping { partitions: vec![first.clone()], known: 700 };
        same("with all of it", self.partitions.overlapping(a, TimeRange::ALL).await?, listed)?;
        let behind = TimeRange { start: Timestamp::from_ns(T + 5 * MS), end: Timestamp::MAX };
        let missed = self.partitions.overlapping(a, behind).await?;
        same("in its range alone", missed, Overlapping::default())?;
        let theirs = self.partitions.overlapping(b, TimeRange::ALL).await?;
        same("and for its tenant alone", theirs, Overlapping::default())?;
        let headers = self.partitions.headers(a, &[7, 700]).await?;
        same("its header is kept", headers, vec![(700, b"header".to_vec())])?;
        let members = self.partitions.members(a.as_str(), 700).await?;
        same("its segments are numbered", members, vec![(0, two.key.clone()), (1, one.key.clone())])?;
        let mut runs = vec![run_of(one), run_of(two)];
        runs.sort();
        let noted = self.noted().await?;
        let here = |key: &&String| key.contains("contract-p");
        let noted: Vec<String> = noted.iter().filter(here).cloned().collect();
        same("their runs are noted for removal, and its own objects no longer", noted, runs)?;
        let waiting = self.partitions.waiting(&WalkFrom::default(), 0, Timestamp::from_ms(0), 9).await?;
        same("the others wait", keys(&waiting), keys(&[three.clone(), other.clone()]))?;

        let wanted = Wanted { some: vec![(700, vec![1]), (7, vec![0])], all: Vec::new(), known: 700 };
        let found = self.candidates(a, &wanted).await?;
        let (some, rest) = (vec![indexed(one, 700, 1)], vec![plain(without), plain(three)]);
        same("one is found by its number", found, Candidates { some, page: rest.clone(), as_of: 0 })?;
        let whole = [rest.clone(), vec![indexed(two, 700, 0), indexed(one, 700, 1)]].concat();
        let as_a_whole = Wanted { some: Vec::new(), all: vec![700], known: 700 };
        same("an index as a whole", self.candidates(a, &as_a_whole).await?.page, whole.clone())?;
        let unknown = Wanted { some: Vec::new(), all: Vec::new(), known: 699 };
        same("so one that was not known", self.candidates(a, &unknown).await?.page, whole.clone())?;
        let after = After { max_time_ms: three.max_time.as_ms(), key: three.key.clone() };
        let behind = |wanted: Wanted, limit| {
            let after = &after;
            async move {
                let all = TimeRange::ALL;
                Ok::<_, Broken>(self.partitions.candidates_behind(a, all, &wanted, after, 0, limit).await?)
            }
        };
        same("a listing goes on", behind(unknown, 1).await?, vec![indexed(two, 700, 0)])?;
        same("to its end", behind(wanted, 9).await?, Vec::new())?;
        Ok(first)
    }

    async fn merging(&self, a: &Tenant, segments: &[CatalogEntry], first: &Partition) -> Result<(), Broken> {
        let [one, two, three, without, _] = segments else { return Err(Broken("five segments".into())) };
        // One of its segments is replaced meanwhile.
        let gone = indexed(two, 700, 0);
        same("it is replaced", self.catalog.replace(&[gone], &[], self.now).await?, true)?;
        let wanted = Wanted { some: vec![(700, vec![0, 1])], all: Vec::new(), known: 700 };
        let found = self.candidates(a, &wanted).await?;
        same("then it is no candidate", keys(&found.some), keys(from_ref(one)))?;
        same("as of then", found.as_of, 1)?;
        let all = TimeRange::ALL;
        let after = After { max_time_ms: three.max_time.as_ms(), key: three.key.clone() };
        let then = self.partitions.candidates_behind(a, all, &wanted, &after, 0, 9).await?;
        same("but one as of before", keys(&then), keys(from_ref(two)))?;

        let second = partition(a, 701, (T / MS, T / MS + 6), 3)?;
        let members = [
            Member::Old { partition: 700, ordinal: 0 },
            Member::Old { partition: 700, ordinal: 1 },
            new(three),
            new(two),
        ];
        let unlisted = partition(a, 699, (0, 1), 1)?;
        let put = |gone: Vec<Partition>| {
            let (second, members) = (&second, &members);
            async move { self.partitions.put(second, b"two", members, &gone, self.now).await }
        };
        same("one is gone", put(vec![first.clone(), unlisted]).await?, false)?;
        let numbers = |all: Vec<Partition>| all.iter().map(|one| one.number).collect::<Vec<_>>();
        let listed = self.partitions.overlapping(a, TimeRange::ALL).await?.partitions;
        same("so nothing has happened", numbers(listed), vec![700])?;
        same("indexes become one", put(vec![first.clone()]).await?, true)?;
        let listed = self.partitions.overlapping(a, TimeRange::ALL).await?;
        same("in place of them", (numbers(listed.partitions), listed.known), (vec![701], 701))?;
        let members = self.partitions.members(a.as_str(), 701).await?;
        let expected = vec![(1, one.key.clone()), (2, three.key.clone())];
        same("with their segments, those that are left", members, expected)?;
        self.partitions.measure(&second).await?;
        let listed = self.partitions.overlapping(a, TimeRange::ALL).await?.partitions;
        let times: Vec<_> = listed.iter().map(|one| (one.min_time, one.max_time)).collect();
        same("its times are theirs", times, vec![(one.min_time, three.max_time)])?;
        let noted = self.noted().await?;
        let gone = [0, 1].map(|part| names::part_key(&first.name, part));
        same("their objects go", gone.iter().all(|key| noted.contains(key)), true)?;
        same("there is one to a segment", noted.contains(&run_of(three)), true)?;
        let found = self.candidates(a, &Wanted { known: 701, ..Wanted::default() }).await?;
        same("one is in no index", keys(&found.page), keys(from_ref(without)))?;
        Ok(())
    }

    async fn dissolving(&self, a: &Tenant, b: &Tenant) -> Result<(), Broken> {
        same("no index is empty", self.partitions.dissolve_empty(self.now).await?, 0)?;
        let empty = partition(b, 12, (0, 1), 1)?;
        same("one of nothing", self.partitions.put(&empty, b"h", &[], &[], self.now).await?, true)?;
        let all: Vec<_> =
            self.partitions.all().await?.into_iter().map(|one| (one.tenant, one.number)).collect();
        let both = vec![(a.to_string(), 701), (b.to_string(), 12)];
        same("all are listed", all, both)?;
        same("an empty one goes", self.partitions.dissolve_empty(self.now).await?, 1)?;
        same("its number is known", self.partitions.last_number(b.as_str()).await?, 12)?;
        for number in [11, 12] {
            let late = partition(b, number, (0, 1), 1)?;
            let put = self.partitions.put(&late, b"h", &[], &[], self.now).await?;
            same("a number is used once, and they grow", put, false)?;
        }
        let all = self.partitions.all().await?;
        same("and no other", all.iter().map(|one| one.number).collect(), vec![701])?;
        same("its objects too", self.noted().await?.contains(&names::part_key(&empty.name, 1)), true)?;
        for partition in &all {
            self.partitions.dissolve(partition, self.now).await?;
        }
        same("one is given up", self.partitions.all().await?, Vec::new())?;
        let found = self.candidates(a, &Wanted { known: 701, ..Wanted::default() }).await?.page;
        same("its segments are in none then", found.len(), 3)?;
        let Some(last) = found.last() else { return Err(Broken("no segment is left".into())) };
        same("and have no run", (last.indexed, last.words_bytes), (None, None))?;
        self.partitions.set_runs(&[(WalkFrom::behind(last), Some(77))]).await?;
        let waiting = self.partitions.waiting(&WalkFrom::default(), 0, Timestamp::from_ms(0), 9).await?;
        let with_run: Vec<_> = waiting.iter().map(|entry| (entry.key.clone(), entry.words_bytes)).collect();
        same("until they are given one", with_run.contains(&(last.key.clone(), Some(77))), true)?;
        self.partitions.set_runs(&[(WalkFrom::behind(last), None)]).await?;
        let waiting = self.partitions.waiting(&WalkFrom::default(), 0, Timestamp::from_ms(0), 9).await?;
        same("or it is taken", keys(&waiting).contains(&last.key), false)
    }
}
