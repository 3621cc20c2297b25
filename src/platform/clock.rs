//! Time, randomness and the console.

use async_trait::async_trait;
use js_sys::{Date, Function, Promise};
use wasm_bindgen::{JsValue, prelude::wasm_bindgen};
use wasm_bindgen_futures::JsFuture;
use worker::{console_error, send::SendFuture};

use crate::ports::{Clock, Journal, Random};

pub(super) struct Platform;

#[async_trait]
impl Clock for Platform {
    fn now_ms(&self) -> u64 {
        // Whole and positive, far below 2^53; `worker::Date` makes an object of it.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let now = Date::now() as u64;
        now
    }

    async fn sleep_ms(&self, ms: u64) {
        SendFuture::new(wait(ms)).await;
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(callback: &Function, ms: f64) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(timer: &JsValue);
}

/// A timer that ends with who waits for it. `worker::Delay` takes its handle for a number, which it is not on workerd: it
/// is never cleared, and calls what is not there any more.
struct Timer {
    handle: JsValue,
    done: Function,
}

impl Drop for Timer {
    fn drop(&mut self) {
        clear_timeout(&self.handle);
        // A promise that is never kept would never be freed.
        let _ = self.done.call0(&JsValue::UNDEFINED);
    }
}

pub(super) async fn wait(ms: u64) {
    let mut timer = None;
    // No wait is near 2^53 ms.
    #[expect(clippy::cast_precision_loss)]
    let passed = Promise::new(&mut |done, _| {
        timer = Some(Timer { handle: set_timeout(&done, ms as f64), done });
    });
    let _ = JsFuture::from(passed).await;
}

impl Random for Platform {
    fn bits(&self) -> u128 {
        let mut bytes = [0; 16];
        // Workers always have a source of randomness while they handle an event.
        if let Err(error) = getrandom::getrandom(&mut bytes) {
            console_error!("no randomness: {error}");
        }
        u128::from_be_bytes(bytes)
    }
}

impl Journal for Platform {
    fn error(&self, message: &str) {
        console_error!("{message}");
    }
}
