//! Work behind an answer: the platform lets it end.

use futures::future::BoxFuture;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::{
    console_error,
    js_sys::Promise,
    wasm_bindgen::{self, JsValue},
};

use crate::ports::Background;

#[wasm_bindgen(module = "cloudflare:workers")]
extern "C" {
    #[wasm_bindgen(catch, js_name = waitUntil)]
    fn wait_until(work: &Promise) -> Result<(), JsValue>;
}

pub(super) struct Platform;

impl Background for Platform {
    fn spawn(&self, work: BoxFuture<'static, ()>) {
        let work = wasm_bindgen_futures::future_to_promise(async move {
            work.await;
            Ok(JsValue::UNDEFINED)
        });
        if let Err(error) = wait_until(&work) {
            console_error!("work behind an answer may be cut off: {error:?}");
        }
    }
}
