//! Making one segment of several, or of some rows of one: a merge by time and id that holds one decoded
//! block of each segment whose times it has come to, and the blocks written, packed. Rows that stay as they are go
//! from columns to columns; others, and those of blocks of lines, as lines.

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    app::{App, Error},
    engine::{
        block::{
            Block, BlockMeta, Corrupt, MAX_BLOCK_BYTES, MAX_SEGMENT_BLOCK_ROWS, Opened, Parted, Segment,
            SegmentId, reader,
            rows::{self, Row},
            segment::Writer,
        },
        index::{self, names, run},
        record::{row::RowHead, timestamp::Timestamp},
        redact::anonymise::anonymise_row,
    },
    ports::CatalogEntry,
};

/// A source up to this size is read whole: one operation costs more than the bytes.
const WHOLE_BELOW_BYTES: u64 = 4 << 20;

/// Blocks of a larger one are read together up to this many bytes.
const RUN_BYTES: u64 = 2 << 20;

/// Bytes that a source takes while the merge is within its times, at the most.
pub(super) fn held_bytes(raw_bytes: u64, size_bytes: u64) -> u64 {
    // Its packed bytes, a decoded block (values with where each ends, or lines), and its footer.
    let packed = if size_bytes <= WHOLE_BELOW_BYTES { size_bytes } else { RUN_BYTES + size_bytes / 8 };
    // There are segments with blocks of twice the size that is written now.
    let decoded = raw_bytes.min(2 * MAX_BLOCK_BYTES as u64);
    packed + decoded + decoded / 3 + (32 << 10)
}

/// Which rows are kept.
pub(super) enum Keep<'k> {
    All,
    Those(&'k (dyn Fn(&RowHead<'_>) -> bool + Sync)),
}

/// What becomes of the addresses in the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addresses {
    AsTheyAre,
    /// They become those of networks, and the segment says so.
    Cut,
}

/// What came of a merge.
#[derive(Debug)]
pub(super) enum Merged {
    /// The segment is written, and in the listings in place of its sources.
    Done { rows: u64 },
    /// None of the rows was to be kept, and the sources are out of the listings.
    Empty,
    /// The addresses of a single source were to be cut, and it has none: nothing was written.
    AsItWas,
    /// Another run has replaced a source meanwhile, and nothing has changed.
    Overtaken,
}

/// Why a merge cannot be: a source that cannot be read, by its place among them, or any other reason.
#[derive(Debug)]
pub(super) enum Failed {
    Source(usize, String),
    Otherwise(Error),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self::Otherwise(error.into())
    }
}

/// Replaces segments of one folder by one that holds those of their rows that are kept.
///
/// The objects' keys are noted for removal before they are written, and no longer when the catalog names
/// them: whatever stops the run, no object is left that nothing knows of.
pub(super) async fn replace(
    app: &App,
    sources: &[CatalogEntry],
    keep: Keep<'_>,
    addresses: Addresses,
    now: Timestamp,
) -> Result<Merged, Failed> {
    let names: Vec<(&SegmentId, &str)> = sources.iter().map(|one| (&one.id, one.key.as_str())).collect();
    let id = SegmentId::of_merged(&names, app.random.bits())
        .ok_or_else(|| Corrupt::damaged("merge", "its sources are not of one tenant, class and day"))?;
    let (segment, changed) = Merge::new(app, sources, id, keep, addresses).run().await?;
    let rows = segment.as_ref().map_or(0, |segment| segment.footer.rows);
    if !changed && rows != sources.iter().map(|source| source.rows).sum::<u64>() {
        return Err(Corrupt::damaged("merge", "it has not the rows of its sources").into());
    }
    if addresses == Addresses::Cut && sources.len() == 1 && !changed {
        return Ok(Merged::AsItWas);
    }
    let mut new = Vec::new();
    if let Some(segment) = segment {
        let key = segment.object_key();
        let run: Option<String> = names::run_key(&key);
        let written: Vec<String> = [Some(key), run].into_iter().flatten().collect();
        app.catalog.note_removals(&written, now).await?;
        new.push(store(app, segment).await?);
    }
    if !app.catalog.replace(sources, &new, now).await? {
        return Ok(Merged::Overtaken);
    }
    Ok(new.first().map_or(Merged::Empty, |entry| Merged::Done { rows: entry.rows }))
}

/// Writes the object of a segment, and its words for the index of its partition; its entry.
async fn store(app: &App, segment: Segment) -> Result<CatalogEntry, Error> {
    let mut entry = CatalogEntry::of(&segment);
    app.objects.put(&entry.key, segment.bytes).await?;
    if let Some(key) = names::run_key(&entry.key) {
        let run = run::encode(&entry.key, segment.words).map_err(index_error)?;
        entry.words_bytes = Some(run.len() as u64);
        app.objects.put(&key, run).await?;
    }
    Ok(entry)
}

/// What is wrong with an index, as a use case says it.
pub(super) fn index_error(error: index::Error) -> Error {
    match error {
        index::Error::Corrupt(corrupt) => corrupt.into(),
        other => Corrupt::damaged("index", other.to_string()).into(),
    }
}

struct Merge<'a> {
    app: &'a App,
    sources: &'a [CatalogEntry],
    /// Sources that are not open yet, the one that begins first at the end.
    waiting: Vec<usize>,
    open: Vec<Source<'a>>,
    out: Out<'a>,
}

/// The segment in the making, and the rows of its next block: taken apart, or as lines once there was one.
struct Out<'a> {
    writer: Writer,
    parted: Parted,
    lines: Vec<u8>,
    rows: usize,
    keep: Keep<'a>,
    addresses: Addresses,
    /// Whether a row was left out or is not what it was.
    changed: bool,
}

impl<'a> Merge<'a> {
    fn new(
        app: &'a App,
        sources: &'a [CatalogEntry],
        id: SegmentId,
        keep: Keep<'a>,
        addresses: Addresses,
    ) -> Self {
        let mut waiting: Vec<usize> = (0..sources.len()).collect();
        waiting.sort_by_key(|nth| std::cmp::Reverse(sources.get(*nth).map(|source| source.min_time)));
        let anonymised = addresses == Addresses::Cut || sources.iter().all(|source| source.anonymised);
        let keys = sources.iter().map(|source| source.key.clone()).collect();
        let writer = Writer::made_of(id, keys, anonymised);
        let (parted, lines) = Default::default();
        let out = Out { writer, parted, lines, rows: 0, keep, addresses, changed: false };
        Self { app, sources, waiting, open: Vec::new(), out }
    }

    /// The segment, when there are rows for one, and whether any row was left out or changed.
    async fn run(mut self) -> Result<(Option<Segment>, bool), Failed> {
        loop {
            self.open_what_begins().await?;
            let Some((first, until)) = self.next_run() else { break };
            let Some(source) = self.open.get_mut(first) else { break };
            source.hand_over(until, &mut self.out)?;
            if source.block_is_read() && !source.load(self.app, &mut self.out).await? {
                self.open.swap_remove(first);
            }
        }
        self.out.write_block()?;
        Ok((self.out.writer.finish()?, self.out.changed))
    }

    /// Opens the sources that begin no later than the first row of those that are open.
    async fn open_what_begins(&mut self) -> Result<(), Failed> {
        while let Some(entry) = self.waiting.last().and_then(|nth| self.sources.get(*nth)) {
            let first = self.open.iter().filter_map(Source::head).min();
            if first.is_some_and(|(time, _)| time < entry.min_time) {
                return Ok(());
            }
            let Some(nth) = self.waiting.pop() else { return Ok(()) };
            let mut source = Source::open(self.app, entry, nth).await?;
            if source.load(self.app, &mut self.out).await? {
                self.open.push(source);
            }
        }
        Ok(())
    }

    /// The open source whose row comes first, and up to where no other has rows.
    fn next_run(&self) -> Option<(usize, Head)> {
        let heads = || self.open.iter().enumerate().filter_map(|(nth, source)| Some((source.head()?, nth)));
        let (_, first) = heads().min()?;
        let other = heads().filter(|(_, nth)| *nth != first).map(|(head, _)| head).min();
        // A source that waits may have rows from its first millisecond on.
        let waiting = self.waiting.last().and_then(|nth| self.sources.get(*nth));
        let waiting = waiting.map(|entry| (entry.min_time, Uuid::nil()));
        let until = other.into_iter().chain(waiting).min().unwrap_or((Timestamp::MAX, Uuid::max()));
        Some((first, until))
    }
}

impl Out<'_> {
    /// Takes rows from `next` on, up to this time and id; answers how many.
    fn take_parted(&mut self, from: &mut Parted, next: usize, until: Head) -> Result<usize, Corrupt> {
        let mut taken = 0;
        loop {
            let (rows, bytes) = (self.rows, self.lines.len());
            let mut carried = Parted::behind(rows, bytes);
            let to = if rows == 0 { &mut self.parted } else { &mut carried };
            let count = to.carry(from, next + taken, until);
            taken += count;
            self.lines.extend(self.writer.lines_of(carried)?);
            self.rows += if rows == 0 { 0 } else { count };
            if from.key(next + taken).is_none_or(|head| head > until) {
                return Ok(taken);
            }
            // There is no room for the next one.
            self.write_block()?;
        }
    }

    /// Takes a row as a line with its newline.
    fn take_line(&mut self, line: &[u8]) -> Result<(), Corrupt> {
        if !self.parted.is_empty() {
            self.rows = self.parted.len();
            self.lines = self.writer.lines_of(std::mem::take(&mut self.parted))?;
        }
        if self.rows >= MAX_SEGMENT_BLOCK_ROWS
            || (self.rows > 0 && self.lines.len() + line.len() > MAX_BLOCK_BYTES)
        {
            self.write_block()?;
        }
        self.lines.extend_from_slice(line);
        self.rows += 1;
        Ok(())
    }

    /// Writes those rows that are kept as one block, and lets go of them.
    fn write_block(&mut self) -> Result<(), Corrupt> {
        self.writer.push_parted(std::mem::take(&mut self.parted))?;
        let mut rows: Vec<Row<'_>> = rows::rows(&self.lines).collect::<Result<_, _>>()?;
        let read = rows.len();
        if let Keep::Those(keep) = self.keep {
            rows.retain(|row| keep(&row.head));
        }
        // A row may grow by some bytes, where an address of version 4 in one of version 6 gets its dots: a reader takes
        // blocks four times as large as are written.
        let cut: Vec<Option<Vec<u8>>> = match self.addresses {
            Addresses::AsTheyAre => Vec::new(),
            Addresses::Cut => rows.iter().map(|row| anonymise_row(row.line)).collect(),
        };
        self.changed |= rows.len() < read || cut.iter().any(Option::is_some);
        for (row, cut) in rows.iter_mut().zip(&cut) {
            row.line = cut.as_deref().unwrap_or(row.line);
        }
        self.writer.push(&rows)?;
        drop(rows);
        self.lines.clear();
        self.rows = 0;
        Ok(())
    }

    /// Takes a block's rows apart, if they can stay so.
    fn part(&mut self, block: &Block<'_>) -> Result<Option<Parted>, Corrupt> {
        match (&self.keep, self.addresses) {
            (Keep::All, Addresses::AsTheyAre) => self.writer.part(block),
            _ => Ok(None),
        }
    }
}

type Head = (Timestamp, Uuid);

/// The rows of a block.
enum Rows {
    Parted(Parted),
    Lines {
        text: Vec<u8>,
        /// Of each row, and where its line ends, newline included.
        heads: Vec<(Head, usize)>,
    },
}

impl Rows {
    const NONE: Self = Self::Lines { text: Vec::new(), heads: Vec::new() };

    fn len(&self) -> usize {
        match self {
            Self::Parted(rows) => rows.len(),
            Self::Lines { heads, .. } => heads.len(),
        }
    }

    fn head(&self, row: usize) -> Option<Head> {
        match self {
            Self::Parted(rows) => rows.key(row),
            Self::Lines { heads, .. } => heads.get(row).map(|(head, _)| *head),
        }
    }

    fn is_sorted(&self) -> bool {
        match self {
            Self::Parted(rows) => rows.is_sorted(),
            Self::Lines { heads, .. } => heads.is_sorted_by_key(|(head, _)| *head),
        }
    }
}

/// A segment that is being read.
struct Source<'a> {
    entry: &'a CatalogEntry,
    nth: usize,
    opened: Opened,
    /// Its bytes from there on: all of it, or some blocks.
    fetched: (u64, Bytes),
    next_block: usize,
    block: Rows,
    next_row: usize,
    rows: u64,
}

impl<'a> Source<'a> {
    async fn open(app: &App, entry: &'a CatalogEntry, nth: usize) -> Result<Self, Failed> {
        let whole = entry.size_bytes <= WHOLE_BELOW_BYTES;
        let from = if whole { 0 } else { entry.footer_offset };
        let read = if whole {
            app.objects.get(&entry.key).await?
        } else {
            let length = entry.size_bytes.saturating_sub(from);
            app.objects.get_range(&entry.key, from, length).await?
        };
        let bytes = Bytes::from(read.ok_or_else(|| Failed::Source(nth, "it is not in the bucket".into()))?);
        let opened = if whole { reader::footer_of(&bytes) } else { reader::footer(&bytes) };
        let opened = opened.and_then(Opened::new).map_err(|e| Failed::Source(nth, e.to_string()))?;
        let fetched = if whole { (0, bytes) } else { (0, Bytes::new()) };
        Ok(Self { entry, nth, opened, fetched, next_block: 0, block: Rows::NONE, next_row: 0, rows: 0 })
    }

    fn head(&self) -> Option<Head> {
        self.block.head(self.next_row)
    }

    fn block_is_read(&self) -> bool {
        self.next_row >= self.block.len()
    }

    /// Hands over the rows that come no later than this.
    fn hand_over(&mut self, until: Head, out: &mut Out<'_>) -> Result<(), Corrupt> {
        match &mut self.block {
            Rows::Parted(rows) => self.next_row += out.take_parted(rows, self.next_row, until)?,
            Rows::Lines { text, heads } => {
                let before = |row: usize| heads.get(row.checked_sub(1)?).map(|(_, end)| *end);
                let mut from = before(self.next_row).unwrap_or(0);
                for (_, end) in heads.iter().skip(self.next_row).take_while(|(head, _)| *head <= until) {
                    let line = text
                        .get(from..*end)
                        .ok_or_else(|| Corrupt::damaged("block", "it ends within a row"))?;
                    out.take_line(line)?;
                    from = *end;
                    self.next_row += 1;
                }
            }
        }
        Ok(())
    }

    /// Reads the next block; whether there was one.
    async fn load(&mut self, app: &App, out: &mut Out<'_>) -> Result<bool, Failed> {
        let nth = self.nth;
        let damaged = |reason: &dyn ToString| Failed::Source(nth, reason.to_string());
        // Before the next one is read: a merge has memory for one of each.
        self.block = Rows::NONE;
        self.next_row = 0;
        let Some(meta) = self.opened.footer.blocks.get(self.next_block) else {
            let complete = self.rows == self.entry.rows;
            return if complete {
                Ok(false)
            } else {
                Err(damaged(&"it has not the rows that its entry says"))
            };
        };
        if reader::slice(&self.fetched.1, self.fetched.0, meta).is_err() {
            let run = self.opened.footer.blocks.iter().skip(self.next_block);
            let end = |meta: &BlockMeta| meta.offset.saturating_add(meta.length);
            let ends = run.map(end).take_while(|end| *end <= meta.offset.saturating_add(RUN_BYTES));
            let length = ends.last().unwrap_or_else(|| end(meta)).saturating_sub(meta.offset);
            self.fetched.1 = Bytes::new();
            let read = app.objects.get_range(&self.entry.key, meta.offset, length).await?;
            let read = read.ok_or_else(|| damaged(&"it is not in the bucket"))?;
            self.fetched = (meta.offset, read.into());
        }
        let slice = reader::slice(&self.fetched.1, self.fetched.0, meta).map_err(|e| damaged(&e))?;
        let bytes = self.fetched.1.slice_ref(slice);
        self.block = decode(&self.opened, meta, bytes, out).map_err(|e| damaged(&e))?;
        if !self.block.is_sorted() || self.block.len() != meta.rows as usize {
            return Err(damaged(&"a block has not the rows that its footer says"));
        }
        self.rows += u64::from(meta.rows);
        self.next_block += 1;
        Ok(true)
    }
}

/// Reads a block's rows.
fn decode(opened: &Opened, meta: &BlockMeta, bytes: Bytes, out: &mut Out<'_>) -> Result<Rows, Corrupt> {
    let mut heads = Vec::new();
    if meta.heads.is_none() {
        let text = reader::block(opened, meta, bytes)?;
        let mut end = 0;
        for row in rows::rows(&text) {
            let row = row?;
            end += row.line.len() + 1;
            heads.push(((row.head.timestamp, row.head.id), end));
        }
        return Ok(Rows::Lines { text, heads });
    }
    let block = Block::new(opened, meta, bytes);
    if let Some(parted) = out.part(&block)? {
        return Ok(Rows::Parted(parted));
    }
    let mut text = Vec::new();
    let all: Vec<u32> = (0..meta.rows).collect();
    block.render(&all, |_, time, id, line| {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
        heads.push(((time, id), text.len()));
    })?;
    if text.len() as u64 == meta.raw_bytes {
        Ok(Rows::Lines { text, heads })
    } else {
        Err(Corrupt::damaged("block", "its length differs from the footer's"))
    }
}
