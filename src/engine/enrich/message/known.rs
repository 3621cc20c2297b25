//! Which fields of a message belong to the well-known fields of a record, by the names that people give them.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Map, Value};

use super::{super::endpoint::path_part, Form, Parsed};
use crate::engine::record::model::Level;

/// `http.request.method` is three deep, and so are what loggers make of headers.
const MAX_DEPTH: usize = 3;
/// How many fields are looked at, wherever they stand.
const MAX_LOOKS: usize = 300;
const MAX_NAME: usize = 40;
/// Longer values are no ids and no names.
const MAX_SHORT: usize = 256;
const MAX_LONG: usize = 4096;

#[derive(Clone, Copy)]
enum Slot {
    Level,
    /// A level only by its name, under a name that means much else.
    LevelName,
    SeverityNumber,
    Message,
    Method,
    Endpoint,
    /// A path that is one of a request only beside a method or a status.
    Path,
    Status,
    /// A status only beside a method or a path.
    Code,
    /// In units of so many milliseconds, when the value names none.
    Duration(f64),
    Address,
    UserAgent,
    TraceId,
    TraceParent,
    UserId,
    ErrorType,
    Logger,
}

/// The slot of a name in lower case without separators, and its rank among the names of the slot.
fn slot_of(name: &[u8]) -> Option<(Slot, u8)> {
    Some(match name {
        b"level" => (Slot::Level, 0),
        b"lvl" | b"loglevel" | b"levelname" | b"@l" | b"@level" => (Slot::Level, 1),
        b"severitytext" => (Slot::Level, 2),
        b"severity" => (Slot::Level, 3),
        b"severitynumber" => (Slot::SeverityNumber, 4),
        b"at" => (Slot::LevelName, 5),
        b"msg" | b"message" | b"@m" | b"@message" => (Slot::Message, 0),
        b"@mt" | b"log" => (Slot::Message, 1),
        b"event" => (Slot::Message, 2),
        b"httpmethod"
        | b"requestmethod"
        | b"httprequestmethod"
        | b"httprequestrequestmethod"
        | b"reqmethod" => (Slot::Method, 0),
        b"method" | b"verb" | b"httpverb" => (Slot::Method, 1),
        b"endpoint" | b"httptarget" | b"httppath" | b"requestpath" | b"httprequestpath" | b"urlpath"
        | b"httproute" => (Slot::Endpoint, 0),
        b"requesturi"
        | b"requesturl"
        | b"requrl"
        | b"httpurl"
        | b"httprequestrequesturl"
        | b"httprequesturi"
        | b"urloriginal"
        | b"urlfull"
        | b"reqpath" => (Slot::Endpoint, 1),
        b"path" => (Slot::Path, 2),
        b"uri" | b"url" => (Slot::Path, 3),
        b"httpstatus" | b"httpstatuscode" | b"httpresponsestatuscode" | b"httprequeststatus" => {
            (Slot::Status, 0)
        }
        b"statuscode" | b"responsestatus" | b"responsestatuscode" | b"resstatuscode" | b"resstatus" => {
            (Slot::Status, 1)
        }
        b"status" => (Slot::Status, 2),
        b"code" => (Slot::Code, 3),
        b"remoteaddr"
        | b"remoteaddress"
        | b"clientip"
        | b"clientaddr"
        | b"clientaddress"
        | b"remoteip"
        | b"httprequestremoteip"
        | b"reqremoteaddress"
        | b"sourceip" => (Slot::Address, 0),
        b"xforwardedfor" | b"fwd" => (Slot::Address, 1),
        b"ip" | b"ipaddress" => (Slot::Address, 2),
        b"useragent"
        | b"httpuseragent"
        | b"httprequestuseragent"
        | b"requseragent"
        | b"reqheadersuseragent"
        | b"useragentoriginal" => (Slot::UserAgent, 0),
        b"ua" => (Slot::UserAgent, 1),
        b"traceid" | b"ddtraceid" | b"oteltraceid" => (Slot::TraceId, 0),
        b"traceparent" | b"reqheaderstraceparent" => (Slot::TraceParent, 1),
        b"userid" | b"usrid" => (Slot::UserId, 0),
        b"user" => (Slot::UserId, 1),
        b"username" | b"remoteuser" => (Slot::UserId, 2),
        b"uid" => (Slot::UserId, 3),
        b"errortype" | b"errorkind" | b"errorclass" | b"errtype" | b"exceptiontype" | b"exceptionclass" => {
            (Slot::ErrorType, 0)
        }
        b"errorname" | b"errname" | b"exceptionname" => (Slot::ErrorType, 1),
        b"exception" => (Slot::ErrorType, 2),
        b"error" | b"err" => (Slot::ErrorType, 3),
        b"logger" | b"loggername" | b"loglogger" => (Slot::Logger, 0),
        name => return duration(name),
    })
}

/// `latency`, `elapsed_ms`, `request_time_us`, …: what it is, then its unit.
fn duration(name: &[u8]) -> Option<(Slot, u8)> {
    const NAMES: [(&[u8], f64); 10] = [
        (b"duration", 1.0),
        (b"latency", 1.0),
        (b"elapsedtime", 1.0),
        (b"elapsed", 1.0),
        (b"took", 1.0),
        (b"responsetime", 1.0),
        // nginx's.
        (b"requesttime", 1000.0),
        (b"processingtime", 1.0),
        (b"executiontime", 1.0),
        (b"httprequestlatency", 1000.0),
    ];
    if name == b"eventduration" {
        return Some((Slot::Duration(1e-6), 1));
    }
    NAMES.iter().find_map(|(base, usual)| {
        let unit = match name.strip_prefix(*base)? {
            b"" => return Some((Slot::Duration(*usual), 1)),
            b"ms" | b"millis" | b"milliseconds" | b"msec" => 1.0,
            b"s" | b"sec" | b"secs" | b"seconds" => 1000.0,
            b"us" | b"micros" | b"microseconds" | b"usec" => 1e-3,
            b"ns" | b"nanos" | b"nanoseconds" | b"nsec" => 1e-6,
            _ => return None,
        };
        // A name with its unit is sure of it.
        Some((Slot::Duration(unit), 0))
    })
}

/// A value and the rank of the name it came under; the first of the best rank stays.
struct Best<T>(Option<(u8, T)>);

impl<T> Best<T> {
    fn offer(&mut self, rank: u8, value: Option<T>) {
        if self.0.as_ref().is_none_or(|(held, _)| rank < *held)
            && let Some(value) = value
        {
            self.0 = Some((rank, value));
        }
    }

    fn take(self) -> Option<T> {
        self.0.map(|(_, value)| value)
    }
}

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self(None)
    }
}

#[derive(Default)]
struct Found {
    looks: usize,
    level: Best<Level>,
    message: Best<String>,
    method: Best<String>,
    endpoint: Best<String>,
    path: Best<String>,
    status: Best<i64>,
    code: Best<i64>,
    duration: Best<f64>,
    address: Best<String>,
    user_agent: Best<String>,
    trace_id: Best<String>,
    user_id: Best<String>,
    error_type: Best<String>,
    logger: Best<String>,
}

/// The well-known among the fields; `fields` of the answer is left empty.
pub(super) fn read(form: Form, fields: &Map<String, Value>) -> Parsed {
    let mut found = Found::default();
    found.walk(&mut Name::default(), fields, 1);
    let method = found.method.take();
    let path = found.path.take();
    let mut status = found.status.take();
    let endpoint = found.endpoint.take().or_else(|| path.filter(|_| method.is_some() || status.is_some()));
    if method.is_some() || endpoint.is_some() {
        status = status.or(found.code.take());
    }
    let is_access = form == Form::Logfmt && method.is_some() && endpoint.is_some() && status.is_some();
    Parsed {
        form: if is_access { Form::Access } else { form },
        fields: Map::new(),
        level: found.level.take(),
        message_text: found.message.take(),
        method,
        endpoint,
        status,
        duration_ms: found.duration.take(),
        address: found.address.take(),
        user_agent: found.user_agent.take(),
        trace_id: found.trace_id.take(),
        user_id: found.user_id.take(),
        error_type: found.error_type.take(),
        logger: found.logger.take(),
    }
}

impl Found {
    fn walk(&mut self, name: &mut Name, fields: &Map<String, Value>, depth: usize) {
        for (key, value) in fields {
            self.looks += 1;
            if self.looks > MAX_LOOKS {
                return;
            }
            let before = name.length;
            if name.push(key) {
                match value {
                    Value::Object(inner) if depth < MAX_DEPTH => self.walk(name, inner, depth + 1),
                    Value::String(_) | Value::Number(_) => {
                        if let Some((slot, rank)) = slot_of(name.text()) {
                            self.offer(slot, rank, value);
                        }
                    }
                    _ => {}
                }
            }
            name.length = before;
        }
    }

    fn offer(&mut self, slot: Slot, rank: u8, value: &Value) {
        let text = value.as_str().map(str::trim).filter(|text| !text.is_empty());
        match slot {
            Slot::Level => {
                let level = value.as_i64().and_then(Level::from_number);
                self.level.offer(rank, level.or_else(|| text.and_then(Level::parse)));
            }
            Slot::LevelName => {
                let name =
                    text.filter(|text| text.len() > 2 && !text.starts_with(|c: char| c.is_ascii_digit()));
                self.level.offer(rank, name.and_then(Level::parse));
            }
            Slot::SeverityNumber => self.level.offer(rank, value.as_i64().and_then(Level::from_otlp)),
            Slot::Message => self.message.offer(rank, text.map(str::to_owned)),
            Slot::Method => self.method.offer(rank, text.and_then(method)),
            Slot::Endpoint => self.endpoint.offer(rank, text.and_then(path)),
            Slot::Path => self.path.offer(rank, text.and_then(path)),
            Slot::Status => self.status.offer(rank, status(value)),
            Slot::Code => self.code.offer(rank, status(value)),
            Slot::Duration(unit) => {
                let number = value.as_f64().or_else(|| text.and_then(|text| text.parse().ok()));
                let ms = number.map(|n| n * unit).or_else(|| text.and_then(milliseconds));
                self.duration.offer(rank, ms.filter(|ms| ms.is_finite() && *ms >= 0.0));
            }
            Slot::Address => self.address.offer(rank, text.and_then(address)),
            Slot::UserAgent => {
                self.user_agent.offer(rank, text.filter(|text| text.len() <= MAX_LONG).map(str::to_owned));
            }
            Slot::TraceId => self.trace_id.offer(rank, id(value)),
            Slot::TraceParent => self.trace_id.offer(rank, text.and_then(trace_of)),
            Slot::UserId => self.user_id.offer(rank, id(value)),
            Slot::ErrorType => self.error_type.offer(rank, text.and_then(error_type)),
            Slot::Logger => self.logger.offer(rank, text.and_then(short)),
        }
    }
}

/// The names from the top down to a field, in lower case and without separators.
struct Name {
    bytes: [u8; MAX_NAME],
    length: usize,
}

impl Default for Name {
    fn default() -> Self {
        Self { bytes: [0; MAX_NAME], length: 0 }
    }
}

impl Name {
    /// `false` when it does not fit, which no known name does.
    fn push(&mut self, key: &str) -> bool {
        for byte in key.bytes().filter(|byte| byte.is_ascii_alphanumeric() || *byte == b'@') {
            let Some(place) = self.bytes.get_mut(self.length) else { return false };
            *place = byte.to_ascii_lowercase();
            self.length += 1;
        }
        true
    }

    fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

fn short(text: &str) -> Option<String> {
    (text.len() <= MAX_SHORT && text != "-").then(|| text.to_owned())
}

fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => short(text.trim()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn method(text: &str) -> Option<String> {
    const METHODS: [&str; 16] = [
        "GET",
        "POST",
        "PUT",
        "DELETE",
        "PATCH",
        "HEAD",
        "OPTIONS",
        "CONNECT",
        "TRACE",
        "PROPFIND",
        "PROPPATCH",
        "MKCOL",
        "COPY",
        "MOVE",
        "LOCK",
        "UNLOCK",
    ];
    METHODS.iter().find(|name| name.eq_ignore_ascii_case(text)).map(|name| (*name).to_owned())
}

fn path(text: &str) -> Option<String> {
    let inside = path_part(text);
    (inside.starts_with('/') && inside.len() <= MAX_LONG).then(|| inside.to_owned())
}

fn status(value: &Value) -> Option<i64> {
    let number = value.as_i64().or_else(|| value.as_str()?.trim().parse().ok());
    number.filter(|number| (100..=599).contains(number))
}

/// The address of `192.0.2.1:443`, of `[2001:db8::1]:443`, or the first of a list.
fn address(text: &str) -> Option<String> {
    let first = text.split(',').next()?.trim();
    let bare = first.trim_matches(['[', ']']);
    let address = bare.parse().ok().or_else(|| first.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address: IpAddr| address.to_string())
}

/// The second part of a `traceparent`.
fn trace_of(text: &str) -> Option<String> {
    let trace = text.split('-').nth(1)?;
    (trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| trace.to_owned())
}

/// The name of an error: all of the text, or what stands before its colon. A sentence is none.
fn error_type(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        name.len() <= 128
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.$:-\\".contains(&byte))
    };
    let looks_typed =
        |name: &str| name.contains(['.', ':']) || name.bytes().any(|byte| byte.is_ascii_uppercase());
    if is_name(text) && !matches!(text, "true" | "false" | "null" | "nil" | "none" | "None") {
        return Some(text.trim_end_matches(':').to_owned());
    }
    let (name, _) = text.split_once(": ").or_else(|| text.split_once('\n'))?;
    (is_name(name) && looks_typed(name)).then(|| name.to_owned())
}

/// `15ms`, `1.5s`, `200µs`, `1m2.5s`, `3 seconds`.
fn milliseconds(text: &str) -> Option<f64> {
    let mut rest = text;
    let (mut sum, mut parts) = (0.0, 0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at_checked(digits)?;
        let behind = behind.trim_ascii_start();
        let letters = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at_checked(letters)?;
        let unit = match unit {
            "ns" | "nanoseconds" => 1e-6,
            // The sign of micro and the Greek letter.
            "us" | "\u{b5}s" | "\u{3bc}s" | "usec" | "microseconds" => 1e-3,
            "ms" | "msec" | "millis" | "milliseconds" => 1.0,
            "s" | "sec" | "secs" | "second" | "seconds" => 1e3,
            "m" | "min" | "mins" | "minute" | "minutes" => 6e4,
            "h" | "hour" | "hours" => 3.6e6,
            _ => return None,
        };
        sum += number.parse::<f64>().ok()? * unit;
        parts += 1;
        if parts > 6 {
            return None;
        }
        rest = behind.trim_ascii_start();
    }
    (parts > 0).then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_in_milliseconds() {
        for (text, expected) in [
            ("15ms", Some(15.0)),
            ("1.5s", Some(1500.0)),
            ("200\u{b5}s", Some(0.2)),
            ("200us", Some(0.2)),
            ("500ns", Some(0.0005)),
            ("1m2.5s", Some(62_500.0)),
            ("1h0m0s", Some(3_600_000.0)),
            ("3 seconds", Some(3000.0)),
            ("", None),
            ("ms", None),
            ("fast", None),
            ("1.2.3s", None),
            ("5 parsecs", None),
        ] {
            let ms = milliseconds(text);
            assert_eq!(ms.map(|ms| (ms * 1e4).round()), expected.map(|ms: f64| (ms * 1e4).round()), "{text}");
        }
    }

    #[test]
    fn an_error_is_named() {
        for (text, expected) in [
            ("ValueError", Some("ValueError")),
            ("ValueError: no such thing", Some("ValueError")),
            ("java.io.IOException: no such thing", Some("java.io.IOException")),
            ("ECONNREFUSED", Some("ECONNREFUSED")),
            ("not_found", Some("not_found")),
            ("connection refused", None),
            ("dial tcp: lookup failed", None),
            ("sentence: with a colon", None),
            ("true", None),
        ] {
            assert_eq!(error_type(text).as_deref(), expected, "{text}");
        }
    }
}
