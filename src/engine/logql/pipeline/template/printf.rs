//! `printf` with the verbs of Go that texts and numbers need.

use std::fmt::Write as _;

use super::{
    MAX_RENDERED,
    render::too_long,
    value::{Value, print_float},
};

/// Characters that a verb may be padded to.
const MAX_WIDTH: usize = 1024;

#[derive(Default)]
#[expect(clippy::struct_excessive_bools)]
struct Verb {
    left: bool,
    plus: bool,
    zero: bool,
    space: bool,
    width: usize,
    precision: Option<usize>,
}

pub(super) fn printf(format: &str, values: &[Value]) -> Result<String, String> {
    let mut out = String::new();
    let mut values = values.iter();
    let mut rest = format;
    while let Some((text, tail)) = rest.split_once('%') {
        out.push_str(text);
        let (verb, letter, after) = verb(tail);
        rest = after;
        match letter {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(letter) => match values.next() {
                None => {
                    let _ = write!(out, "%!{letter}(MISSING)");
                }
                Some(value) => verb.write(letter, value, &mut out),
            },
        }
        if out.len() > MAX_RENDERED {
            return Err(too_long());
        }
    }
    out.push_str(rest);
    let extra: Vec<String> = values.map(|value| format!("{}={value}", kind(value))).collect();
    if !extra.is_empty() {
        let _ = write!(out, "%!(EXTRA {})", extra.join(", "));
    }
    Ok(out)
}

/// Values one after another, with a blank between two that are no texts.
pub(super) fn print(values: &[Value]) -> String {
    let mut out = String::new();
    let mut last_is_text = true;
    for value in values {
        let is_text = matches!(value, Value::Text(_));
        if !out.is_empty() && !is_text && !last_is_text {
            out.push(' ');
        }
        out.push_str(&value.text());
        last_is_text = is_text;
    }
    out
}

/// The flags, the letter, and what follows it.
fn verb(text: &str) -> (Verb, Option<char>, &str) {
    let mut verb = Verb::default();
    let mut rest = text;
    loop {
        let Some(c) = rest.chars().next() else { return (verb, None, "") };
        match c {
            '-' => verb.left = true,
            '+' => verb.plus = true,
            '0' => verb.zero = true,
            ' ' => verb.space = true,
            '#' => {}
            _ => break,
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number =
        |digits: &str| digits.parse().unwrap_or(if digits.is_empty() { 0 } else { MAX_WIDTH }).min(MAX_WIDTH);
    let (width, after) = rest.split_at_checked(digits(rest)).unwrap_or((rest, ""));
    verb.width = number(width);
    rest = after;
    if let Some(tail) = rest.strip_prefix('.') {
        let (precision, after) = tail.split_at_checked(digits(tail)).unwrap_or((tail, ""));
        verb.precision = Some(number(precision));
        rest = after;
    }
    let letter = rest.chars().next();
    (verb, letter, rest.get(letter.map_or(0, char::len_utf8)..).unwrap_or_default())
}

impl Verb {
    fn write(&self, letter: char, value: &Value, out: &mut String) {
        let digits = self.precision.unwrap_or(6);
        let (text, is_number) = match (letter, value) {
            ('v', Value::Int(_) | Value::Float(_)) => (self.signed(value.text()), true),
            ('s' | 'v', Value::Text(text)) => (self.cut(text), false),
            ('v', value) => (value.text(), false),
            ('s', Value::Time(_)) => (self.cut(&value.text()), false),
            ('q', Value::Text(text)) => (super::super::super::lex::quote(&self.cut(text)), false),
            ('d', Value::Int(value)) => (self.signed(value.to_string()), true),
            ('x', Value::Int(value)) => (format!("{value:x}"), true),
            ('X', Value::Int(value)) => (format!("{value:X}"), true),
            ('x', Value::Text(text)) => (hex(text), false),
            ('o', Value::Int(value)) => (format!("{value:o}"), true),
            ('b', Value::Int(value)) => (format!("{value:b}"), true),
            ('c', Value::Int(value)) => {
                let c = u32::try_from(*value).ok().and_then(char::from_u32);
                (c.unwrap_or(char::REPLACEMENT_CHARACTER).to_string(), false)
            }
            ('t', Value::Bool(value)) => (value.to_string(), false),
            ('f' | 'F', Value::Float(value)) => (self.signed(format!("{value:.digits$}")), true),
            ('e', Value::Float(value)) => {
                let printed = format!("{value:.digits$e}");
                let (digits, exponent) = printed.split_once('e').unwrap_or((&printed, "0"));
                let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
                (self.signed(format!("{digits}e{sign}{exponent:0>2}")), true)
            }
            ('g', Value::Float(value)) => (self.signed(print_float(*value)), true),
            (letter, value) => (format!("%!{letter}({}={value})", kind(value)), false),
        };
        let missing = self.width.saturating_sub(text.chars().count());
        if self.left {
            out.push_str(&text);
            out.extend(std::iter::repeat_n(' ', missing));
        } else if self.zero && is_number {
            let unsigned = text.trim_start_matches(['-', '+', ' ']);
            out.push_str(text.strip_suffix(unsigned).unwrap_or_default());
            out.extend(std::iter::repeat_n('0', missing));
            out.push_str(unsigned);
        } else {
            out.extend(std::iter::repeat_n(' ', missing));
            out.push_str(&text);
        }
    }

    fn cut(&self, text: &str) -> String {
        text.chars().take(self.precision.unwrap_or(usize::MAX)).collect()
    }

    fn signed(&self, number: String) -> String {
        match number.starts_with(['-', '+']) {
            false if self.plus => format!("+{number}"),
            false if self.space => format!(" {number}"),
            _ => number,
        }
    }
}

fn hex(text: &str) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    text.bytes().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "string",
        Value::Int(_) => "int",
        Value::Float(_) => "float64",
        Value::Bool(_) => "bool",
        Value::Time(_) => "time.Time",
    }
}
