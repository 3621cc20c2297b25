//! The stage that reads a line as `key=value` pairs.

use super::{super::ast::Extract, Row, Step, json::label_name};

const ERROR: &str = "LogfmtParserErr";

pub(super) struct Logfmt {
    strict: bool,
    keep_empty: bool,
    /// Labels and the keys they are read of; without any, each key is a label.
    fields: Vec<(String, String)>,
}

impl Logfmt {
    pub(super) fn new(strict: bool, keep_empty: bool, fields: &[Extract]) -> Self {
        let fields = fields.iter().map(|field| (field.label.clone(), field.path.clone())).collect();
        Self { strict, keep_empty, fields }
    }
}

impl Step for Logfmt {
    fn run(&self, row: &mut Row<'_>) -> bool {
        let labels = &mut row.labels;
        let mut rest: &str = &row.line;
        loop {
            let (pair, tail) = next(rest);
            rest = tail;
            let (key, value) = match pair {
                Pair::End => break,
                Pair::Invalid if self.strict => {
                    labels.fail(ERROR, "logfmt syntax error");
                    break;
                }
                Pair::Invalid => continue,
                Pair::Read(key, value) => (key, value),
            };
            if value.is_empty() && !self.keep_empty {
                continue;
            }
            if self.fields.is_empty() {
                labels.extract(&label_name(key), &value);
                continue;
            }
            for (label, _) in self.fields.iter().filter(|(_, wanted)| wanted == key) {
                labels.replace(label, &value);
            }
        }
        labels.fill(self.fields.iter().map(|(label, _)| label.as_str()));
        true
    }
}

enum Pair<'a> {
    End,
    /// What stands there has been skipped.
    Invalid,
    Read(&'a str, String),
}

/// The next pair and what follows it.
fn next(text: &str) -> (Pair<'_>, &str) {
    let text = text.trim_start_matches(|c: char| c <= ' ');
    if text.is_empty() {
        return (Pair::End, "");
    }
    let key_end = text.find(|c: char| c <= ' ' || c == '=' || c == '"').unwrap_or(text.len());
    let (key, after) = text.split_at_checked(key_end).unwrap_or((text, ""));
    let Some(value) = after.strip_prefix('=') else {
        return if after.starts_with('"') { invalid(after) } else { (Pair::Read(key, String::new()), after) };
    };
    if key.is_empty() {
        return invalid(after);
    }
    if let Some(quoted) = value.strip_prefix('"') {
        return match unquote(quoted) {
            Some((value, rest)) if rest.is_empty() || rest.starts_with(|c: char| c <= ' ') => {
                (Pair::Read(key, value), rest)
            }
            Some((_, rest)) => invalid(rest),
            None => (Pair::Invalid, ""),
        };
    }
    let end = value.find(|c: char| c <= ' ' || c == '=' || c == '"').unwrap_or(value.len());
    let (value, rest) = value.split_at_checked(end).unwrap_or((value, ""));
    if rest.starts_with(['=', '"']) { invalid(rest) } else { (Pair::Read(key, value.to_owned()), rest) }
}

/// Skips the rest of a word that is no pair.
fn invalid(rest: &str) -> (Pair<'_>, &str) {
    let end = rest.find(|c: char| c <= ' ').unwrap_or(rest.len());
    (Pair::Invalid, rest.get(end..).unwrap_or_default())
}

/// The text up to its closing quote, and what follows it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return text.get(at + 1..).map(|rest| (value, rest)),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                'u' => {
                    let code = (0..4).try_fold(0, |code, _| Some(code * 16 + chars.next()?.1.to_digit(16)?));
                    value.push(char::from_u32(code?).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                c => value.push(c),
            },
            c => value.push(c),
        }
    }
    None
}
