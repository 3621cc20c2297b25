//! Cutting the values of a column into templates and variables, and its words into filter keys.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use xxhash_rust::xxh3::xxh3_64;

use super::{Dictionary, Values};
use crate::engine::block::{
    template::{Cut, Fixed, RAW_FORM, Var},
    words,
};

/// A value that is longer is no template: they stand in the footer.
const MAX_FORM_BYTES: usize = 1_000;

/// Templates of a block at the most.
const MAX_TEMPLATES: usize = 2_000;

/// Bytes that the variables of a column can take at the most: well below what a reader inflates a chunk to. Short
/// numbers among long ones take more than they do as text.
const MAX_VARIABLE_BYTES: usize = 6 << 20;

/// Values looked at to guess how the others are built.
const SAMPLES: usize = 32;

#[derive(Debug, Default)]
pub(in crate::engine::block) struct Parsed {
    /// The template of each value.
    pub(in crate::engine::block) tids: Vec<u32>,
    pub(in crate::engine::block) templates: Vec<Rows>,
    /// Hashes of the words that are not in a template's text, sorted.
    pub(in crate::engine::block) words: Vec<u64>,
}

/// The rows of one template.
#[derive(Debug)]
pub(in crate::engine::block) struct Rows {
    pub(in crate::engine::block) form: String,
    pub(in crate::engine::block) count: u32,
    pub(in crate::engine::block) vars: Vec<(Var, Values)>,
}

impl Rows {
    pub(super) fn new(form: &str, vars: &[(Var, usize, usize)]) -> Self {
        let vars = vars.iter().map(|(var, ..)| (*var, Values::new(*var))).collect();
        Self { form: form.to_owned(), count: 0, vars }
    }
}

/// Hashes that are used as they are.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// The texts met so far, by their hash.
#[derive(Default)]
struct Known(HashMap<u64, u32, BuildHasherDefault<AsIs>>);

impl Known {
    /// The number of a text, or the place to put it.
    fn find(&self, text: &[u8], same: impl Fn(u32) -> bool) -> Result<u32, u64> {
        let mut hash = xxh3_64(text);
        while let Some(number) = self.0.get(&hash) {
            if same(*number) {
                return Ok(*number);
            }
            hash = hash.wrapping_add(1);
        }
        Err(hash)
    }
}

impl Parsed {
    /// Cuts up text. `room` says whether the segment's dictionary can take one more template.
    pub(in crate::engine::block) fn of_texts(
        values: &[&str],
        dictionary: Option<Dictionary<'_>>,
        room: impl Fn(&str) -> bool,
    ) -> Self {
        if let Some(dictionary) = dictionary {
            return dictionary.into_parsed().without_rare(values, 1, room, &text_words);
        }
        let rare = if values.len() < 256 { 2 } else { 4 };
        let parsed = Self::templates(values);
        let bytes: usize =
            parsed.templates.iter().flat_map(|rows| &rows.vars).map(|(_, v)| v.most_bytes()).sum();
        let rare = if bytes > MAX_VARIABLE_BYTES { u32::MAX } else { rare };
        parsed.without_rare(values, rare, room, &text_words)
    }

    /// Takes JSON that is no text and no number: a dictionary, or whole.
    pub(in crate::engine::block) fn of_json(
        values: &[&str],
        dictionary: Option<Dictionary<'_>>,
        room: impl Fn(&str) -> bool,
        words: &dyn Fn(&str, &mut Vec<u64>),
    ) -> Self {
        let whole = || {
            let rows = Rows::new("", &[]);
            Self { tids: vec![0; values.len()], templates: vec![rows], words: Vec::new() }
        };
        let parsed = dictionary.map_or_else(whole, Dictionary::into_parsed);
        let keep = if parsed.templates.iter().all(|rows| rows.count > 0) { 1 } else { u32::MAX };
        // Within an escape begins no word: the words of a template would be others than the value's.
        parsed.without_rare(values, keep, |form| !form.contains('\\') && room(form), words)
    }

    fn templates(values: &[&str]) -> Self {
        let step = (values.len() / SAMPLES).max(1);
        let samples: Vec<&str> = values.iter().step_by(step).take(SAMPLES).copied().collect();
        let fixed = Fixed::of(&samples);
        let mut fixed_tid = None;
        let mut parsed = Self { tids: Vec::with_capacity(values.len()), ..Self::default() };
        let mut known = Known::default();
        let mut cut = Cut::default();
        let mut last: Option<u32> = None;
        for value in values {
            let is_fixed = fixed.as_ref().is_some_and(|fixed| fixed.cut(value, &mut cut));
            if !is_fixed && !cut.cut(value) {
                cut.whole();
            }
            let is = |parsed: &Self, tid: u32| {
                parsed.templates.get(tid as usize).is_some_and(|rows| rows.form == cut.form)
            };
            let tid = match (fixed_tid.filter(|_| is_fixed), last.filter(|tid| is(&parsed, *tid))) {
                (Some(tid), _) | (None, Some(tid)) => tid,
                _ => match known.find(cut.form.as_bytes(), |tid| is(&parsed, tid)) {
                    Ok(tid) => tid,
                    Err(hash) => {
                        let tid = u32::try_from(parsed.templates.len()).unwrap_or(u32::MAX);
                        known.0.insert(hash, tid);
                        parsed.templates.push(Rows::new(&cut.form, &cut.vars));
                        tid
                    }
                },
            };
            if is_fixed {
                fixed_tid = Some(tid);
            }
            last = Some(tid);
            parsed.tids.push(tid);
            parsed.take(tid, value, &cut);
        }
        parsed
    }

    fn take(&mut self, tid: u32, value: &str, cut: &Cut) {
        let Some(rows) = self.templates.get_mut(tid as usize) else { return };
        rows.count += 1;
        for ((var, values), (_, from, to)) in rows.vars.iter_mut().zip(&cut.vars) {
            let text = if *var == Var::Raw { Some(value) } else { value.get(*from..*to) };
            values.push(*var, text.unwrap_or_default());
        }
        if cut.is_whole() {
            text_words(value, &mut self.words);
        }
        for (from, to) in &cut.words {
            let word = value.get(*from..*to).unwrap_or_default();
            self.words.push(words::hash(&words::fold(word)));
        }
    }

    /// Keeps the values whole whose template too few others share, or the footer has no room for.
    fn without_rare(
        mut self,
        values: &[&str],
        rare: u32,
        room: impl Fn(&str) -> bool,
        words: &dyn Fn(&str, &mut Vec<u64>),
    ) -> Self {
        let mut kept = 0;
        let mut keeps = |rows: &Rows| {
            let keep = rows.form == RAW_FORM
                || (rows.count >= rare
                    && kept < MAX_TEMPLATES
                    && rows.form.len() <= MAX_FORM_BYTES
                    && room(&rows.form));
            kept += usize::from(keep);
            keep
        };
        let keep: Vec<bool> = self.templates.iter().map(&mut keeps).collect();
        if keep.iter().all(|keep| *keep) {
            self.sort_words();
            return self;
        }
        let mut whole = Rows::new(RAW_FORM, &[(Var::Raw, 0, 0)]);
        let mut numbers = Vec::with_capacity(keep.len());
        let mut next = 1;
        for (keep, rows) in keep.iter().zip(&self.templates) {
            let goes_on = *keep && rows.form != RAW_FORM;
            numbers.push(if goes_on { next } else { 0 });
            next += u32::from(goes_on);
        }
        for (value, tid) in values.iter().zip(&mut self.tids) {
            *tid = numbers.get(*tid as usize).copied().unwrap_or(0);
            if *tid == 0 {
                whole.count += 1;
                for (var, values) in &mut whole.vars {
                    values.push(*var, value);
                }
                words(value, &mut self.words);
            }
        }
        let mut numbers = numbers.iter();
        self.templates.retain(|_| numbers.next().is_some_and(|number| *number > 0));
        self.templates.insert(0, whole);
        self.sort_words();
        self
    }

    fn sort_words(&mut self) {
        self.words.sort_unstable();
        self.words.dedup();
    }
}

fn text_words(value: &str, hashes: &mut Vec<u64>) {
    hashes.extend(words::words(&words::fold(value)).map(words::hash));
}

impl Values {
    /// Bytes that they take at the most, before gzip.
    fn most_bytes(&self) -> usize {
        let width = |numbers: &[u64]| {
            let spread = numbers.iter().max().zip(numbers.iter().min()).map_or(0, |(max, min)| max - min);
            (u64::BITS - spread.leading_zeros()).div_ceil(8) as usize
        };
        // Which of the distinct ones each is takes two bytes.
        16 + match self {
            Self::Numbers(numbers) => numbers.len() * width(numbers),
            Self::Hex { digits, text } => text.len() / digits.max(&1) * (digits.div_ceil(2) + 2),
            Self::Texts { lengths, text } => lengths.len() * width(lengths) + text.len(),
        }
    }

    fn push(&mut self, var: Var, value: &str) {
        match self {
            Self::Numbers(numbers) if var == Var::Ip4 => {
                let parts = value.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
                numbers.push(parts.fold(0, |number, part| number << 8 | part));
            }
            // Digits that fit: the cut saw to it.
            Self::Numbers(numbers) => {
                numbers.push(value.bytes().fold(0, |number, b| number * 10 + u64::from(b - b'0')));
            }
            Self::Hex { text, .. } => {
                value.split('-').for_each(|digits| text.extend_from_slice(digits.as_bytes()));
            }
            Self::Texts { lengths, text } => {
                lengths.push(value.len() as u64);
                text.extend_from_slice(value.as_bytes());
            }
        }
    }
}
