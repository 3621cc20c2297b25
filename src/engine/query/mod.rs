//! What is asked for: a search expression, a filter, an order, a page. It decides over heads, rows and records
//! that others read. The search language is in docs/search.md.
//!
//! Invariants: the order is by (time, id), a total order, so a page that ends at a position
//! is continued from it without a row shown twice or left out, whatever arrives in between. A text has one
//! meaning: what is printed of an expression is parsed as that expression.

pub mod cells;
pub mod columns;
pub mod expr;
pub mod filter;
mod lexer;
pub mod mask;
pub mod page;
pub mod parse;
mod print;
pub mod relevance;
pub mod row;
pub mod stat;
pub mod test;
pub mod wildcard;

pub use cells::Cells;
pub use columns::{Asked, Filters, Query};
pub use expr::{Bound, Expr, Field, Fields, Match, Operand, Pattern, Test};
pub use filter::{Filter, TimeRange};
pub use mask::Mask;
pub use page::{Collector, Cursor, Order, Position};
pub use parse::{ParseError, parse};
pub use print::{is_plain, print_name, print_text};
pub use row::leaves;
pub use wildcard::{Piece, Wildcard};

#[cfg(test)]
mod tests;
