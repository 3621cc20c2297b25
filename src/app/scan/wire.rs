//! What a scan and its scanners tell each other: jobs and answers, as JSON. Both ends are of one deployment but for
//! the moments of a rollout, when a version that differs makes the scan do the job itself.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    Stats,
    run::{MAX_BYTES_READ, MAX_R2_READS},
};
use crate::{
    app::Confined,
    app::{
        aggregate::{FacetsPart, FieldsPart, KnownFacet},
        search::WeighedPart,
    },
    engine::{
        block::{Corrupt, SegmentId, Summary},
        query::{
            Filter, TimeRange, parse,
            stat::{By, GroupsPart, Key, Measure},
        },
        record::timestamp::Timestamp,
        tenant::Tenant,
    },
    ports::CatalogEntry,
};

/// Grows with every change of a type in this file or in one that it names.
const VERSION: u32 = 2;

/// Segments of one job.
pub(super) const MAX_SEGMENTS: usize = 1_000;

/// Bytes of what a job says is to be gathered, which may be thousands of values to tell apart; of a whole job, whose
/// keys come to 200 KB; and of an answer. Six of each are in memory at once.
const MAX_GATHER_BYTES: usize = 3 << 20;
const MAX_JOB_BYTES: usize = 4 << 20;
const MAX_ANSWER_BYTES: usize = 4 << 20;

/// What is to be gathered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gather {
    Groups {
        by: Vec<By>,
        measures: Vec<Measure>,
        settled: Option<Vec<Vec<Key>>>,
    },
    Facets {
        known: Vec<KnownFacet>,
        finds: bool,
    },
    Fields,
    /// At most so many rows, weighed by the terms of the expression.
    Weights {
        room: usize,
    },
}

impl Gather {
    /// How many limits a sink has come to that wants this.
    pub(super) fn limits(wanted: Option<Self>) -> usize {
        match wanted {
            None => usize::MAX,
            Some(Self::Groups { settled, .. }) => usize::from(settled.is_some()),
            Some(Self::Facets { known, finds }) => {
                known.iter().filter(|one| one.is_settled()).count() + usize::from(!finds)
            }
            Some(Self::Fields) => 0,
            Some(Self::Weights { room }) => usize::from(room == 0),
        }
    }
}

/// What has been gathered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Groups(GroupsPart),
    Facets(FacetsPart),
    Fields(FieldsPart),
    Weights(WeighedPart),
}

/// A job as it is sent.
#[derive(Serialize, Deserialize)]
struct Sent<G> {
    version: u32,
    tenant: String,
    /// The range of time, in ns.
    start: i64,
    end: i64,
    /// As it is printed.
    expr: String,
    gather: G,
    r2_reads: u64,
    bytes_read: u64,
    last_try: bool,
    segments: Vec<Place>,
}

/// Segments to look into, in the order of the scan.
pub(super) struct Job {
    pub(super) filter: Confined,
    pub(super) segments: Vec<CatalogEntry>,
    /// What it may cost.
    pub(super) r2_reads: u64,
    pub(super) bytes_read: u64,
    /// A segment that is gone is passed over.
    pub(super) last_try: bool,
}

/// What of a catalog entry it takes to read its segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    key: String,
    size_bytes: u64,
    footer_offset: u64,
    filters_offset: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Done {
        part: Part,
        stats: Stats,
        /// How many segments have been looked into; fewer than all when the job cost what it may.
        segments: usize,
    },
    /// A segment is gone.
    Vanished,
    /// There is more than a part may hold.
    TooMuch,
}

/// What is the same in all jobs of a scan.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) tenant: Tenant,
    time: TimeRange,
    expr: String,
}

impl Asked {
    /// `None` for a filter that would not be read as it is written.
    pub(super) fn new(tenant: &Tenant, filter: &Filter) -> Option<Self> {
        let expr = filter.expr.to_string();
        let reads_back = parse(&expr).is_ok_and(|read| read == filter.expr);
        reads_back.then(|| Self { tenant: tenant.clone(), time: filter.time, expr })
    }

    /// What is to be gathered, as it stands in every job; `None` when it is too long for one.
    pub(super) fn gathers(gather: &Gather) -> Option<Box<RawValue>> {
        let text = String::from_utf8(bounded(gather, MAX_GATHER_BYTES)?).ok()?;
        RawValue::from_string(text).ok()
    }

    /// The job's bytes.
    pub(super) fn job(
        &self,
        gather: &RawValue,
        (r2_reads, bytes_read): (u64, u64),
        last_try: bool,
        entries: &[CatalogEntry],
    ) -> Result<Vec<u8>, String> {
        let place = |entry: &CatalogEntry| Place {
            key: entry.key.clone(),
            size_bytes: entry.size_bytes,
            footer_offset: entry.footer_offset,
            filters_offset: entry.filters_offset,
        };
        let job = Sent {
            version: VERSION,
            tenant: self.tenant.as_str().to_owned(),
            start: self.time.start.as_ns(),
            end: self.time.end.as_ns(),
            expr: self.expr.clone(),
            gather,
            r2_reads,
            bytes_read,
            last_try,
            segments: entries.iter().map(place).collect(),
        };
        bounded(&job, MAX_JOB_BYTES).ok_or_else(|| format!("the job has more than {MAX_JOB_BYTES} bytes"))
    }
}

impl Job {
    /// Reads a job for a scanner of this tenant. The error says what is wrong with it.
    pub(super) fn read(tenant: &Tenant, bytes: &[u8]) -> Result<(Self, Gather), String> {
        if bytes.len() > MAX_JOB_BYTES {
            return Err(format!("expected a job of at most {MAX_JOB_BYTES} bytes, got {}", bytes.len()));
        }
        let sent: Sent<Gather> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if sent.version != VERSION {
            return Err(format!("expected version {VERSION}, got {}", sent.version));
        }
        if sent.tenant != tenant.as_str() {
            return Err(format!("expected a job of tenant {tenant}, got one of {:?}", sent.tenant));
        }
        if sent.segments.len() > MAX_SEGMENTS {
            return Err(format!("expected at most {MAX_SEGMENTS} segments, got {}", sent.segments.len()));
        }
        let own = format!("logs/{tenant}/");
        if let Some(place) = sent.segments.iter().find(|place| !place.key.starts_with(&own)) {
            return Err(format!("expected segments below {own}, got {:?}", place.key));
        }
        if let Gather::Groups { by, .. } = &sent.gather
            && by.iter().any(|by| matches!(by, By::Time(interval) if *interval <= 0))
        {
            return Err("expected an interval above 0".to_owned());
        }
        let expr = parse(&sent.expr).map_err(|error| error.to_string())?;
        let time = TimeRange { start: Timestamp::from_ns(sent.start), end: Timestamp::from_ns(sent.end) };
        let job = Self {
            filter: Confined::of_job(tenant.clone(), Filter { time, expr }),
            segments: sent.segments.into_iter().map(|place| place.entry(tenant)).collect(),
            r2_reads: sent.r2_reads.min(MAX_R2_READS),
            bytes_read: sent.bytes_read.min(MAX_BYTES_READ),
            last_try: sent.last_try,
        };
        Ok((job, sent.gather))
    }
}

impl Place {
    /// An entry that says how its segment is read and nothing of what is in it.
    fn entry(self, tenant: &Tenant) -> CatalogEntry {
        let id = SegmentId {
            tenant: tenant.as_str().to_owned(),
            class: String::new(),
            shard: 0,
            first_seq: 0,
            last_seq: 0,
            part: 0,
            generation: 0,
            merged: None,
        };
        CatalogEntry {
            key: self.key,
            id,
            rows: 0,
            raw_bytes: 0,
            size_bytes: self.size_bytes,
            footer_offset: self.footer_offset,
            filters_offset: self.filters_offset,
            words_bytes: None,
            indexed: None,
            min_time: Timestamp::EPOCH,
            max_time: Timestamp::MAX,
            min_received: Timestamp::EPOCH,
            max_received: Timestamp::MAX,
            services: Summary::new(),
            anonymised: false,
            rollup: None,
            facts: None,
            as_of: 0,
        }
    }
}

impl Answer {
    pub(super) fn write(&self) -> Result<Vec<u8>, Corrupt> {
        let written = bounded(self, MAX_ANSWER_BYTES).or_else(|| bounded(&Self::TooMuch, MAX_ANSWER_BYTES));
        written.ok_or_else(|| Corrupt::damaged("answer of a scanner", "it cannot be written"))
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}

/// As JSON, unless that is longer.
fn bounded(value: &impl Serialize, most: usize) -> Option<Vec<u8>> {
    let mut to = Bounded { bytes: Vec::new(), most };
    serde_json::to_writer(&mut to, value).ok().map(|()| to.bytes)
}

struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
