//! Requests to the world outside.

use std::pin::pin;

use async_trait::async_trait;
use futures::{
    TryStreamExt,
    future::{Either, select},
};
use worker::{AbortController, AbortSignal, Fetch, Request, RequestInit, RequestRedirect, send::SendFuture};

use super::{clock::wait, port_error};
use crate::ports::{Outbound, PortError};

pub(super) struct Fetcher;

#[async_trait]
impl Outbound for Fetcher {
    async fn get(&self, url: &str, max_bytes: usize, timeout_ms: u64) -> Result<Vec<u8>, PortError> {
        let work = async {
            let fetched = fetch(url, RequestInit::new(), max_bytes, timeout_ms).await;
            fetched.map_err(|error| worker::Error::from(format!("{url}: {error}")))
        };
        SendFuture::new(work).await.map_err(port_error("outbound"))
    }
}

/// The body of the answer to a request: of a 200, within so many bytes and so much time.
pub(super) async fn fetch(
    url: &str,
    mut init: RequestInit,
    max_bytes: usize,
    timeout_ms: u64,
) -> worker::Result<Vec<u8>> {
    // A redirect is not followed: it could lead to where nothing is encrypted.
    init.with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init)?;
    let controller = AbortController::default();
    let signal = controller.signal();
    // The body may be what takes so long, so the wait is for all of it.
    let outcome = within(timeout_ms, body(request, max_bytes, &signal)).await;
    if outcome.is_err() {
        controller.abort();
    }
    outcome
}

/// What comes of some work, unless it takes longer than this.
pub(super) async fn within<T>(
    timeout_ms: u64,
    work: impl Future<Output = worker::Result<T>>,
) -> worker::Result<T> {
    match select(pin!(work), pin!(wait(timeout_ms))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(format!("no answer within {timeout_ms} ms").into()),
    }
}

async fn body(request: Request, max_bytes: usize, signal: &AbortSignal) -> worker::Result<Vec<u8>> {
    let mut response = Fetch::Request(request).send_with_signal(signal).await?;
    match response.status_code() {
        200 => {}
        status => return Err(format!("answered {status}").into()),
    }
    let mut stream = response.stream()?;
    let mut body = Vec::new();
    while let Some(piece) = stream.try_next().await? {
        if body.len() + piece.len() > max_bytes {
            return Err(format!("the body is longer than {max_bytes} bytes").into());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}
