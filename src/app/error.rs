//! What a use case can end with besides its result.

use crate::{
    engine::{block::Corrupt, record::rejection::Rejection},
    ports::PortError,
};

/// The caller's mistakes are told to the caller; the platform's and our own are logged and told in
/// general words.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    #[error("{message}")]
    Invalid { code: &'static str, field: Option<String>, message: String },
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// The caller may not.
    #[error("{message}")]
    Denied { code: &'static str, message: String },
    /// What is there already stands in the way.
    #[error("{message}")]
    Conflict { code: &'static str, field: String, message: String },
    /// The idempotency key was used with another body.
    #[error("this idempotency key was used before, with another body")]
    KeyReused,
    #[error(transparent)]
    Unavailable(#[from] PortError),
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

impl Error {
    pub fn invalid(code: &'static str, field: &str, message: impl Into<String>) -> Self {
        Self::Invalid { code, field: Some(field.to_owned()), message: message.into() }
    }
}

impl From<Rejection> for Error {
    fn from(rejection: Rejection) -> Self {
        Self::Invalid { code: rejection.code, field: rejection.field, message: rejection.message }
    }
}
