//! Lines as they come, over a WebSocket: the body of an answer 101 is its messages.

use std::sync::Arc;

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::{Value, json};

use super::{malformed, params::Params, query::streams};
use crate::{
    app::{
        App, Reader,
        export::Tally,
        loki::{Follow, Seen},
    },
    engine::{logql, record::timestamp::Timestamp},
    http::{
        error::Error,
        gate::{Pass, Reads, shows},
    },
};

/// How long it rests between two looks, at the least.
const PAUSE_MS: u64 = 1_000;

/// After so long without a line it says that it is still there.
const SILENCE_MS: u64 = 30_000;

/// How often it is asked whether the key may still read.
const TRUST_MS: u64 = 30_000;

const MAX_DELAY_S: usize = 5;

pub(in crate::http) async fn tail(
    State(app): State<App>,
    Extension(reader): Extension<Reader>,
    pass: Option<Extension<Pass>>,
    params: Params,
) -> Result<Response, Error> {
    let logql::Expr::Log(query) = logql::parse(params.query()?).map_err(|error| malformed(&error))? else {
        let message = "expected a query of lines: a metric cannot be tailed";
        return Err(Error::invalid("invalid_query", "query", message));
    };
    let delay_s = params.number("delay_for", 0, MAX_DELAY_S)?;
    let (start_ns, _) = params.range()?;
    let follow =
        Follow::new(&app, query, Timestamp::from_ns(start_ns), params.limit()?, delay_s as u64 * 1_000);
    let Some(Extension(pass)) = pass else {
        let mut response = Error::NO_WEBSOCKET.into_response();
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return Ok(response);
    };
    let tally = Arc::new(Tally::default());
    let now_ms = app.clock.now_ms();
    let (looks_at, checked, spoke) = (now_ms, now_ms, now_ms);
    let tail = Tail { app, reader, pass, follow, tally: tally.clone(), looks_at, checked, spoke };
    let messages = stream::unfold(Some(tail), |tail| async {
        let mut tail = tail?;
        match tail.next().await {
            Ok(Some(message)) => Some((Ok(Bytes::from(message)), Some(tail))),
            Ok(None) => None,
            Err(ended) => Some((Err(ended), None)),
        }
    });
    let mut response = Response::new(Body::from_stream(messages));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    Ok(shows(response, Reads::Streams(tally)))
}

/// Why there is nothing more to come.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Ended(String);

struct Tail {
    app: App,
    reader: Reader,
    pass: Pass,
    follow: Follow,
    tally: Arc<Tally>,
    /// Times in ms: of the next look, of the last time that the key was looked at, and of the last message.
    looks_at: u64,
    checked: u64,
    spoke: u64,
}

impl Tail {
    /// The next message; none when there has been as much as one connection may have.
    async fn next(&mut self) -> Result<Option<String>, Ended> {
        loop {
            let now = self.app.clock.now_ms();
            self.app.clock.sleep_ms(self.looks_at.saturating_sub(now)).await;
            let began = self.app.clock.now_ms();
            if began.saturating_sub(self.checked) >= TRUST_MS {
                let reader = self.pass.reader(&self.app).await;
                self.reader = reader.ok_or_else(|| Ended("the key may not read any more".to_owned()))?;
                self.checked = began;
            }
            let seen = self
                .follow
                .look(&self.app, &self.reader)
                .await
                .map_err(|error| Ended(Error::of(&self.app, error).told()))?;
            let Some(seen) = seen else { return Ok(None) };
            let now = self.app.clock.now_ms();
            // A store that is slow is asked less often.
            self.looks_at = now + PAUSE_MS.max(now.saturating_sub(began));
            if !seen.rows.is_empty() || now.saturating_sub(self.spoke) >= SILENCE_MS {
                self.spoke = now;
                self.tally.add(seen.rows.len() as u64);
                return Ok(Some(message(&seen).to_string()));
            }
        }
    }
}

fn message(seen: &Seen) -> Value {
    let dropped: Vec<Value> = match seen.rows.first() {
        Some(oldest) if seen.dropped => {
            vec![json!({ "labels": {}, "timestamp": oldest.at.time.as_ns().to_string() })]
        }
        _ => Vec::new(),
    };
    json!({ "streams": streams(&seen.rows, false), "dropped_entries": dropped })
}
