//! What a `_bulk` request is answered: one item for each action, in order.
//!
//! Clients search it as text (`"errors":true`, `"errors"` before `"items"`), so it is compact and its order
//! is fixed.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Action, Bulk, Filter, ParseError};
use crate::engine::record::rejection::Rejection;

/// What came of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Under the id that is answered when the action named none.
    Created {
        id: String,
    },
    Failed(Failure),
}

/// Why one action failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub status: u16,
    /// What Elasticsearch calls it.
    pub kind: &'static str,
    pub reason: Cow<'static, str>,
}

impl Failure {
    /// For a client to send again later.
    pub fn busy(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 429, kind: "es_rejected_execution_exception", reason: reason.into() }
    }

    pub(super) fn malformed(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 400, kind: "mapper_parsing_exception", reason: reason.into() }
    }

    pub(super) fn illegal(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { status: 400, kind: "illegal_argument_exception", reason: reason.into() }
    }
}

impl From<&Rejection> for Failure {
    fn from(rejection: &Rejection) -> Self {
        match rejection.code {
            Rejection::QUOTA_EXCEEDED => Self::busy(rejection.message.clone()),
            _ => Self::malformed(rejection.message.clone()),
        }
    }
}

/// The answer's JSON. `outcomes` are those of `Bulk::records`, in their order; one that is missing is taken for
/// a document that was not stored and may be sent again.
pub fn answer(
    bulk: &Bulk<'_>,
    outcomes: impl IntoIterator<Item = Outcome>,
    took_ms: u64,
    filter: &Filter,
) -> Vec<u8> {
    let mut outcomes = outcomes.into_iter();
    let results: Vec<Outcome> = bulk
        .actions
        .iter()
        .map(|action| match &action.document {
            Err(failure) => Outcome::Failed(failure.clone()),
            Ok(_) => outcomes.next().unwrap_or_else(|| Outcome::Failed(Failure::busy("it was not stored"))),
        })
        .collect();
    let errors = results.iter().any(|result| matches!(result, Outcome::Failed(_)));
    let head = filter.keep(json!({"took": took_ms, "errors": errors}));
    let mut answer = head.unwrap_or_else(|| json!({})).to_string().into_bytes();
    let Some(filter) = filter.enter("items") else {
        return answer;
    };
    let mut items = bulk
        .actions
        .iter()
        .zip(&results)
        .filter_map(|(action, result)| filter.keep(item(action, result)))
        .peekable();
    if items.peek().is_none() && !filter.keeps_all() {
        return answer;
    }
    answer.pop();
    let mut before: &[u8] = if answer.len() > 1 { b",\"items\":[" } else { b"\"items\":[" };
    for item in items {
        answer.extend_from_slice(before);
        answer.extend_from_slice(item.to_string().as_bytes());
        before = b",";
    }
    answer.extend_from_slice(b"]}");
    answer
}

/// The body of a request that was refused as a whole, with its status.
pub fn error_body(status: u16, kind: &str, reason: &str) -> Value {
    let cause = json!({"type": kind, "reason": reason});
    json!({
        "error": {"root_cause": [cause], "type": kind, "reason": reason},
        "status": status,
    })
}

impl ParseError {
    pub fn body(&self) -> Value {
        error_body(self.status(), self.kind(), &self.to_string())
    }
}

fn item(action: &Action<'_>, result: &Outcome) -> Value {
    let result = match result {
        Outcome::Created { id } => json!({
            "_index": action.index,
            "_id": action.id.as_ref().unwrap_or(id),
            "_version": 1,
            "result": "created",
            "_shards": {"total": 1, "successful": 1, "failed": 0},
            "_seq_no": 0,
            "_primary_term": 1,
            "status": 201,
        }),
        Outcome::Failed(failure) => json!({
            "_index": action.index,
            "_id": action.id,
            "status": failure.status,
            "error": {"type": failure.kind, "reason": failure.reason},
        }),
    };
    json!({action.kind.as_str(): result})
}
