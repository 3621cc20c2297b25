//! The text of a form: words stand between marks, a masked word is a pair of marks with nothing between, and what
//! parts words stands outside. Marks are control characters, which a message cannot bring along.

use super::hash::hash;

/// Before and after a word.
pub(super) const OPEN: u8 = 1;
pub(super) const SHUT: u8 = 2;
/// A value, as text and as it is shown.
pub(super) const MASK: &[u8] = &[OPEN, SHUT];
pub(super) const SHOWN: &str = "<*>";
/// As many bits as a set of words has.
pub(super) const MAX_WORDS: usize = 128;

/// A text, taken apart: what stands before each word, each word, and what stands after the last.
pub(super) struct Parts<'a> {
    pub(super) before: Vec<&'a [u8]>,
    pub(super) words: Vec<&'a [u8]>,
    pub(super) after: &'a [u8],
}

/// Nothing where the text is not one.
pub(super) fn parts(text: &[u8]) -> Option<Parts<'_>> {
    let mut found = Parts { before: Vec::new(), words: Vec::new(), after: text };
    while let Some(open) = memchr::memchr(OPEN, found.after) {
        let (before, rest) = found.after.split_at_checked(open)?;
        let rest = rest.get(1..)?;
        let (word, rest) = rest.split_at_checked(memchr::memchr(SHUT, rest)?)?;
        if memchr::memchr(SHUT, before).or(memchr::memchr(OPEN, word)).is_some() {
            return None;
        }
        found.before.push(before);
        found.words.push(word);
        found.after = rest.get(1..)?;
    }
    (found.words.len() <= MAX_WORDS && memchr::memchr(SHUT, found.after).is_none()).then_some(found)
}

/// The hash of a text without its words: only forms of one frame can be one pattern.
pub(super) fn frame(text: &[u8]) -> u64 {
    let mut frame = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = memchr::memchr(OPEN, rest) {
        let (before, word) = rest.split_at_checked(open).unwrap_or((rest, &[]));
        frame.extend_from_slice(before);
        frame.push(OPEN);
        let shut = memchr::memchr(SHUT, word).map_or(word.len(), |shut| shut + 1);
        rest = word.get(shut..).unwrap_or(&[]);
    }
    frame.extend_from_slice(rest);
    hash(&frame)
}

/// The text with the words of the set masked.
pub(super) fn masked(text: &[u8], set: u128) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    let mut bit: u128 = 1;
    while let Some(open) = memchr::memchr(OPEN, rest) {
        let shut = memchr::memchr(SHUT, rest).map_or(rest.len(), |shut| shut + 1);
        let keep = if set & bit == 0 { shut } else { open };
        out.extend_from_slice(rest.get(..keep).unwrap_or(&[]));
        if set & bit != 0 {
            out.extend_from_slice(MASK);
        }
        bit = bit.checked_shl(1).unwrap_or(0);
        rest = rest.get(shut.max(1)..).unwrap_or(&[]);
    }
    out.extend_from_slice(rest);
    out
}

/// As it is shown.
pub(super) fn shown(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(open) = memchr::memchr(OPEN, rest) {
        let shut = memchr::memchr(SHUT, rest).unwrap_or(rest.len());
        out.extend_from_slice(rest.get(..open).unwrap_or(&[]));
        let word = rest.get(open + 1..shut).unwrap_or(&[]);
        out.extend_from_slice(if word.is_empty() { SHOWN.as_bytes() } else { word });
        rest = rest.get(shut + 1..).unwrap_or(&[]);
    }
    out.extend_from_slice(rest);
    String::from_utf8(out).unwrap_or_else(|wrong| String::from_utf8_lossy(wrong.as_bytes()).into_owned())
}
