//! Randomness that nobody can guess.

pub trait Random: Send + Sync {
    fn bits(&self) -> u128;
}
