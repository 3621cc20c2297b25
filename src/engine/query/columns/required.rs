//! What of an expression filters and indexes can be asked for.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{Query, number_like, of_head};
use crate::engine::query::expr::{Expr, Field, Match, Test};

/// A word of fewer bytes than this is in so many rows that looking it up rules nothing out.
const SHORT_BYTES: usize = 3;

impl Query<'_> {
    /// Hashes of words of which a matching row must have all, without those of services and levels, which the
    /// catalog tells apart, and the longest first; empty when nothing can be said. A word as short as the `u` of
    /// `u-20173` is everywhere, and not asked for beside a longer one.
    pub fn required_words(&self) -> Vec<u64> {
        let words = self.required(self.expr);
        let longest = words.first().map_or(0, |(Reverse(length), _)| *length);
        let tells = |length: usize| length >= SHORT_BYTES || longest < SHORT_BYTES;
        words.into_iter().filter(|(Reverse(length), _)| tells(*length)).map(|(_, hash)| hash).collect()
    }

    /// The same, the longest word first.
    fn required(&self, expr: &Expr) -> BTreeSet<(Reverse<usize>, u64)> {
        match expr {
            Expr::And(parts) => parts.iter().flat_map(|part| self.required(part)).collect(),
            Expr::Or(parts) => {
                let mut all = parts.iter().map(|part| self.required(part));
                let first = all.next().unwrap_or_default();
                all.fold(first, |common, part| &common & &part)
            }
            Expr::Match(found) => {
                // A JSON number can be written otherwise, and a head's field is in no filter.
                let numeric = !matches!(found.test, Test::Words(_)) && number_like(&found.test);
                let wanted = self.matches.iter().find(|wanted| std::ptr::eq(wanted.found, found));
                let words = wanted.filter(|_| !numeric && !is_listed(found) && !of_head(found));
                let words = words.into_iter().flat_map(|wanted| &wanted.words);
                words.map(|(word, hash)| (Reverse(word.len()), *hash)).collect()
            }
            Expr::All | Expr::Not(_) => BTreeSet::new(),
        }
    }

    /// Whether filters can say anything of it.
    pub fn asks_filters(&self) -> bool {
        self.matches
            .iter()
            .any(|wanted| !wanted.words.is_empty() && !of_head(wanted.found) && !is_listed(wanted.found))
    }
}

/// Whether the catalog tells it apart.
fn is_listed(found: &Match) -> bool {
    matches!(&found.field, Field::Named(name) if name == "service" || name == "level")
}
