//! The statements that were sent, for the contract suite.

use std::sync::{Mutex, PoisonError};

use worker::wasm_bindgen::JsValue;

use crate::contract::Sent;

static SENT: Mutex<Vec<Sent>> = Mutex::new(Vec::new());

pub(super) fn note(sql: &str, values: &[JsValue]) {
    let text = |value: &JsValue| value.as_string().unwrap_or_else(|| format!("{value:?}"));
    let one = (sql.to_owned(), values.iter().map(text).collect());
    SENT.lock().unwrap_or_else(PoisonError::into_inner).push(one);
}

pub(crate) fn all() -> Vec<Sent> {
    SENT.lock().unwrap_or_else(PoisonError::into_inner).clone()
}
