//! How well a row answers a search: BM25 over the words of its message and stack trace.
//!
//! The collection is what the search finds, so a term that all of it has weighs next to nothing.

use std::cmp::Ordering;

use super::expr::{Expr, Field, TEXT_FIELDS, Test};
use crate::engine::block::words;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// Terms that are weighed; a search with more is ranked by its first.
const MAX_TERMS: usize = 32;

/// The terms that a search looks for in texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms(Vec<String>);

/// What is known of the whole collection.
#[derive(Clone, Debug)]
pub struct Collection {
    rows: f64,
    words: f64,
    /// How many rows have each term.
    having: Vec<f64>,
}

impl Terms {
    /// Those that are not negated.
    pub fn of(expr: &Expr) -> Self {
        let mut terms = Self(Vec::new());
        terms.gather(expr);
        terms
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn gather(&mut self, expr: &Expr) {
        match expr {
            Expr::And(parts) | Expr::Or(parts) => parts.iter().for_each(|part| self.gather(part)),
            Expr::Match(found) => {
                let in_texts = match &found.field {
                    Field::Any => true,
                    Field::Named(name) => TEXT_FIELDS.contains(&name.as_str()),
                };
                if let Test::Words(term) = &found.test
                    && in_texts
                    && !term.is_empty()
                    && self.0.len() < MAX_TERMS
                    && !self.0.contains(term)
                {
                    self.0.push(term.clone());
                }
            }
            Expr::All | Expr::Not(_) => {}
        }
    }

    /// Adds how often each term is in a text to `counts`; answers how many words the text has.
    pub fn count(&self, text: &str, counts: &mut [u16]) -> u32 {
        let text = words::fold(text);
        for (term, count) in self.0.iter().zip(counts) {
            *count = count.saturating_add(occurrences(&text, term));
        }
        u32::try_from(words::words(&text).count()).unwrap_or(u32::MAX)
    }
}

/// How often a folded text holds a folded term, each time as `words::holds` understands it.
fn occurrences(text: &str, term: &str) -> u16 {
    let (Some(first), Some(last)) = (term.chars().next(), term.chars().next_back()) else { return 0 };
    let cut = |inner: char, outer: Option<char>| words::is_word(inner) && outer.is_some_and(words::is_word);
    let mut count = 0_u16;
    for at in memchr::memmem::find_iter(text.as_bytes(), term.as_bytes()) {
        let before = text.get(..at).and_then(|text| text.chars().next_back());
        let after = text.get(at + term.len()..).and_then(|text| text.chars().next());
        if !cut(first, before) && !cut(last, after) {
            count = count.saturating_add(1);
        }
    }
    count
}

impl Collection {
    pub fn new(terms: &Terms) -> Self {
        Self { rows: 0.0, words: 0.0, having: vec![0.0; terms.len()] }
    }

    /// Adds a row by the number of its words and how often it has each term.
    pub fn add(&mut self, words: u32, counts: &[u16]) {
        self.rows += 1.0;
        self.words += f64::from(words);
        for (having, count) in self.having.iter_mut().zip(counts) {
            *having += f64::from(u8::from(*count > 0));
        }
    }

    pub fn score(&self, words: u32, counts: &[u16]) -> f64 {
        let mean = (self.words / self.rows.max(1.0)).max(1.0);
        let length = K1 * (1.0 - B + B * f64::from(words) / mean);
        let of_term = |(count, having): (&u16, &f64)| {
            let rarity = (1.0 + (self.rows - having + 0.5) / (having + 0.5)).ln();
            let count = f64::from(*count);
            rarity * count * (K1 + 1.0) / (count + length)
        };
        counts.iter().zip(&self.having).map(of_term).sum()
    }
}

/// The better first; of equal scores the newer.
pub fn by_score<T: Ord>(a: &(f64, T), b: &(f64, T)) -> Ordering {
    b.0.total_cmp(&a.0).then_with(|| b.1.cmp(&a.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::query::parse;

    #[test]
    fn terms_are_those_that_a_text_can_have() {
        let terms = |query: &str| Terms::of(&parse(query).unwrap()).0;
        assert_eq!(terms("Payment \"timed out\" payment"), ["payment", "timed out"]);
        assert_eq!(terms("message:a OR stack_trace:b OR service:c"), ["a", "b"]);
        assert_eq!(terms("-payment level:error status:>5 pay*"), [""; 0]);
    }

    #[test]
    fn a_term_is_counted_where_it_is_found() {
        let terms = Terms::of(&parse("out \"time out\"").unwrap());
        let mut counts = [0; 2];
        assert_eq!(terms.count("Time out: timeout, out", &mut counts), 4);
        assert_eq!(counts, [2, 1]);
    }

    #[test]
    fn rare_terms_often_in_short_texts_score_best() {
        let terms = Terms::of(&parse("payment OR refund").unwrap());
        let texts = [
            "payment",
            "payment payment refund",
            "refund of a payment that was made a long long time ago by somebody else",
            "payment payment payment",
            "nothing",
        ];
        let mut collection = Collection::new(&terms);
        let counted: Vec<_> = texts
            .iter()
            .map(|text| {
                let mut counts = [0; 2];
                let words = terms.count(text, &mut counts);
                collection.add(words, &counts);
                (words, counts)
            })
            .collect();
        let mut scored: Vec<(f64, usize)> = counted
            .iter()
            .enumerate()
            .map(|(nth, (words, counts))| (collection.score(*words, counts), nth))
            .collect();
        scored.sort_by(by_score);
        assert_eq!(scored.iter().map(|(_, nth)| *nth).collect::<Vec<_>>(), [1, 2, 3, 0, 4]);
        assert!(scored.iter().all(|(score, nth)| (*score > 0.0) == (*nth != 4)));
    }
}
