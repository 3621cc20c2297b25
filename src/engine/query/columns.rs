//! An expression over blocks of columns: what a footer and its filters say of it, and which rows it holds for.
//!
//! Invariant: what is decided without a row is decided as the rows would decide it, and a row is in the mask
//! exactly when `Expr::matches_row` holds for its JSON.

use std::sync::{Arc, OnceLock};

use super::{
    expr::{Bound, Expr, Field, Match, NOT_SEARCHED, Test},
    mask::Mask,
    row,
    test::number,
};
use crate::engine::block::{
    Block, BlockColumn, Corrupt, Distinct, HasWord, Kind, Opened, Sought, Template, view::filter_may_hold,
    words,
};

mod required;

/// Fields of a row's head, which are in no column.
const HEAD: [&str; 3] = ["id", "timestamp", "received_at"];

/// An expression with what asking footers needs of it.
#[derive(Debug)]
pub struct Query<'e> {
    expr: &'e Expr,
    matches: Vec<Wanted<'e>>,
}

#[derive(Debug)]
struct Wanted<'e> {
    found: &'e Match,
    /// Words that each value for which it holds has, with their hashes; of a JSON number they may be others.
    words: Vec<(String, u64)>,
}

/// The filters of a segment's columns, as far as they have been read.
pub trait Filters {
    /// The filters of a column's blocks, end to end; `None` when they are not at hand.
    fn of(&self, column: u32) -> Option<&[u8]>;
}

/// What a match comes to in a column of a block, template by template; `None` where the values decide.
struct Verdict<'a> {
    column: &'a BlockColumn,
    templates: Vec<Option<bool>>,
    /// The number that the values of a template have for which it can hold, where that is known.
    numbers: Vec<Option<u64>>,
}

/// A query of one segment: what does not differ from block to block is found out once.
pub struct Asked<'q, 'e> {
    query: &'q Query<'e>,
    opened: &'q Opened,
    /// For each match and column, what its templates come to.
    templates: Vec<Vec<OnceLock<Vec<Outcome>>>>,
}

/// What a match comes to for the values of a template.
#[derive(Clone, Debug)]
enum Outcome {
    Known(bool),
    /// It can hold where the filter lets all of these words through, numbered as in the query, and where the template's
    /// variable is this number.
    Words(Vec<usize>, Option<u64>),
    Values,
}

impl<'e> Query<'e> {
    pub fn new(expr: &'e Expr) -> Self {
        let mut matches = Vec::new();
        expr.each_match(&mut |found| {
            let text = match &found.test {
                Test::Words(text) | Test::Value(text) | Test::Exact(text) => text.as_str(),
                _ => "",
            };
            let folded = words::fold(text);
            let words = words::words(&folded).map(|word| (word.to_owned(), words::hash(word))).collect();
            matches.push(Wanted { found, words });
        });
        Self { expr, matches }
    }

    /// The query of this segment.
    pub fn on<'q>(&'q self, opened: &'q Opened) -> Asked<'q, 'e> {
        let columns = opened.columns().len();
        let templates =
            self.matches.iter().map(|_| std::iter::repeat_with(OnceLock::new).take(columns).collect());
        Asked { query: self, opened, templates: templates.collect() }
    }
}

impl Asked<'_, '_> {
    /// The columns whose filters are worth having for these blocks.
    pub fn filtered_columns(&self, blocks: &[usize]) -> Vec<u32> {
        let mut columns = Vec::new();
        for block in blocks.iter().filter_map(|nth| self.opened.footer.blocks.get(*nth)) {
            for (nth, wanted) in self.query.matches.iter().enumerate() {
                for column in block.columns.iter().filter(|column| column.filter > 0) {
                    let asks = || {
                        let outcomes = self.outcomes(nth, column);
                        let mut templates = column.templates.iter();
                        templates
                            .any(|(nth, _)| matches!(outcomes.get(*nth as usize), Some(Outcome::Words(..))))
                    };
                    if !columns.contains(&column.column)
                        && concerns(wanted.found, self.opened, column)
                        && asks()
                    {
                        columns.push(column.column);
                    }
                }
            }
        }
        columns.sort_unstable();
        columns
    }

    /// What a match comes to for the templates of a column.
    fn outcomes(&self, nth: usize, column: &BlockColumn) -> &[Outcome] {
        let slot = self.templates.get(nth).and_then(|columns| columns.get(column.column as usize));
        let (Some(slot), Some(wanted)) = (slot, self.query.matches.get(nth)) else { return &[] };
        slot.get_or_init(|| {
            let known = self.opened.columns().get(column.column as usize);
            let one = |template: &Arc<Template>| {
                known.map_or(Outcome::Values, |known| outcome(wanted, &known.name, known.kind, template))
            };
            known.map(|known| known.templates.iter().map(one).collect()).unwrap_or_default()
        })
    }

    /// Whether the expression holds for all rows of a block, or for none.
    pub fn decide(&self, nth: usize, filters: &dyn Filters) -> Option<bool> {
        let Some(block) = self.opened.footer.blocks.get(nth) else { return Some(false) };
        block.heads?;
        self.query.expr.decide(&mut |found| {
            let at = self.query.matches.iter().position(|wanted| std::ptr::eq(wanted.found, found))?;
            self.decide_match(at, nth, block.rows, filters)
        })
    }

    fn decide_match(&self, at: usize, nth: usize, rows: u32, filters: &dyn Filters) -> Option<bool> {
        let found = self.query.matches.get(at)?.found;
        if of_head(found) {
            return None;
        }
        let mut decided = Some(false);
        for column in &self.opened.footer.blocks.get(nth)?.columns {
            if !concerns(found, self.opened, column) {
                continue;
            }
            let verdict = self.verdict(at, nth, column, filters);
            if verdict.templates.iter().all(|held| *held == Some(true)) && column.rows == rows {
                return Some(true);
            }
            if verdict.templates.iter().any(|held| *held != Some(false)) {
                decided = None;
            }
        }
        decided
    }

    /// How many rows of a block it holds for, if its footer tells.
    pub fn count(&self, nth: usize, filters: &dyn Filters) -> Option<u64> {
        let block = self.opened.footer.blocks.get(nth)?;
        match self.decide(nth, filters) {
            Some(true) => return Some(u64::from(block.rows)),
            Some(false) => return Some(0),
            None => {}
        }
        let Expr::Match(found) = self.query.expr else { return None };
        if block.heads.is_none() || of_head(found) {
            return None;
        }
        let mut counted = None;
        for column in block.columns.iter().filter(|column| concerns(found, self.opened, column)) {
            let verdict = self.verdict(0, nth, column, filters);
            let mut rows = 0;
            for (held, (_, count)) in verdict.templates.iter().zip(&column.templates) {
                if (*held)? {
                    rows += u64::from(*count);
                }
            }
            // In two columns it may hold for the same rows.
            if rows > 0 && counted.replace(rows).is_some() {
                return None;
            }
        }
        Some(counted.unwrap_or(0))
    }

    fn verdict<'a>(
        &'a self,
        at: usize,
        nth: usize,
        column: &'a BlockColumn,
        filters: &dyn Filters,
    ) -> Verdict<'a> {
        let outcomes = self.outcomes(at, column);
        let wanted = self.query.matches.get(at);
        let number = kind(self.opened, column) == Kind::Number;
        if number && wanted.is_some_and(|wanted| !in_range(&wanted.found.test, column.range)) {
            let templates = vec![Some(false); column.templates.len()];
            return Verdict { column, templates, numbers: Vec::new() };
        }
        // Each word is looked for once, whatever the number of templates.
        let mut known: Vec<Option<bool>> = vec![None; wanted.map_or(0, |wanted| wanted.words.len())];
        let filter = (column.filter > 0)
            .then(|| filters.of(column.column).map(|all| self.opened.filter(nth, column.column, all)));
        let mut lets_through = |word: usize| {
            let hash = wanted.and_then(|wanted| wanted.words.get(word)).map_or(0, |word| word.1);
            let look = || match filter {
                None => false,
                Some(None) => true,
                Some(Some(filter)) => filter_may_hold(filter, hash),
            };
            known.get_mut(word).is_none_or(|known| *known.get_or_insert_with(look))
        };
        let templates = column.templates.iter().map(|(nth, _)| match outcomes.get(*nth as usize) {
            Some(Outcome::Known(held)) => (Some(*held), None),
            Some(Outcome::Words(words, _)) if !words.iter().all(|word| lets_through(*word)) => {
                (Some(false), None)
            }
            Some(Outcome::Words(_, number)) => (None, *number),
            _ => (None, None),
        });
        let (templates, numbers) = templates.unzip();
        Verdict { column, templates, numbers }
    }

    /// The rows of the block among `candidates` for which it holds.
    pub fn rows(
        &self,
        block: &Block<'_>,
        nth: usize,
        filters: &dyn Filters,
        candidates: &Mask,
    ) -> Result<Mask, Corrupt> {
        let mut next = 0;
        self.eval(self.query.expr, &mut next, block, nth, filters, candidates)
    }

    /// `next` is the number of the next match in the expression: they are met in order.
    fn eval(
        &self,
        expr: &Expr,
        next: &mut usize,
        block: &Block<'_>,
        nth: usize,
        filters: &dyn Filters,
        candidates: &Mask,
    ) -> Result<Mask, Corrupt> {
        Ok(match expr {
            Expr::All => candidates.clone(),
            Expr::And(parts) => {
                let mut rows = candidates.clone();
                for part in parts {
                    rows = self.eval(part, next, block, nth, filters, &rows)?;
                }
                rows
            }
            Expr::Or(parts) => {
                let mut rows = Mask::none(candidates.len());
                for part in parts {
                    // What holds already need not be asked again.
                    let mut open = candidates.clone();
                    open.and_not(&rows);
                    rows.or(&self.eval(part, next, block, nth, filters, &open)?);
                }
                rows
            }
            Expr::Not(inner) => {
                let mut rows = candidates.clone();
                rows.and_not(&self.eval(inner, next, block, nth, filters, candidates)?);
                rows
            }
            Expr::Match(_) => {
                let at = *next;
                *next += 1;
                self.eval_match(at, block, nth, filters, candidates)?
            }
        })
    }

    fn eval_match(
        &self,
        at: usize,
        block: &Block<'_>,
        nth: usize,
        filters: &dyn Filters,
        candidates: &Mask,
    ) -> Result<Mask, Corrupt> {
        let mut rows = Mask::none(candidates.len());
        let Some(wanted) = self.query.matches.get(at) else { return Ok(rows) };
        if candidates.is_empty() {
            return Ok(rows);
        }
        if of_head(wanted.found) {
            eval_head(wanted.found, block, candidates, &mut rows)?;
            return Ok(rows);
        }
        for column in &block.meta().columns {
            if concerns(wanted.found, self.opened, column) {
                let verdict = self.verdict(at, nth, column, filters);
                eval_column(wanted.found, block, &verdict, candidates, &mut rows)?;
            }
        }
        Ok(rows)
    }
}

fn eval_column(
    found: &Match,
    block: &Block<'_>,
    verdict: &Verdict<'_>,
    candidates: &Mask,
    rows: &mut Mask,
) -> Result<(), Corrupt> {
    if verdict.templates.iter().all(|held| *held == Some(false)) {
        return Ok(());
    }
    let held = |tid: u16| verdict.templates.get(usize::from(tid)).copied().unwrap_or(Some(false));
    if verdict.templates.iter().all(Option::is_some) {
        let entries = block.entries(verdict.column)?;
        for (row, tid) in entries.iter() {
            if held(tid) == Some(true) && candidates.has(row) {
                rows.set(row);
            }
        }
        return Ok(());
    }
    let (name, kind) = (name(block.opened(), verdict.column), kind(block.opened(), verdict.column));
    let values = block.values(verdict.column)?;
    let mut text = String::new();
    let asked = |tid: u16| match (held(tid), verdict.numbers.get(usize::from(tid))) {
        (Some(_), _) => Sought::No,
        (None, Some(Some(number))) => Sought::Number(*number),
        _ => Sought::Each,
    };
    // Rows of a trace are many, and of a user: each value is looked at once.
    let Distinct { numbers, others } = values.distinct(&asked)?.unwrap_or_default();
    let mut known: Vec<Option<bool>> = others.iter().map(|other| other.then_some(false)).collect();
    for (nth, (row, tid)) in values.entries.iter().enumerate() {
        if rows.has(row) || !candidates.has(row) {
            continue;
        }
        let known = numbers.get(nth).and_then(|number| known.get_mut(*number as usize));
        let holds = match (held(tid), &known) {
            (Some(holds), _) => holds,
            (None, Some(Some(holds))) => *holds,
            _ => {
                text.clear();
                values.push(nth, &mut text)?;
                holds(found, name, kind, &text)
            }
        };
        if let Some(known) = known {
            *known = Some(holds);
        }
        if holds {
            rows.set(row);
        }
    }
    Ok(())
}

fn of_head(found: &Match) -> bool {
    found.field.name().is_some_and(|name| HEAD.contains(&name))
}

fn eval_head(found: &Match, block: &Block<'_>, candidates: &Mask, rows: &mut Mask) -> Result<(), Corrupt> {
    let name = found.field.name().unwrap_or_default();
    let values: Vec<String> = match name {
        "id" => block.ids()?.iter().map(ToString::to_string).collect(),
        "timestamp" => block.times()?.iter().map(ToString::to_string).collect(),
        _ => block.received()?.iter().map(ToString::to_string).collect(),
    };
    for row in candidates.rows() {
        if values.get(row).is_some_and(|value| found.holds(name, Kind::Text, value)) {
            rows.set(row);
        }
    }
    Ok(())
}

fn name<'a>(opened: &'a Opened, column: &BlockColumn) -> &'a str {
    opened.columns().get(column.column as usize).map_or("", |column| &column.name)
}

fn kind(opened: &Opened, column: &BlockColumn) -> Kind {
    opened.columns().get(column.column as usize).map_or(Kind::Raw, |column| column.kind)
}

/// Whether the column can have values of the field.
fn concerns(found: &Match, opened: &Opened, column: &BlockColumn) -> bool {
    opened.columns().get(column.column as usize).is_some_and(|known| match &found.field {
        Field::Any => !NOT_SEARCHED.contains(&known.name.as_str()),
        Field::Named(field) => known.may_have(field),
    })
}

/// Whether every value for which it holds has the words that were taken from it.
fn by_words(found: &Match, kind: Kind) -> bool {
    match found.test {
        Test::Words(_) => true,
        Test::Value(_) | Test::Exact(_) => kind == Kind::Text || !number_like(&found.test),
        _ => false,
    }
}

fn number_like(test: &Test) -> bool {
    matches!(test, Test::Value(value) | Test::Exact(value) if number(value).is_some())
}

/// What a match comes to for the values of a template.
fn outcome(wanted: &Wanted<'_>, name: &str, kind: Kind, template: &Template) -> Outcome {
    if let Some(value) = template.value() {
        return Outcome::Known(holds(wanted.found, name, kind, value));
    }
    if matches!(wanted.found.test, Test::Exists) && kind != Kind::Raw {
        return Outcome::Known(true);
    }
    if !by_words(wanted.found, kind) {
        return Outcome::Values;
    }
    let mut in_variable = Vec::new();
    for (nth, (word, _)) in wanted.words.iter().enumerate() {
        match template.has_word(word) {
            HasWord::Yes => {}
            HasWord::No => return Outcome::Known(false),
            HasWord::InVariable => in_variable.push(nth),
        }
    }
    // One word is all that `Words` asks for; of several, and of a word with something at its side, the order counts.
    let lone = matches!((&wanted.found.test, wanted.words.as_slice()),
        (Test::Words(text), [(word, _)]) if text == word);
    match in_variable.as_slice() {
        [] if lone => Outcome::Known(true),
        [] => Outcome::Values,
        _ => {
            let mut words = in_variable.iter().filter_map(|nth| wanted.words.get(*nth));
            let number = words.find_map(|(word, _)| template.number_of(word));
            Outcome::Words(in_variable, number)
        }
    }
}

/// Whether a number of this range can be one that is wanted.
fn in_range(test: &Test, range: Option<(f64, f64)>) -> bool {
    let Some((min, max)) = range else { return true };
    match test {
        Test::Value(value) | Test::Exact(value) => {
            // What is no number is compared as text.
            number(value).is_none_or(|number| min <= number && number <= max)
        }
        Test::Range { low, high } => {
            let reaches = |bound: &Bound, reaches: fn(f64, f64) -> bool, end: f64| {
                bound.operand().is_none_or(|operand| match (operand.level, operand.time, operand.number) {
                    (None, None, Some(number)) => reaches(end, number),
                    _ => true,
                })
            };
            reaches(low, |end, number| end >= number, max) && reaches(high, |end, number| end <= number, min)
        }
        _ => true,
    }
}

/// Whether it holds for a value of a column: the leaves in it, if it is JSON.
fn holds(found: &Match, name: &str, kind: Kind, value: &str) -> bool {
    match kind {
        Kind::Text | Kind::Number => found.holds(name, kind, value),
        Kind::Raw => {
            let mut held = false;
            // What a writer has written parses.
            let _ =
                row::leaves_of(name, value, &mut |name, kind, value| held |= found.holds(name, kind, value));
            held
        }
    }
}

#[cfg(test)]
mod tests;
