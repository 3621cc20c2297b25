//! A text with its percent escapes undone, and where each of its bytes came from: what stands in an address is redacted
//! as well. Only ASCII is undone; letters beyond it are no part of what is looked for.

use super::kind::Found;

pub(super) struct Percent {
    pub(super) text: String,
    /// Where each byte began, and the end.
    starts: Vec<usize>,
}

impl Percent {
    /// `None`: there is nothing to undo.
    pub(super) fn read(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        memchr::memchr(b'%', bytes)?;
        let (mut undone, mut starts) = (Vec::with_capacity(bytes.len()), Vec::with_capacity(bytes.len() + 1));
        let (mut at, mut is_changed) = (0, false);
        while let Some(byte) = bytes.get(at) {
            starts.push(at);
            if let Some(escaped) = (*byte == b'%').then(|| escaped(bytes.get(at + 1..at + 3)?)).flatten() {
                undone.push(escaped);
                is_changed = true;
                at += 3;
            } else {
                undone.push(*byte);
                at += 1;
            }
        }
        starts.push(at);
        let text = String::from_utf8(undone).ok().filter(|_| is_changed)?;
        Some(Self { text, starts })
    }

    /// A part of the text where it stands in what was read.
    pub(super) fn source(&self, part: &Found) -> Option<Found> {
        let at = |place| self.starts.get(place).copied();
        Some(Found { start: at(part.start)?, end: at(part.end)?, kind: part.kind })
    }
}

fn escaped(digits: &[u8]) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let [high, low] = digits else { return None };
    let byte = u8::try_from(digit(high)? * 16 + digit(low)?).ok()?;
    byte.is_ascii().then_some(byte)
}
