//! What templates do with texts. Those that can make a text longer stop at `MAX_RENDERED`.

use std::collections::BTreeSet;

use regex::Regex;

use super::{super::super::re2, MAX_RENDERED, render::too_long};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
    Both,
}

pub(super) fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut starts = true;
    for c in text.chars() {
        if starts {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        starts = !(c.is_alphanumeric() || matches!(c, '_' | '\''));
    }
    out
}

/// The first characters, or with a negative length the last ones.
pub(super) fn truncated(length: i64, text: &str) -> String {
    let count = text.chars().count();
    let kept = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    if length < 0 {
        text.chars().skip(count.saturating_sub(kept)).collect()
    } else {
        text.chars().take(kept).collect()
    }
}

/// The characters from `start` up to `end`; a negative `end` is the end of the text.
pub(super) fn between(start: i64, end: i64, text: &str) -> String {
    let start = usize::try_from(start).unwrap_or(0);
    let length = usize::try_from(end).map_or(usize::MAX, |end| end.saturating_sub(start));
    text.chars().skip(start).take(length).collect()
}

pub(super) fn trimmed(text: &str, cutset: &str, side: Side) -> String {
    let cutset: BTreeSet<char> = cutset.chars().collect();
    let mut text = text;
    if side != Side::Right {
        text = text.trim_start_matches(|c| cutset.contains(&c));
    }
    if side != Side::Left {
        text = text.trim_end_matches(|c| cutset.contains(&c));
    }
    text.to_owned()
}

/// Replaces the first `limit` occurrences, all if it is negative.
pub(super) fn replaced(text: &str, old: &str, new: &str, limit: i64) -> Result<String, String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (at, found) in text.match_indices(old).take(limit) {
        out.push_str(text.get(copied..at).unwrap_or_default());
        out.push_str(new);
        copied = at + found.len();
        fits(out.len())?;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok(out)
}

/// Replaces all matches; with `expands`, `$1` and `${name}` are what the groups hold.
pub(super) fn regex_replaced(
    regex: Option<&Regex>,
    text: &str,
    new: &str,
    expands: bool,
) -> Result<String, String> {
    let Some(regex) = regex else { return Err("an expression is missing".into()) };
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for captures in regex.captures_iter(text) {
        let Some(found) = captures.get(0) else { continue };
        out.push_str(text.get(copied..found.start()).unwrap_or_default());
        if expands {
            re2::expand(&captures, new, MAX_RENDERED, &mut out);
        } else {
            out.push_str(new);
        }
        copied = found.end();
        fits(out.len())?;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Ok(out)
}

pub(super) fn indented(spaces: i64, text: &str) -> Result<String, String> {
    let pad = repeated(spaces, " ")?;
    Ok(pad.clone() + &replaced(text, "\n", &format!("\n{pad}"), -1)?)
}

pub(super) fn repeated(times: i64, text: &str) -> Result<String, String> {
    let times = usize::try_from(times).unwrap_or(0);
    fits(times.saturating_mul(text.len()))?;
    Ok(text.repeat(times))
}

/// A text of exactly so many characters, which stands on the given side.
pub(super) fn aligned(width: i64, text: &str, side: Side) -> Result<String, String> {
    let width = usize::try_from(width).unwrap_or(0);
    fits(width)?;
    let count = text.chars().count();
    let pad = " ".repeat(width.saturating_sub(count));
    Ok(match side {
        Side::Right => pad + &text.chars().skip(count.saturating_sub(width)).collect::<String>(),
        _ => text.chars().take(width).collect::<String>() + &pad,
    })
}

fn fits(bytes: usize) -> Result<(), String> {
    if bytes > MAX_RENDERED { Err(too_long()) } else { Ok(()) }
}
