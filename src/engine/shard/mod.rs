//! What a shard does with what it is sent: the append message, the write-ahead log's rows, when to
//! commit, when to flush, and what a flush writes. Policies and formats only: the waiting, the storage
//! and the network are the caller's.

pub mod append;
pub mod flush;
pub mod frames;
pub mod hold;
pub mod mine;
pub mod quota;
pub mod reply;
pub mod wal;

pub use append::{Append, Header, RequestKey};
pub use quota::Quota;
