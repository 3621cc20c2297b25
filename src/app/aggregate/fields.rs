//! The names of the fields that rows have. Footers know them: no block is read whose rows are all wanted.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{App, Error, Filter, Gather, Mask, Opened, Part, Reader, Row, Sink, Stats, scan};
use crate::engine::block::{Block, Corrupt, Kind};

/// Fields that are told apart.
const MAX_FIELDS: usize = 5_000;

/// How many records have a field, by the kind of value that they have there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRows {
    pub text: u64,
    pub number: u64,
    /// Booleans, arrays and whatever else stands as JSON.
    pub json: u64,
}

impl FieldRows {
    fn add(&mut self, kind: Kind, rows: u64) {
        match kind {
            Kind::Text => self.text += rows,
            Kind::Number => self.number += rows,
            Kind::Raw => self.json += rows,
        }
    }
}

/// Every field with its rows, how many rows there are, and what it cost.
pub async fn fields(
    app: &App,
    reader: &Reader,
    filter: &Filter,
) -> Result<(BTreeMap<String, FieldRows>, u64, Stats), Error> {
    let (mut names, mut stats) =
        scan(app, &reader.with_patterns_of(app, filter).await?.confine(filter), Names::default).await?;
    for name in ["id", "timestamp", "received_at"] {
        if names.rows > 0 {
            names.fields.insert(name.to_owned(), FieldRows { text: names.rows, ..FieldRows::default() });
        }
    }
    stats.partial |= names.fields.len() >= MAX_FIELDS;
    Ok((names.fields, names.rows, stats))
}

/// What has been counted of some of the rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct FieldsPart {
    fields: BTreeMap<String, FieldRows>,
    rows: u64,
}

#[derive(Default)]
pub struct Names {
    fields: BTreeMap<String, FieldRows>,
    rows: u64,
}

impl Names {
    /// `None` when it came to the fields that are told apart.
    pub fn into_part(self) -> Option<FieldsPart> {
        (self.fields.len() < MAX_FIELDS).then_some(FieldsPart { fields: self.fields, rows: self.rows })
    }

    fn add(&mut self, name: &str, kind: Kind, rows: u64) {
        if let Some(known) = self.fields.get_mut(name) {
            known.add(kind, rows);
        } else if self.fields.len() < MAX_FIELDS && rows > 0 {
            self.fields.entry(name.to_owned()).or_default().add(kind, rows);
        }
    }

    fn value(&mut self, path: &str, value: &Value, weight: u64) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (name, value) in members {
                    self.value(&format!("{path}.{name}"), value, weight);
                }
            }
            Value::String(_) => self.add(path, Kind::Text, weight),
            Value::Number(_) => self.add(path, Kind::Number, weight),
            _ => self.add(path, Kind::Raw, weight),
        }
    }
}

impl Sink for Names {
    fn row(&mut self, row: &Row<'_>, _: Option<&Arc<str>>) -> Result<(), Error> {
        let weight = row.weight();
        self.rows += weight;
        let value: BTreeMap<String, Value> =
            serde_json::from_slice(row.line).map_err(|error| Corrupt::damaged("row", error))?;
        for (name, value) in &value {
            self.value(name, value, weight);
        }
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, _: &Arc<str>) -> Result<(), Error> {
        let weights = block.weights()?;
        self.rows += weights.sum(wanted.rows());
        for column in &block.meta().columns {
            let Some(known) = block.opened().columns().get(column.column as usize) else { continue };
            let entries = block.entries(column)?;
            let rows = entries.iter().map(|(row, _)| row).filter(|row| wanted.has(*row));
            self.add(&known.name, known.kind, weights.sum(rows));
        }
        Ok(())
    }

    fn counted(&mut self, opened: &Opened, nth: usize, rows: u64) -> bool {
        let whole = opened.footer.blocks.get(nth).filter(|block| u64::from(block.rows) == rows);
        let Some(block) = whole.filter(|_| !opened.is_sampled(nth)) else { return rows == 0 };
        self.rows += rows;
        for column in &block.columns {
            if let Some(known) = opened.columns().get(column.column as usize) {
                self.add(&known.name, known.kind, u64::from(column.rows));
            }
        }
        true
    }

    fn gather(&self) -> Option<Gather> {
        (self.fields.len() < MAX_FIELDS).then_some(Gather::Fields)
    }

    fn absorb(&mut self, part: Part) -> bool {
        let Part::Fields(part) = part else { return false };
        self.rows += part.rows;
        for (name, rows) in part.fields {
            for (kind, rows) in [(Kind::Text, rows.text), (Kind::Number, rows.number), (Kind::Raw, rows.json)]
            {
                if rows > 0 {
                    self.add(&name, kind, rows);
                }
            }
        }
        self.fields.len() < MAX_FIELDS
    }
}
