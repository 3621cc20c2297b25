//! What a block keeps of each row besides its columns, and the dictionaries of a segment's columns.

use std::{borrow::Cow, cell::Cell, collections::HashMap};

use uuid::Uuid;

use super::{
    Corrupt,
    ints::{self, Input},
    words,
};
use crate::engine::record::timestamp::Timestamp;

/// Templates of a column of a segment at the most, and their bytes.
const MAX_TEMPLATES: usize = 5_000;
const MAX_TEMPLATE_BYTES: usize = 256 << 10;

/// Low bits of an id that count within a request.
const COUNTER_BITS: u32 = 20;

const NS_PER_MS: u64 = 1_000_000;

/// Bytes of all templates of a segment, as JSON: the footer must stay readable.
const MAX_ALL_TEMPLATE_BYTES: usize = 3 << 20;

/// The templates of a column in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Interner {
    forms: Vec<String>,
    numbers: HashMap<String, u32>,
    bytes: usize,
}

/// Templates that a block adds to a column's, and what all those of the segment may still take.
#[derive(Debug)]
pub(super) struct Room<'a> {
    known: &'a Interner,
    new: Cell<(usize, usize)>,
    left: &'a Cell<usize>,
}

impl<'a> Room<'a> {
    pub(super) fn all() -> Cell<usize> {
        Cell::new(MAX_ALL_TEMPLATE_BYTES)
    }

    pub(super) fn new(known: &'a Interner, left: &'a Cell<usize>) -> Self {
        Self { known, new: Cell::default(), left }
    }

    /// Whether one more template can be had; it then is.
    pub(super) fn take(&self, form: &str) -> bool {
        if self.known.numbers.contains_key(form) {
            return true;
        }
        let (count, bytes) = self.new.get();
        let weight = json_len(form);
        let fits = self.known.forms.len() + count < MAX_TEMPLATES
            && self.known.bytes + bytes + form.len() <= MAX_TEMPLATE_BYTES
            && weight <= self.left.get();
        if fits {
            self.new.set((count + 1, bytes + form.len()));
            self.left.set(self.left.get() - weight);
        }
        fits
    }
}

/// Bytes of a text as JSON.
fn json_len(text: &str) -> usize {
    let escaped = |b: u8| match b {
        b'"' | b'\\' => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + 3 + text.bytes().map(escaped).sum::<usize>()
}

impl Interner {
    pub(super) fn number(&mut self, form: &str) -> u32 {
        if let Some(number) = self.numbers.get(form) {
            return *number;
        }
        let number = u32::try_from(self.forms.len()).unwrap_or(u32::MAX);
        self.forms.push(form.to_owned());
        self.numbers.insert(form.to_owned(), number);
        self.bytes += form.len();
        number
    }

    pub(super) fn forms(&self) -> &[String] {
        &self.forms
    }
}

/// Times: the unit that they are whole numbers of, in nanoseconds, then the numbers.
#[expect(clippy::needless_pass_by_value, reason = "callers map it from their rows")]
pub(super) fn times(times: impl Iterator<Item = Timestamp> + Clone) -> Vec<u8> {
    let ns = || times.clone().map(|time| time.as_ns().cast_unsigned());
    let unit = [1_000_000_000, NS_PER_MS, 1_000, 1]
        .into_iter()
        .find(|unit| ns().all(|ns| ns % unit == 0))
        .unwrap_or(1);
    let mut bytes = Vec::new();
    ints::put_varint(&mut bytes, unit);
    ints::encode(&mut bytes, &ns().map(|ns| ns / unit).collect::<Vec<_>>());
    bytes
}

pub(super) fn read_times(bytes: &[u8], rows: usize) -> Result<Vec<Timestamp>, Corrupt> {
    let mut input = Input(bytes);
    let unit = input.varint()?;
    let numbers = ints::decode(&mut input, rows)?;
    input.end()?;
    Ok(numbers
        .into_iter()
        .map(|number| Timestamp::from_ns(number.wrapping_mul(unit).cast_signed()))
        .collect())
}

/// Ids: the requests' parts of them in the order in which they are met (14 bytes, in byte planes), then for each row which of
/// them, and how much its counter is above the last one of that request, less one.
pub(super) fn ids(ids: impl Iterator<Item = Uuid>) -> Vec<u8> {
    let mut numbers: HashMap<u128, usize> = HashMap::new();
    let mut requests: Vec<(u128, u64)> = Vec::new();
    let (mut which, mut steps) = (Vec::new(), Vec::new());
    for id in ids {
        let request = id.as_u128() >> COUNTER_BITS;
        let counter = (id.as_u128() & ((1 << COUNTER_BITS) - 1)) as u64;
        let number = *numbers.entry(request).or_insert_with(|| {
            requests.push((request, 0));
            requests.len() - 1
        });
        which.push(number as u64);
        if let Some((_, next)) = requests.get_mut(number) {
            steps.push(counter.wrapping_sub(*next) & ((1 << COUNTER_BITS) - 1));
            *next = counter + 1;
        }
    }
    let mut bytes = Vec::new();
    ints::put_varint(&mut bytes, requests.len() as u64);
    for plane in 2..16 {
        bytes.extend(requests.iter().filter_map(|(request, _)| request.to_be_bytes().get(plane).copied()));
    }
    ints::encode(&mut bytes, &which);
    ints::encode(&mut bytes, &steps);
    bytes
}

pub(super) fn read_ids(bytes: &[u8], rows: usize) -> Result<Vec<Uuid>, Corrupt> {
    let damaged = || Corrupt::damaged("ids", "a row is of no request");
    let mut input = Input(bytes);
    let count = usize::try_from(input.varint()?).ok().filter(|count| *count <= rows).ok_or_else(damaged)?;
    let planes = input.take(14 * count)?;
    let mut requests = vec![(0_u128, 0_u64); count];
    for plane in planes.chunks_exact(count.max(1)) {
        for ((request, _), byte) in requests.iter_mut().zip(plane) {
            *request = *request << 8 | u128::from(*byte);
        }
    }
    let which = ints::decode(&mut input, rows)?;
    let steps = ints::decode(&mut input, rows)?;
    input.end()?;
    let mut ids = Vec::with_capacity(rows);
    for (which, step) in which.into_iter().zip(steps) {
        let request = usize::try_from(which).ok().and_then(|which| requests.get_mut(which));
        let (request, next) = request.ok_or_else(damaged)?;
        let counter = next.wrapping_add(step) & ((1 << COUNTER_BITS) - 1);
        *next = counter + 1;
        ids.push(Uuid::from_u128(*request << COUNTER_BITS | u128::from(counter)));
    }
    Ok(ids)
}

/// Times of receipt: nothing when each is the one in the row's id.
pub(super) fn received(rows: impl Iterator<Item = (Uuid, Timestamp)> + Clone) -> Vec<u8> {
    if rows.clone().all(|(id, time)| time == received_of(id)) {
        return Vec::new();
    }
    times(rows.map(|(_, time)| time))
}

pub fn received_of(id: Uuid) -> Timestamp {
    Timestamp::from_ms(i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX))
}

/// Shapes of the rows: nothing when all are shape 0.
pub(super) fn shapes(shapes: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if shapes.iter().any(|shape| *shape != 0) {
        ints::encode(&mut bytes, &shapes.iter().map(|shape| u64::from(*shape)).collect::<Vec<_>>());
    }
    bytes
}

pub(super) fn read_shapes(bytes: &[u8], rows: usize) -> Result<Vec<u32>, Corrupt> {
    if bytes.is_empty() {
        return Ok(vec![0; rows]);
    }
    let mut input = Input(bytes);
    let numbers = ints::decode(&mut input, rows)?;
    input.end()?;
    let read = numbers.into_iter().map(u32::try_from).collect::<Result<_, _>>();
    read.map_err(|e| Corrupt::damaged("shapes", e))
}

/// The smallest and largest of these numbers.
pub(super) fn range(numbers: &[&str]) -> Option<(f64, f64)> {
    let mut range: Option<(f64, f64)> = None;
    for number in numbers {
        let number: f64 = number.parse().ok().filter(|number: &f64| number.is_finite())?;
        let (low, high) = range.unwrap_or((number, number));
        range = Some((low.min(number), high.max(number)));
    }
    range
}

/// Hashes of the words in the leaves of a row, besides its head.
pub(super) fn row_words(line: &[u8], hashes: &mut Vec<u64>) {
    let Ok(serde_json::Value::Object(mut fields)) = serde_json::from_slice(line) else { return };
    fields.retain(|name, _| !matches!(name.as_str(), "id" | "timestamp" | "received_at"));
    leaf_words(&serde_json::Value::Object(fields), hashes);
}

/// Hashes of the words in the leaves of some JSON.
pub(super) fn json_words(json: &str, hashes: &mut Vec<u64>) {
    let Ok(value) = serde_json::from_str(json) else { return };
    leaf_words(&value, hashes);
}

fn leaf_words(value: &serde_json::Value, hashes: &mut Vec<u64>) {
    use serde_json::Value;
    let text = match value {
        Value::Array(items) => return items.iter().for_each(|item| leaf_words(item, hashes)),
        Value::Object(fields) if !fields.is_empty() => {
            return fields.values().for_each(|value| leaf_words(value, hashes));
        }
        Value::String(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(other.to_string()),
    };
    hashes.extend(words::words(&words::fold(&text)).map(words::hash));
}
