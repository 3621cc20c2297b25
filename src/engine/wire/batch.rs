//! JSON bodies to raw records: one object, or a batch as `{"logs":[…]}`, a bare array or NDJSON.
//!
//! It does not know what a field means. Invariant: a batch is split before its elements are parsed, so an
//! element that cannot be read is rejected alone, and one too many costs no parsing at all. Each is parsed
//! when it is asked for: a tree takes up to 60 times the memory of its text, and all at once would be more
//! than an isolate has.

use std::{fmt, iter, vec};

use memchr::memchr;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::{body::Format, reserved};
use crate::engine::record::normalise::MAX_RECORD_BYTES;
pub use crate::engine::record::normalise::{Raw, RawRecord};
use crate::engine::record::plain::Plain;
use crate::engine::record::rejection::Rejection;

/// Why a body yields no records at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Line and column count from 1, the column in bytes.
    #[error("{message} at line {line} column {column}")]
    Malformed { line: usize, column: usize, message: String },
    #[error("expected one JSON object, got {got}")]
    NotAnObject { got: &'static str },
    #[error("expected a record of at most {limit} bytes of JSON, got {got}")]
    TooLarge { limit: usize, got: usize },
    #[error("{RESERVED}")]
    ReservedName,
    #[error("expected {{\"logs\":[…]}}, an array or NDJSON, got {got}")]
    NotABatch { got: &'static str },
    #[error("expected an array in `logs`, got {got}")]
    NoLogs { got: &'static str },
    #[error("expected at least one record, got none")]
    Empty,
    #[error("expected at most {limit} records, got {got}")]
    TooMany { limit: usize, got: usize },
}

impl ParseError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => Rejection::MALFORMED_JSON,
            Self::NotAnObject { .. } => Rejection::NOT_AN_OBJECT,
            Self::TooLarge { .. } => Rejection::RECORD_TOO_LARGE,
            Self::NotABatch { .. } => "not_a_batch",
            Self::NoLogs { got: "none" } => Rejection::MISSING_FIELD,
            Self::NoLogs { .. } | Self::ReservedName => Rejection::INVALID_FIELD,
            Self::Empty => "empty_batch",
            Self::TooMany { .. } => "too_many_records",
        }
    }

    /// The field that is at fault, if it is one.
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::NoLogs { .. } => Some("logs"),
            Self::ReservedName => Some(reserved::NAME),
            _ => None,
        }
    }
}

const RESERVED: &str = "expected an object without this name, which the service cannot keep";

/// The records of a batch, in order, as text. As an iterator it parses one at a time.
#[derive(Clone, Debug)]
pub struct Split<'a>(Vec<&'a [u8]>);

impl Split<'_> {
    #[expect(clippy::len_without_is_empty, reason = "a batch is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for Split<'a> {
    type Item = Result<Raw<'a>, Rejection>;
    type IntoIter = iter::Map<vec::IntoIter<&'a [u8]>, fn(&'a [u8]) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(read_record)
    }
}

fn read_record(json: &[u8]) -> Result<Raw<'_>, Rejection> {
    match Plain::read(json) {
        Some(plain) => Ok(Raw::Plain(plain.into())),
        None => parse_record(json).map(Raw::Parsed),
    }
}

/// Reads a body that is one record.
pub fn parse_one(body: &[u8]) -> Result<Raw<'_>, ParseError> {
    let body = without_bom(body).trim_ascii();
    if let Some(plain) = Plain::read(body) {
        return Ok(Raw::Plain(plain.into()));
    }
    if body.len() > MAX_RECORD_BYTES {
        return Err(ParseError::TooLarge { limit: MAX_RECORD_BYTES, got: body.len() });
    }
    if reserved::is_named_in(body) {
        return Err(ParseError::ReservedName);
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(fields)) => Ok(Raw::Parsed(RawRecord { fields, size_bytes: body.len() })),
        Ok(_) => Err(ParseError::NotAnObject { got: kind(body) }),
        Err(error) => Err(malformed(&error)),
    }
}

/// Splits a body that is a batch of at most `max_records`.
///
/// The format is what the content type said, and only a hint: a document of several objects is read as
/// NDJSON even when it came as JSON, and `{"logs":[…]}` or an array even when it came as NDJSON. One lone
/// object without `logs` is a batch of one in NDJSON and an error in JSON.
pub fn parse_batch(body: &[u8], format: Format, max_records: usize) -> Result<Split<'_>, ParseError> {
    let body = without_bom(body);
    if body.trim_ascii().is_empty() {
        return Err(ParseError::Empty);
    }
    match serde_json::from_slice::<&RawValue>(body) {
        Ok(document) => split_document(document, format, max_records),
        Err(_) if format == Format::Ndjson || is_lines_of_objects(body) => split_lines(body, max_records),
        Err(error) => Err(malformed(&error)),
    }
}

fn split_document(document: &RawValue, format: Format, max_records: usize) -> Result<Split<'_>, ParseError> {
    let text = document.get();
    match text.as_bytes().first() {
        Some(b'[') => split_elements(text, max_records),
        Some(b'{') => match (logs_of(text)?, format) {
            (Some(logs), _) if logs.get().starts_with('[') => split_elements(logs.get(), max_records),
            (_, Format::Ndjson) => Ok(Split(vec![text.as_bytes()])),
            (logs, Format::Json) => {
                Err(ParseError::NoLogs { got: logs.map_or("none", |logs| kind(logs.get().as_bytes())) })
            }
        },
        _ => Err(ParseError::NotABatch { got: kind(text.as_bytes()) }),
    }
}

fn split_elements(array: &str, max_records: usize) -> Result<Split<'_>, ParseError> {
    let elements = Elements { max: max_records };
    let (elements, got) =
        elements.deserialize(&mut Deserializer::from_str(array)).map_err(|error| malformed(&error))?;
    match got {
        0 => Err(ParseError::Empty),
        got if got > max_records => Err(ParseError::TooMany { limit: max_records, got }),
        _ => Ok(Split(elements.into_iter().map(|element| element.get().as_bytes()).collect())),
    }
}

fn split_lines(body: &[u8], max_records: usize) -> Result<Split<'_>, ParseError> {
    let ends = memchr::memchr_iter(b'\n', body).chain([body.len()]);
    let mut start = 0;
    let mut lines = ends
        .filter_map(|end| {
            let line = body.get(start..end)?.trim_ascii();
            start = end + 1;
            (!line.is_empty()).then_some(line)
        })
        .fuse();
    let taken: Vec<&[u8]> = lines.by_ref().take(max_records).collect();
    match lines.count() {
        0 => Ok(Split(taken)),
        more => Err(ParseError::TooMany { limit: max_records, got: taken.len() + more }),
    }
}

/// Several objects one after the other, the second on a line of its own.
fn is_lines_of_objects(body: &[u8]) -> bool {
    let mut documents = Deserializer::from_slice(body).into_iter::<&RawValue>();
    let first_is_object = matches!(documents.next(), Some(Ok(first)) if first.get().starts_with('{'));
    let rest = body.get(documents.byte_offset()..).unwrap_or_default();
    let gap = rest.len() - rest.trim_ascii_start().len();
    first_is_object
        && rest.get(..gap).is_some_and(|gap| memchr(b'\n', gap).is_some())
        && rest.get(gap) == Some(&b'{')
}

/// Reads one record of a batch the long way.
pub fn parse_record(json: &[u8]) -> Result<RawRecord, Rejection> {
    // Looked at before it is parsed: a tree takes several times the memory of its text.
    if json.len() > MAX_RECORD_BYTES {
        return Err(Rejection::too_large(MAX_RECORD_BYTES, json.len()));
    }
    if reserved::is_named_in(json) {
        return Err(Rejection::of_field(Rejection::INVALID_FIELD, reserved::NAME, RESERVED));
    }
    match serde_json::from_slice::<Value>(json) {
        Ok(Value::Object(fields)) => Ok(RawRecord { fields, size_bytes: json.len() }),
        Ok(_) => {
            let message = format!("expected one JSON object, got {}", kind(json));
            Err(Rejection::new(Rejection::NOT_AN_OBJECT, message))
        }
        Err(error) => {
            let (message, column) = (reason_of(&error), error.column());
            Err(Rejection::new(Rejection::MALFORMED_JSON, format!("{message} at column {column}")))
        }
    }
}

/// The `logs` of an envelope; whatever else it carries is ignored, and of two the last one counts.
fn logs_of(envelope: &str) -> Result<Option<&RawValue>, ParseError> {
    struct Envelope;

    impl<'de> Visitor<'de> for Envelope {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object with `logs`")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut logs = None;
            while let Some(key) = map.next_key::<String>()? {
                if key == "logs" {
                    logs = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(logs)
        }
    }

    let mut deserializer = Deserializer::from_str(envelope);
    de::Deserializer::deserialize_map(&mut deserializer, Envelope).map_err(|error| malformed(&error))
}

/// The first `max` elements of an array, and how many there are: ten megabytes of `1,1,1`
/// must not become a list of five million.
struct Elements {
    max: usize,
}

impl<'de> DeserializeSeed<'de> for Elements {
    type Value = (Vec<&'de RawValue>, usize);

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements {
    type Value = (Vec<&'de RawValue>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < self.max {
            match seq.next_element()? {
                Some(element) => elements.push(element),
                None => break,
            }
        }
        let mut got = elements.len();
        if got == self.max {
            while seq.next_element::<IgnoredAny>()?.is_some() {
                got += 1;
            }
        }
        Ok((elements, got))
    }
}

fn without_bom(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body)
}

pub(super) fn malformed(error: &serde_json::Error) -> ParseError {
    ParseError::Malformed { line: error.line(), column: error.column(), message: reason_of(error) }
}

/// What `serde_json` says, without the position at its end.
fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

/// The kind of a JSON value, by its first byte.
fn kind(json: &[u8]) -> &'static str {
    match json.first() {
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b'"') => "a string",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;

    /// What came of each record: its compact JSON and size, or the code and message of its rejection.
    fn outcomes(batch: Split<'_>) -> Vec<String> {
        batch
            .into_iter()
            .map(|result| match result {
                Ok(raw) => {
                    let record = parsed(raw);
                    format!("{} {}", Value::Object(record.fields), record.size_bytes)
                }
                Err(rejection) => format!("{}: {}", rejection.code, rejection.message),
            })
            .collect()
    }

    fn check(body: impl AsRef<[u8]>, formats: &[Format], expected: &[&str]) {
        for format in formats {
            let batch = parse_batch(body.as_ref(), *format, 3).unwrap();
            assert_eq!(outcomes(batch), expected, "{format:?} {}", String::from_utf8_lossy(body.as_ref()));
        }
    }

    fn check_error(body: &str, formats: &[Format], code: &str, message: &str) {
        for format in formats {
            let error = parse_batch(body.as_bytes(), *format, 3).unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), (code, message), "{format:?} {body}");
        }
    }

    const JSON: &[Format] = &[Format::Json];
    const NDJSON: &[Format] = &[Format::Ndjson];
    const BOTH: &[Format] = &[Format::Json, Format::Ndjson];

    fn parsed(raw: Raw<'_>) -> RawRecord {
        match raw {
            Raw::Parsed(raw) => raw,
            Raw::Plain(plain) => parse_record(plain.json).unwrap(),
        }
    }

    #[test]
    fn one_record_is_one_object() {
        let record = parsed(parse_one(b" {\"a\": 1, \"a\": 2}\r\n").unwrap());
        assert_eq!((Value::Object(record.fields), record.size_bytes), (json!({"a": 2}), 16));
        let record = parsed(parse_one(b"\xEF\xBB\xBF{}").unwrap());
        assert_eq!((record.fields, record.size_bytes), (Map::new(), 2));
        for (body, code, message) in [
            ("[{}]", "not_an_object", "expected one JSON object, got an array"),
            ("null", "not_an_object", "expected one JSON object, got null"),
            ("", "malformed_json", "EOF while parsing a value at line 1 column 0"),
            ("{\n  \"a\": }", "malformed_json", "expected value at line 2 column 8"),
            ("{} {}", "malformed_json", "trailing characters at line 1 column 4"),
            ("{\"a\":1e999}", "malformed_json", "number out of range at line 1 column 10"),
        ] {
            let error = parse_one(body.as_bytes()).unwrap_err();
            assert_eq!((error.code(), error.to_string().as_str()), (code, message), "{body}");
        }
        let long = json!({"a": "x".repeat(MAX_RECORD_BYTES)}).to_string();
        assert_eq!(parse_one(long.as_bytes()).unwrap_err().code(), "record_too_large");
    }

    #[test]
    fn a_batch_is_an_envelope_an_array_or_lines_whatever_the_content_type_says() {
        let both = ["{\"a\":1} 7", "{\"b\":2} 8"];
        check("{\"logs\":[{\"a\":1},{\"b\": 2}]}", BOTH, &both);
        check("{\"source\":{\"logs\":1},\"logs\":7,\"logs\":[{\"a\":1} , {\"b\": 2}],\"n\":[]}", BOTH, &both);
        check(" [\n{\"a\":1},\n{\"b\": 2}\n]\n", BOTH, &both);
        check("{\"a\":1}\n{\"b\": 2}", BOTH, &both);
        check("\r\n{\"a\":1}\r\n\r\n  {\"b\": 2}  \r\n\n", BOTH, &both);
        check("\u{feff}{\"a\":1}\n{\"b\": 2}\n", BOTH, &both);
        check("\u{feff}[{\"a\":1},{\"b\": 2}]", BOTH, &both);
        check("{\"l\\u006fgs\":[{\"a\":1},{\"b\": 2}]}", BOTH, &both);
    }

    #[test]
    fn one_line_without_logs_is_a_batch_of_one() {
        check("{\"a\":1}\n", NDJSON, &["{\"a\":1} 7"]);
        check("{\n\"a\":1\n}", NDJSON, &["{\"a\":1} 9"]);
        check("{\"logs\":\"a lot\"}", NDJSON, &["{\"logs\":\"a lot\"} 16"]);
    }

    #[test]
    fn a_bad_element_fails_alone() {
        check(
            "{\"logs\":[{\"a\":1e999},7,{\"a\":1}]}",
            BOTH,
            &[
                "malformed_json: number out of range at column 10",
                "not_an_object: expected one JSON object, got a number",
                "{\"a\":1} 7",
            ],
        );
        let deep = format!("[{{\"a\":{}{}}},{{\"a\":\"\\ud800\"}}]", "[".repeat(5000), "]".repeat(5000));
        check(
            deep,
            BOTH,
            &[
                "malformed_json: recursion limit exceeded at column 132",
                "malformed_json: unexpected end of hex escape at column 13",
            ],
        );
        let long = format!("[{{\"a\":\"{}\"}},{{\"a\":1}}]", "x".repeat(MAX_RECORD_BYTES));
        check(
            long,
            BOTH,
            &[
                "record_too_large: expected a record of at most 262144 bytes of JSON, got 262152",
                "{\"a\":1} 7",
            ],
        );
    }

    #[test]
    fn a_bad_line_fails_alone() {
        check(
            b"{\"a\":1}\n{\"a\":\"\xff\"}\n[1]\n",
            BOTH,
            &[
                "{\"a\":1} 7",
                "malformed_json: invalid unicode code point at column 7",
                "not_an_object: expected one JSON object, got an array",
            ],
        );
        check(
            "{\"a\":1,\n{\"b\":2}",
            NDJSON,
            &["malformed_json: EOF while parsing a value at column 7", "{\"b\":2} 7"],
        );
        check(
            "{\"a\":1}{\"b\":2}\n{\"c\":3}",
            NDJSON,
            &["malformed_json: trailing characters at column 8", "{\"c\":3} 7"],
        );
    }

    #[test]
    fn a_body_that_is_no_batch_is_an_error_as_a_whole() {
        check_error("", BOTH, "empty_batch", "expected at least one record, got none");
        check_error("\u{feff} \r\n", BOTH, "empty_batch", "expected at least one record, got none");
        check_error("[]", BOTH, "empty_batch", "expected at least one record, got none");
        check_error("{\"logs\":[]}", BOTH, "empty_batch", "expected at least one record, got none");
        check_error("{\"a\":1}", JSON, "missing_field", "expected an array in `logs`, got none");
        check_error("{\"logs\":null}", JSON, "invalid_field", "expected an array in `logs`, got null");
        check_error("{\"logs\":{}}", JSON, "invalid_field", "expected an array in `logs`, got an object");
        check_error("7", BOTH, "not_a_batch", "expected {\"logs\":[…]}, an array or NDJSON, got a number");
        check_error(
            "\"x\"",
            BOTH,
            "not_a_batch",
            "expected {\"logs\":[…]}, an array or NDJSON, got a string",
        );
        check_error("{\"logs\":[{},]}", JSON, "malformed_json", "expected value at line 1 column 13");
        check_error("{\"a\":1} {\"a\":2}", JSON, "malformed_json", "trailing characters at line 1 column 9");
        check_error("{\"a\":1}\nend", JSON, "malformed_json", "trailing characters at line 2 column 1");
        check_error("[{}", JSON, "malformed_json", "EOF while parsing a list at line 1 column 3");
    }

    #[test]
    fn a_record_is_parsed_when_it_is_asked_for() {
        let body = b"{\"a\":1}\n{\"a\":\"\xff\"}\n{\"a\":2}";
        let split = parse_batch(body, Format::Json, 3).unwrap();
        assert_eq!(split.len(), 3);
        let mut records = split.into_iter();
        assert_eq!(parsed(records.next().unwrap().unwrap()).fields, *json!({"a": 1}).as_object().unwrap());
        assert_eq!(records.next().unwrap().unwrap_err().code, "malformed_json");
        assert_eq!(parsed(records.next().unwrap().unwrap()).size_bytes, 7);
        assert!(records.next().is_none());
    }

    #[test]
    fn a_name_that_serde_json_would_read_as_something_else_is_refused() {
        let bad = format!("{{\"a\":[{{\"{}\":\"[1]\"}}]}}", reserved::NAME);
        let message = "invalid_field: expected an object without this name, which the service cannot keep";
        for bad in [bad.clone(), bad.replace('$', "\\u0024")] {
            check(format!("[{bad},{{\"a\":1}}]"), BOTH, &[message, "{\"a\":1} 7"]);
            let error = parse_one(bad.as_bytes()).unwrap_err();
            assert_eq!((error.code(), error.field()), ("invalid_field", Some(reserved::NAME)));
        }
        let named = format!("{{\"a\":\"{}\"}}", reserved::NAME);
        check(&named, NDJSON, &[&format!("{named} {}", named.len())]);
    }

    #[test]
    fn too_many_records_are_counted_and_not_parsed() {
        let message = "expected at most 3 records, got 4";
        check_error("[{},{},{},1e999]", BOTH, "too_many_records", message);
        check_error("{\"logs\":[1,2,3,4]}", BOTH, "too_many_records", message);
        check_error("{}\n{}\n\n{}\n{", BOTH, "too_many_records", message);
        check("[{},{},{}]", BOTH, &["{} 2"; 3]);
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "[\\[\\]{}\":,a1e \n\r]{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            for format in [Format::Json, Format::Ndjson] {
                for body in [body.as_bytes(), bytes.as_slice()] {
                    let records = parse_batch(body, format, 5).map_or(0, |batch| batch.len());
                    prop_assert!(records <= 5);
                    let _ = parse_one(body);
                }
            }
        }

        #[test]
        fn lines_and_elements_are_the_same_batch(values in prop::collection::vec((0..9_u8, "[a-z\\\\\" é]{0,5}"), 1..9)) {
            let records: Vec<String> = values.iter().map(|(n, text)| json!({"n": n, "text": text}).to_string()).collect();
            let lines = records.join("\n");
            let lines = parse_batch(lines.as_bytes(), Format::Ndjson, 9).unwrap();
            let array = format!("[{}]", records.join(","));
            let elements = parse_batch(array.as_bytes(), Format::Json, 9).unwrap();
            prop_assert_eq!(outcomes(lines), outcomes(elements));
        }
    }
}
