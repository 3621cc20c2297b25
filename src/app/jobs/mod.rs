//! What the clock starts: each job may be stopped anywhere and is then simply run again.

pub mod anonymise;
pub mod compact;
pub mod expire;
pub mod index;
mod merge;
mod rewrite;
pub(super) mod round;
mod settled;
pub mod spool;
