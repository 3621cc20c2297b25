//! What the clock starts: each job may be stopped anywhere and is then simply run again.

pub mod expire;
pub mod spool;
