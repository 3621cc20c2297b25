//! Everything that is asked for, as a file.

use std::sync::Arc;

use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderValue, Uri, header},
    response::Response,
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::json;

use crate::{
    app::{
        App, Reader,
        export::{Chunks, Export, Form, Tally},
    },
    engine::{
        query::{Cells, Field},
        record::model::Record,
    },
    http::{
        error::Error,
        gate::{Reads, shows},
        params::{self, Params},
    },
};

const MAX_FIELDS: usize = 100;
const MAX_ROWS: usize = 1_000_000_000;

pub(in crate::http) async fn export(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let filter = params.take_filter()?;
    let fields = match params.take(&["fields"])? {
        None => None,
        Some((_, value)) => {
            Some(params::words(&value).map(|name| field(&name)).collect::<Result<Vec<_>, _>>()?)
        }
    };
    if fields.as_ref().is_some_and(|fields| fields.is_empty() || fields.len() > MAX_FIELDS) {
        let message = format!("expected 1 to {MAX_FIELDS} fields, separated by commas");
        return Err(Error::invalid("invalid_parameter", "fields", message));
    }
    let format = params.take(&["format"])?;
    let (form, kind, name) = match (format.as_ref().map(|(_, value)| value.as_str()), fields) {
        (None | Some("ndjson"), None) => (Form::Lines, "application/x-ndjson", "logs.ndjson"),
        (None | Some("ndjson"), Some(fields)) => {
            (Form::Fields(Cells::new(fields)), "application/x-ndjson", "logs.ndjson")
        }
        (Some("csv"), fields) => {
            // Every field there is, where none are named.
            let fields = fields.unwrap_or_else(|| Record::FIELDS.map(str::to_owned).to_vec());
            (Form::Csv(Cells::new(fields)), "text/csv; charset=utf-8", "logs.csv")
        }
        (Some(other), _) => {
            let message = format!("expected ndjson or csv, got {other:?}");
            return Err(Error::invalid("invalid_parameter", "format", message));
        }
    };
    let limit = params.take_number(&["limit"], 1, MAX_ROWS)?.map(|limit| limit as u64);
    params.finish()?;
    let is_csv = matches!(form, Form::Csv(_));
    let tally = Arc::new(Tally::default());
    let mut chunks = Chunks::new(app.clone(), reader, Export { filter, form, limit }, tally.clone());
    // What goes wrong before there is anything to show has a status of its own.
    let first = match chunks.next().await {
        Some(Ok(chunk)) => Some(Ok(chunk)),
        Some(Err(error)) => return Err(Error::of(&app, error)),
        None => None,
    };
    let body =
        stream::iter(first).chain(chunks).flat_map(move |chunk| stream::iter(end(&app, chunk, is_csv)));
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(shows(response, Reads::Streams(tally)))
}

/// A file that ends early must not look whole: its stream breaks off, behind a line that says why where a line
/// of JSON is at home.
fn end(app: &App, chunk: Result<Bytes, crate::app::Error>, is_csv: bool) -> Vec<Result<Bytes, Broken>> {
    let error = match chunk {
        Ok(chunk) => return vec![Ok(chunk)],
        Err(error) => Error::of(app, error),
    };
    let line = (!is_csv).then(|| Ok(format!("{}\n", json!({ "error": error.brief() })).into()));
    line.into_iter().chain([Err(Broken)]).collect()
}

#[derive(Debug, thiserror::Error)]
#[error("the export could not be finished")]
struct Broken;

/// The stored name of a field; `metadata` is all of it, and `pattern` is the text that a row is shown with.
fn field(name: &str) -> Result<String, Error> {
    if matches!(name, "metadata" | "pattern") {
        return Ok(name.to_owned());
    }
    match Field::named(name) {
        Ok(Field::Named(name)) => Ok(name),
        Ok(Field::Any) => Ok(String::new()),
        Err(instead) => {
            Err(Error::invalid("invalid_parameter", "fields", format!("expected {instead}, got {name:?}")))
        }
    }
}
