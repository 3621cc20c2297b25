//! The parser of templates.

use super::{
    Command, MAX_NESTING, MAX_PARTS, Node, Operand, Pipe, Template,
    function::Call,
    lex::{Word, words},
    value::Value,
};

impl Template {
    pub(in super::super) fn parse(text: &str, regexes_left: &mut usize) -> Result<Self, String> {
        let mut parser = Parser { rest: text, trims: false, nesting: 0, parts: 0, regexes_left };
        let (nodes, ended) = parser.nodes()?;
        match ended {
            None => Ok(Self(nodes)),
            Some(End::End) => Err("unexpected {{end}}".into()),
            Some(End::Else(_)) => Err("unexpected {{else}}".into()),
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
    /// Whether the blanks that follow are left out.
    trims: bool,
    nesting: usize,
    parts: usize,
    regexes_left: &'a mut usize,
}

/// What ends a list of nodes.
enum End {
    End,
    /// With the condition of an `else if`.
    Else(Option<Pipe>),
}

impl Parser<'_> {
    fn nodes(&mut self) -> Result<(Vec<Node>, Option<End>), String> {
        let mut nodes = Vec::new();
        loop {
            let (text, action) = match self.rest.split_once("{{") {
                Some((text, action)) => (text, Some(action)),
                None => (self.rest, None),
            };
            let mut text = if self.trims { text.trim_start() } else { text };
            let trimmed = action
                .and_then(|action| action.strip_prefix('-'))
                .filter(|a| a.starts_with(char::is_whitespace));
            if trimmed.is_some() {
                text = text.trim_end();
            }
            if !text.is_empty() {
                nodes.push(Node::Text(text.to_owned()));
            }
            let Some(action) = trimmed.or(action) else {
                self.rest = "";
                return Ok((nodes, None));
            };
            if let Some(comment) = action.trim_start().strip_prefix("/*") {
                let (_, after) = comment.split_once("*/").ok_or("unclosed comment")?;
                let after = after.trim_start();
                self.trims = after.starts_with('-');
                self.rest = after
                    .trim_start_matches('-')
                    .strip_prefix("}}")
                    .ok_or("comment ends before closing delimiter")?;
                continue;
            }
            let (words, after, trims) = words(action)?;
            self.rest = after;
            self.trims = trims;
            let mut action = Action {
                words: &words,
                nesting: self.nesting,
                parts: &mut self.parts,
                regexes_left: self.regexes_left,
            };
            match action.keyword().as_deref() {
                Some("if") => {
                    let condition = action.whole()?;
                    nodes.push(self.condition(condition)?);
                }
                Some("else") => {
                    let condition =
                        if action.keyword().as_deref() == Some("if") { Some(action.whole()?) } else { None };
                    action.end()?;
                    return Ok((nodes, Some(End::Else(condition))));
                }
                Some("end") => {
                    action.end()?;
                    return Ok((nodes, Some(End::End)));
                }
                Some(keyword) => return Err(format!("{keyword:?} is not supported")),
                None => nodes.push(Node::Output(action.whole()?)),
            }
        }
    }

    fn condition(&mut self, first: Pipe) -> Result<Node, String> {
        if self.nesting == MAX_NESTING {
            return Err(format!("more than {MAX_NESTING} conditions within each other"));
        }
        self.nesting += 1;
        let mut branches = Vec::new();
        let mut condition = Some(first);
        loop {
            let (nodes, ended) = self.nodes()?;
            let next = match ended {
                None => return Err("unexpected EOF: an {{if}} has no {{end}}".into()),
                Some(End::End) => None,
                Some(End::Else(next)) => Some(next),
            };
            let otherwise = match condition.take() {
                Some(condition) => {
                    branches.push((condition, nodes));
                    Vec::new()
                }
                None => nodes,
            };
            match next {
                None => {
                    self.nesting -= 1;
                    return Ok(Node::If { branches, otherwise });
                }
                Some(_) if !otherwise.is_empty() => return Err("expected end; found {{else}}".into()),
                Some(next) => condition = next,
            }
        }
    }
}

/// The words of one action that are still to be read.
struct Action<'a> {
    words: &'a [Word],
    nesting: usize,
    parts: &'a mut usize,
    regexes_left: &'a mut usize,
}

impl Action<'_> {
    fn peek(&self) -> &Word {
        self.words.first().unwrap_or(&Word::End)
    }

    fn advance(&mut self) {
        self.words = self.words.get(1..).unwrap_or_default();
    }

    /// Takes a word that is no function but one of the language.
    fn keyword(&mut self) -> Option<String> {
        const KEYWORDS: [&str; 11] =
            ["if", "else", "end", "range", "with", "define", "template", "block", "break", "continue", "nil"];
        match self.peek() {
            Word::Name(name) if KEYWORDS.contains(&name.as_str()) => {
                let name = name.clone();
                self.advance();
                Some(name)
            }
            _ => None,
        }
    }

    fn end(&self) -> Result<(), String> {
        match self.peek() {
            Word::End => Ok(()),
            word => Err(format!("unexpected {word:?} in command")),
        }
    }

    fn whole(&mut self) -> Result<Pipe, String> {
        let pipe = self.pipe()?;
        self.end()?;
        Ok(pipe)
    }

    fn pipe(&mut self) -> Result<Pipe, String> {
        let mut commands = vec![self.command(false)?];
        while *self.peek() == Word::Pipe {
            self.advance();
            commands.push(self.command(true)?);
        }
        Ok(Pipe(commands))
    }

    fn command(&mut self, is_piped: bool) -> Result<Command, String> {
        let name = match self.peek() {
            Word::Name(name) if !matches!(name.as_str(), "true" | "false") => Some(name.clone()),
            _ => None,
        };
        if let Some(name) = name {
            self.advance();
            let arguments = self.operands()?;
            return Call::new(&name, arguments, is_piped, self.regexes_left).map(Command::Call);
        }
        let Some(head) = self.operand()? else { return Err("missing value for command".into()) };
        if is_piped {
            return Err("non executable command in pipeline".into());
        }
        Ok(Command::Operand(head, self.operands()?))
    }

    fn operands(&mut self) -> Result<Vec<Operand>, String> {
        let mut operands = Vec::new();
        while let Some(operand) = self.operand()? {
            operands.push(operand);
        }
        Ok(operands)
    }

    fn operand(&mut self) -> Result<Option<Operand>, String> {
        *self.parts += 1;
        if *self.parts > MAX_PARTS {
            return Err(format!("more than {MAX_PARTS} values and functions"));
        }
        let operand = match self.peek().clone() {
            Word::Label(name) => Operand::Label(name),
            Word::Text(text) => Operand::Literal(Value::Text(text)),
            Word::Int(value) => Operand::Literal(Value::Int(value)),
            Word::Float(value) => Operand::Literal(Value::Float(value)),
            Word::Name(name) => match name.as_str() {
                "true" => Operand::Literal(Value::Bool(true)),
                "false" => Operand::Literal(Value::Bool(false)),
                // Without arguments; whether it needs some is seen when it is called, as in Go.
                name => Operand::Call(Call::bare(name)?),
            },
            Word::Open => {
                if self.nesting == MAX_NESTING {
                    return Err(format!("more than {MAX_NESTING} parentheses within each other"));
                }
                self.nesting += 1;
                self.advance();
                let pipe = self.pipe()?;
                self.nesting -= 1;
                if *self.peek() != Word::Close {
                    return Err("unclosed left paren".into());
                }
                Operand::Pipe(pipe)
            }
            Word::Pipe | Word::Close | Word::End => return Ok(None),
        };
        self.advance();
        Ok(Some(operand))
    }
}
