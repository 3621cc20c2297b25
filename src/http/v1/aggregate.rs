//! Numbers out: groups, histograms, and what fields there are.

use axum::{
    Extension,
    extract::State,
    http::{StatusCode, Uri},
    response::Response,
};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::show;
use crate::{
    app::{
        App, Reader,
        aggregate::{self, Bucket},
    },
    engine::{
        query::{
            Field,
            stat::{By, Key, Measure, Number, State as Measured, interval_ms},
        },
        record::{model::Level, timestamp::Timestamp},
    },
    http::{
        error::{Error, json_answer},
        params::Params,
    },
};

const MAX_BY: usize = 3;
const MAX_MEASURES: usize = 20;
const MAX_FIELDS: usize = 50;
const MAX_SHOWN: usize = 10_000;

/// What is measured of groups of rows.
pub(in crate::http) async fn stats(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let filter = params.take_filter()?;
    let by = list(params.take(&["by"])?, "by", 0, MAX_BY, By::parse)?;
    let asked = params.take(&["stats"])?.unwrap_or_else(|| ("stats".to_owned(), "count".to_owned()));
    let measures = list(Some(asked), "stats", 1, MAX_MEASURES, Measure::parse)?;
    let limit = params.take_number(&["limit"], 1, MAX_SHOWN)?.unwrap_or(MAX_SHOWN);
    params.finish()?;
    let (kinds, wanted): (Vec<By>, Vec<Measure>) =
        (by.iter().map(|(_, by)| by.clone()).collect(), measures.iter().map(|(_, m)| m.clone()).collect());
    let found = aggregate::groups(&app, &reader, &filter, &kinds, &wanted)
        .await
        .map_err(|error| Error::of(&app, error))?;
    let mut groups = found.groups;
    if groups.is_empty() && by.is_empty() {
        groups.push((Vec::new(), wanted.iter().map(Measured::new).collect()));
    }
    let timed = kinds.iter().position(|by| matches!(by, By::Time(_)));
    groups.sort_by(|(a, of_a), (b, of_b)| {
        let time = timed.map(|at| (a.get(at), b.get(at))).map(|(a, b)| a.cmp(&b));
        let first = |states: &[Measured]| states.first().map_or(0.0, |state| real(state.result()));
        time.unwrap_or(std::cmp::Ordering::Equal)
            .then_with(|| first(of_b).total_cmp(&first(of_a)))
            .then_with(|| a.cmp(b))
    });
    let truncated = found.truncated || groups.len() > limit;
    groups.truncate(limit);
    let approximate: Vec<&str> = measures
        .iter()
        .enumerate()
        .filter(|(nth, _)| groups.iter().any(|(_, s)| s.get(*nth).is_some_and(Measured::is_approximate)))
        .map(|(_, (name, _))| name.as_str())
        .collect();
    let data: Vec<Value> = groups
        .iter()
        .map(|(keys, states)| {
            let keys = by.iter().zip(keys).map(|((name, by), key)| {
                let name = if matches!(by, By::Time(_)) { "time" } else { name };
                (name.to_owned(), shown(key))
            });
            let numbers =
                measures.iter().zip(states).map(|((name, _), state)| (name.clone(), number(state.result())));
            Value::Object(keys.chain(numbers).collect::<Map<_, _>>())
        })
        .collect();
    let body = json!({
        "data": data, "truncated": truncated, "approximate": approximate, "stats": show::stats(&found.stats),
    });
    Ok(json_answer(StatusCode::OK, &body))
}

/// How many rows there are over time.
pub(in crate::http) async fn histogram(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let filter = params.take_filter()?;
    let interval = params.take(&["interval"])?.map(|(name, value)| {
        interval_ms(&value).map_err(|message| Error::invalid("invalid_parameter", &name, message))
    });
    let interval = interval.transpose()?;
    params.finish()?;
    let found = aggregate::histogram(&app, &reader, &filter, interval)
        .await
        .map_err(|error| Error::of(&app, error))?;
    let stats = show::stats(&found.stats);
    let body = Histogram { data: Bars(&found.buckets), interval_ms: found.interval_ms, stats };
    Ok(json_answer(StatusCode::OK, &body))
}

/// A histogram as it is shown. There are thousands of bars, so they are written as they are, and not made trees of first.
#[derive(Serialize)]
struct Histogram<'a> {
    data: Bars<'a>,
    interval_ms: i64,
    stats: Value,
}

struct Bars<'a>(&'a [Bucket]);

#[derive(Serialize)]
struct Bar<'a> {
    time: Timestamp,
    count: u64,
    by_level: ByLevel<'a>,
}

struct ByLevel<'a>(&'a [u64; 5]);

impl Serialize for Bars<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|bucket| Bar {
            time: bucket.start,
            count: bucket.levels.iter().sum(),
            by_level: ByLevel(&bucket.levels),
        }))
    }
}

impl Serialize for ByLevel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Level::ALL.iter().map(|level| level.as_str()).zip(self.0))
    }
}

/// The names of fields that are asked for, as they are stored.
pub(in crate::http) fn take_fields(params: &mut Params) -> Result<Vec<String>, Error> {
    let fields = params.take(&["fields"])?;
    let names = list(fields, "fields", 0, MAX_FIELDS, |name| match Field::named(name) {
        Ok(Field::Named(name)) => Ok(name),
        Ok(Field::Any) => Err("expected the name of a field".to_owned()),
        Err(instead) => Err(format!("expected {instead}, got {name:?}")),
    })?;
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

/// The most frequent values of fields.
pub(in crate::http) async fn facets(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let filter = params.take_filter()?;
    let names = take_fields(&mut params)?;
    let limit = params.take_number(&["limit"], 1, 1_000)?.unwrap_or(10);
    params.finish()?;
    let found =
        aggregate::facets(&app, &reader, &filter, &names).await.map_err(|error| Error::of(&app, error))?;
    let data: Vec<Value> = found
        .fields
        .into_iter()
        .map(|(field, facet)| {
            let (values, other, truncated) = facet.top(limit);
            let values: Vec<Value> =
                values.iter().map(|one| json!({ "value": shown(&one.value), "count": one.count })).collect();
            json!({ "field": field, "values": values, "other": other, "truncated": truncated })
        })
        .collect();
    Ok(json_answer(StatusCode::OK, &json!({ "data": data, "stats": show::stats(&found.stats) })))
}

/// The names of fields.
pub(in crate::http) async fn fields(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
) -> Result<Response, Error> {
    let mut params = Params::read(&uri, app.now())?;
    let filter = params.take_filter()?;
    params.finish()?;
    let (fields, rows, stats) =
        aggregate::fields(&app, &reader, &filter).await.map_err(|error| Error::of(&app, error))?;
    let data: Vec<Value> = fields
        .iter()
        .map(|(name, of)| {
            let kinds = [("text", of.text), ("number", of.number), ("json", of.json)];
            let there: Map<_, _> = kinds
                .iter()
                .filter(|(_, n)| *n > 0)
                .map(|(kind, n)| ((*kind).to_owned(), json!(n)))
                .collect();
            json!({ "field": name, "rows": of.text + of.number + of.json, "kinds": there })
        })
        .collect();
    Ok(json_answer(StatusCode::OK, &json!({ "data": data, "rows": rows, "stats": show::stats(&stats) })))
}

/// What is separated by commas, but not those in parentheses, each read and with its own text.
fn list<T>(
    given: Option<(String, String)>,
    name: &str,
    min: usize,
    max: usize,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<(String, T)>, Error> {
    let wrong = |message: String| Error::invalid("invalid_parameter", name, message);
    let text = given.map(|(_, text)| text).unwrap_or_default();
    let mut depth = 0_i32;
    let parts = text.split(|c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    let parts: Vec<&str> = parts.map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() < min || parts.len() > max {
        return Err(wrong(format!("expected {min} to {max}, separated by commas, got {}", parts.len())));
    }
    parts.into_iter().map(|part| Ok((part.to_owned(), read(part).map_err(wrong)?))).collect()
}

fn shown(key: &Key) -> Value {
    match key {
        Key::Time(ms) => json!(Timestamp::from_ms(*ms)),
        Key::Text(text) => json!(text),
        Key::Json(text) => serde_json::from_str::<Value>(text).unwrap_or(Value::Null),
        Key::Absent => Value::Null,
    }
}

fn number(number: Number) -> Value {
    match number {
        Number::Whole(number) => json!(number),
        Number::Real(number) => json!(number),
    }
}

#[expect(clippy::cast_precision_loss, reason = "it orders groups")]
fn real(number: Number) -> f64 {
    match number {
        Number::Whole(number) => number as f64,
        Number::Real(number) => number.unwrap_or(f64::NEG_INFINITY),
    }
}
