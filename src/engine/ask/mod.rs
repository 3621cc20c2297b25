//! Questions in plain English become searches, by rules and without a model. A question is data: what it says
//! can become a value or one of the fields, levels and times that it names, and nothing else. The query is
//! always one that the search language takes (docs/search.md); what is not understood is told, not guessed.
//!
//! It is read once from the left to the right, and every rule looks at a few words only, so it takes time in
//! proportion to the question.
//!
//! Choices, where English leaves one:
//! - All times are of UTC. "Last week" is the one before this, "the past week" seven days; a night begins on its
//!   day at 20:00; a morning is from 6 to 12, an afternoon to 18, an evening to 24. `times` tells the others.
//! - "Errors" are ERROR and CRITICAL (`levels` tells the others); "problems" are WARN or worse; "slow" is longer
//!   than a second.
//! - "In checkout and payments" is in one of them, as a log has one service only; so with every field.
//! - A word that nothing knows is looked for in the logs.

mod build;
mod clause;
mod clock;
mod day;
mod fields;
mod levels;
mod names;
mod numbers;
mod point;
mod reader;
mod status;
mod text;
mod times;
mod vocabulary;
mod wants;
mod words;

#[cfg(test)]
mod tests;

use day::Calendar;
use names::Names;
use reader::Reader;
use words::Tokens;

/// Bytes of a question.
pub const MAX_QUESTION: usize = 1000;

/// Words that are shown of a question that says nothing.
const MOST_SHOWN: usize = 5;

/// Names that exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    pub services: &'a [String],
    pub environments: &'a [String],
    pub categories: &'a [&'a str],
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// In the search language, without the times; `*` for everything.
    pub query: String,
    /// The first millisecond.
    pub start_ms: Option<i64>,
    /// The last millisecond, which is in it as a whole; none when it goes on.
    pub end_ms: Option<i64>,
    pub sort_oldest_first: bool,
    /// From 1 to 1,000.
    pub limit: Option<usize>,
    pub wants: Wants,
    pub understood: Vec<Part>,
    /// Words that had no effect.
    pub ignored: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wants {
    Logs,
    Count,
    /// How many by the values of a field, the most first.
    CountBy(String),
    /// Logs by `duration_ms`, the longest first.
    Slowest,
    /// How many over time.
    Trend,
}

/// Words of the question, and what they were taken for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub words: String,
    pub meaning: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unclear {
    pub message: String,
    /// What can be asked instead.
    pub hint: String,
}

impl Unclear {
    fn new(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: hint.to_owned() }
    }
}

/// Reads a question that is asked at `now_ms`.
pub fn ask(question: &str, known: &Known<'_>, now_ms: i64) -> Result<Asked, Unclear> {
    const HINT: &str = "say what the logs are about and when, such as \"errors in checkout since yesterday\"";
    if question.len() > MAX_QUESTION {
        let message =
            format!("expected a question of at most {MAX_QUESTION} bytes, found {}", question.len());
        return Err(Unclear::new(message, "ask for less at once, or search for a few words"));
    }
    let Some(calendar) = Calendar::at(now_ms) else {
        return Err(Unclear::new("expected a time of this age", "set the clock"));
    };
    let is_listed =
        |word: &str| levels::level(word).is_some() || status::is_class(word) || matches!(word, "and" | "or");
    let tokens = Tokens::of(question, is_listed);
    let names = Names::of(known);
    let mut reader = Reader::new(&tokens, &names, calendar);
    reader.read();
    let is_blank = reader.items.is_empty() && reader.times.is_empty() && reader.wishes.is_empty();
    if is_blank && !reader.has_noun {
        let message = match reader.ignored.as_slice() {
            [] => "expected a question about logs, found none".to_owned(),
            words => {
                let shown = words.get(..MOST_SHOWN).unwrap_or(words);
                format!("expected a question about logs, found {}", shown.join(", "))
            }
        };
        return Err(Unclear::new(message, HINT));
    }
    build::asked(reader, &calendar)
}
