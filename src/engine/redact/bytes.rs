//! Looking at bytes of a text without fear of its ends: behind them stand zeros.

/// The byte at a place; 0 behind the end and before the start.
pub(super) fn at(text: &[u8], place: usize) -> u8 {
    text.get(place).copied().unwrap_or(0)
}

/// The byte before a place.
pub(super) fn before(text: &[u8], place: usize) -> u8 {
    place.checked_sub(1).map_or(0, |place| at(text, place))
}

pub(super) fn part(text: &[u8], from: usize, to: usize) -> &[u8] {
    text.get(from..to.min(text.len())).unwrap_or_default()
}

/// Letters and digits of ASCII; others end a word.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

pub(super) fn starts(text: &[u8], place: usize, with: &str) -> bool {
    part(text, place, place + with.len()) == with.as_bytes()
}

pub(super) fn starts_folded(text: &[u8], place: usize, with: &str) -> bool {
    part(text, place, place + with.len()).eq_ignore_ascii_case(with.as_bytes())
}

/// Where the run of bytes that are `within` ends.
pub(super) fn run(text: &[u8], from: usize, within: impl Fn(u8) -> bool) -> usize {
    part(text, from, text.len()).iter().position(|byte| !within(*byte)).map_or(text.len(), |n| from + n)
}

/// Where the run of bytes that are `within` and end at `to` begins; not before `least`.
pub(super) fn run_back(text: &[u8], to: usize, least: usize, within: impl Fn(u8) -> bool) -> usize {
    let back = part(text, least, to).iter().rev().position(|byte| !within(*byte));
    back.map_or(least.min(to), |n| to - n)
}

/// Whether a word may begin here: behind a byte that is no letter or digit, an escape (`\n`, `%20`) or the end of
/// a terminal's colour.
pub(super) fn begins(text: &[u8], place: usize) -> bool {
    let last = before(text, place);
    if !is_word(last) {
        return true;
    }
    let second = place.checked_sub(2).map_or(0, |place| at(text, place));
    let third = place.checked_sub(3).map_or(0, |place| at(text, place));
    if second == b'\\' && matches!(last, b'n' | b'r' | b't' | b'b' | b'f') {
        return true;
    }
    if third == b'%' && second.is_ascii_hexdigit() && last.is_ascii_hexdigit() {
        return true;
    }
    let colour = place.saturating_sub(1);
    let from = run_back(text, colour, colour.saturating_sub(8), |byte| byte.is_ascii_digit() || byte == b';');
    last == b'm' && from < colour && before(text, from) == b'['
}

/// Whether a word may end here.
pub(super) fn ends(text: &[u8], place: usize) -> bool {
    !is_word(at(text, place))
}
