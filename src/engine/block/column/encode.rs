//! Writing a column's template numbers and variables.

use super::{Parsed, Values};
use crate::engine::block::{ints, numbers::Numbers};

/// How a variable is kept.
pub(super) const OWN: u8 = 0;
/// As a part of another column's value in the same row: an id in a message that is a field too, a request's
/// id that begins as its trace's does.
pub(super) const SAME: u8 = 1;
/// As one value for each that another column has: whose request it is, where it came from.
pub(super) const PER: u8 = 2;

/// Whether hexadecimal values follow each for itself, or each once and then which one each row has.
pub(super) const EACH: u8 = 0;
pub(super) const DISTINCT: u8 = 1;

/// References one behind another at the most.
pub(in crate::engine::block) const MAX_DEPTH: usize = 8;

/// A column of a block that is to be written.
#[derive(Debug)]
pub(in crate::engine::block) struct Column<'a> {
    pub(in crate::engine::block) number: u32,
    /// The block's rows that have a value.
    pub(in crate::engine::block) rows: &'a [u32],
    pub(in crate::engine::block) parsed: &'a Parsed,
}

/// A column whose values are all of one template with one variable, so that others may refer to it.
#[derive(Debug)]
struct Anchor<'a> {
    number: u32,
    values: &'a Values,
    /// How many references lie behind it.
    depth: usize,
    /// Which of its values each row of the block has; absent when all rows have one.
    entries: Option<Vec<u32>>,
    /// Which of its distinct values each row has, when it is written so, and not as a reference itself: the reader
    /// sees only the numbers.
    which: Option<Distinct>,
}

#[derive(Clone, Debug)]
struct Distinct {
    which: Vec<u64>,
    /// The first row of each.
    firsts: Vec<usize>,
}

/// A column as it is written: both parts before gzip, either may be empty.
#[derive(Debug, Default)]
pub(in crate::engine::block) struct Placed {
    pub(in crate::engine::block) tids: Vec<u8>,
    pub(in crate::engine::block) vars: Vec<u8>,
    depth: usize,
}

/// Writes the columns of a block. One may refer to anchors before it, or to any if it is none itself.
pub(in crate::engine::block) fn place(columns: &[Column<'_>], block_rows: usize) -> Vec<Placed> {
    let mut placed: Vec<Option<Placed>> = Vec::new();
    let mut anchors = Vec::new();
    for column in columns {
        placed.push(column.anchor(block_rows).map(|mut anchor| {
            let placed = column.parsed.encode(column.rows, &anchors);
            anchor.depth = placed.depth;
            anchor.which = anchor.which.filter(|_| placed.depth == 0);
            anchors.push(anchor);
            placed
        }));
    }
    let others = columns.iter().zip(placed);
    others
        .map(|(column, placed)| placed.unwrap_or_else(|| column.parsed.encode(column.rows, &anchors)))
        .collect()
}

impl<'a> Column<'a> {
    fn anchor(&self, block_rows: usize) -> Option<Anchor<'a>> {
        let [rows] = self.parsed.templates.as_slice() else { return None };
        let [(_, values)] = rows.vars.as_slice() else { return None };
        let (number, entries, which) = (self.number, entries(self.rows, block_rows), values.distinct());
        let referable = matches!(values, Values::Numbers(_) | Values::Hex { .. });
        referable.then_some(Anchor { number, values, depth: 0, entries, which })
    }
}

impl Parsed {
    fn encode(&self, rows: &[u32], anchors: &[Anchor<'_>]) -> Placed {
        let mut placed = Placed::default();
        if self.templates.len() > 1 {
            put_tids(&mut placed.tids, &self.tids, self.templates.len());
        }
        if self.templates.iter().all(|rows| rows.vars.is_empty()) {
            return placed;
        }
        let by_template = self.rows_by_template(rows);
        for (template, rows) in self.templates.iter().zip(&by_template) {
            for (_, values) in &template.vars {
                let put = &mut placed.vars;
                let anchors = || anchors.iter().filter(|anchor| anchor.depth < MAX_DEPTH);
                let same = |anchor| Some((anchor, part_of(values, anchor, rows)?));
                let per = |anchor| Some((anchor, one_per(values, anchor, rows)?));
                if let Some((anchor, offset)) = anchors().find_map(same) {
                    placed.depth = placed.depth.max(anchor.depth + 1);
                    put.push(SAME);
                    ints::put_varint(put, u64::from(anchor.number));
                    ints::put_varint(put, offset as u64);
                } else if let Some((anchor, values)) = anchors().find_map(per) {
                    placed.depth = placed.depth.max(anchor.depth + 1);
                    put.push(PER);
                    ints::put_varint(put, u64::from(anchor.number));
                    values.put(put);
                } else {
                    put.push(OWN);
                    values.put(put);
                }
            }
        }
        placed
    }

    fn rows_by_template(&self, rows: &[u32]) -> Vec<Vec<u32>> {
        let sized = |rows: &super::parse::Rows| Vec::with_capacity(rows.count as usize);
        let mut found: Vec<Vec<u32>> = self.templates.iter().map(sized).collect();
        for (tid, row) in self.tids.iter().zip(rows) {
            if let Some(rows) = found.get_mut(*tid as usize) {
                rows.push(*row);
            }
        }
        found
    }
}

/// A byte a value for up to 256 templates; two, the lower ones of all values first, for more.
fn put_tids(bytes: &mut Vec<u8>, tids: &[u32], templates: usize) {
    let plane = |nth: usize| tids.iter().filter_map(move |tid| tid.to_le_bytes().get(nth).copied());
    bytes.extend(plane(0));
    if templates > 256 {
        bytes.extend(plane(1));
    }
}

fn entries(rows: &[u32], block_rows: usize) -> Option<Vec<u32>> {
    if rows.len() == block_rows {
        return None;
    }
    let mut entries = vec![u32::MAX; block_rows];
    for (nth, row) in (0..).zip(rows) {
        if let Some(entry) = entries.get_mut(*row as usize) {
            *entry = nth;
        }
    }
    Some(entries)
}

impl Anchor<'_> {
    /// Which of its values a row of the block has.
    fn entry(&self, row: u32) -> Option<usize> {
        let entry = match &self.entries {
            Some(entries) => *entries.get(row as usize)?,
            None => row,
        };
        (entry != u32::MAX).then_some(entry as usize)
    }
}

/// Where in the anchor's values these stand, if they all do.
fn part_of(values: &Values, anchor: &Anchor<'_>, rows: &[u32]) -> Option<usize> {
    match (values, anchor.values) {
        (Values::Numbers(mine), Values::Numbers(theirs)) => {
            // A constant is smaller than what it would refer to.
            let varies = mine.iter().any(|number| Some(number) != mine.first());
            let theirs = |row: &u32| theirs.get(anchor.entry(*row)?);
            let same = mine.iter().zip(rows).all(|(number, row)| theirs(row) == Some(number));
            (varies && same).then_some(0)
        }
        (Values::Hex { digits, text }, Values::Hex { digits: their_digits, text: theirs }) => {
            let value = |nth: usize| text.get(nth * digits..(nth + 1) * digits);
            let other = |row: u32| {
                let entry = anchor.entry(row)?;
                theirs.get(entry * their_digits..(entry + 1) * their_digits)
            };
            let offset = memchr::memmem::find(other(*rows.first()?)?, value(0)?)?;
            let same = |(nth, row): (usize, &u32)| {
                other(*row).and_then(|other| other.get(offset..offset + digits)) == value(nth)
            };
            rows.iter().enumerate().all(same).then_some(offset)
        }
        _ => None,
    }
}

/// The values, one for each distinct value that the anchor has in these rows, in the order of those; if all
/// rows with one of the anchor's have one of these.
fn one_per(values: &Values, anchor: &Anchor<'_>, rows: &[u32]) -> Option<Values> {
    let distinct = anchor.which.as_ref()?;
    let mut first: Vec<Option<usize>> = vec![None; distinct.firsts.len()];
    for (nth, row) in rows.iter().enumerate() {
        let which = usize::try_from(*distinct.which.get(anchor.entry(*row)?)?).ok()?;
        match first.get_mut(which)? {
            Some(first) if values.get(*first) != values.get(nth) => return None,
            Some(_) => {}
            slot => *slot = Some(nth),
        }
    }
    let firsts: Vec<usize> = first.into_iter().flatten().collect();
    // Where few rows share, or all values are the same, it saves nothing.
    let saves =
        firsts.len() * 4 <= rows.len() * 3 && firsts.iter().any(|nth| values.get(*nth) != values.get(0));
    saves.then(|| values.only(&firsts))
}

#[derive(PartialEq)]
enum Value<'a> {
    Number(u64),
    Text(&'a [u8]),
}

impl Values {
    fn get(&self, nth: usize) -> Option<Value<'_>> {
        match self {
            Self::Numbers(numbers) => numbers.get(nth).map(|number| Value::Number(*number)),
            Self::Hex { digits, text } => text.get(nth * digits..(nth + 1) * digits).map(Value::Text),
            // Their places would have to be summed up.
            Self::Texts { .. } => None,
        }
    }

    fn only(&self, wanted: &[usize]) -> Self {
        match self {
            Self::Numbers(numbers) => {
                Self::Numbers(wanted.iter().filter_map(|nth| numbers.get(*nth).copied()).collect())
            }
            Self::Hex { digits, text } => {
                let value = |nth: &usize| text.get(nth * digits..(nth + 1) * digits);
                Self::Hex {
                    digits: *digits,
                    text: wanted.iter().filter_map(value).flatten().copied().collect(),
                }
            }
            Self::Texts { lengths, text } => Self::Texts { lengths: lengths.clone(), text: text.clone() },
        }
    }

    /// Which values there are, when each occurs twice or so.
    fn distinct(&self) -> Option<Distinct> {
        let Self::Hex { digits, text } = self else { return None };
        let mut known = Numbers::default();
        let mut distinct = Distinct { which: Vec::with_capacity(text.len() / digits), firsts: Vec::new() };
        for (nth, value) in text.chunks_exact(*digits).enumerate() {
            let which = known.number(value);
            if known.keys.len() > distinct.firsts.len() {
                distinct.firsts.push(nth);
            }
            distinct.which.push(which.into());
        }
        (distinct.firsts.len() * 3 <= distinct.which.len() * 2).then_some(distinct)
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Numbers(numbers) => ints::encode(bytes, numbers),
            Self::Hex { digits, text } => {
                if let Some(distinct) = self.distinct() {
                    bytes.push(DISTINCT);
                    ints::put_varint(bytes, distinct.firsts.len() as u64);
                    if let Self::Hex { text, .. } = self.only(&distinct.firsts) {
                        put_digits(bytes, *digits, &text);
                    }
                    ints::encode(bytes, &distinct.which);
                } else {
                    bytes.push(EACH);
                    put_digits(bytes, *digits, text);
                }
            }
            Self::Texts { lengths, text } => {
                ints::encode(bytes, lengths);
                bytes.extend_from_slice(text);
            }
        }
    }
}

/// Two digits a byte, in byte planes.
fn put_digits(bytes: &mut Vec<u8>, digits: usize, text: &[u8]) {
    let digit = |b: &u8| if b.is_ascii_digit() { b - b'0' } else { b - b'a' + 10 };
    for at in (0..digits).step_by(2) {
        bytes.extend(text.chunks_exact(digits).map(|value| {
            let low = if at + 1 < digits { value.get(at + 1).map_or(0, digit) } else { 0 };
            value.get(at).map_or(0, digit) << 4 | low
        }));
    }
}
