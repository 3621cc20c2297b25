//! What is asked for: a filter, an order, a page. It decides over heads and records that others read.
//!
//! Invariant: the order is newest first by (time, id), a total order, so a page that ends at a position
//! is continued from it without a row shown twice or left out, whatever arrives in between.

pub mod filter;
pub mod page;

pub use filter::{Filter, TimeRange};
pub use page::{Collector, Position};
