//! A question cut into words, phrases and operators. It knows no meaning, only where one thing ends.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    /// What stood in quotes, as it stood there.
    Phrase,
    /// `=`, `!=`, `<`, `<=`, `>`, `>=`, or the `:` between a name and a value.
    Operator,
}

#[derive(Clone, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// In small letters, for the comparison with known words; empty for a phrase, which is none.
    lower: String,
    /// Whether a sign that ends a part of a sentence follows.
    pub(super) ends_part: bool,
    pub(super) has_colon: bool,
    pub(super) has_dot: bool,
    start: usize,
    end: usize,
}

pub(super) struct Tokens<'a> {
    question: &'a str,
    all: Vec<Token<'a>>,
}

/// Quotes that open, and what closes them.
const QUOTES: &[(char, &[char])] = &[
    ('"', &['"']),
    ('“', &['”', '“', '"']),
    ('„', &['“', '”', '"']),
    ('«', &['»']),
    ('`', &['`']),
    ('\'', &['\'']),
    ('‘', &['’']),
];

/// Signs around a word that are none of it.
const BEFORE: &[char] =
    &['(', '[', '{', ',', ';', ':', '!', '?', '"', '\'', '“', '„', '’', '‘', '«', '»', '`', '…'];
const AFTER: &[char] = &[
    ')', ']', '}', ',', ';', ':', '!', '?', '.', '"', '\'', '”', '“', '’', '‘', '«', '»', '`', '…', '>', '<',
    '\\',
];

const OPERATORS: &[&str] = &["==", ">=", "<=", "!=", "<>", "=", ">", "<", "≥", "≤", "≠"];

impl<'a> Tokens<'a> {
    /// `is_listed` says of the parts of `a/b` whether they are words of a list and not of a path.
    pub(super) fn of(question: &'a str, is_listed: fn(&str) -> bool) -> Self {
        let mut tokens = Self { question, all: Vec::new() };
        let mut at = 0;
        // A quote that nothing closes is a sign; it is looked for once.
        let mut unclosed = [false; QUOTES.len()];
        let mut before = ' ';
        while let Some(c) = tokens.from(at).chars().next() {
            if c.is_whitespace() || c.is_control() {
                at += c.len_utf8();
                before = ' ';
                continue;
            }
            if let Some(end) = tokens.phrase(at, before, &mut unclosed) {
                let close = tokens.from(end).chars().next().map_or(0, char::len_utf8);
                let open = at + c.len_utf8();
                tokens.push(Kind::Phrase, open, end);
                at = end + close;
                before = '"';
                continue;
            }
            let run = tokens.from(at);
            let mut last = c;
            let mut end = run.len();
            for (n, c) in run.char_indices().skip(1) {
                let opens = matches!(c, '"' | '“' | '„') && matches!(last, ':' | '=' | '<' | '>' | '(');
                if c.is_whitespace() || c.is_control() || opens {
                    end = n;
                    break;
                }
                last = c;
            }
            tokens.run(at, at + end, is_listed);
            at += end;
            before = last;
        }
        tokens
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, at: usize) -> Option<&Token<'a>> {
        self.all.get(at)
    }

    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.get(at).map(|token| token.kind)
    }

    /// The word in small letters; empty where none is.
    pub(super) fn lower(&self, at: usize) -> &str {
        self.get(at).map_or("", |token| token.lower.as_str())
    }

    pub(super) fn text(&self, at: usize) -> &'a str {
        self.get(at).map_or("", |token| token.text)
    }

    pub(super) fn is_phrase(&self, at: usize) -> bool {
        self.kind(at) == Some(Kind::Phrase)
    }

    pub(super) fn is(&self, at: usize, words: &[&str]) -> bool {
        words.contains(&self.lower(at)) && self.kind(at) == Some(Kind::Word)
    }

    /// Where these words end, when they stand here one after the other.
    pub(super) fn eat(&self, at: usize, words: &str) -> Option<usize> {
        let mut next = at;
        for word in words.split(' ') {
            if !self.is(next, &[word]) {
                return None;
            }
            next += 1;
        }
        Some(next)
    }

    /// Where the first of these that stands here ends.
    pub(super) fn eat_any(&self, at: usize, phrases: &[&str]) -> Option<usize> {
        phrases.iter().find_map(|words| self.eat(at, words))
    }

    pub(super) fn skip(&self, at: usize, words: &[&str]) -> usize {
        let mut next = at;
        while self.is(next, words) {
            next += 1;
        }
        next
    }

    /// Whether a comma or its like stands before it.
    pub(super) fn begins_part(&self, at: usize) -> bool {
        at.checked_sub(1).and_then(|before| self.get(before)).is_none_or(|token| token.ends_part)
    }

    /// What was said from one word up to another.
    pub(super) fn said(&self, from: usize, to: usize) -> String {
        let start = self.get(from).map_or(0, |token| token.start);
        let end = to.checked_sub(1).and_then(|last| self.get(last)).map_or(start, |token| token.end);
        self.question.get(start..end).unwrap_or_default().to_owned()
    }

    fn from(&self, at: usize) -> &'a str {
        self.question.get(at..).unwrap_or_default()
    }

    /// Where the phrase that opens here ends.
    fn phrase(&self, at: usize, before: char, unclosed: &mut [bool]) -> Option<usize> {
        let open = self.from(at).chars().next()?;
        let (which, (_, closing)) = QUOTES.iter().enumerate().find(|(_, (quote, _))| *quote == open)?;
        let is_single = matches!(open, '\'' | '‘');
        if (is_single && before.is_alphanumeric()) || unclosed.get(which).copied().unwrap_or(true) {
            return None;
        }
        let start = at + open.len_utf8();
        let rest = self.from(start);
        let found = rest.char_indices().find(|(n, c)| {
            let behind = || rest.get(n + c.len_utf8()..).and_then(|behind| behind.chars().next());
            // In 'it's gone' the second quote is no end.
            closing.contains(c) && !(is_single && behind().is_some_and(char::is_alphanumeric))
        });
        if let Some((length, _)) = found {
            return Some(start + length);
        }
        if let Some(flag) = unclosed.get_mut(which) {
            *flag = true;
        }
        None
    }

    /// A run of characters without blanks: a word with signs around it, or `name=value` and its like.
    fn run(&mut self, start: usize, end: usize, is_listed: fn(&str) -> bool) {
        let Some(run) = self.question.get(start..end) else { return };
        if let Some(operator) = OPERATORS.iter().find(|operator| run.starts_with(**operator)) {
            let behind = run.get(operator.len()..).unwrap_or_default();
            if behind.is_empty() || behind.starts_with(|c: char| c.is_alphanumeric() || c == '-') {
                self.push(Kind::Operator, start, start + operator.len());
                if !behind.is_empty() {
                    self.word(start + operator.len(), end);
                }
                return;
            }
        }
        if let Some((name, operator)) = split(run) {
            self.word(start, start + name);
            self.push(Kind::Operator, start + name, start + name + operator);
            let value = start + name + operator;
            let more = self.question.get(value..end).and_then(|behind| {
                OPERATORS
                    .iter()
                    .find(|operator| behind.starts_with(**operator))
                    .map(|operator| operator.len())
            });
            let value = match more {
                // As in `level:>=warn`, where the last operator counts.
                Some(length) => {
                    self.all.pop();
                    self.push(Kind::Operator, value, value + length);
                    value + length
                }
                None => value,
            };
            if value < end {
                self.word(value, end);
            }
            return;
        }
        let inner = run.trim_end_matches(AFTER);
        if inner.contains('/') && !inner.starts_with('/') && inner.split('/').all(is_listed) {
            let mut at = start;
            for part in run.split('/') {
                self.word(at, at + part.len());
                at += part.len() + 1;
            }
            return;
        }
        self.word(start, end);
    }

    fn word(&mut self, start: usize, end: usize) {
        let Some(run) = self.question.get(start..end) else { return };
        let inner = run.trim_start_matches(BEFORE);
        let from = end - inner.len();
        let text = inner.trim_end_matches(AFTER);
        let behind = inner.get(text.len()..).unwrap_or_default();
        let mut text_end = from + text.len();
        if text.is_empty() {
            if let Some(token) = self.all.last_mut() {
                token.ends_part |= behind.contains([',', ';', ')']) || run.contains([',', ';', '(']);
            }
            return;
        }
        for mark in ["'s", "’s"] {
            if text.len() > mark.len() && text.ends_with(mark) {
                text_end -= mark.len();
            }
        }
        self.push(Kind::Word, from, text_end);
        if let Some(token) = self.all.last_mut() {
            token.ends_part = behind.contains([',', ';', ')', '!', '?']);
            token.has_colon = behind.contains(':');
            token.has_dot = behind.contains('.');
        }
    }

    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        let text = self.question.get(start..end).unwrap_or_default();
        let lower =
            if kind == Kind::Phrase { String::new() } else { text.to_lowercase().replace('’', "'") };
        let (ends_part, has_colon, has_dot) = (false, false, false);
        self.all.push(Token { kind, text, lower, ends_part, has_colon, has_dot, start, end });
    }
}

/// The lengths of the name and of the operator of `name=value`.
fn split(run: &str) -> Option<(usize, usize)> {
    if run.starts_with('/') || run.contains("://") {
        return None;
    }
    let name = run.find(|c: char| !(c.is_alphanumeric() || "_-.@$".contains(c)))?;
    let (before, behind) = run.split_at_checked(name)?;
    if !before.starts_with(|c: char| c.is_alphabetic() || "_@$".contains(c)) {
        return None;
    }
    if let Some(operator) = OPERATORS.iter().find(|operator| behind.starts_with(**operator)) {
        let value = behind.get(operator.len()..).unwrap_or_default();
        let is_padding = *operator == "==" && value.is_empty();
        return (!is_padding && !value.starts_with('>')).then_some((name, operator.len()));
    }
    let value = behind.strip_prefix(':')?;
    let is_value =
        value.chars().next().is_some_and(|c| c != ':' && c != ',' && c != '/' && c != ')' && c != '.');
    // What follows a lone `name:` in quotes is its value too; the quote has ended the run.
    let is_path = value.starts_with('/');
    (is_value || is_path).then_some((name, 1))
}
