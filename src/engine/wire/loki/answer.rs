//! What Loki answers when entries were not taken: plain text, in which errors alike are one.

use std::fmt::Write as _;

use crate::engine::record::rejection::Rejection;

const MAX_REASONS: usize = 10;
const MAX_REASON_CHARS: usize = 512;

/// The reasons, each with the first entry of the request that had it, counted from 0, and how many had it. Never more than
/// ten of them.
pub fn reasons(rejections: &[(usize, Rejection)]) -> String {
    let mut kinds: Vec<(&str, usize, usize)> = Vec::new();
    let mut others = 0_usize;
    for (index, rejection) in rejections {
        if let Some((_, _, count)) = kinds.iter_mut().find(|(message, ..)| *message == rejection.message) {
            *count += 1;
        } else if kinds.len() < MAX_REASONS {
            kinds.push((&rejection.message, *index, 1));
        } else {
            others += 1;
        }
    }
    let mut text = String::new();
    for (message, index, count) in kinds {
        if !text.is_empty() {
            text.push_str("; ");
        }
        if count > 1 {
            let _ = write!(text, "{count} errors like: ");
        }
        let _ = write!(text, "entry {index}: ");
        text.extend(message.chars().take(MAX_REASON_CHARS));
    }
    if others > 0 {
        let _ = write!(text, "; and {others} other errors");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(messages: &[&str], expected: &str) {
        let rejections: Vec<_> = messages
            .iter()
            .enumerate()
            .map(|(at, message)| (at, Rejection::new(Rejection::INVALID_FIELD, *message)))
            .collect();
        assert_eq!(reasons(&rejections), expected);
    }

    #[test]
    fn errors_alike_are_counted() {
        check(&[], "");
        check(&["too old"], "entry 0: too old");
        check(&["too old", "too long", "too old"], "2 errors like: entry 0: too old; entry 1: too long");
    }

    #[test]
    fn the_text_is_bounded() {
        let long = "é".repeat(10_000);
        let messages: Vec<String> = (0..50).map(|n| format!("{n} {long}")).collect();
        let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
        let rejections: Vec<_> =
            messages.iter().map(|message| (0, Rejection::new(Rejection::INVALID_FIELD, *message))).collect();
        let text = reasons(&rejections);
        assert!(text.len() < 11_000, "{}", text.len());
        assert!(text.ends_with("; and 40 other errors"));
    }
}
