//! A language model. What it answers is untrusted, and whoever asks says what to do when it does not answer.

use async_trait::async_trait;

use super::PortError;

/// One question. What is of logs stands in `user` alone.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub system: &'a str,
    pub user: &'a str,
    /// The JSON schema that the answer is to keep. Not every model keeps it.
    pub schema: &'a serde_json::Value,
    /// Of the answer.
    pub max_tokens: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub text: String,
    /// The model that has answered.
    pub model: String,
    /// Of question and answer together, where that is told.
    pub tokens: Option<u64>,
}

#[async_trait]
pub trait Model: Send + Sync {
    /// The model that is asked.
    fn name(&self) -> &str;

    /// Asks once. An answer without text is an error; so are one over 256 KB and a longer wait. Errors tell nothing of
    /// the key.
    async fn ask(&self, question: &Question<'_>, timeout_ms: u64) -> Result<Answered, PortError>;
}
