//! Tokens of callers, and the published keys that check them: read when first needed and kept by the isolate.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::App;
use crate::{
    engine::auth::jwt::{Claims, KeySet, MAX_KEY_SET_BYTES, Refused, Token},
    ports::PortError,
};

/// How long keys are trusted without another look: one that its owner withdraws is accepted for so long.
const FRESH_MS: u64 = 10 * 60_000;

/// Between two fetches there is at least this, whether they succeed or not: tokens that name keys which do not
/// exist cost anybody nothing to make.
const PAUSE_MS: u64 = 60_000;

/// How long a fetch may take, and so how long a token may have to wait.
const TIMEOUT_MS: u64 = 5_000;

/// A fetch that has not ended by then never will: the platform ends what a request does when its caller is gone.
const ABANDONED_MS: u64 = TIMEOUT_MS + 1_000;

/// Between two looks at whether another request's fetch has ended.
const POLL_MS: u64 = 50;

/// The keys, and what was done to get them.
#[derive(Default)]
pub struct Cache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    keys: Option<Fetched>,
    /// When the last fetch began.
    tried_ms: Option<u64>,
    under_way: bool,
    /// Why the last fetch failed, if it did.
    failure: Option<PortError>,
}

#[derive(Clone)]
struct Fetched {
    set: Arc<KeySet>,
    at_ms: u64,
}

/// Why a token does not let its caller in.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// For the caller.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The keys cannot be fetched and none are known. Nothing is known of the token then.
    #[error(transparent)]
    Unavailable(#[from] PortError),
}

/// What to do for a request that needs keys.
enum Step {
    Use(Arc<KeySet>),
    Fetch,
    Wait,
    Fail(PortError),
}

/// Checks a token by the deployment's settings.
pub async fn verify(app: &App, token: &str) -> Result<Claims, Error> {
    let token = Token::parse(token)?;
    let Some(rules) = &app.settings.jwt else { return Err(token.refused_by_algorithm().into()) };
    let Some(url) = rules.jwks_url.as_deref().filter(|_| token.needs_keys(rules)) else {
        return Ok(token.verify(rules, None, app.clock.now_ms())?);
    };
    let keys = known(app, url, None).await?;
    match token.verify(rules, Some(&keys), app.clock.now_ms()) {
        Err(refused) if token.wants_newer_keys(&refused) => {
            let newer = known(app, url, Some(&keys)).await?;
            Ok(token.verify(rules, Some(&newer), app.clock.now_ms())?)
        }
        outcome => Ok(outcome?),
    }
}

/// The keys to go by; where one was not found in `lacking`, newer ones if there may be any.
///
/// A request waits for another's fetch by looking again and again, with a timer of its own: on the platform no
/// request can wait for what another has begun, which may be ended at any time.
async fn known(app: &App, url: &str, lacking: Option<&Arc<KeySet>>) -> Result<Arc<KeySet>, PortError> {
    loop {
        let step = app.tokens.lock().step(app.clock.now_ms(), lacking);
        match step {
            Step::Use(set) => return Ok(set),
            Step::Fail(error) => return Err(error),
            Step::Wait => app.clock.sleep_ms(POLL_MS).await,
            Step::Fetch => {
                let outcome = fetch(app, url).await;
                if let Some(error) = app.tokens.lock().settle(outcome, app.clock.now_ms()) {
                    app.journal.error(&format!("the keys known before are used on: {error}"));
                }
            }
        }
    }
}

async fn fetch(app: &App, url: &str) -> Result<KeySet, PortError> {
    let failed = |reason: String| PortError {
        part: "outbound",
        reason: format!("the keys of JWT_JWKS_URL cannot be fetched: {reason}"),
    };
    let bytes = app.outbound.get(url, MAX_KEY_SET_BYTES, TIMEOUT_MS).await;
    KeySet::parse(&bytes.map_err(|error| failed(error.reason))?)
        .map_err(|error| failed(format!("{url}: {error}")))
}

impl Cache {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What to do now. Whoever is told to fetch is the only one until `settle`, because no fetch lasts as long as
    /// the pause between two.
    fn step(&mut self, now_ms: u64, lacking: Option<&Arc<KeySet>>) -> Step {
        let serves = |keys: &&Fetched| match lacking {
            Some(lacking) => !Arc::ptr_eq(lacking, &keys.set),
            None => now_ms < keys.at_ms.saturating_add(FRESH_MS),
        };
        if let Some(keys) = self.keys.as_ref().filter(serves) {
            return Step::Use(keys.set.clone());
        }
        let since_ms = self.tried_ms.map(|tried_ms| now_ms.saturating_sub(tried_ms));
        self.under_way &= since_ms.is_some_and(|since_ms| since_ms < ABANDONED_MS);
        // One that nobody ended says nothing of the keys, so the next need not wait, if without it all would fail.
        let was_abandoned = !self.under_way && self.keys.is_none() && self.failure.is_none();
        if since_ms.is_none_or(|since_ms| since_ms >= PAUSE_MS) || was_abandoned {
            self.tried_ms = Some(now_ms);
            self.under_way = true;
            return Step::Fetch;
        }
        match (&self.keys, &self.failure) {
            // Keys that are out of date serve while newer ones come, except where a key was not among them.
            (Some(keys), _) if !self.under_way || lacking.is_none() => Step::Use(keys.set.clone()),
            (None, Some(failure)) if !self.under_way => Step::Fail(failure.clone()),
            _ => Step::Wait,
        }
    }

    /// Takes what a fetch has brought; an error that nobody else will tell comes back.
    fn settle(&mut self, outcome: Result<KeySet, PortError>, now_ms: u64) -> Option<PortError> {
        self.under_way = false;
        match outcome {
            Ok(set) => {
                self.keys = Some(Fetched { set: Arc::new(set), at_ms: now_ms });
                self.failure = None;
                None
            }
            Err(error) => {
                self.failure = Some(error.clone());
                self.keys.is_some().then_some(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
