//! Which rows are wanted.

use crate::engine::{
    block::{ServiceSummary, Summary},
    record::{
        model::{Level, Record},
        row::RowHead,
        timestamp::Timestamp,
    },
};

/// From `start` to `end`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    pub start: Timestamp,
    pub end: Timestamp,
}

impl TimeRange {
    pub const ALL: Self = Self { start: Timestamp::EPOCH, end: Timestamp::MAX };

    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time <= self.end
    }

    pub fn overlaps(&self, min: Timestamp, max: Timestamp) -> bool {
        self.start <= max && min <= self.end
    }
}

/// All of these must hold; an empty list holds for every row.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    pub time: TimeRange,
    pub services: Vec<String>,
    pub levels: Vec<Level>,
    /// Lower-case texts, each of which must occur in a text field of the record.
    pub terms: Vec<String>,
}

impl Filter {
    pub fn all() -> Self {
        Self { time: TimeRange::ALL, services: Vec::new(), levels: Vec::new(), terms: Vec::new() }
    }

    /// Reads the terms of a search text: words, and phrases in double quotes.
    pub fn parse_terms(text: &str) -> Result<Vec<String>, UnclosedQuote> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (term, behind) = if let Some(quoted) = rest.strip_prefix('"') {
                let at = text.len() - rest.len();
                quoted.split_once('"').ok_or(UnclosedQuote { at })?
            } else {
                rest.split_at(rest.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(rest.len()))
            };
            if !term.is_empty() {
                terms.push(term.to_lowercase());
            }
            rest = behind.trim_start();
        }
        Ok(terms)
    }

    /// Whether a set of rows with this summary can hold a wanted one.
    pub fn may_match(&self, services: &Summary) -> bool {
        let level_there = |summary: &ServiceSummary| {
            self.levels.is_empty()
                || self.levels.iter().any(|level| summary.levels.get(*level as usize).is_some_and(|n| *n > 0))
        };
        let time_there = |summary: &ServiceSummary| self.time.overlaps(summary.first, summary.last);
        if self.services.is_empty() {
            services.values().any(|summary| level_there(summary) && time_there(summary))
        } else {
            self.services
                .iter()
                .filter_map(|service| services.get(service))
                .any(|summary| level_there(summary) && time_there(summary))
        }
    }

    /// The part of the filter that a head can answer.
    pub fn matches_head(&self, head: &RowHead<'_>) -> bool {
        self.time.contains(head.timestamp)
            && (self.levels.is_empty() || self.levels.contains(&head.level))
            && (self.services.is_empty() || self.services.iter().any(|service| *service == head.service))
    }

    /// The rest of it.
    pub fn matches_text(&self, record: &Record) -> bool {
        self.terms.iter().all(|term| holds(record, term))
    }
}

/// A phrase that begins and does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the quote at byte {at} is not closed")]
pub struct UnclosedQuote {
    pub at: usize,
}

fn holds(record: &Record, term: &str) -> bool {
    let fields = &record.fields;
    let texts = [
        Some(&record.message),
        Some(&record.service),
        fields.stack_trace.as_ref(),
        fields.error_type.as_ref(),
        fields.component.as_ref(),
        fields.endpoint.as_ref(),
        fields.correlation_id.as_ref(),
        fields.trace_id.as_ref(),
        fields.span_id.as_ref(),
        fields.user_id.as_ref(),
        fields.logger.as_ref(),
        fields.thread.as_ref(),
        fields.host.as_ref(),
        fields.environment.as_ref(),
        fields.category.as_ref(),
    ];
    texts.into_iter().flatten().chain(&fields.tags).any(|text| contains_folded(text, term))
        || (!fields.metadata.is_empty()
            && serde_json::to_string(&fields.metadata).is_ok_and(|json| contains_folded(&json, term)))
}

/// Whether the lower-case `term` occurs in `text`, cases folded.
fn contains_folded(text: &str, term: &str) -> bool {
    if text.len() < term.len() && text.is_ascii() {
        return false;
    }
    text.to_lowercase().contains(term)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_words_and_phrases() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(Filter::parse_terms(text).unwrap(), expected, "{text}");
        };
        check("", &[]);
        check("  Payment   failed ", &["payment", "failed"]);
        check("\"Payment failed\" order", &["payment failed", "order"]);
        check("a\"b c\"d", &["a", "b c", "d"]);
        check("\"\" x", &["x"]);
        check("ÄRGER", &["ärger"]);
        assert_eq!(Filter::parse_terms("ok \"no end"), Err(UnclosedQuote { at: 3 }));
    }

    #[test]
    fn a_range_holds_its_ends() {
        let at = Timestamp::from_ms;
        let range = TimeRange { start: at(10), end: at(20) };
        assert!(range.contains(at(10)) && range.contains(at(20)));
        assert!(!range.contains(at(9)) && !range.contains(at(21)));
        assert!(range.overlaps(at(0), at(10)) && range.overlaps(at(20), at(30)));
        assert!(!range.overlaps(at(0), at(9)) && !range.overlaps(at(21), at(30)));
    }
}
