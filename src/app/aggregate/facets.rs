//! The values that fields have, the most frequent first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{App, Error, Filter, Gather, Key, Mask, Part, Reader, Row, Sink, Stats, scan};
use crate::engine::{
    block::{Block, Kind},
    query::{leaves, row::leaves_of, stat::Coded},
};

/// Fields whose values come again and again.
const USUAL: [&str; 14] = [
    "service",
    "level",
    "environment",
    "component",
    "endpoint",
    "method",
    "category",
    "source_type",
    "error_type",
    "logger",
    "thread",
    "status",
    "host",
    "tags",
];

/// Fields of metadata that are looked at where none are named.
const MAX_FOUND: usize = 50;

/// Values of a field that are told apart; rows with others are counted together.
const MAX_VALUES: usize = 5_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FacetValue {
    pub value: Key,
    pub count: u64,
}

#[derive(Clone, Debug, Default)]
pub struct Facet {
    values: HashMap<Key, u64>,
    /// Of records whose values are not told apart.
    other: u64,
}

impl Facet {
    fn add(&mut self, key: &Key, records: u64) {
        if let Some(count) = self.values.get_mut(key) {
            *count += records;
        } else if self.values.len() < MAX_VALUES {
            self.values.insert(key.clone(), records);
        } else {
            self.other += records;
        }
    }

    /// The same without values that say who somebody is.
    fn masked(self, name: &str) -> Self {
        let mut masked = Self { other: self.other, ..Self::default() };
        for (key, rows) in &self.values {
            masked.add(&super::masked(name, key), *rows);
        }
        masked
    }

    /// The most frequent values, how often there were others, and whether some were not told apart.
    pub fn top(self, limit: usize) -> (Vec<FacetValue>, u64, bool) {
        let mut values: Vec<FacetValue> =
            self.values.into_iter().map(|(value, count)| FacetValue { value, count }).collect();
        values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
        let rest: u64 = values.iter().skip(limit).map(|value| value.count).sum();
        values.truncate(limit);
        (values, rest + self.other, self.other > 0)
    }
}

#[derive(Debug)]
pub struct Facets {
    /// In the order in which they were asked for, or by name.
    pub fields: Vec<(String, Facet)>,
    pub stats: Stats,
}

/// `names` are stored names; without any the usual ones are looked at, and those of metadata.
pub async fn facets(app: &App, reader: &Reader, filter: &Filter, names: &[String]) -> Result<Facets, Error> {
    let new = || {
        let known: Vec<&str> =
            if names.is_empty() { USUAL.to_vec() } else { names.iter().map(String::as_str).collect() };
        let facets = known.into_iter().map(|name| (name.to_owned(), Facet::default())).collect();
        Counting { facets, finds: names.is_empty(), found: 0 }
    };
    let (sink, stats) = scan(app, &reader.with_patterns_of(app, filter).await?.confine(filter), new).await?;
    let mut facets = sink.into_facets();
    let order: Vec<String> = if names.is_empty() {
        USUAL
            .iter()
            .map(|name| (*name).to_owned())
            .chain(facets.keys().filter(|name| !USUAL.contains(&name.as_str())).cloned())
            .collect()
    } else {
        names.to_vec()
    };
    let mask = |name: &str, facet: Facet| if reader.masks() { facet.masked(name) } else { facet };
    let fields = order.into_iter().filter_map(|name| {
        let facet = facets.remove(&name)?;
        Some((name.clone(), mask(&name, facet)))
    });
    // A usual field that no row has says nothing.
    let fields = fields.filter(|(_, facet)| !names.is_empty() || !facet.values.is_empty()).collect();
    Ok(Facets { fields, stats })
}

/// A field with the values that are told apart, once there can be no others.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KnownFacet {
    name: String,
    settled: Option<Vec<Key>>,
}

impl KnownFacet {
    pub fn is_settled(&self) -> bool {
        self.settled.is_some()
    }
}

/// What has been counted of some of the rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct FacetsPart(Vec<FacetPart>);

#[derive(Debug, Serialize, Deserialize)]
struct FacetPart {
    name: String,
    values: Vec<(Key, u64)>,
    other: u64,
}

pub struct Counting {
    facets: BTreeMap<String, Facet>,
    /// Whether fields of metadata are looked at where they are met.
    finds: bool,
    found: usize,
}

impl Counting {
    /// Of these fields and, if it `finds`, of those of metadata that it meets.
    pub fn new(known: Vec<KnownFacet>, finds: bool) -> Self {
        let facet = |settled: Option<Vec<Key>>| {
            let values = settled.into_iter().flatten().take(MAX_VALUES).map(|key| (key, 0)).collect();
            Facet { values, other: 0 }
        };
        let found = known.iter().filter(|one| !USUAL.contains(&one.name.as_str())).count();
        let facets = known.into_iter().map(|one| (one.name, facet(one.settled))).collect();
        Self { facets, finds, found }
    }

    /// Every field that was looked at, by its name.
    pub fn into_facets(self) -> BTreeMap<String, Facet> {
        self.facets
    }

    /// `None` when it came to the fields that are looked at.
    pub fn into_part(self) -> Option<FacetsPart> {
        if self.finds && self.found >= MAX_FOUND {
            return None;
        }
        let part = self.facets.into_iter().map(|(name, facet)| {
            let values = facet.values.into_iter().filter(|(_, rows)| *rows > 0).collect();
            FacetPart { name, values, other: facet.other }
        });
        Some(FacetsPart(part.collect()))
    }

    fn meet(&mut self, name: &str) {
        if self.finds
            && self.found < MAX_FOUND
            && name.starts_with("metadata.")
            && !self.facets.contains_key(name)
        {
            self.facets.insert(name.to_owned(), Facet::default());
            self.found += 1;
        }
    }
}

impl Facet {
    fn settled(&self) -> Option<Vec<Key>> {
        (self.values.len() >= MAX_VALUES).then(|| self.values.keys().cloned().collect())
    }

    /// Adds what was counted of other rows. `false`: only the order can tell which values are told apart.
    fn absorb(&mut self, part: &FacetPart) -> bool {
        let settled = self.values.len() >= MAX_VALUES;
        if !settled && part.other > 0 {
            return false;
        }
        self.other += part.other;
        for (key, rows) in &part.values {
            self.add(key, *rows);
        }
        settled || self.values.len() < MAX_VALUES
    }
}

impl Sink for Counting {
    fn row(&mut self, row: &Row<'_>, _: Option<&Arc<str>>) -> Result<(), Error> {
        let (mut seen, weight) = (BTreeSet::new(), row.weight());
        leaves(row.line, &mut |name, kind, value| {
            self.meet(name);
            if let Some(facet) = self.facets.get_mut(name)
                && let Some(key) = Key::of(kind, value)
                && seen.insert((name.to_owned(), key.clone()))
            {
                facet.add(&key, weight);
            }
        })?;
        Ok(())
    }

    fn block(&mut self, block: &Block<'_>, wanted: &Mask, _: &Arc<str>) -> Result<(), Error> {
        let finds = self.finds;
        for column in block.meta().columns.iter().filter(|_| finds) {
            let Some(known) = block.opened().columns().get(column.column as usize) else { continue };
            if known.kind != Kind::Raw {
                self.meet(&known.name);
                continue;
            }
            if !known.name.starts_with("metadata") || self.found >= MAX_FOUND {
                continue;
            }
            // What is in an array has names of its own.
            let values = block.values(column)?;
            let mut text = String::new();
            for (entry, (row, _)) in values.entries.iter().enumerate() {
                if wanted.has(row) {
                    text.clear();
                    values.push(entry, &mut text)?;
                    leaves_of(&known.name, &text, &mut |name, _, _| self.meet(name))?;
                }
            }
        }
        let weights = block.weights()?;
        for (name, facet) in &mut self.facets {
            let coded = Coded::new(block, name, wanted)?;
            let mut counts = vec![0_u64; coded.keys.len()];
            let first = wanted.rows().filter_map(|row| Some((row, coded.codes.get(row)?)));
            for (row, code) in first.chain(coded.more.iter().map(|(row, code)| (*row as usize, code))) {
                if let Some(count) = counts.get_mut(*code as usize) {
                    *count += weights.of(row);
                }
            }
            for (key, count) in coded.keys.iter().zip(counts).skip(1).filter(|(_, count)| *count > 0) {
                facet.add(key, count);
            }
        }
        Ok(())
    }

    fn gather(&self) -> Option<Gather> {
        let known =
            |(name, facet): (&String, &Facet)| KnownFacet { name: name.clone(), settled: facet.settled() };
        let known = self.facets.iter().map(known).collect();
        Some(Gather::Facets { known, finds: self.finds && self.found < MAX_FOUND })
    }

    fn absorb(&mut self, part: Part) -> bool {
        let Part::Facets(FacetsPart(part)) = part else { return false };
        let found = self.found;
        for one in part {
            self.meet(&one.name);
            if !self.facets.get_mut(&one.name).is_some_and(|facet| facet.absorb(&one)) {
                return false;
            }
        }
        self.found == found || self.found < MAX_FOUND
    }
}
