//! Time, randomness and the console.

use std::time::Duration;

use async_trait::async_trait;
use worker::{Date, Delay, console_error, send::SendFuture};

use crate::ports::{Clock, Journal, Random};

pub(super) struct Platform;

#[async_trait]
impl Clock for Platform {
    fn now_ms(&self) -> u64 {
        Date::now().as_millis()
    }

    async fn sleep_ms(&self, ms: u64) {
        SendFuture::new(Delay::from(Duration::from_millis(ms))).await;
    }
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
