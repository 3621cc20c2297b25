//! Words: what a text is cut into for filters and for search.
//!
//! A word is a longest run of letters and digits, in lower case. `req-ba77.d4` is the words `req`, `ba77`
//! and `d4`; who looks for the whole looks for the words side by side.

use std::borrow::Cow;

/// The text in lower case, character by character, so that a part folds as it does within the whole.
pub fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    let folded = |c: char| if c.is_ascii() { !c.is_ascii_uppercase() } else { c.to_lowercase().eq([c]) };
    if text.chars().all(folded) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
    }
}

/// Whether the character is part of a word.
pub fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

/// The words of a folded text.
pub fn words(folded: &str) -> impl Iterator<Item = &str> {
    folded.split(|c: char| !is_word(c)).filter(|word| !word.is_empty())
}

/// What filters and indexes know of a word: XXH3-64 of its UTF-8 bytes.
pub fn hash(word: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(word.as_bytes())
}

/// Whether a folded text holds a folded term so that no word is cut at the term's ends: `out` is not in
/// `timeout`, `time-out` holds it.
pub fn holds(text: &str, term: &str) -> bool {
    let (Some(first), Some(last)) = (term.chars().next(), term.chars().next_back()) else { return true };
    let mut from = 0;
    while let Some(at) =
        text.get(from..).and_then(|rest| memchr::memmem::find(rest.as_bytes(), term.as_bytes()))
    {
        let start = from + at;
        let end = start + term.len();
        let before = text.get(..start).and_then(|t| t.chars().next_back());
        let after = text.get(end..).and_then(|t| t.chars().next());
        let cut = |inner: char, outer: Option<char>| is_word(inner) && outer.is_some_and(is_word);
        if !cut(first, before) && !cut(last, after) {
            return true;
        }
        from = start + first.len_utf8();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_where_no_letter_or_digit_stands() {
        let check = |text: &str, expected: &[&str]| {
            assert_eq!(words(&fold(text)).collect::<Vec<_>>(), expected, "{text}");
        };
        check("", &[]);
        check("--", &[]);
        check("Payment FAILED: order_id=o-17", &["payment", "failed", "order", "id", "o", "17"]);
        check("ÄRGER über 3.14 日本語", &["ärger", "über", "3", "14", "日本語"]);
    }

    #[test]
    fn a_term_is_held_between_word_ends() {
        for (text, term, expected) in [
            ("timeout", "out", false),
            ("time-out", "out", true),
            ("time-out", "time-out", true),
            ("outtime out", "out", true),
            ("a1b", "1", false),
            ("u-20173", "u-2017", false),
            ("u-20173", "-20173", true),
            ("x", "", true),
            ("50% off", "%", true),
            ("ärger", "rger", false),
        ] {
            assert_eq!(holds(text, term), expected, "{term} in {text}");
        }
    }

    #[test]
    fn a_part_folds_as_within_the_whole() {
        let text = "ΣΑΣ İstanbul ẞ";
        let folded = fold(text);
        for part in text.split(' ') {
            assert!(holds(&folded, &fold(part)), "{part}");
        }
    }

    #[test]
    fn hashes_are_those_that_stored_filters_were_made_with() {
        assert_eq!(hash(""), 0x2d06_8005_38d3_94c2);
        assert_eq!(hash("timeout"), xxhash_rust::xxh3::xxh3_64(b"timeout"));
    }
}
