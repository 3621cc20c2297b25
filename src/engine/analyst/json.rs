//! The one JSON object in a model's answer, and why an answer is of no use.

use std::fmt;

use serde::de::DeserializeOwned;

use super::Severity;
use super::clean;

/// Why an answer was thrown away. What it quotes is short and clean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nonsense {
    TooLong {
        bytes: usize,
    },
    NoObject,
    Unfinished,
    Malformed {
        reason: String,
    },
    OtherService {
        named: String,
    },
    NoSummary,
    /// More than half of the ids of this kind are not in the evidence.
    Invented {
        what: &'static str,
        unknown: usize,
        of: usize,
    },
    /// More than one step below what the rules say.
    TooMild {
        given: Severity,
        rules: Severity,
    },
    /// It holds a command or a call of a tool.
    Action {
        found: &'static str,
    },
    Query {
        reason: &'static str,
    },
    Time {
        field: &'static str,
    },
    /// The end is not behind the start.
    Backwards,
    Limit,
}

impl fmt::Display for Nonsense {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes } => {
                write!(out, "expected an answer of at most {LONGEST} bytes, found {bytes}")
            }
            Self::NoObject => out.write_str("expected a JSON object, found none in the answer"),
            Self::Unfinished => {
                out.write_str("expected the end of the JSON object, found the end of the answer")
            }
            Self::Malformed { reason } => write!(out, "expected the JSON that was asked for: {reason}"),
            Self::OtherService { named } => write!(out, "the answer is about another service: \"{named}\""),
            Self::NoSummary => out.write_str("expected a summary, found nothing that can be shown"),
            Self::Invented { what, unknown, of } => {
                write!(out, "{unknown} of {of} ids of {what} in the answer are not in the evidence")
            }
            Self::TooMild { given, rules } => write!(
                out,
                "the answer says {}, more than one step below the {} that the numbers say",
                given.as_str(),
                rules.as_str()
            ),
            Self::Action { found } => write!(out, "the answer holds what looks like a command: \"{found}\""),
            Self::Query { reason } => write!(out, "expected a query, found {reason}"),
            Self::Time { field } => {
                write!(out, "expected a time such as \"2025-11-20T23:47:16Z\" or null in \"{field}\"")
            }
            Self::Backwards => out.write_str("expected an \"end\" behind the \"start\""),
            Self::Limit => out.write_str("expected a \"limit\" from 1 to 1,000, or null"),
        }
    }
}

impl std::error::Error for Nonsense {}

/// Answers of the right form are far shorter.
const LONGEST: usize = 65_536;

/// Reads the first balanced object of an answer, which may have prose or a fence around it. What a model thinks aloud before
/// it is no part of the answer.
pub(super) fn object<T: DeserializeOwned>(answer: &str) -> Result<T, Nonsense> {
    if answer.len() > LONGEST {
        return Err(Nonsense::TooLong { bytes: answer.len() });
    }
    let thought =
        answer.trim_start().strip_prefix("<think>").and_then(|thinking| thinking.split_once("</think>"));
    let text = first_object(thought.map_or(answer, |(_, said)| said))?;
    serde_json::from_str(text)
        .map_err(|error| Nonsense::Malformed { reason: clean::line(&error.to_string(), 200) })
}

fn first_object(answer: &str) -> Result<&str, Nonsense> {
    let start = answer.find('{').ok_or(Nonsense::NoObject)?;
    let text = answer.get(start..).ok_or(Nonsense::NoObject)?;
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return text.get(..=at).ok_or(Nonsense::NoObject);
                }
            }
            _ => {}
        }
    }
    Err(Nonsense::Unfinished)
}
