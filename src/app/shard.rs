//! A shard: gathers appends into commits, answers when they are durable, and turns its write-ahead log
//! into segments. One `Shard` lives in one object, which runs one event at a time between awaits.

mod flushing;
mod forget;
mod held;
mod mined;
mod observe;
mod waiting;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use self::{
    held::{Held, Known, Log},
    waiting::{Enqueued, Verdict, Waiting, admit, marks, stored},
};
use crate::{
    engine::{
        query::TimeRange,
        shard::{
            Append, Header, RequestKey, append, flush,
            hold::{Hold, Step},
            quota::Admission,
            wal,
        },
        triage::Windows,
    },
    ports::{
        Catalog, Clock, Events, Journal, ObjectStore, Patterns, PortError, ShardLog, ShardName,
        shard_log::Table,
        shards::{Appended, Flushed, ShardState, Unflushed},
    },
};
use bytes::Bytes;
use futures::channel::oneshot;

/// After a failed flush the next try comes this much later.
const RETRY_MS: u64 = 30_000;

/// An alarm that is later than this is not waited for any longer.
const OVERDUE_MS: u64 = 60_000;

/// An answer to a reader holds no more than this.
const MAX_REPLY_BYTES: usize = 16 << 20;

pub struct Shard {
    name: ShardName,
    log: Arc<dyn ShardLog>,
    catalog: Arc<dyn Catalog>,
    objects: Arc<dyn ObjectStore>,
    clock: Arc<dyn Clock>,
    journal: Arc<dyn Journal>,
    patterns: Arc<dyn Patterns>,
    events: Arc<dyn Events>,
    /// Never held across an await.
    state: Mutex<State>,
    /// What rules watch for. It lives as long as the object: a window that is longer than a pause begins anew.
    windows: Mutex<Windows>,
    flushing: futures::lock::Mutex<()>,
}

#[derive(Default)]
struct State {
    hold: Hold,
    waiting: Vec<Waiting>,
    /// Whether some append is waiting out the hold for all of them.
    led: bool,
    held: Held,
    /// A write has failed, and what it left behind is known to the storage alone.
    stale: bool,
    wakes_at_ms: Option<u64>,
    /// A flush is running: it wakes the shard again itself when it ends.
    flushing: bool,
    last_error: Option<String>,
}

impl State {
    /// When the shard must wake for what it holds; `None` when it holds nothing, or a flush is running.
    fn due_ms(&self, now: u64) -> Option<u64> {
        let oldest = self.held.logs.iter().filter(|log| log.commits > 0).map(|log| log.oldest_ms).min()?;
        let full = self.held.logs.len() > 1;
        match (self.flushing, &self.last_error) {
            (true, _) => None,
            (false, Some(_)) => Some(now + RETRY_MS),
            (false, None) if full => Some(now),
            (false, None) => Some((oldest + flush::FLUSH_AGE_MS).max(now)),
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
        journal: Arc<dyn Journal>,
        (patterns, events): (Arc<dyn Patterns>, Arc<dyn Events>),
    ) -> Result<Self, PortError> {
        let held = Held::read(&*log, clock.now_ms())?;
        let state = State { held, ..State::default() };
        Ok(Self {
            name,
            log,
            catalog,
            objects,
            clock,
            journal,
            patterns,
            events,
            state: Mutex::new(state),
            windows: Mutex::default(),
            flushing: futures::lock::Mutex::default(),
        })
    }

    /// Makes appends durable that came in one call; concurrent ones share a commit. A bad one fails alone.
    pub async fn append_all(&self, messages: Vec<Bytes>) -> Vec<Result<Appended, PortError>> {
        let take_in = |message: Bytes| {
            let header = Append::parse(&message).map_err(log_error)?.header;
            self.enqueue(message, header)
        };
        let enqueued: Vec<Result<Enqueued, PortError>> = messages.into_iter().map(take_in).collect();
        if enqueued.iter().any(|one| matches!(one, Ok(Enqueued::Waits(_)))) {
            self.lead().await;
        }
        let mut answers = Vec::with_capacity(enqueued.len());
        for one in enqueued {
            answers.push(match one {
                Ok(Enqueued::Answered(appended)) => Ok(appended),
                Ok(Enqueued::Waits(answer)) => {
                    answer.await.unwrap_or_else(|_| Err(log_error("the commit was abandoned")))
                }
                Err(error) => Err(error),
            });
        }
        answers
    }

    /// What was answered to a request with this key, or will be: nothing is stored for asking.
    pub async fn known(&self, key: &RequestKey) -> Result<Option<Appended>, PortError> {
        let known = {
            let mut state = self.sure_state()?;
            self.find(&mut state, key)
        };
        match known {
            None => Ok(None),
            Some(Enqueued::Answered(appended)) => Ok(Some(appended)),
            Some(Enqueued::Waits(answer)) => {
                answer.await.unwrap_or_else(|_| Err(log_error("the commit was abandoned"))).map(Some)
            }
        }
    }

    /// The answer to a key that is known, or waits to be.
    fn find(&self, state: &mut State, key: &RequestKey) -> Option<Enqueued> {
        let now = self.clock.now_ms();
        if let Some(known) =
            state.held.keys.get(&key.key).filter(|known| known.until_ms.is_none_or(|until| now < until))
        {
            return Some(Enqueued::Answered(known.answer(key.body)));
        }
        let same = |waiting: &&mut Waiting| waiting.header.key.as_ref().is_some_and(|k| k.key == key.key);
        let first = state.waiting.iter_mut().find(same)?;
        if first.header.key.as_ref() != Some(key) {
            return Some(Enqueued::Answered(Appended::KeyReused));
        }
        let (sender, receiver) = oneshot::channel();
        first.retries.push(sender);
        Some(Enqueued::Waits(receiver))
    }

    /// Puts an append in line.
    fn enqueue(&self, message: Bytes, header: Header) -> Result<Enqueued, PortError> {
        let now = self.clock.now_ms();
        let mut state = self.sure_state()?;
        if let Some(found) = header.key.as_ref().and_then(|key| self.find(&mut state, key)) {
            return Ok(found);
        }
        if let Some(spooled) = &header.spool {
            if self.log.was_spooled(spooled)? {
                return Ok(Enqueued::Answered(stored(&header, true)));
            }
            // Two ways home may run at once.
            let same = |waiting: &&mut Waiting| waiting.header.spool == header.spool;
            if let Some(first) = state.waiting.iter_mut().find(same) {
                let (sender, receiver) = oneshot::channel();
                first.retries.push(sender);
                return Ok(Enqueued::Waits(receiver));
            }
        }
        if let Some(quota) = header.quota.as_ref().filter(|_| header.spool.is_none()) {
            // It need not wait for a commit that has nothing of it.
            if let Some(left) = Admission::new(&state.held.counts).is_refused_for_good(quota) {
                return Ok(Enqueued::Answered(Appended::OverQuota { left }));
            }
        }
        let (answer, receiver) = oneshot::channel();
        state.hold.arrived(header.count, message.len(), to_f64(now));
        state.waiting.push(Waiting { message, header, answer, retries: Vec::new() });
        Ok(Enqueued::Waits(receiver))
    }

    /// Waits out the hold and commits, unless another append does that already.
    async fn lead(&self) {
        let mut leads: Option<Leads<'_>> = None;
        loop {
            let step = {
                let mut state = self.state();
                if state.waiting.is_empty() {
                    Step::Commit
                } else {
                    match state.hold.poll(to_f64(self.clock.now_ms())) {
                        Step::WaitMs(_) if state.led && leads.is_none() => return,
                        Step::WaitMs(ms) => {
                            state.led = true;
                            leads.get_or_insert_with(|| Leads(self));
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
                    drop(leads);
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
            state.stale |= written.is_err();
            (waiting, written)
        };
        if written.is_ok() {
            // What is written is durable; without an alarm its flush waits for the next append.
            let _ = self.schedule().await;
        }
        let verdicts = match written {
            Ok(verdicts) => verdicts.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error); waiting.len()],
        };
        for (one, verdict) in waiting.into_iter().zip(verdicts) {
            one.settle(&verdict);
        }
    }

    /// The part of a commit that happens without an await: one transaction. Answers of each append whether its
    /// quotas refused it, and what they have room for.
    fn write(&self, state: &mut State, waiting: &[Waiting], now: u64) -> Result<Vec<Verdict>, PortError> {
        let (verdicts, added) = admit(&state.held.counts, waiting);
        let mut messages: Vec<Bytes> = Vec::with_capacity(waiting.len());
        let mut headers: Vec<&Header> = Vec::with_capacity(waiting.len());
        for (one, verdict) in waiting.iter().zip(&verdicts) {
            if verdict.is_none() {
                messages.push(one.message.clone());
                headers.push(&one.header);
            }
        }
        let marks = marks(waiting, &verdicts, now);
        for mark in &marks {
            messages.push(append::encode(mark.clone(), &[]).map_err(log_error)?.into());
            headers.push(mark);
        }
        if messages.is_empty() {
            return Ok(verdicts);
        }
        let active = if let Some(log) = state.held.logs.last() {
            log.first_seq
        } else {
            self.log.create(Table::Wal(state.held.next_seq))?;
            state.held.logs.push(Log::new(state.held.next_seq));
            state.held.next_seq
        };
        let rows = wal::rows(state.held.next_seq, &messages);
        let next_seq = rows.last().map_or(state.held.next_seq, |row| row.seq + 1);
        // Taken even if a write below fails: what it left behind must not be continued.
        state.held.next_seq = next_seq;
        let body_len: usize = rows.iter().map(|row| row.body.len()).sum();
        self.log.append(Table::Wal(active), rows)?;
        for header in &headers {
            if let Some(spooled) = &header.spool {
                self.log.note_spooled(spooled)?;
            }
            if let Some(key) = &header.key {
                state.held.keys.insert(key.key, Known::of(header, key, None));
            }
        }
        state.held.counts.merge(&added);
        if let Some(log) = state.held.logs.last_mut() {
            log.count(body_len as u64, &headers, now);
            if flush::is_due(log.bytes, log.raw_bytes) {
                // What comes next goes into a table of its own, so that no flush is larger than one commit
                // over its mark.
                self.rotate(state)?;
            }
        }
        Ok(verdicts)
    }

    fn rotate(&self, state: &mut State) -> Result<(), PortError> {
        let created = self.log.create(Table::Wal(state.held.next_seq));
        state.stale |= created.is_err();
        created?;
        state.held.logs.push(Log::new(state.held.next_seq));
        Ok(())
    }

    /// Makes sure that the shard wakes when its log is due.
    async fn schedule(&self) -> Result<(), PortError> {
        if self.state().wakes_at_ms.is_none() {
            // An object that was put to sleep keeps its alarm: setting it again would cost a row. One that is
            // long overdue has been lost.
            let set_before = self.log.wakes_at().await?;
            let lost_before = self.clock.now_ms().saturating_sub(OVERDUE_MS);
            self.state().wakes_at_ms = set_before.filter(|at| *at >= lost_before);
        }
        let now = self.clock.now_ms();
        let at = {
            let mut state = self.state();
            let Some(due) = state.due_ms(now) else { return Ok(()) };
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
        let tables: Vec<u64> = self.sure_state()?.held.logs.iter().map(|log| log.first_seq).collect();
        let mut found = Unflushed { from_seq: self.state().held.next_seq, ..Unflushed::default() };
        let mut bytes = 0;
        // Newest first: if something must be left out, it is the oldest.
        for table in tables.iter().rev() {
            let commits = wal::commits(self.log.read(Table::Wal(*table))?);
            // By what is there and not by what is remembered: rows that a failed flush took out of the log
            // after all are in their segment alone.
            found.from_seq = commits.first().map_or(found.from_seq, |commit| commit.seq);
            for commit in commits.iter().rev() {
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
        let flushed = self.flush_due(u64::MAX).await;
        // Without an alarm the next append or read sets one.
        let _ = self.schedule().await;
        flushed
    }

    /// Flushes the tables that are full, and the open one when its oldest log came before this.
    async fn flush_due(&self, came_before_ms: u64) -> Result<Flushed, PortError> {
        let _one_at_a_time = self.flushing.lock().await;
        let full: Vec<Log> = {
            let mut state = self.sure_state()?;
            if state.held.logs.last().is_some_and(|log| log.commits > 0 && log.oldest_ms < came_before_ms) {
                self.rotate(&mut state)?;
            }
            state.flushing = true;
            let full = state.held.logs.len().saturating_sub(1);
            state.held.logs.iter().take(full).cloned().collect()
        };
        let runs = Flushes(self);
        let flushed = self.flush_logs(&full).await;
        drop(runs);
        self.state().last_error = flushed.as_ref().err().map(ToString::to_string);
        flushed
    }

    /// The shard was woken: flush what is due, and see to the next time.
    pub async fn woken(&self) -> Result<(), PortError> {
        self.state().wakes_at_ms = None;
        let due = self.clock.now_ms().saturating_sub(flush::FLUSH_AGE_MS) + 1;
        // What failed is told by `describe`, and tried again when `schedule` says.
        let _ = self.flush_due(due).await;
        self.schedule().await
    }

    pub fn describe(&self) -> ShardState {
        let state = self.state();
        let held = || state.held.logs.iter().filter(|log| log.commits > 0);
        let first_log = state.held.logs.first().map_or(state.held.next_seq, |log| log.first_seq);
        ShardState {
            flushed_before_seq: if state.stale { 0 } else { first_log },
            unflushed_commits: held().map(|log| log.commits).sum(),
            unflushed_bytes: held().map(|log| log.bytes).sum(),
            oldest_ms: held().map(|log| log.oldest_ms).min(),
            last_error: state.last_error.clone(),
        }
    }

    /// The state, read anew where it may differ from the storage.
    fn sure_state(&self) -> Result<MutexGuard<'_, State>, PortError> {
        let mut state = self.state();
        if state.stale {
            state.held = Held::read(&*self.log, self.clock.now_ms())?;
            state.stale = false;
        }
        Ok(state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Held by the append that waits for all of them. If its caller goes away, the next one takes over.
struct Leads<'a>(&'a Shard);

impl Drop for Leads<'_> {
    fn drop(&mut self) {
        self.0.state().led = false;
    }
}

/// Held by a running flush; without it a caller that goes away would leave the shard waiting for its end.
struct Flushes<'a>(&'a Shard);

impl Drop for Flushes<'_> {
    fn drop(&mut self) {
        self.0.state().flushing = false;
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as `map_err(log_error)`")]
fn log_error(reason: impl ToString) -> PortError {
    PortError { part: "shard log", reason: reason.to_string() }
}

/// Milliseconds since the epoch stay exact in a double for 200,000 years.
#[expect(clippy::cast_precision_loss)]
fn to_f64(ms: u64) -> f64 {
    ms as f64
}
