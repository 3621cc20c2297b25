//! A shard: gathers appends into commits, answers when they are durable, and turns its write-ahead log
//! into segments. One `Shard` lives in one object, which runs one event at a time between awaits.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use futures::channel::oneshot;
use uuid::Uuid;

use crate::{
    engine::{
        block::Corrupt,
        query::TimeRange,
        shard::{
            Append, Header, RequestKey, flush,
            hold::{Hold, Step},
            wal::{self, Commit},
        },
    },
    ports::{
        Catalog, CatalogEntry, Clock, ObjectStore, PortError, ShardLog, ShardName,
        shard_log::Table,
        shards::{Appended, Flushed, ShardState, Unflushed},
    },
};

/// How long an idempotency key is known after the flush of its records.
const KEYS_KEPT_MS: u64 = 10 * 60 * 1_000;

/// After a failed flush the next try comes this much later.
const RETRY_MS: u64 = 30_000;

/// An answer to a reader holds no more than this.
const MAX_REPLY_BYTES: usize = 32 << 20;

pub struct Shard {
    name: ShardName,
    log: Arc<dyn ShardLog>,
    catalog: Arc<dyn Catalog>,
    objects: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    /// Never held across an await.
    state: Mutex<State>,
    flushing: futures::lock::Mutex<()>,
}

#[derive(Default)]
struct State {
    hold: Hold,
    waiting: Vec<Waiting>,
    /// Whether some append is waiting out the hold for all of them.
    led: bool,
    /// The last one takes the appends.
    logs: Vec<Log>,
    next_seq: u64,
    keys: HashMap<String, Known>,
    wakes_at_ms: Option<u64>,
    last_error: Option<String>,
}

/// An append that is not durable yet.
struct Waiting {
    message: Bytes,
    header: Header,
    answer: oneshot::Sender<Result<Appended, PortError>>,
    /// Requests with the same key that came while this one waited.
    retries: Vec<oneshot::Sender<Result<Appended, PortError>>>,
}

/// A table of the write-ahead log.
#[derive(Clone, Debug)]
struct Log {
    first_seq: u64,
    commits: u64,
    bytes: u64,
    raw_bytes: u64,
    oldest_ms: u64,
    keys: Vec<String>,
}

/// A request whose key is known.
#[derive(Clone, Debug)]
struct Known {
    body: String,
    first_id: Uuid,
    count: u32,
    /// Absent while its records are in the write-ahead log.
    until_ms: Option<u64>,
}

impl Known {
    fn of(header: &Header, key: &RequestKey, until_ms: Option<u64>) -> Self {
        Self { body: key.body.clone(), first_id: header.first_id, count: header.count, until_ms }
    }

    fn answer(&self, body: &str) -> Appended {
        if self.body == body {
            Appended::Stored { first_id: self.first_id, count: self.count, duplicate: true }
        } else {
            Appended::KeyReused
        }
    }
}

impl Shard {
    /// Opens a shard on what its storage holds.
    pub fn open(
        name: ShardName,
        log: Arc<dyn ShardLog>,
        catalog: Arc<dyn Catalog>,
        objects: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PortError> {
        let now = clock.now_ms();
        let mut state = State { next_seq: 1, ..State::default() };
        let mut tables = log.tables()?;
        tables.sort_unstable();
        for table in tables {
            match table {
                Table::Wal(first_seq) => {
                    let rows = log.read(table)?;
                    let last_seq = rows.last().map(|row| row.seq + 1);
                    state.next_seq = last_seq.unwrap_or(first_seq).max(first_seq);
                    let mut opened = Log::new(first_seq);
                    for commit in wal::commits(rows) {
                        let headers = headers(&commit).map_err(log_error)?;
                        opened.add(&commit.body, &headers, now);
                        for header in &headers {
                            if let Some(key) = &header.key {
                                state.keys.insert(key.key.clone(), Known::of(header, key, None));
                            }
                        }
                    }
                    state.logs.push(opened);
                }
                Table::Keys(until_ms) if until_ms <= now => log.drop_table(table)?,
                Table::Keys(until_ms) => {
                    for commit in wal::commits(log.read(table)?) {
                        for append in commit.parsed() {
                            let header = append.map_err(log_error)?.header;
                            if let Some(key) = &header.key {
                                state.keys.insert(key.key.clone(), Known::of(&header, key, Some(until_ms)));
                            }
                        }
                    }
                }
            }
        }
        Ok(Self {
            name,
            log,
            catalog,
            objects,
            clock,
            state: Mutex::new(state),
            flushing: futures::lock::Mutex::default(),
        })
    }

    /// Makes an append durable; concurrent ones share a commit.
    pub async fn append(&self, message: Bytes) -> Result<Appended, PortError> {
        let header = Append::parse(&message).map_err(log_error)?.header;
        let Some(answer) = self.enqueue(message, header)? else { return Ok(Appended::KeyReused) };
        let answer = match answer {
            Enqueued::Answered(appended) => return Ok(appended),
            Enqueued::Waits(answer) => answer,
        };
        self.lead().await;
        answer.await.unwrap_or_else(|_| Err(log_error("the commit was abandoned")))
    }

    /// Puts an append in line. `None` when its key was used with another body.
    fn enqueue(&self, message: Bytes, header: Header) -> Result<Option<Enqueued>, PortError> {
        let now = self.clock.now_ms();
        let mut state = self.state();
        if let Some(key) = &header.key {
            if let Some(known) =
                state.keys.get(&key.key).filter(|known| known.until_ms.is_none_or(|until| now < until))
            {
                return Ok(Some(Enqueued::Answered(known.answer(&key.body))));
            }
            let same = |waiting: &&mut Waiting| waiting.header.key.as_ref().is_some_and(|k| k.key == key.key);
            if let Some(first) = state.waiting.iter_mut().find(same) {
                if first.header.key.as_ref() != Some(key) {
                    return Ok(None);
                }
                let (sender, receiver) = oneshot::channel();
                first.retries.push(sender);
                return Ok(Some(Enqueued::Waits(receiver)));
            }
        }
        if let Some(spooled) = &header.spool
            && self.log.was_spooled(spooled)?
        {
            let (first_id, count) = (header.first_id, header.count);
            return Ok(Some(Enqueued::Answered(Appended::Stored { first_id, count, duplicate: true })));
        }
        let (answer, receiver) = oneshot::channel();
        state.hold.arrived(header.count, message.len(), to_f64(now));
        state.waiting.push(Waiting { message, header, answer, retries: Vec::new() });
        Ok(Some(Enqueued::Waits(receiver)))
    }

    /// Waits out the hold and commits, unless another append does that already.
    async fn lead(&self) {
        let mut leads = false;
        loop {
            let step = {
                let mut state = self.state();
                if state.waiting.is_empty() {
                    Step::Commit
                } else {
                    match state.hold.poll(to_f64(self.clock.now_ms())) {
                        Step::WaitMs(_) if state.led && !leads => return,
                        Step::WaitMs(ms) => {
                            (state.led, leads) = (true, true);
                            Step::WaitMs(ms)
                        }
                        Step::Commit => Step::Commit,
                    }
                }
            };
            match step {
                // Whole milliseconds, and never none: a timer that fires early would spin.
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                Step::WaitMs(ms) => self.clock.sleep_ms((ms.ceil() as u64).max(1)).await,
                Step::Commit => {
                    if leads {
                        self.state().led = false;
                    }
                    self.commit().await;
                    return;
                }
            }
        }
    }

    /// Writes all that waits as one commit and answers it.
    async fn commit(&self) {
        let (waiting, written) = {
            let mut state = self.state();
            let waiting = std::mem::take(&mut state.waiting);
            if waiting.is_empty() {
                return;
            }
            let now = self.clock.now_ms();
            state.hold.committed(to_f64(now));
            let written = self.write(&mut state, &waiting, now);
            (waiting, written)
        };
        if written.is_ok() {
            // What is written is durable; without an alarm its flush waits for the next append.
            let _ = self.schedule().await;
        }
        for one in waiting {
            let stored = |duplicate| {
                let (first_id, count) = (one.header.first_id, one.header.count);
                written.clone().map(|()| Appended::Stored { first_id, count, duplicate })
            };
            // A receiver that is gone is a caller that has hung up.
            let _ = one.answer.send(stored(false));
            for retry in one.retries {
                let _ = retry.send(stored(true));
            }
        }
    }

    /// The part of a commit that happens without an await: one transaction.
    fn write(&self, state: &mut State, waiting: &[Waiting], now: u64) -> Result<(), PortError> {
        let active = match state.logs.last() {
            Some(log) => log.first_seq,
            None => {
                self.log.create(Table::Wal(state.next_seq))?;
                state.logs.push(Log::new(state.next_seq));
                state.next_seq
            }
        };
        let messages: Vec<&Bytes> = waiting.iter().map(|one| &one.message).collect();
        let rows = wal::rows(state.next_seq, &messages);
        let next_seq = rows.last().map_or(state.next_seq, |row| row.seq + 1);
        // Taken even if a write below fails: what it left behind must not be continued.
        state.next_seq = next_seq;
        let body_len: usize = rows.iter().map(|row| row.body.len()).sum();
        self.log.append(Table::Wal(active), rows)?;
        for one in waiting {
            if let Some(spooled) = &one.header.spool {
                self.log.note_spooled(spooled)?;
            }
            if let Some(key) = &one.header.key {
                state.keys.insert(key.key.clone(), Known::of(&one.header, key, None));
            }
        }
        if let Some(log) = state.logs.last_mut() {
            let headers: Vec<&Header> = waiting.iter().map(|one| &one.header).collect();
            log.count(body_len as u64, &headers, now);
            if flush::is_due(log.bytes, log.raw_bytes) {
                // What comes next goes into a table of its own, so that no flush is larger than one commit
                // over its mark.
                self.rotate(state)?;
            }
        }
        Ok(())
    }

    fn rotate(&self, state: &mut State) -> Result<(), PortError> {
        self.log.create(Table::Wal(state.next_seq))?;
        state.logs.push(Log::new(state.next_seq));
        Ok(())
    }

    /// Makes sure that the shard wakes when its log is due.
    async fn schedule(&self) -> Result<(), PortError> {
        let now = self.clock.now_ms();
        let at = {
            let mut state = self.state();
            let full = state.logs.len() > 1;
            let oldest = state.logs.iter().filter(|log| log.commits > 0).map(|log| log.oldest_ms).min();
            let Some(oldest) = oldest else { return Ok(()) };
            let due = match (&state.last_error, full) {
                (Some(_), _) => now + RETRY_MS,
                (None, true) => now,
                (None, false) => (oldest + flush::FLUSH_AGE_MS).max(now),
            };
            if state.wakes_at_ms.is_some_and(|at| at <= due) {
                return Ok(());
            }
            state.wakes_at_ms = Some(due);
            due
        };
        let set = self.log.wake_at(at).await;
        if set.is_err() {
            self.state().wakes_at_ms = None;
        }
        set
    }

    /// What the log holds of this range, as it is at this moment.
    pub async fn unflushed(&self, range: TimeRange) -> Result<Unflushed, PortError> {
        let tables: Vec<u64> = self.state().logs.iter().map(|log| log.first_seq).collect();
        let from_seq = tables.first().copied().unwrap_or(self.state().next_seq);
        let mut found = Unflushed { from_seq, ..Unflushed::default() };
        let mut bytes = 0;
        // Newest first: if something must be left out, it is the oldest.
        for table in tables.iter().rev() {
            for commit in wal::commits(self.log.read(Table::Wal(*table))?).iter().rev() {
                for append in commit.parsed() {
                    let append = append.map_err(log_error)?;
                    let part = append
                        .only(|block| range.overlaps(block.min_time, block.max_time))
                        .map_err(log_error)?;
                    let Some(part) = part else { continue };
                    bytes += part.len();
                    if bytes > MAX_REPLY_BYTES {
                        found.truncated = true;
                        return Ok(found);
                    }
                    found.appends.push(part.into());
                }
            }
        }
        self.schedule().await?;
        Ok(found)
    }

    /// Writes everything committed so far to segments. What is written already is written again the same.
    pub async fn flush(&self) -> Result<Flushed, PortError> {
        let _one_at_a_time = self.flushing.lock().await;
        let full: Vec<Log> = {
            let mut state = self.state();
            if state.logs.last().is_some_and(|log| log.commits > 0) {
                self.rotate(&mut state)?;
            }
            let full = state.logs.len().saturating_sub(1);
            state.logs.iter().take(full).cloned().collect()
        };
        let mut flushed = Flushed::default();
        for log in full {
            let done = self.flush_log(&log).await;
            let mut state = self.state();
            match done {
                Ok(one) => {
                    flushed.segments += one.segments;
                    flushed.rows += one.rows;
                    flushed.size_bytes += one.size_bytes;
                    state.last_error = None;
                }
                Err(error) => {
                    state.last_error = Some(error.to_string());
                    return Err(error);
                }
            }
        }
        Ok(flushed)
    }

    async fn flush_log(&self, log: &Log) -> Result<Flushed, PortError> {
        let commits = wal::commits(self.log.read(Table::Wal(log.first_seq))?);
        let segments =
            flush::segments(self.name.tenant.as_str(), self.name.number, &commits).map_err(log_error)?;
        drop(commits);
        let mut flushed = Flushed::default();
        let mut entries = Vec::with_capacity(segments.len());
        for segment in segments {
            let entry = CatalogEntry::of(&segment);
            flushed.segments += 1;
            flushed.rows += entry.rows;
            flushed.size_bytes += entry.size_bytes;
            self.objects.put(&entry.key, segment.bytes).await?;
            entries.push(entry);
        }
        self.catalog.add(&entries).await?;
        self.forget(log)?;
        Ok(flushed)
    }

    /// Drops a flushed table, keeping its idempotency keys for a while. One transaction: no await.
    fn forget(&self, log: &Log) -> Result<(), PortError> {
        let now = self.clock.now_ms();
        let mut state = self.state();
        if !log.keys.is_empty() {
            let mut until = now + KEYS_KEPT_MS;
            let tables = self.log.tables()?;
            while tables.contains(&Table::Keys(until)) {
                until += 1;
            }
            let mut messages = Vec::with_capacity(log.keys.len());
            for key in &log.keys {
                let Some(known) = state.keys.get_mut(key) else { continue };
                known.until_ms = Some(until);
                let request = RequestKey { key: key.clone(), body: known.body.clone() };
                let (first_id, count) = (known.first_id, known.count);
                let header = Header { first_id, count, key: Some(request), spool: None, blocks: Vec::new() };
                messages.push(crate::engine::shard::append::encode(header, &[]).map_err(log_error)?);
            }
            self.log.create(Table::Keys(until))?;
            self.log.append(Table::Keys(until), wal::rows(1, &messages))?;
        }
        for table in self.log.tables()? {
            if matches!(table, Table::Keys(until) if until <= now) {
                self.log.drop_table(table)?;
            }
        }
        state.keys.retain(|_, known| known.until_ms.is_none_or(|until| now < until));
        self.log.drop_table(Table::Wal(log.first_seq))?;
        state.logs.retain(|one| one.first_seq != log.first_seq);
        Ok(())
    }

    /// The shard was woken: flush, and wake again if that failed or more has come.
    pub async fn woken(&self) -> Result<(), PortError> {
        self.state().wakes_at_ms = None;
        if self.flush().await.is_err() {
            let at = self.clock.now_ms() + RETRY_MS;
            self.state().wakes_at_ms = Some(at);
            return self.log.wake_at(at).await;
        }
        self.schedule().await
    }

    pub fn describe(&self) -> ShardState {
        let state = self.state();
        let held = || state.logs.iter().filter(|log| log.commits > 0);
        ShardState {
            unflushed_commits: held().map(|log| log.commits).sum(),
            unflushed_bytes: held().map(|log| log.bytes).sum(),
            oldest_ms: held().map(|log| log.oldest_ms).min(),
            last_error: state.last_error.clone(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Enqueued {
    Answered(Appended),
    Waits(oneshot::Receiver<Result<Appended, PortError>>),
}

impl Log {
    fn new(first_seq: u64) -> Self {
        Self { first_seq, commits: 0, bytes: 0, raw_bytes: 0, oldest_ms: 0, keys: Vec::new() }
    }

    fn add(&mut self, body: &[u8], headers: &[Header], now: u64) {
        self.count(body.len() as u64, &headers.iter().collect::<Vec<_>>(), now);
    }

    fn count(&mut self, body_bytes: u64, headers: &[&Header], now: u64) {
        if self.commits == 0 {
            self.oldest_ms = now;
        }
        self.commits += 1;
        self.bytes += body_bytes;
        for header in headers {
            self.raw_bytes += header.blocks.iter().map(|block| u64::from(block.raw_bytes)).sum::<u64>();
            self.keys.extend(header.key.as_ref().map(|key| key.key.clone()));
        }
    }
}

fn headers(commit: &Commit) -> Result<Vec<Header>, Corrupt> {
    commit.parsed().map(|append| append.map(|append| append.header)).collect()
}

fn log_error(reason: impl ToString) -> PortError {
    PortError { part: "shard log", reason: reason.to_string() }
}

/// Milliseconds since the epoch stay exact in a double for 200,000 years.
#[expect(clippy::cast_precision_loss)]
fn to_f64(ms: u64) -> f64 {
    ms as f64
}
