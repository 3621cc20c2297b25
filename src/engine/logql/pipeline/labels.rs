//! The labels of one line while it passes the stages.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

pub(super) const ERROR: &str = "__error__";
pub(super) const ERROR_DETAILS: &str = "__error_details__";

/// What is put behind the name of a label that the line and its stream have both.
const EXTRACTED: &str = "_extracted";

/// Labels of a line. They are looked up one after another, and a line could have as many as it has bytes.
const MAX_LABELS: usize = 512;

/// Where a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    Stream,
    Metadata,
    /// A stage has read, formatted or replaced it.
    Parsed,
}

#[derive(Clone, Debug)]
struct Label<'a> {
    name: Cow<'a, str>,
    value: Cow<'a, str>,
    source: Source,
    /// Whether a parser has read it: the first that does is believed.
    extracted: bool,
}

/// Labels by name; the error of a stage is one of them, under the names Loki gives it.
#[derive(Clone, Debug, Default)]
pub struct Labels<'a> {
    list: Vec<Label<'a>>,
    error: Option<(Cow<'static, str>, String)>,
    /// The labels that parsers need to read; `None` is all of them.
    wanted: Option<Arc<[String]>>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(
        stream: &'a BTreeMap<String, String>,
        metadata: &'a BTreeMap<String, String>,
        wanted: Option<Arc<[String]>>,
    ) -> Self {
        let mut list = Vec::with_capacity(stream.len() + metadata.len() + 8);
        let mut add = |name: Cow<'a, str>, value: &'a str, source| {
            list.push(Label { name, value: Cow::Borrowed(value), source, extracted: false });
        };
        for (name, value) in stream {
            add(Cow::Borrowed(name), value, Source::Stream);
        }
        for (name, value) in metadata {
            // The stream's label keeps its name.
            let name = if stream.contains_key(name) {
                Cow::Owned(format!("{name}{EXTRACTED}"))
            } else {
                Cow::Borrowed(name.as_str())
            };
            add(name, value, Source::Metadata);
        }
        Self { list, error: None, wanted }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        match name {
            ERROR => self.error.as_ref().map(|(error, _)| error.as_ref()),
            ERROR_DETAILS => self.error.as_ref().map(|(_, details)| details.as_str()),
            _ => self.list.iter().find(|label| label.name == name).map(|label| label.value.as_ref()),
        }
    }

    /// Sets a label, whatever it was before.
    pub(super) fn set(&mut self, name: &str, value: String) {
        match name {
            ERROR => self.error = Some((Cow::Owned(value), String::new())),
            ERROR_DETAILS => {}
            _ => match self.list.iter_mut().find(|label| label.name == name) {
                Some(label) => {
                    label.value = Cow::Owned(value);
                    label.source = Source::Parsed;
                }
                None => self.list.push(Label {
                    name: Cow::Owned(name.to_owned()),
                    value: Cow::Owned(value),
                    source: Source::Parsed,
                    extracted: false,
                }),
            },
        }
    }

    /// Sets what a parser has read of the line: a label that is not of the line keeps its name, and one that has
    /// been read before keeps its value.
    pub(super) fn extract(&mut self, name: &str, value: &str) {
        self.read(name, value, false);
    }

    /// The same of a label that the query names, whose last value counts.
    pub(super) fn replace(&mut self, name: &str, value: &str) {
        self.read(name, value, true);
    }

    fn read(&mut self, name: &str, value: &str, replaces: bool) {
        let is_wanted =
            |wanted: &String| wanted.strip_suffix(EXTRACTED).unwrap_or(wanted) == name || wanted == name;
        if self.wanted.as_ref().is_some_and(|wanted| !wanted.iter().any(is_wanted)) {
            return;
        }
        if self.list.len() >= MAX_LABELS {
            self.fail("LabelLimitErr", format!("more than {MAX_LABELS} labels"));
            return;
        }
        let find = |name: &str| self.list.iter().position(|label| label.name == name);
        let at = |index: Option<usize>| index.and_then(|index| self.list.get(index));
        let is_taken = at(find(name)).is_some_and(|label| label.source != Source::Parsed);
        let name = if is_taken { Cow::Owned(format!("{name}{EXTRACTED}")) } else { Cow::Borrowed(name) };
        let index = find(&name);
        if name == ERROR
            || name == ERROR_DETAILS
            || (!replaces && at(index).is_some_and(|label| label.extracted))
        {
            return;
        }
        let label = Label {
            name: Cow::Owned(name.into_owned()),
            value: Cow::Owned(value.to_owned()),
            source: Source::Parsed,
            extracted: true,
        };
        match index.and_then(|index| self.list.get_mut(index)) {
            Some(known) => *known = label,
            None => self.list.push(label),
        }
    }

    /// Sets labels that are named in the query to nothing where the line did not have them.
    pub(super) fn fill<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        for name in names {
            if self.get(name).is_none() {
                self.set(name, String::new());
            }
        }
    }

    pub(super) fn remove(&mut self, name: &str) {
        if name == ERROR {
            self.error = None;
        } else if name == ERROR_DETAILS {
            if let Some((_, details)) = &mut self.error {
                details.clear();
            }
        } else {
            self.list.retain(|label| label.name != name);
        }
    }

    /// Keeps the labels that `keep` wants by name and value; an error stays.
    pub(super) fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        self.list.retain(|label| keep(&label.name, &label.value));
    }

    pub(super) fn fail(&mut self, error: &'static str, details: impl Into<String>) {
        self.error = Some((Cow::Borrowed(error), details.into()));
    }

    pub fn has_error(&self) -> bool {
        self.error.is_some()
    }

    /// All labels but those of an error, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, Source)> {
        self.list.iter().map(|label| (label.name.as_ref(), label.value.as_ref(), label.source))
    }

    /// All labels by name, with those of an error.
    pub fn to_map(&self) -> BTreeMap<String, String> {
        let mut map: BTreeMap<String, String> =
            self.iter().map(|(name, value, _)| (name.to_owned(), value.to_owned())).collect();
        if let Some((error, details)) = &self.error {
            map.insert(ERROR.to_owned(), error.clone().into_owned());
            if !details.is_empty() {
                map.insert(ERROR_DETAILS.to_owned(), details.clone());
            }
        }
        map
    }
}
