//! The lines of web servers: Apache's common and combined, nginx's default, and what is often put behind them.

use serde_json::{Map, Number, Value};

use super::MAX_PREFIX;

/// Most words before the time: a virtual host, the address, two names.
const MAX_WORDS: usize = 6;
const MAX_REST: usize = 32;

/// `address ident user [time] "request" status bytes`, with whatever is behind it.
pub(super) fn parse(line: &str) -> Option<Map<String, Value>> {
    let open = memchr::memchr(b'[', line.as_bytes()).filter(|at| *at < MAX_PREFIX)?;
    let (names, rest) = line.split_at_checked(open)?;
    let (time, rest) = rest.strip_prefix('[')?.split_once(']')?;
    if !is_time(time) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let request_end = request_end(rest)?;
    let request = rest.get(1..request_end)?;
    let mut rest = Words(rest.get(request_end + 1..)?);
    let status: u16 = rest.next().filter(|word| word.len() == 3)?.parse().ok()?;

    let mut fields = Fields(Map::new());
    names_of(names, &mut fields)?;
    fields.text("time", time);
    request_of(request, &mut fields);
    fields.0.insert("status".to_owned(), status.into());
    if let Some(bytes) = rest.next() {
        fields.number("bytes", bytes);
    }
    tail(rest, &mut fields);
    Some(fields.0)
}

/// Where the quote that a text begins with is closed: behind it stands a blank, a comma or nothing.
pub(super) fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut escaped = false;
    let at = bytes.iter().skip(1).position(|byte| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    })?;
    Some(at + 1)
}

/// The same for a request, in which a client may have put quotes that nobody escaped: a status is behind it.
fn request_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'"') {
        return None;
    }
    memchr::memchr_iter(b'"', bytes).skip(1).find(|at| {
        matches!(bytes.get(at + 1..at + 5), Some([b' ', a, b, c]) if [a, b, c].iter().all(|d| d.is_ascii_digit()))
            && bytes.get(at + 5).is_none_or(u8::is_ascii_whitespace)
    })
}

/// `17/May/2015:10:05:03 +0000`.
fn is_time(time: &str) -> bool {
    let bytes = time.as_bytes();
    bytes.len() >= 11
        && bytes.iter().enumerate().take(11).all(|(n, byte)| match n {
            2 | 6 => *byte == b'/',
            3..=5 => byte.is_ascii_alphabetic(),
            _ => byte.is_ascii_digit(),
        })
}

struct Fields(Map<String, Value>);

impl Fields {
    /// Nothing is written as `-`.
    fn text(&mut self, name: &str, value: &str) {
        if !matches!(value, "" | "-") {
            self.0.insert(name.to_owned(), value.into());
        }
    }

    fn number(&mut self, name: &str, value: &str) {
        match serde_json::from_str::<Number>(value) {
            Ok(number) => drop(self.0.insert(name.to_owned(), Value::Number(number))),
            Err(_) => self.text(name, value),
        }
    }
}

fn names_of(names: &str, fields: &mut Fields) -> Option<()> {
    let mut words: Vec<&str> = names.split_ascii_whitespace().take(MAX_WORDS + 1).collect();
    if words.len() < 3 || words.len() > MAX_WORDS || !names.ends_with(' ') {
        return None;
    }
    // A virtual host stands before an address, and is none.
    if let [host, address, ..] = *words
        && words.len() > 3
        && host.parse::<std::net::IpAddr>().is_err()
        && address.parse::<std::net::IpAddr>().is_ok()
    {
        fields.text("vhost", host);
        words.remove(0);
    }
    let [address, ident, user @ ..] = &*words else { return None };
    fields.text("remote_addr", address);
    fields.text("ident", ident);
    fields.text("remote_user", &user.join(" "));
    Some(())
}

/// A request that is none is kept as it is: a scan's bytes, or nothing at all.
fn request_of(request: &str, fields: &mut Fields) {
    let (method, rest) = request.split_once(' ').unwrap_or((request, ""));
    let is_method = (3..=20).contains(&method.len())
        && method.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'-'));
    if !is_method || rest.is_empty() {
        return fields.text("request", request);
    }
    let (path, protocol) = match rest.rsplit_once(' ') {
        Some((path, protocol)) if protocol.starts_with("HTTP/") => (path, protocol),
        _ => (rest, ""),
    };
    fields.text("method", method);
    fields.text("path", path);
    fields.text("protocol", protocol);
}

/// Referer and user agent, then what was added: pairs under their names, and seconds (which have a fraction) as
/// nginx's two times.
fn tail(mut words: Words<'_>, fields: &mut Fields) {
    if words.quoted() {
        fields.text("referer", words.next().unwrap_or_default());
        if words.quoted() {
            fields.text("user_agent", words.next().unwrap_or_default());
        }
    }
    let mut rest = Vec::new();
    for word in words.take(MAX_REST) {
        if let Some((name, value)) = word.split_once('=')
            && !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            let name = match name {
                "rt" => "request_time",
                "urt" => "upstream_response_time",
                name => name,
            };
            fields.number(name, value.trim_matches('"'));
        } else if word.contains('.')
            && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
            && word.parse::<f64>().is_ok()
        {
            let known = fields.0.contains_key("request_time");
            fields.number(if known { "upstream_response_time" } else { "request_time" }, word);
        } else if !matches!(word, "-" | "" | ".") {
            rest.push(Value::String(word.to_owned()));
        }
    }
    if !rest.is_empty() {
        fields.0.insert("rest".to_owned(), Value::Array(rest));
    }
}

/// Words and quoted texts, without their quotes.
struct Words<'a>(&'a str);

impl Words<'_> {
    fn quoted(&self) -> bool {
        self.0.trim_ascii_start().starts_with('"')
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.trim_ascii_start();
        if text.is_empty() {
            return None;
        }
        if text.starts_with('"') {
            // A line that was cut has no other quote.
            let close = closing_quote(text).unwrap_or(text.len());
            self.0 = text.get(close + 1..).unwrap_or_default();
            return text.get(1..close);
        }
        let end = text.bytes().position(|byte| byte.is_ascii_whitespace()).unwrap_or(text.len());
        let (word, rest) = text.split_at_checked(end)?;
        self.0 = rest;
        Some(word)
    }
}
