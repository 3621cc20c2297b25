//! The parts of a request that a log line shows: path, values, user agent. Only in these does an odd text
//! mean an attack; the same text in prose, a stack trace or a statement of a database driver does not.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::decode::entity;

/// Stands before and after each name and value.
pub(super) const END: u8 = 1;
/// Stands between the name of a value and itself, behind the `=`.
pub(super) const VALUE: u8 = 2;

/// What clients send, gathered from a text, still encoded.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) path: Vec<u8>,
    pub(super) values: Vec<u8>,
    /// User agents, and referers that are no addresses.
    pub(super) agent: Vec<u8>,
}

static REQUEST: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?-u)(?:^|["'\s\[(])(?:GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH|TRACE|CONNECT|PROPFIND|SEARCH) +(?:/|https?://)"#,
    )
    .ok()
});

/// Fields that hold what a client sent. `certain` ones say so by their name, the others only beside a method.
static FIELD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i-u)(?:^|[\s,{;(])["']?(?:(?P<agent>(?:http_|header\.)?(?:user[_-]?agent|ua))|(?P<referer>(?:http_|header\.)?referr?er)|(?P<certain>(?:request_?)?uri|request_?(?:url|path|body))|(?P<url>url|path|target|endpoint)|(?P<pairs>query(?:_?string)?|args|params|cookies?|header\.cookie)|(?P<header>header\.[a-z0-9_-]{1,64})|(?P<body>body|payload|post_?data|form))["']?\s?[=:]\s?"#,
    )
    .ok()
});

static METHOD: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?i-u)method["']?\s?[=:]\s?["']?(?:get|post|put|delete|head|options|patch|trace|connect|search)\b"#,
    )
    .ok()
});

static PRODUCT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?-u)^[A-Za-z][A-Za-z0-9_.-]{1,40}/v?[0-9][^\n]{0,400}$").ok());

impl Parts {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut parts = Self::default();
        parts.request_line(text);
        parts.fields(text);
        if parts.is_empty() {
            parts.bare(text.trim_ascii());
        }
        for part in [&mut parts.path, &mut parts.values, &mut parts.agent] {
            if !part.is_empty() {
                part.push(END);
            }
        }
        parts
    }

    fn is_empty(&self) -> bool {
        self.path.is_empty() && self.values.is_empty() && self.agent.is_empty()
    }

    /// `"GET /path?query HTTP/1.1" 200 512 "referer" "user agent"`, or the method and target alone.
    fn request_line(&mut self, text: &[u8]) {
        let Some(found) = REQUEST.as_ref().and_then(|request| request.find(text)) else { return };
        let head = found.as_bytes();
        let quoted = head.first() == Some(&b'"');
        let blanks = memchr::memrchr(b' ', head).map_or(0, |at| at + 1);
        let rest = after(text, found.start() + blanks);
        if !quoted {
            let end = rest.iter().position(|b| b.is_ascii_whitespace() || *b == b'"');
            self.address(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
            return;
        }
        // Some servers log a quote as it came; the protocol in front of the last one says where it ends.
        let end = memchr::memmem::find_iter(rest, b" HTTP/")
            .find_map(|at| {
                let tail = after(rest, at + 6);
                let version = tail.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
                (tail.get(version) == Some(&b'"')).then_some((at, at + 6 + version))
            })
            .or_else(|| quote(rest).map(|at| (at, at)));
        let Some((target, close)) = end else { return self.address(rest) };
        self.address(rest.get(..target).unwrap_or_default());
        let (referer, rest) = next_quoted(after(rest, close + 1));
        self.referer(referer);
        let (agent, _) = next_quoted(rest);
        push(&mut self.agent, agent, false);
    }

    /// `name=value`, `name="value"`, `"name":"value"`.
    fn fields(&mut self, text: &[u8]) {
        let Some(field) = FIELD.as_ref() else { return };
        let mut is_request = None;
        let mut at = 0;
        while let Some(found) = field.captures_at(text, at) {
            let Some(whole) = found.get(0) else { return };
            let (value, taken) = value(after(text, whole.end()));
            // The blank before the next name may be the one behind this value.
            at = whole.end() + taken;
            let is = |name: &str| found.name(name).is_some();
            if is("agent") {
                push(&mut self.agent, &value, false);
                continue;
            }
            if is("referer") {
                self.referer(&value);
                continue;
            }
            let is_sent = is("certain")
                || is("header")
                || *is_request.get_or_insert_with(|| METHOD.as_ref().is_some_and(|m| m.is_match(text)));
            if !is_sent {
                continue;
            }
            match found.name("header") {
                Some(header) => {
                    push(&mut self.values, after(header.as_bytes(), 7), false);
                    self.values.extend_from_slice(&[b'=', VALUE]);
                    extend(&mut self.values, &value, false);
                }
                None if is("body") => self.body(&value),
                None if is("pairs") => self.pairs(&value),
                None if value.starts_with(b"/") || value.starts_with(b"http") => self.address(&value),
                None => self.body(&value),
            }
        }
    }

    /// A text that is nothing but an address or a user agent.
    fn bare(&mut self, text: &[u8]) {
        let is_address =
            text.starts_with(b"/") || text.starts_with(b"http://") || text.starts_with(b"https://");
        if is_address && !text.contains(&b' ') && memchr::memchr2(b'?', b'%', text).is_some() {
            self.address(text);
        } else if PRODUCT.as_ref().is_some_and(|product| product.is_match(text)) {
            push(&mut self.agent, text, false);
        }
    }

    fn address(&mut self, address: &[u8]) {
        let local = match memchr::memmem::find(address.get(..10).unwrap_or_default(), b"://") {
            Some(scheme) => {
                let host = after(address, scheme + 3);
                after(host, host.iter().position(|b| matches!(b, b'/' | b'?')).unwrap_or(host.len()))
            }
            None => address,
        };
        let (path, query) = split(local, b'?');
        push(&mut self.path, path, false);
        if let Some(query) = query {
            self.pairs(query);
        }
    }

    fn referer(&mut self, referer: &[u8]) {
        match split(referer, b'?') {
            (address, Some(query)) if address.starts_with(b"http") => {
                self.pairs(query);
            }
            _ => push(&mut self.agent, referer, false),
        }
    }

    fn body(&mut self, body: &[u8]) {
        let start = body.trim_ascii_start();
        let is_data = matches!(start, [b'{' | b'[', ..]) || start.starts_with(b"<?xml version");
        if is_data || start.starts_with(b"--") {
            let is_multipart = start.starts_with(b"--");
            self.values.push(END);
            // What the format's own quotes enclose is a value.
            self.values.extend(body.iter().filter_map(|byte| match byte {
                b'"' => Some(END),
                b'\n' | b'\r' if is_multipart => Some(b' '),
                0..=8 | 14..=31 => None,
                byte => Some(*byte),
            }));
        } else if body.contains(&b'=') {
            self.pairs(body);
        } else {
            self.values.extend_from_slice(&[END, VALUE]);
            extend(&mut self.values, body, true);
        }
    }

    /// `a=1&b=2`.
    fn pairs(&mut self, mut query: &[u8]) {
        loop {
            let mut end = 0;
            while let Some(at) = memchr::memchr(b'&', after(query, end)) {
                end += at;
                let rest = after(query, end);
                if rest.starts_with(b"&&") {
                    end += 2;
                } else if let Some((length, _)) = entity(rest).filter(|_| is_closed_entity(rest)) {
                    end += length;
                } else {
                    break;
                }
                if end >= query.len() {
                    break;
                }
            }
            let stop = query.get(end) == Some(&b'&') && !after(query, end).starts_with(b"&&");
            let pair = if stop { query.get(..end).unwrap_or_default() } else { query };
            let (name, value) = split(pair, b'=');
            self.values.push(END);
            if let Some(value) = value {
                extend(&mut self.values, name, true);
                self.values.extend_from_slice(&[b'=', VALUE]);
                // The address that an identity provider sends a developer's browser back to.
                let is_callback = name.eq_ignore_ascii_case(b"redirect_uri");
                extend(
                    &mut self.values,
                    if is_callback { split(value, b'?').1.unwrap_or_default() } else { value },
                    true,
                );
            } else {
                self.values.push(VALUE);
                extend(&mut self.values, name, true);
            }
            if !stop {
                return;
            }
            query = after(query, end + 1);
        }
    }
}

/// Whether the `&` begins an entity rather than the next pair of a query.
fn is_closed_entity(text: &[u8]) -> bool {
    text.starts_with(b"&#")
        || text.iter().take(12).skip(1).find(|b| !b.is_ascii_alphanumeric()) == Some(&b';')
}

fn push(part: &mut Vec<u8>, text: &[u8], is_form: bool) {
    if !text.is_empty() && text != b"-" {
        part.push(END);
        extend(part, text, is_form);
    }
}

fn extend(part: &mut Vec<u8>, text: &[u8], is_form: bool) {
    part.extend(text.iter().filter_map(|byte| match byte {
        b'+' if is_form => Some(b' '),
        0..=8 | 14..=31 => None,
        byte => Some(*byte),
    }));
}

/// The value that the text begins with, unescaped, and how long it was.
fn value(text: &[u8]) -> (Vec<u8>, usize) {
    let Some(inner) = text.strip_prefix(b"\"") else {
        let end = text.iter().position(|b| b.is_ascii_whitespace() || matches!(b, b',' | b'}' | b'"'));
        let end = end.unwrap_or(text.len());
        return (text.get(..end).unwrap_or_default().to_vec(), end);
    };
    let end = quote(inner).unwrap_or(inner.len());
    (unescaped(inner.get(..end).unwrap_or_default()), end + 2)
}

fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        let byte = match rest.get(at + 1) {
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
            _ => {
                out.push(b'\\');
                rest = after(rest, at + 1);
                continue;
            }
        };
        out.push(byte);
        rest = after(rest, at + 2);
    }
    out.extend_from_slice(rest);
    out
}

/// Where the next quote stands that is not escaped.
fn quote(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr2(b'"', b'\\', after(text, from))?;
        if text.get(at) == Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

fn next_quoted(text: &[u8]) -> (&[u8], &[u8]) {
    let Some(open) = memchr::memchr(b'"', text) else { return (&[], &[]) };
    let inner = after(text, open + 1);
    let close = quote(inner).unwrap_or(inner.len());
    (inner.get(..close).unwrap_or_default(), after(inner, close + 1))
}

fn split(text: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(at, text) {
        Some(found) => (text.get(..found).unwrap_or_default(), Some(after(text, found + 1))),
        None => (text, None),
    }
}

fn after(text: &[u8], count: usize) -> &[u8] {
    text.get(count..).unwrap_or_default()
}
