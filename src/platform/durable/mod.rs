//! Shards as Durable Objects: the object, its storage, and the stubs that Workers call.

pub(crate) mod client;
mod log;
pub(crate) mod object;

/// Paths of the requests from a stub to its object.
mod path {
    pub(super) const APPEND: &str = "/append";
    pub(super) const UNFLUSHED: &str = "/unflushed";
    pub(super) const FLUSH: &str = "/flush";
    pub(super) const STATE: &str = "/state";
    #[cfg(feature = "contract")]
    pub(super) const CONTRACT: &str = "/contract";
}
