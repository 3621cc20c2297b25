//! `?filter_path=`: which parts of an answer a client wants.
//!
//! Invariant: its cost is bounded by the answer: paths, their parts and their wildcards are limited in number.

use serde_json::{Map, Value};

/// Clients ask for three or four.
const MAX_PATHS: usize = 32;
const MAX_PARTS: usize = 16;

/// Dotted paths whose parts may hold `*`, or be `**` for any number of parts; those that begin with `-` take
/// away. Arrays are passed through, as they are in Elasticsearch.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    wanted: Option<Vec<Path>>,
    unwanted: Vec<Path>,
}

type Path = Vec<String>;

/// What is left to match below some point of the answer.
struct Left<'f> {
    /// `None` wants all.
    wanted: Option<Vec<&'f [String]>>,
    unwanted: Vec<&'f [String]>,
}

impl Filter {
    pub fn parse(paths: &str) -> Self {
        let mut filter = Self::default();
        for path in paths.split(',').map(str::trim).filter(|path| !path.is_empty()).take(MAX_PATHS) {
            let (list, path) = match path.strip_prefix('-') {
                Some(path) => (&mut filter.unwanted, path),
                None => (filter.wanted.get_or_insert_default(), path),
            };
            list.push(path.split('.').take(MAX_PARTS).map(str::to_owned).collect());
        }
        filter
    }

    /// What is wanted of a value; `None` when nothing is.
    pub fn keep(&self, value: Value) -> Option<Value> {
        self.left().keep(value)
    }

    /// The filter for what stands under a name, if anything there may be wanted.
    pub(super) fn enter(&self, name: &str) -> Option<Self> {
        let left = self.left().enter(name)?;
        let owned = |paths: Vec<&[String]>| paths.into_iter().map(<[String]>::to_vec).collect();
        Some(Self { wanted: left.wanted.map(owned), unwanted: owned(left.unwanted) })
    }

    pub(super) const fn keeps_all(&self) -> bool {
        self.wanted.is_none()
    }

    fn left(&self) -> Left<'_> {
        Left { wanted: self.wanted.as_deref().map(slices), unwanted: slices(&self.unwanted) }
    }
}

fn slices(paths: &[Path]) -> Vec<&[String]> {
    paths.iter().map(Vec::as_slice).collect()
}

impl<'f> Left<'f> {
    fn keep(&self, value: Value) -> Option<Value> {
        if self.wanted.is_none() && self.unwanted.is_empty() {
            return Some(value);
        }
        match value {
            Value::Object(fields) => {
                let was_empty = fields.is_empty();
                let kept: Map<_, _> = fields
                    .into_iter()
                    .filter_map(|(name, value)| {
                        let value = self.enter(&name)?.keep(value)?;
                        Some((name, value))
                    })
                    .collect();
                (was_empty || !kept.is_empty()).then_some(Value::Object(kept))
            }
            Value::Array(items) => {
                let was_empty = items.is_empty();
                let kept: Vec<_> = items.into_iter().filter_map(|item| self.keep(item)).collect();
                (was_empty || !kept.is_empty()).then_some(Value::Array(kept))
            }
            // A path that goes on wants nothing of a scalar.
            scalar => self.wanted.is_none().then_some(scalar),
        }
    }

    fn enter(&self, name: &str) -> Option<Left<'f>> {
        let unwanted = step(&self.unwanted, name)?;
        match &self.wanted {
            None => Some(Left { wanted: None, unwanted }),
            Some(wanted) => match step(wanted, name) {
                None => Some(Left { wanted: None, unwanted }),
                Some(wanted) => (!wanted.is_empty()).then_some(Left { wanted: Some(wanted), unwanted }),
            },
        }
    }
}

/// What of the paths is left behind a name; `None` when one of them ends there.
fn step<'f>(paths: &[&'f [String]], name: &str) -> Option<Vec<&'f [String]>> {
    let mut left: Vec<&'f [String]> = Vec::new();
    let mut add = |path: &'f [String]| {
        if !left.contains(&path) {
            left.push(path);
        }
    };
    for path in paths {
        let mut path = *path;
        while let Some((part, rest)) = path.split_first() {
            if part == "**" {
                add(path);
                if rest.is_empty() {
                    return None;
                }
                path = rest;
                continue;
            }
            if is_like(name.as_bytes(), part.as_bytes()) {
                if rest.is_empty() {
                    return None;
                }
                add(rest);
            }
            break;
        }
    }
    Some(left)
}

/// Whether a name fits a pattern in which `*` stands for any text.
fn is_like(name: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut in_pattern) = (0, 0);
    // Where the last star was, and how far the name had been read then.
    let mut star = None;
    while let Some(byte) = name.get(at) {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                star = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(wanted) if wanted == byte => {
                at += 1;
                in_pattern += 1;
            }
            _ => {
                let Some((of_star, read)) = star else { return false };
                star = Some((of_star, read + 1));
                at = read + 1;
                in_pattern = of_star + 1;
            }
        }
    }
    pattern.iter().skip(in_pattern).all(|byte| *byte == b'*')
}
