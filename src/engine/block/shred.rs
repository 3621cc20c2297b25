//! Taking rows apart: each leaf of a row's JSON is a value of the column of its path and kind, and the columns
//! that a row has, in order, are its shape. `Skeleton` puts rows together again.

mod json;

use std::{borrow::Cow, collections::HashMap};

use json::Json;
pub(super) use json::Text;
use serde::{Deserialize, Serialize};

use super::{
    Corrupt,
    packed::{Body, Row},
};
use crate::engine::record::{
    field::{Field, Form},
    quote::special,
};

/// Leaves of a row at the most (200 of metadata, and the fields), and columns of a segment: a row that is beyond
/// keeps its metadata as one column of JSON.
const MAX_LEAVES: usize = 250;
const MAX_COLUMNS: usize = 1_000;

/// Objects and leaves that are told apart.
const MAX_NODES: usize = 4_000;

/// Columns of all shapes together: they stand in the footer. Rows whose shape is new keep their metadata as one
/// column from the first number on; the second is the end.
const MAX_FREE_SHAPES: usize = 100_000;
const MAX_SHAPES: usize = 200_000;

/// Bytes of all columns' paths: they stand in the footer too.
const MAX_PATH_BYTES: usize = 512 << 10;

/// Objects are taken apart to this depth.
const MAX_DEPTH: usize = 16;

/// What a column's values are in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Strings, unescaped.
    Text,
    /// Numbers, as they are written.
    Number,
    /// Anything else, as it is written: true, false, null, an array, an empty object.
    #[serde(rename = "json")]
    Raw,
}

/// The keys of `metadata.http.status` and so on: a key may have a dot in it.
pub(super) type Path = Vec<String>;

#[derive(Clone, Debug, Default)]
struct Node {
    /// The key as it stands in JSON, and the node below it.
    children: Vec<(Box<[u8]>, usize)>,
    /// Where the key after the one found last is likely to be.
    next: usize,
    columns: [Option<u32>; 3],
    /// The pass over a row that was here last: an object has a key once.
    pass: u64,
    path_bytes: usize,
}

/// Takes rows apart, and knows the columns and shapes met so far.
#[derive(Clone, Debug)]
pub(super) struct Shredder {
    nodes: Vec<Node>,
    /// Those of the fields of a row that have come as values.
    of_fields: [Option<usize>; Field::ALL.len()],
    pass: u64,
    /// Columns of all shapes, and bytes of all columns' paths.
    in_shapes: usize,
    path_bytes: usize,
    pub(super) columns: Vec<(Path, Kind)>,
    /// Values of each column in the rows that were taken apart before.
    lengths: Vec<usize>,
    pub(super) shapes: Vec<Vec<u32>>,
    known_shapes: HashMap<Vec<u32>, u32>,
}

/// The columns of some rows.
#[derive(Debug, Default)]
pub(super) struct Shredded<'a> {
    /// The shape of each row.
    pub(super) shapes: Vec<u32>,
    /// The values of each column, and the rows that have them.
    pub(super) columns: Vec<(Vec<u32>, Vec<Cow<'a, str>>)>,
}

/// A leaf: its node, kind, and text.
struct Leaf<'a> {
    node: usize,
    kind: Kind,
    text: Cow<'a, str>,
}

impl Default for Shredder {
    fn default() -> Self {
        let nodes = vec![Node::default()];
        let (of_fields, columns, lengths, shapes, known_shapes) = Default::default();
        Self {
            nodes,
            of_fields,
            pass: 0,
            in_shapes: 0,
            path_bytes: 0,
            columns,
            lengths,
            shapes,
            known_shapes,
        }
    }
}

impl Shredder {
    /// Takes rows apart such that `Skeleton`s make the same bytes of them again; an error is a row of which they
    /// would not, or too many shapes.
    pub(super) fn shred<'a>(
        &mut self,
        rows: impl Iterator<Item = Body<'a>>,
    ) -> Result<Shredded<'a>, Corrupt> {
        let mut shredded = Shredded::default();
        let mut leaves = Vec::new();
        let mut shape = Vec::new();
        let mut last: Option<u32> = None;
        for (nth, body) in (0_u32..).zip(rows) {
            match self.leaves(body, false, &mut leaves) {
                Ok(()) if self.fits(&leaves) => {}
                Ok(()) | Err(Stop::TooMany) => self.leaves(body, true, &mut leaves).map_err(Stop::corrupt)?,
                Err(stop) => return Err(stop.corrupt()),
            }
            shape.clear();
            shape.extend(leaves.iter().map(|leaf| self.column(leaf.node, leaf.kind)));
            let same = |id: &u32| self.shapes.get(*id as usize) == Some(&shape);
            let id = match last.filter(same).or_else(|| self.known_shapes.get(&shape).copied()) {
                Some(id) => id,
                None => self.new_shape(&shape)?,
            };
            for (leaf, column) in leaves.drain(..).zip(&shape) {
                while shredded.columns.len() <= *column as usize {
                    let most = self.lengths.get(shredded.columns.len()).copied().unwrap_or(0);
                    shredded.columns.push((Vec::with_capacity(most), Vec::with_capacity(most)));
                }
                if let Some((rows, values)) = shredded.columns.get_mut(*column as usize) {
                    rows.push(nth);
                    values.push(leaf.text);
                }
            }
            last = Some(id);
            shredded.shapes.push(id);
        }
        self.lengths.clear();
        self.lengths.extend(shredded.columns.iter().map(|(rows, _)| rows.len()));
        Ok(shredded)
    }

    /// The shape of rows with these columns, in this order; none when there is no room for it.
    pub(super) fn adopt<'p>(&mut self, columns: impl Iterator<Item = (&'p [String], Kind)>) -> Option<u32> {
        let (mut leaves, mut quoted) = (Vec::new(), String::new());
        for (path, kind) in columns {
            let mut node = 0;
            for key in path.iter().take(MAX_DEPTH) {
                quoted.clear();
                push_json(key, &mut quoted);
                node = self.below(node, quoted.get(1..quoted.len() - 1)?).ok()?;
            }
            leaves.push(Leaf { node, kind, text: Cow::Borrowed("") });
            if path.len() > MAX_DEPTH || leaves.len() > MAX_LEAVES {
                return None;
            }
        }
        if !self.fits(&leaves) {
            return None;
        }
        let shape: Vec<u32> = leaves.iter().map(|leaf| self.column(leaf.node, leaf.kind)).collect();
        self.known_shapes.get(&shape).copied().or_else(|| self.new_shape(&shape).ok())
    }

    /// The number of a column of the first level.
    pub(super) fn number(&self, name: &str, kind: Kind) -> Option<usize> {
        self.columns
            .iter()
            .position(|(path, of)| *of == kind && matches!(path.as_slice(), [only] if only == name))
    }

    fn new_shape(&mut self, shape: &[u32]) -> Result<u32, Corrupt> {
        self.in_shapes += shape.len() + 1;
        let too_many = self.columns.len() > 2 * MAX_COLUMNS || self.path_bytes > 2 * MAX_PATH_BYTES;
        if too_many || self.in_shapes > MAX_SHAPES {
            return Err(Stop::TooMany.corrupt());
        }
        let id = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
        self.known_shapes.insert(shape.to_vec(), id);
        self.shapes.push(shape.to_vec());
        Ok(id)
    }

    /// Whether the columns that these leaves need can be had.
    fn fits(&self, leaves: &[Leaf<'_>]) -> bool {
        if self.in_shapes > MAX_FREE_SHAPES {
            let shape: Option<Vec<u32>> = leaves.iter().map(|leaf| self.known(leaf)).collect();
            if shape.is_none_or(|shape| !self.known_shapes.contains_key(&shape)) {
                return false;
            }
        }
        let unknown = leaves.iter().filter(|leaf| self.known(leaf).is_none());
        let bytes = unknown.clone().filter_map(|leaf| self.nodes.get(leaf.node)).map(|node| node.path_bytes);
        let new = unknown.count();
        let room = self.columns.len() + new <= MAX_COLUMNS
            && self.path_bytes + bytes.sum::<usize>() <= MAX_PATH_BYTES;
        (new == 0 || room) && leaves.len() <= MAX_LEAVES
    }

    fn known(&self, leaf: &Leaf<'_>) -> Option<u32> {
        self.nodes.get(leaf.node).and_then(|node| *node.columns.get(leaf.kind as usize)?)
    }

    fn column(&mut self, node: usize, kind: Kind) -> u32 {
        let new = u32::try_from(self.columns.len()).unwrap_or(u32::MAX);
        let known = self.nodes.get_mut(node).and_then(|node| node.columns.get_mut(kind as usize));
        let Some(known) = known else { return new };
        let column = *known.get_or_insert(new);
        if column == new {
            self.path_bytes += self.nodes.get(node).map_or(0, |node| node.path_bytes);
            let path = self.path(node);
            self.columns.push((path, kind));
        }
        column
    }

    /// The keys that lead to a node. Seldom asked for: once a column.
    fn path(&self, node: usize) -> Path {
        let mut path = Vec::new();
        let mut at = node;
        while at != 0 {
            let above = self.nodes.iter().enumerate().find_map(|(above, node)| {
                node.children.iter().find(|(_, child)| *child == at).map(|(key, _)| (above, key))
            });
            let Some((above, key)) = above else { break };
            let quoted = [b"\"", &**key, b"\""].concat();
            path.push(serde_json::from_slice(&quoted).unwrap_or_default());
            at = above;
        }
        path.reverse();
        path
    }

    fn leaves<'a>(&mut self, body: Body<'a>, fold: bool, leaves: &mut Vec<Leaf<'a>>) -> Result<(), Stop> {
        leaves.clear();
        self.pass += 1;
        match body {
            Body::Line(line) => {
                let text = str::from_utf8(line).map_err(|e| Stop::NoJson { at: e.valid_up_to() })?;
                self.whole_object(text, 0, 0, fold, leaves)
            }
            Body::Values(row) => self.values(row, fold, leaves),
        }
    }

    fn values<'a>(&mut self, row: Row<'a>, fold: bool, leaves: &mut Vec<Leaf<'a>>) -> Result<(), Stop> {
        for (field, value) in row.values() {
            let node = match self.of_fields.get(field as usize).copied().flatten() {
                Some(node) => node,
                None => self.below(0, field.name())?,
            };
            if let Some(slot) = self.of_fields.get_mut(field as usize) {
                *slot = Some(node);
            }
            let (kind, text) = match field.form() {
                Form::Object if !fold => {
                    self.whole_object(value.raw, node, 1, fold, leaves)?;
                    continue;
                }
                Form::Text => (Kind::Text, value.unescaped().ok_or(Stop::Differs)?),
                Form::Number => (Kind::Number, Cow::Borrowed(value.raw)),
                Form::Array | Form::Object => (Kind::Raw, Cow::Borrowed(value.raw)),
            };
            leaves.push(Leaf { node, kind, text });
        }
        if leaves.len() > MAX_LEAVES && !fold { Err(Stop::TooMany) } else { Ok(()) }
    }

    fn whole_object<'a>(
        &mut self,
        text: &'a str,
        node: usize,
        depth: usize,
        fold: bool,
        leaves: &mut Vec<Leaf<'a>>,
    ) -> Result<(), Stop> {
        let mut json = Json { text, at: 0 };
        self.object(&mut json, node, depth, fold, leaves)?;
        if json.at == text.len() { Ok(()) } else { Err(Stop::NoJson { at: json.at }) }
    }

    fn object<'a>(
        &mut self,
        json: &mut Json<'a>,
        node: usize,
        depth: usize,
        fold: bool,
        leaves: &mut Vec<Leaf<'a>>,
    ) -> Result<(), Stop> {
        json.eat(b'{')?;
        if depth == 0 && !json.head()? {
            return Ok(());
        }
        loop {
            let key = json.string()?.raw;
            json.eat(b':')?;
            let child = self.child(node, key)?;
            let folded = depth + 1 >= MAX_DEPTH || (fold && depth == 0);
            match json.peek()? {
                b'{' if !folded && json.text.as_bytes().get(json.at + 1) != Some(&b'}') => {
                    self.object(json, child, depth + 1, fold, leaves)?;
                }
                b'"' => {
                    let text = json.string()?.unescaped().ok_or(json.stop())?;
                    leaves.push(Leaf { node: child, kind: Kind::Text, text });
                }
                first => {
                    let number = first == b'-' || first.is_ascii_digit();
                    let kind = if number { Kind::Number } else { Kind::Raw };
                    leaves.push(Leaf { node: child, kind, text: Cow::Borrowed(json.skip()?) });
                }
            }
            match json.next()? {
                b',' => {}
                b'}' => return Ok(()),
                _ => return Err(json.stop()),
            }
            if leaves.len() > MAX_LEAVES && !fold {
                return Err(Stop::TooMany);
            }
        }
    }

    fn child(&mut self, node: usize, key: &str) -> Result<usize, Stop> {
        let child = self.below(node, key)?;
        match self.nodes.get_mut(child) {
            Some(node) if node.pass != self.pass => node.pass = self.pass,
            _ => return Err(Stop::Differs),
        }
        Ok(child)
    }

    /// The node of a key, as it stands in JSON.
    fn below(&mut self, node: usize, key: &str) -> Result<usize, Stop> {
        let new = self.nodes.len();
        let text = key;
        let key = key.as_bytes();
        let Some(parent) = self.nodes.get_mut(node) else { return Err(Stop::TooMany) };
        let is = |at: usize| parent.children.get(at).is_some_and(|(known, _)| **known == *key);
        let at = if is(parent.next) {
            parent.next
        } else if let Some(at) = parent.children.iter().position(|(known, _)| **known == *key) {
            at
        } else if new < MAX_NODES || node == 0 {
            let is_escaped = text.contains('\\');
            Text { raw: text, is_escaped }.unescaped().ok_or(Stop::Differs)?;
            parent.children.push((key.into(), new));
            parent.children.len() - 1
        } else {
            return Err(Stop::TooMany);
        };
        parent.next = at + 1;
        let path_bytes = parent.path_bytes + key.len() + 3;
        let child = parent.children.get(at).map_or(node, |(_, child)| *child);
        if child == new {
            self.nodes.push(Node { path_bytes, ..Node::default() });
        }
        Ok(child)
    }
}

/// Why a row was not taken apart.
#[derive(Clone, Copy, Debug)]
enum Stop {
    NoJson {
        at: usize,
    },
    /// Other bytes would be made of it: a key that is there twice, an escape that need not be.
    Differs,
    /// It has more leaves, or other ones, than the segment has room for.
    TooMany,
}

impl Stop {
    fn corrupt(self) -> Corrupt {
        match self {
            Self::NoJson { at } => Corrupt::damaged("row", format!("it is no compact JSON at byte {at}")),
            Self::Differs => Corrupt::damaged("row", "it is no JSON as it is stored"),
            Self::TooMany => Corrupt::damaged("row", "it has too many fields"),
        }
    }
}

/// How the rows of a shape are written: text, then the value of a column, and so on.
#[derive(Debug)]
pub(super) struct Skeleton {
    parts: Vec<(String, u32, Kind)>,
    end: String,
    pub(super) bytes: usize,
}

impl Skeleton {
    /// `named` tells path and kind of the segment's columns. It has no more than so many bytes.
    pub(super) fn of<'c>(
        shape: &[u32],
        named: impl Fn(u32) -> Option<(&'c [String], Kind)>,
        max_bytes: usize,
    ) -> Result<Self, Corrupt> {
        let mut parts = Vec::with_capacity(shape.len());
        let mut open: &[String] = &[];
        let mut text = String::new();
        let mut bytes = 0;
        for column in shape {
            let (path, kind) =
                named(*column).ok_or_else(|| Corrupt::damaged("footer", "a shape has an unknown column"))?;
            let Some((last, above)) = path.split_last() else {
                return Err(Corrupt::damaged("footer", "a column has no name"));
            };
            let shared = open.iter().zip(above).take_while(|(a, b)| a == b).count();
            text.extend(std::iter::repeat_n('}', open.len() - shared));
            text.push(',');
            for key in above.get(shared..).unwrap_or_default() {
                push_json(key, &mut text);
                text.push_str(":{");
            }
            push_json(last, &mut text);
            text.push(':');
            open = above;
            bytes += text.len();
            if bytes > max_bytes {
                return Err(Corrupt::damaged("footer", "a shape is longer than the rows that have it"));
            }
            parts.push((std::mem::take(&mut text), *column, kind));
        }
        let end = "}".repeat(open.len() + 1);
        Ok(Self { parts, bytes: bytes + end.len(), end })
    }

    /// Appends what follows a row's head; `push` appends the value of a column to the line.
    pub(super) fn write(
        &self,
        line: &mut String,
        mut push: impl FnMut(&mut String, usize, Kind) -> Result<(), Corrupt>,
    ) -> Result<(), Corrupt> {
        for (text, column, kind) in &self.parts {
            line.push_str(text);
            push(line, *column as usize, *kind)?;
        }
        line.push_str(&self.end);
        Ok(())
    }
}

/// A row whose shape names a column that its block does not have.
pub(super) fn lacks_column() -> Corrupt {
    Corrupt::damaged("shapes", "a row has a column that its block has not")
}

/// Appends a text as JSON.
pub(super) fn push_json(text: &str, to: &mut String) {
    if is_plain(text) {
        to.push('"');
        to.push_str(text);
        to.push('"');
    } else {
        to.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// Whether nothing in a text needs an escape in JSON.
pub(super) fn is_plain(text: &str) -> bool {
    special(text.as_bytes()).is_none()
}
