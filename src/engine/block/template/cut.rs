//! Cutting any value into the text of its template and its variables.

use super::{MAX_DIGITS, MAX_HEX, Var, is_hex, put_var, static_form};
use crate::engine::block::words;

/// A hexadecimal word is packed from this length on; shorter ones are as often ordinary words.
const MIN_HEX: usize = 6;

/// Letters that a word may have before or behind its number, as in `15ms` and `worker3`.
const MAX_UNIT: usize = 12;

const UUID_LEN: usize = 36;

/// A value cut up; used again for the next one, so that its memory is.
#[derive(Debug, Default)]
pub(in crate::engine::block) struct Cut {
    pub(in crate::engine::block) form: String,
    pub(in crate::engine::block) vars: Vec<(Var, usize, usize)>,
    /// The words that a variable is in, or has in it.
    pub(in crate::engine::block) words: Vec<(usize, usize)>,
}

impl Cut {
    pub(super) fn clear(&mut self) {
        self.form.clear();
        self.vars.clear();
        self.words.clear();
    }

    /// Cuts a value. `false` when it can only be kept whole.
    pub(in crate::engine::block) fn cut(&mut self, value: &str) -> bool {
        self.clear();
        let mut at = 0;
        if value.bytes().any(|b| b.is_ascii_digit()) {
            while let Some((start, end)) = next_word(value, at) {
                at = self.word(value, start, end);
                if at == 0 {
                    return false;
                }
            }
        }
        self.text(value, value.len());
        true
    }

    /// Takes the value as one variable. Its words are not noted.
    pub(in crate::engine::block) fn whole(&mut self) {
        self.clear();
        put_var(&mut self.form, Var::Raw);
        self.vars.push((Var::Raw, 0, usize::MAX));
    }

    pub(in crate::engine::block) fn is_whole(&self) -> bool {
        matches!(self.vars.as_slice(), [(Var::Raw, ..)])
    }

    /// Takes what stands behind the last variable, up to here.
    fn text(&mut self, value: &str, to: usize) {
        let from = self.vars.last().map_or(0, |(_, _, end)| *end);
        static_form(value.get(from..to).unwrap_or_default(), &mut self.form);
    }

    fn var(&mut self, value: &str, var: Var, start: usize, end: usize) {
        self.text(value, start);
        put_var(&mut self.form, var);
        self.vars.push((var, start, end));
    }

    /// Takes the word, or several that are one variable. Answers where it ends, 0 when it cannot be taken.
    fn word(&mut self, value: &str, start: usize, end: usize) -> usize {
        let bytes = value.as_bytes();
        let Some(word) = value.get(start..end) else { return 0 };
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        if word.len() == 8 && is_uuid(bytes, start) {
            for (from, to) in [(0, 8), (9, 13), (14, 18), (19, 23), (24, UUID_LEN)] {
                self.words.push((start + from, start + to));
            }
            self.var(value, Var::Uuid, start, start + UUID_LEN);
            return start + UUID_LEN;
        }
        if digits == 0 {
            return end;
        }
        if digits == word.len()
            && let Some(end) = ip4(value, start, end)
        {
            let mut from = start;
            for part in value.get(start..end).unwrap_or_default().split('.') {
                self.words.push((from, from + part.len()));
                from += part.len() + 1;
            }
            self.var(value, Var::Ip4, start, end);
            return end;
        }
        if !word.is_ascii() && !words::fold(word).chars().all(words::is_word) {
            return 0;
        }
        self.words.push((start, end));
        if digits == word.len() {
            self.number(value, word, start);
        } else if (MIN_HEX..=MAX_HEX).contains(&word.len()) && word.bytes().all(is_hex) {
            #[expect(clippy::cast_possible_truncation, reason = "at most MAX_HEX")]
            self.var(value, Var::Hex(word.len() as u8), start, end);
        } else {
            self.mixed(value, word, start, digits);
        }
        end
    }

    fn number(&mut self, value: &str, digits: &str, start: usize) {
        let end = start + digits.len();
        #[expect(clippy::cast_possible_truncation, reason = "at most MAX_DIGITS")]
        let var = match digits.len() {
            length if length > MAX_DIGITS => Var::Word,
            length if length > 1 && digits.starts_with('0') => Var::Padded(length as u8),
            _ => Var::Int,
        };
        self.var(value, var, start, end);
    }

    /// A word of letters and digits: a number with a unit on one side, or a variable as a whole.
    fn mixed(&mut self, value: &str, word: &str, start: usize, digits: usize) {
        let letters = word.len() - digits;
        let end = start + word.len();
        let number_first = word.bytes().take_while(u8::is_ascii_digit).count() == digits;
        let number_last = word.bytes().rev().take_while(u8::is_ascii_digit).count() == digits;
        if letters <= MAX_UNIT && number_first {
            self.number(value, word.get(..digits).unwrap_or_default(), start);
        } else if letters <= MAX_UNIT && number_last {
            self.number(value, word.get(letters..).unwrap_or_default(), start + letters);
        } else {
            self.var(value, Var::Word, start, end);
        }
    }
}

/// The next longest run of letters and digits.
pub(super) fn next_word(value: &str, from: usize) -> Option<(usize, usize)> {
    let bytes = value.as_bytes();
    let start = from + bytes.get(from..)?.iter().position(|b| b.is_ascii_alphanumeric() || !b.is_ascii())?;
    let length = bytes.get(start..)?.iter().take_while(|b| b.is_ascii_alphanumeric()).count();
    let end = start + length;
    if bytes.get(end).is_none_or(u8::is_ascii) && length > 0 {
        return Some((start, end));
    }
    // Rare: characters and not bytes decide.
    let rest = value.get(start..)?;
    let first = rest.char_indices().find(|(_, c)| words::is_word(*c))?.0;
    let length = rest.get(first..)?.find(|c: char| !words::is_word(c)).unwrap_or(rest.len() - first);
    Some((start + first, start + first + length))
}

fn is_uuid(bytes: &[u8], start: usize) -> bool {
    let Some(text) = bytes.get(start..start + UUID_LEN) else { return false };
    let dashed = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => is_hex(*byte),
    };
    bytes.get(start + 8) == Some(&b'-')
        && text.iter().enumerate().all(dashed)
        && bytes.get(start + UUID_LEN).is_none_or(|b| b.is_ascii() && !b.is_ascii_alphanumeric())
}

/// The end of the address that begins with this number.
fn ip4(value: &str, start: usize, first_end: usize) -> Option<usize> {
    let part = |start: usize, end: usize| {
        let text = value.get(start..end)?;
        let plain = text.len() <= 3 && (text.len() == 1 || !text.starts_with('0'));
        (plain && text.parse::<u8>().is_ok()).then_some(())
    };
    part(start, first_end)?;
    let mut end = first_end;
    for _ in 0..3 {
        let (from, to) = next_word(value, end)?;
        if from != end + 1 || value.as_bytes().get(end) != Some(&b'.') {
            return None;
        }
        part(from, to)?;
        end = to;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::{super::MARK, *};

    fn check(value: &str, form: &str, vars: &[&str]) {
        let mut cut = Cut::default();
        assert!(cut.cut(value), "{value}");
        assert_eq!(cut.form.replace(MARK, "%"), form, "{value}");
        let found: Vec<&str> = cut.vars.iter().map(|(_, from, to)| &value[*from..*to]).collect();
        assert_eq!(found, vars, "{value}");
    }

    #[test]
    fn what_differs_is_a_variable() {
        check("no digits here", "no digits here", &[]);
        check("took 15ms of 020", "took %dms of %z3", &["15", "020"]);
        check("/api/v1/users/499218/x", "/api/v%d/users/%d/x", &["1", "499218"]);
        check(
            "id 018f3c2e-0000-7abc-8def-0123456789ab.",
            "id %u.",
            &["018f3c2e-0000-7abc-8def-0123456789ab"],
        );
        check("from 10.0.0.255:80", "from %i:%d", &["10.0.0.255", "80"]);
        check("1.2.3 and 1.2.3.400", "%d.%d.%d and %d.%d.%d.%d", &["1", "2", "3", "1", "2", "3", "400"]);
        check("commit 07b3fe00!", "commit %x8!", &["07b3fe00"]);
        check("key a1b2c3g", "key %w", &["a1b2c3g"]);
        check("123456789012345678901", "%w", &["123456789012345678901"]);
        check("mark \u{1} 5", "mark %= %d", &["5"]);
        check("größe 5é", "größe %dé", &["5"]);
        check("0", "%d", &["0"]);
    }

    #[test]
    fn a_word_that_folds_into_more_than_a_word_keeps_its_value_whole() {
        for value in ["İ1", "1İ", "a 5İ b"] {
            assert!(!Cut::default().cut(value), "{value}");
        }
    }
}
