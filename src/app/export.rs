//! Everything that a filter wants, as a stream of text: as much is in memory as a block and what waits to be taken.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    SinkExt, Stream, StreamExt,
    channel::mpsc::{self, Receiver, Sender},
    future::BoxFuture,
};

use super::{
    App, Error, Reader,
    fresh::Copies,
    scan::{self, Scan, Sink, Stats},
};
use crate::{
    engine::{
        block::{Block, rows::Row},
        query::{Cells, Filter, Mask, Order},
        record::timestamp::Timestamp,
    },
    ports::PortError,
};

const CHUNK_BYTES: usize = 256 << 10;

/// How each row is written.
#[derive(Clone, Debug)]
pub enum Form {
    /// As it is stored, a line each.
    Lines,
    /// Some of its fields, a line of JSON each.
    Fields(Cells),
    Csv(Cells),
}

#[derive(Clone, Debug)]
pub struct Export {
    pub filter: Filter,
    pub form: Form,
    pub limit: Option<u64>,
}

type Tell = Box<dyn FnOnce(u64) + Send>;

/// Counts what is written, and says so when nothing more will be: at the end, or when nobody reads any longer.
#[derive(Default)]
pub struct Tally {
    records: AtomicU64,
    at_end: Mutex<Option<Tell>>,
}

impl Tally {
    pub fn at_end(&self, tell: impl FnOnce(u64) + Send + 'static) {
        *self.at_end.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(tell));
    }

    pub fn add(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        let tell = self.at_end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(tell) = tell {
            tell(self.records.load(Ordering::Relaxed));
        }
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tally({})", self.records.load(Ordering::Relaxed))
    }
}

/// Text as it is read. What went wrong is the last item: rows may be missing then.
pub struct Chunks {
    work: Option<BoxFuture<'static, Result<(), Error>>>,
    ready: Receiver<Bytes>,
    failed: Option<Error>,
}

impl Chunks {
    pub fn new(app: App, reader: Reader, export: Export, tally: Arc<Tally>) -> Self {
        // One waits in the channel beside the one that is on its way.
        let (out, ready) = mpsc::channel(0);
        let work = Box::pin(async move { write(&app, &reader, &export, out, &tally).await });
        Self { work: Some(work), ready, failed: None }
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            match self.ready.poll_next_unpin(context) {
                Poll::Ready(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                Poll::Ready(None) if self.work.is_none() => return Poll::Ready(self.failed.take().map(Err)),
                _ => {}
            }
            let Some(work) = &mut self.work else { return Poll::Pending };
            match work.as_mut().poll(context) {
                Poll::Ready(done) => {
                    self.work = None;
                    self.failed = done.err();
                }
                Poll::Pending => match self.ready.poll_next_unpin(context) {
                    Poll::Ready(Some(chunk)) => return Poll::Ready(Some(Ok(chunk))),
                    _ => return Poll::Pending,
                },
            }
        }
    }
}

async fn write(
    app: &App,
    reader: &Reader,
    export: &Export,
    out: Sender<Bytes>,
    tally: &Tally,
) -> Result<(), Error> {
    let reader = &reader.with_patterns(app).await?;
    let mut writer = Writer { reader, form: &export.form, left: export.limit, text: Vec::new(), out, tally };
    if let Form::Csv(cells) = &export.form {
        cells.push_csv_head(&mut writer.text);
    }
    let filter = reader.confine(&export.filter);
    let scan = Scan {
        filter: &filter,
        copies: Copies::PassedOver,
        order: Order::Newest,
        after: None,
        unlimited: true,
        stops_early: export.limit.is_some(),
        spreads: false,
    };
    let mut stats = Stats::default();
    // A second try would write rows twice.
    let done = scan::run(app, &scan, &mut writer, &mut stats, true).await?;
    let full = writer.left == Some(0);
    writer.pause().await?;
    let rest = std::mem::take(&mut writer.text);
    if !rest.is_empty() {
        writer.send(rest.into()).await?;
    }
    if done.is_err() || (stats.partial && !full) {
        let reason = "a shard or segment that may hold wanted rows cannot be read".into();
        return Err(Error::Unavailable(PortError { part: "store", reason }));
    }
    Ok(())
}

struct Writer<'e> {
    reader: &'e Reader,
    form: &'e Form,
    left: Option<u64>,
    text: Vec<u8>,
    out: Sender<Bytes>,
    tally: &'e Tally,
}

impl Writer<'_> {
    fn push(&mut self, line: &str) -> Result<(), Error> {
        match &mut self.left {
            Some(0) => return Ok(()),
            Some(left) => *left -= 1,
            None => {}
        }
        self.tally.add(1);
        let shown = self.reader.shown_line(line)?;
        let line = shown.as_deref().unwrap_or(line);
        match self.form {
            Form::Lines => self.text.extend_from_slice(line.as_bytes()),
            Form::Fields(cells) => cells.push_json(line, &mut self.text)?,
            Form::Csv(cells) => return Ok(cells.push_csv(line, &mut self.text)?),
        }
        self.text.push(b'\n');
        Ok(())
    }

    async fn send(&mut self, chunk: Bytes) -> Result<(), Error> {
        let gone = |_| Error::Unavailable(PortError { part: "reader", reason: "it has gone".into() });
        self.out.send(chunk).await.map_err(gone)
    }
}

#[async_trait]
impl Sink for Writer<'_> {
    fn row(&mut self, row: &Row<'_>, _: Option<&Arc<str>>) -> Result<(), Error> {
        let damaged = |error| crate::engine::block::Corrupt::damaged("row", error);
        self.push(str::from_utf8(row.line).map_err(damaged)?)
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, _: &Arc<str>) -> Result<(), Error> {
        let mut rows: Vec<u32> = wanted.rows().filter_map(|row| u32::try_from(row).ok()).collect();
        if let Some(left) = self.left.and_then(|left| usize::try_from(left).ok()) {
            // The newest are at the end.
            rows.drain(..rows.len().saturating_sub(left));
        }
        let room = usize::try_from(block.meta().raw_bytes).unwrap_or(0) * rows.len() / block.len().max(1);
        let mut text = String::with_capacity(room + room / 16);
        let mut ends = Vec::with_capacity(rows.len());
        block.render(&rows, |_, _, _, line| {
            text.push_str(line);
            ends.push(text.len());
        })?;
        self.text.reserve(text.len() + ends.len());
        for nth in (0..ends.len()).rev() {
            let from = nth.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
            let line = ends.get(nth).and_then(|to| text.get(from..*to));
            self.push(line.unwrap_or_default())?;
        }
        Ok(())
    }

    fn is_full(&self, _: Timestamp, _: Timestamp) -> bool {
        self.left == Some(0)
    }

    async fn pause(&mut self) -> Result<(), Error> {
        if self.text.len() < CHUNK_BYTES {
            return Ok(());
        }
        let mut text = Bytes::from(std::mem::take(&mut self.text));
        while text.len() >= CHUNK_BYTES {
            self.send(text.split_to(CHUNK_BYTES)).await?;
        }
        self.text.extend_from_slice(&text);
        Ok(())
    }
}
