//! Forms of one frame to patterns: a pure function of the set of forms.
//!
//! A word is a variable where enough forms that are equal in all other words differ in it. How many is enough
//! depends on where the word stands and what the words look like. Found variables make further forms equal, so it
//! is done until nothing changes; all variables of a round are found before any is applied, so that no order
//! matters.

use std::collections::HashMap;

use super::{
    hash::{Hashed, hash, spread},
    shape::{is_identity, is_kind, is_speech, is_thing, is_verbal},
    text::{MAX_WORDS, Parts},
};

/// A value that the form masked, and a word that the group opened.
const MASKED: u64 = 0;
const OPENED: u64 = 1;

/// Forms that differ in two words at once are compared only in sets of some size.
const MANY_ROWS: usize = 3;
const PAIR_ROWS: usize = 12;
const PAIR_VALUES: usize = 6;
const PAIR_WORDS: usize = 12;
/// More sets of variables than a real frame has are not compared with each other.
const MAX_SETS: usize = 32;
const MAX_TRIED_SETS: usize = 8;

/// A form to be grouped.
pub(super) struct Form<'a> {
    pub(super) parts: Parts<'a>,
    /// Words that were found to be variables before.
    pub(super) open: u128,
}

/// Forms that are one pattern, by their places in what was given, and the words that are variables in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) members: Vec<usize>,
    pub(super) open: u128,
}

struct Row {
    words: Vec<u64>,
    /// The sum of what each word adds, so that a word can be taken out again.
    sum: u64,
    open: u128,
    members: Vec<usize>,
}

impl Row {
    fn new(words: Vec<u64>, open: u128, members: Vec<usize>) -> Self {
        let mut row = Self { words, sum: 0, open: 0, members };
        for at in 0..row.words.len() {
            let word = row.word(at);
            row.sum = row.sum.wrapping_add(adds(at, word));
        }
        row.widen(open);
        row
    }

    fn word(&self, at: usize) -> u64 {
        self.words.get(at).copied().unwrap_or(OPENED)
    }

    fn widen(&mut self, open: u128) {
        for at in bits(open & !self.open) {
            self.sum = self.without(at).wrapping_add(adds(at, OPENED));
            if let Some(word) = self.words.get_mut(at) {
                *word = OPENED;
            }
        }
        self.open |= open;
    }

    fn without(&self, at: usize) -> u64 {
        self.sum.wrapping_sub(adds(at, self.word(at)))
    }

    /// The sum that the row would have with these words open.
    fn widened(&self, open: u128) -> u64 {
        bits(open).fold(self.sum, |sum, at| {
            sum.wrapping_sub(adds(at, self.word(at))).wrapping_add(adds(at, OPENED))
        })
    }
}

fn adds(at: usize, word: u64) -> u64 {
    spread(word ^ (u64::try_from(at).unwrap_or(0) << 56) ^ 0x5851_f42d_4c95_7f2d)
}

fn bits(mut set: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = usize::try_from(set.trailing_zeros()).unwrap_or(MAX_WORDS);
        set &= set.wrapping_sub(1);
        (at < MAX_WORDS).then_some(at)
    })
}

fn bit(at: usize) -> u128 {
    u32::try_from(at).ok().and_then(|at| 1_u128.checked_shl(at)).unwrap_or(0)
}

/// Groups forms of one frame.
pub(super) fn group(forms: &[Form<'_>]) -> Vec<Group> {
    let mut rows: Vec<Row> = forms
        .iter()
        .enumerate()
        .map(|(at, form)| {
            let words = form.parts.words.iter();
            let words = words.map(|word| if word.is_empty() { MASKED } else { hash(word) | 2 }).collect();
            Row::new(words, form.open, vec![at])
        })
        .collect();
    loop {
        gather(&mut rows);
        let found = if rows.len() > 1 { variables(forms, &rows) } else { Vec::new() };
        if found.is_empty() {
            break;
        }
        for (at, open) in found {
            if let Some(row) = rows.get_mut(at) {
                row.widen(open);
            }
        }
    }
    let mut groups: Vec<Group> =
        rows.into_iter().map(|row| Group { members: row.members, open: row.open }).collect();
    for group in &mut groups {
        group.members.sort_unstable();
    }
    groups.sort_by(|one, other| one.members.cmp(&other.members));
    groups
}

/// Puts equal rows together, and rows to the row whose variables allow what they say.
fn gather(rows: &mut Vec<Row>) {
    let mut sets: Vec<u128> = rows.iter().map(|row| row.open).collect();
    sets.sort_unstable_by_key(|set| (set.count_ones(), *set));
    sets.dedup();
    sets.truncate(MAX_SETS);
    let mut known: HashMap<u64, usize, Hashed> = HashMap::default();
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    rows.sort_by(|one, other| {
        let (wide, narrow) = (other.open.count_ones(), one.open.count_ones());
        wide.cmp(&narrow).then_with(|| one.words.cmp(&other.words))
    });
    for row in rows.drain(..) {
        let mut wider = sets.iter().filter(|set| **set & row.open == row.open);
        let target = wider.find_map(|set| known.get(&spread(row.widened(*set)).wrapping_add(low(*set))));
        if let Some(found) = target.and_then(|at| kept.get_mut(*at)) {
            found.members.extend(row.members);
        } else {
            known.insert(spread(row.sum).wrapping_add(low(row.open)), kept.len());
            kept.push(row);
        }
    }
    *rows = kept;
}

fn low(set: u128) -> u64 {
    let bytes = set.to_le_bytes();
    hash(&bytes)
}

/// The words that are variables, for each row that has some.
fn variables(forms: &[Form<'_>], rows: &[Row]) -> Vec<(usize, u128)> {
    let differing = differing(rows);
    let mut found: HashMap<usize, u128, Hashed> = HashMap::default();
    let mut alike: HashMap<u64, Vec<usize>, Hashed> = HashMap::default();
    for at in bits(differing) {
        alike.clear();
        for (place, row) in rows.iter().enumerate() {
            if row.open & bit(at) == 0 {
                alike.entry(spread(row.without(at))).or_default().push(place);
            }
        }
        for places in alike.values().filter(|places| places.len() > 1) {
            if is_variable(forms, rows, places, at) {
                for place in places {
                    *found.entry(*place).or_default() |= bit(at);
                }
            }
        }
    }
    if found.is_empty() && rows.len() >= MANY_ROWS {
        values(forms, rows, differing, &mut found);
    }
    if found.is_empty() && rows.len() >= PAIR_ROWS {
        pairs(rows, differing, &mut found);
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_unstable();
    found
}

/// The words in which not all rows are the same.
fn differing(rows: &[Row]) -> u128 {
    let Some((first, others)) = rows.split_first() else { return 0 };
    let mut set = 0;
    for (at, word) in first.words.iter().enumerate() {
        if others.iter().any(|row| row.word(at) != *word) {
            set |= bit(at);
        }
    }
    set
}

/// Words in places of values, of rows that are the same in all other places. What is a variable in one of them is
/// one in all.
fn values(forms: &[Form<'_>], rows: &[Row], differing: u128, found: &mut HashMap<usize, u128, Hashed>) {
    let places: Vec<u128> =
        rows.iter().map(|row| form_of(forms, row).map_or(0, |form| hinted(form, differing))).collect();
    let mut sets: Vec<u128> = rows.iter().map(|row| row.open).collect();
    sets.push(0);
    sets.sort_unstable_by_key(|set| (set.count_ones(), *set));
    sets.dedup();
    sets.truncate(MAX_TRIED_SETS);
    let mut alike: HashMap<u64, (u128, Vec<usize>), Hashed> = HashMap::default();
    for open in sets {
        alike.clear();
        for (number, (row, places)) in rows.iter().zip(&places).enumerate() {
            let set = places | open;
            let key = spread(row.widened(set)).wrapping_add(low(set));
            alike.entry(key).or_insert_with(|| (set, Vec::new())).1.push(number);
        }
        for (set, same) in alike.values().filter(|(_, same)| same.len() >= MANY_ROWS) {
            for at in bits(*set & differing).filter(|at| is_variable(forms, rows, same, *at)) {
                for number in same {
                    if rows.get(*number).is_some_and(|row| row.open & bit(at) == 0) {
                        *found.entry(*number).or_default() |= bit(at);
                    }
                }
            }
        }
    }
}

/// The places of values among these.
fn hinted(form: &Form<'_>, among: u128) -> u128 {
    let places = bits(among).filter(|at| !matches!(place(form, *at), Place::First | Place::Other));
    places.fold(0, |set, at| set | bit(at))
}

/// Words of two places that both vary freely while all others are the same.
fn pairs(rows: &[Row], differing: u128, found: &mut HashMap<usize, u128, Hashed>) {
    let places: Vec<usize> = bits(differing).take(PAIR_WORDS).collect();
    let mut alike: HashMap<u64, Vec<usize>, Hashed> = HashMap::default();
    for (one, other) in
        places.iter().enumerate().flat_map(|(at, one)| places.iter().skip(at + 1).map(move |b| (*one, *b)))
    {
        alike.clear();
        let both = bit(one) | bit(other);
        for (place, row) in rows.iter().enumerate() {
            if row.open & both == 0 && constants(row, both) > 2 {
                let sum = row.without(one).wrapping_sub(adds(other, row.word(other)));
                alike.entry(spread(sum)).or_default().push(place);
            }
        }
        for same in alike.values().filter(|same| same.len() >= PAIR_ROWS) {
            if distinct(rows, same, one) >= PAIR_VALUES && distinct(rows, same, other) >= PAIR_VALUES {
                for place in same {
                    *found.entry(*place).or_default() |= both;
                }
            }
        }
    }
}

fn distinct(rows: &[Row], places: &[usize], at: usize) -> usize {
    let mut values: Vec<u64> =
        places.iter().filter_map(|place| rows.get(*place)).map(|row| row.word(at)).collect();
    values.sort_unstable();
    values.dedup();
    values.len()
}

fn constants(row: &Row, without: u128) -> usize {
    row.words.iter().enumerate().filter(|(at, word)| **word > OPENED && without & bit(*at) == 0).count()
}

/// Whether these rows, equal but for this word, or but for words in places of values, have a variable here.
fn is_variable(forms: &[Form<'_>], rows: &[Row], places: &[usize], at: usize) -> bool {
    let rows = || places.iter().filter_map(|place| rows.get(*place));
    let Some(first) = rows().next() else { return false };
    let Some(form) = form_of(forms, first) else { return false };
    let mut has_mask = false;
    let mut values: Vec<&[u8]> = Vec::new();
    for row in rows() {
        has_mask |= row.word(at) <= OPENED;
        if row.word(at) > OPENED {
            values.extend(form_of(forms, row).and_then(|form| form.parts.words.get(at)));
        }
    }
    values.sort_unstable();
    values.dedup();
    let found = values.len() + usize::from(has_mask);
    found > 1 && found >= enough(form, at, &values, has_mask, constants(first, bit(at)))
}

fn form_of<'a, 'b>(forms: &'a [Form<'b>], row: &Row) -> Option<&'a Form<'b>> {
    row.members.first().and_then(|member| forms.get(*member))
}

/// What a place tells of the word in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A key's, alone in quotes, or behind the name of an identity.
    Value,
    /// Behind the name of a thing.
    Named,
    /// Behind a preposition, or what one of a few words are for.
    Object,
    /// Behind `to`, which a verb may follow.
    Aim,
    First,
    Other,
}

fn place(form: &Form<'_>, at: usize) -> Place {
    let Some(before) = form.parts.before.get(at).copied() else { return Place::Other };
    let Some(previous) = at.checked_sub(1).and_then(|at| form.parts.words.get(at)).copied() else {
        return if before.is_empty() { Place::First } else { Place::Other };
    };
    let after = form.parts.before.get(at + 1).copied().unwrap_or(form.parts.after);
    let (place, quote) = match before.split_last() {
        Some((quote @ (b'"' | b'\''), before)) => (before, Some(quote)),
        _ => (before, None),
    };
    let is_whole = quote.is_none_or(|quote| after.first() == Some(quote));
    match place.trim_ascii() {
        b"=" if is_whole && is_kind(previous) => Place::Object,
        b"=" if is_whole && !is_speech(previous) => Place::Value,
        b"=" if is_speech(previous) => Place::Other,
        _ if quote.is_some() && is_whole && place.trim_ascii() != b"\":" => Place::Value,
        b":" if quote.is_none() && before == b":" => Place::Object,
        b"" if before == b" " && is_identity(previous) => Place::Value,
        b"" if before == b" " && is_thing(previous) => Place::Named,
        b"" if before == b" " && previous == b"to" => Place::Aim,
        b"" if before == b" " && matches!(previous, b"from" | b"for" | b"by" | b"at" | b"on" | b"in") => {
            Place::Object
        }
        _ => Place::Other,
    }
}

/// How many different words in a place make it a variable.
fn enough(form: &Form<'_>, at: usize, values: &[&[u8]], has_mask: bool, constants: usize) -> usize {
    let place = place(form, at);
    if constants == 0 {
        return 24;
    }
    if has_mask {
        return if constants > 1 || place == Place::Value { 2 } else { 4 };
    }
    let numbered = values.iter().filter(|word| word.iter().any(u8::is_ascii_digit)).count();
    if numbered + 1 >= values.len() && numbered > 0 {
        return 2;
    }
    let are_plain = values.iter().any(|word| word.iter().all(u8::is_ascii_lowercase));
    let verbal = values.iter().filter(|word| is_verbal(word)).count();
    let is_key = form.parts.before.get(at).is_some_and(|before| *before != b" ");
    if !is_key && verbal * 2 >= values.len() {
        return 24;
    }
    match place {
        Place::Value => 2,
        Place::Named => 4,
        Place::Object => 3,
        Place::Aim if !are_plain => 3,
        Place::First if constants < 4 => 12,
        _ if values.iter().all(|word| is_identifier(word)) => 4,
        _ => 6,
    }
}

/// A name of something in a program rather than a word of a language.
fn is_identifier(word: &[u8]) -> bool {
    word.iter().any(|byte| matches!(byte, b'_' | b'-' | b'.' | b'$' | b'\\'))
        || word.iter().skip(1).any(u8::is_ascii_uppercase) && word.iter().any(u8::is_ascii_lowercase)
}
