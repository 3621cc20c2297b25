//! The values of a field in a block, numbered.

use std::collections::HashMap;

use super::Key;
use crate::engine::{
    block::{Block, Corrupt, Kind, words},
    query::{mask::Mask, row::leaves_of, test::number},
};

/// Which values a field has in which rows of a block. The first is that of rows that have none.
#[derive(Clone, Debug)]
pub struct Coded {
    pub keys: Vec<Key>,
    /// Of each row the first value.
    pub codes: Vec<u32>,
    /// Further values of rows that have several.
    pub more: Vec<(u32, u32)>,
}

type Each<'e> = dyn FnMut(usize, Kind, &str, Option<(u32, u16)>) + 'e;

/// Hands over every value of a field in wanted rows; the number says which template of which column it came
/// from, if all of that template's values are alike.
fn each_value(block: &Block<'_>, field: &str, wanted: &Mask, each: &mut Each<'_>) -> Result<(), Corrupt> {
    for column in &block.meta().columns {
        let known = block.opened().columns().get(column.column as usize);
        let Some(known) = known.filter(|known| known.may_have(field)) else { continue };
        let values = block.values(column)?;
        let mut text = String::new();
        for (entry, (row, tid)) in values.entries.iter().enumerate() {
            if !wanted.has(row) {
                continue;
            }
            let fixed = values.fixed(entry);
            if fixed.is_none() {
                text.clear();
                values.push(entry, &mut text)?;
            }
            let value = fixed.unwrap_or(&text);
            match known.kind {
                Kind::Text | Kind::Number => {
                    each(row, known.kind, value, fixed.map(|_| (column.column, tid)));
                }
                Kind::Raw => leaves_of(&known.name, value, &mut |name, kind, value| {
                    if name == field {
                        each(row, kind, value, None);
                    }
                })?,
            }
        }
    }
    Ok(())
}

impl Coded {
    pub fn new(block: &Block<'_>, field: &str, wanted: &Mask) -> Result<Self, Corrupt> {
        let mut coded = Self { keys: vec![Key::Absent], codes: vec![0; block.len()], more: Vec::new() };
        let mut known: HashMap<Key, u32> = HashMap::new();
        let mut fixed: HashMap<(u32, u16), u32> = HashMap::new();
        // The value before is most often the next one too.
        let mut last: Option<((u32, u16), u32)> = None;
        each_value(block, field, wanted, &mut |row, kind, value, template| {
            let code = match template {
                Some(at) if last.is_some_and(|(known, _)| known == at) => last.map(|(_, code)| code),
                Some(at) => fixed.get(&at).copied(),
                None => None,
            };
            let code = code.or_else(|| {
                let key = Key::of(kind, value)?;
                Some(*known.entry(key).or_insert_with_key(|key| {
                    coded.keys.push(key.clone());
                    u32::try_from(coded.keys.len() - 1).unwrap_or(0)
                }))
            });
            let Some(code) = code else { return };
            if let Some(at) = template {
                fixed.insert(at, code);
                last = Some((at, code));
            }
            match (coded.codes.get_mut(row), u32::try_from(row)) {
                (Some(slot @ 0), _) => *slot = code,
                (Some(slot), Ok(row)) if *slot != code && !coded.more.contains(&(row, code)) => {
                    coded.more.push((row, code));
                }
                _ => {}
            }
        })?;
        Ok(coded)
    }
}

/// The numbers of a field in wanted rows; a text that is a number counts as one.
pub(super) fn numbers(
    block: &Block<'_>,
    field: &str,
    wanted: &Mask,
    each: &mut dyn FnMut(usize, f64),
) -> Result<(), Corrupt> {
    each_value(block, field, wanted, &mut |row, kind, value, _| {
        if let Some(number) = number(value).filter(|_| kind != Kind::Raw) {
            each(row, number);
        }
    })
}

/// The hashes of the values of a field in wanted rows.
pub(super) fn hashes(
    block: &Block<'_>,
    field: &str,
    wanted: &Mask,
    each: &mut dyn FnMut(usize, u64),
) -> Result<(), Corrupt> {
    each_value(block, field, wanted, &mut |row, kind, value, _| {
        if let Some(hash) = hash(kind, value) {
            each(row, hash);
        }
    })
}

/// A number and a text are different values.
pub(super) fn hash(kind: Kind, value: &str) -> Option<u64> {
    match kind {
        Kind::Raw if !matches!(value, "true" | "false") => None,
        Kind::Text => Some(words::hash(value)),
        Kind::Number | Kind::Raw => Some(words::hash(value).rotate_left(1)),
    }
}
