//! The storage of a limiter: one row for each counter.

use super::PortError;

/// A counter as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub state: String,
    /// When the state says nothing any more.
    pub until_ms: u64,
}

/// All calls made without an await between them are one transaction, durable before any answer leaves the limiter.
pub trait LimitLog: Send + Sync {
    /// All rows, in no order.
    fn read(&self) -> Result<Vec<Row>, PortError>;

    /// Adds a row, or puts it in the place of the one with its name.
    fn write(&self, row: &Row) -> Result<(), PortError>;

    fn remove(&self, name: &str) -> Result<(), PortError>;
}
