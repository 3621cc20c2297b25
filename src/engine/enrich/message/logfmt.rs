//! `level=info msg="user logged in" user=7`: a message that is pairs, and not prose that has some.

use serde_json::{Map, Number, Value};

use super::MAX_FIELDS;

const MAX_KEY: usize = 128;

/// `None` unless it begins with a pair, has two at least, and no more bare words than pairs.
pub(super) fn parse(text: &str) -> Option<Map<String, Value>> {
    let mut fields = Map::new();
    let (mut pairs, mut bare) = (0_usize, 0_usize);
    // The message that is being read, when it was not quoted: what follows it bare belongs to it.
    let mut open: Option<String> = None;
    let mut rest = text;
    while !rest.is_empty() {
        if fields.len() > MAX_FIELDS {
            return None;
        }
        let length = rest.bytes().position(|byte| !is_key(byte)).unwrap_or(rest.len());
        let (key, behind) = rest.split_at_checked(length)?;
        rest = if let Some(value) = behind.strip_prefix('=').filter(|_| is_name(key)) {
            let (value, rest, quoted) = value_of(value)?;
            let continues = !quoted && matches!(key, "msg" | "message") && value.is_string();
            open = continues.then(|| key.to_owned());
            fields.insert(key.to_owned(), value);
            pairs += 1;
            rest
        } else {
            let end = rest.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(rest.len());
            let (word, rest) = rest.split_at_checked(end)?;
            bare += 1;
            match open.as_ref().and_then(|name| fields.get_mut(name)) {
                Some(Value::String(message)) => {
                    message.push(' ');
                    message.push_str(word);
                }
                _ if pairs > 0 && is_name(word) && word.bytes().all(is_key) => {
                    fields.entry(word).or_insert(Value::Bool(true));
                }
                _ => return None,
            }
            rest
        };
        rest = rest.trim_ascii_start();
    }
    (pairs >= 2 && bare <= pairs && fields.len() <= MAX_FIELDS).then_some(fields)
}

fn is_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'/')
}

fn is_name(key: &str) -> bool {
    key.len() <= MAX_KEY && key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '@')
}

/// The value at the beginning of a text, what is behind it, and whether it was quoted.
fn value_of(text: &str) -> Option<(Value, &str, bool)> {
    let (value, rest, quoted) = if text.starts_with('"') {
        let close = super::access::closing_quote(text)?;
        let (quoted, rest) = text.split_at_checked(close + 1)?;
        (Value::String(unescaped(quoted)), rest, true)
    } else {
        let end = text.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        // People put commas between pairs; those belong to no value.
        let word = if rest.is_empty() { word } else { word.strip_suffix([',', ';']).unwrap_or(word) };
        (typed(word), rest, false)
    };
    let rest = if quoted { rest.strip_prefix([',', ';']).unwrap_or(rest) } else { rest };
    let ends = rest.bytes().next().is_none_or(|byte| byte.is_ascii_whitespace());
    ends.then_some((value, rest, quoted))
}

fn unescaped(quoted: &str) -> String {
    if !quoted.contains('\\') {
        return quoted.trim_matches('"').to_owned();
    }
    serde_json::from_str(quoted).unwrap_or_else(|_| {
        let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        inside.replace("\\\"", "\"")
    })
}

/// A number when it is written as one would be, so that nothing is lost of it.
fn typed(word: &str) -> Value {
    match word {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    let may_be_number = word.starts_with(|c: char| c.is_ascii_digit() || c == '-') && word.len() <= 24;
    if may_be_number
        && let Ok(number) = serde_json::from_str::<Number>(word)
        && number.to_string() == word
    {
        return Value::Number(number);
    }
    Value::String(word.to_owned())
}
