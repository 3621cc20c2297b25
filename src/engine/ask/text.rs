//! Words of the logs themselves: "containing X", "about X", and how a plain word is looked for.

use super::{
    clause::Clause,
    levels, numbers,
    reader::{IDIOMS, MOST_TERMS, Reader},
    times::Times,
    vocabulary::{ABOUT, LITERAL, NEGATIONS, WORDS, is_filler, is_noun},
    wants,
    words::Kind,
};

/// How words of a log are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// As they stand there, one after the other.
    Literal,
    /// Each as it is.
    Words,
    /// Each, in the singular and in the plural.
    About,
}

impl Reader<'_, '_> {
    /// "containing X", "about X".
    pub(super) fn marker(&mut self, at: usize) -> Option<usize> {
        let lists = [(WORDS, Mode::Words), (LITERAL, Mode::Literal), (ABOUT, Mode::About)];
        let (next, mode) =
            lists.iter().find_map(|(list, mode)| Some((self.tokens.eat_any(at, list)?, *mode)))?;
        // "Containing a" asks for an "a".
        let next = if mode == Mode::Literal { next } else { self.tokens.skip(next, &["a", "an"]) };
        let next =
            self.tokens.skip(next, &["the", "word", "words", "phrase", "text", "string", "term", "message"]);
        let next = next + usize::from(self.tokens.kind(next) == Some(Kind::Operator));
        if self.tokens.is_phrase(next) || next >= self.tokens.len() {
            return Some(next);
        }
        let is_mark = self.tokens.is(
            at,
            &["text", "phrase", "string", "word", "words", "keyword", "keywords", "include", "includes"],
        );
        let is_other = if mode == Mode::Literal {
            self.is_beyond_text(next)
        } else {
            self.is_known(next) && !is_noun(self.tokens.lower(next))
        };
        if is_other
            && !(mode == Mode::Words
                && !is_mark
                && levels::level(self.tokens.lower(next)).is_some()
                && self.tokens.eat_any(at, &["with"]).is_some())
        {
            return Some(next.min(self.tokens.eat_any(at, &["the"]).unwrap_or(next)));
        }
        Some(self.text(next, mode))
    }

    /// Whether here something begins that no text goes on with.
    fn is_beyond_text(&self, at: usize) -> bool {
        let leads = ["in", "from", "by", "of", "for", "on", "at", "within", "per", "since", "during"];
        let is_led = self.tokens.is(at, &leads)
            && (self.names.read(self.tokens, at).is_some()
                || self.has_value(at + 1)
                || wants::read(self.tokens, at, &|at| self.has_value(at)).is_some());
        is_led
            || Times::default().read(self.tokens, at, &self.calendar).is_some()
            || (self.field(at).is_some() && numbers::decimal(self.tokens.lower(at)).is_none())
    }

    /// Reads words of a log from here on.
    fn text(&mut self, start: usize, mode: Mode) -> usize {
        let mut end = start;
        while end < self.tokens.len() && end - start < MOST_TERMS {
            let is_end = self.tokens.begins_part(end)
                || self.tokens.kind(end) != Some(Kind::Word)
                || self.tokens.is(end, &["and", "or", "but", "nor", "with"])
                || self
                    .tokens
                    .eat_any(end, NEGATIONS)
                    .is_some_and(|_| self.tokens.eat_any(end, IDIOMS).is_none())
                || self.is_beyond_text(end)
                || (mode != Mode::Literal
                    && (self.is_meant(end) || self.tokens.is(end, &["in", "from", "on", "at", "by", "for"])));
            if is_end && end > start {
                break;
            }
            end += 1;
        }
        let mut last = end;
        while last > start + 1
            && is_filler(self.tokens.lower(last - 1))
            && self.tokens.eat_any(last.saturating_sub(2), IDIOMS).is_none()
        {
            last -= 1;
        }
        let clause = if mode == Mode::Literal || last == start + 1 {
            let said = self.tokens.said(start, last);
            if mode == Mode::About { plain(&said) } else { Clause::Term(said) }
        } else {
            let words = (start..last).filter(|n| !is_filler(self.tokens.lower(*n)));
            let of = |n: usize| {
                if mode == Mode::About {
                    plain(self.tokens.text(n))
                } else {
                    Clause::Term(self.tokens.text(n).to_owned())
                }
            };
            Clause::all(words.map(of).collect())
        };
        let empty = matches!(&clause, Clause::All(parts) if parts.is_empty());
        if !empty {
            self.push(clause, start, last, false);
            self.carried = (mode != Mode::About).then_some(mode);
        }
        end
    }

    /// "containing timeout or refused": what follows is text as well.
    pub(super) fn more_text(&mut self, at: usize) -> Option<usize> {
        let mode = self.carried.take()?;
        let next = self.tokens.skip(at, &["and", "or", "nor"]);
        let is_more =
            (next > at || self.tokens.begins_part(at)) && self.tokens.kind(next) == Some(Kind::Word);
        let word = self.tokens.lower(next);
        let is_level = levels::level(word).is_some() && next > at;
        let is_plain = is_level
            || (!self.is_known(next)
                && !is_filler(word)
                && self.tokens.eat_any(next, LITERAL).is_none()
                && self.tokens.eat_any(next, WORDS).is_none());
        let is_wish = wants::read(self.tokens, next, &|at| self.has_value(at)).is_some();
        (is_more && is_plain && !is_wish).then(|| self.text(next, mode))
    }
}

/// A word as it may stand in a log: one in the plural also in the singular.
pub(super) fn plain(text: &str) -> Clause {
    let term = |text: &str| Clause::Term(text.to_owned());
    let is_word = text.len() > 4 && text.bytes().all(|c| c.is_ascii_lowercase());
    let singular = if !is_word || ["ss", "us", "is"].iter().any(|ending| text.ends_with(ending)) {
        None
    } else if let Some(stem) = text.strip_suffix("ies") {
        Some(format!("{stem}y"))
    } else if ["sses", "shes", "ches", "xes"].iter().any(|ending| text.ends_with(ending)) {
        text.strip_suffix("es").map(str::to_owned)
    } else {
        text.strip_suffix('s').map(str::to_owned)
    };
    match singular {
        Some(singular) => Clause::Any(vec![term(&singular), term(text)]),
        None => term(text),
    }
}
