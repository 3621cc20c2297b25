//! A language model that says what tests have told it to.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::world::{Inner, let_others_run, lock};
use crate::ports::{
    Model, PortError,
    model::{Answered, Question},
};

const PART: &str = "model";

/// A question as it was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub system: String,
    pub user: String,
    pub schema: serde_json::Value,
    pub max_tokens: u32,
    pub timeout_ms: u64,
}

/// What it answers to a question.
type Answer = Box<dyn FnMut(&Asked) -> Result<String, String> + Send>;

pub struct FakeModel {
    inner: Arc<Inner>,
    next: Mutex<VecDeque<Result<String, String>>>,
    always: Mutex<Option<Answer>>,
    asked: Mutex<Vec<Asked>>,
}

impl FakeModel {
    pub const NAME: &str = "scripted";

    /// What each answer says that it cost.
    pub const TOKENS: u64 = 42;

    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { inner, next: Mutex::default(), always: Mutex::default(), asked: Mutex::default() }
    }

    /// Answers one question with this, behind those that are set already.
    pub fn say(&self, text: impl Into<String>) {
        lock(&self.next).push_back(Ok(text.into()));
    }

    /// Fails one question, in the same row.
    pub fn fail(&self, reason: impl Into<String>) {
        lock(&self.next).push_back(Err(reason.into()));
    }

    /// Answers every question for which nothing else is set.
    pub fn always(&self, answer: impl FnMut(&Asked) -> Result<String, String> + Send + 'static) {
        *lock(&self.always) = Some(Box::new(answer));
    }

    /// Every question so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }
}

#[async_trait]
impl Model for FakeModel {
    fn name(&self) -> &str {
        Self::NAME
    }

    async fn ask(&self, question: &Question<'_>, timeout_ms: u64) -> Result<Answered, PortError> {
        let_others_run().await;
        let asked = Asked {
            system: question.system.to_owned(),
            user: question.user.to_owned(),
            schema: question.schema.clone(),
            max_tokens: question.max_tokens,
            timeout_ms,
        };
        lock(&self.asked).push(asked.clone());
        self.inner.run(PART, "model.ask", || {
            let next = lock(&self.next).pop_front();
            let said = next.or_else(|| lock(&self.always).as_mut().map(|answer| answer(&asked)));
            let text = said
                .unwrap_or_else(|| Err("nothing was told to it".to_owned()))
                .map_err(|reason| PortError { part: PART, reason })?;
            Ok(Answered { text, model: Self::NAME.to_owned(), tokens: Some(Self::TOKENS) })
        })
    }
}
