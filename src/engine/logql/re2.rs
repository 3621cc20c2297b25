//! Regular expressions as RE2 means them, on the `regex` crate: its classes are those of ASCII, a brace that
//! repeats nothing is a brace, and a class has no set operations.

use regex::{Captures, Regex, RegexBuilder};

/// Bytes of a compiled expression; a query may hold several.
const MAX_COMPILED: usize = 1 << 20;

/// An expression that may match anywhere in a text.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    build(&translated(pattern))
}

/// An expression that must match a text as a whole.
pub(super) fn compile_whole(pattern: &str) -> Result<Regex, String> {
    // The pattern alone first: `a)(b` must not become valid by being wrapped.
    compile(pattern)?;
    build(&whole(pattern))
}

/// The expression that must match a text as a whole, in the spelling of the `regex` crate.
pub(in crate::engine) fn whole(pattern: &str) -> String {
    format!("^(?s:{})$", translated(pattern))
}

/// Writes a replacement, in which `$1` and `${name}` are what the groups hold; `false` once it is longer than `most`.
///
/// One reference after the other: all at once they make gigabytes of a text that has as many of them as it may.
pub(super) fn expand(captures: &Captures<'_>, replacement: &str, most: usize, out: &mut String) -> bool {
    let mut rest = replacement;
    while !rest.is_empty() {
        // Two dollars are one, and no reference.
        let begun = rest.bytes().take(2).take_while(|byte| *byte == b'$').count();
        let next = rest.get(begun..).and_then(|tail| tail.find('$')).map_or(rest.len(), |at| begun + at);
        let (piece, tail) = rest.split_at_checked(next).unwrap_or((rest, ""));
        captures.expand(piece, out);
        if out.len() > most {
            return false;
        }
        rest = tail;
    }
    true
}

fn build(pattern: &str) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .size_limit(MAX_COMPILED)
        .dfa_size_limit(MAX_COMPILED)
        .nest_limit(64)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "error parsing regexp: expression is too large".to_owned(),
            // The last line of the message says what is wrong, those before it show where.
            other => {
                let shown = other.to_string();
                let reason = shown.lines().last().unwrap_or_default();
                format!("error parsing regexp: {}", reason.strip_prefix("error: ").unwrap_or(reason))
            }
        })
}

/// The expression in the spelling of the `regex` crate.
pub(in crate::engine) fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let tail = rest.get(c.len_utf8()..).unwrap_or_default();
        rest = tail;
        match c {
            '\\' => rest = escape(tail, in_class, &mut out),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if let Some(tail) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = tail;
                }
                if let Some(tail) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = tail;
                }
            }
            '[' => {
                match rest.strip_prefix(':').and_then(|name| name.split_at_checked(name.find(":]")? + 2)) {
                    Some((name, tail)) => {
                        out.push_str("[:");
                        out.push_str(name);
                        rest = tail;
                    }
                    None => out.push_str("\\["),
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '{' if !in_class && !is_repetition(rest) => out.push_str("\\{"),
            _ => out.push(c),
        }
    }
    out
}

/// Writes the escape whose backslash has been read, and returns what follows it.
fn escape<'a>(rest: &'a str, in_class: bool, out: &mut String) -> &'a str {
    let Some(c) = rest.chars().next() else {
        out.push('\\');
        return rest;
    };
    let tail = rest.get(c.len_utf8()..).unwrap_or_default();
    let class = match c {
        'd' | 'D' => "0-9",
        'w' | 'W' => "0-9A-Za-z_",
        's' | 'S' => "\\t\\n\\f\\r ",
        'Q' if !in_class => {
            let (literal, tail) = tail.split_once("\\E").unwrap_or((tail, ""));
            out.push_str(&regex::escape(literal));
            return tail;
        }
        'b' if !in_class => {
            out.push_str("(?-u:\\b)");
            return tail;
        }
        // Of marks each escape is the mark itself: `\<` is no start of a word.
        c if c.is_ascii_punctuation() || c == ' ' => {
            out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
            return tail;
        }
        _ => {
            out.push('\\');
            out.push(c);
            return tail;
        }
    };
    match (c.is_ascii_uppercase(), in_class) {
        (true, _) => out.extend(["[^", class, "]"]),
        (false, true) => out.push_str(class),
        (false, false) => out.extend(["[", class, "]"]),
    }
    tail
}

/// Whether what follows a brace is `n}`, `n,}` or `n,m}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else { return false };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}
