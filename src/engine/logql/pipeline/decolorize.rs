//! Colours of terminals, taken out of a line.

use std::borrow::Cow;

use super::{Row, Step};

pub(super) struct Decolorize;

impl Step for Decolorize {
    fn run(&self, row: &mut Row<'_>) -> bool {
        if row.line.contains(['\u{1b}', '\u{9b}']) {
            row.line = Cow::Owned(plain(&row.line));
        }
        true
    }
}

/// The text without control sequences: an escape, a bracket, parameters and one letter.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find(['\u{1b}', '\u{9b}']) {
        let (before, sequence) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(before);
        let body = sequence.trim_start_matches(['\u{1b}', '\u{9b}']);
        let body = body.strip_prefix('[').unwrap_or(body);
        let end = body
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, ';' | '?' | '#' | ' '))
            .unwrap_or(body.len());
        let after = body.get(end..).unwrap_or_default();
        rest = after
            .strip_prefix(|c: char| c.is_ascii_alphabetic() || matches!(c, '@' | '~' | '<' | '=' | '>'))
            .unwrap_or(after);
    }
    out.push_str(rest);
    out
}
