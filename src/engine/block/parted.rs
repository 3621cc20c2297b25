//! Rows that were taken apart: what a merge carries from the blocks of its sources to those of its segment without making
//! lines of them.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use uuid::Uuid;

use super::{
    Corrupt, MAX_BLOCK_BYTES, MAX_SEGMENT_BLOCK_ROWS,
    shred::{self, Kind, Shredded, Shredder, Skeleton, lacks_column, push_json},
    view::Block,
};
use crate::engine::record::{
    model::Level,
    row::{self, RowHead},
    timestamp::Timestamp,
};

/// What is kept of a row beside its columns.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    pub(super) id: Uuid,
    pub(super) timestamp: Timestamp,
    pub(super) received_at: Timestamp,
    pub(super) level: Level,
    /// Of its line and the newline.
    pub(super) bytes: usize,
}

impl Head {
    /// That of a line of so many bytes.
    pub(super) fn of(head: &RowHead<'_>, length: usize) -> Self {
        let RowHead { id, timestamp, received_at, level, .. } = *head;
        Self { id, timestamp, received_at, level, bytes: length + 1 }
    }

    /// What rows are sorted by.
    pub(super) fn key(&self) -> (Timestamp, Uuid) {
        (self.timestamp, self.id)
    }
}

/// Rows by columns and shapes that have the numbers of the segment that is written.
#[derive(Clone, Debug, Default)]
pub struct Parted {
    heads: Vec<Head>,
    shapes: Vec<u32>,
    columns: Vec<Values>,
    /// The columns that have values.
    used: Vec<usize>,
    bytes: usize,
    /// Rows of its block that are elsewhere, and their bytes.
    before: (usize, usize),
}

/// The values of a column, end to end.
#[derive(Clone, Debug, Default)]
struct Values {
    rows: Vec<u32>,
    ends: Vec<usize>,
    text: String,
    /// The first one that was not carried on.
    next: usize,
}

impl Values {
    fn end(&self, nth: usize) -> usize {
        nth.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0)
    }

    fn take(&mut self) -> (Vec<u32>, Vec<Cow<'_, str>>) {
        let mut start = 0;
        let slice = |end: &usize| {
            let range = std::mem::replace(&mut start, *end)..*end;
            Cow::Borrowed(self.text.get(range).unwrap_or_default())
        };
        (std::mem::take(&mut self.rows), self.ends.iter().map(slice).collect())
    }
}

impl Parted {
    /// The rows of a block; `None` when there is no room for their shapes.
    pub(super) fn of(block: &Block<'_>, shredder: &mut Shredder) -> Result<Option<Self>, Corrupt> {
        let too_long = || Corrupt::damaged("block", "its rows are longer than the footer says");
        let max_bytes = usize::try_from(block.meta().raw_bytes).map_err(|_| too_long())?;
        let footer = &block.opened().footer;
        let theirs = block.shapes()?;
        // Of each of their shapes ours, and how long its skeleton is.
        let mut known: Vec<Option<(u32, usize)>> = vec![None; footer.shapes.len()];
        let mut numbers: Vec<Option<usize>> = vec![None; footer.columns.len()];
        // Of each of their columns, how many rows have it by their shapes.
        let mut counts: Vec<u32> = vec![0; footer.columns.len()];
        let (mut of_skeletons, mut leaves) = (0, 0);
        let mut parted = Self::default();
        for (((shape, id), timestamp), received_at) in
            theirs.iter().zip(&*block.ids()?).zip(&*block.times()?).zip(block.received()?)
        {
            let Some((slot, of)) = known.get_mut(*shape as usize).zip(footer.shapes.get(*shape as usize))
            else {
                return Err(Corrupt::damaged("shapes", "a row has an unknown one"));
            };
            let (number, skeleton) = if let Some(known) = *slot {
                known
            } else {
                let named = |column: u32| Some(footer.columns.get(column as usize)?.named());
                let Some(number) = shredder.adopt(of.iter().filter_map(|column| named(*column))) else {
                    return Ok(None);
                };
                let skeleton = Skeleton::of(of, named, max_bytes)?.bytes;
                of_skeletons += skeleton;
                let ours = shredder.shapes.get(number as usize).map_or(&[][..], Vec::as_slice);
                if !are_distinct(of) || !are_distinct(ours) {
                    return Err(Corrupt::damaged("footer", "a shape has a column twice"));
                }
                for (theirs, ours) in of.iter().zip(ours) {
                    if let Some(number) = numbers.get_mut(*theirs as usize) {
                        *number = Some(*ours as usize);
                    }
                }
                *slot.insert((number, skeleton))
            };
            leaves += of.len();
            // Each has a name and a colon.
            if of_skeletons.max(leaves.saturating_mul(4)) > max_bytes {
                return Err(too_long());
            }
            for column in of {
                if let Some(count) = counts.get_mut(*column as usize) {
                    *count += 1;
                }
            }
            let bytes = row::begin_len(*timestamp, received_at) + skeleton + 1;
            let (id, timestamp) = (*id, *timestamp);
            parted.heads.push(Head { id, timestamp, received_at, level: Level::Info, bytes });
            parted.shapes.push(number);
        }
        let (mut read, mut of_values) = (0, 0);
        for column in &block.meta().columns {
            let Some(number) = numbers.get(column.column as usize).copied().flatten() else { continue };
            read += column.rows as usize;
            if counts.get(column.column as usize) != Some(&column.rows) {
                return Err(Corrupt::damaged("shapes", "a column has not the rows that its footer says"));
            }
            let kind = footer.columns.get(column.column as usize).map_or(Kind::Raw, |column| column.kind);
            let values = parted.values(block, column, kind, max_bytes - of_values)?;
            of_values += values.text.len();
            match parted.column(number) {
                Some(column) if column.rows.is_empty() => *column = values,
                _ => return Err(Corrupt::damaged("footer", "two columns have one name")),
            }
        }
        if read != leaves {
            return Err(lacks_column());
        }
        parted.bytes = parted.heads.iter().map(|head| head.bytes).sum();
        if parted.bytes != max_bytes {
            return Err(Corrupt::damaged("block", "its length differs from the footer's"));
        }
        parted.read_levels(shredder)?;
        Ok(Some(parted))
    }

    /// Reads the values of a column, and adds their lengths to those of their rows.
    fn values(
        &mut self,
        block: &Block<'_>,
        column: &super::BlockColumn,
        kind: Kind,
        max_bytes: usize,
    ) -> Result<Values, Corrupt> {
        let values = block.values(column)?;
        let rows = match &values.entries.rows {
            Some(rows) => rows.to_vec(),
            None => (0..column.rows).collect(),
        };
        let mut of = Values { ends: Vec::with_capacity(rows.len()), rows, ..Values::default() };
        let mut quoted = String::new();
        for (nth, row) in of.rows.iter().enumerate() {
            let from = of.text.len();
            values.push(nth, &mut of.text)?;
            if of.text.len() > max_bytes {
                return Err(Corrupt::damaged("block", "its rows are longer than the footer says"));
            }
            let text = of.text.get(from..).unwrap_or_default();
            let bytes = match kind {
                Kind::Number | Kind::Raw => text.len(),
                Kind::Text if values.is_plain(nth) || shred::is_plain(text) => text.len() + 2,
                Kind::Text => {
                    quoted.clear();
                    push_json(text, &mut quoted);
                    quoted.len()
                }
            };
            if let Some(head) = self.heads.get_mut(*row as usize) {
                head.bytes += bytes;
            }
            of.ends.push(of.text.len());
        }
        of.text.shrink_to_fit();
        Ok(of)
    }

    /// Every row has a service and a level that is known.
    fn read_levels(&mut self, shredder: &Shredder) -> Result<(), Corrupt> {
        let column = |name| self.columns.get(shredder.number(name, Kind::Text)?);
        let all = |values: &&Values| values.rows.len() == self.heads.len();
        let lacks = |what: &str| Corrupt::damaged("row", format!("it has no {what}"));
        let _ = column("service").filter(all).ok_or_else(|| lacks("service"))?;
        let levels = column("level").filter(all).ok_or_else(|| lacks("level"))?;
        let texts = (0..levels.ends.len()).map(|nth| levels.text.get(levels.end(nth)..levels.end(nth + 1)));
        for (head, text) in self.heads.iter_mut().zip(texts) {
            let level = Level::ALL.into_iter().find(|level| Some(level.as_str()) == text);
            head.level = level.ok_or_else(|| Corrupt::damaged("row", "its level is none"))?;
        }
        Ok(())
    }

    /// Rows that go behind so many others into a block.
    pub fn behind(rows: usize, bytes: usize) -> Self {
        Self { before: (rows, bytes), ..Self::default() }
    }

    /// A column that will have values.
    fn column(&mut self, number: usize) -> Option<&mut Values> {
        if self.columns.len() <= number {
            self.columns.resize_with(number + 1, Values::default);
        }
        let column = self.columns.get_mut(number)?;
        if column.rows.is_empty() {
            self.used.push(number);
        }
        Some(column)
    }

    pub fn len(&self) -> usize {
        self.heads.len()
    }

    pub fn is_empty(&self) -> bool {
        self.heads.is_empty()
    }

    /// The time and id of a row.
    pub fn key(&self, row: usize) -> Option<(Timestamp, Uuid)> {
        self.heads.get(row).map(Head::key)
    }

    pub fn is_sorted(&self) -> bool {
        self.heads.is_sorted_by_key(Head::key)
    }

    /// Carries rows on from another's `next` one: those up to this time and id for which a block has room. Answers how
    /// many.
    pub fn carry(&mut self, from: &mut Self, next: usize, until: (Timestamp, Uuid)) -> usize {
        let mut end = next;
        while let Some(head) = from.heads.get(end) {
            let (rows, bytes) = (self.before.0 + self.heads.len(), self.before.1 + self.bytes);
            let has_room =
                rows < MAX_SEGMENT_BLOCK_ROWS && (rows == 0 || bytes + head.bytes <= MAX_BLOCK_BYTES);
            if head.key() > until || !has_room {
                break;
            }
            self.heads.push(*head);
            self.bytes += head.bytes;
            end += 1;
        }
        let before = self.shapes.len();
        self.shapes.extend_from_slice(from.shapes.get(next..end).unwrap_or_default());
        for number in &from.used {
            if let Some(values) = from.columns.get_mut(*number) {
                self.carry_column(*number, values, &(next..end), before);
            }
        }
        end - next
    }

    fn carry_column(&mut self, number: usize, from: &mut Values, rows: &Range<usize>, before: usize) {
        let first = from.next;
        let behind = from.rows.get(first..).unwrap_or_default();
        let count = behind.iter().take_while(|row| (**row as usize) < rows.end).count();
        if count == 0 {
            return;
        }
        let (start, end) = (from.end(first), from.end(first + count));
        from.next += count;
        let Some(to) = self.column(number) else { return };
        let at = to.text.len();
        to.text.push_str(from.text.get(start..end).unwrap_or_default());
        let ends = from.ends.iter().skip(first).take(count);
        to.ends.extend(ends.map(|end| end - start + at));
        let place = |row: &u32| u32::try_from(*row as usize - rows.start + before).unwrap_or(u32::MAX);
        to.rows.extend(from.rows.iter().skip(first).take(count).map(place));
    }

    /// The heads, and the columns as a writer takes them: what they were of is empty then.
    pub(super) fn take_columns(&mut self) -> (&[Head], Shredded<'_>) {
        let columns = self.columns.iter_mut().map(Values::take).collect();
        (&self.heads, Shredded { shapes: std::mem::take(&mut self.shapes), columns })
    }
}

fn are_distinct(columns: &[u32]) -> bool {
    let mut sorted = columns.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).all(|pair| pair.first() != pair.last())
}

/// The lines of such rows, each with its newline.
pub(super) fn lines(shredder: &Shredder, heads: &[Head], rows: &Shredded<'_>) -> Result<Vec<u8>, Corrupt> {
    let named =
        |column: u32| shredder.columns.get(column as usize).map(|(path, kind)| (path.as_slice(), *kind));
    let mut skeletons: BTreeMap<u32, Skeleton> = BTreeMap::new();
    let mut next = vec![0; rows.columns.len()];
    let (mut lines, mut line) = (Vec::new(), String::new());
    for (head, number) in heads.iter().zip(&rows.shapes) {
        if !skeletons.contains_key(number) {
            let shape = shredder.shapes.get(*number as usize).map_or(&[][..], Vec::as_slice);
            skeletons.insert(*number, Skeleton::of(shape, named, usize::MAX)?);
        }
        let Some(skeleton) = skeletons.get(number) else { continue };
        line.clear();
        row::begin(head.id, head.timestamp, head.received_at, |part| line.push_str(part));
        skeleton.write(&mut line, |line, column, kind| {
            let (next, (_, values)) =
                next.get_mut(column).zip(rows.columns.get(column)).ok_or_else(lacks_column)?;
            let value = values.get(*next).ok_or_else(lacks_column)?;
            *next += 1;
            match kind {
                Kind::Text => push_json(value, line),
                Kind::Number | Kind::Raw => line.push_str(value),
            }
            Ok(())
        })?;
        line.push('\n');
        lines.extend_from_slice(line.as_bytes());
    }
    Ok(lines)
}
