//! Requests to the world outside.

use std::{pin::pin, time::Duration};

use async_trait::async_trait;
use futures::{
    TryStreamExt,
    future::{Either, select},
};
use worker::{
    AbortController, AbortSignal, Delay, Fetch, Request, RequestInit, RequestRedirect, send::SendFuture,
};

use super::port_error;
use crate::ports::{Outbound, PortError};

pub(super) struct Fetcher;

#[async_trait]
impl Outbound for Fetcher {
    async fn get(&self, url: &str, max_bytes: usize, timeout_ms: u64) -> Result<Vec<u8>, PortError> {
        let work = async {
            let controller = AbortController::default();
            let signal = controller.signal();
            let outcome = {
                let fetched = pin!(fetch(url, max_bytes, &signal));
                // The body may be what takes so long, so the wait is for all of it.
                match select(fetched, Delay::from(Duration::from_millis(timeout_ms))).await {
                    Either::Left((outcome, _)) => outcome,
                    Either::Right(_) => Err(format!("no answer within {timeout_ms} ms").into()),
                }
            };
            if outcome.is_err() {
                controller.abort();
            }
            outcome.map_err(|error| worker::Error::from(format!("{url}: {error}")))
        };
        SendFuture::new(work).await.map_err(port_error("outbound"))
    }
}

async fn fetch(url: &str, max_bytes: usize, signal: &AbortSignal) -> worker::Result<Vec<u8>> {
    let mut init = RequestInit::new();
    // A redirect is not followed: it could lead to where nothing is encrypted.
    init.with_redirect(RequestRedirect::Manual);
    let request = Request::new_with_init(url, &init)?;
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
