//! The values that a variable has of its own, left as they lie until one is asked for.

use std::{ops::Range, sync::OnceLock};

use bytes::Bytes;

use super::{
    Values, damaged,
    encode::{DISTINCT, EACH},
    render,
};
use crate::engine::block::{
    Corrupt,
    ints::{Input, Ints},
    template::Var,
};

#[derive(Debug)]
pub(super) enum Own {
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
        ends: OnceLock<Option<Vec<u32>>>,
    },
}

/// A value: one of those that are kept, from this hexadecimal digit on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub(super) own: &'a Own,
    pub(super) nth: usize,
    pub(super) offset: usize,
}

impl Own {
    pub(super) fn read(input: &mut Input<'_>, all: &Bytes, var: Var, count: usize) -> Result<Self, Corrupt> {
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
                Self::Texts { lengths, bytes, ends: OnceLock::new() }
            }
        })
    }

    /// About the bytes that it takes in memory beside its chunk.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.weight(),
            Self::Hex { which, .. } => which.as_ref().map_or(0, Ints::weight),
            Self::Texts { lengths, ends, .. } => {
                lengths.weight() + ends.get().and_then(Option::as_ref).map_or(0, |ends| ends.len() * 4)
            }
        }
    }

    pub(super) fn find(&self, nth: usize) -> Result<Found<'_>, Corrupt> {
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
    pub(super) fn which(&self, mut nths: Vec<u32>) -> Vec<u32> {
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
    pub(super) fn render(&self, var: Var, to: &mut String) -> Result<(), Corrupt> {
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
