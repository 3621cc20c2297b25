//! Questions in plain English.

use axum::{
    Extension,
    extract::{Request, State},
    http::{StatusCode, Uri},
    response::Response,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::show;
use crate::{
    app::{
        App, Reader,
        ask::{self, Answer, Found},
        search::MAX_LIMIT,
    },
    engine::{
        ask::Wants,
        record::{model::Level, timestamp::Timestamp},
    },
    http::{
        admin,
        error::{Error, json_answer, json_text},
        gate::{AskedInBody, Reads, shows},
        params,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    question: String,
    limit: Option<usize>,
}

/// Answers a question, and shows what it was taken for.
pub(in crate::http) async fn ask(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    uri: Uri,
    request: Request,
) -> Result<Response, Error> {
    params::none(&uri)?;
    let Question { question, limit } = admin::read("question", request).await?;
    if limit.is_some_and(|limit| !(1..=MAX_LIMIT).contains(&limit)) {
        let message = format!("expected a whole number from 1 to {MAX_LIMIT}");
        return Err(Error::invalid("invalid_value", "limit", message));
    }
    let answer = ask::ask(&app, &reader, &question, limit).await.map_err(|error| Error::of(&app, error))?;
    let mut shown = shown(&question, &answer);
    let mut response = match answer.found {
        Found::Logs(rows) => {
            let reads = Reads::Shown(rows.len());
            let bytes = show::list(rows, &shown, None).map_err(|corrupt| Error::of(&app, corrupt.into()))?;
            shows(json_text(StatusCode::OK, bytes), reads)
        }
        other => {
            if let Some(fields) = shown.as_object_mut() {
                fields.insert("data".into(), data(other));
            }
            shows(json_answer(StatusCode::OK, &shown), Reads::Shown(0))
        }
    };
    response.extensions_mut().insert(AskedInBody(question));
    Ok(response)
}

fn shown(question: &str, answer: &Answer) -> Value {
    let asked = &answer.asked;
    let understood: Vec<Value> =
        asked.understood.iter().map(|part| json!({ "words": part.words, "meaning": part.meaning })).collect();
    let wants = match &asked.wants {
        Wants::Logs => json!("logs"),
        Wants::Count => json!("count"),
        Wants::CountBy(field) => json!({ "count_by": field }),
        Wants::Slowest => json!("slowest"),
        Wants::Trend => json!("trend"),
    };
    let time = &answer.time;
    json!({
        "question": question, "query": asked.query, "wants": wants,
        "start_time": (time.start > Timestamp::EPOCH).then_some(time.start),
        "end_time": (time.end < Timestamp::MAX).then_some(time.end),
        "understood": understood, "ignored": asked.ignored, "read_by": answer.read_by.as_deref().unwrap_or("rules"), "stats": show::stats(&answer.stats),
    })
}

fn data(found: Found) -> Value {
    match found {
        Found::Logs(_) => Value::Null,
        Found::Count(count) => json!({ "count": count }),
        Found::Counts(field, counts) => {
            counts.into_iter().map(|(key, count)| json!({ (field.as_str()): key, "count": count })).collect()
        }
        Found::Trend(buckets) => buckets
            .into_iter()
            .map(|bucket| {
                let levels: serde_json::Map<String, Value> = Level::ALL
                    .iter()
                    .zip(bucket.levels)
                    .map(|(level, count)| (level.as_str().to_owned(), count.into()))
                    .collect();
                json!({ "time": bucket.start, "count": bucket.levels.iter().sum::<u64>(), "by_level": levels })
            })
            .collect(),
    }
}
