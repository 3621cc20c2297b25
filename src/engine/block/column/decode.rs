//! Reading a column's template numbers, and its variables where they are asked for: what reads a few rows of a
//! block must not pay for all of them.

use std::{
    cell::OnceCell,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

use super::{
    Values, damaged,
    encode::{OWN, PER, SAME},
    own::{Found, Own},
};
use crate::engine::block::{
    Corrupt, MAX_BLOCK_ROWS,
    ints::Input,
    template::{Piece, Template, Var},
};

/// More distinct values than this in one column's block are as good as one for each row: no writer makes so many.
const MAX_NUMBERED: u32 = 1 << 18;
const NO_ROW: &str = "it refers to a column that a row has not";

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
    pub rows: Option<Arc<Vec<u32>>>,
    pub tids: Arc<Vec<u16>>,
}

impl Entries {
    /// The rows and their templates' numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u16)> {
        self.tids.iter().enumerate().map(|(entry, tid)| (self.row(entry), *tid))
    }

    /// The entries of each template.
    fn by_template(&self, templates: usize) -> Vec<Vec<u32>> {
        let mut sorted = vec![Vec::new(); templates];
        for (entry, tid) in (0_u32..).zip(&*self.tids) {
            if let Some(entries) = sorted.get_mut(usize::from(*tid)) {
                entries.push(entry);
            }
        }
        sorted
    }

    fn rows_of(&self, entries: &[u32]) -> Vec<u32> {
        let row = |entry: &u32| u32::try_from(self.row(*entry as usize)).unwrap_or(u32::MAX);
        entries.iter().map(row).collect()
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
    variables: Arc<Variables>,
    rows: Option<Arc<Vec<u32>>>,
    /// Where the row asked for last was found: the next one is most often behind it.
    last: AtomicUsize,
}

/// The variables of all templates of a column.
#[derive(Debug)]
pub(in crate::engine::block) struct Variables {
    templates: Vec<Vec<Slot>>,
    /// How many references lie behind it.
    depth: usize,
}

/// Where the values of a variable are.
#[derive(Debug)]
enum Slot {
    Own(Own),
    /// One for each of another column's distinct values, of which `used` has those that occur here, rising; all do
    /// where it is absent.
    Per {
        anchor: Anchor,
        used: Option<Vec<u32>>,
        own: Own,
    },
    /// Parts of another column's values, from this hexadecimal digit on.
    Same {
        anchor: Anchor,
        offset: usize,
    },
}

/// What is asked of the values of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// Nothing.
    No,
    Each,
    /// Only of those whose one variable is this number.
    Number(u64),
}

/// The values of a column, told apart.
#[derive(Debug, Default)]
pub struct Distinct {
    /// Of each entry a number that is another's only when they have the same value. All of a template of which nothing
    /// is asked have one number.
    pub numbers: Vec<u32>,
    /// For each number whether it is known to be of a value that is not asked for.
    pub others: Vec<bool>,
}

/// Which value of a template is meant: that of the nth row of the template, which is this row of the block.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine::block) struct At {
    pub(in crate::engine::block) nth: usize,
    pub(in crate::engine::block) row: usize,
}

impl Variables {
    /// Finds them in a column's chunk. `entries` are the column's.
    pub(in crate::engine::block) fn read(
        templates: &[Arc<Template>],
        counts: &[u32],
        entries: &Entries,
        bytes: &Bytes,
        anchors: &dyn Anchors,
    ) -> Result<Self, Corrupt> {
        let mut input = Input(bytes);
        let mut read = Vec::with_capacity(templates.len());
        let by_template = OnceCell::new();
        let mut depth = 0;
        for (tid, (template, count)) in (0_u16..).zip(templates.iter().zip(counts)) {
            let mut slots = Vec::new();
            for var in template.vars() {
                slots.push(match input.byte()? {
                    OWN => Slot::Own(Own::read(&mut input, bytes, var, *count as usize)?),
                    PER => {
                        let anchor = anchors.anchor(column(&mut input)?)?;
                        depth = depth.max(anchor.depth() + 1);
                        let used = if templates.len() == 1 && anchor.has_rows(entries) {
                            None
                        } else {
                            let sorted = by_template.get_or_init(|| entries.by_template(templates.len()));
                            let own = sorted.get(usize::from(tid)).map_or(&[][..], Vec::as_slice);
                            Some(anchor.used(&entries.rows_of(own))?)
                        };
                        let count = used.as_ref().map_or_else(|| anchor.distinct(), |used| Ok(used.len()))?;
                        Slot::Per { anchor, used, own: Own::read(&mut input, bytes, var, count)? }
                    }
                    SAME => {
                        let anchor = anchors.anchor(column(&mut input)?)?;
                        let offset =
                            usize::try_from(input.varint()?).map_err(|_| damaged("no such digit"))?;
                        depth = depth.max(anchor.depth() + 1);
                        anchor.check_part(var, offset)?;
                        Slot::Same { anchor, offset }
                    }
                    _ => return Err(damaged("a variable is kept in an unknown way")),
                });
            }
            read.push(slots);
        }
        input.end()?;
        Ok(Self { templates: read, depth })
    }

    pub(in crate::engine::block) fn depth(&self) -> usize {
        self.depth
    }

    /// Tells the values apart, as far as that is less work than to look at each. `None` where each row has a value of
    /// its own of which nothing is known, or there are too many to keep something of each.
    pub(in crate::engine::block) fn distinct(
        &self,
        entries: &Entries,
        asked: &dyn Fn(u16) -> Sought,
    ) -> Result<Option<Distinct>, Corrupt> {
        let pays = |(tid, slots): (u16, &Vec<Slot>)| match (asked(tid), slots.as_slice()) {
            (Sought::No, _) => false,
            (asked, [slot]) => slot.is_shared() || matches!(asked, Sought::Number(_)),
            _ => false,
        };
        if !(0_u16..).zip(&self.templates).any(pays) {
            return Ok(None);
        }
        let mut numbers = vec![0; entries.tids.len()];
        let mut others = Vec::new();
        let mut behind = 0;
        let by_template = entries.by_template(self.templates.len());
        for (tid, (slots, own)) in (0_u16..).zip(self.templates.iter().zip(by_template)) {
            let nths: Vec<u32> = (0..).take(own.len()).collect();
            let which = match slots.as_slice() {
                slots if slots.is_empty() || asked(tid) == Sought::No => vec![0; own.len()],
                [slot] => slot.which(&entries.rows_of(&own), &nths)?,
                _ => nths,
            };
            let first = behind;
            for (entry, which) in own.into_iter().zip(which) {
                if which as usize >= MAX_BLOCK_ROWS {
                    return Err(damaged("a value is not there"));
                }
                behind = behind.max(first + which + 1);
                if behind > MAX_NUMBERED {
                    return Ok(None);
                }
                if let Some(number) = numbers.get_mut(entry as usize) {
                    *number = first + which;
                }
            }
            others.resize(behind as usize, false);
            if let (Sought::Number(number), [slot], Some(others)) =
                (asked(tid), slots.as_slice(), others.get_mut(first as usize..))
                && let (Own::Numbers(numbers), _) = slot.own()?
            {
                numbers.mark_others(number, others);
            }
        }
        Ok(Some(Distinct { numbers, others }))
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

    /// About the bytes that it takes in memory beside its chunk, without the columns that it refers to.
    pub(in crate::engine::block) fn weight(&self) -> usize {
        let of_slot = |slot: &Slot| match slot {
            Slot::Own(own) => own.weight(),
            Slot::Per { used, own, .. } => own.weight() + used.as_ref().map_or(0, |used| used.len() * 4),
            Slot::Same { .. } => 0,
        };
        self.templates.iter().flatten().map(|slot| 150 + of_slot(slot)).sum()
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
    pub(in crate::engine::block) fn new(variables: Arc<Variables>, rows: Option<Arc<Vec<u32>>>) -> Self {
        Self { variables, rows, last: AtomicUsize::default() }
    }

    fn has_rows(&self, entries: &Entries) -> bool {
        match (&self.rows, &entries.rows) {
            (None, None) => true,
            (Some(own), Some(rows)) => Arc::ptr_eq(own, rows),
            _ => false,
        }
    }

    /// Which of its values is this row's.
    fn entry(&self, row: usize) -> Result<usize, Corrupt> {
        let Some(rows) = &self.rows else { return Ok(row) };
        let is_row = |nth: &usize| rows.get(*nth).is_some_and(|known| *known as usize == row);
        let last = self.last.load(Ordering::Relaxed);
        let found = || rows.binary_search_by_key(&row, |known| *known as usize).ok();
        let nth = (last..last.saturating_add(3)).find(is_row).or_else(found);
        let nth = nth.ok_or_else(|| damaged(NO_ROW))?;
        self.last.store(nth, Ordering::Relaxed);
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

    /// Those of its distinct values that these rows have.
    fn used(&self, rows: &[u32]) -> Result<Vec<u32>, Corrupt> {
        let mut is_used = vec![false; self.distinct()?];
        for which in self.which(rows)? {
            *is_used.get_mut(which as usize).ok_or_else(|| damaged("a value is not there"))? = true;
        }
        Ok((0..).zip(is_used).filter_map(|(which, is_used)| is_used.then_some(which)).collect())
    }

    fn depth(&self) -> usize {
        self.variables.depth
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
    /// Whether rows can have the same of the values that are kept.
    fn is_shared(&self) -> bool {
        !matches!(self, Self::Own(Own::Numbers(_) | Own::Texts { .. } | Own::Hex { which: None, .. }))
    }

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
            Self::Per { anchor, used, own } => {
                let of = anchor.find(at.row)?.nth;
                let rank = match used {
                    None => Some(of),
                    Some(used) => used.binary_search_by_key(&of, |used| *used as usize).ok(),
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
            Self::Per { anchor, used, own } => {
                let mut of = anchor.which(rows)?;
                if let Some(used) = used {
                    let mut ranks = vec![u32::MAX; anchor.distinct()?];
                    for (rank, used) in (0..).zip(used) {
                        if let Some(slot) = ranks.get_mut(*used as usize) {
                            *slot = rank;
                        }
                    }
                    for of in &mut of {
                        *of = ranks.get(*of as usize).copied().unwrap_or(u32::MAX);
                    }
                }
                own.which(of)
            }
        })
    }
}
