//! Words with `*` and `?` in them, matched in one pass over the text.

use memchr::memmem;

use crate::engine::block::words;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text(String),
    /// `?`
    One,
    /// `*`
    Many,
}

/// A folded pattern.
///
/// It is run as an automaton whose states are bits: state n has met the first n characters of the pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    pieces: Vec<Piece>,
    /// Which states go on at a character.
    chars: Vec<(char, u128)>,
    /// Which states go on at any character.
    ones: u128,
    /// Which states may stay as they are at any character.
    loops: u128,
    /// Characters and `?` of the pattern: the last state.
    length: usize,
}

impl Wildcard {
    /// Characters of a pattern, `*` not counted.
    pub const MAX_LENGTH: usize = 127;

    /// Folds and joins what it is made of; `None` if that is too long.
    pub fn new(pieces: impl IntoIterator<Item = Piece>) -> Option<Self> {
        let mut wildcard = Self { pieces: Vec::new(), chars: Vec::new(), ones: 0, loops: 0, length: 0 };
        for piece in pieces {
            match piece {
                Piece::Text(text) => wildcard.push_text(&words::fold(&text))?,
                Piece::One => {
                    wildcard.ones |= wildcard.advance()?;
                    wildcard.pieces.push(Piece::One);
                }
                Piece::Many => {
                    wildcard.loops |= 1 << wildcard.length;
                    if wildcard.pieces.last() != Some(&Piece::Many) {
                        wildcard.pieces.push(Piece::Many);
                    }
                }
            }
        }
        Some(wildcard)
    }

    fn push_text(&mut self, text: &str) -> Option<()> {
        for c in text.chars() {
            let state = self.advance()?;
            match self.chars.iter_mut().find(|(known, _)| *known == c) {
                Some((_, states)) => *states |= state,
                None => self.chars.push((c, state)),
            }
        }
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
        Some(())
    }

    /// Adds a state; answers the bit of the one before.
    fn advance(&mut self) -> Option<u128> {
        let state = (self.length < Self::MAX_LENGTH).then(|| 1 << self.length)?;
        self.length += 1;
        Some(state)
    }

    /// Its parts, folded; no two texts and no two `Many` side by side.
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether the whole folded text is as the pattern says; `*` and `?` stand for any characters.
    pub fn matches(&self, folded: &str) -> bool {
        let mut states = 1;
        for c in folded.chars() {
            states = self.step(states, c, true);
            if states == 0 {
                return false;
            }
        }
        self.is_end(states)
    }

    /// Whether some part of the folded text is as the pattern says and cuts no word at its ends; `*` and `?`
    /// stand for letters and digits alone.
    pub fn matches_words(&self, folded: &str) -> bool {
        let texts = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_bytes()),
            Piece::One | Piece::Many => None,
        });
        let longest = texts.max_by_key(|text| text.len());
        if longest.is_some_and(|text| memmem::find(folded.as_bytes(), text).is_none()) {
            return false;
        }
        let (mut states, mut inside) = (0, false);
        let mut chars = folded.chars().peekable();
        while let Some(c) = chars.next() {
            let word = words::is_word(c);
            let start = u128::from(!(inside && word));
            states = self.step(states | start, c, word);
            let cuts = word && chars.peek().copied().is_some_and(words::is_word);
            if self.is_end(states) && !cuts {
                return true;
            }
            inside = word;
        }
        false
    }

    /// The states after a character; `free` if `*` and `?` may stand for it.
    fn step(&self, states: u128, c: char, free: bool) -> u128 {
        let by_char = self.chars.iter().find(|(known, _)| *known == c).map_or(0, |(_, states)| *states);
        let (ones, loops) = if free { (self.ones, self.loops) } else { (0, 0) };
        ((states & (by_char | ones)) << 1) | (states & loops)
    }

    fn is_end(&self, states: u128) -> bool {
        states >> self.length & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wildcard(pattern: &str) -> Wildcard {
        Wildcard::new(pattern.chars().map(|c| match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            c => Piece::Text(c.to_string()),
        }))
        .unwrap()
    }

    #[test]
    fn a_pattern_is_matched_with_the_whole_value() {
        for (pattern, text, expected) in [
            ("api*", "api", true),
            ("api*", "api-gateway", true),
            ("api*", "my-api", false),
            ("*gate*", "api-gateway", true),
            ("*way", "api-gateway", true),
            ("*way", "api-gateways", false),
            ("us?r", "user", true),
            ("us?r", "usr", false),
            ("us?r", "useer", false),
            ("?", "é", true),
            ("?*", "", false),
            ("a*b*c", "axxbyybzzc", true),
            ("a*b*c", "acb", false),
            ("*", "", true),
            ("API*", "api", true),
        ] {
            assert_eq!(wildcard(pattern).matches(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_is_found_between_word_ends() {
        for (pattern, text, expected) in [
            ("pay*", "payment failed", true),
            ("pay*", "the payment", true),
            ("pay*", "repayment", false),
            ("pay*", "pay", true),
            ("*ment", "a payment.", true),
            ("*ment", "payments", false),
            ("pay*failed", "payment failed", false),
            ("pay* failed", "payment failed", true),
            ("req-*-d?", "at req-ba77-d4", true),
            ("req-*-d?", "at req-ba77-d45", false),
            ("req-*-d?", "at req-ba-77-d4", false),
            ("u?er", "u er", false),
            ("u?er", "user", true),
            ("*-x", "a-x", true),
            ("-*", "--verbose", true),
            ("a?", "ba bab ab", true),
        ] {
            assert_eq!(wildcard(pattern).matches_words(text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_pattern_has_a_length_at_the_most() {
        let text = |n| Piece::Text("x".repeat(n));
        let longest = Wildcard::new([text(Wildcard::MAX_LENGTH), Piece::Many]).unwrap();
        assert!(longest.matches(&"x".repeat(Wildcard::MAX_LENGTH)) && longest.matches(&"x".repeat(200)));
        assert!(!longest.matches(&"x".repeat(Wildcard::MAX_LENGTH - 1)));
        assert_eq!(Wildcard::new([text(Wildcard::MAX_LENGTH), Piece::One]), None);
        assert_eq!(Wildcard::new([text(Wildcard::MAX_LENGTH + 1)]), None);
    }

    fn naive(pattern: &[char], text: &[char], free: &dyn Fn(char) -> bool) -> bool {
        match (pattern, text) {
            ([], []) => true,
            (['*', rest @ ..], _) => {
                naive(rest, text, free)
                    || text.split_first().is_some_and(|(c, behind)| free(*c) && naive(pattern, behind, free))
            }
            (['?', rest @ ..], [c, behind @ ..]) => free(*c) && naive(rest, behind, free),
            ([p, rest @ ..], [c, behind @ ..]) => p == c && naive(rest, behind, free),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_automaton_agrees_with_the_definition(pattern in "[ab*?-]{1,6}", text in "[ab -]{0,9}") {
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(wildcard(&pattern).matches(&text), naive(&p, &t, &|_| true));
            let whole = |from: usize, to: usize| {
                let ends = |at: usize| {
                    let word = |at: Option<usize>| at.and_then(|at| t.get(at)).is_some_and(|c| words::is_word(*c));
                    !(word(at.checked_sub(1)) && word(Some(at)))
                };
                ends(from) && ends(to) && naive(&p, &t[from..to], &words::is_word)
            };
            let found = (0..t.len()).any(|from| (from + 1..=t.len()).any(|to| whole(from, to)));
            prop_assert_eq!(wildcard(&pattern).matches_words(&text), found);
        }
    }
}
