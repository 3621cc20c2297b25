//! The part of a message that a form looks at.

use super::shape::{DIGIT, HIGH, LETTER, SPACE, class, colour};

/// What is behind says little about which statement wrote a message, and costs.
const MAX_BYTES: usize = 2048;

/// A word that is cut is left out when it is not longer.
const MAX_TAIL: usize = 256;

/// The first line that says something, all lines of an object, but not more than some bytes; whether there is more.
pub(super) fn head(message: &str) -> (&[u8], bool) {
    let bytes = message.as_bytes().trim_ascii();
    let mut end = bytes.len().min(MAX_BYTES);
    // A character is not cut: its further bytes are those that no character begins with.
    while end < bytes.len() && end > 0 && bytes.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    if end < bytes.len() {
        // Half a word would be another word.
        let mut tail = bytes.get(..end).unwrap_or(bytes).iter().rev().take(MAX_TAIL);
        end -= tail.position(|byte| class(*byte) & SPACE != 0).unwrap_or(0);
    }
    let mut from = 0;
    while let Some(line) = bytes.get(from..end).filter(|_| bytes.first() != Some(&b'{')) {
        let Some(length) = memchr::memchr2(b'\n', b'\r', line) else { break };
        if line.iter().take(length).any(|byte| class(*byte) & (LETTER | DIGIT | HIGH) != 0) {
            end = from + length;
            break;
        }
        from += length + 1;
    }
    (bytes.get(..end).unwrap_or(bytes), end < bytes.len())
}

/// The head of a message as its form reads it, with nothing masked.
pub(super) fn clean(message: &str, out: &mut Vec<u8>) {
    let (bytes, more) = head(message);
    let mut space = false;
    let mut skip = 0;
    for (at, byte) in bytes.iter().copied().enumerate() {
        if at < skip {
            continue;
        }
        if class(byte) & SPACE != 0 {
            let colour = if byte == 0x1b { colour(bytes.get(at..).unwrap_or(&[])) } else { 0 };
            skip = at + colour;
            space |= colour == 0 && !out.is_empty();
            continue;
        }
        if space {
            out.push(b' ');
            space = false;
        }
        out.push(byte);
    }
    if more {
        out.extend_from_slice(b" \x01");
    }
}
