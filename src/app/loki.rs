//! Reading as Loki's clients do: lines, metrics, and what streams there are. A query becomes a search of the one query
//! engine; what that cannot decide is done with the lines that it finds.

mod counts;
mod fields;
mod follow;
mod lines;
mod metric;
mod patterns;
mod streams;
mod volume;

pub use fields::fields;
pub use follow::{Follow, Followed, Seen};
pub use lines::{Lines, Row, lines};
pub use metric::metric;
pub use patterns::patterns;
pub use streams::{names, series, values};
pub use volume::{Size, Volume, size, volumes};

use super::Error;

/// A query that cannot be answered as it is.
pub(super) fn refused(message: impl Into<String>) -> Error {
    Error::Invalid { code: "invalid_query", field: None, message: message.into() }
}
