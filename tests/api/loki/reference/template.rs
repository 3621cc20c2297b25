//! Templates of `line_format` and `label_format`: text, labels, the line, and functions of text in a pipe.
//!
//! Not covered, and refused with a panic: control structures, variables, parentheses, all other functions.

use super::LabelSet;

/// A function that got arguments it cannot take.
#[derive(Debug)]
pub(super) struct Failed;

pub(super) fn render(template: &str, labels: &LabelSet, line: &str) -> Result<String, Failed> {
    let mut out = String::new();
    let mut rest = template;
    while let Some((text, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").expect("an action ends");
        assert!(!action.starts_with('-') && !action.ends_with('-'), "not covered: {{{{{action}}}}}");
        out.push_str(text);
        out.push_str(&pipe(action, labels, line)?);
        rest = after;
    }
    Ok(out + rest)
}

/// Calls with bars between them: each gets the result of the one before it as its last argument.
fn pipe(action: &str, labels: &LabelSet, line: &str) -> Result<String, Failed> {
    let mut result: Option<String> = None;
    for call in words(action).split(|word| word == "|") {
        let mut arguments: Vec<String> = call.iter().skip(1).map(|word| value(word, labels, line)).collect();
        arguments.extend(result.take());
        let name = call.first().expect("a call has a name");
        result = Some(match name.chars().next() {
            Some('.' | '"' | '`' | '0'..='9') => {
                if !arguments.is_empty() {
                    return Err(Failed);
                }
                value(name, labels, line)
            }
            _ => function(name, &arguments, line)?,
        });
    }
    Ok(result.expect("an action has a call"))
}

/// What stands between blanks; a quoted text is one word, with its quotes.
fn words(action: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = action.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' | '`' => rest[1..].find(first).expect("a text ends") + 2,
            '|' => 1,
            _ => rest.find(|c: char| c.is_whitespace() || c == '|').unwrap_or(rest.len()),
        };
        words.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    words
}

fn value(word: &str, labels: &LabelSet, line: &str) -> String {
    if let Some(text) = word.strip_prefix(['"', '`']) {
        assert!(!word.starts_with('"') || !word.contains('\\'), "not covered: escapes in {word}");
        return text[..text.len() - 1].to_owned();
    }
    if let Some(name) = word.strip_prefix('.') {
        return labels.get(name).cloned().unwrap_or_default();
    }
    if word == "__line__" {
        return line.to_owned();
    }
    assert!(word.parse::<f64>().is_ok(), "not covered: {word} in a template");
    word.to_owned()
}

fn function(name: &str, arguments: &[String], line: &str) -> Result<String, Failed> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    Ok(match (name, arguments.as_slice()) {
        ("__line__", []) => line.to_owned(),
        ("lower" | "ToLower", [text]) => text.to_lowercase(),
        ("upper" | "ToUpper", [text]) => text.to_uppercase(),
        ("trim" | "TrimSpace", [text]) => text.trim().to_owned(),
        ("trimAll", [chars, text]) | ("Trim", [text, chars]) => {
            text.trim_matches(|c| chars.contains(c)).to_owned()
        }
        ("trimPrefix", [prefix, text]) | ("TrimPrefix", [text, prefix]) => {
            text.strip_prefix(prefix).unwrap_or(text).to_owned()
        }
        ("trimSuffix", [suffix, text]) | ("TrimSuffix", [text, suffix]) => {
            text.strip_suffix(suffix).unwrap_or(text).to_owned()
        }
        ("replace", [old, new, text]) | ("Replace", [text, old, new, "-1"]) => text.replace(old, new),
        ("Replace", [text, old, new, count]) => text.replacen(old, new, count.parse().map_err(|_| Failed)?),
        ("repeat", [count, text]) => text.repeat(count.parse().map_err(|_| Failed)?),
        ("default", [fallback, ""]) => (*fallback).to_owned(),
        ("default", [_, text]) => (*text).to_owned(),
        _ => panic!("not covered: the function {name} of {} arguments", arguments.len()),
    })
}
