//! An answer 101 is a `WebSocket`: its body is what is sent, a message a piece.

use axum::{body::Body, http::HeaderMap};
use futures::{
    StreamExt,
    future::{Either, select},
};
use wasm_bindgen_futures::spawn_local;
use worker::{ResponseBuilder, Result, WebSocket, WebSocketPair, WebsocketEvent};

use super::exchange::headers_of;

/// Codes of RFC 6455, and how long a reason may be.
const NORMAL: u16 = 1000;
const GOING_AWAY: u16 = 1001;
const INTERNAL_ERROR: u16 = 1011;
const MAX_REASON: usize = 123;

pub(super) fn response(headers: &HeaderMap, body: Body) -> Result<worker::Response> {
    let WebSocketPair { client, server } = WebSocketPair::new()?;
    server.accept()?;
    // It lives as long as the connection does, not as long as work behind an answer.
    spawn_local(send(server, body));
    let builder = ResponseBuilder::new().with_status(101).with_headers(headers_of(headers)?);
    Ok(builder.with_websocket(client).empty())
}

/// Sends until there is nothing more, or nobody listens.
async fn send(socket: WebSocket, body: Body) {
    let Ok(mut events) = socket.events() else { return };
    let mut messages = body.into_data_stream();
    let mut message = messages.next();
    loop {
        match select(message, events.next()).await {
            Either::Left((Some(Ok(text)), _)) => {
                if socket.send_with_str(String::from_utf8_lossy(&text)).is_err() {
                    return;
                }
                message = messages.next();
            }
            Either::Left((Some(Err(error)), _)) => {
                let reason: String =
                    error.to_string().chars().filter(char::is_ascii).take(MAX_REASON).collect();
                let _ = socket.close(Some(INTERNAL_ERROR), Some(reason));
                return;
            }
            Either::Left((None, _)) => {
                let reason = "this connection has had what one may ask for: open another";
                let _ = socket.close(Some(GOING_AWAY), Some(reason));
                return;
            }
            // Nothing that is sent here means anything.
            Either::Right((Some(Ok(WebsocketEvent::Message(_))), waiting)) => message = waiting,
            Either::Right(_) => {
                let _ = socket.close(Some(NORMAL), None::<&str>);
                return;
            }
        }
    }
}
