//! How much there is: of a selection, and of each value of labels. Records are counted; bytes are those records at the mean
//! size that their service's have.

use std::collections::{BTreeMap, BTreeSet};

use super::streams;
use crate::{
    app::{
        App, Error, Reader,
        fresh::Fresh,
        scan::{self, Stats},
        stats,
    },
    engine::{
        block::Summary,
        loki::SERVICE,
        query::{Expr, Filter, TimeRange},
    },
};

/// What a selection is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    pub streams: u64,
    pub segments: u64,
    pub entries: u64,
    pub bytes: u64,
}

pub async fn size(app: &App, reader: &Reader, expr: Expr, time: TimeRange) -> Result<(Size, Stats), Error> {
    let filter = reader.confine(&Filter { time, expr: expr.clone() });
    let (found, mut stats) = streams::series(app, reader, expr, time).await?;
    let (services, partial) = stats::services(app, reader, time).await?;
    stats.partial |= partial;
    let mut size = Size { streams: found.len() as u64, ..Size::default() };
    for (labels, entries) in &found {
        size.entries += entries;
        size.bytes += bytes(&services, labels.get(SERVICE).map_or("", String::as_str), *entries);
    }
    let mut segments = scan::Segments::new(app, reader.tenant(), time);
    while let Some(entry) = segments.next(&Fresh::default(), &mut stats).await? {
        size.segments += u64::from(filter.may_match(&entry.services));
    }
    Ok((size, stats))
}

/// The bytes of streams that have some labels in common, by when a stretch of time begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Volume {
    pub labels: BTreeMap<String, String>,
    pub bytes: BTreeMap<i64, u64>,
}

impl Volume {
    pub fn total(&self) -> u64 {
        self.bytes.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }
}

/// The largest first. With a stretch in ms they are told by time as well.
pub async fn volumes(
    app: &App,
    reader: &Reader,
    labels: &BTreeSet<String>,
    expr: Expr,
    time: TimeRange,
    stretch_ms: Option<i64>,
) -> Result<(Vec<Volume>, Stats), Error> {
    let (services, partial) = stats::services(app, reader, time).await?;
    let mut known: BTreeMap<BTreeMap<String, String>, BTreeMap<i64, u64>> = BTreeMap::new();
    let mut with_service = labels.clone();
    with_service.insert(SERVICE.to_owned());
    let (found, mut stats) = streams::grouped(app, reader, &with_service, expr, time, stretch_ms).await?;
    for (at_ms, mut of_stream, records) in found {
        let service = of_stream.get(SERVICE).cloned().unwrap_or_default();
        if !labels.contains(SERVICE) {
            of_stream.remove(SERVICE);
        }
        if !of_stream.is_empty() {
            let bytes = bytes(&services, &service, records);
            *known.entry(of_stream).or_default().entry(at_ms).or_default() += bytes;
        }
    }
    stats.partial |= partial;
    let mut volumes: Vec<Volume> =
        known.into_iter().map(|(labels, bytes)| Volume { labels, bytes }).collect();
    volumes.sort_by(|a, b| b.total().cmp(&a.total()).then_with(|| a.labels.cmp(&b.labels)));
    Ok((volumes, stats))
}

/// What so many records of a service take.
fn bytes(services: &Summary, service: &str, records: u64) -> u64 {
    let Some(of) = services.get(service) else { return 0 };
    let all: u64 = of.levels.iter().sum();
    let bytes = u128::from(records) * u128::from(of.bytes) / u128::from(all.max(1));
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
