//! A column of a block: which template each value has, and the values of the templates' variables.
//!
//! `dictionary` tells few values apart, `parse` cuts values up, `encode` writes them, `decode` and `own` find them
//! again, `render` makes text of them.

pub(super) mod decode;
mod dictionary;
pub(super) mod encode;
mod own;
pub(super) mod parse;
mod render;

pub(super) use decode::{Anchor, Anchors, At, Entries, Variables};
pub use decode::{Distinct, Sought};

pub(super) use dictionary::Dictionary;
pub(super) use encode::{Column, MAX_DEPTH, place};
pub(super) use parse::Parsed;

use super::{Corrupt, template::Var};

fn damaged(reason: &str) -> Corrupt {
    Corrupt::damaged("column", reason)
}

/// The values of one variable of one template, in the order of its rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Values {
    Numbers(Vec<u64>),
    /// Hexadecimal digits, so many a value.
    Hex {
        digits: usize,
        text: Vec<u8>,
    },
    Texts {
        lengths: Vec<u64>,
        text: Vec<u8>,
    },
}

impl Values {
    pub(super) fn new(var: Var) -> Self {
        match var {
            Var::Int | Var::Padded(_) | Var::Ip4 => Self::Numbers(Vec::new()),
            Var::Hex(digits) => Self::Hex { digits: usize::from(digits), text: Vec::new() },
            Var::Uuid => Self::Hex { digits: 32, text: Vec::new() },
            Var::Word | Var::Raw => Self::Texts { lengths: Vec::new(), text: Vec::new() },
        }
    }
}
