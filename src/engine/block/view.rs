//! Reading blocks column by column: only what is asked for is inflated.

mod anchors;
mod parts;
mod values;

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use anchors::Below;
use bytes::Bytes;
pub use parts::Parts;
use uuid::Uuid;
pub use values::ColumnValues;

use super::{
    BlockColumn, BlockMeta, Corrupt, Footer, Kind, MAX_INFLATED_BYTES, chunks,
    column::{Entries, Variables, decode},
    footer::check,
    gzip::{self, Inflater},
    ribbon,
    shred::{Skeleton, lacks_column},
    template::Template,
    weights,
};
use crate::engine::record::{row, timestamp::Timestamp};

/// All variables of a block inflate to no more, as they are held together. Numbers take up to four times what they do as text.
const MAX_VARIABLE_BYTES: usize = 5 * MAX_INFLATED_BYTES;

/// A footer with what reading by it needs again and again.
#[derive(Debug)]
pub struct Opened {
    pub footer: Footer,
    columns: Vec<Column>,
    pub(super) sample_rates: Option<u32>,
}

/// A column of a segment.
#[derive(Debug)]
pub struct Column {
    /// Its path with dots.
    pub name: String,
    pub kind: Kind,
    pub templates: Vec<Arc<Template>>,
}

impl Column {
    /// Whether it can have values of this field: under its own name, or within its JSON.
    pub fn may_have(&self, field: &str) -> bool {
        let below = |rest: &str| rest.starts_with('.') && self.kind == Kind::Raw;
        self.name == field || field.strip_prefix(self.name.as_str()).is_some_and(below)
    }
}

impl Opened {
    pub fn new(footer: Footer) -> Result<Self, Corrupt> {
        let mut columns = Vec::with_capacity(footer.columns.len());
        for column in &footer.columns {
            let templates = column.templates.iter().map(|form| Template::parse(form).map(Arc::new));
            let (name, templates) = (column.path.join("."), templates.collect::<Result<_, _>>()?);
            columns.push(Column { name, kind: column.kind, templates });
        }
        if footer.shapes.iter().flatten().any(|column| *column as usize >= columns.len()) {
            return Err(Corrupt::damaged("footer", "a shape has an unknown column"));
        }
        for block in &footer.blocks {
            check(block, &columns)?;
        }
        let sample_rates = weights::column(&footer);
        Ok(Self { footer, columns, sample_rates })
    }

    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// About the bytes that it takes in memory.
    pub fn weight(&self) -> usize {
        let templates: usize =
            self.footer.columns.iter().flat_map(|c| &c.templates).map(|t| 120 + 3 * t.len()).sum();
        let columns: usize =
            self.footer.blocks.iter().flat_map(|b| &b.columns).map(|c| 96 + 8 * c.templates.len()).sum();
        let minutes: usize = self.footer.rollup.counts.values().map(BTreeMap::len).sum();
        let shapes: usize = self.footer.shapes.iter().map(|shape| 24 + 4 * shape.len()).sum();
        2_000 + shapes + templates + columns + minutes * 64 + self.footer.services.len() * 200
    }

    /// The templates of a column in a block, with how many rows have each.
    pub fn templates<'a>(
        &'a self,
        column: &'a BlockColumn,
    ) -> impl Iterator<Item = (&'a Arc<Template>, u32)> {
        let all = self.columns.get(column.column as usize).map(|column| column.templates.as_slice());
        column.templates.iter().filter_map(move |(nth, count)| Some((all?.get(*nth as usize)?, *count)))
    }

    /// The filter of a column in a block, out of the column's filters.
    pub fn filter<'a>(&self, block: usize, column: u32, filters: &'a [u8]) -> &'a [u8] {
        let of =
            |block: &BlockMeta| block.columns.iter().find(|c| c.column == column).map_or(0, |c| c.filter);
        let before = self.footer.blocks.iter().take(block).map(of).fold(0, u64::saturating_add);
        let length = self.footer.blocks.get(block).map_or(0, of);
        let range = usize::try_from(before).ok().zip(usize::try_from(length).ok());
        // What cannot be found says maybe, as a damaged filter does.
        range.and_then(|(from, length)| filters.get(from..from.checked_add(length)?)).unwrap_or(&[0])
    }
}

/// Whether a filter lets a word through; see `ribbon`.
pub fn filter_may_hold(filter: &[u8], hash: u64) -> bool {
    ribbon::may_hold(filter, hash)
}

/// Inflates a column's filters.
pub fn filters(member: &[u8]) -> Result<Vec<u8>, Corrupt> {
    // As many bytes as the member has: filters are stored as they are.
    gzip::inflate(member, member.len(), "filters")
}

/// A block of which the bytes are there. Its parts are read when they are first asked for.
pub struct Block<'a> {
    opened: &'a Opened,
    meta: &'a BlockMeta,
    bytes: Bytes,
    inflater: RefCell<Inflater>,
    parts: RefCell<Parts>,
    /// How many references are being followed.
    depth: Cell<usize>,
}

impl<'a> Block<'a> {
    /// `bytes` are the block's own.
    pub fn new(opened: &'a Opened, meta: &'a BlockMeta, bytes: Bytes) -> Self {
        Self::with(opened, meta, bytes, Parts::default())
    }

    /// The same with what another reader has read of this block.
    pub fn with(opened: &'a Opened, meta: &'a BlockMeta, bytes: Bytes, parts: Parts) -> Self {
        let (inflater, depth) = Default::default();
        Self { opened, meta, bytes, inflater, parts: RefCell::new(parts), depth }
    }

    /// What was read of it.
    pub fn into_parts(self) -> Parts {
        self.parts.into_inner()
    }

    pub fn len(&self) -> usize {
        self.meta.rows as usize
    }

    pub fn is_empty(&self) -> bool {
        self.meta.rows == 0
    }

    pub fn meta(&self) -> &'a BlockMeta {
        self.meta
    }

    pub fn opened(&self) -> &'a Opened {
        self.opened
    }

    fn chunk(&self, offset: u64, length: u64) -> Result<Bytes, Corrupt> {
        if length == 0 {
            return Ok(Bytes::new());
        }
        let range = usize::try_from(offset).ok().zip(usize::try_from(length).ok());
        let member = range.and_then(|(from, length)| self.bytes.get(from..from.checked_add(length)?));
        let member = member.ok_or_else(|| Corrupt::damaged("block", "it is shorter than its footer says"))?;
        Ok(self.inflater.borrow_mut().inflate(member, MAX_INFLATED_BYTES, "column")?.into())
    }

    fn head(&self, nth: usize) -> Result<Bytes, Corrupt> {
        let heads = self.meta.heads.unwrap_or_default();
        let before = heads.iter().take(nth).sum();
        self.chunk(before, heads.get(nth).copied().unwrap_or(0))
    }

    pub fn times(&self) -> Result<Arc<Vec<Timestamp>>, Corrupt> {
        if let Some(times) = &self.parts.borrow().times {
            return Ok(times.clone());
        }
        let times = Arc::new(chunks::read_times(&self.head(0)?, self.len())?);
        Ok(self.parts.borrow_mut().times.insert(times).clone())
    }

    pub fn ids(&self) -> Result<Arc<Vec<Uuid>>, Corrupt> {
        if let Some(ids) = &self.parts.borrow().ids {
            return Ok(ids.clone());
        }
        let ids = Arc::new(chunks::read_ids(&self.head(1)?, self.len())?);
        Ok(self.parts.borrow_mut().ids.insert(ids).clone())
    }

    pub fn received(&self) -> Result<Vec<Timestamp>, Corrupt> {
        match self.own_received()? {
            Some(times) => Ok(times),
            None => Ok(self.ids()?.iter().map(|id| chunks::received_of(*id)).collect()),
        }
    }

    /// Times of receipt, unless they are those in the ids.
    fn own_received(&self) -> Result<Option<Vec<Timestamp>>, Corrupt> {
        let bytes = self.head(2)?;
        (!bytes.is_empty()).then(|| chunks::read_times(&bytes, self.len())).transpose()
    }

    pub(super) fn shapes(&self) -> Result<Arc<Vec<u32>>, Corrupt> {
        if let Some(shapes) = &self.parts.borrow().shapes {
            return Ok(shapes.clone());
        }
        let shapes = Arc::new(chunks::read_shapes(&self.head(3)?, self.len())?);
        if shapes.iter().any(|shape| *shape as usize >= self.opened.footer.shapes.len()) {
            return Err(Corrupt::damaged("shapes", "a row has an unknown one"));
        }
        Ok(self.parts.borrow_mut().shapes.insert(shapes).clone())
    }

    pub fn column(&self, column: u32) -> Option<&'a BlockColumn> {
        let columns = &self.meta.columns;
        columns.binary_search_by_key(&column, |known| known.column).ok().and_then(|at| columns.get(at))
    }

    /// The rows that have a value of this column.
    fn rows_of(&self, column: &BlockColumn) -> Result<Option<Arc<Vec<u32>>>, Corrupt> {
        if column.rows == self.meta.rows {
            return Ok(None);
        }
        let has: Vec<bool> =
            self.opened.footer.shapes.iter().map(|shape| shape.contains(&column.column)).collect();
        // Columns that come together have the same rows.
        let known = self.parts.borrow().rows.get(&has).cloned();
        let rows = if let Some(rows) = known {
            rows
        } else {
            let shapes = self.shapes()?;
            let rows = (0_u32..).zip(&*shapes).filter(|(_, shape)| has.get(**shape as usize) == Some(&true));
            let rows: Arc<Vec<u32>> = Arc::new(rows.map(|(row, _)| row).collect());
            self.parts.borrow_mut().rows.insert(has, rows.clone());
            rows
        };
        if rows.len() != column.rows as usize {
            return Err(Corrupt::damaged("shapes", "a column has not the rows that its footer says"));
        }
        Ok(Some(rows))
    }

    /// Which rows have which of the column's templates, numbered as in the block's footer.
    pub fn entries(&self, column: &BlockColumn) -> Result<Entries, Corrupt> {
        Ok(Entries { rows: self.rows_of(column)?, tids: self.tids(column)? })
    }

    fn tids(&self, column: &BlockColumn) -> Result<Arc<Vec<u16>>, Corrupt> {
        if let Some(tids) = self.parts.borrow().tids.get(&column.column) {
            return Ok(tids.clone());
        }
        let values = column.rows as usize;
        let tids = if column.templates.len() == 1 {
            vec![0; values]
        } else {
            let heads: u64 = self.meta.heads.into_iter().flatten().sum();
            let before = self.meta.columns.iter().take_while(|other| other.column != column.column);
            let offset = heads + before.map(|other| other.numbers).sum::<u64>();
            decode::tids(&self.chunk(offset, column.numbers)?, values, &column.templates)?
        };
        let tids = Arc::new(tids);
        self.parts.borrow_mut().tids.insert(column.column, tids.clone());
        Ok(tids)
    }

    fn variables(&self, column: &BlockColumn) -> Result<Arc<Variables>, Corrupt> {
        if let Some(variables) = self.parts.borrow().variables.get(&column.column) {
            return Ok(variables.clone());
        }
        let numbers: u64 = self.meta.columns.iter().map(|other| other.numbers).sum();
        let heads: u64 = self.meta.heads.into_iter().flatten().sum();
        let before = self.meta.columns.iter().take_while(|other| other.column != column.column);
        let offset = heads + numbers + before.map(|other| other.variables).sum::<u64>();
        let bytes = self.chunk(offset, column.variables)?;
        let inflated = self.parts.borrow().inflated + bytes.len();
        if inflated > MAX_VARIABLE_BYTES {
            return Err(Corrupt::damaged("block", "its variables are too long"));
        }
        self.parts.borrow_mut().inflated = inflated;
        let templates: Vec<Arc<Template>> =
            self.opened.templates(column).map(|(template, _)| template.clone()).collect();
        let counts: Vec<u32> = column.templates.iter().map(|(_, count)| *count).collect();
        let below = Below { block: self, column: column.column };
        let variables = Variables::read(&templates, &counts, &self.entries(column)?, &bytes, &below)?;
        let variables = Arc::new(variables);
        self.parts.borrow_mut().variables.insert(column.column, variables.clone());
        Ok(variables)
    }

    /// The values of a column, one after the other.
    pub fn values<'b>(&'b self, column: &'a BlockColumn) -> Result<ColumnValues<'b>, Corrupt> {
        let entries = self.entries(column)?;
        let templates = self.opened.templates(column).map(|(template, _)| &**template).collect();
        Ok(ColumnValues::new(self, column, entries, templates))
    }

    /// Hands over the JSON of these rows, which are in rising order, each with its time and id.
    pub fn render(
        &self,
        wanted: &[u32],
        mut each: impl FnMut(u32, Timestamp, Uuid, &str),
    ) -> Result<(), Corrupt> {
        let (times, ids) = (self.times()?, self.ids()?);
        let received = self.own_received()?;
        let shapes = self.shapes()?;
        let mut columns: Vec<Option<(ColumnValues<'_>, usize)>> = Vec::new();
        columns.resize_with(self.opened.columns.len(), || None);
        let used: Vec<bool> = self.used(&shapes, wanted);
        for column in &self.meta.columns {
            if let (Some(true), Some(slot)) =
                (used.get(column.column as usize), columns.get_mut(column.column as usize))
            {
                *slot = Some((self.values(column)?, 0));
            }
        }
        let mut skeletons: BTreeMap<u32, Skeleton> = BTreeMap::new();
        let too_long = || Corrupt::damaged("block", "its rows are longer than the footer says");
        let max_bytes = usize::try_from(self.meta.raw_bytes).map_err(|_| too_long())?;
        let (mut of_skeletons, mut of_lines) = (0, 0);
        let mut line = String::new();
        let mut value = String::new();
        for row in wanted {
            let at = *row as usize;
            let (Some(time), Some(id), Some(shape)) = (times.get(at), ids.get(at), shapes.get(at)) else {
                continue;
            };
            let received = match &received {
                Some(times) => times.get(at).copied().unwrap_or(*time),
                None => chunks::received_of(*id),
            };
            let skeleton = match skeletons.entry(*shape) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(slot) => {
                    let (all, columns) = (&self.opened.footer.shapes, &self.opened.footer.columns);
                    let shape = all.get(*shape as usize).map_or(&[][..], Vec::as_slice);
                    let skeleton =
                        Skeleton::of(shape, |of| Some(columns.get(of as usize)?.named()), max_bytes)?;
                    of_skeletons += skeleton.bytes;
                    slot.insert(skeleton)
                }
            };
            line.clear();
            row::begin(*id, *time, received, |part| line.push_str(part));
            skeleton.write(&mut line, |line, column, kind| {
                let Some(Some((values, next))) = columns.get_mut(column) else { return Err(lacks_column()) };
                let entry = values.entry_of(*row, next);
                values.push_json(kind, entry, &mut value, line)?;
                if of_skeletons.max(of_lines + line.len()) > max_bytes { Err(too_long()) } else { Ok(()) }
            })?;
            of_lines += line.len() + 1;
            each(*row, *time, *id, &line);
        }
        Ok(())
    }

    /// The columns that some of these rows have.
    fn used(&self, shapes: &[u32], wanted: &[u32]) -> Vec<bool> {
        let mut used = vec![false; self.opened.columns.len()];
        let mut seen = vec![false; self.opened.footer.shapes.len()];
        for shape in wanted.iter().filter_map(|row| shapes.get(*row as usize)) {
            if seen.get(*shape as usize) == Some(&false) {
                if let Some(seen) = seen.get_mut(*shape as usize) {
                    *seen = true;
                }
                for column in self.opened.footer.shapes.get(*shape as usize).into_iter().flatten() {
                    if let Some(used) = used.get_mut(*column as usize) {
                        *used = true;
                    }
                }
            }
        }
        used
    }
}
