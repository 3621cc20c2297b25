//! Words beside a number that say what it is.

use std::sync::LazyLock;

use super::{bytes::part, ids::State};

/// Sets of meanings, one bit each.
pub(super) type Meanings = u32;

pub(super) const PHONE: Meanings = 1;
/// Words that stand beside phone numbers and beside others.
pub(super) const CALL: Meanings = 1 << 1;
pub(super) const SSN: Meanings = 1 << 2;
pub(super) const CARD: Meanings = 1 << 3;
/// What follows is a version, not an address.
pub(super) const VERSION: Meanings = 1 << 4;
const STATES: [(State, Meanings); 9] = [
    (State::Britain, 1 << 8),
    (State::Germany, 1 << 9),
    (State::Netherlands, 1 << 10),
    (State::Brazil, 1 << 11),
    (State::India, 1 << 12),
    (State::Canada, 1 << 13),
    (State::Poland, 1 << 14),
    (State::Sweden, 1 << 15),
    (State::France, 1 << 16),
];

/// How far before a number a word may stand, and how far behind it.
const BEFORE: usize = 48;
const BEHIND: usize = 10;

const WORDS: [(&str, Meanings); 79] = [
    ("phone", PHONE),
    ("phones", PHONE),
    ("telephone", PHONE),
    ("tel", PHONE),
    ("mobile", PHONE),
    ("cell", PHONE),
    ("cellphone", PHONE),
    ("phonenumber", PHONE),
    ("fax", PHONE),
    ("sms", PHONE),
    ("msisdn", PHONE),
    ("whatsapp", PHONE),
    ("telefon", PHONE),
    ("telefono", PHONE),
    ("handy", PHONE),
    ("landline", PHONE),
    ("callback", PHONE),
    ("mobil", PHONE),
    ("telefonnummer", PHONE),
    ("mobilenumber", PHONE),
    ("contactnumber", PHONE),
    ("ph", PHONE),
    ("portable", PHONE),
    ("call", CALL),
    ("called", CALL),
    ("caller", CALL),
    ("calling", CALL),
    ("dial", CALL),
    ("dialed", CALL),
    ("dialled", CALL),
    ("answering", CALL),
    ("messages", CALL),
    ("registered", CALL),
    ("office", CALL),
    ("desk", CALL),
    ("contact", CALL),
    ("reach", CALL),
    ("texted", CALL),
    ("voicemail", CALL),
    ("ring", CALL),
    ("hotline", CALL),
    ("ssn", SSN),
    ("social", SSN),
    ("socialsecurity", SSN),
    ("itin", SSN),
    ("taxpayer", SSN),
    ("ssns", SSN),
    ("card", CARD),
    ("cards", CARD),
    ("pan", CARD),
    ("cardnumber", CARD),
    ("maestro", CARD),
    ("cc", CARD),
    ("version", VERSION),
    ("ver", VERSION),
    ("v", VERSION),
    ("build", VERSION),
    ("release", VERSION),
    ("revision", VERSION),
    ("firmware", VERSION),
    ("oid", VERSION),
    ("section", VERSION),
    ("fw", VERSION),
    ("nhs", 1 << 8),
    ("steuer", 1 << 9),
    ("steuerid", 1 << 9),
    ("idnr", 1 << 9),
    ("steueridentifikationsnummer", 1 << 9),
    ("tin", 1 << 9),
    ("bsn", 1 << 10),
    ("burgerservicenummer", 1 << 10),
    ("sofinummer", 1 << 10),
    ("cpf", 1 << 11),
    ("aadhaar", 1 << 12),
    ("aadhar", 1 << 12),
    ("sin", 1 << 13),
    ("pesel", 1 << 14),
    ("personnummer", 1 << 15),
    ("nir", 1 << 16),
];

/// What the words of a text mean. Digits and separators end a word, and so does a capital behind a small letter.
pub(super) fn meanings(text: &[u8]) -> Meanings {
    let mut all = 0;
    for word in text.split(|byte| !byte.is_ascii_alphabetic()) {
        if (1..=27).contains(&word.len()) {
            all |= meaning(word);
            let mut from = 0;
            for place in 1..word.len() {
                if matches!(part(word, place - 1, place + 1), [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase())
                {
                    all |= meaning(part(word, from, place));
                    from = place;
                }
            }
            if from > 0 {
                all |= meaning(part(word, from, word.len()));
            }
        }
    }
    all
}

fn meaning(word: &[u8]) -> Meanings {
    let letter = |word: &[u8]| {
        usize::from(word.first().map_or(0, |byte| byte.to_ascii_lowercase().wrapping_sub(b'a')))
    };
    if LENGTHS.get(letter(word)).is_none_or(|lengths| lengths >> word.len() & 1 == 0) {
        return 0;
    }
    let found = WORDS.iter().find(|(other, _)| word.eq_ignore_ascii_case(other.as_bytes()));
    found.map_or(0, |(_, meaning)| *meaning)
}

/// How long the words are that begin with each letter, a bit for each length. Most words are none of them.
static LENGTHS: LazyLock<[u32; 26]> = LazyLock::new(|| {
    let mut lengths = [0; 26];
    for (word, _) in WORDS {
        let first = word.bytes().next().map_or(0, |byte| usize::from(byte.wrapping_sub(b'a')));
        if let Some(slot) = lengths.get_mut(first) {
            *slot |= 1 << word.len();
        }
    }
    lengths
});

/// The states that a word beside a number names.
pub(super) fn states(meanings: Meanings) -> impl Iterator<Item = State> {
    STATES.into_iter().filter(move |(_, bit)| meanings & bit != 0).map(|(state, _)| state)
}

/// What the words around a part of a text mean.
pub(super) fn around(text: &[u8], start: usize, end: usize) -> Meanings {
    // A word is not cut in two.
    let mut from = start.saturating_sub(BEFORE);
    while from < start && from > 0 && part(text, from - 1, from).iter().all(u8::is_ascii_alphabetic) {
        from += 1;
    }
    let mut all = meanings(part(text, from, start));
    let mut to = (end + BEHIND).min(text.len());
    while to > end && to < text.len() && part(text, to - 1, to + 1).iter().all(u8::is_ascii_alphabetic) {
        to -= 1;
    }
    let behind = part(text, end, to);
    let line =
        behind.iter().position(|byte| matches!(byte, b'\n' | b',' | b';' | b'"')).unwrap_or(behind.len());
    all |= meanings(part(behind, 0, line)) & (PHONE | CALL);
    all
}

/// What the words just before an address mean.
pub(super) fn before(text: &[u8], start: usize) -> Meanings {
    meanings(part(text, start.saturating_sub(10), start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_counts_whole_or_not_at_all() {
        for (text, expected) in [
            ("555-0100 call me", CALL),
            ("555-0100 1ent callhast", 0),
            ("555-0100 1ent call", CALL),
            ("recall 555-0100", 0),
        ] {
            let start = text.find("555").unwrap();
            assert_eq!(around(text.as_bytes(), start, start + 8) & CALL, expected & CALL, "{text}");
        }
    }
}
