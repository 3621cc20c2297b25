//! The stages that find labels in a line.

use regex::Regex;
use serde_json::{Map, Value};
use timberline::engine::logql::ast::Extract;

use super::stages::Labels;

const JSON_ERROR: &str = "JSONParserErr";
const LOGFMT_ERROR: &str = "LogfmtParserErr";

/// A name as a label may have it; one at the start of a label must not begin with a digit.
fn sanitised(name: &str, at_start: bool) -> String {
    let name = name.trim();
    let digit = at_start && name.starts_with(|c: char| c.is_ascii_digit());
    let allowed = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let prefix = if digit { "_" } else { "" };
    format!("{prefix}{}", name.chars().map(allowed).collect::<String>())
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// The text of a string, a number or a boolean.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn json(text: &str, labels: &mut Labels) {
    match object(text) {
        Some(object) => flatten("", &object, labels),
        None => labels.fail(JSON_ERROR),
    }
}

/// Objects give labels with the names of all levels; arrays and nulls give none.
fn flatten(prefix: &str, object: &Map<String, Value>, labels: &mut Labels) {
    for (key, value) in object {
        let name = if prefix.is_empty() {
            sanitised(key, true)
        } else {
            format!("{prefix}_{}", sanitised(key, false))
        };
        if name.is_empty() {
            continue;
        }
        if let Value::Object(inner) = value {
            flatten(&name, inner, labels);
        } else if let Some(text) = plain(value) {
            labels.extract(&name, &text);
        }
    }
}

/// Labels from paths, in place of what other stages have set: an object or array gives its JSON, a null and what
/// is missing a label without text.
pub(super) fn json_paths(text: &str, extracts: &[Extract], labels: &mut Labels) {
    if text.is_empty() {
        return;
    }
    let whole: Result<Value, _> = serde_json::from_str(text);
    if whole.is_err() || !text.starts_with(['{', '[', '"']) {
        labels.fail(JSON_ERROR);
    }
    if !text.starts_with(['{', '[', '"']) {
        return;
    }
    let whole = whole.unwrap_or(Value::Null);
    for extract in extracts {
        let name = labels.free_name(&extract.label);
        match steps(&extract.path).iter().try_fold(&whole, |value, step| follow(value, step)) {
            Some(Value::Null) => labels.set(&name, ""),
            Some(found) => labels.set(&name, &plain(found).unwrap_or_else(|| found.to_string())),
            None if labels.get(&extract.label).is_none() => labels.set(&extract.label, ""),
            None => {}
        }
    }
}

enum Step {
    Key(String),
    Index(usize),
}

fn follow<'a>(value: &'a Value, step: &Step) -> Option<&'a Value> {
    match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
    }
}

/// The steps of `a.b["c d"][0]`.
fn steps(path: &str) -> Vec<Step> {
    let whole = Regex::new(r#"\["([^"]*)"\]|\[(\d+)\]|([^.\[\]]+)"#).unwrap();
    let step = |found: regex::Captures<'_>| match (found.get(1).or(found.get(3)), found.get(2)) {
        (Some(key), _) => Step::Key(key.as_str().to_owned()),
        (None, Some(index)) => Step::Index(index.as_str().parse().unwrap()),
        (None, None) => unreachable!("one of the three has matched"),
    };
    whole.captures_iter(path).map(step).collect()
}

/// Texts of a packed object become labels, but only where its line is packed with them.
pub(super) fn unpack(text: &str, labels: &mut Labels) -> Option<String> {
    let Some(object) = object(text) else {
        if !text.is_empty() {
            labels.fail(JSON_ERROR);
        }
        return None;
    };
    let entry = object.get("_entry")?.as_str()?.to_owned();
    for (key, value) in &object {
        if let (true, Value::String(value)) = (key != "_entry", value) {
            labels.extract(&sanitised(key, true), value);
        }
    }
    Some(entry)
}

pub(super) fn logfmt(text: &str, strict: bool, keep_empty: bool, labels: &mut Labels) {
    let (pairs, failed) = pairs(text, strict);
    for (key, value) in pairs {
        if keep_empty || !value.is_empty() {
            labels.extract(&sanitised(&key, true), &value);
        }
    }
    if strict && failed {
        labels.fail(LOGFMT_ERROR);
    }
}

/// Labels from fields, in place of what other stages have set; one that is missing has no text.
pub(super) fn logfmt_fields(text: &str, strict: bool, fields: &[Extract], labels: &mut Labels) {
    for field in fields {
        if labels.free_name(&field.label) == field.label {
            labels.set(&field.label, "");
        }
    }
    let (pairs, failed) = pairs(text, strict);
    for (key, value) in pairs {
        for field in fields {
            if sanitised(&key, true) == sanitised(&field.path, true) {
                let name = labels.free_name(&field.label);
                labels.set(&name, &value);
            }
        }
    }
    if strict && failed {
        labels.fail(LOGFMT_ERROR);
    }
}

/// The pairs of a line, and whether one was wrong: those before it when strict, those around it otherwise.
fn pairs(text: &str, strict: bool) -> (Vec<(String, String)>, bool) {
    let mut pairs = Vec::new();
    let mut failed = false;
    let mut rest = text.trim_start_matches(is_blank);
    while !rest.is_empty() {
        if let Some((key, value, tail)) = pair(rest) {
            pairs.push((key, value));
            rest = tail;
        } else {
            failed = true;
            if strict {
                break;
            }
            rest = rest.find(is_blank).map_or("", |at| &rest[at..]);
        }
        rest = rest.trim_start_matches(is_blank);
    }
    (pairs, failed)
}

fn is_blank(c: char) -> bool {
    c <= ' '
}

/// The first pair: `key`, `key=`, `key=value` or `key="value"`.
fn pair(text: &str) -> Option<(String, String, &str)> {
    let end = text.find(|c| is_blank(c) || c == '=' || c == '"').unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if key.is_empty() || rest.starts_with('"') {
        return None;
    }
    let Some(rest) = rest.strip_prefix('=') else { return Some((key.to_owned(), String::new(), rest)) };
    if rest.starts_with('"') {
        let end = quoted_end(rest)?;
        let value = serde_json::from_str(&rest[..end]).ok()?;
        return Some((key.to_owned(), value, &rest[end..]));
    }
    let end = rest.find(|c| is_blank(c) || c == '=' || c == '"').unwrap_or(rest.len());
    let (value, tail) = rest.split_at(end);
    if tail.starts_with(['=', '"']) {
        return None;
    }
    Some((key.to_owned(), value.to_owned(), tail))
}

/// Where a text that begins with a quote has its closing one, behind it.
fn quoted_end(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return Some(at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

pub(super) fn regexp(text: &str, regex: &str, labels: &mut Labels) {
    let regex = Regex::new(regex).unwrap();
    let Some(found) = regex.captures(text) else { return };
    for name in regex.capture_names().flatten() {
        labels.extract(name, found.name(name).map_or("", |group| group.as_str()));
    }
}

/// A capture ends where the text after it first stands, and at the end of the line if it does not.
pub(super) fn pattern(text: &str, pattern: &str, labels: &mut Labels) {
    let capture = Regex::new("<([a-zA-Z_][a-zA-Z0-9_]*)>").unwrap();
    let names: Vec<String> = capture.captures_iter(pattern).map(|found| found[1].to_owned()).collect();
    let literals: Vec<&str> = capture.split(pattern).collect();
    let Some(mut rest) = text.strip_prefix(literals[0]) else { return };
    if text.is_empty() {
        return;
    }
    for (name, after) in names.iter().zip(&literals[1..]) {
        let end = if after.is_empty() { None } else { rest.find(after) };
        let value = &rest[..end.unwrap_or(rest.len())];
        if name != "_" {
            labels.extract(name, value);
        }
        match end {
            Some(end) => rest = &rest[end + after.len()..],
            None => return,
        }
    }
}

pub(super) fn float(text: &str) -> Option<f64> {
    text.parse().ok()
}
