//! The actions of a template cut into words.

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Name(String),
    /// A name after a point.
    Label(String),
    Text(String),
    Int(i64),
    Float(f64),
    Pipe,
    Open,
    Close,
    End,
}

/// Reads the words of an action up to its closing braces, and returns what follows them and whether blanks there
/// are trimmed.
pub(super) fn words(text: &str) -> Result<(Vec<Word>, &str, bool), String> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        let trimmed = rest.trim_start();
        let had_blank = trimmed.len() < rest.len();
        rest = trimmed;
        if let Some(after) = rest.strip_prefix("-}}").filter(|_| had_blank) {
            words.push(Word::End);
            return Ok((words, after, true));
        }
        if let Some(after) = rest.strip_prefix("}}") {
            words.push(Word::End);
            return Ok((words, after, false));
        }
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after;
    }
}

fn word(text: &str) -> Result<(Word, &str), String> {
    let Some(c) = text.chars().next() else { return Err("unclosed action".into()) };
    let tail = text.get(c.len_utf8()..).unwrap_or_default();
    let is_name = |c: char| c == '_' || c.is_alphanumeric();
    let name = |text: &'_ str| text.find(|c| !is_name(c)).unwrap_or(text.len());
    match c {
        '|' => Ok((Word::Pipe, tail)),
        '(' => Ok((Word::Open, tail)),
        ')' => Ok((Word::Close, tail)),
        '"' => quoted(tail),
        '`' => tail
            .split_once('`')
            .map(|(text, tail)| (Word::Text(text.to_owned()), tail))
            .ok_or_else(|| "unterminated raw quoted string".into()),
        '.' if tail.starts_with(|c: char| c == '_' || c.is_alphabetic()) => {
            let (label, after) = tail.split_at_checked(name(tail)).unwrap_or((tail, ""));
            if after.starts_with('.') {
                return Err(format!("a label has no fields: .{label}."));
            }
            Ok((Word::Label(label.to_owned()), after))
        }
        '.' if !tail.starts_with(|c: char| c.is_ascii_digit()) => {
            Err("the labels as a whole (.) are not supported".into())
        }
        '$' => Err("variables ($) are not supported".into()),
        '\'' => Err("character constants are not supported".into()),
        '-' | '+' | '.' | '0'..='9' => {
            let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
            let end = tail.find(|c| !is_part(c)).unwrap_or(tail.len()) + 1;
            let (number, after) = text.split_at_checked(end).unwrap_or((text, ""));
            let word = number.parse().map(Word::Int).or_else(|_| number.parse().map(Word::Float));
            word.map(|word| (word, after)).map_err(|_| format!("bad number syntax: {number:?}"))
        }
        c if is_name(c) => {
            let (name, after) = text.split_at_checked(name(text)).unwrap_or((text, ""));
            Ok((Word::Name(name.to_owned()), after))
        }
        c => Err(format!("unexpected {c:?} in command")),
    }
}

fn quoted(text: &str) -> Result<(Word, &str), String> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Ok((Word::Text(value), text.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(match chars.next().map(|(_, c)| c) {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some(c @ ('"' | '\\' | '\'')) => c,
                Some(c @ ('x' | 'u')) => {
                    let digits = if c == 'x' { 2 } else { 4 };
                    let code =
                        (0..digits).try_fold(0, |code, _| Some(code * 16 + chars.next()?.1.to_digit(16)?));
                    code.and_then(char::from_u32).ok_or("invalid escape in a string")?
                }
                _ => return Err("invalid escape in a string".into()),
            }),
            '\n' => break,
            c => value.push(c),
        }
    }
    Err("unterminated quoted string".into())
}
