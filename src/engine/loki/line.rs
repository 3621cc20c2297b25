//! A stored record as a line of a stream.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::{DETECTED_LEVEL, ENVIRONMENT, LEVEL, SERVICE};
use crate::engine::{
    block::Corrupt,
    logql::pipeline::{Entry, label_name},
    record::{
        model::{Level, Record},
        timestamp::Timestamp,
    },
};

/// Fields that are the line itself, its time or its labels, or of no use to a reader of lines.
const NOT_METADATA: [&str; 11] = [
    "id",
    "timestamp",
    "received_at",
    "service",
    "level",
    "environment",
    "message",
    "metadata",
    "pattern",
    "pattern_id",
    "sample_rate",
];

/// Whether a record that was not pushed has its field of this name for a label, if it has one value.
pub fn is_own_field(label: &str) -> bool {
    let is_plain = label != "tags" && !label.contains('_');
    is_plain && Record::FIELDS.contains(&label) && !NOT_METADATA.contains(&label)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub time: Timestamp,
    pub stream: BTreeMap<String, String>,
    pub metadata: BTreeMap<String, String>,
    pub text: String,
    /// The records that it stands for.
    pub weight: u32,
}

impl Line {
    /// Reads a record as its reader is shown it.
    pub fn read(row: &[u8]) -> Result<Self, Corrupt> {
        let Members(row) = serde_json::from_slice(row).map_err(|error| Corrupt::damaged("row", error))?;
        let (mut time, mut service, mut level, mut environment, mut message) = Default::default();
        let (mut weight, mut sent) = (None, Members::default());
        for (name, value) in &row {
            match &**name {
                "timestamp" => time = text(value),
                "service" => service = text(value),
                "level" => level = text(value),
                "environment" => environment = text(value),
                "message" => message = text(value),
                "sample_rate" => weight = value.get().parse().ok(),
                "metadata" => sent = serde_json::from_str(value.get()).unwrap_or_default(),
                _ => {}
            }
        }
        let time = time.and_then(|time| Timestamp::parse_text(&time).ok());
        let level = level.and_then(|level| Level::parse(&level)).unwrap_or(Level::Info);
        let (service, level) =
            (service.unwrap_or_default().into_owned(), level.as_str().to_ascii_lowercase());
        let mut metadata = BTreeMap::new();
        let labels = sent.get("labels");
        let pushed: Option<Members<'_>> = labels.and_then(|labels| serde_json::from_str(labels.get()).ok());
        let stream = if let Some(labels) = pushed.filter(|labels| labels.get(SERVICE).is_some()) {
            flatten_structured(&sent, &mut metadata);
            let mut labels: BTreeMap<String, String> =
                labels.0.into_iter().map(|(name, value)| (name.into_owned(), printed(value))).collect();
            labels.insert(SERVICE.to_owned(), service);
            // What is said of every record is in one place.
            labels.remove(DETECTED_LEVEL);
            labels
        } else {
            for (name, value) in row.iter().filter(|(name, _)| !NOT_METADATA.contains(&&**name)) {
                flatten(name, value, &mut metadata);
            }
            for (name, value) in sent.0.iter().filter(|(name, _)| *name != "labels") {
                flatten(name, value, &mut metadata);
            }
            if let Some(labels) = labels {
                flatten("labels", labels, &mut metadata);
            }
            let mut stream =
                BTreeMap::from([(SERVICE.to_owned(), service), (LEVEL.to_owned(), level.clone())]);
            if let Some(environment) = environment {
                stream.insert(ENVIRONMENT.to_owned(), environment.into_owned());
            }
            stream
        };
        metadata.insert(DETECTED_LEVEL.to_owned(), level);
        Ok(Self {
            time: time.ok_or_else(|| Corrupt::damaged("row", "it has no time"))?,
            stream,
            metadata,
            text: message.unwrap_or_default().into_owned(),
            weight: weight.unwrap_or(1).max(1),
        })
    }

    pub fn entry(&self) -> Entry<'_> {
        Entry {
            ts_ns: self.time.as_ns(),
            stream: &self.stream,
            metadata: &self.metadata,
            line: &self.text,
            weight: self.weight,
        }
    }
}

/// Fields of a record that become labels, and the bytes of the name of one. A member repeats the names of all that it is
/// within.
const MAX_LABELS: usize = 512;
const MAX_NAME_BYTES: usize = 1_024;

/// The members of an object, their values as they are written: most are copied once, or not looked at.
#[derive(Default)]
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Members<'a> {
    /// The last of this name counts.
    fn get(&self, wanted: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(name, _)| name == wanted).map(|(_, value)| *value)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some((Text(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// Those members that a push has named as its structured metadata.
fn flatten_structured(sent: &Members<'_>, into: &mut BTreeMap<String, String>) {
    let named = sent.get("structured").map(|named| serde_json::from_str(named.get()));
    let Some(Ok::<Vec<&RawValue>, _>(named)) = named else { return };
    let members: BTreeMap<&str, &RawValue> = sent.0.iter().map(|(name, value)| (&**name, *value)).collect();
    for name in named.into_iter().filter_map(text) {
        if let Some(value) = members.get(&*name) {
            flatten(&name, value, into);
        }
    }
}

/// Adds a value under a name, and those within it under theirs; the first of a name counts.
fn flatten(name: &str, value: &RawValue, into: &mut BTreeMap<String, String>) {
    if name.len() <= MAX_NAME_BYTES {
        walk(&mut name.to_owned(), value, into);
    }
}

fn walk(name: &mut String, value: &RawValue, into: &mut BTreeMap<String, String>) {
    match value.get().as_bytes().first() {
        Some(b'n') => {}
        Some(b'{') => {
            let Members(members) = serde_json::from_str(value.get()).unwrap_or_default();
            let outer = name.len();
            for (inner, value) in members {
                if outer + 1 + inner.len() > MAX_NAME_BYTES {
                    continue;
                }
                name.push('_');
                name.push_str(&inner);
                walk(name, value, into);
                name.truncate(outer);
            }
        }
        _ => {
            if into.len() < MAX_LABELS {
                into.entry(label_name(name)).or_insert_with(|| printed(value));
            }
        }
    }
}

/// A value that is a text.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let quoted = Some(value.get()).filter(|raw| raw.starts_with('"'))?;
    serde_json::from_str(quoted).ok().map(|Text(text)| text)
}

/// Digits of a whole number that is printed as it is read.
const MAX_DIGITS: usize = 18;

fn printed(value: &RawValue) -> String {
    let raw = value.get();
    if raw.len() <= MAX_DIGITS && raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return raw.to_owned();
    }
    match text(value) {
        Some(text) => text.into_owned(),
        None => serde_json::from_str(raw).map_or_else(|_| raw.to_owned(), |value: Value| value.to_string()),
    }
}
