//! Reading a column's template numbers, and its variables where they are asked for: what reads a few rows of a
//! block must not pay for all of them.

use std::{
    cell::{Cell, OnceCell},
    ops::Range,
    rc::Rc,
    sync::Arc,
};

use bytes::Bytes;

use super::{
    Values,
    encode::{DISTINCT, EACH, OWN, PER, SAME},
    render,
};
use crate::engine::block::{
    Corrupt,
    ints::{Input, Ints},
    template::{Piece, Template, Var},
};

const NO_ROW: &str = "it refers to a column that a row has not";

fn damaged(reason: &str) -> Corrupt {
    Corrupt::damaged("column", reason)
}

/// Reads the template number of each value; `counts` has how many values have each.
pub(in crate::engine::block) fn tids(
    bytes: &[u8],
    values: usize,
    counts: &[(u32, u32)],
) -> Result<Vec<u16>, Corrupt> {
    let wide = counts.len() > 256;
    if bytes.len() != values * (1 + usize::from(wide)) {
        return Err(damaged("it has not a template for each value"));
    }
    let (low, high) = bytes.split_at(values);
    let tids: Vec<u16> = if wide {
        low.iter().zip(high).map(|(low, high)| u16::from_le_bytes([*low, *high])).collect()
    } else {
        low.iter().map(|low| u16::from(*low)).collect()
    };
    let mut seen = vec![0_u32; if wide { 1 << 16 } else { 1 << 8 }];
    for tid in &tids {
        if let Some(seen) = seen.get_mut(usize::from(*tid)) {
            *seen += 1;
        }
    }
    let said = counts.iter().map(|(_, count)| *count).chain(std::iter::repeat(0));
    if seen.iter().copied().ne(said.take(seen.len())) {
        return Err(damaged("a template has not the values that the footer says"));
    }
    Ok(tids)
}

/// Which of the rows of a block have a value of a column, and which template each.
#[derive(Clone, Debug)]
pub struct Entries {
    /// Absent when all rows have one.
    pub rows: Option<Rc<Vec<u32>>>,
    pub tids: Rc<Vec<u16>>,
}

impl Entries {
    /// The rows and their templates' numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u16)> {
        self.tids.iter().enumerate().map(|(entry, tid)| (self.row(entry), *tid))
    }

    /// The rows that have a template.
    fn rows_of(&self, tid: u16) -> Vec<u32> {
        let of = self.iter().filter(|(_, of)| *of == tid);
        of.map(|(row, _)| u32::try_from(row).unwrap_or(u32::MAX)).collect()
    }

    /// The row of an entry.
    pub fn row(&self, entry: usize) -> usize {
        let row = self.rows.as_ref().map_or(Some(entry), |rows| rows.get(entry).map(|row| *row as usize));
        row.unwrap_or(usize::MAX)
    }
}

/// The columns that others refer to.
pub(in crate::engine::block) trait Anchors {
    fn anchor(&self, column: u32) -> Result<Anchor, Corrupt>;
}

/// A column that others refer to, and its rows.
#[derive(Debug)]
pub(in crate::engine::block) struct Anchor {
    variables: Rc<Variables>,
    rows: Option<Rc<Vec<u32>>>,
    /// Where the row asked for last was found: the next one is most often behind it.
    last: Cell<usize>,
}

/// The variables of all templates of a column.
#[derive(Debug)]
pub(in crate::engine::block) struct Variables {
    templates: Vec<Vec<Slot>>,
}

/// Where the values of a variable are.
#[derive(Debug)]
enum Slot {
    Own(Own),
    /// One for each of another column's distinct values, of which `ranks` counts those that occur here; all do
    /// where it is absent.
    Per {
        anchor: Anchor,
        ranks: Option<Vec<u32>>,
        own: Own,
    },
    /// Parts of another column's values, from this hexadecimal digit on.
    Same {
        anchor: Anchor,
        offset: usize,
    },
}

#[derive(Debug)]
enum Own {
    Numbers(Ints),
    Hex {
        digits: usize,
        count: usize,
        /// In byte planes.
        planes: Bytes,
        /// Which of the values each row has, when each is there once.
        which: Option<Ints>,
    },
    Texts {
        lengths: Ints,
        bytes: Bytes,
        /// Where the values end, once they are asked for; none when the text is damaged.
        ends: OnceCell<Option<Vec<u32>>>,
    },
}

/// Which value of a template is meant: that of the nth row of the template, which is this row of the block.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::block) struct At {
    pub(in crate::engine::block) nth: usize,
    pub(in crate::engine::block) row: usize,
}

/// A value: one of those that are kept, from this hexadecimal digit on.
struct Found<'a> {
    own: &'a Own,
    nth: usize,
    offset: usize,
}

impl Variables {
    /// Finds them in a column's chunk. `entries` are the column's.
    pub(in crate::engine::block) fn read(
        templates: &[Arc<Template>],
        counts: &[u32],
        entries: &Entries,
        bytes: Vec<u8>,
        anchors: &dyn Anchors,
    ) -> Result<Self, Corrupt> {
        let bytes = Bytes::from(bytes);
        let mut input = Input(&bytes);
        let mut read = Vec::with_capacity(templates.len());
        for (tid, (template, count)) in (0_u16..).zip(templates.iter().zip(counts)) {
            let mut slots = Vec::new();
            for var in template.vars() {
                slots.push(match input.byte()? {
                    OWN => Slot::Own(Own::read(&mut input, &bytes, var, *count as usize)?),
                    PER => {
                        let anchor = anchors.anchor(column(&mut input)?)?;
                        let (ranks, used) = if templates.len() == 1 && anchor.has_rows(entries) {
                            (None, anchor.distinct()?)
                        } else {
                            let (ranks, used) = anchor.ranks(&entries.rows_of(tid))?;
                            (Some(ranks), used)
                        };
                        Slot::Per { anchor, ranks, own: Own::read(&mut input, &bytes, var, used)? }
                    }
                    SAME => {
                        let anchor = anchors.anchor(column(&mut input)?)?;
                        let offset =
                            usize::try_from(input.varint()?).map_err(|_| damaged("no such digit"))?;
                        anchor.check_part(var, offset)?;
                        Slot::Same { anchor, offset }
                    }
                    _ => return Err(damaged("a variable is kept in an unknown way")),
                });
            }
            read.push(slots);
        }
        input.end()?;
        Ok(Self { templates: read })
    }

    /// Of a column with one template and one variable, which of the distinct values each row has: rows with the same
    /// number have the same value. `entries` are the column's.
    pub(in crate::engine::block) fn which(&self, entries: &Entries) -> Result<Option<Vec<u32>>, Corrupt> {
        match self.templates.as_slice() {
            [slots] => match slots.as_slice() {
                [slot] => {
                    let nths: Vec<u32> = (0..).take(entries.tids.len()).collect();
                    slot.which(&entries.rows_of(0), &nths).map(Some)
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// Appends the value of one of a template's rows.
    pub(in crate::engine::block) fn render(
        &self,
        template: &Template,
        tid: u16,
        at: At,
        to: &mut String,
    ) -> Result<(), Corrupt> {
        let mut slots = self.templates.get(usize::from(tid)).into_iter().flatten();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => to.push_str(text),
                Piece::Var(var) => {
                    let slot = slots.next().ok_or_else(|| damaged("a template has no such variable"))?;
                    slot.find(at)?.render(*var, to)?;
                }
            }
        }
        Ok(())
    }

    /// The only variable, of a column that others refer to.
    fn single(&self) -> Result<&Slot, Corrupt> {
        match self.templates.as_slice() {
            [slots] if slots.len() == 1 => slots.first(),
            _ => None,
        }
        .ok_or_else(|| damaged("it refers to no single variable"))
    }
}

fn column(input: &mut Input<'_>) -> Result<u32, Corrupt> {
    u32::try_from(input.varint()?).map_err(|_| damaged("no such column"))
}

impl Anchor {
    pub(in crate::engine::block) fn new(variables: Rc<Variables>, rows: Option<Rc<Vec<u32>>>) -> Self {
        Self { variables, rows, last: Cell::default() }
    }

    fn has_rows(&self, entries: &Entries) -> bool {
        match (&self.rows, &entries.rows) {
            (None, None) => true,
            (Some(own), Some(rows)) => Rc::ptr_eq(own, rows),
            _ => false,
        }
    }

    /// Which of its values is this row's.
    fn entry(&self, row: usize) -> Result<usize, Corrupt> {
        let Some(rows) = &self.rows else { return Ok(row) };
        let is_row = |nth: &usize| rows.get(*nth).is_some_and(|known| *known as usize == row);
        let last = self.last.get();
        let found = || rows.binary_search_by_key(&row, |known| *known as usize).ok();
        let nth = (last..last.saturating_add(3)).find(is_row).or_else(found);
        let nth = nth.ok_or_else(|| damaged(NO_ROW))?;
        self.last.set(nth);
        Ok(nth)
    }

    fn find(&self, row: usize) -> Result<Found<'_>, Corrupt> {
        self.variables.single()?.find(At { nth: self.entry(row)?, row })
    }

    /// Which of its values each of these rows has, which are in rising order.
    fn which(&self, rows: &[u32]) -> Result<Vec<u32>, Corrupt> {
        let slot = self.variables.single()?;
        let Some(own) = &self.rows else { return slot.which(rows, rows) };
        let mut nths = Vec::with_capacity(rows.len());
        let mut nth = 0;
        for row in rows {
            while own.get(nth).is_some_and(|own| own < row) {
                nth += 1;
            }
            if own.get(nth) != Some(row) {
                return Err(damaged(NO_ROW));
            }
            nths.push(u32::try_from(nth).unwrap_or(u32::MAX));
        }
        slot.which(rows, &nths)
    }

    /// How many distinct values it has.
    fn distinct(&self) -> Result<usize, Corrupt> {
        match self.variables.single()? {
            Slot::Own(Own::Hex { count, which: Some(_), .. }) => Ok(*count),
            _ => Err(damaged("it has a value for each of another column's, of which none is there twice")),
        }
    }

    /// Its distinct values counted in their order, as far as these rows have them, and how many have.
    fn ranks(&self, rows: &[u32]) -> Result<(Vec<u32>, usize), Corrupt> {
        let mut ranks = vec![u32::MAX; self.distinct()?];
        for which in self.which(rows)? {
            *ranks.get_mut(which as usize).ok_or_else(|| damaged("a value is not there"))? = 0;
        }
        let mut used = 0;
        for rank in ranks.iter_mut().filter(|rank| **rank == 0) {
            *rank = used;
            used += 1;
        }
        Ok((ranks, used as usize))
    }

    /// Whether its values have such a part.
    fn check_part(&self, var: Var, offset: usize) -> Result<(), Corrupt> {
        let (own, before) = self.variables.single()?.own()?;
        let fits = match (Values::new(var), own) {
            (Values::Numbers(_), Own::Numbers(_)) => true,
            (Values::Hex { digits: mine, .. }, Own::Hex { digits, .. }) => offset
                .checked_add(before)
                .and_then(|at| at.checked_add(mine))
                .is_some_and(|end| end <= *digits),
            _ => false,
        };
        if fits { Ok(()) } else { Err(damaged("it refers to a variable of another kind")) }
    }
}

impl Slot {
    /// What the values are parts of, and from which digit on.
    fn own(&self) -> Result<(&Own, usize), Corrupt> {
        match self {
            Self::Own(own) | Self::Per { own, .. } => Ok((own, 0)),
            Self::Same { anchor, offset } => {
                let (own, before) = anchor.variables.single()?.own()?;
                Ok((own, before.saturating_add(*offset)))
            }
        }
    }

    fn find(&self, at: At) -> Result<Found<'_>, Corrupt> {
        match self {
            Self::Own(own) => own.find(at.nth),
            Self::Per { anchor, ranks, own } => {
                let of = anchor.find(at.row)?.nth;
                let rank = match ranks {
                    None => Some(of),
                    Some(ranks) => ranks.get(of).map(|rank| *rank as usize),
                };
                own.find(rank.ok_or_else(|| damaged("a value is not there"))?)
            }
            Self::Same { anchor, offset } => {
                let found = anchor.find(at.row)?;
                Ok(Found { offset: found.offset.saturating_add(*offset), ..found })
            }
        }
    }

    /// Which of the values that are kept each of some rows has, `nths` of its template.
    fn which(&self, rows: &[u32], nths: &[u32]) -> Result<Vec<u32>, Corrupt> {
        Ok(match self {
            Self::Own(own) => own.which(nths.to_vec()),
            Self::Same { anchor, .. } => anchor.which(rows)?,
            Self::Per { anchor, ranks, own } => {
                let mut of = anchor.which(rows)?;
                if let Some(ranks) = ranks {
                    for of in &mut of {
                        *of = ranks.get(*of as usize).copied().unwrap_or(u32::MAX);
                    }
                }
                own.which(of)
            }
        })
    }
}

impl Own {
    fn read(input: &mut Input<'_>, all: &Bytes, var: Var, count: usize) -> Result<Self, Corrupt> {
        Ok(match Values::new(var) {
            Values::Numbers(_) => Self::Numbers(Ints::read(input, all, count)?),
            Values::Hex { digits, .. } => {
                let (kept, which) = match input.byte()? {
                    EACH => (count, false),
                    DISTINCT => {
                        let distinct = usize::try_from(input.varint()?).ok().filter(|kept| *kept <= count);
                        let many = || damaged("it has more distinct values than values");
                        (distinct.ok_or_else(many)?, true)
                    }
                    _ => return Err(damaged("digits are kept in an unknown way")),
                };
                let planes = all.slice_ref(input.take(digits.div_ceil(2) * kept)?);
                let which = if which { Some(Ints::read(input, all, count)?) } else { None };
                Self::Hex { digits, count: kept, planes, which }
            }
            Values::Texts { .. } => {
                let lengths = Ints::read(input, all, count)?;
                let end = lengths.sum().and_then(|sum| usize::try_from(sum).ok());
                let end = end.ok_or_else(|| damaged("a text is too long"))?;
                let bytes = all.slice_ref(input.take(end)?);
                Self::Texts { lengths, bytes, ends: OnceCell::new() }
            }
        })
    }

    fn find(&self, nth: usize) -> Result<Found<'_>, Corrupt> {
        let there = || damaged("a value is not there");
        let (nth, count) = match self {
            Self::Numbers(numbers) => (nth, numbers.len()),
            Self::Texts { lengths, .. } => (nth, lengths.len()),
            Self::Hex { count, which: None, .. } => (nth, *count),
            Self::Hex { count, which: Some(which), .. } => {
                let nth = which.get(nth).and_then(|nth| usize::try_from(nth).ok());
                (nth.ok_or_else(there)?, *count)
            }
        };
        if nth < count { Ok(Found { own: self, nth, offset: 0 }) } else { Err(there()) }
    }

    /// Which of its values these are; a number that none has where there is none.
    fn which(&self, mut nths: Vec<u32>) -> Vec<u32> {
        if let Self::Hex { which: Some(which), .. } = self {
            let all = which.all();
            for nth in &mut nths {
                let which = all.get(*nth as usize).and_then(|which| u32::try_from(*which).ok());
                *nth = which.unwrap_or(u32::MAX);
            }
        }
        nths
    }
}

impl Found<'_> {
    fn render(&self, var: Var, to: &mut String) -> Result<(), Corrupt> {
        let there = || damaged("a value is not there");
        match self.own {
            Own::Numbers(numbers) => {
                render::number(var, numbers.get(self.nth).ok_or_else(there)?, to);
            }
            Own::Hex { count, planes, .. } => {
                let Values::Hex { digits, .. } = Values::new(var) else { return Err(there()) };
                let byte = |at: usize| planes.get(at * count + self.nth).copied().unwrap_or(0);
                render::hex(var, byte, self.offset..self.offset.saturating_add(digits), to);
            }
            Own::Texts { lengths, bytes, ends } => {
                let ends = ends.get_or_init(|| text_ends(lengths, bytes)).as_ref();
                let ends = ends.ok_or_else(|| damaged("a text is not UTF-8, or not as long as it says"))?;
                let text = bytes.get(range(ends, self.nth)).and_then(|text| str::from_utf8(text).ok());
                to.push_str(text.ok_or_else(there)?);
            }
        }
        Ok(())
    }
}

/// Where the nth text is.
fn range(ends: &[u32], nth: usize) -> Range<usize> {
    let end = |nth: usize| ends.get(nth).map_or(0, |end| *end as usize);
    nth.checked_sub(1).map_or(0, end)..end(nth)
}

fn text_ends(lengths: &Ints, bytes: &[u8]) -> Option<Vec<u32>> {
    let text = str::from_utf8(bytes).ok()?;
    let mut end = 0_u64;
    let end_of = |length: &u64| {
        end = end.checked_add(*length)?;
        u32::try_from(end).ok().filter(|end| text.is_char_boundary(*end as usize))
    };
    lengths.all().iter().map(end_of).collect()
}
