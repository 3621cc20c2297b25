//! A large scan in parts: its segments are dealt out to scanners by their keys, and what each of them has gathered is
//! put together. A segment goes to the same scanner each time, which has it at hand then.

use futures::{StreamExt, stream};

use super::{
    Again, Scan, Sink, Stats,
    run::{MAX_BYTES_READ, MAX_R2_READS, begins},
    wire::{Answer, Asked, MAX_SEGMENTS},
};
use crate::{
    app::{App, Confined, WAVE},
    engine::{
        block::{Summary, words},
        query::Order,
        record::timestamp::Timestamp,
    },
    ports::{CatalogEntry, ScannerName},
};

/// What a scan looks into itself before it asks anybody: 24 MB are 1.6 million lines and about 0.2 s of CPU, and 16
/// segments of which nothing is at hand about a second of waiting. Most scans end before, and a sink with a limit has
/// reached it by then, so that all scanners keep to what it has found.
const ALONE_SEGMENTS: usize = 16;
const ALONE_BYTES: u64 = 24 << 20;

/// Fewer segments and bytes than both of these are not worth the requests.
const LEAST_SEGMENTS: usize = 8;
const LEAST_BYTES: u64 = 8 << 20;

/// Segments that are dealt out together.
const ROUND: usize = MAX_SEGMENTS;

/// What came of a round.
#[derive(Default)]
pub(super) struct Round {
    /// Nobody has looked into these.
    pub(super) left: Vec<CatalogEntry>,
    /// Scanners have looked into others, some of which may come behind these.
    pub(super) is_mixed: bool,
    /// Where the first segment begins that no scanner may look into any more.
    pub(super) stopped: Option<Timestamp>,
}

/// The part of a scan that goes to scanners.
pub(super) struct Spread<'a> {
    app: &'a App,
    filter: &'a Confined,
    order: Order,
    /// Whether there is anybody to ask.
    spreads: bool,
    /// What is asked for, once somebody is asked.
    asked: Option<Asked>,
    looked_into: (usize, u64),
    round: Vec<CatalogEntry>,
    /// What each scanner has cost so far.
    spent: Vec<Stats>,
    requests: u64,
}

impl<'a> Spread<'a> {
    pub(super) fn new(app: &'a App, scan: &Scan<'a>, sink: &dyn Sink) -> Self {
        let scanners = app.settings.scanners_per_tenant;
        Self {
            app,
            filter: scan.filter,
            order: scan.order,
            spreads: scanners > 0 && scan.spreads && sink.gather().is_some(),
            asked: None,
            looked_into: (0, 0),
            round: Vec::new(),
            spent: (0..scanners).map(|_| Stats::default()).collect(),
            requests: 0,
        }
    }

    /// Takes a segment, or gives it back to be looked into at once.
    pub(super) fn take(&mut self, entry: CatalogEntry) -> Option<CatalogEntry> {
        let (segments, bytes) = &mut self.looked_into;
        let is_large = *segments >= ALONE_SEGMENTS || *bytes >= ALONE_BYTES;
        if self.spreads && is_large && self.asked.is_none() {
            self.asked = Asked::new(self.filter.tenant(), self.filter);
            self.spreads = self.asked.is_some();
        }
        if !self.spreads || !is_large {
            *segments += 1;
            *bytes += entry.size_bytes;
            return Some(entry);
        }
        // They would be most of what is held.
        self.round.push(CatalogEntry { services: Summary::new(), rollup: None, facts: None, ..entry });
        None
    }

    pub(super) fn is_due(&self) -> bool {
        self.round.len() >= ROUND
    }

    /// What the scanners have cost.
    pub(super) fn cost(&self) -> Stats {
        let mut sum = Stats { scanner_requests: self.requests, ..Stats::default() };
        self.spent.iter().for_each(|spent| sum.add(spent));
        sum
    }

    /// Has the scanners look into what was taken. A scanner that cannot be asked leaves its segments.
    pub(super) async fn deal(&mut self, sink: &mut dyn Sink, last_try: bool) -> Result<Round, Again> {
        let mut round = Round { left: std::mem::take(&mut self.round), ..Round::default() };
        let bytes: u64 = round.left.iter().map(|entry| entry.size_bytes).sum();
        if round.left.len() < LEAST_SEGMENTS && bytes < LEAST_BYTES {
            return Ok(round);
        }
        let Some(asked) = &self.asked else { return Ok(round) };
        let Some(gather) = sink.gather().and_then(|gather| Asked::gathers(&gather)) else { return Ok(round) };
        let mut hands: Vec<Vec<CatalogEntry>> = self.spent.iter().map(|_| Vec::new()).collect();
        let scanners = hands.len().max(1) as u64;
        for entry in std::mem::take(&mut round.left) {
            let scanner = usize::try_from(words::hash(&entry.key) % scanners).ok();
            match scanner.and_then(|nth| hands.get_mut(nth)) {
                Some(hand) => hand.push(entry),
                None => round.left.push(entry),
            }
        }
        let app = self.app;
        let mut jobs = Vec::new();
        for ((number, hand), spent) in (0..).zip(hands).zip(&self.spent) {
            let left = |most: u64, spent: u64| most.saturating_sub(spent);
            let bounds = (left(MAX_R2_READS, spent.r2_reads), left(MAX_BYTES_READ, spent.bytes_read));
            if hand.is_empty() {
                continue;
            }
            if bounds.0 == 0 || bounds.1 == 0 {
                round.stop(self.order, hand.first());
                continue;
            }
            let name = ScannerName { tenant: asked.tenant.clone(), number };
            let gather = &gather;
            jobs.push(async move {
                let answer = ask(app, &name, asked.job(gather, bounds, last_try, &hand)).await;
                (name, hand, answer)
            });
        }
        self.requests += jobs.len() as u64;
        let mut answers = stream::iter(jobs).buffer_unordered(WAVE);
        while let Some((name, hand, answer)) = answers.next().await {
            match answer {
                Ok(Answer::Done { part, stats, segments }) => {
                    if let Some(spent) = self.spent.get_mut(name.number as usize) {
                        spent.add(&stats);
                    }
                    round.is_mixed = true;
                    if !sink.absorb(part) {
                        return Err(Again::InOrder);
                    }
                    round.stop(self.order, hand.get(segments));
                }
                Ok(Answer::Vanished) => return Err(Again::Vanished),
                Ok(Answer::TooMuch) => return Err(Again::InOrder),
                Err(reason) => {
                    app.journal.error(&format!("scanner {} was not used: {reason}", name.to_name()));
                    round.left.extend(hand);
                }
            }
        }
        let order = self.order;
        round.left.sort_by(|a, b| match order {
            Order::Newest => (b.max_time, &b.key).cmp(&(a.max_time, &a.key)),
            Order::Oldest => (a.min_time, &a.key).cmp(&(b.min_time, &b.key)),
        });
        Ok(round)
    }
}

async fn ask(app: &App, name: &ScannerName, job: Result<Vec<u8>, String>) -> Result<Answer, String> {
    let answer = app.scanners.scan(name, job?).await.map_err(|error| error.to_string())?;
    Answer::read(&answer)
}

impl Round {
    /// Nobody looks into this segment or one of its scanner behind it.
    fn stop(&mut self, order: Order, entry: Option<&CatalogEntry>) {
        if let Some(entry) = entry {
            self.stops_at(order, begins(entry, order));
        }
    }

    pub(super) fn stops_at(&mut self, order: Order, time: Timestamp) {
        let earlier = self.stopped.is_none_or(|known| order.puts_first(time, known));
        if earlier {
            self.stopped = Some(time);
        }
    }
}
