//! The catalog's partitions on D1.

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use worker::{D1PreparedStatement, send::SendFuture, wasm_bindgen::JsValue};

use super::{
    COLUMNS, COLUMNS_OF_REMOVED, D1Catalog, MAX_ROW_BYTES, NOTE_KEYS, count, entries, json_list, limit, ms,
    number, port, rows::PartitionRow,
};
use crate::{
    engine::{
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

/// The columns of a partition, but for its header.
const PARTITION: &str = "tenant, number, name, min_ms, max_ms, pairs, segments, parts";

/// The partitions that a list of numbers in `?2` names.
const NUMBERED: &str = "tenant = ?1 AND number IN (SELECT CAST(value AS INTEGER) FROM json_each(?2))";

#[derive(Deserialize)]
struct HeaderRow {
    number: u32,
    header: String,
}

#[derive(Deserialize)]
struct LastRow {
    last: u32,
}

#[derive(Deserialize)]
struct EpochRow {
    as_of: u64,
}

#[derive(Deserialize)]
struct MemberRow {
    ordinal: Ordinal,
    key: String,
}

/// The keys of an index's objects.
fn part_keys(partition: &Partition) -> Vec<String> {
    (0..partition.parts.lengths().len()).map(|part| names::part_key(&partition.name, part)).collect()
}

/// The segments that are in no index, in a later one than `?5`, or in one of `?6`. Each by its own index, as the
/// planner would not: the last ones are nearly always none.
fn arms(columns: &str, more: &str) -> String {
    let arm = |by: &str, which: &str| {
        format!(
            "SELECT {columns} FROM segments {by} \
             WHERE tenant = ?1 AND max_ms >= ?2 AND min_ms <= ?3 {more} AND {which}"
        )
    };
    // Of an index that is listed as a whole, pages are wanted in the order of time.
    [
        arm("INDEXED BY segments_unindexed", "indexed_in IS NULL"),
        arm("INDEXED BY segments_indexed", "indexed_in > ?5"),
        arm(
            "",
            "json_array_length(?6) > 0 AND indexed_in IN (SELECT CAST(value AS INTEGER) FROM json_each(?6))",
        ),
    ]
    .join(" UNION ALL ")
}

fn json<T: serde::Serialize>(value: &T) -> Result<JsValue, worker::Error> {
    Ok(serde_json::to_string(value)?.into())
}

impl D1Catalog {
    /// The segments of `Wanted` that are not asked for one by one, behind some place.
    fn others(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        wanted: &Wanted,
        after: Option<&After>,
        max: usize,
    ) -> Result<D1PreparedStatement, worker::Error> {
        let mut values = vec![
            tenant.as_str().into(),
            ms(range.start),
            ms(range.end),
            limit(max),
            number(wanted.known.into()),
            json(&wanted.all)?,
        ];
        let behind = if let Some(after) = after {
            values.extend([number(after.max_time_ms.unsigned_abs()), after.key.as_str().into()]);
            "AND (max_ms, key) < (?7, ?8)"
        } else {
            ""
        };
        let arms = arms(COLUMNS, behind);
        self.statement(&format!("{arms} ORDER BY max_ms DESC, key DESC LIMIT ?4"), &values)
    }

    async fn epoch_and(
        &self,
        tenant: &Tenant,
        statements: Vec<D1PreparedStatement>,
    ) -> Result<(u64, Vec<Vec<CatalogEntry>>), worker::Error> {
        let epoch = "SELECT coalesce((SELECT epoch FROM epochs WHERE tenant = ?1), 0) AS as_of";
        let mut all = vec![self.statement(epoch, &[tenant.as_str().into()])?];
        all.extend(statements);
        let results = self.0.batch(all).await?;
        for result in &results {
            count(result)?;
            if let Some(error) = result.error() {
                return Err(error.into());
            }
        }
        let Some((epoch, listed)) = results.split_first() else { return Err("answers were due".into()) };
        let as_of = epoch.results::<EpochRow>()?.first().map_or(0, |row| row.as_of);
        let mut lists = Vec::with_capacity(listed.len());
        for list in listed {
            let rows = entries(list.results()?)?.into_iter();
            lists.push(rows.map(|entry| CatalogEntry { as_of, ..entry }).collect());
        }
        Ok((as_of, lists))
    }

    async fn some_and_page(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        wanted: &Wanted,
        max: usize,
    ) -> Result<Candidates, worker::Error> {
        // The list first: the other way round it would be gone through for each segment.
        let some = format!(
            "SELECT {COLUMNS} FROM (SELECT CAST(value ->> 0 AS INTEGER) AS own_index, \
             CAST(value ->> 1 AS INTEGER) AS own_ordinal FROM json_each(?4)) \
             CROSS JOIN segments INDEXED BY segments_indexed \
             WHERE tenant = ?1 AND indexed_in = own_index AND ordinal = own_ordinal \
             AND max_ms >= ?2 AND min_ms <= ?3 ORDER BY max_ms DESC, key DESC"
        );
        let pairs: Vec<(u32, Ordinal)> = wanted
            .some
            .iter()
            .flat_map(|(partition, ordinals)| ordinals.iter().map(|ordinal| (*partition, *ordinal)))
            .collect();
        let own = [tenant.as_str().into(), ms(range.start), ms(range.end), json(&pairs)?];
        let mut statements = vec![self.others(tenant, range, wanted, None, max)?];
        if !pairs.is_empty() {
            statements.push(self.statement(&some, &own)?);
        }
        let (as_of, lists) = self.epoch_and(tenant, statements).await?;
        let mut lists = lists.into_iter();
        let page = lists.next().unwrap_or_default();
        Ok(Candidates { some: lists.next().unwrap_or_default(), page, as_of })
    }

    /// The statements of `put`. Each asks for itself whether all of `gone` are there and the number is a new one:
    /// nothing can come between them, and the last ones make it otherwise.
    fn put_statements(
        &self,
        partition: &Partition,
        header: &[u8],
        members: &[Member],
        gone: &[Partition],
        now: Timestamp,
    ) -> Result<Vec<D1PreparedStatement>, worker::Error> {
        let (tenant, own): (JsValue, _) = (partition.tenant.as_str().into(), number(partition.number.into()));
        let numbers = json(&gone.iter().map(|gone| gone.number).collect::<Vec<_>>())?;
        // A number is used once, and those of a tenant grow: else a search that has seen a later one would pass over
        // what moves into this.
        let there = format!(
            "(SELECT count(*) FROM partitions WHERE {NUMBERED}) = json_array_length(?2) AND \
             ?3 > coalesce((SELECT last_index FROM epochs WHERE tenant = ?1), 0)"
        );
        let header = BASE64_STANDARD.encode(header);
        if header.len() + partition.parts.lengths().len() * 16 > MAX_ROW_BYTES {
            return Err(format!("the catalog row of {} is over {MAX_ROW_BYTES} bytes", partition.name).into());
        }
        let insert = format!(
            "INSERT INTO partitions ({PARTITION}, header) \
             SELECT ?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE {there}"
        );
        let mut statements = vec![self.statement(
            &insert,
            &[
                tenant.clone(),
                numbers.clone(),
                own.clone(),
                partition.name.as_str().into(),
                ms(partition.min_time),
                ms(partition.max_time),
                number(partition.pairs),
                number(partition.segments.into()),
                serde_json::to_string(partition.parts.lengths())?.into(),
                header.into(),
            ],
        )?];
        let mut new = Vec::new();
        let mut old = Vec::new();
        let mut notes: Vec<String> = gone.iter().flat_map(part_keys).collect();
        for (ordinal, member) in members.iter().enumerate() {
            match member {
                Member::New { max_time_ms, key } => {
                    new.push((*max_time_ms, key, ordinal));
                    notes.extend(names::run_key(key));
                }
                Member::Old { partition, ordinal: before } => old.push((*partition, *before, ordinal)),
            }
        }
        // Materialised, it gets an index of its own; it would be gone through for each segment.
        let take_new = format!(
            "WITH m AS MATERIALIZED (SELECT CAST(value ->> 0 AS INTEGER) AS at, CAST(value ->> 1 AS TEXT) AS name, \
             CAST(value ->> 2 AS INTEGER) AS nth FROM json_each(?4)) \
             UPDATE segments SET indexed_in = ?3, ordinal = m.nth, words_bytes = NULL FROM m WHERE {there} \
             AND segments.tenant = ?1 AND segments.max_ms = m.at AND segments.key = m.name \
             AND segments.indexed_in IS NULL"
        );
        let take_old = format!(
            "WITH m AS MATERIALIZED (SELECT CAST(value ->> 0 AS INTEGER) AS old, \
             CAST(value ->> 1 AS INTEGER) AS before, CAST(value ->> 2 AS INTEGER) AS nth FROM json_each(?4)) \
             UPDATE segments INDEXED BY segments_indexed SET indexed_in = ?3, ordinal = m.nth FROM m WHERE {there} \
             AND segments.tenant = ?1 AND segments.indexed_in = m.old AND segments.ordinal = m.before"
        );
        // A value of D1 is bounded, so long lists are several.
        for some in new.chunks(4_000) {
            let values = [tenant.clone(), numbers.clone(), own.clone(), json(&some)?];
            statements.push(self.statement(&take_new, &values)?);
        }
        for some in old.chunks(20_000) {
            let values = [tenant.clone(), numbers.clone(), own.clone(), json(&some)?];
            statements.push(self.statement(&take_old, &values)?);
        }
        let note = "INSERT OR REPLACE INTO removals (key, noted_ms) SELECT value, ?4 FROM json_each(?5)";
        let note = format!("{note} WHERE {there}");
        for some in notes.chunks(4_000) {
            let values = [tenant.clone(), numbers.clone(), own.clone(), ms(now), json_list(some)?];
            statements.push(self.statement(&note, &values)?);
        }
        let stay = format!("DELETE FROM removals WHERE key IN (SELECT value FROM json_each(?4)) AND {there}");
        let values = [tenant.clone(), numbers.clone(), own.clone(), json_list(&part_keys(partition))?];
        statements.push(self.statement(&stay, &values)?);
        let take = format!("DELETE FROM partitions WHERE {NUMBERED} AND {there}");
        if !gone.is_empty() {
            statements.push(self.statement(&take, &[tenant.clone(), numbers, own.clone()])?);
        }
        let done = "INSERT INTO epochs (tenant, epoch, last_index) SELECT ?1, 0, ?2 WHERE EXISTS \
                    (SELECT 1 FROM partitions WHERE tenant = ?1 AND number = ?2 AND name = ?3) \
                    ON CONFLICT (tenant) DO UPDATE SET last_index = excluded.last_index";
        statements.push(self.statement(done, &[tenant, own, partition.name.as_str().into()])?);
        Ok(statements)
    }

    fn dissolution(
        &self,
        partition: &Partition,
        now: Timestamp,
    ) -> Result<Vec<D1PreparedStatement>, worker::Error> {
        let own = [partition.tenant.as_str().into(), number(partition.number.into())];
        let free =
            "UPDATE segments SET indexed_in = NULL, ordinal = NULL WHERE tenant = ?1 AND indexed_in = ?2";
        Ok(vec![
            self.statement(free, &own)?,
            self.statement(NOTE_KEYS, &[json_list(&part_keys(partition))?, ms(now)])?,
            self.statement("DELETE FROM partitions WHERE tenant = ?1 AND number = ?2", &own)?,
        ])
    }

    async fn list_partitions(
        &self,
        condition: &str,
        values: &[JsValue],
    ) -> Result<Vec<Partition>, worker::Error> {
        let sql = format!("SELECT {PARTITION} FROM partitions WHERE {condition} ORDER BY tenant, number");
        let rows: Vec<PartitionRow> = self.select(&sql, values).await?;
        rows.into_iter().map(PartitionRow::partition).collect()
    }
}

#[async_trait]
impl Partitions for D1Catalog {
    async fn overlapping(&self, tenant: &Tenant, range: TimeRange) -> Result<Overlapping, PortError> {
        let work = async {
            let sql = format!(
                "SELECT {PARTITION}, (SELECT max(number) FROM partitions WHERE tenant = ?1) AS known \
                 FROM partitions WHERE tenant = ?1 AND max_ms >= ?2 AND min_ms <= ?3"
            );
            let values = [tenant.as_str().into(), ms(range.start), ms(range.end)];
            let rows: Vec<PartitionRow> = self.select(&sql, &values).await?;
            // Where none is asked nobody needs to know the others.
            let known = rows.first().map_or(0, |row| row.known);
            let partitions = rows.into_iter().map(PartitionRow::partition).collect::<Result<_, _>>()?;
            Ok(Overlapping { partitions, known })
        };
        SendFuture::new(port(work)).await
    }

    async fn headers(&self, tenant: &Tenant, numbers: &[u32]) -> Result<Vec<(u32, Vec<u8>)>, PortError> {
        let work = async {
            let sql = format!("SELECT number, header FROM partitions WHERE {NUMBERED}");
            let rows: Vec<HeaderRow> = self.select(&sql, &[tenant.as_str().into(), json(&numbers)?]).await?;
            // One that is no base64 is an empty one, which is as damaged.
            let header =
                |row: HeaderRow| (row.number, BASE64_STANDARD.decode(row.header).unwrap_or_default());
            Ok(rows.into_iter().map(header).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn candidates(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        wanted: &Wanted,
        max: usize,
    ) -> Result<Candidates, PortError> {
        SendFuture::new(port(self.some_and_page(tenant, range, wanted, max))).await
    }

    async fn candidates_behind(
        &self,
        tenant: &Tenant,
        range: TimeRange,
        wanted: &Wanted,
        after: &After,
        as_of: u64,
        max: usize,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        let work = async {
            // Nearly always nothing was replaced since.
            let page = self.others(tenant, range, wanted, Some(after), max)?;
            let (now, lists) = self.epoch_and(tenant, vec![page]).await?;
            if now == as_of {
                return Ok(lists.into_iter().next().unwrap_or_default());
            }
            let behind = "AND (max_ms, key) < (?7, ?8) AND born <= ?9";
            let arms = arms(&format!("{COLUMNS}, ?9 AS as_of"), behind);
            let sql = format!(
                "{arms} UNION ALL SELECT {COLUMNS_OF_REMOVED}, ?9 AS as_of FROM removals \
                 WHERE tenant = ?1 AND max_ms >= ?2 AND min_ms <= ?3 {behind} AND gone > ?9 \
                 ORDER BY max_ms DESC, key DESC LIMIT ?4"
            );
            let (from_ms, from) = (number(after.max_time_ms.unsigned_abs()), after.key.as_str().into());
            let (start, end) = (ms(range.start), ms(range.end));
            let (known, all) = (number(wanted.known.into()), json(&wanted.all)?);
            let own = tenant.as_str().into();
            let values = [own, start, end, limit(max), known, all, from_ms, from, number(as_of)];
            entries(self.select(&sql, &values).await?)
        };
        SendFuture::new(port(work)).await
    }

    async fn last_number(&self, tenant: &str) -> Result<u32, PortError> {
        let work = async {
            let sql = "SELECT coalesce(last_index, 0) AS last FROM epochs WHERE tenant = ?1";
            let rows: Vec<LastRow> = self.select(sql, &[tenant.into()]).await?;
            Ok(rows.first().map_or(0, |row| row.last))
        };
        SendFuture::new(port(work)).await
    }

    async fn all(&self) -> Result<Vec<Partition>, PortError> {
        SendFuture::new(port(self.list_partitions("1", &[]))).await
    }

    async fn waiting(
        &self,
        from: &WalkFrom,
        raw_bytes: u64,
        received_before: Timestamp,
        max: usize,
    ) -> Result<Vec<CatalogEntry>, PortError> {
        let work = async {
            let sql = format!(
                "SELECT {} FROM segments INDEXED BY segments_unindexed \
                 WHERE indexed_in IS NULL AND words_bytes IS NOT NULL AND (tenant, max_ms, key) > (?1, ?2, ?3) \
                 AND (raw_bytes >= ?5 OR max_received_ms < ?6) ORDER BY tenant, max_ms, key LIMIT ?4",
                COLUMNS.replace("services", "'{}' AS services")
            );
            let from_ms = number(from.max_time_ms.unsigned_abs());
            let own = [from.tenant.as_str().into(), from_ms, from.key.as_str().into()];
            let [tenant, from_ms, key] = own;
            let values = [tenant, from_ms, key, limit(max), number(raw_bytes), ms(received_before)];
            entries(self.select(&sql, &values).await?)
        };
        SendFuture::new(port(work)).await
    }

    async fn members(&self, tenant: &str, partition: u32) -> Result<Vec<(Ordinal, String)>, PortError> {
        let work = async {
            let sql =
                "SELECT ordinal, key FROM segments WHERE tenant = ?1 AND indexed_in = ?2 ORDER BY ordinal";
            let rows: Vec<MemberRow> = self.select(sql, &[tenant.into(), number(partition.into())]).await?;
            Ok(rows.into_iter().map(|row| (row.ordinal, row.key)).collect())
        };
        SendFuture::new(port(work)).await
    }

    async fn put(
        &self,
        partition: &Partition,
        header: &[u8],
        members: &[Member],
        gone: &[Partition],
        now: Timestamp,
    ) -> Result<bool, PortError> {
        let work = async {
            // The last statement changes a row when the index is listed.
            Ok(self.run(self.put_statements(partition, header, members, gone, now)?).await? > 0)
        };
        SendFuture::new(port(work)).await
    }

    async fn dissolve(&self, partition: &Partition, now: Timestamp) -> Result<(), PortError> {
        let work = async { self.run(self.dissolution(partition, now)?).await.map(|_| ()) };
        SendFuture::new(port(work)).await
    }

    async fn dissolve_empty(&self, now: Timestamp) -> Result<u64, PortError> {
        let work = async {
            let empty = "NOT EXISTS (SELECT 1 FROM segments \
                         WHERE segments.tenant = partitions.tenant AND segments.indexed_in = partitions.number)";
            let empty = self.list_partitions(empty, &[]).await?;
            for partition in &empty {
                self.run(self.dissolution(partition, now)?).await?;
            }
            Ok(empty.len() as u64)
        };
        SendFuture::new(port(work)).await
    }

    async fn measure(&self, partition: &Partition) -> Result<(), PortError> {
        let work = async {
            let of =
                "FROM segments INDEXED BY segments_indexed WHERE segments.tenant = ?1 AND indexed_in = ?2";
            let sql = format!(
                "UPDATE partitions SET min_ms = coalesce((SELECT min(segments.min_ms) {of}), min_ms), \
                 max_ms = coalesce((SELECT max(segments.max_ms) {of}), max_ms) WHERE tenant = ?1 AND number = ?2"
            );
            let values = [partition.tenant.as_str().into(), number(partition.number.into())];
            self.run(vec![self.statement(&sql, &values)?]).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }

    async fn set_runs(&self, runs: &[(WalkFrom, Option<u64>)]) -> Result<(), PortError> {
        let work = async {
            let sql = "WITH m AS MATERIALIZED (SELECT CAST(value ->> 0 AS TEXT) AS whose, \
                       CAST(value ->> 1 AS INTEGER) AS at, CAST(value ->> 2 AS TEXT) AS name, value ->> 3 AS bytes \
                       FROM json_each(?1)) UPDATE segments SET words_bytes = m.bytes FROM m \
                       WHERE segments.tenant = m.whose AND segments.max_ms = m.at AND segments.key = m.name \
                       AND segments.indexed_in IS NULL";
            let mut statements = Vec::new();
            for some in runs.chunks(4_000) {
                let row = |(segment, bytes): &(WalkFrom, Option<u64>)| {
                    (segment.tenant.clone(), segment.max_time_ms, segment.key.clone(), *bytes)
                };
                let list = json(&some.iter().map(row).collect::<Vec<_>>())?;
                statements.push(self.statement(sql, &[list])?);
            }
            self.run(statements).await.map(|_| ())
        };
        SendFuture::new(port(work)).await
    }
}
