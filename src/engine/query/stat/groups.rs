//! Groups of rows and what is measured of each.

use std::collections::HashMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{
    By, Key, Measure,
    column::{Coded, hash, hashes, numbers},
    state::State,
};
use crate::engine::{
    block::{Block, Corrupt, Kind, Weights, rows::Row},
    query::{mask::Mask, row::leaves, test::number},
};

/// Groups that are told apart; rows of others are left out.
const MAX_GROUPS: usize = 10_000;

/// Groups that one row may be in; a row of more is left out. Whoever sends a record says how many values it has.
const MAX_OF_ROW: usize = 512;

#[derive(Debug)]
pub struct Groups {
    by: Vec<By>,
    measures: Vec<Measure>,
    all: IndexMap<Vec<Key>, Vec<State>>,
    kept: usize,
    truncated: bool,
}

/// What has been gathered of some of the rows.
#[derive(Debug, Serialize, Deserialize)]
pub struct GroupsPart {
    groups: Vec<(Vec<Key>, Vec<State>)>,
    truncated: bool,
}

fn stretch(ms: i64, interval: i64) -> Key {
    Key::Time(ms - ms.rem_euclid(interval))
}

impl Groups {
    pub fn new(by: Vec<By>, measures: Vec<Measure>) -> Self {
        Self { by, measures, all: IndexMap::new(), kept: 0, truncated: false }
    }

    pub fn by(&self) -> &[By] {
        &self.by
    }

    pub fn measures(&self) -> &[Measure] {
        &self.measures
    }

    /// Whether rows are only counted.
    pub fn only_counts(&self) -> bool {
        self.measures.iter().all(|measure| *measure == Measure::Count)
    }

    /// Whether there were more groups than are told apart.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The groups that are told apart, once there can be no others.
    pub fn settled(&self) -> Option<Vec<Vec<Key>>> {
        (self.all.len() >= MAX_GROUPS).then(|| self.all.keys().cloned().collect())
    }

    /// Tells these groups apart and, if there can be no others, no others.
    pub fn settle(&mut self, groups: Vec<Vec<Key>>) {
        for keys in groups {
            self.group(keys);
        }
    }

    pub fn into_part(self) -> GroupsPart {
        GroupsPart { groups: self.all.into_iter().collect(), truncated: self.truncated }
    }

    /// Adds what was gathered of other rows. `false`: only the order can tell which groups are told apart, or which
    /// of their values.
    pub fn absorb(&mut self, part: GroupsPart) -> bool {
        let settled = self.all.len() >= MAX_GROUPS;
        if part.truncated && !settled {
            return false;
        }
        self.truncated |= part.truncated;
        for (keys, states) in part.groups {
            if keys.len() != self.by.len() || states.len() != self.measures.len() {
                return false;
            }
            let Some(group) = self.group(keys) else { return false };
            let Some((_, mine)) = self.all.get_index_mut(group) else { return false };
            for (mine, theirs) in mine.iter_mut().zip(states) {
                if !mine.absorb(theirs, &mut self.kept) {
                    return false;
                }
            }
        }
        settled || self.all.len() < MAX_GROUPS
    }

    pub fn into_groups(self) -> Vec<(Vec<Key>, Vec<State>)> {
        self.all.into_iter().collect()
    }

    /// The place of a group, to count rows there. `None`: it is not told apart from others.
    pub fn group(&mut self, keys: Vec<Key>) -> Option<usize> {
        if self.all.len() >= MAX_GROUPS {
            let nth = self.all.get_index_of(&keys);
            self.truncated |= nth.is_none();
            return nth;
        }
        let group = self.all.entry(keys);
        let nth = group.index();
        group.or_insert_with(|| self.measures.iter().map(State::new).collect());
        Some(nth)
    }

    fn states(&mut self, group: usize) -> impl Iterator<Item = &mut State> {
        self.all.get_index_mut(group).map(|(_, states)| states.iter_mut()).into_iter().flatten()
    }

    /// Adds so many records, which are only counted.
    pub fn count(&mut self, keys: Vec<Key>, records: u64) {
        if records > 0
            && let Some(group) = self.group(keys)
        {
            self.count_in(group, records);
        }
    }

    /// The same in the place of a group.
    pub fn count_in(&mut self, group: usize, records: u64) {
        for state in self.states(group) {
            state.count(records);
        }
    }

    /// The groups of every way to pick one value a field.
    fn combined(&mut self, values: &[Vec<Key>]) -> Vec<usize> {
        let ways = values.iter().fold(1_usize, |ways, of_field| ways.saturating_mul(of_field.len()));
        if ways > MAX_OF_ROW {
            self.truncated = true;
            return Vec::new();
        }
        let mut all: Vec<Vec<Key>> = vec![Vec::new()];
        for of_field in values {
            all = all
                .iter()
                .flat_map(|keys| {
                    of_field.iter().map(|key| [keys.as_slice(), std::slice::from_ref(key)].concat())
                })
                .collect();
        }
        all.into_iter().filter_map(|keys| self.group(keys)).collect()
    }

    pub fn row(&mut self, row: &Row<'_>) -> Result<(), Corrupt> {
        let mut values: Vec<Vec<Key>> = self.by.iter().map(|_| Vec::new()).collect();
        let mut found = Vec::new();
        for (by, values) in self.by.iter().zip(&mut values) {
            if let By::Time(interval) = by {
                values.push(stretch(row.head.timestamp.as_ms(), *interval));
            }
        }
        leaves(row.line, &mut |name, kind, value| {
            for (by, values) in self.by.iter().zip(&mut values) {
                if matches!(by, By::Field(field) if field == name)
                    && let Some(key) = Key::of(kind, value).filter(|key| !values.contains(key))
                {
                    values.push(key);
                }
            }
            for (nth, measure) in self.measures.iter().enumerate() {
                if measure.field() == Some(name) {
                    let number = number(value).filter(|_| kind != Kind::Raw);
                    found.push((nth, number, hash(kind, value)));
                }
            }
        })?;
        for values in values.iter_mut().filter(|values| values.is_empty()) {
            values.push(Key::Absent);
        }
        let weight = row.weight();
        for group in self.combined(&values) {
            let Some((_, states)) = self.all.get_index_mut(group) else { continue };
            for state in &mut *states {
                state.count(weight);
            }
            for (nth, number, hash) in &found {
                let Some(state) = states.get_mut(*nth) else { continue };
                if let Some(number) = number {
                    state.number(*number, weight);
                }
                if let Some(hash) = hash {
                    state.value(*hash, &mut self.kept);
                }
            }
        }
        Ok(())
    }

    pub fn block(&mut self, block: &Block<'_>, wanted: &Mask) -> Result<(), Corrupt> {
        let coded: Vec<Coded> =
            self.by.iter().map(|by| coded(block, by, wanted)).collect::<Result<_, _>>()?;
        let weights = block.weights()?;
        let (mut of_rows, several) = self.places(&weights, &coded, wanted);
        for (group, records) in of_rows.counts.drain(..) {
            self.count_in(group, records);
        }
        for nth in 0..self.measures.len() {
            let Some(measure) = self.measures.get(nth).cloned() else { continue };
            let Some(field) = measure.field() else { continue };
            let (groups, kept) = (&mut self.all, &mut self.kept);
            let mut each = |row: usize, add: &mut dyn FnMut(&mut State, &mut usize)| {
                let first = of_rows.first.get(row).copied().filter(|group| *group != usize::MAX);
                for group in first.into_iter().chain(several.get(&row).into_iter().flatten().copied()) {
                    if let Some(state) =
                        groups.get_index_mut(group).and_then(|(_, states)| states.get_mut(nth))
                    {
                        add(state, kept);
                    }
                }
            };
            if matches!(measure, Measure::Uniq(_)) {
                hashes(block, field, wanted, &mut |row, hash| {
                    each(row, &mut |state, kept| state.value(hash, kept));
                })?;
            } else {
                numbers(block, field, wanted, &mut |row, number| {
                    let weight = weights.of(row);
                    each(row, &mut |state, _| state.number(number, weight));
                })?;
            }
        }
        Ok(())
    }

    /// The groups of each row, and how many records each group gets. Groups are looked up once for every way in
    /// which values come together.
    fn places(
        &mut self,
        weights: &Weights,
        fields: &[Coded],
        wanted: &Mask,
    ) -> (OfRows, HashMap<usize, Vec<usize>>) {
        let mut more: HashMap<usize, Vec<Vec<u32>>> = HashMap::new();
        for (nth, field) in fields.iter().enumerate() {
            for (row, code) in &field.more {
                let codes = more.entry(*row as usize).or_insert_with(|| vec![Vec::new(); fields.len()]);
                if let Some(codes) = codes.get_mut(nth) {
                    codes.push(*code);
                }
            }
        }
        let mut of_rows = OfRows { first: vec![usize::MAX; wanted.len()], counts: Vec::new() };
        let mut places: HashMap<Vec<u32>, Option<usize>> = HashMap::new();
        let mut counts: HashMap<usize, u64> = HashMap::new();
        let mut several: HashMap<usize, Vec<usize>> = HashMap::new();
        let (mut codes, mut last) = (Vec::with_capacity(fields.len()), (Vec::new(), None, 0_u64));
        for row in wanted.rows() {
            codes.clear();
            codes.extend(fields.iter().map(|field| field.codes.get(row).copied().unwrap_or(0)));
            if let Some(extra) = more.get(&row) {
                let with = |(code, extra): (&u32, &Vec<u32>)| [&[*code], extra.as_slice()].concat();
                let values: Vec<Vec<Key>> = codes
                    .iter()
                    .zip(extra)
                    .map(with)
                    .zip(fields)
                    .map(|(codes, field)| codes.iter().map(|code| key(field, *code)).collect())
                    .collect();
                let groups = self.combined(&values);
                for group in &groups {
                    *counts.entry(*group).or_default() += weights.of(row);
                }
                several.insert(row, groups);
                continue;
            }
            if last.0 != codes || last.2 == 0 {
                if let Some(group) = last.1 {
                    *counts.entry(group).or_default() += last.2;
                }
                let group = if let Some(group) = places.get(&codes) {
                    *group
                } else {
                    let keys = codes.iter().zip(fields).map(|(code, field)| key(field, *code)).collect();
                    let group = self.group(keys);
                    places.insert(codes.clone(), group);
                    group
                };
                last = (codes.clone(), group, 0);
            }
            last.2 += weights.of(row);
            if let (Some(slot), Some(group)) = (of_rows.first.get_mut(row), last.1) {
                *slot = group;
            }
        }
        if let Some(group) = last.1 {
            *counts.entry(group).or_default() += last.2;
        }
        of_rows.counts = counts.into_iter().collect();
        (of_rows, several)
    }
}

struct OfRows {
    /// The group of a row that is in one alone.
    first: Vec<usize>,
    counts: Vec<(usize, u64)>,
}

fn key(field: &Coded, code: u32) -> Key {
    field.keys.get(code as usize).cloned().unwrap_or(Key::Absent)
}

fn coded(block: &Block<'_>, by: &By, wanted: &Mask) -> Result<Coded, Corrupt> {
    let interval = match by {
        By::Field(field) => return Coded::new(block, field, wanted),
        By::Time(interval) => *interval,
    };
    let (min, max) = (block.meta().min_time.as_ms(), block.meta().max_time.as_ms());
    if stretch(min, interval) == stretch(max, interval) {
        let keys = vec![stretch(min, interval)];
        return Ok(Coded { keys, codes: vec![0; block.len()], more: Vec::new() });
    }
    let (mut keys, mut known) = (Vec::new(), HashMap::new());
    let mut codes = Vec::with_capacity(block.len());
    for time in block.times()?.iter().copied() {
        let key = stretch(time.as_ms(), interval);
        codes.push(*known.entry(key.clone()).or_insert_with(|| {
            keys.push(key);
            u32::try_from(keys.len() - 1).unwrap_or(0)
        }));
    }
    Ok(Coded { keys, codes, more: Vec::new() })
}

#[cfg(test)]
mod tests;
