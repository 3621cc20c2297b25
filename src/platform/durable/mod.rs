//! Shards, scanners and limiters as Durable Objects: the objects, their storage, and the stubs that Workers call.

pub(crate) mod client;
pub(crate) mod limiter;
mod log;
pub(crate) mod object;
pub(crate) mod scanner;

use wasm_bindgen_futures::JsFuture;
use worker::{
    Method, ObjectNamespace, Request, RequestInit, Result, SqlStorageValue, js_sys::Uint8Array, web_sys,
};

/// Asks the object of this name, and answers its status and all of its body.
async fn call(namespace: &ObjectNamespace, name: &str, url: &str, body: &[u8]) -> Result<(u16, Vec<u8>)> {
    let stub = namespace.get_by_name(name)?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(Uint8Array::from(body).into()));
    let response = stub.fetch_with_request(Request::new_with_init(url, &init)?).await?;
    let status = response.status_code();
    // In one piece: a stream of a few bytes costs more than the bytes.
    let whole = web_sys::Response::from(response).array_buffer()?;
    Ok((status, Uint8Array::new(&JsFuture::from(whole).await?).to_vec()))
}

fn integer(value: &SqlStorageValue) -> Option<u64> {
    match value {
        SqlStorageValue::Integer(n) => u64::try_from(*n).ok(),
        // The platform hands every number over as a double; sequence numbers are exact in it.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        SqlStorageValue::Float(n) => Some(*n as u64),
        _ => None,
    }
}

/// Paths of the requests from a stub to its object.
mod path {
    pub(super) const APPEND_ALL: &str = "/appends";
    pub(super) const KNOWN: &str = "/known";
    pub(super) const OBSERVE: &str = "/observe";
    pub(super) const UNFLUSHED: &str = "/unflushed";
    pub(super) const FLUSH: &str = "/flush";
    pub(super) const FORGET_PATTERNS: &str = "/forget-patterns";
    pub(super) const STATE: &str = "/state";
    #[cfg(feature = "contract")]
    pub(super) const CONTRACT: &str = "/contract";
}
