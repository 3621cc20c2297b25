//! The values of one column.

use std::{
    cell::{Cell, OnceCell},
    sync::Arc,
};

use super::Block;
use crate::engine::block::{
    BlockColumn, Corrupt, Kind,
    column::{At, Distinct, Entries, Sought, Variables},
    shred::push_json,
    template::Template,
};

/// Values of a column up to which each is found by counting those before it.
const COUNTED_ONE_BY_ONE: u32 = 16;

/// The values of a column in a block.
pub struct ColumnValues<'b> {
    block: &'b Block<'b>,
    column: &'b BlockColumn,
    pub entries: Entries,
    templates: Vec<&'b Template>,
    /// Read when the first value is asked for that has one.
    variables: OnceCell<Arc<Variables>>,
    /// Which of its template's rows each value is, once that many were asked for that counting them pays.
    nths: OnceCell<Vec<u32>>,
    asked: Cell<u32>,
}

impl<'b> ColumnValues<'b> {
    pub(super) fn new(
        block: &'b Block<'b>,
        column: &'b BlockColumn,
        entries: Entries,
        templates: Vec<&'b Template>,
    ) -> Self {
        let (variables, nths, asked) = Default::default();
        Self { block, column, entries, templates, variables, nths, asked }
    }

    pub fn len(&self) -> usize {
        self.entries.tids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.tids.is_empty()
    }

    /// The value of the nth row that has one, if its template has no variable.
    pub fn fixed(&self, nth: usize) -> Option<&str> {
        let tid = self.entries.tids.get(nth)?;
        self.templates.get(usize::from(*tid))?.value()
    }

    /// Tells the values apart, where that is less work than to look at each.
    pub fn distinct(&self, asked: &dyn Fn(u16) -> Sought) -> Result<Option<Distinct>, Corrupt> {
        self.variables()?.distinct(&self.entries, asked)
    }

    /// Appends the value of the nth row that has one.
    pub fn push(&self, nth: usize, to: &mut String) -> Result<(), Corrupt> {
        let Some(tid) = self.entries.tids.get(nth) else { return Ok(()) };
        let Some(template) = self.templates.get(usize::from(*tid)) else { return Ok(()) };
        if let Some(text) = template.value() {
            to.push_str(text);
            return Ok(());
        }
        self.variables()?.render(template, *tid, self.at(nth, *tid), to)
    }

    /// Appends it as JSON; `value` is for what may have to be escaped.
    pub(super) fn push_json(
        &self,
        kind: Kind,
        nth: usize,
        value: &mut String,
        line: &mut String,
    ) -> Result<(), Corrupt> {
        if kind != Kind::Text {
            return self.push(nth, line);
        }
        if self.is_plain(nth) {
            line.push('"');
            self.push(nth, line)?;
            line.push('"');
        } else {
            value.clear();
            self.push(nth, value)?;
            push_json(value, line);
        }
        Ok(())
    }

    /// Whether the template of the nth row that has a value has none that needs an escape in JSON.
    pub(in crate::engine::block) fn is_plain(&self, nth: usize) -> bool {
        let template = self.entries.tids.get(nth).and_then(|tid| self.templates.get(usize::from(*tid)));
        template.is_some_and(|template| template.is_plain())
    }

    fn variables(&self) -> Result<&Arc<Variables>, Corrupt> {
        if let Some(variables) = self.variables.get() {
            return Ok(variables);
        }
        let variables = self.block.variables(self.column)?;
        Ok(self.variables.get_or_init(|| variables))
    }

    fn at(&self, entry: usize, tid: u16) -> At {
        let row = self.entries.row(entry);
        if self.templates.len() == 1 {
            return At { nth: entry, row };
        }
        let tids = &self.entries.tids;
        self.asked.set(self.asked.get().saturating_add(1));
        if self.asked.get() <= COUNTED_ONE_BY_ONE {
            return At { nth: tids.iter().take(entry).filter(|of| **of == tid).count(), row };
        }
        let nths = self.nths.get_or_init(|| {
            let mut seen = vec![0_u32; self.templates.len()];
            let mut next = |tid: &u16| match seen.get_mut(usize::from(*tid)) {
                Some(seen) => std::mem::replace(seen, *seen + 1),
                None => 0,
            };
            tids.iter().map(&mut next).collect()
        });
        At { nth: nths.get(entry).map_or(usize::MAX, |nth| *nth as usize), row }
    }

    /// Which of its values a row has; `next` is where the search goes on for the next row.
    pub(super) fn entry_of(&self, row: u32, next: &mut usize) -> usize {
        let Some(rows) = &self.entries.rows else { return row as usize };
        while rows.get(*next).is_some_and(|known| *known < row) {
            *next += 1;
        }
        *next
    }
}
