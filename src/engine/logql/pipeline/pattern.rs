//! Patterns: literal text with captures such as `<name>` and `<_>` between. Each literal is looked for once, from
//! where the last one ended, so a line is read once.

pub(super) struct Pattern(Vec<Piece>);

#[derive(PartialEq)]
enum Piece {
    Literal(String),
    /// `None` is what need not be kept.
    Capture(Option<String>),
}

impl Pattern {
    /// A pattern that reads labels.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let pattern = Self::pieces(text)?;
        let mut names: Vec<&str> = Vec::new();
        for piece in &pattern.0 {
            let Piece::Capture(Some(name)) = piece else { continue };
            if names.contains(&name.as_str()) {
                return Err(format!("duplicate capture name ({name}): invalid expression"));
            }
            names.push(name);
        }
        if names.is_empty() {
            return Err("at least one named capture is required in a pattern".into());
        }
        Ok(pattern)
    }

    /// A pattern that filters lines.
    pub(super) fn parse_filter(text: &str) -> Result<Self, String> {
        let pattern = Self::pieces(text)?;
        if pattern.0.iter().any(|piece| matches!(piece, Piece::Capture(Some(_)))) {
            return Err("named captures are not allowed in a pattern filter".into());
        }
        Ok(pattern)
    }

    fn pieces(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let Some((name, tail)) = capture(rest) else {
                literal.push(c);
                rest = rest.get(c.len_utf8()..).unwrap_or_default();
                continue;
            };
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            } else if !pieces.is_empty() {
                return Err(format!("found consecutive captures before '<{name}>': invalid expression"));
            }
            pieces.push(Piece::Capture((name != "_").then(|| name.to_owned())));
            rest = tail;
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Ok(Self(pieces))
    }

    /// Whether the line as a whole is such a text.
    pub(super) fn matches(&self, line: &str) -> bool {
        if line.is_empty() || self.0.is_empty() {
            return line.is_empty() && self.0.is_empty();
        }
        let mut rest = line;
        for (index, piece) in self.0.iter().enumerate() {
            let Piece::Literal(literal) = piece else { continue };
            let Some(found) = rest.find(literal.as_str()) else { return false };
            // What stands before a literal is a capture, which holds a character at least, or nothing.
            if (index == 0) != (found == 0) {
                return false;
            }
            rest = rest.get(found + literal.len()..).unwrap_or_default();
        }
        let ends_with_capture = matches!(self.0.last(), Some(Piece::Capture(_)));
        ends_with_capture != rest.is_empty()
    }

    /// The captures of a line, as far as it is such a text.
    pub(super) fn captures<'a>(&self, line: &'a str, found: &mut dyn FnMut(&str, &'a str)) {
        let mut rest = line;
        let mut open: Option<&Option<String>> = None;
        for piece in &self.0 {
            match piece {
                Piece::Capture(name) => open = Some(name),
                Piece::Literal(literal) => {
                    let at = rest.find(literal.as_str());
                    match (open.take(), at) {
                        (None, Some(0)) => {}
                        (None, _) => return,
                        (Some(name), at) => {
                            if let Some(name) = name {
                                found(name, rest.get(..at.unwrap_or(rest.len())).unwrap_or_default());
                            }
                            if at.is_none() {
                                return;
                            }
                        }
                    }
                    rest = rest.get(at.unwrap_or(0) + literal.len()..).unwrap_or_default();
                }
            }
        }
        if let Some(Some(name)) = open {
            found(name, rest);
        }
    }
}

/// The name of the capture at the start, and what follows it.
fn capture(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix('<')?.split_once('>')?;
    let starts = name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    (starts && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())).then_some((name, rest))
}
