//! Elasticsearch's `_bulk`: pairs of lines, an action and its document, to raw records.
//!
//! Invariant: all action lines are read before any document is, and one that is malformed refuses the whole
//! request wherever it stands, as Elasticsearch does: without it nobody knows which line is a document. So
//! nothing of a refused request is stored, and sending it again doubles nothing. A bad document fails alone.

mod answer;
mod ecs;
mod filter;
mod handshake;

use std::borrow::Cow;

use serde_json::{Map, Value};

pub use self::answer::{Failure, Outcome, answer, error_body};
pub use self::filter::Filter;
pub use self::handshake::handshake;
use super::batch::{RawRecord, parse_record};
use super::split::{numbered_lines, without_bom};
use crate::engine::record::rejection::Rejection;

/// An action line names an index (at most 255 bytes) and an id (at most 512), and a few options.
const MAX_ACTION_BYTES: usize = 8 * 1024;

/// Why a whole request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("request body is required")]
    Empty,
    #[error("Validation Failed: 1: no requests added;")]
    NoActions,
    #[error("Malformed action/metadata line [{line}], {reason}")]
    Malformed { line: usize, reason: String },
    #[error("expected at most {limit} actions, got more")]
    TooMany { limit: usize },
}

impl ParseError {
    /// What Elasticsearch calls it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "parse_exception",
            Self::NoActions => "action_request_validation_exception",
            Self::Malformed { .. } | Self::TooMany { .. } => "illegal_argument_exception",
        }
    }

    /// A request that is too long is one that clients know to divide.
    pub const fn status(&self) -> u16 {
        match self {
            Self::TooMany { .. } => 413,
            _ => 400,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Create,
    Index,
    Update,
    Delete,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Index => "index",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Create, Self::Index, Self::Update, Self::Delete].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// One action with what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action<'a> {
    pub kind: Kind,
    pub index: Cow<'a, str>,
    pub id: Option<String>,
    /// The line of the document, or why there is none to store.
    pub document: Result<&'a [u8], Failure>,
}

/// The actions of a request, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bulk<'a> {
    pub actions: Vec<Action<'a>>,
}

impl Bulk<'_> {
    /// One result for each action that has a document, in order, each made when it is asked for.
    pub fn records(&self) -> impl Iterator<Item = Result<RawRecord, Rejection>> {
        self.actions.iter().filter_map(|action| {
            let document = action.document.as_ref().ok()?;
            Some(parse_record(document).map(|raw| ecs::record(raw, &action.index)))
        })
    }
}

/// Reads the actions of a body. The last line may lack its newline, without which Elasticsearch refuses it.
///
/// Blank lines between the pairs are passed over. An action without an index when there is no default, an
/// `update`, a `delete` and an action at the end of the body without its document fail alone.
pub fn decode<'a>(
    body: &'a [u8],
    default_index: Option<&'a str>,
    max: usize,
) -> Result<Bulk<'a>, ParseError> {
    let body = without_bom(body);
    if body.is_empty() {
        return Err(ParseError::Empty);
    }
    let mut lines = numbered_lines(body);
    let mut actions = Vec::new();
    while let Some((line, text)) = lines.next() {
        if text.is_empty() {
            continue;
        }
        if actions.len() == max {
            return Err(ParseError::TooMany { limit: max });
        }
        let (kind, meta) = action_of(text).map_err(|reason| ParseError::Malformed { line, reason })?;
        let sent = match kind {
            Kind::Delete => None,
            _ => lines.next().map(|(_, document)| document),
        };
        let word = |key: &str| meta.get(key).and_then(super::draft::text);
        let index = word("_index").map(Cow::Owned).or(default_index.map(Cow::Borrowed));
        let document = match (kind, sent, &index) {
            (Kind::Update | Kind::Delete, ..) => Err(Failure::illegal(format!(
                "expected create or index: a log is never changed by {}",
                kind.as_str()
            ))),
            (_, _, None) => Err(Failure::illegal("index is missing")),
            (_, None, _) => Err(Failure::malformed("expected a document after the action, got the end")),
            (_, Some(document), Some(_)) => Ok(document),
        };
        actions.push(Action { kind, index: index.unwrap_or_default(), id: word("_id"), document });
    }
    if actions.is_empty() { Err(ParseError::NoActions) } else { Ok(Bulk { actions }) }
}

/// The action of a line, and its parameters. The reasons are Elasticsearch's, which clients log.
fn action_of(line: &[u8]) -> Result<(Kind, Map<String, Value>), String> {
    if line.len() > MAX_ACTION_BYTES {
        return Err(format!("expected at most {MAX_ACTION_BYTES} bytes, got {}", line.len()));
    }
    let action = match serde_json::from_slice(line) {
        Ok(Value::Object(action)) => action,
        Ok(other) => return Err(format!("expected START_OBJECT but found [{}]", token(&other))),
        Err(_) => return Err("expected START_OBJECT but found what is not JSON".to_owned()),
    };
    let more = action.len() > 1;
    let Some((name, parameters)) = action.into_iter().next() else {
        return Err("expected FIELD_NAME but found [END_OBJECT]".to_owned());
    };
    let Some(kind) = Kind::parse(&name) else {
        let name: String = name.chars().take(64).collect();
        return Err(format!("expected field [create], [delete], [index] or [update] but found [{name}]"));
    };
    if more {
        return Err("expected END_OBJECT but found [FIELD_NAME]".to_owned());
    }
    match parameters {
        Value::Object(parameters) => Ok((kind, parameters)),
        Value::Null => Ok((kind, Map::new())),
        other => Err(format!("expected START_OBJECT but found [{}]", token(&other))),
    }
}

/// What Jackson calls the token that a value begins with.
const fn token(value: &Value) -> &'static str {
    match value {
        Value::Null => "VALUE_NULL",
        Value::Bool(true) => "VALUE_TRUE",
        Value::Bool(false) => "VALUE_FALSE",
        Value::Number(_) => "VALUE_NUMBER",
        Value::String(_) => "VALUE_STRING",
        Value::Array(_) => "START_ARRAY",
        Value::Object(_) => "START_OBJECT",
    }
}

#[cfg(test)]
mod tests;
