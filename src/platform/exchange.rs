//! Requests and answers between JavaScript and the router. Small bodies cross in one piece: a stream
//! costs the isolate more than all the rest of such a request.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header},
};
use bytes::Bytes;
use futures::stream;
use http_body_util::BodyExt;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use worker::{Headers, Result, send::SendFuture, web_sys};

use super::socket;
use crate::engine::pipeline::Client;

/// Bodies that say they are no longer than this are read in one piece, when they are first asked for: the
/// caller has shown a key then, and the handler's own limit has been checked.
const WHOLE_BYTES: u64 = 16 << 20;

/// The request for the router, or why there can be none. Each thing is asked for once: it is a call of JavaScript.
pub(crate) fn request(incoming: web_sys::Request) -> std::result::Result<Request<Body>, String> {
    let headers = headers(&Headers(incoming.headers()));
    let mut request = Request::builder()
        .method(incoming.method().as_str())
        .uri(incoming.url())
        .body(Body::empty())
        .map_err(|error| error.to_string())?;
    if request.method() == Method::POST
        && let Some(client) = client(&incoming, &headers)
    {
        request.extensions_mut().insert(Arc::new(client));
    }
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    *request.headers_mut() = headers;
    *request.body_mut() = match length {
        Some(length) if length <= WHOLE_BYTES => {
            let read = async move { whole(&incoming).await.map_err(|error| error.to_string()) };
            Body::from_stream(stream::once(SendFuture::new(read)))
        }
        // Asked for here only: `body` makes a stream.
        _ => incoming.body().map_or_else(Body::empty, |stream| Body::new(worker::Body::new(stream))),
    };
    Ok(request)
}

async fn whole(incoming: &web_sys::Request) -> Result<Bytes> {
    let read = JsFuture::from(incoming.array_buffer()?).await?;
    Ok(Uint8Array::new(&read).to_vec().into())
}

/// What the platform tells of who sent a request. Each field is asked for by itself: which there are depends on the plan.
fn client(request: &web_sys::Request, headers: &HeaderMap) -> Option<Client> {
    let cf = Reflect::get(request, &"cf".into()).ok().filter(JsValue::is_object)?;
    let get = |name: &str| Reflect::get(&cf, &name.into()).ok();
    let text = |name| get(name)?.as_string();
    // A network's number is a whole number of 32 bits.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let asn = get("asn").and_then(|asn| asn.as_f64()).map(|asn| asn as u32);
    let user_agent = headers.get(header::USER_AGENT).and_then(|name| name.to_str().ok());
    Client::new(text("country").as_deref(), text("colo").as_deref(), asn, user_agent)
}

/// A value that HTTP does not allow is left out: no handler could read it.
fn headers(from: &Headers) -> HeaderMap {
    let valid = from.entries().filter_map(|(name, value)| {
        let name = HeaderName::try_from(name).ok()?;
        Some((name, HeaderValue::from_bytes(value.as_bytes()).ok()?))
    });
    valid.collect()
}

pub(crate) async fn response(answer: Response<Body>) -> Result<web_sys::Response> {
    let (parts, body) = answer.into_parts();
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(socket::response(&parts.headers, body)?.into());
    }
    if body.size_hint().exact().is_none() {
        return worker::response_to_wasm(Response::from_parts(parts, body));
    }
    let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    let init = web_sys::ResponseInit::new();
    init.set_status(parts.status.as_u16());
    init.set_headers(&headers_of(&parts.headers)?.0);
    let bytes = Uint8Array::from(&*bytes);
    Ok(web_sys::Response::new_with_opt_buffer_source_and_init(Some(&bytes), &init)?)
}

pub(super) fn headers_of(from: &HeaderMap) -> Result<Headers> {
    let headers = Headers::new();
    for (name, value) in from {
        headers.append(name.as_str(), value.to_str().map_err(|error| error.to_string())?)?;
    }
    Ok(headers)
}
