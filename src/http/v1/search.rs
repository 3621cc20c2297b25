//! A search whose question is a body: the same as the parameters of a list, said in JSON.

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use serde_json::{Map, Value};

use super::read::show_page;
use crate::{
    app::{
        App, Reader,
        search::{MAX_LIMIT, MAX_OFFSET},
    },
    engine::{
        record::timestamp::Timestamp,
        wire::body::{BodyError, Format},
    },
    http::{
        body,
        error::Error,
        gate::AskedInBody,
        params::{self, Asked, FIELDS, Listing, Paging},
    },
};

const MAX_BODY_BYTES: usize = 64 << 10;

/// What the body may have.
const NAMES: [&str; 8] = ["query", "filters", "limit", "cursor", "sort", "offset", "page", "page_size"];

pub(in crate::http) async fn search(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let (format, bytes) = body::read(&headers, body, MAX_BODY_BYTES).await?;
    if format != Format::Json {
        let got =
            headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
        return Err(BodyError::UnsupportedType { got, hint: "send application/json" }.into());
    }
    let asked: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Error::invalid("invalid_json", "body", error.to_string()))?;
    let mut response = show_page(&app, &reader, read(&asked, app.now())?).await?;
    response.extensions_mut().insert(AskedInBody(asked.to_string()));
    Ok(response)
}

fn read(body: &Value, now: Timestamp) -> Result<Listing, Error> {
    let body = object("body", body)?;
    let mut asked = Asked::default();
    let mut paging = Paging::default();
    for (name, value) in body {
        match name.as_str() {
            "query" | "q" | "search" => asked.query(name, text(name, value)?)?,
            "filters" => filters(object(name, value)?, now, &mut asked)?,
            "limit" => paging.limit = Some(number(name, value, 1, MAX_LIMIT)?),
            "offset" => paging.offset = Some(number(name, value, 0, MAX_OFFSET)?),
            "page" => paging.page = Some(number(name, value, 1, MAX_OFFSET)?),
            "page_size" | "pageSize" => paging.page_size = Some(number(name, value, 1, MAX_LIMIT)?),
            "sort" => paging.sort = Some(params::sort(name, text(name, value)?)?),
            // The `next_cursor` of the last page, or none yet.
            "cursor" if value.is_null() || value == "" => {}
            "cursor" => paging.cursor = Some((name.clone(), text(name, value)?.to_owned())),
            _ => return Err(unknown(name, &NAMES.join(", "))),
        }
    }
    paging.of(asked.filter("filters.timeRange.end")?)
}

fn filters(filters: &Map<String, Value>, now: Timestamp, asked: &mut Asked) -> Result<(), Error> {
    for (name, value) in filters {
        let path = format!("filters.{name}");
        if matches!(name.as_str(), "timeRange" | "time_range") {
            for (end, value) in object(&path, value)? {
                let path = format!("{path}.{end}");
                match end.as_str() {
                    "start" => asked.time.start = time(&path, value, now)?,
                    "end" => asked.time.end = time(&path, value, now)?,
                    _ => return Err(unknown(&path, "start and end")),
                }
            }
            continue;
        }
        let Some(field) = params::field_of(name) else {
            return Err(unknown(&path, &format!("{}, timeRange", FIELDS.join(", "))));
        };
        match value {
            Value::Array(values) if values.is_empty() => {
                let message = "it is empty; leave it out to search without it";
                return Err(Error::invalid("invalid_value", &path, message));
            }
            Value::Array(values) => {
                for (nth, value) in values.iter().enumerate() {
                    let path = format!("{path}[{nth}]");
                    asked.add(field, &path, &scalar(&path, value)?)?;
                }
            }
            value => asked.add(field, &path, &scalar(&path, value)?)?,
        }
    }
    Ok(())
}

fn unknown(path: &str, known: &str) -> Error {
    Error::invalid("unknown_field", path, format!("there is no {path:?}; there are {known}"))
}

fn wrong(path: &str, expected: &str, value: &Value) -> Error {
    let shown: String = value.to_string().chars().take(100).collect();
    Error::invalid("invalid_value", path, format!("expected {expected}, got {shown}"))
}

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Error> {
    value.as_object().ok_or_else(|| wrong(path, "an object", value))
}

fn text<'a>(path: &str, value: &'a Value) -> Result<&'a str, Error> {
    value.as_str().ok_or_else(|| wrong(path, "a string", value))
}

fn scalar(path: &str, value: &Value) -> Result<String, Error> {
    match value {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(wrong(path, "a string that is not empty, a number, or an array of them", value)),
    }
}

fn number(path: &str, value: &Value, min: usize, max: usize) -> Result<usize, Error> {
    let number = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| (min..=max).contains(n));
    number.ok_or_else(|| wrong(path, &format!("a whole number from {min} to {max}"), value))
}

fn time(path: &str, value: &Value, now: Timestamp) -> Result<Timestamp, Error> {
    match value {
        Value::String(text) => params::time(path, text, now),
        value => Timestamp::parse(value)
            .map_err(|error| Error::invalid("invalid_timestamp", path, error.to_string())),
    }
}
