//! Reading a column's template numbers and variables, and its values from them.

use std::{fmt::Write, sync::Arc};

use super::{
    Values,
    encode::{DISTINCT, EACH, OWN, PER, SAME},
};
use crate::engine::block::{
    Corrupt,
    ints::{self, Input},
    template::{Piece, Template, Var},
};

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
    let mut left: Vec<u32> = counts.iter().map(|(_, count)| *count).collect();
    for tid in &tids {
        let left = left.get_mut(usize::from(*tid)).filter(|left| **left > 0);
        *left.ok_or_else(|| damaged("a template has not the values that the footer says"))? -= 1;
    }
    Ok(tids)
}

/// Values of the columns that others refer to.
pub(in crate::engine::block) trait Anchors {
    /// Such a column's variables, and which of its values each of these rows has.
    fn anchor(&self, column: u32, rows: &[u32]) -> Result<(Arc<Variables>, Vec<u32>), Corrupt>;
}

/// The variables of all templates of a column.
#[derive(Debug)]
pub(in crate::engine::block) struct Variables {
    templates: Vec<Vec<Slots>>,
}

/// A variable's values: which of the base's each row has, `None` for the nth.
#[derive(Debug)]
struct Slots {
    base: Arc<Base>,
    at: Option<Arc<Vec<u32>>>,
    /// Whether the base has each value once, in the order in which they first occur.
    distinct: bool,
    /// Of hexadecimal values: the first digit that is this variable's.
    offset: usize,
}

#[derive(Debug)]
enum Base {
    Numbers(Vec<u64>),
    Hex { digits: usize, bytes: Vec<u8> },
    Texts { ends: Vec<u32>, text: String },
}

impl Variables {
    /// Reads them. `rows` are the block's rows of each template, in order.
    pub(in crate::engine::block) fn read(
        templates: &[Arc<Template>],
        rows: &dyn Fn(usize) -> Vec<u32>,
        counts: &[u32],
        bytes: &[u8],
        anchors: &dyn Anchors,
    ) -> Result<Self, Corrupt> {
        let mut input = Input(bytes);
        let mut read = Vec::with_capacity(templates.len());
        for (nth, (template, count)) in templates.iter().zip(counts).enumerate() {
            let mut slots = Vec::new();
            for var in template.vars() {
                slots.push(match input.byte()? {
                    OWN => own(&mut input, var, *count as usize)?,
                    PER => {
                        let column = u32::try_from(input.varint()?).map_err(|_| damaged("no such column"))?;
                        let (anchor, entries) = anchors.anchor(column, &rows(nth))?;
                        per(&mut input, var, &anchor, &entries)?
                    }
                    SAME => {
                        let column = u32::try_from(input.varint()?).map_err(|_| damaged("no such column"))?;
                        let offset =
                            usize::try_from(input.varint()?).map_err(|_| damaged("no such digit"))?;
                        let (anchor, entries) = anchors.anchor(column, &rows(nth))?;
                        same(var, offset, &anchor, &entries)?
                    }
                    _ => return Err(damaged("a variable is kept in an unknown way")),
                });
            }
            read.push(slots);
        }
        input.end()?;
        Ok(Self { templates: read })
    }

    /// Which of the distinct values of a template with one variable its nth row has; rows with the same number
    /// have the same value.
    pub(in crate::engine::block) fn which_value(&self, tid: u16, nth: usize) -> Option<u32> {
        match self.templates.get(usize::from(tid))?.as_slice() {
            [slots] => Some(slots.which(nth)),
            _ => None,
        }
    }

    /// Appends the value of a template's nth row.
    pub(in crate::engine::block) fn render(
        &self,
        template: &Template,
        tid: u16,
        nth: usize,
        to: &mut String,
    ) {
        let mut slots = self.templates.get(usize::from(tid)).into_iter().flatten();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => to.push_str(text),
                Piece::Var(var) => {
                    if let Some(slots) = slots.next() {
                        slots.render(*var, nth, to);
                    }
                }
            }
        }
    }
}

fn own(input: &mut Input<'_>, var: Var, count: usize) -> Result<Slots, Corrupt> {
    let (base, at) = match Values::new(var) {
        Values::Numbers(_) => (Base::Numbers(ints::decode(input, count)?), None),
        Values::Hex { digits, .. } => match input.byte()? {
            EACH => (Base::Hex { digits, bytes: read_digits(input, digits, count)? }, None),
            DISTINCT => {
                let distinct = usize::try_from(input.varint()?).ok().filter(|distinct| *distinct <= count);
                let distinct = distinct.ok_or_else(|| damaged("it has more distinct values than values"))?;
                let bytes = read_digits(input, digits, distinct)?;
                let which = ints::decode(input, count)?;
                let there = |which: &u32| (*which as usize) < distinct;
                let which = which.into_iter().map(|which| u32::try_from(which).ok().filter(there));
                let at = which.collect::<Option<_>>().ok_or_else(|| damaged("a value is not there"))?;
                (Base::Hex { digits, bytes }, Some(Arc::new(at)))
            }
            _ => return Err(damaged("digits are kept in an unknown way")),
        },
        Values::Texts { .. } => (texts(input, count)?, None),
    };
    let distinct = at.is_some();
    Ok(Slots { base: Arc::new(base), at, distinct, offset: 0 })
}

fn texts(input: &mut Input<'_>, count: usize) -> Result<Base, Corrupt> {
    let lengths = ints::decode(input, count)?;
    let mut ends = Vec::with_capacity(count);
    let mut end = 0_usize;
    for length in lengths {
        let length = usize::try_from(length).map_err(|_| damaged("a text is too long"))?;
        let fits = end.checked_add(length).filter(|end| *end <= input.0.len());
        end = fits.ok_or_else(|| damaged("a text is too long"))?;
        ends.push(u32::try_from(end).map_err(|_| damaged("a text is too long"))?);
    }
    let text = String::from_utf8(input.take(end)?.to_vec()).map_err(|_| damaged("a text is not UTF-8"))?;
    if ends.iter().any(|end| !text.is_char_boundary(*end as usize)) {
        return Err(damaged("a text is not UTF-8"));
    }
    Ok(Base::Texts { ends, text })
}

fn read_digits(input: &mut Input<'_>, digits: usize, count: usize) -> Result<Vec<u8>, Corrupt> {
    let stride = digits.div_ceil(2);
    let planes = input.take(stride * count)?;
    let mut bytes = vec![0; planes.len()];
    for (at, plane) in planes.chunks_exact(count.max(1)).enumerate() {
        for (value, byte) in bytes.chunks_exact_mut(stride).zip(plane) {
            if let Some(to) = value.get_mut(at) {
                *to = *byte;
            }
        }
    }
    Ok(bytes)
}

/// The only variable of a column that others refer to.
fn single(anchor: &Variables) -> Result<&Slots, Corrupt> {
    match anchor.templates.as_slice() {
        [slots] if slots.len() == 1 => slots.first(),
        _ => None,
    }
    .ok_or_else(|| damaged("it refers to no single variable"))
}

fn same(var: Var, offset: usize, anchor: &Variables, entries: &[u32]) -> Result<Slots, Corrupt> {
    let anchor = single(anchor)?;
    let fits = match (Values::new(var), &*anchor.base) {
        (Values::Numbers(_), Base::Numbers(_)) => true,
        (Values::Hex { digits: mine, .. }, Base::Hex { digits, .. }) => offset
            .checked_add(anchor.offset)
            .and_then(|at| at.checked_add(mine))
            .is_some_and(|end| end <= *digits),
        _ => false,
    };
    if !fits {
        return Err(damaged("it refers to a variable of another kind"));
    }
    let at = entries.iter().map(|entry| anchor.which(*entry as usize)).collect();
    let (base, offset) = (anchor.base.clone(), anchor.offset + offset);
    Ok(Slots { base, at: Some(Arc::new(at)), distinct: false, offset })
}

fn per(input: &mut Input<'_>, var: Var, anchor: &Variables, entries: &[u32]) -> Result<Slots, Corrupt> {
    let anchor = single(anchor)?;
    if !anchor.distinct {
        return Err(damaged("it has a value for each of another column's, of which none is there twice"));
    }
    let which: Vec<u32> = entries.iter().map(|entry| anchor.which(*entry as usize)).collect();
    // Of the anchor's values those that occur are counted in their order.
    let mut nths = vec![u32::MAX; anchor.base.len()];
    for which in &which {
        *nths.get_mut(*which as usize).ok_or_else(|| damaged("a value is not there"))? = 0;
    }
    let mut used = 0;
    for nth in nths.iter_mut().filter(|nth| **nth == 0) {
        *nth = used;
        used += 1;
    }
    let own = own(input, var, used as usize)?;
    let nth = |which: &u32| nths.get(*which as usize).map_or(u32::MAX, |nth| own.which(*nth as usize));
    let at = which.iter().map(nth).collect();
    Ok(Slots { base: own.base, at: Some(Arc::new(at)), distinct: false, offset: 0 })
}

impl Base {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Hex { digits, bytes } => bytes.len() / digits.div_ceil(2).max(1),
            Self::Texts { ends, .. } => ends.len(),
        }
    }
}

impl Slots {
    /// Which of the base's values the nth row has.
    fn which(&self, nth: usize) -> u32 {
        match &self.at {
            Some(at) => at.get(nth).copied().unwrap_or(u32::MAX),
            None => u32::try_from(nth).unwrap_or(u32::MAX),
        }
    }

    fn render(&self, var: Var, nth: usize, to: &mut String) {
        let nth = self.which(nth) as usize;
        match &*self.base {
            Base::Numbers(numbers) => render_number(var, numbers.get(nth).copied().unwrap_or(0), to),
            Base::Hex { digits, bytes } => {
                let Values::Hex { digits: mine, .. } = Values::new(var) else { return };
                render_hex(var, bytes, *digits, nth, self.offset..self.offset + mine, to);
            }
            Base::Texts { ends, text } => {
                let end = ends.get(nth).map_or(0, |end| *end as usize);
                let start = nth.checked_sub(1).and_then(|nth| ends.get(nth)).map_or(0, |end| *end as usize);
                to.push_str(text.get(start..end).unwrap_or_default());
            }
        }
    }
}

fn render_number(var: Var, number: u64, to: &mut String) {
    // Writing to a String cannot fail.
    let _ = match var {
        Var::Padded(digits) => write!(to, "{number:00$}", usize::from(digits)),
        Var::Ip4 => {
            let [.., a, b, c, d] = number.to_be_bytes();
            write!(to, "{a}.{b}.{c}.{d}")
        }
        _ => {
            to.push_str(itoa::Buffer::new().format(number));
            Ok(())
        }
    };
}

fn render_hex(
    var: Var,
    bytes: &[u8],
    digits: usize,
    nth: usize,
    part: std::ops::Range<usize>,
    to: &mut String,
) {
    let stride = digits.div_ceil(2);
    let value = nth.checked_mul(stride).and_then(|at| bytes.get(at..at + stride)).unwrap_or_default();
    for (written, at) in part.enumerate() {
        if var == Var::Uuid && matches!(written, 8 | 12 | 16 | 20) {
            to.push('-');
        }
        let byte = value.get(at / 2).copied().unwrap_or(0);
        let digit = if at % 2 == 0 { byte >> 4 } else { byte & 15 };
        to.push(char::from(b"0123456789abcdef".get(usize::from(digit)).copied().unwrap_or(b'0')));
    }
}
