//! The id that every request gets, and every answer and audit record names.

use crate::app::App;

#[derive(Clone, Debug)]
pub(super) struct RequestId(pub(super) String);

impl RequestId {
    pub(super) fn new(app: &App) -> Self {
        Self(uuid::Builder::from_random_bytes(app.random.bits().to_be_bytes()).into_uuid().to_string())
    }
}
