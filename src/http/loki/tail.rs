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

use super::{malformed, of, params::Params, query::streams};
use crate::{
    app::{
        self, App, Reader,
        export::Tally,
        loki::{Follow, Seen},
    },
    engine::{logql, record::timestamp::Timestamp},
    http::{
        error::Error,
        gate::{Again, Pass, Reads, shows},
    },
};

/// How long it rests between two looks, at the least.
const PAUSE_MS: u64 = 1_000;

/// After so long without a line it says that it is still there.
const SILENCE_MS: u64 = 30_000;

/// How often it is asked whether the key may still read, and for how long it is not known.
const TRUST_MS: u64 = 30_000;
const MAX_TRUST_MS: u64 = 300_000;

/// Looks in a row that may fail, each waiting longer than the one before.
const MAX_FAILURES: u32 = 6;

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
    let delay = params.number("delay_for", 0, MAX_DELAY_S)?;
    let delay_ms = i64::try_from(delay).unwrap_or_default() * 1_000;
    let (start_ns, _) = params.range()?;
    let follow = Follow::new(&app, &query, Timestamp::from_ns(start_ns), params.limit()?, delay_ms);
    let follow = follow.map_err(of(&app))?.ok_or(Error::TOO_MANY_TAILS)?;
    let Some(Extension(pass)) = pass else {
        let mut response = Error::NO_WEBSOCKET.into_response();
        response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        return Ok(response);
    };
    let tally = Arc::new(Tally::default());
    let now_ms = app.clock.now_ms();
    let (looks_at, checked, known, spoke) = (now_ms, now_ms, now_ms, now_ms);
    let failures = 0;
    let tail =
        Tail { app, reader, pass, follow, tally: tally.clone(), looks_at, checked, known, spoke, failures };
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
    /// Times in ms: of the next look, of the last time that it was asked whether the key may read, of the last time that
    /// this was known, and of the last message.
    looks_at: u64,
    checked: u64,
    known: u64,
    spoke: u64,
    /// Looks in a row that have failed.
    failures: u32,
}

impl Tail {
    /// The next message; none when there has been as much as one connection may have.
    async fn next(&mut self) -> Result<Option<String>, Ended> {
        loop {
            let now = self.app.clock.now_ms();
            self.app.clock.sleep_ms(self.looks_at.saturating_sub(now)).await;
            let began = self.app.clock.now_ms();
            if began.saturating_sub(self.checked) >= TRUST_MS {
                self.check(began).await?;
            }
            let looked = self.follow.look(&self.app, &self.reader).await;
            let now = self.app.clock.now_ms();
            let seen = match looked {
                Ok(Some(seen)) => seen,
                Ok(None) => return Ok(None),
                Err(app::Error::Unavailable(_)) if self.failures < MAX_FAILURES => {
                    self.failures += 1;
                    self.looks_at = now + (PAUSE_MS << self.failures);
                    continue;
                }
                Err(error) => return Err(Ended(Error::of(&self.app, error).told())),
            };
            self.failures = 0;
            // A store that is slow is asked less often.
            self.looks_at = now + PAUSE_MS.max(now.saturating_sub(began));
            if !seen.rows.is_empty() || now.saturating_sub(self.spoke) >= SILENCE_MS {
                self.spoke = now;
                self.tally.add(seen.rows.len() as u64);
                return Ok(Some(message(&seen).to_string()));
            }
        }
    }

    /// Asks whether the key may read on.
    async fn check(&mut self, now: u64) -> Result<(), Ended> {
        self.checked = now;
        match self.pass.again(&self.app).await {
            Again::Reader(reader) => (self.reader, self.known) = (*reader, now),
            Again::Unknown if now.saturating_sub(self.known) < MAX_TRUST_MS => {}
            Again::Unknown => return Err(Ended("it is not known whether the key may read".to_owned())),
            Again::No(why) => return Err(Ended(why.to_owned())),
        }
        Ok(())
    }
}

fn message(seen: &Seen) -> Value {
    let dropped: Vec<Value> = match seen.rows.first() {
        Some(oldest) if seen.has_more => {
            vec![json!({ "labels": {}, "timestamp": oldest.at.time.as_ns().to_string() })]
        }
        _ => Vec::new(),
    };
    json!({ "streams": streams(&seen.rows, false), "dropped_entries": dropped })
}
