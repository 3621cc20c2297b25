//! Dates of birth: a date behind a word that says so.

use super::bytes::{at, is_word, part, run, starts_folded};

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// How far behind the word the date may begin.
const NEAR: usize = 24;

/// The date behind a word that begins here, if it is one of those.
pub(super) fn date(text: &[u8], start: usize) -> Option<(usize, usize)> {
    // `date_of_birth`, `birthDate`, `dob`, `born on`: the word itself is known, its end is not.
    let from = run(part(text, 0, start + 24), start, |byte| byte.is_ascii_alphabetic() || byte == b'_');
    let born = starts_folded(text, start, "born");
    let inside = text.get(..start).and_then(|head| head.last()).is_some_and(u8::is_ascii_alphabetic);
    let camel = at(text, start).is_ascii_uppercase();
    if inside && !camel {
        return None;
    }
    let between = part(text, from, from + NEAR);
    let mut place = 0;
    while place < between.len() {
        let rest = part(between, place, between.len());
        let byte = at(between, place);
        if byte.is_ascii_digit() || month(rest).is_some() {
            let start = from + place;
            return date_end(text, start).map(|end| (start, end));
        }
        let word = run(between, place, |byte| byte.is_ascii_alphabetic());
        let filler = ["on", "is", "was", "in", "the", "date", "day", "of", "value", "at"];
        let fills = |word: &[u8]| filler.iter().any(|other| word.eq_ignore_ascii_case(other.as_bytes()));
        if word > place {
            if !fills(part(between, place, word)) {
                return None;
            }
            place = word;
        } else if matches!(byte, b' ' | b':' | b'=' | b'"' | b'\'' | b'\\' | b'>' | b'_' | b'-' | b'\t')
            && !(born && matches!(byte, b'-'))
        {
            place += 1;
        } else {
            return None;
        }
    }
    None
}

fn month(text: &[u8]) -> Option<usize> {
    let known = MONTHS.iter().any(|month| starts_folded(text, 0, month));
    let end = run(text, 0, |byte| byte.is_ascii_alphabetic());
    (known && end <= 9).then_some(end)
}

fn digits(text: &[u8], from: usize) -> (usize, u32) {
    let end = run(part(text, 0, from + 5), from, |byte| byte.is_ascii_digit());
    (end - from, part(text, from, end).iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

fn is_year(length: usize, value: u32) -> bool {
    length == 2 || (length == 4 && (1850..=2100).contains(&value))
}

/// Where the date that begins here ends.
fn date_end(text: &[u8], start: usize) -> Option<usize> {
    let free = |end: usize| (!is_word(at(text, end)) || at(text, end) == b'T').then_some(end);
    if let Some(length) = month(part(text, start, start + 12)) {
        // March 12, 1980
        let from = run(part(text, 0, start + length + 2), start + length, |byte| matches!(byte, b' ' | b'.'));
        let (length, day) = digits(text, from);
        let mut place = from + length;
        if matches!(part(text, place, place + 2), b"st" | b"nd" | b"rd" | b"th") {
            place += 2;
        }
        let place = run(part(text, 0, place + 2), place, |byte| matches!(byte, b' ' | b','));
        let (length, year) = digits(text, place);
        return (day <= 31 && is_year(length, year)).then(|| free(place + length)).flatten();
    }
    let (length, one) = digits(text, start);
    let mut place = start + length;
    if length == 8 || (length == 4 && at(text, place).is_ascii_digit()) {
        // 19800312
        let end = run(part(text, 0, start + 9), start, |byte| byte.is_ascii_digit());
        return (end - start == 8).then(|| free(end)).flatten();
    }
    if matches!(part(text, place, place + 2), b"st" | b"nd" | b"rd" | b"th") {
        place += 2;
    }
    let separator = at(text, place);
    if !matches!(separator, b'-' | b'/' | b'.' | b' ') {
        return None;
    }
    let next = place + 1 + usize::from(separator == b'.' && at(text, place + 1) == b' ');
    if let Some(letters) = month(part(text, next, next + 12)) {
        // 12 March 1980, 12-Mar-1980
        let from = run(part(text, 0, next + letters + 2), next + letters, |byte| {
            matches!(byte, b' ' | b'-' | b',' | b'.' | b'/')
        });
        let (length, year) = digits(text, from);
        return (one <= 31 && is_year(length, year)).then(|| free(from + length)).flatten();
    }
    let (length_two, two) = digits(text, next);
    let third = next + length_two;
    if at(text, third) != separator || separator == b' ' {
        return None;
    }
    let (length_three, three) = digits(text, third + 1);
    let end = third + 1 + length_three;
    let day = |length: usize, value: u32| (1..=2).contains(&length) && (1..=31).contains(&value);
    let fits = (length == 4 && is_year(4, one) && day(length_two, two) && day(length_three, three))
        || (day(length, one) && day(length_two, two) && is_year(length_three, three));
    if fits { free(end) } else { None }
}
